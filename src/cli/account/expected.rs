//! `sglab test --import SOURCE --expect FILE`: one's own cloud on packets, and what it admits by group held against what was accepted.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, bail};
use sglab::account::{Account, LeftOut};
use sglab::import::{
    Expectations, ExpectedMembers, ExpectedPassage, Written, read_expectations, topology_of, write_expectations,
};
use sglab::reach::{Passage, Way, admitted, ends_of_flow, flow_without};
use sglab::report::{self, Entry, left_out};
use sglab::scenario::export::parts;
use sglab::scenario::{Finding, RunVerdict, StepStatus};

use super::allowed_flows;
use super::exported::exported;
use super::lint::today;
use super::sources::{self, Reading};
use crate::cli::common::told;
use crate::cli::{file, screen, sources as topologies};

/// A cloud that is imported for a run.
pub(in crate::cli) struct Imported {
    /// Its topology, with what is predicted of it as its table.
    pub read: topologies::Read,
    /// Differences from what was accepted.
    differences: Vec<Finding>,
    /// Items that are not known.
    unknown: Vec<LeftOut>,
}

impl Imported {
    /// Adds to the results what is not as it was accepted, and what is not known, so that every report says it.
    pub fn add_to(&self, entries: &mut [Entry]) {
        let ran = entries.iter_mut().find_map(|entry| if let Entry::Ran(result) = entry { Some(result) } else { None });
        let Some(result) = ran else { return };
        let Some(step) = result.steps.last_mut() else { return };
        step.findings.extend(self.differences.iter().cloned());
        if !self.differences.is_empty() {
            step.status = StepStatus::Failed;
            result.verdict = RunVerdict::Failed;
        } else if !self.unknown.is_empty() && result.verdict == RunVerdict::Passed {
            step.findings.extend(self.unknown.iter().map(|item| Finding {
                text: format!("not known, so that more may be open than was asked: {}", words(item)),
                place: item.origin.place.clone(),
            }));
            step.status = StepStatus::Inconclusive;
            result.verdict = RunVerdict::Inconclusive;
        }
    }

    /// Says it to people who have watched the run go by.
    pub fn tell(&self) {
        for finding in &self.differences {
            screen::tell(&format!("{}\n    {}", finding.text, finding.place));
        }
        if self.differences.is_empty() && !self.unknown.is_empty() {
            let many = report::count(self.unknown.len(), "item");
            screen::tell(&format!("inconclusive: {many} not known, so that more may be open than was asked"));
        }
    }
}

/// Reads sources, and holds them against what is expected of them where a file says it. Says what is wrong, and gives nothing then.
///
/// # Errors
/// If a file cannot be found, read or written.
pub(in crate::cli) fn read(
    names: &[String],
    reading: &Reading,
    expect: Option<&Path>,
    accept: bool,
) -> anyhow::Result<Option<Imported>> {
    let Some(account) = sources::read(names, reading)? else { return Ok(None) };
    let written = topology_of(&account);
    let missing: Vec<LeftOut> =
        account.left_out.iter().chain(&written.left_out).filter(|item| item.matters()).cloned().collect();
    if !missing.is_empty() {
        screen::tell(left_out::text(&missing).trim_end());
    }
    // Accept nothing that cannot be tested: no file is written then.
    let Some(read) = predicted(&written, &names.join(", "))? else { return Ok(None) };
    let differences = match expect {
        Some(expect) => match held_against(&account, expect, accept)? {
            Some(differences) => differences,
            None => return Ok(None),
        },
        None => Vec::new(),
    };
    let unknown = missing.into_iter().filter(LeftOut::is_unknown).collect();
    Ok(Some(Imported { read, differences, unknown }))
}

/// Differences of what an account admits from what a file accepts; `accept` writes the file first. Says what is wrong with it, and gives nothing
/// then.
fn held_against(account: &Account, expect: &Path, accept: bool) -> anyhow::Result<Option<Vec<Finding>>> {
    let now: Vec<Passage> = admitted(account).into_iter().filter(Passage::is_known).collect();
    let mut expected = match stored(expect)? {
        Stored::Read(expectations) => Some(expectations),
        Stored::Absent => None,
        Stored::Faulty => return Ok(None),
    };
    let allows = expected.as_ref().map_or(&[][..], |it| &it.allows);
    let Some(allowances) = allowed_flows::of_words(allows) else { return Ok(None) };
    let today = today()?;
    let is_allowed = |flow: &String| allowances.iter().any(|it| it.flow == *flow && !it.is_over(today));
    if accept {
        let of = |way: Way| {
            let passages = now.iter().filter(|passage| passage.way == way);
            passages.flat_map(Passage::flows).filter(|flow| !is_allowed(flow)).collect()
        };
        let ways = [("from outside", Way::FromOutside), ("inside", Way::Inside), ("to outside", Way::ToOutside)];
        let text = write_expectations(&ways.map(|(name, way)| (name, of(way))), members_of(account, &now), allows);
        file::write(expect, text.as_bytes()).with_context(|| format!("failed to write {}", told(expect)))?;
        screen::tell(&format!("accepted: {} says what is admitted now", told(expect)));
        expected = match stored(expect)? {
            Stored::Read(expectations) => Some(expectations),
            Stored::Absent => None,
            Stored::Faulty => return Ok(None),
        };
    }
    let Some(expected) = expected else {
        bail!("{} is not there; `--accept` writes what is admitted now", told(expect))
    };
    other_numbers(account, &expected.members).iter().for_each(|line| screen::tell(line));
    Ok(Some(differences(&now, &expected.admits, &is_allowed)))
}

