//! Rules of a security group: which traffic, from or to which peer.
//!
//! Source: "Security group rules" (Amazon VPC user guide).

use std::fmt;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::Port;
use super::name::{ElasticIpName, GroupName, InstanceName, PrefixListName, RuleId, SourceLocation};

/// Ports `from` to `to`, both included; `from <= to` always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "(Port, Port)", into = "(Port, Port)")]
pub struct PortRange {
    from: Port,
    to: Port,
}

impl PortRange {
    /// All ports, 0 to 65535.
    pub const ALL: Self = Self { from: Port(0), to: Port(u16::MAX) };

    /// A range, or nothing if `from` lies above `to`.
    pub fn new(from: Port, to: Port) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }

    /// A single port.
    pub const fn single(port: Port) -> Self {
        Self { from: port, to: port }
    }

    /// The lowest port.
    pub fn from(self) -> Port {
        self.from
    }

    /// The highest port.
    pub fn to(self) -> Port {
        self.to
    }

    /// Returns true if a port lies in it.
    pub fn contains(self, port: Port) -> bool {
        self.from <= port && port <= self.to
    }

    /// Returns true if the range is one port.
    pub fn is_single(self) -> bool {
        self.from == self.to
    }
}

impl TryFrom<(Port, Port)> for PortRange {
    type Error = &'static str;

    fn try_from((from, to): (Port, Port)) -> Result<Self, Self::Error> {
        Self::new(from, to).ok_or("a range of ports ends below its beginning")
    }
}

impl From<PortRange> for (Port, Port) {
    fn from(range: PortRange) -> Self {
        (range.from, range.to)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

/// ICMP messages that a rule covers. A code cannot be given without its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IcmpMatch {
    /// Every type and code (`-1`/`-1`).
    All,
    /// One type, every code (`8`/`-1`).
    Type(u8),
    /// One type and one code.
    TypeAndCode(u8, u8),
}

/// The traffic that a rule admits; ports are those of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// Every protocol and port (`-1`), as in the default egress rule.
    All,
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
    /// ICMP of IPv4.
    Icmp(IcmpMatch),
    /// ICMPv6, which `icmp` does not cover.
    Icmpv6(IcmpMatch),
    /// Another protocol by its number, with whatever ports it may have.
    Protocol(u8),
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Tcp(ports) => write!(f, "tcp {ports}"),
            Self::Udp(ports) => write!(f, "udp {ports}"),
            Self::Icmp(IcmpMatch::All) => f.write_str("icmp all"),
            Self::Icmp(IcmpMatch::Type(8)) => f.write_str("icmp echo"),
            Self::Icmp(IcmpMatch::Type(kind)) => write!(f, "icmp {kind}"),
            Self::Icmp(IcmpMatch::TypeAndCode(kind, code)) => write!(f, "icmp {kind}/{code}"),
            Self::Protocol(number) => write!(f, "protocol {number}"),
            Self::Icmpv6(IcmpMatch::All) => f.write_str("icmpv6 all"),
            Self::Icmpv6(IcmpMatch::Type(128)) => f.write_str("icmpv6 echo"),
            Self::Icmpv6(IcmpMatch::Type(kind)) => write!(f, "icmpv6 {kind}"),
            Self::Icmpv6(IcmpMatch::TypeAndCode(kind, code)) => write!(f, "icmpv6 {kind}/{code}"),
        }
    }
}

/// The other side of a rule: exactly one, as in EC2's `SecurityGroupRule`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// A canonical block of either family (host bits are zero). `0.0.0.0/0` never covers IPv6, nor `::/0` IPv4.
    Cidr(IpNet),
    /// The private addresses of the interfaces in a group, at the moment of the packet.
    Group(GroupName),
    /// Every entry of a prefix list, at the moment of the packet.
    PrefixList(PrefixListName),
}

impl Peer {
    /// Word for every address of IPv4.
    pub const ANYWHERE: &'static str = "anywhere";

