//! Places of boxes, ways of arrows and places of their words: arrows pass boxes by, and no words stand on others.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use super::apart::{Wanted, apart};
use super::content::{INSET, MIN_WIDTH, height, width};
use super::lanes::{lanes, wide, without_arrows};
use super::measure::Font;
use super::order::{Columns, Node};
use super::picture::Picture;

/// Between two lanes, at least, and beside words there.
const MIN_GAP: i32 = 76;
const BESIDE_LABEL: i32 = 28;
/// Between two that stand in a lane, and what a box has more on either side.
const GAP: i32 = 10;
const BOX_GAP: i32 = 7;
const MARGIN: i32 = 24;
/// Height of an arrow that passes a lane by, with its words.
const PASS: i32 = 16;
/// Between two rows below the lanes.
const ROW_GAP: i32 = 26;
/// Height of words at an arrow.
const LABEL: i32 = 16;
/// Between two arrows at one side of a box, at most.
const PORTS: i32 = 15;
/// Columns of boxes below the lanes.
const COLUMNS: std::ops::RangeInclusive<usize> = 4..=8;
/// Rounds in which boxes come nearer to those that they have arrows with.
const ROUNDS: usize = 6;

/// The place of a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// The way of an arrow: where it leaves, each lane that it passes by with both edges, and where it arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub begin: (i32, i32),
    pub passes: Vec<(i32, i32, i32)>,
    pub end: (i32, i32),
    /// Distance from the lane of an arrow between two boxes of it.
    pub round: Option<i32>,
}

/// Places of all boxes and arrows, and the size of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub places: Vec<Place>,
    pub ways: Vec<Way>,
    /// Words at arrows: the arrow, and the middle of the baseline.
    pub labels: Vec<(usize, i32, i32)>,
    /// For each box, whether it reaches most of the others.
    pub wide: Vec<bool>,
    pub width: i32,
    pub height: i32,
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let wide = wide(picture);
    let mut lane_of = lanes(picture, &wide);
    let below = without_arrows(picture);
    let mut boxes: Vec<Vec<usize>> = Vec::new();
    for (index, lane) in lane_of.iter().enumerate().filter(|(index, _)| !below.contains(index)) {
        if boxes.len() <= *lane {
            boxes.resize(lane + 1, Vec::new());
        }
        boxes[*lane].push(index);
    }
    // Of a lane whose boxes all stand below nothing is left.
    boxes.retain(|lane| !lane.is_empty());
    for (lane, boxes) in boxes.iter().enumerate() {
        boxes.iter().for_each(|index| lane_of[*index] = lane);
    }
    let columns = Columns::new(picture, boxes, &lane_of);
    let mut placing = Placing {
        picture,
        columns: &columns,
        lane_of: &lane_of,
        edges: Vec::new(),
        gaps: Vec::new(),
        middles: HashMap::new(),
    };
    let labelled = labelled(picture, &wide);
    let right = placing.across(&labelled);
    placing.down();
    let mut layout = Layout {
        places: vec![Place::default(); picture.boxes.len()],
        ways: Vec::new(),
        labels: Vec::new(),
        wide,
        width: right,
        height: 0,
    };
    placing.boxes(&mut layout.places);
    layout.ways = placing.ways(&layout.places);
    layout.labels = placing.labels(&layout.ways, &labelled);
    layout.finish(picture, &below);
    layout
}

/// Arrows that have words: what a sender says to many boxes is said once.
fn labelled(picture: &Picture, wide: &[bool]) -> Vec<usize> {
    let mut said: HashSet<(usize, String)> = HashSet::new();
    let all = picture.arrows.iter().enumerate();
    all.filter(|(_, arrow)| !wide[arrow.from] || said.insert((arrow.from, arrow.label())))
        .map(|(number, _)| number)
        .collect()
}

struct Placing<'a> {
    picture: &'a Picture,
    columns: &'a Columns,
    lane_of: &'a [usize],
    /// Left and right edge of each lane.
    edges: Vec<(i32, i32)>,
    /// Width of the gap behind each lane.
    gaps: Vec<i32>,
    /// Middle of each node.
    middles: HashMap<Node, i32>,
}

