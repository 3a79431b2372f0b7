//! Why nothing could notice a mutation, where the network itself shows that: what no packet comes to, and what matches none.

use std::net::IpAddr;

use sglab::compile::network::Network;
use sglab::compile::nft::{NftRule, Ruleset};
use sglab::model::Cloud;

use super::implied::{block_of, is_within, widened_by};
use super::mutation::{Mutation, Of};
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
const IPV4: &str = "meta nfproto ipv4";
const IPV6: &str = "meta nfproto ipv6";
const UNPLACED: &str = "ct state invalid,untracked";
const ITSELF: &str = "names nobody but itself";

struct Here<'a> {
    cloud: &'a Cloud,
    ruleset: &'a Ruleset,
    only_ipv4: bool,
}

impl<'a> Here<'a> {
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
        if let Some(why) = self.is_of_no_state(&rules[..at], text, change) {
            return Some(why);
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
        if let Some(marks) = text.strip_prefix("meta mark set ") {
            let other = new.and_then(|new| new.strip_prefix("meta mark set "));
            let changed = other.map_or(u32::MAX, |other| bits(marks) ^ bits(other));
            let leads_to_who_asks = |rules: &[NftRule]| {
                rules.iter().filter_map(|rule| jump(&rule.text)).any(|to| self.asks_for_a_mark(to, changed))
            };
            // A chain that sets none of its own meets the mark of the one before.
            let others =
                self.ruleset.chains.values().any(|it| mark(&it.rules).is_none() && leads_to_who_asks(&it.rules));
            if !others && !leads_to_who_asks(rules) {
                return Some(UNASKED);
            }
            // What comes from the gateway has no mark, and what comes from an interface the one that its chain has set.
            let itself = chain.replacen("to/", "from/", 1);
            let is_others = |name: &&String| name.starts_with("from/") && **name != itself;
            let mut others = self.ruleset.chains.iter().filter(|(name, _)| is_others(name));
            let is_there = chain.starts_with("from/") || others.all(|(_, it)| mark(&it.rules) == Some(0));
            if is_there && text == "meta mark set 0x0" && new.is_none() {
                return Some("sets what is there already");
            }
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

    /// Why nothing could notice that a member is missing.
    fn element(&self, set: &str) -> Option<&'static str> {
        let names_it = |rule: &NftRule| rule.text.split(' ').any(|word| word.strip_prefix('@') == Some(set));
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

    fn rules(&self, chain: &str) -> &'a [NftRule] {
        self.ruleset.chains.get(chain).map_or(&[], |chain| &chain.rules)
    }

    fn is_named(&self, name: &str) -> bool {
        let rules = self.ruleset.chains.values().flat_map(|chain| &chain.rules).map(|rule| &rule.text);
        let values = self.ruleset.maps.values().flat_map(|map| map.elements.values());
        rules.chain(values).any(|text| text.split(' ').any(|word| word.trim_start_matches('@') == name))
    }

    fn matches_nothing(&self, rule: &NftRule) -> bool {
        let conditions = parts(&rule.text).conditions;
        conditions.iter().any(|it| it.rsplit_once('@').is_some_and(|(_, set)| self.is_empty(set)))
    }

    fn is_empty(&self, set: &str) -> bool {
        self.ruleset.sets.get(set).is_some_and(|set| set.elements.is_empty())
    }

    /// Whether all that a set holds is the address of the one interface that a group's chain judges, which sends nothing to itself.
    fn is_only_itself(&self, chain: &str, set: &str) -> bool {
        let Some((_, group)) = chain.split_once('/').filter(|_| set.starts_with("members")) else { return false };
        let mut judged =
            self.cloud.network_interfaces().filter(|it| it.groups.iter().any(|name| name.as_str() == group));
        let (Some(only), None) = (judged.next(), judged.next()) else { return false };
        let own = [only.private.map(|it| it.to_string()), only.ipv6.map(|it| it.to_string())];
        self.ruleset.sets.get(set).is_some_and(|set| set.elements.iter().all(|it| own.contains(&Some(it.clone()))))
    }

    /// Whether a jump leads to a chain that accepts everything, and neither remembers nor records it: those of flows under way.
    fn is_as_an_accept(&self, text: &str) -> bool {
        jump(text).is_some_and(|to| to.contains("-live/") && self.accepts_all_within(self.rules(to)))
    }

    /// Whether wherever a rule leads to a chain, everything has been accepted.
    fn is_late(&self, chain: &str) -> bool {
        let from_a_map = self.ruleset.maps.values().flat_map(|map| map.elements.values());
        if from_a_map.into_iter().any(|value| jump(value) == Some(chain)) {
            return false;
        }
        self.ruleset.chains.values().all(|from| {
            let at = from.rules.iter().position(|rule| jump(&rule.text) == Some(chain));
            at.is_none_or(|at| self.accepts_all_within(&from.rules[..at]))
        })
    }

    /// Whether what these rules do not accept is nothing, of either family, whether connection tracking knows it or not.
    fn accepts_all_within(&self, rules: &[NftRule]) -> bool {
        let families: &[&str] = if self.only_ipv4 { &[IPV4] } else { &[IPV4, IPV6] };
        families.iter().all(|family| self.accepts_all_of_family(rules, family))
    }

    fn accepts_all_of_family(&self, rules: &[NftRule], family: &str) -> bool {
        let (mut tracked, mut untracked) = (false, false);
        for rule in rules {
            if jump(&rule.text).is_some_and(|to| self.accepts_all_of_family(self.rules(to), family)) {
                return true;
            }
            let parts = parts(&rule.text);
            let rest: Vec<&String> = parts.conditions.iter().filter(|condition| *condition != family).collect();
            if !parts.statements.ends_with("accept") {
                continue;
            }
            match rest.as_slice() {
                // What marks a flow fails where there is none.
                [] => {
                    tracked = true;
                    untracked |= !parts.statements.contains("ct mark set");
                }
                [state] if *state == UNPLACED => untracked = true,
                _ => {}
            }
        }
        tracked && untracked
    }

    /// Whether one of these rules, of the chain's first ones, accepts all that another matches, as it is and as it would be.
    /// What marks a flow fails where there is none, as the other does then, or where it is of TCP or UDP: whose packets without a
    /// flow have been dropped before.
    fn is_covered(&self, chain: &str, before: &[NftRule], new: &str, old: &str) -> bool {
        let marks = |text: &str| text.contains("ct mark set");
        let has_flows =
            |text: &str| ["tcp dport ", "udp dport ", "l4proto tcp", "l4proto udp"].iter().any(|it| text.contains(it));
        before.iter().any(|earlier| {
            (!marks(&earlier.text) || marks(new) || has_flows(new))
                && self.accepts_all_of(chain, earlier, new)
                && self.accepts_all_of(chain, earlier, old)
        })
    }

    /// Whether a rule of a chain accepts all that another text matches.
    fn accepts_all_of(&self, chain: &str, rule: &NftRule, text: &str) -> bool {
        let is_given = |condition: &String| {
            (condition == "meta nfproto ipv4" && self.only_ipv4)
                || wanted_mark(condition).is_some_and(|bit| self.everybody_marks(chain, bit))
        };
        let conditions = parts(text).conditions;
        let has = |wanted: &String| {
            let is_it = |it: &String| is_within(self.ruleset, it, wanted) || self.is_the_same_block(it, wanted);
            conditions.iter().any(is_it)
        };
        let wanted = parts(&rule.text).conditions;
        rule.text.ends_with("accept") && wanted.iter().filter(|it| !is_given(it)).all(has)
    }

    /// Whether all that a rule of a chain for flows under way matches, or leads to, is accepted behind it, wherever the chain is
    /// led to.
    fn is_covered_behind(&self, chain: &str, at: usize, text: &str) -> bool {
        if !chain.contains("-live/") {
            return false;
        }
        let flat = |rules: &'a [NftRule]| -> Vec<&'a NftRule> {
            rules
                .iter()
                .flat_map(|rule| jump(&rule.text).map_or(std::slice::from_ref(rule), |to| self.rules(to)))
                .collect()
        };
        let own = flat(&self.rules(chain)[at + 1..]);
        let leading = self.leading_to(chain).filter_map(|from| {
            let at = from.iter().position(|rule| jump(&rule.text) == Some(chain))?;
            Some([own.clone(), flat(&from[at + 1..])].concat())
        });
        let leading: Vec<Vec<&NftRule>> = leading.collect();
        let ways = if leading.is_empty() { vec![own] } else { leading };
        let is_accepted =
            |text: &str| ways.iter().all(|behind| behind.iter().any(|rule| self.accepts_all_of(chain, rule, text)));
        match jump(text) {
            Some(to) => self.rules(to).iter().all(|rule| is_accepted(&rule.text)),
            None => is_accepted(text),
        }
    }

    /// Of a rule for messages that have no state: the base chain leads nothing else here, and the rule before it accepts the rest.
    fn is_of_no_state(&self, before: &[NftRule], text: &str, change: &str) -> Option<&'static str> {
        if !text.contains(UNPLACED) {
            return None;
        }
        if change == "drop `ip protocol icmp`" || change == "drop `meta l4proto ipv6-icmp`" {
            return Some("only messages of ICMP that have no state come to it");
        }
        let rest: Vec<String> = parts(text).conditions.into_iter().filter(|condition| condition != UNPLACED).collect();
        let has_state = |rule: &NftRule| rule.text.ends_with("accept") && parts(&rule.text).conditions == rest;
        (change == format!("drop `{UNPLACED}`") && before.iter().any(has_state))
            .then_some("what has a state is accepted by the rule before it")
    }

