//! One step: what it does, what is probed after it, and what that comes to.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};

use super::super::balanced::Proof;
use super::super::cloudlike::Cloudlike;
use super::super::coverage::Met;
use super::super::findings::{Finding, Grid, HeldResult, WrongCell};
use super::super::followed::{Compared, Followed};
use super::super::head::Head;
use super::super::judge::{self, Moments};
use super::super::outcomes::{Class, Counts, Evidence, StepStatus};
use super::super::results::StepResult;
use super::super::traffic::TrafficResult;
use super::super::{
    answers, balanced, cells, change, claims, compared, demand, dossier, flow_logs, held, kept, traffic,
};
use super::{doing, listeners};
use crate::lab::LabError;
use crate::model::Flow;
use crate::model::topology::{ExpectedOutcome, Step, Topology};
use crate::probe::{Held, Outcome, Resolution};

/// What the steps before left for those after.
#[derive(Default)]
pub(super) struct Past {
    /// The cells of the step before.
    pub(super) last: IndexMap<Flow, Class>,
    /// Flows of which model and kernel have said different things.
    pub(super) known: IndexSet<Flow>,
    /// The connections that are held, with what the model remembers of them.
    pub(super) followed: Followed,
    pub(super) met: Met,
    /// Whether results are to be kept.
    pub(super) keeps: bool,
}

/// Runs one step; says besides whether it broke off before its probes.
pub(super) async fn run_step<L: Cloudlike>(
    lab: &mut L,
    topology: &Topology,
    (head, number): (&Head, usize),
    step: &Step,
    asked: &[Flow],
    past: &mut Past,
) -> Result<(StepResult, bool), LabError> {
    let began = Instant::now();
    let before = lab.cloud().clone();
    let mut result = blank(number, step);
    let logging = flow_logs::are_asked_for(topology);
    if logging {
        lab.keep_flow_log().await?;
        // The window is that of the step.
        lab.end_flow_log_window().await?;
    }
    let (running, obstacles) = traffic::begin(lab, step).await?;
    let changes = doing::carry_out(lab, step, past).await?;
    if let Some(running) = running {
        result.traffic = traffic::end(lab, step, running, &changes.clouds).await;
    } else if lab.evidence() == Evidence::Prediction {
        result.traffic = traffic::unpredicted(step, &before);
    }
    result.in_force = changes.in_force.filter(|_| lab.evidence() == Evidence::Packets);
    if let Some(finding) = changes.unexpected {
        result.findings.push(finding);
        result.status = StepStatus::Failed;
        result.addresses = change::addresses(&before, lab.cloud());
        if past.keeps {
            result.kept = Some(kept::gather(lab, Vec::new(), &result.failing()).await?.into());
        }
        result.took = began.elapsed();
        return Ok((result, true));
    }
    let now = lab.cloud().clone();
    let vias = demand::vias(topology);
    let demands = demand::demands(topology, step, &now);
    let mut flows: IndexSet<Flow> = IndexSet::new();
    if !vias.is_empty() {
        flows.extend(cells::grid(&now, &topology.columns, &vias));
    }
    flows.extend(demands.demands.iter().map(|demand| demand.flow.clone()));
    flows.extend(asked.iter().cloned());
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
            Outcome::Inconclusive { why: "the canaries did not hold".to_owned() }
        };
        observed.insert(observation.flow.clone(), outcome);
        let address = observation.resolved.and_then(Resolution::address);
        resolved.extend(address.map(|address| (observation.flow.clone(), address)));
    }
    for demand in demands.demands.iter().filter(|demand| demand.expected == ExpectedOutcome::Closed) {
        if let Some(outcome @ Outcome::Open { .. }) = observed.get_mut(&demand.flow)
            && lab.rests_on_a_program(&demand.flow)
        {
            *outcome = Outcome::Inconclusive { why: "what a program behind it does is not predicted".to_owned() };
        }
    }
    let listeners = listeners(topology);
    result.disagreements = batch.as_ref().map(|batch| compared::flows(lab, &listeners, batch)).unwrap_or_default();
    result.held = held::examine(lab, step, &past.followed).await?;
    result.followed = match canaries_held {
        true => past.followed.compare(lab, &result.held).await?,
        false => past.followed.not_compared("the canaries did not hold"),
    };
    if result.disagreements.iter().any(|it| !past.known.contains(&it.flow))
        || result.followed.disagreements.iter().any(|it| it.is_new)
    {
        let found = dossier::Found { flows: &result.disagreements, connections: &result.followed.disagreements };
        result.dossier = dossier::gather(lab, head, number, &listeners, found).await?;
    }
    let (answers, unasked) = answers::ask(lab, step).await?;
    result.answers = answers;
    let (balanced, selecting_nothing) = balanced::examine(lab, step).await?;
    result.balanced = balanced;
    let mut logged_of_nobody = Vec::new();
    if logging {
        let window = lab.end_flow_log_window().await?;
        (result.flow_logs, logged_of_nobody) = flow_logs::judge(step, window.as_deref(), &now);
    }
    result.canaries_held = canaries_held;
    result.observed = observed.iter().map(|(flow, outcome)| (flow.clone(), Class::of(outcome))).collect();
    for class in result.observed.values() {
        result.counts.add(*class);
    }
    if !vias.is_empty() {
        let senders = cells::senders(&now, &vias);
        let services = cells::columns_of(&topology.columns, &senders);
        result.grid = judge::grid(&now, &senders, services, &observed, &demands.demands);
    }
    let judged = judge::flows(&demands.demands, &observed, &resolved, &now);
    result.asked = judge::asked(asked, &observed, &resolved, &now);
    result.flows = judged.flows;
    result.wrong = judged.wrong;
    result.counts.wrong = wrong_cells(&result.wrong);
    result.counts.connections = result.followed.compared;
    result.counts.connections_not_compared = result.followed.not_compared.len();
    result.changed = change::cells(&past.last, &observed, &now);
    result.addresses = change::addresses(&before, &now);
    result.rules_edited = changes.rules.as_ref().map(|(before, now)| change::rules(before, now));
    result.claims = claims::claims(&now);
    let moments = Moments {
        before: &before,
        now: &now,
        rules: changes.rules.as_ref().map(|(before, now)| (before, now)),
        refused: changes.refused.as_ref().map(|(refusal, unchanged)| (refusal, *unchanged)),
    };
    result.findings = demands.empty;
    result.findings.extend(obstacles);
    result.findings.extend(unasked);
    result.findings.extend(selecting_nothing);
    result.findings.extend(logged_of_nobody);
    result.findings.extend(judge::misdelivered(&observed, &demands.demands, &step.place));
    result.findings.extend(judge::others(step, moments));
    result.status = status(&result);
    if past.keeps {
        let probes = batch.map(|batch| batch.observations).unwrap_or_default();
        result.kept = Some(kept::gather(lab, probes, &result.failing()).await?.into());
    }
    result.took = began.elapsed();
    Ok((result, false))
}

