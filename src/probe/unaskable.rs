//! Reasons why a flow can be no question of a probe: values, and their words.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{AddressType, Endpoint, InterfaceHolder, Unprobeable, VpcService};
use crate::network::NodeName;

/// Reason why a flow can be no question of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unaskable {
    /// No probe can ask for its protocol.
    Protocol(Unprobeable),
    /// The end stands for nobody.
    Nobody(Endpoint),
    /// The cloud has no such end.
    Unknown(Endpoint),
    /// The sender does not run.
    NotRunning(Endpoint),
    /// The receiver never had an address.
    NeverAddressed(Endpoint),
    /// The end has no address of this type.
    NoAddress(Endpoint, AddressType),
    /// The name of the receiver was not resolved.
    NotResolved(Endpoint),
    /// A resolver gave no address.
    Unresolved(NoAddress),
    /// The receiver has no DNS name.
    NoDnsName(Endpoint),
    /// The receiver has no public DNS name.
    NoPublicDnsName(Endpoint),
    /// The sender is gone, and has no resolver.
    Gone(InterfaceHolder),
    /// The VPC of the sender has no such service.
    NoService(InterfaceHolder, VpcService),
    /// The router speaks no IPv6.
    NoIpv6(NodeName),
    /// The end has no link.
    NoLink(Endpoint),
    /// A namespace is not there, in the words of the lab.
    Namespace(String),
}

impl fmt::Display for Unaskable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(why) => write!(f, "no packet was sent: {why}"),
            Self::Nobody(end) => write!(f, "{end} is nobody"),
            Self::Unknown(end) => write!(f, "there is no {end}"),
            Self::NotRunning(end) => write!(f, "{end} is not running, so it can ask nothing"),
            Self::NeverAddressed(end) => write!(f, "{end} never had an address"),
            Self::NoAddress(end, AddressType::Private) => write!(f, "{end} has no private address"),
            Self::NoAddress(end, AddressType::Public) => write!(f, "{end} has no public address"),
            Self::NoAddress(end, AddressType::Ipv6) => write!(f, "{end} has no IPv6 address"),
            Self::NotResolved(end) => write!(f, "{end} was not resolved"),
            Self::NoIpv6(router) => write!(f, "{router} speaks no IPv6"),
            Self::NoLink(end) => write!(f, "{end} has no link"),
            Self::Unresolved(why) => why.fmt(f),
            Self::NoDnsName(end) => write!(f, "{end} has no DNS name"),
            Self::NoPublicDnsName(end) => write!(f, "{end} has no public DNS name"),
            Self::Gone(holder) => write!(f, "there is no {holder}"),
            Self::NoService(holder, service) => write!(f, "{holder} has no {service}"),
            Self::Namespace(words) => f.write_str(words),
        }
    }
}

/// Reason why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoAddress {
    /// The resolver says that there is no such name.
    NoSuchName(String),
    /// The resolver knows the name, and no address of it.
    Unknown(String),
    /// The resolver has no answer.
    NoAnswer {
        /// Name that it was asked for.
        name: String,
        /// Response code of the answer.
        code: String,
    },
    /// No answer came.
    Silent {
        /// The resolver.
        resolver: IpAddr,
        /// Name that it was asked for.
        name: String,
        /// The kernel's words.
        error: String,
    },
    /// What came as the answer is not what the resolver has said.
    NotSaid(String),
    /// Nobody can ask for such a name.
    NoName(String),
    /// Nobody could be asked.
    NotAsked(Box<Unaskable>),
}

impl NoAddress {
    /// Returns `true` if the resolver says that there is none; else nobody says anything that would be an answer.
    pub fn is_said(&self) -> bool {
        matches!(self, Self::NoSuchName(_) | Self::Unknown(_))
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(name) => write!(f, "the resolver says that there is no {name}"),
            Self::Unknown(name) => write!(f, "the resolver knows no address of {name}"),
            Self::NoAnswer { name, code } => write!(f, "the resolver has no answer for {name}: {code}"),
            Self::Silent { resolver, name, error } => {
                write!(f, "the resolver at {resolver} gave no answer about {name}: {error}")
            }
            Self::NotSaid(name) => write!(f, "what came as the answer about {name} is not what the resolver has said"),
            Self::NoName(name) => write!(f, "{name} is no name to ask for"),
            Self::NotAsked(why) => why.fmt(f),
        }
    }
}
