//! A picture with a place for everything: what each writer of pixels draws.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::Serialize;

use super::layout::{HEAD, LANE_GAP, LINE, Layout, Place, WIDTH, layout};
use super::picture::{Arrow, ArrowKind, BoxKind, Line, Picture};

/// Longest text in a box, in characters.
const MAX_TEXT: usize = 34;
/// Longest text at an arrow: what has room between two lanes.
const MAX_LABEL: usize = 24;
/// Of more arrows, words may stand on each other: to part them takes too long.
const MAX_LABELS: usize = 400;

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
        let labels = labels(picture, &layout);
        Self { width: layout.width, height: layout.height, boxes, arrows, labels }
    }
}

fn a_box(picture: &Picture, index: usize, place: Place, told: Vec<String>) -> DrawnBox {
    let one = &picture.boxes[index];
    let Place { x, y, height, .. } = place;
    let head = Words { x: x + 12, y: y + 22, text: one.head(&cut(&one.title, MAX_TEXT - 6)) };
    let mut at = y + HEAD + 10;
    let lines = one.lines().into_iter().map(|line| {
        let kind = match line {
            Line::Member(_) => LineKind::Member,
            Line::Stopped(_) => LineKind::Stopped,
            Line::FromOutside(_) => LineKind::FromOutside,
            Line::Traffic(_) => LineKind::Traffic,
            Line::Note(_) => LineKind::Note,
        };
        let words = Words { x: x + 12, y: at, text: cut(line.words(), MAX_TEXT) };
        at += LINE;
        DrawnLine { words, kind }
    });
    DrawnBox {
        x,
        y,
        width: WIDTH,
        height,
        kind: one.kind,
        stopped: one.is_stopped(),
        head,
        lines: lines.collect(),
        told,
    }
}

/// All that an arrow says: `lb -> web: 8080, 8443`.
fn whole(picture: &Picture, arrow: &Arrow) -> String {
    let title = |index: usize| picture.boxes[index].title.as_str();
    format!("{} -> {}: {}", title(arrow.from), title(arrow.to), arrow.traffic.join(", "))
}

/// Both ends of an arrow: it leaves a box at its right side and arrives at the left one, unless it goes back.
fn ends(layout: &Layout, arrow: &Arrow) -> ((i32, i32), (i32, i32)) {
    let (from, to) = (layout.places[arrow.from], layout.places[arrow.to]);
    let middle = |place: Place| place.y + place.height / 2;
    match from.lane.cmp(&to.lane) {
        Ordering::Less => ((from.x + WIDTH, middle(from)), (to.x, middle(to))),
        Ordering::Greater => ((from.x, middle(from) + 10), (to.x + WIDTH, middle(to) + 10)),
        Ordering::Equal => ((from.x + WIDTH, middle(from) - 8), (to.x + WIDTH, middle(to) + 8)),
    }
}

fn line(picture: &Picture, layout: &Layout, number: usize) -> DrawnArrow {
    let arrow = &picture.arrows[number];
    let ((x1, y1), (x2, y2)) = ends(layout, arrow);
    let same = layout.places[arrow.from].lane == layout.places[arrow.to].lane;
    let path = match layout.above[number] {
        // Over the boxes between, and down to the receiver.
        Some(top) => {
            let (out, back) = (x1 + LANE_GAP / 2, x2 - LANE_GAP / 2);
            format!("M{x1} {y1} C{out} {y1} {x1} {top} {out} {top} L{back} {top} C{x2} {top} {back} {y2} {x2} {y2}")
        }
        None if same => format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + 60, x2 + 60),
        None => {
            let bend = (x2 - x1) / 2;
            format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
        }
    };
    DrawnArrow {
        from: arrow.from,
        to: arrow.to,
        path,
        kind: arrow.kind,
        sender: picture.boxes[arrow.from].kind,
        wide: layout.wide[arrow.from],
        whole: whole(picture, arrow),
    }
}

/// Words at arrows, in the gap before the receiver's lane, each below those that stand there already. What a sender says to many boxes is
/// said once, where its arrows begin.
fn labels(picture: &Picture, layout: &Layout) -> Vec<DrawnLabel> {
    let mut taken: Vec<(i32, i32)> = Vec::new();
    let mut said: HashSet<(usize, String)> = HashSet::new();
    let mut labels = Vec::new();
    for (number, arrow) in picture.arrows.iter().enumerate() {
        let ((x1, y1), (x2, y2)) = ends(layout, arrow);
        let (from, to) = (layout.places[arrow.from].lane, layout.places[arrow.to].lane);
        let words = cut(&arrow.words(), MAX_LABEL);
        let is_wide = layout.wide[arrow.from];
        if is_wide && !said.insert((arrow.from, words.clone())) {
            continue;
        }
        let (x, mut y) = match from.cmp(&to) {
            Ordering::Less if layout.above[number].is_some() => {
                (x1 + LANE_GAP, layout.above[number].unwrap_or_default() + 4)
            }
            Ordering::Equal if is_wide => (x1 + LANE_GAP / 2, y1 - 5),
            Ordering::Equal => (x2 + 72, (y1 + y2) / 2 - 5),
            Ordering::Less if is_wide => (x1 + LANE_GAP / 2, y1 - 5),
            Ordering::Less if from + 1 == to => ((x1 + x2) / 2, (y1 + y2) / 2 - 5),
            Ordering::Less => (x2 - LANE_GAP / 2, y2 - 5),
            Ordering::Greater => (x2 + LANE_GAP / 2, y2 - 5),
        };
        while picture.arrows.len() <= MAX_LABELS
            && taken.iter().any(|(other, at)| (other - x).abs() < 110 && (at - y).abs() < 15)
        {
            y += 15;
        }
        taken.push((x, y));
        labels.push(DrawnLabel { arrow: number, words: Words { x, y, text: words } });
    }
    labels
}

fn cut(words: &str, length: usize) -> String {
    if words.chars().count() <= length {
        words.to_owned()
    } else {
        words.chars().take(length - 1).chain(['…']).collect()
    }
}
