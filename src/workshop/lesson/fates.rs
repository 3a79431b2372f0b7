//! Outcomes of cells, as far as a goal is concerned: let through or not.

use crate::model::{Cloud, Era, Flow, Half, Verdict};
use crate::policy;
use crate::scenario::results::Class;
use crate::scenario::{Options, RunResult, predict};
use crate::topology::Topology;

/// Fate of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The groups let it through, whoever listens.
    Through,
    /// It is dropped, or reaches nobody.
    Kept,
    /// Nothing proves either.
    Unknown,
}

impl Fate {
    /// Fate of a flow of this class.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Open | Class::Refused | Class::Closed | Class::Misdelivered => Self::Through,
            Class::Dropped | Class::Unreachable => Self::Kept,
            Class::Inconclusive => Self::Unknown,
        }
    }

    /// By the model.
    pub fn predicted(cloud: &Cloud, flow: &Flow) -> Self {
        match policy::judge(cloud, flow) {
            Verdict::Open { .. } | Verdict::Misdelivered { .. } => Self::Through,
            Verdict::Dropped { half: Half::Request, .. } | Verdict::Unreachable { .. } => Self::Kept,
            // That its answer is dropped shows to nobody who asks.
            Verdict::Dropped { half: Half::Answer, .. } | Verdict::Unresolved => Self::Unknown,
        }
    }
}

/// Runs a file by the model, under each of its eras.
pub fn by_the_model(topology: &Topology) -> Vec<RunResult> {
    let run = |era: &Era| predict::predict(topology, *era, &Options::default(), &mut |_| {}).ok();
    topology.eras.iter().filter_map(run).collect()
}

/// The clouds after each step of an era, by the step's number.
pub fn moments(topology: &Topology, era: Era) -> Vec<(usize, Cloud)> {
    let Ok(mut cloud) = topology.initial_cloud(era) else { return Vec::new() };
    let mut all = Vec::new();
    for (index, step) in topology.steps.iter().enumerate().filter(|(_, step)| step.is_of(era)) {
        cloud = step.cloud_after(&cloud);
        all.push((index + 1, cloud.clone()));
    }
    all
}
