//! ICMP errors, and whose word about a flow counts by itself.
//!
//! An error carries what its sender likes behind the header of the packet that it is about, and changes how the receiver sends. Those
//! who have had the packet may speak of it: the end that it was for, an appliance that it has come by and, of what goes
//! outside, any router out there. Of everybody else an error is a message that begins something, which the rules judge at
//! both ends.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use super::names::{
    CANARY_ADDRESS, ENDS, GW, ON_THE_WAY, ROUTER_ADDRESS, SOURCES, SOURCES_IPV6, UNCHECKED, errors, related,
    router_ipv6,
};
use super::parts::{chain, families, log_drop, of};
use super::rule::{Family, marked, own, tracked_bit};
use super::shares::SetLimits;
use super::{doubts, memory};
use crate::model::protocol::{ICMP, ICMPV6};
use crate::model::{Cloud, Direction, IcmpErrors, Interface, Vpc};
use crate::network::names::OTHER;
use crate::network::nft::{NftRule, Ruleset, Set, SetKey};
use crate::network::record::Record;
use crate::network::{Families, Timeouts};

/// Flows of which something came to an appliance of late. One for which there is no room is none of its own.
fn kept_on_the_way(timeouts: Timeouts) -> SetLimits {
    SetLimits { name: ON_THE_WAY, share: 1 << 11, paid: 1 << 15, timeout: timeouts.udp }
}

/// Adds the chains that find out who speaks, and the sets that they ask. Gives the rules that belong behind the verdicts of
/// both ends.
pub fn add(
    ruleset: &mut Ruleset,
    cloud: &Cloud,
    vpc: &Vpc,
    attached: &[&Interface],
    (spoken, timeouts): (Families, Timeouts),
) -> Vec<NftRule> {
    let mut all = addresses(attached);
    all.push(IpAddr::V4(CANARY_ADDRESS).into());
    // What comes by the gateway with an address of the cloud comes from its instance.
    for interface in cloud.network_interfaces() {
        all.extend(interface.public.map(|public| IpNet::from(IpAddr::V4(public.0))));
        all.extend(interface.ipv6_blocks().map(IpNet::V6));
    }
    add_ends(ruleset, &all, spoken);
    let has_appliances = doubts::are_possible(attached);
    for direction in [Direction::Egress, Direction::Ingress] {
        let mut rules = entitled(direction, vpc, spoken);
        if has_appliances {
            rules.push(own("on-the-way", format!("iifname . ct id @{ON_THE_WAY} return")));
        }
        rules.extend(judged(direction));
        ruleset.chains.insert(errors(direction), chain(rules));
        ruleset.chains.insert(related(direction), chain(of_flows(direction, cloud.knobs.icmp_errors)));
    }
    if !has_appliances {
        return Vec::new();
    }
    let kept = kept_on_the_way(timeouts);
    kept.add(ruleset, ON_THE_WAY, "iifname . ct id");
    let keep = kept.remember(ON_THE_WAY, "oifname . ct id", None);
    ruleset.chains.insert("keep-on-the-way".to_owned(), chain(keep));
    // An error tells no more than its sender knows, so that it brings nothing by anybody.
    let comes_by = format!("oifname @{UNCHECKED} ct state new,established");
    vec![own("on-the-way", format!("{comes_by} jump keep-on-the-way"))]
}

/// Adds the sets in which each address stands twice: nft compares no two fields of a packet, and finds both in one of these. A prefix stands
/// there as a whole: each of its addresses speaks for the interface that all of them lead to.
pub fn add_ends(ruleset: &mut Ruleset, addresses: &[IpNet], spoken: Families) {
    for family in families(spoken) {
        let of_family = addresses.iter().filter(|address| address.addr().is_ipv4() == (family == Family::Ipv4));
        let twice = of_family.map(|block| {
            let one = match block {
                IpNet::V4(four) => format!("{:#010x}", four.addr().to_bits()),
                IpNet::V6(six) if six.prefix_len() == 128 => format!("{:#034x}", six.addr().to_bits()),
                IpNet::V6(six) => format!("{:#034x}-{:#034x}", six.network().to_bits(), six.broadcast().to_bits()),
            };
            format!("{one} . {one}")
        });
        let key = match family {
            Family::Ipv4 => SetKey::ValuesOf(by_its_end(family)),
            Family::Ipv6 => SetKey::IntervalsOf(by_its_end(family)),
        };
        ruleset.sets.insert(of(family, ENDS), Set { key, elements: twice.collect() });
    }
}

/// The addresses that interfaces have inside, and prefixes of IPv6.
pub fn addresses(attached: &[&Interface]) -> Vec<IpNet> {
    let of_each = attached.iter().flat_map(|interface| {
        let private = interface.private_addresses().map(|private| IpNet::from(IpAddr::V4(private.0)));
        private.chain(interface.ipv6_blocks().map(IpNet::V6))
    });
    of_each.collect()
}

/// The rule of a base chain that all errors about flows in connection tracking go through.
pub fn about_flows(direction: Direction) -> NftRule {
    own("errors", format!("ct state related jump {}", related(direction)))
}

