//! Addresses of the services that groups never filter: a VPC's resolver, the metadata service and the time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cloud::Vpc;
use super::era::Era;
use super::flow::VpcService;

/// The resolver of EC2-Classic ("EC2-Classic", EC2 user guide, 2018).
const CLASSIC_RESOLVER: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 23);
/// The resolver of every VPC, beside that at its base + 2 ("DNS attributes for your VPC").
const LINK_RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const TIME: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);
const RESOLVER_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253);
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const TIME_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123);

/// The services of a VPC with their addresses; of each service the one that is told to instances comes first.
pub fn service_addresses(era: Era, vpc: &Vpc) -> Vec<(VpcService, IpAddr)> {
    let second = Ipv4Addr::from(u32::from(vpc.cidr.network()) + 2);
    let mut all: Vec<(VpcService, IpAddr)> = Vec::new();
    if era == Era::Vpc {
        all.extend([(VpcService::Dns, second.into()), (VpcService::Dns, LINK_RESOLVER.into())]);
    } else if vpc.cidr.contains(&CLASSIC_RESOLVER) {
        // An instance could hold it there; nobody ever holds the second of a block.
        all.push((VpcService::Dns, second.into()));
    } else {
        all.push((VpcService::Dns, CLASSIC_RESOLVER.into()));
    }
    all.extend([(VpcService::Metadata, METADATA.into()), (VpcService::Time, TIME.into())]);
    if vpc.ipv6.is_some() {
        all.extend([
            (VpcService::Dns, RESOLVER_IPV6.into()),
            (VpcService::Metadata, METADATA_IPV6.into()),
            (VpcService::Time, TIME_IPV6.into()),
        ]);
    }
    all
}

/// The first address of a service of a VPC.
pub fn service_address(era: Era, vpc: &Vpc, service: VpcService) -> Option<IpAddr> {
    service_addresses(era, vpc).into_iter().find(|(of, _)| *of == service).map(|(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::VpcName;
    use crate::model::sample::Sample;

    #[test]
    fn an_instance_is_told_the_first_address_of_a_service() {
        let told = |era, block: &str| {
            let sample = Sample::new(era);
            let vpc = Vpc { cidr: block.parse().unwrap(), ..sample.0.vpcs[&VpcName::new("default")].clone() };
            VpcService::ALL.map(|service| service_address(era, &vpc, service).map(|address| address.to_string()))
        };
        let told = |era, block| told(era, block).map(|address| address.unwrap_or_default());
        assert_eq!(VpcService::ALL, [VpcService::Dns, VpcService::Metadata, VpcService::Time]);
        assert_eq!(told(Era::Vpc, "10.7.0.0/16"), ["10.7.0.2", "169.254.169.254", "169.254.169.123"]);
        assert_eq!(told(Era::Classic, "10.7.0.0/16"), ["172.16.0.23", "169.254.169.254", "169.254.169.123"]);
        // An instance may have that address there.
        assert_eq!(told(Era::Classic, "172.16.0.0/16")[0], "172.16.0.2");
    }
}
