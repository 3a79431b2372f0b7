//! Runs one step: its operations, its probes, its verdict.

use std::time::{Duration, Instant};

use indexmap::IndexSet;

use super::super::backend::Backend;
use super::super::expected::{Expected, Seen};
use super::super::judge::{self, Moments};
use super::super::results::{
    AgainstModel, Check, CheckStatus, Class, Counts, Effects, Evidence, Finding, Head, Probed, StepResult, StepStatus,
};
use super::super::{change, claims, compared, demand, disagreement_files, held, kept, traffic};
use super::answers::Answers;
use super::booting::listeners;
use super::doing::{self, Changes};
use super::past::Past;
use crate::lab::LabError;
use crate::model::{Cloud, Flow};
use crate::probe::{Batch, Observation};
use crate::topology::{Step, Topology};

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
    if Expected::has_flow_logs(topology) {
        lab.keep_flow_log().await?;
        // The window is that of the step.
        lab.end_flow_log_window().await?;
    }
    let (running, obstacles) = traffic::begin(lab, step).await?;
    let mut changes = doing::carry_out(lab, step, &expected, past).await?;
    let traffic = match running {
        Some(running) => traffic::end(lab, &expected.promises, running, &changes.clouds).await,
        None if lab.evidence() == Evidence::Prediction => traffic::unpredicted(step, &expected.promises, &before),
        None => Vec::new(),
    };
    result.effects.in_force = changes.in_force.filter(|_| lab.evidence() == Evidence::Packets);
    let broke_off = changes.unexpected.is_some() || changes.unproved.is_some();
    let probes = if broke_off {
        result.findings.extend(obstacles.into_iter().chain(changes.unexpected.take()));
        result.checks.extend(traffic.into_iter().chain(changes.unproved.take()));
        Vec::new()
    } else {
        let done = CarriedOut { topology, head, step, expected: &expected, before: &before, changes: &changes };
        done.examine(lab, asked, past, (traffic, obstacles), &mut result).await?
    };
    result.effects.addresses = change::addresses(&before, lab.cloud());
    result.status = status(&result);
    if past.keeps {
        result.kept = Some(kept::gather(lab, probes, &result.failing()).await?.into());
    }
    result.took = began.elapsed();
    Ok((result, broke_off))
}

/// A step whose operations are carried out, to be probed.
struct CarriedOut<'a> {
    topology: &'a Topology,
    head: &'a Head,
    step: &'a Step,
    expected: &'a Expected<'a>,
    before: &'a Cloud,
    changes: &'a Changes,
}

impl CarriedOut<'_> {
    /// Probes what the step and `asked` name, and holds it against what the step expects; returns the probes.
    async fn examine<L: Backend>(
        &self,
        lab: &mut L,
        asked: &[Flow],
        past: &mut Past,
        (traffic, obstacles): (Vec<Check>, Vec<Finding>),
        result: &mut StepResult,
    ) -> Result<Vec<Observation>, LabError> {
        let columns = &self.topology.columns;
        let now = lab.cloud().clone();
        let extent = demand::extent(self.topology, &now);
        let demands = demand::demands(self.topology, &self.expected.cells, &now);
        let mut flows: IndexSet<Flow> = IndexSet::new();
        if !extent.is_empty() {
            flows.extend(extent.grid(&now, columns));
        }
        flows.extend(demands.demands.iter().map(|demand| demand.flow.clone()));
        flows.extend(asked.iter().cloned());
        if !extent.is_empty() {
            result.counts.not_asked = extent.not_asked(&now, columns, &flows);
        }
        let flows: Vec<Flow> = flows.into_iter().collect();
        let batch = if flows.is_empty() { None } else { Some(lab.probe(&flows).await?) };
        past.met.record(batch.as_ref().map_or(&[], |batch| &batch.observations));
        let Answers { canaries_held, timed_out, observed, resolved } =
            Answers::of(lab, batch.as_ref(), &demands.demands);
        result.counts.timed_out = timed_out;
        let connections = held::examine(lab, &self.expected.connections, &past.followed).await?;
        self.compare(lab, batch.as_ref(), &connections, past, result).await?;
        let seen = Seen { now: &now, keeps_flow_log: Expected::has_flow_logs(self.topology) };
        let (examined, selecting_nothing) = self.expected.examined.examine(lab, &seen).await?;
        let probed = &mut result.probed;
        probed.canaries_held = canaries_held;
        probed.observed = observed.iter().map(|(flow, outcome)| (flow.clone(), Class::of(outcome))).collect();
        for class in probed.observed.values() {
            result.counts.add(*class);
        }
        if !extent.is_empty() {
            probed.grid = judge::grid(&now, &extent, columns, &observed, &demands.demands);
        }
        probed.asked = judge::asked(asked, &observed, &resolved, &now);
        probed.changed = change::cells(&past.last, &observed, &now);
        result.checks = judge::flows(&demands.demands, &observed, &resolved, &now);
        for section in [connections, traffic, examined] {
            result.checks.extend(section);
        }
        result.counts.wrong = wrong_cells(result);
        result.effects.rules_edited = self.changes.rules.as_ref().map(|(before, now)| change::rules(before, now));
        result.claims = claims::claims(&now);
        result.findings = demands.empty;
        result.findings.extend(obstacles);
        result.findings.extend(selecting_nothing);
        result.findings.extend(judge::misdelivered(&observed, &demands.demands, &self.step.place));
        result.findings.extend(judge::changes(&self.expected.changes, self.moments(&now)));
        Ok(batch.map(|batch| batch.observations).unwrap_or_default())
    }

    /// Holds probes and connections against the model, and keeps the first disagreement about each.
    async fn compare<L: Backend>(
        &self,
        lab: &mut L,
        batch: Option<&Batch>,
        connections: &[Check],
        past: &mut Past,
        result: &mut StepResult,
    ) -> Result<(), LabError> {
        let listeners = listeners(self.topology);
        let model = &mut result.model;
        model.flows = batch.map(|batch| compared::flows(lab, &listeners, batch)).unwrap_or_default();
        model.connections = if batch.is_none_or(|batch| batch.canaries_held) {
            past.followed.compare(lab, connections).await?
        } else {
            past.followed.not_compared("the canaries did not hold")
        };
        let (flows, held) = (&model.flows, &model.connections.disagreements);
        if flows.iter().any(|it| !past.known.contains(&it.flow)) || held.iter().any(|it| it.is_new) {
            let found = disagreement_files::Found { flows, connections: held };
            model.disagreement = disagreement_files::gather(lab, self.head, result.number, &listeners, found).await?;
        }
        result.counts.connections = model.connections.compared;
        result.counts.connections_not_compared = model.connections.not_compared.len();
        Ok(())
    }

    fn moments<'a>(&'a self, now: &'a Cloud) -> Moments<'a> {
        Moments {
            before: self.before,
            now,
            rules: self.changes.rules.as_ref().map(|(before, now)| (before, now)),
            refused: self.changes.refused.as_ref().map(|(refusal, unchanged)| (refusal, *unchanged)),
        }
    }
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
