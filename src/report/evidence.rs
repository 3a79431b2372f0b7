//! A run as it is kept in a folder, and what another run of the same does otherwise. Pure: names and bytes of files.

pub mod replay;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Entry, json, pcap, text};
use crate::model::Endpoint;
use crate::probe::{Observation, Outcome, Resolution};
use crate::scenario::{Check, Class, Options, RunResult, StartServices, StepEvidence, StepResult, held};
use crate::topology::write;

/// The file by which a folder is known as a bundle.
pub const MANIFEST: &str = "sglab-evidence.json";

/// The version of the shape.
pub const FORMAT: u32 = 1;

/// Contents of a bundle, with the versions and options that made it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Manifest {
    /// The version of the shape.
    pub format: u32,
    /// Versions that made it.
    pub versions: Versions,
    /// Options of the run.
    pub options: RunOptions,
    /// The exit code that the results came to.
    pub exit_code: u8,
    /// Every run, by its folder.
    pub runs: Vec<RunRecord>,
    /// Every other file of the bundle, with the SHA-256 of its bytes: what may be taken away with it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// Versions that results may depend on, beside the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Of sglab.
    pub sglab: String,
    /// Of the kernel.
    pub kernel: String,
    /// Of nft, in its own words.
    pub nft: String,
}

/// The options of `sglab test` that decide what is run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct RunOptions {
    /// The last step.
    pub step: Option<usize>,
    /// True if it ends at the first failure.
    pub fail_fast: bool,
    /// True if every rule has to be exercised.
    pub require_rule_coverage: bool,
    /// True if the services of instances are started.
    #[serde(default)]
    pub services: bool,
}

impl RunOptions {
    /// Takes the recorded ones from the options of a run.
    pub fn of(options: &Options) -> Self {
        let Options { until_step, fail_fast, require_rule_coverage, ref services, keep: _, tell_waits: _ } = *options;
        Self { step: until_step, fail_fast, require_rule_coverage, services: *services != StartServices::No }
    }

    /// The same again, but for services: what a folder asks for is not reason enough to start them.
    pub fn again(self, services: StartServices) -> Options {
        let Self { step, fail_fast, require_rule_coverage, services: _ } = self;
        Options { until_step: step, fail_fast, require_rule_coverage, services, keep: true, tell_waits: None }
    }
}

/// One file under one era.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its folder in the bundle.
    pub folder: String,
    /// The file as the user named it.
    pub file: String,
    /// The era.
    pub era: String,
    /// Verdict of the run.
    pub verdict: String,
    /// Error that kept it from running to its end.
    pub error: Option<String>,
    /// The numbers of its steps, each a folder below.
    pub steps: Vec<usize>,
}

/// One step: `probes.json` in its folder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepRecord {
    /// Its number in the file.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Status of the step.
    pub status: String,
    /// Every probe.
    pub probes: Vec<ProbeRecord>,
    /// Whatever else was looked at: connections, services, load balancers, traffic, findings.
    pub others: Vec<OtherRecord>,
    /// The failing cells that were probed again under a capture.
    pub captures: Vec<CaptureRecord>,
    /// Failing cells beyond the first few, of which there is no capture.
    pub not_captured: usize,
}

/// A probe with its evidence.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProbeRecord {
    /// In the words of a topology file; a host with its address.
    pub flow: String,
    /// Observed outcome, in a word.
    pub observed: String,
    /// Deciding rule, or the place and cause of the outcome.
    pub detail: String,
    /// True if the fallback timeout decided.
    pub timed_out: bool,
    /// Answer of the sender's resolver.
    pub resolved: Option<String>,
    /// Instance that answered.
    pub answered_by: Option<String>,
    /// The filters' records.
    pub records: Vec<String>,
}

/// Something looked at that is no probe.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OtherRecord {
    /// Subject in words.
    pub what: String,
    /// Observed state.
    pub observed: String,
}

/// A failing cell, probed again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CaptureRecord {
    /// The folder with the packets, by namespace.
    pub folder: String,
    /// The probe that they are of.
    pub again: ProbeRecord,
}

