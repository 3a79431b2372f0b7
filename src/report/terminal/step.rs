//! One step as text.

use indexmap::IndexSet;

use super::grid::{self, Rows};
use crate::model::Flow;
use crate::report::text::{self, Tone};
use crate::report::{Style, bundle, held_connections};
use crate::scenario::{
    AddressChange, CellDetails, CellSource, Check, CheckStatus, Class, Counted, DecidingRule, Evidence, Head, Headline,
    Listing, SECTIONS, Section, StepResult, StepStatus,
};
use crate::topology::ExpectedOutcome;

const INDENT: &str = "       ";
/// Column at which the particulars of a step begin.
const NAME_WIDTH: usize = 60;
/// Maximum number of lines of a kind, unless everything is asked for.
const MAX_LINES: usize = 4;

/// The word of a status, and its meaning.
pub fn status(status: StepStatus) -> (Tone, &'static str) {
    match status {
        StepStatus::Passed => (Tone::Good, "ok"),
        StepStatus::Failed => (Tone::Bad, "FAILED"),
        StepStatus::Inconclusive => (Tone::Unsure, "INCONCLUSIVE"),
        StepStatus::NotRun => (Tone::Faint, "not run"),
    }
}

/// A step, told against the steps before it so that nothing is said twice.
pub fn step(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let (tone, word) = status(step.status);
    // The particulars stand below each other whatever the word.
    let title = format!("{:<width$}", text::shown(&step.name), width = NAME_WIDTH.saturating_sub(word.len()));
    let word = style.paint(tone, word);
    let mut out =
        format!("{:>2} {word}  {title}  {}", step.number, particulars(head, earlier, step, style).join("     "));
    out.truncate(out.trim_end().len());
    out.push('\n');
    if let Some(note) = &step.note {
        for line in text::wrap(note, style.room(INDENT.len(), 100)) {
            out.push_str(&format!("{INDENT}{}\n", style.paint(Tone::Faint, &line)));
        }
    }
    for claim in &step.claims {
        if style.verbose || !earlier.iter().any(|before| before.claims.contains(claim)) {
            out.push_str(&lines(claim, style));
        }
    }
    for finding in &step.findings {
        if step.status == StepStatus::NotRun {
            out.push_str(&format!("{INDENT}{}\n", text::shown_line(&finding.text)));
        } else {
            out.push_str(&format!("{INDENT}{}     {}\n", style.paint(Tone::Bad, "WRONG"), text::shown(&finding.text)));
            out.push_str(&detail("see", &finding.place.to_string(), ""));
        }
    }
    out.push_str(&disagreements(head, earlier, step, style));
    out.push_str(&wrong(head, earlier, step, style));
    for section in SECTIONS {
        out.push_str(&listed(step.section(*section).collect(), section.listing, (found(head), style)));
    }
    out.push_str(&flows(head, step, style));
    out.push_str(&changed(head, step, style));
    let mut out = style.fit(&out);
    out.push_str(&the_grid(head, earlier, step, style));
    out
}

