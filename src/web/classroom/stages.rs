//! Stages as browsers show them: steps with what packets have shown, questions about rules, files with what is wrong in them.

use serde::Serialize;

use super::play::{Checked, CheckedRun, InvestigatePlay, PredictPlay, Revealed, StagePlay, TaskPlay};
use crate::model::Cloud;
use crate::report::lesson as told;
use crate::report::{operation, walk};
use crate::scenario::StepResult;
use crate::topology::{Part, Step};
use crate::web::history::KeptTable;
use crate::web::picture::LivePicture;
use crate::web::table::{Shown, Table};
use crate::web::view::{GroupView, groups};
use crate::workshop::grading::{GradedAnswer, Mark, Score};
use crate::workshop::lesson::assess::Wrong;
use crate::workshop::lesson::grade::{Fault, faults};
use crate::workshop::lesson::hints::Level;
use crate::workshop::lesson::moments;
use crate::workshop::questions::Puzzle;

/// The stage that is shown.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StageView<'a> {
    Predict(Box<PredictView<'a>>),
    Investigate(InvestigateView<'a>),
    Task(TaskView<'a>),
}

#[derive(Debug, Serialize)]
pub struct PredictView<'a> {
    file: String,
    era: String,
    expect: Vec<&'a str>,
    /// Once all is run: label and text.
    moral: Vec<(&'static str, &'a str)>,
    cloud: Option<CloudView>,
    revealed: Vec<RevealedView>,
    next: Option<StepView>,
    /// Steps in all.
    of: usize,
    score: Score,
}

/// A cloud as it is.
#[derive(Debug, Serialize)]
pub struct CloudView {
    picture: LivePicture,
    groups: Vec<OwnedGroup>,
}

/// A group with the words of its rules.
#[derive(Debug, Serialize)]
pub struct OwnedGroup(serde_json::Value);

/// A step before it is run.
#[derive(Debug, Serialize)]
pub struct StepView {
    number: usize,
    name: String,
    note: Option<String>,
    actions: Vec<String>,
    questions: Vec<QuestionView>,
}

#[derive(Debug, Serialize)]
pub struct QuestionView {
    words: String,
    answers: Vec<&'static str>,
}

/// A step that was run.
#[derive(Debug, Serialize)]
pub struct RevealedView {
    step: StepView,
    answers: Vec<AnswerView>,
    table: KeptTable,
    took_ms: f64,
}

#[derive(Debug, Serialize)]
pub struct AnswerView {
    words: String,
    mark: Mark,
    predicted: Option<&'static str>,
    observed: &'static str,
    found: String,
    because: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct InvestigateView<'a> {
    cloud: Option<CloudView>,
    rules: Vec<RuleChoice<'a>>,
    questions: Vec<RuleQuestionView>,
    right: usize,
}

#[derive(Debug, Serialize)]
pub struct RuleChoice<'a> {
    number: usize,
    group: String,
    written: &'a str,
}

#[derive(Debug, Serialize)]
pub struct RuleQuestionView {
    words: String,
    answered: Option<RuleAnswerView>,
}

#[derive(Debug, Serialize)]
pub struct RuleAnswerView {
    answer: usize,
    is_right: bool,
    right: String,
}

#[derive(Debug, Serialize)]
pub struct TaskView<'a> {
    word: &'static str,
    file: String,
    text: &'a str,
    limits: Vec<String>,
    counted: usize,
    points: usize,
    is_reached: bool,
    best: Option<u32>,
    off: u32,
    hints: Vec<HintView<'a>>,
    next_hint: Option<u32>,
    /// The cloud that the file begins with.
    picture: Option<LivePicture>,
    checked: Option<CheckedView>,
}

#[derive(Debug, Serialize)]
pub struct HintView<'a> {
    /// Subject of the hint, in a few words.
    about: &'static str,
    costs: u32,
    text: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckedView {
    /// Problems of the file, with carets.
    Refused(String),
    Run(RunView),
}

