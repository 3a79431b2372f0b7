//! `sglab replay`.

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::path::Path;

use anyhow::Context;
use sglab::fabric::doctor;
use sglab::model::Era;
use sglab::model::topology::Topology;
use sglab::report::evidence::replay::{Differs, Step, compare, json, terminal};
use sglab::report::evidence::{Manifest, RunRecord, StepRecord, Versions, step_folder, steps};
use sglab::scenario::{self, Options};

use super::arguments::{PlainFormat, ReplayArguments};
use super::{Exit, evidence, host, progress, signals, sources};

/// A run as it was kept.
struct Kept<'a> {
    record: &'a RunRecord,
    topology: Topology,
    era: Era,
    steps: Vec<Step>,
}

pub(super) fn run(arguments: &ReplayArguments) -> anyhow::Result<Exit> {
    let manifest = evidence::read_manifest(&arguments.folder)?;
    let kept: Vec<Kept<'_>> =
        manifest.runs.iter().map(|run| read(&arguments.folder, run)).collect::<anyhow::Result<_>>()?;
    let now = versions();
    let Some(_sandbox) = host::enter() else { return Ok(Exit::CannotHost) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start")?;
    let done = runtime.block_on(async {
        tokio::select! {
            signal = signals::received() => signal,
            exit = replay(arguments, &manifest, &kept, &now) => exit,
        }
    });
    runtime.shutdown_background();
    done
}

/// With what this run is made.
pub(super) fn versions() -> Versions {
    Versions {
        sglab: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: doctor::kernel_release(),
        nft: doctor::nft_version(),
    }
}

fn read<'a>(folder: &Path, record: &'a RunRecord) -> anyhow::Result<Kept<'a>> {
    let of = folder.join(&record.folder);
    let broken = || format!("{} is no whole folder of evidence", folder.display());
    let text = sources::read_file(&of.join("scenario.yaml")).with_context(broken)?;
    let topology =
        Topology::parse(&record.file, &text).map_err(|problems| anyhow::anyhow!("{problems}")).with_context(broken)?;
    let known = [Era::Article, Era::Classic, Era::Vpc].into_iter().find(|era| era.as_str() == record.era);
    let era = known.with_context(|| format!("there is no era `{}`", record.era)).with_context(broken)?;
    let mut steps = Vec::new();
    for number in &record.steps {
        let step = folder.join(step_folder(&record.folder, *number));
        let text = std::fs::read(step.join("probes.json")).with_context(broken)?;
        let probes: StepRecord = serde_json::from_slice(&text).with_context(broken)?;
        let compiled = match std::fs::read_to_string(step.join("compiled.nft")) {
            Ok(compiled) => Some(compiled),
            // A step that was not run has none.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(broken),
        };
        steps.push((probes, compiled));
    }
    Ok(Kept { record, topology, era, steps })
}

async fn replay(
    arguments: &ReplayArguments,
    manifest: &Manifest,
    kept: &[Kept<'_>],
    now: &Versions,
) -> anyhow::Result<Exit> {
    let mut differences: Vec<Differs> = Vec::new();
    for (number, run) in kept.iter().enumerate() {
        if stderr().is_terminal() {
            eprintln!("{} of {}: {} (era {})", number + 1, kept.len(), run.record.file, run.record.era);
        }
        differences.extend(again(manifest, run).await);
    }
    let sides = (&manifest.versions, now);
    let text = match arguments.format {
        PlainFormat::Text => terminal(kept.len(), sides, &differences),
        PlainFormat::Json => json(kept.len(), sides, &differences)?,
    };
    stdout().write_all(text.as_bytes()).context("failed to write the results")?;
    Ok(if differences.is_empty() { Exit::Ok } else { Exit::Differs })
}

/// Runs it again, and says what differs.
async fn again(manifest: &Manifest, kept: &Kept<'_>) -> Vec<Differs> {
    let folder = &kept.record.folder;
    let differs = |what: &str, before: Option<&String>, after: Option<String>| Differs {
        run: folder.clone(),
        step: None,
        what: what.to_owned(),
        kept: before.cloned(),
        now: after,
    };
    let mut all = Vec::new();
    let options = Options { tell_waits: progress::tell_waits(), ..manifest.options.again() };
    match scenario::run(&kept.topology, kept.era, &options, &mut |_| {}).await {
        Ok(result) => {
            let verdict = result.verdict.as_str();
            if verdict != kept.record.verdict {
                all.push(differs("verdict", Some(&kept.record.verdict), Some(verdict.to_owned())));
            }
            all.extend(compare(folder, &kept.steps, &steps(&result)));
        }
        Err(error) => {
            let error = Some(error.to_string());
            if error != kept.record.error {
                all.push(differs("the run", kept.record.error.as_ref().or(Some(&kept.record.verdict)), error));
            }
        }
    }
    all
}
