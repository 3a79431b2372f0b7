//! Load balancers as a file writes them, and the addresses that they were given or keep written down.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::{Unwritable, is_amazons, scalar};
use crate::model::{
    Cloud, ELB_GROUP, GroupName, HealthCheck, InstanceName, Interface, LoadBalancer, LoadBalancerName, Peer, Port,
    PrivateIp, Scheme, SecurityGroup, VpcName,
};

/// The entry of the section: the reader gives it its addresses, and in EC2-Classic its groups.
pub(super) fn entry(cloud: &Cloud, name: &LoadBalancerName, balancer: &LoadBalancer) -> String {
    let interface = &balancer.interface;
    let list = |words: Vec<String>| format!("[{}]", words.join(", "));
    let mut fields = Vec::new();
    if cloud.vpcs.len() > 1 {
        fields.push(format!("vpc: {}", scalar(interface.vpc.as_str())));
    }
    if cloud.vpcs.get(&interface.vpc).is_some_and(|vpc| vpc.subnets.keys().next() != Some(&interface.subnet)) {
        fields.push(format!("subnet: {}", scalar(interface.subnet.as_str())));
    }
    if balancer.scheme == Scheme::Internal {
        fields.push(format!("scheme: {}", balancer.scheme));
    }
    if cloud.is_vpc() {
        let groups = interface.groups.iter().map(|group| scalar(group.as_str()));
        fields.push(format!("groups: {}", list(groups.collect())));
    }
    let listeners = balancer.listeners.iter().map(|(own, to)| match own == to {
        true => format!("tcp {own}"),
        false => format!("tcp {own} to {to}"),
    });
    fields.push(format!("listeners: {}", list(listeners.collect())));
    if !balancer.registrations.is_empty() {
        let targets = balancer.registrations.keys().map(|target| scalar(target.as_str()));
        fields.push(format!("targets: {}", list(targets.collect())));
    }
    let check = balancer.health_check;
    let port = balancer.listeners.values().next().copied().unwrap_or(Port(80));
    if check != HealthCheck::of_port(port) {
        let HealthCheck { port, interval, timeout, unhealthy_threshold, healthy_threshold } = check;
        fields.push(format!(
            "health-check: {{port: {port}, interval: {}, timeout: {}, unhealthy: {unhealthy_threshold}, \
             healthy: {healthy_threshold}}}",
            interval.as_secs_f64(),
            timeout.as_secs_f64()
        ));
    }
    format!("{}: {{{}}}", scalar(name.as_str()), fields.join(", "))
}

/// Amazon's own groups are there again with what they belong to, or with a rule that names them.
pub(super) fn forget_unused_groups(cloud: &mut Cloud) {
    let used: IndexSet<GroupName> = {
        let worn = cloud.network_interfaces().flat_map(|interface| &interface.groups);
        let rules = cloud.groups.values().flat_map(|group| group.ingress.iter().chain(&group.egress));
        let named = rules.filter_map(|rule| if let Peer::Group(group) = &rule.peer { Some(group) } else { None });
        worn.chain(named).filter(|group| is_amazons(group)).cloned().collect()
    };
    cloud.groups.retain(|name, _| !is_amazons(name) || used.contains(name));
}

/// The file has Amazon's group in its first VPC.
///
/// # Errors
/// If the cloud has it elsewhere.
pub(super) fn refuse_elsewhere(cloud: &Cloud) -> Result<(), Unwritable> {
    let group: Option<&SecurityGroup> = cloud.groups.get(ELB_GROUP);
    match group {
        Some(group) if cloud.vpcs.keys().next() != Some(&group.vpc) => {
            Err(Unwritable::NoWords(format!("the group {ELB_GROUP} is not in the first VPC")))
        }
        _ => Ok(()),
    }
}

/// The address that an instance must be launched with, so that load balancers register it: its own, or while it has none
/// the one that they know.
///
/// # Errors
/// If they know it by an address that it has left.
pub(super) fn launched_with(
    cloud: &Cloud,
    name: &InstanceName,
    first: &Interface,
) -> Result<Option<PrivateIp>, Unwritable> {
    let mut address = first.private;
    for (balancer, known) in cloud.load_balancers.iter().filter_map(|(balancer, it)| {
        let known = it.registrations.get(name)?;
        Some((balancer, *known))
    }) {
        let others = cloud.network_interfaces().filter(|it| it.id != first.id && it.vpc == first.vpc);
        let mut others = others.filter(|it| it.private == Some(known));
        if address.is_some_and(|address| address != known) {
            let why = format!("{balancer} has registered {name} with {known}, an address that it has left");
            return Err(Unwritable::NoWords(why));
        }
        if let Some(other) = others.next() {
            let why = format!("{balancer} has registered {name} with {known}, which {} holds now", other.id);
            return Err(Unwritable::NoWords(why));
        }
        address = Some(known);
    }
    Ok(address)
}

/// A load balancer gets its private address by itself, as Amazon's does.
#[derive(Debug)]
pub(super) struct Moved {
    vpc: VpcName,
    was: PrivateIp,
    is: PrivateIp,
}

/// The load balancers that the reader gave another private address, and that address.
pub(super) fn moved(cloud: &Cloud, given: &Cloud) -> Vec<Moved> {
    let of = |(name, balancer): (&LoadBalancerName, &LoadBalancer)| {
        let is = given.load_balancers.get(name)?.interface.private?;
        let was = balancer.interface.private.filter(|was| *was != is)?;
        Some(Moved { vpc: balancer.interface.vpc.clone(), was, is })
    };
    cloud.load_balancers.iter().filter_map(of).collect()
}

/// A block of a rule of a group, with the new address for the old one.
///
/// # Errors
/// If it meant the one and not the other, or the other way round, and is more than this one address.
pub(super) fn follow(moved: &[Moved], of: Option<&VpcName>, net: IpNet) -> Result<IpNet, Unwritable> {
    for Moved { vpc, was, is } in moved.iter().filter(|moved| of.is_none_or(|vpc| *vpc == moved.vpc)) {
        let (was, is) = (IpNet::from(std::net::IpAddr::V4(was.0)), IpNet::from(std::net::IpAddr::V4(is.0)));
        if net == was && of.is_some() {
            return Ok(is);
        }
        if net.contains(&was) != net.contains(&is) {
            let why = format!(
                "a rule names {net}, and a load balancer in {vpc} would have the private address {} in place of {}",
                is.addr(),
                was.addr()
            );
            return Err(Unwritable::NoWords(why));
        }
    }
    Ok(net)
}