    /// Returns the block that it is.
    pub fn block(&self) -> Option<IpNet> {
        match self {
            Self::Cidr(block) => Some(*block),
            Self::Group(_) | Self::PrefixList(_) => None,
        }
    }

    /// Returns the group that it names.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Group(group) => Some(group),
            Self::Cidr(_) | Self::PrefixList(_) => None,
        }
    }

    /// Returns the prefix list that it names.
    pub fn prefix_list(&self) -> Option<&PrefixListName> {
        match self {
            Self::PrefixList(list) => Some(list),
            Self::Cidr(_) | Self::Group(_) => None,
        }
    }

    /// Returns the family of the addresses that it names; `None` where that depends on the cloud.
    pub fn family(&self) -> Option<PrefixFamily> {
        self.block().map(PrefixFamily::of)
    }

    /// Returns true if it names every address of a family. A prefix list is a list, whatever stands in it.
    pub fn is_anywhere(&self, family: PrefixFamily) -> bool {
        self.block().is_some_and(|block| block.prefix_len() == 0 && PrefixFamily::of(block) == family)
    }
}

/// `anywhere`, `10.0.0.1`, `10.0.0.0/8`, `WEB`. The alternate form `{:#}` writes each block as EC2 does: `0.0.0.0/0`, `10.0.0.1/32`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(net) if f.alternate() => write!(f, "{net}"),
            Self::Cidr(IpNet::V4(net)) if net.prefix_len() == 0 => f.write_str(Self::ANYWHERE),
            Self::Cidr(net) if net.prefix_len() == net.max_prefix_len() => write!(f, "{}", net.addr()),
            Self::Cidr(net) => write!(f, "{net}"),
            Self::Group(group) => write!(f, "{group}"),
            Self::PrefixList(list) => write!(f, "{list}"),
        }
    }
}

/// The family of a prefix list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl PrefixFamily {
    /// Both families.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// Returns the block of every address: `0.0.0.0/0` or `::/0`.
    pub fn every_address(self) -> IpNet {
        match self {
            Self::Ipv4 => Ipv4Net::default().into(),
            Self::Ipv6 => Ipv6Net::default().into(),
        }
    }

    /// Returns the other family.
    pub fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }

    /// Returns the family of a block.
    pub fn of(block: IpNet) -> Self {
        if block.addr().is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// Returns true for IPv4.
    pub fn is_ipv4(self) -> bool {
        self == Self::Ipv4
    }
}

impl fmt::Display for PrefixFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_ipv4() { "IPv4" } else { "IPv6" })
    }
}

/// One rule of one group. Its identity is (group, direction, traffic, peer); the rest is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rule {
    /// Its id, new for each rule ever made in the cloud.
    pub id: RuleId,
    /// Traffic that it admits.
    pub traffic: Traffic,
    /// Source (ingress) or destination (egress).
    pub peer: Peer,
    /// The rule as its author wrote it, `tcp 22 from office`; made up where a long form was used.
    pub written: String,
    /// A free text, at most 255 characters.
    pub description: Option<String>,
    /// Position in the file; nothing for rules that EC2 makes itself.
    pub place: Option<SourceLocation>,
}

/// A peer as a request names it, before it is resolved against the cloud at that moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerRequest {
    /// A block or a group, as it stands.
    Peer(Peer),
    /// `web1.private`: the /32 of the address that the instance holds when the request is carried out.
    PrivateAddressOf(InstanceName),
    /// `web1.public`: likewise its public address.
    PublicAddressOf(InstanceName),
    /// `web1.ipv6`: likewise the /128 of its IPv6 address.
    Ipv6AddressOf(InstanceName),
    /// `eip-web`: the /32 of an Elastic IP, whoever has it.
    ElasticIp(ElasticIpName),
}

/// One permission of a request to authorize or revoke: one traffic, one or more peers (EC2's `IpPermission`).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Permission {
    /// Traffic that is admitted.
    pub traffic: Traffic,
    /// At least one peer with the words that name it; a host with two addresses gives two peers.
    pub peers: Vec<(PeerRequest, String)>,
    /// A free text for every rule that comes of it.
    pub description: Option<String>,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}
