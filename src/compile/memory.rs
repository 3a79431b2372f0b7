//! Sets in which each interface keeps, beside connection tracking, the traffic that it has sent and admitted.
//!
//! Connection tracking has one entry for both ends of a flow, and none for a packet that the receiver's end drops. EC2 tracks
//! at each interface: who has sent a datagram takes the answer, also while the other end still drops what comes. And it tells
//! protocols other than TCP, UDP and ICMP apart by addresses and number only, where the kernel's trackers look at ports,
//! keys and chunks. So these protocols leave connection tracking, and the sets are all that is kept of them.
//!
//! Source: "Security group connection tracking" (Amazon EC2 user guide).

use super::idle;
use super::names::{GW, REMEMBER_RECEIVED, REMEMBER_SENT, errors, keeping};
use super::parts::{chain, families, of, udp_key};
use super::rule::{Family, log, mark, marked, own, tracked_bit};
use super::shares::SetLimits;
use crate::model::Direction;
use crate::model::protocol::{EXTENSION_HEADERS, ICMP, ICMPV6, TCP, UDP};
use crate::network::names::{OTHER, OTHER_RECEIVED, OTHER_SENT, UDP_SENT, UDP_STREAMS};
use crate::network::nft::{Chain, NftRule, Ruleset};
use crate::network::record::Record;
use crate::network::{Families, Timeouts};

/// Datagrams that are sent, and those of other protocols. A packet for which there is no room passes, and is not remembered. nft lists all
/// elements of a table whatever it is asked for, so that there are no more of them than it lists in seconds.
fn kept_sent(timeouts: Timeouts) -> SetLimits {
    SetLimits { name: UDP_SENT, share: 1 << 11, paid: 1 << 15, timeout: timeouts.udp }
}

fn kept_other(timeouts: Timeouts) -> SetLimits {
    SetLimits { name: OTHER, share: 1 << 11, paid: 1 << 14, timeout: timeouts.other }
}

/// The protocols that connection tracking tells apart as EC2 does: TCP, UDP, ICMP, ICMPv6.
pub const TRACKED_PROTOCOLS: [u8; 4] = [TCP, UDP, ICMP, ICMPV6];

/// The bit of the ct mark of a flow whose first packet the sender's end admitted by what it has sent before.
const BY_MEMORY: u32 = 0x4;

/// Adds the sets, and the chains that fill them. Those of ICMP errors are filled behind both verdicts too.
pub fn add(ruleset: &mut Ruleset, spoken: Families, timeouts: Timeouts, of_errors: Vec<NftRule>) {
    for family in families(spoken) {
        let udp = udp_key(family, Direction::Egress);
        let other = other_key(family, Direction::Egress);
        kept_sent(timeouts).add(ruleset, &of(family, UDP_SENT), &udp);
        idle::kept_streams(timeouts).add(ruleset, &of(family, UDP_STREAMS), &udp);
        kept_other(timeouts).add(ruleset, &of(family, OTHER), &other);
        for counting in [OTHER_SENT, OTHER_RECEIVED] {
            kept_other(timeouts).add_beside(ruleset, &of(family, counting), &other);
        }
        let set = of(family, UDP_SENT);
        let keep = kept_sent(timeouts).remember(&set, &udp, None);
        ruleset.chains.insert(keeping(&set, Direction::Egress), chain(keep));
        for end in [Direction::Egress, Direction::Ingress] {
            let (set, counting) = (of(family, OTHER), of(family, counting(end)));
            let keep = kept_other(timeouts).remember(&set, &other_key(family, end), Some(&counting));
            ruleset.chains.insert(keeping(&set, end), chain(keep));
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
        let set = of(family, UDP_SENT);
        let (any, keep) = (family.any(), format!("jump {}", keeping(&set, Direction::Egress)));
        sent.push(own(&set, format!("ct state new {tracked} {any} meta l4proto {UDP} {keep}")));
        sent.push(own(&format!("{set}-renewed"), format!("{} {any} {keep}", idle::renewed_and_tracked())));
        sent.push(keep_other(family, Direction::Egress));
    }
    ruleset.chains.insert(REMEMBER_SENT.to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(sent) });
    let hook = "type filter hook forward priority filter + 15; policy accept;";
    let received = families(spoken).map(|family| keep_other(family, Direction::Ingress));
    let received = received.chain(idle::add(ruleset, spoken, timeouts)).chain(of_errors);
    ruleset.chains.insert(REMEMBER_RECEIVED.to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(received) });
}

/// The set that counts what an interface has sent or admitted of other protocols.
fn counting(end: Direction) -> &'static str {
    match end {
        Direction::Egress => OTHER_SENT,
        Direction::Ingress => OTHER_RECEIVED,
    }
}

/// Remembers and counts a packet of another protocol at one end. The gateway's end is nobody's interface.
fn keep_other(family: Family, end: Direction) -> NftRule {
    let interface = match end {
        Direction::Egress => "iifname",
        Direction::Ingress => "oifname",
    };
    let (set, any) = (of(family, OTHER), of_other_protocols(family));
    own(&set, format!("ct state untracked {interface} != \"{GW}\" {any} jump {}", keeping(&set, end)))
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