fn particulars(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> Vec<String> {
    let counts = &step.counts;
    let mut parts = Vec::new();
    let unproved = step.cells().filter(|(check, _)| check.is_inconclusive()).count();
    if counts.wrong > 0 {
        let are = if counts.wrong == 1 { "is" } else { "are" };
        parts.push(format!("{} of {} {are} wrong", text::number(counts.wrong), text::count(counts.cells, "cell")));
    }
    if unproved > 0 {
        parts.push(format!("{} of {} not proved", text::number(unproved), text::count(counts.cells, "cell")));
    }
    if let Some(counted) = held_connections::disagreeing(step) {
        parts.push(format!("model and kernel disagree about {counted}"));
    }
    let mut sections = SECTIONS.to_vec();
    sections.sort_by_key(|section| section.headline.rank);
    parts.extend(sections.into_iter().filter_map(|section| headline(head, step, section)));
    if !step.probed.canaries_held {
        parts.push("the canaries did not hold".to_owned());
    }
    let as_before = earlier.last().is_some_and(|before| before.counts.cells == counts.cells);
    if counts.wrong + unproved + step.model.flows.len() == 0 && counts.cells > 0 && (!as_before || style.verbose) {
        parts.push(format!("{}: {}", text::count(counts.cells, "cell"), outcomes(step)));
    }
    let effects = &step.effects;
    parts.extend(effects.addresses.iter().map(address));
    if let Some(edited) = effects.rules_edited {
        parts.push(format!("{} edited", text::count(edited, "rule")));
    }
    if let Some(took) = effects.in_force.filter(|_| effects.addresses.is_empty() || style.verbose) {
        parts.push(format!("applied in {}", text::duration(took)));
    }
    let measured = head.evidence == Evidence::Packets;
    if measured && (style.verbose || (earlier.is_empty() && step.status == StepStatus::Passed)) {
        parts.push(text::duration(step.took));
    }
    parts
}

/// Counts the checks of a section that did not pass.
fn headline(head: &Head, step: &StepResult, section: Section) -> Option<String> {
    let Headline { before, unit, counted, after, .. } = section.headline;
    let others = step.section(section).filter(|check| !check.is_passed()).count();
    let unproved = step.section(section).filter(|check| check.is_inconclusive()).count();
    if head.evidence == Evidence::Prediction && others > 0 && others == unproved {
        return Some(format!("{before}{} not predicted", text::count(others, unit)));
    }
    let counted = match counted {
        Counted::Alone => text::count(others, unit),
        Counted::OfAll => {
            format!("{} of {}", text::number(others), text::count(step.section(section).count(), unit))
        }
    };
    (others > 0).then(|| format!("{before}{counted}{after}"))
}

/// `22 open, 118 dropped`, and whatever else there is.
fn outcomes(step: &StepResult) -> String {
    let found = step.counts.classes().filter(|(_, count)| *count > 0);
    let found = found.map(|(class, count)| format!("{} {}", text::number(count), class.as_str()));
    found.collect::<Vec<_>>().join(", ")
}

fn address(change: &AddressChange) -> String {
    let word = |address: Option<String>| address.unwrap_or_else(|| "none".to_owned());
    let (before, now) = if change.private_before == change.private_now {
        (change.public_before.map(|ip| ip.to_string()), change.public_now.map(|ip| ip.to_string()))
    } else {
        (change.private_before.map(|ip| ip.to_string()), change.private_now.map(|ip| ip.to_string()))
    };
    // No arrow, which stands for a flow here.
    format!("{}: {}, now {}", change.instance, word(before), word(now))
}

/// Renders disagreements of the model with the packets: a bug of the program, so nothing is cut short.
fn disagreements(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let fates = step.model.flows.iter().map(|it| {
        let predicted = format!("{}{}", text::outcome(&it.predicted.outcome), text::name_said(it.predicted.resolved));
        (&it.flow, (predicted, text::outcome(&it.observed)))
    });
    let mut out = String::new();
    for it in bundle::bundle(fates) {
        let (predicted, observed) = &it.key;
        let word = style.paint(Tone::Bad, "DISAGREE");
        let flows = it.text(&head.hosts);
        out.push_str(&format!("{INDENT}{word}  {flows}      the model says {predicted}, the kernel {observed}\n"));
    }
    out.push_str(&held_connections::lines(INDENT, earlier, step, style));
    if let Some(disagreement) = &step.model.disagreement {
        out.push_str(&detail("evidence", &format!("{}/", disagreement.folder), ""));
    }
    out
}

type Signature<'a> = (&'a Flow, ExpectedOutcome, Class);

fn signature<'a>((_, cell): (&'a Check, &'a CellDetails)) -> Signature<'a> {
    (&cell.flow, cell.expected, Class::of(&cell.outcome))
}

