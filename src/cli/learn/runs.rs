//! Runs of the files of a lesson, by the model and on packets.

use sglab::scenario::{self, Options, RunError, RunResult};
use sglab::topology::Topology;
use sglab::workshop::lesson::check::Checked;
use sglab::workshop::lesson::{Lesson, by_the_model};

/// Runs a file under each of its eras.
///
/// # Errors
/// [`RunError`].
pub(in crate::cli) async fn on_packets(topology: &Topology) -> Result<Vec<RunResult>, RunError> {
    let mut all = Vec::new();
    for era in &topology.eras {
        all.push(scenario::run(topology, *era, &Options::default(), &mut |_| {}).await?);
    }
    Ok(all)
}

/// Holds a lesson to its word by the model.
pub(super) fn check_by_the_model(lesson: &Lesson) -> Checked {
    let mut checked = Checked::of(lesson);
    for task in lesson.tasks() {
        checked.task(task, &by_the_model(&task.start), &by_the_model(&task.solution));
    }
    checked
}
