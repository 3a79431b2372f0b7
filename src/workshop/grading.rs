//! Grading of a person's predictions against what was found.

use std::net::IpAddr;

use serde::Serialize;

use super::questions::{Puzzle, Trap, answer};
use crate::probe::{Held, Outcome};
use crate::scenario::held;
use crate::scenario::results::{Class, DecidingRule, StepResult};
use crate::scenario::subject::Subject;
use crate::topology::Prediction;

/// Result of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As predicted.
    Right,
    /// Otherwise.
    Wrong,
    /// Nobody predicted anything.
    Skipped,
    /// Nothing was proved, so that nobody was right or wrong.
    Unproved,
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradedAnswer {
    /// Subject of the question.
    pub subject: Subject,
    /// Reason why people expect something else.
    pub trap: Option<Trap>,
    /// Prediction that was made, if any.
    pub predicted: Option<Prediction>,
    /// Observed outcome, in a word.
    pub observed: &'static str,
    /// The evidence, of a flow.
    pub outcome: Option<Outcome>,
    /// Mark of the prediction.
    pub mark: Mark,
    /// The rule that let it in.
    pub rule: Option<DecidingRule>,
    /// Reason for the outcome, where that can be said.
    pub reason: Option<String>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
}

/// Score of predictions, by mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// As predicted.
    pub right: usize,
    /// Otherwise.
    pub wrong: usize,
    /// Not predicted.
    pub skipped: usize,
    /// Not proved, and so not counted.
    pub unproved: usize,
}

impl Score {
    /// Counts the answers of a step.
    pub fn add(&mut self, told: &[GradedAnswer]) {
        for it in told {
            *match it.mark {
                Mark::Right => &mut self.right,
                Mark::Wrong => &mut self.wrong,
                Mark::Skipped => &mut self.skipped,
                Mark::Unproved => &mut self.unproved,
            } += 1;
        }
    }
}

/// Gives the right answer to a question about a held connection.
fn answer_of_held(found: &Held) -> Option<Prediction> {
    match found {
        Held::Alive => Some(Prediction::Alive),
        Held::Cut(_) => Some(Prediction::Cut),
        Held::Gone { .. } => Some(Prediction::Gone),
        Held::Unanswerable(_) | Held::Inconclusive { .. } => None,
    }
}

/// Holds the predictions of a step against its result. A question without a prediction is skipped.
pub fn told(puzzles: &[Puzzle], predictions: &[Option<Prediction>], step: &StepResult) -> Vec<GradedAnswer> {
    let one = |(index, puzzle): (usize, &Puzzle)| {
        let predicted = predictions.get(index).copied().flatten();
        let blank = GradedAnswer {
            subject: puzzle.subject.clone(),
            trap: puzzle.trap,
            predicted,
            observed: "not run",
            outcome: None,
            mark: Mark::Unproved,
            rule: None,
            reason: None,
            resolved: None,
        };
        let found = match &puzzle.subject {
            Subject::Flow(flow) => step.probed.asked.iter().find(|it| it.flow == *flow).map(|it| {
                let class = Class::of(&it.outcome);
                let told = GradedAnswer {
                    observed: class.as_str(),
                    outcome: Some(it.outcome.clone()),
                    rule: it.rule.clone(),
                    reason: it.reason.as_ref().map(ToString::to_string),
                    resolved: it.resolved,
                    ..blank.clone()
                };
                (told, answer(class))
            }),
            Subject::Connection(name) => step.connections().find(|(_, it)| it.name == *name).map(|(check, it)| {
                let told =
                    GradedAnswer { observed: held::word(&it.found), reason: check.reason.clone(), ..blank.clone() };
                (told, answer_of_held(&it.found))
            }),
        };
        let Some((told, right)) = found else { return blank };
        let mark = match (right, predicted) {
            (None, _) => Mark::Unproved,
            (Some(_), None) => Mark::Skipped,
            (Some(right), Some(predicted)) if right == predicted => Mark::Right,
            (Some(_), Some(_)) => Mark::Wrong,
        };
        GradedAnswer { mark, ..told }
    };
    puzzles.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Cloud, Flow};
    use crate::scenario::testing::{Double, by_the_article, flows, pattern, step, topology};
    use crate::scenario::{Options, Stepper, cells};
    use crate::topology::ExpectedOutcome;

    /// db1 -> db2 is dropped, web1 -> db1 is open, by the double.
    fn asked(
        answer: impl Fn(&Cloud, &Flow) -> Outcome + 'static,
        predictions: &[Option<Prediction>],
    ) -> Vec<(Mark, &'static str)> {
        let topology = topology(vec![step("one", vec![flows(ExpectedOutcome::Open, &["web1 -> db1:3306"])])]);
        let mut lab = Double::new(answer);
        let flow = |text: &str| cells::select(&pattern(text), None, &lab.cloud).expect("a flow").remove(0);
        let puzzles = ["db1 -> db2:3306", "web1 -> db1:3306", "web2 -> db1:3306"]
            .map(|text| Puzzle { subject: Subject::Flow(flow(text)), trap: None });
        let asked: Vec<Flow> = puzzles
            .iter()
            .filter_map(|it| if let Subject::Flow(flow) = &it.subject { Some(flow.clone()) } else { None })
            .collect();
        let mut stepper = Stepper::new(&mut lab, &topology, Duration::ZERO, Options::default());
        let result = futures::executor::block_on(stepper.take(&asked)).expect("a step").expect("a result");
        told(&puzzles, predictions, result).into_iter().map(|it| (it.mark, it.observed)).collect()
    }

    #[test]
    fn a_prediction_is_right_wrong_or_skipped() {
        let said = asked(by_the_article, &[Some(Prediction::Open), Some(Prediction::Open), None]);
        assert_eq!(said, [(Mark::Wrong, "dropped"), (Mark::Right, "open"), (Mark::Skipped, "open")]);
    }

    #[test]
    fn where_nothing_is_proved_nobody_is_right_or_wrong() {
        let nothing = |_: &Cloud, _: &Flow| Outcome::Inconclusive { why: crate::probe::MissingEvidence::NoTrace };
        let said = asked(nothing, &[Some(Prediction::Dropped), Some(Prediction::Open), None]);
        assert_eq!(said, [(Mark::Unproved, "inconclusive"); 3]);
    }
}
