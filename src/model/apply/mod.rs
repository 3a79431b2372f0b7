//! Carrying out one operation: the arithmetic of EC2's control plane, without a kernel.
//!
//! Every function here works on a copy, so that a refusal halfway leaves the caller's cloud untouched. Texts of
//! refusals are EC2's own where EC2 has one; the others say so in their documentation.

mod address;
mod group;
mod instance;
mod text;

#[cfg(test)]
mod never;
#[cfg(test)]
mod tests;

use super::{Cloud, Operation, Refusal, RefusalCode};

/// Carries out one operation.
///
/// # Errors
/// A [`Refusal`] with EC2's code and text; the given cloud stays what it was in any case.
pub fn apply(cloud: &Cloud, operation: &Operation) -> Result<Cloud, Refusal> {
    let mut cloud = cloud.clone();
    match operation {
        Operation::CreateGroup(request) => group::create(&mut cloud, request)?,
        Operation::AuthorizeIngress(group, permissions) => group::authorize(&mut cloud, group, permissions)?,
        Operation::RevokeIngress(group, permissions) => group::revoke(&mut cloud, group, permissions)?,
        Operation::SetGroups(instance, groups) => instance::set_groups(&mut cloud, instance, groups)?,
        Operation::Launch(request) => instance::launch(&mut cloud, request)?,
        Operation::Stop(instance) => instance::stop(&mut cloud, instance)?,
        Operation::Start(instance) => instance::start(&mut cloud, instance)?,
        Operation::Reboot(instance) => instance::reboot(&cloud, instance)?,
        Operation::Crash(instance) => instance::crash(&mut cloud, instance)?,
        Operation::Terminate(instance) => instance::terminate(&mut cloud, instance)?,
    }
    Ok(cloud)
}

fn refuse(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}
