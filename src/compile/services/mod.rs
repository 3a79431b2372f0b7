//! Services that groups never filter: a VPC's resolver, the metadata service and the time. Their ports, and what they say.
//!
//! Source: "Control traffic to your AWS resources using security groups" (VPC user guide). Their addresses are the router's
//! own, so that no packet to them or from them ever comes to the forward hook, where the groups are.

pub mod metadata;
pub mod zone;

use std::net::Ipv4Addr;

use crate::model::VpcService;
use crate::model::protocol::{TCP, UDP};

/// The resolver of the hosts outside: the second address of the public pool, which no host may have and no instance
/// gets. To an instance it is a stranger on the internet, and the groups judge what goes there.
pub const OUTSIDE_RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// A service's port.
pub const fn port(service: VpcService) -> u16 {
    match service {
        VpcService::Dns => 53,
        VpcService::Metadata => 80,
        VpcService::Time => 123,
    }
}

/// The numbers of the protocols over which a service is asked, each with its port.
pub fn ports(service: VpcService) -> &'static [(u8, u16)] {
    match service {
        VpcService::Dns => const { &[(UDP, port(VpcService::Dns)), (TCP, port(VpcService::Dns))] },
        VpcService::Metadata => const { &[(TCP, port(VpcService::Metadata))] },
        VpcService::Time => const { &[(UDP, port(VpcService::Time))] },
    }
}
