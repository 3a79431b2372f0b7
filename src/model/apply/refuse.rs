//! Refusals, with EC2's code and text.

use crate::model::refusal::{Refusal, RefusalCode};

/// A refusal with EC2's code, and its text where it has one.
pub(super) fn refuse(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), unknown: Vec::new(), culprits: Vec::new() }
}

/// A refusal of a name that nobody has.
pub(super) fn unknown(code: RefusalCode, name: impl std::fmt::Display, message: String) -> Refusal {
    Refusal { unknown: vec![name.to_string()], ..refuse(code, message) }
}

/// A refusal with what is in the way.
pub(super) fn because(refusal: Refusal, culprits: impl IntoIterator<Item = String>) -> Refusal {
    Refusal { culprits: culprits.into_iter().collect(), ..refusal }
}
