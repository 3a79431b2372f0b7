//! A cloud written back as a topology file: the reader makes an equal one of it.
//!
//! Private addresses of instances are written down. Public and IPv6 ones cannot be asked for, nor those of load balancers,
//! so others are given, and a rule that names one by its address names the new one instead. Whatever cannot be said in a
//! file is an error, and what was written is read again before it is given out: a file never says something else.

mod addresses;
mod balancers;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

use super::document::Document;
use super::document::groups::{Group, LongGroup, LongRule, Rule as RuleSaid, Rules};
use super::document::instances::{Daemon, Instance as InstanceSaid, Interface as InterfaceSaid};
use super::document::networks::{Host, LongHost, LongPrefixList, LongSubnet, Subnet, Vpc as VpcSaid};
use super::document::scenario::{Expect, RulesOfGroups, Step, Table, Verb};
use super::document::settings::{Knobs, Tracking};
use super::document::shape::{Any, Either, Field, Many, Map, One, Or, Shape};
use super::document::words::{Choice, Flow as FlowSaid, Holder, ListedBlock, Mounts, Name, Unchanged, Version};
use super::{ExpectedOutcome, Topology};
use crate::model::{
    AutomaticPublic, Cloud, DEFAULT_GROUP, DEFAULT_VPC_CIDR, Direction, Endpoint, Flow, GroupName, IcmpMatch, Instance,
    InstanceName, InstanceState, Interface, InterfaceId, Mtu, Peer, Peers, PrivateIp, Rule, SecurityGroup, Service,
    TableName, Traffic, Via, Vpc, VpcName, add_default_group,
};

/// What the last step of a written file expects. Flows are as a file says them; they name nothing that has an address of its own.
#[derive(Clone, Debug)]
pub enum Promise {
    /// A table, and of the flows that it opens those that a load balancer closes.
    Table {
        /// What is open.
        open: Vec<String>,
        /// What is closed.
        closed: Vec<String>,
        /// The columns to name where nothing is open.
        ports: Vec<String>,
    },
    /// Flows by what becomes of them.
    Flows(Vec<(ExpectedOutcome, Vec<String>)>),
    /// No rule changes.
    RulesUnchanged,
}

/// The table of a file that is written.
const TABLE: &str = "as-it-stands";

/// Why a cloud cannot be written as a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It says something for which the format has no words.
    #[error("{0}")]
    NoWords(String),
    /// What was written is not read as the same cloud: a mistake of this module.
    #[error("the file would not say the same: {0}")]
    ReadsDifferently(String),
}

/// Writes a cloud as a file whose last step stands where the cloud stands, and what is to hold there.
///
/// # Errors
/// [`Unwritable`]; nothing is left out silently.
pub fn write(cloud: &Cloud, title: &str, promise: &Promise) -> Result<String, Unwritable> {
    let mut cloud = cloud.clone();
    forget_unused_default(&mut cloud);
    balancers::forget_unused_groups(&mut cloud);
    balancers::refuse_elsewhere(&cloud)?;
    let first = text(&cloud, title, promise)?;
    let renamed = addresses::rename(&cloud, &read(&first)?)?;
    let written = text(&renamed, title, promise)?;
    let again = read(&written)?;
    match addresses::difference(&renamed, &again) {
        None => Ok(written),
        Some(difference) => Err(Unwritable::ReadsDifferently(difference)),
    }
}

/// A flow as a file writes it. A host with several addresses means each of them.
pub fn flow(flow: &Flow) -> String {
    let service = match flow.service {
        Service::Tcp(port) => port.to_string(),
        Service::Udp(port) => format!("{port}/udp"),
        Service::IcmpEcho => "ping".to_owned(),
        Service::Icmp(_) | Service::Protocol(_) => flow.service.to_string(),
    };
    format!("{} -> {}:{service}{}", flow.from, flow.to, by(flow))
}

