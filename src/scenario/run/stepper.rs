//! A run that is taken step by step, so that somebody can look, ask or stop in between.

use std::time::{Duration, Instant};

use super::super::backend::Backend;
use super::options::{Options, RunError};
use super::past::Past;
use super::step::{not_run, run_step};
use crate::model::{Cloud, Flow};
use crate::scenario::results::{
    Counts, Coverage, Evidence, Head, RunResult, RunVerdict, ServicesTold, StepResult, StepStatus,
};
use crate::scenario::services::{self, StartServices};
use crate::topology::{Step, Topology};

/// A lab under way through the steps of a file. [`run_on`](super::run_on) takes one to its end.
pub struct Stepper<'a, L> {
    lab: &'a mut L,
    topology: &'a Topology,
    options: Options,
    head: Head,
    /// Number of steps of the file behind, those of other eras too.
    behind: usize,
    steps: Vec<StepResult>,
    past: Past,
    coverage: Option<Coverage>,
    halted: Option<String>,
    began: Instant,
}

impl<'a, L: Backend> Stepper<'a, L> {
    /// Before the first step of a lab that is up with the initial cloud; `boot` is for the record only.
    pub fn new(lab: &'a mut L, topology: &'a Topology, boot: Duration, options: Options) -> Self {
        let mut past = Past { keeps: options.keep, ..Past::default() };
        past.met.meet(lab.cloud());
        let mut head = Head { evidence: lab.evidence(), ..head(topology, lab.cloud(), boot) };
        if options.services != StartServices::No {
            head.services = head.services.map(|_| ServicesTold::Started);
        }
        Self {
            lab,
            topology,
            options,
            head,
            behind: 0,
            steps: Vec::new(),
            past,
            coverage: None,
            halted: None,
            began: Instant::now(),
        }
    }

    /// Returns the head of the run.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The cloud as it is now.
    pub fn cloud(&self) -> &Cloud {
        self.lab.cloud()
    }

    /// The steps that were taken.
    pub fn taken(&self) -> &[StepResult] {
        &self.steps
    }

    /// Returns `true` if an earlier step made what is left pointless: it will be reported as not run.
    pub fn is_halted(&self) -> bool {
        self.halted.is_some()
    }

    /// The next step of this era with its number in the file, unless there is none.
    pub fn upcoming(&self) -> Option<(usize, &'a Step)> {
        let topology = self.topology;
        let rest = topology.steps.iter().enumerate().skip(self.behind).map(|(index, step)| (index + 1, step));
        let mut of_era = rest.filter(|(_, step)| step.is_of(self.head.era));
        of_era.next().filter(|(number, _)| self.options.until_step.is_none_or(|until| *number <= until))
    }

    /// Takes the next step, and tells besides what became of these flows; nothing where none is left.
    ///
    /// # Errors
    /// When the lab fails other than by a refusal.
    pub async fn take(&mut self, asked: &[Flow]) -> Result<Option<&StepResult>, RunError> {
        let Some((number, step)) = self.upcoming() else { return Ok(None) };
        self.behind = number;
        let result = match &self.halted {
            Some(why) => not_run(number, step, why),
            None => {
                let (result, broken) =
                    run_step(self.lab, self.topology, (&self.head, number), step, asked, &mut self.past)
                        .await
                        .map_err(|error| RunError::Lab { step: number, place: step.place.clone(), error })?;
                if broken {
                    self.halted = Some(format!("step {number} did not get as far as its probes"));
                } else if self.options.fail_fast && result.status == StepStatus::Failed {
                    self.halted = Some(format!("step {number} failed"));
                }
                self.past.last.clone_from(&result.probed.observed);
                self.past.known.extend(result.model.flows.iter().map(|it| it.flow.clone()));
                result
            }
        };
        self.steps.push(result);
        Ok(self.steps.last())
    }

    /// Reads which rules the packets up to now have exercised: once, at the end.
    pub async fn measure_coverage(&mut self) {
        self.coverage = self.past.met.measure(self.lab, self.options.require_rule_coverage).await;
    }

    /// Sums up the steps that were taken.
    pub fn finish(self) -> RunResult {
        let counts = self.steps.iter().fold(Counts::default(), |sum, step| sum.plus(step.counts));
        let of_steps = verdict(&self.steps);
        let has = |what: fn(&Coverage) -> bool| self.coverage.as_ref().is_some_and(what);
        let verdict = match of_steps {
            RunVerdict::Passed | RunVerdict::Inconclusive if has(Coverage::is_wanting) => RunVerdict::Failed,
            RunVerdict::Passed if has(Coverage::is_unproved) => RunVerdict::Inconclusive,
            of_steps => of_steps,
        };
        let took = self.began.elapsed();
        RunResult { head: self.head, steps: self.steps, counts, took, verdict, coverage: self.coverage }
    }
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
        steps: topology.steps.len(),
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
