//! Helpers that the parts of the writer share.

use indexmap::IndexSet;

use super::super::document::shape::{Field, Many};
use super::super::document::words::Name;
use super::super::expected::ExpectedOutcome;
use super::super::patterns::Egress;
use crate::model::{GroupName, Operation, Permission, Target};
use crate::topology::document::groups::Rules;
use crate::topology::document::scenario::{RulesOfGroups, Verb};
use crate::topology::document::shape::{Map, One, Or, Shape};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{Holder, ShortRule};

/// Reasons why a cloud cannot be written as a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It says something for which the format has no words.
    #[error("{0}")]
    NoWords(String),
    /// The file written is not read as the same cloud: a mistake of this module.
    #[error("the file would not say the same: {0}")]
    ReadsDifferently(String),
}

/// Expectations of the last step of a written file. Flows are as a file says them; they name nothing that has an address of its own.
#[derive(Clone, Debug)]
pub enum Promise {
    /// A table, and of the flows that it opens those that a load balancer closes.
    Table {
        /// Hosts that are receivers.
        egress: Egress,
        /// Open flows.
        open: Vec<String>,
        /// Closed flows.
        closed: Vec<String>,
        /// The columns to name where nothing is open.
        ports: Vec<String>,
    },
    /// Flows by what becomes of them.
    Flows(Vec<(ExpectedOutcome, Vec<String>)>),
    /// No rule changes.
    RulesUnchanged,
    /// Nothing: the file is of a cloud only.
    Nothing,
}

/// Returns true if a group is one of those of EC2-Classic's load balancers, whose names a file cannot give.
pub fn is_amazons(group: &GroupName) -> bool {
    group.as_str().contains('/')
}

/// Returns a value that differs from the usual one, else nothing.
pub(super) fn unless<T: PartialEq, S: From<T>>(own: T, usual: T) -> Field<S> {
    (own != usual).then(|| S::from(own)).into()
}

/// Groups by their names.
pub(super) fn names(groups: &IndexSet<GroupName>) -> Field<Many<Name<GroupName>>> {
    Field::all(groups.iter().map(|group| Name::from(group.as_str())))
}

/// Writes an operation as an entry of a file's `do:`; in its own few words where a file needs more of the cloud than the operation says.
pub fn operation(operation: &Operation) -> String {
    let rules = |group: &GroupName, permissions: &[Permission]| -> RulesOfGroups {
        let peers = permissions.iter().flat_map(|permission| &permission.peers);
        let rules: Rules = peers.map(|(_, written)| Or::Short(ShortRule::from(written))).collect();
        Map::from_iter([(group.as_str().into(), rules)])
    };
    let holder = |target: &Target| match target {
        Target::Instance(name) => Holder::from(name),
        Target::Interface(id) => Holder::from(id),
    };
    let verb = match operation {
        Operation::AuthorizeIngress(group, permissions) => Verb::Authorize(rules(group, permissions)),
        Operation::AuthorizeEgress(group, permissions) => Verb::AuthorizeEgress(rules(group, permissions)),
        Operation::RevokeIngress(group, permissions) => Verb::Revoke(rules(group, permissions)),
        Operation::RevokeEgress(group, permissions) => Verb::RevokeEgress(rules(group, permissions)),
        Operation::Start(name) => Verb::Start([name.as_str().into()].into_iter().collect()),
        Operation::Stop(name) => Verb::Stop([name.as_str().into()].into_iter().collect()),
        Operation::SetSourceDestCheck(target, check) => {
            Verb::SourceDestCheck(Map::from_iter([(holder(target), Choice::from(*check))]))
        }
        Operation::AllocateAddress(name) => Verb::AllocateAddress([name.as_str().into()].into_iter().collect()),
        Operation::AssociateAddress { elastic_ip, to, .. } => {
            Verb::AssociateAddress(Map::from_iter([(elastic_ip.as_str().into(), Or::Short(holder(to)))]))
        }
        Operation::CreateGroup(_)
        | Operation::DeleteGroup(_)
        | Operation::Launch(_)
        | Operation::Reboot(_)
        | Operation::Crash(_)
        | Operation::Terminate(_)
        | Operation::UpdateDescription(..)
        | Operation::UpdateDescriptionEgress(..)
        | Operation::SetGroups(..)
        | Operation::AttachInterface(..)
        | Operation::DetachInterface(_)
        | Operation::CreatePrefixList(_)
        | Operation::ModifyPrefixList { .. }
        | Operation::CreateLoadBalancer(_)
        | Operation::RegisterInstances(..)
        | Operation::DeregisterInstances(..)
        | Operation::DisassociateAddress(_)
        | Operation::ReleaseAddress(_) => return operation.to_string(),
    };
    let entry = One::from(verb).yaml().line();
    // A list of one entry needs no braces.
    entry.strip_prefix('{').and_then(|entry| entry.strip_suffix('}')).unwrap_or(&entry).to_owned()
}
