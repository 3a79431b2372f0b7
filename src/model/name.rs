//! Names and ids, each a type of its own so that one cannot be passed for another.

use std::fmt;
use std::sync::Arc;

use super::shown::number;
use super::shown::shown;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident $(, also below $prefix:literal)* $(, or $other:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes the text as the name; the topology reader has checked its characters.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let own = text.as_str();
                $(let own = own.strip_prefix($prefix).unwrap_or(own);)*
                let is_other = false $(|| $other(&text))?;
                match name_fault(own).filter(|_| !is_other) {
                    None => Ok(Self::new(text)),
                    Some(fault) => Err(serde::de::Error::custom(format!("{text:?}: {fault}"))),
                }
            }
        }
    };
}

/// Characters of the longest name: as many as fit a host name.
pub(crate) const MAX_NAME: usize = 63;

/// Returns true if a text is an address as it is written.
fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_string() == text)
}

/// The name of Amazon's own group of the listeners of a load balancer of EC2-Classic.
pub(crate) fn listeners_group(balancer: &LoadBalancerName) -> GroupName {
    GroupName::new(format!("{LISTENERS_BEFORE}{balancer}{LISTENERS_BEHIND}"))
}

const LISTENERS_BEFORE: &str = "amazon-elb/";
const LISTENERS_BEHIND: &str = "-listeners";

/// Returns true if a text is the name of such a group: it is longer than any other, since the load balancer's name is in it.
fn is_of_listeners(text: &str) -> bool {
    let balancer = text.strip_prefix(LISTENERS_BEFORE).and_then(|rest| rest.strip_suffix(LISTENERS_BEHIND));
    balancer.is_some_and(|name| name_fault(name).is_none())
}

/// The reason why a text cannot be a name.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("a name has at least one character");
    }
    if name.chars().count() > MAX_NAME {
        return Some("a name has at most 63 characters");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Some("a name begins with a letter or a digit");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Some("a name is made of letters, digits, `-` and `_`");
    }
    None
}

name!(
    /// The name of an instance, such as `web1`.
    InstanceName
);
name!(
    /// The name by which a file knows a security group, such as `SG-T-WEB`. EC2 may know it by another: [`Ec2Name`].
    GroupName, also below "amazon-elb/", also below "default-", or is_of_listeners
);
name!(
    /// The name of a host outside the cloud, such as `office`; or the address of one that is there for as long as somebody asks for it.
    HostName, or is_address
);
name!(
    /// The name of a VPC. A file that names none has one, called `default`.
    VpcName
);
name!(
    /// The name of a subnet. A file that names none has one per VPC, called `default`.
    SubnetName
);
name!(
    /// The name of an Elastic IP in a topology file; EC2 knows it by its address or allocation id.
    ElasticIpName
);
name!(
    /// The name of a prefix list in a topology file; EC2 knows it by its id.
    PrefixListName
);
name!(
    /// The name of a load balancer.
    LoadBalancerName
);
name!(
    /// The name of a program that an instance runs by itself.
    ProcessName
);
name!(
    /// The name of a connection that a scenario holds open.
    ConnectionName
);
name!(
    /// The name of a truth table in a topology file.
    TableName
);

/// The name that EC2 has of a security group: of any characters that its platform takes, and unique in its VPC.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Ec2Name(Arc<str>);

impl Ec2Name {
    /// Takes the text as the name; EC2 checks it where the group is created.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ec2Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Ec2Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A box of the lab's own in each VPC. Its name is none that an instance, a host or a load balancer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnBox {
    /// Router and filter.
    Router,
    /// The gateway to the internet.
    Gateway,
    /// Box that shows that the filter is at work.
    Canary,
}

impl OwnBox {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Router, Self::Gateway, Self::Canary];

    /// Its name in a VPC.
    pub fn of(self, vpc: &VpcName) -> String {
        match self {
            Self::Router => format!("vpc-{vpc}"),
            Self::Gateway => format!("gateway-{vpc}"),
            Self::Canary => format!("canary-{vpc}"),
        }
    }

    /// The VPC in which it has this name.
    pub fn vpc_of(self, name: &str) -> Option<VpcName> {
        let (_, vpc) = name.split_once('-')?;
        Some(VpcName::new(vpc)).filter(|vpc| self.of(vpc) == name)
    }
}

/// The id of one rule, unique in a cloud and never used again: `sgr-1`, `sgr-2` ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sgr-{}", self.0)
    }
}

impl std::str::FromStr for RuleId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.strip_prefix("sgr-").and_then(number).map(Self).ok_or(())
    }
}

impl serde::Serialize for RuleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for RuleId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom(format!("{text:?} is not the id of a rule")))
    }
}

/// A place in a topology file, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct SourceLocation {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// As it can be shown: a file may have any name.
impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", shown(&self.file), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_the_listeners_of_a_load_balancer_is_read_however_long_its_name_is() {
        let read = |text: &str| serde_json::from_str::<GroupName>(&format!("{text:?}"));
        for length in [1, 53, 54, 63] {
            let group = listeners_group(&LoadBalancerName::new("x".repeat(length)));
            assert_eq!(read(group.as_str()).ok(), Some(group));
        }
        for none in
            [&"x".repeat(64), &format!("{}-listeners", "x".repeat(60)), &format!("amazon-elb/{}", "x".repeat(64))]
        {
            assert!(read(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_number_in_a_name_has_no_sign() {
        assert_eq!("sgr-7".parse(), Ok(RuleId(7)));
        assert_eq!("sgr-+7".parse::<RuleId>(), Err(()));
    }
}
