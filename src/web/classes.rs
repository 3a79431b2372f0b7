//! Ends that rules do not tell apart: many instances as one row, one column and one box.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::model::{
    Cloud, Direction, Endpoint, Forwarding, GroupName, HostName, Instance, InstanceName, InstanceState, Interface,
    InterfaceId, Peer, Rule, Service, SourceDestCheck, SubnetName, Traffic, VpcName,
};

/// Instances that the same rules are about, by the same words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClassKey {
    /// A host outside.
    Host(HostName),
    /// A load balancer, by its name.
    LoadBalancer(String),
    /// Interfaces of instances.
    Interfaces(Box<Alike>),
    /// One interface, which somebody wants to see by itself.
    One(String),
}

/// All that tells interfaces apart for groups and routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alike {
    place: (VpcName, SubnetName),
    /// Rules in effect.
    rules: BTreeSet<(Direction, Traffic, Peer)>,
    /// Its groups that rules name.
    named: BTreeSet<GroupName>,
    /// Blocks in rules that hold an address of it.
    blocks: BTreeSet<IpNet>,
    traits: BTreeSet<Trait>,
    /// The next hop of a route is like nobody else.
    next_hop: Option<String>,
    listens: BTreeSet<Service>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Trait {
    Runs,
    Public,
    Ipv6,
    SourceDestCheck,
    ForwardsAsIs,
    ForwardsByNat,
}

/// A class with its members.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its title: the groups that matter, or the name of its one member.
    pub title: String,
    /// Its title, with names of its members where another class has the same.
    pub name: String,
    /// The key that its members have in common.
    pub key: ClassKey,
    /// Its members, in the order of their launch; those that do not run are no ends of flows.
    pub members: Vec<Member>,
}

/// A member of a class.
#[derive(Clone, Debug)]
pub struct Member {
    /// As an end of flows.
    pub end: Endpoint,
    /// True where it runs, or is outside.
    pub runs: bool,
}

/// The classes of a cloud, in the order of their first members: hosts first.
pub struct Classes {
    all: IndexMap<ClassKey, Class>,
}

impl Classes {
    /// Puts every end of a cloud into its class. Classes whose title is in `open` are taken apart.
    pub fn new(cloud: &Cloud, open: &BTreeSet<String>) -> Self {
        let rules = Named::new(cloud);
        let mut all: IndexMap<ClassKey, Class> = IndexMap::new();
        let mut put = |key: ClassKey, title: String, member: Member| {
            let class = all.entry(key.clone()).or_insert_with(|| Class {
                name: title.clone(),
                title,
                key,
                members: Vec::new(),
            });
            class.members.push(member);
        };
        for (name, host) in &cloud.hosts {
            for address in &host.addresses {
                let end = Endpoint::Host(name.clone(), *address);
                put(ClassKey::Host(name.clone()), name.to_string(), Member { end, runs: true });
            }
        }
        for (name, balancer) in &cloud.load_balancers {
            let end = Endpoint::LoadBalancer(name.clone(), balancer.scheme);
            put(ClassKey::LoadBalancer(name.to_string()), name.to_string(), Member { end, runs: true });
        }
        for (name, instance) in &cloud.instances {
            for interface in &instance.interfaces {
                let member = Member { end: end_of(name, interface), runs: instance.state == InstanceState::Running };
                let title = rules.title(name, interface);
                let key = if open.contains(&title) {
                    ClassKey::One(member.end.to_string())
                } else {
                    ClassKey::Interfaces(Box::new(rules.alike(instance, interface)))
                };
                put(key, title, member);
            }
        }
        let mut classes = Self { all };
        classes.name_twins();
        classes
    }

