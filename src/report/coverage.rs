//! Coverage of rules: those that nothing exercised, as text, JSON and annotations.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::{self, Tone};
use super::{Style, annotation};
use crate::model::{Direction, Era};
use crate::scenario::{CountedRule, Coverage, DecidingRule};

#[derive(Serialize)]
pub(super) struct Json<'a> {
    required: bool,
    unread: Option<&'a str>,
    unexercised: Option<usize>,
    unprovable: Option<usize>,
    rules: Vec<Counted<'a>>,
}

#[derive(Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    rule: &'a DecidingRule,
    direction: Direction,
    packets: Option<u64>,
    recorded: bool,
    exercised: Option<bool>,
    unprovable: Option<String>,
}

/// The section of a run in the JSON form.
pub(super) fn json(coverage: &Coverage) -> Json<'_> {
    let known = coverage.unread.is_none();
    Json {
        required: coverage.required,
        unread: coverage.unread.as_deref(),
        unexercised: known.then(|| coverage.unexercised().len()),
        unprovable: known.then(|| coverage.unprovable().len()),
        rules: coverage
            .rules
            .iter()
            .map(|it| Counted {
                rule: &it.rule,
                direction: it.direction,
                packets: known.then_some(it.packets),
                recorded: it.recorded,
                exercised: known.then(|| it.is_exercised()),
                unprovable: it.unprovable.map(|why| why.to_string()),
            })
            .collect(),
    }
}

/// The section before the verdict; nothing where there is nothing to tell.
pub(super) fn section(coverage: &Coverage, style: Style) -> String {
    let mut out = String::new();
    if let Some(why) = &coverage.unread {
        let head = style.paint(Tone::Unsure, "RULES");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{head}  what no packet matched is not known: {why}");
        return out;
    }
    let unexercised = coverage.unexercised();
    if !unexercised.is_empty() {
        let tone = if coverage.required { Tone::Bad } else { Tone::Unsure };
        let _ = writeln!(out, "{}  {}", style.paint(tone, "UNEXERCISED"), summary(coverage));
        unexercised.iter().for_each(|it| out.push_str(&line(it)));
    } else if coverage.required {
        let _ = writeln!(out, "{}  {}", style.paint(Tone::Good, "RULES"), summary(coverage));
    }
    let unprovable = coverage.unprovable();
    if !unprovable.is_empty() {
        let head = style.paint(Tone::Unsure, "NOT PROVABLE");
        let (none, all) = (text::number(unprovable.len()), text::count(coverage.rules.len(), "rule"));
        let verb = if unprovable.len() == 1 { "admits" } else { "admit" };
        let _ = writeln!(out, "{head}  {none} of {all} {verb} only what no probe can ask for");
        for (it, why) in unprovable {
            out.push_str(&line(it));
            let _ = writeln!(out, "         {why}");
        }
    }
    for it in coverage.contradicted() {
        let rule = text::rule(&it.rule);
        let head = style.paint(Tone::Bad, "RULES");
        let _ = writeln!(out, "{head}  a log record names {rule}, and its own counters show no packet: a bug of sglab");
    }
    out
}

fn line(it: &CountedRule) -> String {
    let place = it.rule.place.as_ref().map_or_else(String::new, ToString::to_string);
    format!("       {:<50}  {place}", text::rule(&it.rule)).trim_end().to_owned() + "\n"
}

/// In a sentence.
pub(super) fn summary(coverage: &Coverage) -> String {
    let all = text::count(coverage.rules.len(), "rule");
    match (coverage.unread.as_ref(), coverage.unexercised().len()) {
        (Some(why), _) => format!("which of {all} were exercised is not known: {why}"),
        (None, 0) if !coverage.unprovable().is_empty() => {
            let none = coverage.unprovable().len();
            format!("packets of this run matched each of {all} but {}, which no probe can exercise", text::number(none))
        }
        (None, 0) => format!("packets of this run matched each of {all}"),
        (None, none) => format!("{} of {all} matched no packet of this run", text::number(none)),
    }
}

/// Annotates each rule at its place in the file: an error where coverage is required. Counters that could not be read are a warning of the
/// whole file.
pub(super) fn annotate(out: &mut String, coverage: &Coverage, (file, era): (&str, Era)) {
    if coverage.is_unproved() {
        let title = format!("sglab: coverage (era {era})");
        annotation::annotate_file(out, "warning", file, &title, &summary(coverage));
    }
    let kind = if coverage.required { "error" } else { "notice" };
    for it in coverage.unexercised() {
        if let Some(place) = &it.rule.place {
            let title = format!("sglab: unexercised rule (era {era})");
            annotation::annotate(out, kind, place, &title, &format!("no packet matched {}", text::rule(&it.rule)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DIFFERS, Entry, PASSED, exit_code, format::github, junit::junit, terminal, testing};

    fn told(required: bool) -> String {
        let result = testing::unexercised(required);
        let coverage = result.coverage.clone().expect("counters");
        let json = serde_json::to_string_pretty(&json(&coverage)).expect("JSON");
        let foot = terminal::foot(&result, Style::default());
        let entry = [Entry::from(result)];
        assert_eq!(exit_code(&entry), if required { DIFFERS } else { PASSED });
        format!("{foot}\n{json}\n{}\n{}", junit(&entry).expect("XML"), github(&entry))
    }

    /// It changes no verdict but where coverage is required: there it fails the run in every form.
    #[test]
    fn a_rule_that_nothing_exercised_is_told() {
        let all = [("told", told(false)), ("required", told(true)), ("recorded all the same", only_recorded())];
        insta::assert_snapshot!(testing::sections(&all));
    }

    #[test]
    fn where_the_counters_could_not_be_read_nothing_is_called_unexercised_and_what_was_required_is_unproved() {
        let mut coverage = testing::unexercised(true).coverage.expect("counters");
        coverage.unread = Some("nft failed".to_owned());
        assert!(coverage.unexercised().is_empty() && !coverage.is_wanting() && coverage.is_unproved());
        let text = section(&coverage, Style::default());
        assert_eq!(text, "RULES  what no packet matched is not known: nft failed\n");
        let mut result = testing::unexercised(true);
        result.coverage = Some(coverage);
        let told = github(&[result.into()]);
        assert!(told.contains("::warning file=") && told.contains("nft failed"), "{told}");
    }

    #[test]
    fn where_coverage_is_required_every_report_says_what_it_wants() {
        let result = testing::unexercised(true);
        let coverage = result.coverage.clone().expect("counters");
        let (rule, sentence) = (&coverage.unexercised()[0].rule.written, summary(&coverage));
        for (format, report) in testing::reports(&[result.into()]) {
            assert!(report.contains(rule) || report.contains(&sentence), "{format} does not say it:\n{report}");
        }
    }

    fn only_recorded() -> String {
        let mut coverage = testing::unexercised(false).coverage.expect("counters");
        coverage.rules[2].recorded = true;
        assert!(coverage.unexercised().is_empty());
        section(&coverage, Style::default())
    }
}
