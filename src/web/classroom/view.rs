//! JSON that the browsers of a class are sent.

use serde::Serialize;

use super::play::{Play, StagePlay};
use super::seats::{Seat, SeatNumber};
use super::stages::StageView;
use crate::report::lesson as told;
use crate::web::view::{LegendView, legend};
use crate::workshop::lesson::{Lesson, Stage};

/// All that a browser shows.
#[derive(Debug, Serialize)]
pub struct SeatView<'a> {
    /// Told from every other class by it.
    class: &'a str,
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
    is_begun: bool,
    is_done: bool,
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
    /// A view of a seat, with the reason why the last request came to nothing.
    pub fn new(
        (class, number): (&'a str, SeatNumber),
        seat: &'a Seat,
        lessons: &'a [std::sync::Arc<Lesson>],
        problem: Option<String>,
    ) -> Self {
        Self {
            class,
            seat: number,
            name: &seat.name,
            lessons: lessons.iter().map(|lesson| LessonView::new(lesson, seat.plays.get(&lesson.name))).collect(),
            play: seat.play().map(PlayView::new),
            legend: legend(),
            problem,
        }
    }
}

impl<'a> LessonView<'a> {
    fn new(lesson: &'a Lesson, play: Option<&Play>) -> Self {
        let Lesson { name, title, theme, surprise, minutes, .. } = lesson;
        let is_begun = play.is_some_and(Play::is_begun);
        let is_done = play.is_some_and(|play| play.stages.iter().all(StagePlay::is_done));
        Self { name, title, theme, surprise, minutes: *minutes, is_begun, is_done }
    }
}

impl<'a> PlayView<'a> {
    fn new(play: &'a Play) -> Self {
        let stage = play.stages.get(play.at).map(StageView::new);
        Self { lesson: LessonView::new(&play.lesson, Some(play)), at: play.at, stages: heads(play), stage }
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
    /// A view of all that was done at a seat.
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
    let first = play.first.iter().map(Option::as_ref);
    let head = |((stage, played), first): ((&Stage, &StagePlay), Option<&String>)| StageHead {
        word: stage.as_str(),
        words: told::stage_words(stage),
        is_begun: played.is_begun(),
        is_done: played.is_done(),
        result: first.map(|first| format!("{first} at first")).or_else(|| played.result()),
    };
    both.zip(first).map(head).collect()
}
