//! One rule of a group as nft rules: one for new flows, one for untracked flows under way.

use ipnet::IpNet;

use super::error::CompileError;
use super::members::Appliances;
use super::names;
use crate::model::protocol::{ICMP, ICMPV6, TCP, UDP};
use crate::model::{
    Cloud, Direction, GroupName, GroupReferenceIpv6, IcmpMatch, Peer, PortRange, Rule, SecurityGroup, SelfReference,
    Traffic,
};
use crate::network::nft::NftRule;
use crate::network::record::{LOG_GROUP, Record};

/// The `log` statement of a record.
pub fn log(record: Record) -> String {
    format!("log prefix \"{record}\" group {LOG_GROUP} queue-threshold 1")
}

/// A rule of sglab's own.
pub fn own(id: &str, text: impl Into<String>) -> NftRule {
    NftRule { text: text.into(), id: id.to_owned(), note: String::new() }
}

/// The bit of the ct mark that says that the flow is tracked at its egress or ingress end.
pub const fn tracked_bit(direction: Direction) -> u32 {
    match direction {
        Direction::Egress => 0x1,
        Direction::Ingress => 0x2,
    }
}

/// Matches flows whose ct mark has all of these bits.
pub fn marked(bits: u32) -> String {
    marked_of(bits, bits)
}

/// Matches flows whose ct mark has these bits of all of those.
pub fn marked_of(bits: u32, all: u32) -> String {
    format!("ct mark & {all:#x} == {bits:#x}")
}

/// Sets bits of the flow's ct mark.
pub fn mark(bits: u32) -> String {
    format!("ct mark set ct mark | {bits:#x}")
}

/// Remembers that the flow is tracked at this end.
pub fn track(direction: Direction) -> String {
    mark(tracked_bit(direction))
}

/// Every rule of a group counts its packets: what none matched, nothing has exercised.
const COUNTED: &str = "counter";

/// Connection tracking gives no state to most ICMP messages that begin something. Each is then judged by itself.
pub const UNPLACED: &str = "ct state invalid,untracked";

/// Packets that a rule of a group judges by themselves: [`UNPLACED`] ones, those of protocols that are not tracked, and ICMP
/// errors about a flow that the end does not track. Their mark, where they have one, is that of the flow.
pub const STATELESS: &str = "ct state invalid,untracked,related";

/// A family of IP, as nft calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// Every packet of the family.
    pub fn any(self) -> &'static str {
        match self {
            Self::Ipv4 => "meta nfproto ipv4",
            Self::Ipv6 => "meta nfproto ipv6",
        }
    }

    /// The header's name.
    pub fn header(self) -> &'static str {
        match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
        }
    }

    /// Its ICMP.
    pub fn icmp(self) -> &'static str {
        match self {
            Self::Ipv4 => "icmp",
            Self::Ipv6 => "icmpv6",
        }
    }

    /// The types of the ICMP errors, which carry the packet that they are about: unreachable, too big, time exceeded, bad
    /// parameter. Source quench (4) is none of them: no router sends it, and no host listens to it (RFC 6633).
    pub fn errors(self) -> &'static [&'static str] {
        match self {
            Self::Ipv4 => &["3", "11-12"],
            Self::Ipv6 => &["1-4"],
        }
    }
}

/// The bits of the packet mark that say that the opposite direction of the interface is open to all on every port, per
/// family and protocol. They live within one base chain: its interface chain sets them, its groups' chains read them.
pub const OPPOSITE_OPEN: [(Family, u8, u32); 4] =
    [(Family::Ipv4, TCP, 0x1), (Family::Ipv4, UDP, 0x2), (Family::Ipv6, TCP, 0x4), (Family::Ipv6, UDP, 0x8)];

/// A rule being compiled.
pub struct Compiling<'a> {
    cloud: &'a Cloud,
    group: (&'a GroupName, &'a SecurityGroup),
    direction: Direction,
    rule: &'a Rule,
    appliances: Appliances,
}

