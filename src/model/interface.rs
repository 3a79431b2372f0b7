//! Network interfaces, of instances and of load balancers.

use std::fmt;

use indexmap::IndexSet;
use ipnet::Ipv6Net;

use super::address::{Ipv6, PrivateIp, PublicIp};
use super::era::Era;
use super::id::{InstanceId, NetworkInterfaceId};
use super::interface_id::InterfaceId;
use super::name::{GroupName, SubnetName, VpcName};
use super::secondary::SecondaryAddress;

/// A network interface: groups and addresses are its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Interface {
    /// Its holder, and the device index.
    pub id: InterfaceId,
    /// Its id, which no other ever has.
    pub eni: NetworkInterfaceId,
    /// The instance that it is attached to; nothing for that of a load balancer, which Amazon holds.
    pub attached_to: Option<InstanceId>,
    /// A number used once in the cloud, from 1; link names and indexes derive from it.
    pub number: u32,
    /// Its VPC.
    pub vpc: VpcName,
    /// Its subnet.
    pub subnet: SubnetName,
    /// Its security groups; at least one.
    pub groups: IndexSet<GroupName>,
    /// Its primary private address, while it has one.
    pub private: Option<PrivateIp>,
    /// Its addresses beside that and the first of IPv6, in the order of the file. They are its own as long as it is there, and lead to it
    /// while it has a primary one.
    pub secondary: Vec<SecondaryAddress>,
    /// Its public address, while it has one: the Elastic IP that is associated with it, or else an automatic one.
    pub public: Option<PublicIp>,
    /// Automatic public address: given or none.
    pub automatic_public: AutomaticPublic,
    /// Its first IPv6 address, where its subnet has a block and it is to have one. It belongs to the interface, and is kept as long as that.
    pub ipv6: Option<Ipv6>,
    /// Check of source and destination.
    pub source_dest_check: SourceDestCheck,
}

impl Interface {
    /// Every private address that leads to it: the primary one, and the others while it has that.
    pub fn private_addresses(&self) -> impl Iterator<Item = PrivateIp> {
        let others = self.secondary.iter().filter(|_| self.private.is_some()).flat_map(|it| it.private_addresses());
        self.private.into_iter().chain(others)
    }

    /// The blocks of its IPv6 addresses: its first one, the others, and prefixes that are delegated to it.
    pub fn ipv6_blocks(&self) -> impl Iterator<Item = Ipv6Net> {
        let first = self.ipv6.map(|address| Ipv6Net::from(address.0));
        first.into_iter().chain(self.secondary.iter().filter_map(|it| it.ipv6()))
    }
}

/// IPv6 address of an interface, where nobody asks for a certain one.
///
/// Source: "Subnet settings" (Amazon VPC user guide), "Auto-assign IP settings"; `Ipv6AddressCount` of `RunInstances` (EC2 API).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedIpv6 {
    /// One, where the subnet has a block.
    #[default]
    Automatic,
    /// None, whatever the subnet has.
    None,
    /// This one.
    Exact(Ipv6),
}

/// Check of source and destination: drops packets neither from nor to one of an interface's own addresses.
///
/// Source: "Elastic network interfaces" (EC2 user guide): on by default, off for what routes or translates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceDestCheck {
    /// Such packets are dropped.
    #[default]
    On,
    /// The interface may send and receive such packets. Forwarding is another setting (`forwards:`).
    Off,
}

impl SourceDestCheck {
    /// Every setting with the word of the file.
    pub const WORDS: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl fmt::Display for SourceDestCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// Automatic public address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutomaticPublic {
    /// Given at launch, at each start, and in place of an Elastic IP that leaves it.
    Given,
    /// Never. Without an Elastic IP nothing of it leaves the VPC.
    None,
}

/// The largest IP packet that a link takes, in bytes with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Mtu(pub u16);

impl Mtu {
    /// Inside a VPC.
    ///
    /// Source: "Network maximum transmission unit (MTU) for your EC2 instance" (Amazon EC2 user guide).
    pub const JUMBO: Self = Self(9001);
    /// Beyond a gateway, and everywhere in the eras before VPCs. Source: as [`Self::JUMBO`].
    pub const ETHERNET: Self = Self(1500);
    /// Of the links of a VPC. Between it and the internet, [`Self::ETHERNET`] is the most.
    pub fn inside(era: Era) -> Self {
        match era {
            Era::Article | Era::Classic => Self::ETHERNET,
            Era::Vpc => Self::JUMBO,
        }
    }

    /// The smallest that a link of a host may have: every IPv4 host takes as much (RFC 791).
    pub const MIN_IPV4: Self = Self(576);
    /// The same of a host that has an IPv6 address (RFC 8200).
    pub const MIN_IPV6: Self = Self(1280);
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
