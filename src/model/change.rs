//! The difference that an operation makes to a cloud, one fact at a time.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::address::{PrivateIp, PublicIp};
use super::cloud::{ElasticIp, Instance, InstanceState, PrefixList, SecurityGroup};
use super::flow::Direction;
use super::interface::{Interface, SourceDestCheck};
use super::interface_id::InterfaceId;
use super::load_balancer::LoadBalancer;
use super::name::{ElasticIpName, GroupName, InstanceName, LoadBalancerName, PrefixListName, RuleId};
use super::rule::Rule;
use super::secondary::SecondaryAddress;

/// One fact that operations have changed. `Display` has it as a line: `web1 private 10.0.0.11 -> 10.0.0.13`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// An instance is terminated.
    InstanceTerminated(InstanceName),
    /// An instance is launched, or its state is another.
    InstanceState {
        /// The instance.
        instance: InstanceName,
        /// Before; `None` at its launch.
        before: Option<InstanceState>,
        /// Now.
        now: InstanceState,
    },
    /// An address of an interface is another.
    Address {
        /// The interface.
        interface: InterfaceId,
        /// Kind of address.
        kind: AddressType,
        /// Before.
        before: Option<IpAddr>,
        /// Now.
        now: Option<IpAddr>,
    },
    /// An interface has other secondary addresses.
    SecondaryAddresses {
        /// The interface.
        interface: InterfaceId,
        /// All of them before.
        before: Vec<SecondaryAddress>,
        /// All of them now.
        now: Vec<SecondaryAddress>,
    },
    /// An interface has other groups.
    Groups {
        /// The interface.
        interface: InterfaceId,
        /// All of its groups before; `None` for one that is new.
        before: Option<Vec<GroupName>>,
        /// All of its groups now.
        groups: Vec<GroupName>,
    },
    /// The check of source and destination is switched.
    SourceDestCheck {
        /// The interface.
        interface: InterfaceId,
        /// Before.
        before: SourceDestCheck,
        /// Now.
        now: SourceDestCheck,
    },
    /// An interface is detached.
    InterfaceDetached(InterfaceId),
    /// A group is deleted.
    GroupDeleted(GroupName),
    /// A group is created.
    GroupCreated(GroupName),
    /// A group has one more rule.
    RuleAdded(GroupName, Direction, RuleReference),
    /// A group has a rule less.
    RuleRemoved(GroupName, Direction, RuleReference),
    /// A rule has another description.
    RuleDescription {
        /// The group.
        group: GroupName,
        /// Direction of the rule.
        direction: Direction,
        /// The rule.
        rule: RuleReference,
        /// Description before.
        before: Option<String>,
        /// Description now.
        now: Option<String>,
    },
    /// A load balancer is created.
    LoadBalancerCreated(LoadBalancerName),
    /// An instance is not registered with a load balancer any more.
    Deregistered(LoadBalancerName, InstanceName, PrivateIp),
    /// An instance is registered with a load balancer.
    Registered(LoadBalancerName, InstanceName, PrivateIp),
    /// An Elastic IP is allocated.
    AddressAllocated(ElasticIpName, PublicIp),
    /// An Elastic IP is released.
    AddressReleased(ElasticIpName, PublicIp),
    /// A prefix list has one more entry.
    EntryAdded(PrefixListName, IpNet),
    /// A prefix list has an entry less.
    EntryRemoved(PrefixListName, IpNet),
}

impl Change {
    /// Returns `true` if a name may now be there, be gone or have another address.
    pub fn is_of_names(&self) -> bool {
        match self {
            Self::InstanceTerminated(_)
            | Self::InstanceState { before: None, .. }
            | Self::Address { .. }
            | Self::InterfaceDetached(_)
            | Self::LoadBalancerCreated(_) => true,
            Self::InstanceState { before: Some(_), .. }
            | Self::SecondaryAddresses { .. }
            | Self::Groups { .. }
            | Self::SourceDestCheck { .. }
            | Self::GroupDeleted(_)
            | Self::GroupCreated(_)
            | Self::RuleAdded(..)
            | Self::RuleRemoved(..)
            | Self::RuleDescription { .. }
            | Self::Deregistered(..)
            | Self::Registered(..)
            | Self::AddressAllocated(..)
            | Self::AddressReleased(..)
            | Self::EntryAdded(..)
            | Self::EntryRemoved(..) => false,
        }
    }
}

/// A rule as a change names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReference {
    /// Its id.
    pub id: RuleId,
    /// The rule as its author wrote it.
    pub written: String,
}

