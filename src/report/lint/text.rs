//! Findings on a terminal, by check; the worst first.

use std::fmt::Write;

use super::{shown, subject, verdict};
use crate::lint::{Check, Finding, Fixed, Level, Outcome};
use crate::report::text::Tone;
use crate::report::{Style, shown_line, wrap};

/// Columns that a text has where no terminal says otherwise.
const COLUMNS: usize = 80;
/// Findings of one check that are told, unless all are asked for.
const TOLD: usize = 20;

/// Fixes, findings of a level and above, then the counts of all.
pub fn text(outcome: &Outcome, least: Level, style: Style) -> String {
    let mut out = fixes(outcome, style);
    let mut by_check: Vec<(&Check, Vec<&Finding>)> = Vec::new();
    for finding in shown(outcome, least) {
        match by_check.iter_mut().find(|(check, _)| check.id == finding.check.id) {
            Some((_, all)) => all.push(finding),
            None => by_check.push((finding.check, vec![finding])),
        }
    }
    let worst = |all: &[&Finding]| all.iter().map(|finding| finding.level).max();
    by_check.sort_by_key(|(_, all)| std::cmp::Reverse(worst(all)));
    for (check, mut all) in by_check {
        all.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        let level = worst(&all).unwrap_or(check.level);
        let word = style.paint(tone(level), level.as_str());
        let head = format!("{word}  {}: {}", style.paint(Tone::Strong, check.id), check.title);
        let _ = writeln!(out, "{}", style.fit(&head));
        let most = if style.verbose { usize::MAX } else { TOLD };
        for finding in all.iter().take(most) {
            told(&mut out, finding, level, style);
        }
        if all.len() > most {
            let _ = writeln!(out, "    and {} more (--all lists them)", all.len() - most);
        }
        out.push('\n');
    }
    if least > Level::Note {
        let hidden = outcome.findings.iter().filter(|finding| finding.level < least).count();
        if hidden > 0 {
            let _ = writeln!(
                out,
                "below --level {}, not shown: {}",
                least.as_str(),
                crate::report::count(hidden, "finding")
            );
        }
    }
    out.push_str(&verdict(outcome));
    out.push('\n');
    if outcome.findings.iter().any(|finding| finding.level >= least) {
        out.push_str("sglab lint --explain CHECK says why\n");
    }
    out
}

fn told(out: &mut String, finding: &Finding, of_check: Level, style: Style) {
    let level = if finding.level == of_check { String::new() } else { format!("{}: ", finding.level.as_str()) };
    let line = format!("    {level}{}  {}", shown_line(&subject(finding)), finding.origin.place);
    let _ = writeln!(out, "{}", style.fit(&line));
    let resource = finding.origin.resource.as_str();
    let message = match finding.about.label == resource {
        true => finding.message.clone(),
        false => format!("{} ({resource})", finding.message),
    };
    for line in wrap(&message, style.room(8, COLUMNS - 8)) {
        let _ = writeln!(out, "        {line}");
    }
    if let Some(proof) = &finding.proof {
        for line in wrap(&format!("{}: {}", proof.as_str(), proof.detail()), style.room(8, COLUMNS - 8)) {
            let _ = writeln!(out, "        {line}");
        }
    }
    for (index, operation) in finding.cure.iter().enumerate() {
        let head = if index == 0 { "cure:" } else { "     " };
        let _ = writeln!(out, "{}", style.fit(&format!("        {head}  {}", shown_line(operation))));
    }
}

/// Fixes, and findings that were not fixed; nothing without `--fix`.
pub fn fixes(outcome: &Outcome, style: Style) -> String {
    let mut out = String::new();
    let Some(fixes) = &outcome.fixes else { return out };
    let verb = if fixes.written.is_some() || fixes.done.is_empty() { "fixed" } else { "to be fixed" };
    for Fixed { check, subject, place, .. } in &fixes.done {
        let line = format!("{verb}: {} ({check})  {place}", shown_line(subject));
        let _ = writeln!(out, "{}", style.fit(&line));
    }
    for (Fixed { check, subject, place, .. }, why) in &fixes.left {
        let line = format!("not fixed: {} ({check})  {place}", shown_line(subject));
        let _ = writeln!(out, "{}", style.fit(&line));
        for line in wrap(why, style.room(4, COLUMNS - 4)) {
            let _ = writeln!(out, "    {line}");
        }
    }
    if fixes.done.is_empty() && fixes.left.is_empty() {
        out.push_str("nothing to fix\n");
    }
    out.push('\n');
    out
}

/// A check with its reason, whose advice it is, and its examples.
pub fn explained(check: &Check, style: Style) -> String {
    let mut out = String::new();
    let word = style.paint(tone(check.level), check.level.as_str());
    let _ = writeln!(out, "{}  {}\n{}\n", style.paint(Tone::Strong, check.id), word, check.title);
    let room = style.room(0, COLUMNS);
    let mut paragraph = |text: &str| {
        for line in wrap(text, room) {
            let _ = writeln!(out, "{line}");
        }
        out.push('\n');
    };
    paragraph(check.why);
    paragraph(&format!("profiles: {}", super::catalogue::profiles(check)));
    for advice in check.advice {
        let _ = writeln!(out, "{}\n    {}", style.fit(advice.who), advice.link);
    }
    for (head, example) in [("it says something of", check.bad), ("and nothing of", check.good)] {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, head));
        for line in example.lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

pub(super) fn tone(level: Level) -> Tone {
    match level {
        Level::Error => Tone::Bad,
        Level::Warning => Tone::Unsure,
        Level::Note => Tone::Faint,
    }
}
