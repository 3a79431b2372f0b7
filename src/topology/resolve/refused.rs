//! Refusals that the step being read expects.

use crate::model::RefusalCode;
use crate::topology::document::scenario::Step as StepSaid;

/// Expected refusal of the last operation of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// None.
    No,
    /// A refusal with this code.
    With(RefusalCode),
    /// A refusal with a code that could not be read.
    Unread,
    /// A running cloud refuses what it refuses, in EC2's words; the reader tells groups that nobody has, all of them.
    AsItMay,
    /// The same, but for names that nobody has: the reader tells all of them.
    AsItMayKnown,
}

impl Refused {
    /// Returns true if EC2 may refuse an unknown name here with this code, in place of the reader.
    pub fn may_be(self, code: RefusalCode) -> bool {
        self == Self::AsItMay && code != RefusalCode::InvalidGroupNotFound || self == Self::With(code)
    }

    /// As the expectations of a step say.
    pub fn of(step: &StepSaid) -> Self {
        let Some(refusal) = step.expect.get().map(|expect| &expect.refusal) else { return Self::No };
        match refusal.get() {
            Some(code) => Self::With(code.value),
            None if refusal.is_there() => Self::Unread,
            None => Self::No,
        }
    }
}
