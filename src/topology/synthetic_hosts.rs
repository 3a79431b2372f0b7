//! Outside addresses that an exhaustive table cannot do without, added where the file names none.
//!
//! A rule for a block is only shown to be for more than a host by another address of it, a rule for one host to be for that host by its
//! neighbour, and "anywhere" to be more than one lucky address by two that have nothing in common.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

use super::checked::Topology;
use super::outside_name::OutsideName;
use super::patterns::{Egress, Table};
use super::problem::Span;
use super::rule_blocks::{BlockClass, RuleBlocks};
use super::steps::Step;
use crate::model::reserved_addresses::{belongs, reserved_blocks};
use crate::model::{Host, HostIp, HostName, Mtu, NameEffect, PrefixFamily, SourceLocation, TableName};

/// The addresses outside that flows of a file name and that it makes no host for, each by its last place.
pub(super) type NamedOutside = IndexMap<HostName, (OutsideName, Span)>;

/// Addresses of the three networks that are set aside for documentation, one each.
const UNRELATED: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(192, 0, 2, 99), Ipv4Addr::new(203, 0, 113, 250)];

/// And two for "anywhere" over IPv6: one of the block for documentation, and one of the real internet's range.
const UNRELATED_IPV6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7), Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 99)];

/// Adds what is missing: an address of each block that rules name, a neighbour for each host with a rule of its own, and a world of two
/// networks. Without tables only what is named.
pub(super) fn add(topology: &mut Topology, named: &NamedOutside) {
    if topology.tables.is_empty() && named.is_empty() {
        return;
    }
    let names = names(topology);
    let written_addresses = held(topology);
    let mut adding = Adding { blocks: RuleBlocks::of(topology), held: HeldOutside::default(), names, named, topology };
    adding.hold(written_addresses.into_iter());
    let written: Vec<(HostName, Host)> =
        adding.topology.empty.hosts.iter().map(|(name, host)| (name.clone(), host.clone())).collect();
    adding.blocks();
    for (name, host) in written {
        adding.neighbours(&name, &host);
    }
    adding.elsewhere();
}

impl Topology {
    /// Returns true if rules name this block.
    pub(super) fn names_block(&self, block: IpNet) -> bool {
        RuleBlocks::of(self).has(block)
    }

    /// The same, with the addresses outside that flows of its own would have made by naming them.
    #[must_use]
    pub fn with_outside<'n>(mut self, hosts: impl Iterator<Item = &'n HostName>) -> Self {
        let missing = hosts.filter(|name| !self.empty.hosts.contains_key(*name));
        let is_host = |word: &str| self.empty.hosts.contains_key(word);
        let named = missing
            .filter_map(|name| Some((name.clone(), (OutsideName::of(name.as_str(), is_host)?, Span::default()))));
        let named: NamedOutside = named.collect();
        add(&mut self, &named);
        self
    }

    /// The same, with the addresses outside that a table brings which has all hosts as receivers.
    #[must_use]
    pub fn with_hosts_of_a_table(mut self) -> Self {
        let tables = std::mem::take(&mut self.tables);
        let place = SourceLocation { file: self.file.clone(), line: 1, column: 1 };
        let table = Table { place, like: None, open: Vec::new(), egress: Egress::All, via: None };
        self.tables.insert(TableName::new("any"), table);
        add(&mut self, &NamedOutside::new());
        self.tables = tables;
        self
    }
}

struct Adding<'t> {
    topology: &'t mut Topology,
    blocks: RuleBlocks,
    held: HeldOutside,
    /// Every name of the file.
    names: BTreeSet<String>,
    named: &'t NamedOutside,
}

/// Addresses that hosts have, those that are added too.
#[derive(Default)]
struct HeldOutside {
    all: HashSet<IpAddr>,
    /// Networks in which somebody is whom no rule names alone, each with the block that rules admit him by.
    unruled: HashSet<(Option<IpNet>, Option<IpNet>)>,
}

