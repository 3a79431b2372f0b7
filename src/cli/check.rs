//! `sglab check`.

use std::io::{Write, stdout};

use super::arguments::{CheckArguments, PlainFormat};
use super::{Exit, sources};

pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let read = sources::read(&arguments.topologies)?;
    match arguments.format {
        PlainFormat::Json => {
            let problems: Vec<_> = read.problems.iter().flat_map(|problems| problems.iter()).collect();
            let checked: Vec<_> = read.topologies.iter().map(|topology| &topology.file).collect();
            let document = serde_json::json!({ "format": 1, "valid": checked, "problems": problems });
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        }
        PlainFormat::Text => {
            for problems in &read.problems {
                eprint!("{problems}");
            }
            for topology in &read.topologies {
                let (steps, columns) = (topology.steps.len(), topology.columns.len());
                writeln!(stdout(), "{}: valid, {steps} steps, {columns} columns", topology.file)?;
            }
        }
    }
    Ok(if read.problems.is_empty() { Exit::Ok } else { Exit::BadInput })
}
