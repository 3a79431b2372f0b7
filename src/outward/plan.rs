//! The parts that the languages share: each resource with its name, and the references of rules and interfaces.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::holders::{Held, holders};
use super::names::literal;
use super::names::{Kind, Language, Names};
use super::notes::Notes;
use super::permission::{Words, words};
use crate::account::{Account, Holder, Interface, Known, Origin, Peer, Public, ResourceId, Rule, SecurityGroup};
use crate::model::DEFAULT_GROUP;

/// A reference to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// One that the text makes, by its name there.
    Own(String),
    /// One that is there already, by its id.
    There(String),
}

/// A rule with what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlannedRule {
    pub words: Words,
    pub peer: PlannedPeer,
    pub description: Option<String>,
}

/// The peer of such a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PlannedPeer {
    Block(IpNet),
    /// An Elastic IP that the text makes.
    Address(String),
    Group(Id),
    List(Id),
}

/// An interface with what it refers to.
pub struct PlannedInterface {
    pub name: String,
    pub device: u32,
    pub subnet: Option<Id>,
    pub groups: Vec<Id>,
    pub private: Vec<IpAddr>,
    /// IPv4 prefixes that are delegated to it.
    pub prefixes: Vec<Ipv4Net>,
    /// Number of IPv6 addresses, and of prefixes of IPv6 that are delegated to it.
    pub ipv6: usize,
    pub ipv6_prefixes: usize,
    /// Names of the Elastic IPs that lead to it.
    pub elastic: Vec<String>,
    /// Automatic public address; nothing where it is not known.
    pub automatic: Option<bool>,
}

/// A holder with its interfaces.
pub struct Machine<'a> {
    pub name: String,
    pub held: Held<'a>,
    pub interfaces: Vec<PlannedInterface>,
}

/// An account as resources of a language.
pub struct Plan<'a> {
    pub account: &'a Account,
    language: Language,
    pub vpcs: HashMap<&'a ResourceId, String>,
    pub subnets: HashMap<&'a ResourceId, String>,
    pub groups: HashMap<&'a ResourceId, String>,
    /// Names of those that AWS makes with their VPC.
    pub defaults: HashSet<String>,
    /// Prefix lists whose entries are known.
    pub lists: HashMap<&'a ResourceId, String>,
    pub machines: Vec<Machine<'a>>,
    /// VPCs that something reaches from the internet.
    pub open: HashSet<&'a ResourceId>,
    pub notes: Notes,
    /// Names of Elastic IPs that rules name, by their addresses.
    elastic: HashMap<IpAddr, String>,
}

impl<'a> Plan<'a> {
    pub fn of(account: &'a Account, language: Language) -> Self {
        let mut names = Names::of(language);
        let mut plan = Self {
            account,
            language,
            vpcs: HashMap::new(),
            subnets: HashMap::new(),
            groups: HashMap::new(),
            defaults: HashSet::new(),
            lists: HashMap::new(),
            machines: Vec::new(),
            open: HashSet::new(),
            notes: Notes::default(),
            elastic: HashMap::new(),
        };
        for (id, vpc) in &account.vpcs {
            plan.vpcs.insert(id, names.unique(Kind::Vpc, &vpc.label));
        }
        for (id, subnet) in &account.subnets {
            plan.subnets.insert(id, names.unique(Kind::Subnet, &subnet.label));
        }
        for (id, group) in &account.groups {
            let name = names.unique(Kind::Group, &group.label);
            plan.defaults.extend((Self::name_of(group) == DEFAULT_GROUP).then(|| name.clone()));
            plan.groups.insert(id, name);
        }
        for (id, list) in &account.prefix_lists {
            match &list.entries {
                Known::Is(_) => {
                    plan.lists.insert(id, names.unique(Kind::List, &list.label));
                }
                Known::Unknown(why) => {
                    plan.notes.add("prefix list", &format!("its entries are not known: {why}"), &list.origin);
                }
            }
        }
        plan.note_references();
        let named = plan.named_addresses();
        plan.machines = holders(account).into_iter().map(|held| plan.machine(held, &mut names, &named)).collect();
        plan
    }

