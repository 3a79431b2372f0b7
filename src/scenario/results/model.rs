//! What the model says of a step, against what the kernel did.

use crate::model::{ConnectionName, Flow, Verdict};
use crate::policy::tracking::Standing;
use crate::probe::{Held, Logged, Observation, Outcome};

/// What the model says of a step, against what the kernel did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgainstModel {
    /// The flows of which the two say different things.
    pub flows: Vec<Disagreement>,
    /// The connections that are held.
    pub connections: Compared,
    /// What is kept of the first disagreement.
    pub dossier: Option<Dossier>,
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
    /// Which.
    pub flow: Flow,
    /// What the model says.
    pub predicted: Observation,
    /// What the packets did.
    pub observed: Outcome,
    /// What the filters recorded of them.
    pub records: Vec<Logged>,
}

/// What model and kernel say of the connections that are held at a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many were held against the model.
    pub compared: usize,
    /// The others, each with the reason.
    pub not_compared: Vec<NotCompared>,
    /// Those of which the two say different things.
    pub disagreements: Vec<HeldDisagreement>,
}

impl Compared {
    /// Whether something was looked at that nothing proves.
    pub fn is_unproved(&self) -> bool {
        self.not_compared.iter().any(NotCompared::is_unproved)
    }
}

/// A connection that was not held against the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompared {
    /// Its name.
    pub name: ConnectionName,
    /// What it is.
    pub flow: Flow,
    /// Why not, as a kind.
    pub why: Why,
    /// Why not, in words.
    pub reason: String,
}

impl NotCompared {
    /// Whether it was examined, and nothing was proved.
    pub fn is_unproved(&self) -> bool {
        self.why == Why::Unproved
    }
}

/// Why a connection was not held against the model.
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
    /// What it is.
    pub flow: Flow,
    /// What the model says.
    pub predicted: Foretold,
    /// What the packets say.
    pub observed: Held,
    /// Whether it is the first time that this is said of it.
    pub is_new: bool,
}

/// What the model says of a connection that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foretold {
    /// It could never have been opened.
    NotOpened(Verdict),
    /// What has become of it.
    Stands(Standing),
}

/// Files about the first disagreement of a step, to be kept together in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// The folder's name: `sglab-disagreement-two-tier-article-3`.
    pub folder: String,
    /// Names and texts.
    pub files: Vec<(String, String)>,
}
