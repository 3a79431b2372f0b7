//! Refusals, with EC2's code and text.

use crate::model::operation::{Refusal, RefusalCode};

/// A refusal with EC2's code, and its text where it has one.
pub(super) fn refuse(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}