    /// Lists groups and prefix lists of which a text is written otherwise.
    fn note_references(&mut self) {
        let account = self.account;
        let is_changed = |text: &str| literal(self.language, text) != text;
        let descriptions = |group: &'a SecurityGroup| {
            let rules = group.all_rules();
            rules.filter_map(|rule| rule.description.as_deref()).chain([Self::description_of(group)])
        };
        let groups = account.groups.values().filter(|group| {
            [Self::name_of(group), &group.label].into_iter().chain(descriptions(group)).any(is_changed)
        });
        let lists = account.prefix_lists.values().filter(|list| is_changed(&list.label));
        let origins = groups.map(|group| &group.origin).chain(lists.map(|list| &list.origin));
        for origin in origins.collect::<Vec<_>>() {
            self.notes.add("text", "the tool would take it for a reference, and it is changed", origin);
        }
    }

    /// Single addresses that rules name.
    fn named_addresses(&self) -> HashSet<IpAddr> {
        let blocks = self.account.rules().filter_map(|rule| rule.peer.block());
        blocks.filter(|block| block.prefix_len() == block.max_prefix_len()).map(|block| block.addr()).collect()
    }

    fn machine(&mut self, held: Held<'a>, names: &mut Names, named: &HashSet<IpAddr>) -> Machine<'a> {
        let name = names.unique(Kind::Instance, held.label);
        let what = match held.holder {
            Holder::Instance | Holder::StoppedInstance | Holder::Nobody => None,
            Holder::LoadBalancer => Some("load balancer"),
            Holder::Database => Some("database"),
            Holder::Function => Some("function"),
            Holder::Service => Some("service"),
        };
        if let Some((what, first)) = what.zip(held.interfaces.first()) {
            self.notes.add(what, "its interface is one that nobody holds", &first.interface.origin);
        }
        let mut interfaces = Vec::new();
        for attached in &held.interfaces {
            let interface = attached.interface;
            let named_so = names.unique(Kind::Interface, &interface.label);
            interfaces.push(self.interface(interface, named_so, attached.device, names, named));
        }
        Machine { name, held, interfaces }
    }

    fn interface(
        &mut self,
        interface: &'a Interface,
        name: String,
        device: u32,
        names: &mut Names,
        named: &HashSet<IpAddr>,
    ) -> PlannedInterface {
        let mut elastic = Vec::new();
        if interface.has_ipv6() {
            self.open.extend(&interface.vpc);
        }
        let automatic = match &interface.public {
            Public::None => Some(false),
            Public::Unknown(why) => {
                self.notes.add("public address", &format!("it is not known: {why}"), &interface.origin);
                None
            }
            Public::At(addresses) => {
                let ipv4: Vec<&IpAddr> = addresses.iter().filter(|address| address.is_ipv4()).collect();
                self.open.extend(&interface.vpc);
                for address in ipv4.iter().filter(|address| device > 0 || named.contains(**address)) {
                    let one = names.unique(Kind::Address, &interface.label);
                    self.elastic.insert(**address, one.clone());
                    elastic.push(one);
                }
                Some(elastic.is_empty() && device == 0 && (addresses.is_empty() || !ipv4.is_empty()))
            }
        };
        let groups = match &interface.groups {
            Known::Is(groups) => groups.iter().map(|id| refer(&self.groups, id)).collect(),
            Known::Unknown(why) => {
                self.notes.add("groups", &format!("they are not known: {why}"), &interface.origin);
                Vec::new()
            }
        };
        let of_vpc = || self.account.subnets.iter().find(|(_, subnet)| subnet.vpc == interface.vpc).map(|(id, _)| id);
        let subnet = interface.subnet.as_ref().or_else(of_vpc).map(|id| refer(&self.subnets, id));
        if interface.subnet.is_none() {
            self.notes.add("subnet", "it is not known", &interface.origin);
        }
        let single = interface.addresses.iter().filter(|block| block.prefix_len() == block.max_prefix_len());
        let (private, ipv6): (Vec<IpAddr>, Vec<IpAddr>) =
            single.map(IpNet::addr).partition(|address| address.is_ipv4());
        let prefixes = interface.addresses.iter().filter_map(|block| match block {
            IpNet::V4(block) if block.prefix_len() < 32 => Some(*block),
            IpNet::V4(_) | IpNet::V6(_) => None,
        });
        let mut prefixes: Vec<Ipv4Net> = prefixes.collect();
        let mut ipv6_prefixes = interface.addresses.len() - private.len() - prefixes.len() - ipv6.len();
        let ipv6 = ipv6.len() + interface.ipv6_later;
        // "You can't specify IPv4 prefixes if you've specified ... specific private IPv4 addresses" (API, CreateNetworkInterface); an
        // instance of these languages has none at its own interface. Calls assign them later.
        let is_part_of_an_instance = interface.holder.is_instance() && device == 0;
        let refused = is_part_of_an_instance || !private.is_empty();
        if refused && self.language != Language::Shell && !prefixes.is_empty() {
            self.notes.add("prefix", "EC2 takes none beside addresses when an interface is made", &interface.origin);
            prefixes.clear();
        }
        // The same of IPv6 (`Ipv6PrefixCount`).
        if self.language != Language::Shell && ipv6_prefixes > 0 && (is_part_of_an_instance || ipv6 > 0) {
            self.notes.add(
                "IPv6 prefix",
                "EC2 takes none beside addresses when an interface is made",
                &interface.origin,
            );
            ipv6_prefixes = 0;
        }
        if ipv6 + ipv6_prefixes > 0 {
            self.notes.add("IPv6 address", "Amazon gives another one", &interface.origin);
        }
        PlannedInterface { name, device, subnet, groups, private, prefixes, ipv6, ipv6_prefixes, elastic, automatic }
    }

    /// The rules of a group, each once. What is not known of one is listed.
    pub fn rules(&mut self, rules: &[Rule]) -> Vec<PlannedRule> {
        let mut planned: Vec<PlannedRule> = Vec::new();
        let mut seen = HashSet::new();
        for rule in rules {
            let traffic = match &rule.traffic {
                Known::Is(traffic) => *traffic,
                Known::Unknown(why) => {
                    self.notes.add("rule", &format!("its traffic is not known: {why}"), &rule.origin);
                    continue;
                }
            };
            let peer = match &rule.peer {
                Peer::Block(block) => match self.elastic.get(&block.addr()) {
                    Some(name) if block.prefix_len() == block.max_prefix_len() => PlannedPeer::Address(name.clone()),
                    _ => PlannedPeer::Block(*block),
                },
                Peer::Group(id) => PlannedPeer::Group(refer(&self.groups, id)),
                Peer::PrefixList(id) => PlannedPeer::List(refer(&self.lists, id)),
                Peer::Unknown(why) => {
                    self.notes.add("rule", &format!("its peer is not known: {why}"), &rule.origin);
                    continue;
                }
            };
            let words = words(traffic);
            if seen.insert((words.clone(), peer.clone())) {
                planned.push(PlannedRule { words, peer, description: rule.description.clone() });
            }
        }
        planned
    }

    /// The VPC of a subnet that has an IPv6 block, with the number of that in the VPC's: a block of another size has none, and `index` is its number.
    pub fn ipv6_of(&self, id: &ResourceId, index: usize) -> Option<(&'a ResourceId, usize)> {
        let subnet = self.account.subnets.get(id).filter(|_| self.account.subnet_has_ipv6(id))?;
        let vpc = subnet.vpc.as_ref()?;
        let of_vpc = self.account.vpcs.get(vpc)?.ipv6.iter().find_map(|block| match block {
            IpNet::V6(block) if block.prefix_len() == 56 => Some(*block),
            IpNet::V4(_) | IpNet::V6(_) => None,
        });
        let own =
            subnet.ipv6.known().filter(|own| own.prefix_len() == 64 && of_vpc.is_some_and(|vpc| vpc.contains(own)));
        let number = own.map(|own| usize::from(own.network().octets()[7]));
        Some((vpc, number.unwrap_or(index % 256)))
    }

    /// The VPC of something; what has none is listed.
    pub fn vpc(&mut self, vpc: Option<&ResourceId>, origin: &Origin) -> Option<Id> {
        if vpc.is_none() {
            self.notes.add("VPC", "it is not known", origin);
        }
        vpc.map(|id| refer(&self.vpcs, id))
    }

    /// The description of a group, which EC2 demands; its name where it has none.
    pub fn description_of(group: &SecurityGroup) -> &str {
        group.description.as_deref().filter(|text| !text.is_empty()).unwrap_or(Self::name_of(group))
    }

    /// The name of a group as EC2 has it.
    pub fn name_of(group: &SecurityGroup) -> &str {
        group.name.as_deref().unwrap_or(&group.label)
    }
}

/// A reference by the name in the text, else by the id.
fn refer(names: &HashMap<&ResourceId, String>, id: &ResourceId) -> Id {
    names.get(id).map_or_else(|| Id::There(id.as_str().to_owned()), |name| Id::Own(name.clone()))
}
