//! Holders of interfaces as the instances of a topology.

use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use super::addresses::Taken;
use super::guesses::guesses;
use super::making::Making;
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};
use crate::model::InstanceName;
use crate::topology::{Builder, NewInstance};

/// Instances by name.
pub type Instances<'a> = IndexMap<String, Vec<Attached<'a>>>;

/// An interface of an instance.
pub struct Attached<'a> {
    interface: &'a Interface,
    /// Its place among the interfaces of its holder.
    number: usize,
    /// Its groups in the topology.
    groups: Vec<String>,
}

impl<'a> Making<'a> {
    /// The instances that the topology has, each with its interfaces, the first first. Lists interfaces that nobody holds, and those without a group in
    /// the topology; a holder whose first interface has none is no instance.
    pub fn name_instances(&mut self) -> Instances<'a> {
        let account = self.account;
        let mut by_holder: IndexMap<(&ResourceId, &str), Vec<(u32, &'a Interface)>> = IndexMap::new();
        for (id, interface) in &account.interfaces {
            let (holder, device) = interface.holder_and_device();
            by_holder.entry((account.holder_of(id, interface), holder)).or_default().push((device, interface));
        }
        let mut instances = Instances::new();
        for ((_, label), mut interfaces) in by_holder {
            interfaces.sort_by_key(|(device, _)| *device);
            let Some((_, first)) = interfaces.first() else { continue };
            if first.holder == Holder::Nobody {
                self.leave_out("interface", Reason::NoPartInReach, &first.origin);
                continue;
            }
            let mut written = Vec::new();
            for (number, (_, interface)) in interfaces.into_iter().enumerate() {
                let groups = self.groups_of(interface);
                written.extend(groups.map(|groups| Attached { interface, number, groups }));
            }
            if written.first().is_some_and(|first| first.number == 0) {
                instances.insert(self.names.unique(label), written);
                continue;
            }
            for further in written {
                let reason = Reason::UnknownValue("the groups of its holder's first interface".to_owned());
                self.leave_out("interface", reason, &further.interface.origin);
            }
        }
        instances
    }

    /// Public addresses that a rule names, or a block of which, become Elastic IPs, so that the rule goes on meaning their holder.
    pub fn elastic_ips(&mut self, mut builder: Builder, instances: &Instances<'a>) -> Builder {
        let named = IpNet::aggregate(&self.account.blocks_of_one_owner().collect());
        for (name, interfaces) in instances {
            for &Attached { interface, number: device, .. } in interfaces {
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

    /// Adds the instances with their interfaces, addresses and guessed services.
    pub fn instances(&mut self, mut builder: Builder, instances: &Instances<'a>) -> Builder {
        let mut taken = Taken::default();
        for (name, interfaces) in instances {
            let Some((first, further)) = interfaces.split_first() else { continue };
            let mut instance = self.instance(first, &mut taken);
            let Interface { holder, origin, .. } = first.interface;
            for attached in further {
                instance = self.further_interface(instance, &format!("eth{}", attached.number), attached, &mut taken);
            }
            let guesses = guesses(self.account, interfaces.iter().map(|attached| attached.interface));
            if !guesses.is_empty() {
                self.guessed += guesses.len();
                instance = instance.listens(guesses);
            }
            self.places.instance(name, &origin.place);
            if *holder == Holder::StoppedInstance {
                self.stopped.push(InstanceName::new(name));
            }
            builder = builder.instance(name, instance);
        }
        builder
    }

    /// An instance with its first interface.
    fn instance(&mut self, Attached { interface, groups, .. }: &Attached<'_>, taken: &mut Taken) -> NewInstance {
        let mut instance = NewInstance::in_groups(groups);
        let vpc = interface.vpc.as_ref().and_then(|id| self.vpcs.get(id));
        if let Some((vpc, _)) = vpc.filter(|_| self.vpcs.len() > 1) {
            instance = instance.vpc(vpc);
        }
        let subnet = interface.subnet.as_ref().and_then(|id| self.subnets.get(id)).cloned();
        if let Some((subnet, _)) = &subnet {
            instance = instance.subnet(subnet);
        }
        let addresses = self.addresses(interface, subnet.map(|(_, block)| block), taken);
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
            matches!(&interface.public, Public::At(known) if !known.is_empty() && known.iter().all(IpAddr::is_ipv6));
        if interface.public == Public::None || has_ipv6_only {
            instance = instance.private_only();
        }
        instance
    }

    /// An instance with one more interface.
    fn further_interface(
        &mut self,
        instance: NewInstance,
        device: &str,
        Attached { interface, groups, .. }: &Attached<'_>,
        taken: &mut Taken,
    ) -> NewInstance {
        let subnet = interface.subnet.as_ref().and_then(|id| self.subnets.get(id)).cloned();
        let mut instance = match &subnet {
            Some((subnet, _)) => instance.interface_in(device, groups, subnet),
            None => instance.interface(device, groups),
        };
        let addresses = self.addresses(interface, subnet.map(|(_, block)| block), taken);
        if let Some(primary) = &addresses.primary {
            instance = instance.interface_address(device, primary);
        }
        if let Some(ipv6) = &addresses.ipv6 {
            instance = instance.interface_ipv6(device, ipv6);
        }
        if !addresses.secondary.is_empty() {
            instance = instance.interface_secondary_addresses(device, &addresses.secondary);
        }
        instance
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
}
