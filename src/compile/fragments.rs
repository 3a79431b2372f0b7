//! Bounds of the fragments that an interface may have put together at a time.
//!
//! A namespace that tracks connections puts datagrams together first, and has memory for so many that are not finished. Whoever
//! finishes none would fill it alone, and the datagrams of all others would be lost. So each link has a share by time: what one
//! can leave there until the kernel gives it up is 131,072 pieces or 128 MiB. With all that the kernel needs for each piece that is a
//! quarter of its memory at most ([`crate::network::FRAGMENTS_MEMORY`]). Behind a namespace that has put datagrams together
//! only whole ones come.

use super::names::{FRAGMENT_BYTES, FRAGMENTS, FRAGMENTS_TOLD};
use super::parts::{chain, families, log_drop};
use super::rule::{Family, own};
use crate::network::Families;
use crate::network::nft::{Chain, Ruleset, Set, SetKey};
use crate::network::record::Record;

/// Links of a namespace.
const SIZE: u32 = 1 << 16;
/// By so many seconds a share that nobody has used is whole again.
const IDLE: u32 = 10;

/// Adds the chains to a namespace. Links of these names bring whole datagrams only.
pub fn add(ruleset: &mut Ruleset, whole: &str, spoken: Families) {
    for set in [FRAGMENTS, FRAGMENT_BYTES, FRAGMENTS_TOLD] {
        let key = SetKey::FilledByPackets { like: "iifname".to_owned(), size: SIZE };
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
