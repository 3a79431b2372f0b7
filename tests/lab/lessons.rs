//! Every built-in lesson keeps its word on packets: the start fails its goal, and the solution reaches it.

use sglab::scenario::{self, Options, RunResult};
use sglab::topology::Topology;
use sglab::workshop::lesson::built_in;
use sglab::workshop::lesson::check::Checked;

async fn runs(topology: &Topology) -> Vec<RunResult> {
    let mut all = Vec::new();
    for era in &topology.eras {
        let run = scenario::run(topology, *era, &Options::default(), &mut |_| {}).await;
        all.push(run.unwrap_or_else(|error| panic!("{}: {error}", topology.file)));
    }
    all
}

#[sglab::test(timeout = 240)]
async fn every_built_in_lesson_keeps_its_word_on_packets() {
    let mut faults = Vec::new();
    for folder in built_in::folders() {
        let lesson = built_in::lesson(folder).unwrap_or_else(|told| panic!("{folder}: {}", told[0]));
        let mut checked = Checked::of(&lesson);
        for task in lesson.tasks() {
            checked.task(task, &runs(&task.start).await, &runs(&task.solution).await);
        }
        faults.extend(checked.faults.into_iter().map(|fault| format!("{folder}: {fault}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
