//! From a file that shows something to a smaller one that still does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::apart;
use crate::draft::Diagnostic;
use crate::measure::{Kind, Report};

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub runs: usize,
    pub time: Duration,
}

/// The smallest file found, what it showed, and how many labs that took.
#[derive(Debug)]
pub struct Smallest {
    pub draft: Diagnostic,
    pub report: Report,
    pub runs: usize,
}

/// Takes lines out, many at a time at first, as long as a finding of the kind remains.
pub fn shrink(draft: Diagnostic, report: Report, kind: Kind, bound: Bound) -> Smallest {
    let begun = Instant::now();
    let mut best = Smallest { draft, report, runs: 0 };
    let cut = behind_the_finding(&best.draft, &best.report, kind);
    attempt(&mut best, kind, &cut);
    let mut size = best.draft.0.len().div_ceil(4).max(1);
    loop {
        let mut smaller = false;
        // From the end: what happens later depends on what stands before.
        let mut end = best.draft.0.len();
        while end > 0 {
            if best.runs >= bound.runs || begun.elapsed() >= bound.time {
                return best;
            }
            let start = end.saturating_sub(size);
            let lines = (start..end).filter(|at| best.draft.0.get(*at).is_some_and(|line| !line.fixed)).collect();
            smaller |= attempt(&mut best, kind, &lines);
            end = start.min(best.draft.0.len());
        }
        match (smaller, size) {
            (false, 1) => return best,
            (true, _) => {}
            (false, _) => size = (size / 2).max(1),
        }
    }
}

/// The steps after the one that showed it.
fn behind_the_finding(draft: &Diagnostic, report: &Report, kind: Kind) -> BTreeSet<usize> {
    let step = report.findings.iter().find(|finding| finding.kind == kind).map(|finding| finding.step.clone());
    let name = |step: &str| format!("- {{step: {step},");
    let at = step.and_then(|step| draft.0.iter().position(|line| line.text.starts_with(&name(&step))));
    let steps = draft.0.iter().enumerate().filter(|(_, line)| line.text.starts_with("- {step: ") && !line.fixed);
    match (at, report.findings.first().map(|finding| finding.step.as_str())) {
        (Some(at), _) => steps.filter(|(other, _)| *other > at).map(|(other, _)| other).collect(),
        (None, Some("boot")) => steps.map(|(other, _)| other).collect(),
        _ => BTreeSet::new(),
    }
}

/// Keeps the file without these lines if it shows the same.
fn attempt(best: &mut Smallest, kind: Kind, lines: &BTreeSet<usize>) -> bool {
    if lines.is_empty() {
        return false;
    }
    let Some((draft, _)) = best.draft.without(lines).settled() else { return false };
    if draft.0.len() >= best.draft.0.len() {
        return false;
    }
    let report = apart::run(&draft.text());
    best.runs += 1;
    let shows = report.findings.iter().any(|finding| finding.kind == kind);
    if shows {
        best.draft = draft;
        best.report = report;
    }
    shows
}
