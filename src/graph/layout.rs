//! Places of boxes: a lane for each distance from outside, and in a lane an order with few crossings.

use std::collections::HashSet;

use super::picture::{Arrow, BoxKind, Picture};

/// Measures in pixels.
pub(super) const WIDTH: i32 = 220;
/// Between two lanes.
pub(super) const LANE_GAP: i32 = 150;
const GAP: i32 = 28;
const MARGIN: i32 = 32;
/// Between two arrows that pass lanes by.
const PASSING: i32 = 16;
pub(super) const HEAD: i32 = 34;
pub(super) const LINE: i32 = 19;
/// Members that a box lists; of more it tells the number.
pub(super) const MAX_MEMBERS: usize = 8;

/// The place of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub x: i32,
    pub y: i32,
    pub height: i32,
    pub lane: usize,
}

/// Places of all boxes, and the size of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub places: Vec<Place>,
    /// For each arrow that passes lanes by, the height at which it does: above all boxes.
    pub above: Vec<Option<i32>>,
    /// For each box, whether it reaches most of the others.
    pub wide: Vec<bool>,
    pub width: i32,
    pub height: i32,
}

/// Lines in a box below its title.
pub(super) fn lines(picture: &Picture, index: usize) -> usize {
    let one = &picture.boxes[index];
    let members = one.members.len().min(MAX_MEMBERS) + usize::from(one.members.len() > MAX_MEMBERS);
    members + usize::from(one.kind == BoxKind::Empty) + usize::from(!one.outward.is_empty())
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let wide: Vec<bool> = (0..picture.boxes.len()).map(|index| is_wide(picture, index)).collect();
    let lanes = lanes(picture, &wide);
    let count = lanes.iter().max().map_or(0, |last| last + 1);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, lane) in lanes.iter().enumerate() {
        columns[*lane].push(index);
    }
    order(picture, &mut columns);
    let height = |index: usize| HEAD + LINE * i32::try_from(lines(picture, index)).unwrap_or(0) + 8;
    let heights: Vec<i32> =
        columns.iter().map(|column| column.iter().map(|index| height(*index) + GAP).sum::<i32>() - GAP).collect();
    let tallest = heights.iter().copied().max().unwrap_or(0).max(0);
    let mut places = vec![Place { x: 0, y: 0, height: 0, lane: 0 }; picture.boxes.len()];
    let passes = |arrow: &Arrow| lanes[arrow.from] + 1 < lanes[arrow.to] && !wide[arrow.from];
    let mut passing = 0;
    let above: Vec<Option<i32>> = picture
        .arrows
        .iter()
        .map(|arrow| {
            passes(arrow).then(|| {
                passing += 1;
                MARGIN / 2 + PASSING * (passing - 1)
            })
        })
        .collect();
    let top = MARGIN + PASSING * passing;
    let mut x = MARGIN;
    for (lane, column) in columns.iter().enumerate() {
        let mut y = top + (tallest - heights[lane]) / 2;
        for &index in column {
            places[index] = Place { x, y, height: height(index), lane };
            y += height(index) + GAP;
        }
        x += WIDTH + LANE_GAP;
    }
    // An arrow within the last lane goes round its right side.
    let round = picture.arrows.iter().any(|arrow| lanes[arrow.from] + 1 == count && lanes[arrow.to] + 1 == count);
    let right = if round { LANE_GAP / 2 + MARGIN } else { MARGIN };
    Layout { places, above, wide, width: (x - LANE_GAP + right).max(2 * MARGIN), height: tallest + top + MARGIN }
}

/// Returns true for a sender that reaches most boxes.
fn is_wide(picture: &Picture, index: usize) -> bool {
    let inside = picture.boxes.iter().filter(|one| one.kind != BoxKind::Outside).count();
    let reached = picture.arrows.iter().filter(|arrow| arrow.from == index && arrow.to != index).count();
    inside > 2 && reached * 2 > inside
}

/// Outside is the first lane; a box stands behind all that reach it, one lane behind the last. Who reaches most boxes, as a monitor or a
/// bastion does, says nothing about their order and is left aside. Whom nobody reaches stands in the last lane.
fn lanes(picture: &Picture, wide: &[bool]) -> Vec<usize> {
    let is_outside = |index: usize| picture.boxes[index].kind == BoxKind::Outside;
    let arrows: Vec<(usize, usize)> = picture
        .arrows
        .iter()
        .filter(|arrow| arrow.from != arrow.to && !wide[arrow.from])
        .map(|arrow| (arrow.from, arrow.to))
        .collect();
    let mut senders: Vec<Vec<usize>> = vec![Vec::new(); picture.boxes.len()];
    arrows.iter().for_each(|(from, to)| senders[*to].push(*from));
    let reached: HashSet<usize> =
        picture.arrows.iter().filter(|arrow| arrow.from != arrow.to).map(|arrow| arrow.to).collect();
    let mut lanes: Vec<Option<usize>> = (0..picture.boxes.len()).map(|index| is_outside(index).then_some(0)).collect();
    loop {
        let open: Vec<usize> =
            (0..lanes.len()).filter(|index| lanes[*index].is_none() && reached.contains(index)).collect();
        let before = |index: usize| senders[index].iter().copied();
        let ready = open.iter().copied().find(|index| before(*index).all(|from| lanes[from].is_some()));
        // Of a circle, the one with most of its senders placed goes first.
        let next = ready.or_else(|| {
            open.iter().copied().max_by_key(|index| before(*index).filter(|from| lanes[*from].is_some()).count())
        });
        let Some(next) = next else { break };
        lanes[next] = Some(before(next).filter_map(|from| lanes[from]).max().unwrap_or(0) + 1);
    }
    let last = lanes.iter().flatten().copied().max().unwrap_or(0);
    // A sender whom nobody reaches is as near to outside as those that it sends to allow.
    let sends = |index: usize| picture.arrows.iter().any(|arrow| arrow.from == index && arrow.to != index);
    (0..lanes.len()).map(|index| lanes[index].unwrap_or(if sends(index) { 1 } else { last + 1 })).collect()
}

/// Orders each lane by where its neighbours in the lane before stand, twice; ties by title.
fn order(picture: &Picture, columns: &mut [Vec<usize>]) {
    for column in columns.iter_mut() {
        column.sort_by(|a, b| picture.boxes[*a].title.cmp(&picture.boxes[*b].title));
    }
    for _ in 0..2 {
        for lane in 1..columns.len() {
            let before = columns[lane - 1].clone();
            let position = |index: usize| before.iter().position(|other| *other == index);
            let weight = |index: usize| -> usize {
                let near: Vec<usize> = picture
                    .arrows
                    .iter()
                    .filter(|arrow| arrow.to == index)
                    .filter_map(|arrow| position(arrow.from))
                    .collect();
                // Thousandths, so that no float decides an order.
                if near.is_empty() { usize::MAX } else { near.iter().sum::<usize>() * 1000 / near.len() }
            };
            columns[lane].sort_by_key(|index| weight(*index));
        }
    }
}
