//! Bounds of the flows of each interface that connection tracking keeps.
//!
//! A namespace tracks so many flows (`nf_conntrack_max`, which is the machine's setting), and whoever opens connections and never closes them would
//! fill that alone: then no packet of anybody's begins anything, canaries included. So what begins a flow is counted by the interface that
//! it came in by and, of what comes from outside, by its source. It is counted behind all verdicts: what they drop is not tracked. A
//! connection that has been closed does not count.
//!
//! The kernel keeps a list of each key's flows, and looks through it when one is added. So a key is of a part of them, dealt out by
//! their ids, which nobody chooses.
//!
//! EC2 bounds it too, by the type of an instance.
//!
//! Source: "Security group connection tracking" (Amazon EC2 user guide): `conntrack_allowance_exceeded`.

use super::names::{CONNECTIONS, CONNECTIONS_FROM, CONNECTIONS_TOLD, GW};
use super::parts::{chain, families, log_drop, of};
use super::rule::own;
use crate::network::Families;
use crate::network::nft::{Chain, Ruleset, Set, SetKey};
use crate::network::record::Record;

/// Parts of an interface's flows, and how many each may have. Together a quarter of what the smallest machines track, and a sixteenth of what
/// others do.
const PARTS: u32 = 32;
const MAX: u32 = (1 << 14) / PARTS;
/// Interfaces, and sources outside, each with its parts.
const SIZE: u32 = 1 << 16;

/// Adds the chains.
pub fn add(ruleset: &mut Ruleset, spoken: Families) {
    let mut counting = |name: &str, key: &str| {
        let set = Set { key: SetKey::CountsFlows { like: key.to_owned(), size: SIZE }, elements: Default::default() };
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
    let key = SetKey::FilledByPackets { like: "iifname".to_owned(), size: SIZE };
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
