//! A lesson as one learner plays it: where he is, what he has answered, and what packets have shown him.

use std::sync::Arc;

use super::labs::{LabFailure, Labs, TakenStep, Walk};
use crate::model::{Cloud, Era, Flow};
use crate::scenario::RunResult;
use crate::topology::{Prediction, Topology};
use crate::workshop::grading::{self, GradedAnswer, Score};
use crate::workshop::lesson::assess::{Assessment, assess};
use crate::workshop::lesson::grade::{MAX_CELLS, is_too_large};
use crate::workshop::lesson::hints::{Level, hint};
use crate::workshop::lesson::investigate::{self, RuleQuestions};
use crate::workshop::lesson::{Lesson, Stage, Task};
use crate::workshop::questions::{self, Puzzle, Puzzles};

/// The largest file that a learner may write, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// A lesson that is played.
#[derive(Debug)]
pub struct Play {
    /// The lesson.
    pub lesson: Arc<Lesson>,
    /// Index of the stage that is shown.
    pub at: usize,
    /// Its stages.
    pub stages: Vec<StagePlay>,
    /// The result of each stage before it was begun again, once its answers were known.
    pub first: Vec<Option<String>>,
}

/// A stage that is played.
#[derive(Debug)]
pub enum StagePlay {
    /// Steps are predicted, run and revealed.
    Predict(Box<PredictPlay>),
    /// Rules are asked for.
    Investigate(Box<InvestigatePlay>),
    /// A file is edited until its goal holds.
    Task(Box<TaskPlay>),
}

/// Steps that are predicted, run and revealed.
#[derive(Debug)]
pub struct PredictPlay {
    /// The file.
    pub topology: Arc<Topology>,
    /// The era under which it is run.
    pub era: Era,
    /// The questions of each step of this era.
    pub puzzles: Vec<Puzzles>,
    /// Steps that were run, with what was predicted and found.
    pub revealed: Vec<Revealed>,
    /// Score of the predictions.
    pub score: Score,
    walk: Option<Walk>,
}

/// A step that was run.
#[derive(Debug)]
pub struct Revealed {
    /// Predictions beside what was found.
    pub answers: Vec<GradedAnswer>,
    /// Result of the step, and the cloud after it.
    pub taken: TakenStep,
}

/// Questions of the kind "which rule?".
#[derive(Debug)]
pub struct InvestigatePlay {
    /// The questions.
    pub asked: RuleQuestions,
    /// The cloud that they are about.
    pub cloud: Option<Cloud>,
    /// An answer for each, once it was given.
    pub answers: Vec<Option<usize>>,
}

/// A file that is edited.
#[derive(Debug)]
pub struct TaskPlay {
    /// The task.
    pub task: Task,
    /// The file as it was handed in last, or as it was given.
    pub text: String,
    /// Hints so far.
    pub hints: Vec<(Level, String)>,
    /// Result of the file that was handed in last.
    pub checked: Option<Checked>,
    /// True once the goal has held.
    pub is_reached: bool,
    /// The best score so far, hints taken off.
    pub best: Option<u32>,
}

/// Result of a file that was handed in.
#[derive(Debug)]
pub enum Checked {
    /// It cannot be read, or changes what is fixed; it was not run.
    Refused(String),
    /// It was run.
    Run(Box<CheckedRun>),
}

/// A file that was run.
#[derive(Debug)]
pub struct CheckedRun {
    /// The file.
    pub topology: Arc<Topology>,
    /// Its steps as packets have shown them, under each era.
    pub runs: Vec<RunResult>,
    /// The file against the goal.
    pub assessment: Assessment,
}

/// Reason why something cannot be done, in words for the learner.
pub type Refusal = String;

impl Play {
    /// A lesson before its first stage.
    pub fn new(lesson: Arc<Lesson>) -> Self {
        let stages: Vec<StagePlay> = lesson.stages.iter().map(|stage| StagePlay::new(&lesson, stage)).collect();
        Self { lesson, at: 0, first: vec![None; stages.len()], stages }
    }

    /// True once something was done.
    pub fn is_begun(&self) -> bool {
        self.first.iter().any(Option::is_some) || self.stages.iter().any(StagePlay::is_begun)
    }

    /// Goes to a stage.
    ///
    /// # Errors
    /// If there is no such stage.
    pub fn go_to(&mut self, stage: usize) -> Result<(), Refusal> {
        if stage >= self.stages.len() {
            return Err("the lesson has no such stage".to_owned());
        }
        self.pause();
        self.at = stage;
        Ok(())
    }

    /// Lets the lab of a walk go; it comes up again where it was.
    pub fn pause(&mut self) {
        for stage in &mut self.stages {
            if let StagePlay::Predict(play) = stage {
                play.walk = None;
            }
        }
    }

