//! Changes to a cloud, in EC2's verbs, and the refusals; [`apply`](fn@super::apply::apply) carries them out.

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::address::PrivateIp;
use super::cloud::{Forwarding, PrefixFamily};
use super::daemon::Daemon;
use super::flow::Service;
use super::interface::{AutomaticPublic, SourceDestCheck};
use super::load_balancer::CreateLoadBalancer;
use super::mount::{MountPlace, MountSource};
use super::name::{
    DaemonName, ElasticIpName, GroupName, InstanceName, InterfaceId, LoadBalancerName, PrefixListName, SubnetName,
    VpcName,
};
use super::rule::{Peer, PeerRequest, Permission};

/// One change to a cloud.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `CreateSecurityGroup`.
    CreateGroup(CreateGroup),
    /// `DeleteSecurityGroup`.
    DeleteGroup(GroupName),
    /// `RunInstances` for one instance.
    Launch(Box<Launch>),
    /// `StopInstances`.
    Stop(InstanceName),
    /// `StartInstances`; also brings back a crashed instance.
    Start(InstanceName),
    /// `RebootInstances`: every address is kept, in every era.
    Reboot(InstanceName),
    /// The operating system dies. Not an EC2 call, but what happens to people.
    Crash(InstanceName),
    /// `TerminateInstances`.
    Terminate(InstanceName),
    /// `AuthorizeSecurityGroupIngress`: all or nothing.
    AuthorizeIngress(GroupName, Vec<Permission>),
    /// `RevokeSecurityGroupIngress`: all or nothing.
    RevokeIngress(GroupName, Vec<Permission>),
    /// `AuthorizeSecurityGroupEgress`: all or nothing. Groups of a VPC only.
    AuthorizeEgress(GroupName, Vec<Permission>),
    /// `RevokeSecurityGroupEgress`: all or nothing. Groups of a VPC only.
    RevokeEgress(GroupName, Vec<Permission>),
    /// `ModifyInstanceAttribute` or `ModifyNetworkInterfaceAttribute` with `GroupId`: replaces the whole set.
    SetGroups(Target, IndexSet<GroupName>),
    /// `CreateNetworkInterface` and `AttachNetworkInterface` in one.
    AttachInterface(InstanceName, NewInterface),
    /// `DetachNetworkInterface` and `DeleteNetworkInterface` in one; never the first.
    DetachInterface(InterfaceId),
    /// The same two calls with `SourceDestCheck`.
    SetSourceDestCheck(Target, SourceDestCheck),
    /// `CreateManagedPrefixList`.
    CreatePrefixList(CreatePrefixList),
    /// `ModifyManagedPrefixList`: all or nothing.
    ModifyPrefixList {
        /// Which.
        name: PrefixListName,
        /// Entries that it gets.
        add: Vec<IpNet>,
        /// Entries that it loses.
        remove: Vec<IpNet>,
    },
    /// `CreateLoadBalancer`, with `ConfigureHealthCheck`.
    CreateLoadBalancer(CreateLoadBalancer),
    /// `RegisterInstancesWithLoadBalancer`: all or nothing.
    RegisterInstances(LoadBalancerName, IndexSet<InstanceName>),
    /// `DeregisterInstancesFromLoadBalancer`: all or nothing.
    DeregisterInstances(LoadBalancerName, IndexSet<InstanceName>),
    /// `AllocateAddress`.
    AllocateAddress(ElasticIpName),
    /// `AssociateAddress`. What the interface had is dissociated.
    AssociateAddress {
        /// Which Elastic IP.
        elastic_ip: ElasticIpName,
        /// With whom.
        to: Target,
        /// Whether it may be taken from another.
        reassociation: Reassociation,
    },
    /// `DisassociateAddress`.
    DisassociateAddress(ElasticIpName),
    /// `ReleaseAddress`: an associated one is dissociated first.
    ReleaseAddress(ElasticIpName),
}

impl Operation {
    /// Whether it adds rules to a group, or takes some away.
    pub fn is_of_rules(&self) -> bool {
        matches!(
            self,
            Self::AuthorizeIngress(..) | Self::RevokeIngress(..) | Self::AuthorizeEgress(..) | Self::RevokeEgress(..)
        )
    }