impl Adding<'_> {
    fn hold(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses {
            self.held.all.insert(address);
            if !self.blocks.name_alone(address) {
                self.held.unruled.insert((near(address), self.blocks.parent(address)));
            }
        }
    }

    fn is_named(&self, wanted: &OutsideName) -> bool {
        self.named.values().any(|(named, _)| named == wanted)
    }

    fn has_tables(&self) -> bool {
        !self.topology.tables.is_empty()
    }

    fn has_ipv6(&self) -> bool {
        self.topology.empty.vpcs.values().any(|vpc| vpc.ipv6.is_some())
    }

    /// The addresses that hosts have, and those that none can have.
    fn taken(&self) -> Vec<IpNet> {
        let held = held(self.topology).into_iter().map(IpNet::from);
        reserved_blocks(&self.topology.empty.vpcs).into_iter().chain(held).collect()
    }

    /// One address of each class of blocks, and of each block that is named.
    fn blocks(&mut self) {
        let taken = self.taken();
        for class in self.blocks.classes() {
            let free = |block: &IpNet| Some((*block, self.blocks.free(*block, &taken)?));
            let named = class.blocks.iter().filter(|block| self.is_named(&OutsideName::Block(**block)));
            let mut rows: Vec<(IpNet, IpAddr)> = named.filter_map(free).collect();
            let is_written = || class.blocks.iter().any(|block| self.is_written(*block));
            if rows.is_empty() && self.has_tables() && class.is_admitted && !is_written() {
                rows.extend(class.blocks.iter().find_map(free));
            }
            let is_ipv4 = |block: &IpNet| block.addr().is_ipv4();
            rows.retain(|(block, _)| is_ipv4(block) || self.has_ipv6());
            for (block, address) in rows {
                let name = self.add_host(&OutsideName::Block(block).host(), vec![HostIp(address)]);
                self.ask(name, &class);
            }
        }
    }

    /// Tells whether the file has the host of a block already, as one that is exported has.
    fn is_written(&self, block: IpNet) -> bool {
        let name = OutsideName::Block(block).host();
        let host = self.topology.empty.hosts.get(name.as_str());
        host.is_some_and(|host| host.addresses.iter().any(|address| block.contains(&address.0)))
    }

    /// Makes an address of blocks a receiver in each table that asks a host of them.
    fn ask(&mut self, row: Option<HostName>, class: &BlockClass) {
        let Some(row) = row.filter(|_| class.is_receiver) else { return };
        let hosts = &self.topology.empty.hosts;
        for table in self.topology.tables.values_mut() {
            let Egress::Named(asked) = &mut table.egress else { continue };
            let mut addresses = asked.iter().filter_map(|name| hosts.get(name)).flat_map(|host| &host.addresses);
            if addresses.any(|address| class.blocks.iter().any(|block| block.contains(&address.0))) {
                asked.insert(row.clone());
            }
        }
    }

    /// The neighbours of a host of the file.
    fn neighbours(&mut self, name: &HostName, host: &Host) {
        let wanted = OutsideName::Neighbour(name.clone());
        let is_named = self.is_named(&wanted);
        // The host of a single address that was exported: it has had none before either.
        let is_block = matches!(OutsideName::of(name.as_str(), |_| false), Some(OutsideName::Block(_)));
        if !is_named && (is_block || !self.has_tables()) {
            return;
        }
        // One that another rule admits is no neighbour to tell it from.
        let is_alone = |address: &&HostIp| {
            is_named || !self.held.unruled.contains(&(near(address.0), self.blocks.parent(address.0)))
        };
        let ruled = host.addresses.iter().filter(|address| self.blocks.name_alone(address.0));
        let mut of: Vec<&HostIp> = ruled.filter(is_alone).collect();
        if of.is_empty() && is_named {
            of = host.addresses.iter().collect();
        }
        let neighbours =
            of.into_iter().filter_map(|address| neighbour(self.topology, &self.held.all, address.0)).collect();
        self.add_host(&wanted.host(), neighbours);
    }

    fn elsewhere(&mut self) {
        let is_named = self.is_named(&OutsideName::Elsewhere);
        if !self.has_tables() && !is_named {
            return;
        }
        let all_held = held(self.topology);
        let ruled = self.blocks.alone();
        let networks_near: BTreeSet<IpNet> = ruled.filter_map(near).collect();
        let far = |address: &IpAddr| {
            !self.blocks.cover(*address) && near(*address).is_some_and(|block| !networks_near.contains(&block))
        };
        let is_free = |address: &IpAddr| {
            far(address) && !all_held.contains(address) && belongs(*address, &self.topology.empty.vpcs).is_none()
        };
        // A file that names them means two, whoever else is outside.
        let held: Vec<IpAddr> = all_held.iter().copied().filter(|it| !is_named && far(it)).collect();
        let unrelated = UNRELATED.map(IpAddr::V4).into_iter().filter(is_free).chain(self.beyond(PrefixFamily::Ipv4));
        let mut world = two_networks(held.iter().copied().filter(IpAddr::is_ipv4), unrelated, 16);
        if self.has_ipv6() {
            let unrelated =
                UNRELATED_IPV6.map(IpAddr::V6).into_iter().filter(is_free).chain(self.beyond(PrefixFamily::Ipv6));
            world.extend(two_networks(held.iter().copied().filter(IpAddr::is_ipv6), unrelated, 32));
        }
        self.add_host(&OutsideName::Elsewhere.host(), world);
    }

    /// Addresses of two networks of which no rule names a block, for rules that name those of the documentation.
    fn beyond(&self, family: PrefixFamily) -> Vec<IpAddr> {
        let mut taken = self.taken();
        let mut found = Vec::new();
        // Nobody is near who is in the same network.
        taken.extend(self.blocks.alone().chain(held(self.topology)).filter_map(near));
        while let (Some(address), true) = (self.blocks.free(family.every_address(), &taken), found.len() < 2) {
            found.push(address);
            taken.extend(block(address, if family.is_ipv4() { 16 } else { 32 }));
        }
        found
    }

    /// Makes a host of this name, or of the first with a number that the file gives to nothing.
    fn add_host(&mut self, name: &str, addresses: Vec<HostIp>) -> Option<HostName> {
        if addresses.is_empty() {
            return None;
        }
        let mut free = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
        let name = HostName::new(free.find(|name| !self.names.contains(name))?);
        self.hold(addresses.iter().map(|address| address.0));
        self.topology.empty.hosts.insert(name.clone(), Host { addresses, mtu: Mtu::ETHERNET, place: None });
        Some(name)
    }
}