    /// Begins the stage that is shown anew. What was answered at first is what counts, and hints were given once and for all.
    pub fn begin_again(&mut self) {
        let at = self.at;
        let (Some(played), Some(stage)) = (self.stages.get_mut(at), self.lesson.stages.get(at)) else { return };
        if let StagePlay::Task(play) = played {
            play.text = play.task.file();
            play.checked = None;
            return;
        }
        if let Some(first @ None) = self.first.get_mut(at) {
            *first = played.result();
        }
        *played = StagePlay::new(&self.lesson, stage);
    }

    /// Runs the next step of the stage that is shown, and marks what was predicted.
    ///
    /// # Errors
    /// If the stage has no step left, or the lab fails.
    pub async fn predict(&mut self, labs: &Labs, step: usize, predicted: &[Option<String>]) -> Result<(), Refusal> {
        match self.stages.get_mut(self.at) {
            Some(StagePlay::Predict(play)) if play.next().is_some_and(|next| next.step == step) => {
                play.run(labs, predicted).await
            }
            _ => Err(ELSEWHERE.to_owned()),
        }
    }

    /// Answers a question about rules.
    ///
    /// # Errors
    /// If there is no such question, or no such rule.
    pub fn answer(&mut self, question: usize, rule: usize) -> Result<(), Refusal> {
        let Some(StagePlay::Investigate(play)) = self.stages.get_mut(self.at) else { return Err(ELSEWHERE.to_owned()) };
        let of = play.asked.rules.len();
        match play.answers.get_mut(question) {
            Some(answer @ None) if rule <= of => *answer = Some(rule),
            Some(Some(_)) => return Err("it is answered already".to_owned()),
            _ => return Err(format!("a rule has a number from 1 to {of}, and 0 is none")),
        }
        Ok(())
    }

    /// Runs a file, and holds it against the goal.
    ///
    /// # Errors
    /// If the stage has no file to edit, or the lab fails.
    pub async fn check(&mut self, labs: &Labs, text: String) -> Result<(), Refusal> {
        match self.stages.get_mut(self.at) {
            Some(StagePlay::Task(play)) => play.check(labs, text).await,
            _ => Err(ELSEWHERE.to_owned()),
        }
    }

    /// Gives the next hint.
    ///
    /// # Errors
    /// If there is nothing to hint at.
    pub fn hint(&mut self) -> Result<(), Refusal> {
        let Some(StagePlay::Task(play)) = self.stages.get_mut(self.at) else { return Err(ELSEWHERE.to_owned()) };
        let Some(Checked::Run(run)) = &play.checked else {
            return Err("check the file first: a hint is about what is wrong with it".to_owned());
        };
        let next = play.next_hint();
        let level = next.unwrap_or(Level::Remedy);
        let text = hint(&run.assessment, level).ok_or("there is nothing to hint at")?;
        // The last one is asked for again with each file.
        if next.is_none() {
            play.hints.pop();
        }
        play.hints.push((level, text));
        Ok(())
    }
}

/// Another tab of the same browser has gone on.
const ELSEWHERE: &str = "another tab of this browser has gone on: look at what is there now";

impl StagePlay {
    fn new(lesson: &Lesson, stage: &Stage) -> Self {
        match stage {
            Stage::Predict(topology) => Self::Predict(Box::new(PredictPlay::new(topology, lesson.era_of(topology)))),
            Stage::Investigate(which) => Self::Investigate(Box::new(InvestigatePlay::new(lesson.file(*which)))),
            Stage::Task(task) => Self::Task(Box::new(TaskPlay::new(task))),
        }
    }

    /// True if nothing is left to do.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Predict(play) => play.next().is_none(),
            Self::Investigate(play) => play.answers.iter().all(Option::is_some),
            Self::Task(play) => play.is_reached,
        }
    }

    /// The result in a few words, once there is one.
    pub fn result(&self) -> Option<String> {
        match self {
            Self::Predict(it) => {
                let Score { right, wrong, skipped, .. } = it.score;
                let asked = right + wrong + skipped;
                (asked > 0).then(|| format!("{right} of {asked} right"))
            }
            Self::Investigate(it) => {
                let answered = it.answers.iter().flatten().count();
                (answered > 0).then(|| format!("{} of {answered} right", it.right()))
            }
            Self::Task(it) => it.best.map(|best| format!("best {best} of 100")),
        }
    }

    /// True once something was done.
    pub fn is_begun(&self) -> bool {
        match self {
            Self::Predict(play) => !play.revealed.is_empty(),
            Self::Investigate(play) => play.answers.iter().any(Option::is_some),
            Self::Task(play) => play.checked.is_some(),
        }
    }
}

