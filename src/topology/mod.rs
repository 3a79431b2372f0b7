//! A topology file: a cloud, truth tables, and a scenario of steps.

mod builder;
mod checked;
mod columns;
mod cut;
pub(crate) mod document;
mod expected;
mod files;
mod grammar;
mod outside_name;
mod patterns;
mod placed;
mod predictions;
mod problem;
pub(crate) mod reading;
mod resolve;
mod rule_blocks;
#[cfg(test)]
pub(crate) mod sample;
mod sections;
mod steps;
mod story;
mod synthetic_hosts;
mod table_columns;
mod tree;
mod typed;
pub mod write;

pub use builder::{Builder, NewGroup, NewInstance, NewService, NewVpc};
pub use checked::Topology;
pub use columns::columns_of;
pub use cut::{Cut, CutFault, Lines, cut_comment, cut_rule};
pub use document::schema;
pub use expected::*;
pub use files::{Files, Found};
pub use grammar::{RuleWords, TypedFlow, TypedRule};
pub use patterns::{ColumnKind, Egress, FlowPattern, OpenCells, Pairs, Question, Selector, Table};
pub use placed::Placed;
pub use predictions::{Prediction, QuestionSubject, Reply, Wanted, predictions};
pub(crate) use problem::{Diagnostic, Source, Span, quote};
pub use problem::{Problem, Problems, Related};
pub use reading::MAX_BYTES;
pub(crate) use resolve::is_reserved;
pub use resolve::{read_flow, read_operations, read_operations_beside, read_question, read_rules, read_services};
pub use sections::{ChangedEntry, Freedom, Sections};
pub use steps::{Action, Opening, Step, refusal};
pub use story::{Part, Story};
pub use table_columns::{Columns, IcmpFamily};
pub use typed::{
    Typed, TypedGroup, TypedInstances, TypedLaunch, TypedNames, TypedPublic, TypedRegistrations, TypedRules,
};

/// The commented file that `sglab init` writes.
pub const STARTER: &str = include_str!("starter.yaml");

/// Every file below `topologies`, by its path there without `.yaml`: `gotchas/case-02-one-group-is-no-trust`. Ordered by
/// name, those in folders last. Compiled in, so that they are there without a checkout.
pub const EXAMPLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod typed_tests;
