//! JSON that the browsers of a class are sent.

use serde::Serialize;

use super::play::{Play, StagePlay};
use super::seats::{Seat, SeatNumber};
use super::stages::StageView;
use crate::report::lesson as told;
use crate::web::view::{LegendView, legend};
use crate::workshop::grading::Score;
use crate::workshop::lesson::{Lesson, Stage};

/// All that a browser shows.
#[derive(Debug, Serialize)]
pub struct SeatView<'a> {
    seat: SeatNumber,
    name: &'a str,
    lessons: Vec<LessonView<'a>>,
    play: Option<PlayView<'a>>,
    legend: Vec<LegendView>,
    /// Reason why the last request came to nothing.
    problem: Option<String>,
}

/// A lesson that can be chosen.
#[derive(Debug, Serialize)]
struct LessonView<'a> {
    name: &'a str,
    title: &'a str,
    theme: &'a str,
    surprise: &'a str,
    minutes: Option<u32>,
}

/// A lesson that is played.
#[derive(Debug, Serialize)]
struct PlayView<'a> {
    lesson: LessonView<'a>,
    at: usize,
    stages: Vec<StageHead>,
    stage: Option<StageView<'a>>,
}

/// A stage in the list of stages.
#[derive(Debug, Serialize)]
struct StageHead {
    /// `predict`, `investigate`, `fix`, `make`.
    word: &'static str,
    words: &'static str,
    is_begun: bool,
    is_done: bool,
    /// The result in a few words, once there is one.
    result: Option<String>,
}

impl<'a> SeatView<'a> {
    /// What a seat shows, and why the last request came to nothing.
    pub fn new(
        number: SeatNumber,
        seat: &'a Seat,
        lessons: &'a [std::sync::Arc<Lesson>],
        problem: Option<String>,
    ) -> Self {
        Self {
            seat: number,
            name: &seat.name,
            lessons: lessons.iter().map(|lesson| LessonView::new(lesson)).collect(),
            play: seat.play().map(PlayView::new),
            legend: legend(),
            problem,
        }
    }
}

impl<'a> LessonView<'a> {
    fn new(lesson: &'a Lesson) -> Self {
        let Lesson { name, title, theme, surprise, minutes, .. } = lesson;
        Self { name, title, theme, surprise, minutes: *minutes }
    }
}

impl<'a> PlayView<'a> {
    fn new(play: &'a Play) -> Self {
        let stage = play.stages.get(play.at).map(StageView::new);
        Self { lesson: LessonView::new(&play.lesson), at: play.at, stages: heads(play), stage }
    }
}

/// A seat as the instructor sees it.
#[derive(Debug, Serialize)]
pub struct LearnerView {
    seat: SeatNumber,
    name: String,
    lessons: Vec<LearnersLesson>,
}

#[derive(Debug, Serialize)]
struct LearnersLesson {
    title: String,
    is_open: bool,
    stages: Vec<StageHead>,
}

impl LearnerView {
    /// What was done at a seat.
    pub fn new(number: SeatNumber, seat: &Seat) -> Self {
        let lesson = |(index, play): (usize, &Play)| LearnersLesson {
            title: play.lesson.title.clone(),
            is_open: seat.open == Some(index),
            stages: heads(play),
        };
        let lessons = seat.plays.values().enumerate().map(lesson).collect();
        Self { seat: number, name: seat.name.clone(), lessons }
    }
}

/// The stages of a lesson, with how far each is.
fn heads(play: &Play) -> Vec<StageHead> {
    let both = play.lesson.stages.iter().zip(&play.stages);
    let head = |(stage, played): (&Stage, &StagePlay)| StageHead {
        word: stage.as_str(),
        words: told::stage_words(stage),
        is_begun: played.is_begun(),
        is_done: played.is_done(),
        result: result(played),
    };
    both.map(head).collect()
}

fn result(played: &StagePlay) -> Option<String> {
    match played {
        StagePlay::Predict(it) => {
            let Score { right, wrong, .. } = it.score;
            (right + wrong > 0).then(|| format!("{right} of {} right", right + wrong))
        }
        StagePlay::Investigate(it) => {
            let answered = it.answers.iter().flatten().count();
            (answered > 0).then(|| format!("{} of {answered} right", it.right()))
        }
        StagePlay::Task(it) => it.best.map(|best| format!("{best} of 100")),
    }
}
