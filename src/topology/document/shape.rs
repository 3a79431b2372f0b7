//! How a type stands for a part of a file: read off the tree with every problem told, described to editors, and written.
//!
//! Structs derive it (`#[derive(Shape)]`): each field is a key. What else a file is made of is here and in `words`.

mod diagnostics;
mod field;
mod lists;
mod schema;
mod spanned_text;
mod traits;

pub use super::super::problem::Span;
pub use super::super::tree::{Node, Value};
pub use super::yaml::Yaml;
pub use diagnostics::{At, Diagnostics, means};
pub use field::{Field, Keyed, field, said};
pub use lists::{Any, Either, Entry, List, Many, Map, One, Or};
pub use schema::{Described, described, mapping_schema, merged, one_of_schema};
pub use spanned_text::SpannedText;
pub use traits::{Definitions, Leaf, Shape, Tagged, several};
