//! Files that a learner edits: what is given, and how one that is handed in is read.

use super::goal::Goal;
use super::limits::{BrokenLimit, Limits};
use crate::topology::{Problems, Sections, Topology};

/// Kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The start file is given.
    Fix,
    /// Groups without rules are given.
    Make,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Make => "make",
        }
    }
}

/// A file to be edited until its goal holds.
#[derive(Clone, Debug)]
pub struct Task {
    /// Name of the lesson.
    pub lesson: String,
    /// Kind of task.
    pub kind: Kind,
    /// Limits of the learner.
    pub limits: Limits,
    /// The sections and rules that the learner begins with, without a word of explanation.
    text: String,
    /// The same, read.
    pub start: Topology,
    /// A file whose goal holds.
    pub solution: Topology,
    /// The text of that file.
    pub(super) solution_text: String,
    /// The cells and expectations that are worth points.
    pub goal: Goal,
}

/// A file that was handed in.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The file, read.
    pub topology: Topology,
    /// The limits that it does not keep.
    pub broken: Vec<BrokenLimit>,
}

impl Task {
    pub(super) fn new(
        lesson: &str,
        kind: Kind,
        limits: Limits,
        (text, start): (String, Topology),
        (solution_text, solution): (String, Topology),
    ) -> Self {
        let goal = Goal::of(&start, &solution);
        Self { lesson: lesson.to_owned(), kind, limits, text, start, solution, solution_text, goal }
    }

    /// Name of the file that the learner edits.
    pub fn file_name(&self) -> String {
        format!("{}-{}.yaml", self.lesson, self.kind.as_str())
    }

    /// The file that the learner edits, with the task above it.
    pub fn file(&self) -> String {
        let free = self.limits.in_words();
        let head = match self.kind {
            Kind::Fix => "Change `groups:` until every step below holds.",
            Kind::Make => "Write the rules of `groups:` until every step below holds.",
        };
        let mut out = format!("# {head} The rest is fixed.\n");
        for limit in free {
            out.push_str(&format!("# Limit: {limit}.\n"));
        }
        out.push_str(&format!("# `sglab test` runs this file; `sglab learn {}` says more.\n", self.lesson));
        out + &self.text
    }

    /// Reads a file that was handed in.
    ///
    /// # Errors
    /// All that is wrong with it, and where it changes what is fixed.
    pub fn read(&self, file: &str, bytes: &[u8]) -> Result<Submission, Problems> {
        let given = Sections::of(file, bytes)?;
        let start = self.sections()?;
        start.check_fixed(&given, self.limits.freedom())?;
        let topology = Topology::parse(file, bytes)?;
        let broken = self.broken_by(&topology, &start, &given);
        Ok(Submission { topology, broken })
    }

    /// The sections that the learner begins with.
    pub(super) fn sections(&self) -> Result<Sections, Problems> {
        Sections::of(&self.file_name(), self.text.as_bytes())
    }

    pub(super) fn broken_by(&self, topology: &Topology, start: &Sections, given: &Sections) -> Vec<BrokenLimit> {
        let cloud = topology.eras.first().and_then(|era| topology.initial_cloud(*era).ok());
        cloud.map(|cloud| self.limits.broken_by(&cloud, start, given)).unwrap_or_default()
    }
}
