//! One rule of a group as nft rules: one for new flows, one for untracked flows under way.

use super::error::CompileError;
use super::names;
use super::nft::NftRule;
use super::record::{LOG_GROUP, Record};
use crate::model::{
    Cloud, Direction, GroupName, IcmpMatch, Peer, PortRange, Rule, SecurityGroup, SelfReference, Traffic,
};

/// The `log` statement of a record.
pub fn log(record: Record) -> String {
    format!("log prefix \"{record}\" group {LOG_GROUP} queue-threshold 1")
}

/// A rule of sglab's own.
pub fn own(id: &str, text: impl Into<String>) -> NftRule {
    NftRule { text: text.into(), id: id.to_owned(), note: String::new() }
}

/// The bit of the ct mark that says that the flow is tracked at its egress or ingress end.
pub fn tracked_bit(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "0x1",
        Direction::Ingress => "0x2",
    }
}

/// Remembers that the flow is tracked at this end.
pub fn track(direction: Direction) -> String {
    format!("ct mark set ct mark | {}", tracked_bit(direction))
}

/// The bits of the packet mark that say that the opposite direction of the interface is open to all on every port, per
/// protocol. They live within one base chain: its interface chain sets them, its groups' chains read them.
pub const OPPOSITE_OPEN: [(&str, u32); 2] = [("tcp", 0x1), ("udp", 0x2)];

/// A rule being compiled.
pub struct Compiling<'a> {
    cloud: &'a Cloud,
    group: (&'a GroupName, &'a SecurityGroup),
    direction: Direction,
    rule: &'a Rule,
}

impl<'a> Compiling<'a> {
    /// A rule of a group.
    pub fn new(
        cloud: &'a Cloud,
        group: (&'a GroupName, &'a SecurityGroup),
        direction: Direction,
        rule: &'a Rule,
    ) -> Self {
        Self { cloud, group, direction, rule }
    }

    /// The rules for new flows. The first or last has the rule's own id, others `sgr-7/tracked` and the like.
    pub fn new_flows(&self) -> Result<Vec<NftRule>, CompileError> {
        let peer = self.peer("")?;
        let traffic = self.rule.traffic;
        // ICMP and what is not from everywhere is always tracked.
        if !is_anywhere(&self.rule.peer) || matches!(traffic, Traffic::Icmp(_)) {
            return Ok(vec![self.admit("", &peer, &new_match(traffic), Some(track(self.direction)))]);
        }
        let mut rules = Vec::new();
        for (protocol, bit) in OPPOSITE_OPEN {
            let (suffix, matched) = match traffic {
                Traffic::Tcp(_) if protocol == "tcp" => ("", new_match(traffic)),
                Traffic::Udp(_) if protocol == "udp" => ("", new_match(traffic)),
                Traffic::All if protocol == "tcp" => ("/tcp", "meta l4proto tcp".to_owned()),
                Traffic::All => ("/udp", "meta l4proto udp".to_owned()),
                _ => continue,
            };
            match self.opposite() {
                Opposite::Open => rules.push(self.admit(suffix, &peer, &matched, None)),
                Opposite::Closed => {}
                Opposite::PerInterface => {
                    let open = format!("{matched} meta mark & {bit:#x} == {bit:#x}");
                    rules.push(self.admit(suffix, &peer, &open, None));
                }
            }
        }
        let tracked = || Some(track(self.direction));
        match (traffic, self.opposite()) {
            (Traffic::All, _) => rules.push(self.admit("", &peer, "", tracked())),
            (_, Opposite::Open) => {}
            (_, Opposite::Closed) => rules.push(self.admit("", &peer, &new_match(traffic), tracked())),
            (_, Opposite::PerInterface) => rules.push(self.admit("/tracked", &peer, &new_match(traffic), tracked())),
        }
        Ok(rules)
    }

    /// The rules for untracked flows under way: they match the packet that opened the flow. Only TCP and UDP flows can be
    /// untracked.
    pub fn flows_under_way(&self) -> Result<Vec<NftRule>, CompileError> {
        let matched = match self.rule.traffic {
            Traffic::All => String::new(),
            Traffic::Tcp(ports) => original_ports("tcp", ports),
            Traffic::Udp(ports) => original_ports("udp", ports),
            Traffic::Icmp(_) => return Ok(Vec::new()),
        };
        let peer = self.peer("ct original ")?;
        Ok(vec![NftRule { text: words([&peer, &matched, "accept"]), id: self.rule.id.to_string(), note: self.note() }])
    }

