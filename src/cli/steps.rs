//! The operations of a scenario, for commands that only want the cloud that they make.

use anyhow::Context;
use sglab::lab::{Lab, LabError};
use sglab::model::Era;
use sglab::topology::Topology;

/// Carries out the operations up to a step, of those steps that are of this era.
pub(super) async fn carry_out(lab: &mut Lab, topology: &Topology, era: Era, steps: usize) -> anyhow::Result<()> {
    for step in topology.steps[..steps].iter().filter(|step| step.is_of(era)) {
        for operation in step.operations() {
            match lab.apply(&operation.value).await {
                Ok(_) => {}
                // A step may want to see the refusal; nothing has changed then.
                Err(LabError::Refused(refusal)) => eprintln!("{}: refused: {refusal}", operation.place),
                Err(error) => return Err(error).with_context(|| operation.place.to_string()),
            }
        }
    }
    Ok(())
}
