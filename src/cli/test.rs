//! `sglab test`.

use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use futures::StreamExt;
use sglab::graph::{Picture, svg};
use sglab::import::account_of;
use sglab::model::Era;
use sglab::report::evidence::bundle;
use sglab::report::format::{Output, ResultFormat, TextGoes};
use sglab::report::html::{Input, html};
use sglab::report::json::Listed;
use sglab::report::{self, Entry, Style, TopologyOrigin, eras, junit, shown, terminal};
use sglab::scenario::{self, Options, Progress, RunResult, StartServices, services};
use sglab::topology::Topology;

use super::account::expected::{self, Imported};
use super::account::sources::Reading;
use super::common::{EVIDENCE, Exit, OWN_CLOUD, REPORTS, SELECTION, When, told};
use super::output::stdout;
use super::shard::Shard;
use super::{broken, evidence, file, host, replay, screen, sources, steps};

/// `sglab test`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab test topologies
      every topology of a folder, one line each
  sglab test two-tier.yaml --grid
      with the whole truth table of every step
  sglab test two-tier.yaml --step 3         up to the third step
  sglab test self-trust.yaml --era classic  under one era
  sglab test topologies --junit results.xml --format github
  sglab test topologies --shard 2/3         the second of three machines' share
  sglab test two-tier.yaml --html two-tier.html
  sglab test topologies --require-rule-coverage
  sglab test shop.yaml --services
      with the programs that its instances run by themselves
  sglab test two-tier.yaml --evidence kept  keep it all, for `sglab replay kept`
  sglab test --import plan.json --expect shop.expect.yaml
      one's own cloud, against what was accepted with `--accept`

Exit codes: 0 all as expected, 1 something is not, 2 bad input, 3 this machine cannot host a lab, 4 nothing is known to differ, but \
something is not proved, 130 and 143 on a signal.")]
pub(crate) struct TestArguments {
    /// Topology files, folders of them, or built-in ones such as `example:two-tier`
    #[arg(required_unless_present = "import", value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Run so many labs at the same time
    #[arg(short, long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Stop at the first step, and the first file, that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// Start the services of instances, from the file's folder, and probe these; without, sglab's own listeners answer
    #[arg(long)]
    pub services: bool,
    /// Fail a run that leaves a rule of its file unexercised: no packet of any step matched it
    #[arg(long, conflicts_with = "step")]
    pub require_rule_coverage: bool,
    /// Only topologies whose name contains this
    #[arg(long, value_name = "TEXT", help_heading = SELECTION)]
    pub filter: Option<String>,
    /// Only this machine's share of the topologies: `2/3` is the second of three
    #[arg(long, value_name = "I/N", help_heading = SELECTION)]
    pub shard: Option<Shard>,
    /// Stop after the step with this number
    #[arg(long, value_name = "N", value_parser = steps::number, help_heading = SELECTION)]
    pub step: Option<usize>,
    /// Run under these eras instead of the file's own; separate several by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ERA", help_heading = SELECTION)]
    pub era: Vec<Era>,
    /// Run one's own cloud instead, as `sglab import` reads it: files, folders, `-`; several make one cloud
    #[arg(long, value_name = "SOURCE", num_args = 1.., conflicts_with = "topologies", help_heading = OWN_CLOUD)]
    pub import: Vec<String>,
    #[command(flatten, next_help_heading = OWN_CLOUD)]
    pub reading: Reading,
    /// Passages that the cloud is expected to admit: a file that `--accept` writes
    #[arg(long, value_name = "FILE", requires = "import", help_heading = OWN_CLOUD)]
    pub expect: Option<PathBuf>,
    /// Write the file of `--expect` anew: what is open today is what is expected from now on
    #[arg(long, requires = "expect", help_heading = OWN_CLOUD)]
    pub accept: bool,
    /// Show the whole truth table of every step
    #[arg(long, help_heading = REPORTS)]
    pub grid: bool,
    /// How to print the results
    #[arg(long, value_enum, default_value_t = ResultFormat::Text, help_heading = REPORTS)]
    pub format: ResultFormat,
    /// List every cell in JSON, however many there are
    #[arg(long, help_heading = REPORTS)]
    pub all_cells: bool,
    /// Write a JUnit report too, one case a step
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub junit: Option<PathBuf>,
    /// Write one self-contained page too: verdicts, a picture, the table of each step, wrong cells with their walk, rules
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub html: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto, help_heading = REPORTS)]
    pub color: When,
    /// Keep all evidence in this folder, for `sglab replay`: scenarios, compiled rulesets, probes, packets of failing cells
    #[arg(long, value_name = "DIR", help_heading = EVIDENCE)]
    pub evidence: Option<PathBuf>,
}

