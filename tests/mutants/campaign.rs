//! All mutations of all files: each file under each of its eras in a process of its own, several at a time, resumable and
//! in shards.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use sglab::model::Era;

use super::COMMON;
use super::equivalent::claims;
use super::results;
use super::results::{
    Commons, File, MutationResult, Task, Word, files, is_done, is_gotcha, label_of_common, of_witnesses, out_of, read,
    results,
};
use super::unit;

/// The unit that this process is to run: file and era.
const UNIT: &str = "SGLAB_MUTANTS_UNIT";

/// Names the program of the lab suite, `tests/lab`.
const SUITE: &str = "SGLAB_LAB_SUITE";

const HELP: &str = "Usage: scripts/mutants [--shard I/N] [--jobs N] [--only WORD] [--again] [--report] [--gotchas]
       scripts/mutants --code [--shard I/N]

Alters the compiled rulesets of every topology in one place at a time, and says what noticed. What is done is kept in
target/mutants and not done again.

  --shard I/N   only the files of this shard, from 1
  --jobs N      so many files at a time; most of the time is spent waiting (default 4 for each processor)
  --only WORD   only files with this word in their name
  --again       try once more what nothing noticed
  --report      only say what is known so far
  --gotchas     say of each gotcha what breaks it, by its own expectations
  --code        alter the code of `policy` and `compile` instead, with cargo-mutants
";

/// What of the lab's tests looks at what all clouds have in common; the most telling come first.
const WITNESSES: [&str; 15] = [
    "outside",
    "fence",
    "services",
    "hostile_instances",
    "ipv6",
    "tracking",
    "protocols",
    "evidence",
    "memory",
    "icmp_errors",
    "errors_of_others",
    "fragments",
    "shares",
    "mtu",
    "traceroute",
];

struct Options {
    shard: (usize, usize),
    jobs: usize,
    only: String,
    again: bool,
    report: bool,
    gotchas: bool,
}

impl Options {
    fn task(&self) -> Task {
        if self.gotchas { Task::Gotcha } else { Task::Mutations }
    }
}

/// Runs the campaign, or a unit of it, if this process is meant to.
pub fn main() -> Option<ExitCode> {
    if let Ok(unit) = std::env::var(UNIT) {
        return Some(run_unit(&unit));
    }
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("campaign") {
        return None;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = 4 * processors;
    let mut options = Options { shard: (1, 1), jobs, only: String::new(), again: false, report: false, gotchas: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--shard" => {
                let shard = arguments.next().unwrap_or_default();
                let parts = shard.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
                let Some((i, n)) = parts.filter(|(i, n)| *i >= 1 && i <= n) else { return Some(usage(&shard)) };
                options.shard = (i, n);
            }
            "--jobs" => {
                let jobs = arguments.next().unwrap_or_default();
                let Some(number) = jobs.parse().ok().filter(|number| *number > 0) else { return Some(usage(&jobs)) };
                options.jobs = number;
            }
            "--only" => options.only = arguments.next().unwrap_or_default(),
            "--again" => options.again = true,
            "--report" => options.report = true,
            "--gotchas" => options.gotchas = true,
            other => return Some(usage(other)),
        }
    }
    Some(campaign(&options))
}

