//! `sglab events`.

use std::io::Write;

use clap::Args;
use sglab::protocol::{Reply, Request};
use sglab::report::events::{self, EventView};

use super::session;
use crate::cli::common::{Exit, LabChoice, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab events                        what has happened, a line each
  sglab events --follow               and what happens from now on, until Ctrl-C
  sglab events --follow --format json | \\
      jq 'select(.event == \"verdict\" and .verdict == \"drop\")'")]
pub(crate) struct EventsArguments {
    /// Go on printing what happens, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub follow: bool,
    #[command(flatten)]
    pub which: LabChoice,
    /// How to print: for people, or a JSON object a line
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

pub(super) fn run(arguments: &EventsArguments) -> anyhow::Result<Exit> {
    session::follow(&arguments.which, Request::Events { follow: arguments.follow }, |reply| {
        let Reply::Event(event) = reply else { return Ok(Some(reply)) };
        match arguments.format {
            PlainFormat::Text => stdout().write_all(screen::fit(&stdout(), &events::event(&event)).as_bytes())?,
            PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string(&EventView::of(&event))?)?,
        }
        Ok(None)
    })
}
