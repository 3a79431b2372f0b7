//! Drives a lab through the steps of a file.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};

use super::balanced::Proof;
use super::cloudlike::Cloudlike;
use super::coverage::Met;
use super::followed::{Compared, Followed};
use super::judge::{self, Moments};
use super::results::{
    Class, Counts, Evidence, Finding, Grid, Head, HeldResult, RunResult, RunVerdict, StepResult, StepStatus, WrongCell,
};
use super::services::{ServicesTold, StartServices};
use super::traffic::TrafficResult;
use super::{
    answers, balanced, cells, change, claims, compared, demand, dossier, flow_logs, held, kept, services, traffic,
};
use crate::lab::{Lab, LabError, Listeners, RuleHandles};
use crate::model::topology::{Action, Expectation, Placed, Step, Topology};
use crate::model::{Cloud, Era, Flow, Place, Refusal};
use crate::probe::{Held, Outcome, Resolution};

/// How to run a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Stop after the step of this number in the file, from 1.
    pub until_step: Option<usize>,
    /// Stop at the first step that fails; the others are reported as not run.
    pub fail_fast: bool,
    /// A rule that no packet matched fails the run.
    pub require_rule_coverage: bool,
    /// Keep every probe and compiled ruleset in the results, and capture the packets of failing cells.
    pub keep: bool,
    /// Whether the services of the file are started.
    pub services: StartServices,
    /// Is told, in a sentence, what a step waits for, once that takes longer than a second.
    pub tell_waits: Option<fn(&str)>,
}