fn usage(what: &str) -> ExitCode {
    if matches!(what, "-h" | "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    eprintln!("scripts/mutants does not know `{what}`\n\n{HELP}");
    ExitCode::from(2)
}

fn run_unit(unit: &str) -> ExitCode {
    let words: Vec<&str> = unit.split('|').collect();
    let [task, path, era] = words.as_slice() else { panic!("{unit}") };
    let era = Era::ALL.into_iter().find(|known| known.as_str() == *era).expect("an era");
    let task = if *task == "gotcha" { Task::Gotcha } else { Task::Mutations };
    sglab::sandbox::enter().unwrap_or_else(|error| panic!("this machine cannot host a lab: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(unit::run(task, &(path.into(), era))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path} under {era}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(options: &Options) -> ExitCode {
    std::fs::create_dir_all(results()).expect("a folder for the results");
    let task = options.task();
    let mut all: Vec<File> = files();
    if task == Task::Gotcha {
        // The last of its eras tells of each file.
        let gotchas: BTreeMap<_, Era> = all.into_iter().filter(|(path, _)| is_gotcha(path)).collect();
        all = gotchas.into_iter().collect();
    }
    let (i, n) = options.shard;
    let ours: Vec<File> = all.iter().skip(i - 1).step_by(n).cloned().collect();
    let mut failed = 0;
    if !options.report {
        if options.again {
            forget_survivors(&of_witnesses());
        }
        failed += run_files(options, ours);
        // What all clouds have in common is tried in few files, and then by the tests that look at it.
        if task == Task::Mutations && options.only.is_empty() {
            ask_the_witnesses(options);
        }
    }
    match task {
        Task::Gotcha => results::gotchas(&all, failed),
        Task::Mutations => results::mutations(&all, failed),
    }
}

/// Runs what is to do of some files, several at a time. Gives how many failed.
fn run_files(options: &Options, files: Vec<File>) -> usize {
    let task = options.task();
    let program = std::env::current_exe().expect("this program");
    let to_do = files.into_iter().filter(|file| {
        let out = out_of(task, file);
        let survived = || read(&out).iter().any(|fate| fate.fate == Word::Survived && fate.by.is_empty());
        file.0.to_string_lossy().contains(&options.only) && (!is_done(&out) || (options.again && survived()))
    });
    let mut to_do: Vec<File> = to_do.collect();
    // What takes longest should not be left for last.
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
    to_do.sort_by_key(|(path, _)| std::cmp::Reverse(size(path)));
    if options.again {
        to_do.iter().for_each(|file| forget_survivors(&out_of(task, file)));
    }
    let failed = Mutex::new(0);
    several(options.jobs, to_do, |file| {
        let (path, era) = &file;
        let begun = std::time::Instant::now();
        let word = if task == Task::Gotcha { "gotcha" } else { "mutations" };
        let unit = format!("{word}|{}|{era}", path.display());
        let status = Command::new(&program).env(UNIT, unit).status().expect("a process");
        let out = out_of(task, &file);
        let fates = read(&out);
        let counts = [Word::Red, Word::Survived, Word::Refused, Word::Breaks].map(|word| {
            let count = fates.iter().filter(|fate| fate.fate == word).count();
            format!("{count} {word:?}").to_lowercase()
        });
        let name = out.file_stem().unwrap_or_default().to_string_lossy();
        eprintln!("{name}: {} in {:.1?}", counts.join(", "), begun.elapsed());
        if !status.success() {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps only what is settled.
fn forget_survivors(out: &Path) {
    let settled = read(out).into_iter().filter(MutationResult::is_settled);
    let lines: Vec<String> = settled.map(|fate| serde_json::to_string(&fate).expect("JSON") + "\n").collect();
    std::fs::write(out, lines.concat()).expect("the results can be written");
}

/// Does several things at a time.
fn several<T: Send>(jobs: usize, things: Vec<T>, work: impl Fn(T) + Sync) {
    let queue = Mutex::new(VecDeque::from(things));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(thing) = next() {
                    work(thing);
                }
            });
        }
    });
}

/// Runs tests of the lab on what all clouds have in common and no file has noticed.
fn ask_the_witnesses(options: &Options) {
    let program =
        std::env::var_os(SUITE).unwrap_or_else(|| panic!("{SUITE} names no program; scripts/mutants sets it"));
    let program = Path::new(&program);
    let cases = cases_of(program);
    let done = of_witnesses();
    let asked: HashSet<String> = read(&done).into_iter().map(|fate| fate.mutation).collect();
    let claims = claims();
    let is_claimed = |common: &String| claims.iter().any(|claim| claim.claims(&label_of_common(common)));
    let unknown = |common: &String| !asked.contains(common) && !is_claimed(common);
    let commons = Commons::known().survived.into_keys().filter(unknown).collect();
    let out = std::fs::OpenOptions::new().create(true).append(true).open(done).expect("the results");
    let out = Mutex::new(out);
    let of = |module: &&str| {
        let module = format!("{module}::");
        cases.iter().filter(move |case| case.starts_with(&module))
    };
    several(options.jobs, commons, |common: String| {
        let red = WITNESSES.iter().flat_map(|module| of(module)).find(|case| is_red(program, case, &common));
        let fate = MutationResult {
            file: String::new(),
            era: String::new(),
            mutation: common.clone(),
            id: 0,
            common: Some(common),
            fate: if red.is_some() { Word::Red } else { Word::Survived },
            by: red.map(|case| format!("test {case}")).unwrap_or_default(),
        };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{}", serde_json::to_string(&fate).expect("JSON")).expect("the results can be written");
    });
}

/// The names of the lab suite's cases.
fn cases_of(suite: &Path) -> Vec<String> {
    let output = Command::new(suite).args(["--list", "--format", "terse"]).output().expect("the lab suite");
    let names = String::from_utf8(output.stdout).expect("names");
    let mut cases: Vec<String> = names.lines().filter_map(|line| Some(line.split_once(" as ")?.0.to_owned())).collect();
    cases.dedup();
    assert!(!cases.is_empty(), "{} lists no case", suite.display());
    cases
}

/// Whether a test fails on a mutation, twice in a row, and not without it: a machine may be busy for a moment.
fn is_red(program: &Path, case: &str, common: &str) -> bool {
    let passes = |mutation: Option<&str>| {
        let mut command = Command::new(program);
        command.args(["--exact", case]).envs(mutation.map(|mutation| (COMMON, mutation)));
        command.output().expect("a process").status.success()
    };
    !passes(Some(common)) && !passes(Some(common)) && passes(None)
}
