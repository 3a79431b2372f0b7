//! A cloud as the document that says it.

use ipnet::IpNet;

use super::super::document::Document;
use super::super::document::groups::{Group, LongGroup, LongRule, Rule as RuleSaid, Rules};
use super::super::document::instances::{Instance as InstanceSaid, Interface as InterfaceSaid, Process};
use super::super::document::networks::{Host, LongHost, LongPrefixList, LongSubnet, Subnet, Vpc as VpcSaid};
use super::super::document::scenario::{Expect, RulesOfGroups, Step, Table, Verb};
use super::super::document::settings::{Knobs, Tracking};
use super::super::document::shape::{Any, At, Either, Field, Map, One, Or};
use super::super::document::values::{Choice, EveryHost, Mounts, Unchanged, Version};
use super::super::document::words::{Flow as FlowSaid, Holder, Ipv6Address, Ipv6Subnet, ListedBlock, Name};
use super::super::expected::ExpectedOutcome;
use super::super::patterns::Egress;
use super::balancers;
use super::common::{Promise, Unwritable, is_amazons, names, unless};
use crate::model::{
    Attachment, AutomaticPublic, Cloud, DEFAULT_VPC_CIDR, Direction, GroupName, IcmpMatch, Instance, InstanceName,
    InstanceState, Interface, Mtu, Peer, PrivateIp, Rule, SecurityGroup, TableName, Traffic, Vpc, VpcName,
    add_default_group, automatic_ipv6,
};

/// The table of a file that is written.
const TABLE: &str = "as-it-stands";

/// The file that a cloud would be.
pub(super) fn document(cloud: &Cloud, promise: &Promise) -> Result<Document, Unwritable> {
    let hosts = cloud.hosts.iter().map(|(name, host)| {
        let addresses = host.addresses.iter().map(Into::into).collect();
        let host = match host.mtu {
            Mtu::ETHERNET => Host::Short(addresses),
            mtu => {
                Host::Long(LongHost { address: Field::of(addresses), mtu: Field::of(mtu.into()), at: At::default() })
            }
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
        let max_entries = Field::of(list.max_entries.into());
        let long = LongPrefixList { entries, max_entries, at: At::default() };
        (name.as_str().into(), Or::Long(long))
    });
    let (defaults, groups): (Vec<_>, Vec<_>) =
        cloud.groups.iter().filter(|(name, _)| !is_amazons(name)).partition(|(_, group)| group.is_default());
    let instances: Result<Map<_, _>, _> =
        cloud.instances.iter().map(|(name, it)| Ok((name.as_str().into(), instance(cloud, name, it)?))).collect();
    let balancers = cloud.load_balancers.iter().map(|(name, it)| (name.as_str().into(), balancers::entry(cloud, it)));
    let (expect, tables) = expected(promise);
    let mut does = Vec::new();
    does.extend(defaults.into_iter().flat_map(|(name, group)| edits_of_default(cloud, name, group)));
    for (name, instance) in &cloud.instances {
        match instance.state {
            InstanceState::Running => {}
            InstanceState::Crashed => does.push(Verb::Crash([name.as_str().into()].into_iter().collect())),
            InstanceState::Stopped => does.push(Verb::Stop([name.as_str().into()].into_iter().collect())),
        }
    }
    let does = (!does.is_empty()).then(|| does.into_iter().map(One::from).collect());
    let step = (does.is_some() || expect.is_some()).then(|| Step {
        step: Field::of("as it stands".into()),
        r#do: does.into(),
        expect: expect.into(),
        // Not of a cloud as it stands.
        eras: Field::default(),
        note: Field::default(),
        during: Field::default(),
        at: At::default(),
    });
    Ok(Document {
        sglab: Field::of(Version),
        era: Field::all([Choice::from(cloud.era)]),
        knobs: Field::of(knobs(cloud)),
        tracking: Field::of(tracking(cloud)),
        vpcs: Field::of(vpcs(cloud)?),
        hosts: Field::all(hosts),
        elastic_ips: Field::of(Or::Long(elastic_ips)),
        prefix_lists: Field::all(lists),
        groups: Field::all(groups.into_iter().map(|(name, it)| (name.as_str().into(), group(cloud, name, it)))),
        instances: Field::of(instances?),
        load_balancers: Field::all(balancers),
        tables: Field::of(tables),
        scenario: Field::all(step),
        at: At::default(),
    })
}

/// Converts a promise into the expectations of the step, and the table that they name.
fn expected(promise: &Promise) -> (Option<Expect>, Map<Name<TableName>, Table>) {
    let mut expect = Expect::default();
    let mut tables = Map::default();
    match promise {
        Promise::Table { egress, open, closed, ports } => {
            let said = |lines: &[String]| (!lines.is_empty()).then(|| lines.iter().map(Into::into).collect());
            tables.push(
                TABLE.into(),
                Table {
                    open: said_any(open),
                    ports: said_any(ports),
                    egress: (*egress == Egress::All).then(|| EveryHost.into()).into(),
                    // Every cell is said, by its own address.
                    like: Field::default(),
                    by: Field::default(),
                },
            );
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
        Promise::Nothing => return (None, tables),
    }
    (Some(expect), tables)
}

fn said_any<T: for<'t> From<&'t String>>(words: &[String]) -> Field<Any<T>> {
    (!words.is_empty()).then(|| words.iter().map(T::from).collect()).into()
}

/// Writes the holder of an Elastic IP: an instance by its name alone where it has one interface.
fn holder(cloud: &Cloud, id: &Attachment) -> Holder {
    match cloud.instances.get(&id.instance).is_some_and(|it| it.interfaces.len() == 1) {
        true => Holder::from(&id.instance),
        false => Holder::from(id),
    }
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
                if cloud.attached(&route.target).is_none() {
                    let gone = format!("a route of subnet {subnet} leads to {}, which is not there", route.target);
                    return Err(Unwritable::NoWords(gone));
                }
                let target = match route.target.device {
                    0 => Holder::from(&route.target.instance),
                    _ => Holder::from(&route.target),
                };
                routes.push(route.destination.into(), target);
            }
            let public = unless(vpc.automatic_public(subnet), AutomaticPublic::Given);
            let usual = vpc.ipv6.and_then(|block| block.subnets(64).ok()?.nth(vpc.subnets.get_index_of(subnet)?));
            let ipv6: Field<Ipv6Subnet> = match vpc.ipv6_subnet(subnet) {
                own if own == usual => Field::default(),
                None => Field::of("no".into()),
                Some(own) => Field::of(own.to_string().as_str().into()),
            };
            let said = match routes.entries.is_empty() && public.get().is_none() && ipv6.get().is_none() {
                true => Subnet::Short(cidr.into()),
                false => {
                    let cidr = Field::of(cidr.into());
                    Subnet::Long(LongSubnet { cidr, routes: Field::of(routes), public, ipv6, at: At::default() })
                }
            };
            subnets.push(subnet.as_str().into(), said);
        }
        let ipv6 = vpc.ipv6.map(Into::into).into();
        let said = VpcSaid { cidr: Field::of(vpc.cidr.into()), ipv6, subnets: Field::of(subnets), at: At::default() };
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
            && vpc.without_public.is_empty()
    };
    cloud.vpcs.len() == 1 && cloud.vpcs.iter().all(usual)
}

