//! `sglab explain` on a lab that is up.

use std::io::{IsTerminal, Write, stdout};

use sglab::control::protocol::{Reply, Request};
use sglab::report::{Style, events};

use super::speak;
use crate::cli::arguments::{ExplainArguments, PlainFormat};
use crate::cli::{Exit, color, screen};

pub(in crate::cli) fn run(arguments: &ExplainArguments, flow: &str) -> anyhow::Result<Exit> {
    let color = arguments.format == PlainFormat::Text && color::wanted(arguments.color, stdout().is_terminal());
    let width = screen::width_of(&stdout());
    let style = Style { width, ..Style::default() };
    match speak::ask(&arguments.which, Request::Explain { flows: vec![flow.to_owned()], color, width })? {
        Reply::Explained(all) => {
            match arguments.format {
                PlainFormat::Text => {
                    let ways = all.iter().map(events::explained);
                    let together = all.iter().filter_map(|it| it.together.as_ref()).map(events::together);
                    ways.chain(together).try_for_each(|text| stdout().write_all(style.fit(&text).as_bytes()))?
                }
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&all)?)?,
            }
            let any = |word: &str| all.iter().any(|it| it.agreement == word);
            Ok(match (any("disagree"), any("unproved")) {
                (true, _) => Exit::Differs,
                (false, true) => Exit::Inconclusive,
                (false, false) => Exit::Ok,
            })
        }
        other => speak::otherwise(other),
    }
}
