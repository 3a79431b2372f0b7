//! Why nothing could notice a mutation, where the network itself shows that: what no packet comes to, and what matches none.

use std::net::IpAddr;

use sglab::model::Cloud;
use sglab::network::Network;
use sglab::network::nft::NftRule;

use super::accepting::{Here, addresses, bits, jump, mark, wanted_mark};
use super::implied::widened_by;
use super::mutation::{Mutation, Of};
use super::naming::sets;
use super::rewriting::parts;

/// The reason, if there is one. What all clouds have in common is never idle: other clouds ask more of it.
pub fn idle_in(cloud: &Cloud, network: &Network, mutation: &Mutation) -> Option<&'static str> {
    if mutation.common().is_some() {
        return None;
    }
    let ruleset = network.nodes.get(&mutation.node)?.ruleset.as_ref()?;
    let only_ipv4 = cloud.vpcs.values().all(|vpc| vpc.ipv6.is_none());
    let here = Here { cloud, ruleset, only_ipv4 };
    match &mutation.of {
        Of::Rule { chain, text, new, .. } => here.rule(chain, text, new.as_deref(), &mutation.change),
        Of::Chain(chain) => here.chain(chain),
        Of::Element { set, .. } if !here.is_named(set) => Some(UNNAMED),
        Of::Element { set, new, .. } if new.as_ref().is_none_or(|new| here.is_nobodys(new)) => here.element(set),
        Of::Element { .. } => None,
        Of::Entry { value, new: Some(new), .. } if new == "accept" => here.is_as_an_accept(value).then_some(ACCEPTS),
        Of::Entry { .. } => None,
    }
}

const UNNAMED: &str = "nothing names it";
const LATE: &str = "everything is accepted before it";
const COVERED: &str = "what it matches is accepted before it";
const BEHIND: &str = "everything is accepted behind it";
const COVERED_BEHIND: &str = "what it matches is accepted behind it";
const UNASKED: &str = "no rule behind it asks for the mark";
const MARKED: &str = "whoever comes here has the mark that it asks for";
const ACCEPTS: &str = "leads to where everything is accepted";
const NOBODYS: &str = "nobody's address is in one block and not in the other";
const ITSELF: &str = "names nobody but itself";

