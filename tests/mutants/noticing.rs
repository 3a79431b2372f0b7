//! What is held against a lab: every cell by each address, forged senders and the services, against the policy.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use indexmap::IndexSet;
use ipnet::IpNet;
use sglab::compile::names;
use sglab::lab::{Lab, ServiceResponse};
use sglab::model::{
    Attachment, Cloud, Direction, Endpoint, Flow, Forwarding, IcmpMessage, InstanceName, InstanceState, Interface,
    Peer, Port, PortRange, Service, Traffic, Verdict, Via, VpcService,
};
use sglab::policy;
use sglab::probe::Observation;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::topology::Topology;

use super::concerning::{concerns, in_turn};
use super::mutation::{Mutation, Of};
use crate::cells::cells;

/// What a state of a cloud is asked, and what the policy says.
pub struct Plan {
    /// One of a kind: most mutations are noticed by these already.
    few: Asking,
    /// All of them.
    pub all: Asking,
    /// Who let each of the few pass, where somebody recorded it.
    passed: Passed,
    asks: Vec<(InstanceName, VpcService)>,
}

type Asking = Vec<(Flow, Verdict)>;

/// By flow, the filters that recorded that they let it pass, and at which end.
type Passed = HashMap<Flow, HashSet<String>>;

/// Messages that nobody answers: one that connection tracking knows as a question, and one that it gives no state to.
const ODD_MESSAGES: [Service; 2] =
    [Service::Icmp(IcmpMessage { kind: 13, code: 0 }), Service::Icmp(IcmpMessage { kind: 9, code: 0 })];

/// A protocol that no file names.
const ODD_PROTOCOL: Service = Service::Protocol(253);

/// So many flows at most are asked for the sake of one mutation.
const MAX_FLOWS: usize = 400;

/// So many flows that prove nothing are asked once more.
const ASKED_AGAIN: usize = 8;

impl Plan {
    /// Everything that there is to ask now.
    ///
    /// # Errors
    /// What a lab that is as compiled gets wrong.
    pub async fn of(lab: &mut Lab, topology: &Topology) -> Result<Self, String> {
        let cloud = lab.cloud();
        let mut topology = topology.clone();
        topology.columns = columns(&topology, cloud).into();
        let by_address = cells(cloud, &topology).into_iter().filter(|flow| flow.via != Via::Dns);
        let mut flows: IndexSet<Flow> = by_address.collect();
        flows.extend(of_other_ends(lab, &topology));
        let judged = flows.into_iter().map(|flow| {
            let verdict = policy::judge(lab.cloud(), &flow);
            (flow, verdict)
        });
        let running = cloud.instances.iter().filter(|(_, instance)| instance.state == InstanceState::Running);
        let asks = running.flat_map(|(name, _)| VpcService::ALL.map(|service| (name.clone(), service)));
        let (few, passed) = (Vec::new(), Passed::new());
        let mut plan = Self { few, all: judged.collect(), passed, asks: asks.collect() };
        plan.leave_out_what_nobody_answers(lab).await?;
        plan.few = one_of_a_kind(&plan.all);
        plan.passed = who_lets_pass(lab, &plan.few).await?;
        let red = match plan.red(lab).await {
            Some(red) => Some(red),
            None => flows_red(lab, &plan.all, &Passed::new()).await,
        };
        red.map_or(Ok(plan), Err)
    }

