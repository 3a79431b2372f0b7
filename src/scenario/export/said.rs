//! What a file's table says, held against what is judged of its cloud.

use std::collections::{HashMap, HashSet};

use super::super::{cells, predict};
use super::classes::has_ways;
use super::judged::Judged;
use crate::model::{Endpoint, Era};
use crate::topology::Topology;

/// Tells whether the only table of a file opens just what is open after its last step; nothing where that takes a prediction of the file.
pub fn holds(topology: &Topology, era: Era) -> Option<bool> {
    let (_, table) = topology.tables.first().filter(|_| topology.tables.len() == 1)?;
    let cloud = predict::cloud_at(topology, era, topology.steps.len()).ok()?;
    if has_ways(&cloud) || !cloud.has_egress_rules() || table.via.is_some() || table.like.is_some() {
        return None;
    }
    let judged = Judged::of(&cloud, &topology.columns, &table.egress);
    if judged.pairs().any(|(_, cells, _)| !cells.odd.is_empty()) {
        return None;
    }
    let ends: HashMap<&Endpoint, usize> =
        judged.classes.members.iter().flatten().enumerate().map(|(number, end)| (end, number)).collect();
    let mut said: HashSet<(usize, usize, usize)> = HashSet::new();
    for line in &table.open {
        let Ok(flows) = cells::opened(line, &topology.columns, None, &cloud) else { return Some(false) };
        for flow in flows {
            let classes = &judged.classes;
            let pair = classes.class_of(&flow.from).zip(classes.class_of(&flow.to));
            let column = topology.columns.get_index_of(&flow.service)?;
            let cells = pair.and_then(|(from, to)| judged.between(from, to)).filter(|cells| cells.via == flow.via)?;
            if !cells.open.has(column) {
                return Some(false);
            }
            said.insert((*ends.get(&flow.from)?, *ends.get(&flow.to)?, column));
        }
    }
    let open: usize = judged.pairs().map(|(_, cells, pairs)| cells.open.len() * pairs).sum();
    Some(said.len() == open)
}
