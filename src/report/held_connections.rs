//! Connections that are held, by the model and by the packets, in words.

use serde::Serialize;

use super::Style;
use super::text::{self, Tone};
use crate::scenario::{Compared, HeldDisagreement, NotCompared, StepResult, held};

/// Describes the observation of the packets: `alive`, `cut; not tracked at the ingress of db1, and ...`.
pub fn observed(it: &HeldDisagreement) -> String {
    let because = held::reason(&it.observed).map_or_else(String::new, |reason| format!("; {}", text::shown(&reason)));
    format!("{}{because}", held::word(&it.observed))
}

/// One disagreement as a sentence.
pub fn sentence(it: &HeldDisagreement) -> String {
    format!("connection {} ({}): the model says {}, the kernel {}", it.name, it.flow, it.predicted, observed(it))
}

/// `1 cell`, `1 cell and 2 connections`: of what model and kernel say different things at a step.
pub fn disagreeing(step: &StepResult) -> Option<String> {
    let kinds = [(step.model.flows.len(), "cell"), (step.model.connections.disagreements.len(), "connection")];
    let counted: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, word)| text::count(*count, word)).collect();
    (!counted.is_empty()).then(|| counted.join(" and "))
}

/// Lines of a step: each disagreement, and what was not compared unless a step before has said so.
pub fn lines(indent: &str, earlier: &[StepResult], step: &StepResult, style: Style) -> String {
    let mut out = String::new();
    for it in &step.model.connections.disagreements {
        let word = style.paint(Tone::Bad, "DISAGREE");
        out.push_str(&format!("{indent}{word}  {}\n", sentence(it)));
    }
    let is_said = |it: &NotCompared| earlier.iter().any(|before| before.model.connections.not_compared.contains(it));
    for it in step.model.connections.not_compared.iter().filter(|it| style.verbose || !is_said(it)) {
        let word = if it.is_unproved() { style.paint(Tone::Unsure, "UNPROVED") + "  " } else { String::new() };
        out.push_str(&format!(
            "{indent}{word}connection {}  not compared with the model: {}\n",
            it.name,
            text::shown(&it.reason)
        ));
    }
    out
}

/// Counts the connections for the foot of a run: `2 connections as the model says`, as far as there are any; each is counted at each step.
pub fn foot(steps: &[StepResult]) -> String {
    let sum = |count: fn(&Compared) -> usize| steps.iter().map(|step| count(&step.model.connections)).sum::<usize>();
    let (compared, others) = (sum(|it| it.compared), sum(|it| it.not_compared.len()));
    match (compared, others) {
        (0, 0) => String::new(),
        (compared, 0) => format!(", {} compared", text::count(compared, "connection")),
        (compared, others) => {
            format!(", {} compared and {} not", text::count(compared, "connection"), text::number(others))
        }
    }
}

/// A connection of which model and kernel say different things.
#[derive(Serialize)]
pub struct Disagreeing<'a> {
    connection: &'a str,
    flow: String,
    predicted: &'static str,
    predicted_detail: String,
    observed: &'static str,
    detail: String,
}

/// A connection that was not held against the model.
#[derive(Serialize)]
pub struct Uncompared<'a> {
    connection: &'a str,
    flow: String,
    why: &'static str,
    reason: &'a str,
}

/// For JSON: those that differ.
pub fn disagreements(step: &StepResult) -> Vec<Disagreeing<'_>> {
    fn one(it: &HeldDisagreement) -> Disagreeing<'_> {
        let HeldDisagreement { name, flow, predicted: foretold, observed: held, is_new: _ } = it;
        Disagreeing {
            connection: name.as_str(),
            flow: flow.to_string(),
            predicted: foretold.word(),
            predicted_detail: foretold.to_string(),
            observed: held::word(held),
            detail: observed(it),
        }
    }
    step.model.connections.disagreements.iter().map(one).collect()
}

/// For JSON: those that were not compared.
pub fn not_compared(step: &StepResult) -> Vec<Uncompared<'_>> {
    fn one(it: &NotCompared) -> Uncompared<'_> {
        Uncompared {
            connection: it.name.as_str(),
            flow: it.flow.to_string(),
            why: if it.is_unproved() { "unproved" } else { "limit" },
            reason: &it.reason,
        }
    }
    step.model.connections.not_compared.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use crate::report::{Style, format::github, json, junit, terminal, testing};

    #[test]
    fn a_connection_of_which_model_and_kernel_say_different_things_is_in_every_report() {
        let all = [testing::disagreeing().into()];
        let text = terminal::entries(&all, Style::default());
        let document: serde_json::Value = serde_json::from_str(&json::json(&all, json::Listed::Few).unwrap()).unwrap();
        let step = &document["runs"][0]["steps"][0];
        let counts = &step["counts"];
        let parts = serde_json::json!({
            "counts": [&counts["connections"], &counts["connections_not_compared"]],
            "connection_disagreements": &step["connection_disagreements"],
            "connections_not_compared": &step["connections_not_compared"],
        });
        let (json, xml) = (format!("{parts:#}"), junit::junit(&all).unwrap());
        let all = [("text", text), ("json", json), ("junit", xml), ("github", github(&all))];
        insta::assert_snapshot!(testing::sections(&all));
    }

    #[test]
    fn every_report_says_what_the_kernel_has_made_of_it() {
        let observed = "not tracked at the ingress of db1, and no rule of SG-T-DB, SG-T-ADMIN admits it now";
        for (format, report) in testing::reports(&[testing::disagreeing().into()]) {
            assert!(report.contains(observed), "{format} does not say it:\n{report}");
        }
    }
}
