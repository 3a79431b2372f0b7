//! A picture of who reaches whom: boxes of instances in fixed lanes, arrows with ports between them.
//!
//! One layout for every format: lanes from outside inwards, by how many arrows away from outside a box is. The same account gives the same picture.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod svg;

pub use dot::dot;
pub use mermaid::{MAX_EDGES, mermaid};
pub use picture::{Arrow, BoxKind, NodeBox, Picture};
pub use svg::svg;