pub(super) fn run(arguments: TestArguments) -> anyhow::Result<Exit> {
    let expect = arguments.expect.as_deref();
    let imported = match arguments.import.as_slice() {
        [] => None,
        names => match expected::read(names, &arguments.reading, expect, arguments.accept)? {
            Some(imported) => Some(imported),
            None => return Ok(Exit::BadInput),
        },
    };
    let mut read = match &imported {
        Some(imported) => imported.read.clone(),
        None => sources::read(&arguments.topologies),
    };
    if !read.is_whole() {
        read.tell();
        return Ok(Exit::BadInput);
    }
    if let Some(text) = &arguments.filter {
        read.topologies.retain(|topology| topology.name.contains(text.as_str()));
        if read.topologies.is_empty() {
            bail!("no topology has `{text}` in its name");
        }
    }
    let longest = read.topologies.iter().map(|topology| topology.steps.len()).max().unwrap_or(0);
    if let Some(step) = arguments.step.filter(|step| *step > longest) {
        bail!("there is no step {step}; the longest scenario has {}", report::count(longest, "step"));
    }
    if let Some(shard) = arguments.shard {
        read.topologies = shard.share(read.topologies);
        if read.topologies.is_empty() {
            eprintln!("this share has no topology; there are more machines than topologies");
        }
    }
    // Before anything is run: what is found out afterwards would cost the run.
    if let Some(folder) = &arguments.evidence {
        evidence::check_target(folder)?;
    }
    for report in [&arguments.junit, &arguments.html].into_iter().flatten() {
        file::check_folder(report)?;
    }
    Ok(host::run_until_signal(run_all(&arguments, &read, imported.as_ref()))?.unwrap_or_else(|exit| exit))
}

/// A run to be made: a topology under an era.
struct Job<'a> {
    topology: &'a Topology,
    era: Era,
}

async fn run_all(arguments: &TestArguments, read: &sources::Read, imported: Option<&Imported>) -> anyhow::Result<Exit> {
    let topologies = &read.topologies;
    let style = style(arguments);
    let jobs: Vec<Job<'_>> = topologies
        .iter()
        .flat_map(|topology| {
            let eras = if arguments.era.is_empty() { topology.eras.clone() } else { arguments.era.clone() };
            eras.into_iter().map(move |era| Job { topology, era })
        })
        .collect();
    steps::some_are_asked(jobs.iter().map(|job| (job.topology, job.era)), arguments.step)?;
    let options = Options {
        until_step: arguments.step,
        fail_fast: arguments.fail_fast,
        require_rule_coverage: arguments.require_rule_coverage,
        keep: arguments.evidence.is_some(),
        services: if arguments.services { StartServices::Yes } else { StartServices::No },
        tell_waits: screen::tell_waits(),
    };
    tell_of_services(arguments, topologies);
    let mut printer = Printer::new(arguments, style, jobs.len(), topologies.len());
    let mut entries = Vec::new();
    if let [job] = jobs.as_slice() {
        entries.push(run_one(job, &options, &mut |progress| printer.watch(progress)).await);
        printer.told?;
    } else {
        let runs = jobs.iter().map(|job| async { run_one(job, &options, &mut |_| {}).await });
        // In the order of their naming, whatever the order of their ends.
        let mut ended = futures::stream::iter(runs).buffered(usize::from(arguments.jobs));
        while let Some(entry) = ended.next().await {
            printer.ended(&entry)?;
            let failed = report::exit_code(std::slice::from_ref(&entry)) != report::PASSED;
            entries.push(entry);
            if failed && arguments.fail_fast {
                break;
            }
        }
    }
    if let Some(imported) = imported {
        imported.add_to(&mut entries);
        imported.tell();
    }
    finish(arguments, style, entries, &options, read)
}

