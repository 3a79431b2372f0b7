//! Plays a lesson, stage by stage.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sglab::report::lesson::{self as report, Done};
use sglab::report::walk::Ended;
use sglab::report::{Entry, shown_lines};
use sglab::scenario::run_eras;
use sglab::topology::{QuestionSubject, Reply, Topology, Wanted};
use sglab::workshop::lesson::assess::{Assessment, assess};
use sglab::workshop::lesson::grade::faults;
use sglab::workshop::lesson::hints::{Level, hint};
use sglab::workshop::lesson::{Lesson, Stage, Task, Which, investigate};
use sglab::workshop::questions;

use super::arguments::LearnArguments;
use crate::cli::common::{Exit, PlainFormat, told};
use crate::cli::desk::{Desk, Source, Talk};
use crate::cli::output::stdout;
use crate::cli::walk::Walk;
use crate::cli::{file, host, screen, sources};

/// The questions of a lesson, in order, as a file answers them.
pub(super) fn wanted(lesson: &Lesson) -> Vec<Wanted> {
    let mut all = Vec::new();
    for stage in &lesson.stages {
        match stage {
            Stage::Predict(topology) => {
                let asked = questions::of(topology, lesson.era_of(topology)).unwrap_or_default();
                all.extend(questions::wanted(&asked));
            }
            Stage::Investigate(which) => {
                let asked = lesson.file(*which).map(investigate::of).unwrap_or_default();
                let of = asked.rules.len();
                all.extend(asked.questions.iter().map(|question| Wanted {
                    asked: QuestionSubject::Rule { of },
                    words: format!("which rule lets {} through", question.flow),
                }));
            }
            Stage::Task(_) => {}
        }
    }
    all
}

/// Plays a lesson.
pub(super) fn play(arguments: &LearnArguments, lesson: &Lesson, source: Source) -> anyhow::Result<Exit> {
    let files = match &arguments.into {
        Some(folder) => write_files(folder, lesson)?,
        None => arguments.solution.iter().map(|path| (path.clone(), Written::Before)).collect(),
    };
    let played = host::run_until_signal(async {
        let talk = Talk::new(arguments.format, arguments.color);
        let mut player = Player { lesson, talk, desk: Desk::new(source), files: files.into_iter(), done: Vec::new() };
        let exit = player.all().await?;
        Ok((exit, player.done))
    });
    let (exit, done) = match played? {
        Ok(played) => played,
        Err(exit) => return Ok(exit),
    };
    if arguments.format == PlainFormat::Json && matches!(exit, Exit::Ok | Exit::Differs | Exit::Inconclusive) {
        stdout().write_all(report::transcript(lesson, &done, exit as u8)?.as_bytes())?;
    }
    Ok(exit)
}

/// Age of a file to edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// Just now: there is nothing in it of the learner's.
    Now,
    /// Before.
    Before,
}

/// Writes the files to edit; those that are there are kept.
fn write_files(folder: &Path, lesson: &Lesson) -> anyhow::Result<Vec<(PathBuf, Written)>> {
    std::fs::create_dir_all(folder).with_context(|| format!("failed to make the folder {}", told(folder)))?;
    let mut files = Vec::new();
    for task in lesson.tasks() {
        let path = folder.join(task.file_name());
        let written = match file::write_new(&path, task.file().as_bytes()) {
            Ok(()) => Written::Now,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Written::Before,
            Err(error) => return Err(error).with_context(|| format!("failed to write {}", told(&path))),
        };
        files.push((path, written));
    }
    Ok(files)
}

struct Player<'a> {
    lesson: &'a Lesson,
    talk: Talk,
    desk: Desk,
    files: std::vec::IntoIter<(PathBuf, Written)>,
    done: Vec<Done>,
}

/// Next move after a stage.
enum Next {
    Stage,
    End(Exit),
}