/// Two ends that send to each other as a file writes them.
pub fn peers(peers: &Peers) -> String {
    let Flow { from, to, service, .. } = &peers.there;
    match (peers.port(), service) {
        (Some(own), Service::Udp(port)) => format!("{from}:{own} <-> {to}:{port}/udp{}", by(&peers.there)),
        _ => format!("{from} <-> {to}:{service}{}", by(&peers.there)),
    }
}

/// By which address, where that has to be said.
fn by(flow: &Flow) -> &'static str {
    let host = |end: &Endpoint| matches!(end, Endpoint::Host(..));
    match flow.via {
        Via::Dns => " by dns name",
        _ if host(&flow.from) || host(&flow.to) => "",
        via if via == flow.to.usual_via() => "",
        Via::Private => " by private address",
        Via::Public => " by public address",
        Via::Ipv6 => " by ipv6 address",
    }
}

/// The cloud of a file that was written here, after its one step.
pub(super) fn read(text: &str) -> Result<Cloud, Unwritable> {
    let unread = |why: String| Unwritable::ReadsDifferently(why);
    let topology = Topology::parse("written.yaml", text.as_bytes()).map_err(|problems| unread(problems.to_string()))?;
    let era = topology.eras.first().copied().ok_or_else(|| unread("it has no era".to_owned()))?;
    let mut cloud = topology.initial_cloud(era).map_err(|(refusal, place)| unread(format!("{place}: {refusal}")))?;
    for operation in topology.steps.iter().flat_map(super::Step::operations) {
        cloud = crate::model::apply(&cloud, &operation.value)
            .map_err(|refusal| unread(format!("{}: {refusal}", operation.place)))?;
    }
    Ok(cloud)
}

/// A file has its `default` group only where something uses it.
fn forget_unused_default(cloud: &mut Cloud) {
    let name = GroupName::new(DEFAULT_GROUP);
    let worn = cloud.network_interfaces().any(|interface| interface.groups.contains(&name));
    let named = cloud.groups.iter().any(|(other, group)| {
        *other != name && group.ingress.iter().chain(&group.egress).any(|rule| rule.peer == Peer::Group(name.clone()))
    });
    if !worn && !named {
        cloud.groups.shift_remove(&name);
    }
}

/// Whether a group is one of those of EC2-Classic's load balancers, whose names a file cannot give.
fn is_amazons(group: &GroupName) -> bool {
    crate::model::name_fault(group.as_str()).is_some()
}

fn text(cloud: &Cloud, title: &str, promise: &Promise) -> Result<String, Unwritable> {
    let title: String = title.lines().map(|line| format!("# {line}\n")).collect();
    Ok(title + &document(cloud, promise)?.yaml().file())
}

