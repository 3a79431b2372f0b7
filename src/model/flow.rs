//! Flows: who opens what to whom, and by which address.

use std::fmt;

use std::net::IpAddr;

use super::address::{HostIp, Port};
use super::interface_id::{Attachment, InterfaceHolder, InterfaceId};
use super::load_balancer::Scheme;
use super::name::{HostName, InstanceName, LoadBalancerName};
use super::shown::number;
use super::via::Via;

/// One ICMP message, of either family: that of the path it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct IcmpMessage {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
}

impl IcmpMessage {
    /// Returns true if it is an error, which tells the sender of a packet what became of that: unreachable, too big, time exceeded, bad
    /// parameter. Routers on the way send such. Source quench (4) is one as well, by its definition (RFC 792), though none is sent any more.
    pub fn is_error(self, over_ipv6: bool) -> bool {
        match over_ipv6 {
            false => matches!(self.kind, 3 | 4 | 11 | 12),
            true => matches!(self.kind, 1..=4),
        }
    }
}

impl fmt::Display for IcmpMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => write!(f, "{}", self.kind),
            code => write!(f, "{}/{code}", self.kind),
        }
    }
}

/// Service that a probe asks for and a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// A TCP port.
    Tcp(Port),
    /// A UDP port.
    Udp(Port),
    /// An echo, `ping`: ICMP over IPv4, ICMPv6 over IPv6.
    IcmpEcho,
    /// Any other ICMP message.
    Icmp(IcmpMessage),
    /// Any other protocol of IP, by its number.
    Protocol(u8),
}

impl Service {
    /// Its port, if it is one of TCP.
    pub fn tcp_port(self) -> Option<Port> {
        match self {
            Self::Tcp(port) => Some(port),
            Self::Udp(_) | Self::IcmpEcho | Self::Icmp(_) | Self::Protocol(_) => None,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp {port}"),
            Self::Udp(port) => write!(f, "udp {port}"),
            Self::IcmpEcho => f.write_str("icmp echo"),
            Self::Icmp(message) => write!(f, "icmp {message}"),
            Self::Protocol(number) => write!(f, "protocol {number}"),
        }
    }
}

/// Reads what `Display` writes: `tcp 80`, `icmp echo`, `icmp 3/4`, `protocol 47`.
impl std::str::FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| number(text).filter(|port| *port != 0).map(Port);
        let message = |text: &str| {
            let (kind, code) = text.split_once('/').unwrap_or((text, "0"));
            Some(IcmpMessage { kind: number(kind)?, code: number(code)? })
        };
        let service = match text.split_once(' ') {
            Some(("tcp", word)) => port(word).map(Self::Tcp),
            Some(("udp", word)) => port(word).map(Self::Udp),
            Some(("icmp", "echo")) => Some(Self::IcmpEcho),
            Some(("icmp", word)) => message(word).map(Self::Icmp),
            Some(("protocol", word)) => number(word).map(Self::Protocol),
            _ => None,
        };
        service.ok_or_else(|| format!("{text:?} is not a port, such as `tcp 80` or `icmp echo`"))
    }
}

impl serde::Serialize for Service {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Service {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// An instance, by its first interface.
    Instance(InstanceName),
    /// An instance, by a further interface: `web1.eth1`.
    Interface(Attachment),
    /// An instance that sends from another address than its primary one: `nat as 10.0.0.99`, of either family, which is not its own, or a
    /// secondary one, which is. Only ever a sender.
    Forged(Attachment, IpAddr),
    /// A load balancer. Its scheme says which address its name means.
    LoadBalancer(LoadBalancerName, Scheme),
    /// A host outside, by one of its addresses.
    Host(HostName, HostIp),
}

impl Endpoint {
    /// The interface that it is, or sends from; none for a host.
    pub fn interface(&self) -> Option<InterfaceId> {
        match self {
            Self::Instance(name) => Some(InterfaceId::first_of(name)),
            Self::Interface(at) | Self::Forged(at, _) => Some(at.clone().into()),
            Self::LoadBalancer(name, _) => Some(InterfaceId::LoadBalancer(name.clone())),
            Self::Host(..) => None,
        }
    }

    /// The instance that it is; none for a load balancer or a host.
    pub fn instance(&self) -> Option<&InstanceName> {
        match self {
            Self::Instance(name) => Some(name),
            Self::Interface(at) | Self::Forged(at, _) => Some(&at.instance),
            Self::LoadBalancer(..) | Self::Host(..) => None,
        }
    }

    /// The instance or the load balancer that it is; none for a host.
    pub fn holder(&self) -> Option<InterfaceHolder> {
        self.interface().map(|id| id.holder())
    }