    /// Adds names of members to titles that several classes have.
    fn name_twins(&mut self) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for class in self.all.values() {
            *counts.entry(class.title.clone()).or_default() += 1;
        }
        for class in self.all.values_mut().filter(|class| matches!(class.key, ClassKey::Interfaces(_))) {
            let names: Vec<String> = class.members.iter().map(|member| member.end.to_string()).collect();
            class.name = match names.as_slice() {
                _ if counts.get(&class.title).is_none_or(|count| *count < 2) => class.title.clone(),
                [one, two, rest @ ..] if rest.len() > 1 => format!("{} ({one}, {two} …)", class.title),
                all => format!("{} ({})", class.title, all.join(", ")),
            };
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Class> {
        self.all.values()
    }

    /// Number of ends in all of them.
    pub fn ends(&self) -> usize {
        self.all.values().map(|class| class.members.len()).sum()
    }

    /// For each end, the index of its class.
    pub fn by_end(&self) -> IndexMap<&Endpoint, usize> {
        let of = |(index, class)| {
            let class: &Class = class;
            class.members.iter().map(move |member| (&member.end, index))
        };
        self.all.values().enumerate().flat_map(of).collect()
    }
}

impl Class {
    /// Number of members that run.
    pub fn running(&self) -> usize {
        self.members.iter().filter(|member| member.runs).count()
    }
}

fn end_of(name: &InstanceName, interface: &Interface) -> Endpoint {
    match &interface.id {
        InterfaceId::Instance(at) if at.device > 0 => Endpoint::Interface(at.clone()),
        _ => Endpoint::Instance(name.clone()),
    }
}

/// Groups and blocks that rules of a cloud name.
struct Named<'a> {
    cloud: &'a Cloud,
    groups: BTreeSet<&'a GroupName>,
    blocks: BTreeSet<IpNet>,
    /// Groups of every interface.
    of_all: BTreeSet<&'a GroupName>,
    /// Next hops of routes, each by its name.
    next_hops: HashMap<InterfaceId, String>,
}

impl<'a> Named<'a> {
    fn new(cloud: &'a Cloud) -> Self {
        let mut interfaces = cloud.instances.values().flat_map(|instance| &instance.interfaces);
        let first: BTreeSet<&GroupName> = interfaces.next().into_iter().flat_map(|it| &it.groups).collect();
        let of_all =
            interfaces.fold(first, |all, it| all.into_iter().filter(|name| it.groups.contains(*name)).collect());
        let routes = cloud.vpcs.values().flat_map(|vpc| vpc.routes.values().flatten());
        let next_hops = routes.map(|route| (route.target.clone().into(), route.target.short())).collect();
        let mut named = Self { cloud, groups: BTreeSet::new(), blocks: BTreeSet::new(), of_all, next_hops };
        for rule in cloud.groups.values().flat_map(|group| group.all_rules()) {
            named.groups.extend(rule.peer.group());
            named.blocks.extend(rule.peer.block().filter(|block| block.prefix_len() > 0));
        }
        named.blocks.extend(cloud.prefix_lists.values().flat_map(|list| list.entries.iter().copied()));
        named
    }