    /// Why nothing could notice a mutation of what the gateway writes over sources, if nothing that the sender begins comes to it.
    pub fn idle(&self, cloud: &Cloud, mutation: &Mutation) -> Option<&'static str> {
        let private = match &mutation.of {
            Of::Element { set, element, .. } if set == names::TRANSLATED => element,
            Of::Entry { map, key, .. } if map == names::PUBLIC_OF => key,
            _ => return None,
        };
        let is_its_own = |flow: &Flow| {
            let sender = flow.from.interface().and_then(|id| cloud.interface(&id)?.private);
            sender.is_some_and(|address| address.to_string() == *private)
        };
        let leaves = |(flow, verdict): &(Flow, Verdict)| {
            let is_outward = matches!(flow.to, Endpoint::Host(..)) || flow.via == Via::Public;
            is_outward && is_its_own(flow) && verdict.refused_at() != Some(Direction::Egress)
        };
        (!self.all.iter().any(leaves)).then_some("nothing that it begins leaves the VPC")
    }

    /// How many flows it takes to ask all.
    pub fn flows(&self) -> usize {
        self.few.len() + self.all.len().min(MAX_FLOWS)
    }

    /// A forged sender sees no answer, and a host answers no odd message: where nobody listens nothing is proved.
    async fn leave_out_what_nobody_answers(&mut self, lab: &mut Lab) -> Result<(), String> {
        let odd = |flow: &Flow| is_forged(flow) || is_odd(flow.service) || flow.to.interface().is_none();
        let odd: Vec<Flow> = self.all.iter().map(|(flow, _)| flow).filter(|flow| odd(flow)).cloned().collect();
        if odd.is_empty() {
            return Ok(());
        }
        let batch = lab.probe(&odd).await.map_err(|error| error.to_string())?;
        for seen in batch.observations {
            let verdict = policy::judge(lab.cloud(), &seen.flow);
            if compare(&verdict, &seen) == Agreement::Unproved {
                self.all.retain(|(flow, _)| *flow != seen.flow);
            }
        }
        Ok(())
    }

    /// What is not as the policy says, if anything.
    pub async fn red(&self, lab: &mut Lab) -> Option<String> {
        match self.few_red(lab).await {
            Some(red) => Some(red),
            None => self.services_red(lab).await,
        }
    }

    /// What one flow of each kind shows.
    pub async fn few_red(&self, lab: &mut Lab) -> Option<String> {
        flows_red(lab, &self.few, &self.passed).await
    }

    /// What the services show.
    pub async fn services_red(&self, lab: &mut Lab) -> Option<String> {
        for (from, service) in &self.asks {
            match lab.ask_service(from, *service).await {
                Ok(ServiceResponse::Answered { .. }) => {}
                Ok(other) => return Some(format!("{from} -> {service}: {other:?}")),
                Err(error) => return Some(error.to_string()),
            }
        }
        None
    }

    /// What the flows show that a mutation may concern.
    pub async fn concerned_red(&self, lab: &mut Lab, mutation: &Mutation) -> Option<String> {
        let concerned: Vec<_> = self.all.iter().filter(|(flow, _)| concerns(mutation, lab.cloud(), flow)).collect();
        let concerned = in_turn(mutation, concerned, |(flow, _)| flow).into_iter().take(MAX_FLOWS).cloned().collect();
        flows_red(lab, &concerned, &Passed::new()).await
    }
}

/// Who records that they let flows pass. What is not recorded each time is chance, and expected of nobody.
async fn who_lets_pass(lab: &mut Lab, asking: &Asking) -> Result<Passed, String> {
    let mut passed = Passed::new();
    for time in 0..2 {
        let flows: Vec<Flow> = asking.iter().map(|(flow, _)| flow.clone()).collect();
        let batch = lab.probe(&flows).await.map_err(|error| error.to_string())?;
        for seen in batch.observations {
            let by: HashSet<String> = passes(&seen).collect();
            if time == 0 {
                passed.insert(seen.flow, by);
            } else if let Some(before) = passed.get_mut(&seen.flow) {
                before.retain(|it| by.contains(it));
            }
        }
    }
    Ok(passed)
}

fn passes(seen: &Observation) -> impl Iterator<Item = String> {
    let records = seen.records.iter().filter(|logged| !logged.record.is_drop());
    records.map(|logged| format!("{} at {}", logged.record, logged.node))
}

/// What flows show that the policy does not say. What proves nothing is asked twice: a machine may be busy for a moment.
async fn flows_red(lab: &mut Lab, asking: &Asking, passed: &Passed) -> Option<String> {
    let mut again: Asking = asking.clone();
    let mut lacking = None;
    for _ in 0..2 {
        lacking = None;
        let flows: Vec<Flow> = again.iter().map(|(flow, _)| flow.clone()).collect();
        let batch = match lab.probe(&flows).await {
            Ok(batch) => batch,
            Err(error) => return Some(error.to_string()),
        };
        let mut unproved = Vec::new();
        for ((flow, verdict), seen) in again.iter().zip(&batch.observations) {
            let by: HashSet<String> = passes(seen).collect();
            let unrecorded = passed.get(flow).and_then(|expected| expected.iter().find(|it| !by.contains(*it)));
            let lacks = match (compare(verdict, seen), unrecorded) {
                (Agreement::Disagree, _) => return Some(format!("{flow}: {:?} in place of {verdict:?}", seen.outcome)),
                (Agreement::Unproved, _) => format!("{flow} proves nothing, twice"),
                (Agreement::Agree, Some(record)) => format!("{flow} is without a record of `{record}`, twice"),
                (Agreement::Agree, None) => continue,
            };
            lacking.get_or_insert(lacks);
            unproved.push((flow.clone(), verdict.clone()));
        }
        if unproved.is_empty() {
            return None;
        }
        unproved.truncate(ASKED_AGAIN);
        again = unproved;
    }
    lacking
}

