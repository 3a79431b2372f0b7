//! Facts of all interfaces that many groups and rules ask for, each found in one pass: the members of every group, and whether a VPC has
//! appliances.

use std::collections::HashMap;

use super::blocks::element;
use crate::model::{Cloud, GroupName, Interface, SourceDestCheck, VpcName};

/// The interfaces that are in each group, in the order of the cloud.
pub struct Members<'a>(HashMap<&'a GroupName, Vec<&'a Interface>>);

impl<'a> Members<'a> {
    /// The members of the groups of a cloud.
    pub fn of(cloud: &'a Cloud) -> Self {
        let mut all: HashMap<&GroupName, Vec<&Interface>> = HashMap::new();
        for interface in cloud.network_interfaces() {
            for group in &interface.groups {
                all.entry(group).or_default().push(interface);
            }
        }
        Self(all)
    }

    /// The private addresses of a group's members, with each of a delegated prefix. A member is an address, held by an interface: also by that of a stopped instance,
    /// where the era lets it keep one.
    pub fn private(&self, group: &GroupName) -> impl Iterator<Item = String> {
        self.members(group).flat_map(Interface::private_addresses).map(|ip| ip.to_string())
    }

    /// The IPv6 addresses of a group's members, and prefixes that are delegated to them.
    pub fn ipv6(&self, group: &GroupName) -> impl Iterator<Item = String> {
        self.members(group).flat_map(Interface::ipv6_blocks).map(|block| element(block.into()))
    }

    fn members(&self, group: &GroupName) -> impl Iterator<Item = &'a Interface> {
        self.0.get(group).into_iter().flatten().copied()
    }
}

/// Interfaces of a VPC that pass on what is not their own.
///
/// Source: "Security group rules" (Amazon VPC user guide): through a middlebox a reference to the other's group
/// admits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appliances {
    /// There is none.
    None,
    /// There are some.
    Some,
}

impl Appliances {
    /// Those of a VPC.
    pub fn of(cloud: &Cloud, vpc: &VpcName) -> Self {
        let off = |interface: &Interface| interface.vpc == *vpc && interface.source_dest_check == SourceDestCheck::Off;
        if cloud.interfaces().any(|(_, _, interface)| off(interface)) { Self::Some } else { Self::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{EXAMPLES, Topology};

    #[test]
    fn the_members_of_each_group_are_those_that_a_scan_finds_in_its_order() {
        let mut found = 0;
        for (name, text) in EXAMPLES {
            let topology = Topology::parse(name, text.as_bytes()).unwrap();
            let clouds = topology.eras.iter().map(|era| topology.initial_cloud(*era).unwrap());
            for cloud in clouds {
                let members = Members::of(&cloud);
                for group in cloud.groups.keys() {
                    let scan = || cloud.network_interfaces().filter(|it| it.groups.contains(group));
                    let private: Vec<String> =
                        scan().flat_map(Interface::private_addresses).map(|ip| ip.to_string()).collect();
                    let ipv6: Vec<String> =
                        scan().flat_map(Interface::ipv6_blocks).map(|block| element(block.into())).collect();
                    found += private.len();
                    assert_eq!(members.private(group).collect::<Vec<_>>(), private, "{name}: {group}");
                    assert_eq!(members.ipv6(group).collect::<Vec<_>>(), ipv6, "{name}: {group}");
                }
            }
        }
        assert!(found > 100, "{found} members");
    }
}