impl Player<'_> {
    async fn all(&mut self) -> anyhow::Result<Exit> {
        let lesson = self.lesson;
        self.talk.say(&report::head(lesson, self.talk.style))?;
        let mut exit = Exit::Ok;
        for (index, stage) in lesson.stages.iter().enumerate() {
            self.talk.say(&report::stage(index + 1, lesson.stages.len(), stage, self.talk.style))?;
            let next = match stage {
                Stage::Predict(topology) => self.predict(topology).await?,
                Stage::Investigate(which) => self.investigate(*which).await?,
                Stage::Task(task) => self.task(task, &mut exit).await?,
            };
            if let Next::End(end) = next {
                return Ok(if end == Exit::Ok { exit } else { end });
            }
        }
        Ok(exit)
    }

    async fn predict(&mut self, topology: &Topology) -> anyhow::Result<Next> {
        let era = self.lesson.era_of(topology);
        let puzzles = questions::of(topology, era).unwrap_or_default();
        let walk = Walk { talk: self.talk, topology, era, from: 1, puzzles };
        let walked = match walk.take(&mut self.desk).await? {
            Ok(walked) => walked,
            Err(exit) => return Ok(Next::End(exit)),
        };
        self.done.push(Done::Predict { file: topology.file.to_string(), score: walked.score });
        if walked.ended == Ended::Quit {
            return Ok(Next::End(Exit::Ok));
        }
        // The start file fails its own scenario: that is the lesson.
        let code = Entry::from(walked.result).exit_code();
        let is_own = !topology.file.starts_with("example:");
        Ok(if code == 0 || is_own { Next::Stage } else { Next::End(code.into()) })
    }

    async fn investigate(&mut self, which: Which) -> anyhow::Result<Next> {
        let asked = self.lesson.file(which).map(investigate::of).unwrap_or_default();
        let style = self.talk.style;
        let topology = self.lesson.file(which);
        if let Some(cloud) = topology.and_then(|it| it.initial_cloud(*it.eras.first()?).ok()) {
            self.talk.say(&sglab::report::walk::cloud(&cloud, style))?;
        }
        self.talk.say(&report::rules(&asked, style))?;
        let subject = QuestionSubject::Rule { of: asked.rules.len() };
        let (mut right, mut answered) = (0, 0);
        for question in &asked.questions {
            let answer = loop {
                let reply = match &mut self.desk {
                    Desk::Nobody => Some(Reply::Skip),
                    Desk::File(replies) => Some(replies.next().unwrap_or(Reply::Quit)),
                    Desk::Person(lines) => {
                        self.talk.say(&report::rule_question(question, asked.rules.len()))?;
                        lines.recv().await.map_or(Some(Reply::Quit), |line| subject.reply(line.trim()))
                    }
                };
                match reply {
                    Some(Reply::Rule(number)) => break Some(number),
                    Some(Reply::Skip | Reply::Predicted(_)) => break None,
                    Some(Reply::Quit) => return Ok(Next::End(Exit::Ok)),
                    None => self.talk.say(&format!("  {}, ? to skip, q to end\n", subject.prompt()))?,
                }
            };
            answered += usize::from(answer.is_some());
            right += usize::from(answer.is_some_and(|answer| question.is_right(answer)));
            self.talk.say(&report::rule_answer(&asked, question, answer, style))?;
        }
        self.done.push(Done::Investigate { right, answered, of: asked.questions.len() });
        Ok(Next::Stage)
    }

    async fn task(&mut self, task: &Task, exit: &mut Exit) -> anyhow::Result<Next> {
        let handed = self.files.next();
        let shown = handed.as_ref().map(|(path, _)| path.display().to_string());
        self.talk.say(&report::task(task, shown.as_deref(), self.talk.style))?;
        let mut asked: Vec<Level> = Vec::new();
        let mut checked: Option<Assessment> = None;
        let Some((path, written)) = handed else {
            self.done.push(done(task, None, None, 0));
            return Ok(Next::Stage);
        };
        let next = loop {
            if matches!(self.desk, Desk::Person(_)) {
                let prompt = match Level::next(&asked) {
                    Some(level) => {
                        format!("\nEnter to check it, h for a hint ({} points), n to go on, q to end: ", level.costs())
                    }
                    None => "\nEnter to check it, n to go on, q to end: ".to_owned(),
                };
                self.talk.say(&prompt)?;
            }
            let line = match &mut self.desk {
                Desk::Person(lines) => lines.recv().await.map(|line| line.trim().to_owned()),
                Desk::File(_) | Desk::Nobody if written == Written::Now || checked.is_some() => Some("n".to_owned()),
                Desk::File(_) | Desk::Nobody => Some(String::new()),
            };
            match line.as_deref() {
                None | Some("q" | "quit") => break Next::End(Exit::Ok),
                Some("n" | "next") => break Next::Stage,
                Some("h" | "hint") => {
                    if checked.is_none() {
                        checked = self.check(task, &path).await?;
                    }
                    let level = Level::next(&asked).unwrap_or(Level::Remedy);
                    match checked.as_ref().and_then(|it| hint(it, level)) {
                        Some(text) => {
                            self.talk.say(&report::hint(level, &text, self.talk.style))?;
                            asked.push(level);
                        }
                        None => self.talk.say("     there is nothing to hint at\n")?,
                    }
                }
                Some(_) => {
                    checked = self.check(task, &path).await?;
                    if let Some(it) = &checked {
                        self.talk.say(&report::assessment(it, Level::cost_of(&asked), self.talk.style))?;
                        if it.holds {
                            break Next::Stage;
                        }
                    } else if !matches!(self.desk, Desk::Person(_)) {
                        return Ok(Next::End(Exit::BadInput));
                    }
                }
            }
        };
        if checked.as_ref().is_some_and(|it| !it.holds) {
            *exit = Exit::Differs;
        }
        let file = checked.is_some().then(|| path.display().to_string());
        self.done.push(done(task, file, checked, Level::cost_of(&asked)));
        Ok(next)
    }

    /// Runs a file as it is now; nothing if it cannot be read or run, which has been told then.
    async fn check(&self, task: &Task, path: &Path) -> anyhow::Result<Option<Assessment>> {
        let bytes = match sources::read_file(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                screen::tell(&format!("error: {}", shown_lines(&format!("{error:#}"))));
                return Ok(None);
            }
        };
        let submission = sources::value_or_tell(task.read(&path.display().to_string(), &bytes));
        let Some(submission) = submission else { return Ok(None) };
        let runs = run_eras(&submission.topology).await?;
        Ok(Some(assess(task, &submission, &runs)))
    }
}

fn done(task: &Task, file: Option<String>, checked: Option<Assessment>, off: u32) -> Done {
    Done::Task {
        kind: task.kind,
        file,
        score: checked.as_ref().map(|it| it.score.saturating_sub(off)),
        hints: off,
        holds: checked.as_ref().is_some_and(|it| it.holds),
        faults: checked.as_ref().map(|it| faults(&it.wrong)).unwrap_or_default(),
        limits: checked.iter().flat_map(|it| &it.broken).map(ToString::to_string).collect(),
    }
}