/// Flows that between them meet each rule at each receiver from each sender, and little twice.
fn one_of_a_kind(all: &Asking) -> Asking {
    let mut seen = HashSet::new();
    let kinds = |flow: &Flow, verdict: &Verdict| {
        let decided = match verdict {
            open @ Verdict::Open { .. } => format!("{:?}", open.admitting_rules()),
            other => other.refused_at().map_or_else(|| format!("{other:?}"), |at| at.to_string()),
        };
        // What has no state is recorded by a rule of its own at each end.
        let odd = is_odd(flow.service).then(|| format!("{:?} {:?}", flow.from, flow.service));
        [
            Some(format!("{:?} {:?} {decided}", flow.to, flow.service)),
            Some(format!("{:?} {:?} {:?} {}", flow.from, flow.to, flow.via, verdict.is_open())),
            odd,
        ]
    };
    let is_new = |(flow, verdict): &&(Flow, Verdict)| {
        kinds(flow, verdict).into_iter().flatten().filter(|kind| seen.insert(kind.clone())).count() > 0
    };
    all.iter().filter(is_new).cloned().collect()
}

/// What is asked for: the columns of a file, the outside neighbours of every port of a rule, and what no file names.
pub fn columns(topology: &Topology, cloud: &Cloud) -> IndexSet<Service> {
    let mut columns: IndexSet<Service> = topology.columns.iter().copied().collect();
    let rules = cloud.groups.values().flat_map(|group| group.ingress.iter().chain(&group.egress));
    for rule in rules {
        let of: fn(Port) -> Service = match rule.traffic {
            Traffic::Tcp(_) => Service::Tcp,
            Traffic::Udp(_) => Service::Udp,
            _ => continue,
        };
        if let Traffic::Tcp(ports) | Traffic::Udp(ports) = rule.traffic
            && ports != PortRange::ALL
        {
            let edges =
                [ports.from().0.saturating_sub(1).max(1), ports.from().0, ports.to().0, ports.to().0.saturating_add(1)];
            columns.extend(edges.map(|port| of(Port(port))));
            columns.extend([Service::Tcp(ports.from()), Service::Udp(ports.from())]);
        }
    }
    columns.insert(Service::Udp(Port(4001)));
    columns.extend(ODD_MESSAGES);
    // What a NAT instance passes on of it to its own public address looks like an answer (docs/semantics.md).
    if cloud.instances.values().all(|instance| instance.forwarding != Forwarding::Nat) {
        columns.insert(ODD_PROTOCOL);
    }
    columns
}

fn is_odd(service: Service) -> bool {
    service == ODD_PROTOCOL || ODD_MESSAGES.contains(&service)
}

/// Addresses that rules name and nobody has: who forges one is let in by them.
fn named_and_nobodys(cloud: &Cloud) -> impl Iterator<Item = Ipv4Addr> {
    let held = |address: &Ipv4Addr| {
        let host = cloud.hosts.values().any(|host| host.addresses.iter().any(|it| it.0 == IpAddr::from(*address)));
        let mut interfaces = cloud.network_interfaces();
        host || interfaces.any(|it| [it.private.map(|it| it.0), it.public.map(|it| it.0)].contains(&Some(*address)))
    };
    let rules = cloud.groups.values().flat_map(|group| &group.ingress);
    let named = rules.filter_map(|rule| match rule.peer {
        Peer::Cidr(IpNet::V4(block)) if block.prefix_len() == 32 => Some(block.addr()),
        _ => None,
    });
    named.filter(move |address| !held(address))
}

