//! Files that people have of their own cloud, read into an account: replies of `aws ec2 describe-*`, Terraform's JSON,
//! CloudFormation templates, topologies.
//!
//! Pure: sources come as texts. Nothing is lost in silence: what is read and has no part in the account is listed there with its reason.

mod aliases;
mod allowances;
mod builder;
mod cloudformation;
mod describe;
mod details;
mod expectation;
mod fault;
mod group_labels;
mod kind;
mod parameters;
mod placed;
mod prior;
mod reader;
mod reading;
#[cfg(test)]
mod shown;
mod terraform;
mod topology;
mod tree;
mod words;
mod written;

pub use allowances::{AllowanceWords, allowances};
pub use expectation::{
    AllowedFlowWords, Expectations, ExpectedMembers, ExpectedPassage, read_expectations, write_expectations,
};
pub use fault::{Fault, Faults};
pub use kind::{Kind, is_topology};
pub use parameters::Parameters;
pub use prior::{Plan, plan};
pub use reading::{Text, kind_of, parameters_of, read, read_with};
pub use topology::{account_of, listeners_of};
pub use written::{Written, topology_of};
