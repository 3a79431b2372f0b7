//! Annotations that GitHub Actions shows beside the lines of a topology file.
//!
//! Source: "Workflow commands for GitHub Actions", setting an error message.

use std::fmt::Write as _;

use super::Entry;
use super::{bundle, coverage, followed, text};
use crate::model::Place;
use crate::probe::Held;
use crate::scenario::{Class, Proof, RunResult, StepStatus, answers, held};

/// One line for everything that is not as expected or not proved; nothing for what passed.
///
/// GitHub shows ten annotations of a kind and leaves out the rest, so cells with one fate are one annotation.
pub fn github(entries: &[Entry]) -> String {
    let mut out = String::new();
    for entry in entries {
        match entry {
            Entry::Ran(result) => run(&mut out, result),
            Entry::Broken(broken) => match &broken.place {
                Some(place) => annotate(&mut out, "error", place, NOT_RUN, &broken.error),
                None => {
                    let file = property(&broken.file);
                    let _ =
                        writeln!(out, "::error file={file},title={}::{}", property(NOT_RUN), message(&broken.error));
                }
            },
        }
    }
    out
}

const NOT_RUN: &str = "sglab: not run to the end";

fn run(out: &mut String, result: &RunResult) {
    for step in &result.steps {
        let title = format!("step {}: {} (era {})", step.number, step.name, result.head.era);
        if step.status == StepStatus::NotRun {
            continue;
        }
        if let Some(first) = step.disagreements.first() {
            let mut text = format!(
                "model and kernel disagree about {}, such as {}: the model says {}, the kernel {}",
                text::count(step.disagreements.len(), "cell"),
                first.flow,
                text::outcome(&first.predicted.outcome),
                text::outcome(&first.observed)
            );
            if let Some(dossier) = &step.dossier {
                let _ = write!(text, "\nevidence in {}", dossier.folder);
            }
            annotate(out, "error", &step.place, &title, &text);
        }
        for it in &step.followed.disagreements {
            let mut text = format!("model and kernel disagree about a {}", followed::sentence(it));
            if let Some(dossier) = &step.dossier {
                let _ = write!(text, "\nevidence in {}", dossier.folder);
            }
            annotate(out, "error", &step.place, &title, &text);
        }
        for it in step.followed.not_compared.iter().filter(|it| it.is_unproved()) {
            let text = format!("connection {}: not compared with the model: {}", it.name, it.reason);
            annotate(out, "warning", &step.place, &title, &text);
        }
        for finding in &step.findings {
            annotate(out, "error", &finding.place, &title, &finding.text);
        }
        for held in step.held.iter().filter(|held| !held.right) {
            let kind = if matches!(held.found, Held::Inconclusive { .. }) { "warning" } else { "error" };
            let (expected, found) = (held.expected.as_str(), held::word(&held.found));
            let because = held.reason.as_ref().map_or_else(String::new, |reason| format!("\nbecause {reason}"));
            let text = format!("connection {}: expected {expected}, observed {found}{because}", held.name);
            annotate(out, kind, &held.place, &title, &text);
        }
        for it in step.traffic.iter().filter(|it| !it.is_right()) {
            let kind = if it.is_wrong() { "error" } else { "warning" };
            let because = it.why().map_or_else(String::new, |why| format!("\nbecause {why}"));
            let text =
                format!("traffic {}: expected {}, observed {}{because}", it.flow, it.expectations(), it.observed());
            annotate(out, kind, &it.place, &title, &text);
        }
        for answer in step.answers.iter().filter(|answer| !answer.is_right()) {
            let kind = if answer.is_inconclusive() { "warning" } else { "error" };
            let (found, why) = (answers::word(&answer.asked), answers::detail(&answer.asked));
            let text =
                format!("{} -> {}: expected answered, observed {found}\nbecause {why}", answer.from, answer.service);
            annotate(out, kind, &answer.place, &title, &text);
        }
        for it in step.balanced.iter().filter(|it| !it.is_right()) {
            let kind = if it.proof == Proof::Unproved { "warning" } else { "error" };
            annotate(out, kind, &it.place, &title, &format!("expected {}, observed {}", it.expected, it.found));
        }
        for it in step.flow_logs.iter().filter(|it| !it.is_right()) {
            let kind = if it.proof == Proof::Unproved { "warning" } else { "error" };
            let text = format!("flow log of {}: expected {}, observed {}", it.interface, it.expected, it.found);
            annotate(out, kind, &it.place, &title, &text);
        }
        for (bundle, cells) in bundle::wrong(&step.wrong) {
            let fate = &bundle.key;
            let kind = if fate.class == Class::Inconclusive { "warning" } else { "error" };
            let mut text = format!(
                "{}: expected {}, observed {}",
                bundle.text(&result.head.hosts),
                fate.expected,
                fate.class.as_str()
            );
            if let Some(rule) = &fate.rule {
                let place = rule.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
                let _ = write!(text, "\nadmitted by {}{place}", text::rule(rule));
            }
            if let Some(reason) = cells.iter().find_map(|cell| cell.reason.as_ref()) {
                let _ = write!(text, "\nbecause {reason}");
            }
            let _ = write!(text, "\nexpected by {}", fate.said.words);
            annotate(out, kind, &fate.said.place, &title, &text);
        }
        if !step.canaries_held {
            annotate(out, "warning", &step.place, &title, "the canaries did not hold, so nothing is proved");
        }
    }
    if let Some(it) = &result.coverage {
        coverage::annotate(out, it, result.head.era);
    }
    if let Some(step) = result.steps.iter().find(|step| !step.claims.is_empty()) {
        for claim in &step.claims {
            annotate(out, "notice", &step.place, "sglab", claim);
        }
    }
}

pub(super) fn annotate(out: &mut String, kind: &str, place: &Place, title: &str, text: &str) {
    let _ = writeln!(
        out,
        "::{kind} file={},line={},col={},title={}::{}",
        property(&place.file),
        place.line,
        place.column,
        property(title),
        message(text)
    );
}

/// What comes after the second pair of colons. Its lines may be several, and only GitHub shows them as such.
fn message(text: &str) -> String {
    text::shown_lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;
    use insta::assert_snapshot;

    #[test]
    fn wrong_cells_are_errors_where_the_expectation_stands() {
        let mut result = testing::failed();
        result.steps.truncate(1);
        assert_snapshot!(github(&[result.into()]));
    }

    #[test]
    fn what_is_not_proved_is_a_warning_and_a_claim_is_a_notice() {
        assert_snapshot!(github(&[testing::inconclusive().into(), testing::claimed().into()]));
    }

    #[test]
    fn what_passed_is_not_annotated() {
        assert_eq!(github(&[testing::passed().into()]), "");
    }

    #[test]
    fn nothing_in_a_text_can_end_the_line_or_the_property() {
        assert_eq!(property("a:b,c%d\ne"), "a%3Ab%2Cc%25d%0Ae");
        assert_eq!(message("100%: a, b"), "100%25: a, b");
        assert_eq!(message("a\u{1b}[1m\r"), "a\\u{1b}[1m\\r");
    }
}