impl PredictPlay {
    fn new(topology: &Topology, era: Era) -> Self {
        let puzzles = questions::of(topology, era).unwrap_or_default();
        let topology = Arc::new(topology.clone());
        Self { topology, era, puzzles, revealed: Vec::new(), score: Score::default(), walk: None }
    }

    /// The questions of the step that comes next.
    pub fn next(&self) -> Option<&Puzzles> {
        self.puzzles.get(self.revealed.len())
    }

    /// The cloud as it is now.
    pub fn cloud(&self) -> Option<Cloud> {
        let last = self.revealed.last().map(|last| last.taken.cloud.clone());
        last.or_else(|| self.topology.initial_cloud(self.era).ok())
    }

    async fn run(&mut self, labs: &Labs, predicted: &[Option<String>]) -> Result<(), Refusal> {
        let Some(puzzles) = self.next().map(|next| next.puzzles.clone()) else { return Err(ELSEWHERE.to_owned()) };
        let predictions: Vec<Option<Prediction>> =
            puzzles.iter().zip(predicted).map(|(puzzle, word)| prediction(puzzle, word.as_deref()?)).collect();
        let taken = self.take(labs, puzzles.iter().filter_map(|puzzle| puzzle.subject.flow().cloned()).collect()).await;
        let taken = taken.inspect_err(|_| self.walk = None)?;
        let answers = grading::told(&puzzles, &predictions, &taken.result);
        self.score.add(&answers);
        self.revealed.push(Revealed { answers, taken });
        if self.next().is_none() {
            // The lab has shown all that it had to.
            self.walk = None;
        }
        Ok(())
    }

    /// Takes the next step, in a lab that has taken those before.
    async fn take(&mut self, labs: &Labs, asked: Vec<Flow>) -> Result<TakenStep, LabFailure> {
        let walk = match self.walk.take().filter(|walk| !walk.is_over()) {
            Some(walk) => walk,
            None => labs.walk(Arc::clone(&self.topology), self.era).await,
        };
        let walk = self.walk.insert(walk);
        while walk.taken < self.revealed.len() {
            walk.step(Vec::new()).await?;
        }
        walk.step(asked).await
    }
}

fn prediction(puzzle: &Puzzle, word: &str) -> Option<Prediction> {
    puzzle.subject.asked().answers().iter().copied().find(|answer| answer.as_str() == word)
}

impl InvestigatePlay {
    fn new(topology: Option<&Topology>) -> Self {
        let asked = topology.map(investigate::of).unwrap_or_default();
        let cloud = topology.and_then(|it| it.initial_cloud(*it.eras.first()?).ok());
        Self { answers: vec![None; asked.questions.len()], asked, cloud }
    }

    /// Right answers.
    pub fn right(&self) -> usize {
        let both = self.asked.questions.iter().zip(&self.answers);
        both.filter(|(question, answer)| answer.is_some_and(|answer| question.is_right(answer))).count()
    }
}

impl TaskPlay {
    fn new(task: &Task) -> Self {
        Self { task: task.clone(), text: task.file(), hints: Vec::new(), checked: None, is_reached: false, best: None }
    }

    /// The level of the hint that comes next.
    pub fn next_hint(&self) -> Option<Level> {
        Level::next(&self.levels())
    }

    /// Points of a hundred that hints have cost.
    pub fn off(&self) -> u32 {
        Level::cost_of(&self.levels())
    }

    fn levels(&self) -> Vec<Level> {
        self.hints.iter().map(|(level, _)| *level).collect()
    }

    async fn check(&mut self, labs: &Labs, text: String) -> Result<(), Refusal> {
        if text.len() > MAX_TEXT {
            return Err(format!("the file is larger than {MAX_TEXT} bytes"));
        }
        self.text = text;
        let task = &self.task;
        let submission = match task.read(&task.file_name(), self.text.as_bytes()) {
            Ok(submission) => submission,
            Err(problems) => {
                self.checked = Some(Checked::Refused(problems.to_string()));
                return Ok(());
            }
        };
        if is_too_large(&submission.topology) {
            self.checked = Some(Checked::Refused(format!("its rules make more than {MAX_CELLS} cells")));
            return Ok(());
        }
        let topology = Arc::new(submission.topology.clone());
        let runs = labs.run(Arc::clone(&topology)).await?;
        let assessment = assess(task, &submission, &runs);
        let score = assessment.score.saturating_sub(self.off());
        self.best = self.best.max(Some(score));
        self.is_reached |= assessment.holds;
        self.checked = Some(Checked::Run(Box::new(CheckedRun { topology, runs, assessment })));
        Ok(())
    }
}