fn wrong(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let mut out = String::new();
    let first = earlier.iter().find(|before| before.wrong().next().is_some()).filter(|_| !style.verbose);
    let known: IndexSet<Signature<'_>> = first.iter().flat_map(|before| before.wrong().map(signature)).collect();
    let (same, new): (Vec<_>, Vec<_>) = step.wrong().partition(|cell| known.contains(&signature(*cell)));
    let same_flows: IndexSet<&Flow> = same.iter().map(|(_, cell)| &cell.flow).collect();
    if let Some(before) = first.filter(|_| !same_flows.is_empty()) {
        out.push_str(&format!(
            "{INDENT}the same {} as at step {}\n",
            text::count(same_flows.len(), "cell"),
            before.number
        ));
    }
    let bundles = bundle::wrong(new);
    let shown = if style.verbose { bundles.len() } else { 2 * MAX_LINES };
    for (it, cells) in bundles.iter().take(shown) {
        let word = word(it.key.status, style);
        let pad = if it.key.status == CheckStatus::Inconclusive { "" } else { "   " };
        let observed = match cells.as_slice() {
            [(_, one)] => format!("{}{}", text::outcome(&one.outcome), text::resolved(one.resolved)),
            _ => it.key.class.as_str().to_owned(),
        };
        out.push_str(&format!(
            "{INDENT}{word}{pad}  {}      expected {}, {} {observed}\n",
            it.text(&head.hosts),
            it.key.expected,
            found(head)
        ));
        if let Some(rule) = &it.key.rule {
            let place = rule.place.as_ref().map_or_else(String::new, ToString::to_string);
            out.push_str(&detail("admitted by", &text::rule(rule), &place));
        }
        let reasons: IndexSet<&String> = cells.iter().filter_map(|(check, _)| check.reason.as_ref()).collect();
        let shown = if style.verbose { reasons.len() } else { MAX_LINES };
        for reason in reasons.iter().take(shown) {
            out.push_str(&detail("because", reason, ""));
        }
        if reasons.len() > shown {
            out.push_str(&detail("", &format!("and {} like it; --grid shows them", reasons.len() - shown), ""));
        }
        out.push_str(&detail("expected by", &it.key.said.words, &it.key.said.place.to_string()));
    }
    if bundles.len() > shown {
        out.push_str(&format!("{INDENT}and {} more; --grid shows them\n", bundles.len() - shown));
    }
    out
}

fn word(status: CheckStatus, style: Style) -> String {
    match status {
        CheckStatus::Passed => String::new(),
        CheckStatus::Failed => style.paint(Tone::Bad, "WRONG"),
        CheckStatus::Inconclusive => style.paint(Tone::Unsure, "UNPROVED"),
    }
}

/// The word for what was found: a prediction has observed nothing.
fn found(head: &Head) -> &'static str {
    match head.evidence {
        Evidence::Packets => "observed",
        Evidence::Prediction => "predicted",
    }
}

/// Lists the checks of a section.
fn listed(checks: Vec<&Check>, listing: Listing, (found, style): (&str, Style)) -> String {
    if listing == Listing::InOrder {
        let line = |check: &&Check| if check.is_passed() { passed(check) } else { failed(check, None, (found, style)) };
        return checks.iter().map(line).collect();
    }
    let (right, others): (Vec<&Check>, Vec<&Check>) = checks.into_iter().partition(|check| check.is_passed());
    let mut out = String::new();
    for (index, check) in others.iter().enumerate() {
        let next = others.get(index + 1).filter(|_| listing == Listing::FailuresFirstOnce);
        out.push_str(&failed(check, next.copied(), (found, style)));
    }
    out + &few(right.into_iter().map(passed).collect(), style)
}

/// Tells a check that passed: its subject, the expectation if that is in the words of the file, and what was found.
fn passed(check: &Check) -> String {
    let mut parts: Vec<&str> = vec![&check.subject];
    if check.is_statement() {
        parts.push(&check.expected);
    }
    if !check.details.says_what_was_found() {
        parts.push(&check.observed);
    }
    parts.retain(|part| !part.is_empty());
    let because = check.reason.as_ref().map_or_else(String::new, |reason| format!("; {reason}"));
    format!("{INDENT}{}\n", text::shown(&format!("{}{because}", parts.join("  "))))
}

