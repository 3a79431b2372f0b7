//! A picture with a place for everything: what each writer of pixels draws.

use serde::Serialize;

use super::content::{HEAD, INSET, LINE, fit};
use super::layout::{Layout, Place, Way, layout};
use super::measure::Font;
use super::picture::{Arrow, ArrowKind, BoxKind, Line, Picture};

/// A picture with places, in pixels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drawing {
    /// Width of the whole.
    pub width: i32,
    /// Height of the whole.
    pub height: i32,
    /// Boxes, in the order of [`Picture::boxes`].
    pub boxes: Vec<DrawnBox>,
    /// Arrows, in the order of [`Picture::arrows`].
    pub arrows: Vec<DrawnArrow>,
    /// Words at arrows. They stand above boxes and arrows, so that nothing crosses one.
    pub labels: Vec<DrawnLabel>,
}

/// A box with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnBox {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
    /// Its content.
    pub kind: BoxKind,
    /// True if all of its members are stopped.
    pub stopped: bool,
    /// Title with the number of its members, and the baseline of it.
    pub head: Words,
    /// Lines below.
    pub lines: Vec<DrawnLine>,
    /// Whole words of arrows to it that are not drawn: `lb -> web: 8080, 8443`.
    pub told: Vec<String>,
}

/// Words with the left end of their baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Left end.
    pub x: i32,
    /// Baseline.
    pub y: i32,
    /// The words.
    pub text: String,
}

/// A line of a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnLine {
    /// Its words.
    #[serde(flatten)]
    pub words: Words,
    /// Its kind.
    pub kind: LineKind,
}

/// Kind of line in a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// A member.
    Member,
    /// A member that is stopped.
    Stopped,
    /// Traffic from outside without an arrow.
    FromOutside,
    /// Other traffic without an arrow.
    Traffic,
    /// A remark.
    Note,
}

/// An arrow with its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnArrow {
    /// Index of the sender's box.
    pub from: usize,
    /// Index of the receiver's box.
    pub to: usize,
    /// Its way, as the `d` of an SVG path.
    pub path: String,
    /// Knowledge of it.
    pub kind: ArrowKind,
    /// Kind of its sender.
    pub sender: BoxKind,
    /// True for one of many arrows of a sender that reaches most boxes.
    pub wide: bool,
    /// All that it says: `lb -> web: 8080, 8443`.
    pub whole: String,
}

/// Words at an arrow, with the middle of their baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrawnLabel {
    /// Index of the arrow.
    pub arrow: usize,
    /// Middle of the baseline, and the words.
    #[serde(flatten)]
    pub words: Words,
}

impl Drawing {
    /// Places everything in a picture.
    pub fn new(picture: &Picture) -> Self {
        let layout = layout(picture);
        let mut told: Vec<Vec<String>> = vec![Vec::new(); picture.boxes.len()];
        picture.told.iter().for_each(|arrow| told[arrow.to].push(whole(picture, arrow)));
        let boxes = layout.places.iter().zip(told).enumerate();
        let boxes = boxes.map(|(index, (place, told))| a_box(picture, index, *place, told)).collect();
        let arrows = (0..picture.arrows.len()).map(|number| line(picture, &layout, number)).collect();
        let labels = layout
            .labels
            .iter()
            .map(|&(arrow, x, y)| DrawnLabel { arrow, words: Words { x, y, text: picture.arrows[arrow].label() } });
        let labels = labels.collect();
        Self { width: layout.width, height: layout.height, boxes, arrows, labels }
    }
}

fn a_box(picture: &Picture, index: usize, place: Place, told: Vec<String>) -> DrawnBox {
    let one = &picture.boxes[index];
    let Place { x, y, width, height } = place;
    // The number of members is not cut off.
    let number = Font::Title.width(&one.head("")) - Font::Title.width("");
    let title = Font::Title.fit(&one.title, width - 2 * INSET - number);
    let head = Words { x: x + INSET, y: y + 22, text: one.head(&title) };
    let mut at = y + HEAD + 10;
    let lines = one.lines().into_iter().map(|line| {
        let kind = match &line {
            Line::Member(_) => LineKind::Member,
            Line::Stopped(_) => LineKind::Stopped,
            Line::FromOutside(_) => LineKind::FromOutside,
            Line::Traffic(_) => LineKind::Traffic,
            Line::Note(_) => LineKind::Note,
        };
        let words = Words { x: x + INSET, y: at, text: fit(&line, width) };
        at += LINE;
        DrawnLine { words, kind }
    });
    DrawnBox { x, y, width, height, kind: one.kind, stopped: one.is_stopped(), head, lines: lines.collect(), told }
}

/// All that an arrow says: `lb -> web: 8080, 8443`.
fn whole(picture: &Picture, arrow: &Arrow) -> String {
    let title = |index: usize| picture.boxes[index].title.as_str();
    format!("{} -> {}: {}", title(arrow.from), title(arrow.to), arrow.traffic.join(", "))
}

fn line(picture: &Picture, layout: &Layout, number: usize) -> DrawnArrow {
    let arrow = &picture.arrows[number];
    DrawnArrow {
        from: arrow.from,
        to: arrow.to,
        path: path(&layout.ways[number]),
        kind: arrow.kind,
        sender: picture.boxes[arrow.from].kind,
        wide: layout.wide[arrow.from],
        whole: whole(picture, arrow),
    }
}

/// Curves between lanes, and straight lines past them. All curves are within the gaps, since they begin and end level.
fn path(way: &Way) -> String {
    let mut at = way.begin;
    let mut path = format!("M{} {}", at.0, at.1);
    for (enter, leave, y) in &way.passes {
        path += &format!(" {} L{leave} {y}", curve(at, (*enter, *y), None));
        at = (*leave, *y);
    }
    path + " " + &curve(at, way.end, way.round)
}

/// A curve that begins and ends level: between two lanes, or out of a lane and back.
fn curve((x, y): (i32, i32), (end, at): (i32, i32), round: Option<i32>) -> String {
    let (first, second) = match round {
        Some(round) => (x + round, end + round),
        None => (x + (end - x) / 2, end - (end - x) / 2),
    };
    format!("C{first} {y} {second} {at} {end} {at}")
}
