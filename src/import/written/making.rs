//! A topology in the making: names, networks and instances of an account, one kind after the other.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::guesses::guesses;
use super::names::Names;
use super::names::Places;
use crate::account::{Account, Holder, Interface, Known, LeftOut, Origin, Public, Reason, ResourceId, SecurityGroup};
use crate::model::reserved_addresses::is_ipv6_block;
use crate::model::{InstanceName, SecondaryAddress, VpcName, default_group, is_description, is_group_name};
use crate::topology::{Builder, NewGroup, NewInstance, NewVpc};

/// The block of a VPC whose own is not known.
const UNKNOWN_VPC: &str = "10.0.0.0/16";

/// Names in the topology, by ids.
pub struct Making<'a> {
    pub account: &'a Account,
    pub names: Names,
    /// Names and blocks of VPCs that the topology has.
    pub vpcs: IndexMap<ResourceId, (String, Ipv4Net)>,
    /// Names and blocks of subnets.
    pub subnets: HashMap<ResourceId, (String, Ipv4Net)>,
    /// The IPv6 blocks of the account that VPCs of the topology have as well; others get one of the documentation's.
    pub ipv6: HashMap<ResourceId, Ipv6Net>,
    pub groups: HashMap<ResourceId, String>,
    pub lists: HashMap<ResourceId, String>,
    /// Names of Elastic IPs by their addresses.
    pub elastic_ips: HashMap<IpAddr, String>,
    pub left_out: Vec<LeftOut>,
    /// Instances that are stopped.
    pub stopped: Vec<InstanceName>,
    /// Number of services that are guessed.
    pub guessed: usize,
    pub places: Places,
}

impl<'a> Making<'a> {
    pub fn leave_out(&mut self, kind: &str, reason: Reason, origin: &Origin) {
        self.left_out.push(LeftOut { kind: kind.to_owned(), reason, origin: origin.clone() });
    }

    /// VPCs with their subnets; one for all that names none.
    pub fn vpcs(&mut self, mut builder: Builder) -> Builder {
        let account = self.account;
        let of_groups = account.groups.values().filter_map(|group| group.vpc.as_ref());
        let of_interfaces = account.interfaces.values().filter_map(|interface| interface.vpc.as_ref());
        let used: IndexSet<&ResourceId> = of_groups.chain(of_interfaces).collect();
        let mut wanted: IndexSet<&ResourceId> = account.vpcs.keys().filter(|id| used.contains(*id)).collect();
        wanted.extend(used);
        for id in wanted {
            let known = account.vpcs.get(id);
            let name = self.names.unique(known.map_or(id.as_str(), |vpc| &vpc.label));
            let own = known
                .and_then(|vpc| vpc.blocks.first().copied())
                .filter(|block| (16..=28).contains(&block.prefix_len()));
            if let (Some(vpc), None) = (known, own) {
                self.leave_out(
                    "block of a VPC",
                    Reason::UnknownValue("a block from /16 to /28".to_owned()),
                    &vpc.origin,
                );
            }
            let block = own.unwrap_or_else(|| UNKNOWN_VPC.parse().unwrap_or_default());
            let mut vpc = NewVpc::block(&block.to_string());
            if account.has_ipv6(id) {
                vpc = match self.ipv6_block(id) {
                    Some(own) => vpc.ipv6_block(&own.to_string()),
                    None => vpc.ipv6(),
                };
            }
            let subnets = self.subnets_of(id, block);
            let words: Vec<(String, String)> =
                subnets.iter().map(|(name, block)| (name.clone(), block.to_string())).collect();
            vpc = vpc.subnets(words.iter().map(|(name, block)| (name.as_str(), block.as_str())));
            vpc = self.ipv6_of_subnets(id, vpc);
            builder = builder.vpc(&name, vpc);
            self.vpcs.insert(id.clone(), (name, block));
        }
        builder
    }

    /// The IPv6 block of a VPC, if a lab can have it and no other VPC has: a /56 of global addresses.
    fn ipv6_block(&mut self, vpc: &ResourceId) -> Option<Ipv6Net> {
        let known = self.account.vpcs.get(vpc)?;
        let fits = |block: &Ipv6Net| is_ipv6_block(*block) && !self.ipv6.values().any(|other| other == block);
        let found = known.ipv6.iter().find_map(|block| match block {
            IpNet::V4(_) => None,
            IpNet::V6(block) => Some(block.trunc()).filter(fits),
        });
        if let Some(block) = found {
            self.ipv6.insert(vpc.clone(), block);
        } else if !known.ipv6.is_empty() {
            let reason = Reason::UnknownValue("a /56 of global addresses".to_owned());
            self.leave_out("IPv6 block of a VPC", reason, &known.origin);
        }
        found
    }

