//! What is asked at every step: each flow that has a path, and some that forge their source.

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;
use sglab::model::{
    Attachment, Cloud, Endpoint, Flow, Forwarding, InstanceName, InstanceState, Interface, Service, Via, apply,
};
use sglab::policy;
use sglab::scenario::{cells, connection_tracker};
use sglab::topology::{Columns, Topology};

use crate::draft::{Diagnostic, Line};

const VIAS: [Via; 4] = [Via::Private, Via::Public, Via::Ipv6, Via::Dns];

/// Every cell of the grid by each address and by name; stopped instances by address; hosts and further interfaces as
/// ends; and forged sources.
pub fn all(cloud: &Cloud, columns: &Columns) -> Vec<Flow> {
    let vias = IndexSet::from(VIAS.map(Some));
    let mut flows: IndexSet<Flow> = cells::grid(cloud, columns, &vias).collect();
    let mut pair = |from: &Endpoint, to: &Endpoint, via: Via| {
        flows.extend(columns.iter().map(|&service| Flow { from: from.clone(), to: to.clone(), via, service }));
    };
    let senders = cells::senders(cloud, &vias).into_iter().filter_map(|(from, via)| Some((from, via?)));
    let senders: Vec<(Endpoint, Via)> = senders.collect();
    let stopped = cloud.instances.iter().filter(|(_, i)| i.state == InstanceState::Stopped).map(|(name, _)| name);
    for to in stopped {
        for (from, via) in senders.iter().filter(|(_, via)| *via != Via::Dns) {
            let to = Endpoint::Instance(to.clone());
            if let Some(via) = cells::path(cloud, from, &to, Some(*via)) {
                pair(from, &to, via);
            }
        }
    }
    let running =
        || cells::running(cloud).map(|(name, _)| Endpoint::Instance(name.clone())).chain(cells::balancers(cloud));
    for (name, host) in &cloud.hosts {
        for address in &host.addresses {
            let via = if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 };
            let to = Endpoint::Host(name.clone(), *address);
            running().filter(|from| via == Via::Public || has_ipv6(cloud, from)).for_each(|from| pair(&from, &to, via));
        }
    }
    for further in further(cloud) {
        for (from, via) in &senders {
            if via_is_there(cloud, from, &further, *via) {
                pair(from, &further, *via);
            }
        }
        for to in running() {
            for via in VIAS {
                if via_is_there(cloud, &further, &to, via) {
                    pair(&further, &to, via);
                }
            }
        }
    }
    for (from, to, via) in by_secondary(cloud) {
        flows.extend(columns.iter().map(|&service| Flow { from: from.clone(), to: to.clone(), via, service }));
    }
    flows.extend(forged(cloud, columns));
    flows.retain(|flow| can_be_told(cloud, flow));
    flows.into_iter().collect()
}

/// Whether a prediction and a probe speak of the same: where a route table sends the answer another way than the question
/// came, the groups admit what nobody can see answered; and what a NAT instance sends to its own public address, without
/// ports, comes back looking like the answer to it (docs/semantics.md, "Tracked and untracked flows").
fn can_be_told(cloud: &Cloud, flow: &Flow) -> bool {
    let interface = |end: &Endpoint| end.interface().and_then(|id| cloud.interface(&id));
    let Some(receiver) = interface(&flow.to) else { return true };
    let routed = cloud.vpcs.get(&receiver.vpc).is_some_and(|vpc| vpc.routes.contains_key(&receiver.subnet));
    // The address that it has given back may be that of a machine which has crashed: an open door with silence behind it.
    let given_back =
        receiver.id.attachment().and_then(|at| cloud.last_private.get(at)).filter(|_| receiver.private.is_none());
    let crashed = |it: &Interface| cloud.state_of(&it.id) == Some(InstanceState::Crashed);
    let silent = |it: &Interface| it.vpc == receiver.vpc && it.private.as_ref() == given_back && crashed(it);
    if flow.via == Via::Private && given_back.is_some() && cloud.network_interfaces().any(silent) {
        return false;
    }
    match (flow.via, interface(&flow.from)) {
        (Via::Public | Via::Dns, None) => !routed,
        (Via::Public, Some(_)) => {
            let nat = receiver
                .id
                .instance()
                .and_then(|name| cloud.instances.get(name))
                .is_some_and(|it| it.forwarding == Forwarding::Nat);
            !(routed || nat && matches!(flow.service, Service::Protocol(_)))
        }
        (Via::Dns, Some(sender)) => !routed || sender.vpc == receiver.vpc,
        _ => true,
    }
}

