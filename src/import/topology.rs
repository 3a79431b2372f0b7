//! A topology's cloud as an account, so that files of sglab's own and imported ones are compared in one way.

use std::collections::HashMap;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::placed::all_traffic;
use crate::account::{
    Account, Holder, Interface, Ipv6Block, Known, Origin, Peer, PrefixList, Public, ResourceId, Rule, SecurityGroup,
    SourceKind, Subnet, Vpc,
};
use crate::model::{
    Cloud, Instance, InstanceState, Interface as Eni, InterfaceId, PrefixFamily, Rule as ModelRule, Service,
    SourceLocation,
};

/// The account that a cloud is. `file` is the name of its topology, for what has no place of its own.
pub fn account_of(cloud: &Cloud, file: &str) -> Account {
    let origin = |resource: &str, place: &Option<SourceLocation>| {
        let place = place.clone().unwrap_or_else(|| SourceLocation { file: file.into(), line: 1, column: 1 });
        Origin::new(ResourceId::new(resource), place)
    };
    let mut account = Account { sources: [SourceKind::Topology].into(), ..Account::default() };
    for (name, vpc) in &cloud.vpcs {
        let id = ResourceId::new(name.as_str());
        let ipv6 = vpc.ipv6.into_iter().map(IpNet::V6).collect();
        account.vpcs.insert(
            id.clone(),
            Vpc { label: name.to_string(), blocks: vec![vpc.cidr], ipv6, origin: origin(name.as_str(), &None) },
        );
        for (subnet, block) in &vpc.subnets {
            account.subnets.insert(
                subnet_id(name.as_str(), subnet.as_str()),
                Subnet {
                    label: subnet.to_string(),
                    vpc: Some(id.clone()),
                    block: Some(*block),
                    automatic_public: Known::Is(!vpc.without_public.contains(subnet)),
                    ipv6: vpc.ipv6_subnet(subnet).map_or(Ipv6Block::None, Ipv6Block::Is),
                    automatic_ipv6: Known::Is(vpc.ipv6_subnet(subnet).is_some()),
                    origin: origin(subnet.as_str(), &None),
                },
            );
        }
    }
    for (name, list) in &cloud.prefix_lists {
        let entries = Known::Is(list.entries.iter().copied().collect());
        let list = PrefixList {
            label: name.to_string(),
            entries,
            descriptions: IndexMap::new(),
            max_entries: Some(list.max_entries),
            origin: origin(name.as_str(), &None),
        };
        account.prefix_lists.insert(ResourceId::new(name.as_str()), list);
    }
    for (name, group) in &cloud.groups {
        let rules = |rules: &[ModelRule]| {
            rules
                .iter()
                .map(|rule| Rule {
                    traffic: Known::Is(rule.traffic),
                    peer: peer(&rule.peer),
                    description: rule.description.clone(),
                    // A rule that EC2 makes itself stands where its group does.
                    origin: origin(name.as_str(), if rule.place.is_some() { &rule.place } else { &group.place }),
                })
                .collect()
        };
        let egress = if cloud.has_egress_rules() {
            rules(&group.egress)
        } else {
            everything(&origin(name.as_str(), &group.place), cloud)
        };
        account.groups.insert(
            ResourceId::new(name.as_str()),
            SecurityGroup {
                label: name.to_string(),
                name: Some(group.name.as_str().to_owned()),
                description: group.description.clone(),
                vpc: Some(ResourceId::new(group.vpc.as_str())),
                ingress: rules(&group.ingress),
                egress,
                origin: origin(name.as_str(), &group.place),
            },
        );
    }
    for interface in cloud.network_interfaces() {
        let holder = match cloud.state_of(&interface.id) {
            _ if matches!(interface.id, InterfaceId::LoadBalancer(_)) => Holder::LoadBalancer,
            Some(InstanceState::Running) => Holder::Instance,
            _ => Holder::StoppedInstance,
        };
        let id = ResourceId::new(&interface.id.to_string());
        account.interfaces.insert(id, interface_of(interface, holder, &origin, place_of(cloud, &interface.id)));
    }
    account
}

/// Services by interface of a cloud's instances, as their topology says them.
pub fn listeners_of(cloud: &Cloud) -> HashMap<ResourceId, IndexSet<Service>> {
    let told = |(_, instance, interface): (&_, &Instance, &Eni)| {
        (ResourceId::new(&interface.id.to_string()), instance.listens.clone())
    };
    cloud.interfaces().map(told).collect()
}

fn interface_of(
    interface: &Eni,
    holder: Holder,
    origin: &dyn Fn(&str, &Option<SourceLocation>) -> Origin,
    place: Option<SourceLocation>,
) -> Interface {
    let label = interface.id.to_string();
    let label = label.strip_suffix(".eth0").map(str::to_owned).unwrap_or(label);
    let private = interface.private.map(|address| IpNet::from(IpAddr::V4(address.0)));
    let secondary = interface.secondary.iter().filter_map(|it| it.ipv4()).map(IpNet::V4);
    let (ipv6, prefixes): (Vec<IpNet>, Vec<IpNet>) =
        interface.ipv6_blocks().map(IpNet::V6).partition(|block| block.prefix_len() == 128);
    let public = interface.public.map(|address| IpAddr::V4(address.0));
    let public: Vec<IpAddr> = public.into_iter().chain(prefixes.iter().chain(&ipv6).map(IpNet::addr)).collect();
    Interface {
        holder,
        vpc: Some(ResourceId::new(interface.vpc.as_str())),
        subnet: Some(subnet_id(interface.vpc.as_str(), interface.subnet.as_str())),
        groups: Known::Is(interface.groups.iter().map(|name| ResourceId::new(name.as_str())).collect::<IndexSet<_>>()),
        addresses: private.into_iter().chain(secondary).chain(prefixes).chain(ipv6).collect(),
        ipv6_later: 0,
        public: if public.is_empty() { Public::None } else { Public::At(public) },
        origin: origin(&holder_of(&interface.id), &place),
        label,
    }
}

/// The resource that says an interface: a further one is a part of its instance.
fn holder_of(id: &InterfaceId) -> String {
    match id {
        InterfaceId::Instance(at) => at.instance.to_string(),
        InterfaceId::LoadBalancer(name) => name.to_string(),
    }
}

fn place_of(cloud: &Cloud, id: &InterfaceId) -> Option<SourceLocation> {
    match id {
        InterfaceId::Instance(at) => cloud.instances.get(&at.instance)?.place.clone(),
        InterfaceId::LoadBalancer(name) => cloud.load_balancers.get(name)?.place.clone(),
    }
}

/// The egress of members in eras without egress rules: everything.
fn everything(origin: &Origin, cloud: &Cloud) -> Vec<Rule> {
    let ipv6 = cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some());
    let families = PrefixFamily::BOTH.into_iter().filter(|family| ipv6 || family.is_ipv4());
    families.map(|family| all_traffic(Peer::Block(family.every_address()), origin)).collect()
}

fn subnet_id(vpc: &str, subnet: &str) -> ResourceId {
    ResourceId::new(&format!("{vpc}/{subnet}"))
}

fn peer(peer: &crate::model::Peer) -> Peer {
    match peer {
        crate::model::Peer::Cidr(block) => Peer::Block(*block),
        crate::model::Peer::Group(name) => Peer::Group(ResourceId::new(name.as_str())),
        crate::model::Peer::PrefixList(name) => Peer::PrefixList(ResourceId::new(name.as_str())),
    }
}