    fn admit(&self, suffix: &str, peer: &str, matched: &str, track: Option<String>) -> NftRule {
        let log = log(Record::Accept(self.direction, self.rule.id));
        let track = track.unwrap_or_default();
        NftRule {
            text: words([peer, matched, &track, &log, "accept"]),
            id: format!("{}{suffix}", self.rule.id),
            note: self.note(),
        }
    }

    fn note(&self) -> String {
        self.rule.written.clone()
    }

    /// What the interface's other direction is, as far as the era alone decides.
    fn opposite(&self) -> Opposite {
        match (self.cloud.has_egress_rules(), self.direction) {
            (true, _) => Opposite::PerInterface,
            (false, Direction::Ingress) => Opposite::Open,
            (false, Direction::Egress) => Opposite::Closed,
        }
    }

    /// The match of the other side. `0.0.0.0/0` covers every IPv4 address and no IPv6 one, so it says so.
    fn peer(&self, when: &str) -> Result<String, CompileError> {
        let side = match self.direction {
            Direction::Ingress => "saddr",
            Direction::Egress => "daddr",
        };
        Ok(match &self.rule.peer {
            Peer::Cidr(net) if net.prefix_len() == 0 => "meta nfproto ipv4".to_owned(),
            Peer::Cidr(net) if net.prefix_len() == 32 => format!("{when}ip {side} {}", net.addr()),
            Peer::Cidr(net) => format!("{when}ip {side} {}", net.trunc()),
            Peer::Group(group) => format!("{when}ip {side} @{}", self.peer_set(group)?),
        })
    }

    fn peer_set(&self, peer: &GroupName) -> Result<String, CompileError> {
        let (name, group) = self.group;
        let Some(referenced) = self.cloud.groups.get(peer) else {
            return Err(CompileError::UnknownPeer {
                rule: self.rule.id,
                group: name.clone(),
                written: self.rule.written.clone(),
                peer: peer.clone(),
            });
        };
        if referenced.vpc != group.vpc {
            return Err(CompileError::ForeignPeer {
                rule: self.rule.id,
                group: name.clone(),
                written: self.rule.written.clone(),
                peer: peer.clone(),
                vpc: referenced.vpc.clone(),
            });
        }
        let to_nobody = peer == name && self.cloud.knobs.self_reference == SelfReference::MatchesNobody;
        Ok(if to_nobody { names::NOBODY.to_owned() } else { names::members(peer) })
    }
}

enum Opposite {
    Open,
    Closed,
    PerInterface,
}

fn is_anywhere(peer: &Peer) -> bool {
    matches!(peer, Peer::Cidr(net) if net.prefix_len() == 0)
}

/// Which protocols a rule opens to all on every port.
pub fn opens_all(rule: &Rule) -> u32 {
    OPPOSITE_OPEN
        .iter()
        .filter(|(protocol, _)| {
            is_anywhere(&rule.peer)
                && match rule.traffic {
                    Traffic::All => true,
                    Traffic::Tcp(ports) => *protocol == "tcp" && ports == PortRange::ALL,
                    Traffic::Udp(ports) => *protocol == "udp" && ports == PortRange::ALL,
                    Traffic::Icmp(_) => false,
                }
        })
        .fold(0, |bits, (_, bit)| bits | bit)
}

fn new_match(traffic: Traffic) -> String {
    match traffic {
        Traffic::All => String::new(),
        Traffic::Tcp(PortRange::ALL) => "meta l4proto tcp".to_owned(),
        Traffic::Udp(PortRange::ALL) => "meta l4proto udp".to_owned(),
        Traffic::Tcp(ports) => format!("tcp dport {ports}"),
        Traffic::Udp(ports) => format!("udp dport {ports}"),
        Traffic::Icmp(IcmpMatch::All) => "ip protocol icmp".to_owned(),
        Traffic::Icmp(IcmpMatch::Type(8)) => "icmp type echo-request".to_owned(),
        Traffic::Icmp(IcmpMatch::Type(kind)) => format!("icmp type {kind}"),
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) => format!("icmp type {kind} icmp code {code}"),
    }
}

fn original_ports(protocol: &str, ports: PortRange) -> String {
    match ports {
        PortRange::ALL => format!("meta l4proto {protocol}"),
        _ => format!("meta l4proto {protocol} ct original proto-dst {ports}"),
    }
}

fn words<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
