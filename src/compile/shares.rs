//! Shares of what the filter remembers, by interface.
//!
//! A set that packets fill has room for so much, and whoever sends would fill it alone. So a packet has to pay before it is
//! remembered: with one of the tokens of the interface that it came in by, which come back by and by. What is paid for is refreshed for
//! nothing, as long as one timeout; then it is to be paid again. An element has therefore been paid for within its last two
//! timeouts, and one interface has no more than three times its share of them. What finds no token is on record (`no-room`), at
//! most ten times a second for each interface, and is not remembered.

use super::names::{NO_ROOM, NO_ROOM_TOLD, share};
use super::parts::chain;
use super::rule::{log, own};
use crate::network::names::paid;
use crate::network::nft::{NftRule, Ruleset, Set, SetKey};
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
    /// Adds the set that says what is paid for, beside those of the same elements. Nothing in these finds them full before this one is.
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

    /// The rules that remember a packet by its key: what is updated, where it is paid for, is the set itself and what stands beside it.
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
