//! One step: what it does, what is probed after it, and what that comes to.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};

use super::super::backend::Backend;
use super::super::expected::{Expected, Seen};
use super::super::judge::{self, Moments};
use super::super::results::{
    AgainstModel, Check, CheckStatus, Class, Counts, Effects, Evidence, Finding, Head, Probed, StepResult, StepStatus,
};
use super::super::{change, claims, compared, demand, disagreement_files, held, kept, traffic};
use super::booting::listeners;
use super::doing;
use super::past::Past;
use crate::lab::LabError;
use crate::model::Flow;
use crate::probe::{MissingEvidence, Outcome, Resolution};
use crate::topology::{ExpectedOutcome, Step, Topology};

/// Runs one step; says besides whether it broke off before its probes.
pub(super) async fn run_step<L: Backend>(
    lab: &mut L,
    topology: &Topology,
    (head, number): (&Head, usize),
    step: &Step,
    asked: &[Flow],
    past: &mut Past,
) -> Result<(StepResult, bool), LabError> {
    let began = Instant::now();
    let before = lab.cloud().clone();
    let expected = Expected::of(step);
    let mut result = blank(number, step);
    let logging = Expected::has_flow_logs(topology);
    if logging {
        lab.keep_flow_log().await?;
        // The window is that of the step.
        lab.end_flow_log_window().await?;
    }
    let (running, obstacles) = traffic::begin(lab, step).await?;
    let changes = doing::carry_out(lab, step, &expected, past).await?;
    let traffic = match running {
        Some(running) => traffic::end(lab, &expected.promises, running, &changes.clouds).await,
        None if lab.evidence() == Evidence::Prediction => traffic::unpredicted(step, &expected.promises, &before),
        None => Vec::new(),
    };
    result.effects.in_force = changes.in_force.filter(|_| lab.evidence() == Evidence::Packets);
    if changes.unexpected.is_some() || changes.unproved.is_some() {
        result.findings.extend(obstacles);
        result.findings.extend(changes.unexpected);
        result.checks = traffic;
        result.checks.extend(changes.unproved);
        result.status = status(&result);
        result.effects.addresses = change::addresses(&before, lab.cloud());
        if past.keeps {
            result.kept = Some(kept::gather(lab, Vec::new(), &result.failing()).await?.into());
        }
        result.took = began.elapsed();
        return Ok((result, true));
    }
    let now = lab.cloud().clone();
    let extent = demand::extent(topology, &now);
    let demands = demand::demands(topology, &expected.cells, &now);
    let mut flows: IndexSet<Flow> = IndexSet::new();
    if !extent.is_empty() {
        flows.extend(extent.grid(&now, &topology.columns));
    }
    flows.extend(demands.demands.iter().map(|demand| demand.flow.clone()));
    flows.extend(asked.iter().cloned());
    if !extent.is_empty() {
        result.counts.not_asked = extent.not_asked(&now, &topology.columns, &flows);
    }
    let flows: Vec<Flow> = flows.into_iter().collect();
    let batch = if flows.is_empty() { None } else { Some(lab.probe(&flows).await?) };
    let canaries_held = batch.as_ref().is_none_or(|batch| batch.canaries_held);
    let mut observed: IndexMap<Flow, Outcome> = IndexMap::new();
    let mut resolved: IndexMap<Flow, IpAddr> = IndexMap::new();
    past.met.record(batch.as_ref().map_or(&[], |batch| &batch.observations));
    for observation in batch.iter().flat_map(|batch| &batch.observations) {
        result.counts.timed_out += usize::from(observation.timed_out);
        // A broken instrument shows nothing, whatever it reads.
        let outcome = if canaries_held {
            observation.outcome.clone()
        } else {
            Outcome::Inconclusive { why: MissingEvidence::Canaries }
        };
        observed.insert(observation.flow.clone(), outcome);
        let address = observation.resolved.and_then(Resolution::address);
        resolved.extend(address.map(|address| (observation.flow.clone(), address)));
    }
    for demand in demands.demands.iter().filter(|demand| demand.expected == ExpectedOutcome::Closed) {
        if let Some(outcome @ Outcome::Open { .. }) = observed.get_mut(&demand.flow)
            && lab.rests_on_a_program(&demand.flow)
        {
            *outcome = Outcome::Inconclusive { why: MissingEvidence::Program { of: None } };
        }
    }
    let listeners = listeners(topology);
    result.model.flows = batch.as_ref().map(|batch| compared::flows(lab, &listeners, batch)).unwrap_or_default();
    let connections = held::examine(lab, &expected.connections, &past.followed).await?;
    result.model.connections = match canaries_held {
        true => past.followed.compare(lab, &connections).await?,
        false => past.followed.not_compared("the canaries did not hold"),
    };
    let (flows, held) = (&result.model.flows, &result.model.connections.disagreements);
    if flows.iter().any(|it| !past.known.contains(&it.flow)) || held.iter().any(|it| it.is_new) {
        let found = disagreement_files::Found { flows, connections: held };
        result.model.disagreement = disagreement_files::gather(lab, head, number, &listeners, found).await?;
    }
    let seen = Seen { now: &now, keeps_flow_log: logging };
    let (examined, selecting_nothing) = expected.examined.examine(lab, &seen).await?;
    let probed = &mut result.probed;
    probed.canaries_held = canaries_held;
    probed.observed = observed.iter().map(|(flow, outcome)| (flow.clone(), Class::of(outcome))).collect();
    for class in probed.observed.values() {
        result.counts.add(*class);
    }
    if !extent.is_empty() {
        probed.grid = judge::grid(&now, &extent, &topology.columns, &observed, &demands.demands);
    }
    probed.asked = judge::asked(asked, &observed, &resolved, &now);
    probed.changed = change::cells(&past.last, &observed, &now);
    result.checks = judge::flows(&demands.demands, &observed, &resolved, &now);
    for section in [connections, traffic, examined] {
        result.checks.extend(section);
    }
    result.counts.wrong = wrong_cells(&result);
    result.counts.connections = result.model.connections.compared;
    result.counts.connections_not_compared = result.model.connections.not_compared.len();
    result.effects.addresses = change::addresses(&before, &now);
    result.effects.rules_edited = changes.rules.as_ref().map(|(before, now)| change::rules(before, now));
    result.claims = claims::claims(&now);
    let moments = Moments {
        before: &before,
        now: &now,
        rules: changes.rules.as_ref().map(|(before, now)| (before, now)),
        refused: changes.refused.as_ref().map(|(refusal, unchanged)| (refusal, *unchanged)),
    };
    result.findings = demands.empty;
    result.findings.extend(obstacles);
    result.findings.extend(selecting_nothing);
    result.findings.extend(judge::misdelivered(&observed, &demands.demands, &step.place));
    result.findings.extend(judge::changes(&expected.changes, moments));
    result.status = status(&result);
    if past.keeps {
        let probes = batch.map(|batch| batch.observations).unwrap_or_default();
        result.kept = Some(kept::gather(lab, probes, &result.failing()).await?.into());
    }
    result.took = began.elapsed();
    Ok((result, false))
}