#[derive(Debug, Serialize)]
pub struct RunView {
    score: u32,
    holds: bool,
    faults: Vec<FaultView>,
    limits: Vec<String>,
    unproved: usize,
    steps: Vec<RunStepView>,
}

#[derive(Debug, Serialize)]
pub struct FaultView {
    kind: &'static str,
    words: String,
}

#[derive(Debug, Serialize)]
pub struct RunStepView {
    /// `step 2`, with the era where there are several.
    moment: String,
    name: String,
    table: KeptTable,
    /// Indexes of cells that are not as the goal wants them.
    wrong: Vec<usize>,
    /// The rest that is not: cells that the table has no column for, connections, health checks.
    others: Vec<String>,
    picture: LivePicture,
}

impl<'a> StageView<'a> {
    /// A stage as it is now.
    pub fn new(stage: &'a StagePlay) -> Self {
        match stage {
            StagePlay::Predict(it) => Self::Predict(Box::new(PredictView::new(it))),
            StagePlay::Task(it) => Self::Task(TaskView::new(it)),
            StagePlay::Investigate(it) => Self::Investigate(InvestigateView::new(it)),
        }
    }
}

impl CloudView {
    fn new(cloud: &Cloud, observed: Option<&StepResult>) -> Self {
        let nothing = Default::default();
        let table = Table::of_observed(cloud, observed.map_or(&nothing, |step| &step.probed.observed));
        Self {
            picture: LivePicture::new(cloud, &table, &Shown::usual()),
            groups: groups(cloud).iter().map(OwnedGroup::new).collect(),
        }
    }
}

impl OwnedGroup {
    fn new(group: &GroupView<'_>) -> Self {
        Self(serde_json::json!(group))
    }
}

impl<'a> PredictView<'a> {
    fn new(play: &'a PredictPlay) -> Self {
        let story = &play.topology.story;
        let of_part = |part: Part| story.of_part(part).map(move |text| (part.as_str(), text));
        let is_done = play.next().is_none();
        let moral = [Part::Happens, Part::Why, Part::Cure].into_iter().filter(|_| is_done).flat_map(of_part);
        let step =
            |number: usize, puzzles: &[Puzzle]| StepView::new(number, play.topology.steps.get(number - 1), puzzles);
        let revealed = play.revealed.iter().zip(&play.puzzles);
        Self {
            file: play.topology.file.to_string(),
            era: play.era.to_string(),
            expect: story.of_part(Part::Expect).collect(),
            moral: moral.collect(),
            cloud: play
                .cloud()
                .map(|cloud| CloudView::new(&cloud, play.revealed.last().map(|last| &last.taken.result))),
            revealed: revealed.map(|(it, asked)| RevealedView::new(it, step(asked.step, &[]))).collect(),
            next: play.next().map(|next| step(next.step, &next.puzzles)),
            of: play.puzzles.len(),
            score: play.score,
        }
    }
}

impl StepView {
    fn new(number: usize, step: Option<&Step>, puzzles: &[Puzzle]) -> Self {
        let question = |puzzle: &Puzzle| QuestionView {
            words: walk::words(&puzzle.subject),
            answers: puzzle.subject.asked().answers().iter().map(|answer| answer.as_str()).collect(),
        };
        Self {
            number,
            name: step.map(|step| step.name.clone()).unwrap_or_default(),
            note: step.and_then(|step| step.note.clone()),
            actions: step.map(|step| operation::actions(&step.actions)).unwrap_or_default(),
            questions: puzzles.iter().map(question).collect(),
        }
    }
}

impl RevealedView {
    fn new(revealed: &Revealed, step: StepView) -> Self {
        let answer = |it: &GradedAnswer| AnswerView {
            words: walk::words(&it.subject),
            mark: it.mark,
            predicted: it.predicted.map(|predicted| predicted.as_str()),
            observed: it.observed,
            found: walk::found(it),
            because: walk::because(it),
        };
        let result = &revealed.taken.result;
        Self {
            step,
            answers: revealed.answers.iter().map(answer).collect(),
            table: KeptTable::of(&Table::of_observed(&revealed.taken.cloud, &result.probed.observed)),
            took_ms: result.took.as_secs_f64() * 1000.0,
        }
    }
}

