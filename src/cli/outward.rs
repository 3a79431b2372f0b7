//! A cloud as others have it: the forms of `export --to`, `import --to` and `state --format describe`.

use clap::ValueEnum;
use sglab::account::LeftOut;
use sglab::import::account_of;
use sglab::outward::{Form, write};
use sglab::protocol::State;
use sglab::report::left_out;

use super::screen;

/// The form of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    /// A topology file
    Topology,
    /// Terraform's language
    Terraform,
    /// A CloudFormation template in YAML
    Cloudformation,
    /// A shell script of calls of the AWS CLI
    Cli,
    /// Replies of `aws ec2 describe-*`, in one document
    Describe,
}

impl To {
    /// Returns the form of others that it is; nothing for a topology.
    pub(super) fn form(self) -> Option<Form> {
        match self {
            Self::Topology => None,
            Self::Terraform => Some(Form::Terraform),
            Self::Cloudformation => Some(Form::CloudFormation),
            Self::Cli => Some(Form::Cli),
            Self::Describe => Some(Form::Describe),
        }
    }
}

/// The cloud of a lab that is up. What the form does not say is told.
pub(super) fn lab(state: &State, form: Form, title: &str) -> String {
    let written = write(&account_of(&state.cloud, &state.lab.to_string()), form, title);
    tell(&written.left_out);
    written.text
}

/// Says what was left out.
pub(super) fn tell(missing: &[LeftOut]) {
    if !missing.is_empty() {
        screen::tell(left_out::text(missing).trim_end());
    }
}
