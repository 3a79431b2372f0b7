//! A disagreement cut down to what it takes: the present state as a file, and smaller ones as long as they show it.

use super::agreement::{Agreement, compare_all};
use super::backend::Backend;
use super::predict::observe::{self, Programs};
use super::results::{Class, Disagreement};
use crate::lab::Listeners;
use crate::model::{
    Cloud, Direction, Endpoint, Flow, GroupName, HostName, InstanceName, LoadBalancerName, Peer, RuleId, Service,
    Verdict, apply,
};
use crate::probe::{Batch, Outcome};
use crate::topology::write::{self, Promise};
use crate::topology::{ExpectedOutcome, Topology};

/// So many labs are booted to cut one down.
const MAX_LABS: usize = 80;

/// Result of trying to reproduce a disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reproduction {
    /// A small file that shows it, in a lab of its own.
    Shown {
        /// The file.
        text: String,
        /// Number of labs that it took.
        labs: usize,
    },
    /// The state as a file, which does not show it.
    NotShown {
        /// The file.
        text: String,
    },
    /// The state cannot be written as a file.
    None {
        /// Reason, in words.
        why: String,
    },
}

/// Writes the state of a cloud as a file and takes away whatever the disagreement does not need, each time on packets in
/// a fresh lab.
pub async fn reproduce<L: Backend>(
    lab: &L,
    cloud: &Cloud,
    listeners: &Listeners,
    disagreement: &Disagreement,
) -> Reproduction {
    let Some(judge) = lab.predictor() else { return Reproduction::None { why: "nothing is predicted".to_owned() } };
    let fault = Fault {
        predicted: Class::of(&disagreement.predicted.outcome),
        refused_at: judge(cloud, &disagreement.flow).refused_at(),
        observed: Class::of(&disagreement.observed),
    };
    let mut trial = Attempt { lab, judge, listeners, flow: &disagreement.flow, fault, labs: 0 };
    let whole = match trial.written(cloud) {
        Ok(whole) => whole,
        Err(why) => return Reproduction::None { why },
    };
    let mut shown = if trial.shows(&whole).await { Some(whole.clone()) } else { None };
    // Most often the two ends are enough; then there is little left to try one by one.
    let involved = involved(cloud, &disagreement.flow);
    if let Ok(involved) = trial.written(&involved)
        && trial.shows(&involved).await
    {
        shown = Some(involved);
    }
    let Some(mut shown) = shown else { return Reproduction::NotShown { text: whole.text } };
    // A part that one removal leaves unused is tried by itself in the next pass.
    let (mut number, mut removed) = (0, false);
    while trial.labs < MAX_LABS {
        let Some(part) = parts(&shown.cloud, &disagreement.flow).into_iter().nth(number) else {
            if !removed {
                break;
            }
            (number, removed) = (0, false);
            continue;
        };
        let smaller = trial.written(&without(&shown.cloud, &part));
        match smaller {
            Ok(smaller) if trial.shows(&smaller).await => {
                shown = smaller;
                removed = true;
            }
            _ => number += 1,
        }
    }
    Reproduction::Shown { text: shown.text, labs: trial.labs }
}

/// A file and the cloud that it is read as.
#[derive(Clone)]
struct Written {
    text: String,
    cloud: Cloud,
}

/// The claims of model and kernel: a smaller cloud in which they differ about something else shows another fault.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fault {
    predicted: Class,
    refused_at: Option<Direction>,
    observed: Class,
}

struct Attempt<'a, L> {
    lab: &'a L,
    judge: fn(&Cloud, &Flow) -> Verdict,
    listeners: &'a Listeners,
    flow: &'a Flow,
    fault: Fault,
    labs: usize,
}

