//! Results for programs: the shape is documented in `docs/output.md`, and `format` counts its versions.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::terminal::NO_CELL;
use super::{Broken, Entry, coverage, held_connections, text};
use crate::model::{Endpoint, Era, Flow, HostIp, Via};
use crate::scenario::differences::{Difference, differences};
use crate::scenario::subject::Subject;
use crate::scenario::{CellDetails, CellSource, Check, Class, Grid, RunResult, StepResult};

mod document;

use document::*;
pub(super) use document::{Step, Which};

/// The version of the shape.
const FORMAT: u32 = 1;

/// The results as one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn json(entries: &[Entry], listed: Listed) -> Result<String, serde_json::Error> {
    let differences = differing(entries);
    let differences_left_out = listed.left_out(differences.len());
    let document = Document {
        format: FORMAT,
        exit_code: super::exit_code(entries),
        runs: entries
            .iter()
            .map(|entry| match entry {
                Entry::Ran(result) => Run::Ran(Box::new(ran(result, listed))),
                Entry::Broken(broken) => Run::Broken(failure(broken)),
            })
            .collect(),
        differences: listed.of(differences.into_iter()),
        differences_left_out,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// Cells that lists of a document hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The first [`MAX_LISTED`] of each list.
    Few,
    /// Every one.
    All,
}

/// Cells that a list holds unless all are asked for: a table of 300 instances has half a million.
pub const MAX_LISTED: usize = 1000;

impl Listed {
    fn of<T>(self, all: impl Iterator<Item = T>) -> Vec<T> {
        match self {
            Self::Few => all.take(MAX_LISTED).collect(),
            Self::All => all.collect(),
        }
    }

    fn left_out(self, of: usize) -> usize {
        match self {
            Self::Few => of.saturating_sub(MAX_LISTED),
            Self::All => 0,
        }
    }
}

/// Counts by what they have in common, in the order in which each is seen first.
fn counted<K: std::hash::Hash + Eq, T>(keys: impl Iterator<Item = K>, make: impl Fn(K, usize) -> T) -> Vec<T> {
    let mut counts: IndexMap<K, usize> = IndexMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts.into_iter().map(|(key, cells)| make(key, cells)).collect()
}

fn differing(entries: &[Entry]) -> Vec<Differing> {
    let mut files: IndexMap<&str, Vec<&RunResult>> = IndexMap::new();
    for entry in entries {
        if let Entry::Ran(result) = entry {
            files.entry(&result.head.file).or_default().push(result);
        }
    }
    let of_file = |runs: Vec<&RunResult>| {
        let eras: Vec<Era> = runs.iter().map(|run| run.head.era).collect();
        let file = runs.first().map(|run| Arc::clone(&run.head.file)).unwrap_or_default();
        let one = move |it: Difference| Differing {
            file: Arc::clone(&file),
            steps: eras.iter().copied().zip(it.steps).collect(),
            outcomes: eras.iter().copied().zip(it.outcomes).collect(),
            flow: if let Subject::Flow(flow) = &it.subject { Some(which(flow)) } else { None },
            connection: if let Subject::Connection(name) = it.subject { Some(name) } else { None },
        };
        differences(&runs).into_iter().map(one).collect::<Vec<_>>()
    };
    files.into_values().flat_map(of_file).collect()
}

fn failure(broken: &Broken) -> Failure<'_> {
    Failure {
        file: &broken.file,
        era: broken.era,
        verdict: "error",
        error: &broken.error,
        place: broken.place.as_ref(),
    }
}

fn ran(result: &RunResult, listed: Listed) -> Ran<'_> {
    let head = &result.head;
    Ran {
        file: &head.file,
        topology: &head.topology,
        era: head.era,
        verdict: result.verdict,
        evidence: head.evidence,
        services: head.services,
        instances: head.instances,
        addresses: head.addresses(),
        groups: head.groups,
        rules: head.rules,
        boot_ms: ms(head.boot),
        took_ms: ms(result.took),
        counts: result.counts,
        claims: result.claims(),
        coverage: result.coverage.as_ref().map(coverage::json),
        steps: result.steps.iter().map(|it| step(it, listed)).collect(),
    }
}

pub(super) fn step(step: &StepResult, listed: Listed) -> Step<'_> {
    let own = || step.cells().filter(|(_, cell)| cell.by == CellSource::Step);
    let (changed, disagreements) = (&step.probed.changed, &step.model.flows);
    Step {
        number: step.number,
        name: &step.name,
        place: &step.place,
        note: step.note.as_deref(),
        status: step.status,
        counts: step.counts,
        canaries_held: step.probed.canaries_held,
        rules_edited: step.effects.rules_edited,
        in_force_ms: step.effects.in_force.map(ms),
        took_ms: ms(step.took),
        grid: (!step.probed.grid.rows.is_empty()).then(|| table(&step.probed.grid)),
        flows: listed.of(own().map(cell)),
        wrong: listed.of(step.wrong().map(cell)),
        wrong_by_class: counted(
            step.wrong().map(|(_, cell)| (cell.expected, Class::of(&cell.outcome))),
            |(expected, observed), cells| WrongOfClass { expected, observed, cells },
        ),
        changed_by_class: counted(changed.iter().map(|it| (it.was, it.now)), |(was, now), cells| ChangedOfClass {
            was,
            now,
            cells,
        }),
        left_out: LeftOut {
            flows: listed.left_out(own().count()),
            wrong: listed.left_out(step.wrong().count()),
            disagreements: listed.left_out(disagreements.len()),
            changed: listed.left_out(changed.len()),
        },
        disagreements: listed.of(disagreements.iter().map(|it| Disagreeing {
            flow: which(&it.flow),
            predicted: Class::of(&it.predicted.outcome),
            predicted_detail: text::outcome(&it.predicted.outcome),
            observed: Class::of(&it.observed),
            detail: text::outcome(&it.observed),
        })),
        evidence: step.model.disagreement.as_ref().map(|disagreement| disagreement.folder.as_str()),
        connection_disagreements: held_connections::disagreements(step),
        connections_not_compared: held_connections::not_compared(step),
        sections: Sections(&step.checks),
        findings: &step.findings,
        changed: listed.of(changed.iter().map(|it| Changed {
            flow: which(&it.flow),
            was: it.was,
            now: it.now,
            rule: it.rule.as_ref(),
        })),
        addresses: &step.effects.addresses,
        claims: &step.claims,
    }
}

