//! Results for programs: the shape is documented in `docs/output.md`, and `format` counts its versions.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::terminal::NO_CELL;
use super::{Broken, Entry, coverage, followed, text};
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
pub fn json(entries: &[Entry]) -> Result<String, serde_json::Error> {
    let document = Document {
        format: FORMAT,
        exit_code: super::exit_code(entries),
        runs: entries
            .iter()
            .map(|entry| match entry {
                Entry::Ran(result) => Run::Ran(Box::new(ran(result))),
                Entry::Broken(broken) => Run::Broken(failure(broken)),
            })
            .collect(),
        differences: differing(entries),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
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

fn ran(result: &RunResult) -> Ran<'_> {
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
        steps: result.steps.iter().map(step).collect(),
    }
}

pub(super) fn step(step: &StepResult) -> Step<'_> {
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
        flows: step.cells().filter(|(_, cell)| cell.by == CellSource::Step).map(cell).collect(),
        wrong: step.wrong().map(cell).collect(),
        disagreements: step
            .model
            .flows
            .iter()
            .map(|it| Disagreeing {
                flow: which(&it.flow),
                predicted: Class::of(&it.predicted.outcome),
                predicted_detail: text::outcome(&it.predicted.outcome),
                observed: Class::of(&it.observed),
                detail: text::outcome(&it.observed),
            })
            .collect(),
        evidence: step.model.dossier.as_ref().map(|dossier| dossier.folder.as_str()),
        connection_disagreements: followed::disagreements(step),
        connections_not_compared: followed::not_compared(step),
        sections: Sections(&step.checks),
        findings: &step.findings,
        changed: step
            .probed
            .changed
            .iter()
            .map(|it| Changed { flow: which(&it.flow), was: it.was, now: it.now, rule: it.rule.as_ref() })
            .collect(),
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
fn receiver(end: &Endpoint) -> String {
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

    #[test]
    fn a_failing_run_has_this_shape() {
        let mut result = testing::failed();
        result.steps.truncate(2);
        insta::assert_snapshot!(json(&[result.into()]).unwrap());
    }

    #[test]
    fn a_file_that_could_not_be_run_has_this_shape() {
        let broken = Broken {
            file: "gone.yaml".into(),
            era: None,
            place: None,
            error: "no such file".to_owned(),
            exit_code: crate::report::BAD_INPUT,
        };
        insta::assert_snapshot!(json(&[Entry::Broken(broken)]).unwrap());
    }
}