/// Prints what is printed at the end, and gives the exit code.
fn finish(
    arguments: &TestArguments,
    style: Style,
    entries: Vec<Entry>,
    options: &Options,
    read: &sources::Read,
) -> anyhow::Result<Exit> {
    let files = read.topologies.len();
    let kept = match &arguments.evidence {
        Some(folder) => keep_all(folder, &entries, options, read),
        None => keep_disagreements(&entries),
    };
    let reported = write_junit(arguments, &entries).and(write_html(arguments, &entries, read)).and(kept);
    let text = match entries.as_slice() {
        [Entry::Ran(result)] => terminal::foot(result, style),
        [broken @ Entry::Broken(_)] => terminal::entry(broken, style),
        entries => {
            let ran: Vec<RunResult> = entries
                .iter()
                .filter_map(|entry| if let Entry::Ran(result) = entry { Some((**result).clone()) } else { None })
                .collect();
            let side_by_side = if files == 1 && ran.len() > 1 { eras::eras(&ran, style) } else { String::new() };
            side_by_side + &terminal::total(entries, style)
        }
    };
    let Output { text: goes, document } = arguments.format.output();
    let listed = if arguments.all_cells { Listed::All } else { Listed::Few };
    let document = document(&entries, listed)?;
    let told = write_text(goes, &text).and_then(|()| stdout().write_all(document.as_bytes()));
    told.context("failed to write the results")?;
    // The results have been told. A report that is missing does not make a difference less of one.
    let code = report::exit_code(&entries);
    if let Err(error) = reported {
        if code != report::DIFFERS {
            return Err(error);
        }
        screen::tell(&format!("error: {}", report::shown_lines(&format!("{error:#}"))));
    }
    Ok(code.into())
}

/// Writes text for people.
fn write_text(goes: TextGoes, text: &str) -> std::io::Result<()> {
    match goes {
        TextGoes::Stdout => stdout().write_all(text.as_bytes()),
        TextGoes::Stderr => stderr().write_all(text.as_bytes()),
        TextGoes::Nowhere => Ok(()),
    }
}

fn write_junit(arguments: &TestArguments, entries: &[Entry]) -> anyhow::Result<()> {
    let Some(path) = &arguments.junit else { return Ok(()) };
    let document = junit::junit(entries).context("failed to write the JUnit report")?;
    file::write(path, document.as_bytes()).with_context(|| format!("failed to write {}", told(path)))
}

fn write_html(arguments: &TestArguments, entries: &[Entry], read: &sources::Read) -> anyhow::Result<()> {
    let Some(path) = &arguments.html else { return Ok(()) };
    let inputs = read.topologies.iter().map(|topology| {
        let cloud = topology.initial_cloud(topology.eras[0]).ok();
        let picture = cloud.map(|cloud| svg(&Picture::new(&account_of(&cloud, &topology.file)), &topology.name));
        let bytes = read.texts.iter().find(|(name, _)| **name == *topology.file).map(|(_, bytes)| bytes.clone());
        Input { file: topology.file.to_string(), bytes: bytes.unwrap_or_default(), picture }
    });
    let inputs: Vec<Input> = inputs.collect();
    let page = html(entries, &inputs, &replay::versions());
    file::write(path, page.as_bytes()).with_context(|| format!("failed to write {}", told(path)))
}

/// Writes all that is kept of the runs.
fn keep_all(folder: &Path, entries: &[Entry], options: &Options, read: &sources::Read) -> anyhow::Result<()> {
    let files = bundle(entries, &read.texts, replay::versions(), options)?;
    evidence::write(folder, &files)?;
    eprintln!("evidence is in {}; run it again: sglab replay {}", told(folder), told(folder));
    Ok(())
}

