//! `sglab walk`.

use std::io::{BufRead, IsTerminal, Read, Write, stderr, stdin, stdout};
use std::path::Path;

use anyhow::{Context, bail};
use sglab::model::Era;
use sglab::report::walk::{self as told, Ended, Walked};
use sglab::report::{Entry, Style, terminal};
use sglab::scenario::subject::Subject;
use sglab::scenario::{self, Backend, Options, RunError, Stepper};
use sglab::topology::{MAX_BYTES, Prediction, Reply, Step, Topology, predictions};
use sglab::workshop::grading::{self, GradedAnswer, Score};
use sglab::workshop::questions::{self, Puzzle, Puzzles};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::arguments::WalkArguments;
use super::common::{Exit, PlainFormat, no_step};
use super::{broken, host, screen, signals, sources};

pub(super) fn run(arguments: &WalkArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_one(&arguments.topology)? else { return Ok(Exit::BadInput) };
    let era = arguments.era.map_or(topology.eras[0], Era::from);
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
    let source = match &arguments.answers {
        Some(path) => {
            let (name, bytes) = answers(path)?;
            match predictions(&name, &bytes, &questions::wanted(&puzzles)) {
                Ok(replies) => Source::File(replies.into_iter()),
                Err(problems) => {
                    sources::tell(&[problems]);
                    return Ok(Exit::BadInput);
                }
            }
        }
        None if stdin().is_terminal() => Source::Person,
        None => Source::Nobody,
    };
    let to_stdout = arguments.format == PlainFormat::Text;
    let is_terminal = if to_stdout { stdout().is_terminal() } else { stderr().is_terminal() };
    let width = if to_stdout { screen::width_of(&stdout()) } else { screen::width_of(&stderr()) };
    let style = Style { color: screen::wanted(arguments.color, is_terminal), width, ..Style::default() };
    let Some(_sandbox) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let walk = Walk { arguments, topology: &topology, era, from, puzzles, style };
    let done = runtime.block_on(async {
        tokio::select! {
            signal = signals::received() => signal,
            exit = walk.all(source) => exit,
        }
    });
    // The lab goes with this process; so does the thread that waits for a line.
    runtime.shutdown_background();
    done
}

/// The file of answers: its name and its bytes.
fn answers(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    if path != Path::new("-") {
        return Ok((path.display().to_string(), sources::read_file(path)?));
    }
    let mut bytes = Vec::new();
    stdin().lock().take(MAX_BYTES as u64).read_to_end(&mut bytes).context("failed to read the answers")?;
    Ok(("<input>".to_owned(), bytes))
}

/// Source of predictions.
enum Source {
    /// From a file that fits the questions.
    File(std::vec::IntoIter<Reply>),
    /// From whoever sits at the terminal.
    Person,
    /// From nowhere: all is told, and nothing asked.
    Nobody,
}

struct Walk<'a> {
    arguments: &'a WalkArguments,
    topology: &'a Topology,
    era: Era,
    from: usize,
    puzzles: Vec<Puzzles>,
    style: Style,
}

