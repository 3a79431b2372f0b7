//! `sglab list`.

use std::io::{IsTerminal, Write, stdout};

use anyhow::bail;
use sglab::report::{Style, catalogue};

use super::arguments::ListArguments;
use super::common::{Exit, PlainFormat};
use super::{screen, sources};

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
