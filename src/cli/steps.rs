//! The operations of a scenario, for commands that only want the cloud that they make.

use anyhow::Context;
use sglab::lab::Lab;
use sglab::model::{Era, Refused, apply_all};
use sglab::topology::Topology;

/// Carries out the operations up to a step, of those steps that are of this era.
pub(super) async fn carry_out(lab: &mut Lab, topology: &Topology, era: Era, steps: usize) -> anyhow::Result<()> {
    for step in topology.steps[..steps].iter().filter(|step| step.is_of(era)) {
        for call in step.calls() {
            let refused = apply_all(&mut lab.cloud().clone(), call.iter().map(|placed| &placed.value)).err();
            // A step may want to see the refusal; nothing has changed then.
            if let Some(Refused { operation, refusal }) = refused {
                let place = call.iter().find(|placed| std::ptr::eq(&placed.value, operation)).map(|it| &it.place);
                eprintln!("{}: refused: {refusal}", place.unwrap_or(&step.place));
                continue;
            }
            for operation in call {
                lab.apply(&operation.value).await.with_context(|| operation.place.to_string())?;
            }
        }
    }
    Ok(())
}