    /// Whether two texts differ in a block only, and everybody's address is in both or in neither.
    fn is_the_same_to_everybody(&self, old: &str, new: &str) -> bool {
        let (old, new) = (parts(old), parts(new));
        let mut changed = old.conditions.iter().zip(&new.conditions).filter(|(old, new)| old != new);
        let (Some((before, after)), None) = (changed.next(), changed.next()) else { return false };
        let same = old.conditions.len() == new.conditions.len() && old.statements == new.statements;
        same && self.is_the_same_block(before, after)
    }

    fn is_the_same_block(&self, one: &str, other: &str) -> bool {
        let head = |condition: &str| condition.rsplit_once(' ').map(|(head, _)| head.to_owned());
        let (Some(one_block), Some(other_block)) = (block_of(one), block_of(other)) else { return false };
        let alike = |address: IpAddr| one_block.contains(&address) == other_block.contains(&address);
        head(one) == head(other) && addresses(self.cloud).all(alike)
    }

    /// Whether what a rule of a chain for flows under way leaves is accepted all the same, wherever the chain is led to. These
    /// chains remember and record nothing, so that it does not matter which rule accepts.
    fn accepts_all_behind(&self, chain: &str, at: usize) -> bool {
        let behind = |chain: &str, at: usize| self.accepts_all_within(&self.rules(chain)[at + 1..]);
        let mut leading = self.ruleset.chains.iter().filter_map(|(from, it)| {
            let at = it.rules.iter().position(|rule| jump(&rule.text) == Some(chain))?;
            Some((from, at))
        });
        chain.contains("-live/")
            && (behind(chain, at) || (self.is_led_to(chain) && leading.all(|(from, at)| behind(from, at))))
    }

