//! Claims about rules of a cloud as scenarios, which packets prove or refute.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use indexmap::IndexSet;
use ipnet::{IpNet, Ipv4Net};

use super::export::{ExportError, export, parts, with_table};
use crate::model::reserved_addresses::gives;
use crate::model::{
    Cloud, Direction, Endpoint, Flow, GroupName, IcmpMatch, InstanceName, InstanceState, InterfaceId, OnStart,
    Operation, Peer, PeerRequest, Permission, Port, PrivateIp, Rule, SecurityGroup, Service, Traffic, Via,
};
use crate::policy::judge;
use crate::topology::write;

/// The position of a rule in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRule {
    /// Its group.
    pub group: GroupName,
    /// Its direction.
    pub direction: Direction,
    /// Its number among the group's rules of that direction, from 0.
    pub index: usize,
}

/// The reason why no lab proves a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unprovable(String);

fn unprovable<T>(why: impl Into<String>) -> Result<T, Unprovable> {
    Err(Unprovable(why.into()))
}

impl CloudRule {
    fn of<'c>(&self, cloud: &'c Cloud) -> Result<(&'c SecurityGroup, &'c Rule), Unprovable> {
        let group = cloud.groups.get(&self.group);
        let rule = group.and_then(|group| group.rules(self.direction).get(self.index));
        group.zip(rule).map_or_else(|| unprovable("the lab has no such rule"), Ok)
    }
}

/// The scenario that the whole truth table is the same without some rules: it stands with them, then without.
///
/// # Errors
/// If the cloud cannot be written as a file, or has no such rule.
pub fn without_rules(cloud: &Cloud, rules: &[CloudRule]) -> Result<String, Unprovable> {
    let mut text = with_table(cloud, "").map_err(said)?;
    let Some(expected) = text.rfind("    expect:").map(|at| text[at..].to_owned()) else {
        return unprovable("the lab has no truth table");
    };
    text.push_str("  - step: without the rules\n    do:\n");
    for at in rules {
        let (_, rule) = at.of(cloud)?;
        let peer = (
            PeerRequest::Peer(rule.peer.clone()),
            format!("{} {} {}", rule.traffic, at.direction.preposition(), rule.peer),
        );
        let permission = Permission { traffic: rule.traffic, peers: vec![peer], description: None, place: None };
        let operation = match at.direction {
            Direction::Ingress => Operation::RevokeIngress(at.group.clone(), vec![permission]),
            Direction::Egress => Operation::RevokeEgress(at.group.clone(), vec![permission]),
        };
        text.push_str(&format!("      - {}\n", write::operation(&operation)));
    }
    Ok(text + &expected)
}

/// A scenario in which a stranger gets an address that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The topology.
    pub text: String,
    /// The address.
    pub address: Ipv4Addr,
    /// The flow that is open to it: `stranger -> db1:5432`.
    pub asked: String,
    /// The former holder of the address.
    pub holder: Option<InstanceName>,
}

