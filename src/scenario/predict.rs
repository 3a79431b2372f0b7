//! A scenario without a kernel: the same steps and expectations, and the predictions of `policy` in place of packets.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::backend::Backend;
use super::connection_tracker::ConnectionTracker;
use super::results::{Class, Evidence, RunResult};
use super::run::{self, Options, Progress, RunError};
use super::{explain, health, traffic};
use crate::lab::{
    Admissions, Captured, HealthOfAll, KernelSnapshot, LabError, Listeners, RuleHandles, RulePackets, ServiceResponse,
};
use crate::model::{
    Cloud, ConnectionName, Endpoint, Era, Flow, InstanceName, InstanceState, LoadBalancer, Operation, Peers, Verdict,
    VpcService, apply,
};
use crate::policy;
use crate::policy::behind::{Behind, Reached};
use crate::probe::{Batch, Health, HealthDoubt, HealthFailure, Held, Outcome, Streams, Trace};
use crate::topology::Topology;

pub mod observe;
#[cfg(test)]
mod tests;

use observe::{Programs, behind, observation};

/// Predicts the steps of a file under an era, and whether its own expectations would hold.
///
/// # Errors
/// When the initial cloud is refused under the era.
pub fn predict(
    topology: &Topology,
    era: Era,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<RunResult, RunError> {
    let mut predictor = Predictor::new(topology, era)?;
    let running = run::run_on(&mut predictor, topology, Duration::ZERO, options, progress);
    futures::executor::block_on(running)
}

/// The cloud as it stands at the end of a step's operations; before the first, for step 0. A refused operation leaves it
/// as it is.
///
/// # Errors
/// When the initial cloud is refused under the era.
pub fn cloud_at(topology: &Topology, era: Era, step: usize) -> Result<Cloud, RunError> {
    let mut cloud = initial(topology, era)?;
    for step in topology.steps.iter().take(step).filter(|step| step.is_of(era)) {
        cloud = step.cloud_after(&cloud);
    }
    Ok(cloud)
}

fn initial(topology: &Topology, era: Era) -> Result<Cloud, RunError> {
    topology.initial_cloud(era).map_err(|(refusal, place)| RunError::Initial { era, refusal, place: Some(place) })
}

/// Outcomes of single flows, as a lab of a file would find them.
#[derive(Debug)]
pub struct Outcomes {
    listeners: Listeners,
}

impl Outcomes {
    /// Takes over the ports that a file's labs listen on.
    pub fn of(topology: &Topology) -> Self {
        Self { listeners: run::listeners(topology) }
    }

    /// Predicts the outcome of a flow in a cloud of the file.
    pub fn class(&self, cloud: &Cloud, flow: &Flow) -> Class {
        Class::of(&observation(cloud, &self.listeners, flow).outcome)
    }
}

/// Stands where a lab would, and knows no kernel.
#[derive(Debug)]
struct Predictor {
    cloud: Cloud,
    listeners: Listeners,
    followed: ConnectionTracker,
}

impl Predictor {
    fn new(topology: &Topology, era: Era) -> Result<Self, RunError> {
        Ok(Self {
            cloud: initial(topology, era)?,
            listeners: run::listeners(topology),
            followed: ConnectionTracker::default(),
        })
    }
}

impl Backend for Predictor {
    fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    fn evidence(&self) -> Evidence {
        Evidence::Prediction
    }

    async fn apply(&mut self, operation: &Operation) -> Result<Duration, LabError> {
        apply(&mut self.cloud, operation)?;
        self.followed.follow(operation, &self.cloud);
        Ok(Duration::ZERO)
    }

    async fn probe(&mut self, flows: &[Flow]) -> Result<Batch, LabError> {
        let mut turns: HashMap<&Endpoint, usize> = HashMap::new();
        let observed = flows.iter().map(|flow| {
            let mut seen = observation(&self.cloud, &self.listeners, flow);
            // The instances in service take turns.
            if let Some((_, Behind::Answered { by })) = behind(&self.cloud, &self.listeners, flow, Programs::Listen) {
                let turn = turns.entry(&flow.to).or_default();
                seen.answered_by =
                    seen.answered_by.and_then(|_| by.get(*turn % by.len().max(1))).map(ToString::to_string);
                *turn += 1;
            }
            seen
        });
        let observations = observed.collect();
        Ok(Batch { observations, took: Duration::ZERO, canaries_held: true })
    }

    fn rests_on_a_program(&self, flow: &Flow) -> bool {
        let behind = behind(&self.cloud, &self.listeners, flow, Programs::Decide);
        matches!(behind, Some((_, Behind::OnAProgram { .. })))
    }

    async fn probe_captured(&mut self, _: &Flow) -> Result<Option<Captured>, LabError> {
        Ok(None)
    }

    async fn open(&mut self, name: &ConnectionName, flow: &Flow) -> Result<(), LabError> {
        let outcome = observation(&self.cloud, &self.listeners, flow).outcome;
        if !matches!(outcome, Outcome::Open { .. }) {
            let reason = explain::reason_in_words(flow, &outcome, &self.cloud);
            let why = reason.unwrap_or_else(|| format!("it would be {}", Class::of(&outcome).as_str()));
            return Err(LabError::NotOpened { name: name.clone(), flow: flow.to_string(), why });
        }
        self.followed.open(&self.cloud, name, flow);
        Ok(())
    }

    async fn meet(&mut self, name: &ConnectionName, peers: &Peers) -> Result<(), LabError> {
        let not_opened = |why: String| LabError::NotOpened { name: name.clone(), flow: peers.to_string(), why };
        if let Some(other) = self.followed.holds(peers) {
            return Err(not_opened(format!("{other} is held between the same ports")));
        }
        let meets = policy::meeting(&self.cloud, peers).is_none_or(|meeting| meeting.there && meeting.back);
        if !meets && !self.followed.have_met(peers) {
            let why = "neither end would hear the other: one of them may not send, and no rule admits what comes";
            return Err(not_opened(why.to_owned()));
        }
        self.followed.meet(&self.cloud, name, peers);
        Ok(())
    }

    fn admissions(&self, name: &ConnectionName) -> Option<&Admissions> {
        self.followed.admissions(name)
    }

    fn close(&mut self, name: &ConnectionName) {
        self.followed.close(name);
    }

    /// It is never asked: what traffic meets in between is not predicted.
    async fn begin_traffic(&mut self, flows: &[Flow]) -> Result<Streams, LabError> {
        let flow = flows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(LabError::NoTraffic { flow, why: traffic::NOT_PREDICTED.to_owned() })
    }

    async fn settle_traffic(&mut self, _: &Streams) -> bool {
        false
    }

    async fn end_traffic(&mut self, _: Streams) -> Trace {
        Trace::default()
    }

    async fn idle(&mut self, name: &ConnectionName) -> Result<(), LabError> {
        self.followed.idle(name);
        Ok(())
    }

    async fn examine_answer(&mut self, _: &ConnectionName) -> Result<Held, LabError> {
        Ok(Held::Inconclusive { why: "what the server alone sends over it is not predicted".to_owned() })
    }

    async fn examine(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        Ok(self.followed.foresee(name, &self.cloud))
    }

    /// Groups never filter these ("Control traffic to your AWS resources using security groups", VPC).
    async fn ask_service(&mut self, from: &InstanceName, service: VpcService) -> Result<ServiceResponse, LabError> {
        let runs = self.cloud.instances.get(from).is_some_and(|it| it.state == InstanceState::Running);
        if !runs {
            return Ok(ServiceResponse::Inconclusive { why: format!("{from} is not running, so it can ask nothing") });
        }
        Ok(ServiceResponse::Answered { what: format!("groups never filter {service}") })
    }

    /// A step that asks waits until health checks have shown what they are going to show, however long they take: what they
    /// come to is decided by groups, addresses and listeners.
    async fn health(&mut self) -> Result<HealthOfAll, LabError> {
        let ears = health::ears_with(&self.cloud, &self.listeners);
        let of = |balancer: &LoadBalancer, target: &InstanceName| {
            let check = policy::behind::health_check(&self.cloud, balancer, target, &ears);
            match check {
                Some(Reached::Answered { .. }) => Health::InService,
                Some(Reached::Fails(why)) => {
                    Health::OutOfService { why: health::cause(&self.cloud, balancer, target, &why) }
                }
                Some(Reached::Unknown { by }) => {
                    let port = balancer.health_check.port;
                    Health::Undecided { why: HealthDoubt::Program { by, port } }
                }
                None => Health::OutOfService { why: HealthFailure::NotRegistered },
            }
        };
        let of_all = |balancer: &LoadBalancer| {
            balancer.registrations.keys().map(|name| (name.clone(), of(balancer, name))).collect()
        };
        Ok(self.cloud.load_balancers.iter().map(|(name, balancer)| (name.clone(), of_all(balancer))).collect())
    }

    /// It would be held against itself.
    fn predictor(&self) -> Option<fn(&Cloud, &Flow) -> Verdict> {
        None
    }

    async fn kernel_snapshot(&self, _: &[IpAddr]) -> Result<KernelSnapshot, LabError> {
        Ok(KernelSnapshot::default())
    }

    async fn elsewhere(&self, cloud: &Cloud, listeners: Listeners, flow: &Flow) -> Result<Batch, LabError> {
        let observations = vec![observation(cloud, &listeners, flow)];
        Ok(Batch { observations, took: Duration::ZERO, canaries_held: true })
    }

    async fn rule_packets(&self) -> Result<Option<RulePackets>, LabError> {
        Ok(None)
    }

    /// A rule keeps its id as long as it stands, as it keeps its handle in the kernel.
    async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        let rules = self
            .cloud
            .groups
            .iter()
            .flat_map(|(group, it)| it.all_rules().map(move |rule| (group.to_string(), rule.id)));
        Ok(rules.map(|(group, id)| ((group, id.to_string()), id.0.into())).collect::<BTreeMap<_, _>>())
    }
}
