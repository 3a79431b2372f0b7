//! A difference of two clouds as packets proved it, flow by flow.

use std::collections::HashMap;

use super::differing::{Differing, FlowChange};
use super::results::{CheckStatus, DecidingRule, RunResult};
use crate::model::Flow;
use crate::probe::Outcome;

/// What packets met in labs of two clouds, for each flow that these judge differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvedDifference {
    /// The flows.
    pub flows: Vec<ProvedFlow>,
}

/// One flow in both labs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedFlow {
    /// The flow.
    pub flow: Flow,
    /// The change that prediction tells.
    pub change: FlowChange,
    /// Its fate in the first lab.
    pub before: Fate,
    /// In the second.
    pub after: Fate,
}

/// Fate of a flow in one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The cloud has not both ends.
    NoSuchEnd,
    /// Nothing was sent: the lab did not run to its end.
    NotSent,
    /// It was sent.
    Met(Box<Met>),
}

/// Outcome of a flow that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Observed outcome.
    pub outcome: Outcome,
    /// Comparison with the prediction.
    pub status: CheckStatus,
    /// Rule that let it in.
    pub rule: Option<DecidingRule>,
    /// Reason for the outcome, such as the groups that dropped it.
    pub reason: Option<String>,
}

/// Verdict about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowProof {
    /// Packets met in both what was predicted.
    Proved,
    /// They met something else.
    Disproved,
    /// Nothing proves either.
    NotProved,
}

impl ProvedDifference {
    /// Joins what is predicted with the results of both labs; none of a lab that did not run to its end.
    pub fn new(differing: &Differing, first: Option<&RunResult>, second: Option<&RunResult>) -> Self {
        let (first, second) = (met(first), met(second));
        let fate = |lab: &HashMap<&Flow, Met>, flow: &Flow| {
            lab.get(flow).map_or(Fate::NotSent, |met| Fate::Met(Box::new(met.clone())))
        };
        let flows = differing.flows.iter().map(|differing| ProvedFlow {
            flow: differing.flow.clone(),
            change: differing.change,
            before: match differing.change {
                FlowChange::OpenedAtNewEnds => Fate::NoSuchEnd,
                FlowChange::Opened | FlowChange::Closed => fate(&first, &differing.flow),
            },
            after: fate(&second, &differing.flow),
        });
        Self { flows: flows.collect() }
    }

    /// Counts flows by what came of them.
    pub fn count(&self, proof: FlowProof) -> usize {
        self.flows.iter().filter(|flow| flow.proof() == proof).count()
    }
}

impl ProvedFlow {
    /// The verdict about it.
    pub fn proof(&self) -> FlowProof {
        let status = |fate: &Fate| match fate {
            Fate::NoSuchEnd => CheckStatus::Passed,
            Fate::NotSent => CheckStatus::Inconclusive,
            Fate::Met(met) => met.status,
        };
        match (status(&self.before), status(&self.after)) {
            (CheckStatus::Failed, _) | (_, CheckStatus::Failed) => FlowProof::Disproved,
            (CheckStatus::Inconclusive, _) | (_, CheckStatus::Inconclusive) => FlowProof::NotProved,
            (CheckStatus::Passed, CheckStatus::Passed) => FlowProof::Proved,
        }
    }
}

fn met(lab: Option<&RunResult>) -> HashMap<&Flow, Met> {
    let cells = lab.into_iter().flat_map(|lab| &lab.steps).flat_map(|step| step.cells());
    let met = cells.map(|(check, cell)| {
        let (outcome, rule) = (cell.outcome.clone(), cell.rule.clone());
        (&cell.flow, Met { outcome, status: check.status, rule, reason: check.reason.clone() })
    });
    met.collect()
}