/// The file that a cloud would be.
fn document(cloud: &Cloud, promise: &Promise) -> Result<Document, Unwritable> {
    let hosts = cloud.hosts.iter().map(|(name, host)| {
        let addresses = host.addresses.iter().map(Into::into).collect();
        let host = match host.mtu {
            Mtu::ETHERNET => Host::Short(addresses),
            mtu => Host::Long(LongHost {
                address: Field::of(addresses),
                mtu: Field::of(mtu.into()),
                ..LongHost::default()
            }),
        };
        (name.as_str().into(), host)
    });
    let elastic_ips: Map<_, _> = cloud
        .elastic_ips
        .iter()
        .map(|(name, elastic)| {
            (
                name.as_str().into(),
                elastic.association.as_ref().map_or_else(|| Holder::from(Holder::NONE), |id| holder(cloud, id)),
            )
        })
        .collect();
    let lists = cloud.prefix_lists.iter().map(|(name, list)| {
        let entries = Field::all(list.entries.iter().map(ListedBlock::from));
        let long =
            LongPrefixList { entries, max_entries: Field::of(list.max_entries.into()), ..LongPrefixList::default() };
        (name.as_str().into(), Or::Long(long))
    });
    let default = GroupName::new(DEFAULT_GROUP);
    let groups = cloud.groups.iter().filter(|(name, _)| **name != default && !is_amazons(name));
    let instances: Result<Map<_, _>, _> =
        cloud.instances.iter().map(|(name, it)| Ok((name.as_str().into(), instance(cloud, name, it)?))).collect();
    let balancers = cloud.load_balancers.iter().map(|(name, it)| (name.as_str().into(), balancers::entry(cloud, it)));
    let (expect, tables) = expected(promise);
    let mut does = Vec::new();
    if let Some(group) = cloud.groups.get(&default) {
        does.extend(edits_of_default(cloud, group));
    }
    for (name, instance) in &cloud.instances {
        match instance.state {
            InstanceState::Running => {}
            InstanceState::Crashed => does.push(Verb::Crash([name.as_str().into()].into_iter().collect())),
            InstanceState::Stopped => does.push(Verb::Stop([name.as_str().into()].into_iter().collect())),
        }
    }
    let does = (!does.is_empty()).then(|| does.into_iter().map(One::from).collect());
    let step = Step {
        step: Field::of("as it stands".into()),
        r#do: does.into(),
        expect: Field::of(expect),
        ..Step::default()
    };
    Ok(Document {
        sglab: Field::of(Version),
        era: Field::all([Choice::from(cloud.era)]),
        knobs: Field::of(knobs(cloud)),
        tracking: Field::of(tracking(cloud)),
        vpcs: Field::of(vpcs(cloud)?),
        hosts: Field::all(hosts),
        elastic_ips: Field::of(Or::Long(elastic_ips)),
        prefix_lists: Field::all(lists),
        groups: Field::all(groups.map(|(name, it)| (name.as_str().into(), group(cloud, it)))),
        instances: Field::of(instances?),
        load_balancers: Field::all(balancers),
        tables: Field::of(tables),
        scenario: Field::all([step]),
        ..Document::default()
    })
}

/// What the step expects, and the table that it names.
fn expected(promise: &Promise) -> (Expect, Map<Name<TableName>, Table>) {
    let mut expect = Expect::default();
    let mut tables = Map::default();
    match promise {
        Promise::Table { open, closed, ports } => {
            let said = |lines: &[String]| (!lines.is_empty()).then(|| lines.iter().map(Into::into).collect());
            tables.push(TABLE.into(), Table { open: said_any(open), ports: said_any(ports), ..Table::default() });
            expect.table = Field::all([TABLE.into()]);
            expect.closed = said(closed).into();
        }
        Promise::Flows(all) => {
            for (outcome, flows) in all.iter().filter(|(_, flows)| !flows.is_empty()) {
                let field = match outcome {
                    ExpectedOutcome::Open => &mut expect.open,
                    ExpectedOutcome::Refused => &mut expect.refused,
                    ExpectedOutcome::Closed => &mut expect.closed,
                    ExpectedOutcome::Dropped => &mut expect.dropped,
                    ExpectedOutcome::Unreachable => &mut expect.unreachable,
                };
                *field = Field::all(flows.iter().map(FlowSaid::from));
            }
        }
        Promise::RulesUnchanged => expect.rules = Field::of(Unchanged.into()),
    }
    (expect, tables)
}

fn said_any<T: for<'t> From<&'t String>>(words: &[String]) -> Field<Any<T>> {
    (!words.is_empty()).then(|| words.iter().map(T::from).collect()).into()
}

/// Who has an Elastic IP: an instance by its name alone where it has one interface.
fn holder(cloud: &Cloud, id: &InterfaceId) -> Holder {
    match cloud.instances.get(&id.instance).is_some_and(|it| it.interfaces.len() == 1) {
        true => Holder::from(&id.instance),
        false => Holder::from(id),
    }
}

/// What is not as it would be without a word.
fn unless<T: PartialEq, S: From<T>>(own: T, usual: T) -> Field<S> {
    (own != usual).then(|| S::from(own)).into()
}

