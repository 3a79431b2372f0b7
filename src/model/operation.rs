//! Changes to a cloud, in EC2's verbs, and the refusals; [`apply`](fn@super::apply) carries them out.

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::{
    AutomaticPublic, CreateLoadBalancer, Daemon, DaemonName, ElasticIpName, Forwarding, GroupName, InstanceName,
    InterfaceId, LoadBalancerName, MountPlace, MountSource, Permission, PrefixFamily, PrefixListName, PrivateIp,
    Service, SourceDestCheck, SubnetName, VpcName,
};

/// One change to a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// `AllowReassociation` of `AssociateAddress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reassociation {
    /// The Elastic IP moves, without a word.
    Allowed,
    /// One that belongs to another interface is refused.
    Refused,
}

/// Which interface a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// Its name, unique in its VPC.
    pub name: GroupName,
    /// Its VPC.
    pub vpc: VpcName,
    /// A free text.
    pub description: Option<String>,
    /// Where the file says so.
    pub place: Option<super::Place>,
}

/// What a new prefix list is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub place: Option<super::Place>,
}

/// Which private address a launch asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// An operation that EC2 would not carry out; the cloud is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct Refusal {
    /// The code.
    pub code: RefusalCode,
    /// EC2's text, or sglab's own.
    pub message: String,
}
