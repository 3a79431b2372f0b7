//! What the rules of a ruleset accept, as far as their text shows: everything, what another matches, or nothing.

use std::net::IpAddr;

use sglab::model::Cloud;
use sglab::network::nft::{NftRule, Ruleset, Set, SetKey};

use super::idle::{block_of, is_within};
use super::naming::is_named;
use super::rewriting::parts;

const IPV4: &str = "meta nfproto ipv4";
const IPV6: &str = "meta nfproto ipv6";
/// Packets that a rule judges by themselves.
const STATELESS: &str = "ct state invalid,untracked,related";

/// A ruleset, and the cloud that it is of.
pub struct Here<'a> {
    pub cloud: &'a Cloud,
    pub ruleset: &'a Ruleset,
    /// Whether no VPC has IPv6.
    pub only_ipv4: bool,
}

impl<'a> Here<'a> {
    pub fn rules(&self, chain: &str) -> &'a [NftRule] {
        self.ruleset.chains.get(chain).map_or(&[], |chain| &chain.rules)
    }

    pub fn is_named(&self, name: &str) -> bool {
        is_named(self.ruleset, name)
    }

    pub fn matches_nothing(&self, rule: &NftRule) -> bool {
        let conditions = parts(&rule.text).conditions;
        conditions.iter().any(|it| it.rsplit_once('@').is_some_and(|(_, set)| self.is_empty(set)))
    }

    pub fn is_empty(&self, set: &str) -> bool {
        // A set that packets fill is not empty for being compiled without elements.
        let is_compiled = |set: &Set| !matches!(set.key, SetKey::FilledByPackets { .. } | SetKey::CountsFlows { .. });
        self.ruleset.sets.get(set).is_some_and(|set| is_compiled(set) && set.elements.is_empty())
    }

    /// Whether all that a set holds is the address of the one interface that a group's chain judges, which sends nothing to itself.
    pub fn is_only_itself(&self, chain: &str, set: &str) -> bool {
        let Some((_, group)) = chain.split_once('/').filter(|_| set.starts_with("members")) else { return false };
        let mut judged =
            self.cloud.network_interfaces().filter(|it| it.groups.iter().any(|name| name.as_str() == group));
        let (Some(only), None) = (judged.next(), judged.next()) else { return false };
        let own = [only.private.map(|it| it.to_string()), only.ipv6.map(|it| it.to_string())];
        self.ruleset.sets.get(set).is_some_and(|set| set.elements.iter().all(|it| own.contains(&Some(it.clone()))))
    }

    /// Whether a jump leads to a chain that accepts everything, and neither remembers nor records it: those of flows under way.
    pub fn is_as_an_accept(&self, text: &str) -> bool {
        jump(text).is_some_and(|to| to.contains("-live/") && self.accepts_all_within(self.rules(to)))
    }

    /// Whether wherever a rule leads to a chain, everything has been accepted.
    pub fn is_late(&self, chain: &str) -> bool {
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
    pub fn accepts_all_within(&self, rules: &[NftRule]) -> bool {
        let families: &[&str] = if self.only_ipv4 { &[IPV4] } else { &[IPV4, IPV6] };
        families.iter().all(|family| self.accepts_all_of_family(rules, family))
    }

    pub fn accepts_all_of_family(&self, rules: &[NftRule], family: &str) -> bool {
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
                [state] if *state == STATELESS => untracked = true,
                _ => {}
            }
        }
        tracked && untracked
    }

    /// Whether one of these rules, of the chain's first ones, accepts all that another matches, as it is and as it would be.
    /// What marks a flow fails where there is none, as the other does then, or where it is of TCP or UDP: whose packets without a
    /// flow have been dropped before.
    pub fn is_covered(&self, chain: &str, before: &[NftRule], new: &str, old: &str) -> bool {
        let marks = |text: &str| text.contains("ct mark set");
        let has_flows =
            |text: &str| ["tcp dport ", "udp dport ", "l4proto 6 ", "l4proto 17 "].iter().any(|it| text.contains(it));
        before.iter().any(|earlier| {
            (!marks(&earlier.text) || marks(new) || has_flows(new))
                && self.accepts_all_of(chain, earlier, new)
                && self.accepts_all_of(chain, earlier, old)
        })
    }

    /// Whether a rule of a chain accepts all that another text matches.
    pub fn accepts_all_of(&self, chain: &str, rule: &NftRule, text: &str) -> bool {
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
    pub fn is_covered_behind(&self, chain: &str, at: usize, text: &str) -> bool {
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

    /// Whether two texts differ in a block only, and everybody's address is in both or in neither.
    pub fn is_the_same_to_everybody(&self, old: &str, new: &str) -> bool {
        let (old, new) = (parts(old), parts(new));
        let mut changed = old.conditions.iter().zip(&new.conditions).filter(|(old, new)| old != new);
        let (Some((before, after)), None) = (changed.next(), changed.next()) else { return false };
        let same = old.conditions.len() == new.conditions.len() && old.statements == new.statements;
        same && self.is_the_same_block(before, after)
    }

    pub fn is_the_same_block(&self, one: &str, other: &str) -> bool {
        let head = |condition: &str| condition.rsplit_once(' ').map(|(head, _)| head.to_owned());
        let (Some(one_block), Some(other_block)) = (block_of(one), block_of(other)) else { return false };
        let alike = |address: IpAddr| one_block.contains(&address) == other_block.contains(&address);
        head(one) == head(other) && addresses(self.cloud).all(alike)
    }

    /// Whether what a rule of a chain for flows under way leaves is accepted all the same, wherever the chain is led to. These
    /// chains remember and record nothing, so that it does not matter which rule accepts.
    pub fn accepts_all_behind(&self, chain: &str, at: usize) -> bool {
        let behind = |chain: &str, at: usize| self.accepts_all_within(&self.rules(chain)[at + 1..]);
        let mut leading = self.ruleset.chains.iter().filter_map(|(from, it)| {
            let at = it.rules.iter().position(|rule| jump(&rule.text) == Some(chain))?;
            Some((from, at))
        });
        chain.contains("-live/")
            && (behind(chain, at) || (self.is_led_to(chain) && leading.all(|(from, at)| behind(from, at))))
    }

    /// Whether a rule leads to a chain, and no map does.
    pub fn is_led_to(&self, chain: &str) -> bool {
        let mut values = self.ruleset.maps.values().flat_map(|map| map.elements.values());
        self.leading_to(chain).next().is_some() && !values.any(|value| jump(value) == Some(chain))
    }

    pub fn asks_for_a_mark(&self, chain: &str, bits: u32) -> bool {
        let conditions = self.rules(chain).iter().flat_map(|rule| parts(&rule.text).conditions);
        conditions.into_iter().any(|condition| wanted_mark(&condition).is_some_and(|wanted| wanted & bits != 0))
    }

    /// The rules of every chain that leads to another.
    pub fn leading_to(&self, chain: &str) -> impl Iterator<Item = &'a [NftRule]> {
        let leads = move |rules: &&[NftRule]| rules.iter().any(|rule| jump(&rule.text) == Some(chain));
        let chains: Vec<&[NftRule]> =
            self.ruleset.chains.values().map(|it| it.rules.as_slice()).filter(leads).collect();
        chains.into_iter()
    }

    /// Whether every chain that leads here sets the mark, and leaves a bit of it unset.
    pub fn nobody_marks(&self, chain: &str, bit: u32) -> bool {
        self.leading_to(chain).all(|from| mark(from).is_some_and(|mark| mark & bit == 0))
    }

    /// Whether every chain that leads here sets a bit of the mark.
    pub fn everybody_marks(&self, chain: &str, bit: u32) -> bool {
        self.is_led_to(chain) && self.leading_to(chain).all(|from| mark(from).is_some_and(|mark| mark & bit == bit))
    }
}

/// Everybody's addresses.
pub fn addresses(cloud: &Cloud) -> impl Iterator<Item = IpAddr> {
    let inside = cloud.network_interfaces().flat_map(|it| {
        let four = [it.private.map(|it| it.0), it.public.map(|it| it.0)].into_iter().flatten().map(IpAddr::from);
        four.chain(it.ipv6.map(|it| it.0.into()))
    });
    inside.chain(cloud.hosts.values().flat_map(|host| host.addresses.iter().map(|it| it.0)))
}

/// The mark that a chain sets, if it sets one.
pub fn mark(rules: &[NftRule]) -> Option<u32> {
    rules.iter().find_map(|rule| rule.text.strip_prefix("meta mark set ")).map(bits)
}

/// The bit of the mark that a condition asks for.
pub fn wanted_mark(condition: &str) -> Option<u32> {
    condition.strip_prefix("meta mark & ")?.split(' ').next().map(bits)
}

/// What it does not understand is every bit.
pub fn bits(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(u32::MAX)
}

pub fn jump(text: &str) -> Option<&str> {
    text.strip_prefix("jump ")
}
