//! VPCs with their subnets, and hosts outside.

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::names::{EntityKind, fault};
use super::peers::block;
use super::resolver::Resolver;
use super::standing::Refused;
use crate::model::reserved_addresses::{Belongs, LAB_IPV6, belongs, is_global, taken_blocks};
use crate::model::{
    AutomaticPublic, DEFAULT_IPV6_BLOCK, DEFAULT_VPC_CIDR, Era, Host, HostIp, HostName, Mtu, RefusalCode, SubnetName,
    Vpc, VpcName,
};
use crate::topology::document::networks::{Addresses, Host as HostSaid, Subnet, Vpc as VpcSaid};
use crate::topology::document::shape::{Diagnostics, Entry, Field, Map, Or, Span};
use crate::topology::document::words::{Address, Block, Ipv6Block, Ipv6Subnet, Name, PacketSize};
use crate::topology::problem::{Diagnostic, quote};

/// Name of the VPC and the subnet in a file that names none.
const DEFAULT: &str = "default";

/// IPv6 blocks of the subnets of a VPC, while they are read.
struct Ipv6Subnets {
    vpc: Option<Ipv6Net>,
    /// Blocks that the file says.
    said: IndexMap<SubnetName, Ipv6Net>,
    /// Subnets that are to have one, whichever it is.
    wanted: IndexSet<SubnetName>,
}

impl Ipv6Subnets {
    fn of(vpc: Option<Ipv6Net>) -> Self {
        Self { vpc, said: IndexMap::new(), wanted: IndexSet::new() }
    }

    /// The blocks: what the file leaves open is the one that has the number of the subnet, or the next that none has. The second of the pair are the
    /// subnets for which none is left.
    fn all(self, subnets: &IndexMap<SubnetName, Ipv4Net>) -> (IndexMap<SubnetName, Ipv6Net>, IndexSet<SubnetName>) {
        let blocks: Vec<Ipv6Net> = self.vpc.and_then(|vpc| vpc.subnets(64).ok()).into_iter().flatten().collect();
        let (mut all, mut without) = (self.said, IndexSet::new());
        for (number, name) in subnets.keys().enumerate().filter(|(_, name)| self.wanted.contains(*name)) {
            let mut from_its_own = blocks.iter().cycle().skip(number).take(blocks.len());
            match from_its_own.find(|block| !all.values().any(|other| other == *block)) {
                Some(free) => drop(all.insert(name.clone(), *free)),
                None => drop(without.insert(name.clone())),
            }
        }
        all.sort_by_key(|name, _| subnets.get_index_of(name));
        (all, without)
    }
}