    /// The groups that it names, but for one that it makes.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        let (own, sets, permissions): (Option<&GroupName>, Vec<&IndexSet<GroupName>>, &[Permission]) = match self {
            Self::DeleteGroup(name) => (Some(name), Vec::new(), &[]),
            Self::AuthorizeIngress(name, permissions)
            | Self::RevokeIngress(name, permissions)
            | Self::AuthorizeEgress(name, permissions)
            | Self::RevokeEgress(name, permissions) => (Some(name), Vec::new(), permissions),
            Self::Launch(request) => {
                let more = request.more.iter().map(|interface| &interface.groups);
                (None, std::iter::once(&request.groups).chain(more).collect(), &[])
            }
            Self::SetGroups(_, groups) => (None, vec![groups], &[]),
            Self::AttachInterface(_, interface) => (None, vec![&interface.groups], &[]),
            Self::CreateLoadBalancer(request) => (None, vec![&request.groups], &[]),
            Self::CreateGroup(_)
            | Self::Stop(_)
            | Self::Start(_)
            | Self::Reboot(_)
            | Self::Crash(_)
            | Self::Terminate(_)
            | Self::DetachInterface(_)
            | Self::SetSourceDestCheck(..)
            | Self::CreatePrefixList(_)
            | Self::ModifyPrefixList { .. }
            | Self::RegisterInstances(..)
            | Self::DeregisterInstances(..)
            | Self::AllocateAddress(_)
            | Self::AssociateAddress { .. }
            | Self::DisassociateAddress(_)
            | Self::ReleaseAddress(_) => (None, Vec::new(), &[]),
        };
        let peers = permissions.iter().flat_map(|permission| &permission.peers);
        let peers = peers.filter_map(|(peer, _)| match peer {
            PeerRequest::Peer(Peer::Group(name)) => Some(name),
            _ => None,
        });
        own.into_iter().chain(sets.into_iter().flatten()).chain(peers)
    }
}

/// The EC2 verb and its first operand, as the command line has them: `stop web1`.
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CreateGroup(request) => write!(f, "create-group {}", request.name),
            Self::DeleteGroup(name) => write!(f, "delete-group {name}"),
            Self::Launch(request) => write!(f, "launch {}", request.name),
            Self::Stop(name) => write!(f, "stop {name}"),
            Self::Start(name) => write!(f, "start {name}"),
            Self::Reboot(name) => write!(f, "reboot {name}"),
            Self::Crash(name) => write!(f, "crash {name}"),
            Self::Terminate(name) => write!(f, "terminate {name}"),
            Self::AuthorizeIngress(group, _) => write!(f, "authorize {group}"),
            Self::RevokeIngress(group, _) => write!(f, "revoke {group}"),
            Self::AuthorizeEgress(group, _) => write!(f, "authorize-egress {group}"),
            Self::RevokeEgress(group, _) => write!(f, "revoke-egress {group}"),
            Self::SetGroups(target, _) => write!(f, "set-groups {}", target.instance()),
            Self::AttachInterface(instance, new) => write!(f, "attach-interface {instance}.eth{}", new.device),
            Self::DetachInterface(id) => write!(f, "detach-interface {id}"),
            Self::SetSourceDestCheck(target, _) => write!(f, "source-dest-check {}", target.instance()),
            Self::CreatePrefixList(request) => write!(f, "create-prefix-list {}", request.name),
            Self::ModifyPrefixList { name, .. } => write!(f, "edit-prefix-list {name}"),
            Self::AllocateAddress(name) => write!(f, "allocate-address {name}"),
            Self::AssociateAddress { elastic_ip, to, .. } => {
                write!(f, "associate-address {elastic_ip} {}", to.instance())
            }
            Self::DisassociateAddress(name) => write!(f, "disassociate-address {name}"),
            Self::ReleaseAddress(name) => write!(f, "release-address {name}"),
            Self::CreateLoadBalancer(request) => write!(f, "create-load-balancer {}", request.name),
            Self::RegisterInstances(load_balancer, _) => write!(f, "register-instances {load_balancer}"),
            Self::DeregisterInstances(load_balancer, _) => write!(f, "deregister-instances {load_balancer}"),
        }
    }
}

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

