//! Carries out the operations of a step.

use std::time::{Duration, Instant};

use super::super::backend::Backend;
use super::super::expected::Expected;
use super::super::held;
use super::super::results::{Check, Finding};
use super::past::Past;
use crate::lab::{LabError, RuleHandles};
use crate::model::{Cloud, Operation, Refusal, SourceLocation};
use crate::topology::{Action, Placed, Step, refusal};

/// Results of a step's operations.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) in_force: Option<Duration>,
    /// The last call was refused as expected, and whether everything stayed as it was.
    pub(super) refused: Option<(Refusal, bool)>,
    /// A call was refused that must not have been.
    pub(super) unexpected: Option<Finding>,
    /// A connection did not come about, and nothing proves why.
    pub(super) unproved: Option<Check>,
    pub(super) rules: Option<(RuleHandles, RuleHandles)>,
    /// The clouds after each operation, with the moment from which they held; only where traffic meets them.
    pub(super) clouds: Vec<(Instant, Cloud)>,
}

/// Carries out what a step does, up to the first refusal that the step does not expect.
pub(super) async fn carry_out<L: Backend>(
    lab: &mut L,
    step: &Step,
    expected: &Expected<'_>,
    past: &mut Past,
) -> Result<Changes, LabError> {
    let mut changes = Changes::default();
    let rules_before = if expected.has_unchanged_rules() { Some(lab.rule_handles().await?) } else { None };
    for (index, action) in step.actions.iter().enumerate() {
        let is_last = index + 1 == step.actions.len();
        let call = match action {
            Action::Call(call) => call,
            Action::Open(opening) => match held::open(lab, &opening.value, &mut past.followed).await {
                Ok(None) => continue,
                Ok(Some(text)) => {
                    changes.unexpected = Some(Finding { text, place: opening.place.clone() });
                    return Ok(changes);
                }
                Err(LabError::NotProved { why, .. }) => {
                    changes.unproved = Some(held::unproved(opening, why));
                    return Ok(changes);
                }
                Err(error) => return Err(error),
            },
            Action::Close(name) => {
                lab.close(&name.value);
                past.followed.close(&name.value);
                continue;
            }
            Action::Idle(Placed { value, place }) => match lab.idle(value).await {
                Ok(()) => {
                    past.followed.idle(value);
                    continue;
                }
                Err(error @ LabError::NotForgotten { .. }) => {
                    changes.unexpected = Some(Finding { text: error.to_string(), place: place.clone() });
                    return Ok(changes);
                }
                Err(error) => return Err(error),
            },
        };
        let watched = if is_last && expected.has_refusal() {
            Some((lab.cloud().clone(), lab.rule_handles().await?))
        } else {
            None
        };
        let Some((refusal, at)) = carry_out_call(lab, step, call, past, &mut changes).await? else { continue };
        match watched {
            Some((cloud, rules)) => {
                let unchanged = *lab.cloud() == cloud && lab.rule_handles().await? == rules;
                changes.refused = Some((refusal, unchanged));
            }
            None => {
                changes.unexpected =
                    Some(Finding { text: format!("refused: {}", refusal.in_full()), place: at.clone() });
                return Ok(changes);
            }
        }
    }
    if let Some(before) = rules_before {
        changes.rules = Some((before, lab.rule_handles().await?));
    }
    Ok(changes)
}

/// Carries out a call, all of it; or says what of it is refused and where that stands, and nothing has changed.
async fn carry_out_call<'a, L: Backend>(
    lab: &mut L,
    step: &Step,
    call: &'a [Placed<Operation>],
    past: &mut Past,
    changes: &mut Changes,
) -> Result<Option<(Refusal, &'a SourceLocation)>, LabError> {
    if call.len() > 1
        && let Some(refused) = refusal(call, lab.cloud())
    {
        return Ok(Some(refused));
    }
    for placed in call {
        lab.note_flow_log().await?;
        match lab.apply(&placed.value).await {
            Ok(took) => {
                changes.in_force = Some(changes.in_force.unwrap_or_default() + took);
                past.met.meet(lab.cloud());
                past.followed.follow(&placed.value, lab.cloud());
                if !step.during.is_empty() {
                    changes.clouds.push((Instant::now(), lab.cloud().clone()));
                }
            }
            Err(LabError::Refused(refusal)) => return Ok(Some((refusal, &placed.place))),
            #[allow(unreachable_patterns, reason = "a lab without a kernel has no other errors")]
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
