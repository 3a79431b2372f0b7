//! Differences between a run and the one that was kept.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::Serialize;

use super::{ProbeRecord, StepRecord, Versions};
use crate::report::text;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The folder of the run.
    pub run: String,
    /// The step, if it is one step's.
    pub step: Option<usize>,
    /// Subject: a flow, a connection, `ruleset`, `status` ...
    pub what: String,
    /// As it was kept; nothing if it was not there.
    pub kept: Option<String>,
    /// As it is now.
    pub now: Option<String>,
}

/// A step with its compiled ruleset.
pub type Step = (StepRecord, Option<String>);

/// All that differs between the steps of a run as kept and as run again.
pub fn compare(run: &str, kept: &[Step], now: &[Step]) -> Vec<Differs> {
    let mut all = Vec::new();
    let by_number = |steps: &[Step]| steps.iter().map(|it| (it.0.number, it.clone())).collect::<IndexMap<_, _>>();
    let (kept, now) = (by_number(kept), by_number(now));
    for number in union(&kept, &now) {
        let (before, after) = (kept.get(&number), now.get(&number));
        let mut differs = |what: &str, kept: Option<String>, now: Option<String>| {
            if kept != now {
                all.push(Differs { run: run.to_owned(), step: Some(number), what: what.to_owned(), kept, now });
            }
        };
        let status = |step: Option<&Step>| step.map(|(record, _)| record.status.clone());
        differs("status", status(before), status(after));
        let probes = |step: Option<&Step>| {
            let each = step.iter().flat_map(|(record, _)| &record.probes);
            by_subject(each.map(|it| (it.flow.clone(), outcome(it))))
        };
        let others = |step: Option<&Step>| {
            let each = step.iter().flat_map(|(record, _)| &record.others);
            by_subject(each.map(|it| (it.what.clone(), it.observed.clone())))
        };
        for (before, after) in [(probes(before), probes(after)), (others(before), others(after))] {
            for what in union(&before, &after) {
                differs(&what, before.get(&what).cloned(), after.get(&what).cloned());
            }
        }
        let ruleset = |step: Option<&Step>| step.and_then(|(_, compiled)| compiled.clone());
        let (before, after) = (ruleset(before), ruleset(after));
        if before != after {
            let (kept, now) = lines(before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
            all.push(Differs { run: run.to_owned(), step: Some(number), what: "ruleset".to_owned(), kept, now });
        }
    }
    all
}

/// Groups what was found by its subject. Findings at one place share theirs, and none may hide another.
fn by_subject(each: impl Iterator<Item = (String, String)>) -> IndexMap<String, String> {
    let mut all: IndexMap<String, Vec<String>> = IndexMap::new();
    for (what, found) in each {
        all.entry(what).or_default().push(found);
    }
    let joined = |mut found: Vec<String>| {
        found.sort();
        found.join("; ")
    };
    all.into_iter().map(|(what, found)| (what, joined(found))).collect()
}

fn outcome(probe: &ProbeRecord) -> String {
    format!("{} {}", probe.observed, probe.detail).trim_end().to_owned()
}

fn union<K: Clone + Eq + std::hash::Hash, V>(a: &IndexMap<K, V>, b: &IndexMap<K, V>) -> Vec<K> {
    a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).cloned().collect()
}

/// The lines that only one of two rulesets has.
fn lines(kept: &str, now: &str) -> (Option<String>, Option<String>) {
    let only = |of: &str, other: &str| {
        let other: Vec<&str> = other.lines().collect();
        let only: Vec<&str> = of.lines().filter(|line| !other.contains(line)).map(str::trim).collect();
        if only.is_empty() { "the same lines in another order".to_owned() } else { only.join("\n") }
    };
    (Some(only(kept, now)), Some(only(now, kept)))
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    same: bool,
    runs: usize,
    versions: Sides<'a>,
    differences: &'a [Differs],
}

#[derive(Serialize)]
struct Sides<'a> {
    kept: &'a Versions,
    now: &'a Versions,
}

/// As one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn json(
    runs: usize,
    (kept, now): (&Versions, &Versions),
    differences: &[Differs],
) -> Result<String, serde_json::Error> {
    let versions = Sides { kept, now };
    let document = Document { format: super::FORMAT, same: differences.is_empty(), runs, versions, differences };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// As text.
pub fn terminal(runs: usize, (kept, now): (&Versions, &Versions), differences: &[Differs]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for (what, kept, now) in
        [("sglab", &kept.sglab, &now.sglab), ("kernel", &kept.kernel, &now.kernel), ("nft", &kept.nft, &now.nft)]
    {
        if kept != now {
            let _ = writeln!(out, "{what} is another: kept {}, now {}", text::shown(kept), text::shown(now));
        }
    }
    let mut last = None;
    for it in differences {
        let at = (it.run.as_str(), it.step);
        if last != Some(at) {
            let step = it.step.map_or_else(String::new, |step| format!("   step {step}"));
            let _ = writeln!(out, "{}{step}", text::shown_line(&it.run));
            last = Some(at);
        }
        let _ = writeln!(out, "       {}", text::shown_line(&it.what));
        for (side, text) in [("kept", &it.kept), ("now", &it.now)] {
            for line in text.as_deref().unwrap_or("nothing").lines() {
                let _ = writeln!(out, "          {side:<4}  {}", text::shown(line));
            }
        }
    }
    let runs = text::count(runs, "run");
    let _ = match differences.len() {
        0 => writeln!(out, "SAME  {runs}: every outcome and every ruleset is as it was kept"),
        number => writeln!(out, "DIFFERS  {runs}: {}", text::count(number, "difference")),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::evidence::OtherRecord;

    fn step(findings: &[&str]) -> Step {
        let other = |observed: &&str| OtherRecord {
            what: "finding at shop.yaml:9:7".to_owned(),
            observed: (*observed).to_owned(),
        };
        let record = StepRecord {
            number: 1,
            name: "as launched".to_owned(),
            status: "failed".to_owned(),
            probes: Vec::new(),
            others: findings.iter().map(other).collect(),
            captures: Vec::new(),
            not_captured: 0,
        };
        (record, None)
    }

    #[test]
    fn of_two_findings_at_one_place_neither_hides_that_the_other_has_changed() {
        let kept = [step(&["web1 has its address", "web2 has its address"])];
        assert_eq!(compare("run", &kept, &[step(&["web2 has its address", "web1 has its address"])]), []);
        let told = compare("run", &kept, &[step(&["web1 has another", "web2 has its address"])]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].now.as_deref(), Some("web1 has another; web2 has its address"));
    }
}