impl<'a> Compiling<'a> {
    /// A rule of a group.
    pub fn new(
        (cloud, appliances): (&'a Cloud, Appliances),
        group: (&'a GroupName, &'a SecurityGroup),
        direction: Direction,
        rule: &'a Rule,
    ) -> Self {
        Self { cloud, group, direction, rule, appliances }
    }

    /// The rules for new flows. The first or last has the rule's own id, others `sgr-7/tracked` and the like.
    pub fn new_flows(&self) -> Result<Vec<NftRule>, CompileError> {
        let mut rules = Vec::new();
        for Matched { family, peer, .. } in self.peers(Asked::NewFlows)? {
            if let Some(matched) = new_match(self.rule.traffic, family) {
                self.new_flows_of(family, &peer, &matched, &mut rules);
            }
        }
        Ok(rules)
    }

    fn new_flows_of(&self, family: Family, peer: &str, matched: &str, rules: &mut Vec<NftRule>) {
        let traffic = self.rule.traffic;
        let tracked = || Some(track(self.direction));
        let own = self.suffix(family, "");
        // The peer of a rule for everywhere is the family's own match already.
        // First: the rules below set a mark, and that of an ICMP error is the mark of the flow which it is about.
        let stateless = may_be_stateless(traffic).then(|| words([matched, STATELESS]));
        rules.extend(stateless.map(|matched| self.admit(&self.suffix(family, "stateless"), peer, &matched, None)));
        match traffic {
            // It is outside of connection tracking.
            Traffic::Protocol(_) => return rules.push(self.admit(&own, peer, matched, None)),
            // Only TCP and UDP from everywhere can be untracked.
            Traffic::Icmp(_) | Traffic::Icmpv6(_) => return rules.push(self.admit(&own, peer, matched, tracked())),
            Traffic::All | Traffic::Tcp(_) | Traffic::Udp(_) if !is_anywhere(&self.rule.peer) => {
                return rules.push(self.admit(&own, peer, matched, tracked()));
            }
            Traffic::All | Traffic::Tcp(_) | Traffic::Udp(_) => {}
        }
        for (_, protocol, bit) in OPPOSITE_OPEN.iter().filter(|(of, ..)| *of == family) {
            let (suffix, matched) = match traffic {
                Traffic::Tcp(_) if *protocol == TCP => (own.clone(), matched.to_owned()),
                Traffic::Udp(_) if *protocol == UDP => (own.clone(), matched.to_owned()),
                Traffic::All => {
                    let word = if *protocol == TCP { "tcp" } else { "udp" };
                    (self.suffix(family, word), format!("meta l4proto {protocol}"))
                }
                _ => continue,
            };
            match self.opposite() {
                Opposite::Open => rules.push(self.admit(&suffix, peer, &matched, None)),
                Opposite::PerInterface => {
                    let open = format!("{matched} meta mark & {bit:#x} == {bit:#x}");
                    rules.push(self.admit(&suffix, peer, &open, None));
                }
            }
        }
        match (traffic, self.opposite()) {
            (Traffic::All, _) => rules.push(self.admit(&own, peer, "", tracked())),
            (_, Opposite::Open) => {}
            (_, Opposite::PerInterface) => {
                rules.push(self.admit(&self.suffix(family, "tracked"), peer, matched, tracked()));
            }
        }
    }

    /// Returns the suffix of the rule's id: a group's rule stands once per family.
    fn suffix(&self, family: Family, word: &str) -> String {
        let by_group = self.rule.peer.group().is_some();
        match (family == Family::Ipv6 && by_group, word) {
            (false, "") => String::new(),
            (true, "") => "/ipv6".to_owned(),
            (false, word) => format!("/{word}"),
            (true, word) => format!("/ipv6-{word}"),
        }
    }

    /// The rules for untracked flows under way: they match the packet that opened the flow. Only TCP and UDP flows can be
    /// untracked.
    pub fn flows_under_way(&self) -> Result<Vec<NftRule>, CompileError> {
        let matched = match self.rule.traffic {
            Traffic::All => String::new(),
            Traffic::Tcp(ports) => original_ports(TCP, ports),
            Traffic::Udp(ports) => original_ports(UDP, ports),
            Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Protocol(_) => return Ok(Vec::new()),
        };
        let rules = self.peers(Asked::FlowsUnderWay)?.into_iter().map(|Matched { family, word, peer }| NftRule {
            text: words([&peer, &matched, COUNTED, "accept"]),
            id: format!("{}{}", self.rule.id, self.suffix(family, word)),
            note: self.note(),
        });
        Ok(rules.collect())
    }

    fn admit(&self, suffix: &str, peer: &str, matched: &str, track: Option<String>) -> NftRule {
        let log = log(Record::Accept(self.direction, self.rule.id));
        let track = track.unwrap_or_default();
        NftRule {
            text: words([peer, matched, &track, &log, COUNTED, "accept"]),
            id: format!("{}{suffix}", self.rule.id),
            note: self.note(),
        }
    }

    fn note(&self) -> String {
        self.rule.written.clone()
    }

    /// Returns the state of the interface's other direction, as far as the era alone decides. One without egress rules lets everything out,
    /// and has rules of ingress only.
    fn opposite(&self) -> Opposite {
        if self.cloud.has_egress_rules() { Opposite::PerInterface } else { Opposite::Open }
    }

    /// The matches of the other side, by family. `0.0.0.0/0` covers every IPv4 address and no IPv6 one, so it says so.
    fn peers(&self, asked: Asked) -> Result<Vec<Matched>, CompileError> {
        let side = other_side(self.direction).1;
        let when = match asked {
            Asked::NewFlows => "",
            Asked::FlowsUnderWay => "ct original ",
        };
        Ok(match &self.rule.peer {
            Peer::Cidr(net) => {
                let family = if matches!(net, IpNet::V4(_)) { Family::Ipv4 } else { Family::Ipv6 };
                let matched = match net.prefix_len() {
                    0 => family.any().to_owned(),
                    length if length == net.max_prefix_len() => {
                        format!("{when}{} {side} {}", family.header(), net.addr())
                    }
                    _ => format!("{when}{} {side} {}", family.header(), net.trunc()),
                };
                vec![Matched::whole(family, matched)]
            }
            Peer::PrefixList(name) => {
                let Some(list) = self.cloud.prefix_lists.get(name) else {
                    return Err(CompileError::UnknownPrefixList {
                        rule: self.rule.id,
                        written: self.rule.written.clone(),
                        list: name.clone(),
                    });
                };
                let family = if list.family.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
                if family == Family::Ipv6 && !self.speaks_ipv6() {
                    return Ok(Vec::new());
                }
                vec![Matched::whole(family, format!("{when}{} {side} @{}", family.header(), names::prefixes(name)))]
            }
            Peer::Group(group) => {
                let own = self.peer_set(group)?;
                let sets = match own {
                    None => vec![(Family::Ipv4, names::NOBODY.to_owned())],
                    Some(_) if !self.speaks_ipv6() || self.is_to_the_letter() => {
                        vec![(Family::Ipv4, names::members(group))]
                    }
                    Some(_) => {
                        vec![(Family::Ipv4, names::members(group)), (Family::Ipv6, names::members_ipv6(group))]
                    }
                };
                let matched = sets.into_iter().flat_map(|(family, name)| {
                    let member = format!("{when}{} {side} @{name}", family.header());
                    self.direct(asked, family, &member)
                });
                matched.collect()
            }
        })
    }

    /// The matches of packets between this end and a member of a group. What an appliance passes on has the member's address and
    /// does not come from the member, nor go to it; of a flow under way that is asked of its questions and its answers.
    fn direct(&self, asked: Asked, family: Family, member: &str) -> Vec<Matched> {
        let sources = if family == Family::Ipv4 { names::SOURCES } else { names::SOURCES_IPV6 };
        let its_own = |(interface, side): (&str, &str)| format!("{interface} . {} {side} @{sources}", family.header());
        let there = its_own(other_side(self.direction));
        match (self.appliances, asked) {
            (Appliances::None, _) => vec![Matched::whole(family, member.to_owned())],
            (Appliances::Some, Asked::NewFlows) => vec![Matched::whole(family, format!("{member} {there}"))],
            (Appliances::Some, Asked::FlowsUnderWay) => {
                let back = its_own(other_side(self.direction.opposite()));
                vec![
                    Matched::whole(family, format!("{member} ct direction original {there}")),
                    Matched { family, word: "reply", peer: format!("{member} ct direction reply {back}") },
                ]
            }
        }
    }

    /// Reports whether a group means the private addresses of its members only.
    fn is_to_the_letter(&self) -> bool {
        self.cloud.knobs.group_reference_ipv6 == GroupReferenceIpv6::MatchesNobody
    }

    /// Reports whether the group's VPC has IPv6.
    fn speaks_ipv6(&self) -> bool {
        self.cloud.vpcs.get(&self.group.1.vpc).is_some_and(|vpc| vpc.ipv6.is_some())
    }

    /// The group whose members match; nothing if nobody does.
    fn peer_set<'p>(&self, peer: &'p GroupName) -> Result<Option<&'p GroupName>, CompileError> {
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
        Ok((!to_nobody).then_some(peer))
    }
}

