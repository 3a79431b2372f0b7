//! A lab that stays up under operations and probes without end. What it holds may grow with its cloud, and never with what was
//! done in it.

mod clients;
mod cloud;
mod growth;
mod held;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::labs::Labs;
use crate::program::User;
use clients::{Asker, Replies, WATCHES};
use growth::Series;
use held::Held;

/// What is to be endured.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// How many instances.
    pub instances: usize,
    /// When it is enough.
    pub until: Until,
    /// How many clients probe all the time.
    pub probers: usize,
    /// How many clients follow the lab, capture in it and start programs.
    pub watchers: usize,
    /// Whether the table is printed as it grows.
    pub aloud: bool,
}

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so many operations.
    Operations(u64),
    /// After so long.
    Time(Duration),
}

/// So many times what the lab holds is looked at.
const SAMPLES: f64 = 40.0;
/// So many lines the table has.
const LINES: usize = 20;

impl Workload {
    /// How much of it is done: 1 at the end.
    fn done(&self, operations: u64, begun: Instant) -> f64 {
        match self.until {
            Until::Operations(wanted) => operations as f64 / wanted as f64,
            Until::Time(wanted) => begun.elapsed().as_secs_f64() / wanted.as_secs_f64(),
        }
    }
}

/// How one operation went, by the clock of its client and by the lab's own.
#[derive(Clone, Copy, Debug)]
struct Took {
    at: f64,
    answered: f64,
    in_force: f64,
}

/// Brings a lab up, does to it what was asked, takes it down, and gives every complaint.
pub fn endure(user: User, asked: &Workload) -> Vec<String> {
    let labs = Labs::of(user);
    std::fs::write(labs.program.scratch().join("endurance.yaml"), cloud::topology(asked.instances)).expect("a file");
    let said = labs.ok(&["up", "endurance.yaml"]);
    if asked.aloud {
        println!("{}", said.trim_end());
    }
    let asker = Asker::new(labs.socket("endurance"), asked.instances);
    let pid = labs.pid("endurance");
    let log = labs.folder().join("endurance.log");
    // An event from the first moment on: who follows them waits for one. An instance's first program has a process that stays.
    asker.be_refused();
    asker.watch("exec", &labs, &mut Replies::default());
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let mut series = Series::default();
    let mut took: Vec<Took> = Vec::new();
    let told = thread::scope(|scope| {
        // However this ends, the others end too.
        let _ends = Ends(&over);
        let probers: Vec<_> = (0..asked.probers)
            .map(|number| {
                scope.spawn({
                    let (asker, over) = (&asker, &over);
                    move || asker.probe_until(over, number as u64)
                })
            })
            .collect();
        let watchers: Vec<_> = (0..asked.watchers)
            .map(|number| {
                scope.spawn({
                    let (asker, over, labs) = (&asker, &over, &labs);
                    move || asker.watch_until(over, labs, number)
                })
            })
            .collect();
        let mut told = Replies::default();
        let mut operations = 0;
        let mut refused = 0;
        let mut lines = 0;
        for round in 0.. {
            let done = asked.done(operations, begun);
            if (series.len() as f64) < done.min(1.0) * SAMPLES || series.is_empty() || done >= 1.0 {
                let held = asker.in_silence(|| Held::by(pid, &log, &asker));
                if asked.aloud && (lines as f64 <= done * LINES as f64 || done >= 1.0) {
                    if lines == 0 {
                        println!("{}", heading(&held));
                    }
                    println!("{}", line(&held, &took, operations, &asker, begun));
                    lines += 1;
                }
                series.add(held);
            }
            if done >= 1.0 {
                break;
            }
            // Also where there are no other clients.
            asker.probe(10 * round as u64, &mut told);
            asker.watch(WATCHES[round % WATCHES.len()], &labs, &mut told);
            for words in cloud::round(round, asked.instances) {
                let at = begun.elapsed().as_secs_f64();
                let (answered, applied) = asker.apply(&words);
                operations += applied.len() as u64;
                let in_force = applied.iter().map(|it| it.in_force).sum();
                took.push(Took { at, answered, in_force });
            }
            refused += asker.be_refused();
        }
        over.store(true, Ordering::Relaxed);
        for prober in probers {
            told.add(prober.join().expect("a prober"));
        }
        for watcher in watchers {
            told.add(watcher.join().expect("a watcher"));
        }
        if asked.aloud {
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{operations} operations and {refused} refused in {seconds:.0} s, {:.1} a second",
                operations as f64 / seconds
            );
            println!("{told}");
        }
        told
    });
    let mut complaints = series.complaints();
    complaints.extend(told.complaints());
    if asked.aloud {
        print!("{}", series.summary());
        print!("{}", latencies(&took));
    }
    labs.ok(&["down"]);
    complaints
}

/// Ends the clients, also where this thread panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn heading(held: &Held) -> String {
    let kinds: String = held.iter().map(|(kind, _)| format!("{:>10}", kind.word())).collect();
    format!("{:>7} {:>7} {:>8} {:>8} {:>8}{kinds}", "seconds", "ops", "probes", "ms", "in force")
}

fn line(held: &Held, took: &[Took], operations: u64, asker: &Asker, begun: Instant) -> String {
    let last = &took[took.len().saturating_sub(200)..];
    let figures: String = held.iter().map(|(_, figure)| format!("{figure:>10}")).collect();
    format!(
        "{:>7.0} {operations:>7} {:>8} {:>8.1} {:>8.1}{figures}",
        begun.elapsed().as_secs_f64(),
        asker.probes(),
        median(last.iter().map(|it| it.answered * 1000.0)),
        median(last.iter().map(|it| it.in_force * 1000.0)),
    )
}

/// The median of the requests of each quarter, in milliseconds.
fn latencies(took: &[Took]) -> String {
    let end = took.last().map_or(0.0, |it| it.at);
    let quarter = |number: usize| {
        let of = |it: &&Took| ((it.at / end * 4.0) as usize).min(3) == number;
        let answered = median(took.iter().filter(of).map(|it| it.answered * 1000.0));
        let in_force = median(took.iter().filter(of).map(|it| it.in_force * 1000.0));
        format!("{answered:.1} ({in_force:.1})")
    };
    let quarters: Vec<String> = (0..4).map(quarter).collect();
    format!("ms until an operation is answered (in force), by quarter: {}\n", quarters.join(", "))
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// What scripts/endure asks for.
pub fn asked_by_environment() -> Workload {
    let number = |name: &str, otherwise: u64| match std::env::var(format!("ENDURE_{name}")) {
        Ok(words) => words.parse().unwrap_or_else(|_| panic!("{name} is no number: {words}")),
        Err(_) => otherwise,
    };
    let until = match number("SECONDS", 0) {
        0 => Until::Operations(number("OPERATIONS", 10_000)),
        seconds => Until::Time(Duration::from_secs(seconds)),
    };
    Workload {
        instances: number("INSTANCES", 20) as usize,
        until,
        probers: number("PROBERS", 4) as usize,
        watchers: number("WATCHERS", 2) as usize,
        aloud: true,
    }
}
