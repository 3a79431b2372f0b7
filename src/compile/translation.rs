//! The rulesets outside a VPC: a gateway's translation of addresses, and the internet's binding of sources.

use super::filter::{set, unreachable};
use super::names::{GATEWAY_INSIDE, GATEWAY_OUTSIDE, PRIVATE_OF, PUBLIC_OF, SOURCES, TRANSLATED, UNREACHABLE};
use super::nft::{Chain, Map, NftRule, Ruleset};
use super::record::Record;
use super::rule::{log, own};
use crate::model::{PrivateIp, PublicIp};

/// The ruleset of a gateway: public and private address of each interface that has both, one to one, both ways.
///
/// A packet from inside to a public address of the same VPC has both of its addresses translated and goes back in,
/// where its source is a public address that no group reference can match.
pub fn gateway(pairs: &[(PrivateIp, PublicIp)]) -> Ruleset {
    let mut ruleset = Ruleset::default();
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
            [own("dnat", format!("dnat ip to ip daddr map @{PRIVATE_OF}"))],
        ),
    );
    ruleset.chains.insert(
        "forward".to_owned(),
        base(
            "type filter hook forward priority filter; policy drop;",
            [
                own("invalid", format!("ct state invalid {} drop", log(Record::Invalid))),
                own("known", "ct state established,related accept"),
                own("translated", format!("iifname \"{GATEWAY_INSIDE}\" ip saddr @{TRANSLATED} accept")),
                own("outside", format!("iifname \"{GATEWAY_OUTSIDE}\" meta nfproto ipv4 accept")),
                own("untranslated", format!("{} drop", log(Record::Untranslated))),
            ],
        ),
    );
    ruleset.chains.insert(
        "postrouting".to_owned(),
        base(
            "type nat hook postrouting priority srcnat; policy accept;",
            [own("snat", format!("iifname \"{GATEWAY_INSIDE}\" snat ip to ip saddr map @{PUBLIC_OF}"))],
        ),
    );
    ruleset
}

/// The ruleset of the internet: every link is bound to the addresses behind it. No connection tracking.
pub fn internet(bound: impl IntoIterator<Item = (String, PublicIp)>) -> Ruleset {
    let mut ruleset = Ruleset::default();
    let bound = bound.into_iter().map(|(interface, address)| format!("\"{interface}\" . {address}"));
    ruleset.sets.insert(SOURCES.to_owned(), set("ifname . ipv4_addr", bound));
    ruleset.chains.insert(
        "prerouting".to_owned(),
        base(
            "type filter hook prerouting priority raw; policy drop;",
            [
                own("local", "iifname \"lo\" accept"),
                own("bound", format!("iifname . ip saddr @{SOURCES} accept")),
                own("spoofed", format!("{} drop", log(Record::Spoofed))),
            ],
        ),
    );
    ruleset.chains.insert(UNREACHABLE.to_owned(), unreachable());
    ruleset
}

fn base(hook: &str, rules: impl IntoIterator<Item = NftRule>) -> Chain {
    Chain { hook: Some(hook.to_owned()), rules: rules.into_iter().collect() }
}

fn addresses(elements: impl Iterator<Item = (String, String)>) -> Map {
    Map { key: "ipv4_addr".to_owned(), value: "ipv4_addr".to_owned(), elements: elements.collect() }
}