impl Resolver<'_> {
    /// Notes the names of the VPCs, as far as they can be read: the lab has boxes of its own in each.
    pub fn know_own_boxes(&mut self, said: &Field<Map<Name<VpcName>, VpcSaid>>) {
        self.names.vpcs = match said.get() {
            Some(map) => {
                map.entries.iter().filter_map(|it| it.key.as_deref()).map(|it| VpcName::new(it.text())).collect()
            }
            None => vec![VpcName::new(DEFAULT)],
        };
    }

    /// The VPCs; one of the default block where the file has none.
    pub fn read_vpcs(&mut self, said: &Field<Map<Name<VpcName>, VpcSaid>>) {
        self.names.doubts.vpcs |= said.is_unread();
        if !said.is_there() {
            let subnets = IndexMap::from([(SubnetName::new(DEFAULT), DEFAULT_VPC_CIDR)]);
            let vpc = Vpc {
                cidr: DEFAULT_VPC_CIDR,
                subnets,
                routes: IndexMap::new(),
                without_public: Default::default(),
                ipv6_subnets: Default::default(),
                ipv6: None,
            };
            self.cloud.vpcs.insert(VpcName::new(DEFAULT), vpc);
        }
        let Some(map) = said.get() else { return };
        for entry in &map.entries {
            let Some(name) = entry.key.as_deref().and_then(|key| self.name(key)) else { continue };
            match entry.value.as_ref().and_then(|vpc| self.vpc(vpc)) {
                Some(vpc) => drop(self.cloud.vpcs.insert(VpcName::new(name), vpc)),
                None => self.names.doubts.vpcs = true,
            }
        }
        if map.entries.is_empty() {
            self.report(Diagnostic::new(map.span, "no VPC is named").help("leave `vpcs` out to get the default one"));
        }
    }

    fn vpc(&mut self, said: &VpcSaid) -> Option<Vpc> {
        let ipv6 = said.ipv6.get().and_then(|word| self.ipv6_block(word));
        if !said.cidr.is_there() {
            let draft = Diagnostic::new(said.at.span, "the VPC has no address block");
            self.missing(&said.at, draft.help("it needs `cidr:`"));
        }
        let block = said.cidr.get()?;
        let cidr = self.network(block)?;
        for (taken, what) in taken_blocks() {
            if overlap(cidr, taken) {
                self.report(Diagnostic::new(block.span, format!("{cidr} overlaps {taken}, which is for {what}")));
                return None;
            }
        }
        let mut ipv6_subnets = Ipv6Subnets::of(ipv6);
        let mut subnets: IndexMap<SubnetName, Ipv4Net> = IndexMap::new();
        let mut routes = IndexMap::new();
        let mut without_public = IndexSet::new();
        for entry in said.subnets.get().into_iter().flat_map(|map| &map.entries) {
            let Some(name) = entry.key.as_deref().and_then(|key| self.name(key)) else { continue };
            let (block, table) = self.subnet_head(entry);
            if self.subnet_public(entry) == AutomaticPublic::None {
                without_public.insert(SubnetName::new(&name));
            }
            self.ipv6_subnet(entry, &SubnetName::new(&name), &mut ipv6_subnets);
            if let Some(table) = table {
                let read = self.subnet_routes(table);
                routes.insert(SubnetName::new(&name), read);
            }
            let Some(block) = block else { continue };
            let Some(net) = self.network(block) else { continue };
            if !cidr.contains(&net) {
                self.report(Diagnostic::new(block.span, format!("the subnet {net} is not inside its VPC's {cidr}")));
            } else if let Some((other, _)) = subnets.iter().find(|(_, other)| overlap(net, **other)) {
                let message = format!("the subnet {net} overlaps the subnet {}", quote(other.as_str()));
                self.report(Diagnostic::new(block.span, message));
            }
            subnets.insert(SubnetName::new(name), net);
        }
        if subnets.is_empty() {
            subnets.insert(SubnetName::new(DEFAULT), cidr);
            ipv6_subnets.wanted.insert(SubnetName::new(DEFAULT));
        }
        let (ipv6_subnets, without) = ipv6_subnets.all(&subnets);
        if let Some(vpc) = ipv6 {
            let entries = said.subnets.get().into_iter().flat_map(|map| &map.entries);
            for entry in entries.filter(|it| it.key.as_deref().is_some_and(|key| without.contains(key.text()))) {
                let draft =
                    Diagnostic::new(entry.at, format!("no /64 of the VPC's block {vpc} is left for this subnet"));
                self.report(draft.help("a /56 has 256 of them; `ipv6: no` leaves a subnet without"));
            }
        }
        Some(Vpc { cidr, subnets, routes, without_public, ipv6, ipv6_subnets })
    }

    /// Choices for instances of a subnet that do not say it themselves.
    fn subnet_public(&mut self, entry: &Entry<Name<SubnetName>, Subnet>) -> AutomaticPublic {
        let Some(Or::Long(subnet)) = &entry.value else { return AutomaticPublic::Given };
        let Some(choice) = subnet.public.get() else { return AutomaticPublic::Given };
        self.only_in_a_vpc(choice.span, "whether a subnet gives public addresses");
        choice.value
    }

    /// The IPv6 block of a subnet: `yes`, `no` or a /64 of that of its VPC, which no other subnet has.
    fn ipv6_subnet(&mut self, entry: &Entry<Name<SubnetName>, Subnet>, name: &SubnetName, into: &mut Ipv6Subnets) {
        let said = match &entry.value {
            Some(Or::Long(subnet)) => subnet.ipv6.get(),
            Some(Or::Short(_)) | None => None,
        };
        match said.map(|word| (word, word.text())) {
            None | Some((_, "yes")) if said.is_none() || into.vpc.is_some() => drop(into.wanted.insert(name.clone())),
            Some((_, "no")) | None => {}
            Some((node, word)) => match self.ipv6_block_of(node, word, into) {
                Some(block) => drop(into.said.insert(name.clone(), block)),
                None => drop(into.wanted.insert(name.clone())),
            },
        }
    }

    fn ipv6_block_of(&mut self, node: &Ipv6Subnet, word: &str, of: &Ipv6Subnets) -> Option<Ipv6Net> {
        let Some(vpc) = of.vpc else {
            let draft = Diagnostic::new(node.span, "the VPC has no IPv6 block for the subnet");
            self.report(draft.help("`ipv6: yes` gives a VPC one, in era vpc"));
            return None;
        };
        let Ok(block) = word.parse::<Ipv6Net>() else {
            let draft = Diagnostic::new(node.span, format!("{} is not an IPv6 block", quote(word)));
            self.report(draft.help(format!("`yes`, `no`, or a /64 of {vpc}")));
            return None;
        };
        if block.prefix_len() != 64 || !vpc.contains(&block) {
            let draft = Diagnostic::new(node.span, format!("{block} is no /64 of the VPC's block {vpc}"));
            self.report(draft.help("EC2 gives each subnet a /64 of that"));
            return None;
        }
        let block = block.trunc();
        if let Some((other, _)) = of.said.iter().find(|(_, other)| **other == block) {
            let message = format!("the subnet {} has the block {block}", quote(other.as_str()));
            self.report(Diagnostic::new(node.span, message));
            return None;
        }
        Some(block)
    }

    /// The block of a subnet, and its routes.
    fn subnet_head<'s>(
        &mut self,
        entry: &'s Entry<Name<SubnetName>, Subnet>,
    ) -> (Option<&'s Block>, Option<&'s Map<Block, crate::topology::document::words::Holder>>) {
        match entry.value.as_ref() {
            Some(Or::Short(block)) => (Some(block), None),
            Some(Or::Long(subnet)) => {
                if !subnet.cidr.is_there() {
                    let draft = Diagnostic::new(entry.at, "the subnet has no address block");
                    self.missing(&subnet.at, draft.help("it needs `cidr:`"));
                }
                (subnet.cidr.get(), subnet.routes.get())
            }
            None => (None, None),
        }
    }

    /// `yes`, or a /56 of global addresses that no other VPC has.
    fn ipv6_block(&mut self, node: &Ipv6Block) -> Option<Ipv6Net> {
        let word = node.text();
        if word == "no" {
            return None;
        }
        if self.cloud.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Diagnostic::new(node.span, "IPv6 belongs to era vpc");
            self.report(draft.help("EC2-Classic had none; take it out, or run the file under `era: vpc` alone"));
            return None;
        }
        let taken: Vec<Ipv6Net> = self.cloud.vpcs.values().filter_map(|vpc| vpc.ipv6).collect();
        if word == "yes" {
            let blocks = Ipv6Net::new(DEFAULT_IPV6_BLOCK.network(), 40).ok()?.subnets(56).ok()?;
            return blocks.into_iter().find(|block| !taken.contains(block));
        }
        let Ok(block) = word.parse::<Ipv6Net>().map(|net| net.trunc()) else {
            let draft = Diagnostic::new(node.span, format!("{} is not an IPv6 block", quote(word)));
            self.report(draft.help("`yes`, or a block such as 2001:db8:1000::/56"));
            return None;
        };
        if block.prefix_len() != 56 {
            let draft = Diagnostic::new(node.span, format!("{block} has a size that EC2 does not take"));
            self.report(draft.help("a VPC's IPv6 block is a /56"));
            return None;
        }
        if !is_global(block.network().into()) {
            self.report(Diagnostic::new(node.span, format!("{block} is not a block of global addresses")));
            return None;
        }
        if let Some((its, whose)) = LAB_IPV6.into_iter().find(|(its, _)| block.contains(its) || its.contains(&block)) {
            let draft = Diagnostic::new(node.span, format!("{block} has {} in it, which is for {whose}", its.addr()));
            self.report(draft.help("the lab's own; `yes`, or another block such as 2001:db8:1000::/56"));
            return None;
        }
        if taken.contains(&block) {
            let draft = Diagnostic::new(node.span, format!("another VPC has the block {block}"));
            self.report(draft.help("IPv6 addresses are the same inside and outside, so each VPC has its own"));
            return None;
        }
        Some(block)
    }

    /// A block of the size that EC2 takes.
    fn network(&mut self, node: &Block) -> Option<Ipv4Net> {
        let word = node.text();
        let net = match block(word, node.span) {
            Ok(IpNet::V4(net)) => net,
            Ok(IpNet::V6(_)) => {
                let draft = Diagnostic::new(node.span, format!("{} is IPv6", quote(word)));
                self.report(draft.help("a VPC's `ipv6:` is beside its `cidr:`; subnets get theirs from it"));
                return None;
            }
            Err(draft) => {
                self.report(draft);
                return None;
            }
        };
        if !(16..=28).contains(&net.prefix_len()) {
            let draft = Diagnostic::new(node.span, format!("{net} has a size that EC2 does not take"));
            self.report(draft.help("from /16 to /28"));
            return None;
        }
        Some(net)
    }

    /// The hosts and their addresses; their names are declared before.
    pub fn read_hosts(&mut self, said: &Field<Map<Name<HostName>, HostSaid>>) {
        let mut held: IndexMap<IpAddr, Span> = IndexMap::new();
        for entry in said.get().into_iter().flat_map(|map| &map.entries) {
            let name = self.declared(entry.key.as_deref(), EntityKind::Host);
            let none = Field::default();
            let (of, mtu): (Option<&Addresses>, _) = match &entry.value {
                Some(Or::Short(addresses)) => (Some(addresses), &none),
                Some(Or::Long(host)) => {
                    if !host.address.is_there() {
                        let draft = Diagnostic::new(entry.at, "the host has no address");
                        self.missing(&host.at, draft.help("it needs `address:`"));
                    }
                    (host.address.get(), &host.mtu)
                }
                None => continue,
            };
            let mut addresses = Vec::new();
            for item in of.into_iter().flat_map(|of| &of.items) {
                let Some(address) = self.host_address(item) else { continue };
                if let Some(first) = held.get(&address) {
                    let draft = Diagnostic::new(item.span, format!("a host holds {address} already"));
                    self.report(draft.related("here", *first));
                    continue;
                }
                held.insert(address, item.span);
                addresses.push(HostIp(address));
            }
            let Some(mtu) = self.host_mtu(mtu, &addresses) else { continue };
            if let (Some(name), false) = (name, addresses.is_empty()) {
                let place = Some(self.place(entry.at));
                self.cloud.hosts.insert(HostName::new(name), Host { addresses, mtu, place });
            }
        }
    }

    /// Reads the MTU of a host, from what every host of its addresses' families takes to what the internet carries.
    fn host_mtu(&mut self, said: &Field<PacketSize>, addresses: &[HostIp]) -> Option<Mtu> {
        if !said.is_there() {
            return Some(Mtu::ETHERNET);
        }
        let ipv6 = addresses.iter().any(|address| address.0.is_ipv6());
        let (least, whose) = if ipv6 { (Mtu::MIN_IPV6, "IPv6") } else { (Mtu::MIN_IPV4, "IPv4") };
        let what = format!("an MTU of {whose}");
        let range = least.0.into()..=Mtu::ETHERNET.0.into();
        let number = Diagnostics(&mut self.told.problems).number_of(said.get()?, &what, range)?;
        u16::try_from(number).ok().map(Mtu)
    }

    fn host_address(&mut self, node: &Address) -> Option<IpAddr> {
        let word = node.text();
        let Ok(address) = word.parse::<IpAddr>() else {
            let draft = Diagnostic::new(node.span, format!("{} is not an address", quote(word)));
            self.report(draft.help("a host has single addresses, such as 203.0.113.10"));
            return None;
        };
        let outside = |what: &str| format!("{address} cannot be the address of a host: it is for {what}");
        match belongs(address, &self.cloud.vpcs) {
            None => return Some(address),
            Some(Belongs::Vpc(vpc)) => {
                let draft = Diagnostic::new(node.span, outside(&format!("VPC {}", quote(vpc.as_str()))));
                self.report(draft.help("hosts are outside the cloud"));
            }
            Some(Belongs::Lab(whose)) => {
                let draft = Diagnostic::new(node.span, outside(whose));
                self.report(draft.help("the lab's own; any other of 2001:db8::/32 will do"));
            }
            Some(Belongs::Block(what)) => self.report(Diagnostic::new(node.span, outside(what))),
            Some(Belongs::NotGlobal) => {
                self.report(Diagnostic::new(node.span, format!("{address} is not a global address")));
            }
        }
        None
    }

    /// Returns true if a step expects that EC2 refuses this unknown VPC or subnet.
    fn is_refused(&self, word: &str, code: RefusalCode) -> bool {
        self.refused == Refused::With(code) && fault(word).is_none()
    }

    /// The VPC that is named, or the only one; any name, if the step wants to see it refused as unknown.
    pub fn vpc_name(&mut self, said: &Field<Name<VpcName>>, owner: Span) -> Option<VpcName> {
        if !said.is_there() {
            if self.cloud.vpcs.len() > 1 {
                let draft = Diagnostic::new(owner, format!("which of the {} VPCs is it in?", self.cloud.vpcs.len()));
                self.report(draft.help("it needs `vpc:`"));
                return None;
            }
            return self.cloud.vpcs.keys().next().cloned();
        }
        let said = said.get()?;
        let word = said.text();
        let name = VpcName::new(word);
        if self.cloud.vpcs.contains_key(&name) || self.is_refused(word, RefusalCode::InvalidVpcIdNotFound) {
            return Some(name);
        }
        if self.names.doubts.vpcs || self.names.doubts.unread.contains(word) {
            return None;
        }
        let help = self.names.nearest(word, self.cloud.vpcs.keys().map(VpcName::as_str));
        self.report(Diagnostic::new(said.span, format!("unknown VPC {}", quote(word))).maybe_help(help));
        None
    }

    /// The subnet that is named, or the first of the VPC; any name, if the step wants to see it or its VPC refused as unknown.
    pub fn subnet(&mut self, said: &Field<Name<SubnetName>>, vpc: &VpcName) -> Option<(SubnetName, Ipv4Net)> {
        let Some(of) = self.cloud.vpcs.get(vpc) else {
            let word = said.get().map_or(DEFAULT, |said| said.text());
            let is_refused = self.is_refused(vpc.as_str(), RefusalCode::InvalidVpcIdNotFound);
            return is_refused.then(|| (SubnetName::new(word), DEFAULT_VPC_CIDR));
        };
        let subnets = &of.subnets;
        if !said.is_there() {
            return subnets.first().map(|(name, net)| (name.clone(), *net));
        }
        let said = said.get()?;
        let word = said.text();
        if let Some((name, net)) = subnets.get_key_value(&SubnetName::new(word)) {
            return Some((name.clone(), *net));
        }
        if self.is_refused(word, RefusalCode::InvalidSubnetIdNotFound) {
            return Some((SubnetName::new(word), of.cidr));
        }
        let help = self.names.nearest(word, subnets.keys().map(SubnetName::as_str));
        let message = format!("VPC {} has no subnet {}", quote(vpc.as_str()), quote(word));
        self.report(Diagnostic::new(said.span, message).maybe_help(help));
        None
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}