/// Judges errors about flows in connection tracking: first who sends it, then by the rules behind. These are for one that goes the way of the
/// answers: it comes from the interface of the receiver's end, which is asked where it comes in, and goes to that of the sender's end. It
/// passes an end that tracks the flow; else that end's rules decide. One that goes the way of the questions meets the ends in the flow's own
/// order, as its packets do.
fn of_flows(direction: Direction, icmp_errors: IcmpErrors) -> Vec<NftRule> {
    let mut rules = vec![own("whose", format!("jump {}", errors(direction)))];
    if icmp_errors == IcmpErrors::OfTrackedFlows {
        let (its_end, interface) = match direction {
            Direction::Egress => (Direction::Ingress, "iifname"),
            Direction::Ingress => (Direction::Egress, "oifname"),
        };
        let tracked = marked(tracked_bit(its_end));
        rules.push(own("reply-tracked", format!("ct direction reply {tracked} accept")));
        rules.push(own("reply", format!("ct direction reply {interface} vmap @{direction}-of")));
    }
    rules
}

/// The rules about errors of who may speak: these go on as their flow does.
fn entitled(direction: Direction, vpc: &Vpc, spoken: Families) -> Vec<NftRule> {
    let mut rules = Vec::new();
    for family in families(spoken) {
        let (any, ip, end) = (family.any(), family.header(), by_its_end(family));
        let (sources, name) = match family {
            Family::Ipv4 => (SOURCES, "ipv4"),
            Family::Ipv6 => (SOURCES_IPV6, "ipv6"),
        };
        let ends = of(family, ENDS);
        rules.push(own(&format!("end-{name}"), format!("{any} iifname . {ip} saddr @{sources} {end} @{ends} return")));
        if direction == Direction::Egress {
            continue;
        }
        rules.push(own(&format!("outer-end-{name}"), format!("{any} iifname \"{GW}\" {end} @{ends} return")));
        let source = source(family);
        for (number, outside) in (1..).zip(is_about_outside(family, vpc)) {
            let text = format!("{any} iifname \"{GW}\" {source} . {source} != @{ends} {outside} return");
            rules.push(own(&format!("outside-{name}-{number}"), text));
        }
        let had = memory::carried_key(family, Direction::Egress);
        rules.push(own(&format!("had-{name}"), format!("{any} {had} @{} return", of(family, OTHER))));
    }
    if direction == Direction::Egress {
        rules.push(own("gw", format!("iifname \"{GW}\" return")));
    }
    rules
}

/// The rules about errors of everybody else. What a host outside takes no group judges.
fn judged(direction: Direction) -> Vec<NftRule> {
    let unclaimed = own("unclaimed", log_drop(Record::Unclaimed(direction)));
    match direction {
        Direction::Egress => vec![own("judged", "iifname vmap @egress-of"), unclaimed],
        Direction::Ingress => vec![
            own("foreign", format!("oifname \"{GW}\" {}", log_drop(Record::ForeignError))),
            own("judged", "oifname vmap @ingress-of"),
            unclaimed,
        ],
    }
}

/// The rules of a router's input chain: of what it has said to an instance, that instance may speak.
pub fn to_the_router(spoken: Families) -> Vec<NftRule> {
    let rules = families(spoken).map(|family| {
        let (any, ip, end) = (family.any(), family.header(), by_its_end(family));
        let sources = if family == Family::Ipv4 { SOURCES } else { SOURCES_IPV6 };
        let text = format!("{any} ct state related iifname . {ip} saddr @{sources} {end} @{} accept", of(family, ENDS));
        own(&of(family, "errors"), text)
    });
    rules.collect()
}

/// The rules of a gateway: it translates an error with the flow which that is about, and would give it the end's address
/// whoever sends it.
pub fn to_the_outside(inside: &str, vpc_ipv6: Option<Ipv6Net>, spoken: Families) -> Vec<NftRule> {
    let rules = families(spoken).filter_map(|family| {
        let (any, ip) = (family.any(), family.header());
        let (icmp, router) = match family {
            Family::Ipv4 => (ICMP, ROUTER_ADDRESS.to_string()),
            Family::Ipv6 => (ICMPV6, router_ipv6(vpc_ipv6?).to_string()),
        };
        let related = format!("{any} meta l4proto {icmp} ct state related iifname \"{inside}\"");
        let not_its_end = format!("{} != @{}", by_its_end(family), of(family, ENDS));
        let text = format!("{related} {ip} saddr != {router} {not_its_end} {}", log_drop(Record::ForeignError));
        Some(own(&of(family, "foreign"), text))
    });
    rules.collect()
}

/// The source of a packet, raw as what an error carries is.
fn source(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "@nh,96,32",
        Family::Ipv6 => "@nh,64,128",
    }
}

/// Returns the nft concatenation of an error's sender and the destination of the packet that it is about.
fn by_its_end(family: Family) -> String {
    let carried = match family {
        Family::Ipv4 => "@th,192,32",
        Family::Ipv6 => "@th,256,128",
    };
    format!("{} . {carried}", source(family))
}

/// Matches errors about packets that were for nobody inside: each alone is enough. The network is compared in numbers of 32
/// bits, since larger ones cannot be read back from nft's list.
fn is_about_outside(family: Family, vpc: &Vpc) -> Vec<String> {
    const WORD: u8 = 32;
    let (start, network, length) = match (family, vpc.ipv6) {
        (Family::Ipv4, _) => (192, u128::from(vpc.cidr.network().to_bits()) << 96, vpc.cidr.prefix_len()),
        (Family::Ipv6, Some(block)) => (256, block.network().to_bits(), block.prefix_len()),
        (Family::Ipv6, None) => return Vec::new(),
    };
    let words = (0..length).step_by(WORD.into()).map(|first| {
        let bits = WORD.min(length - first);
        let value = (network << first) >> (128 - bits);
        format!("@th,{},{bits} != {value:#x}", start + u16::from(first))
    });
    words.collect()
}
