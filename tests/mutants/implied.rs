//! Whether one condition of a rule is within another: whatever matches the one matches the other.

use std::net::IpAddr;

use ipnet::IpNet;
use sglab::network::nft::Ruleset;

use super::rewriting::parts;

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
