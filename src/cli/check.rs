//! `sglab check`.

use std::io::Write;

use clap::Args;
use sglab::model::Era;
use sglab::report::{self, knobs, shown_line};
use sglab::topology::Topology;

use super::common::{Exit, PlainFormat};
use super::output::stdout;
use super::sources;

/// `sglab check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab check topologies
      every mistake of every file, with its place
  sglab check --explain-era
      what the three eras are made of, and on whose word
  sglab check --explain-era=vpc two-tier.yaml
      one era, with what the file overrides

Exit codes: 0 every file is valid, 2 one is not, or cannot be read.")]
pub(crate) struct CheckArguments {
    /// Topology files, folders of them, or built-in ones
    #[arg(required_unless_present = "explain_era", value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Explain the knobs of an era, or of each: what the article states, what Amazon documents, what was chosen
    #[arg(long, value_enum, value_name = "ERA", num_args = 0..=1, require_equals = true)]
    pub explain_era: Option<Option<Era>>,
    /// How to print what is wrong
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let read = sources::read_clouds(&arguments.topologies);
    if let (Some(era), true) = (arguments.explain_era, read.is_whole()) {
        return explain(arguments, era, &read.topologies);
    }
    match arguments.format {
        PlainFormat::Json => {
            let problems: Vec<_> = read.problems.iter().flat_map(|problems| problems.iter()).collect();
            let checked: Vec<_> = read.topologies.iter().map(|topology| &topology.file).collect();
            let document = serde_json::json!({ "format": 1, "valid": checked, "problems": problems, "unreadable": read.unreadable });
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        }
        PlainFormat::Text => {
            read.tell();
            for topology in &read.topologies {
                let (steps, columns) = (topology.steps.len(), topology.columns.len());
                let counted = [(steps, "step"), (columns, "column")].map(|(number, what)| report::count(number, what));
                writeln!(stdout(), "{}: valid, {}", shown_line(&topology.file), counted.join(", "))?;
            }
        }
    }
    Ok(if read.is_whole() { Exit::Ok } else { Exit::BadInput })
}

/// Explains the knobs of one era or of all, by themselves or as each file has them.
fn explain(arguments: &CheckArguments, era: Option<Era>, topologies: &[Topology]) -> anyhow::Result<Exit> {
    let files: Vec<Option<&Topology>> =
        if topologies.is_empty() { vec![None] } else { topologies.iter().map(Some).collect() };
    let mut documents = Vec::new();
    let mut texts = Vec::new();
    for file in files {
        let eras = match (era, file) {
            (Some(era), _) => vec![era],
            (None, Some(topology)) => topology.eras.clone(),
            (None, None) => Era::ALL.to_vec(),
        };
        for era in eras {
            let rows = knobs::explain(era, file);
            let name = file.map(|topology| &topology.file);
            let head = name.map(|name| format!("{}, ", shown_line(name))).unwrap_or_default();
            texts.push(head + &knobs::text(era, &rows));
            documents.push(serde_json::json!({ "file": name, "era": era, "knobs": rows }));
        }
    }
    match arguments.format {
        PlainFormat::Json => {
            let document = serde_json::json!({ "format": 1, "eras": documents });
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        }
        PlainFormat::Text => write!(stdout(), "{}", texts.join("\n"))?,
    }
    Ok(Exit::Ok)
}
