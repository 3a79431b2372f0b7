//! The rulesets outside a VPC: a gateway's translation of addresses, and the internet's binding of sources.

use ipnet::{IpNet, Ipv6Net};

use super::blocks::{blocks, element};
use super::filter::{BEFORE_FRAGMENTS, unreachable};
use super::names::{
    GATEWAY_ADDRESS, GATEWAY_INSIDE, GATEWAY_OUTSIDE, HELD_IPV6, PUBLIC_OF, ROUTER_ADDRESS, SOURCES, SOURCES_IPV6,
    TRANSLATED, UNREACHABLE,
};
use super::parts::set;
use super::rule::{UNPLACED, log, own};
use super::{icmp_errors, shares};
use crate::model::protocol::{ICMP, TCP, UDP};
use crate::model::{Mtu, PrivateIp, PublicIp};
use crate::network::Families;
use crate::network::names::PRIVATE_OF;
use crate::network::nft::{Chain, Map, NftRule, Ruleset};
use crate::network::record::Record;
use std::net::Ipv4Addr;

/// The ruleset of a gateway: public and private address of each interface that has both, one to one, both ways.
///
/// A packet from inside to a public address of the same VPC has both of its addresses translated and goes back in,
/// where its source is a public address that no group reference can match. IPv6 passes as it is, from an address that an interface holds. `inside` are the addresses that
/// interfaces have there, `outside` is the gateway's own.
pub fn gateway(pairs: &[(PrivateIp, PublicIp)], ipv6: Option<Ipv6Net>, inside: &[IpNet], outside: Ipv4Addr) -> Ruleset {
    let mut ruleset = Ruleset::default();
    let families = if ipv6.is_some() { Families::Both } else { Families::Ipv4 };
    icmp_errors::add_ends(&mut ruleset, inside, families);
    let privates = pairs.iter().map(|(private, _)| private.to_string());
    ruleset.sets.insert(TRANSLATED.to_owned(), set("ipv4_addr", privates));
    let public_of = pairs.iter().map(|(private, public)| (private.to_string(), public.to_string()));
    ruleset.maps.insert(PUBLIC_OF.to_owned(), addresses(public_of));
    let private_of = pairs.iter().map(|(private, public)| (public.to_string(), private.to_string()));
    ruleset.maps.insert(PRIVATE_OF.to_owned(), addresses(private_of));
    ruleset.chains.insert(
        "prerouting".to_owned(),
        base(
            "type nat hook prerouting priority dstnat; policy accept;",
            undeliverable().into_iter().chain([own("dnat", format!("dnat ip to ip daddr map @{PRIVATE_OF}"))]),
        ),
    );
    let mut forward = vec![
        // ICMP messages that connection tracking does not place, and what its trackers of other protocols take amiss, are
        // translated without it.
        own("invalid-tcp", format!("ct state invalid meta l4proto {TCP} {} drop", log(Record::Invalid))),
        own("invalid-udp", format!("ct state invalid meta l4proto {UDP} {} drop", log(Record::Invalid))),
    ];
    forward.extend(icmp_errors::to_the_outside(GATEWAY_INSIDE, ipv6, families));
    forward.extend([
        own("known", "ct state established,related accept"),
        own("translated", format!("iifname \"{GATEWAY_INSIDE}\" ip saddr @{TRANSLATED} accept")),
        own("outside", format!("iifname \"{GATEWAY_OUTSIDE}\" meta nfproto ipv4 accept")),
    ]);
    if let Some(block) = ipv6 {
        let held = inside.iter().filter(|block| block.addr().is_ipv6()).map(|block| element(*block));
        ruleset.sets.insert(HELD_IPV6.to_owned(), blocks("ipv6_addr", held));
        forward.push(own("inside-ipv6", format!("iifname \"{GATEWAY_INSIDE}\" ip6 saddr @{HELD_IPV6} accept")));
        forward.push(own("outside-ipv6", format!("iifname \"{GATEWAY_OUTSIDE}\" ip6 daddr {block} accept")));
    }
    forward.push(own("untranslated", format!("{} drop", log(Record::Untranslated))));
    ruleset
        .chains
        .insert("forward".to_owned(), base("type filter hook forward priority filter; policy drop;", forward));
    ruleset.chains.insert(
        "postrouting".to_owned(),
        base(
            "type nat hook postrouting priority srcnat; policy accept;",
            [own("snat", format!("iifname \"{GATEWAY_INSIDE}\" snat ip to ip saddr map @{PUBLIC_OF}"))],
        ),
    );
    let unplaced = format!("{UNPLACED} meta l4proto != {TCP} meta l4proto != {UDP}");
    ruleset.chains.insert(
        "prerouting-unplaced".to_owned(),
        base(
            "type filter hook prerouting priority dstnat + 10; policy accept;",
            [own("dnat", format!("{unplaced} ip daddr set ip daddr map @{PRIVATE_OF}"))],
        ),
    );
    ruleset.chains.insert(
        "postrouting-unplaced".to_owned(),
        base(
            "type filter hook postrouting priority srcnat + 10; policy accept;",
            [own("snat", format!("iifname \"{GATEWAY_INSIDE}\" {unplaced} ip saddr set ip saddr map @{PUBLIC_OF}"))],
        ),
    );
    own_answers(&mut ruleset, outside);
    ruleset
}

