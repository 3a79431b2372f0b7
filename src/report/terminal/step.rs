//! One step as text.

use indexmap::IndexSet;

use super::grid::{self, Rows};
use crate::model::Flow;
use crate::model::topology::ExpectedOutcome;
use crate::probe::Held;
use crate::report::Style;
use crate::report::bundle;
use crate::report::followed;
use crate::report::text::{self, Tone};
use crate::scenario::{
    AddressChange, AnswerResult, BalancedResult, Class, DecidingRule, Evidence, FlowLogResult, FlowResult, Head, Proof,
    StepResult, StepStatus, TrafficResult, WrongCell, answers, held,
};

const INDENT: &str = "       ";
/// Where the particulars of a step begin.
const NAME_WIDTH: usize = 60;
/// So many lines of a kind, unless everything is asked for.
const FEW: usize = 4;

/// A step, told against the steps before it so that nothing is said twice.
pub fn step(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let (tone, word) = match step.status {
        StepStatus::Passed => (Tone::Good, "ok"),
        StepStatus::Failed => (Tone::Bad, "FAILED"),
        StepStatus::Inconclusive => (Tone::Unsure, "INCONCLUSIVE"),
        StepStatus::NotRun => (Tone::Faint, "not run"),
    };
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
            out.push_str(&super::claim_lines(claim, style));
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
    out.push_str(&held(step, style));
    out.push_str(&traffic(step, style));
    out.push_str(&answers(step, style));
    out.push_str(&balanced(step, style));
    out.push_str(&flow_logs(step, style));
    out.push_str(&flows(head, step, style));
    out.push_str(&changed(head, step, style));
    let mut out = style.fit(&out);
    out.push_str(&the_grid(head, earlier, step, style));
    out
}

