//! Sets in which each interface keeps, beside connection tracking, the traffic that it has sent and admitted.
//!
//! Connection tracking has one entry for both ends of a flow, and none for a packet that the receiver's end drops. EC2 tracks
//! at each interface: who has sent a datagram takes the answer, also while the other end still drops what comes. And it tells
//! protocols other than TCP, UDP and ICMP apart by addresses and number only, where the kernel's trackers look at ports,
//! keys and chunks. So these protocols leave connection tracking, and the sets are all that is kept of them.
//!
//! Source: "Security group connection tracking" (Amazon EC2 user guide).

use super::filter::chain;
use super::idle;
use super::names::{GW, OTHER, OTHER_RECEIVED, OTHER_SENT, UDP_SENT, UDP_STREAMS, errors, of_ipv6};
use super::network::{Families, Timeouts};
use super::nft::{Chain, NftRule, Ruleset, Set, SetKey};
use super::record::Record;
use super::rule::{Family, log, mark, marked, own, tracked_bit};
use crate::model::Direction;
use crate::model::protocol::{EXTENSION_HEADERS, ICMP, ICMPV6, TCP, UDP};

/// Elements that a set may have. A packet for which there is no room passes, and is not remembered.
const SIZE: u32 = 1 << 18;

/// The protocols that connection tracking tells apart as EC2 does: TCP, UDP, ICMP, ICMPv6.
pub const TRACKED_PROTOCOLS: [u8; 4] = [TCP, UDP, ICMP, ICMPV6];

/// The bit of the ct mark of a flow whose first packet the sender's end admitted by what it has sent before.
const BY_MEMORY: u32 = 0x4;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// The families that a lab speaks.
pub fn families(families: Families) -> impl Iterator<Item = Family> {
    FAMILIES.into_iter().filter(move |family| families == Families::Both || *family == Family::Ipv4)
}

/// The name of a family's set, or rule.
pub fn of(family: Family, name: &str) -> String {
    match family {
        Family::Ipv4 => name.to_owned(),
        Family::Ipv6 => of_ipv6(name),
    }
}

/// Tells a set that packets fill from one that is compiled.
pub fn is_filled_by_packets(set: &Set) -> bool {
    matches!(set.key, SetKey::FilledByPackets { .. })
}

/// Adds the sets, and the chains that fill them. Those of ICMP errors are filled behind both verdicts too.
pub fn add(ruleset: &mut Ruleset, spoken: Families, timeouts: Timeouts, of_errors: Vec<NftRule>) {
    for family in families(spoken) {
        let udp = udp_key(family, Direction::Egress);
        let other = other_key(family, Direction::Egress);
        for (name, key) in
            [(UDP_SENT, &udp), (UDP_STREAMS, &udp), (OTHER, &other), (OTHER_SENT, &other), (OTHER_RECEIVED, &other)]
        {
            let key = SetKey::FilledByPackets { like: key.clone(), size: SIZE };
            ruleset.sets.insert(of(family, name), Set { key, elements: Default::default() });
        }
    }
    // Before connection tracking, and behind the check of sources.
    let tracked =
        TRACKED_PROTOCOLS.map(|number| own(&format!("tracked-{number}"), format!("meta l4proto {number} accept")));
    let rules = tracked.into_iter().chain([own("notrack", "notrack")]);
    let hook = "type filter hook prerouting priority raw + 5; policy accept;";
    ruleset.chains.insert("untracked".to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(rules) });
    // Behind egress and before ingress: what ingress drops has been sent all the same.
    let hook = "type filter hook forward priority filter + 5; policy accept;";
    let tracked = marked(tracked_bit(Direction::Egress));
    let mut sent = Vec::new();
    for family in families(spoken) {
        let (set, key, timeout) = (of(family, UDP_SENT), udp_key(family, Direction::Egress), timeouts.udp);
        let update = format!("update @{set} {{ {key} timeout {timeout}s }}");
        let any = family.any();
        sent.push(own(&set, format!("ct state new {tracked} {any} meta l4proto {UDP} {update}")));
        sent.push(own(&format!("{set}-renewed"), format!("{} {any} {update}", idle::renewed_and_tracked())));
        sent.extend(update_other(family, Direction::Egress, timeouts));
    }
    ruleset.chains.insert("remember-sent".to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(sent) });
    let hook = "type filter hook forward priority filter + 15; policy accept;";
    let received = families(spoken).flat_map(|family| update_other(family, Direction::Ingress, timeouts));
    let received = received.chain(idle::add(ruleset, spoken, timeouts)).chain(of_errors);
    ruleset.chains.insert("remember-received".to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(received) });
}

/// Remembers and counts a packet of another protocol at one end. The gateway's end is nobody's interface.
fn update_other(family: Family, direction: Direction, timeouts: Timeouts) -> [NftRule; 2] {
    let (counting, interface) = match direction {
        Direction::Egress => (of(family, OTHER_SENT), "iifname"),
        Direction::Ingress => (of(family, OTHER_RECEIVED), "oifname"),
    };
    let (any, key, timeout) = (of_other_protocols(family), other_key(family, direction), timeouts.other);
    let here = format!("ct state untracked {interface} != \"{GW}\" {any}");
    let set = of(family, OTHER);
    [
        own(&set, format!("{here} update @{set} {{ {key} timeout {timeout}s }}")),
        own(&counting, format!("{here} update @{counting} {{ {key} timeout {timeout}s counter }}")),
    ]
}