/// A file of a bundle: its path below the folder, and its bytes.
pub type BundleFile = (String, Vec<u8>);

/// The files of a bundle. `sources` are the topology files as they were read, by name.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn bundle(
    entries: &[Entry],
    sources: &[(String, Vec<u8>)],
    versions: Versions,
    options: &Options,
) -> Result<Vec<BundleFile>, serde_json::Error> {
    let mut files = vec![("results.json".to_owned(), json::json(entries, json::Listed::All)?.into_bytes())];
    let mut runs = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let (file, era) = match entry {
            Entry::Ran(result) => (&result.head.file, Some(result.head.era)),
            Entry::Broken(broken) => (&broken.file, broken.era),
        };
        let era = era.map_or_else(String::new, |era| era.to_string());
        let folder = format!("{:03}-{}-{era}", index + 1, stem(file));
        if let Some((_, source)) = sources.iter().find(|(name, _)| **name == **file) {
            files.push((format!("{folder}/scenario.yaml"), source.clone()));
        }
        let mut record = RunRecord {
            folder: folder.clone(),
            file: file.to_string(),
            era,
            verdict: "error".to_owned(),
            error: None,
            steps: Vec::new(),
        };
        match entry {
            Entry::Ran(result) => {
                record.verdict = result.verdict.as_str().to_owned();
                for step in &result.steps {
                    record.steps.push(step.number);
                    add_step(&mut files, &folder, step)?;
                }
            }
            Entry::Broken(broken) => record.error = Some(broken.error.clone()),
        }
        runs.push(record);
    }
    let (options, exit_code) = (RunOptions::of(options), super::exit_code(entries));
    let listed = files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
    let manifest = Manifest { format: FORMAT, versions, options, exit_code, runs, files: listed };
    files.push((MANIFEST.to_owned(), pretty(&manifest)?));
    Ok(files)
}

/// The SHA-256 of a file's bytes, as `sha256sum` writes it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the folder of a step's files.
pub fn step_folder(run: &str, number: usize) -> String {
    format!("{run}/step-{number:03}")
}

fn add_step(files: &mut Vec<BundleFile>, run: &str, step: &StepResult) -> Result<(), serde_json::Error> {
    let folder = step_folder(run, step.number);
    let record = record(step);
    if let Some(StepEvidence { compiled, captured, .. }) = step.kept.as_deref() {
        files.push((format!("{folder}/compiled.nft"), compiled.clone().into_bytes()));
        for (cell, capture) in captured.iter().zip(&record.captures) {
            for (node, frames) in &cell.boxes {
                files.push((format!("{folder}/{}/{node}.pcap", capture.folder), pcap::pcap(frames)));
            }
        }
    }
    if let Some(disagreement) = &step.model.disagreement {
        let texts = disagreement.files.iter();
        files.extend(
            texts.map(|(name, text)| (format!("{folder}/{}/{name}", disagreement.folder), text.clone().into_bytes())),
        );
    }
    files.push((format!("{folder}/probes.json"), pretty(&record)?));
    Ok(())
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|text| (text + "\n").into_bytes())
}

/// The file's name without folders and ending, of letters that every file system takes.
fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = name.chars().map(plain).take(60).collect();
    name.trim_start_matches('.').to_owned()
}

/// The one word that a value has in JSON.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A step as it is kept.
pub fn record(step: &StepResult) -> StepRecord {
    let other = |what: String, observed: &str| OtherRecord { what, observed: observed.to_owned() };
    let mut others = Vec::new();
    let checked = |check: &Check| other(what(check), check.word());
    let (connections, rest): (Vec<_>, Vec<_>) = step.sections().partition(|check| check.details.connection().is_some());
    others.extend(connections.into_iter().map(checked));
    let differ = step.model.connections.disagreements.iter();
    others
        .extend(differ.map(|it| other(format!("connection {} against the model", it.name), held::word(&it.observed))));
    others.extend(rest.into_iter().map(checked));
    others.extend(step.findings.iter().map(|it| other(format!("finding at {}", it.place), &it.text)));
    others.push(other("canaries".to_owned(), if step.probed.canaries_held { "held" } else { "did not hold" }));
    let kept = step.kept.as_deref();
    let captured = kept.map(|kept| kept.captured.as_slice()).unwrap_or_default();
    let captures = captured.iter().enumerate().map(|(index, cell)| CaptureRecord {
        folder: format!("cell-{:02}", index + 1),
        again: probe(&cell.observation),
    });
    StepRecord {
        number: step.number,
        name: step.name.clone(),
        status: word(&step.status),
        probes: kept.map(|kept| kept.probes.iter().map(probe).collect()).unwrap_or_default(),
        others,
        captures: captures.collect(),
        not_captured: kept.map_or(0, |kept| kept.not_captured),
    }
}

