//! Addresses that a file cannot ask for, and whether two clouds are equal but for what is used once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::balancers;
use super::common::Unwritable;
use crate::model::{
    AllocationId, Cloud, Counters, InstanceId, Interface, NetworkInterfaceId, Peer, PublicIp, RuleId, SecurityGroupId,
};

/// The cloud with the public and IPv6 addresses that the reader gave out, also where rules and prefix lists name them.
pub(super) fn rename(cloud: &Cloud, given: &Cloud) -> Result<Cloud, Unwritable> {
    let mut names: BTreeMap<IpAddr, IpAddr> = BTreeMap::new();
    let mut renamed = cloud.clone();
    for instance in renamed.instances.values_mut() {
        for interface in &mut instance.interfaces {
            let now = given.interface(&interface.id);
            let public = now.and_then(|now| now.public);
            let ipv6 = now.and_then(|now| now.ipv6);
            if let (Some(was), Some(is)) = (interface.public, public) {
                names.insert(was.0.into(), is.0.into());
                interface.public = Some(is);
            }
            if let (Some(was), Some(is)) = (interface.ipv6, ipv6) {
                names.insert(was.0.into(), is.0.into());
                interface.ipv6 = Some(is);
            }
        }
    }
    for (name, balancer) in &mut renamed.load_balancers {
        let Some(now) = given.load_balancers.get(name).map(|now| &now.interface) else { continue };
        if let (Some(was), Some(is)) = (balancer.interface.public, now.public) {
            names.insert(was.0.into(), is.0.into());
        }
        balancer.interface.public = now.public;
        balancer.interface.private = now.private;
    }
    for (name, elastic) in &mut renamed.elastic_ips {
        if let Some(is) = given.elastic_ips.get(name) {
            names.insert(elastic.address.0.into(), is.address.0.into());
            elastic.address = is.address;
        }
    }
    let moved = balancers::moved(cloud, given);
    let mut renaming = Renaming { cloud, given, names, nobody: 0 };
    for group in renamed.groups.values_mut() {
        for rule in group.ingress.iter_mut().chain(&mut group.egress) {
            if let Peer::Cidr(net) = &mut rule.peer {
                *net = renaming.block(balancers::follow(&moved, Some(&group.vpc), *net)?)?;
            }
        }
    }
    for list in renamed.prefix_lists.values_mut() {
        let entries = list.entries.iter().map(|net| renaming.block(balancers::follow(&moved, None, *net)?));
        list.entries = entries.collect::<Result<_, _>>()?;
    }
    Ok(renamed)
}

struct Renaming<'a> {
    cloud: &'a Cloud,
    given: &'a Cloud,
    names: BTreeMap<IpAddr, IpAddr>,
    /// Number of addresses of nobody that have been given other names.
    nobody: u32,
}

