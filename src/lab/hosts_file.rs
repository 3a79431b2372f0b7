//! The names of the lab, as `/etc/hosts` and `/etc/resolv.conf` of the programs started in its instances.

use std::fmt::Write;

use super::LabError;
use crate::compile::{names, services};
use crate::fabric::Fabric;
use crate::model::{Cloud, CloudService, InstanceState, Interface};

/// Writes the names of now, in place, so that programs which have the file open or mounted see the change.
pub(super) fn write(fabric: &Fabric, cloud: &Cloud) -> Result<(), LabError> {
    let failed = |source| LabError::Names { file: "hosts file".into(), source };
    fabric.write_hosts_file(&text(cloud)).map_err(failed)
}

/// Writes where the programs of each VPC, and of hosts outside, find their resolver. It is the same as long as the lab is there.
pub(super) fn write_resolvers(fabric: &Fabric, cloud: &Cloud) -> Result<(), LabError> {
    let outside = format!("nameserver {}\n", services::OUTSIDE_RESOLVER);
    let failed = |source| LabError::Names { file: format!("resolver file of {}", names::internet()), source };
    fabric.write_resolver_file(&names::internet(), &outside).map_err(failed)?;
    for (name, vpc) in &cloud.vpcs {
        if let Some(resolver) = services::address(cloud, vpc, CloudService::Dns) {
            let (router, text) = (names::router(name), format!("nameserver {resolver}\nsearch ec2.internal\n"));
            let failed = |source| LabError::Names { file: format!("resolver file of {router}"), source };
            fabric.write_resolver_file(&router, &text).map_err(failed)?;
        }
    }
    Ok(())
}

/// Instances by private and IPv6 address, load balancers by the address that their DNS name means, hosts outside by their own.
fn text(cloud: &Cloud) -> String {
    let mut text = String::from("127.0.0.1 localhost\n");
    let up = |it: &&Interface| cloud.state_of(&it.id.instance) == Some(InstanceState::Running);
    let interfaces = cloud.interfaces().map(|(_, _, interface)| interface);
    for interface in interfaces.filter(up).filter(|interface| interface.id.device == 0) {
        let name = &interface.id.instance;
        if let Some(private) = interface.private {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{private} {name}");
        }
        if let Some(ipv6) = interface.ipv6 {
            let _ = writeln!(text, "{ipv6} {name}");
        }
    }
    for (name, balancer) in &cloud.load_balancers {
        if let Some(address) = balancer.named_address() {
            let dns_name = services::zone::balancer_name(name, balancer.scheme);
            let _ = writeln!(text, "{address} {name} {dns_name}");
        }
    }
    for (name, host) in &cloud.hosts {
        for address in &host.addresses {
            let _ = writeln!(text, "{address} {name}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::model::sample::{Sample, balancer};

    #[test]
    fn a_load_balancer_stands_there_with_its_dns_name_and_its_public_address() {
        let sample = Sample::new(Era::Vpc).group("G", &[]).instance("web1", &["G"]).with(balancer(&["G"]));
        let text = text(&sample.0);
        let public = sample.0.load_balancers["lb"].interface.public.expect("an address");
        assert!(text.contains(&format!("\n{public} lb lb.us-east-1.elb.amazonaws.com\n")), "{text}");
        assert!(text.contains("\n10.0.0.11 web1\n") && text.matches(" lb").count() == 2, "{text}");
    }
}
