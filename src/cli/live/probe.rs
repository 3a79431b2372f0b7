//! `sglab probe` and `sglab matrix`.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use indexmap::IndexSet;
use sglab::model::{Service, Via};
use sglab::protocol::{ProbeDetails, Reply, Request, State};
use sglab::report::Style;
use sglab::report::probes::{self, Matrix, ProbeView};
use sglab::scenario::{Class, cells};
use sglab::topology::{Columns, Egress, columns_of, read_services};

use super::session;
use super::session::Invalid;
use crate::cli::common::{Exit, LabChoice, PlainFormat, flow};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab probe`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab probe web1 db1:3306
  sglab probe web1 db1:53/udp
  sglab probe office web1:ping
  sglab probe 8.8.8.8 web1:443
      an address of nobody's is a host outside for as long as it is asked
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
    pub by: Option<Via>,
    #[command(flatten)]
    pub which: LabChoice,
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
    pub by: Vec<Via>,
    /// Ask for the hosts outside too: what goes out
    #[arg(long)]
    pub egress: bool,
    /// Probe again after each change, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub watch: bool,
    #[command(flatten)]
    pub which: LabChoice,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

pub(super) fn run(arguments: &ProbeArguments) -> anyhow::Result<Exit> {
    if arguments.to.is_none() && !arguments.from.contains("->") {
        bail!("`{}` has no destination; such as `sglab probe web1 db1:3306`", arguments.from);
    }
    let flow = flow(&arguments.from, arguments.to.as_deref(), arguments.by);
    let alone = || Ok(flow.check()?);
    let read = |state: &State| {
        let cloud = flow.with_synthetic_hosts(&state.cloud);
        let flows = cells::select(&flow.flow(&cloud)?, None, &cloud);
        let flows = flows.map_err(|why| Invalid::new(&why))?;
        Ok((flows, ()))
    };
    let reply = match session::probe_at(&arguments.which, alone, ProbeDetails::None, read)? {
        Ok((reply, ..)) => reply,
        Err(invalid) => return Ok(invalid.say()),
    };
    match reply {
        Reply::Probed(all) => {
            match arguments.format {
                PlainFormat::Text => stdout().write_all(screen::fit(&stdout(), &probes::probed(&all)).as_bytes())?,
                PlainFormat::Json => {
                    let all: Vec<ProbeView> = all.iter().map(ProbeView::of).collect();
                    writeln!(stdout(), "{}", serde_json::to_string_pretty(&all)?)?;
                }
            }
            let unproved = all.iter().any(|one| one.class() == Class::Inconclusive);
            Ok(if unproved { Exit::Inconclusive } else { Exit::Ok })
        }
        other => session::unexpected_reply(other),
    }
}

pub(super) fn matrix(arguments: &MatrixArguments) -> anyhow::Result<Exit> {
    let table = || table(arguments);
    if arguments.watch { watch(arguments, &table) } else { print(arguments, table()?) }
}

/// A truth table to be printed, or the exit code where there is none.
enum Table {
    Matrix(Box<Matrix>),
    Ended(Exit),
}

fn table(arguments: &MatrixArguments) -> anyhow::Result<Table> {
    let vias: IndexSet<Option<Via>> = match arguments.by.as_slice() {
        [] => IndexSet::from([None]),
        some => some.iter().copied().map(Some).collect(),
    };
    let egress = if arguments.egress { Egress::All } else { Egress::default() };
    let extent = cells::Extent { vias, egress };
    let read = |state: &State| {
        let cloud = &state.cloud;
        let mut columns: IndexSet<Service> = IndexSet::new();
        for words in arguments.ports.iter().flat_map(|words| parts(words)) {
            columns.extend(read_services(cloud, words)?);
        }
        let columns = if columns.is_empty() { columns_of(cloud, &extent.egress) } else { Columns::from(columns) };
        let flows = probes::flows_of_matrix(cloud, &columns, &extent);
        Ok((flows, columns))
    };
    match session::probe_at(&arguments.which, || Ok(()), ProbeDetails::None, read)? {
        Ok((Reply::Probed(all), state, columns)) => {
            // Health checks went on meanwhile.
            let health = if state.cloud.load_balancers.is_empty() {
                state.health
            } else {
                session::state(&arguments.which)?.health
            };
            let state = State { health, ..state };
            Ok(Table::Matrix(Box::new(Matrix::of(&state, &all, &columns, &extent))))
        }
        Ok((other, ..)) => Ok(Table::Ended(session::unexpected_reply(other)?)),
        Err(invalid) => Ok(Table::Ended(invalid.say())),
    }
}

/// Ports that were written with commas; a list in brackets has its own.
fn parts(words: &str) -> Vec<&str> {
    if words.contains('[') { vec![words] } else { words.split(',').map(str::trim).collect() }
}

/// A table now, and one after each change; changes that came while one was drawn make one together.
fn watch(arguments: &MatrixArguments, table: &dyn Fn() -> anyhow::Result<Table>) -> anyhow::Result<Exit> {
    let (tell, hear) = std::sync::mpsc::channel();
    let which = arguments.which.clone();
    let following = std::thread::spawn(move || {
        session::follow(&which, Request::Changes, |reply| match reply {
            Reply::State(_) | Reply::Event(_) => Ok(tell.send(()).map_or(Some(Reply::Done), |()| None)),
            other => Ok(Some(other)),
        })
    });
    while hear.recv().is_ok() {
        while hear.try_recv().is_ok() {}
        let drawn = match table() {
            Ok(drawn) => drawn,
            // It has gone down meanwhile; who follows says how.
            Err(_) if following.is_finished() => break,
            Err(error) => return Err(error),
        };
        if stdout().is_terminal() && arguments.format == PlainFormat::Text {
            // To the top of an empty screen.
            stdout().write_all(b"\x1b[2J\x1b[H")?;
        }
        match print(arguments, drawn)? {
            Exit::Ok => {}
            other => return Ok(other),
        }
        if arguments.format == PlainFormat::Text && !stdout().is_terminal() {
            writeln!(stdout())?;
        }
        stdout().flush()?;
    }
    following.join().unwrap_or(Ok(Exit::Ok))
}

fn print(arguments: &MatrixArguments, table: Table) -> anyhow::Result<Exit> {
    let matrix = match table {
        Table::Matrix(matrix) => matrix,
        Table::Ended(exit) => return Ok(exit),
    };
    match arguments.format {
        PlainFormat::Text => {
            let style = Style { width: screen::width_of(&stdout()), ..Style::default() };
            stdout().write_all(probes::matrix(&matrix, style).as_bytes())?;
        }
        PlainFormat::Json if arguments.watch => writeln!(stdout(), "{}", serde_json::to_string(&matrix)?)?,
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&matrix)?)?,
    }
    Ok(Exit::Ok)
}