/// Writes what is kept of disagreements between model and kernel.
fn keep_disagreements(entries: &[Entry]) -> anyhow::Result<()> {
    let ran = entries.iter().filter_map(|entry| if let Entry::Ran(result) = entry { Some(result) } else { None });
    for disagreement in ran.flat_map(|result| &result.steps).filter_map(|step| step.model.disagreement.as_ref()) {
        let folder = Path::new(".").join(&disagreement.folder);
        let failed = || format!("failed to write {}", told(&folder));
        std::fs::create_dir_all(&folder).with_context(failed)?;
        for (name, text) in &disagreement.files {
            std::fs::write(folder.join(name), text).with_context(failed)?;
        }
        eprintln!("model and kernel disagree: evidence is in {}", told(&folder));
    }
    Ok(())
}

/// That programs of a file are not started is no result, and yet nobody should take it for one.
fn tell_of_services(arguments: &TestArguments, topologies: &[Topology]) {
    if arguments.services {
        return;
    }
    let files: Vec<&str> = topologies.iter().filter(|it| services::has_services(it)).map(|it| &*it.file).collect();
    if !files.is_empty() {
        screen::tell(&format!(
            "note: the services of {} are not started, and the harness answers in their place; --services starts them",
            shown(&files.join(", "))
        ));
    }
}

async fn run_one(job: &Job<'_>, options: &Options, watch: &mut dyn FnMut(Progress<'_>)) -> Entry {
    match scenario::run(job.topology, job.era, options, watch).await {
        Ok(result) => Entry::from(result),
        Err(error) => Entry::Broken(broken::of(job.topology, job.era, &error)),
    }
}

fn style(arguments: &TestArguments) -> Style {
    let on_stdout = arguments.format.output().text == TextGoes::Stdout;
    let color =
        screen::wanted(arguments.color, if on_stdout { stdout().is_terminal() } else { stderr().is_terminal() });
    let width = if on_stdout { screen::width_of(&stdout()) } else { screen::width_of(&stderr()) };
    let topology = if arguments.import.is_empty() { TopologyOrigin::File } else { TopologyOrigin::Import };
    Style { color, grid: arguments.grid, verbose: arguments.grid, width, topology }
}

/// Prints as things happen: the steps of a single run, a line for each of several.
struct Printer<'a> {
    arguments: &'a TestArguments,
    style: Style,
    head: Option<scenario::Head>,
    steps: Vec<scenario::StepResult>,
    jobs: usize,
    files: usize,
    ended: usize,
    /// Result of writing so far: the first error stays.
    told: std::io::Result<()>,
}

impl<'a> Printer<'a> {
    fn new(arguments: &'a TestArguments, style: Style, jobs: usize, files: usize) -> Self {
        Self { arguments, style, head: None, steps: Vec::new(), jobs, files, ended: 0, told: Ok(()) }
    }

    fn tell(&mut self, text: &str) {
        if self.told.is_ok() {
            self.told = write_text(self.arguments.format.output().text, text);
        }
    }

    fn watch(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Booted(head) => {
                self.tell(&terminal::head(head, self.style));
                self.head = Some(head.clone());
            }
            Progress::Started(..) => {}
            Progress::Done(step) => {
                if let Some(head) = self.head.clone() {
                    self.tell(&terminal::step(&head, &self.steps, step, self.style));
                    self.steps.push(step.clone());
                }
            }
        }
    }

    fn ended(&mut self, entry: &Entry) -> std::io::Result<()> {
        self.ended += 1;
        if stderr().is_terminal() && self.ended < self.jobs && self.arguments.format.output().text == TextGoes::Nowhere
        {
            eprintln!("{} of {} done", self.ended, self.jobs);
        }
        // The eras of one file are told side by side at the end; what went wrong is told in full at once.
        if self.files > 1 || report::exit_code(std::slice::from_ref(entry)) != report::PASSED {
            self.tell(&terminal::entry(entry, self.style));
        }
        std::mem::replace(&mut self.told, Ok(()))
    }
}
