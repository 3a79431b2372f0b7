//! Ids of network interfaces: who holds one, and at which device index.

use std::fmt;

use super::name::{InstanceName, LoadBalancerName, name_fault};
use super::shown::number;

/// A network interface: groups and addresses belong to it, not to its holder.
///
/// Source: "Security group rules" (Amazon VPC user guide): rules match the network interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum InterfaceId {
    /// One that is attached to an instance.
    Instance(Attachment),
    /// The one of a load balancer, which Amazon holds.
    LoadBalancer(LoadBalancerName),
}

impl InterfaceId {
    /// The first interface of an instance.
    pub fn first_of(instance: &InstanceName) -> Self {
        Self::Instance(Attachment::first_of(instance))
    }

    /// Its attachment to an instance; none for a load balancer's.
    pub fn attachment(&self) -> Option<&Attachment> {
        match self {
            Self::Instance(attachment) => Some(attachment),
            Self::LoadBalancer(_) => None,
        }
    }

    /// The instance that it is attached to; none for a load balancer's.
    pub fn instance(&self) -> Option<&InstanceName> {
        self.attachment().map(|attachment| &attachment.instance)
    }

    /// The load balancer that holds it; none for an instance's.
    pub fn load_balancer(&self) -> Option<&LoadBalancerName> {
        match self {
            Self::Instance(_) => None,
            Self::LoadBalancer(name) => Some(name),
        }
    }

    /// Its holder.
    pub fn holder(&self) -> InterfaceHolder {
        match self {
            Self::Instance(attachment) => InterfaceHolder::Instance(attachment.instance.clone()),
            Self::LoadBalancer(name) => InterfaceHolder::LoadBalancer(name.clone()),
        }
    }

    /// Device index; 0 for a load balancer's.
    pub fn device(&self) -> u8 {
        match self {
            Self::Instance(attachment) => attachment.device,
            Self::LoadBalancer(_) => 0,
        }
    }

    /// `web1`, or `web1.eth1` for a further interface.
    pub fn short(&self) -> String {
        match self {
            Self::Instance(attachment) => attachment.short(),
            Self::LoadBalancer(name) => name.to_string(),
        }
    }
}

impl From<Attachment> for InterfaceId {
    fn from(attachment: Attachment) -> Self {
        Self::Instance(attachment)
    }
}

impl PartialEq<InterfaceId> for Attachment {
    fn eq(&self, id: &InterfaceId) -> bool {
        id.attachment() == Some(self)
    }
}

impl fmt::Display for InterfaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(attachment) => write!(f, "{attachment}"),
            Self::LoadBalancer(name) => write!(f, "{name}.eth0"),
        }
    }
}

/// Before the name of a load balancer's interface where a program reads it.
const OF_LOAD_BALANCER: &str = "load-balancer/";

impl TryFrom<String> for InterfaceId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix(OF_LOAD_BALANCER) {
            None => text.parse().map(Self::Instance),
            Some(name) if name_fault(name).is_none() => Ok(Self::LoadBalancer(LoadBalancerName::new(name))),
            Some(_) => Err(format!("{text:?} is not the interface of a load balancer")),
        }
    }
}

impl From<InterfaceId> for String {
    fn from(id: InterfaceId) -> Self {
        match id {
            InterfaceId::Instance(attachment) => attachment.to_string(),
            InterfaceId::LoadBalancer(name) => format!("{OF_LOAD_BALANCER}{name}"),
        }
    }
}

/// Holder of an interface. Instances and load balancers share their names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceHolder {
    /// An instance.
    Instance(InstanceName),
    /// A load balancer.
    LoadBalancer(LoadBalancerName),
}

impl InterfaceHolder {
    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Instance(name) => name.as_str(),
            Self::LoadBalancer(name) => name.as_str(),
        }
    }
}

impl fmt::Display for InterfaceHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&InstanceName> for InterfaceHolder {
    fn from(name: &InstanceName) -> Self {
        Self::Instance(name.clone())
    }
}

impl From<&LoadBalancerName> for InterfaceHolder {
    fn from(name: &LoadBalancerName) -> Self {
        Self::LoadBalancer(name.clone())
    }
}

/// An interface of an instance, by the instance and the device index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attachment {
    /// The instance that the interface is attached to.
    pub instance: InstanceName,
    /// 0 for `eth0`, 1 for `eth1` ...
    pub device: u8,
}

impl Attachment {
    /// That of an instance's first interface.
    pub fn first_of(instance: &InstanceName) -> Self {
        Self { instance: instance.clone(), device: 0 }
    }

    /// `web1`, or `web1.eth1` for a further interface.
    pub fn short(&self) -> String {
        if self.device == 0 { self.instance.to_string() } else { self.to_string() }
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.eth{}", self.instance, self.device)
    }
}

/// Reads what `Display` writes: `web1.eth0`.
impl std::str::FromStr for Attachment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.rsplit_once(".eth").and_then(|(name, device)| Some((name, number(device)?)));
        match split.filter(|(name, _)| name_fault(name).is_none()) {
            Some((name, device)) => Ok(Self { instance: InstanceName::new(name), device }),
            None => Err(format!("{text:?} is not an interface, such as `web1.eth1`")),
        }
    }
}

impl TryFrom<String> for Attachment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Attachment> for String {
    fn from(attachment: Attachment) -> Self {
        attachment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_interface_has_no_sign() {
        assert!("web1.eth1".parse::<Attachment>().is_ok());
        assert!("web1.eth+1".parse::<Attachment>().is_err());
    }
}
