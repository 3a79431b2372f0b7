//! The names of the lab, as `/etc/hosts` and `/etc/resolv.conf` of the programs started in its instances.

use std::fmt::Write;

use super::error::LabError;
use crate::compile::services::zone::{self, View};
use crate::compile::{names, services};
use crate::fabric::Fabric;
use crate::model::{Cloud, VpcService, service_address};
use crate::network::NodeName;

/// Writes the names of now for the programs of each VPC and of hosts outside, in place, so that those which have the file open
/// or mounted see the change.
pub(super) async fn write(fabric: &Fabric, cloud: &Cloud) -> Result<(), LabError> {
    for (router, view) in views(cloud) {
        let failed = |source| LabError::Names { file: format!("hosts file of {router}"), source };
        fabric.files().write_hosts_file(&router, text(cloud, &view)).await.map_err(failed)?;
    }
    Ok(())
}

/// Writes where the programs of each VPC, and of hosts outside, find their resolver. It is the same as long as the lab is there.
pub(super) fn write_resolvers(fabric: &Fabric, cloud: &Cloud) -> Result<(), LabError> {
    let outside = format!("nameserver {}\n", services::OUTSIDE_RESOLVER);
    let failed = |source| LabError::Names { file: format!("resolver file of {}", names::internet()), source };
    fabric.files().write_resolver_file(&names::internet(), &outside).map_err(failed)?;
    for (name, vpc) in &cloud.vpcs {
        if let Some(resolver) = service_address(cloud.era, vpc, VpcService::Dns) {
            let (router, text) = (names::router(name), format!("nameserver {resolver}\nsearch ec2.internal\n"));
            let failed = |source| LabError::Names { file: format!("resolver file of {router}"), source };
            fabric.files().write_resolver_file(&router, &text).map_err(failed)?;
        }
    }
    Ok(())
}

/// Every plain name as the resolver of that view answers for it.
fn text(cloud: &Cloud, view: &View) -> String {
    let mut text = String::from("127.0.0.1 localhost\n");
    for (named, addresses) in zone::own_names(cloud, view) {
        let named = named.join(" ");
        for address in addresses {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{address} {named}");
        }
    }
    text
}

/// The views of a cloud, each with the namespace that its resolver is in.
fn views(cloud: &Cloud) -> impl Iterator<Item = (NodeName, View)> {
    let inside = cloud.vpcs.keys().map(|vpc| (names::router(vpc), View::Inside(vpc.clone())));
    inside.chain([(names::internet(), View::Outside)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::model::sample::{Sample, balancer};

    #[test]
    fn a_load_balancer_stands_there_with_its_dns_name_and_its_public_address() {
        let sample = Sample::new(Era::Vpc).group("G", &[]).instance("web1", &["G"]).with(balancer(&["G"]));
        let text = text(&sample.0, &View::Outside);
        let public = sample.0.load_balancers["lb"].interface.public.expect("an address");
        assert!(text.contains(&format!("\n{public} lb lb.us-east-1.elb.amazonaws.com\n")), "{text}");
        assert!(text.contains("\n198.18.0.11 web1\n") && text.matches(" lb").count() == 2, "{text}");
    }
}