fn cell<'a>((check, cell): (&'a Check, &'a CellDetails)) -> Cell<'a> {
    Cell {
        flow: which(&cell.flow),
        expected: cell.expected,
        expected_at: cell.at,
        observed: Class::of(&cell.outcome),
        detail: text::outcome(&cell.outcome),
        reason: check.reason.as_deref(),
        right: check.is_passed(),
        rule: cell.rule.as_ref(),
        resolved: cell.resolved,
        expected_by: Some(&check.said),
    }
}

fn table(grid: &Grid) -> Table<'_> {
    let letter = |cell: &Option<crate::scenario::Cell>| cell.map_or(NO_CELL, |cell| cell.class.letter());
    let letters = |cells: &Vec<Option<crate::scenario::Cell>>| cells.iter().map(letter).collect();
    Table {
        services: &grid.services,
        targets: grid.targets.iter().map(receiver).collect(),
        rows: grid
            .rows
            .iter()
            .map(|row| Row {
                from: row.from.to_string(),
                address: address(&row.from),
                via: row.via.unwrap_or(Via::Private),
                cells: row.blocks.iter().map(|block| block.as_ref().map(letters)).collect(),
            })
            .collect(),
    }
}

pub(super) fn which(flow: &Flow) -> Which {
    Which {
        from: flow.from.to_string(),
        from_address: address(&flow.from),
        to: flow.to.to_string(),
        to_address: address(&flow.to),
        via: flow.via,
        service: flow.service,
    }
}

/// A receiver, of a host with its address.
pub(super) fn receiver(end: &Endpoint) -> String {
    address(end).map_or_else(|| end.to_string(), |address| format!("{end} ({address})"))
}

/// Of a host, to tell its addresses apart.
fn address(end: &Endpoint) -> Option<HostIp> {
    match end {
        Endpoint::Host(_, address) => Some(*address),
        Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) => None,
    }
}

/// Milliseconds, to the microsecond.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn a_failing_run_has_this_shape() -> String {
        let mut result = testing::failed();
        result.steps.truncate(2);
        json(&[result.into()], Listed::Few).unwrap()
    }

    #[test]
    fn what_is_long_is_cut_and_counted_unless_all_of_it_is_asked_for() {
        let mut result = testing::failed();
        result.steps.truncate(1);
        let step = &mut result.steps[0];
        let wrong: Vec<_> = step.checks.iter().filter(|check| check.is_failed()).cloned().collect();
        let many = wrong.iter().cycle().take(MAX_LISTED + 200).cloned();
        step.checks = many.collect();
        let entries = [result.into()];
        let of = |listed| -> serde_json::Value {
            let text = json(&entries, listed).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["runs"][0]["steps"][0].take()
        };
        let (few, all) = (of(Listed::Few), of(Listed::All));
        let length = |step: &serde_json::Value| step["wrong"].as_array().unwrap().len();
        assert_eq!((length(&few), length(&all)), (MAX_LISTED, MAX_LISTED + 200));
        assert_eq!((&few["left_out"]["wrong"], &all["left_out"]["wrong"]), (&200.into(), &0.into()));
        assert_eq!(few["wrong_by_class"], all["wrong_by_class"]);
        let counted = few["wrong_by_class"].as_array().unwrap().iter().map(|it| it["cells"].as_u64().unwrap());
        assert_eq!(counted.sum::<u64>(), MAX_LISTED as u64 + 200);
    }

    /// In a [`serde_json::Value`] the last of two would be left.
    #[test]
    fn no_key_is_twice_in_a_step() {
        let result = testing::failed();
        let text = serde_json::to_string_pretty(&step(&result.steps[0], Listed::Few)).unwrap();
        let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
        let mut once = keys.clone();
        once.sort_unstable();
        once.dedup();
        assert!(crate::scenario::SECTIONS.iter().all(|section| keys.contains(&section.key)), "{keys:?}");
        assert_eq!(once.len(), keys.len(), "a section has the key of another part of a step: {keys:?}");
    }

    fn a_file_that_could_not_be_run_has_this_shape() -> String {
        let broken = Broken {
            file: "gone.yaml".into(),
            era: None,
            place: None,
            error: "no such file".to_owned(),
            exit_code: crate::report::BAD_INPUT,
        };
        json(&[Entry::Broken(broken)], Listed::Few).unwrap()
    }

    /// Of a run that fails, and of a file that was not run.
    #[test]
    fn documents_have_this_shape() {
        let all = [
            ("a failing run has this shape", a_failing_run_has_this_shape()),
            ("a file that could not be run has this shape", a_file_that_could_not_be_run_has_this_shape()),
        ];
        insta::assert_snapshot!(testing::sections(&all));
    }
}
