//! Flows of a moment: the exhaustive grid, and the flows that a pattern means.

mod beyond;
mod ends;
#[cfg(test)]
mod exhaustive_tests;
mod grid;
mod select;
#[cfg(test)]
mod tests;

pub use ends::{balancers, ends, running, via_of};
pub use grid::{Extent, columns_of, grid, path, senders};
pub use select::{askers, meant, opened, peers, select};