/// Each running instance to each other's secondary addresses, the last of a prefix for it, also to those of what is stopped; and from its own.
fn by_secondary(cloud: &Cloud) -> Vec<(Endpoint, Endpoint, Via)> {
    let last = |block: IpNet| block.broadcast();
    let held = |it: &Interface| it.secondary.iter().map(|one| last(one.block())).collect::<Vec<IpAddr>>();
    let mut pairs = Vec::new();
    for from in cells::running(cloud).map(|(name, _)| Attachment::first_of(name)) {
        let Some(sender) = cloud.attached(&from) else { continue };
        // A machine that has crashed is silent behind an open door.
        let crashed = |it: &Interface| cloud.state_of(&it.id) == Some(InstanceState::Crashed);
        let there = |it: &&Interface| it.id.instance() != Some(&from.instance) && !crashed(it);
        for (at, to) in
            cloud.interfaces().filter_map(|(.., it)| Some((it.id.attachment()?, it))).filter(|it| there(&it.1))
        {
            let end = |at: &Attachment| match at.device {
                0 => Endpoint::Instance(at.instance.clone()),
                _ => Endpoint::Interface(at.clone()),
            };
            let is_way = |own: &IpAddr| if own.is_ipv6() { sender.ipv6.is_some() } else { to.vpc == sender.vpc };
            pairs.extend(held(to).into_iter().filter(is_way).map(|own| (end(&from), end(at), Via::Secondary(own))));
            for own in held(sender) {
                let via = if own.is_ipv6() { Via::Ipv6 } else { Via::Private };
                let is_there = if own.is_ipv6() { to.ipv6.is_some() } else { to.private.is_some() };
                if is_there && is_way(&own) {
                    pairs.push((Endpoint::Forged(from.clone(), own), end(at), via));
                }
            }
        }
    }
    pairs
}

/// Interfaces beside the first of what runs.
fn further(cloud: &Cloud) -> Vec<Endpoint> {
    let running = cloud.interfaces().filter(|(_, instance, _)| instance.state == InstanceState::Running);
    let attached = running.filter_map(|(.., interface)| interface.id.attachment());
    attached.filter(|at| at.device > 0).cloned().map(Endpoint::Interface).collect()
}

fn has_ipv6(cloud: &Cloud, end: &Endpoint) -> bool {
    end.interface().is_some_and(|id| cloud.interface(&id).is_some_and(|interface| interface.ipv6.is_some()))
}

fn via_is_there(cloud: &Cloud, from: &Endpoint, to: &Endpoint, via: Via) -> bool {
    if from.holder().is_some() && from.holder() == to.holder() {
        return false;
    }
    let interface = |end: &Endpoint| end.interface().and_then(|id| cloud.interface(&id));
    let Some(receiver) = interface(to) else { return false };
    match (via, interface(from)) {
        (Via::Private, Some(sender)) => sender.vpc == receiver.vpc && receiver.private.is_some(),
        (Via::Private, None) => false,
        (Via::Public, _) => receiver.public.is_some(),
        (Via::Ipv6, None) => {
            receiver.ipv6.is_some() && matches!(from, Endpoint::Host(_, address) if address.0.is_ipv6())
        }
        (Via::Ipv6, Some(sender)) => sender.ipv6.is_some() && receiver.ipv6.is_some(),
        // A name is of the first interface.
        (Via::Dns | Via::Secondary(_), _) => false,
    }
}

