//! `sglab list`.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use sglab::report::{Style, catalogue};

use super::common::{Exit, PlainFormat, When};
use super::output::stdout;
use super::{screen, sources};

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

pub(super) fn run(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let names = &arguments.topologies;
    let mut read = if names.is_empty() { sources::read_built_in() } else { sources::read_clouds(names) };
    read.tell();
    if let Some(words) = &arguments.filter {
        read.topologies.retain(|topology| catalogue::is_about(topology, words));
        if read.topologies.is_empty() && read.is_whole() {
            bail!("no topology has `{words}` in its name, its story or its steps");
        }
    }
    let style = Style { color: screen::wanted(arguments.color, stdout().is_terminal()), ..Style::default() };
    let width = screen::width_of(&stdout());
    let text = match (arguments.format, arguments.long) {
        (PlainFormat::Json, _) => catalogue::json(&read.topologies)?,
        (PlainFormat::Text, true) => catalogue::long(&read.topologies, width, style),
        (PlainFormat::Text, false) => catalogue::short(&read.topologies, width, style),
    };
    stdout().write_all(text.as_bytes())?;
    Ok(if read.is_whole() { Exit::Ok } else { Exit::BadInput })
}
