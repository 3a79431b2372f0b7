//! Parts common to several commands: exit codes, formats, eras, which lab is meant, and how things are told.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use sglab::model::Via;
use sglab::report;
use sglab::topology::{Topology, TypedFlow};

/// Heading of options in help: which files, steps, eras or checks.
pub(super) const SELECTION: &str = "Selection";
/// Heading of options in help: sources of a cloud of the user's own.
pub(super) const OWN_CLOUD: &str = "Your own cloud";
/// Heading of options in help: forms of the results.
pub(super) const REPORTS: &str = "Reports";
/// Heading of options in help: proof, and what is kept of it.
pub(super) const EVIDENCE: &str = "Evidence";

/// Exit code of the program. Documented in `docs/output.md`; never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All as expected.
    Ok = 0,
    /// A verdict differs from the file.
    Differs = 1,
    /// Bad input or usage.
    BadInput = 2,
    /// This machine cannot host a lab.
    CannotHost = 3,
    /// Nothing differs, but something is inconclusive.
    Inconclusive = 4,
    /// Ended by an interrupt (SIGINT).
    Interrupted = 130,
    /// Ended by a request to terminate (SIGTERM).
    Terminated = 143,
}

/// The exit code that results ask for.
impl From<u8> for Exit {
    fn from(code: u8) -> Self {
        match code {
            report::PASSED => Self::Ok,
            report::DIFFERS => Self::Differs,
            report::BAD_INPUT => Self::BadInput,
            report::NO_LAB => Self::CannotHost,
            _ => Self::Inconclusive,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Formats of the other commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlainFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Which lab is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct LabChoice {
    /// The lab, if several are up; `SGLAB_LAB` does as well
    #[arg(long, value_name = "LAB")]
    pub name: Option<String>,
}

/// A flow, of one argument or two.
pub(super) fn flow(from: &str, to: Option<&str>, by: Option<Via>) -> TypedFlow {
    let flow = to.map_or_else(|| TypedFlow::new(from), |to| TypedFlow::between(from, to));
    flow.by(by)
}

/// That a file has no such step.
pub(crate) fn no_step(topology: &Topology, step: usize) -> String {
    format!("{} has {}, and no step {step}", told(&*topology.file), report::count(topology.steps.len(), "step"))
}

/// The arguments of a command where nothing but these words is typed.
pub(crate) fn typed<T: Args>(words: &[&str]) -> T {
    #[derive(clap::Parser)]
    struct Typed<T: Args> {
        #[command(flatten)]
        arguments: T,
    }
    let typed = <Typed<T> as clap::Parser>::parse_from(words);
    typed.arguments
}

/// A path as it can be told: a file may have any name.
pub(crate) fn told(path: impl AsRef<Path>) -> String {
    report::shown(&path.as_ref().to_string_lossy()).into_owned()
}

/// An error and its causes; one that says its cause itself is not followed by it once more.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.contains(&cause) {
        true => told,
        false if told.is_empty() => cause,
        false => format!("{told}: {cause}"),
    })
}

/// Returns true for the name of a topology, by its form alone: whatever files and labs there are, the same word means the same.
pub(super) fn is_file(word: &str) -> bool {
    let ending = [".yaml", ".yml"].iter().any(|ending| word.ends_with(ending));
    ending || word.contains('/') || word.starts_with("example:")
}
