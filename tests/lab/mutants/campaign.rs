//! All mutations of all files: each file under each of its eras in a process of its own, resumable and in shards.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sglab::model::Era;
use sglab::model::topology::Topology;

use super::COMMON;
use super::equivalent::claims;
use super::unit::{self, Fate, Task};

/// The unit that this process is to run: file, era and where the results go.
const UNIT: &str = "SGLAB_MUTANTS_UNIT";

const HELP: &str = "Usage: scripts/mutants [--shard I/N] [--only WORD] [--report] [--gotchas]
       scripts/mutants --code [--shard I/N]

Alters the compiled rulesets of every topology in one place at a time, and says what noticed. What is done is kept in
target/mutants and not done again.

  --shard I/N   only the files of this shard, from 1
  --only WORD   only files with this word in their name
  --report      only say what is known so far
  --gotchas     say of each gotcha what breaks it, by its own expectations
  --code        alter the code of `policy` and `compile` instead, with cargo-mutants
";

/// What of the lab's tests looks at what all clouds have in common, and at nothing else.
const WITNESSES: [&str; 5] = ["fence", "tracking", "evidence", "services", "protocols"];

/// Runs the campaign, or a unit of it, if this process is meant to.
pub fn main(cases: &[&'static str]) -> Option<ExitCode> {
    if let Ok(unit) = std::env::var(UNIT) {
        return Some(run_unit(&unit));
    }
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("mutants") {
        return None;
    }
    let mut options = Options { shard: (1, 1), only: String::new(), report: false, gotchas: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--shard" => {
                let shard = arguments.next().unwrap_or_default();
                let parts = shard.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
                let Some((i, n)) = parts.filter(|(i, n)| *i >= 1 && i <= n) else { return Some(usage(&shard)) };
                options.shard = (i, n);
            }
            "--only" => options.only = arguments.next().unwrap_or_default(),
            "--report" => options.report = true,
            "--gotchas" => options.gotchas = true,
            other => return Some(usage(other)),
        }
    }
    Some(campaign(&options, cases))
}

struct Options {
    shard: (usize, usize),
    only: String,
    report: bool,
    gotchas: bool,
}

fn usage(what: &str) -> ExitCode {
    if matches!(what, "-h" | "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    eprintln!("scripts/mutants does not know `{what}`\n\n{HELP}");
    ExitCode::from(2)
}

fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
}

fn results() -> PathBuf {
    root().join("target/mutants")
}

