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
mod speak;
pub(super) mod up;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sglab::model::Via;

use super::Exit;
use super::arguments::{EraName, PlainFormat};

/// Commands for labs that stay up.
#[derive(Debug, Subcommand)]
pub(crate) enum LiveCommand {
    /// Boot a lab that stays up, in the background
    Up(UpArguments),
    /// Take a lab down
    Down(DownArguments),
    /// List the labs that are up, and their instances
    Ps(PsArguments),
    /// Print what a lab's supervisor said
    Logs(LogsArguments),
    /// Print the state of a lab: what `ps` prints, and its names, IPv6 addresses and health checks
    State(StateArguments),
    /// Probe a flow of a lab
    Probe(ProbeArguments),
    /// Probe everybody to everybody
    Matrix(MatrixArguments),
    /// Run a program in an instance, or in a host outside
    Exec(ExecArguments),
    /// Write a lab back as a topology file
    Export(export::ExportArguments),
    /// Print what has happened in a lab: changes, verdicts and probes
    Events(events::EventsArguments),
    /// Capture an instance's packets, for tcpdump and Wireshark
    Capture(capture::CaptureArguments),
    /// Print the VPC flow log of a lab
    FlowLogs(flow_logs::FlowLogsArguments),
}

/// Which lab is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The lab, if several are up; `SGLAB_LAB` does as well
    #[arg(long, value_name = "LAB")]
    pub name: Option<String>,
}

/// `sglab up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab up two-tier.yaml                    a lab named two-tier
  sglab up example:two-tier --name demo
      several labs may be up, each under its name
  sglab ps; sglab stop web1; sglab down")]
pub(crate) struct UpArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME")]
    pub topology: String,
    /// The lab's name; without it, the file's
    #[arg(long, value_name = "LAB")]
    pub name: Option<String>,
    /// Under this era instead of the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<EraName>,
    /// Carry out the operations of the steps up to and with this one
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    #[command(flatten)]
    pub keeping: flow_logs::KeepingArguments,
}

/// `sglab down`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab down
  sglab down demo
  sglab down --all")]
pub(crate) struct DownArguments {
    /// The lab; may be left out if only one is up
    #[arg(value_name = "LAB")]
    pub lab: Option<String>,
    /// The same, for who is used to it from other commands
    #[arg(long, value_name = "LAB", hide = true, conflicts_with_all = ["lab", "all"])]
    pub name: Option<String>,
    /// Every lab
    #[arg(long, conflicts_with = "lab")]
    pub all: bool,
    /// Kill it, without asking it first: for one that hangs
    #[arg(long)]
    pub force: bool,
}

/// `sglab ps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab ps
  sglab ps --format json | jq '.[].lab'")]
