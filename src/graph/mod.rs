//! A picture of who reaches whom: boxes of instances in fixed lanes, arrows with ports between them.
//!
//! One layout for every format: lanes from outside inwards, by how many arrows away from outside a box is. The same account gives the same picture.
//! A box with many members tells their number, and arrows that one could not follow are words in the boxes at their ends.

mod apart;
mod content;
mod dot;
mod drawing;
mod lanes;
mod layout;
mod making;
mod measure;
mod mermaid;
mod order;
mod picture;
mod sparse;
mod svg;

pub use dot::dot;
pub use drawing::{Drawing, DrawnArrow, DrawnBox, DrawnLabel, DrawnLine, LineKind, Words};
pub use mermaid::{MAX_EDGES, mermaid};
pub use picture::{Arrow, ArrowKind, BoxKind, Line, Member, MemberState, NodeBox, Picture};
pub use svg::svg;
