//! Errors of a cloud that cannot be compiled. Never an excuse to compile something wider.

use crate::model::{GroupName, InterfaceId, PrefixListName, RuleId, VpcName};

/// A cloud that no ruleset stands for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A rule names a group that does not exist.
    #[error("rule {rule} of {group} ({written}) names the group {peer}, which does not exist")]
    UnknownPeer {
        /// The rule.
        rule: RuleId,
        /// Its group.
        group: GroupName,
        /// The rule as written.
        written: String,
        /// The group that it names.
        peer: GroupName,
    },
    /// A rule names a prefix list that does not exist.
    #[error("rule {rule} ({written}) names the prefix list {list}, which does not exist")]
    UnknownPrefixList {
        /// The rule.
        rule: RuleId,
        /// The rule as written.
        written: String,
        /// The prefix list that it names.
        list: PrefixListName,
    },
    /// A rule names a group of another VPC.
    #[error("rule {rule} of {group} ({written}) names the group {peer}, which belongs to another VPC, {vpc}")]
    ForeignPeer {
        /// The rule.
        rule: RuleId,
        /// Its group.
        group: GroupName,
        /// The rule as written.
        written: String,
        /// The group that it names.
        peer: GroupName,
        /// The VPC of that group.
        vpc: VpcName,
    },
    /// A group of a VPC that does not exist.
    #[error("group {group} belongs to the VPC {vpc}, which does not exist")]
    UnknownVpc {
        /// The group.
        group: GroupName,
        /// The VPC that it names.
        vpc: VpcName,
    },
    /// An interface in a VPC that does not exist.
    #[error("interface {interface} is in the VPC {vpc}, which does not exist")]
    HomelessInterface {
        /// The interface.
        interface: InterfaceId,
        /// The VPC that it names.
        vpc: VpcName,
    },
    /// An interface in a group that does not exist in its VPC.
    #[error("interface {interface} is in the group {group}, which does not exist in its VPC")]
    UnknownMembership {
        /// The interface.
        interface: InterfaceId,
        /// The group.
        group: GroupName,
    },
    /// nft and the kernel cannot spell the name.
    #[error("the {what} {name:?} cannot be a name: letters, digits, `.`, `_` and `-` only, at most {longest} of them")]
    Name {
        /// Kind of object that has the name.
        what: &'static str,
        /// The name.
        name: String,
        /// The most characters it may have.
        longest: usize,
    },
    /// Part of a filter that other parts are added to and that is not there: the compiler's own mistake.
    #[error("the filter has no {what} {name:?}, to which others are added")]
    MissingPart {
        /// Kind of part.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// More VPCs than the lab has numbers for.
    #[error("the cloud has {vpcs} VPCs, and a lab has room for {most}")]
    TooManyVpcs {
        /// VPCs of the cloud.
        vpcs: usize,
        /// As many as there may be.
        most: usize,
    },
    /// Two namespaces would have one name, or two interfaces of one namespace.
    #[error("{what} {name:?} is taken: an instance, a host and the lab's own boxes need names that differ")]
    Taken {
        /// Kind of object that it would be the name of.
        what: &'static str,
        /// The name.
        name: String,
    },
}
