//! `sglab grade`.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures::StreamExt;
use sglab::report::evidence::sha256;
use sglab::report::grade::{Class, csv, html, json, text};
use sglab::report::{Style, count, shown};
use sglab::scenario::{RunError, run_eras};
use sglab::workshop::lesson::assess::assess;
use sglab::workshop::lesson::grade::{Graded, MAX_CELLS, Refused, is_too_large};
use sglab::workshop::lesson::{Kind, Lesson, Submission, Task};

use super::common::{Exit, When, told};
use super::learn::one;
use super::output::stdout;
use super::{folder, host, screen, sources};

/// `sglab grade`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab grade self-trust handed-in
      a file, or a folder with one, a participant: alice.yaml, bob/self-trust-fix.yaml
  sglab grade self-trust handed-in --format csv > marks.csv
  sglab grade self-trust handed-in --format html --anonymous > feedback.html
  sglab grade two-directions handed-in --stage make

Only what the start file has otherwise than the solution counts: the start file as it is given scores 0. A cell that must \
come to be open counts 1, one that must come to be closed 2. What was right in the start file and is wrong now is taken off: \
1 for what is missing, 2 for a leak. The score is the share of these points in a hundred; each limit that is not kept costs \
25. A file that cannot be read, changes what is fixed, or has `services:` or `mounts:`, is told what is wrong with it, and \
scores 0; the others are graded all the same. Links are not followed, and no program of a file is ever run.

Exit codes: 0 graded, whatever the scores, 2 bad input, 3 this machine cannot host a lab.")]
pub(crate) struct GradeArguments {
    /// A lesson by its name or the beginning of it, or a folder that has one
    #[arg(value_name = "LESSON")]
    pub lesson: String,
    /// The folder of what was handed in
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The stage that was handed in; without it the lesson's first `fix` or `make`
    #[arg(long, value_enum, value_name = "STAGE")]
    pub stage: Option<StageName>,
    /// Number participants in place of their names, in an order that does not tell them
    #[arg(long)]
    pub anonymous: bool,
    /// Run so many labs at the same time
    #[arg(short, long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Give up on a file after so many seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    pub timeout: u16,
    /// How to print the marks
    #[arg(long, value_enum, default_value_t = GradeFormat::Text)]
    pub format: GradeFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// A stage for which files are handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StageName {
    /// The start file was given
    Fix,
    /// Only the goal was given
    Make,
}

/// Formats of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum GradeFormat {
    /// For people
    Text,
    /// For spreadsheets, a line a participant
    Csv,
    /// For programs
    Json,
    /// One self-contained page
    Html,
}

/// The largest file that is graded, in bytes: less than sglab reads otherwise, since anybody hands in anything.
const MAX_FILE: usize = 1 << 20;

pub(super) fn run(arguments: &GradeArguments) -> anyhow::Result<Exit> {
    let Some(lesson) = one(&arguments.lesson)? else { return Ok(Exit::BadInput) };
    let task = task_of(&lesson, arguments.stage)?;
    let mut handed = handed_in(&arguments.folder, &task.file_name())?;
    if arguments.anonymous {
        handed.sort_by_cached_key(|it| (sha256(it.bytes.as_deref().unwrap_or_default()), it.participant.clone()));
        for (index, it) in handed.iter_mut().enumerate() {
            it.participant = (index + 1).to_string();
            it.file = format!("{}.yaml", index + 1);
        }
    }
    let all = match host::run_until_signal(all(arguments, task, &handed))? {
        Ok(all) => all,
        Err(exit) => return Ok(exit),
    };
    let class = Class { lesson: &lesson, task, all: &all };
    let style = Style {
        color: screen::wanted(arguments.color, stdout().is_terminal()),
        width: screen::width_of(&stdout()),
        ..Style::default()
    };
    let report = match arguments.format {
        GradeFormat::Text => text(&class, style),
        GradeFormat::Csv => csv(&class),
        GradeFormat::Json => json(&class)?,
        GradeFormat::Html => html(&class),
    };
    stdout().write_all(report.as_bytes())?;
    Ok(Exit::Ok)
}