/// A cell that two expectations find wrong is one wrong cell.
pub(super) fn wrong_cells(step: &StepResult) -> usize {
    let failed = step.cells().filter(|(check, _)| check.is_failed());
    failed.map(|(_, cell)| &cell.flow).collect::<IndexSet<_>>().len()
}

pub(super) fn status(result: &StepResult) -> StepStatus {
    let has = |status| result.checks.iter().any(|check: &Check| check.status == status);
    if has(CheckStatus::Failed) || result.model.disagrees() || !result.findings.is_empty() {
        StepStatus::Failed
    } else if has(CheckStatus::Inconclusive) || !result.probed.canaries_held || result.model.connections.is_unproved() {
        StepStatus::Inconclusive
    } else {
        StepStatus::Passed
    }
}

pub(super) fn blank(number: usize, step: &Step) -> StepResult {
    StepResult {
        number,
        name: step.name.clone(),
        place: step.place.clone(),
        note: step.note.clone(),
        status: StepStatus::NotRun,
        checks: Vec::new(),
        findings: Vec::new(),
        probed: Probed::default(),
        counts: Counts::default(),
        model: AgainstModel::default(),
        effects: Effects::default(),
        claims: Vec::new(),
        kept: None,
        took: Duration::ZERO,
    }
}

pub(super) fn not_run(number: usize, step: &Step, why: &str) -> StepResult {
    StepResult { findings: vec![Finding { text: why.to_owned(), place: step.place.clone() }], ..blank(number, step) }
}
