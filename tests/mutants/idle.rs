//! Why nothing could notice a mutation, where the network itself shows that: what no packet comes to, and what matches none.

use std::net::IpAddr;

use ipnet::IpNet;
use sglab::model::Cloud;
use sglab::network::Network;
use sglab::network::nft::{NftRule, Ruleset};

use super::accepting::{Here, addresses, bits, jump, mark, wanted_mark};
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

/// Whether whatever matches a condition matches a wider one. What it does not understand is within itself only.
pub fn is_within(ruleset: &Ruleset, narrow: &str, wide: &str) -> bool {
    if narrow == wide {
        return true;
    }
    match wide {
        "meta l4proto 6" => return narrow.starts_with("tcp dport "),
        "meta l4proto 17" => return narrow.starts_with("udp dport "),
        "ip protocol 1" => return narrow.starts_with("icmp type "),
        "meta nfproto ipv4" => return ["ip saddr ", "ip daddr "].iter().any(|head| narrow.starts_with(head)),
        _ => {}
    }
    let (Some((head, narrow)), Some((wide_head, wide))) = (narrow.rsplit_once(' '), wide.rsplit_once(' ')) else {
        return false;
    };
    if head != wide_head {
        return false;
    }
    let elements = |value: &str| -> Option<Vec<String>> {
        let set = ruleset.sets.get(value.strip_prefix('@')?)?;
        Some(set.elements.iter().cloned().collect())
    };
    match (elements(narrow), elements(wide)) {
        (Some(narrow), Some(wide)) => narrow.iter().all(|element| wide.contains(element)),
        (Some(narrow), None) => narrow.iter().all(|element| is_in_block(element, wide)),
        (None, None) => is_in_block(narrow, wide) || is_in_range(narrow, wide),
        (None, Some(_)) => false,
    }
}

fn is_in_block(narrow: &str, wide: &str) -> bool {
    block(narrow).zip(block(wide)).is_some_and(|(narrow, wide)| wide.contains(&narrow))
}

fn ends(range: &str) -> Option<(u16, u16)> {
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    Some((low.parse().ok()?, high.parse().ok()?))
}

/// What a rule matches beyond another that differs from it in one range of ports, or that asks for a family, if it is wider.
pub fn widened_by(old: &str, new: &str) -> Option<String> {
    let (old, new) = (parts(old), parts(new));
    for (family, other) in [("meta nfproto ipv4", "meta nfproto ipv6"), ("meta nfproto ipv6", "meta nfproto ipv4")] {
        let rest: Vec<String> = old.conditions.iter().filter(|it| *it != family).cloned().collect();
        if rest.len() < old.conditions.len() && rest == new.conditions && old.statements == new.statements {
            return Some([vec![other.to_owned()], rest, vec![new.statements]].concat().join(" "));
        }
    }
    let mut conditions = new.conditions.clone();
    let mut changed = old.conditions.iter().zip(&mut conditions).filter(|(old, new)| old != new);
    let (before, after) = changed.next().filter(|_| old.conditions.len() == new.conditions.len())?;
    if changed.next().is_some() || old.statements != new.statements {
        return None;
    }
    let (head, wide) = after.rsplit_once(' ')?;
    let (narrow, wide) = (ends(before.strip_prefix(head)?.trim())?, ends(wide)?);
    let beyond = match (narrow.0.checked_sub(wide.0)?, wide.1.checked_sub(narrow.1)?) {
        (1, 0) => wide.0,
        (0, 1) => wide.1,
        _ => return None,
    };
    *after = format!("{head} {beyond}");
    conditions.push(new.statements);
    Some(conditions.join(" "))
}

fn is_in_range(narrow: &str, wide: &str) -> bool {
    ends(narrow).zip(ends(wide)).is_some_and(|(narrow, wide)| wide.0 <= narrow.0 && narrow.1 <= wide.1)
}

fn block(value: &str) -> Option<IpNet> {
    let address = || value.parse::<IpAddr>().ok().map(IpNet::from);
    value.parse().ok().or_else(address)
}

/// The block that a condition asks for, or the one address.
pub fn block_of(condition: &str) -> Option<IpNet> {
    let (head, value) = condition.rsplit_once(' ')?;
    block(value).filter(|_| head.ends_with("addr"))
}
