//! Network interfaces, of instances and of load balancers.

use indexmap::IndexSet;

use super::address::{Ipv6, PrivateIp, PublicIp};
use super::name::{GroupName, InterfaceId, SubnetName, VpcName};

/// A network interface: groups and addresses are its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Interface {
    /// Whose it is, and which.
    pub id: InterfaceId,
    /// A number used once in the cloud, from 1; link names and indexes derive from it.
    pub number: u32,
    /// Its VPC.
    pub vpc: VpcName,
    /// Its subnet.
    pub subnet: SubnetName,
    /// Its security groups; at least one.
    pub groups: IndexSet<GroupName>,
    /// Its private address, while it has one.
    pub private: Option<PrivateIp>,
    /// Its public address, while it has one: the Elastic IP that is associated with it, or else an automatic one.
    pub public: Option<PublicIp>,
    /// Whether it gets one by itself.
    pub automatic_public: AutomaticPublic,
    /// Its IPv6 address, where its VPC has a block. It belongs to the interface, and is kept as long as that.
    pub ipv6: Option<Ipv6>,
    /// Whether it drops what is not its own.
    pub source_dest_check: SourceDestCheck,
}

/// Whether an interface drops what is neither from nor to one of its own addresses.
///
/// Source: "Elastic network interfaces" (EC2 user guide): on by default, off for what routes or translates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceDestCheck {
    /// It drops that.
    #[default]
    On,
    /// It passes that on.
    Off,
}

impl SourceDestCheck {
    /// Every setting with the word of the file.
    pub const WORDS: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl std::fmt::Display for SourceDestCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// Whether an interface gets a public address by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutomaticPublic {
    /// At launch, at each start, and in place of an Elastic IP that leaves it.
    Given,
    /// Never. Without an Elastic IP nothing of it leaves the VPC.
    None,
}
