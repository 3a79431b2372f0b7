//! Whether the two readings of a cloud agree about a flow: what `policy` predicts, and what the packets did.

use crate::model::Verdict;
use crate::policy::behind::Behind;
use crate::policy::tracking::Standing;
use crate::probe::{Drop, DropCause, Held, Observation, Outcome, Resolution, SOMEBODY_ELSE};

/// What comparing a prediction with a measurement gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Both say the same, for the same reason.
    Agree,
    /// They say different things: a bug in one of the two.
    Disagree,
    /// Nothing was proved, so there is nothing to compare.
    Unproved,
}

/// Holds a predicted verdict against what was observed. Where rules decided, the rule on record must be among those
/// that were predicted to; where groups dropped, it must be at the same end, for want of a rule in the same groups; where
/// a name has no address, the resolver must have said so.
pub fn compare(verdict: &Verdict, observation: &Observation) -> Agreement {
    let unresolved = *verdict == Verdict::Unresolved;
    match observation.resolved {
        Some(Resolution::NoSuchName) if unresolved => return Agreement::Agree,
        Some(Resolution::NoSuchName) => return Agreement::Disagree,
        Some(Resolution::Address(_)) if unresolved => return Agreement::Disagree,
        Some(Resolution::Address(_) | Resolution::NoAnswer) | None => {}
    }
    let agree = match (verdict, &observation.outcome) {
        (_, Outcome::Inconclusive { .. }) => return Agreement::Unproved,
        (
            Verdict::Open { admitted_by },
            Outcome::Open { admitted_by: rule }
            | Outcome::Refused { admitted_by: rule }
            | Outcome::Closed { admitted_by: rule, .. },
        ) => rule.is_none_or(|rule| admitted_by.contains(&rule)),
        (Verdict::Dropped { at, instance, groups }, Outcome::Dropped(drop)) => {
            drop.cause == DropCause::Groups { at: *at, instance: instance.clone(), groups: groups.clone() }
        }
        (Verdict::Untranslated, Outcome::Dropped(drop)) => is_recorded_as(&drop.cause, &["untranslated"]),
        (Verdict::FailsCheck { .. }, Outcome::Dropped(drop)) => {
            is_recorded_as(&drop.cause, &["spoofed", "not-its-own"])
        }
        (Verdict::Blackhole, Outcome::Dropped(drop)) => is_recorded_as(&drop.cause, &["blackhole"]),
        // The answer to a ping names nobody, and neither does a port where nobody listens.
        (Verdict::Misdelivered { to }, Outcome::Misdelivered { answered_by }) => {
            *answered_by == to.as_str() || *answered_by == SOMEBODY_ELSE
        }
        (Verdict::Misdelivered { .. }, Outcome::Refused { .. }) => true,
        (Verdict::Unreachable, Outcome::Unreachable) => true,
        _ => false,
    };
    if agree { Agreement::Agree } else { Agreement::Disagree }
}

/// Holds what is predicted of a flow behind a load balancer's listener against what was observed; nothing where the prediction
/// leaves it open, or where it did not come so far.
pub fn compare_behind(behind: &Behind, observation: &Observation) -> Option<Agreement> {
    let agree = match (behind, &observation.outcome) {
        (Behind::InTurn | Behind::OnAProgram { .. }, _) => return None,
        (Behind::Answered { by }, Outcome::Open { .. }) => {
            observation.answered_by.as_ref().is_none_or(|name| by.iter().any(|known| known.as_str() == name))
        }
        (Behind::Closed, Outcome::Closed { .. }) => true,
        (Behind::Misdelivered { to }, Outcome::Misdelivered { answered_by }) => {
            *answered_by == to.as_str() || *answered_by == SOMEBODY_ELSE
        }
        (_, Outcome::Open { .. } | Outcome::Closed { .. } | Outcome::Misdelivered { .. }) => false,
        _ => return None,
    };
    Some(if agree { Agreement::Agree } else { Agreement::Disagree })
}