impl Renaming<'_> {
    /// A block as the other cloud has it.
    fn block(&mut self, net: IpNet) -> Result<IpNet, Unwritable> {
        let single = net.prefix_len() == net.max_prefix_len();
        if let Some(is) = self.names.get(&net.addr()).filter(|_| single) {
            return Ok(IpNet::from(*is));
        }
        let pool = IpNet::V4(self.cloud.public_pool);
        let inside = |whole: IpNet| whole != net && whole.contains(&net);
        let subnets = self
            .cloud
            .vpcs
            .values()
            .filter(|vpc| vpc.ipv6.is_some())
            .flat_map(|vpc| vpc.subnets.keys().filter_map(|name| vpc.ipv6_subnet(name)).map(IpNet::V6));
        let ipv6 = subnets.into_iter().any(inside);
        if !inside(pool) && !ipv6 {
            return Ok(net);
        }
        // A prefix that is delegated is written down, as every secondary address.
        let is_in = |of: &Interface| of.secondary.iter().any(|own| own.block().contains(&net));
        if self.given.interfaces().any(|(_, _, of)| is_in(of)) {
            return Ok(net);
        }
        if !single {
            let part = format!("a rule names {net}, a part of the addresses that are given out automatically");
            return Err(Unwritable::NoWords(part));
        }
        // The address of nobody must not become somebody's.
        let is = if ipv6 { self.nobody_ipv6(net)? } else { self.nobody_ipv4() };
        self.names.insert(net.addr(), is);
        Ok(IpNet::from(is))
    }

    /// From the pool's end, where it is given out last.
    fn nobody_ipv4(&mut self) -> IpAddr {
        loop {
            self.nobody += 1;
            let last = u32::from(self.cloud.public_pool.broadcast());
            let address = Ipv4Addr::from(last.saturating_sub(self.nobody));
            if !self.given.counters.public.contains(&PublicIp(address)) {
                return address.into();
            }
        }
    }

    /// As it is, if nobody has it in the other cloud.
    fn nobody_ipv6(&self, net: IpNet) -> Result<IpAddr, Unwritable> {
        let held =
            self.given.interfaces().any(|(_, _, it)| it.ipv6.is_some_and(|ipv6| IpAddr::V6(ipv6.0) == net.addr()));
        if held {
            return Err(Unwritable::NoWords(format!("a rule names {}, which nobody has now", net.addr())));
        }
        Ok(net.addr())
    }
}

/// Lists the parts in which two clouds differ, but for ids, numbers, places, words of rules, and what was given out before.
pub(super) fn difference(a: &Cloud, b: &Cloud) -> Option<String> {
    let (a, b) = (plain(a), plain(b));
    if a == b {
        return None;
    }
    let parts: [(&str, bool); 10] = [
        ("the era", a.era == b.era),
        ("the knobs", a.knobs == b.knobs),
        ("the hosts", a.hosts == b.hosts),
        ("the VPCs", a.vpcs == b.vpcs),
        ("the groups", a.groups == b.groups),
        ("the instances", a.instances == b.instances),
        ("the load balancers", a.load_balancers == b.load_balancers),
        ("the Elastic IPs", a.elastic_ips == b.elastic_ips),
        ("the prefix lists", a.prefix_lists == b.prefix_lists),
        ("the tracking", a.tracking == b.tracking),
    ];
    let differing: Vec<&str> = parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
    Some(if differing.is_empty() { "something else".to_owned() } else { differing.join(", ") })
}

fn plain(cloud: &Cloud) -> Cloud {
    let mut cloud = cloud.clone();
    cloud.counters = Counters::default();
    cloud.previous_addresses.clear();
    cloud.last_public.clear();
    cloud.last_private.clear();
    cloud.hosts.values_mut().for_each(|host| host.place = None);
    for group in cloud.groups.values_mut() {
        group.place = None;
        group.id = SecurityGroupId::first_of(&[]);
        for rule in group.ingress.iter_mut().chain(&mut group.egress) {
            rule.id = RuleId(0);
            rule.written.clear();
            rule.place = None;
        }
    }
    for vpc in cloud.vpcs.values_mut() {
        vpc.routes.retain(|_, routes| !routes.is_empty());
    }
    for instance in cloud.instances.values_mut() {
        instance.place = None;
        instance.id = InstanceId::first_of(&[]);
        instance.interfaces.iter_mut().for_each(unnumbered);
        instance.interfaces.sort_by_key(|interface| interface.id.device());
    }
    for elastic in cloud.elastic_ips.values_mut() {
        elastic.allocation = AllocationId::first_of(&[]);
    }
    for balancer in cloud.load_balancers.values_mut() {
        balancer.place = None;
        unnumbered(&mut balancer.interface);
    }
    cloud
}

/// Takes from an interface what is its own and in no file.
fn unnumbered(interface: &mut Interface) {
    interface.number = 0;
    interface.eni = NetworkInterfaceId::first_of(&[]);
    interface.attached_to = None;
}
