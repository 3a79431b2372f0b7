//! `sglab diff`.

use std::io::{IsTerminal, Write, stdout};

use clap::{Args, ValueEnum};
use sglab::reach::{Certainty, Difference, Way, compare};
use sglab::report::Style;
use sglab::report::difference::{json, markdown, text};

use super::prove;
use super::sources::{self, KindChoice};
use crate::cli::common::{Exit, When};
use crate::cli::{color, progress, screen};

/// `sglab diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab diff base.json head.json
      two plans or states, as `terraform show -json` prints them
  sglab diff monday/ tuesday/
      two folders of `aws ec2 describe-*` replies
  sglab diff main:shop.yaml shop.yaml
      a topology of git's branch main, and as it is now
  sglab diff base.json head.json --format markdown > comment.md
  sglab diff base.json head.json --fail-on opened --format json
  sglab diff lab:shop shop.yaml
      a lab that is up, and the file
  sglab diff base.json head.json --prove
      and boot both, to send what differs

Without `--prove` no packet is sent. No cloud is asked, and no privilege is needed. What is newly open from outside comes first. \
Interfaces, groups and rules of both are matched by id, else by the resource that declares them, else by name.

Exit codes: 0 nothing that `--fail-on` names, 1 something, 2 bad input, 4 nothing that is known, but something is not known.")]
pub(crate) struct DiffArguments {
    /// The cloud before the change: a file, a folder, `-` for standard input, `example:NAME`, `lab:NAME`, `REVISION:FILE` of git
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The cloud after it
    #[arg(value_name = "NEW")]
    pub new: String,
    #[command(flatten)]
    pub kind: KindChoice,
    /// Changes that end with exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Changed, value_name = "WHAT")]
    pub fail_on: FailOn,
    /// List rules and memberships that differ, too
    #[arg(long)]
    pub rules: bool,
    /// Boot both clouds, and send packets for what differs
    #[arg(long)]
    pub prove: bool,
    /// How to print the difference
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// A word by which a workflow finds its own comment again, in Markdown
    #[arg(long, value_name = "NAME", default_value = "sglab")]
    pub marker: String,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// Findings and changes that end with exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Somebody reaches somebody else than before, or no longer
    Changed,
    /// Something is open that was closed
    Opened,
    /// Something is open from outside that was closed
    OpenedFromOutside,
    /// Nothing
    Never,
}

/// Formats of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For the comment of a pull request
    Markdown,
}

pub(super) fn run(arguments: &DiffArguments) -> anyhow::Result<Exit> {
    let read = |name: &String| sources::read(std::slice::from_ref(name), arguments.kind);
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    let (Some(old), Some(new)) = (old, new) else { return Ok(Exit::BadInput) };
    let working = progress::working("comparing who reaches whom");
    let difference = compare(&old, &new);
    drop(working);
    let told = match arguments.format {
        DiffFormat::Json => json::json(&difference)?,
        DiffFormat::Markdown => markdown::markdown(&difference, &arguments.marker),
        DiffFormat::Text => {
            let color = color::wanted(arguments.color, stdout().is_terminal());
            let width = screen::width_of(&stdout());
            text::text(&difference, Style { color, width, verbose: arguments.rules, ..Style::default() })
        }
    };
    stdout().write_all(told.as_bytes())?;
    let exit = exit(&difference, arguments.fail_on);
    if !arguments.prove {
        return Ok(exit);
    }
    // A verdict of packets outweighs the comparison of rules.
    match prove::run(&old, &new, difference.is_empty())? {
        Exit::Ok => Ok(exit),
        other => Ok(other),
    }
}

fn exit(difference: &Difference, fail_on: FailOn) -> Exit {
    let any = |known: bool| {
        let closed = difference.closed.iter().filter(|_| fail_on == FailOn::Changed);
        let opened = difference.opened.iter();
        let opened = opened.filter(|passage| fail_on != FailOn::OpenedFromOutside || passage.way == Way::FromOutside);
        opened.chain(closed).any(|passage| (passage.certainty == Certainty::Known) == known)
    };
    match fail_on {
        FailOn::Never => Exit::Ok,
        _ if any(true) => Exit::Differs,
        _ if any(false) || !difference.not_known.is_empty() => Exit::Inconclusive,
        _ => Exit::Ok,
    }
}