/// What is under way, for whoever wants to watch.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The lab is up.
    Booted(&'a Head),
    /// A step begins.
    Started(usize, &'a Step),
    /// A step is done.
    Done(&'a StepResult),
}

/// Why a scenario could not be run to its end. No verdict is known then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The initial cloud cannot be launched under this era.
    #[error("{}the initial cloud was refused under era {era}: {refusal}", at(.place.as_ref()))]
    Initial {
        /// The era.
        era: Era,
        /// What was refused.
        refusal: Refusal,
        /// Where the file says so.
        place: Option<Place>,
    },
    /// The lab did not come up.
    #[error("the lab did not come up: {0}")]
    Boot(#[source] LabError),
    /// The lab failed at a step.
    #[error("{place}: the lab failed at step {step}: {error}")]
    Lab {
        /// The step's number.
        step: usize,
        /// Where it begins.
        place: Place,
        /// What happened.
        #[source]
        error: LabError,
    },
}

fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}

/// Boots a lab and runs the steps of an era on it.
///
/// # Errors
/// When the lab cannot be booted, or fails other than by a refusal: no verdict is known then.
pub async fn run(
    topology: &Topology,
    era: Era,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<RunResult, RunError> {
    let (mut lab, took) = boot_as_asked(topology, era, options).await?;
    run_on(&mut lab, topology, took, options, progress).await
}

/// Boots the initial cloud of a file, and starts its services where that is asked for.
///
/// # Errors
/// As [`boot`], and where a service does not come up.
pub async fn boot_as_asked(topology: &Topology, era: Era, options: &Options) -> Result<(Lab, Duration), RunError> {
    let starts = options.services == StartServices::Yes && services::has_services(topology);
    let (mut lab, took) = if starts {
        let folder = services::folder_of(&topology.file);
        let folder = folder.map_err(|source| LabError::Machine(source.to_string())).map_err(RunError::Boot)?;
        let (cloud, began) = (initial_cloud(topology, era)?, Instant::now());
        let booted = Lab::boot_for_services(cloud, listeners(topology), folder.clone()).await;
        let mut lab = booted.map_err(RunError::Boot)?;
        lab.tell_waits(options.tell_waits);
        lab.start_services(folder).await.map_err(RunError::Boot)?;
        (lab, began.elapsed())
    } else {
        boot(topology, era).await?
    };
    lab.tell_waits(options.tell_waits);
    Ok((lab, took))
}

fn initial_cloud(topology: &Topology, era: Era) -> Result<Cloud, RunError> {
    let failed = |(refusal, place)| RunError::Initial { era, refusal, place: Some(place) };
    topology.initial_cloud(era).map_err(failed)
}

/// Boots the initial cloud of a file, and says how long that took.
///
/// # Errors
/// When the cloud cannot be launched under the era, or the lab does not come up.
pub async fn boot(topology: &Topology, era: Era) -> Result<(Lab, Duration), RunError> {
    boot_with(topology, era, listeners(topology)).await
}

/// As [`boot`], but the harness listens on these ports, beside what the instances' own services hold, and answers probes at any
/// other that nobody holds.
///
/// # Errors
/// As [`boot`].
pub async fn boot_listening(topology: &Topology, era: Era, listeners: Listeners) -> Result<(Lab, Duration), RunError> {
    let (mut lab, took) = boot_with(topology, era, listeners).await?;
    lab.answer_where_nobody_listens();
    Ok((lab, took))
}

async fn boot_with(topology: &Topology, era: Era, listeners: Listeners) -> Result<(Lab, Duration), RunError> {
    let began = Instant::now();
    let cloud = initial_cloud(topology, era)?;
    let lab = Lab::boot(cloud, listeners).await.map_err(RunError::Boot)?;
    Ok((lab, began.elapsed()))
}

/// Runs the steps on a lab that is up with the initial cloud; `boot` is for the record only.
///
/// # Errors
/// When the lab fails other than by a refusal.
pub async fn run_on<L: Cloudlike>(
    lab: &mut L,
    topology: &Topology,
    boot: Duration,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<RunResult, RunError> {
    let mut stepper = Stepper::new(lab, topology, boot, *options);
    progress(Progress::Booted(stepper.head()));
    while let Some((number, step)) = stepper.upcoming() {
        if !stepper.is_halted() {
            progress(Progress::Started(number, step));
        }
        if let Some(result) = stepper.take(&[]).await? {
            progress(Progress::Done(result));
        }
    }
    stepper.measure_coverage().await;
    Ok(stepper.finish())
}

/// What the harness listens on in the labs of a file.
pub(super) fn listeners(topology: &Topology) -> Listeners {
    Listeners { columns: topology.columns.clone(), deaf: topology.deaf.clone() }
}

fn head(topology: &Topology, cloud: &Cloud, boot: Duration) -> Head {
    let rules = cloud
        .groups
        .values()
        .map(|group| group.ingress.len() + if cloud.has_egress_rules() { group.egress.len() } else { 0 });
    Head {
        topology: topology.name.clone(),
        file: topology.file.clone(),
        era: cloud.era,
        first_era: topology.eras.first().copied().unwrap_or(cloud.era),
        instances: cloud.instances.len(),
        hosts: cloud.hosts.iter().map(|(name, host)| (name.clone(), host.addresses.clone())).collect(),
        groups: cloud.groups.len(),
        rules: rules.sum(),
        boot,
        evidence: Evidence::Packets,
        services: services::has_services(topology).then_some(ServicesTold::NotStarted),
    }
}

fn verdict(steps: &[StepResult]) -> RunVerdict {
    let has = |status| steps.iter().any(|step| step.status == status);
    if has(StepStatus::Failed) {
        RunVerdict::Failed
    } else if has(StepStatus::Inconclusive) {
        RunVerdict::Inconclusive
    } else {
        RunVerdict::Passed
    }
}

/// What the steps before left for those after.
#[derive(Default)]
struct Past {
    /// The cells of the step before.
    last: IndexMap<Flow, Class>,
    /// Flows of which model and kernel have said different things.
    known: IndexSet<Flow>,
    /// The connections that are held, with what the model remembers of them.
    followed: Followed,
    met: Met,
    /// Whether results are to be kept.
    keeps: bool,
}

/// Runs one step; says besides whether it broke off before its probes.
async fn run_step<L: Cloudlike>(
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
    let changes = change_cloud(lab, step, past).await?;
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
            result.kept = Some(kept::gather(lab, Vec::new(), &result).await?.into());
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
    let listeners = listeners(topology);
    result.disagreements = batch.as_ref().map(|batch| compared::flows(lab, &listeners, batch)).unwrap_or_default();
    result.held = held::examine(lab, step).await?;
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
        let services = topology.columns.iter().copied().collect();
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
        result.kept = Some(kept::gather(lab, probes, &result).await?.into());
    }
    result.took = began.elapsed();
    Ok((result, false))
}

/// A cell that two expectations find wrong is one wrong cell.
fn wrong_cells(wrong: &[WrongCell]) -> usize {
    wrong.iter().filter(|cell| !cell.is_inconclusive()).map(|cell| &cell.flow).collect::<IndexSet<_>>().len()
}

fn status(result: &StepResult) -> StepStatus {
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

/// What the operations of a step came to.
#[derive(Default)]
struct Changes {
    in_force: Option<Duration>,
    /// The last operation was refused as expected, and whether everything stayed as it was.
    refused: Option<(Refusal, bool)>,
    /// An operation was refused that must not have been.
    unexpected: Option<Finding>,
    rules: Option<(RuleHandles, RuleHandles)>,
    /// The clouds after each operation, with the moment from which they held; only where traffic meets them.
    clouds: Vec<(Instant, Cloud)>,
}

async fn change_cloud<L: Cloudlike>(lab: &mut L, step: &Step, past: &mut Past) -> Result<Changes, LabError> {
    let has = |wanted: fn(&Expectation) -> bool| step.expectations.iter().any(|placed| wanted(&placed.value));
    let refusal_expected = has(|expectation| matches!(expectation, Expectation::Refusal(_)));
    let unchanged_expected = has(|expectation| matches!(expectation, Expectation::RulesUnchanged));
    let mut changes = Changes::default();
    let rules_before = if unchanged_expected { Some(lab.rule_handles().await?) } else { None };
    for (index, action) in step.actions.iter().enumerate() {
        let is_last = index + 1 == step.actions.len();
        let placed = match action {
            Action::Operation(placed) => placed,
            Action::Open(Placed { value, place }) => {
                if let Some(text) = held::open(lab, value, &mut past.followed).await? {
                    changes.unexpected = Some(Finding { text, place: place.clone() });
                    return Ok(changes);
                }
                continue;
            }
            Action::Close(name) => {
                lab.close(&name.value);
                past.followed.close(&name.value);
                continue;
            }
            Action::Idle(Placed { value, place }) => match lab.idle(value).await {
                Ok(()) => {
                    past.followed.idle(value);
                    continue;
                }
                Err(error @ LabError::NotForgotten { .. }) => {
                    changes.unexpected = Some(Finding { text: error.to_string(), place: place.clone() });
                    return Ok(changes);
                }
                Err(error) => return Err(error),
            },
        };
        let watched =
            if is_last && refusal_expected { Some((lab.cloud().clone(), lab.rule_handles().await?)) } else { None };
        lab.note_flow_log().await?;
        match lab.apply(&placed.value).await {
            Ok(took) => {
                changes.in_force = Some(changes.in_force.unwrap_or_default() + took);
                past.met.meet(lab.cloud());
                past.followed.follow(&placed.value, lab.cloud());
                if !step.during.is_empty() {
                    changes.clouds.push((Instant::now(), lab.cloud().clone()));
                }
            }
            Err(LabError::Refused(refusal)) => match watched {
                Some((cloud, rules)) => {
                    let unchanged = *lab.cloud() == cloud && lab.rule_handles().await? == rules;
                    changes.refused = Some((refusal, unchanged));
                }
                None => {
                    changes.unexpected =
                        Some(Finding { text: format!("refused: {refusal}"), place: placed.place.clone() });
                    return Ok(changes);
                }
            },
            #[allow(unreachable_patterns, reason = "a lab without a kernel has no other errors")]
            Err(error) => return Err(error),
        }
    }
    if let Some(before) = rules_before {
        changes.rules = Some((before, lab.rule_handles().await?));
    }
    Ok(changes)
}

fn blank(number: usize, step: &Step) -> StepResult {
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

fn not_run(number: usize, step: &Step, why: &str) -> StepResult {
    StepResult { findings: vec![Finding { text: why.to_owned(), place: step.place.clone() }], ..blank(number, step) }
}

mod stepper;
#[cfg(test)]
mod tests;

pub use stepper::Stepper;
