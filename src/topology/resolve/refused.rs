//! Whether what is being read is to be refused.

use crate::model::RefusalCode;
use crate::topology::document::scenario::Step as StepSaid;

/// Whether the last operation of a step is to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not.
    No,
    /// It is, with this code.
    With(RefusalCode),
    /// It is, with a code that could not be read.
    Unread,
    /// A running cloud refuses what it refuses, in EC2's words.
    AsItMay,
}

impl Refused {
    /// Whether what is unknown here is to be refused by EC2, and not by the reader.
    pub fn may_be(self, code: RefusalCode) -> bool {
        self == Self::AsItMay || self == Self::With(code)
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
