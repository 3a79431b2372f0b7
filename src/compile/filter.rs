//! The ruleset of a VPC's router: groups, interfaces, and the base chains that every packet goes through.
//!
//! Two base chains on `forward`: an `accept` ends only its own, so that a flow has to pass both. Each finds the
//! interface's chain by a verdict map, so that the cost of a packet does not grow with the instances.

use std::collections::HashMap;

use ipnet::IpNet;

use super::blocks::{blocks, element};
use super::error::CompileError;
use super::members::{Appliances, Members};
use super::names::{
    self, AGAIN, CANARY, CANARY_ADDRESS, CANARY_OPEN_PORT, CHECKED, GW, NOBODY, OPEN_EGRESS, SERVICES, SERVICES_IPV6,
    SOURCES, SOURCES_IPV6, TRACKED, UNCHECKED, UNCOUNTED, UNREACHABLE,
};
use super::parts::{chain, chain_of, set};
use super::rule::{Compiling, STATELESS, UNPLACED, log, marked, opens_all, own, track, tracked_bit};
use super::{doubts, icmp_errors, idle, memory, services, shares};
use crate::model::protocol::{ICMP, ICMPV6, TCP, UDP};
use crate::model::{
    Cloud, Direction, GroupName, IcmpErrors, Interface, PrefixList, SecurityGroup, SourceDestCheck, Vpc, VpcName,
    service_addresses,
};
use crate::network::nft::{Chain, Map, NftRule, Ruleset, Set, SetKey};
use crate::network::record::Record;
use crate::network::{Families, Timeouts};

const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

/// The priority of chains that see datagrams in pieces, as they come: the kernel puts them together at -400.
pub const BEFORE_FRAGMENTS: i32 = -450;

