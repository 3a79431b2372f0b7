//! The difference of two accounts on a terminal.

use std::fmt::Write;

use super::{Change, Told, behind, not_compared, proof, reason, senders, whole_verdict};
use crate::model::Direction;
use crate::reach::{AddressChange, Certainty, Difference, End, EntryChange, MemberChange, Passage, RuleChange, Way};
use crate::report::text::Tone;
use crate::report::{Style, shown_line};

/// Flows of a proof, at most, unless everything is asked for.
const MAX_FLOWS: usize = 40;

/// Passages, then rules and members where they are asked for, then what packets proved, then the verdict.
pub fn text<'a>(whole: impl Into<Told<'a>>, style: Style) -> String {
    let whole = whole.into();
    let difference = whole.difference;
    let mut out = String::new();
    for (passages, change) in [(&difference.opened, Change::Opened), (&difference.closed, Change::Closed)] {
        for passage in passages {
            out.push_str(&told(passage, change, style));
        }
    }
    out.push_str(&allowances(whole, style));
    out.push_str(&unsure(difference, style));
    if style.verbose {
        out.push_str(&rules(difference, style));
    }
    out.push_str(&proofs(whole, style));
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&whole_verdict(whole));
    out.push('\n');
    if !style.verbose {
        let changes = [
            difference.rules_added.len(),
            difference.rules_removed.len(),
            difference.members_added.len(),
            difference.members_removed.len(),
            difference.addresses_added.len(),
            difference.addresses_removed.len(),
        ];
        if changes.iter().any(|count| *count > 0) {
            let [added, removed, joined, left, gained, lost] = changes;
            let addresses = match gained + lost {
                0 => String::new(),
                _ => format!("; public addresses: {gained} added, {lost} removed"),
            };
            let line = format!(
                "rules: {added} added, {removed} removed; memberships: {joined} added, {left} removed{addresses} (--rules lists them)"
            );
            let _ = writeln!(out, "{line}");
        }
    }
    style.fit(&out)
}

/// Tells of what is not compared.
pub(super) fn unsure(difference: &Difference, style: Style) -> String {
    let mut out = String::new();
    for (line, place) in not_compared(difference) {
        let _ = writeln!(out, "{}\n    {place}", style.paint(Tone::Unsure, &shown_line(&line)));
    }
    out
}

/// Tells of what is allowed, and of allowances that allow nothing.
fn allowances(whole: Told<'_>, style: Style) -> String {
    let mut out = String::new();
    for item in whole.allowed {
        let line = format!("allowed: {}", item.passage.flow());
        let _ = writeln!(out, "{}", style.paint(Tone::Faint, &shown_line(&line)));
        for by in &item.by {
            let _ = writeln!(out, "    {}\n    {}", shown_line(&reason(by)), by.place);
        }
    }
    for item in whole.useless {
        let line = shown_line(&item.to_string()).into_owned();
        let _ = writeln!(out, "{}\n    {}", style.paint(Tone::Unsure, &line), item.allowance.place);
    }
    out
}

/// Tells of flows that packets were sent for.
fn proofs(whole: Told<'_>, style: Style) -> String {
    let Some(proved) = whole.proved.filter(|proved| !proved.flows.is_empty()) else { return String::new() };
    let mut out = format!("\n{}\n", proof::verdict(proved));
    let most = if style.verbose { usize::MAX } else { MAX_FLOWS };
    for line in proof::lines(proved).take(most) {
        let _ = writeln!(out, "    {}", shown_line(&line));
    }
    let more = proved.flows.len().saturating_sub(most);
    if more > 0 {
        let _ = writeln!(out, "    and {more} more (--rules and --format json list them)");
    }
    out
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
        let senders = senders(passage).map_or_else(String::new, |senders| format!("{senders}, "));
        line(&format!("{senders}{word} {behind}"));
    }
    if let Certainty::Unknown(why) = &passage.certainty {
        line(&format!("not known: {why}"));
    }
    if let Some(entries) = super::entries(passage) {
        line(&format!("by {entries}"));
    }
    if let Some(held_by) = super::held_by(passage) {
        line(&held_by);
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
    for (sign, all) in [('+', &difference.addresses_added), ('-', &difference.addresses_removed)] {
        for AddressChange { member, address, origin } in all {
            let _ = writeln!(out, "{}  {origin}", shown_line(&format!("{sign} {address} of {member}")));
        }
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}
