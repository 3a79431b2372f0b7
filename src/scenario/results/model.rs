//! Comparison of a step's predictions with what the kernel did.

use std::fmt;

use crate::model::{ConnectionName, Flow, Verdict};
use crate::policy::tracking::ConnectionState;
use crate::probe::{Held, Logged, Observation, Outcome};
use crate::topology::ExpectedConnection;

/// Comparison of a step's predictions with what the kernel did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgainstModel {
    /// The flows of which the two say different things.
    pub flows: Vec<Disagreement>,
    /// The connections that are held.
    pub connections: Compared,
    /// Evidence kept of the first disagreement.
    pub disagreement: Option<DisagreementFiles>,
}

impl AgainstModel {
    /// Tells whether the two say different things of anything.
    pub fn disagrees(&self) -> bool {
        !self.flows.is_empty() || !self.connections.disagreements.is_empty()
    }
}

/// A flow of which the model and the kernel say different things: a bug in one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Flow that they disagree about.
    pub flow: Flow,
    /// Observation that the model predicts.
    pub predicted: Observation,
    /// Outcome of the packets.
    pub observed: Outcome,
    /// Records that the filters made of them.
    pub records: Vec<Logged>,
}

/// Comparison of model and kernel over the connections that are held at a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Number of connections that were held against the model.
    pub compared: usize,
    /// The others, each with the reason.
    pub not_compared: Vec<NotCompared>,
    /// Those of which the two say different things.
    pub disagreements: Vec<HeldDisagreement>,
}

impl Compared {
    /// Returns `true` if a connection was examined and nothing was proved.
    pub fn is_unproved(&self) -> bool {
        self.not_compared.iter().any(NotCompared::is_unproved)
    }
}

/// A connection that was not held against the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompared {
    /// Its name.
    pub name: ConnectionName,
    /// Flow that it carries.
    pub flow: Flow,
    /// Kind of the reason.
    pub why: Why,
    /// Reason, in words.
    pub reason: String,
}

impl NotCompared {
    /// Returns `true` if it was examined and nothing was proved.
    pub fn is_unproved(&self) -> bool {
        self.why == Why::Unproved
    }
}

/// Reason why a connection was not held against the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The model, or the kernel, cannot tell (docs/semantics.md, "Tracked and untracked flows").
    Limit,
    /// It has been examined, and nothing was proved.
    Unproved,
}

/// A connection of which the model and the kernel say different things: a bug in one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDisagreement {
    /// Its name.
    pub name: ConnectionName,
    /// Flow that it carries.
    pub flow: Flow,
    /// State that the model predicts.
    pub predicted: PredictedState,
    /// State that the packets show.
    pub observed: Held,
    /// True if this is said of it for the first time.
    pub is_new: bool,
}

/// Prediction of the model for a connection that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictedState {
    /// It could never have been opened.
    NotOpened(Verdict),
    /// It was opened, and stands as this.
    Stands(ConnectionState),
}

impl PredictedState {
    /// The one word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotOpened(_) => "not-opened",
            Self::Stands(ConnectionState::Alive) => ExpectedConnection::Alive.as_str(),
            Self::Stands(ConnectionState::Cut { .. } | ConnectionState::FailsCheck { .. }) => {
                ExpectedConnection::Cut.as_str()
            }
            Self::Stands(ConnectionState::Forgotten) => "forgotten",
            Self::Stands(ConnectionState::Gone) => ExpectedConnection::Gone.as_str(),
        }
    }
}

/// In words: `cut at the ingress of db1`.
impl fmt::Display for PredictedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(_) => f.write_str("it cannot have been opened"),
            Self::Stands(ConnectionState::Cut { at }) => {
                let ends: Vec<String> = at.iter().map(|(at, id)| format!("the {at} of {}", id.holder())).collect();
                write!(f, "cut at {}", ends.join(" or "))
            }
            Self::Stands(ConnectionState::FailsCheck { interface, .. }) => {
                write!(f, "cut by the check of source and destination of {}", interface.holder())
            }
            Self::Stands(ConnectionState::Alive | ConnectionState::Forgotten | ConnectionState::Gone) => {
                f.write_str(self.word())
            }
        }
    }
}

/// Files about the first disagreement of a step, to be kept together in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisagreementFiles {
    /// The folder's name: `sglab-disagreement-two-tier-article-3`.
    pub folder: String,
    /// Names and texts.
    pub files: Vec<(String, String)>,
}