    /// The IPv6 blocks of the subnets of a VPC, and which have none.
    fn ipv6_of_subnets(&mut self, vpc: &ResourceId, mut into: NewVpc) -> NewVpc {
        let account = self.account;
        if !account.has_ipv6(vpc) {
            return into;
        }
        for (id, subnet) in account.subnets.iter().filter(|(_, subnet)| subnet.vpc.as_ref() == Some(vpc)) {
            let Some((name, _)) = self.subnets.get(id).cloned() else { continue };
            if !account.subnet_has_ipv6(id) {
                into = into.subnet_without_ipv6(&name);
            } else if let Some(block) = self.real_ipv6(vpc, subnet.ipv6.known()) {
                into = into.subnet_ipv6(&name, &block.to_string());
            }
        }
        into
    }

    /// A block of a subnet that the topology can have, as it is one of its VPC's there.
    fn real_ipv6(&self, vpc: &ResourceId, subnet: Option<Ipv6Net>) -> Option<Ipv6Net> {
        let of = self.ipv6.get(vpc)?;
        subnet.filter(|block| block.prefix_len() == 64 && of.contains(block))
    }

    /// The subnets of a VPC that lie in its block, each beside the others; the whole block where there is none.
    fn subnets_of(&mut self, vpc: &ResourceId, block: Ipv4Net) -> Vec<(String, Ipv4Net)> {
        let mut taken: Vec<(String, Ipv4Net)> = Vec::new();
        for (id, subnet) in self.account.subnets.iter().filter(|(_, subnet)| subnet.vpc.as_ref() == Some(vpc)) {
            let fits = subnet.block.filter(|own| {
                let apart = taken.iter().all(|(_, other)| !other.contains(own) && !own.contains(other));
                block.contains(own) && own.prefix_len() <= 28 && apart
            });
            let Some(own) = fits else {
                let others = self.account.vpcs.get(vpc).into_iter().flat_map(|vpc| &vpc.blocks);
                let secondary = others
                    .filter(|other| **other != block)
                    .find(|other| subnet.block.is_some_and(|own| other.contains(&own)));
                let unknown = || Reason::UnknownValue(format!("a block of its own within {block}"));
                let reason = secondary.map_or_else(unknown, |other| Reason::SecondaryBlock(other.to_string()));
                self.left_out.push(LeftOut { kind: "subnet".to_owned(), reason, origin: subnet.origin.clone() });
                continue;
            };
            let name = self.names.unique(&subnet.label);
            self.subnets.insert(id.clone(), (name.clone(), own));
            taken.push((name, own));
        }
        if taken.is_empty() {
            taken.push((self.names.unique("all"), block));
        }
        taken
    }

    pub fn prefix_lists(&mut self, mut builder: Builder) -> Builder {
        for (id, list) in &self.account.prefix_lists {
            let Known::Is(entries) = &list.entries else { continue };
            let families: Vec<bool> = entries.iter().map(|entry| entry.addr().is_ipv6()).collect();
            if entries.is_empty() {
                self.leave_out("prefix list", Reason::NoPartInReach, &list.origin);
                continue;
            }
            if families.iter().any(|family| *family != families[0]) {
                self.leave_out("prefix list", Reason::UnknownValue("entries of one family".to_owned()), &list.origin);
                continue;
            }
            let name = self.names.unique(&list.label);
            let most = usize::try_from(list.room()).unwrap_or(usize::MAX);
            let words = entries.iter().map(ToString::to_string);
            builder = match most > entries.len() {
                true => builder.prefix_list_with_room(&name, words, list.room()),
                false => builder.prefix_list(&name, words),
            };
            self.lists.insert(id.clone(), name);
        }
        builder
    }

    pub fn name_groups(&mut self) {
        for (id, group) in &self.account.groups {
            let name = self.default_group(id, group).unwrap_or_else(|| self.names.unique(&group.label));
            self.groups.insert(id.clone(), name);
        }
    }

