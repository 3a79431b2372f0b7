//! Differences between the eras of one file: cells and connections that come out otherwise at the same moment of the story.
//!
//! A moment is a step that several eras take, or steps in a row that each belong to other eras: "the members talk" in a
//! VPC, and "they do not" in the article's world, are one moment told twice.

use indexmap::{IndexMap, IndexSet};

use super::held;
use super::results::{Class, RunResult, StepResult};
use super::subject::Subject;

/// One cell or connection that the eras decide otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step of each run, in their order; nothing for an era that has none at this moment.
    pub steps: Vec<Option<usize>>,
    /// Flow or connection that differs.
    pub subject: Subject,
    /// Outcome found by each run, in their order; nothing where it was not looked at.
    pub outcomes: Vec<Option<&'static str>>,
}

impl Difference {
    /// The last step of its moment.
    pub fn last_step(&self) -> Option<usize> {
        self.steps.iter().flatten().max().copied()
    }
}

/// Lists the differences between the runs of one file, one run an era, in the order of the file. What is not proved is no difference.
pub fn differences(runs: &[&RunResult]) -> Vec<Difference> {
    moments(runs).iter().flat_map(|moment| of_moment(moment)).collect()
}

fn of_moment(moment: &[Option<&StepResult>]) -> Vec<Difference> {
    let mut found: IndexMap<Subject, Vec<Option<&'static str>>> = IndexMap::new();
    let mut note = |index: usize, subject: Subject, word: &'static str| {
        let words = found.entry(subject).or_insert_with(|| vec![None; moment.len()]);
        if let Some(slot) = words.get_mut(index) {
            *slot = Some(word);
        }
    };
    for (index, step) in moment.iter().enumerate() {
        let Some(step) = step else { continue };
        for (flow, class) in &step.probed.observed {
            note(index, Subject::Flow(flow.clone()), class.as_str());
        }
        for (_, it) in step.connections() {
            note(index, Subject::Connection(it.name.clone()), held::word(&it.found));
        }
    }
    let steps: Vec<Option<usize>> = moment.iter().map(|step| step.map(|step| step.number)).collect();
    let differ = |words: &[Option<&'static str>]| {
        let known = words.iter().flatten().filter(|word| **word != Class::Inconclusive.as_str());
        known.collect::<IndexSet<_>>().len() > 1
    };
    found
        .into_iter()
        .filter(|(_, outcomes)| differ(outcomes))
        .map(|(subject, outcomes)| Difference { steps: steps.clone(), subject, outcomes })
        .collect()
}

/// The moments of a story, each with the step of every run.
fn moments<'a>(runs: &[&'a RunResult]) -> Vec<Vec<Option<&'a StepResult>>> {
    let numbers: IndexSet<usize> = {
        let mut all: Vec<usize> = runs.iter().flat_map(|run| run.steps.iter().map(|step| step.number)).collect();
        all.sort_unstable();
        all.into_iter().collect()
    };
    let mut moments: Vec<Vec<Option<&StepResult>>> = Vec::new();
    for number in numbers {
        let steps: Vec<Option<&StepResult>> =
            runs.iter().map(|run| run.steps.iter().find(|step| step.number == number)).collect();
        match moments.last_mut() {
            Some(last) if last.iter().zip(&steps).all(|(a, b)| a.is_none() || b.is_none()) => {
                for (slot, step) in last.iter_mut().zip(steps) {
                    *slot = slot.or(step);
                }
            }
            _ => moments.push(steps),
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{Double, dropped, flows, open, pattern, step, topology};
    use crate::scenario::{Options, run_on};
    use crate::topology::ExpectedOutcome;
    use std::time::Duration;

    fn run(lab: Double, names: &[&str]) -> RunResult {
        let expected = || vec![flows(ExpectedOutcome::Dropped, &["db1 -> db2:3306"])];
        let topology = topology(names.iter().map(|name| step(name, expected())).collect());
        let mut lab = lab;
        let options = Options::default();
        let mut ignore = |_: crate::scenario::Progress<'_>| ();
        let running = run_on(&mut lab, &topology, Duration::ZERO, &options, &mut ignore);
        let mut result = futures::executor::block_on(running).expect("a result");
        for (step, name) in result.steps.iter_mut().zip(names) {
            step.number = name.parse().expect("a number");
        }
        result
    }

    fn all_open(_: &crate::model::Cloud, _: &crate::model::Flow) -> crate::probe::Outcome {
        open(1)
    }

    type Row = (Vec<Option<usize>>, Vec<Option<&'static str>>);

    fn only_dbs(runs: &[&RunResult]) -> Vec<Row> {
        let wanted =
            crate::scenario::cells::select(&pattern("db1 -> db2:3306"), None, &crate::scenario::testing::cloud());
        let wanted = Subject::Flow(wanted.expect("a flow").remove(0));
        differences(runs).into_iter().filter(|it| it.subject == wanted).map(|it| (it.steps, it.outcomes)).collect()
    }

    #[test]
    fn a_cell_of_one_step_that_eras_decide_otherwise_is_a_difference() {
        let (closed, opened) = (run(Double::new(dropped), &["1"]), run(Double::new(all_open), &["1"]));
        let expected = (vec![Some(1), Some(1)], vec![Some("dropped"), Some("open")]);
        assert_eq!(only_dbs(&[&closed, &opened]), [expected]);
        assert_eq!(only_dbs(&[&closed, &closed]), []);
    }

    #[test]
    fn steps_in_a_row_that_belong_to_other_eras_are_one_moment() {
        let (closed, opened) = (run(Double::new(dropped), &["1", "4"]), run(Double::new(all_open), &["2", "4"]));
        let told: Vec<_> = only_dbs(&[&closed, &opened]).into_iter().map(|(steps, _)| steps).collect();
        assert_eq!(told, [vec![Some(1), Some(2)], vec![Some(4), Some(4)]]);
    }

    #[test]
    fn what_is_not_proved_and_what_only_one_has_is_no_difference() {
        let unproved = |_: &crate::model::Cloud, _: &crate::model::Flow| crate::probe::Outcome::Inconclusive {
            why: crate::probe::MissingEvidence::NoTrace,
        };
        let (closed, unknown) = (run(Double::new(dropped), &["1"]), run(Double::new(unproved), &["1"]));
        assert_eq!(differences(&[&closed, &unknown]), []);
        // One step more, which the other does not have.
        let longer = run(Double::new(dropped), &["1", "2"]);
        assert_eq!(differences(&[&closed, &longer]), []);
    }
}