/// The rules of a base chain about packets of other protocols, for which the interface at this end has memory; those that
/// it has none for go to its groups.
pub fn other_protocols(direction: Direction, spoken: Families) -> Vec<NftRule> {
    let rules = families(spoken).map(|family| {
        let (any, key, set) = (of_other_protocols(family), other_key(family, direction), of(family, OTHER));
        own(&set, format!("ct state untracked {any} {key} @{set} accept"))
    });
    rules.collect()
}

/// The rules of a base chain about ICMP errors that carry a packet of another protocol which the interface at this end
/// remembers: these pass, as errors about tracked flows do. Ingress finds out who speaks; who has had the packet remembers it.
pub fn errors_about_other_protocols(direction: Direction, spoken: Families) -> Vec<NftRule> {
    let mut rules = Vec::new();
    for family in families(spoken) {
        let (icmp, key, set) = (family.icmp(), carried_key(family, direction), of(family, OTHER));
        for types in family.errors() {
            let id = format!("error-{types}-{set}");
            let about = format!("ct state invalid {icmp} type {types} {key} @{set}");
            if direction == Direction::Ingress {
                rules.push(own(&format!("whose-{id}"), format!("{about} jump {}", errors(direction))));
            }
            rules.push(own(&id, format!("{about} accept")));
        }
    }
    rules
}

/// The rules about datagrams that begin a flow for connection tracking, and belong to one that the interface
/// at this end knows: what it has sent before, or the answer to that.
pub fn datagrams(direction: Direction, spoken: Families) -> Vec<NftRule> {
    let log = log(Record::Remembered(direction));
    let bits = tracked_bit(direction) | if direction == Direction::Egress { BY_MEMORY } else { 0 };
    let sets = [(UDP_STREAMS, bits | idle::STREAM), (UDP_SENT, bits)];
    let rules = families(spoken).flat_map(|family| {
        let (any, key) = (family.any(), udp_key(family, direction));
        let log = &log;
        sets.map(|(set, bits)| {
            let set = of(family, set);
            own(&set, format!("{any} meta l4proto {UDP} {key} @{set} {} {log} accept", mark(bits)))
        })
    });
    rules.collect()
}

/// Accepts once more what the sender's end admitted by memory: no rule is to be asked.
pub fn by_memory() -> NftRule {
    own("remembered", format!("{} accept", marked(BY_MEMORY)))
}

/// Packets of a family whose header names their protocol. Over IPv6 that of an extension header stands there otherwise, and would be
/// the same for every protocol behind it: such packets are not remembered, and the rules judge each. Nor are messages of ICMPv6 that
/// the kernel leaves untracked by itself (listeners, routers, neighbours): an error about any other message would be about them.
fn of_other_protocols(family: Family) -> String {
    let mut matched = family.any().to_owned();
    if family == Family::Ipv6 {
        for header in EXTENSION_HEADERS.into_iter().chain([ICMPV6]) {
            matched += &format!(" ip6 nexthdr != {header}");
        }
    }
    matched
}

/// A datagram, as the interface at this end of it sees it.
pub fn udp_key(family: Family, end: Direction) -> String {
    let ip = family.header();
    match end {
        Direction::Egress => format!("iifname . {ip} saddr . {ip} daddr . udp sport . udp dport"),
        Direction::Ingress => format!("oifname . {ip} daddr . {ip} saddr . udp dport . udp sport"),
    }
}

/// A packet of another protocol, as the interface at this end of it sees it. Raw, so that the same sets are asked for what
/// ICMP errors carry.
fn other_key(family: Family, end: Direction) -> String {
    let (protocol, source, destination) = match family {
        Family::Ipv4 => ("@nh,72,8", "@nh,96,32", "@nh,128,32"),
        Family::Ipv6 => ("@nh,48,8", "@nh,64,128", "@nh,192,128"),
    };
    match end {
        Direction::Egress => format!("iifname . {protocol} . {source} . {destination}"),
        Direction::Ingress => format!("oifname . {protocol} . {destination} . {source}"),
    }
}

/// The packet that an ICMP error carries, as the interface at this end of the error sees it: who sends an error has received
/// the packet, and who receives one has sent it. Its header begins 8 bytes after that of ICMP.
pub fn carried_key(family: Family, end: Direction) -> String {
    let (protocol, source, destination) = match family {
        Family::Ipv4 => ("@th,136,8", "@th,160,32", "@th,192,32"),
        Family::Ipv6 => ("@th,112,8", "@th,128,128", "@th,256,128"),
    };
    match end {
        Direction::Egress => format!("iifname . {protocol} . {destination} . {source}"),
        Direction::Ingress => format!("oifname . {protocol} . {source} . {destination}"),
    }
}
