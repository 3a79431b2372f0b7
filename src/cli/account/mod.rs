//! The commands for clouds that people have of their own: what can be typed. Each is a file below.

mod allowed_flows;
mod diff;
mod drift;
pub(super) mod expected;
mod exported;
mod fix;
mod graph;
mod import;
mod lint;
mod prove;
mod prove_findings;
mod revision;
pub(super) mod sources;
mod texts;
mod wrong_input;

use clap::Subcommand;

use super::common::Exit;

/// Commands for one's own cloud.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Say what a change opens and closes: two plans, dumps, topologies or git revisions
    Diff(diff::DiffArguments),
    /// Say how two sources of one cloud differ: a plan and the account, the account and a topology
    Drift(drift::DriftArguments),
    /// Draw who reaches whom
    Graph(graph::GraphArguments),
    /// Read one's own cloud: `aws ec2 describe-*` replies, Terraform plans and states, CloudFormation templates
    Import(import::ImportArguments),
    /// Check groups and rules against good practice: topologies, dumps, plans
    Lint(lint::LintArguments),
}

/// Carries out one of them.
pub(super) fn run(command: AccountCommand) -> anyhow::Result<Exit> {
    match command {
        AccountCommand::Diff(arguments) => diff::run(&arguments),
        AccountCommand::Drift(arguments) => drift::run(&arguments),
        AccountCommand::Graph(arguments) => graph::run(&arguments),
        AccountCommand::Import(arguments) => import::run(&arguments),
        AccountCommand::Lint(arguments) => lint::run(&arguments),
    }
}