fn knobs(cloud: &Cloud) -> Knobs {
    let (own, preset) = (cloud.knobs, cloud.era.knobs());
    Knobs {
        change_groups: unless(own.change_groups, preset.change_groups),
        self_reference: unless(own.self_reference, preset.self_reference),
        private_address_on_start: unless(own.private_address_on_start, preset.private_address_on_start),
        address_on_crash: unless(own.address_on_crash, preset.address_on_crash),
        elastic_ip_on_stop: unless(own.elastic_ip_on_stop, preset.elastic_ip_on_stop),
        quotas: unless(own.quotas, preset.quotas),
        group_reference_ipv6: unless(own.group_reference_ipv6, preset.group_reference_ipv6),
        icmp_errors: unless(own.icmp_errors, preset.icmp_errors),
        more: Vec::new(),
    }
}

fn tracking(cloud: &Cloud) -> Tracking {
    let (own, usual) = (cloud.tracking, crate::model::TrackingTimeouts::default());
    Tracking {
        tcp_established: unless(own.tcp_established, usual.tcp_established),
        udp: unless(own.udp, usual.udp),
        udp_stream: unless(own.udp_stream, usual.udp_stream),
        icmp: unless(own.icmp, usual.icmp),
        other: unless(own.other, usual.other),
        clock_factor: unless(own.clock_factor, usual.clock_factor),
    }
}

/// Nothing for the one VPC of a file that names none.
fn vpcs(cloud: &Cloud) -> Result<Map<Name<VpcName>, VpcSaid>, Unwritable> {
    if is_usual(cloud) {
        return Ok(Map::default());
    }
    let of_vpc = |(name, vpc): (&VpcName, &Vpc)| {
        let mut subnets = Map::default();
        for (subnet, cidr) in &vpc.subnets {
            let mut routes = Map::default();
            for route in vpc.routes.get(subnet).into_iter().flatten() {
                if cloud.interface(&route.target).is_none() {
                    let gone = format!("a route of subnet {subnet} leads to {}, which is not there", route.target);
                    return Err(Unwritable::NoWords(gone));
                }
                let target = match route.target.device {
                    0 => Holder::from(&route.target.instance),
                    _ => Holder::from(&route.target),
                };
                routes.push(route.destination.into(), target);
            }
            let said = match routes.entries.is_empty() {
                true => Subnet::Short(cidr.into()),
                false => {
                    let cidr = Field::of(cidr.into());
                    Subnet::Long(LongSubnet { cidr, routes: Field::of(routes), ..LongSubnet::default() })
                }
            };
            subnets.push(subnet.as_str().into(), said);
        }
        let ipv6 = vpc.ipv6.map(Into::into).into();
        let said =
            VpcSaid { cidr: Field::of(vpc.cidr.into()), ipv6, subnets: Field::of(subnets), ..VpcSaid::default() };
        Ok((name.as_str().into(), said))
    };
    cloud.vpcs.iter().map(of_vpc).collect()
}

fn is_usual(cloud: &Cloud) -> bool {
    let usual = |(name, vpc): (&VpcName, &Vpc)| {
        let one = vpc.subnets.len() == 1
            && vpc.subnets.iter().all(|(name, net)| name.as_str() == "default" && *net == vpc.cidr);
        name.as_str() == "default"
            && vpc.cidr == DEFAULT_VPC_CIDR
            && one
            && vpc.ipv6.is_none()
            && vpc.routes.values().all(Vec::is_empty)
    };
    cloud.vpcs.len() == 1 && cloud.vpcs.iter().all(usual)
}

