//! The commands for labs that stay up: what can be typed. Each is a file below; the operations are in `operations`.

pub(super) mod capture;
pub(super) mod down;
pub(super) mod events;
pub(super) mod exec;
pub(super) mod explain;
pub(super) mod export;
pub(super) mod flow_logs;
pub(super) mod logs;
pub(super) mod operations;
pub(super) mod probe;
pub(super) mod ps;
pub(super) mod session;
pub(super) mod ui;
pub(super) mod up;

use clap::Subcommand;

use super::common::Exit;

/// Commands for labs that stay up.
#[derive(Debug, Subcommand)]
pub(crate) enum LiveCommand {
    /// Boot a lab that stays up, in the background
    Up(up::UpArguments),
    /// Show a lab on a page in the browser: picture, truth table, explanations, operations as forms
    Ui(ui::UiArguments),
    /// Take a lab down
    Down(down::DownArguments),
    /// List the labs that are up, and their instances
    Ps(ps::PsArguments),
    /// Print what a lab's supervisor said
    Logs(logs::LogsArguments),
    /// Print the state of a lab: what `ps` prints, and its names, IPv6 addresses and health checks
    State(ps::StateArguments),
    /// Probe a flow of a lab
    Probe(probe::ProbeArguments),
    /// Probe everybody to everybody
    Matrix(probe::MatrixArguments),
    /// Run a program in an instance, or in a host outside
    Exec(exec::ExecArguments),
    /// Write a lab back as a topology file
    Export(export::ExportArguments),
    /// Print what has happened in a lab: changes, verdicts and probes
    Events(events::EventsArguments),
    /// Capture an instance's packets, for tcpdump and Wireshark
    Capture(capture::CaptureArguments),
    /// Print the VPC flow log of a lab
    FlowLogs(flow_logs::FlowLogsArguments),
}

/// Carries out one of them.
pub(super) fn run(command: LiveCommand) -> anyhow::Result<Exit> {
    match command {
        LiveCommand::Up(arguments) => up::run(&arguments),
        LiveCommand::Ui(arguments) => ui::run(&arguments),
        LiveCommand::Down(arguments) => down::run(&arguments),
        LiveCommand::Ps(arguments) => ps::run(&arguments),
        LiveCommand::Logs(arguments) => logs::run(&arguments),
        LiveCommand::State(arguments) => ps::state(&arguments),
        LiveCommand::Probe(arguments) => probe::run(&arguments),
        LiveCommand::Matrix(arguments) => probe::matrix(&arguments),
        LiveCommand::Exec(arguments) => exec::run(arguments),
        LiveCommand::Export(arguments) => export::run(&arguments),
        LiveCommand::Events(arguments) => events::run(&arguments),
        LiveCommand::Capture(arguments) => capture::run(&arguments),
        LiveCommand::FlowLogs(arguments) => flow_logs::run(&arguments),
    }
}
