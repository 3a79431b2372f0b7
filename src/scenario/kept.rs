//! Files kept of a step for whoever wants to look at it later: the compiled ruleset, every probe, and packets of what
//! failed.

use indexmap::IndexSet;

use super::backend::Backend;
use super::results::{MAX_CAPTURED, StepEvidence};
use crate::compile;
use crate::lab::LabError;
use crate::model::Flow;
use crate::probe::Observation;

/// Keeps what there is to be kept while the lab still stands at the end of the step, with packets of what fails.
///
/// # Errors
/// When the lab fails.
pub async fn gather<L: Backend>(
    lab: &mut L,
    probes: Vec<Observation>,
    failing: &IndexSet<Flow>,
) -> Result<StepEvidence, LabError> {
    let compiled = compile::render(lab.cloud())?;
    let mut captured = Vec::new();
    for flow in failing.iter().take(MAX_CAPTURED) {
        captured.extend(lab.probe_captured(flow).await?);
    }
    Ok(StepEvidence { compiled, probes, captured, not_captured: failing.len().saturating_sub(MAX_CAPTURED) })
}