pub(crate) struct PsArguments {
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab logs --follow
  sglab logs --service web1/nginx")]
pub(crate) struct LogsArguments {
    /// The lab; may be left out if only one is up
    #[arg(value_name = "LAB")]
    pub lab: Option<String>,
    /// The same, for who is used to it from other commands
    #[arg(long, value_name = "LAB", hide = true, conflicts_with = "lab")]
    pub name: Option<String>,
    /// Go on with what it says, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub follow: bool,
    /// What a service of an instance has said, instead; for the last megabyte of it
    #[arg(long, value_name = "INSTANCE/SERVICE", conflicts_with = "follow")]
    pub service: Option<String>,
}

/// `sglab state`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab state
  sglab state --name demo --format json | jq '.instances[].name'")]
pub(crate) struct StateArguments {
    #[command(flatten)]
    pub which: Which,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab probe`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab probe web1 db1:3306
  sglab probe web1 db1:53/udp
  sglab probe office web1:ping
  sglab probe 'web1 -> db1:3306 by public address'
  sglab probe web1 db1:3306 --by public
      by public address; also: private, ipv6, dns")]
pub(crate) struct ProbeArguments {
    /// Who asks: an instance, a group, a host or a load balancer; or the whole flow
    #[arg(value_name = "FROM|FLOW")]
    pub from: String,
    /// Whom, and for what: `db1:3306`, `db1:53/udp`, `db1:ping`
    #[arg(value_name = "TO:PORT")]
    pub to: Option<String>,
    /// By which address of the receiver
    #[arg(long, value_enum, value_name = "ADDRESS")]
    pub by: Option<By>,
    #[command(flatten)]
    pub which: Which,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab matrix`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab matrix
      every port that rules and listeners name
  sglab matrix --ports 'tcp 80' --ports ping
  sglab matrix --by private --by public
  sglab matrix --watch
      drawn anew after each change, until Ctrl-C")]
pub(crate) struct MatrixArguments {
    /// These ports instead of those that rules and listeners name, also several with commas
    #[arg(long, value_name = "PORT")]
    pub ports: Vec<String>,
    /// By which address of the receivers; several make several tables
    #[arg(long, value_enum, value_name = "ADDRESS")]
    pub by: Vec<By>,
    /// Probe again after each change, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub watch: bool,
    #[command(flatten)]
    pub which: Which,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab exec web1 -- curl -s http://db1:8080
  sglab exec office -- curl -s http://198.18.0.11
      # from outside the cloud: a host of the file
  sglab exec -t web1                        a shell
  sglab exec db1 -- mariadb-dump --all-databases >dump.sql

The program is root in the instance, or the host outside, and nowhere else; it has this command's input, output, errors \
and environment, the lab's names, and the folder `/` or that of --workdir. Where one of these is a terminal, it has a pipe in its place, or its own terminal by --tty. Signals go to \
the program's process group. Its exit code is the command's: 128 and the number of the \
signal that ended it, 127 if there is no such program, 126 if it cannot be run. When this command ends first, also by SIGKILL, the program's group is asked to \
end, and killed after 2 s; it is killed when its instance stops or crashes.

What it can and cannot do is a table in docs/architecture.md, \"What an instance can and cannot do\". tcpdump needs several \
user ids, which an ordinary user's lab may lack (`sglab doctor`): `sglab capture web1 | tcpdump -n -r -` does not.")]
pub(crate) struct ExecArguments {
    /// The instance, or the host outside
    #[arg(value_name = "INSTANCE|HOST")]
    pub site: String,
    /// Give the program a terminal of its own, for shells and editors
    #[arg(short, long)]
    pub tty: bool,
    /// Working directory of the program, as the instance sees it
    #[arg(short, long, value_name = "FOLDER", default_value = "/")]
    pub workdir: PathBuf,
    /// Nothing: input is passed on in any case. For who is used to `docker exec -it`
    #[arg(short, long, hide = true)]
    pub interactive: bool,
    #[command(flatten)]
    pub which: Which,
    /// The program and its arguments; a shell, if nothing is said and it has a terminal
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    /// The private address
    Private,
    /// The public address, through the gateway
    Public,
    /// The IPv6 address
    Ipv6,
    /// The public DNS name
    Dns,
}

impl From<By> for Via {
    fn from(by: By) -> Self {
        match by {
            By::Private => Self::Private,
            By::Public => Self::Public,
            By::Ipv6 => Self::Ipv6,
            By::Dns => Self::Dns,
        }
    }
}

/// Carries out one of them.
pub(super) fn run(command: LiveCommand) -> anyhow::Result<Exit> {
    match command {
        LiveCommand::Up(arguments) => up::run(arguments),
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

/// A flow in the words of a file.
pub(super) fn flow(from: &str, to: Option<&str>, by: Option<By>) -> String {
    let by = match by {
        None => "",
        Some(By::Private) => " by private address",
        Some(By::Public) => " by public address",
        Some(By::Ipv6) => " by ipv6 address",
        Some(By::Dns) => " by dns name",
    };
    to.map_or_else(|| format!("{from}{by}"), |to| format!("{from} -> {to}{by}"))
}
