//! Arguments of `sglab learn`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::common::{PlainFormat, When};

/// `sglab learn`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab learn                         the lessons, a line each
  sglab learn self-trust              play one, on real packets
  sglab learn self-trust --into here
      with the files to edit in this folder; Enter checks them again
  sglab learn self-trust --solution mine.yaml --format json
      hand in a file, without a terminal
  sglab learn self-trust --questions > answers.txt
  sglab learn self-trust --answers answers.txt
  sglab learn --serve 20 --at 192.168.1.5:8080
      twenty browsers play lessons here, each with labs of its own; they need nothing else
  sglab learn self-trust --serve 1    play it in the browser of this machine
  sglab learn --check                 hold all lessons to their word
  sglab learn --check mine/01-lesson --packets

At a terminal `h` asks for a hint on a file: which end, then which group, the rule, the remedy; they cost 5, 10, 15 and 20 \
points, once for each file. A file of answers is one as `sglab walk` takes; which rule lets a flow through is answered by \
its number, or 0 for none.

Exit codes: 0 all that was handed in holds, 1 it does not, or a lesson breaks its word, 2 bad input, 3 this machine cannot \
host a lab.")]
pub(crate) struct LearnArguments {
    /// A lesson by its name or the beginning of it, or a folder that has one
    #[arg(value_name = "LESSON")]
    pub lesson: Option<String>,
    /// Write the files to edit into this folder; those that are there already are kept, and checked
    #[arg(long, value_name = "DIR", requires = "lesson", conflicts_with = "check")]
    pub into: Option<PathBuf>,
    /// Hand in this file; for the second file to edit again
    #[arg(long, value_name = "FILE", requires = "lesson", conflicts_with_all = ["check", "into"])]
    pub solution: Vec<PathBuf>,
    /// Take the answers from this file, `-` for the input, and ask nobody
    #[arg(long, value_name = "FILE", requires = "lesson", conflicts_with = "check")]
    pub answers: Option<PathBuf>,
    /// Print the questions as a file of answers to be filled in, and run nothing
    #[arg(long, requires = "lesson", conflicts_with_all = ["answers", "format", "check", "into", "solution"])]
    pub questions: bool,
    /// Hold a lesson to its word, or all of them: its start fails, its solution passes, its answers are computed
    #[arg(long)]
    pub check: bool,
    /// Check on packets, and not by the model
    #[arg(long, requires = "check")]
    pub packets: bool,
    /// Serve the lesson, or all of them, to so many browsers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200), conflicts_with_all = ["check", "into", "solution", "answers", "questions"])]
    pub serve: Option<u16>,
    /// Listen at this address of this machine, which the browsers reach; without it, on loopback
    #[arg(long, value_name = "ADDRESS:PORT", requires = "serve")]
    pub at: Option<SocketAddr>,
    /// Let so many labs work at the same time
    #[arg(short, long, default_value_t = 4, value_name = "N", requires = "serve", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// How to print: as it happens, or a document at the end
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}