/// Packets that a rule is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Those that begin a flow.
    NewFlows,
    /// Those of an untracked flow under way, which match as the packet that opened it.
    FlowsUnderWay,
}

/// The match of the other side in a family, and the word by which the id of its rule differs from the rule's own.
struct Matched {
    family: Family,
    word: &'static str,
    peer: String,
}

impl Matched {
    /// A match whose rule has the rule's own id.
    fn whole(family: Family, peer: String) -> Self {
        Self { family, word: "", peer }
    }
}

/// The interface and the address of the other side in a packet that begins a flow.
fn other_side(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Ingress => ("iifname", "saddr"),
        Direction::Egress => ("oifname", "daddr"),
    }
}

/// The interface's other direction: open to all or not, as each interface has it, or always.
enum Opposite {
    Open,
    PerInterface,
}

fn is_anywhere(peer: &Peer) -> bool {
    peer.block().is_some_and(|block| block.prefix_len() == 0)
}

/// Returns the bits of the protocols, by family, that a rule opens to all on every port.
pub fn opens_all(rule: &Rule) -> u32 {
    OPPOSITE_OPEN
        .iter()
        .filter(|(family, protocol, _)| {
            // A list is a list, whatever stands in it.
            let of_family = match rule.peer.block() {
                Some(IpNet::V4(_)) => *family == Family::Ipv4,
                Some(IpNet::V6(_)) => *family == Family::Ipv6,
                None => false,
            };
            of_family
                && is_anywhere(&rule.peer)
                && match rule.traffic {
                    Traffic::All => true,
                    Traffic::Tcp(ports) => *protocol == TCP && ports == PortRange::ALL,
                    Traffic::Udp(ports) => *protocol == UDP && ports == PortRange::ALL,
                    Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Protocol(_) => false,
                }
        })
        .map(|(_, _, bit)| bit)
        .sum()
}

