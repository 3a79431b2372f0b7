//! `sglab graph`.

use std::io::{Write, stdout};

use anyhow::bail;
use clap::{Args, ValueEnum};
use sglab::graph::{Picture, dot, mermaid, svg};

use super::sources::{self, Reading};
use crate::cli::common::Exit;

/// `sglab graph`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab graph plan.json > shop.svg
  sglab graph example:two-tier-vpc --format mermaid
      for Markdown that GitHub or GitLab shows
  sglab graph dump/ --format dot | dot -Tpng > account.png

Lanes go from outside inwards: who is reached from outside stands in the second, and so on. A box holds the members of a group; \
an instance of several stands in the largest. Arrows are what rules admit, no packet is sent.")]
pub(crate) struct GraphArguments {
    /// Sources as `sglab import` reads them, a topology, or `lab:NAME`
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Format of the picture
    #[arg(long, value_enum, default_value_t = GraphFormat::Svg)]
    pub format: GraphFormat,
}

/// Formats of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A picture that a browser shows
    Svg,
    /// For graphviz
    Dot,
    /// For Markdown
    Mermaid,
}

pub(super) fn run(arguments: &GraphArguments) -> anyhow::Result<Exit> {
    let Some(account) = sources::read(&arguments.sources, &arguments.reading)? else { return Ok(Exit::BadInput) };
    let picture = Picture::new(&account);
    let title = format!("Who reaches whom in {}", arguments.sources.join(", "));
    let text = match arguments.format {
        GraphFormat::Svg => svg(&picture, &title),
        GraphFormat::Dot => dot(&picture, &title),
        GraphFormat::Mermaid => match mermaid(&picture) {
            Some(text) => text,
            None => {
                bail!("{} arrows are more than Mermaid draws; `--format svg` has no such limit", picture.arrows.len())
            }
        },
    };
    stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
