//! What a run found, as plain data: the one input of every report.

use std::sync::Arc;
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::answers::AnswerResult;
use super::balanced::BalancedResult;
use super::coverage::Coverage;
use super::findings::{
    AddressChange, ChangedCell, Disagreement, Dossier, Finding, FlowResult, Grid, HeldResult, Seen, WrongCell,
};
use super::flow_logs::FlowLogResult;
use super::followed::Compared;
use super::head::Head;
use super::kept::Kept;
use super::outcomes::{Class, Counts, RunVerdict, StepStatus};
use super::traffic::TrafficResult;
use crate::model::{Flow, Place};

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

impl StepResult {
    /// The flows that are not as expected, or not as predicted.
    pub fn failing(&self) -> IndexSet<Flow> {
        let flows = self.disagreements.iter().map(|it| &it.flow).chain(self.wrong.iter().map(|it| &it.flow));
        flows.cloned().collect()
    }
}
