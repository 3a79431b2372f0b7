//! Contexts of a pattern.

/// Context of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// A truth table, which may name what is launched later.
    Table,
    /// An expectation of a step; whether it is one of drops.
    Step { dropped: bool },
    /// A connection that is held.
    Held,
    /// A question to the model alone, which needs no packet.
    Question,
}
