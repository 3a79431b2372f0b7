//! Resolution of a document: its names and words, against the file itself or a running cloud. Every problem is noted, and reading goes on.

mod addressed;
mod beside_flows;
mod connections;
mod elastic_ips;
mod expectations;
mod flows;
mod instances;
mod interfaces;
mod live;
mod load_balancers;
mod mounts;
mod names;
mod naming;
mod networks;
mod outside;
mod parse;
mod peers;
mod prefix_lists;
mod processes;
mod resolver;
mod rules;
mod scenario;
mod secondary;
mod services;
mod settings;
mod standing;
mod typed;
mod ways;

pub use live::{read_flow, read_operations, read_operations_beside, read_question, read_rules, read_services};
pub(crate) use naming::is_reserved;
