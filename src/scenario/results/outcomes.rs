//! Results of single cells, steps and runs, in a word and in numbers.

use serde::Serialize;

use crate::probe::Outcome;

/// Kind of evidence that results rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Packets that crossed a kernel.
    Packets,
    /// Predictions of `policy` for the same flows; no packet was sent.
    Prediction,
}

/// Verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunVerdict {
    /// All as expected.
    Passed,
    /// Something is not as expected.
    Failed,
    /// Nothing is known to differ, but something could not be proved.
    Inconclusive,
}

impl RunVerdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Status of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// All as expected.
    Passed,
    /// Something is not as expected.
    Failed,
    /// Nothing is known to differ, but something could not be proved.
    Inconclusive,
    /// An earlier step made it pointless.
    NotRun,
}

/// Number of cells that somebody in the cloud could send and no table asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotAsked {
    /// To hosts that are no receivers.
    pub hosts: usize,
    /// To an address of the receiver that the table does not go by.
    pub other_addresses: usize,
    /// From an instance to its own public address.
    pub itself: usize,
    /// In another's name, from an interface whose source is not checked: one for each cell of its own.
    pub forged: usize,
}

impl NotAsked {
    /// All of them.
    pub fn total(self) -> usize {
        self.hosts + self.other_addresses + self.itself + self.forged
    }

    fn plus(self, other: Self) -> Self {
        Self {
            hosts: self.hosts + other.hosts,
            other_addresses: self.other_addresses + other.other_addresses,
            itself: self.itself + other.itself,
            forged: self.forged + other.forged,
        }
    }
}

/// Number of cells, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Probed.
    pub cells: usize,
    /// Answered by the instance asked for.
    pub open: usize,
    /// Dropped by a filter.
    pub dropped: usize,
    /// Let in, and nobody listened.
    pub refused: usize,
    /// Let in by a load balancer, which had nobody to pass it on to.
    pub closed: usize,
    /// Nobody holds the address.
    pub unreachable: usize,
    /// Answered by somebody else.
    pub misdelivered: usize,
    /// Not proved.
    pub inconclusive: usize,
    /// Ended by the fallback timeout, whatever the outcome.
    pub timed_out: usize,
    /// Not as expected.
    pub wrong: usize,
    /// Beyond the tables of the file, and asked by no step either.
    pub not_asked: NotAsked,
    /// Held connections that were compared with the model, each once a step.
    pub connections: usize,
    /// Held connections that were not, each once a step.
    pub connections_not_compared: usize,
}

impl Counts {
    /// Counts one cell.
    pub fn add(&mut self, class: Class) {
        self.cells += 1;
        *match class {
            Class::Open => &mut self.open,
            Class::Dropped => &mut self.dropped,
            Class::Refused => &mut self.refused,
            Class::Closed => &mut self.closed,
            Class::Unreachable => &mut self.unreachable,
            Class::Misdelivered => &mut self.misdelivered,
            Class::Inconclusive => &mut self.inconclusive,
        } += 1;
    }

    /// Number of cells of each class, in the order of [`Class::ALL`].
    pub fn classes(self) -> impl Iterator<Item = (Class, usize)> {
        Class::ALL.into_iter().map(move |class| {
            let count = match class {
                Class::Open => self.open,
                Class::Dropped => self.dropped,
                Class::Refused => self.refused,
                Class::Closed => self.closed,
                Class::Unreachable => self.unreachable,
                Class::Misdelivered => self.misdelivered,
                Class::Inconclusive => self.inconclusive,
            };
            (class, count)
        })
    }

    /// The sum of two.
    pub fn plus(self, other: Self) -> Self {
        Self {
            cells: self.cells + other.cells,
            open: self.open + other.open,
            dropped: self.dropped + other.dropped,
            refused: self.refused + other.refused,
            closed: self.closed + other.closed,
            unreachable: self.unreachable + other.unreachable,
            misdelivered: self.misdelivered + other.misdelivered,
            inconclusive: self.inconclusive + other.inconclusive,
            timed_out: self.timed_out + other.timed_out,
            wrong: self.wrong + other.wrong,
            not_asked: self.not_asked.plus(other.not_asked),
            connections: self.connections + other.connections,
            connections_not_compared: self.connections_not_compared + other.connections_not_compared,
        }
    }
}

/// An outcome without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Answered by the instance asked for.
    Open,
    /// Dropped by a filter.
    Dropped,
    /// Let in, and nobody listened.
    Refused,
    /// Let in by a load balancer, which had nobody to pass it on to.
    Closed,
    /// Nobody holds the address.
    Unreachable,
    /// Answered by somebody else.
    Misdelivered,
    /// Not proved.
    Inconclusive,
}

impl Class {
    /// All of them, in the order of a legend.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Dropped,
        Self::Refused,
        Self::Closed,
        Self::Unreachable,
        Self::Misdelivered,
        Self::Inconclusive,
    ];

    /// The class of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Open { .. } => Self::Open,
            Outcome::Refused { .. } => Self::Refused,
            Outcome::Dropped(_) => Self::Dropped,
            Outcome::Closed { .. } => Self::Closed,
            Outcome::Unreachable { .. } => Self::Unreachable,
            Outcome::Misdelivered { .. } => Self::Misdelivered,
            Outcome::Inconclusive { .. } => Self::Inconclusive,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Unreachable => "unreachable",
            Self::Misdelivered => "misdelivered",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The letter in a grid.
    pub fn letter(self) -> char {
        match self {
            Self::Open => 'O',
            Self::Dropped => '.',
            Self::Refused => 'r',
            Self::Closed => 'c',
            Self::Unreachable => 'u',
            Self::Misdelivered => 'm',
            Self::Inconclusive => '?',
        }
    }
}