impl<L: Backend> Attempt<'_, L> {
    fn written(&self, cloud: &Cloud) -> Result<Written, String> {
        let expected = observe::observation(cloud, self.listeners, self.flow).outcome;
        let outcome = match expected {
            Outcome::Open { .. } => ExpectedOutcome::Open,
            Outcome::Refused { .. } => ExpectedOutcome::Refused,
            Outcome::Dropped(_) => ExpectedOutcome::Dropped,
            Outcome::Unreachable { .. } => ExpectedOutcome::Unreachable,
            Outcome::Closed { .. } => ExpectedOutcome::Closed,
            Outcome::Misdelivered { .. } => return Err("a file has no word for `misdelivered`".to_owned()),
            Outcome::Inconclusive { .. } => return Err("nothing is predicted".to_owned()),
        };
        let title = "Model and kernel disagree about the flow below, which is expected as the model says.";
        let text = write::write(cloud, title, &Promise::Flows(vec![(outcome, vec![write::flow(self.flow)])]));
        let text = text.map_err(|error| error.to_string())?;
        let topology = Topology::parse("reproduction.yaml", text.as_bytes()).map_err(|error| error.to_string())?;
        let era = topology.eras.first().copied().unwrap_or(cloud.era);
        let mut cloud = topology.initial_cloud(era).map_err(|(refusal, _)| refusal.to_string())?;
        for operation in topology.steps.iter().flat_map(|step| step.operations()) {
            apply(&mut cloud, &operation.value).map_err(|refusal| refusal.to_string())?;
        }
        Ok(Written { text, cloud })
    }

    /// Returns `true` if a fresh lab with this cloud disagrees with the model about the flow in the same way. One that fails shows nothing.
    async fn shows(&mut self, written: &Written) -> bool {
        self.labs += 1;
        let balancer = self.flow.to.load_balancer().and_then(|name| written.cloud.load_balancers.get(name));
        let behind = balancer.into_iter().flat_map(|it| it.listeners.values().chain([&it.health_check.port]));
        let columns = behind.map(|port| Service::Tcp(*port)).chain([self.flow.service]).collect();
        let listeners = Listeners { columns, closed_ports: self.listeners.closed_ports.clone() };
        let Ok(Batch { observations, canaries_held: true, .. }) =
            self.lab.elsewhere(&written.cloud, listeners.clone(), self.flow).await
        else {
            return false;
        };
        let verdict = (self.judge)(&written.cloud, self.flow);
        let behind = observe::behind(&written.cloud, &listeners, self.flow, Programs::Decide).map(|(_, behind)| behind);
        let predicted = Class::of(&observe::observation(&written.cloud, &listeners, self.flow).outcome);
        observations.iter().any(|seen| {
            let fault = Fault { predicted, refused_at: verdict.refused_at(), observed: Class::of(&seen.outcome) };
            fault == self.fault && compare_all(&verdict, behind.as_ref(), seen) == Agreement::Disagree
        })
    }
}

/// Something that a disagreement may do without.
enum Part {
    Instance(InstanceName),
    LoadBalancer(LoadBalancerName),
    Registration(LoadBalancerName, InstanceName),
    Group(GroupName),
    Rule(RuleId),
    Membership(InstanceName, GroupName),
    Host(HostName),
    ElasticIp(usize),
    PrefixList(usize),
}

/// Everything that can be taken away from a cloud by itself.
fn parts(cloud: &Cloud, flow: &Flow) -> Vec<Part> {
    let is_end = |name: &InstanceName| [&flow.from, &flow.to].iter().any(|end| end.instance() == Some(name));
    let mut parts: Vec<Part> = Vec::new();
    parts.extend(cloud.instances.keys().filter(|name| !is_end(name)).cloned().map(Part::Instance));
    for (name, balancer) in &cloud.load_balancers {
        if !is_end_balancer(flow, name) {
            parts.push(Part::LoadBalancer(name.clone()));
        }
        let registered = balancer.registrations.keys().cloned();
        parts.extend(registered.map(|instance| Part::Registration(name.clone(), instance)));
    }
    parts.extend(rules(cloud).map(|(_, id, _)| Part::Rule(id)));
    for (name, _, interface) in cloud.interfaces().filter(|(_, _, interface)| interface.groups.len() > 1) {
        if interface.id.device() == 0 {
            parts.extend(interface.groups.iter().map(|group| Part::Membership(name.clone(), group.clone())));
        }
    }
    let is_used = |group: &GroupName| {
        cloud.network_interfaces().any(|it| it.groups.contains(group))
            || rules(cloud).any(|(of, _, peer)| of != group && *peer == Peer::Group(group.clone()))
    };
    parts.extend(cloud.groups.keys().filter(|group| !is_used(group)).cloned().map(Part::Group));
    let is_host =
        |name: &HostName| [&flow.from, &flow.to].iter().any(|end| matches!(end, Endpoint::Host(it, _) if it == name));
    parts.extend(cloud.hosts.keys().filter(|name| !is_host(name)).cloned().map(Part::Host));
    parts.extend((0..cloud.elastic_ips.len()).map(Part::ElasticIp));
    let is_named = |index: &usize| {
        let name = cloud.prefix_lists.get_index(*index).map(|(name, _)| name.clone());
        rules(cloud).any(|(_, _, peer)| name.as_ref().is_some_and(|name| *peer == Peer::PrefixList(name.clone())))
    };
    parts.extend((0..cloud.prefix_lists.len()).filter(|index| !is_named(index)).map(Part::PrefixList));
    parts
}

