//! Carrying out one operation: the arithmetic of EC2's control plane, without a kernel.
//!
//! Every function here changes the cloud through an `Edit`, which notes what was there: so a refusal halfway is taken back, and what has
//! changed is known without a comparison of clouds. Texts of refusals are EC2's own where EC2 has one; the others say so in their
//! documentation.

mod address;
#[cfg(test)]
mod documented;
pub(super) mod edit;
#[cfg(test)]
mod edit_tests;
pub(super) mod elastic_ip;
pub(super) mod group;
pub(super) mod instance;
pub(super) mod interface;
pub(super) mod load_balancer;
mod lookup;
pub(super) mod prefix_list;
mod quota;
pub(super) mod rule;
mod text;
mod words;

#[cfg(test)]
mod never;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;

use indexmap::IndexSet;

use super::cloud::Cloud;
use super::cloud::{DEFAULT_GROUP, vpc_of_default_group};
use super::name::VpcName;
use super::operation::Operation;
use super::refusal::Refusal;
use edit::Edit;

pub(crate) use address::automatic_ipv6;
pub use edit::Changed;
pub(crate) use quota::{ELASTIC_IPS, Limits};
pub use words::MAX_NAME_LENGTH;
pub(crate) use words::{is_description, is_group_name};

/// Carries out one operation, and says what it has changed.
///
/// # Errors
/// A [`Refusal`] with EC2's code and text; the cloud is then what it was.
pub fn apply(cloud: &mut Cloud, operation: &Operation) -> Result<Changed, Refusal> {
    let mut edit = Edit::of(cloud);
    match carry_out(&mut edit, operation) {
        Ok(()) => Ok(edit.finish()),
        Err(refusal) => {
            edit.undo();
            Err(refusal)
        }
    }
}

/// Carries out the operations of one call: all of them, or none.
///
/// # Errors
/// The first that is refused, with EC2's code and text; the cloud is then what it was. Names of its kind that later ones do not find
/// either are named with it.
pub fn apply_all<'a>(
    cloud: &mut Cloud,
    operations: impl IntoIterator<Item = &'a Operation>,
) -> Result<Changed, Refused<'a>> {
    let mut operations = operations.into_iter();
    let mut edit = Edit::of(cloud);
    for operation in operations.by_ref() {
        let Err(mut refusal) = carry_out(&mut edit, operation) else { continue };
        edit.undo();
        if !refusal.unknown.is_empty() {
            let also = operations.filter_map(|later| refused(cloud, later));
            let also = also.filter(|later| later.code == refusal.code).flat_map(|later| later.unknown);
            let all: IndexSet<String> = std::mem::take(&mut refusal.unknown).into_iter().chain(also).collect();
            refusal.unknown = all.into_iter().collect();
            lookup::name_together(&mut refusal);
        }
        return Err(Refused { operation, refusal });
    }
    Ok(edit.finish())
}

/// The refusal of an operation that is not to be carried out.
fn refused(cloud: &mut Cloud, operation: &Operation) -> Option<Refusal> {
    match apply(cloud, operation) {
        Ok(changed) => {
            changed.undo(cloud);
            None
        }
        Err(refusal) => Some(refusal),
    }
}

/// An operation of a call that EC2 refuses; nothing of the call was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// EC2's code and text.
    pub refusal: Refusal,
}

/// Gives a new cloud the group that EC2 makes itself.
pub(crate) fn add_default_group(cloud: &mut Cloud, vpc: &VpcName) {
    let mut edit = Edit::of(cloud);
    group::add_default(&mut edit, vpc);
    edit.finish();
}

/// Gives a new cloud of EC2-Classic the group of its load balancers.
pub(crate) fn add_elb_group(cloud: &mut Cloud, vpc: &VpcName) {
    let mut edit = Edit::of(cloud);
    load_balancer::add_group(&mut edit, vpc);
    edit.finish();
}

/// After a refusal the cloud is of no use until it is put back.
fn carry_out(cloud: &mut Edit<'_>, operation: &Operation) -> Result<(), Refusal> {
    make_default_groups(cloud, operation);
    operation.carry_out(cloud)
}

/// EC2 has a default group in each VPC; here one is made where it is first named.
fn make_default_groups(cloud: &mut Edit<'_>, operation: &Operation) {
    for name in operation.groups().filter(|name| name.as_str().starts_with(DEFAULT_GROUP)) {
        let vpc = vpc_of_default_group(cloud.vpcs.keys(), name.as_str()).cloned();
        if let Some(vpc) = vpc.filter(|_| !cloud.groups.contains_key(name)) {
            group::add_default(cloud, &vpc);
        }
    }
}
