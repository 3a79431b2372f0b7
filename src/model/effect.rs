//! Effects of operations, for whoever asks what one is about and not which one it is.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::flow::Direction;
use super::name::{ElasticIpName, GroupName, InstanceName, LoadBalancerName, PrefixListName, VpcName};
use super::request::{Launch, NewInterface, Target};
use super::rule::Permission;

/// Change of state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It is stopped.
    Stop,
    /// It is started.
    Start,
    /// It boots anew.
    Reboot,
    /// Its operating system dies.
    Crash,
    /// It ends for good.
    Terminate,
}

/// Effect on the rules that an operation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEffect {
    /// Their group has them from then on.
    Adds,
    /// Their group loses them.
    Removes,
    /// They have other descriptions. What they do stays the same.
    Describes,
}

/// Rules of a group in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleEdit<'a> {
    /// The group.
    pub group: &'a GroupName,
    /// Direction of the rules.
    pub at: Direction,
    /// Effect on them.
    pub effect: RuleEffect,
    /// The rules.
    pub permissions: &'a [Permission],
}

/// Entries of a prefix list in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryEdit<'a> {
    /// The prefix list.
    pub list: &'a PrefixListName,
    /// Entries that it gets.
    pub added: &'a [IpNet],
    /// Entries that it loses.
    pub removed: &'a [IpNet],
}

/// Effect of an operation on names: existence from then on, its end, memberships of groups, and public addresses.
#[derive(Clone, Copy, Debug)]
pub enum NameEffect<'a> {
    /// A group exists, of this VPC.
    Group(&'a GroupName, &'a VpcName),
    /// A group is gone.
    NoGroup(&'a GroupName),
    /// An instance exists, in its groups.
    Instance(&'a Launch),
    /// An instance is gone.
    NoInstance(&'a InstanceName),
    /// An instance has one more interface, in its groups.
    Interface(&'a InstanceName, &'a NewInterface),
    /// An instance is in these groups.
    Groups(&'a InstanceName, &'a IndexSet<GroupName>),
    /// A prefix list exists.
    PrefixList(&'a PrefixListName),
    /// A load balancer exists.
    LoadBalancer(&'a LoadBalancerName),
    /// An Elastic IP exists.
    ElasticIp(&'a ElasticIpName),
    /// An Elastic IP is gone.
    NoElasticIp(&'a ElasticIpName),
    /// An interface has a public address.
    PublicAddress(&'a Target),
}

impl<'a> NameEffect<'a> {
    /// Returns the name that exists from then on.
    pub fn new_name(self) -> Option<&'a str> {
        match self {
            Self::Group(name, _) => Some(name.as_str()),
            Self::Instance(launch) => Some(launch.name.as_str()),
            Self::PrefixList(name) => Some(name.as_str()),
            Self::LoadBalancer(name) => Some(name.as_str()),
            Self::ElasticIp(name) => Some(name.as_str()),
            Self::NoGroup(_)
            | Self::NoInstance(_)
            | Self::Interface(..)
            | Self::Groups(..)
            | Self::NoElasticIp(_)
            | Self::PublicAddress(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Operation;
    use crate::model::sample::permission;

    #[test]
    fn an_edit_of_rules_makes_the_operation_that_it_is_read_from() {
        let (group, permissions) = (GroupName::new("G"), [permission("tcp 80 from W")]);
        for at in [Direction::Ingress, Direction::Egress] {
            for effect in [RuleEffect::Adds, RuleEffect::Removes, RuleEffect::Describes] {
                let edit = RuleEdit { group: &group, at, effect, permissions: &permissions };
                let operation = Operation::from(edit);
                assert_eq!(operation.rule_edit(), Some(edit), "{operation}");
                assert_eq!(operation.changes_rules(), effect != RuleEffect::Describes, "{operation}");
            }
        }
    }
}
