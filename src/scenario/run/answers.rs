//! Outcomes of a step's probes, less what they do not prove.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::super::backend::Backend;
use super::super::demand::Demand;
use crate::model::Flow;
use crate::probe::{Batch, MissingEvidence, Outcome, Resolution};
use crate::topology::ExpectedOutcome;

/// Outcomes of a step's probes.
pub(super) struct Answers {
    pub(super) canaries_held: bool,
    /// Count of the flows that a timeout decided.
    pub(super) timed_out: usize,
    pub(super) observed: IndexMap<Flow, Outcome>,
    /// Addresses that flows by DNS name went to.
    pub(super) resolved: IndexMap<Flow, IpAddr>,
}

impl Answers {
    /// Reads a batch. Nothing is proved where the canaries did not hold; nor that a flow is open that was to be closed, where a program decides
    /// that of which nothing is known.
    pub(super) fn of<L: Backend>(lab: &L, batch: Option<&Batch>, demands: &[Demand]) -> Self {
        let mut answers = Self {
            canaries_held: batch.is_none_or(|batch| batch.canaries_held),
            timed_out: 0,
            observed: IndexMap::new(),
            resolved: IndexMap::new(),
        };
        for observation in batch.iter().flat_map(|batch| &batch.observations) {
            answers.timed_out += usize::from(observation.timed_out);
            // A broken instrument shows nothing, whatever it reads.
            let outcome = if answers.canaries_held {
                observation.outcome.clone()
            } else {
                Outcome::Inconclusive { why: MissingEvidence::Canaries }
            };
            answers.observed.insert(observation.flow.clone(), outcome);
            let address = observation.resolved.and_then(Resolution::address);
            answers.resolved.extend(address.map(|address| (observation.flow.clone(), address)));
        }
        for demand in demands.iter().filter(|demand| demand.expected == ExpectedOutcome::Closed) {
            if let Some(outcome @ Outcome::Open { .. }) = answers.observed.get_mut(&demand.flow)
                && lab.rests_on_a_program(&demand.flow)
            {
                *outcome = Outcome::Inconclusive { why: MissingEvidence::Program { of: None } };
            }
        }
        answers
    }
}
