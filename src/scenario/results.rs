//! What a run found, as plain data: the one input of every report.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::answers::AnswerResult;
use super::balanced::BalancedResult;
use super::compared::Disagreement;
use super::coverage::Coverage;
use super::dossier::Dossier;
use super::flow_logs::FlowLogResult;
use super::followed::Compared;
use super::kept::Kept;
use super::services::ServicesTold;
use super::traffic::TrafficResult;
use crate::model::topology::{ExpectedOutcome, Fate};
use crate::model::{
    ConnectionName, Direction, Endpoint, Era, Flow, GroupName, HostIp, HostName, InstanceName, Place, PrivateIp,
    PublicIp, RuleId, Service, Via,
};
use crate::probe::{Held, Outcome};

/// One file, run under one era.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// What was booted.
    pub head: Head,
    /// The steps of this era, in the order of the file.
    pub steps: Vec<StepResult>,
    /// The sum over the steps.
    pub counts: Counts,
    /// From the first step to the last.
    pub took: Duration,
    /// What it all comes to.
    pub verdict: RunVerdict,
    /// Which rules were exercised; nothing where no packet was sent.
    pub coverage: Option<Coverage>,
}

/// What was booted: known before the first step.
#[derive(Clone, Debug)]
pub struct Head {
    /// The file's stem.
    pub topology: String,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The era.
    pub era: Era,
    /// The first era of the file, which commands are about unless told otherwise.
    pub first_era: Era,
    /// Instances at boot.
    pub instances: usize,
    /// Hosts outside with their addresses.
    pub hosts: IndexMap<HostName, Vec<HostIp>>,
    /// Security groups at boot.
    pub groups: usize,
    /// Rules at boot.
    pub rules: usize,
    /// How long the lab took to come up.
    pub boot: Duration,
    /// What the results rest on.
    pub evidence: Evidence,
    /// What became of the services of the file; nothing where it has none.
    pub services: Option<ServicesTold>,
}

/// What results rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Packets that crossed a kernel.
    Packets,
    /// What `policy` says of the same flows; no packet was sent.
    Prediction,
}

impl Head {
    /// How many addresses outside the cloud there are.
    pub fn addresses(&self) -> usize {
        self.hosts.values().map(Vec::len).sum()
    }
}

/// What a run comes to.
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

/// What a step comes to.
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

/// One step of a run.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Its number in the file, from 1; steps of other eras count.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub place: Place,
    /// The file's word for the reader.
    pub note: Option<String>,
    /// What it comes to.
    pub status: StepStatus,
    /// The exhaustive grid; empty where the file has no tables.
    pub grid: Grid,
    /// Every cell that was probed, with the class of its outcome.
    pub observed: IndexMap<Flow, Class>,
    /// The flows that the step names itself, right and wrong.
    pub flows: Vec<FlowResult>,
    /// The flows that somebody besides the step asked about, in their order.
    pub asked: Vec<Seen>,
    /// The held connections that the step asks about.
    pub held: Vec<HeldResult>,
    /// What became of the traffic that flowed meanwhile, by flow.
    pub traffic: Vec<TrafficResult>,
    /// The questions to services that groups never filter.
    pub answers: Vec<AnswerResult>,
    /// What load balancers do, and think of the instances behind them.
    pub balanced: Vec<BalancedResult>,
    /// What the flow logs of interfaces say.
    pub flow_logs: Vec<FlowLogResult>,
    /// Cells that are not as expected, or that nothing proves.
    pub wrong: Vec<WrongCell>,
    /// Flows of which the model and the kernel say different things.
    pub disagreements: Vec<Disagreement>,
    /// What the model says of every connection that is held, against what the packets say.
    pub followed: Compared,
    /// What is kept of the first disagreement.
    pub dossier: Option<Dossier>,
    /// What is kept of the step for later; nothing unless the run was to keep it.
    pub kept: Option<Arc<Kept>>,
    /// What is wrong besides single cells.
    pub findings: Vec<Finding>,
    /// Cells whose outcome is another than at the step before.
    pub changed: Vec<ChangedCell>,
    /// Instances that hold other addresses than before the step.
    pub addresses: Vec<AddressChange>,
    /// Rules added, removed or replaced in the kernel by the step, where the step asks for it.
    pub rules_edited: Option<usize>,
    /// How long until the changes of the step were in force; nothing for a step without any.
    pub in_force: Option<Duration>,
    /// What was probed.
    pub counts: Counts,
    /// Whether the canaries gave what they must; `true` where nothing was probed.
    pub canaries_held: bool,
    /// How long the step took, changes and probes.
    pub took: Duration,
    /// What holds at this step by the article's word only.
    pub claims: Vec<String>,
}

/// How many cells, and what became of them.
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
            connections: self.connections + other.connections,
            connections_not_compared: self.connections_not_compared + other.connections_not_compared,
        }
    }
}

/// An outcome without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
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

impl RunResult {
    /// What holds in this run by the article's word only, each said once.
    pub fn claims(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for claim in self.steps.iter().flat_map(|step| &step.claims) {
            if !all.contains(&claim.as_str()) {
                all.push(claim);
            }
        }
        all
    }
}
