//! For hours: clouds after clouds in parallel labs, with a progress that survives, and a small file for each finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::draft::Diagnostic;
use crate::measure::{Kind, Report};
use crate::{apart, draft, shrink};

/// Draws clouds and sequences of changes, measures every step in full against the prediction, and writes a small
/// topology file for each disagreement.
///
/// Progress is kept: run again with the same folder, it goes on where it was. End it with Ctrl-C at any time.
#[derive(Debug, Parser)]
#[command(name = "scripts/soak")]
struct Arguments {
    /// For how many hours; a fraction will do.
    hours: f64,
    /// How many labs at a time; one per processor if left out.
    #[arg(long)]
    jobs: Option<usize>,
    /// The seed, if nothing is to be resumed.
    #[arg(long)]
    seed: Option<u64>,
    /// To end before its time, with so many clouds from the first on.
    #[arg(long)]
    clouds: Option<u64>,
    /// Where progress and findings are kept.
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
}

/// What is known between two sittings.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Progress {
    seed: u64,
    /// The next cloud that nobody has taken.
    next: u64,
    /// Taken and not done when the last sitting ended.
    under_way: BTreeSet<u64>,
    seconds: f64,
    clouds: u64,
    steps: u64,
    refused: u64,
    cells: u64,
    opened: u64,
    examined: u64,
    /// How many clouds showed a finding of each kind.
    findings: BTreeMap<String, u64>,
    /// Clouds whose finding did not show again.
    not_again: BTreeSet<u64>,
}

struct Soak {
    folder: PathBuf,
    until: Instant,
    clouds: u64,
    begun: Instant,
    /// Before this sitting.
    seconds: f64,
    /// What was under way when an earlier sitting ended.
    again: Mutex<Vec<u64>>,
    progress: Mutex<Progress>,
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args().skip(1));
    match soak(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn soak(arguments: &Arguments) -> Result<ExitCode, String> {
    let time = Duration::try_from_secs_f64(arguments.hours * 3600.0).map_err(|error| error.to_string())?;
    let folder = arguments.folder.clone();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let _alone = alone_in(&folder)?;
    let mut progress = read(&folder)?;
    match (&mut progress, arguments.seed) {
        (Some(known), Some(seed)) if known.seed != seed => {
            let known = known.seed;
            return Err(format!("{} has the seed {known}; take another --folder for {seed}", folder.display()));
        }
        (Some(_), _) => {}
        (none, seed) => *none = Some(Progress { seed: seed.unwrap_or_else(fresh_seed), ..Progress::default() }),
    }
    let progress = progress.unwrap_or_default();
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1).max(1);
    eprintln!(
        "seed {}, from cloud {} on, {jobs} labs at a time; progress and findings in {}",
        progress.seed,
        progress.next,
        folder.display()
    );
    let begun = Instant::now();
    let again = Mutex::new(progress.under_way.iter().copied().collect());
    let seconds = progress.seconds;
    let clouds = arguments.clouds.unwrap_or(u64::MAX);
    let soak = Soak { folder, until: begun + time, clouds, begun, seconds, again, progress: Mutex::new(progress) };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| while soak.one() {});
        }
    });
    let progress = soak.progress.into_inner().map_err(|error| error.to_string())?;
    eprintln!("{}", told(&progress));
    let seen = |kinds: &[Kind]| kinds.iter().any(|kind| progress.findings.contains_key(&word(*kind)));
    Ok(match () {
        () if seen(&[Kind::Flow, Kind::Connection, Kind::Failure]) => ExitCode::from(1),
        () if seen(&[Kind::Inconclusive, Kind::TimedOut]) => ExitCode::from(4),
        () => ExitCode::SUCCESS,
    })
}

/// Holds the folder, until it is dropped or this process is gone, however that ends: two would count each other's clouds.
fn alone_in(folder: &Path) -> Result<fs::File, String> {
    let path = folder.join("lock");
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let lock = fs::File::create(&path).map_err(|error| told(&error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(format!("another soak runs in {}", folder.display())),
        Err(fs::TryLockError::Error(error)) => Err(told(&error)),
    }
}

fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000
}

fn read(folder: &Path) -> Result<Option<Progress>, String> {
    let file = folder.join("progress.json");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}