/// Packets that the gateway answers with an error, and that begin a flow, are not translated before: the error repeats the packet, and
/// nothing translates it back where no flow is tracked. To its sender it would be about a packet that it has not sent.
fn undeliverable() -> [NftRule; 2] {
    let dont_fragment = "ip frag-off & 0x4000 == 0x4000";
    [
        own("expired", "ip ttl <= 1 accept"),
        own("too-large", format!("{dont_fragment} meta length > {} accept", Mtu::ETHERNET)),
    ]
}

/// Errors of the gateway and the router themselves, about flows that are translated. Connection tracking gives them the source
/// that an answer of the receiver has; here they get the gateway's.
fn own_answers(ruleset: &mut Ruleset, outside_address: Ipv4Addr) {
    let of_router = format!("iifname \"{GATEWAY_INSIDE}\" ip saddr {ROUTER_ADDRESS} meta l4proto {ICMP}");
    ruleset.chains.insert(
        "prerouting-answers".to_owned(),
        base(
            "type filter hook prerouting priority raw; policy accept;",
            [own("router", format!("{of_router} meta mark set {FROM_ROUTER}"))],
        ),
    );
    // The errors that a kernel sends: source quench is none of them.
    let from_itself = format!(
        "iifname != {{ \"{GATEWAY_INSIDE}\", \"{GATEWAY_OUTSIDE}\" }} \
         icmp type {{ destination-unreachable, time-exceeded, parameter-problem }}"
    );
    let (inside, outside) = (format!("oifname \"{GATEWAY_INSIDE}\""), format!("oifname \"{GATEWAY_OUTSIDE}\""));
    let from_router = format!("meta mark {FROM_ROUTER}");
    ruleset.chains.insert(
        "postrouting-answers".to_owned(),
        base(
            "type filter hook postrouting priority srcnat + 20; policy accept;",
            [
                own("inside", format!("{inside} {from_itself} ip saddr set {GATEWAY_ADDRESS}")),
                own("outside", format!("{outside} {from_itself} ip saddr set {outside_address}")),
                // The router would take its own address for a forged one, and outside nobody knows it.
                own("router-inside", format!("{inside} {from_router} ip saddr set {GATEWAY_ADDRESS}")),
                own("router-outside", format!("{outside} {from_router} ip saddr set {outside_address}")),
            ],
        ),
    );
}

/// The mark of what the VPC's router has sent.
const FROM_ROUTER: &str = "0x1";

/// The ruleset of a NAT instance's own operating system: what it passes on has its address. What it sends itself is left
/// alone: a source that it forges has to come to the filter as it is.
///
/// Source: "NAT instances" (Amazon VPC user guide).
pub fn nat_instance() -> Ruleset {
    let mut ruleset = Ruleset::default();
    let hook = "type nat hook postrouting priority srcnat; policy accept;";
    let chain = base(hook, [own("masquerade", "iifname \"eth*\" oifname \"eth*\" masquerade")]);
    ruleset.chains.insert("postrouting".to_owned(), chain);
    ruleset
}

/// The ruleset of the internet: every link is bound to the addresses behind it. No connection tracking.
pub fn internet(bound: &[(String, IpNet)], families: Families) -> Ruleset {
    let mut ruleset = Ruleset::default();
    let of_family = |four: bool| {
        let of = bound.iter().filter(move |(_, block)| block.addr().is_ipv4() == four);
        of.map(|(interface, block)| format!("\"{interface}\" . {}", element(*block)))
    };
    ruleset.sets.insert(SOURCES.to_owned(), set("ifname . ipv4_addr", of_family(true)));
    let mut rules =
        vec![own("local", "iifname \"lo\" accept"), own("bound", format!("iifname . ip saddr @{SOURCES} accept"))];
    if families == Families::Both {
        ruleset.sets.insert(SOURCES_IPV6.to_owned(), blocks("ifname . ipv6_addr", of_family(false)));
        rules.push(own("bound-ipv6", format!("iifname . ip6 saddr @{SOURCES_IPV6} accept")));
        rules.push(own("unspecified", "ip6 saddr :: drop"));
        // Its neighbours are permanent, and of an advertisement for an address of its own the kernel would write to the machine's log.
        let neighbours = own("neighbours", "icmpv6 type nd-neighbor-advert drop");
        ruleset
            .chains
            .insert("input".to_owned(), base("type filter hook input priority filter; policy accept;", [neighbours]));
    }
    rules.push(own("spoofed", format!("{} drop", log(Record::Spoofed))));
    let hook = format!("type filter hook prerouting priority {BEFORE_FRAGMENTS}; policy drop;");
    ruleset.chains.insert("prerouting".to_owned(), base(&hook, rules));
    shares::add_fragments(&mut ruleset, "gw-*", families);
    ruleset.chains.insert(UNREACHABLE.to_owned(), unreachable(families));
    ruleset
}

fn base(hook: &str, rules: impl IntoIterator<Item = NftRule>) -> Chain {
    Chain { hook: Some(hook.to_owned()), rules: rules.into_iter().collect() }
}

fn addresses(elements: impl Iterator<Item = (String, String)>) -> Map {
    Map { key: "ipv4_addr".to_owned(), value: "ipv4_addr".to_owned(), elements: elements.collect() }
}