    /// The name of a VPC's default group, which a topology has by itself, if that has the same rules.
    fn default_group(&self, id: &ResourceId, group: &SecurityGroup) -> Option<String> {
        let vpc = group.vpc.as_ref()?;
        let names: Vec<VpcName> = self.vpcs.values().map(|(name, _)| VpcName::new(name)).collect();
        let (own, _) = self.vpcs.get(vpc)?;
        let has_ipv6 = self.account.has_ipv6(vpc);
        let is_same = group.is_default_as_born(id) && (group.egress.len() == 2) == has_ipv6;
        is_same.then(|| default_group(&names, &VpcName::new(own)).to_string())
    }

    /// Interfaces by the instance that holds them, the first of each first.
    pub fn name_instances(&mut self) -> IndexMap<String, Vec<(&'a ResourceId, &'a Interface)>> {
        let mut by_holder: IndexMap<(&ResourceId, &str), Vec<(&ResourceId, &Interface)>> = IndexMap::new();
        for (id, interface) in &self.account.interfaces {
            let (holder, _) = interface.holder_and_device();
            by_holder.entry((&interface.origin.resource, holder)).or_default().push((id, interface));
        }
        by_holder.into_iter().map(|((_, label), interfaces)| (self.names.unique(label), interfaces)).collect()
    }

    /// Public addresses that a rule names, or a block of which, become Elastic IPs, so that the rule goes on meaning their holder.
    pub fn elastic_ips(
        &mut self,
        mut builder: Builder,
        instances: &IndexMap<String, Vec<(&ResourceId, &Interface)>>,
    ) -> Builder {
        let named = IpNet::aggregate(&self.account.blocks_of_one_owner().collect());
        for (name, interfaces) in instances {
            for (device, (_, interface)) in interfaces.iter().enumerate() {
                let Public::At(addresses) = &interface.public else { continue };
                let of_ipv4: Vec<IpAddr> = addresses.iter().copied().filter(IpAddr::is_ipv4).collect();
                let is_named = |address: &&IpAddr| named.iter().any(|block| block.contains(*address));
                let mut wanted: Vec<Option<IpAddr>> = of_ipv4.iter().filter(is_named).copied().map(Some).collect();
                // An instance gets a public address by itself at its first interface only.
                if device > 0 && wanted.is_empty() && (addresses.is_empty() || !of_ipv4.is_empty()) {
                    wanted.push(of_ipv4.first().copied());
                }
                for address in wanted {
                    let elastic = self.names.unique(&format!("eip-{name}"));
                    let holder = if device == 0 { name.clone() } else { format!("{name}.eth{device}") };
                    builder = builder.elastic_ip_of(&elastic, &holder);
                    self.elastic_ips.extend(address.map(|address| (address, elastic)));
                }
            }
        }
        builder
    }

    pub fn groups(&mut self, mut builder: Builder) -> Builder {
        // Twins in case are one name for EC2.
        let mut taken: HashSet<(Option<&ResourceId>, String)> = HashSet::new();
        for (id, group) in &self.account.groups {
            let Some(name) = self.groups.get(id).cloned() else { continue };
            if self.default_group(id, group).is_some() {
                continue;
            }
            let mut new = NewGroup::new();
            if let Some((vpc, _)) = group.vpc.as_ref().and_then(|id| self.vpcs.get(id)) {
                new = new.vpc(vpc);
            }
            let real = group.name.as_deref().unwrap_or(&name);
            let is_first = taken.insert((group.vpc.as_ref(), real.to_lowercase()));
            if is_first && group.name.as_deref().is_some_and(|real| real != name && is_group_name(real)) {
                new = new.name(group.name.as_deref().unwrap_or_default());
            }
            if let Some(description) = group.description.as_deref().filter(|text| is_description(text)) {
                new = new.description(description);
            }
            let (ingress, of_ingress) = self.rules(group, &group.ingress, "from");
            let (egress, of_egress) = self.rules(group, &group.egress, "to");
            self.places.group(&name, &group.origin.place, of_ingress, of_egress);
            builder = builder.group_with(&name, new.ingress(ingress).egress(egress));
        }
        builder
    }