/// Takes as many of `more` as it needs to hold addresses of two networks of this length.
fn two_networks(held: impl Iterator<Item = IpAddr>, more: impl Iterator<Item = IpAddr>, length: u8) -> Vec<HostIp> {
    let mut networks: BTreeSet<IpNet> = held.filter_map(|address| block(address, length)).collect();
    let mut added = Vec::new();
    for address in more {
        if networks.len() < 2 && block(address, length).is_some_and(|block| networks.insert(block)) {
            added.push(HostIp(address));
        }
    }
    added
}

fn held(topology: &Topology) -> Vec<IpAddr> {
    topology.empty.hosts.values().flat_map(|host| &host.addresses).map(|address| address.0).collect()
}

fn block(address: IpAddr, length: u8) -> Option<IpNet> {
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

/// The network in which somebody is a neighbour.
fn near(address: IpAddr) -> Option<IpNet> {
    block(address, if address.is_ipv4() { 24 } else { 64 })
}

/// The nearest address of the same network that a host can have and nobody holds.
fn neighbour(topology: &Topology, held: &HashSet<IpAddr>, address: IpAddr) -> Option<HostIp> {
    let free = |other: &IpAddr| !held.contains(other) && belongs(*other, &topology.empty.vpcs).is_none();
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => {
            let number = u128::from(address);
            let nearest = (1..256).flat_map(|distance| [number.checked_add(distance), number.checked_sub(distance)]);
            let others = nearest.flatten().map(|other| IpAddr::V6(Ipv6Addr::from(other)));
            return others
                .into_iter()
                .find(|other| near(*other) == near(IpAddr::V6(address)) && free(other))
                .map(HostIp);
        }
    };
    let block = Ipv4Net::new(address, 24).ok()?.trunc();
    let number = u32::from(address);
    let nearest = (1..256).flat_map(|distance| [number.checked_add(distance), number.checked_sub(distance)]);
    let mut others = nearest.flatten().map(Ipv4Addr::from).filter(|other| block.contains(other)).map(IpAddr::V4);
    others.find(|other| free(other)).map(HostIp)
}