/// Holds what is predicted of a connection against what was found. Where it is cut, the filter may meet either of the ends
/// that close it first.
pub fn compare_held(standing: &Standing, held: &Held) -> Agreement {
    let every = |drops: &[Drop], right: &dyn Fn(&DropCause) -> bool| drops.iter().all(|drop| right(&drop.cause));
    let agree = match (standing, held) {
        (_, Held::Inconclusive { .. }) => return Agreement::Unproved,
        (Standing::Alive, Held::Alive) | (Standing::Gone, Held::Gone { .. }) => true,
        (Standing::Cut { at }, Held::Cut(drops)) => every(drops, &|cause| match cause {
            DropCause::Groups { at: direction, instance, .. } => at.contains(&(*direction, instance.clone())),
            DropCause::Other(_) => false,
        }),
        // What nobody remembers is in no connection's place, and begins none.
        (Standing::Forgotten, Held::Cut(drops)) => {
            every(drops, &|cause| is_recorded_as(cause, &["invalid", "untranslated", "unreachable"]))
        }
        (Standing::Forgotten, Held::Gone { .. }) => true,
        (Standing::FailsCheck { .. }, Held::Cut(drops)) => {
            every(drops, &|cause| is_recorded_as(cause, &["spoofed", "not-its-own"]))
        }
        _ => false,
    };
    if agree { Agreement::Agree } else { Agreement::Disagree }
}

fn is_recorded_as(cause: &DropCause, words: &[&str]) -> bool {
    matches!(cause, DropCause::Other(word) if words.iter().any(|expected| word.starts_with(expected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RuleId;
    use crate::scenario::testing::{cloud, pattern};

    fn seen(outcome: Outcome, resolved: Option<Resolution>) -> Observation {
        let flows = crate::scenario::cells::select(&pattern("web1 -> db1:3306"), None, &cloud());
        let flow = flows.expect("a flow").remove(0);
        Observation { flow, outcome, timed_out: false, resolved, answered_by: None, records: Vec::new() }
    }

    fn open(rules: &[u32]) -> Verdict {
        Verdict::Open { admitted_by: rules.iter().copied().map(RuleId).collect() }
    }

    fn unproved() -> Outcome {
        Outcome::Inconclusive { why: "nobody knows".to_owned() }
    }

    #[test]
    fn a_rule_that_was_not_to_admit_it_is_no_agreement() {
        let by = |rule| seen(Outcome::Open { admitted_by: Some(RuleId(rule)) }, None);
        assert_eq!(compare(&open(&[1, 2]), &by(2)), Agreement::Agree);
        assert_eq!(compare(&open(&[1, 2]), &by(3)), Agreement::Disagree);
        assert_eq!(compare(&Verdict::Unreachable, &by(1)), Agreement::Disagree);
    }

    #[test]
    fn what_was_not_proved_agrees_with_nothing() {
        assert_eq!(compare(&open(&[1]), &seen(unproved(), None)), Agreement::Unproved);
        assert_eq!(compare(&Verdict::Unresolved, &seen(unproved(), None)), Agreement::Unproved);
        assert_eq!(compare(&Verdict::Unresolved, &seen(unproved(), Some(Resolution::NoAnswer))), Agreement::Unproved);
    }

    #[test]
    fn that_there_is_no_such_name_is_evidence_of_its_own() {
        let no_such_name = || seen(unproved(), Some(Resolution::NoSuchName));
        assert_eq!(compare(&Verdict::Unresolved, &no_such_name()), Agreement::Agree);
        assert_eq!(compare(&open(&[1]), &no_such_name()), Agreement::Disagree);
        let an_address = seen(unproved(), Some(Resolution::Address([10, 0, 0, 21].into())));
        assert_eq!(compare(&Verdict::Unresolved, &an_address), Agreement::Disagree);
    }
}