/// A file of expectations.
enum Stored {
    Read(Expectations),
    Absent,
    /// Something is wrong with it, which has been said.
    Faulty,
}

fn stored(path: &Path) -> anyhow::Result<Stored> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Stored::Absent),
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", told(path))),
    };
    let read = screen::value_or_tell(read_expectations(&path.to_string_lossy(), &text));
    Ok(read.map_or(Stored::Faulty, Stored::Read))
}

/// The numbers of members by group.
fn sizes(account: &Account) -> HashMap<&str, usize> {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for interface in account.interfaces.values() {
        let groups = interface.groups.known().into_iter().flatten().filter_map(|id| account.groups.get(id));
        groups.for_each(|group| *sizes.entry(group.label.as_str()).or_default() += 1);
    }
    sizes
}

/// The numbers of members of the groups that passages name.
fn members_of(account: &Account, passages: &[Passage]) -> Vec<(String, usize)> {
    let ends = |passage| Passage::senders_groups(passage).into_iter().chain([passage.to.as_str()]);
    let named: HashSet<&str> = passages.iter().flat_map(ends).collect();
    let sizes = sizes(account);
    let groups = account.groups.values().map(|group| group.label.as_str()).filter(|label| named.contains(label));
    groups.map(|label| (label.to_owned(), sizes.get(label).copied().unwrap_or_default())).collect()
}

/// Says which groups have another number of members than was accepted.
fn other_numbers(account: &Account, expected: &[ExpectedMembers]) -> Vec<String> {
    let now = sizes(account);
    let others = expected.iter().filter_map(|ExpectedMembers { group, count, place }| {
        let has = now.get(group.as_str()).copied().unwrap_or_default();
        let members = report::count(has, "member");
        (has != *count).then(|| format!("note: {group} has {members}, and {count} when it was accepted\n    {place}"))
    });
    others.collect()
}

/// The topology with the table that is predicted of it, for packets to prove.
fn predicted(written: &Written, name: &str) -> anyhow::Result<Option<topologies::Read>> {
    let read = |more: &str| topologies::value_or_tell(written.topology(name, more));
    let Some(topology) = read("") else { return Ok(None) };
    let working = screen::working("predicting what is open");
    let whole = exported(written, topology, "")??;
    drop(working);
    let (_, holds) = parts(&whole);
    let Some(topology) = read(holds) else { return Ok(None) };
    Ok(Some(topologies::Read::of(topology, written.builder.to_yaml() + holds)))
}

/// Flows by their ends.
fn by_ends<'f>(flows: impl Iterator<Item = &'f str>) -> HashMap<&'f str, Vec<&'f str>> {
    let mut all: HashMap<&str, Vec<&str>> = HashMap::new();
    flows.for_each(|flow| all.entry(ends_of_flow(flow)).or_default().push(flow));
    all
}

/// Packets that are admitted and were not accepted, or the other way round.
fn differences(now: &[Passage], expected: &[ExpectedPassage], is_allowed: &impl Fn(&String) -> bool) -> Vec<Finding> {
    let open: Vec<(&Passage, String)> =
        now.iter().flat_map(|passage| passage.flows().into_iter().map(move |flow| (passage, flow))).collect();
    let accepted = by_ends(expected.iter().map(|passage| passage.flow.as_str()));
    let by_now = by_ends(open.iter().map(|(_, flow)| flow.as_str()));
    let left = |flow: &str, others: &HashMap<&str, Vec<&str>>| {
        flow_without(flow, others.get(ends_of_flow(flow)).into_iter().flatten().copied())
    };
    let mut findings = Vec::new();
    for (passage, flow) in open.iter().filter(|(_, flow)| !is_allowed(flow)) {
        for flow in left(flow, &accepted).iter().filter(|flow| !is_allowed(flow)) {
            let by: Vec<String> = passage.by.iter().map(|origin| origin.resource.to_string()).collect();
            let text = format!("not accepted: {flow}, by {}", by.join(", "));
            findings.extend(passage.by.first().map(|origin| Finding { text, place: origin.place.clone() }));
        }
    }
    let closed =
        expected.iter().flat_map(|passage| left(&passage.flow, &by_now).into_iter().map(move |flow| (passage, flow)));
    findings.extend(closed.map(|(passage, flow)| Finding {
        text: format!("accepted, and not open any more: {flow}"),
        place: passage.place.clone(),
    }));
    findings
}

fn words(item: &LeftOut) -> String {
    format!("{} of {}: {}", item.kind, item.origin.resource, item.reason)
}
