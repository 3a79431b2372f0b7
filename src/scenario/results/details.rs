//! Details that depend on the kind of an expectation: what a program is told of it, and how a report lists it. A kind that has no more to say than a
//! statement is a [`Statement`], with the list of its evaluator; another is added here. No report format knows one.

use std::net::IpAddr;

use serde::Serialize;

use super::probed::DecidingRule;
use crate::model::{ConnectionName, Direction, Flow, InstanceName, VpcService};
use crate::probe::{Held, Outcome};
use crate::topology::{ExpectedConnection, ExpectedOutcome};

/// Details of a check that depend on the kind of its expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// A cell: a flow with an outcome, by a table or by the step itself.
    Cell(CellDetails),
    /// A connection that is held.
    Connection(ConnectionDetails),
    /// Traffic that flowed while the step did what it does.
    Traffic(TrafficDetails),
    /// A question to a service that groups never filter.
    Answer(AnswerDetails),
    /// An expectation of which no more is told than it says, and what was found.
    Statement(Statement),
}

/// Of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellDetails {
    /// The flow.
    pub flow: Flow,
    /// The outcome that was expected.
    pub expected: ExpectedOutcome,
    /// End that must drop it, where the expectation says so.
    pub at: Option<Direction>,
    /// Observed outcome.
    pub outcome: Outcome,
    /// The rule that let it in.
    pub rule: Option<DecidingRule>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
    /// Source of the expectation.
    pub by: CellSource,
}

/// Source of the expectation of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellSource {
    /// A table; only what fails it is a check.
    Table,
    /// The step itself.
    Step,
}

/// Of a connection that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDetails {
    /// Its name.
    pub name: ConnectionName,
    /// Expected fate.
    pub expected: ExpectedConnection,
    /// Observed state.
    pub found: Held,
}

/// Expectation of a file of its traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// `leak: none`.
    NoLeak,
    /// `loss: none`.
    NoLoss,
}

/// Of the traffic of one flow, in packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrafficDetails {
    /// Flow that the packets are of.
    #[serde(serialize_with = "as_text")]
    pub flow: Flow,
    /// Number of packets sent.
    pub sent: usize,
    /// Those that every cloud admits which they can have met.
    pub owed: usize,
    /// Those of them that did not come through.
    pub lost: usize,
    /// Those that no cloud admits which they can have met.
    pub barred: usize,
    /// Those of them that came through.
    pub leaked: usize,
    /// The others: one cloud admits them and another does not, or an end of the flow changed.
    pub either: usize,
    /// Promises that the file expects it to keep.
    pub expected: Vec<Promise>,
    /// Result, in a word.
    #[serde(rename = "observed")]
    pub word: &'static str,
}

/// Of a question to a service that groups never filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerDetails {
    /// Instance that asked.
    pub from: InstanceName,
    /// Service that was asked.
    pub service: VpcService,
}

/// An expectation of which no more is told than it says, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The list that it stands in.
    pub section: Section,
    /// The interface that it is about: `b` by its first interface, or `b.eth1`.
    pub of: Option<String>,
    /// Part of what was found that the statement itself says where it is met.
    pub met: Met,
}

/// Part of what was found that an expectation says where it is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// All of it.
    SaysAll,
    /// Less.
    SaysLess,
}

fn as_text<S: serde::Serializer>(flow: &Flow, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(flow)
}

/// List of the checks of a kind, or of several, in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Section {
    /// The key in JSON.
    pub key: &'static str,
    /// Words in the head of a step for those that did not pass.
    pub headline: Headline,
    /// Order in which a person is told of them, and how many.
    pub listing: Listing,
}

/// `traffic of 2 flows not as expected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Headline {
    /// Its place among the sections in the head of a step.
    pub rank: u8,
    /// Words before the number.
    pub before: &'static str,
    /// Noun for what is counted, in the singular.
    pub unit: &'static str,
    /// Form of the number.
    pub counted: Counted,
    /// Words behind the noun.
    pub after: &'static str,
}

/// Form in which the checks that did not pass are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// `2 flows`.
    Alone,
    /// `2 of 3 expectations`.
    OfAll,
}