impl Placing<'_> {
    fn lane(&self, node: Node) -> usize {
        match node {
            Node::Box(index) => self.lane_of[index],
            Node::Pass { lane, .. } => lane,
        }
    }

    fn size(&self, node: Node) -> i32 {
        match node {
            Node::Box(index) => height(self.picture, index) + 2 * BOX_GAP,
            Node::Pass { .. } => PASS,
        }
    }

    /// Places lanes one beside the other, with room for words between them; gives the right edge of the whole.
    fn across(&mut self, labelled: &[usize]) -> i32 {
        let count = self.columns.lanes.len();
        let mut widths = vec![MIN_WIDTH; count];
        // Behind the last lane there is room for arrows round it, if there are any.
        let mut gaps = vec![MIN_GAP; count];
        for (lane, nodes) in self.columns.lanes.iter().enumerate() {
            let boxes = nodes.iter().filter_map(|node| if let Node::Box(index) = node { Some(*index) } else { None });
            widths[lane] = boxes.map(|index| width(self.picture, index)).max().unwrap_or(MIN_WIDTH);
        }
        for &number in labelled {
            let words = Font::Label.width(&self.picture.arrows[number].label());
            match *self.columns.ways[number] {
                [_, pass, _, ..] => widths[self.lane(pass)] = widths[self.lane(pass)].max(words + 2 * INSET),
                [from, to] => {
                    let gap = self.lane(from).min(self.lane(to));
                    gaps[gap] = gaps[gap].max(words + 2 * BESIDE_LABEL);
                }
                _ => {}
            }
        }
        let is_round = |way: &Vec<Node>| way.iter().all(|node| self.lane(*node) + 1 == count);
        if !self.columns.ways.iter().any(is_round) {
            gaps.iter_mut().last().into_iter().for_each(|gap| *gap = 0);
        }
        let mut x = MARGIN;
        for (width, gap) in widths.into_iter().zip(&gaps) {
            self.edges.push((x, x + width));
            x += width + gap;
        }
        self.gaps = gaps;
        x + MARGIN
    }

    /// Places what stands in each lane, near to what it has arrows with.
    fn down(&mut self) {
        for lane in &self.columns.lanes {
            let whole: i32 = lane.iter().map(|node| self.size(*node) + GAP).sum();
            let mut y = -whole / 2;
            for node in lane {
                self.middles.insert(*node, y + self.size(*node) / 2);
                y += self.size(*node) + GAP;
            }
        }
        let mut near: HashMap<Node, Vec<Node>> = HashMap::new();
        for pair in self.columns.ways.iter().flat_map(|way| way.windows(2)) {
            if let [one, other] = pair
                && self.lane(*one) != self.lane(*other)
            {
                near.entry(*one).or_default().push(*other);
                near.entry(*other).or_default().push(*one);
            }
        }
        let all = 0..self.columns.lanes.len();
        for round in 0..ROUNDS {
            let lanes: Vec<usize> = if round % 2 == 0 { all.clone().collect() } else { all.clone().rev().collect() };
            lanes.into_iter().for_each(|lane| self.settle(lane, &near));
        }
    }

    fn settle(&mut self, lane: usize, near: &HashMap<Node, Vec<Node>>) {
        let wanted = self.columns.lanes[lane].iter().map(|node| {
            let size = self.size(*node);
            let Some(near) = near.get(node) else { return Wanted { middle: self.middles[node], size, weight: 1 } };
            // A bend in an arrow that passes by is worse than one at its end.
            let weight =
                |other: &Node| if matches!((node, other), (Node::Pass { .. }, Node::Pass { .. })) { 4 } else { 2 };
            let weights: i32 = near.iter().map(weight).sum();
            let sum: i32 = near.iter().map(|other| self.middles[other] * weight(other)).sum();
            Wanted { middle: sum / weights, size, weight: weights }
        });
        let wanted: Vec<Wanted> = wanted.collect();
        for (node, middle) in self.columns.lanes[lane].iter().zip(apart(&wanted, GAP)) {
            self.middles.insert(*node, middle);
        }
    }

    fn boxes(&self, places: &mut [Place]) {
        for (lane, nodes) in self.columns.lanes.iter().enumerate() {
            let (left, right) = self.edges[lane];
            for node in nodes {
                if let Node::Box(index) = node {
                    let height = height(self.picture, *index);
                    places[*index] = Place { x: left, y: self.middles[node] - height / 2, width: right - left, height };
                }
            }
        }
    }

    /// Ways of all arrows. Those at one side of a box stand below each other, in the order of where they lead.
    fn ways(&self, places: &[Place]) -> Vec<Way> {
        let mut sides: HashMap<(usize, Side), Vec<Ending>> = HashMap::new();
        for (number, way) in self.columns.ways.iter().enumerate() {
            let ([begin, second, ..], [.., last, end]) = (way.as_slice(), way.as_slice()) else { continue };
            for (at, next, which) in [(begin, second, End::Begin), (end, last, End::End)] {
                if let Node::Box(index) = at {
                    let side = if self.lane(*next) < self.lane(*at) { Side::Left } else { Side::Right };
                    // An arrow to the box itself goes round below all others.
                    let leads = if begin == end { i32::MAX } else { self.middles[next] };
                    sides.entry((*index, side)).or_default().push((leads, number, which));
                }
            }
        }
        let mut ends: HashMap<(usize, End), (i32, i32)> = HashMap::new();
        for ((index, side), mut all) in sides {
            all.sort_unstable();
            let Place { x, y, width, height } = places[index];
            let count = i32::try_from(all.len()).unwrap_or(1);
            let step = PORTS.min((height - 12) / count);
            let mut at = y + height / 2 - step * (count - 1) / 2;
            for (_, number, which) in all {
                ends.insert((number, which), (if side == Side::Left { x } else { x + width }, at));
                at += step;
            }
        }
        let ways = self.columns.ways.iter().enumerate().map(|(number, way)| {
            let (Some(begin), Some(end)) = (ends.get(&(number, End::Begin)), ends.get(&(number, End::End))) else {
                return Way::default();
            };
            let lanes = way.iter().map(|node| self.lane(*node)).collect::<Vec<_>>();
            let is_back = lanes.first() > lanes.last();
            let passes = way.iter().filter(|node| matches!(node, Node::Pass { .. })).map(|node| {
                let (left, right) = self.edges[self.lane(*node)];
                let (enter, leave) = if is_back { (right, left) } else { (left, right) };
                (enter, leave, self.middles[node])
            });
            let round = (lanes.first() == lanes.last()).then(|| self.gaps[lanes[0]] * 2 / 3);
            Way { begin: *begin, passes: passes.collect(), end: *end, round }
        });
        ways.collect()
    }

    /// Words stand upon their arrow: in the middle of a gap, or where it passes the first lane by.
    fn labels(&self, ways: &[Way], labelled: &[usize]) -> Vec<(usize, i32, i32)> {
        let mut labels = Vec::new();
        let mut in_gaps: Vec<Vec<(i32, usize)>> = vec![Vec::new(); self.edges.len()];
        for &number in labelled {
            let (way, nodes) = (&ways[number], &self.columns.ways[number]);
            match *nodes.as_slice() {
                [_, pass, _, ..] => {
                    let (left, right) = self.edges[self.lane(pass)];
                    labels.push((number, (left + right) / 2, self.middles[&pass] + 4));
                }
                [from, to] => {
                    let gap = self.lane(from).min(self.lane(to));
                    in_gaps[gap].push(((way.begin.1 + way.end.1) / 2, number));
                }
                _ => {}
            }
        }
        for (lane, mut all) in in_gaps.into_iter().enumerate() {
            all.sort_unstable();
            let wanted: Vec<Wanted> =
                all.iter().map(|(middle, _)| Wanted { middle: *middle, size: LABEL, weight: 1 }).collect();
            let x = self.edges[lane].1 + self.gaps[lane] / 2;
            labels.extend(all.iter().zip(apart(&wanted, 0)).map(|((_, number), middle)| (*number, x, middle + 4)));
        }
        labels
    }
}

