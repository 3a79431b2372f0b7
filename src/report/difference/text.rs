//! The difference of two accounts on a terminal.

use std::fmt::Write;

use super::{Change, behind, verdict};
use crate::model::Direction;
use crate::reach::{Certainty, Difference, End, EntryChange, MemberChange, Passage, RuleChange, Way};
use crate::report::text::Tone;
use crate::report::{Style, shown_line};

/// Passages, then rules and members where they are asked for, then the verdict.
pub fn text(difference: &Difference, style: Style) -> String {
    let mut out = String::new();
    for (passages, change) in [(&difference.opened, Change::Opened), (&difference.closed, Change::Closed)] {
        for passage in passages {
            out.push_str(&told(passage, change, style));
        }
    }
    for item in &difference.not_known {
        let line = format!("not known: {} of {}: {}", item.kind, item.origin.resource, item.reason);
        let _ = writeln!(out, "{}\n    {}", style.paint(Tone::Unsure, &shown_line(&line)), item.origin.place);
    }
    if style.verbose {
        out.push_str(&rules(difference, style));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&verdict(difference));
    out.push('\n');
    if !style.verbose {
        let changes = [
            difference.rules_added.len(),
            difference.rules_removed.len(),
            difference.members_added.len(),
            difference.members_removed.len(),
        ];
        if changes.iter().any(|count| *count > 0) {
            let [added, removed, joined, left] = changes;
            let line = format!(
                "rules: {added} added, {removed} removed; memberships: {joined} added, {left} removed (--rules lists them)"
            );
            let _ = writeln!(out, "{line}");
        }
    }
    style.fit(&out)
}

/// Tells of one passage.
pub(super) fn told(passage: &Passage, change: Change, style: Style) -> String {
    let (word, tone) = match (change, &passage.certainty) {
        (Change::Opened, Certainty::Known) => {
            ("newly open", if passage.way == Way::FromOutside { Tone::Bad } else { Tone::Strong })
        }
        (Change::Closed, Certainty::Known) => ("newly closed", Tone::Good),
        (Change::Opened, Certainty::Unknown(_)) => ("perhaps newly open", Tone::Unsure),
        (Change::Closed, Certainty::Unknown(_)) => ("perhaps newly closed", Tone::Unsure),
    };
    let head = match passage.way {
        Way::FromOutside => format!("{} from outside: {}", word, passage.target()),
        Way::Inside => format!("{} inside: {} -> {}", word, passage.from, passage.target()),
        Way::ToOutside => format!("{} to outside: {} -> {}", word, passage.from, passage.target()),
    };
    let by: Vec<String> = passage.by.iter().map(|origin| origin.resource.to_string()).collect();
    let mut resources = by.clone();
    resources.dedup();
    let mut out = format!("{}, by {}\n", style.paint(tone, &shown_line(&head)), shown_line(&resources.join(", ")));
    let mut line = |words: &str| {
        let _ = writeln!(out, "    {}", shown_line(words));
    };
    if passage.way == Way::FromOutside {
        let behind = behind(passage).map_or_else(String::new, |behind| format!(", to {behind}"));
        line(&format!("from {}{behind}", passage.from));
    } else if let Some(behind) = behind(passage) {
        let word = if passage.members_are == End::Sender { "from" } else { "to" };
        line(&format!("{word} {behind}"));
    }
    if let Certainty::Unknown(why) = &passage.certainty {
        line(&format!("not known: {why}"));
    }
    if let Some(entries) = super::entries(passage) {
        line(&format!("by {entries}"));
    }
    if !passage.already.is_empty() {
        let when = match change {
            Change::Opened => "open before",
            Change::Closed => "still open",
        };
        line(&format!("{when}: {}", passage.already.join(", ")));
    }
    for origin in &passage.by {
        line(&origin.place.to_string());
    }
    out
}

fn rules(difference: &Difference, style: Style) -> String {
    let mut out = String::new();
    let mut rules = |all: &[RuleChange], sign: char, tone: Tone| {
        for change in all {
            let direction = match change.direction {
                Direction::Ingress => "",
                Direction::Egress => " egress",
            };
            let line = format!("{sign} {}{direction}: {}", change.group, change.rule);
            let _ = writeln!(out, "{}  {}", style.paint(tone, &shown_line(&line)), change.origin);
        }
    };
    rules(&difference.rules_added, '+', Tone::Bad);
    rules(&difference.rules_removed, '-', Tone::Good);
    for (sign, all) in [('+', &difference.entries_added), ('-', &difference.entries_removed)] {
        for EntryChange { list, entry, origin } in all {
            let _ = writeln!(out, "{}  {origin}", shown_line(&format!("{sign} {list}: {entry}")));
        }
    }
    let mut members = |all: &[MemberChange], sign: char| {
        for change in all {
            let line = format!("{sign} {} in {}", change.member, change.group);
            let _ = writeln!(out, "{}  {}", shown_line(&line), change.origin);
        }
    };
    members(&difference.members_added, '+');
    members(&difference.members_removed, '-');
    if out.is_empty() { out } else { format!("\n{out}") }
}