fn task_of(lesson: &Lesson, stage: Option<StageName>) -> anyhow::Result<&Task> {
    let wanted = stage.map(|stage| match stage {
        StageName::Fix => Kind::Fix,
        StageName::Make => Kind::Make,
    });
    let found = lesson.tasks().find(|task| wanted.is_none_or(|kind| task.kind == kind));
    let Some(task) = found else {
        let kind = wanted.map_or("fix or make", Kind::as_str);
        bail!("the lesson {} has no stage {kind}", shown(&lesson.name));
    };
    Ok(task)
}

/// A participant's file.
struct HandedIn {
    participant: String,
    /// The file below the folder.
    file: String,
    /// Its bytes, or why it was not read.
    bytes: Result<Vec<u8>, String>,
}

/// Looks through a folder: each file, and each folder with one, is a participant. Links are not followed: they may lead to files of the grader's.
fn handed_in(root: &Path, expected: &str) -> anyhow::Result<Vec<HandedIn>> {
    let failed = || format!("failed to read the folder {}", told(root));
    let mut all = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root).with_context(failed)? {
        paths.push(entry.with_context(failed)?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(&path).with_context(failed)?.file_type();
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            let (file, bytes) = match only_file(&path, expected) {
                Ok(file) => (format!("{name}/{}", file.file_name().unwrap_or_default().to_string_lossy()), read(&file)),
                Err(why) => (name.clone(), Err(why)),
            };
            all.push(HandedIn { participant: name, file, bytes });
        } else if is_yaml(&path) {
            let participant = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push(HandedIn { participant, file: name, bytes: read(&path) });
        } else {
            screen::tell(&format!("note: {} is skipped: it is no .yaml file", shown(&name)));
        }
    }
    if all.is_empty() {
        bail!("{}: there is no file (*.yaml, *.yml) and no folder with one", told(root));
    }
    Ok(all)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The file of a participant's folder: the one that is named as the file to edit, else the only one.
fn only_file(folder: &Path, expected: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("the folder cannot be read: {error}"))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_yaml(path)).collect();
    files.sort();
    if let Some(named) = files.iter().find(|path| path.file_name().is_some_and(|name| name == expected)) {
        return Ok(named.clone());
    }
    match files.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err("there is no .yaml file in the folder".to_owned()),
        several => Err(format!("there are {} .yaml files in the folder, and none is called {expected}", several.len())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink());
    if is_link {
        return Err("it is a link, and links are not followed".to_owned());
    }
    let bytes = sources::read_all(path, folder::open(path)).map_err(|error| format!("{:#}", error.root_cause()))?;
    if bytes.len() > MAX_FILE { Err(format!("it is larger than {MAX_FILE} bytes")) } else { Ok(bytes) }
}

/// Grades all, several at a time; in their order, whatever the order of their ends.
async fn all(arguments: &GradeArguments, task: &Task, handed: &[HandedIn]) -> anyhow::Result<Vec<Graded>> {
    let limit = Duration::from_secs(arguments.timeout.into());
    let grades = handed.iter().map(|it| grade(task, it, limit));
    let mut ended = futures::stream::iter(grades).buffered(usize::from(arguments.jobs));
    let mut all = Vec::new();
    while let Some(graded) = ended.next().await {
        all.push(graded?);
    }
    Ok(all)
}

async fn grade(task: &Task, handed: &HandedIn, limit: Duration) -> anyhow::Result<Graded> {
    let HandedIn { participant, file, bytes } = handed;
    let refused =
        |why: String, problems| Graded::refused(participant, file, task.goal.points(), Refused { why, problems });
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(why) => return Ok(refused(why.clone(), None)),
    };
    let submission: Submission = match task.read(file, bytes) {
        Ok(submission) => submission,
        Err(problems) => {
            let why = format!("{} in the file", count(problems.len(), "problem"));
            return Ok(refused(why, Some(problems)));
        }
    };
    if is_too_large(&submission.topology) {
        return Ok(refused(format!("its rules make more than {MAX_CELLS} cells"), None));
    }
    match tokio::time::timeout(limit, run_eras(&submission.topology)).await {
        Err(_) => Ok(refused(format!("it was not done after {} s", limit.as_secs()), None)),
        Ok(Ok(runs)) => Ok(Graded::assessed(participant, file, assess(task, &submission, &runs))),
        // A lab that does not come up here comes up for nobody.
        Ok(Err(error @ RunError::Boot(_))) => Err(error.into()),
        Ok(Err(error)) => Ok(refused(format!("it could not be run: {error}"), None)),
    }
}
