//! `sglab probe` and `sglab matrix`.

use std::io::{IsTerminal, Write, stdout};

use anyhow::bail;
use sglab::control::protocol::{Reply, Request};
use sglab::report::live;

use super::{By, MatrixArguments, ProbeArguments, speak};
use crate::cli::Exit;
use crate::cli::arguments::PlainFormat;

pub(super) fn run(arguments: &ProbeArguments) -> anyhow::Result<Exit> {
    if arguments.to.is_none() && !arguments.from.contains("->") {
        bail!("`{}` asks nobody: whom, and for what? `sglab probe web1 db1:3306`", arguments.from);
    }
    let flow = super::flow(&arguments.from, arguments.to.as_deref(), arguments.by);
    match speak::ask(&arguments.which, Request::Probe { flows: vec![flow] })? {
        Reply::Probed(all) => {
            match arguments.format {
                PlainFormat::Text => stdout().write_all(live::probed(&all).as_bytes())?,
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&all)?)?,
            }
            let unproved = all.iter().any(|one| one.outcome == "inconclusive");
            Ok(if unproved { Exit::Inconclusive } else { Exit::Ok })
        }
        other => speak::otherwise(other),
    }
}

pub(super) fn matrix(arguments: &MatrixArguments) -> anyhow::Result<Exit> {
    let word = |by: &By| match by {
        By::Private => "private",
        By::Public => "public",
        By::Ipv6 => "ipv6",
        By::Dns => "dns",
    };
    let by: Vec<String> = arguments.by.iter().map(|by| word(by).to_owned()).collect();
    let table = || speak::ask(&arguments.which, Request::Matrix { ports: arguments.ports.clone(), by: by.clone() });
    if arguments.watch { watch(arguments, &table) } else { print(arguments, table()?) }
}

/// A table now, and one after each change; changes that came while one was drawn make one together.
fn watch(arguments: &MatrixArguments, table: &dyn Fn() -> anyhow::Result<Reply>) -> anyhow::Result<Exit> {
    let (tell, hear) = std::sync::mpsc::channel();
    let which = arguments.which.clone();
    let following = std::thread::spawn(move || {
        speak::follow(&which, Request::Changes, |reply| match reply {
            Reply::State(_) | Reply::Event(_) => Ok(tell.send(()).map_or(Some(Reply::Done), |()| None)),
            other => Ok(Some(other)),
        })
    });
    while hear.recv().is_ok() {
        while hear.try_recv().is_ok() {}
        let reply = match table() {
            Ok(reply) => reply,
            // It has gone down meanwhile; who follows says how.
            Err(_) if following.is_finished() => break,
            Err(error) => return Err(error),
        };
        if stdout().is_terminal() && arguments.format == PlainFormat::Text {
            // To the top of an empty screen.
            stdout().write_all(b"\x1b[2J\x1b[H")?;
        }
        match print(arguments, reply)? {
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

fn print(arguments: &MatrixArguments, reply: Reply) -> anyhow::Result<Exit> {
    match reply {
        Reply::Matrix(matrix) => {
            match arguments.format {
                PlainFormat::Text => stdout().write_all(live::matrix(&matrix).as_bytes())?,
                PlainFormat::Json if arguments.watch => writeln!(stdout(), "{}", serde_json::to_string(&matrix)?)?,
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&matrix)?)?,
            }
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
}
