//! Checks of a cloud before a network is made of it.

use crate::compile::error::CompileError;
use crate::compile::names::MOST_VPCS;
use crate::model::Cloud;

/// The longest name of a group, a VPC, an instance or a host: EC2 allows a group 255, and nft a chain 255 with ours
/// before it.
const LONGEST_NAME: usize = 200;

/// Refuses more VPCs than there are numbers for.
pub fn numbers(cloud: &Cloud) -> Result<(), CompileError> {
    match cloud.vpcs.len() {
        vpcs if vpcs > MOST_VPCS => Err(CompileError::TooManyVpcs { vpcs, most: MOST_VPCS }),
        _ => Ok(()),
    }
}

/// Refuses names that no namespace can have, and references to VPCs that are not there.
pub fn names(cloud: &Cloud) -> Result<(), CompileError> {
    let groups = cloud.groups.keys().map(|name| ("group", name.as_str()));
    let vpcs = cloud.vpcs.keys().map(|name| ("VPC", name.as_str()));
    let instances = cloud.instances.keys().map(|name| ("instance", name.as_str()));
    let balancers = cloud.load_balancers.keys().map(|name| ("load balancer", name.as_str()));
    let hosts = cloud.hosts.keys().map(|name| ("host", name.as_str()));
    for (what, name) in groups.chain(vpcs).chain(instances).chain(balancers).chain(hosts) {
        // Amazon's own groups are called `amazon-elb/...`; a namespace's name must not lead anywhere.
        let spelled = |b: u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'.' | b'_' | b'-')
                || what == "group" && b == b'/'
                || what == "host" && b == b':'
        };
        let spelled = name.bytes().all(spelled);
        if !spelled || name.is_empty() || matches!(name, "." | "..") || name.len() > LONGEST_NAME {
            return Err(CompileError::Name { what, name: name.to_owned(), longest: LONGEST_NAME });
        }
    }
    for (name, group) in &cloud.groups {
        if !cloud.vpcs.contains_key(&group.vpc) {
            return Err(CompileError::UnknownVpc { group: name.clone(), vpc: group.vpc.clone() });
        }
    }
    for interface in cloud.network_interfaces() {
        if !cloud.vpcs.contains_key(&interface.vpc) {
            return Err(CompileError::HomelessInterface {
                interface: interface.id.clone(),
                vpc: interface.vpc.clone(),
            });
        }
    }
    Ok(())
}