impl<'a> InvestigateView<'a> {
    fn new(play: &'a InvestigatePlay) -> Self {
        let asked = &play.asked;
        let rules = asked.rules.iter().enumerate().map(|(index, rule)| RuleChoice {
            number: index + 1,
            group: rule.group.to_string(),
            written: &rule.written,
        });
        let questions = asked.questions.iter().zip(&play.answers).map(|(question, answer)| RuleQuestionView {
            words: question.flow.to_string(),
            answered: answer.map(|answer| RuleAnswerView {
                answer,
                is_right: question.is_right(answer),
                right: told::right_rule(asked, question),
            }),
        });
        Self {
            cloud: play.cloud.as_ref().map(|cloud| CloudView::new(cloud, None)),
            rules: rules.collect(),
            questions: questions.collect(),
            right: play.right(),
        }
    }
}

impl<'a> TaskView<'a> {
    fn new(play: &'a TaskPlay) -> Self {
        let task = &play.task;
        let initial = task.start.eras.first().and_then(|era| task.start.initial_cloud(*era).ok());
        let hint = |(level, text): &'a (Level, String)| HintView { about: level.words(), costs: level.costs(), text };
        Self {
            word: task.kind.as_str(),
            file: task.file_name(),
            text: &play.text,
            limits: task.limits.in_words(),
            counted: task.goal.counted(),
            points: task.goal.points(),
            is_reached: play.is_reached,
            best: play.best,
            off: play.off(),
            hints: play.hints.iter().map(hint).collect(),
            next_hint: play.next_hint().map(Level::costs),
            picture: initial.map(|cloud| CloudView::new(&cloud, None).picture),
            checked: play.checked.as_ref().map(|checked| match checked {
                Checked::Refused(why) => CheckedView::Refused(why.clone()),
                Checked::Run(run) => CheckedView::Run(RunView::new(run, play.off())),
            }),
        }
    }
}

impl RunView {
    fn new(CheckedRun { topology, runs, assessment }: &CheckedRun, off: u32) -> Self {
        let mut steps = Vec::new();
        for run in runs {
            let era = run.head.era;
            let clouds = moments(topology, era);
            for step in &run.steps {
                let Some((_, cloud)) = clouds.iter().find(|(number, _)| *number == step.number) else { continue };
                let table = Table::of_observed(cloud, &step.probed.observed);
                let here =
                    assessment.wrong.iter().filter(|it| it.step == step.number && it.era.is_none_or(|its| its == era));
                let place =
                    |it: &Wrong| it.flow.as_ref().and_then(|flow| table.index_of(flow)).ok_or(it.subject.clone());
                let (wrong, others): (Vec<_>, Vec<_>) = here.map(place).partition(Result::is_ok);
                let era = if runs.len() > 1 { format!(" in era {era}") } else { String::new() };
                steps.push(RunStepView {
                    moment: format!("step {}{era}", step.number),
                    name: step.name.clone(),
                    wrong: wrong.into_iter().filter_map(Result::ok).collect(),
                    others: others.into_iter().filter_map(Result::err).collect(),
                    picture: LivePicture::new(cloud, &table, &Shown::usual()),
                    table: KeptTable::of(&table),
                });
            }
        }
        let fault = |it: &Fault| FaultView { kind: it.kind.as_str(), words: told::shown_by(it) };
        Self {
            score: assessment.score.saturating_sub(off),
            holds: assessment.holds,
            faults: faults(&assessment.wrong).iter().map(fault).collect(),
            limits: assessment.broken.iter().map(ToString::to_string).collect(),
            unproved: assessment.unproved,
            steps,
        }
    }
}