/// The scenario that a rule is for whoever holds an address: a stranger gets it and is let in, and another stranger, at another address, is not.
///
/// # Errors
/// If the rule names no address of an interface, or nobody can ask.
pub fn stranger_at(cloud: &Cloud, at: &CloudRule) -> Result<Stranger, Unprovable> {
    let (group, rule) = at.of(cloud)?;
    let Peer::Cidr(IpNet::V4(block)) = &rule.peer else {
        return unprovable("only a rule for IPv4 addresses is proved");
    };
    let holder = holder(cloud, group, *block)?;
    let address = match &holder {
        Some(_) => block.addr(),
        None => free(cloud, group, |address| block.contains(&address))
            .map_or_else(|| unprovable("no address of the block is free"), Ok)?,
    };
    // A launch that asks for no address may get one of the block.
    let beside = match &holder {
        Some(_) => in_subnet(cloud, group, address)?,
        None => match free(cloud, group, |address| !block.contains(&address)) {
            Some(address) => format!("{}, address: {address}", in_subnet(cloud, group, address)?),
            None => return unprovable("the block has every address of the VPC's subnets"),
        },
    };
    let other = other_end(cloud, at, holder.as_ref())?;
    let service = service(cloud, rule.traffic, &other)?;
    let names = Names::of(cloud);
    let flow = |stranger: &str| {
        let [own, other] = [&InstanceName::new(stranger), &other].map(|name| Endpoint::Instance(name.clone()));
        let (from, to) = match at.direction {
            Direction::Ingress => (own, other),
            Direction::Egress => (other, own),
        };
        Flow { from, to, via: Via::Private, service }
    };
    let asked = |stranger: &str| format!("'{}'", write::flow(&flow(stranger)));
    let mut text = base(cloud)?;
    let rules = match at.direction {
        Direction::Ingress => "[]",
        Direction::Egress => "[all from anywhere]",
    };
    // One VPC is that of everybody, and one subnet.
    let in_vpc = if cloud.vpcs.len() > 1 { format!(", vpc: {}", group.vpc) } else { String::new() };
    text.push_str("scenario:\n  - step: its holder\n");
    text.push_str(&format!("    do: [{{create-group: {{{}: {{ingress: {rules}{in_vpc}}}}}}}]\n", names.group));
    // The other end may close what the rule opens.
    if let Some(holder) = holder.as_ref().filter(|name| judge(cloud, &flow(name.as_str())).is_open()) {
        text.push_str(&format!("    expect: {{open: [{}]}}\n", asked(holder.as_str())));
    }
    text.push_str("  - step: strangers, one of them at the address\n    do:\n");
    let place = match &holder {
        Some(holder) if cloud.knobs.private_address_on_start == OnStart::New => {
            text.push_str(&format!("      - stop: {holder}\n      - start: {holder}\n"));
            format!("{holder}.previous")
        }
        Some(holder) => {
            text.push_str(&format!("      - terminate: {holder}\n"));
            format!("{holder}.previous")
        }
        None => address.to_string(),
    };
    let launch =
        |name: &str, at: &str| format!("      - launch: {{{name}: {{groups: {}{in_vpc}{at}}}}}\n", names.group);
    let at_place = format!("{}, address: {place}", in_subnet(cloud, group, address)?);
    text.push_str(&launch(&names.stranger, &at_place));
    text.push_str(&launch(&names.bystander, &beside));
    text.push_str("    expect:\n      rules: unchanged\n");
    text.push_str(&format!("      open: [{}]\n      dropped: [{}]\n", asked(&names.stranger), asked(&names.bystander)));
    let asked = write::flow(&flow(&names.stranger));
    Ok(Stranger { text, address, asked, holder })
}

/// The instance whose first interface has the one address that a rule names; nothing where a rule names a block of a VPC.
fn holder(cloud: &Cloud, group: &SecurityGroup, block: Ipv4Net) -> Result<Option<InstanceName>, Unprovable> {
    let in_vpc = |block: Ipv4Net| cloud.vpcs.get(&group.vpc).is_some_and(|vpc| vpc.cidr.contains(&block));
    if block.prefix_len() < 32 {
        return if in_vpc(block) { Ok(None) } else { unprovable("the block is not inside the VPC of the group") };
    }
    let held = cloud
        .network_interfaces()
        .find(|interface| interface.vpc == group.vpc && interface.private == Some(PrivateIp(block.addr())));
    match held.map(|interface| &interface.id) {
        Some(InterfaceId::Instance(id)) if id.device == 0 => Ok(Some(id.instance.clone())),
        Some(_) => unprovable("the address is not that of an instance's first interface, and goes to nobody else here"),
        None if in_vpc(block) => Ok(None),
        None => unprovable("a public address, which goes to nobody else here"),
    }
}

/// An address of a group's VPC that nobody has.
fn free(cloud: &Cloud, group: &SecurityGroup, is_meant: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let held: HashSet<Ipv4Addr> = cloud.network_interfaces().filter_map(|it| it.private).map(|it| it.0).collect();
    let subnets = cloud.vpcs.get(&group.vpc).into_iter().flat_map(|vpc| vpc.subnets.values());
    let mut all =
        subnets.flat_map(|subnet| subnet.hosts().filter(move |address| gives(*subnet, Ipv4Net::from(*address))));
    let given = cloud.counters.private.get(&group.vpc);
    let is_free =
        |address: Ipv4Addr| !held.contains(&address) && given.is_none_or(|given| !given.contains(&PrivateIp(address)));
    all.find(|address| is_meant(*address) && is_free(*address))
}