fn group(cloud: &Cloud, name: &GroupName, group: &SecurityGroup) -> Group {
    let born_with = born_egress(cloud, &group.vpc);
    let same = |rule: &Rule, (traffic, peer): &(Traffic, Peer)| rule.traffic == *traffic && rule.peer == *peer;
    let as_born = group.egress.len() == born_with.len()
        && group.egress.iter().zip(&born_with).all(|(rule, born)| same(rule, born) && rule.description.is_none());
    let ingress = rules(&group.ingress, Direction::Ingress);
    let vpc = (cloud.vpcs.len() > 1).then(|| group.vpc.as_str().into());
    let egress = (cloud.has_egress_rules() && !as_born).then(|| rules(&group.egress, Direction::Egress));
    let name = group.other_name(name).map(Into::into);
    if name.is_none() && vpc.is_none() && egress.is_none() && group.description.is_none() {
        return Group::Short(ingress);
    }
    let description = group.description.as_ref().map(Into::into).into();
    Group::Long(LongGroup {
        name: name.into(),
        description,
        vpc: vpc.into(),
        ingress: Field::of(ingress),
        egress: egress.into(),
    })
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
    let preposition = direction.preposition();
    let Some(description) = &rule.description else {
        return Or::Short(format!("{} {preposition} {}", rule.traffic, rule.peer).into());
    };
    let protocol = match rule.traffic {
        Traffic::All => "all".into(),
        Traffic::Protocol(number) => number.into(),
        Traffic::Tcp(_) => "tcp".into(),
        Traffic::Udp(_) => "udp".into(),
        Traffic::Icmp(_) => "icmp".into(),
        Traffic::Icmpv6(_) => "icmpv6".into(),
    };
    let ports = match rule.traffic {
        Traffic::Tcp(ports) | Traffic::Udp(ports) => Field::of(ports.into()),
        Traffic::All | Traffic::Protocol(_) | Traffic::Icmp(_) | Traffic::Icmpv6(_) => Field::default(),
    };
    let (kind, code) = match rule.traffic {
        Traffic::All | Traffic::Protocol(_) | Traffic::Tcp(_) | Traffic::Udp(_) => (Field::default(), Field::default()),
        Traffic::Icmp(IcmpMatch::All) | Traffic::Icmpv6(IcmpMatch::All) => (Field::of("all".into()), Field::default()),
        Traffic::Icmp(IcmpMatch::Type(kind)) | Traffic::Icmpv6(IcmpMatch::Type(kind)) => {
            (Field::of(kind.into()), Field::default())
        }
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) | Traffic::Icmpv6(IcmpMatch::TypeAndCode(kind, code)) => {
            (Field::of(kind.into()), Field::of(code.into()))
        }
    };
    let peers = Field::all([(&rule.peer).into()]);
    let (from, to) = match direction {
        Direction::Ingress => (peers, Field::default()),
        Direction::Egress => (Field::default(), peers),
    };
    Or::Long(LongRule {
        protocol: Field::of(protocol),
        // A range of one is a port as well.
        port: Field::default(),
        ports,
        r#type: kind,
        code,
        from,
        to,
        description: Field::of(description.into()),
        at: At::default(),
    })
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
    let by_itself = first.public.is_some() && first.id.attachment().and_then(|at| cloud.elastic_ip_of(at)).is_none();
    if instance.state == InstanceState::Crashed && first.private.is_none() && by_itself {
        let why = format!("{name} has got a public address since it crashed, in place of an Elastic IP");
        return Err(Unwritable::NoWords(why));
    }
    let InterfaceSaid { groups, subnet, address, ipv6, secondary_addresses, source_dest_check } =
        interface(cloud, first, balancers::launched_with(cloud, name, first)?);
    let listens = (!instance.listens.is_empty()).then(|| instance.listens.iter().map(Into::into).collect());
    let processes = instance.processes.iter().map(|(name, process)| {
        let command = Either::List(process.command.iter().map(Into::into).collect());
        let (port, log) = (process.port.map(Into::into), process.log.as_ref().map(Into::into));
        let process = Process { command: Field::of(command), port: port.into(), log: log.into(), at: At::default() };
        (name.as_str().into(), process)
    });
    let mut mounts = Mounts::default();
    instance.mounts.iter().for_each(|(place, source)| mounts.push(place.as_str(), &source.to_string()));
    let subnet_of = |it: &Interface| cloud.vpcs.get(&it.vpc).map(|vpc| vpc.automatic_public(&it.subnet));
    let usual = subnet_of(first).unwrap_or(AutomaticPublic::Given);
    let more = more.iter().map(|it| (format!("eth{}", it.id.device()).into(), interface(cloud, it, it.private)));
    Ok(InstanceSaid {
        vpc: (cloud.vpcs.len() > 1).then(|| first.vpc.as_str().into()).into(),
        groups,
        subnet,
        address,
        ipv6,
        secondary_addresses,
        source_dest_check,
        listens: listens.into(),
        services: Field::all(processes),
        mounts: Field::of(mounts),
        public: unless(first.automatic_public, usual),
        forwards: unless(instance.forwarding, Default::default()),
        interfaces: Field::all(more),
        at: At::default(),
    })
}