impl Here<'_> {
    fn chain(&self, chain: &str) -> Option<&'static str> {
        if self.ruleset.chains.get(chain).is_some_and(|chain| chain.hook.is_some()) {
            return None;
        }
        if !self.is_named(chain) {
            return Some(UNNAMED);
        }
        self.is_late(chain).then_some(LATE)
    }

    fn rule(&self, chain: &str, text: &str, new: Option<&str>, change: &str) -> Option<&'static str> {
        if let Some(why) = self.chain(chain) {
            return Some(why);
        }
        let rules = &self.ruleset.chains.get(chain)?.rules;
        let at = rules.iter().position(|rule| rule.text == text)?;
        if self.accepts_all_within(&rules[..at]) {
            return Some(LATE);
        }
        if change == "flip" && self.is_as_an_accept(text) {
            return Some(ACCEPTS);
        }
        let is_wider = change == "match all" || change.starts_with("drop ");
        // Of flows under way it does not matter which rule accepts.
        let by_then = if chain.contains("-live/") { &rules[..] } else { &rules[..=at] };
        if is_wider && text.ends_with("accept") && self.accepts_all_within(by_then) {
            return Some("everything else is accepted before it");
        }
        if self.is_covered(chain, &rules[..at], new.unwrap_or(text), text) {
            return Some(COVERED);
        }
        if new.is_none_or(|new| new.ends_with("accept")) && self.accepts_all_behind(chain, at) {
            return Some(BEHIND);
        }
        if new.is_none() && self.is_covered_behind(chain, at, text) {
            return Some(COVERED_BEHIND);
        }
        let beyond = new.and_then(|new| widened_by(text, new));
        let is_beyond_covered = |beyond: String| {
            self.is_covered(chain, &rules[..at], &beyond, &beyond) || self.is_covered_behind(chain, at, &beyond)
        };
        if beyond.is_some_and(is_beyond_covered) {
            return Some("what it matches beyond is accepted by another rule");
        }
        if let Some(new) = new
            && self.is_the_same_to_everybody(text, new)
        {
            return Some(NOBODYS);
        }
        let wanted = change.strip_prefix("drop `").and_then(|condition| wanted_mark(condition.trim_end_matches('`')));
        if wanted.is_some_and(|bit| self.everybody_marks(chain, bit)) {
            return Some(MARKED);
        }
        if self.only_ipv4 && change == "drop `meta nfproto ipv4`" {
            return Some("of the VPCs none has IPv6");
        }
        if new.is_none() && jump(text).is_some_and(|to| self.rules(to).iter().all(|rule| self.matches_nothing(rule))) {
            return Some("leads to an empty chain");
        }
        if let Some(why) = self.of_a_mark(chain, rules, text, new) {
            return Some(why);
        }
        let stays = |condition: &String| new.is_none_or(|new| parts(new).conditions.contains(condition));
        let conditions = parts(text).conditions;
        conditions.iter().filter(|condition| stays(condition)).find_map(|condition| {
            if let Some((_, set)) = condition.rsplit_once('@') {
                if self.is_empty(set) {
                    return Some("matches an empty set");
                }
                if self.is_only_itself(chain, set) {
                    return Some(ITSELF);
                }
            }
            self.nobody_marks(chain, wanted_mark(condition)?).then_some("nobody sets the mark that it asks for")
        })
    }

    /// Of a rule that sets the mark, or would set another.
    fn of_a_mark(&self, chain: &str, rules: &[NftRule], text: &str, new: Option<&str>) -> Option<&'static str> {
        let marks = text.strip_prefix("meta mark set ")?;
        let other = new.and_then(|new| new.strip_prefix("meta mark set "));
        let changed = other.map_or(u32::MAX, |other| bits(marks) ^ bits(other));
        let leads_to_who_asks = |rules: &[NftRule]| {
            rules.iter().filter_map(|rule| jump(&rule.text)).any(|to| self.asks_for_a_mark(to, changed))
        };
        // A chain that sets none of its own meets the mark of the one before.
        let others = self.ruleset.chains.values().any(|it| mark(&it.rules).is_none() && leads_to_who_asks(&it.rules));
        if !others && !leads_to_who_asks(rules) {
            return Some(UNASKED);
        }
        // What comes from the gateway has no mark, and what comes from an interface the one that its chain has set.
        let itself = chain.replacen("to/", "from/", 1);
        let is_others = |name: &&String| name.starts_with("from/") && **name != itself;
        let mut others = self.ruleset.chains.iter().filter(|(name, _)| is_others(name));
        let is_there = chain.starts_with("from/") || others.all(|(_, it)| mark(&it.rules) == Some(0));
        (is_there && text == "meta mark set 0x0" && new.is_none()).then_some("sets what is there already")
    }

    /// Why nothing could notice that a member is missing.
    fn element(&self, set: &str) -> Option<&'static str> {
        let names_it = |rule: &NftRule| sets(&rule.text).any(|named| named == set);
        let mut of_the_rules = self.ruleset.chains.iter().flat_map(|(name, chain)| {
            let named = chain.rules.iter().enumerate().filter(|(_, rule)| names_it(rule));
            named.map(move |(at, rule)| {
                let covered = || self.is_covered(name, &chain.rules[..at], &rule.text, &rule.text).then_some(COVERED);
                self.is_only_itself(name, set).then_some(ITSELF).or_else(covered)
            })
        });
        let first = of_the_rules.next()??;
        of_the_rules.all(|why| why.is_some()).then_some(first)
    }

    /// Whether no interface and no host has an address.
    fn is_nobodys(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address: IpAddr| !addresses(self.cloud).any(|held| held == address))
    }
}