    /// The load balancer that it is; none for an instance or a host.
    pub fn load_balancer(&self) -> Option<&LoadBalancerName> {
        match self {
            Self::LoadBalancer(name, _) => Some(name),
            Self::Instance(_) | Self::Interface(_) | Self::Forged(..) | Self::Host(..) => None,
        }
    }
}

impl Endpoint {
    /// Returns the address by which it is reached from inside where nothing is said of that: a load balancer that faces the internet by
    /// the public address that its name means, everybody else by the private one.
    pub fn usual_via(&self) -> Via {
        match self {
            Self::LoadBalancer(_, Scheme::InternetFacing) => Via::Public,
            Self::LoadBalancer(_, Scheme::Internal)
            | Self::Instance(_)
            | Self::Interface(_)
            | Self::Forged(..)
            | Self::Host(..) => Via::Private,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => write!(f, "{name}"),
            Self::LoadBalancer(name, _) => write!(f, "{name}"),
            Self::Interface(id) => write!(f, "{id}"),
            Self::Forged(at, source) => write!(f, "{} as {source}", at.short()),
            Self::Host(name, _) => write!(f, "{name}"),
        }
    }
}

/// Services that every instance reaches whatever its groups say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VpcService {
    /// The resolver of the VPC.
    Dns,
    /// The instance metadata service.
    Metadata,
    /// The time.
    Time,
}

impl VpcService {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dns, Self::Metadata, Self::Time];

    /// The word of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Metadata => "metadata",
            Self::Time => "time",
        }
    }
}

impl fmt::Display for VpcService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One cell of a truth table: a new flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Flow {
    /// Opener of the flow.
    pub from: Endpoint,
    /// Receiver of the flow.
    pub to: Endpoint,
    /// Address of the receiver that it goes by.
    pub via: Via,
    /// Service asked for.
    pub service: Service,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = before_a_colon(&self.to);
        match self.service {
            Service::Tcp(port) => write!(f, "{} -> {to}:{port}", self.from)?,
            Service::Udp(port) => write!(f, "{} -> {to}:{port}/udp", self.from)?,
            Service::IcmpEcho => write!(f, "{} -> {to}:ping", self.from)?,
            Service::Icmp(_) | Service::Protocol(_) => write!(f, "{} -> {to}:{}", self.from, self.service)?,
        }
        self.by().map_or(Ok(()), |via| write!(f, " {via}"))
    }
}

/// An end as it stands before a port: an IPv6 address in brackets.
fn before_a_colon(end: &Endpoint) -> String {
    let text = end.to_string();
    if text.contains(':') { format!("[{text}]") } else { text }
}

impl Flow {
    /// Returns the address that it goes by; nothing where it is the one that goes without saying.
    pub fn by(&self) -> Option<Via> {
        match (&self.from, self.via) {
            (Endpoint::Host(..), Via::Public | Via::Private) => None,
            _ if matches!(self.to, Endpoint::Host(..)) && self.via == Via::Public => None,
            (_, via) => Some(via).filter(|via| *via != self.to.usual_via()),
        }
    }
}

/// Two ends that send to each other, and neither answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Peers {
    /// Flow from the first end to the other.
    pub there: Flow,
    /// Flow from the other end to the first.
    pub back: Flow,
}

impl Peers {
    /// The ends of a flow. The first sends from this port, or without one from that which the other has: both ends of a tunnel usually
    /// have one number.
    pub fn of(there: &Flow, port: Option<Port>) -> Self {
        let service = match (there.service, port) {
            (Service::Udp(_), Some(port)) => Service::Udp(port),
            (service, _) => service,
        };
        let back = Flow { from: there.to.clone(), to: there.from.clone(), service, ..there.clone() };
        Self { there: there.clone(), back }
    }

    /// Returns true if both mean the same ends and ports, whoever is named first.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        self == other || self.there == other.back && self.back == other.there
    }

    /// The port that the first sends from; none where the protocol has none.
    pub fn port(&self) -> Option<Port> {
        match self.back.service {
            Service::Udp(port) => Some(port),
            _ => None,
        }
    }
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flow { from, to, service, .. } = &self.there;
        let to = before_a_colon(to);
        match (self.port(), service) {
            (Some(own), Service::Udp(port)) => write!(f, "{}:{own} <-> {to}:{port}/udp", before_a_colon(from))?,
            _ => write!(f, "{from} <-> {to}:{service}")?,
        }
        self.there.by().map_or(Ok(()), |via| write!(f, " {via}"))
    }
}

/// End of a flow at which groups decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The receiver's rules for what comes in.
    Ingress,
    /// The sender's rules for what goes out.
    Egress,
}

impl Direction {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The other direction.
    pub fn opposite(self) -> Self {
        match self {
            Self::Ingress => Self::Egress,
            Self::Egress => Self::Ingress,
        }
    }

    /// The word before a rule's peer: `tcp 80 from web`, `tcp 443 to anywhere`.
    pub fn preposition(self) -> &'static str {
        match self {
            Self::Ingress => "from",
            Self::Egress => "to",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_service_have_no_sign() {
        for right in ["tcp 80", "udp 53", "icmp 3/4", "icmp 13", "protocol 47"] {
            let service: Service = right.parse().unwrap();
            assert_eq!(service.to_string().parse(), Ok(service), "{right}");
        }
        for wrong in ["tcp +80", "udp +53", "icmp +3/4", "icmp 3/+4", "icmp +13", "protocol +47"] {
            assert!(wrong.parse::<Service>().is_err(), "{wrong}");
        }
    }
}
