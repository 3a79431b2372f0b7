//! `sglab replay`.

use std::io::{ErrorKind, IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use sglab::fabric::doctor;
use sglab::model::Era;
use sglab::report::evidence::replay::{Differs, Step, compare, json, terminal};
use sglab::report::evidence::{Manifest, RunRecord, StepRecord, Versions, step_folder, steps};
use sglab::report::shown;
use sglab::sandbox::machine::links::follow;
use sglab::scenario::services::{folder_of, has_services, host_paths};
use sglab::scenario::{self, Options, StartServices};
use sglab::topology::Topology;

use super::common::{Exit, PlainFormat, told};
use super::output::stdout;
use super::{evidence, host, screen};

/// `sglab replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab test two-tier.yaml --evidence kept  keep a run
  sglab replay kept
      run it again: here, later, or with another sglab, kernel or nft
  sglab replay kept --format json
  sglab replay kept --services
      and start the programs of its files, where the run that was kept did

Exit codes: 0 everything is as it was kept, 1 something differs, 2 not a folder of evidence, 3 this machine cannot host a \
lab. Another version of sglab, the kernel or nft is told, and is no difference by itself.")]
pub(crate) struct ReplayArguments {
    /// Folder that `sglab test --evidence` wrote
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Start the services of instances, where the run that was kept did: commands that this folder holds. From the folder of the
    /// file that was run, which must be in the present one, or from DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub services: Option<Option<PathBuf>>,
    /// How to print what differs
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// A run as it was kept.
struct RecordedRun<'a> {
    record: &'a RunRecord,
    topology: Topology,
    era: Era,
    steps: Vec<Step>,
    services: StartServices,
}

pub(super) fn run(arguments: &ReplayArguments) -> anyhow::Result<Exit> {
    let manifest = evidence::read_manifest(&arguments.folder)?;
    if manifest.runs.is_empty() {
        bail!("{} has no run that could be run again", told(&arguments.folder));
    }
    let kept: Vec<RecordedRun<'_>> =
        manifest.runs.iter().map(|run| read(arguments, &manifest, run)).collect::<anyhow::Result<_>>()?;
    tell_of_services(arguments, &manifest, &kept);
    let now = versions();
    Ok(host::run_until_signal(replay(arguments, &manifest, &kept, &now))?.unwrap_or_else(|exit| exit))
}

/// Versions that this run is made with.
pub(super) fn versions() -> Versions {
    Versions {
        sglab: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: doctor::kernel_release(),
        nft: doctor::nft_version(),
    }
}

/// Reads what is kept of a run. Nothing outside of the folder is read, whatever is written in it.
fn read<'a>(
    arguments: &ReplayArguments,
    manifest: &Manifest,
    record: &'a RunRecord,
) -> anyhow::Result<RecordedRun<'a>> {
    let folder = arguments.folder.as_path();
    let broken = || format!("{} is no whole folder of evidence", told(folder));
    let open = |path: String| {
        let bytes = evidence::read(folder, Path::new(&path));
        bytes.map_err(|error| (error.kind(), anyhow!("failed to read {}: {error}", told(&path))))
    };
    let text = open(format!("{}/scenario.yaml", record.folder)).map_err(|(_, error)| error).with_context(broken)?;
    let topology =
        Topology::parse(&record.file, &text).map_err(|problems| anyhow!("{problems}")).with_context(broken)?;
    let known = Era::ALL.into_iter().find(|era| era.as_str() == record.era);
    let era = known.with_context(|| format!("there is no era `{}`", shown(&record.era))).with_context(broken)?;
    let mut steps = Vec::new();
    for number in &record.steps {
        let step = step_folder(&record.folder, *number);
        let text = open(format!("{step}/probes.json")).map_err(|(_, error)| error).with_context(broken)?;
        let probes: StepRecord = serde_json::from_slice(&text).with_context(broken)?;
        let compiled = match open(format!("{step}/compiled.nft")) {
            Ok(compiled) => Some(String::from_utf8(compiled).with_context(broken)?),
            // A step that was not run has none.
            Err((ErrorKind::NotFound, _)) => None,
            Err((_, error)) => return Err(error).with_context(broken),
        };
        steps.push((probes, compiled));
    }
    let services = match &arguments.services {
        Some(given) if manifest.options.services && has_services(&topology) => {
            let folder = folder_of_services(given.as_deref(), &record.file)?;
            refuse_paths_outside(&topology, &folder)?;
            StartServices::From(folder)
        }
        _ => StartServices::No,
    };
    Ok(RecordedRun { record, topology, era, steps, services })
}

/// Folder of the services of a run: the one that somebody names, else that of the file that was run, if that is in the
/// present folder. It is a bundle that says which file that was, and anybody may have written it.
fn folder_of_services(given: Option<&Path>, file: &str) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize().with_context(|| format!("{} is no folder for services", told(given)));
    }
    let here = std::env::current_dir().context("failed to find the present folder")?;
    let folder =
        folder_of(file).and_then(|folder| folder.canonicalize()).context("failed to find the file's folder")?;
    if !folder.starts_with(here.canonicalize().context("failed to find the present folder")?) {
        bail!(
            "the services are those of {}, which is not in the present folder; say where: --services=DIR",
            told(file)
        );
    }
    Ok(folder)
}

/// Refuses what services of a bundle would mount or log to outside of the folder that was said to be theirs.
fn refuse_paths_outside(topology: &Topology, folder: &Path) -> anyhow::Result<()> {
    for path in host_paths(topology) {
        let host = folder.join(path);
        // A log need not be there yet, and a link to it leads where it says all the same.
        let found = follow(&host).with_context(|| format!("failed to find {}", told(path)))?;
        if !found.path.starts_with(folder) {
            bail!(
                "the services use {}, which is not in {}; to run them with all that their file names: \
                 sglab test --services",
                told(path),
                told(folder)
            );
        }
    }
    Ok(())
}

/// Programs of a folder that came from somewhere are not started because the folder says so, and nobody should wonder what differs.
fn tell_of_services(arguments: &ReplayArguments, manifest: &Manifest, kept: &[RecordedRun<'_>]) {
    if !manifest.options.services || arguments.services.is_some() {
        return;
    }
    let with = kept.iter().filter(|it| has_services(&it.topology)).map(|it| it.record.folder.as_str());
    let with: Vec<&str> = with.collect();
    if !with.is_empty() {
        eprintln!(
            "note: the services of {} were started in the run that was kept, and are not now, so answers may differ; their \
             commands are in scenario.yaml, and --services starts them",
            shown(&with.join(", "))
        );
    }
}

async fn replay(
    arguments: &ReplayArguments,
    manifest: &Manifest,
    kept: &[RecordedRun<'_>],
    now: &Versions,
) -> anyhow::Result<Exit> {
    let mut differences: Vec<Differs> = Vec::new();
    for (number, run) in kept.iter().enumerate() {
        if stderr().is_terminal() {
            eprintln!("{} of {}: {} (era {})", number + 1, kept.len(), told(&run.record.file), run.record.era);
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
async fn again(manifest: &Manifest, kept: &RecordedRun<'_>) -> Vec<Differs> {
    let folder = &kept.record.folder;
    let differs = |what: &str, before: Option<&String>, after: Option<String>| Differs {
        run: folder.clone(),
        step: None,
        what: what.to_owned(),
        kept: before.cloned(),
        now: after,
    };
    let mut all = Vec::new();
    let options = Options { tell_waits: screen::tell_waits(), ..manifest.options.again(kept.services.clone()) };
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
