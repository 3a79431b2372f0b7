//! Refusals: EC2's error codes, and its texts.

/// The codes, each with its word and what it says.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident $word:literal,)+) => {
        /// EC2's error code, or sglab's own where EC2 has none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RefusalCode {
            $($(#[$doc])* $code,)+
        }

        impl RefusalCode {
            /// Every code.
            pub const ALL: [Self; [$(Self::$code),+].len()] = [$(Self::$code),+];

            /// The code as EC2 spells it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $word,)+
                }
            }
        }
    };
}

codes! {
    /// The instance is not in a state for this.
    IncorrectInstanceState "IncorrectInstanceState",
    /// No such instance.
    InvalidInstanceIdNotFound "InvalidInstanceID.NotFound",
    /// The instance has several interfaces, and the call names none.
    InvalidInstanceId "InvalidInstanceID",
    /// No such interface.
    InvalidNetworkInterfaceIdNotFound "InvalidNetworkInterfaceID.NotFound",
    /// No such group.
    InvalidGroupNotFound "InvalidGroup.NotFound",
    /// A group of that name exists.
    InvalidGroupDuplicate "InvalidGroup.Duplicate",
    /// The rule exists already.
    InvalidPermissionDuplicate "InvalidPermission.Duplicate",
    /// No such rule.
    InvalidPermissionNotFound "InvalidPermission.NotFound",
    /// A parameter has a value that cannot be.
    InvalidParameterValue "InvalidParameterValue",
    /// A parameter that the platform does not know, such as an IPv6 range of a Classic group.
    InvalidParameter "InvalidParameter",
    /// Parameters that do not go together, such as groups of a launched Classic instance.
    InvalidParameterCombination "InvalidParameterCombination",
    /// The group is EC2's own.
    InvalidGroupReserved "InvalidGroup.Reserved",
    /// The group is in use (EC2-Classic).
    InvalidGroupInUse "InvalidGroup.InUse",
    /// Something depends on it (VPC).
    DependencyViolation "DependencyViolation",
    /// It cannot be deleted by a user.
    CannotDelete "CannotDelete",
    /// The rule is one that EC2-Classic does not know.
    InvalidPermissionMalformed "InvalidPermission.Malformed",
    /// The group has as many rules as it may have.
    RulesPerSecurityGroupLimitExceeded "RulesPerSecurityGroupLimitExceeded",
    /// There are as many groups as there may be.
    SecurityGroupLimitExceeded "SecurityGroupLimitExceeded",
    /// The interface is in as many groups as it may be (VPC).
    SecurityGroupsPerInterfaceLimitExceeded "SecurityGroupsPerInterfaceLimitExceeded",
    /// The instance is in as many groups as it may be (EC2-Classic).
    SecurityGroupsPerInstanceLimitExceeded "SecurityGroupsPerInstanceLimitExceeded",
    /// There are as many Elastic IPs as there may be.
    AddressLimitExceeded "AddressLimitExceeded",
    /// No such Elastic IP (EC2-Classic, by its address).
    InvalidAddressNotFound "InvalidAddress.NotFound",
    /// No such Elastic IP (VPC, by its allocation).
    InvalidAllocationIdNotFound "InvalidAllocationID.NotFound",
    /// The Elastic IP belongs to another interface, and may not move.
    ResourceAlreadyAssociated "Resource.AlreadyAssociated",
    /// No such VPC.
    InvalidVpcIdNotFound "InvalidVpcID.NotFound",
    /// No such subnet.
    InvalidSubnetIdNotFound "InvalidSubnetID.NotFound",
    /// No such prefix list.
    InvalidPrefixListIdNotFound "InvalidPrefixListID.NotFound",
    /// The prefix list has as many entries as it may have.
    PrefixListMaxEntriesExceeded "PrefixListMaxEntriesExceeded",
    /// No such load balancer.
    LoadBalancerNotFound "LoadBalancerNotFound",
    /// A load balancer of that name exists.
    DuplicateLoadBalancerName "DuplicateLoadBalancerName",
    /// The instance cannot be behind the load balancer, or is not.
    InvalidInstance "InvalidInstance",
    /// A load balancer cannot be so.
    InvalidConfigurationRequest "InvalidConfigurationRequest",
    /// A load balancer cannot have this scheme.
    InvalidScheme "InvalidScheme",
    /// The private address is held by somebody.
    InvalidIpAddressInUse "InvalidIPAddress.InUse",
    /// The subnet or the public pool has no address left.
    InsufficientFreeAddresses "InsufficientFreeAddressesInSubnet",
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
