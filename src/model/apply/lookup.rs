//! Checks that every operation makes first: existence, and ownership.

use crate::model::cloud::{Cloud, Instance};
use crate::model::name::{GroupName, InstanceName};
use crate::model::refusal::{Refusal, RefusalCode};

/// An instance by its name.
pub(super) fn instance<'a>(cloud: &'a Cloud, name: &InstanceName) -> Result<&'a Instance, Refusal> {
    cloud.instances.get(name).ok_or_else(|| {
        unknown(RefusalCode::InvalidInstanceIdNotFound, name, format!("The instance ID '{name}' does not exist"))
    })
}

/// EC2's text where one call names several instances that are not there.
pub(super) fn name_together(refusal: &mut Refusal) {
    if refusal.code == RefusalCode::InvalidInstanceIdNotFound && refusal.unknown.len() > 1 {
        refusal.message = format!("The instance IDs '{}' do not exist", refusal.unknown.join(", "));
    }
}

/// Refuses a group that Amazon owns: nobody else edits or deletes it, or is in it.
pub(super) fn must_be_ours(group: &GroupName) -> Result<(), Refusal> {
    if !group.as_str().starts_with("amazon-elb/") {
        return Ok(());
    }
    Err(refuse(RefusalCode::InvalidGroupReserved, format!("The security group '{group}' is Amazon's own")))
}

/// Refuses what EC2-Classic has not; the text is sglab's own.
pub(super) fn only_in_a_vpc(cloud: &Cloud, what: &str) -> Result<(), Refusal> {
    if cloud.is_vpc() {
        return Ok(());
    }
    Err(refuse(RefusalCode::InvalidParameterCombination, format!("Instances of EC2-Classic {what}.")))
}

/// A refusal with EC2's code, and its text where it has one.
pub(super) fn refuse(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), unknown: Vec::new(), culprits: Vec::new() }
}

/// A refusal of a name that nobody has.
pub(super) fn unknown(code: RefusalCode, name: impl std::fmt::Display, message: String) -> Refusal {
    Refusal { unknown: vec![name.to_string()], ..refuse(code, message) }
}

/// A refusal with what is in the way.
pub(super) fn because(refusal: Refusal, culprits: impl IntoIterator<Item = String>) -> Refusal {
    Refusal { culprits: culprits.into_iter().collect(), ..refusal }
}