impl Soak {
    /// Takes the next cloud; false when the time is over, or there is none.
    fn one(&self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        let taken = self.change(|progress| {
            let again = self.again.lock().expect("no panic").pop();
            let number = again.or((progress.next < self.clouds).then_some(progress.next))?;
            progress.next = progress.next.max(number + 1);
            progress.under_way.insert(number);
            Some((progress.seed, number))
        });
        let Some((seed, number)) = taken else { return false };
        let done = draft::draw(seed, number).map(|(draft, _)| {
            let report = apart::run(&draft.text());
            let kinds = self.look_into(number, &draft, &report);
            (report, kinds)
        });
        // Counted and not under way any more, in one: whenever this process is killed, the next takes it again or has it.
        let told = self.change(|progress| {
            progress.under_way.remove(&number);
            let (report, kinds) = done?;
            progress.clouds += 1;
            progress.steps += report.steps;
            progress.refused += report.refused;
            progress.cells += report.cells;
            progress.opened += report.opened;
            progress.examined += report.examined;
            for (kind, again) in &kinds {
                *progress.findings.entry(word(*kind)).or_default() += 1;
                if !again {
                    progress.not_again.insert(number);
                }
            }
            progress.clouds.is_multiple_of(20).then(|| told(progress))
        });
        if let Some(told) = told {
            eprintln!("{told}");
        }
        true
    }

    /// Changes the progress, and keeps it: in another file first, so that none is ever half written.
    fn change<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let mut progress = self.progress.lock().expect("no panic");
        let result = change(&mut progress);
        progress.seconds = self.seconds + self.begun.elapsed().as_secs_f64();
        let text = serde_json::to_string_pretty(&*progress).expect("progress is JSON");
        let file = self.folder.join("progress.json");
        let fresh = self.folder.join("progress.json.new");
        if let Err(error) = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &file)) {
            eprintln!("{}: {error}", file.display());
        }
        result
    }

    /// Runs what showed something again, shrinks it, and writes both down. Gives each kind, and whether it came again.
    fn look_into(&self, number: u64, draft: &Diagnostic, report: &Report) -> Vec<(Kind, bool)> {
        let mut kinds: Vec<Kind> = Vec::new();
        for finding in &report.findings {
            if !kinds.contains(&finding.kind) {
                kinds.push(finding.kind);
            }
        }
        let seen = kinds.into_iter().map(|kind| {
            let has = |report: &Report| report.findings.iter().any(|finding| finding.kind == kind);
            let again = (0..2).map(|_| apart::run(&draft.text())).find(has);
            let name = format!("{number:06}-{}", word(kind));
            eprintln!("cloud {number}: {}", word(kind));
            self.write(&format!("{name}-drawn.yaml"), &commented(draft, report, kind, "as drawn"));
            let is_again = again.is_some();
            if let Some(again) = again {
                let bound = shrink::Bound { runs: 150, time: Duration::from_secs(240) };
                let smallest = shrink::shrink(draft.clone(), again, kind, bound);
                let note = format!("shrunk in {} labs", smallest.runs);
                self.write(&format!("{name}.yaml"), &commented(&smallest.draft, &smallest.report, kind, &note));
            }
            (kind, is_again)
        });
        seen.collect()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.join(name);
        if let Err(error) = fs::write(&file, text) {
            eprintln!("{}: {error}", file.display());
        }
    }
}

/// How many findings a file tells.
const MAX_TOLD: usize = 12;

/// A file with what it showed above it.
fn commented(draft: &Diagnostic, report: &Report, kind: Kind, note: &str) -> String {
    let mut text = format!("# {}, {note}\n", word(kind));
    for finding in report.findings.iter().filter(|finding| finding.kind == kind).take(MAX_TOLD) {
        let crate::measure::Finding { step, what, predicted, measured, .. } = finding;
        text.push_str(&format!("# {step}: {what}\n#   predicted: {predicted}\n#   measured:  {measured}\n"));
    }
    text + &draft.text()
}

fn word(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn told(progress: &Progress) -> String {
    let Progress { seed, clouds, steps, refused, cells, opened, examined, seconds, findings, .. } = progress;
    let found = match findings.is_empty() {
        true => "nothing found".to_owned(),
        false => format!("found: {findings:?}"),
    };
    format!(
        "seed {seed}: {clouds} clouds, {steps} steps ({refused} refused), {cells} cells, {opened} connections examined \
         {examined} times, {:.0} min; {found}",
        seconds / 60.0
    )
}