fn group(cloud: &Cloud, group: &SecurityGroup) -> Group {
    let born_with = born_egress(cloud, &group.vpc);
    let same = |rule: &Rule, (traffic, peer): &(Traffic, Peer)| rule.traffic == *traffic && rule.peer == *peer;
    let as_born = group.egress.len() == born_with.len()
        && group.egress.iter().zip(&born_with).all(|(rule, born)| same(rule, born) && rule.description.is_none());
    let ingress = rules(&group.ingress, Direction::Ingress);
    let vpc = (cloud.vpcs.len() > 1).then(|| group.vpc.as_str().into());
    let egress = (cloud.has_egress_rules() && !as_born).then(|| rules(&group.egress, Direction::Egress));
    if vpc.is_none() && egress.is_none() && group.description.is_none() {
        return Group::Short(ingress);
    }
    let description = group.description.as_ref().map(Into::into).into();
    Group::Long(LongGroup { description, vpc: vpc.into(), ingress: Field::of(ingress), egress: egress.into() })
}

fn born_egress(cloud: &Cloud, vpc: &VpcName) -> Vec<(Traffic, Peer)> {
    let ipv6 = cloud.vpcs.get(vpc).is_some_and(|vpc| vpc.ipv6.is_some());
    let everywhere = [Some(IpNet::V4(Default::default())), ipv6.then(|| IpNet::V6(Default::default()))];
    everywhere.into_iter().flatten().map(|net| (Traffic::All, Peer::Cidr(net))).collect()
}

fn rules(rules: &[Rule], direction: Direction) -> Rules {
    rules.iter().map(|it| rule(it, direction)).collect()
}

/// A rule, in the long form if it has a description.
fn rule(rule: &Rule, direction: Direction) -> RuleSaid {
    let preposition = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let Some(description) = &rule.description else {
        return Or::Short(format!("{} {preposition} {}", rule.traffic, rule.peer).into());
    };
    let mut long = LongRule { description: Field::of(description.into()), ..LongRule::default() };
    let protocol = match rule.traffic {
        Traffic::All => "all".into(),
        Traffic::Protocol(number) => number.into(),
        Traffic::Tcp(_) => "tcp".into(),
        Traffic::Udp(_) => "udp".into(),
        Traffic::Icmp(_) => "icmp".into(),
        Traffic::Icmpv6(_) => "icmpv6".into(),
    };
    long.protocol = Field::of(protocol);
    match rule.traffic {
        Traffic::All | Traffic::Protocol(_) => {}
        Traffic::Tcp(ports) | Traffic::Udp(ports) => long.ports = Field::of(ports.into()),
        Traffic::Icmp(IcmpMatch::All) | Traffic::Icmpv6(IcmpMatch::All) => long.r#type = Field::of("all".into()),
        Traffic::Icmp(IcmpMatch::Type(kind)) | Traffic::Icmpv6(IcmpMatch::Type(kind)) => {
            long.r#type = Field::of(kind.into());
        }
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) | Traffic::Icmpv6(IcmpMatch::TypeAndCode(kind, code)) => {
            long.r#type = Field::of(kind.into());
            long.code = Field::of(u32::from(code).into());
        }
    }
    let peers = Field::all([(&rule.peer).into()]);
    match direction {
        Direction::Ingress => long.from = peers,
        Direction::Egress => long.to = peers,
    }
    Or::Long(long)
}