/// Type of an address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressType {
    /// Private IPv4 address.
    Private,
    /// Public IPv4 address.
    Public,
    /// IPv6 address.
    Ipv6,
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Ipv6 => "ipv6",
        })
    }
}

/// The difference that operations made to an instance.
pub(super) fn of_instance(
    name: &InstanceName,
    was: Option<&Instance>,
    now: Option<&Instance>,
    changes: &mut Vec<Change>,
) {
    let Some(now) = now else {
        changes.extend(was.map(|_| Change::InstanceTerminated(name.clone())));
        return;
    };
    let before = was.map(|was| was.state);
    if before != Some(now.state) {
        changes.push(Change::InstanceState { instance: name.clone(), before, now: now.state });
    }
    for interface in &now.interfaces {
        let same = |was: &&Interface| was.id == interface.id;
        of_interface(was.and_then(|was| was.interfaces.iter().find(same)), interface, changes);
    }
    for gone in was.into_iter().flat_map(|was| &was.interfaces) {
        if !now.interfaces.iter().any(|interface| interface.id == gone.id) {
            changes.push(Change::InterfaceDetached(gone.id.clone()));
        }
    }
}

fn of_interface(was: Option<&Interface>, now: &Interface, changes: &mut Vec<Change>) {
    let addresses = |it: &Interface| {
        [
            (AddressType::Private, it.private.map(|address| IpAddr::V4(address.0))),
            (AddressType::Public, it.public.map(|address| IpAddr::V4(address.0))),
            (AddressType::Ipv6, it.ipv6.map(|address| IpAddr::V6(address.0))),
        ]
    };
    let had = was.map(addresses);
    for (index, (kind, now_has)) in addresses(now).into_iter().enumerate() {
        let before = had.and_then(|had| had[index].1);
        if before != now_has {
            changes.push(Change::Address { interface: now.id.clone(), kind, before, now: now_has });
        }
    }
    let before = was.map_or_else(Vec::new, |was| was.secondary.clone());
    if before != now.secondary {
        let (interface, now) = (now.id.clone(), now.secondary.clone());
        changes.push(Change::SecondaryAddresses { interface, before, now });
    }
    if was.is_none_or(|was| was.groups != now.groups) {
        let all = |it: &Interface| it.groups.iter().cloned().collect();
        changes.push(Change::Groups { interface: now.id.clone(), before: was.map(all), groups: all(now) });
    }
    if let Some(was) = was.filter(|was| was.source_dest_check != now.source_dest_check) {
        let (before, now_is) = (was.source_dest_check, now.source_dest_check);
        changes.push(Change::SourceDestCheck { interface: now.id.clone(), before, now: now_is });
    }
}

/// The difference that operations made to a group.
pub(super) fn of_group<'a>(
    name: &GroupName,
    was: Option<&'a SecurityGroup>,
    now: Option<&'a SecurityGroup>,
    changes: &mut Vec<Change>,
) {
    let Some(now) = now else {
        changes.extend(was.map(|_| Change::GroupDeleted(name.clone())));
        return;
    };
    if was.is_none() {
        changes.push(Change::GroupCreated(name.clone()));
    }
    for (direction, rules, were) in [
        (Direction::Ingress, now.ingress.as_slice(), was.map_or(&[][..], |was| &was.ingress)),
        (Direction::Egress, now.egress.as_slice(), was.map_or(&[][..], |was| &was.egress)),
    ] {
        let by_id =
            |rules: &'a [Rule]| -> HashMap<RuleId, &'a Rule> { rules.iter().map(|rule| (rule.id, rule)).collect() };
        let (known, before) = (by_id(rules), by_id(were));
        let of = |rule: &Rule| RuleReference { id: rule.id, written: rule.written.clone() };
        let added = rules.iter().filter(|rule| !before.contains_key(&rule.id));
        changes.extend(added.map(|rule| Change::RuleAdded(name.clone(), direction, of(rule))));
        let removed = were.iter().filter(|rule| !known.contains_key(&rule.id));
        changes.extend(removed.map(|rule| Change::RuleRemoved(name.clone(), direction, of(rule))));
        for rule in rules {
            let was = before.get(&rule.id).filter(|was| was.description != rule.description);
            changes.extend(was.map(|was| Change::RuleDescription {
                group: name.clone(),
                direction,
                rule: of(rule),
                before: was.description.clone(),
                now: rule.description.clone(),
            }));
        }
    }
}

