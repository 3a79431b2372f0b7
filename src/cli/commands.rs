//! The commands that can be typed, in the groups of `sglab --help`. The arguments of each are in its file; parsing does nothing but parse.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use super::{
    check, completions, doctor, explain, grade, init, learn, list, man, predict, render, replay, shell, test, walk,
};

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
    Test(Box<test::TestArguments>),
    /// Run again what `sglab test --evidence` kept, and say what differs
    Replay(replay::ReplayArguments),
    /// Boot a lab, run it up to a step, and open a shell in it
    Shell(shell::ShellArguments),
    /// Say what this kernel, nft and user can and cannot do, with remedies
    Doctor(doctor::DoctorArguments),
}

/// Commands that answer by the model alone, or with a lab's packets beside it.
#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Explain the verdict of one flow: who is asked on its way, and what would open it
    Explain(explain::ExplainArguments),
    /// Predict the truth table after every step; needs no privilege and no kernel
    Predict(predict::PredictArguments),
    /// Print the compiled ruleset as nft text; needs no privilege
    Render(render::RenderArguments),
}

/// Commands for a class.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkshopCommand {
    /// Take a class through a topology: each step is told, predicted, run on packets and revealed
    Walk(walk::WalkArguments),
    /// Take a lesson: predict, run, reveal, then find the rule, mend a file, write one; without a name, list them
    Learn(learn::LearnArguments),
    /// Grade what a class has handed in for a lesson, on packets, with the rules that leak and those that are missing
    Grade(grade::GradeArguments),
    /// Say what topologies are about; without names, those that are built in
    List(list::ListArguments),
}

/// Commands for topology files and the shell.
#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// Write a commented starter file
    Init(init::InitArguments),
    /// Check topology files; needs no privilege and no kernel
    Check(check::CheckArguments),
    /// Print the JSON Schema of topology files
    #[command(after_help = "\
Examples:
  sglab schema > sglab.schema.json

An editor knows the format by a first line of the file:
# yaml-language-server: $schema=sglab.schema.json")]
    Schema,
    /// Print completions for a shell
    Completions(completions::CompletionsArguments),
    /// Write manual pages
    Man(man::ManArguments),
}
