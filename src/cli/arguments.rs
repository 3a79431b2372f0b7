//! Arguments that can be typed, with help. Parsing does nothing but parse.

mod lessons;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use super::account::sources::Reading;
use super::common::{AddressKind, EraName, LabChoice, PlainFormat, When};
use super::result_format::ResultFormat;
use super::shard::Shard;

pub(crate) use lessons::{GradeArguments, GradeFormat, LearnArguments, StageName};

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Yellow.on_default().bold()).literal(AnsiColor::Green.on_default());

/// Columns that help fills at most.
pub(super) const MAX_WIDTH: usize = 100;

/// EC2 security groups on real packets, on one Linux box, without root, Docker or an AWS account.
///
/// Every instance is a network namespace, every security group an nftables set and chain; a scenario boots nodes,
/// restarts them on new addresses, probes every port, and says which rule decided.
#[derive(Debug, Parser)]
#[command(name = "sglab", version, styles = STYLES, max_term_width = MAX_WIDTH, after_help = "\
Examples:
  sglab test example:two-tier        run a built-in topology on real packets
  sglab list                         what else is built in
  sglab walk example:self-trust
      predict, run, reveal: for a class, or for yourself
  sglab init && sglab test sglab.yaml
  sglab doctor                       what this machine can and cannot do

Exit codes: 0 as expected, 1 a verdict differs, 2 bad input or usage, 3 this machine cannot host a lab, \
4 inconclusive, 130 and 143 on a signal.")]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, in the groups of `sglab --help`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Run(RunCommand),
    #[command(flatten)]
    Explain(ExplainCommand),
    #[command(flatten)]
    Account(super::account::AccountCommand),
    #[command(flatten)]
    Live(super::live::LiveCommand),
    #[command(flatten)]
    Operation(super::live::operations::OperationCommand),
    #[command(flatten)]
    Workshop(WorkshopCommand),
    #[command(flatten)]
    File(FileCommand),
}

/// Commands that run topologies.
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Run topologies on real packets and say whether they hold
    Test(Box<TestArguments>),
    /// Run again what `sglab test --evidence` kept, and say what differs
    Replay(ReplayArguments),
    /// Boot a lab, run it up to a step, and open a shell in it
    Shell(ShellArguments),
    /// Say what this kernel, nft and user can and cannot do, with remedies
    Doctor(DoctorArguments),
}

/// Commands that answer by the model alone, or with a lab's packets beside it.
#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Explain the verdict of one flow: who is asked on its way, and what would open it
    Explain(ExplainArguments),
    /// Predict the truth table after every step; needs no privilege and no kernel
    Predict(PredictArguments),
    /// Print the compiled ruleset as nft text; needs no privilege
    Render(RenderArguments),
}

/// Commands for a class.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkshopCommand {
    /// Take a class through a topology: each step is told, predicted, run on packets and revealed
    Walk(WalkArguments),
    /// Take a lesson: predict, run, reveal, then find the rule, mend a file, write one; without a name, list them
    Learn(LearnArguments),
    /// Grade what a class has handed in for a lesson, on packets, with the rules that leak and those that are missing
    Grade(GradeArguments),
    /// Say what topologies are about; without names, those that are built in
    List(ListArguments),
}

/// Commands for topology files and the shell.
#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// Write a commented starter file
    Init(InitArguments),
    /// Check topology files; needs no privilege and no kernel
    Check(CheckArguments),
    /// Print the JSON Schema of topology files
    #[command(after_help = "\
Examples:
  sglab schema > sglab.schema.json

An editor knows the format by a first line of the file:
# yaml-language-server: $schema=sglab.schema.json")]
    Schema,
    /// Print completions for a shell
    Completions(CompletionsArguments),
    /// Write manual pages
    Man(ManArguments),
}

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
      one's own cloud, against what was accepted with `--accept`")]