/// Order and number in which a person is told the checks of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// All, in the order of the file.
    InOrder,
    /// Those that did not pass; then a few of those that did.
    FailuresFirst,
    /// The same, and what was found of several in a row is said once.
    FailuresFirstOnce,
}

impl Section {
    /// Connections that are held.
    pub const CONNECTIONS: Self = Self {
        key: "connections",
        headline: Headline {
            rank: 0,
            before: "",
            unit: "connection",
            counted: Counted::Alone,
            after: " not as expected",
        },
        listing: Listing::InOrder,
    };
    /// Traffic.
    pub const TRAFFIC: Self = Self {
        key: "traffic",
        headline: Headline {
            rank: 4,
            before: "traffic of ",
            unit: "flow",
            counted: Counted::Alone,
            after: " not as expected",
        },
        listing: Listing::FailuresFirst,
    };
    /// Questions to services that groups never filter.
    pub const ANSWERS: Self = Self {
        key: "answers",
        headline: Headline { rank: 3, before: "", unit: "question", counted: Counted::Alone, after: " not answered" },
        listing: Listing::FailuresFirst,
    };
}

/// Parts in words that every check has.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) expected: &'a str,
    pub(super) observed: &'a str,
    pub(super) reason: Option<&'a str>,
    pub(super) proof: &'static str,
}

/// Keys of a check in JSON besides `right` and `place`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Fields<'a> {
    Connection {
        name: &'a ConnectionName,
        expected: &'a str,
        observed: &'a str,
        reason: Option<&'a str>,
    },
    Traffic {
        #[serde(flatten)]
        packets: &'a TrafficDetails,
        reason: Option<&'a str>,
    },
    Answer {
        from: &'a InstanceName,
        service: VpcService,
        observed: &'a str,
        detail: &'a str,
    },
    Statement {
        #[serde(skip_serializing_if = "Option::is_none")]
        interface: Option<&'a str>,
        expected: &'a str,
        observed: &'a str,
        proof: &'static str,
    },
}

impl Details {
    /// Gives what it has of a cell.
    pub fn cell(&self) -> Option<&CellDetails> {
        if let Self::Cell(it) = self { Some(it) } else { None }
    }

    /// Gives what it has of a connection that is held.
    pub fn connection(&self) -> Option<&ConnectionDetails> {
        if let Self::Connection(it) = self { Some(it) } else { None }
    }

    /// Gives what it has of traffic.
    pub fn traffic(&self) -> Option<&TrafficDetails> {
        if let Self::Traffic(it) = self { Some(it) } else { None }
    }

    /// Gives the list of a report that a check of this kind stands in; none for a cell.
    pub fn section(&self) -> Option<Section> {
        match self {
            Self::Cell(_) => None,
            Self::Connection(_) => Some(Section::CONNECTIONS),
            Self::Traffic(_) => Some(Section::TRAFFIC),
            Self::Answer(_) => Some(Section::ANSWERS),
            Self::Statement(it) => Some(it.section),
        }
    }

    /// Tells whether an expectation that is met says already what was found.
    pub fn says_what_was_found(&self) -> bool {
        match self {
            Self::Statement(it) => it.met == Met::SaysAll,
            Self::Cell(_) | Self::Connection(_) | Self::Traffic(_) | Self::Answer(_) => false,
        }
    }

    /// Names what was found, in words that do not change from run to run.
    pub(super) fn word<'a>(&self, check: Words<'a>) -> &'a str {
        match self {
            Self::Cell(_) | Self::Connection(_) | Self::Answer(_) => check.observed,
            Self::Traffic(packets) => packets.word,
            Self::Statement(_) => check.proof,
        }
    }

    /// Gives what a program is told.
    pub(super) fn fields<'a>(&'a self, check: Words<'a>) -> Fields<'a> {
        let Words { expected, observed, reason, proof } = check;
        match self {
            Self::Connection(it) => Fields::Connection { name: &it.name, expected, observed, reason },
            Self::Traffic(packets) => Fields::Traffic { packets, reason },
            Self::Answer(it) => {
                Fields::Answer { from: &it.from, service: it.service, observed, detail: reason.unwrap_or_default() }
            }
            Self::Cell(_) => Fields::Statement { interface: None, expected, observed, proof },
            Self::Statement(it) => Fields::Statement { interface: it.of.as_deref(), expected, observed, proof },
        }
    }
}