/// Every name of the file.
fn names(topology: &Topology) -> BTreeSet<String> {
    let steps = topology.steps.iter().flat_map(Step::operations);
    let effects = topology.initial.iter().chain(steps).filter_map(|operation| operation.value.names());
    let made = effects.filter_map(NameEffect::new_name).map(str::to_owned);
    made.chain(topology.empty.hosts.keys().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(hosts: &str, rule: &str) -> Vec<String> {
        let text = format!(
            "sglab: 1\nera: vpc\nhosts: {hosts}\ngroups: {{g: [{rule}]}}\ninstances: {{a: {{groups: g}}}}\n\
             tables: {{t: {{open: [any -> a:80]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        topology.empty.hosts.iter().map(|(name, host)| format!("{name} {:?}", host.addresses)).collect()
    }

    #[test]
    fn a_host_with_a_rule_of_its_own_gets_a_neighbour_and_the_world_two_networks() {
        assert_eq!(
            hosts("{office: 203.0.113.10}", "tcp 80 from office"),
            ["office [203.0.113.10]", "office-neighbour [203.0.113.11]", "elsewhere [198.51.100.7, 192.0.2.99]"]
        );
    }

    #[test]
    fn no_neighbour_has_an_address_that_no_host_may_have() {
        assert_eq!(
            hosts("{office: '2001:db8::'}", "tcp 80 from office"),
            ["office [2001:db8::]", "office-neighbour [2001:db8::2]", "elsewhere [198.51.100.7, 192.0.2.99]"]
        );
    }

    #[test]
    fn what_the_file_names_itself_is_enough() {
        let written = "{office: 203.0.113.10, next-door: 203.0.113.77, world: [198.51.100.7, 192.0.2.99]}";
        assert_eq!(hosts(written, "tcp 80 from office").len(), 3);
        assert_eq!(hosts("{a-few: [203.0.113.10, 198.51.100.7]}", "tcp 80 from anywhere").len(), 1);
    }

    /// The hosts of a file whose one step opens a flow, without a table.
    fn named(head: &str, flow: &str) -> Vec<String> {
        let text = format!(
            "sglab: 1\nera: vpc\n{head}\ngroups: {{g: [tcp 80 from anywhere]}}\ninstances: {{a: {{groups: g}}}}\n\
             scenario: [{{step: s, expect: {{open: ['{flow}']}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        topology.empty.hosts.iter().map(|(name, host)| format!("{name} {:?}", host.addresses)).collect()
    }

    #[test]
    fn elsewhere_is_there_where_a_flow_names_it() {
        let two = "elsewhere [198.51.100.7, 192.0.2.99]";
        assert_eq!(named("", "elsewhere -> a:80"), [two]);
        let world = "hosts: {world: [198.51.100.7, 203.0.113.1]}";
        let others = "elsewhere [192.0.2.99, 203.0.113.250]";
        assert_eq!(named(world, "elsewhere -> a:80"), ["world [198.51.100.7, 203.0.113.1]", others]);
        assert_eq!(named("", "a -> elsewhere:443"), [two]);
        let dual = named("vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}", "a -> elsewhere:443 by ipv6 address");
        assert_eq!(dual, ["elsewhere [198.51.100.7, 192.0.2.99, 2001:db8:ffff::7, 3fff::63]"]);
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone() {
        let named = hosts("{elsewhere: 203.0.113.10}", "tcp 80 from anywhere");
        assert_eq!(named, ["elsewhere [203.0.113.10]", "elsewhere-2 [198.51.100.7]"]);
    }
}
