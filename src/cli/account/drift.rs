//! `sglab drift`.

use std::io::{IsTerminal, Write};

use clap::Args;
use sglab::reach::compare;
use sglab::report::Style;
use sglab::report::difference::{drift, json};

use super::sources::{self, Reading};
use crate::cli::common::{Exit, PlainFormat, When};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab drift`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab drift plan.json dump/
      what the account has and the plan has not, and the other way round
  sglab drift dump/ shop.yaml --format json

What only one source has is listed with its place, then what of it changes who reaches whom. Groups, rules and interfaces \
are matched by id, else by the resource that declares them, else by name.

Exit codes: 0 no drift, 1 drift, 2 bad input.")]
pub(crate) struct DriftArguments {
    /// A source: a file, a folder, `-`, `example:NAME`, `lab:NAME`, `REVISION:PATH` of git
    #[arg(value_name = "A")]
    pub one: String,
    /// The source to compare with
    #[arg(value_name = "B")]
    pub other: String,
    #[command(flatten)]
    pub reading: Reading,
    /// How to print the drift
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

pub(super) fn run(arguments: &DriftArguments) -> anyhow::Result<Exit> {
    let read = sources::read_both(&arguments.one, Some(&arguments.other), &arguments.reading)?;
    let Some((one, other)) = read else { return Ok(Exit::BadInput) };
    let working = screen::working("comparing who reaches whom");
    let difference = compare(&one, &other);
    drop(working);
    let told = match arguments.format {
        PlainFormat::Json => json::json(&difference)?,
        PlainFormat::Text => {
            let color = screen::wanted(arguments.color, stdout().is_terminal());
            let style = Style { color, width: screen::width_of(&stdout()), ..Style::default() };
            drift::text(&difference, (&arguments.one, &arguments.other), style)
        }
    };
    stdout().write_all(told.as_bytes())?;
    Ok(if difference.is_same() { Exit::Ok } else { Exit::Differs })
}
