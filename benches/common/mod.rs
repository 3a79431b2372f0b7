//! What the benchmarks share: the sandbox, rounds, and a table of medians. Nothing here asserts a time: machines differ,
//! and what counts are ratios of things measured side by side.

use std::process::Command;
use std::time::{Duration, Instant};

/// Enters a sandbox; to be called before there are threads.
pub fn sandbox() {
    if let Err(error) = sglab::sandbox::enter() {
        eprintln!("this machine cannot host a lab: {error}");
        std::process::exit(3);
    }
}

/// So many rounds under `cargo bench`; one, to see that it works, where tests are run.
pub fn rounds(wanted: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { wanted } else { 1 }
}

/// A runtime as the program has it.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The middle of some times.
pub fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Prints one line of a table: what, median, and from the fastest to the slowest.
pub fn row(what: &str, times: &[Duration]) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let fastest = times.iter().min().copied().unwrap_or_default();
    let slowest = times.iter().max().copied().unwrap_or_default();
    println!("{what:<58} {:>9.1} ms   {:>8.1} to {:>8.1}", ms(median(times)), ms(fastest), ms(slowest));
}

/// Prints the ratio of two medians, and the one aimed at.
pub fn ratio(what: &str, of: &[Duration], to: &[Duration], aim: f64) {
    let ratio = median(of).as_secs_f64() / median(to).as_secs_f64();
    println!("{what:<58} {ratio:>9.2} x    aim: at most {aim} x");
}

/// Waits until the kernel has cleared away every namespace that was given up before. It does so in their order: a
/// namespace that is given up now goes last, and takes one side of a link with it that we can see.
pub fn settle() {
    let ip = |arguments: &str| {
        let done = Command::new("ip").args(arguments.split(' ')).status().expect("the program ip");
        assert!(done.success(), "ip {arguments}");
    };
    ip("netns add settling");
    ip("link add settling type veth peer name other netns settling");
    ip("netns del settling");
    let begun = Instant::now();
    while Command::new("ip").args(["link", "show", "settling"]).output().expect("the program ip").status.success() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the kernel does not clear away");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A two-tier topology of so many instances; every web server is open to the world on 80 and to nobody on 8080.
pub fn topology(instances: usize) -> sglab::topology::Topology {
    let mut text = String::from(
        "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}\n\
         groups:\n  WEB: [tcp 80 from anywhere]\n  DB: [tcp 3306 from WEB]\n  ADMIN: [tcp 22 from office]\ninstances:\n",
    );
    for number in 1..=instances {
        let (name, group, port) = if number % 2 == 1 { ("web", "WEB", 80) } else { ("db", "DB", 3306) };
        text += &format!("  {name}{number}: {{groups: [{group}, ADMIN], listens: [tcp 22, tcp {port}]}}\n");
    }
    text += "tables:\n  all:\n    ports: [tcp 22, tcp 80, tcp 3306, tcp 8080, icmp echo]\n    open: [any -> WEB:80]\n\
             scenario:\n  - step: as launched\n    expect: {table: all}\n";
    sglab::topology::Topology::parse("bench.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}
