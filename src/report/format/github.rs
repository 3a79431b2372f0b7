//! Annotations that GitHub Actions shows beside the lines of a topology file.
//!
//! Source: "Workflow commands for GitHub Actions", setting an error message.

use std::fmt::Write as _;

use crate::report::annotation::{annotate, annotate_file};
use crate::report::{Entry, bundle, coverage, held_connections, text};
use crate::scenario::{CheckStatus, RunResult, StepStatus};

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
                None => annotate_file(&mut out, "error", &broken.file, NOT_RUN, &broken.error),
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
        if let Some(first) = step.model.flows.first() {
            let mut text = format!(
                "model and kernel disagree about {}, such as {}: the model says {}, the kernel {}",
                text::count(step.model.flows.len(), "cell"),
                first.flow,
                text::outcome(&first.predicted.outcome),
                text::outcome(&first.observed)
            );
            if let Some(disagreement) = &step.model.disagreement {
                let _ = write!(text, "\nevidence in {}", disagreement.folder);
            }
            annotate(out, "error", &step.place, &title, &text);
        }
        for it in &step.model.connections.disagreements {
            let mut text = format!("model and kernel disagree about a {}", held_connections::sentence(it));
            if let Some(disagreement) = &step.model.disagreement {
                let _ = write!(text, "\nevidence in {}", disagreement.folder);
            }
            annotate(out, "error", &step.place, &title, &text);
        }
        for it in step.model.connections.not_compared.iter().filter(|it| it.is_unproved()) {
            let text = format!("connection {}: not compared with the model: {}", it.name, it.reason);
            annotate(out, "warning", &step.place, &title, &text);
        }
        for finding in &step.findings {
            annotate(out, "error", &finding.place, &title, &finding.text);
        }
        for check in step.sections().filter(|check| !check.is_passed()) {
            let because = check.reason.as_ref().map_or_else(String::new, |reason| format!("\nbecause {reason}"));
            annotate(out, kind(check.status), check.place(), &title, &format!("{check}{because}"));
        }
        for (bundle, cells) in bundle::wrong(step.wrong()) {
            let fate = &bundle.key;
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
            if let Some(reason) = cells.iter().find_map(|(check, _)| check.reason.as_ref()) {
                let _ = write!(text, "\nbecause {reason}");
            }
            let _ = write!(text, "\nexpected by {}", fate.said.words);
            annotate(out, kind(fate.status), &fate.said.place, &title, &text);
        }
        if !step.probed.canaries_held {
            annotate(out, "warning", &step.place, &title, "the canaries did not hold, so nothing is proved");
        }
    }
    if let Some(it) = &result.coverage {
        coverage::annotate(out, it, (&result.head.file, result.head.era));
    }
    if let Some(step) = result.steps.iter().find(|step| !step.claims.is_empty()) {
        for claim in &step.claims {
            annotate(out, "notice", &step.place, "sglab", claim);
        }
    }
}

fn kind(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Passed => "notice",
        CheckStatus::Failed => "error",
        CheckStatus::Inconclusive => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::annotation::{message, property};
    use crate::report::testing;

    fn wrong_cells_are_errors_where_the_expectation_stands() -> String {
        let mut result = testing::failed();
        result.steps.truncate(1);
        github(&[result.into()])
    }

    fn what_is_not_proved_is_a_warning_and_a_claim_is_a_notice() -> String {
        github(&[testing::inconclusive().into(), testing::claimed().into()])
    }

    /// Of every kind.
    #[test]
    fn annotations_read_like_this() {
        let all = [
            (
                "wrong cells are errors where the expectation stands",
                wrong_cells_are_errors_where_the_expectation_stands(),
            ),
            (
                "what is not proved is a warning and a claim is a notice",
                what_is_not_proved_is_a_warning_and_a_claim_is_a_notice(),
            ),
        ];
        insta::assert_snapshot!(testing::sections(&all));
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
