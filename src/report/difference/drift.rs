//! Two sources of one cloud on a terminal: what only one of them has, and what of it changes who reaches whom.

use std::fmt::Write;

use super::text::{told, unsure};
use super::{Change, verdict};
use crate::account::Origin;
use crate::model::Direction;
use crate::reach::{AddressChange, Difference, EntryChange, GroupChange, MemberChange, RuleChange};
use crate::report::text::Tone;
use crate::report::{Style, count, shown_line};

/// Groups, rules and members of one source only, then what they change. `names` are those of the sources.
pub fn text(difference: &Difference, names: (&str, &str), style: Style) -> String {
    let mut out = String::new();
    let sides = [
        (
            names.0,
            &difference.groups_removed,
            (&difference.rules_removed, &difference.entries_removed),
            (&difference.members_removed, &difference.addresses_removed),
        ),
        (
            names.1,
            &difference.groups_added,
            (&difference.rules_added, &difference.entries_added),
            (&difference.members_added, &difference.addresses_added),
        ),
    ];
    let mut items = 0;
    for (name, groups, (rules, entries), (members, addresses)) in sides {
        // The rules of a group that the other has not go without saying.
        let whole = |rule: &&RuleChange| !groups.iter().any(|group| group.group == rule.group);
        let rules: Vec<&RuleChange> = rules.iter().filter(whole).collect();
        let here = groups.len() + rules.len() + entries.len() + members.len() + addresses.len();
        if here == 0 {
            continue;
        }
        items += here;
        let _ = writeln!(out, "{}", style.paint(Tone::Strong, &format!("only in {}", shown_line(name))));
        let mut line = |words: String, origin: &Origin| {
            let _ = writeln!(out, "    {}\n        {}", shown_line(&words), shown_line(&origin.to_string()));
        };
        for GroupChange { group, origin } in groups {
            line(format!("group {group}"), origin);
        }
        for RuleChange { group, direction, rule, origin } in rules {
            let direction = if *direction == Direction::Egress { "egress of " } else { "" };
            line(format!("rule of {direction}{group}: {rule}"), origin);
        }
        for EntryChange { list, entry, origin } in entries {
            line(format!("entry of {list}: {entry}"), origin);
        }
        for MemberChange { member, group, origin } in members {
            line(format!("{member} in {group}"), origin);
        }
        for AddressChange { member, address, origin } in addresses {
            line(format!("{address} of {member}"), origin);
        }
        out.push('\n');
    }
    for (passages, change) in [(&difference.opened, Change::Opened), (&difference.closed, Change::Closed)] {
        passages.iter().for_each(|passage| out.push_str(&told(passage, change, style)));
    }
    out.push_str(&unsure(difference, style));
    if !difference.is_empty() {
        out.push('\n');
    }
    let said = match items {
        0 if difference.is_same() => "no drift".to_owned(),
        0 => format!("the same groups, rules and members; from the first to the second: {}", verdict(difference)),
        items => format!(
            "{} in one source only; from the first to the second: {}",
            count(items, "item"),
            verdict(difference)
        ),
    };
    out.push_str(&said);
    out.push('\n');
    style.fit(&out)
}
