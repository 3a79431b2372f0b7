//! Random clouds: whatever is drawn, every step of it is measured in full and held against the prediction.
//!
//! Without arguments a test like any other, with a fixed seed that is printed. `soak` goes on for hours (scripts/soak).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod apart;
mod draft;
mod flows;
mod measure;
#[path = "../common/past_findings.rs"]
mod past_findings;
#[path = "../common/patience.rs"]
mod patience;
mod shrink;
mod soak;
mod strategy;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

/// The seed of the test: the day of the article. An ordinary user takes the next one, so that a run as both sees more.
const SEED: u64 = 20_130_124;
/// So many clouds are drawn from it.
const CLOUDS: u64 = 8;
/// So many labs at a time.
const JOBS: usize = 2;

fn main() -> ExitCode {
    if std::env::var_os(apart::HERE).is_some() {
        return apart::run_here();
    }
    match std::env::args().nth(1).as_deref() {
        Some("soak") => return soak::main(),
        Some("draw") => return draw(),
        _ => {}
    }
    let trials = vec![
        Trial::test("the_files_of_past_findings_are_as_the_policy_says", measure_past_findings),
        Trial::test("random_clouds_are_as_the_policy_says", random_clouds),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// `draw SEED NUMBER` prints a file.
fn draw() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(2).map_while(|word| word.parse().ok()).collect();
    let [seed, number] = numbers[..] else { return ExitCode::from(2) };
    match draft::draw(seed, number) {
        Some((draft, _)) => {
            print!("{}", draft.text());
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

fn random_clouds() -> Result<(), Failed> {
    let seed = SEED + u64::from(!nix::unistd::geteuid().is_root());
    let next = AtomicU64::new(0);
    let (steps, cells) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= CLOUDS {
                return Ok(());
            }
            let (draft, _) =
                draft::draw(seed, number).ok_or_else(|| format!("seed {seed}, cloud {number}: no file"))?;
            let report = apart::run(&draft.text());
            steps.fetch_add(report.steps, Ordering::Relaxed);
            cells.fetch_add(report.cells, Ordering::Relaxed);
            if let Some(finding) = report.findings.first().cloned() {
                next.store(CLOUDS, Ordering::Relaxed);
                let bound = shrink::Bound { runs: 100, time: Duration::from_secs(60) };
                let smallest = shrink::shrink(draft, report, finding.kind, bound);
                return Err(format!(
                    "seed {seed}, cloud {number}: {finding:#?}\nThe smallest file that shows it:\n{}\n{:#?}",
                    smallest.draft.text(),
                    smallest.report.findings
                ));
            }
        }
    };
    let found: Vec<String> = std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..JOBS).map(|_| scope.spawn(work)).collect();
        jobs.into_iter().filter_map(|job| job.join().expect("no panic").err()).collect()
    });
    println!("seed {seed}: {CLOUDS} clouds, {} steps, {} cells", steps.into_inner(), cells.into_inner());
    if found.is_empty() { Ok(()) } else { Err(found.join("\n\n").into()) }
}

/// Each topology that once showed a disagreement, measured in full.
fn measure_past_findings() -> Result<(), Failed> {
    let mut found = String::new();
    for (name, text) in past_findings::all() {
        let report = apart::run_with_expectations(text);
        if !report.findings.is_empty() {
            found.push_str(&format!("{name}: {:#?}\n", report.findings));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found.into()) }
}
