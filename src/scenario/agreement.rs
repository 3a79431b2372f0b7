//! Whether the two readings of a cloud agree about a flow: what `policy` predicts, and what the packets did.

use crate::model::Verdict;
use crate::policy::tracking::Standing;
use crate::probe::{Drop, DropCause, Held, Outcome};

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

/// Holds a predicted verdict against a measured outcome. Where rules decided, the rule on record must be among those
/// that were predicted to; where groups dropped, it must be at the same end, for want of a rule in the same groups.
pub fn compare(verdict: &Verdict, outcome: &Outcome) -> Agreement {
    let agree = match (verdict, outcome) {
        (Verdict::Unresolved, Outcome::Inconclusive { .. }) => true,
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
        (Verdict::Unreachable, Outcome::Unreachable) => true,
        _ => false,
    };
    if agree { Agreement::Agree } else { Agreement::Disagree }
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