/// EC2's error code, or sglab's own where EC2 has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// The instance is not in a state for this.
    IncorrectInstanceState,
    /// No such instance.
    InvalidInstanceIdNotFound,
    /// The instance has several interfaces, and the call names none.
    InvalidInstanceId,
    /// No such interface.
    InvalidNetworkInterfaceIdNotFound,
    /// No such group.
    InvalidGroupNotFound,
    /// A group of that name exists.
    InvalidGroupDuplicate,
    /// The rule exists already.
    InvalidPermissionDuplicate,
    /// No such rule.
    InvalidPermissionNotFound,
    /// A parameter has a value that cannot be.
    InvalidParameterValue,
    /// A parameter that the platform does not know, such as an IPv6 range of a Classic group.
    InvalidParameter,
    /// Parameters that do not go together, such as groups of a launched Classic instance.
    InvalidParameterCombination,
    /// The group is EC2's own.
    InvalidGroupReserved,
    /// The group is in use (EC2-Classic).
    InvalidGroupInUse,
    /// Something depends on it (VPC).
    DependencyViolation,
    /// It cannot be deleted by a user.
    CannotDelete,
    /// The rule is one that EC2-Classic does not know.
    InvalidPermissionMalformed,
    /// The group has as many rules as it may have.
    RulesPerSecurityGroupLimitExceeded,
    /// There are as many groups as there may be.
    SecurityGroupLimitExceeded,
    /// The interface is in as many groups as it may be (VPC).
    SecurityGroupsPerInterfaceLimitExceeded,
    /// The instance is in as many groups as it may be (EC2-Classic).
    SecurityGroupsPerInstanceLimitExceeded,
    /// There are as many Elastic IPs as there may be.
    AddressLimitExceeded,
    /// No such Elastic IP (EC2-Classic, by its address).
    InvalidAddressNotFound,
    /// No such Elastic IP (VPC, by its allocation).
    InvalidAllocationIdNotFound,
    /// The Elastic IP belongs to another interface, and may not move.
    ResourceAlreadyAssociated,
    /// No such VPC.
    InvalidVpcIdNotFound,
    /// No such subnet.
    InvalidSubnetIdNotFound,
    /// No such prefix list.
    InvalidPrefixListIdNotFound,
    /// The prefix list has as many entries as it may have.
    PrefixListMaxEntriesExceeded,
    /// No such load balancer.
    LoadBalancerNotFound,
    /// A load balancer of that name exists.
    DuplicateLoadBalancerName,
    /// The instance cannot be behind the load balancer, or is not.
    InvalidInstance,
    /// A load balancer cannot be so.
    InvalidConfigurationRequest,
    /// A load balancer cannot have this scheme.
    InvalidScheme,
    /// The private address is held by somebody.
    InvalidIpAddressInUse,
    /// The subnet or the public pool has no address left.
    InsufficientFreeAddresses,
}

impl RefusalCode {
    /// Every code.
    pub const ALL: [Self; 35] = [
        Self::IncorrectInstanceState,
        Self::InvalidInstanceIdNotFound,
        Self::InvalidInstanceId,
        Self::InvalidNetworkInterfaceIdNotFound,
        Self::InvalidGroupNotFound,
        Self::InvalidGroupDuplicate,
        Self::InvalidPermissionDuplicate,
        Self::InvalidPermissionNotFound,
        Self::InvalidParameterValue,
        Self::InvalidParameter,
        Self::InvalidParameterCombination,
        Self::InvalidGroupReserved,
        Self::InvalidGroupInUse,
        Self::DependencyViolation,
        Self::CannotDelete,
        Self::InvalidPermissionMalformed,
        Self::RulesPerSecurityGroupLimitExceeded,
        Self::SecurityGroupLimitExceeded,
        Self::SecurityGroupsPerInterfaceLimitExceeded,
        Self::SecurityGroupsPerInstanceLimitExceeded,
        Self::AddressLimitExceeded,
        Self::InvalidAddressNotFound,
        Self::InvalidAllocationIdNotFound,
        Self::ResourceAlreadyAssociated,
        Self::InvalidVpcIdNotFound,
        Self::InvalidSubnetIdNotFound,
        Self::InvalidPrefixListIdNotFound,
        Self::PrefixListMaxEntriesExceeded,
        Self::LoadBalancerNotFound,
        Self::DuplicateLoadBalancerName,
        Self::InvalidInstance,
        Self::InvalidConfigurationRequest,
        Self::InvalidScheme,
        Self::InvalidIpAddressInUse,
        Self::InsufficientFreeAddresses,
    ];

