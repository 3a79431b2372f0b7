//! Places of boxes: a lane for each distance from outside, and in a lane an order with few crossings.

use super::picture::{BoxKind, Picture};

/// Measures in pixels.
pub(super) const WIDTH: i32 = 220;
const LANE_GAP: i32 = 150;
const GAP: i32 = 28;
const MARGIN: i32 = 32;
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
    let lanes = lanes(picture);
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
    let mut x = MARGIN;
    for (lane, column) in columns.iter().enumerate() {
        let mut y = MARGIN + (tallest - heights[lane]) / 2;
        for &index in column {
            places[index] = Place { x, y, height: height(index), lane };
            y += height(index) + GAP;
        }
        x += WIDTH + LANE_GAP;
    }
    Layout { places, width: (x - LANE_GAP + MARGIN).max(2 * MARGIN), height: tallest + 2 * MARGIN }
}

/// Outside is the first lane; a box stands one lane behind the nearest that reaches it. Whom nobody reaches stands in the last.
fn lanes(picture: &Picture) -> Vec<usize> {
    let mut lanes: Vec<Option<usize>> =
        picture.boxes.iter().map(|one| (one.kind == BoxKind::Outside).then_some(0)).collect();
    let mut lane = 0;
    loop {
        let reached: Vec<usize> = picture
            .arrows
            .iter()
            .filter(|arrow| lanes[arrow.from] == Some(lane) && lanes[arrow.to].is_none())
            .map(|arrow| arrow.to)
            .collect();
        if reached.is_empty() {
            break;
        }
        lane += 1;
        reached.into_iter().for_each(|index| lanes[index] = Some(lane));
    }
    lanes.into_iter().map(|own| own.unwrap_or(lane + 1)).collect()
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