fn particulars(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> Vec<String> {
    let counts = &step.counts;
    let mut parts = Vec::new();
    let unproved = step.wrong.iter().filter(|cell| cell.is_inconclusive()).count();
    if counts.wrong > 0 {
        let are = if counts.wrong == 1 { "is" } else { "are" };
        parts.push(format!("{} of {} {are} wrong", text::number(counts.wrong), text::count(counts.cells, "cell")));
    }
    if unproved > 0 {
        parts.push(format!("{} of {} not proved", text::number(unproved), text::count(counts.cells, "cell")));
    }
    if let Some(counted) = followed::disagreeing(step) {
        parts.push(format!("model and kernel disagree about {counted}"));
    }
    let wrong_connections = step.held.iter().filter(|held| !held.right).count();
    if wrong_connections > 0 {
        parts.push(format!("{} not as expected", text::count(wrong_connections, "connection")));
    }
    let wrong_balanced = step.balanced.iter().filter(|it| !it.is_right()).count();
    if wrong_balanced > 0 {
        let all = text::count(step.balanced.len(), "expectation");
        parts.push(format!("{} of {all} of load balancers not met", text::number(wrong_balanced)));
    }
    let wrong_logs = step.flow_logs.iter().filter(|it| !it.is_right()).count();
    if wrong_logs > 0 {
        parts.push(format!("{} of flow logs not as expected", text::count(wrong_logs, "line")));
    }
    let wrong_answers = step.answers.iter().filter(|answer| !answer.is_right()).count();
    if wrong_answers > 0 {
        parts.push(format!("{} not answered", text::count(wrong_answers, "question")));
    }
    let bad_traffic = step.traffic.iter().filter(|it| !it.is_right()).count();
    if bad_traffic > 0 {
        parts.push(format!("traffic of {} not as expected", text::count(bad_traffic, "flow")));
    }
    if !step.canaries_held {
        parts.push("the canaries did not hold".to_owned());
    }
    let as_before = earlier.last().is_some_and(|before| before.counts.cells == counts.cells);
    if counts.wrong + unproved + step.disagreements.len() == 0 && counts.cells > 0 && (!as_before || style.verbose) {
        parts.push(format!("{}: {}", text::count(counts.cells, "cell"), outcomes(step)));
    }
    let several = step.addresses.len() > 1;
    parts.extend(step.addresses.iter().map(|change| address(change, several)));
    if let Some(edited) = step.rules_edited {
        parts.push(format!("{} edited", text::count(edited, "rule")));
    }
    if let Some(took) = step.in_force.filter(|_| step.addresses.is_empty() || style.verbose) {
        parts.push(format!("in force after {}", text::duration(took)));
    }
    let measured = head.evidence == Evidence::Packets;
    if measured && (style.verbose || (earlier.is_empty() && step.status == StepStatus::Passed)) {
        parts.push(text::duration(step.took));
    }
    parts
}

/// `22 open, 118 dropped`, and whatever else there is.
fn outcomes(step: &StepResult) -> String {
    let counts = &step.counts;
    [
        (counts.open, "open"),
        (counts.dropped, "dropped"),
        (counts.refused, "refused"),
        (counts.closed, "closed"),
        (counts.unreachable, "unreachable"),
        (counts.misdelivered, "misdelivered"),
        (counts.inconclusive, "inconclusive"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{} {word}", text::number(count)))
    .collect::<Vec<_>>()
    .join(", ")
}

fn address(change: &AddressChange, named: bool) -> String {
    let word = |address: Option<String>| address.unwrap_or_else(|| "none".to_owned());
    let (before, now) = if change.private_before == change.private_now {
        (change.public_before.map(|ip| ip.to_string()), change.public_now.map(|ip| ip.to_string()))
    } else {
        (change.private_before.map(|ip| ip.to_string()), change.private_now.map(|ip| ip.to_string()))
    };
    let name = if named { format!("{} ", change.instance) } else { String::new() };
    format!("{name}{} -> {}", word(before), word(now))
}

/// What the model says otherwise than the packets: a bug of the program, so nothing is cut short.
fn disagreements(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let fates = step.disagreements.iter().map(|it| {
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
    out.push_str(&followed::lines(INDENT, earlier, step, style));
    if let Some(dossier) = &step.dossier {
        out.push_str(&detail("evidence", &format!("{}/", dossier.folder), ""));
    }
    out
}

type Signature<'a> = (&'a Flow, ExpectedOutcome, Class);

fn signature(cell: &WrongCell) -> Signature<'_> {
    (&cell.flow, cell.expected, Class::of(&cell.outcome))
}

fn wrong(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let mut out = String::new();
    let first = earlier.iter().find(|before| !before.wrong.is_empty()).filter(|_| !style.verbose);
    let known: IndexSet<Signature<'_>> = first.iter().flat_map(|before| before.wrong.iter().map(signature)).collect();
    let (same, new): (Vec<&WrongCell>, Vec<&WrongCell>) =
        step.wrong.iter().partition(|cell| known.contains(&signature(cell)));
    let same_flows: IndexSet<&Flow> = same.iter().map(|cell| &cell.flow).collect();
    if let Some(before) = first.filter(|_| !same_flows.is_empty()) {
        out.push_str(&format!(
            "{INDENT}the same {} as at step {}\n",
            text::count(same_flows.len(), "cell"),
            before.number
        ));
    }
    let bundles = bundle::wrong(new);
    let shown = if style.verbose { bundles.len() } else { 2 * FEW };
    for (it, cells) in bundles.iter().take(shown) {
        let unproved = it.key.class == Class::Inconclusive;
        let word = if unproved { style.paint(Tone::Unsure, "UNPROVED") } else { style.paint(Tone::Bad, "WRONG") };
        let pad = if unproved { "" } else { "   " };
        let observed = match cells.as_slice() {
            [one] => format!("{}{}", text::outcome(&one.outcome), text::resolved(one.resolved)),
            _ => it.key.class.as_str().to_owned(),
        };
        out.push_str(&format!(
            "{INDENT}{word}{pad}  {}      expected {}, observed {observed}\n",
            it.text(&head.hosts),
            it.key.expected
        ));
        if let Some(rule) = &it.key.rule {
            let place = rule.place.as_ref().map_or_else(String::new, ToString::to_string);
            out.push_str(&detail("admitted by", &text::rule(rule), &place));
        }
        let reasons: IndexSet<&String> = cells.iter().filter_map(|cell| cell.reason.as_ref()).collect();
        let shown = if style.verbose { reasons.len() } else { FEW };
        for reason in reasons.iter().take(shown) {
            out.push_str(&detail("because", reason, ""));
        }
        if reasons.len() > shown {
            out.push_str(&detail("", &format!("and {} like it; --grid tells them", reasons.len() - shown), ""));
        }
        out.push_str(&detail("expected by", &it.key.said.words, &it.key.said.place.to_string()));
    }
    if bundles.len() > shown {
        out.push_str(&format!("{INDENT}and {} more; --grid tells them\n", bundles.len() - shown));
    }
    out
}

/// What has become of the connections that the step asks about.
fn held(step: &StepResult, style: Style) -> String {
    let mut out = String::new();
    for it in &step.held {
        let found = held::word(&it.found);
        let because = it.reason.as_ref().map_or_else(String::new, |reason| format!("; {}", text::shown(reason)));
        if it.right {
            out.push_str(&format!("{INDENT}connection {}  {found}{because}\n", it.name));
            continue;
        }
        let unproved = matches!(it.found, Held::Inconclusive { .. });
        let word = if unproved { style.paint(Tone::Unsure, "UNPROVED") } else { style.paint(Tone::Bad, "WRONG") };
        let expected = it.expected.as_str();
        out.push_str(&format!("{INDENT}{word}  connection {}      expected {expected}, observed {found}\n", it.name));
        if let Some(reason) = &it.reason {
            out.push_str(&detail("because", reason, ""));
        }
        out.push_str(&detail("expected by", &format!("{expected}: {}", it.name), &it.place.to_string()));
    }
    out
}

/// What became of the traffic that flowed meanwhile.
fn traffic(step: &StepResult, style: Style) -> String {
    let (right, others): (Vec<_>, Vec<_>) = step.traffic.iter().partition(|it| it.is_right());
    let mut out = String::new();
    for it in others {
        let (tone, word) = if it.is_wrong() { (Tone::Bad, "WRONG") } else { (Tone::Unsure, "UNPROVED") };
        let (word, said) = (style.paint(tone, word), it.expectations());
        out.push_str(&format!(
            "{INDENT}{word}  traffic {}      expected {said}, observed {}\n",
            it.flow,
            it.observed()
        ));
        if let Some(why) = it.why() {
            out.push_str(&detail("because", why, ""));
        }
        out.push_str(&detail("expected by", &format!("during: {}", it.flow), &it.place.to_string()));
    }
    let line = |it: &TrafficResult| format!("{INDENT}traffic {}  {}\n", it.flow, it.observed());
    out + &few(right.into_iter().map(line).collect(), style)
}

/// What the services told that groups never filter.
fn answers(step: &StepResult, style: Style) -> String {
    let (right, others): (Vec<_>, Vec<_>) = step.answers.iter().partition(|answer| answer.is_right());
    let mut out = String::new();
    for it in others {
        let (tone, word) = if it.is_inconclusive() { (Tone::Unsure, "UNPROVED") } else { (Tone::Bad, "WRONG") };
        let (word, found) = (style.paint(tone, word), answers::word(&it.asked));
        out.push_str(&format!(
            "{INDENT}{word}  {} -> {}      expected answered, observed {found}\n",
            it.from, it.service
        ));
        out.push_str(&detail("because", answers::detail(&it.asked), ""));
        out.push_str(&detail(
            "expected by",
            &format!("answered: {} -> {}", it.from, it.service),
            &it.place.to_string(),
        ));
    }
    let line = |it: &AnswerResult| {
        let said = text::shown(answers::detail(&it.asked));
        format!("{INDENT}{} -> {}  answered; {said}\n", it.from, it.service)
    };
    out + &few(right.into_iter().map(line).collect(), style)
}

/// What load balancers do, and think of those behind them.
fn balanced(step: &StepResult, style: Style) -> String {
    let (right, others): (Vec<_>, Vec<_>) = step.balanced.iter().partition(|it| it.is_right());
    let mut out = String::new();
    for it in others {
        let unproved = it.proof == Proof::Unproved;
        let word = if unproved { style.paint(Tone::Unsure, "UNPROVED") } else { style.paint(Tone::Bad, "WRONG") };
        out.push_str(&format!("{INDENT}{word}  {}\n", it.expected));
        out.push_str(&detail("observed", &it.found, ""));
        out.push_str(&detail("see", &it.place.to_string(), ""));
    }
    let line = |it: &BalancedResult| match it.expected.contains(" answered by ") {
        true => format!("{INDENT}{}\n", text::shown(&it.expected)),
        false => format!("{INDENT}{}  {}\n", text::shown(&it.expected), text::shown(&it.found)),
    };
    out + &few(right.into_iter().map(line).collect(), style)
}

/// What flow logs say.
fn flow_logs(step: &StepResult, style: Style) -> String {
    let (right, others): (Vec<_>, Vec<_>) = step.flow_logs.iter().partition(|it| it.is_right());
    let mut out = String::new();
    for (index, it) in others.iter().enumerate() {
        let unproved = it.proof == Proof::Unproved;
        let word = if unproved { style.paint(Tone::Unsure, "UNPROVED") } else { style.paint(Tone::Bad, "WRONG") };
        out.push_str(&format!("{INDENT}{word}  flow log of {}  {}\n", it.interface, it.expected));
        // What is said of many in a row is said once.
        if others.get(index + 1).is_none_or(|next| next.found != it.found) {
            out.push_str(&detail("observed", &it.found, ""));
            out.push_str(&detail("see", &it.place.to_string(), ""));
        }
    }
    let line = |it: &FlowLogResult| format!("{INDENT}flow log of {}  {}\n", it.interface, it.expected);
    out + &few(right.into_iter().map(line).collect(), style)
}

fn detail(label: &str, what: &str, place: &str) -> String {
    let text = format!("{INDENT}          {label:<11}  {:<50}  {place}", text::shown(what));
    format!("{}\n", text.trim_end())
}

/// What the step itself asked about, and how it came out.
fn flows(head: &Head, step: &StepResult, style: Style) -> String {
    let right: Vec<&FlowResult> = step.flows.iter().filter(|flow| flow.right).collect();
    let fate = |flow: &FlowResult| {
        let why = match &flow.rule {
            Some(rule) => format!(", by {}", text::rule(rule)),
            None => flow.reason.as_ref().map_or_else(String::new, |reason| format!("; {}", text::shown(reason))),
        };
        format!("{}{why}{}", text::outcome(&flow.outcome), text::resolved(flow.resolved))
    };
    let bundles = bundle::bundle(right.iter().map(|flow| (&flow.flow, fate(flow))));
    let lines = bundles.iter().map(|it| format!("{INDENT}{}  {}\n", it.text(&head.hosts), it.key)).collect();
    few(lines, style)
}

fn changed(head: &Head, step: &StepResult, style: Style) -> String {
    let bundles = bundle::bundle(step.changed.iter().map(|cell| (&cell.flow, (cell.was, cell.now))));
    let lines = bundles.iter().map(|it| {
        let rules: IndexSet<&DecidingRule> =
            it.members.iter().filter_map(|&index| step.changed.get(index)?.rule.as_ref()).collect();
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
    if style.verbose || lines.len() <= FEW {
        return lines.concat();
    }
    let rest = lines.len() - FEW;
    format!("{}{INDENT}and {rest} more; --grid tells them\n", lines.into_iter().take(FEW).collect::<String>())
}

/// In full at the first step; where something is wrong, the rows that show it.
fn the_grid(head: &Head, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let said_before = earlier.iter().any(|before| {
        !before.wrong.is_empty()
            && step.wrong.iter().map(signature).all(|it| before.wrong.iter().map(signature).any(|seen| seen == it))
    });
    if style.grid {
        grid::grid(&step.grid, &head.hosts, Rows::All, style)
    } else if !step.wrong.is_empty() {
        if said_before { String::new() } else { grid::grid(&step.grid, &head.hosts, Rows::Wrong, style) }
    } else if earlier.is_empty() && step.status == StepStatus::Passed {
        grid::grid(&step.grid, &head.hosts, Rows::All, style)
    } else {
        String::new()
    }
}
