//! An account written for others: `describe-*` replies, Terraform, CloudFormation, a script of the AWS CLI.
//!
//! Pure, and the other way of `import`. What a form has no words for is listed, and stands in the text as a comment where the form has comments.

mod calls;
mod cloudformation;
mod describe;
mod hcl;
mod holders;
mod names;
mod notes;
mod permission;
mod plan;
mod rule_calls;
mod terraform;
mod terraform_members;
mod yaml;

pub use notes::Outward;
pub use rule_calls::{CallGroup, CallPeer, CallTraffic, MADE, RuleVerb, block_to_choose, rule_call};

use crate::account::Account;

/// A form in which others have an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Replies of `aws ec2 describe-*`, merged into one document.
    Describe,
    /// Terraform's language.
    Terraform,
    /// A CloudFormation template in YAML.
    CloudFormation,
    /// A shell script of calls of the AWS CLI.
    Cli,
}

/// Writes an account in a form. `title` says in one line where it is from.
pub fn write(account: &Account, form: Form, title: &str) -> Outward {
    match form {
        Form::Describe => describe::write(account),
        Form::Terraform => terraform::write(account, title),
        Form::CloudFormation => cloudformation::write(account, title),
        Form::Cli => calls::write(account, title),
    }
}