/// The difference that operations made to a load balancer. None is ever deleted.
pub(super) fn of_load_balancer(
    name: &LoadBalancerName,
    was: Option<&LoadBalancer>,
    now: Option<&LoadBalancer>,
    changes: &mut Vec<Change>,
) {
    let Some(now) = now else { return };
    if was.is_none() {
        changes.push(Change::LoadBalancerCreated(name.clone()));
    }
    of_interface(was.map(|was| &was.interface), &now.interface, changes);
    for (target, address) in was.into_iter().flat_map(|was| &was.registrations) {
        if now.registrations.get(target) != Some(address) {
            changes.push(Change::Deregistered(name.clone(), target.clone(), *address));
        }
    }
    for (target, address) in &now.registrations {
        if was.is_none_or(|was| was.registrations.get(target) != Some(address)) {
            changes.push(Change::Registered(name.clone(), target.clone(), *address));
        }
    }
}

/// The difference that operations made to an Elastic IP; its association is the interface's address.
pub(super) fn of_elastic_ip(
    name: &ElasticIpName,
    was: Option<&ElasticIp>,
    now: Option<&ElasticIp>,
    changes: &mut Vec<Change>,
) {
    match (was, now) {
        (None, Some(now)) => changes.push(Change::AddressAllocated(name.clone(), now.address)),
        (Some(was), None) => changes.push(Change::AddressReleased(name.clone(), was.address)),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// The difference that operations made to the entries of a prefix list. A list is new as a whole.
pub(super) fn of_prefix_list(
    name: &PrefixListName,
    was: Option<&PrefixList>,
    now: Option<&PrefixList>,
    changes: &mut Vec<Change>,
) {
    let (Some(was), Some(now)) = (was, now) else { return };
    changes.extend(now.entries.difference(&was.entries).map(|entry| Change::EntryAdded(name.clone(), *entry)));
    changes.extend(was.entries.difference(&now.entries).map(|entry| Change::EntryRemoved(name.clone(), *entry)));
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = |direction: &Direction| match direction {
            Direction::Ingress => "",
            Direction::Egress => "egress ",
        };
        match self {
            Self::InstanceTerminated(name) => write!(f, "{name} is gone"),
            Self::InstanceState { instance, before: None, now } => write!(f, "{instance} {now}"),
            Self::InstanceState { instance, before: Some(before), now } => write!(f, "{instance} {before} -> {now}"),
            Self::Address { interface, kind, before, now } => {
                let or_none = |address: &Option<IpAddr>| address.map_or_else(|| "none".to_owned(), |it| it.to_string());
                write!(f, "{} {kind} {} -> {}", interface.short(), or_none(before), or_none(now))
            }
            Self::SecondaryAddresses { interface, before, now } => {
                let all = |them: &[SecondaryAddress]| match them {
                    [] => "none".to_owned(),
                    some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                };
                write!(f, "{} secondary {} -> {}", interface.short(), all(before), all(now))
            }
            Self::Groups { interface, before, groups } => {
                let names = |all: &[GroupName]| all.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
                let before = before.as_ref().map_or_else(String::new, |before| format!("{} -> ", names(before)));
                write!(f, "{} groups {before}{}", interface.short(), names(groups))
            }
            Self::SourceDestCheck { interface, before, now } => {
                write!(f, "{} source-dest-check {before} -> {now}", interface.short())
            }
            Self::InterfaceDetached(id) => write!(f, "{id} is gone"),
            Self::GroupDeleted(name) => write!(f, "{name} is deleted"),
            Self::GroupCreated(name) => write!(f, "{name} is created"),
            Self::RuleAdded(group, direction, rule) => write!(f, "{group} {}+ {}", arrow(direction), rule.written),
            Self::RuleRemoved(group, direction, rule) => write!(f, "{group} {}- {}", arrow(direction), rule.written),
            Self::RuleDescription { group, direction, rule, before, now } => {
                let quoted =
                    |text: &Option<String>| text.as_ref().map_or_else(|| "none".to_owned(), |it| format!("\"{it}\""));
                let (arrow, before, now) = (arrow(direction), quoted(before), quoted(now));
                write!(f, "{group} {arrow}{}: description {before} -> {now}", rule.written)
            }
            Self::LoadBalancerCreated(name) => write!(f, "{name} is created"),
            Self::Deregistered(name, target, address) => {
                write!(f, "{name} registration of {target} {address} -> none")
            }
            Self::Registered(name, target, address) => {
                write!(f, "{name} registration of {target} none -> {address}")
            }
            Self::AddressAllocated(name, address) => write!(f, "{name} is {address}"),
            Self::AddressReleased(name, address) => write!(f, "{name}, {address}, is released"),
            Self::EntryAdded(name, entry) => write!(f, "{name} + {entry}"),
            Self::EntryRemoved(name, entry) => write!(f, "{name} - {entry}"),
        }
    }
}
