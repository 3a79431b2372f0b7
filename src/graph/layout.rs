//! Places of boxes: a lane for each distance from outside, and in a lane an order with few crossings.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexSet;

use super::picture::{Arrow, BoxKind, Picture, natural};

/// Measures in pixels.
pub(super) const WIDTH: i32 = 250;
/// Between two lanes.
pub(super) const LANE_GAP: i32 = 150;
const GAP: i32 = 28;
const MARGIN: i32 = 32;
/// Between two arrows that pass lanes by.
const PASSING: i32 = 16;
pub(super) const HEAD: i32 = 34;
pub(super) const LINE: i32 = 19;
/// Boxes without an arrow, at most, that stand in their lane; more stand below the lanes.
const BESIDE: usize = 3;
/// Columns of that block.
const COLUMNS: std::ops::RangeInclusive<usize> = 4..=8;

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
fn height(picture: &Picture, index: usize) -> i32 {
    HEAD + LINE * i32::try_from(picture.boxes[index].lines().len()).unwrap_or(0) + 8
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let wide = wide(picture);
    let mut lanes = lanes(picture, &wide);
    let below = without_arrows(picture);
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for (index, lane) in lanes.iter().enumerate().filter(|(index, _)| !below.contains(index)) {
        if columns.len() <= *lane {
            columns.resize(lane + 1, Vec::new());
        }
        columns[*lane].push(index);
    }
    // Of a lane whose boxes all stand below nothing is left.
    columns.retain(|column| !column.is_empty());
    for (lane, column) in columns.iter().enumerate() {
        column.iter().for_each(|index| lanes[*index] = lane);
    }
    order(picture, &mut columns);
    let count = columns.len();
    let height = |index: usize| height(picture, index);
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
    let (width, end) = (x - LANE_GAP + right, top + tallest);
    let begin = if tallest > 0 { end + 2 * GAP } else { top };
    let (block_width, block_end) = block(picture, &below, begin, &mut places);
    Layout { places, above, wide, width: width.max(block_width).max(2 * MARGIN), height: block_end.max(end) + MARGIN }
}

/// Boxes inside that no arrow begins or ends at, if they are many, by title.
fn without_arrows(picture: &Picture) -> IndexSet<usize> {
    let ends: HashSet<usize> = picture.arrows.iter().flat_map(|arrow| [arrow.from, arrow.to]).collect();
    let is_alone = |index: &usize| !ends.contains(index) && picture.boxes[*index].kind != BoxKind::Outside;
    let mut alone: Vec<usize> = (0..picture.boxes.len()).filter(is_alone).collect();
    alone.sort_by_cached_key(|index| natural(&picture.boxes[*index].title));
    if alone.len() > BESIDE { alone.into_iter().collect() } else { IndexSet::new() }
}

/// Places boxes in rows, and gives the width and the end of them.
fn block(picture: &Picture, boxes: &IndexSet<usize>, begin: i32, places: &mut [Place]) -> (i32, i32) {
    let in_a_row = boxes.len().isqrt().clamp(*COLUMNS.start(), *COLUMNS.end());
    let (mut y, mut right, mut end) = (begin, 0, 0);
    for row in boxes.iter().copied().collect::<Vec<_>>().chunks(in_a_row) {
        let mut x = MARGIN;
        for &index in row {
            places[index] = Place { x, y, height: height(picture, index), lane: 0 };
            x += WIDTH + GAP;
        }
        right = right.max(x - GAP + MARGIN);
        end = y + row.iter().map(|index| height(picture, *index)).max().unwrap_or(0);
        y = end + GAP;
    }
    (right, end)
}

/// For each box, whether it is a sender that reaches most boxes.
fn wide(picture: &Picture) -> Vec<bool> {
    let inside = picture.boxes.iter().filter(|one| one.kind != BoxKind::Outside).count();
    let mut reached = vec![0; picture.boxes.len()];
    picture.arrows.iter().filter(|arrow| arrow.to != arrow.from).for_each(|arrow| reached[arrow.from] += 1);
    reached.into_iter().map(|reached| inside > 2 && reached * 2 > inside).collect()
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
    let mut receivers: Vec<Vec<usize>> = vec![Vec::new(); picture.boxes.len()];
    arrows.iter().for_each(|(from, to)| receivers[*from].push(*to));
    let placed =
        |lanes: &[Option<usize>], index: usize| senders[index].iter().filter(|from| lanes[**from].is_some()).count();
    let mut open: BTreeSet<usize> =
        (0..lanes.len()).filter(|index| lanes[*index].is_none() && reached.contains(index)).collect();
    let mut missing: Vec<usize> = (0..lanes.len()).map(|index| senders[index].len() - placed(&lanes, index)).collect();
    let mut ready: BTreeSet<usize> = open.iter().copied().filter(|index| missing[*index] == 0).collect();
    loop {
        // Of a circle, the one with most of its senders placed goes first.
        let next = ready
            .pop_first()
            .or_else(|| open.iter().copied().max_by_key(|index| senders[*index].len() - missing[*index]));
        let Some(next) = next else { break };
        open.remove(&next);
        lanes[next] = Some(senders[next].iter().filter_map(|from| lanes[*from]).max().unwrap_or(0) + 1);
        for &to in &receivers[next] {
            missing[to] -= 1;
            if missing[to] == 0 && open.contains(&to) {
                ready.insert(to);
            }
        }
    }
    let last = lanes.iter().flatten().copied().max().unwrap_or(0);
    // A sender whom nobody reaches is as near to outside as those that it sends to allow.
    let sends: HashSet<usize> =
        picture.arrows.iter().filter(|arrow| arrow.from != arrow.to).map(|arrow| arrow.from).collect();
    let alone =
        |index: usize| if sends.contains(&index) || !picture.boxes[index].reaching.is_empty() { 1 } else { last + 1 };
    (0..lanes.len()).map(|index| lanes[index].unwrap_or_else(|| alone(index))).collect()
}

/// Orders each lane by where its neighbours in the lane before stand, twice; ties by title.
fn order(picture: &Picture, columns: &mut [Vec<usize>]) {
    for column in columns.iter_mut() {
        column.sort_by_cached_key(|index| natural(&picture.boxes[*index].title));
    }
    let mut senders: Vec<Vec<usize>> = vec![Vec::new(); picture.boxes.len()];
    picture.arrows.iter().for_each(|arrow| senders[arrow.to].push(arrow.from));
    for _ in 0..2 {
        for lane in 1..columns.len() {
            let position: HashMap<usize, usize> =
                columns[lane - 1].iter().enumerate().map(|(position, index)| (*index, position)).collect();
            let weight = |index: usize| -> usize {
                let near: Vec<usize> = senders[index].iter().filter_map(|from| position.get(from).copied()).collect();
                // Thousandths, so that no float decides an order.
                if near.is_empty() { usize::MAX } else { near.iter().sum::<usize>() * 1000 / near.len() }
            };
            columns[lane].sort_by_cached_key(|index| weight(*index));
        }
    }
}
