//! What a step has found: its grid, single flows, held connections, and what is wrong with them.

use std::net::IpAddr;

use serde::Serialize;

use super::outcomes::Class;
use crate::model::topology::{ExpectedOutcome, Fate};
use crate::model::{
    ConnectionName, Direction, Endpoint, Flow, GroupName, InstanceName, Place, PrivateIp, PublicIp, RuleId, Service,
    Via,
};
use crate::probe::{Held, Logged, Observation, Outcome};

/// The exhaustive grid at a step: who, to whom, for which services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// The columns of every block.
    pub services: Vec<Service>,
    /// The receivers.
    pub targets: Vec<InstanceName>,
    /// The senders.
    pub rows: Vec<Row>,
}

/// One sender of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub from: Endpoint,
    /// By which address of the receivers, if that was said.
    pub via: Option<Via>,
    /// One block a target, of one cell a service; nothing where there is no such path, or no probe that asks for the service.
    pub blocks: Vec<Option<Vec<Option<Cell>>>>,
}

/// One cell of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What was found.
    pub class: Class,
    /// What was expected, if anything was.
    pub expected: Option<ExpectedOutcome>,
    /// Whether the cell is known to differ from an expectation.
    pub wrong: bool,
}

/// Something expected: the words of the file, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Said {
    /// Such as `table two-tier, which opens no such cell`.
    pub words: String,
    /// Where.
    pub place: Place,
}

/// A rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
pub struct DecidingRule {
    /// Its group.
    pub group: GroupName,
    /// Its id.
    pub id: RuleId,
    /// As its author wrote it.
    pub written: String,
    /// Where the file says so.
    pub place: Option<Place>,
}

/// A flow that a step names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowResult {
    /// Which.
    pub flow: Flow,
    /// What was expected.
    pub expected: ExpectedOutcome,
    /// At which end, where the expectation says so.
    pub at: Option<Direction>,
    /// Who expects it.
    pub said: Said,
    /// What was found.
    pub outcome: Outcome,
    /// Whether that is as expected.
    pub right: bool,
    /// The rule that let it in.
    pub rule: Option<DecidingRule>,
    /// Why it was dropped.
    pub reason: Option<String>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
}

/// A flow with what was found, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub flow: Flow,
    /// What was found.
    pub outcome: Outcome,
    /// The rule that let it in.
    pub rule: Option<DecidingRule>,
    /// Why it was dropped.
    pub reason: Option<String>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
}

/// A held connection that a step asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldResult {
    /// Its name.
    pub name: ConnectionName,
    /// What was expected.
    pub expected: Fate,
    /// What was found.
    pub found: Held,
    /// Whether that is as expected.
    pub right: bool,
    /// What the evidence says, in words: at which end, and for want of what, it was cut.
    pub reason: Option<String>,
    /// Where the file says so.
    pub place: Place,
}

/// A cell that is not as expected, or that nothing proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongCell {
    /// Which.
    pub flow: Flow,
    /// What was expected.
    pub expected: ExpectedOutcome,
    /// At which end, where the expectation says so.
    pub at: Option<Direction>,
    /// What was found.
    pub outcome: Outcome,
    /// Who expects it.
    pub said: Said,
    /// The rule that let it in.
    pub rule: Option<DecidingRule>,
    /// Why it was dropped, or what is odd about it.
    pub reason: Option<String>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
}

impl WrongCell {
    /// Whether nothing proves it wrong either.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self.outcome, Outcome::Inconclusive { .. })
    }
}

/// Something wrong that is not a matter of one cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub text: String,
    /// The expectation or the operation that it is about.
    pub place: Place,
}

/// A cell whose outcome is another than at the step before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedCell {
    /// Which.
    pub flow: Flow,
    /// What it was.
    pub was: Class,
    /// What it is.
    pub now: Class,
    /// The rule that lets it in now.
    pub rule: Option<DecidingRule>,
}

/// An instance that holds other addresses than before the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressChange {
    /// Which.
    pub instance: InstanceName,
    /// Its private address before.
    pub private_before: Option<PrivateIp>,
    /// Its private address now.
    pub private_now: Option<PrivateIp>,
    /// Its public address before.
    pub public_before: Option<PublicIp>,
    /// Its public address now.
    pub public_now: Option<PublicIp>,
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

/// Files about the first disagreement of a step, to be kept together in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// The folder's name: `sglab-disagreement-two-tier-article-3`.
    pub folder: String,
    /// Names and texts.
    pub files: Vec<(String, String)>,
}
