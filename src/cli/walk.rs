//! `sglab walk`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use sglab::model::Era;
use sglab::report::walk::{self as told, Ended};
use sglab::report::{Entry, Style, terminal};
use sglab::scenario::{self, Backend, Options, RunError, RunResult, Stepper};
use sglab::topology::{Prediction, Reply, Step, Topology};
use sglab::workshop::grading::{self, GradedAnswer, Score};
use sglab::workshop::questions::{self, Puzzle, Puzzles};
use tokio::sync::mpsc::UnboundedReceiver;

use super::common::{Exit, PlainFormat, When, no_step};
use super::desk::{Desk, Source, Talk};
use super::output::stdout;
use super::{broken, host, screen, sources};

/// `sglab walk`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab walk example:self-trust
      in today's EC2, which comes first of the file's eras
  sglab walk example:self-trust --era article   the same in the article's world
  sglab walk two-tier.yaml --step 4
      begin with the fourth step; the earlier ones are run without a word
  sglab walk two-tier.yaml --questions > answers.txt
  sglab walk two-tier.yaml --answers answers.txt --format json

A question is answered by a word or its first letter: open, dropped, refused, unreachable; of a connection that is held \
open: alive, cut, gone. `?` skips, `c` shows the cloud as it is, `q` ends the walk. A file of answers has one a line, in the \
order of the questions; `#` begins a comment. Without a terminal and without answers nothing is asked, only told.

The exit code is that of `sglab test`: a wrong guess is no failure.")]
pub(crate) struct WalkArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME")]
    pub topology: String,
    /// Take the answers from this file, `-` for the input, and ask nobody
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// Print the questions as a file of answers to be filled in, and run nothing
    #[arg(long, conflicts_with_all = ["answers", "format"])]
    pub questions: bool,
    /// Begin with this step; those before it are run without questions
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<Era>,
    /// How to print: as it happens, or a transcript at the end
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

pub(super) fn run(arguments: &WalkArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_one(&arguments.topology)? else { return Ok(Exit::BadInput) };
    let era = arguments.era.unwrap_or(topology.eras[0]);
    let from = arguments.step.unwrap_or(1);
    if from == 0 || from > topology.steps.len() {
        bail!("{}", no_step(&topology, from));
    }
    let mut puzzles = questions::of(&topology, era).map_err(|(refusal, place)| RunError::Initial {
        era,
        refusal,
        place: Some(place),
    })?;
    puzzles.retain(|it| it.step >= from);
    if arguments.questions {
        stdout().write_all(told::template(&topology, era, &puzzles).as_bytes())?;
        return Ok(Exit::Ok);
    }
    let Some(source) = Source::of(arguments.answers.as_deref(), &questions::wanted(&puzzles))? else {
        return Ok(Exit::BadInput);
    };
    let talk = Talk::new(arguments.format, arguments.color);
    let walk = Walk { talk, topology: &topology, era, from, puzzles };
    // The thread that waits for a line goes with this process, as the lab does.
    Ok(host::run_until_signal(walk.all(source, arguments.format))?.unwrap_or_else(|exit| exit))
}

/// A walk through a topology.
pub(super) struct Walk<'a> {
    pub talk: Talk,
    pub topology: &'a Topology,
    pub era: Era,
    /// The step to begin with; those before are run without a word.
    pub from: usize,
    pub puzzles: Vec<Puzzles>,
}

/// Result of a walk.
pub(super) struct Walked {
    pub result: RunResult,
    pub steps: Vec<told::Walked>,
    pub score: Score,
    pub ended: Ended,
}

