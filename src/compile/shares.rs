//! Bounds of what an interface may have of the filter: flows that are tracked, fragments that are put together, and shares of what is remembered.

use super::names::{
    CONNECTIONS, CONNECTIONS_FROM, CONNECTIONS_TOLD, FRAGMENT_BYTES, FRAGMENTS, FRAGMENTS_TOLD, GW, NO_ROOM,
    NO_ROOM_TOLD, share,
};
use super::parts::{chain, families, log_drop, of};
use super::rule::{Family, log, own};
use crate::network::Families;
use crate::network::names::paid;
use crate::network::nft::{Chain, NftRule, Ruleset, Set, SetKey};
use crate::network::record::Record;

/// Interfaces of a namespace.
const INTERFACES: u32 = 1 << 16;

/// Limits of one kind of elements that packets fill.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// The set of IPv4, by whose name its others are called.
    pub name: &'static str,
    /// Elements that an interface may have paid for at once, and again within each timeout.
    pub share: u32,
    /// Elements that all interfaces together may have paid for.
    pub paid: u32,
    /// Seconds that an element lasts.
    pub timeout: u32,
}

impl SetLimits {
    /// Adds the set that says what is paid for. The other sets are twice as large, so that this one is full first.
    pub fn add(self, ruleset: &mut Ruleset, set: &str, key: &str) {
        add_set(ruleset, &paid(set), key, self.paid);
        add_set(ruleset, set, key, 2 * self.paid);
        add_set(ruleset, &share(self.name), "iifname", INTERFACES);
        if !ruleset.chains.contains_key(NO_ROOM) {
            add_set(ruleset, NO_ROOM_TOLD, "iifname", INTERFACES);
            let told = "iifname timeout 10s limit rate 10/second burst 10 packets";
            let told = format!("update @{NO_ROOM_TOLD} {{ {told} }} {}", log(Record::NoRoom));
            ruleset.chains.insert(NO_ROOM.to_owned(), chain([own("told", told)]));
        }
    }

    /// A set of what is paid for here, without tokens of its own.
    pub fn add_beside(self, ruleset: &mut Ruleset, set: &str, key: &str) {
        add_set(ruleset, set, key, 2 * self.paid);
    }

    /// Rules that remember a packet by its key: take a token where the key is not paid for; without one leave for `no-room`; else refresh `set`,
    /// and count in `beside`.
    pub fn remember(self, set: &str, key: &str, beside: Option<&str>) -> Vec<NftRule> {
        let (paid, share, timeout) = (paid(set), share(self.name), self.timeout);
        let rate = (60 * self.share).div_ceil(timeout.max(1));
        let token = format!("iifname timeout {timeout}s limit rate {rate}/minute burst {} packets", self.share);
        let pay = format!("{key} != @{paid} update @{share} {{ {token} }} add @{paid} {{ {key} timeout {timeout}s }}");
        let mut rules = vec![
            own("pay", pay),
            own("full", format!("{key} != @{paid} goto {NO_ROOM}")),
            own("keep", format!("update @{set} {{ {key} timeout {timeout}s }}")),
        ];
        let counts = |beside: &str| own("count", format!("update @{beside} {{ {key} timeout {timeout}s counter }}"));
        rules.extend(beside.map(counts));
        rules
    }
}

fn add_set(ruleset: &mut Ruleset, name: &str, key: &str, size: u32) {
    let key = SetKey::FilledByPackets { like: key.to_owned(), size };
    ruleset.sets.insert(name.to_owned(), Set { key, elements: Default::default() });
}

/// Links of a namespace.
const FRAGMENTS_SIZE: u32 = 1 << 16;
/// By so many seconds a share that nobody has used is whole again.
const IDLE: u32 = 10;