/// Names what is checked, as another run does.
fn what(check: &Check) -> String {
    match (check.is_statement(), check.subject.as_str()) {
        (false, subject) => subject.to_owned(),
        (true, "") => check.expected.clone(),
        (true, subject) => format!("{subject}: {}", check.expected),
    }
}

fn probe(seen: &Observation) -> ProbeRecord {
    let address = |word: &str, end: &Endpoint| match end {
        Endpoint::Host(_, address) => format!(" {word} {address}"),
        Endpoint::Instance(_) | Endpoint::Interface(_) | Endpoint::Forged(..) | Endpoint::LoadBalancer(..) => {
            String::new()
        }
    };
    ProbeRecord {
        flow: write::flow(&seen.flow) + &address("from", &seen.flow.from) + &address("to", &seen.flow.to),
        observed: Class::of(&seen.outcome).as_str().to_owned(),
        detail: detail(&seen.outcome),
        timed_out: seen.timed_out,
        resolved: seen.resolved.map(resolution),
        answered_by: seen.answered_by.clone(),
        records: seen.records.iter().map(ToString::to_string).collect(),
    }
}

fn resolution(said: Resolution) -> String {
    match said {
        Resolution::Address(address) => address.to_string(),
        Resolution::NoSuchName => "no such name".to_owned(),
        Resolution::NoAnswer => "no answer".to_owned(),
    }
}

/// Describes the part of an outcome that has to be the same in another run.
fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Open { admitted_by } | Outcome::Refused { admitted_by } | Outcome::Closed { admitted_by, .. } => {
            admitted_by.map_or_else(String::new, |rule| format!("by {rule}"))
        }
        Outcome::Dropped(drop) => match drop.cause.groups() {
            Some((at, interface, groups)) => {
                let groups: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
                format!("at {at} of {}, groups {}, source {}", interface.holder(), groups.join(", "), drop.source)
            }
            None => format!("{}, source {}", drop.cause, drop.source),
        },
        Outcome::Inconclusive { .. } | Outcome::Misdelivered { .. } | Outcome::Unreachable { .. } => {
            text::outcome(outcome)
        }
    }
}

/// The steps of a run as they are kept, with the compiled ruleset of each.
pub fn steps(result: &RunResult) -> Vec<(StepRecord, Option<String>)> {
    let compiled = |step: &StepResult| step.kept.as_ref().map(|kept| kept.compiled.clone());
    result.steps.iter().map(|step| (record(step), compiled(step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn the_results_that_are_kept_are_whole_however_many_they_are() {
        let mut result = testing::failed();
        result.steps.truncate(1);
        let step = &mut result.steps[0];
        let wrong: Vec<_> = step.checks.iter().filter(|check| check.is_failed()).cloned().collect();
        step.checks = wrong.iter().cycle().take(json::MAX_LISTED + 200).cloned().collect();
        let versions = Versions { sglab: String::new(), kernel: String::new(), nft: String::new() };
        let files = bundle(&[result.into()], &[], versions, &Options::default()).unwrap();
        let (_, kept) = files.iter().find(|(name, _)| name == "results.json").unwrap();
        let kept: serde_json::Value = serde_json::from_slice(kept).unwrap();
        let step = &kept["runs"][0]["steps"][0];
        assert_eq!(step["wrong"].as_array().unwrap().len(), json::MAX_LISTED + 200);
        assert_eq!(step["left_out"]["wrong"], 0);
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
