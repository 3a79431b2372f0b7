//! Tests of the compiler's promises, on clouds made by hand. Loading into a kernel is tried in `tests/no_lab/compile_loads.rs`.

use crate::model;
use crate::network::nft;

mod diffs;
mod files;
mod fixture;
mod golden;
mod interpreter;
mod layouts;
mod naming;
mod rules;