/// Each running instance as another that it is not.
fn forged(cloud: &Cloud, columns: &IndexSet<Service>) -> Vec<Flow> {
    let silent = |service: &&Service| matches!(service, Service::Udp(_) | Service::Icmp(_));
    let services: Vec<Service> = columns.iter().filter(silent).copied().collect();
    let running = cells::running(cloud).map(|(name, _)| name);
    let running: Vec<_> = running.cloned().collect();
    let mut flows = Vec::new();
    for (number, from) in running.iter().enumerate() {
        let to = &running[(number + 1) % running.len()];
        let victim = &running[(number + 2) % running.len()];
        let vpc = |name: &InstanceName| cloud.instances[name].interfaces[0].vpc.clone();
        let source = cloud.instances[victim].interfaces[0].private.filter(|_| victim != from);
        let Some(source) = source.filter(|_| from != to && vpc(from) == vpc(to)) else { continue };
        let from = Attachment::first_of(from);
        flows.extend(services.iter().map(|&service| Flow {
            from: Endpoint::Forged(from.clone(), source.0.into()),
            to: Endpoint::Instance(to.clone()),
            via: Via::Private,
            service,
        }));
        let six = |name: &InstanceName| cloud.instances[name].interfaces[0].ipv6;
        if let (Some(source), Some(_), Some(_)) = (six(victim), six(&from.instance), six(to)) {
            flows.extend(services.iter().map(|&service| Flow {
                from: Endpoint::Forged(from.clone(), source.0.into()),
                to: Endpoint::Instance(to.clone()),
                via: Via::Ipv6,
                service,
            }));
        }
    }
    flows
}

/// Puts a connection that would come about in place of each `open: ?7`.
pub fn fill(draft: &Diagnostic) -> Option<Diagnostic> {
    let is_blank = |line: &Line| line.text.contains("open: ?");
    let known = Diagnostic(draft.0.iter().filter(|line| !is_blank(line)).cloned().collect());
    let (_, topology) = known.settled()?;
    let clouds = on_paper(&topology);
    let lines = draft.0.iter().filter_map(|line| {
        if !is_blank(line) {
            return Some(line.clone());
        }
        let number = |before: &str| {
            let digits: String = line.text.split_once(before)?.1.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<usize>().ok()
        };
        let (step, drawn) = (number("step: s")?, number("open: ?")?);
        let cloud = &clouds.range(..step).next_back()?.1;
        let open = holdable(cloud, &topology.columns);
        let flow = open.get(drawn % open.len().max(1))?;
        let text = format!("- {{step: s{step}, do: {{open: {{k{step}: '{}'}}}}}}", written(flow));
        Some(Line { text, ..line.clone() })
    });
    Some(Diagnostic(lines.collect()))
}

/// The cloud after each step, by the number in the step's name.
fn on_paper(topology: &Topology) -> std::collections::BTreeMap<usize, Cloud> {
    let mut clouds = std::collections::BTreeMap::new();
    let Ok(mut cloud) = topology.initial_cloud(topology.eras[0]) else { return clouds };
    clouds.insert(0, cloud.clone());
    for step in &topology.steps {
        for operation in step.operations() {
            // What is refused changes nothing.
            drop(apply(&mut cloud, &operation.value));
        }
        if let Some(number) = step.name.strip_prefix('s').and_then(|number| number.parse().ok()) {
            clouds.insert(number, cloud.clone());
        }
    }
    clouds
}

/// The flows that would be open and can be held, those of every service in turn.
fn holdable(cloud: &Cloud, columns: &Columns) -> Vec<Flow> {
    let mut by_service: IndexMap<Service, Vec<Flow>> = IndexMap::new();
    for flow in all(cloud, columns) {
        let held = matches!(flow.service, Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho);
        if held
            && connection_tracker::limit(cloud, &flow).is_none()
            && policy::tracking::Connection::open(cloud, &flow).is_some()
        {
            by_service.entry(flow.service).or_default().push(flow);
        }
    }
    let longest = by_service.values().map(Vec::len).max().unwrap_or(0);
    let turn = |number: usize| by_service.values().map(move |flows| flows[number % flows.len()].clone());
    (0..longest).flat_map(turn).collect()
}

/// A flow as a file says it.
pub fn written(flow: &Flow) -> String {
    let service = match flow.service {
        Service::Tcp(port) => port.to_string(),
        Service::Udp(port) => format!("{port}/udp"),
        Service::IcmpEcho => "ping".to_owned(),
        other => other.to_string(),
    };
    let between_instances = flow.from.holder().is_some() && flow.to.holder().is_some();
    let by = match flow.via {
        Via::Private => "by private address",
        Via::Public if between_instances || flow.from.holder().is_none() => "by public address",
        Via::Public => "",
        Via::Ipv6 => "by ipv6 address",
        Via::Dns => "by dns name",
        Via::Secondary(_) => &flow.via.words(),
    };
    format!("{} -> {}:{service} {by}", flow.from, flow.to).trim_end().to_owned()
}
