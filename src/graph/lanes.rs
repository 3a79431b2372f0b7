//! Lanes of boxes: one for each distance from outside.

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexSet;

use super::picture::{BoxKind, Picture, natural};

/// Boxes without an arrow, at most, that stand in their lane; more stand below the lanes.
const BESIDE: usize = 3;

/// Boxes inside that no arrow begins or ends at, if they are many, by title.
pub(super) fn without_arrows(picture: &Picture) -> IndexSet<usize> {
    let ends: HashSet<usize> = picture.arrows.iter().flat_map(|arrow| [arrow.from, arrow.to]).collect();
    let is_alone = |index: &usize| !ends.contains(index) && picture.boxes[*index].kind != BoxKind::Outside;
    let mut alone: Vec<usize> = (0..picture.boxes.len()).filter(is_alone).collect();
    alone.sort_by_cached_key(|index| natural(&picture.boxes[*index].title));
    if alone.len() > BESIDE { alone.into_iter().collect() } else { IndexSet::new() }
}

/// For each box, whether it is a sender that reaches most boxes.
pub(super) fn wide(picture: &Picture) -> Vec<bool> {
    let inside = picture.boxes.iter().filter(|one| one.kind != BoxKind::Outside).count();
    let mut reached = vec![0; picture.boxes.len()];
    picture.arrows.iter().filter(|arrow| arrow.to != arrow.from).for_each(|arrow| reached[arrow.from] += 1);
    reached.into_iter().map(|reached| inside > 2 && reached * 2 > inside).collect()
}

/// Outside is the first lane; a box stands behind all that reach it, one lane behind the last. Who reaches most boxes, as a monitor or a
/// bastion does, says nothing about their order and is left aside. Whom nobody reaches stands in the last lane.
pub(super) fn lanes(picture: &Picture, wide: &[bool]) -> Vec<usize> {
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