/// The ruleset of a VPC. `members` are those of all groups of the cloud, and `attached` the interfaces that have a link to its router.
pub fn ruleset(
    (cloud, members): (&Cloud, &Members<'_>),
    (name, vpc): (&VpcName, &Vpc),
    attached: &[&Interface],
    timeouts: Timeouts,
) -> Result<Ruleset, CompileError> {
    let mut ruleset = Ruleset::default();
    let groups: Vec<_> = cloud.groups.iter().filter(|(_, group)| group.vpc == *name).collect();
    for (group, _) in &groups {
        ruleset.sets.insert(names::members(group), set("ipv4_addr", members.private(group)));
        if vpc.ipv6.is_some() {
            ruleset.sets.insert(names::members_ipv6(group), blocks("ipv6_addr", members.ipv6(group)));
        }
    }
    for (name, list) in &cloud.prefix_lists {
        if list.family.is_ipv4() || vpc.ipv6.is_some() {
            ruleset.sets.insert(names::prefixes(name), prefixes(list));
        }
    }
    ruleset.sets.insert(NOBODY.to_owned(), set("ipv4_addr", []));
    ruleset.sets.insert(SOURCES.to_owned(), set("ifname . ipv4_addr", sources(attached)));
    if vpc.ipv6.is_some() {
        ruleset.sets.insert(SOURCES_IPV6.to_owned(), blocks("ifname . ipv6_addr", sources_ipv6(attached)));
    }
    ruleset.sets.insert(UNCHECKED.to_owned(), set("ifname", unchecked(attached)));
    ruleset.sets.insert(SERVICES.to_owned(), set("ipv4_addr . inet_proto . inet_service", served(cloud, vpc, true)));
    if vpc.ipv6.is_some() {
        let served = served(cloud, vpc, false);
        ruleset.sets.insert(SERVICES_IPV6.to_owned(), set("ipv6_addr . inet_proto . inet_service", served));
    }
    let appliances = Appliances::of(cloud, name);
    for group in &groups {
        add_group(&mut ruleset, (cloud, appliances), *group)?;
    }
    for direction in DIRECTIONS {
        let all_open = |group: &SecurityGroup| {
            group.rules(direction.opposite()).iter().map(opens_all).fold(0, |bits, rule| bits | rule)
        };
        let opposite: HashMap<_, _> = groups.iter().map(|&(name, group)| (name, all_open(group))).collect();
        let mut new = verdicts();
        let mut live = verdicts();
        for interface in attached {
            let port = format!("\"{}\"", names::port(&interface.id, interface.number));
            let (new_chain, live_chain) = add_interface(&mut ruleset, (cloud, &opposite), interface, direction)?;
            new.elements.insert(port.clone(), format!("jump {new_chain}"));
            live.elements.insert(port, live_chain.map_or("accept".to_owned(), |chain| format!("jump {chain}")));
        }
        if direction == Direction::Ingress {
            ruleset.chains.insert(format!("to/{CANARY}"), canary_chain());
            new.elements.insert(format!("\"{CANARY}\""), format!("jump to/{CANARY}"));
        }
        ruleset.maps.insert(format!("{direction}-of"), new);
        ruleset.maps.insert(format!("{direction}-live-of"), live);
    }
    if !cloud.has_egress_rules() {
        let log = log(Record::Pass(Direction::Egress));
        let admit = format!("{} {log} accept", track(Direction::Egress));
        let stateless = format!("{STATELESS} {log} accept");
        ruleset.chains.insert(OPEN_EGRESS.to_owned(), chain([own("open-stateless", stateless), own("open", admit)]));
    }
    ruleset.chains.insert("prerouting".to_owned(), prerouting(vpc));
    let families = if vpc.ipv6.is_some() { Families::Both } else { Families::Ipv4 };
    ruleset.chains.insert(UNREACHABLE.to_owned(), unreachable(families));
    ruleset.chains.insert(UNCOUNTED.to_owned(), uncounted(families));
    ruleset.chains.insert("input".to_owned(), input(families));
    let known = known(attached);
    for direction in DIRECTIONS {
        ruleset.chains.insert(names::new_flows(direction), new_flows(direction, families));
        ruleset.chains.insert(direction.to_string(), base_chain(direction, families, cloud.knobs.icmp_errors, known));
    }
    let of_errors = icmp_errors::add(&mut ruleset, cloud, vpc, attached, (families, timeouts));
    memory::add(&mut ruleset, families, timeouts, of_errors);
    doubts::add(&mut ruleset, attached, families)?;
    shares::add_fragments(&mut ruleset, GW, families);
    shares::add_connections(&mut ruleset, families);
    if cloud.has_egress_rules() {
        ruleset.chains.insert(AGAIN.to_owned(), again(known));
    }
    // Routes lead packets for others to these. The check is of every packet, of connections under way as well.
    if vpc.routes.values().any(|routes| !routes.is_empty()) {
        ruleset.sets.insert(CHECKED.to_owned(), set("ifname", checked_targets(vpc, attached)));
        let ingress = chain_of(&mut ruleset, &Direction::Ingress.to_string())?;
        ingress.rules.splice(0..0, [destination_check(), blackhole()]);
    }
    Ok(ruleset)
}

/// The entries of a prefix list. The kernel wants intervals that do not overlap; and all addresses in two halves.
fn prefixes(list: &PrefixList) -> Set {
    let entries: Vec<IpNet> = list.entries.iter().copied().collect();
    let halved = IpNet::aggregate(&entries).into_iter().flat_map(|net| match net.prefix_len() {
        0 => net.subnets(1).into_iter().flatten().collect(),
        _ => vec![net],
    });
    let kind = if list.family.is_ipv4() { "ipv4_addr" } else { "ipv6_addr" };
    Set { key: SetKey::Intervals(kind.to_owned()), elements: halved.map(|net| net.to_string()).collect() }
}

fn sources_ipv6(attached: &[&Interface]) -> Vec<String> {
    let source = |interface: &&Interface| {
        let port = names::port(&interface.id, interface.number);
        let blocks = interface.ipv6_blocks().map(move |block| format!("\"{port}\" . {}", element(block.into())));
        blocks.collect::<Vec<_>>()
    };
    attached.iter().flat_map(source).collect()
}

fn sources(attached: &[&Interface]) -> Vec<String> {
    let of_instances = attached.iter().flat_map(|interface| {
        let port = names::port(&interface.id, interface.number);
        interface.private_addresses().map(move |private| format!("\"{port}\" . {private}"))
    });
    of_instances.chain([format!("\"{CANARY}\" . {CANARY_ADDRESS}")]).collect()
}

/// The interfaces that may send what is not their own.
fn unchecked(attached: &[&Interface]) -> Vec<String> {
    let off = attached.iter().filter(|interface| interface.source_dest_check == SourceDestCheck::Off);
    off.map(|interface| format!("\"{}\"", names::port(&interface.id, interface.number))).collect()
}

/// The interfaces to which routes lead, and which take only what is for themselves.
fn checked_targets(vpc: &Vpc, attached: &[&Interface]) -> Vec<String> {
    let is_target = |interface: &&&Interface| {
        interface.source_dest_check == SourceDestCheck::On
            && vpc.routes.values().flatten().any(|route| route.target == interface.id)
    };
    let targets = attached.iter().filter(is_target);
    targets.map(|interface| format!("\"{}\"", names::port(&interface.id, interface.number))).collect()
}

fn destination_check() -> NftRule {
    let of_others = format!("oifname @{CHECKED} meta nfproto ipv4 oifname . ip daddr != @{SOURCES}");
    own("destination", format!("{of_others} {} drop", log(Record::NotItsOwn)))
}

fn add_group(
    ruleset: &mut Ruleset,
    (cloud, appliances): (&Cloud, Appliances),
    group: (&GroupName, &SecurityGroup),
) -> Result<(), CompileError> {
    for direction in DIRECTIONS {
        if direction == Direction::Egress && !cloud.has_egress_rules() {
            continue;
        }
        let (mut new, mut live) = (Vec::new(), Vec::new());
        for rule in group.1.rules(direction) {
            let compiling = Compiling::new((cloud, appliances), group, direction, rule);
            new.extend(compiling.new_flows()?);
            live.extend(compiling.flows_under_way()?);
        }
        ruleset.chains.insert(format!("{direction}/{}", group.0), chain(new));
        ruleset.chains.insert(format!("{direction}-live/{}", group.0), chain(live));
    }
    Ok(())
}

/// Adds an interface's chains in one direction; gives the chain of new flows, and that of untracked flows under way
/// if there is anything to judge. `opposite` has of each group of the VPC what its rules for the other direction open to all.
fn add_interface(
    ruleset: &mut Ruleset,
    (cloud, opposite): (&Cloud, &HashMap<&GroupName, u32>),
    interface: &Interface,
    direction: Direction,
) -> Result<(String, Option<String>), CompileError> {
    let egress = direction == Direction::Egress;
    if egress && !cloud.has_egress_rules() {
        return Ok((OPEN_EGRESS.to_owned(), None));
    }
    let mut opposite_open = 0;
    let (mut new, mut live) = (Vec::new(), Vec::new());
    for name in &interface.groups {
        let unknown = || CompileError::UnknownMembership { interface: interface.id.clone(), group: name.clone() };
        opposite_open |= opposite.get(name).copied().ok_or_else(unknown)?;
        new.push(own(&format!("group/{name}"), format!("jump {direction}/{name}")));
        live.push(own(&format!("group/{name}"), format!("jump {direction}-live/{name}")));
    }
    if cloud.has_egress_rules() {
        // Set in any case, since the other base chain has left its own bits.
        new.insert(0, own("opposite", format!("meta mark set {opposite_open:#x}")));
    }
    new.push(own("drop", format!("{} drop", log(Record::Drop(direction)))));
    live.push(own("cut", format!("{} drop", log(Record::Cut(direction)))));
    let way = if egress { "from" } else { "to" };
    let (new_chain, live_chain) = (format!("{way}/{}", interface.id), format!("{way}-live/{}", interface.id));
    ruleset.chains.insert(new_chain.clone(), chain(new));
    ruleset.chains.insert(live_chain.clone(), chain(live));
    Ok((new_chain, Some(live_chain)))
}

/// Routes that lead to nobody end at the canary's link. What is under way comes by there too, so this is asked of every packet.
fn blackhole() -> NftRule {
    let others = format!("oifname \"{CANARY}\" ip daddr != {CANARY_ADDRESS}");
    own("blackhole", format!("{others} {} drop", log(Record::Blackhole)))
}

/// No group judges the gateway; the canary is judged by its own chain.
fn verdicts() -> Map {
    let always = [GW, CANARY].map(|port| (format!("\"{port}\""), "accept".to_owned()));
    Map { key: "ifname".to_owned(), value: "verdict".to_owned(), elements: always.into_iter().collect() }
}

fn canary_chain() -> Chain {
    let open = log(Record::Pass(Direction::Ingress));
    chain([
        own("open", format!("udp dport {CANARY_OPEN_PORT} {open} accept")),
        own("drop", format!("{} drop", log(Record::Drop(Direction::Ingress)))),
    ])
}

/// Before connection tracking: a spoofed packet that comes to the forward hook has already moved another's flow. And before
/// datagrams are put together: a spoofed piece would be mixed into another's.
fn prerouting(vpc: &Vpc) -> Chain {
    let spoofed = log(Record::Spoofed);
    let mut rules = vec![
        own("local", "iifname \"lo\" accept"),
        own("gw-spoofed", format!("iifname \"{GW}\" ip saddr {} {spoofed} drop", vpc.cidr)),
        own("gw", format!("iifname \"{GW}\" meta nfproto ipv4 accept")),
        own("bound", format!("iifname . ip saddr @{SOURCES} accept")),
        own("unchecked", format!("iifname @{UNCHECKED} accept")),
    ];
    if let Some(block) = vpc.ipv6 {
        rules.extend([
            own("gw-spoofed-ipv6", format!("iifname \"{GW}\" ip6 saddr {block} {spoofed} drop")),
            own("gw-ipv6", format!("iifname \"{GW}\" meta nfproto ipv6 accept")),
            own("bound-ipv6", format!("iifname . ip6 saddr @{SOURCES_IPV6} accept")),
            // What a kernel says to its link before it has an address of it: it goes no further, and is no evidence.
            own("unspecified", "ip6 saddr :: drop"),
        ]);
    }
    rules.push(own("spoofed", format!("{spoofed} drop")));
    Chain { hook: Some(format!("type filter hook prerouting priority {BEFORE_FRAGMENTS}; policy drop;")), rules }
}

/// Answers what goes to an address that nobody holds, each time, and records it: a TCP socket loses an answer that comes while it is still busy with
/// sending. The route alone would answer a sender five times and then once a second: that limit is the kernel's for all namespaces, and what is not
/// answered is no evidence.
pub fn unreachable(families: Families) -> Chain {
    // The kernel's "type" knows the local table only; that no interface leads there is what an unreachable route is.
    let nobody = format!("fib daddr type != local fib daddr oif missing {}", log(Record::Unreachable));
    let mut rules = vec![own("nobody", format!("meta nfproto ipv4 {nobody} reject with icmp type host-unreachable"))];
    if families == Families::Both {
        let reject = "reject with icmpv6 type addr-unreachable";
        rules.push(own("nobody-ipv6", format!("meta nfproto ipv6 {nobody} {reject}")));
    }
    Chain { hook: Some("type filter hook prerouting priority raw + 10; policy accept;".to_owned()), rules }
}

/// The router is no hop: what it takes off is added before. nft counts neither up nor by a map here, so each number has a rule;
/// larger ones are used up by no way, and show one less at its end.
///
/// Source: "How Amazon VPC works" (VPC user guide): the implicit router of a VPC.
fn uncounted(families: Families) -> Chain {
    const LONGEST_WAY: u8 = 16;
    let mut rules = vec![own("many", format!("ip ttl > {LONGEST_WAY} accept"))];
    let more = |field: &str| {
        let field = field.to_owned();
        (1..=LONGEST_WAY).map(move |left| {
            let name = format!("{}-{left}", field.replace(' ', "-"));
            own(&name, format!("{field} {left} {field} set {} accept", left + 1))
        })
    };
    rules.extend(more("ip ttl"));
    if families == Families::Both {
        rules.push(own("many-ipv6", format!("ip6 hoplimit > {LONGEST_WAY} accept")));
        rules.extend(more("ip6 hoplimit"));
    }
    Chain { hook: Some("type filter hook prerouting priority raw + 20; policy accept;".to_owned()), rules }
}

/// Admits what may be asked of the router itself: its services, by instances, each in its own name also where its source is not checked: the answer
/// would come to somebody else. That their packets come here and not to the forward hook is all that "never filtered" is. Everything else that is
/// addressed to the router ends here, on record.
fn input(families: Families) -> Chain {
    let unserved = format!("{} drop", log(Record::Unserved));
    let asked = "meta l4proto . th dport";
    let mut rules = vec![
        own("local", "iifname \"lo\" accept"),
        // The router sends too: canaries, and what answers them comes back.
        own("answers", "ct state established accept"),
        own("gw-unserved", format!("iifname \"{GW}\" {unserved}")),
        own("canary-unserved", format!("iifname \"{CANARY}\" {unserved}")),
        own("served", format!("iifname . ip saddr @{SOURCES} ip daddr . {asked} @{SERVICES} accept")),
    ];
    rules.extend(icmp_errors::to_the_router(families));
    if families == Families::Both {
        let own_source = format!("iifname . ip6 saddr @{SOURCES_IPV6}");
        rules.push(own("served-ipv6", format!("{own_source} ip6 daddr . {asked} @{SERVICES_IPV6} accept")));
    }
    rules.push(own("unserved", unserved));
    Chain { hook: Some("type filter hook input priority filter; policy drop;".to_owned()), rules }
}

/// The services of one family, as (address, protocol, port).
fn served(cloud: &Cloud, vpc: &Vpc, ipv4: bool) -> Vec<String> {
    let all = service_addresses(cloud.era, vpc).into_iter().filter(|(_, address)| address.is_ipv4() == ipv4);
    let ports = |(service, address)| {
        services::ports(service).iter().map(move |(protocol, port)| format!("{address} . {protocol} . {port}"))
    };
    all.flat_map(ports).collect()
}

/// The chain that judges at one end of every flow: at the sender's, or at the receiver's.
fn base_chain(direction: Direction, families: Families, icmp_errors: IcmpErrors, known: &str) -> Chain {
    let (priority, opener, answerer) = match direction {
        Direction::Egress => ("filter", "iifname", "oifname"),
        Direction::Ingress => ("filter + 10", "oifname", "iifname"),
    };
    let tracked = marked(tracked_bit(direction));
    let live = format!("@{direction}-live-of");
    let mut rules = vec![icmp_errors::about_flows(direction)];
    rules.extend(idle::forgotten(direction));
    rules.extend([
        own(TRACKED, format!("{known} {tracked} accept")),
        own("original", format!("ct state established ct direction original {opener} vmap {live}")),
        own("reply", format!("ct state established ct direction reply {answerer} vmap {live}")),
    ]);
    rules.push(error_about_untracked(direction, icmp_errors));
    rules.extend(memory::errors_about_other_protocols(direction, families));
    rules.push(own("unplaced", format!("{UNPLACED} meta l4proto {ICMP} {opener} vmap @{direction}-of")));
    rules.push(own("unplaced-ipv6", format!("{UNPLACED} meta l4proto {ICMPV6} {opener} vmap @{direction}-of")));
    rules.push(own("invalid", format!("ct state invalid {} drop", log(Record::Invalid))));
    rules.extend(memory::other_protocols(direction, families));
    rules.push(own("untracked", format!("ct state untracked {opener} vmap @{direction}-of")));
    rules.push(own("new", format!("ct state new goto {}", names::new_flows(direction))));
    rules.push(own("unclaimed", format!("{} drop", log(Record::Unclaimed(direction)))));
    Chain { hook: Some(format!("type filter hook forward priority {priority}; policy drop;")), rules }
}

/// Judges a packet that begins a flow: by what the interface at this end knows, and by its groups.
fn new_flows(direction: Direction, families: Families) -> Chain {
    let interface = match direction {
        Direction::Egress => "iifname",
        Direction::Ingress => "oifname",
    };
    let mut rules = memory::datagrams(direction, families);
    rules.push(own("new", format!("{interface} vmap @{direction}-of")));
    rules.push(own("unclaimed", format!("{} drop", log(Record::Unclaimed(direction)))));
    chain(rules)
}

/// The packets whose flow both ends have admitted already, so that its mark speaks for them: also those that nobody has
/// answered yet, and ICMP errors about it.
///
/// A middlebox passes a packet on unchanged: it comes by twice, and its flow is confirmed the first time. In a VPC with one, a
/// packet that nobody has answered is therefore judged each time.
fn known(attached: &[&Interface]) -> &'static str {
    if doubts::are_possible(attached) { "ct state established,related" } else { "ct status confirmed" }
}