/// Every file with each of its eras.
fn units() -> Vec<(PathBuf, Era)> {
    let mut files: Vec<PathBuf> = ["topologies", "topologies/gotchas"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).expect("the topologies"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    let of = |path: PathBuf| {
        let text = std::fs::read(&path).expect("a topology");
        let topology = Topology::parse("", &text).unwrap_or_else(|problems| panic!("{}: {problems}", path.display()));
        topology.eras.into_iter().map(move |era| (path.clone(), era)).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(of).collect()
}

fn out_of(task: Task, path: &Path, era: Era) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = if task == Task::Gotcha { "breaks" } else { "jsonl" };
    results().join(format!("{stem}@{era}.{end}"))
}

fn read(path: &Path) -> Vec<Fate> {
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    BufReader::new(file).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

fn is_done(path: &Path) -> bool {
    read(path).iter().any(|fate| fate.fate == "done")
}

fn everything() -> Vec<Fate> {
    let Ok(folder) = std::fs::read_dir(results()) else { return Vec::new() };
    let mut paths: Vec<_> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

/// What some file has noticed of what all have in common.
fn noticed_commons() -> HashSet<String> {
    everything().into_iter().filter(|fate| fate.fate == "red").filter_map(|fate| fate.common).collect()
}

fn run_unit(unit: &str) -> ExitCode {
    let words: Vec<&str> = unit.split('|').collect();
    let [task, path, era, out] = words.as_slice() else { panic!("{unit}") };
    let era = Era::ALL.into_iter().find(|known| known.as_str() == *era).expect("an era");
    let task = if *task == "gotcha" { Task::Gotcha } else { Task::Mutations };
    let common = noticed_commons();
    let mut out = std::fs::File::create(out).expect("the results can be written");
    sglab::fabric::sandbox::enter().unwrap_or_else(|error| panic!("this machine cannot host a lab: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(unit::run(task, Path::new(path), era, &mut out, common)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path} under {era}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(options: &Options, cases: &[&'static str]) -> ExitCode {
    std::fs::create_dir_all(results()).expect("a folder for the results");
    let program = std::env::current_exe().expect("this program");
    let task = if options.gotchas { Task::Gotcha } else { Task::Mutations };
    let mut units: Vec<_> =
        units().into_iter().filter(|(path, _)| task == Task::Mutations || is_gotcha(path)).collect();
    if task == Task::Gotcha {
        // The last of its eras tells of each file.
        let last: BTreeMap<PathBuf, Era> = units.into_iter().collect();
        units = last.into_iter().collect();
    }
    let (i, n) = options.shard;
    let mut failed = 0;
    for (path, era) in units.iter().skip(i - 1).step_by(n).filter(|_| !options.report) {
        let out = out_of(task, path, *era);
        if is_done(&out) || !path.to_string_lossy().contains(&options.only) {
            continue;
        }
        let begun = std::time::Instant::now();
        let word = if task == Task::Gotcha { "gotcha" } else { "mutations" };
        let unit = format!("{word}|{}|{era}|{}", path.display(), out.display());
        let status = Command::new(&program).env(UNIT, unit).status().expect("a process");
        let fates = read(&out);
        let counts = ["red", "survived", "refused", "breaks"].map(|word| {
            let count = fates.iter().filter(|fate| fate.fate == word).count();
            format!("{count} {word}")
        });
        let name = out.file_stem().unwrap_or_default().to_string_lossy();
        eprintln!("{name}: {} in {:.1?}", counts.join(", "), begun.elapsed());
        failed += usize::from(!status.success());
    }
    if task == Task::Gotcha {
        return gotchas(&units, failed);
    }
    let whole = units.iter().all(|(path, era)| is_done(&out_of(task, path, *era)));
    if whole && !options.report {
        ask_the_witnesses(&program, cases);
    }
    report(&units, failed, whole)
}

fn is_gotcha(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "gotchas")
}

/// Runs tests of the lab on what all clouds have in common and no file has noticed.
fn ask_the_witnesses(program: &Path, cases: &[&'static str]) {
    let (commons, done) = (unnoticed_commons(), results().join("witnesses.jsonl"));
    let asked: HashSet<String> = read(&done).into_iter().map(|fate| fate.mutation).collect();
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(done).expect("the results");
    for common in commons.into_iter().filter(|common| !asked.contains(common)) {
        let of_witness = |case: &&&str| WITNESSES.iter().any(|module| case.contains(&format!("{module}::")));
        let red = cases.iter().filter(of_witness).find(|case| {
            let output = Command::new(program).env(crate::CASE, case).env(COMMON, &common).output();
            !output.expect("a process").status.success()
        });
        let fate = Fate {
            file: String::new(),
            era: String::new(),
            mutation: common.clone(),
            common: Some(common),
            fate: if red.is_some() { "red" } else { "survived" }.to_owned(),
            by: red.map(|case| format!("test {case}")).unwrap_or_default(),
        };
        writeln!(out, "{}", serde_json::to_string(&fate).expect("JSON")).expect("the results can be written");
    }
}

fn unnoticed_commons() -> Vec<String> {
    let all = everything();
    let noticed: HashSet<&String> =
        all.iter().filter(|fate| fate.fate == "red").filter_map(|fate| fate.common.as_ref()).collect();
    let survived = all.iter().filter(|fate| fate.fate == "survived").filter_map(|fate| fate.common.as_ref());
    let left: std::collections::BTreeSet<&String> = survived.filter(|common| !noticed.contains(common)).collect();
    left.into_iter().cloned().collect()
}

/// Says what became of all, and which survivors nothing explains.
fn report(units: &[(PathBuf, Era)], failed: usize, whole: bool) -> ExitCode {
    let claims = claims();
    let noticed = noticed_commons();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut used = vec![false; claims.len()];
    let mut unexplained = std::collections::BTreeSet::new();
    for fate in everything() {
        let survived = fate.fate == "survived" && !fate.common.as_ref().is_some_and(|common| noticed.contains(common));
        let word = match fate.fate.as_str() {
            "red" => "noticed",
            "refused" => "refused by nft",
            "survived" if !survived => "noticed in another file",
            "survived" => {
                let label = match &fate.common {
                    Some(common) => format!("* {common}"),
                    None => format!("{} {} {} {}", fate.file, fate.era, fate.mutation, fate.by).trim_end().to_owned(),
                };
                let mut claimed = false;
                for (used, claim) in used.iter_mut().zip(&claims) {
                    if claim.claims(&label) {
                        (*used, claimed) = (true, true);
                    }
                }
                if !claimed {
                    unexplained.insert(label);
                }
                if claimed { "equivalent" } else { "survived" }
            }
            _ => continue,
        };
        *counts.entry(word).or_default() += 1;
    }
    for label in &unexplained {
        println!("SURVIVED  {label}");
    }
    let idle: Vec<_> = claims.iter().zip(&used).filter(|(_, used)| !**used).map(|(claim, _)| claim).collect();
    for claim in idle.iter().filter(|_| whole) {
        println!("IDLE      {claim} claims nothing");
    }
    let done = units.iter().filter(|(path, era)| is_done(&out_of(Task::Mutations, path, *era))).count();
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    println!("{done} of {} files and eras: {}", units.len(), counts.join(", "));
    if failed > 0 || !unexplained.is_empty() || (whole && !idle.is_empty()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Says of each gotcha what breaks it by its own expectations; one that nothing breaks is toothless.
fn gotchas(units: &[(PathBuf, Era)], failed: usize) -> ExitCode {
    let mut by_file: BTreeMap<String, Vec<Fate>> = BTreeMap::new();
    let mut done = 0;
    for (path, era) in units {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let fates = read(&out_of(Task::Gotcha, path, *era));
        done += usize::from(fates.iter().any(|fate| fate.fate == "done"));
        by_file.entry(stem).or_default().extend(fates.into_iter().filter(|fate| fate.fate == "breaks"));
    }
    for (file, breakers) in &by_file {
        println!("{file}");
        for fate in breakers {
            println!("    {}  {}\n        {}", fate.era, fate.mutation, fate.by);
        }
    }
    let toothless = by_file.values().filter(|breakers| breakers.is_empty()).count();
    println!("{done} of {} gotchas and eras; of {} files nothing breaks {toothless}", units.len(), by_file.len());
    if failed > 0 || toothless > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