/// Tells a check that did not pass. What was found is left to `next`, if that found the same.
fn failed(check: &Check, next: Option<&Check>, (found, style): (&str, Style)) -> String {
    let word = word(check.status, style);
    let place = check.place().to_string();
    if !check.is_statement() {
        let Check { subject, expected, observed, said, .. } = check;
        let mut out = format!("{INDENT}{word}  {subject}      expected {expected}, {found} {observed}\n");
        if let Some(reason) = &check.reason {
            out.push_str(&detail("because", reason, ""));
        }
        out.push_str(&detail("expected by", &said.words, &place));
        return out;
    }
    let gap = if check.subject.is_empty() { "" } else { "  " };
    let mut out = format!("{INDENT}{word}  {}{gap}{}\n", check.subject, check.expected);
    if next.is_none_or(|next| next.observed != check.observed) {
        out.push_str(&detail("observed", &check.observed, ""));
        out.push_str(&detail("see", &place, ""));
    }
    out
}

fn detail(label: &str, what: &str, place: &str) -> String {
    let text = format!("{INDENT}          {label:<11}  {:<50}  {place}", text::shown(what));
    format!("{}\n", text.trim_end())
}

/// Renders the flows that the step itself asked about, and their outcomes.
fn flows(head: &Head, step: &StepResult, style: Style) -> String {
    let right = step.cells().filter(|(check, cell)| check.is_passed() && cell.by == CellSource::Step);
    let fate = |check: &Check, cell: &CellDetails| {
        let why = match &cell.rule {
            Some(rule) => format!(", by {}", text::rule(rule)),
            None => check.reason.as_ref().map_or_else(String::new, |reason| format!("; {}", text::shown(reason))),
        };
        format!("{}{why}{}", text::outcome(&cell.outcome), text::resolved(cell.resolved))
    };
    let bundles = bundle::bundle(right.map(|(check, cell)| (&cell.flow, fate(check, cell))));
    let lines = bundles.iter().map(|it| format!("{INDENT}{}  {}\n", it.text(&head.hosts), it.key)).collect();
    few(lines, style)
}

fn changed(head: &Head, step: &StepResult, style: Style) -> String {
    let bundles = bundle::bundle(step.probed.changed.iter().map(|cell| (&cell.flow, (cell.was, cell.now))));
    let lines = bundles.iter().map(|it| {
        let rules: IndexSet<&DecidingRule> =
            it.members.iter().filter_map(|&index| step.probed.changed.get(index)?.rule.as_ref()).collect();
        let by = match rules.len() {
            0 => String::new(),
            _ => format!(", by {}", rules.into_iter().map(text::rule).collect::<Vec<_>>().join(", ")),
        };
        let (was, now) = it.key;
        format!("{INDENT}changed: {}  {} -> {}{by}\n", it.text(&head.hosts), was.as_str(), now.as_str())
    });
    few(lines.collect(), style)
}

fn few(lines: Vec<String>, style: Style) -> String {
    if style.verbose || lines.len() <= MAX_LINES {
        return lines.concat();
    }
    let rest = lines.len() - MAX_LINES;
    format!("{}{INDENT}and {rest} more; --grid shows them\n", lines.into_iter().take(MAX_LINES).collect::<String>())
}

/// In full at the first step; where something is wrong, the rows that show it.
fn the_grid(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let said_before = || {
        earlier.iter().any(|before| {
            let known: IndexSet<Signature<'_>> = before.wrong().map(signature).collect();
            !known.is_empty() && step.wrong().map(signature).all(|it| known.contains(&it))
        })
    };
    let shown = &step.probed.grid;
    if style.grid {
        grid::grid(shown, &head.hosts, Rows::All, style)
    } else if step.wrong().next().is_some() {
        if said_before() { String::new() } else { grid::grid(shown, &head.hosts, Rows::Wrong, style) }
    } else if earlier.is_empty() && step.status == StepStatus::Passed {
        grid::grid(shown, &head.hosts, Rows::All, style)
    } else {
        String::new()
    }
}

/// The lines of one claim.
pub fn lines(claim: &str, style: Style) -> String {
    let lines = text::wrap(claim, style.room(7, 100));
    lines.iter().map(|line| format!("       {}\n", style.paint(Tone::Unsure, line))).collect()
}