/// Adds the chains to a namespace. Links of these names bring whole datagrams only.
pub fn add_fragments(ruleset: &mut Ruleset, whole: &str, spoken: Families) {
    for set in [FRAGMENTS, FRAGMENT_BYTES, FRAGMENTS_TOLD] {
        let key = SetKey::FilledByPackets { like: "iifname".to_owned(), size: FRAGMENTS_SIZE };
        ruleset.sets.insert(set.to_owned(), Set { key, elements: Default::default() });
    }
    let limited = |set: &str, limit: &str| format!("update @{set} {{ iifname timeout {IDLE}s limit rate {limit} }}");
    let told = limited(FRAGMENTS_TOLD, "100/second burst 100 packets");
    // Who floods would else have nobody hear of anything else: the log has room for so much.
    let over = [own("told", format!("{told} {}", log_drop(Record::Fragments))), own("rest-of-a-flood", "drop")];
    ruleset.chains.insert("fragments-over".to_owned(), chain(over));
    let share = [
        own("whole", format!("iifname \"{whole}\" return")),
        own("pieces", format!("{} goto fragments-over", limited(FRAGMENTS, "over 32768/second burst 65536 packets"))),
        own(
            "bytes",
            format!("{} goto fragments-over", limited(FRAGMENT_BYTES, "over 32 mbytes/second burst 32 mbytes")),
        ),
    ];
    ruleset.chains.insert("fragments-share".to_owned(), chain(share));
    let pieces = families(spoken).flat_map(|family| match family {
        Family::Ipv4 => vec![own("ipv4", "ip frag-off & 0x3fff != 0 goto fragments-share")],
        // A whole packet may have the header as well.
        Family::Ipv6 => vec![
            own("ipv6-first", "frag more-fragments 1 goto fragments-share"),
            own("ipv6-later", "frag frag-off != 0 goto fragments-share"),
        ],
    });
    // Behind the check of sources, and before datagrams are put together.
    let hook = "type filter hook prerouting priority -440; policy accept;";
    ruleset.chains.insert("fragments".to_owned(), Chain { hook: Some(hook.to_owned()), ..chain(pieces) });
}

/// Parts of an interface's flows, and how many each may have. Together a quarter of what the smallest machines track, and a sixteenth of what
/// others do.
const PARTS: u32 = 32;
const MAX: u32 = (1 << 14) / PARTS;
/// Interfaces, and sources outside, each with its parts.
const CONNECTIONS_SIZE: u32 = 1 << 16;

/// Adds the chains.
pub fn add_connections(ruleset: &mut Ruleset, spoken: Families) {
    let mut counting = |name: &str, key: &str| {
        let set = Set {
            key: SetKey::CountsFlows { like: key.to_owned(), size: CONNECTIONS_SIZE },
            elements: Default::default(),
        };
        ruleset.sets.insert(name.to_owned(), set);
        format!("add @{name} {{ {key} ct count over {MAX} }} goto connections-over")
    };
    // No base chain behind this one asks for the mark, and none keeps it.
    let part = own("part", format!("meta mark set jhash ct id mod {PARTS}"));
    let inside = format!("iifname != \"{GW}\" {}", counting(CONNECTIONS, "iifname . meta mark"));
    let mut rules = vec![part, own("inside", inside)];
    for family in families(spoken) {
        let (any, source) = (family.any(), format!("{} saddr . meta mark", family.header()));
        let over = counting(&of(family, CONNECTIONS_FROM), &source);
        rules.push(own(&of(family, "outside"), format!("iifname \"{GW}\" {any} {over}")));
    }
    ruleset.chains.insert("connections".to_owned(), chain(rules));
    let key = SetKey::FilledByPackets { like: "iifname".to_owned(), size: CONNECTIONS_SIZE };
    ruleset.sets.insert(CONNECTIONS_TOLD.to_owned(), Set { key, elements: Default::default() });
    let told = format!("update @{CONNECTIONS_TOLD} {{ iifname timeout 10s limit rate 100/second burst 100 packets }}");
    // As of fragments, the log has room for so much of a flood.
    let over = [own("told", format!("{told} {}", log_drop(Record::Connections))), own("rest-of-a-flood", "drop")];
    ruleset.chains.insert("connections-over".to_owned(), chain(over));
    // Some are of the router's own services.
    for hook in ["forward", "input"] {
        let known = own("known", "ct status confirmed accept");
        let begins = own("begins", "ct state new jump connections");
        let text = format!("type filter hook {hook} priority filter + 25; policy accept;");
        ruleset.chains.insert(format!("connections-{hook}"), Chain { hook: Some(text), ..chain([known, begins]) });
    }
}
