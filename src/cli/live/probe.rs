//! `sglab probe` and `sglab matrix`.

use std::io::{Write, stdout};

use sglab::control::protocol::{Reply, Request};
use sglab::report::live;

use super::{By, MatrixArguments, ProbeArguments, speak};
use crate::cli::Exit;
use crate::cli::arguments::PlainFormat;

pub(super) fn run(arguments: &ProbeArguments) -> anyhow::Result<Exit> {
    let by = match arguments.by {
        None => "",
        Some(By::Private) => " by private address",
        Some(By::Public) => " by public address",
        Some(By::Ipv6) => " by ipv6 address",
        Some(By::Dns) => " by dns name",
    };
    let flow = format!("{} -> {}{by}", arguments.from, arguments.to);
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
    let by = arguments.by.iter().map(|by| word(by).to_owned()).collect();
    match speak::ask(&arguments.which, Request::Matrix { ports: arguments.ports.clone(), by })? {
        Reply::Matrix(matrix) => {
            match arguments.format {
                PlainFormat::Text => stdout().write_all(live::matrix(&matrix).as_bytes())?,
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&matrix)?)?,
            }
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
}
