//! Content of boxes: how wide and high it is, and what of it has room.

use super::measure::Font;
use super::picture::{Line, Picture};

/// Height of a title, and of a line below it.
pub(super) const HEAD: i32 = 34;
pub(super) const LINE: i32 = 19;
/// From the edge of a box to its text.
pub(super) const INSET: i32 = 12;
/// Between a member's name and its address.
const COLUMN_GAP: i32 = 14;
/// Widths of boxes.
pub(super) const MIN_WIDTH: i32 = 120;
const MAX_WIDTH: i32 = 250;

/// Font of a line.
fn font(line: &Line) -> Font {
    match line {
        Line::Member(_) | Line::Stopped(_) => Font::Member,
        Line::FromOutside(_) | Line::Traffic(_) | Line::Note(_) => Font::Small,
    }
}

/// Width of a line: of a name and its address that of both.
fn line_width(line: &Line) -> i32 {
    match line.words().split_once("  ") {
        Some((name, address)) => font(line).width(name) + COLUMN_GAP + Font::Fixed.width(address),
        None => font(line).width(line.words()),
    }
}

/// A line cut to a box: a name is cut, and its address is not.
pub(super) fn fit(line: &Line, width: i32) -> String {
    let room = width - 2 * INSET;
    match line.words().split_once("  ") {
        Some((name, address)) => {
            let name = font(line).fit_ends(name, room - COLUMN_GAP - Font::Fixed.width(address));
            format!("{name}  {address}")
        }
        None if matches!(line, Line::Member(_) | Line::Stopped(_)) => font(line).fit_ends(line.words(), room),
        None => font(line).fit(line.words(), room),
    }
}

/// Lines in a box below its title.
pub(super) fn height(picture: &Picture, index: usize) -> i32 {
    HEAD + LINE * i32::try_from(picture.boxes[index].lines().len()).unwrap_or(0) + 8
}

pub(super) fn width(picture: &Picture, index: usize) -> i32 {
    let one = &picture.boxes[index];
    let lines = one.lines().iter().map(line_width).max().unwrap_or(0);
    (lines.max(Font::Title.width(&one.head(&one.title))) + 2 * INSET).clamp(MIN_WIDTH, MAX_WIDTH)
}