pub(crate) struct TestArguments {
    /// Topology files, folders of them, or built-in ones such as `example:two-tier`
    #[arg(required_unless_present = "import", value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Run one's own cloud instead, as `sglab import` reads it: files, folders, `-`; several make one cloud
    #[arg(long, value_name = "SOURCE", num_args = 1.., conflicts_with = "topologies")]
    pub import: Vec<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Passages that the cloud is expected to admit: a file that `--accept` writes
    #[arg(long, value_name = "FILE", requires = "import")]
    pub expect: Option<PathBuf>,
    /// Write the file of `--expect` anew: what is open today is what is expected from now on
    #[arg(long, requires = "expect")]
    pub accept: bool,
    /// Run so many labs at the same time
    #[arg(short, long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Only topologies whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only this machine's share of the topologies: `2/3` is the second of three
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Stop at the first step, and the first file, that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// Stop after the step with this number
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Run under these eras instead of the file's own; separate several by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ERA")]
    pub era: Vec<EraName>,
    /// Start the services of instances, from the file's folder, and probe these; without, sglab's own listeners answer
    #[arg(long)]
    pub services: bool,
    /// Fail a run that leaves a rule of its file unexercised: no packet of any step matched it
    #[arg(long, conflicts_with = "step")]
    pub require_rule_coverage: bool,
    /// Show the whole truth table of every step
    #[arg(long)]
    pub grid: bool,
    /// How to print the results
    #[arg(long, value_enum, default_value_t = ResultFormat::Text)]
    pub format: ResultFormat,
    /// List every cell in JSON, however many there are
    #[arg(long)]
    pub all_cells: bool,
    /// Write a JUnit report too, one case a step
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write one self-contained page too: verdicts, a picture, the table of each step, wrong cells with their walk, rules
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Keep all evidence in this folder, for `sglab replay`: scenarios, compiled rulesets, probes, packets of failing cells
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

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
    /// The folder
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

/// `sglab predict`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab predict two-tier.yaml
      every step, and whether its expectations would hold
  sglab predict two-tier.yaml --grid
      with the whole truth table of every step
  sglab predict two-tier.yaml --step 3 --format json
  sglab predict topologies
      all files of a folder
  sglab predict self-trust.yaml --era classic,vpc

No packet is sent: `sglab test` compares every cell with what is predicted here.")]
pub(crate) struct PredictArguments {
    /// Topology files, folders of them, or built-in ones
    #[arg(required = true, value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Stop after the step with this number
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under these eras instead of the file's own; separate several by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ERA")]
    pub era: Vec<EraName>,
    /// Show the whole truth table of every step
    #[arg(long)]
    pub grid: bool,
    /// How to print the predictions
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// List every cell in JSON, however many there are
    #[arg(long)]
    pub all_cells: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// `sglab explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab explain two-tier.yaml 'web1 -> db1:3306'
  sglab explain two-tier.yaml --step 4 'office -> web1:22'
  sglab explain self-trust.yaml 'db1 -> db2:3306 by dns name' --era classic
  sglab explain two-tier.yaml 'any -> db1:ping' --format json
  sglab explain web1 db1:3306
      on a lab that is up: the prediction, then a real probe and what the filters recorded
  sglab explain 'web1 -> db1:3306 by public address'

A flow is written as in a topology file; a group or `any` explains each flow that it means. Of a file, no packet is sent. \
It is a file that is meant where a flow with an arrow follows, or where the name ends in .yaml or .yml, has a `/` \
or begins with `example:`.")]
pub(crate) struct ExplainArguments {
    /// A topology file or a built-in one; on a lab that is up, the source, or the whole flow
    #[arg(value_name = "FILE|example:NAME|FROM")]
    pub subject: String,
    /// The flow, as in a topology file; on a lab that is up, the destination and its port
    #[arg(value_name = "FLOW|TO:PORT")]
    pub flow: Option<String>,
    /// By which address of the receiver, on a lab that is up
    #[arg(long, value_enum, value_name = "ADDRESS", conflicts_with_all = ["step", "era"])]
    pub by: Option<AddressKind>,
    #[command(flatten)]
    pub which: LabChoice,
    /// After the operations of this step; without it, as launched
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<EraName>,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// `sglab list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab list                                what is built in, a line each
  sglab list --long --filter 'elastic ip'
      the whole story of what is about Elastic IPs
  sglab list topologies --format json")]
pub(crate) struct ListArguments {
    /// Topology files, folders of them, or built-in ones such as `example:gotchas`
    #[arg(value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Only topologies with this in their name, story, eras or steps, in any case
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// The whole story of each, and its steps
    #[arg(long)]
    pub long: bool,
    /// How to print the catalogue
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// `sglab walk`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab walk example:self-trust
      in today's EC2, which comes first of the file's eras
  sglab walk example:self-trust --era article   the same in the article's world
  sglab walk two-tier.yaml --step 4
      begin with the fourth step; the earlier ones are run without a word
  sglab walk two-tier.yaml --questions > answers.txt
  sglab walk two-tier.yaml --answers answers.txt --format json

A question is answered by a word or its first letter: open, dropped, refused, unreachable; of a connection that is held \
open: alive, cut, gone. `?` skips, `c` shows the cloud as it is, `q` ends the walk. A file of answers has one a line, in the \
order of the questions; `#` begins a comment. Without a terminal and without answers nothing is asked, only told.

The exit code is that of `sglab test`: a wrong guess is no failure.")]
pub(crate) struct WalkArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME")]
    pub topology: String,
    /// Take the answers from this file, `-` for the input, and ask nobody
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Print the questions as a file of answers to be filled in, and run nothing
    #[arg(long, conflicts_with_all = ["answers", "format"])]
    pub questions: bool,
    /// Begin with this step; those before it are run without questions
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<EraName>,
    /// How to print: as it happens, or a transcript at the end
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// `sglab check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab check topologies
      every mistake of every file, with its place
  sglab check --explain-era
      what the three eras are made of, and on whose word
  sglab check --explain-era=vpc two-tier.yaml
      one era, with what the file overrides")]
pub(crate) struct CheckArguments {
    /// Topology files, folders of them, or built-in ones
    #[arg(required_unless_present = "explain_era", value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Explain the knobs of an era, or of each: what the article states, what Amazon documents, what was chosen
    #[arg(long, value_enum, value_name = "ERA", num_args = 0..=1, require_equals = true)]
    pub explain_era: Option<Option<EraName>>,
    /// How to print what is wrong
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab render`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab render two-tier.yaml            as launched
  sglab render two-tier.yaml --step 3
      as it stands after the third step's operations
  sglab render                          of the lab that is up, as it stands now")]
pub(crate) struct RenderArguments {
    /// A topology file or a built-in one; without it, the lab that is up
    #[arg(value_name = "FILE|example:NAME", conflicts_with = "name")]
    pub topology: Option<String>,
    /// After the operations of this step; without it, as launched
    #[arg(long, value_name = "N", requires = "topology")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA", requires = "topology")]
    pub era: Option<EraName>,
    #[command(flatten)]
    pub which: LabChoice,
}

/// `sglab shell`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab shell two-tier.yaml
      a shell beside the lab's namespaces
  sglab shell two-tier.yaml --step 3                 after the third step
  sglab shell two-tier.yaml --in web1
      a shell as root inside web1, fenced off from the rest
  sglab shell two-tier.yaml -- ip netns exec web1 nc -zv 10.0.0.13 3306")]
pub(crate) struct ShellArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME", required_unless_present = "site")]
    pub topology: Option<String>,
    /// Run the operations up to and with this step; without it, as launched
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<EraName>,
    /// Inside this instance or host outside, as its root; no service of the file is started
    #[arg(long = "in", value_name = "INSTANCE|HOST")]
    pub site: Option<String>,
    /// A command instead of a shell; its exit code becomes the program's
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `sglab doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab doctor
  sglab doctor --format json | jq .can_host")]
pub(crate) struct DoctorArguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab init shop.yaml && sglab test shop.yaml")]
pub(crate) struct InitArguments {
    /// The file to write; an existing one is never overwritten
    #[arg(default_value = "sglab.yaml", value_name = "NAME")]
    pub name: PathBuf,
}

/// `sglab completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(sglab completions bash)
  sglab completions zsh > ~/.zfunc/_sglab")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `sglab man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab man /usr/local/share/man/man1
      sglab.1, sglab-test.1 and so on, into a folder that is there")]
pub(crate) struct ManArguments {
    /// The folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