    fn alike(&self, instance: &Instance, interface: &Interface) -> Alike {
        let groups = || interface.groups.iter().filter_map(|name| self.cloud.groups.get(name));
        let of = |direction: Direction, rules: &'a [Rule]| {
            rules.iter().map(move |rule| (direction, rule.traffic, rule.peer.clone()))
        };
        let rules = groups().flat_map(|group| {
            let egress = if self.cloud.has_egress_rules() { group.egress.as_slice() } else { &[] };
            of(Direction::Ingress, &group.ingress).chain(of(Direction::Egress, egress))
        });
        let addresses: Vec<IpNet> = [
            interface.private.map(|it| IpNet::from(std::net::IpAddr::from(it.0))),
            interface.public.map(|it| IpNet::from(std::net::IpAddr::from(it.0))),
            interface.ipv6.map(|it| IpNet::from(std::net::IpAddr::from(it.0))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let traits = [
            (Trait::Runs, instance.state == InstanceState::Running),
            (Trait::Public, interface.public.is_some()),
            (Trait::Ipv6, interface.ipv6.is_some()),
            (Trait::SourceDestCheck, interface.source_dest_check == SourceDestCheck::On),
            (Trait::ForwardsAsIs, instance.forwarding == Forwarding::Plain),
            (Trait::ForwardsByNat, instance.forwarding == Forwarding::Nat),
        ];
        let holds = |block: &&IpNet| addresses.iter().any(|address| block.contains(address));
        Alike {
            place: (interface.vpc.clone(), interface.subnet.clone()),
            rules: rules.collect(),
            named: interface.groups.iter().filter(|name| self.groups.contains(name)).cloned().collect(),
            blocks: self.blocks.iter().filter(holds).copied().collect(),
            next_hop: self.next_hops.get(&interface.id).cloned(),
            traits: traits.into_iter().filter(|(_, has)| *has).map(|(it, _)| it).collect(),
            listens: instance.listens.iter().copied().collect(),
        }
    }

    /// The groups that change anything: those with rules for what comes in, and those that rules name. A group of one instance alone, which bears
    /// its name as `SG-I-WEB1` does, says no more than that name, and one that all are in says nothing.
    fn title(&self, instance: &InstanceName, interface: &Interface) -> String {
        let own = instance.as_str().to_lowercase();
        let is_shared_by_all = |name: &GroupName| self.of_all.contains(name);
        let is_own = |name: &str| own.ends_with(|c: char| c.is_ascii_digit()) && name.to_lowercase().ends_with(&own);
        let matters = |name: &GroupName| {
            let has_rules = self.cloud.groups.get(name).is_some_and(|group| !group.ingress.is_empty());
            has_rules || self.groups.contains(name)
        };
        let all = || interface.groups.iter();
        let some = [
            all().filter(|name| matters(name) && !is_own(name.as_str()) && !is_shared_by_all(name)).collect::<Vec<_>>(),
            all().filter(|name| matters(name) && !is_own(name.as_str())).collect(),
            all().filter(|name| !is_own(name.as_str())).collect(),
            all().collect(),
        ];
        let some = some.into_iter().find(|names| !names.is_empty()).unwrap_or_default();
        some.into_iter().map(GroupName::as_str).collect::<Vec<_>>().join(" + ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::topology::Topology;

    /// Names of classes of instances, each with its members.
    fn classes(rest: &str) -> Vec<(String, String)> {
        let text = format!("sglab: 1\nera: vpc\n{rest}\n");
        let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap();
        let classes = Classes::new(&cloud, &BTreeSet::new());
        let inside = classes.iter().filter(|class| matches!(class.key, ClassKey::Interfaces(_)));
        let names = |class: &Class| class.members.iter().map(|it| it.end.to_string()).collect::<Vec<_>>().join(" ");
        inside.map(|class| (class.name.clone(), names(class))).collect()
    }

    #[test]
    fn instances_of_the_same_groups_are_one_class_whatever_their_own_group_is_called() {
        let three = "groups: {web: [tcp 80 from anywhere], i-web1: [], i-web2: [], i-web3: []}\n\
                     instances: {web1: {groups: [web, i-web1]}, web2: {groups: [web, i-web2]}, web3: {groups: [web, i-web3]}}";
        assert_eq!(classes(three), [("web".to_owned(), "web1 web2 web3".to_owned())]);
    }

    #[test]
    fn what_a_rule_a_block_a_port_or_a_route_tells_apart_is_no_class() {
        let apart = |rest: &str| classes(rest).into_iter().map(|(_, members)| members).collect::<Vec<_>>();
        let groups = "groups: {a: [tcp 80 from anywhere]";
        let two = "instances: {x: {groups: a}, y: {groups: a}, z: {groups: a}}";
        assert_eq!(apart(&format!("{groups}}}\n{two}")), ["x y z"]);
        let at = two.replacen("groups: a", "groups: a, address: 10.0.0.50", 1);
        assert_eq!(apart(&format!("{groups}, b: [tcp 22 from 10.0.0.50]}}\n{at}")), ["x", "y z"]);
        assert_eq!(
            apart(&format!("{groups}}}\n{}", two.replacen("groups: a", "groups: a, listens: tcp 80", 1))),
            ["x", "y z"]
        );
        assert_eq!(
            apart(&format!("{groups}}}\n{}", two.replacen("groups: a", "groups: a, public: no", 1))),
            ["x", "y z"]
        );
        let forwards = two.replacen("groups: a", "groups: a, source-dest-check: off, forwards: as-is", 1);
        assert_eq!(apart(&format!("{groups}}}\n{forwards}")), ["x", "y z"]);
    }

    #[test]
    fn classes_of_one_title_are_told_apart_by_their_members() {
        let rest = "groups: {a: [tcp 80 from anywhere]}\ninstances: {x: {groups: a, listens: tcp 80}, y: {groups: a}, z: {groups: a}}";
        let names: Vec<String> = classes(rest).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a (x)", "a (y, z)"]);
    }
}
