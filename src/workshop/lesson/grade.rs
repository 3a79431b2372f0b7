//! The grade of a file that was handed in: the rule that leaks and the one that is missing, each with its cells.

use indexmap::IndexMap;
use serde::Serialize;

use super::assess::{Assessment, LIMIT_COSTS, Wrong, WrongKind};
use super::fates::moments;
use super::goal::{CLOSED, OPENED};
use super::limits::BrokenLimit;
use crate::scenario::{Evidence, demand};
use crate::topology::{Problems, Topology};

/// Maximum number of flows that are named for each fault.
const MAX_FLOWS: usize = 4;

/// Maximum number of cells of a step that is run for somebody.
pub const MAX_CELLS: usize = 20_000;

/// Returns the scheme of a score, for reports.
pub fn scheme() -> Vec<String> {
    vec![
        "Only what the start file has otherwise than the solution counts: the start file as it is given scores 0."
            .to_owned(),
        format!(
            "A cell that must come to be open counts {OPENED}, one that must come to be closed {CLOSED}; another expectation as its kind."
        ),
        format!(
            "What was right in the start file and is wrong now is taken off: {OPENED} for what is missing, {CLOSED} for a leak."
        ),
        format!(
            "The score is the share of these points in a hundred, rounded down, not below 0; each limit that is not kept costs {LIMIT_COSTS}."
        ),
        "What the packets do not prove counts neither way. A file that cannot be read scores 0.".to_owned(),
    ]
}

/// One participant.
#[derive(Clone, Debug, Serialize)]
pub struct Graded {
    /// Name of the participant, or a number.
    pub participant: String,
    /// The file, by which places are told.
    pub file: String,
    /// From 0 to 100.
    pub score: u32,
    /// True if the goal holds within the limits.
    pub holds: bool,
    /// Points of what counts and is right.
    pub right: usize,
    /// Points of what was spoilt.
    pub spoilt: usize,
    /// Points of the whole goal, without what could not be proved.
    pub of: usize,
    /// Number of cells that could not be proved.
    pub unproved: usize,
    /// Kind of evidence; none where the file was not run.
    pub evidence: Option<Evidence>,
    /// Faults, leaks first.
    pub faults: Vec<Fault>,
    /// Limits that are not kept.
    pub limits: Vec<BrokenLimit>,
    /// Reason why the file was not run.
    pub refused: Option<Refused>,
}

/// Reason why a file was not run.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// A sentence.
    pub why: String,
    /// Problems of the file, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<Problems>,
}

/// A fault with the cells that show it.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// Kind of fault.
    pub kind: WrongKind,
    /// The rule that leaks, the one that is missing, or the expectation, in a sentence.
    pub what: String,
    /// Place of the rule that leaks.
    pub place: Option<String>,
    /// Number of cells.
    pub cells: usize,
    /// Some of them, with their steps.
    pub flows: Vec<String>,
    /// True if the file as given has it too.
    pub given: bool,
}

impl Graded {
    /// A file that was run.
    pub fn assessed(participant: &str, file: &str, assessment: Assessment) -> Self {
        Self {
            participant: participant.to_owned(),
            file: file.to_owned(),
            score: assessment.score,
            holds: assessment.holds,
            right: assessment.right,
            spoilt: assessment.spoilt,
            of: assessment.of,
            unproved: assessment.unproved,
            evidence: assessment.evidence,
            faults: faults(&assessment.wrong),
            limits: assessment.broken,
            refused: None,
        }
    }

    /// A file that was not run.
    pub fn refused(participant: &str, file: &str, of: usize, refused: Refused) -> Self {
        Self {
            participant: participant.to_owned(),
            file: file.to_owned(),
            score: 0,
            holds: false,
            right: 0,
            spoilt: 0,
            of,
            unproved: 0,
            evidence: None,
            faults: Vec::new(),
            limits: Vec::new(),
            refused: Some(refused),
        }
    }
}

/// Reports whether a file has more cells at a step than are run for somebody.
pub fn is_too_large(topology: &Topology) -> bool {
    let clouds = topology.eras.iter().flat_map(|era| moments(topology, *era));
    clouds
        .into_iter()
        .any(|(_, cloud)| demand::extent(topology, &cloud).grid(&cloud, &topology.columns).nth(MAX_CELLS).is_some())
}

/// Puts cells together that one rule explains.
pub fn faults(wrong: &[Wrong]) -> Vec<Fault> {
    let mut all: IndexMap<(WrongKind, String), Fault> = IndexMap::new();
    for it in wrong {
        let (what, place) = told(it);
        let fault = all.entry((it.kind, what.clone())).or_insert_with(|| Fault {
            kind: it.kind,
            what,
            place,
            cells: 0,
            flows: Vec::new(),
            given: it.given,
        });
        fault.cells += 1;
        fault.given &= it.given;
        let flow = format!("{}: {}", it.moment(), it.subject);
        if fault.flows.len() < MAX_FLOWS && it.flow.is_some() && !fault.flows.contains(&flow) {
            fault.flows.push(flow);
        }
    }
    all.into_values().collect()
}

fn told(wrong: &Wrong) -> (String, Option<String>) {
    if let Some(rule) = &wrong.rule {
        let place = rule.place.as_ref().map(ToString::to_string);
        let then = wrong.missing.as_ref().map_or_else(String::new, |missing| format!("; without it {missing}"));
        return (format!("{} \"{}\" lets through what must be dropped{then}", rule.group, rule.written), place);
    }
    if let Some(missing) = &wrong.missing {
        return (missing.to_string(), None);
    }
    let why = wrong.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let subject = &wrong.subject;
    let what = match (wrong.kind, &wrong.flow) {
        (WrongKind::Leak, Some(_)) => format!("nothing stops {subject}{why}"),
        (WrongKind::Missing, Some(_)) => format!("{subject} does not get through{why}"),
        (WrongKind::Leak | WrongKind::Missing, None) => format!("{subject}{why}"),
        (WrongKind::Other, _) => format!("{}: {subject}{why}", wrong.moment()),
    };
    (what, None)
}
