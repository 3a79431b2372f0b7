//! `sglab diff`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sglab::lint::allow;
use sglab::reach::{Certainty, Difference, Way, compare};
use sglab::report::Style;
use sglab::report::difference::{Told, json, markdown, text};

use super::lint::today;
use super::sources::{self, Reading};
use super::{allowed_flows, prove};
use crate::cli::common::{Exit, When};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab diff plan.json
      one Terraform plan, with the state that it was made against
  sglab diff base.json head.json
      two plans or states, as `terraform show -json` prints them
  sglab diff monday/ tuesday/
      two folders of `aws ec2 describe-*` replies
  sglab diff main:shop.yaml shop.yaml
      a topology of git's branch main, and as it is now
  sglab diff HEAD:dumps dumps
      a folder as git has it, and as it is now
  sglab diff base.json head.json --format markdown > comment.md
  sglab diff base.json head.json --fail-on opened --format json
  sglab diff lab:shop shop.yaml
      a lab that is up, and the file
  sglab diff base.json head.json --prove
      and boot both, to send what differs
  sglab diff base.json head.json --fail-on opened --allow shop.expect.yaml
      but for what that file allows: `allows: [{flow: 'anywhere -> web:443', reason: the launch, until: 2027-01-31}]`

Without `--prove` no packet is sent. No cloud is asked, and no privilege is needed. What is newly open from outside comes first. \
Interfaces, groups and rules of both are matched by id, else by the resource that declares them, else by name.

Exit codes: 0 nothing that `--fail-on` names, 1 something, 2 bad input, 4 nothing that is known, but something is not known.")]
pub(crate) struct DiffArguments {
    /// The cloud before the change: a file, a folder, `-` for standard input, `example:NAME`, `lab:NAME`, `REVISION:PATH` of git
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The cloud after it; without it, OLD is a Terraform plan, which is compared with its own prior state
    #[arg(value_name = "NEW")]
    pub new: Option<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Changes that end with exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Changed, value_name = "WHAT")]
    pub fail_on: FailOn,
    /// A file of expectations, whose `allows` says what may be newly open, and why
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<PathBuf>,
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
    let read = sources::read_both(&arguments.old, arguments.new.as_deref(), &arguments.reading)?;
    let Some((old, new)) = read else { return Ok(Exit::BadInput) };
    let working = screen::working("comparing who reaches whom");
    let difference = compare(&old, &new);
    drop(working);
    let Some(allowances) = allowed_flows::in_files(&arguments.allow)? else { return Ok(Exit::BadInput) };
    let allowed = allow(&difference, &allowances, today()?);
    let proving = match arguments.prove {
        true => prove::run(&old, &new, difference.is_empty()),
        false => Ok(Exit::Ok.into()),
    };
    // The comparison of rules is printed also where no lab can be booted.
    let proved = proving.as_ref().ok().and_then(|proving| proving.proved.as_ref());
    let told = Told { difference: &allowed.left, allowed: &allowed.allowed, useless: &allowed.useless, proved };
    stdout().write_all(words(arguments, told)?.as_bytes())?;
    // A verdict of packets outweighs the comparison of rules.
    match proving?.exit {
        Exit::Ok => Ok(exit(&allowed.left, arguments.fail_on)),
        other => Ok(other),
    }
}

fn words(arguments: &DiffArguments, told: Told<'_>) -> anyhow::Result<String> {
    Ok(match arguments.format {
        DiffFormat::Json => json::json(told)?,
        DiffFormat::Markdown => markdown::markdown(told, &arguments.marker),
        DiffFormat::Text => {
            let color = screen::wanted(arguments.color, stdout().is_terminal());
            let width = screen::width_of(&stdout());
            text::text(told, Style { color, width, verbose: arguments.rules, ..Style::default() })
        }
    })
}

fn exit(difference: &Difference, fail_on: FailOn) -> Exit {
    let any = |known: bool| {
        let closed = difference.closed.iter().filter(|_| fail_on == FailOn::Changed);
        let opened = difference.opened.iter();
        let opened = opened.filter(|passage| fail_on != FailOn::OpenedFromOutside || passage.way == Way::FromOutside);
        opened.chain(closed).any(|passage| (passage.certainty == Certainty::Known) == known)
    };
    // An item that is gone opens something only if it has kept that closed.
    let gone = difference.gone.iter().any(|item| fail_on == FailOn::Changed || item.may_restrict());
    match fail_on {
        FailOn::Never => Exit::Ok,
        _ if any(true) => Exit::Differs,
        _ if any(false) || gone || !difference.not_known.is_empty() => Exit::Inconclusive,
        _ => Exit::Ok,
    }
}