fn interface(cloud: &Cloud, interface: &Interface, private: Option<PrivateIp>) -> InterfaceSaid {
    let first = cloud.vpcs.get(&interface.vpc).and_then(|vpc| vpc.subnets.keys().next());
    InterfaceSaid {
        groups: names(&interface.groups),
        subnet: (first != Some(&interface.subnet)).then(|| interface.subnet.as_str().into()).into(),
        address: private.map(Into::into).into(),
        ipv6: ipv6(cloud, interface),
        secondary_addresses: (!interface.secondary.is_empty())
            .then(|| interface.secondary.iter().map(Into::into).collect())
            .into(),
        source_dest_check: match interface.id.attachment().is_some_and(|at| is_routed_to(cloud, at)) {
            // Beside a route the file says it, whichever it is.
            true => Field::of(interface.source_dest_check.into()),
            false => unless(interface.source_dest_check, Default::default()),
        },
    }
}

/// The first IPv6 address of an interface as a file says it; nothing where the interface gets it by itself.
fn ipv6(cloud: &Cloud, interface: &Interface) -> Field<Ipv6Address> {
    let block = cloud.vpcs.get(&interface.vpc).and_then(|vpc| vpc.ipv6_subnet(&interface.subnet));
    match (interface.ipv6, block) {
        (None, Some(_)) => Field::of("no".into()),
        (Some(own), Some(block)) if own.0 != automatic_ipv6(block, interface.number) => {
            Field::of(own.to_string().as_str().into())
        }
        (Some(_) | None, _) => Field::default(),
    }
}

/// Tells whether a route leads to an interface.
fn is_routed_to(cloud: &Cloud, id: &Attachment) -> bool {
    cloud.vpcs.values().flat_map(|vpc| vpc.routes.values()).flatten().any(|route| route.target == *id)
}

/// A default group is there before anything that a file says, so what became of its rules is the matter of a step.
fn edits_of_default(cloud: &Cloud, name: &GroupName, group: &SecurityGroup) -> Vec<Verb> {
    let mut born = Cloud::new(cloud.era, cloud.knobs, cloud.vpcs.clone(), Default::default());
    add_default_group(&mut born, &group.vpc);
    let Some(born) = born.groups.get(name) else { return Vec::new() };
    let said = |rules: &[Rule]| {
        rules.iter().map(|it| (it.traffic, it.peer.clone(), it.description.clone())).collect::<Vec<_>>()
    };
    let mut edits = Vec::new();
    let mut edit = |verb: fn(RulesOfGroups) -> Verb, changed: &[Rule], direction| {
        if !changed.is_empty() {
            edits.push(verb([(name.as_str().into(), rules(changed, direction))].into_iter().collect()));
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
