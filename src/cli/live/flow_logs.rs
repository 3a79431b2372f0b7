//! `sglab flow-logs`, and the file of `sglab up --flow-logs`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use sglab::control::supervisor::Keeping;
use sglab::protocol::{EventKind, Reply, Request};
use sglab::report::flow_logs::Format;

use super::session;
use crate::cli::common::{Exit, LabChoice, told};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab flow-logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab flow-logs
      what was accepted and rejected, in EC2's default format
  sglab flow-logs --follow \\
      --format '${action} ${srcaddr} ${dstaddr} ${dstport} ${group-id}'
  sglab flow-logs --format json | jq 'select(.action == \"REJECT\")'

Each call closes the current aggregation interval. Fields: version account-id interface-id srcaddr dstaddr srcport dstport protocol \
packets bytes start end action log-status vpc-id subnet-id instance-id type pkt-srcaddr pkt-dstaddr flow-direction, and \
sglab's own group-id and rule-id.")]
pub(crate) struct FlowLogsArguments {
    /// Print each interval's records as it ends, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub follow: bool,
    /// These fields in place of EC2's default format, or `json` for an object a line
    #[arg(long, value_name = "FIELDS")]
    pub format: Option<String>,
    #[command(flatten)]
    pub which: LabChoice,
}

/// Of `sglab up`.
#[derive(Debug, Args)]
pub(crate) struct KeepingArguments {
    /// Append the lab's flow log to this file too
    #[arg(long, value_name = "FILE")]
    pub flow_logs: Option<PathBuf>,
    /// These fields of it in place of EC2's default format
    #[arg(long, value_name = "FIELDS", requires = "flow_logs")]
    pub flow_logs_format: Option<String>,
    /// The maximum aggregation interval of the flow log, in seconds; EC2 has 60 and 600
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub aggregation: u32,
}

pub(super) fn run(arguments: &FlowLogsArguments) -> anyhow::Result<Exit> {
    let json = arguments.format.as_deref() == Some("json");
    let Some(format) = format(arguments.format.as_deref().filter(|_| !json)) else { return Ok(Exit::BadInput) };
    session::follow(&arguments.which, Request::FlowLogs { follow: arguments.follow }, |reply| {
        if let Some(gap) = gap(&reply) {
            eprintln!("{gap}");
            return Ok(None);
        }
        let Reply::FlowLog(records) = reply else { return Ok(Some(reply)) };
        let mut text = String::new();
        for record in &records {
            text += &if json { serde_json::to_string(record)? } else { format.line(record) };
            text.push('\n');
        }
        let text = if json { text } else { screen::fit(&stdout(), &text) };
        stdout().write_all(text.as_bytes())?;
        stdout().flush()?;
        Ok(None)
    })
}

/// Says what is missing here, where the lab tells that replies went by a reader that is too slow.
fn gap(reply: &Reply) -> Option<String> {
    let Reply::Event(event) = reply else { return None };
    let EventKind::Missed { events } = event.kind else { return None };
    Some(format!("the records of {events} intervals, or parts of such, are missing here: they came too fast"))
}

/// Reads the window and the file of a lab's flow log; nothing if the words are wrong, which has been said then.
pub(super) fn keeping(arguments: &KeepingArguments) -> anyhow::Result<Option<Keeping>> {
    let Some(format) = format(arguments.flow_logs_format.as_deref()) else { return Ok(None) };
    let write = arguments.flow_logs.as_deref().map(|path| file(path, format)).transpose()?;
    Ok(Some(Keeping { seconds: arguments.aggregation, write }))
}

fn file(path: &Path, format: Format) -> anyhow::Result<sglab::control::supervisor::Write> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let mut file = opened.with_context(|| format!("failed to open {}", told(path)))?;
    Ok(Box::new(move |records| {
        let lines: String = records.iter().map(|record| format.line(record) + "\n").collect();
        file.write_all(lines.as_bytes())
    }))
}

fn format(words: Option<&str>) -> Option<Format> {
    match words.map_or_else(|| Ok(Format::default()), Format::parse) {
        Ok(format) => Some(format),
        Err(wrong) => {
            wrong.lines().for_each(|line| eprintln!("error: {line}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use sglab::protocol::{Event, Failure};

    use super::*;

    #[test]
    fn who_reads_the_flow_log_too_slowly_is_told_of_a_gap() {
        let missed = Event { number: 0, time: 0.0, kind: EventKind::Missed { events: 3 } };
        let told = gap(&Reply::Event(Box::new(missed))).expect("a gap");
        assert!(told.starts_with("the records of 3 intervals"), "{told}");
        assert_eq!(gap(&Reply::FlowLog(Vec::new())), None);
        assert_eq!(gap(&Reply::Failed(Failure::NoProgram)), None);
    }
}