/// The subnet of an address, as a launch has it; nothing where the VPC has only one.
fn in_subnet(cloud: &Cloud, group: &SecurityGroup, address: Ipv4Addr) -> Result<String, Unprovable> {
    let subnets = cloud.vpcs.get(&group.vpc).into_iter().flat_map(|vpc| &vpc.subnets);
    let is_only = subnets.clone().count() < 2;
    match subnets.filter(|(_, block)| block.contains(&address)).map(|(name, _)| name).next() {
        Some(_) if is_only => Ok(String::new()),
        Some(name) => Ok(format!(", subnet: {name}")),
        None => unprovable("the address is in no subnet"),
    }
}

/// A running instance in the group by its first interface, other than the holder.
fn other_end(cloud: &Cloud, at: &CloudRule, holder: Option<&InstanceName>) -> Result<InstanceName, Unprovable> {
    let is_in = |name: &&InstanceName| {
        let first = cloud.instances.get(*name).and_then(|instance| instance.interfaces.first());
        Some(*name) != holder && is_running(cloud, name) && first.is_some_and(|it| it.groups.contains(&at.group))
    };
    let found = cloud.instances.keys().find(is_in).cloned();
    found.map_or_else(|| unprovable("no other instance that runs is in the group"), Ok)
}

fn is_running(cloud: &Cloud, name: &InstanceName) -> bool {
    cloud.instances.get(name).is_some_and(|instance| instance.state == InstanceState::Running)
}

/// Picks a service of the traffic that a rule admits: one that an instance listens on, where the source tells any.
fn service(cloud: &Cloud, traffic: Traffic, of: &InstanceName) -> Result<Service, Unprovable> {
    let listens = cloud.instances.get(of).map(|instance| &instance.listens);
    let known: IndexSet<Service> = listens.cloned().unwrap_or_default();
    let heard = |range: crate::model::PortRange, is: fn(Service) -> Option<Port>| {
        let own = known.iter().copied().filter_map(is).find(|port| range.contains(*port));
        own.unwrap_or(if range.from().0 == 0 { range.to() } else { range.from() })
    };
    match traffic {
        Traffic::All => Ok(Service::IcmpEcho),
        Traffic::Tcp(range) => Ok(Service::Tcp(heard(range, Service::tcp_port))),
        Traffic::Udp(range) => {
            Ok(Service::Udp(heard(range, |service| if let Service::Udp(port) = service { Some(port) } else { None })))
        }
        Traffic::Icmp(IcmpMatch::All | IcmpMatch::Type(8) | IcmpMatch::TypeAndCode(8, 0)) => Ok(Service::IcmpEcho),
        Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Protocol(_) => unprovable("only TCP, UDP and ping are asked"),
    }
}

/// The cloud as a file, with its truth table.
fn exported(cloud: &Cloud) -> Result<String, Unprovable> {
    export(cloud, "").map_err(said)
}

fn said(error: ExportError) -> Unprovable {
    Unprovable(error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The cloud as a file, without tables and scenario.
fn base(cloud: &Cloud) -> Result<String, Unprovable> {
    Ok(parts(&exported(cloud)?).0.to_owned())
}

/// Names that nobody has.
struct Names {
    group: String,
    stranger: String,
    bystander: String,
}

impl Names {
    fn of(cloud: &Cloud) -> Self {
        let is_taken = |name: &str| {
            let mut all =
                cloud.instances.keys().map(InstanceName::as_str).chain(cloud.groups.keys().map(GroupName::as_str));
            all.any(|known| known == name) || cloud.hosts.keys().any(|known| known.as_str() == name)
        };
        let fresh = |word: &str| {
            let mut name = word.to_owned();
            while is_taken(&name) {
                name.push('x');
            }
            name
        };
        Self { group: fresh("STRANGERS"), stranger: fresh("stranger"), bystander: fresh("bystander") }
    }
}
