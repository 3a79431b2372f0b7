//! Parameters of operations, where that is more than a name.

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::address::PrivateIp;
use super::cloud::Forwarding;
use super::flow::Service;
use super::interface::{AskedIpv6, AutomaticPublic, SourceDestCheck};
use super::interface_id::Attachment;
use super::mount::{MountPlace, MountSource};
use super::name::{Ec2Name, GroupName, InstanceName, PrefixListName, ProcessName, SubnetName, VpcName};
use super::process::Process;
use super::rule::PrefixFamily;
use super::secondary::SecondaryAddress;

/// `AllowReassociation` of `AssociateAddress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reassociation {
    /// The Elastic IP moves, without a word.
    Allowed,
    /// One that belongs to another interface is refused.
    Refused,
}

/// Interface that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// That of an instance. EC2 refuses the call if the instance has several.
    Instance(InstanceName),
    /// This one.
    Interface(Attachment),
}

impl Target {
    /// Returns the instance of the interface.
    pub fn instance(&self) -> &InstanceName {
        match self {
            Self::Instance(instance) => instance,
            Self::Interface(id) => &id.instance,
        }
    }
}

/// Parameters of a further interface. It gets no public address by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewInterface {
    /// Its device index, 1 for `eth1`.
    pub device: u8,
    /// Its subnet, of the instance's VPC.
    pub subnet: SubnetName,
    /// Its groups.
    pub groups: IndexSet<GroupName>,
    /// Private address asked for.
    pub address: AddressRequest,
    /// First IPv6 address asked for.
    pub ipv6: AskedIpv6,
    /// Addresses beside these.
    pub secondary: Vec<SecondaryAddress>,
    /// Check of source and destination.
    pub source_dest_check: SourceDestCheck,
}

/// Parameters of a new group.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreateGroup {
    /// The name by which the file knows it, unique in the file.
    pub name: GroupName,
    /// The name that EC2 is to have of it, unique in its VPC; nothing for the same.
    pub ec2_name: Option<Ec2Name>,
    /// Its VPC.
    pub vpc: VpcName,
    /// A free text.
    pub description: Option<String>,
    /// Position in the file.
    pub place: Option<super::name::SourceLocation>,
}

/// Parameters of a new prefix list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreatePrefixList {
    /// Its name.
    pub name: PrefixListName,
    /// Its family.
    pub family: PrefixFamily,
    /// Its entries.
    pub entries: Vec<IpNet>,
    /// As many as it may have.
    pub max_entries: u32,
}

/// Parameters of a launch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Launch {
    /// Its name.
    pub name: InstanceName,
    /// Its VPC.
    pub vpc: VpcName,
    /// Its subnet.
    pub subnet: SubnetName,
    /// Its groups, all of its VPC.
    pub groups: IndexSet<GroupName>,
    /// Services that it listens on.
    pub listens: IndexSet<Service>,
    /// The programs that it runs by itself, in the order of their start.
    pub processes: IndexMap<ProcessName, Process>,
    /// Mounts of its programs, beside what every instance sees.
    pub mounts: IndexMap<MountPlace, MountSource>,
    /// Private address asked for.
    pub address: AddressRequest,
    /// First IPv6 address asked for.
    pub ipv6: AskedIpv6,
    /// Addresses beside these.
    pub secondary: Vec<SecondaryAddress>,
    /// Automatic public address.
    pub public: AutomaticPublic,
    /// Check of source and destination of its first interface.
    pub source_dest_check: SourceDestCheck,
    /// Forwarding of packets for others.
    pub forwarding: Forwarding,
    /// Further interfaces.
    pub more: Vec<NewInterface>,
    /// Position in the file.
    pub place: Option<super::name::SourceLocation>,
}

/// Private address that a launch asks for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressRequest {
    /// The next of the subnet that nobody ever had.
    Automatic,
    /// This one.
    Exact(PrivateIp),
    /// `web1.previous`: the one that this instance held before its present one, or last if it is gone.
    PreviousOf(InstanceName),
}