/// ICMP errors about a flow that the end does not track, where they go the way of the questions; those that go the way of the answers are
/// judged before.
fn error_about_untracked(direction: Direction, icmp_errors: IcmpErrors) -> NftRule {
    let interface = match direction {
        Direction::Egress => "iifname",
        Direction::Ingress => "oifname",
    };
    match icmp_errors {
        IcmpErrors::OfEveryFlow => own("related", "ct state related accept"),
        IcmpErrors::OfTrackedFlows => own("related", format!("ct state related {interface} vmap @{direction}-of")),
    }
}

/// Asks egress once more, behind ingress, of what the egress chain may have admitted by rules that have gone since. A transaction comes into force
/// between two packets for each base chain, and not for both: a packet that is between them just then would meet the old egress and the new ingress,
/// and neither cloud may admit it. What both clouds admit passes, and nobody's word is on record twice: these are the chains of flows under way,
/// which log nothing but a cut, and which know TCP and UDP.
fn again(known: &str) -> Chain {
    let tracked = marked(tracked_bit(Direction::Egress));
    let live = format!("@{}-live-of", Direction::Egress);
    Chain {
        hook: Some("type filter hook forward priority filter + 20; policy accept;".to_owned()),
        rules: vec![
            own(TRACKED, format!("{known} {tracked} accept")),
            memory::by_memory(),
            own("new-tcp", format!("ct state new meta l4proto {TCP} iifname vmap {live}")),
            own("new-udp", format!("ct state new meta l4proto {UDP} iifname vmap {live}")),
            own("original", format!("ct state established ct direction original iifname vmap {live}")),
            own("reply", format!("ct state established ct direction reply oifname vmap {live}")),
        ],
    }
}
