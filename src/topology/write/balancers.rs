//! Load balancers as a file writes them, and the addresses that they were given or keep written down.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::common::{Unwritable, is_amazons, names, unless};
use crate::model::{
    Cloud, ELB_GROUP, GroupName, HealthCheck, InstanceName, Interface, LoadBalancer, LoadBalancerName, Peer, Port,
    PrivateIp, Scheme, SecurityGroup, VpcName,
};
use crate::topology::document::groups::{HealthCheck as CheckSaid, LoadBalancer as BalancerSaid};
use crate::topology::document::shape::{At, Field};
use crate::topology::document::values::Seconds;
use crate::topology::document::words::Listener;

/// The entry of the section: the reader gives it its addresses, and in EC2-Classic its groups.
pub(super) fn entry(cloud: &Cloud, balancer: &LoadBalancer) -> BalancerSaid {
    let interface = &balancer.interface;
    let first = cloud.vpcs.get(&interface.vpc).and_then(|vpc| vpc.subnets.keys().next());
    let listeners = balancer.listeners.iter().map(|(own, to)| match own == to {
        true => Listener::from(format!("tcp {own}")),
        false => Listener::from(format!("tcp {own} to {to}")),
    });
    let targets = balancer.registrations.keys().map(|target| target.as_str().into());
    BalancerSaid {
        vpc: (cloud.vpcs.len() > 1).then(|| interface.vpc.as_str().into()).into(),
        subnet: (first != Some(&interface.subnet)).then(|| interface.subnet.as_str().into()).into(),
        scheme: unless(balancer.scheme, Scheme::default()),
        groups: if cloud.is_vpc() { names(&interface.groups) } else { Field::default() },
        listeners: Field::all(listeners),
        targets: (!balancer.registrations.is_empty()).then(|| targets.collect()).into(),
        health_check: health_check(balancer).into(),
        at: At::default(),
    }
}

/// All of it, unless it is as it would be without a word.
fn health_check(balancer: &LoadBalancer) -> Option<CheckSaid> {
    let check = balancer.health_check;
    let port = balancer.listeners.values().next().copied().unwrap_or(Port(80));
    (check != HealthCheck::of_port(port)).then(|| CheckSaid {
        port: Field::of(u32::from(check.port.0).into()),
        interval: Field::of(Seconds(check.interval)),
        timeout: Field::of(Seconds(check.timeout)),
        unhealthy: Field::of(check.unhealthy_threshold.into()),
        healthy: Field::of(check.healthy_threshold.into()),
    })
}

/// Amazon's own groups are there again with what they belong to, or with a rule that names them.
pub(super) fn forget_unused_groups(cloud: &mut Cloud) {
    let used: IndexSet<GroupName> = {
        let worn = cloud.network_interfaces().flat_map(|interface| &interface.groups);
        let rules = cloud.groups.values().flat_map(|group| group.all_rules());
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
