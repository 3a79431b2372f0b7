//! The steps of a scenario that a command is asked for, and their operations, for commands that only want the cloud that they make.

use anyhow::{Context, bail};
use sglab::lab::Lab;
use sglab::model::Era;
use sglab::topology::{Topology, refusal};

/// Carries out the operations up to a step, of those steps that are of this era.
pub(super) async fn carry_out(lab: &mut Lab, topology: &Topology, era: Era, steps: usize) -> anyhow::Result<()> {
    for step in topology.steps[..steps].iter().filter(|step| step.is_of(era)) {
        for call in step.calls() {
            // A step may want to see the refusal; nothing has changed then.
            if let Some((refusal, place)) = refusal(call, lab.cloud()) {
                eprintln!("{place}: refused: {refusal}");
                continue;
            }
            for operation in call {
                lab.apply(&operation.value).await.with_context(|| operation.place.to_string())?;
            }
        }
    }
    Ok(())
}

/// Reads the number of a step.
pub(super) fn number(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("steps are numbered from 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// Checks that some step is asked for, of topologies with steps: else nothing would be asked, and nothing could differ.
///
/// # Errors
/// In words, that there is none up to that step under those eras.
pub(super) fn some_are_asked<'t>(
    runs: impl Iterator<Item = (&'t Topology, Era)>,
    until: Option<usize>,
) -> anyhow::Result<()> {
    let runs: Vec<(&Topology, Era)> = runs.filter(|(topology, _)| !topology.steps.is_empty()).collect();
    let is_asked = |(topology, era): &(&Topology, Era)| {
        topology.steps.iter().take(until.unwrap_or(usize::MAX)).any(|step| step.is_of(*era))
    };
    if runs.is_empty() || runs.iter().any(is_asked) {
        return Ok(());
    }
    let mut eras: Vec<String> = runs.iter().map(|(_, era)| era.to_string()).collect();
    eras.dedup();
    let up_to = until.map_or_else(String::new, |step| format!(" up to step {step}"));
    bail!("nothing would be asked: no step{up_to} is of era {}", eras.join(" or "))
}
