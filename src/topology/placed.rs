//! Values of a file, with their positions.

use crate::model::SourceLocation;

/// A value and the place in the file that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Value as the file gives it.
    pub value: T,
    /// Position in the file.
    pub place: SourceLocation,
}
