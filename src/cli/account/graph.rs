//! `sglab graph`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use sglab::graph::{Picture, dot, mermaid, svg};

use super::sources::{self, Reading};
use crate::cli::common::Exit;
use crate::cli::{file, screen};

/// `sglab graph`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab graph plan.json -o shop.svg
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
    /// Write the picture to this file, which must not be there yet, instead of the output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
    let _working = screen::working("drawing who reaches whom");
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
    file::write_new_or_out(arguments.output.as_deref(), text.as_bytes())?;
    Ok(Exit::Ok)
}