    /// Whether a rule leads to a chain, and no map does.
    fn is_led_to(&self, chain: &str) -> bool {
        let mut values = self.ruleset.maps.values().flat_map(|map| map.elements.values());
        self.leading_to(chain).next().is_some() && !values.any(|value| jump(value) == Some(chain))
    }

    fn asks_for_a_mark(&self, chain: &str, bits: u32) -> bool {
        let conditions = self.rules(chain).iter().flat_map(|rule| parts(&rule.text).conditions);
        conditions.into_iter().any(|condition| wanted_mark(&condition).is_some_and(|wanted| wanted & bits != 0))
    }

    /// The rules of every chain that leads to another.
    fn leading_to(&self, chain: &str) -> impl Iterator<Item = &'a [NftRule]> {
        let leads = move |rules: &&[NftRule]| rules.iter().any(|rule| jump(&rule.text) == Some(chain));
        let chains: Vec<&[NftRule]> =
            self.ruleset.chains.values().map(|it| it.rules.as_slice()).filter(leads).collect();
        chains.into_iter()
    }

    /// Whether every chain that leads here sets the mark, and leaves a bit of it unset.
    fn nobody_marks(&self, chain: &str, bit: u32) -> bool {
        self.leading_to(chain).all(|from| mark(from).is_some_and(|mark| mark & bit == 0))
    }

    /// Whether every chain that leads here sets a bit of the mark.
    fn everybody_marks(&self, chain: &str, bit: u32) -> bool {
        self.is_led_to(chain) && self.leading_to(chain).all(|from| mark(from).is_some_and(|mark| mark & bit == bit))
    }
}

/// Everybody's addresses.
fn addresses(cloud: &Cloud) -> impl Iterator<Item = IpAddr> {
    let inside = cloud.network_interfaces().flat_map(|it| {
        let four = [it.private.map(|it| it.0), it.public.map(|it| it.0)].into_iter().flatten().map(IpAddr::from);
        four.chain(it.ipv6.map(|it| it.0.into()))
    });
    inside.chain(cloud.hosts.values().flat_map(|host| host.addresses.iter().map(|it| it.0)))
}

/// The mark that a chain sets, if it sets one.
fn mark(rules: &[NftRule]) -> Option<u32> {
    rules.iter().find_map(|rule| rule.text.strip_prefix("meta mark set ")).map(bits)
}

/// The bit of the mark that a condition asks for.
fn wanted_mark(condition: &str) -> Option<u32> {
    condition.strip_prefix("meta mark & ")?.split(' ').next().map(bits)
}

/// What it does not understand is every bit.
fn bits(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(u32::MAX)
}

fn jump(text: &str) -> Option<&str> {
    text.strip_prefix("jump ")
}
