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
    let reading = Reading { cloud, file };
    let mut account = Account { sources: [SourceKind::Topology].into(), ..Account::default() };
    reading.networks(&mut account);
    account.prefix_lists = reading.prefix_lists();
    account.groups = reading.groups();
    account.interfaces = reading.interfaces();
    account
}

/// A cloud with the name of its topology.
struct Reading<'c> {
    cloud: &'c Cloud,
    file: &'c str,
}

impl Reading<'_> {
    fn origin(&self, resource: &str, place: Option<&SourceLocation>) -> Origin {
        let begin = || SourceLocation { file: self.file.into(), line: 1, column: 1 };
        Origin::new(ResourceId::new(resource), place.cloned().unwrap_or_else(begin))
    }

    fn networks(&self, into: &mut Account) {
        for (name, vpc) in &self.cloud.vpcs {
            let id = ResourceId::new(name.as_str());
            let ipv6 = vpc.ipv6.into_iter().map(IpNet::V6).collect();
            let origin = self.origin(name.as_str(), None);
            into.vpcs.insert(id.clone(), Vpc { label: name.to_string(), blocks: vec![vpc.cidr], ipv6, origin });
            for (subnet, block) in &vpc.subnets {
                into.subnets.insert(
                    subnet_id(name.as_str(), subnet.as_str()),
                    Subnet {
                        label: subnet.to_string(),
                        vpc: Some(id.clone()),
                        block: Some(*block),
                        automatic_public: Known::Is(!vpc.without_public.contains(subnet)),
                        ipv6: vpc.ipv6_subnet(subnet).map_or(Ipv6Block::None, Ipv6Block::Is),
                        automatic_ipv6: Known::Is(vpc.ipv6_subnet(subnet).is_some()),
                        origin: self.origin(subnet.as_str(), None),
                    },
                );
            }
        }
    }

    fn prefix_lists(&self) -> IndexMap<ResourceId, PrefixList> {
        let lists = self.cloud.prefix_lists.iter().map(|(name, list)| {
            let list = PrefixList {
                label: name.to_string(),
                entries: Known::Is(list.entries.iter().copied().collect()),
                descriptions: IndexMap::new(),
                max_entries: Some(list.max_entries),
                address_family: None,
                published: None,
                origin: self.origin(name.as_str(), None),
            };
            (ResourceId::new(name.as_str()), list)
        });
        lists.collect()
    }

    fn groups(&self) -> IndexMap<ResourceId, SecurityGroup> {
        let groups = self.cloud.groups.iter().map(|(name, group)| {
            let origin = self.origin(name.as_str(), group.place.as_ref());
            let rule = |rule: &ModelRule| Rule {
                traffic: Known::Is(rule.traffic),
                peer: peer(&rule.peer),
                description: rule.description.clone(),
                // A rule that EC2 makes itself stands where its group does.
                origin: self.origin(name.as_str(), rule.place.as_ref().or(group.place.as_ref())),
            };
            let egress = match self.cloud.has_egress_rules() {
                true => group.egress.iter().map(rule).collect(),
                false => everything(&origin, self.cloud),
            };
            let group = SecurityGroup {
                label: name.to_string(),
                name: Some(group.name.as_str().to_owned()),
                description: group.description.clone(),
                vpc: Some(ResourceId::new(group.vpc.as_str())),
                ingress: group.ingress.iter().map(rule).collect(),
                egress,
                origin,
            };
            (ResourceId::new(name.as_str()), group)
        });
        groups.collect()
    }

    fn interfaces(&self) -> IndexMap<ResourceId, Interface> {
        let interfaces = self.cloud.network_interfaces();
        interfaces.map(|interface| (ResourceId::new(&interface.id.to_string()), self.interface(interface))).collect()
    }

    fn interface(&self, interface: &Eni) -> Interface {
        let holder = match self.cloud.state_of(&interface.id) {
            _ if matches!(interface.id, InterfaceId::LoadBalancer(_)) => Holder::LoadBalancer,
            Some(InstanceState::Running) => Holder::Instance,
            _ => Holder::StoppedInstance,
        };
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
            groups: Known::Is(
                interface.groups.iter().map(|name| ResourceId::new(name.as_str())).collect::<IndexSet<_>>(),
            ),
            addresses: private.into_iter().chain(secondary).chain(prefixes).chain(ipv6).collect(),
            ipv6_later: 0,
            public: if public.is_empty() { Public::None } else { Public::At(public) },
            origin: self.origin(&holder_of(&interface.id), place_of(self.cloud, &interface.id)),
            label,
        }
    }
}

/// Services by interface of a cloud's instances, as their topology says them.
pub fn listeners_of(cloud: &Cloud) -> HashMap<ResourceId, IndexSet<Service>> {
    let services = |(_, instance, interface): (&_, &Instance, &Eni)| {
        (ResourceId::new(&interface.id.to_string()), instance.listens.clone())
    };
    cloud.interfaces().map(services).collect()
}

/// The resource that says an interface: a further one is a part of its instance.
fn holder_of(id: &InterfaceId) -> String {
    match id {
        InterfaceId::Instance(at) => at.instance.to_string(),
        InterfaceId::LoadBalancer(name) => name.to_string(),
    }
}

fn place_of<'c>(cloud: &'c Cloud, id: &InterfaceId) -> Option<&'c SourceLocation> {
    match id {
        InterfaceId::Instance(at) => cloud.instances.get(&at.instance)?.place.as_ref(),
        InterfaceId::LoadBalancer(name) => cloud.load_balancers.get(name)?.place.as_ref(),
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
