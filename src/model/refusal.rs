//! Refusals: EC2's error codes, and its texts.

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
    /// sglab's own word on what is in the way, where EC2's text does not name it; a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub culprits: Vec<String>,
}

impl Refusal {
    /// In one line, with what is in the way.
    pub fn in_full(&self) -> String {
        let culprits = self.culprits.iter().map(|it| format!("; {it}"));
        std::iter::once(self.to_string()).chain(culprits).collect()
    }
}
