//! Values that a source tells or not.

/// A value, or the reason why no source tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Known<T> {
    /// The value.
    Is(T),
    /// It may be anything, for this reason.
    Unknown(String),
}

impl<T> Known<T> {
    /// Returns the value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the reason why it is not known.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Is(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }
}