fn rules(cloud: &Cloud) -> impl Iterator<Item = (&GroupName, RuleId, &Peer)> {
    let egress = cloud.has_egress_rules();
    cloud.groups.iter().flat_map(move |(name, group)| {
        let outgoing = group.egress.iter().filter(move |_| egress);
        group.ingress.iter().chain(outgoing).map(move |rule| (name, rule.id, &rule.peer))
    })
}

fn without(cloud: &Cloud, part: &Part) -> Cloud {
    let mut cloud = cloud.clone();
    match part {
        Part::Instance(name) => remove_instance(&mut cloud, name),
        Part::LoadBalancer(name) => drop(cloud.load_balancers.shift_remove(name)),
        Part::Registration(name, instance) => {
            if let Some(balancer) = cloud.load_balancers.get_mut(name) {
                balancer.registrations.shift_remove(instance);
            }
        }
        Part::Group(name) => drop(cloud.groups.shift_remove(name)),
        Part::Rule(id) => remove_rules(&mut cloud, |rule, _| rule == *id),
        Part::Membership(name, group) => {
            let interface = cloud.instances.get_mut(name).and_then(|it| it.interfaces.first_mut());
            if let Some(interface) = interface {
                interface.groups.shift_remove(group);
            }
        }
        Part::Host(name) => drop(cloud.hosts.shift_remove(name)),
        Part::ElasticIp(index) => drop(cloud.elastic_ips.shift_remove_index(*index)),
        Part::PrefixList(index) => drop(cloud.prefix_lists.shift_remove_index(*index)),
    }
    cloud
}

fn remove_rules(cloud: &mut Cloud, is_to_go: impl Fn(RuleId, &Peer) -> bool) {
    for group in cloud.groups.values_mut() {
        group.ingress.retain(|rule| !is_to_go(rule.id, &rule.peer));
        group.egress.retain(|rule| !is_to_go(rule.id, &rule.peer));
    }
}

fn remove_instance(cloud: &mut Cloud, name: &InstanceName) {
    cloud.instances.shift_remove(name);
    for elastic in cloud.elastic_ips.values_mut() {
        elastic.association.take_if(|id| id.instance == *name);
    }
    for balancer in cloud.load_balancers.values_mut() {
        balancer.registrations.shift_remove(name);
    }
    for routes in cloud.vpcs.values_mut().flat_map(|vpc| vpc.routes.values_mut()) {
        routes.retain(|route| route.target.instance != *name);
    }
}

fn is_end_balancer(flow: &Flow, name: &LoadBalancerName) -> bool {
    [&flow.from, &flow.to].iter().any(|end| end.load_balancer() == Some(name))
}

/// The two ends, whom routes lead through and who is behind a load balancer that is an end, with their groups, the groups that these name, and nothing else.
fn involved(cloud: &Cloud, flow: &Flow) -> Cloud {
    let mut small = cloud.clone();
    small.load_balancers.retain(|name, _| is_end_balancer(flow, name));
    let behind: Vec<InstanceName> =
        small.load_balancers.values().flat_map(|it| it.registrations.keys().cloned()).collect();
    let is_end = |name: &InstanceName| [&flow.from, &flow.to].iter().any(|end| end.instance() == Some(name));
    let routed: Vec<InstanceName> = cloud
        .vpcs
        .values()
        .flat_map(|vpc| vpc.routes.values().flatten())
        .map(|it| it.target.instance.clone())
        .collect();
    for name in cloud.instances.keys().filter(|name| !is_end(name) && !routed.contains(name) && !behind.contains(name))
    {
        remove_instance(&mut small, name);
    }
    let worn: Vec<GroupName> = small.network_interfaces().flat_map(|it| it.groups.iter().cloned()).collect();
    let named: Vec<GroupName> = rules(&small)
        .filter(|(group, ..)| worn.contains(group))
        .filter_map(|(_, _, peer)| if let Peer::Group(group) = peer { Some(group.clone()) } else { None })
        .collect();
    for (name, group) in &mut small.groups {
        if !worn.contains(name) {
            group.ingress.clear();
            group.egress.clear();
        }
    }
    small.groups.retain(|name, _| worn.contains(name) || named.contains(name));
    small
}