impl Walk<'_> {
    async fn all(&self, source: Source, format: PlainFormat) -> anyhow::Result<Exit> {
        if matches!(source, Source::Nobody) {
            screen::tell("the input is no terminal, and there are no answers (--answers FILE): nothing is asked");
        }
        let walked = match self.take(&mut Desk::new(source)).await? {
            Ok(walked) => walked,
            Err(exit) => return Ok(exit),
        };
        if format == PlainFormat::Json {
            let told = told::transcript(&walked.result, &walked.steps, walked.score, walked.ended)?;
            stdout().write_all(told.as_bytes())?;
        }
        Ok(Entry::from(walked.result).exit_code().into())
    }

    /// Takes all of it; where the lab fails, that has been told.
    pub(super) async fn take(&self, desk: &mut Desk) -> anyhow::Result<Result<Walked, Exit>> {
        let broken = |error: &RunError| {
            let entry = Entry::Broken(broken::of(self.topology, self.era, error));
            eprint!("{}", terminal::entry(&entry, Style::default()));
            Exit::from(entry.exit_code())
        };
        let style = self.talk.style;
        let (mut lab, boot) = match scenario::boot(self.topology, self.era).await {
            Ok(booted) => booted,
            Err(error) => return Ok(Err(broken(&error))),
        };
        lab.tell_waits(screen::tell_waits());
        let mut stepper = Stepper::new(&mut lab, self.topology, boot, Options::default());
        self.talk.say(&terminal::head(stepper.head(), style))?;
        self.talk.say(&told::opening(self.topology, style))?;
        let (mut steps, mut score, mut ended) = (Vec::new(), Score::default(), Ended::Finished);
        let mut is_first = true;
        while let Some((number, step)) = stepper.upcoming() {
            let silent = number < self.from;
            let puzzles = self.puzzles.iter().find(|it| it.step == number && !stepper.is_halted());
            let puzzles = puzzles.map_or(&[][..], |it| &it.puzzles);
            if !silent {
                if !self.tell(desk, &stepper, number, step, is_first).await? {
                    ended = Ended::Quit;
                    break;
                }
                is_first = false;
            }
            let Some(predictions) = self.ask(desk, puzzles, &stepper).await? else {
                ended = Ended::Quit;
                break;
            };
            let asked: Vec<_> = puzzles.iter().filter_map(|puzzle| puzzle.subject.flow().cloned()).collect();
            if let Err(error) = stepper.take(&asked).await {
                return Ok(Err(broken(&error)));
            }
            let (Some(result), earlier) = (stepper.taken().last(), stepper.taken().len() - 1) else { break };
            let answers: Vec<GradedAnswer> = grading::told(puzzles, &predictions, result);
            score.add(&answers);
            if !silent {
                let earlier = &stepper.taken()[..earlier];
                self.talk.say(&told::reveal(stepper.head(), earlier, result, &answers, style))?;
            }
            steps.push(told::Walked::new(step, answers));
        }
        let result = stepper.finish();
        if ended == Ended::Finished {
            self.talk.say(&format!("\n{}", told::moral(self.topology, style)))?;
        }
        self.talk.say(&format!("\n{}{}", terminal::foot(&result, style), told::score(&score)))?;
        Ok(Ok(Walked { result, steps, score, ended }))
    }

    /// Stops before a step and tells it; says whether to go on.
    async fn tell<L: Backend>(
        &self,
        desk: &mut Desk,
        stepper: &Stepper<'_, L>,
        number: usize,
        step: &Step,
        is_first: bool,
    ) -> anyhow::Result<bool> {
        if is_first {
            self.talk.say(&told::cloud(stepper.cloud(), self.talk.style))?;
        } else if !self.pause(desk, stepper, &format!("\nEnter for step {number}, c for the cloud, q to end: ")).await?
        {
            return Ok(false);
        }
        self.talk.say(&told::step(number, step, self.talk.style))?;
        let asks = self.puzzles.iter().any(|it| it.step == number && !it.puzzles.is_empty());
        if asks || stepper.is_halted() {
            return Ok(true);
        }
        self.pause(desk, stepper, "     Enter to run it, q to end: ").await
    }

    /// Waits for Enter, where somebody could press it; says whether to go on.
    async fn pause<L: Backend>(&self, desk: &mut Desk, stepper: &Stepper<'_, L>, prompt: &str) -> anyhow::Result<bool> {
        let Desk::Person(lines) = desk else { return Ok(true) };
        loop {
            self.talk.say(prompt)?;
            match lines.recv().await.as_deref().map(str::trim) {
                None => {
                    self.talk.say("\n")?;
                    return Ok(false);
                }
                Some("q" | "quit") => return Ok(false),
                Some("c" | "cloud") => self.talk.say(&told::cloud(stepper.cloud(), self.talk.style))?,
                Some(_) => return Ok(true),
            }
        }
    }

    /// The predictions of a step; nothing if that was the end of it.
    async fn ask<L: Backend>(
        &self,
        desk: &mut Desk,
        puzzles: &[Puzzle],
        stepper: &Stepper<'_, L>,
    ) -> anyhow::Result<Option<Vec<Option<Prediction>>>> {
        let mut predictions = Vec::new();
        for puzzle in puzzles {
            let reply = match desk {
                Desk::Nobody => Reply::Skip,
                Desk::File(replies) => replies.next().unwrap_or(Reply::Quit),
                Desk::Person(lines) => self.reply(lines, puzzle, stepper).await?,
            };
            let predicted = match reply {
                Reply::Predicted(predicted) => Some(predicted),
                Reply::Skip | Reply::Rule(_) => None,
                Reply::Quit => return Ok(None),
            };
            if matches!(desk, Desk::File(_)) {
                self.talk.say(&told::answered(puzzle, predicted))?;
            }
            predictions.push(predicted);
        }
        Ok(Some(predictions))
    }

    /// Asks the person at the terminal until a reply fits the question.
    async fn reply<L: Backend>(
        &self,
        lines: &mut UnboundedReceiver<String>,
        puzzle: &Puzzle,
        stepper: &Stepper<'_, L>,
    ) -> anyhow::Result<Reply> {
        loop {
            self.talk.say(&told::question(puzzle))?;
            let Some(line) = lines.recv().await else {
                self.talk.say("\n")?;
                return Ok(Reply::Quit);
            };
            let word = line.trim();
            let asked = puzzle.subject.asked();
            match asked.reply(word) {
                Some(reply) => return Ok(reply),
                // `c` means `cut` where that is an answer.
                None if word == "c" || word == "cloud" => {
                    self.talk.say(&told::cloud(stepper.cloud(), self.talk.style))?
                }
                None => self.talk.say(&format!("  {}, ? to skip, c for the cloud, q to end\n", asked.prompt()))?,
            }
        }
    }
}