fn instance(cloud: &Cloud, name: &InstanceName, instance: &Instance) -> Result<InstanceSaid, Unwritable> {
    let Some((first, more)) = instance.interfaces.split_first() else {
        return Err(Unwritable::NoWords(format!("{name} has no interface")));
    };
    let has_lost_one = first.automatic_public == AutomaticPublic::Given && first.public.is_none();
    // Stopped or crashed, it may have lost it by that, and its private one as well.
    if instance.state != InstanceState::Stopped && first.private.is_some() && has_lost_one {
        let why = format!("{name} has lost its public address with an Elastic IP, and a launch would give it another");
        return Err(Unwritable::NoWords(why));
    }
    // A crash that releases the private address releases an automatic public one too; this one came later.
    let by_itself = first.public.is_some() && cloud.elastic_ip_of(&first.id).is_none();
    if instance.state == InstanceState::Crashed && first.private.is_none() && by_itself {
        let why = format!("{name} has got a public address since it crashed, in place of an Elastic IP");
        return Err(Unwritable::NoWords(why));
    }
    let InterfaceSaid { groups, subnet, address, source_dest_check } =
        interface(cloud, first, balancers::launched_with(cloud, name, first)?);
    let listens = (!instance.listens.is_empty()).then(|| instance.listens.iter().map(Into::into).collect());
    let daemons = instance.daemons.iter().map(|(name, daemon)| {
        let command = Either::List(daemon.command.iter().map(Into::into).collect());
        let (port, log) = (daemon.port.map(Into::into), daemon.log.as_ref().map(Into::into));
        let daemon = Daemon { command: Field::of(command), port: port.into(), log: log.into(), ..Daemon::default() };
        (name.as_str().into(), daemon)
    });
    let mut mounts = Mounts::default();
    instance.mounts.iter().for_each(|(place, source)| mounts.push(place.as_str(), &source.to_string()));
    let more = more.iter().map(|it| (format!("eth{}", it.id.device).into(), interface(cloud, it, it.private)));
    Ok(InstanceSaid {
        vpc: (cloud.vpcs.len() > 1).then(|| first.vpc.as_str().into()).into(),
        groups,
        subnet,
        address,
        source_dest_check,
        listens: listens.into(),
        services: Field::all(daemons),
        mounts: Field::of(mounts),
        public: unless(first.automatic_public, AutomaticPublic::Given),
        forwards: unless(instance.forwarding, Default::default()),
        interfaces: Field::all(more),
        ..InstanceSaid::default()
    })
}

fn interface(cloud: &Cloud, interface: &Interface, private: Option<PrivateIp>) -> InterfaceSaid {
    let first = cloud.vpcs.get(&interface.vpc).and_then(|vpc| vpc.subnets.keys().next());
    InterfaceSaid {
        groups: names(&interface.groups),
        subnet: (first != Some(&interface.subnet)).then(|| interface.subnet.as_str().into()).into(),
        address: private.map(Into::into).into(),
        source_dest_check: unless(interface.source_dest_check, Default::default()),
    }
}

/// Groups by their names.
fn names(groups: &indexmap::IndexSet<GroupName>) -> Field<Many<Name<GroupName>>> {
    Field::all(groups.iter().map(|group| Name::from(group.as_str())))
}

/// The `default` group is there before anything that a file says, so what became of its rules is the matter of a step.
fn edits_of_default(cloud: &Cloud, group: &SecurityGroup) -> Vec<Verb> {
    let mut born = Cloud::new(cloud.era, cloud.knobs, cloud.vpcs.clone(), Default::default());
    add_default_group(&mut born, &group.vpc);
    let Some(born) = born.groups.get(&GroupName::new(DEFAULT_GROUP)) else { return Vec::new() };
    let said = |rules: &[Rule]| {
        rules.iter().map(|it| (it.traffic, it.peer.clone(), it.description.clone())).collect::<Vec<_>>()
    };
    let mut edits = Vec::new();
    let mut edit = |verb: fn(RulesOfGroups) -> Verb, changed: &[Rule], direction| {
        if !changed.is_empty() {
            edits.push(verb([(DEFAULT_GROUP.into(), rules(changed, direction))].into_iter().collect()));
        }
    };
    if said(&born.ingress) != said(&group.ingress) {
        edit(Verb::Revoke, &born.ingress, Direction::Ingress);
        edit(Verb::Authorize, &group.ingress, Direction::Ingress);
    }
    if cloud.has_egress_rules() && said(&born.egress) != said(&group.egress) {
        edit(Verb::RevokeEgress, &born.egress, Direction::Egress);
        edit(Verb::AuthorizeEgress, &group.egress, Direction::Egress);
    }
    edits
}