/// A cell that two expectations find wrong is one wrong cell.
pub(super) fn wrong_cells(wrong: &[WrongCell]) -> usize {
    wrong.iter().filter(|cell| !cell.is_inconclusive()).map(|cell| &cell.flow).collect::<IndexSet<_>>().len()
}

pub(super) fn status(result: &StepResult) -> StepStatus {
    let unproved = |held: &&HeldResult| matches!(held.found, Held::Inconclusive { .. });
    let (unproved, others): (Vec<_>, Vec<_>) = result.held.iter().filter(|held| !held.right).partition(unproved);
    let (unanswered, answered_wrong): (Vec<_>, Vec<_>) =
        result.answers.iter().filter(|answer| !answer.is_right()).partition(|answer| answer.is_inconclusive());
    let balanced = |proof| {
        result.balanced.iter().any(|it| it.proof == proof) || result.flow_logs.iter().any(|it| it.proof == proof)
    };
    let wrong_traffic = result.traffic.iter().any(TrafficResult::is_wrong);
    let unproved_traffic = result.traffic.iter().any(|it| !it.is_right());
    if !result.disagreements.is_empty()
        || !result.followed.disagreements.is_empty()
        || !result.findings.is_empty()
        || result.counts.wrong > 0
        || !others.is_empty()
        || !answered_wrong.is_empty()
        || balanced(Proof::Wrong)
        || wrong_traffic
    {
        StepStatus::Failed
    } else if !result.wrong.is_empty()
        || !result.canaries_held
        || !unproved.is_empty()
        || result.followed.is_unproved()
        || !unanswered.is_empty()
        || balanced(Proof::Unproved)
        || unproved_traffic
    {
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
        grid: Grid::default(),
        observed: IndexMap::new(),
        flows: Vec::new(),
        asked: Vec::new(),
        held: Vec::new(),
        traffic: Vec::new(),
        answers: Vec::new(),
        balanced: Vec::new(),
        flow_logs: Vec::new(),
        wrong: Vec::new(),
        disagreements: Vec::new(),
        followed: Compared::default(),
        dossier: None,
        kept: None,
        findings: Vec::new(),
        changed: Vec::new(),
        addresses: Vec::new(),
        rules_edited: None,
        in_force: None,
        counts: Counts::default(),
        canaries_held: true,
        took: Duration::ZERO,
        claims: Vec::new(),
    }
}

pub(super) fn not_run(number: usize, step: &Step, why: &str) -> StepResult {
    StepResult { findings: vec![Finding { text: why.to_owned(), place: step.place.clone() }], ..blank(number, step) }
}
