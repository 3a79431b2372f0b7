//! Order of what stands in a lane, with few crossings of arrows.

use std::collections::HashMap;

use super::picture::{Picture, natural};

/// Sweeps over all lanes, there and back.
const SWEEPS: usize = 4;
/// Of more pieces of arrows between two lanes, crossings are not counted: the last order is taken.
const MAX_COUNTED: usize = 1500;

/// Contents of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    /// A box.
    Box(usize),
    /// An arrow that passes the lane by.
    Pass {
        /// Index of the arrow.
        arrow: usize,
        /// The lane.
        lane: usize,
    },
}

/// Lanes with all that stands in them, from above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub lanes: Vec<Vec<Node>>,
    /// For each arrow its nodes, from the sender's box to the receiver's.
    pub ways: Vec<Vec<Node>>,
}

impl Columns {
    /// Puts boxes into their lanes, and arrows into those that they pass by.
    pub(super) fn new(picture: &Picture, boxes: Vec<Vec<usize>>, lane_of: &[usize]) -> Self {
        let mut lanes: Vec<Vec<Node>> = Vec::with_capacity(boxes.len());
        for mut lane in boxes {
            lane.sort_by_cached_key(|index| natural(&picture.boxes[*index].title));
            lanes.push(lane.into_iter().map(Node::Box).collect());
        }
        let mut ways = Vec::with_capacity(picture.arrows.len());
        for (number, arrow) in picture.arrows.iter().enumerate() {
            let (from, to) = (lane_of[arrow.from], lane_of[arrow.to]);
            let between = from.min(to) + 1..from.max(to);
            let mut passes: Vec<Node> = between.map(|lane| Node::Pass { arrow: number, lane }).collect();
            for node in &passes {
                if let Node::Pass { lane, .. } = node {
                    lanes[*lane].push(*node);
                }
            }
            if from > to {
                passes.reverse();
            }
            ways.push([&[Node::Box(arrow.from)], passes.as_slice(), &[Node::Box(arrow.to)]].concat());
        }
        let mut columns = Self { lanes, ways };
        columns.order(lane_of);
        columns
    }

    /// Pieces of arrows from each lane to the next, by the node on either side.
    fn pieces(&self, lane_of: &[usize]) -> Vec<Vec<(Node, Node)>> {
        let lane = |node: &Node| match node {
            Node::Box(index) => lane_of[*index],
            Node::Pass { lane, .. } => *lane,
        };
        let mut pieces = vec![Vec::new(); self.lanes.len()];
        for pair in self.ways.iter().flat_map(|way| way.windows(2)) {
            let [one, other] = pair else { continue };
            match (lane(one), lane(other)) {
                (left, right) if left < right => pieces[left].push((*one, *other)),
                (left, right) if left > right => pieces[right].push((*other, *one)),
                _ => {}
            }
        }
        pieces
    }

    /// Orders each lane by where its neighbours stand, in the lane before and then in the one behind; keeps the order with the fewest crossings.
    fn order(&mut self, lane_of: &[usize]) {
        let pieces = self.pieces(lane_of);
        let is_counted = pieces.iter().all(|pieces| pieces.len() <= MAX_COUNTED);
        let mut best: Option<(usize, Vec<Vec<Node>>)> = None;
        for _ in 0..SWEEPS {
            for lane in 1..self.lanes.len() {
                let near = pieces[lane - 1].iter().map(|(left, right)| (*right, *left));
                sort(&mut self.lanes, lane, lane - 1, near);
            }
            let crossings = if is_counted { self.crossings(&pieces) } else { 0 };
            if best.as_ref().is_none_or(|(least, _)| crossings < *least) {
                best = Some((crossings, self.lanes.clone()));
            }
            for lane in (0..self.lanes.len().saturating_sub(1)).rev() {
                sort(&mut self.lanes, lane, lane + 1, pieces[lane].iter().copied());
            }
        }
        if let Some((_, lanes)) = best {
            self.lanes = lanes;
        }
    }

    fn crossings(&self, pieces: &[Vec<(Node, Node)>]) -> usize {
        let mut crossings = 0;
        for (lane, pieces) in pieces.iter().enumerate().filter(|(_, pieces)| !pieces.is_empty()) {
            let (left, right) = (positions(&self.lanes[lane]), positions(&self.lanes[lane + 1]));
            let ends: Vec<(usize, usize)> = pieces.iter().map(|(from, to)| (left[from], right[to])).collect();
            for (index, one) in ends.iter().enumerate() {
                let crosses = |other: &&(usize, usize)| {
                    (one.0 < other.0 && one.1 > other.1) || (one.0 > other.0 && one.1 < other.1)
                };
                crossings += ends[index + 1..].iter().filter(crosses).count();
            }
        }
        crossings
    }
}

fn positions(lane: &[Node]) -> HashMap<Node, usize> {
    lane.iter().enumerate().map(|(position, node)| (*node, position)).collect()
}

/// Sorts a lane by the mean place of neighbours in another one; who has none there goes down.
fn sort(lanes: &mut [Vec<Node>], lane: usize, other: usize, near: impl Iterator<Item = (Node, Node)>) {
    let known = positions(&lanes[other]);
    let mut sums: HashMap<Node, (usize, usize)> = HashMap::new();
    for (node, neighbour) in near {
        let (sum, count) = sums.entry(node).or_default();
        (*sum, *count) = (*sum + known[&neighbour], *count + 1);
    }
    // Thousandths, so that no float decides an order.
    let weight = |node: &Node| sums.get(node).map_or(usize::MAX, |(sum, count)| sum * 1000 / count);
    lanes[lane].sort_by_cached_key(weight);
}