impl Walk<'_> {
    async fn all(&self, source: Source) -> anyhow::Result<Exit> {
        let broken = |error: &RunError| {
            let entry = Entry::Broken(broken::of(self.topology, self.era, error));
            eprint!("{}", terminal::entry(&entry, Style::default()));
            Exit::from(entry.exit_code())
        };
        let (mut lab, boot) = match scenario::boot(self.topology, self.era).await {
            Ok(booted) => booted,
            Err(error) => return Ok(broken(&error)),
        };
        lab.tell_waits(screen::tell_waits());
        let mut stepper = Stepper::new(&mut lab, self.topology, boot, Options::default());
        self.say(&terminal::head(stepper.head(), self.style))?;
        self.say(&told::opening(self.topology, self.style))?;
        if matches!(source, Source::Nobody) {
            screen::tell("the input is no terminal, and there are no answers (--answers FILE): nothing is asked");
        }
        let mut desk = Desk::new(source);
        let (mut walked, mut score, mut ended) = (Vec::new(), Score::default(), Ended::Finished);
        let mut is_first = true;
        while let Some((number, step)) = stepper.upcoming() {
            let silent = number < self.from;
            let puzzles = self.puzzles.iter().find(|it| it.step == number && !stepper.is_halted());
            let puzzles = puzzles.map_or(&[][..], |it| &it.puzzles);
            if !silent {
                if !self.tell(&mut desk, &stepper, number, step, is_first).await? {
                    ended = Ended::Quit;
                    break;
                }
                is_first = false;
            }
            let Some(predictions) = self.ask(&mut desk, puzzles, &stepper).await? else {
                ended = Ended::Quit;
                break;
            };
            let asked: Vec<_> = puzzles.iter().filter_map(flow).collect();
            if let Err(error) = stepper.take(&asked).await {
                return Ok(broken(&error));
            }
            let (Some(result), earlier) = (stepper.taken().last(), stepper.taken().len() - 1) else { break };
            let answers: Vec<GradedAnswer> = grading::told(puzzles, &predictions, result);
            score.add(&answers);
            if !silent {
                let earlier = &stepper.taken()[..earlier];
                self.say(&told::reveal(stepper.head(), earlier, result, &answers, self.style))?;
            }
            walked.push(Walked::new(step, answers));
        }
        let result = stepper.finish();
        if ended == Ended::Finished {
            self.say(&format!("\n{}", told::moral(self.topology, self.style)))?;
        }
        self.say(&format!("\n{}{}", terminal::foot(&result, self.style), told::score(&score)))?;
        if self.arguments.format == PlainFormat::Json {
            stdout().write_all(told::transcript(&result, &walked, score, ended)?.as_bytes())?;
        }
        Ok(Entry::from(result).exit_code().into())
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
            self.say(&told::cloud(stepper.cloud(), self.style))?;
        } else if !self.pause(desk, stepper, &format!("\nEnter for step {number}, c for the cloud, q to end: ")).await?
        {
            return Ok(false);
        }
        self.say(&told::step(number, step, self.style))?;
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
            self.say(prompt)?;
            match lines.recv().await.as_deref().map(str::trim) {
                None => {
                    self.say("\n")?;
                    return Ok(false);
                }
                Some("q" | "quit") => return Ok(false),
                Some("c" | "cloud") => self.say(&told::cloud(stepper.cloud(), self.style))?,
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
                Reply::Skip => None,
                Reply::Quit => return Ok(None),
            };
            if matches!(desk, Desk::File(_)) {
                self.say(&told::answered(puzzle, predicted))?;
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
            self.say(&told::question(puzzle))?;
            let Some(line) = lines.recv().await else {
                self.say("\n")?;
                return Ok(Reply::Quit);
            };
            let word = line.trim();
            let asked = puzzle.subject.asked();
            match asked.reply(word) {
                Some(reply) => return Ok(reply),
                // `c` means `cut` where that is an answer.
                None if word == "c" || word == "cloud" => self.say(&told::cloud(stepper.cloud(), self.style))?,
                None => self.say(&format!("  {}, ? to skip, c for the cloud, q to end\n", asked.prompt()))?,
            }
        }
    }

    /// Says something at once: on stdout, unless a transcript is to stand there.
    fn say(&self, text: &str) -> std::io::Result<()> {
        // An answer is typed behind the last line, which has no end.
        let (lines, prompt) = text.split_at(text.rfind('\n').map_or(0, |end| end + 1));
        let text = self.style.fit(lines) + prompt;
        match self.arguments.format {
            PlainFormat::Text => {
                let mut out = stdout();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            PlainFormat::Json if stdin().is_terminal() => stderr().write_all(text.as_bytes()),
            PlainFormat::Json => Ok(()),
        }
    }
}

fn flow(puzzle: &Puzzle) -> Option<sglab::model::Flow> {
    match &puzzle.subject {
        Subject::Flow(flow) => Some(flow.clone()),
        Subject::Connection(_) => None,
    }
}

/// Source of replies, once lines can be awaited.
enum Desk {
    File(std::vec::IntoIter<Reply>),
    Person(UnboundedReceiver<String>),
    Nobody,
}

impl Desk {
    fn new(source: Source) -> Self {
        match source {
            Source::File(replies) => Self::File(replies),
            Source::Nobody => Self::Nobody,
            Source::Person => {
                let (send, lines) = unbounded_channel();
                // A plain thread: a read from a terminal cannot be taken back, and must not hold up the end.
                std::thread::spawn(move || {
                    for line in stdin().lock().lines() {
                        let Ok(line) = line else { return };
                        if send.send(line).is_err() {
                            return;
                        }
                    }
                });
                Self::Person(lines)
            }
        }
    }
}