    pub fn instances(
        &mut self,
        mut builder: Builder,
        instances: &IndexMap<String, Vec<(&ResourceId, &Interface)>>,
    ) -> Builder {
        let mut taken = Taken::default();
        for (name, interfaces) in instances {
            let Some((_, first)) = interfaces.first() else { continue };
            if first.holder == Holder::Nobody {
                self.leave_out("interface", Reason::NoPartInReach, &first.origin);
                continue;
            }
            let Some(groups) = self.groups_of(first) else { continue };
            let mut instance = NewInstance::in_groups(groups);
            if let Some((vpc, _)) = first.vpc.as_ref().and_then(|id| self.vpcs.get(id)).filter(|_| self.vpcs.len() > 1)
            {
                instance = instance.vpc(vpc);
            }
            let subnet = first.subnet.as_ref().and_then(|id| self.subnets.get(id)).cloned();
            if let Some((subnet, _)) = &subnet {
                instance = instance.subnet(subnet);
            }
            let addresses = self.addresses(first, subnet.as_ref().map(|(_, block)| *block), &mut taken);
            if let Some(primary) = &addresses.primary {
                instance = instance.address(primary);
            }
            if let Some(ipv6) = &addresses.ipv6 {
                instance = instance.ipv6(ipv6);
            }
            if !addresses.secondary.is_empty() {
                instance = instance.secondary_addresses(&addresses.secondary);
            }
            let has_ipv6_only =
                matches!(&first.public, Public::At(known) if !known.is_empty() && known.iter().all(IpAddr::is_ipv6));
            if first.public == Public::None || has_ipv6_only {
                instance = instance.private_only();
            }
            for (device, (_, interface)) in interfaces.iter().enumerate().skip(1) {
                let Some(groups) = self.groups_of(interface) else { continue };
                let device = format!("eth{device}");
                let subnet = interface.subnet.as_ref().and_then(|id| self.subnets.get(id)).cloned();
                instance = match &subnet {
                    Some((subnet, _)) => instance.interface_in(&device, groups, subnet),
                    None => instance.interface(&device, groups),
                };
                let addresses = self.addresses(interface, subnet.map(|(_, block)| block), &mut taken);
                if let Some(primary) = &addresses.primary {
                    instance = instance.interface_address(&device, primary);
                }
                if let Some(ipv6) = &addresses.ipv6 {
                    instance = instance.interface_ipv6(&device, ipv6);
                }
                if !addresses.secondary.is_empty() {
                    instance = instance.interface_secondary_addresses(&device, &addresses.secondary);
                }
            }
            let guesses = guesses(self.account, interfaces);
            if !guesses.is_empty() {
                self.guessed += guesses.len();
                instance = instance.listens(guesses);
            }
            self.places.instance(name, &first.origin.place);
            if first.holder == Holder::StoppedInstance {
                self.stopped.push(InstanceName::new(name));
            }
            builder = builder.instance(name, instance);
        }
        builder
    }

    /// The groups of an interface that the topology has; nothing where they are not known.
    fn groups_of(&mut self, interface: &Interface) -> Option<Vec<String>> {
        let groups = match &interface.groups {
            Known::Is(groups) => groups,
            Known::Unknown(why) => {
                self.leave_out("interface", Reason::UnknownValue(format!("its groups: {why}")), &interface.origin);
                return None;
            }
        };
        let mut named = Vec::new();
        for id in groups {
            let vpc = self.account.groups.get(id).and_then(|group| group.vpc.as_ref());
            if vpc.is_some() && interface.vpc.is_some() && vpc != interface.vpc.as_ref() {
                let reason = Reason::AnotherVpc(id.to_string());
                self.leave_out("membership", reason, &interface.origin);
                continue;
            }
            match self.groups.get(id) {
                Some(name) => named.push(name.clone()),
                None => self.leave_out("membership", Reason::StaleReference(id.to_string()), &interface.origin),
            }
        }
        if named.is_empty() {
            self.leave_out(
                "interface",
                Reason::UnknownValue("a group that a source has".to_owned()),
                &interface.origin,
            );
            return None;
        }
        Some(named)
    }