/// An end of an arrow: where it leads, the arrow, and which end.
type Ending = (i32, usize, End);

/// Side of a box.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Left,
    Right,
}

/// End of an arrow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum End {
    Begin,
    End,
}

impl Layout {
    /// Moves all down to the margin, and places boxes without arrows below.
    fn finish(&mut self, picture: &Picture, below: &IndexSet<usize>) {
        let in_lanes = || (0..self.places.len()).filter(|index| !below.contains(index)).map(|index| self.places[index]);
        let labels = || self.labels.iter().map(|(_, _, y)| *y);
        let passes = || self.ways.iter().flat_map(|way| &way.passes).map(|(_, _, y)| *y);
        let top =
            in_lanes().map(|it| it.y).chain(labels().map(|y| y - LABEL)).chain(passes().map(|y| y - PASS / 2)).min();
        let end = in_lanes().map(|it| it.y + it.height).chain(labels()).chain(passes().map(|y| y + PASS / 2)).max();
        let (top, end) = (top.unwrap_or(0), end.unwrap_or(0));
        let down = MARGIN - top;
        self.places.iter_mut().for_each(|place| place.y += down);
        self.labels.iter_mut().for_each(|(_, _, y)| *y += down);
        for way in &mut self.ways {
            way.begin.1 += down;
            way.end.1 += down;
            way.passes.iter_mut().for_each(|(_, _, y)| *y += down);
        }
        let end = if end > top { end + down } else { 0 };
        let begin = if end > 0 { end + 2 * ROW_GAP } else { MARGIN };
        let (block_width, block_end) = block(picture, below, begin, &mut self.places);
        (self.width, self.height) = (self.width.max(block_width).max(2 * MARGIN), block_end.max(end) + MARGIN);
    }
}

/// Places boxes in rows, and gives the width and the end of them.
fn block(picture: &Picture, boxes: &IndexSet<usize>, begin: i32, places: &mut [Place]) -> (i32, i32) {
    let in_a_row = boxes.len().isqrt().clamp(*COLUMNS.start(), *COLUMNS.end());
    let width = boxes.iter().map(|index| width(picture, *index)).max().unwrap_or(MIN_WIDTH);
    let (mut y, mut right, mut end) = (begin, 0, 0);
    for row in boxes.iter().copied().collect::<Vec<_>>().chunks(in_a_row) {
        let mut x = MARGIN;
        for &index in row {
            places[index] = Place { x, y, width, height: height(picture, index) };
            x += width + ROW_GAP;
        }
        right = right.max(x - ROW_GAP + MARGIN);
        end = y + row.iter().map(|index| height(picture, *index)).max().unwrap_or(0);
        y = end + ROW_GAP;
    }
    (right, end)
}
