//! What operations ask for, where that is more than a name.

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::address::PrivateIp;
use super::cloud::{Forwarding, PrefixFamily};
use super::daemon::Daemon;
use super::flow::Service;
use super::interface::{AutomaticPublic, SourceDestCheck};
use super::mount::{MountPlace, MountSource};
use super::name::{DaemonName, GroupName, InstanceName, InterfaceId, PrefixListName, SubnetName, VpcName};

/// `AllowReassociation` of `AssociateAddress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reassociation {
    /// The Elastic IP moves, without a word.
    Allowed,
    /// One that belongs to another interface is refused.
    Refused,
}

/// Which interface a call is about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// That of an instance. EC2 refuses the call if the instance has several.
    Instance(InstanceName),
    /// This one.
    Interface(InterfaceId),
}

impl Target {
    /// Whose interface it is.
    pub fn instance(&self) -> &InstanceName {
        match self {
            Self::Instance(instance) => instance,
            Self::Interface(id) => &id.instance,
        }
    }
}

/// What a further interface is made of. It gets no public address by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewInterface {
    /// Its device index, 1 for `eth1`.
    pub device: u8,
    /// Its subnet, of the instance's VPC.
    pub subnet: SubnetName,
    /// Its groups.
    pub groups: IndexSet<GroupName>,
    /// Which private address it asks for.
    pub address: AddressRequest,
    /// Whether it drops what is not its own.
    pub source_dest_check: SourceDestCheck,
}

/// What a new group is made of.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreateGroup {
    /// Its name, unique in its VPC.
    pub name: GroupName,
    /// Its VPC.
    pub vpc: VpcName,
    /// A free text.
    pub description: Option<String>,
    /// Where the file says so.
    pub place: Option<super::name::Place>,
}

/// What a new prefix list is made of.
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

/// What an instance is launched with.
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
    /// What listens on it.
    pub listens: IndexSet<Service>,
    /// The programs that it runs by itself, in the order of their start.
    pub daemons: IndexMap<DaemonName, Daemon>,
    /// What its programs see beside what every instance sees.
    pub mounts: IndexMap<MountPlace, MountSource>,
    /// Which private address it asks for.
    pub address: AddressRequest,
    /// Whether it gets a public address.
    pub public: AutomaticPublic,
    /// Whether its first interface drops what is not its own.
    pub source_dest_check: SourceDestCheck,
    /// What it does with packets for others.
    pub forwarding: Forwarding,
    /// Further interfaces.
    pub more: Vec<NewInterface>,
    /// Where the file says so.
    pub place: Option<super::name::Place>,
}

/// Which private address a launch asks for.
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