    /// The primary private address of an interface and its others, as far as its subnet can give them away.
    fn addresses(&mut self, interface: &Interface, subnet: Option<Ipv4Net>, taken: &mut Taken) -> Addresses {
        let vpc = interface.vpc.as_ref().and_then(|id| self.vpcs.get(id)).map(|(_, block)| *block);
        let mut addresses = Addresses::default();
        let mut is_first = true;
        let ipv6 = interface.addresses.iter().filter_map(|block| match block {
            IpNet::V4(_) => None,
            IpNet::V6(block) => Some(*block),
        });
        self.ipv6_addresses(interface, ipv6.collect(), &mut addresses);
        for block in &interface.addresses {
            let IpNet::V4(block) = *block else { continue };
            let is_primary = block.prefix_len() == 32 && std::mem::take(&mut is_first);
            let is_one = SecondaryAddress::of_block(block.into()).is_some();
            if !is_one || !subnet.or(vpc).is_some_and(|of| is_free(of, block)) || !taken.take(interface, block) {
                let kind = if is_primary { "private address" } else { "secondary private address" };
                let reason = Reason::UnknownValue("one that its subnet can give".to_owned());
                self.leave_out(kind, reason, &interface.origin);
            } else if is_primary {
                addresses.primary = Some(block.addr().to_string());
            } else {
                addresses.secondary.extend(SecondaryAddress::of_block(block.into()).map(|it| it.to_string()));
            }
        }
        addresses
    }

    /// The IPv6 addresses of an interface: those that its subnet of the topology can give. Where that has another block than in the account the
    /// interface gets one address of it.
    fn ipv6_addresses(&mut self, interface: &Interface, known: Vec<Ipv6Net>, into: &mut Addresses) {
        let (single, prefixes): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
            known.into_iter().partition(|block| block.prefix_len() == 128);
        let subnet = interface.subnet.as_ref().and_then(|id| self.account.subnets.get(id));
        let real = interface.vpc.as_ref().and_then(|vpc| self.real_ipv6(vpc, subnet?.ipv6.known()));
        let all = single.len() + interface.ipv6_later;
        if all == 0 {
            let has_some = interface.vpc.as_ref().is_some_and(|vpc| self.account.has_ipv6(vpc));
            into.ipv6 = has_some.then(|| "no".to_owned());
        }
        let (given, others): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
            single.into_iter().chain(prefixes).partition(|block| all > 0 && real.is_some_and(|of| gives(of, *block)));
        let mut given = given.into_iter();
        if let Some(first) = given.as_slice().first().filter(|block| block.prefix_len() == 128) {
            into.ipv6 = Some(first.addr().to_string());
            given.next();
        }
        into.secondary.extend(given.filter_map(|it| SecondaryAddress::of_block(it.into())).map(|it| it.to_string()));
        let is_prefix = |block: &&Ipv6Net| block.prefix_len() < 128;
        let prefixes = others.iter().filter(is_prefix).count();
        // One of those that it cannot have as they are stands for another.
        let singles = others.len() - prefixes + interface.ipv6_later - usize::from(all > 0 && into.ipv6.is_none());
        let why = || Reason::UnknownValue("one that its subnet can give".to_owned());
        for (kind, count) in [("further IPv6 address", singles), ("IPv6 prefix", prefixes)] {
            if count > 0 {
                self.leave_out(kind, why(), &interface.origin);
            }
        }
    }
}

/// Addresses of an interface, as the topology says them.
#[derive(Default)]
struct Addresses {
    primary: Option<String>,
    /// Its first IPv6 address, or `no`; nothing where it gets one by itself.
    ipv6: Option<String>,
    secondary: Vec<String>,
}

/// Addresses that interfaces have, by VPC and the block of 16 in which they lie: each is one address or such a block.
#[derive(Default)]
struct Taken(HashMap<(Option<ResourceId>, u32), Vec<Ipv4Net>>);

impl Taken {
    /// Takes a block for an interface; false where another has a part of it.
    fn take(&mut self, interface: &Interface, block: Ipv4Net) -> bool {
        let near = self.0.entry((interface.vpc.clone(), u32::from(block.network()) >> 4)).or_default();
        let is_free = !near.iter().any(|other| other.contains(&block) || block.contains(other));
        if is_free {
            near.push(block);
        }
        is_free
    }
}

/// Returns true if a subnet gives a block away: the first four of its addresses and the last are EC2's.
fn is_free(subnet: Ipv4Net, block: Ipv4Net) -> bool {
    let first = u32::from(block.network()).saturating_sub(u32::from(subnet.network()));
    subnet.contains(&block) && first >= 4 && !block.contains(&subnet.broadcast())
}

/// The same of IPv6.
fn gives(subnet: Ipv6Net, block: Ipv6Net) -> bool {
    let first = u128::from(block.network()).saturating_sub(u128::from(subnet.network()));
    subnet.contains(&block) && first >= 4 && !block.contains(&subnet.broadcast())
}