pub fn is_forged(flow: &Flow) -> bool {
    matches!(flow.from, Endpoint::Forged(..))
}

/// Flows of an interface as a neighbour and as nobody, over IPv6, inside and out to the hosts.
fn forged_ipv6<'a>(
    cloud: &Cloud,
    from: &Interface,
    others: impl Iterator<Item = &'a Interface> + Clone,
    services: &[Service],
) -> Vec<Flow> {
    let six = |interface: &Interface| interface.ipv6.map(|own| own.0);
    let (Some(own), Some(at)) = (six(from), from.id.attachment()) else { return Vec::new() };
    let nobody = (u128::from(own) ^ 0x8000).into();
    let neighbour = others.clone().find_map(six);
    let inside = others.filter(|it| it.ipv6.is_some()).take(2);
    let inside = inside.filter_map(|it| it.id.attachment().cloned().map(Endpoint::Interface));
    let hosts = cloud.hosts.iter().flat_map(|(name, host)| {
        let of_ipv6 = host.addresses.iter().filter(|address| address.0.is_ipv6());
        of_ipv6.map(|address| Endpoint::Host(name.clone(), *address))
    });
    let ends: Vec<Endpoint> = inside.chain(hosts).collect();
    let mut flows = Vec::new();
    for source in neighbour.into_iter().chain([nobody]) {
        let is_its_own =
            |to: &Endpoint| to.interface().and_then(|id| cloud.interface(&id)).and_then(six) == Some(source);
        for to in ends.iter().filter(|to| !is_its_own(to)) {
            let from = || Endpoint::Forged(at.clone(), source.into());
            let of = |service: &Service| Flow { from: from(), to: to.clone(), via: Via::Ipv6, service: *service };
            flows.extend(services.iter().map(of));
        }
    }
    flows
}

/// Flows that the grid has not: from and to further interfaces, to hosts, and from forged sources.
pub fn of_other_ends(lab: &Lab, topology: &Topology) -> Vec<Flow> {
    let cloud = lab.cloud();
    let up: Vec<&Interface> = cloud
        .interfaces()
        .filter(|(_, instance, interface)| instance.state == InstanceState::Running && interface.private.is_some())
        .map(|(_, _, interface)| interface)
        .collect();
    let end = |interface: &Interface| match interface.id.attachment().expect("of an instance") {
        Attachment { instance, device: 0 } => Endpoint::Instance(instance.clone()),
        further => Endpoint::Interface(further.clone()),
    };
    let mut flows = Vec::new();
    let udp: Vec<Service> =
        topology.columns.iter().filter(|service| matches!(service, Service::Udp(_))).copied().collect();
    for from in &up {
        let Some(own) = from.id.attachment() else { continue };
        let others = || up.iter().filter(|to| to.id.holder() != from.id.holder() && to.vpc == from.vpc);
        for to in others().filter(|to| from.id.device() > 0 || to.id.device() > 0) {
            let of = |service: &Service| Flow { from: end(from), to: end(to), via: Via::Private, service: *service };
            flows.extend(topology.columns.iter().map(of));
        }
        for (name, host) in &cloud.hosts {
            for address in &host.addresses {
                let via = if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 };
                if via == Via::Ipv6 && from.ipv6.is_none() {
                    continue;
                }
                let to = || Endpoint::Host(name.clone(), *address);
                let of = |service: &Service| Flow { from: end(from), to: to(), via, service: *service };
                flows.extend(topology.columns.iter().map(of));
            }
        }
        // As a neighbour that is there, and as an address that nobody holds.
        let neighbour = others().next().and_then(|other| other.private).map(|private| private.0);
        let nobody = from.private.map(|private| (u32::from(private.0) ^ 0x80).into());
        for source in neighbour.into_iter().chain(nobody).chain(named_and_nobodys(cloud)) {
            for to in others().filter(|to| Some(source) != to.private.map(|private| private.0)).take(2) {
                let from = || Endpoint::Forged(own.clone(), source.into());
                let of = |service: &Service| Flow { from: from(), to: end(to), via: Via::Private, service: *service };
                flows.extend(udp.iter().map(of));
            }
        }
        flows.extend(forged_ipv6(cloud, from, others().copied(), &udp));
    }
    flows
}