    /// The code as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IncorrectInstanceState => "IncorrectInstanceState",
            Self::InvalidInstanceIdNotFound => "InvalidInstanceID.NotFound",
            Self::InvalidInstanceId => "InvalidInstanceID",
            Self::InvalidNetworkInterfaceIdNotFound => "InvalidNetworkInterfaceID.NotFound",
            Self::InvalidGroupNotFound => "InvalidGroup.NotFound",
            Self::InvalidGroupDuplicate => "InvalidGroup.Duplicate",
            Self::InvalidPermissionDuplicate => "InvalidPermission.Duplicate",
            Self::InvalidPermissionNotFound => "InvalidPermission.NotFound",
            Self::InvalidParameterValue => "InvalidParameterValue",
            Self::InvalidParameter => "InvalidParameter",
            Self::InvalidParameterCombination => "InvalidParameterCombination",
            Self::InvalidGroupReserved => "InvalidGroup.Reserved",
            Self::InvalidGroupInUse => "InvalidGroup.InUse",
            Self::DependencyViolation => "DependencyViolation",
            Self::CannotDelete => "CannotDelete",
            Self::InvalidPermissionMalformed => "InvalidPermission.Malformed",
            Self::RulesPerSecurityGroupLimitExceeded => "RulesPerSecurityGroupLimitExceeded",
            Self::SecurityGroupLimitExceeded => "SecurityGroupLimitExceeded",
            Self::SecurityGroupsPerInterfaceLimitExceeded => "SecurityGroupsPerInterfaceLimitExceeded",
            Self::SecurityGroupsPerInstanceLimitExceeded => "SecurityGroupsPerInstanceLimitExceeded",
            Self::AddressLimitExceeded => "AddressLimitExceeded",
            Self::InvalidAddressNotFound => "InvalidAddress.NotFound",
            Self::InvalidAllocationIdNotFound => "InvalidAllocationID.NotFound",
            Self::ResourceAlreadyAssociated => "Resource.AlreadyAssociated",
            Self::InvalidVpcIdNotFound => "InvalidVpcID.NotFound",
            Self::InvalidSubnetIdNotFound => "InvalidSubnetID.NotFound",
            Self::InvalidPrefixListIdNotFound => "InvalidPrefixListID.NotFound",
            Self::PrefixListMaxEntriesExceeded => "PrefixListMaxEntriesExceeded",
            Self::LoadBalancerNotFound => "LoadBalancerNotFound",
            Self::DuplicateLoadBalancerName => "DuplicateLoadBalancerName",
            Self::InvalidInstance => "InvalidInstance",
            Self::InvalidConfigurationRequest => "InvalidConfigurationRequest",
            Self::InvalidScheme => "InvalidScheme",
            Self::InvalidIpAddressInUse => "InvalidIPAddress.InUse",
            Self::InsufficientFreeAddresses => "InsufficientFreeAddressesInSubnet",
        }
    }
}

impl serde::Serialize for RefusalCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for RefusalCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|code| code.as_str() == text);
        known.ok_or_else(|| serde::de::Error::custom(format!("EC2 has no error code `{text}`")))
    }
}

/// An operation that EC2 would not carry out; the cloud is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{}: {message}", .code.as_str())]
pub struct Refusal {
    /// The code.
    pub code: RefusalCode,
    /// EC2's text, or sglab's own.
    pub message: String,
    /// The names that nobody has, where that is why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}