/// Tells if a rule covers packets that are judged by themselves, beside others.
fn may_be_stateless(traffic: Traffic) -> bool {
    match traffic {
        Traffic::All => true,
        Traffic::Icmp(IcmpMatch::Type(8)) | Traffic::Icmpv6(IcmpMatch::Type(128)) => false,
        Traffic::Icmp(_) | Traffic::Icmpv6(_) => true,
        Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Protocol(_) => false,
    }
}

/// The match of a rule's traffic in a family; nothing if the family has no such traffic.
fn new_match(traffic: Traffic, family: Family) -> Option<String> {
    Some(match (traffic, family) {
        (Traffic::All, _) => String::new(),
        (Traffic::Protocol(number), _) => format!("meta l4proto {number}"),
        (Traffic::Tcp(PortRange::ALL), _) => format!("meta l4proto {TCP}"),
        (Traffic::Udp(PortRange::ALL), _) => format!("meta l4proto {UDP}"),
        (Traffic::Tcp(ports), _) => format!("tcp dport {ports}"),
        (Traffic::Udp(ports), _) => format!("udp dport {ports}"),
        (Traffic::Icmp(messages), Family::Ipv4) => match messages {
            IcmpMatch::All => format!("ip protocol {ICMP}"),
            IcmpMatch::Type(8) => "icmp type echo-request".to_owned(),
            IcmpMatch::Type(kind) => format!("icmp type {kind}"),
            IcmpMatch::TypeAndCode(kind, code) => format!("icmp type {kind} icmp code {code}"),
        },
        (Traffic::Icmpv6(messages), Family::Ipv6) => match messages {
            IcmpMatch::All => format!("meta l4proto {ICMPV6}"),
            IcmpMatch::Type(128) => "icmpv6 type echo-request".to_owned(),
            IcmpMatch::Type(kind) => format!("icmpv6 type {kind}"),
            IcmpMatch::TypeAndCode(kind, code) => format!("icmpv6 type {kind} icmpv6 code {code}"),
        },
        // `icmp` covers IPv4 only, `icmpv6` IPv6 only.
        (Traffic::Icmp(_), Family::Ipv6) | (Traffic::Icmpv6(_), Family::Ipv4) => return None,
    })
}

fn original_ports(protocol: u8, ports: PortRange) -> String {
    match ports {
        PortRange::ALL => format!("meta l4proto {protocol}"),
        _ => format!("meta l4proto {protocol} ct original proto-dst {ports}"),
    }
}

fn words<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
