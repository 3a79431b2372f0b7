//! The group that EC2 makes itself in each VPC, by its names.

use super::name::{GroupName, VpcName};

/// The name that EC2 has of it.
pub const DEFAULT_GROUP: &str = "default";

/// The name by which a file knows that of a VPC: `default` in the first of the VPCs, `default-VPC` in another.
pub fn default_group<'a>(vpcs: impl IntoIterator<Item = &'a VpcName>, of: &VpcName) -> GroupName {
    match vpcs.into_iter().next() {
        Some(first) if first != of => GroupName::new(format!("{DEFAULT_GROUP}-{of}")),
        _ => GroupName::new(DEFAULT_GROUP),
    }
}

/// The VPC that has its default group under a name of the file.
pub fn vpc_of_default_group<'a>(vpcs: impl IntoIterator<Item = &'a VpcName>, group: &str) -> Option<&'a VpcName> {
    let mut vpcs = vpcs.into_iter();
    let first = vpcs.next()?;
    match group.strip_prefix(DEFAULT_GROUP)? {
        "" => Some(first),
        other => vpcs.find(|vpc| other.strip_prefix('-') == Some(vpc.as_str())),
    }
}
