//! An operation as a file's `do:` has it.

use crate::model::{GroupName, Operation, Permission, Target};
use crate::topology::document::groups::Rules;
use crate::topology::document::scenario::{RulesOfGroups, Verb};
use crate::topology::document::shape::{Map, One, Or, Shape};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{Holder, ShortRule};

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
        other => return other.to_string(),
    };
    let entry = One::from(verb).yaml().line();
    // A list of one entry needs no braces.
    entry.strip_prefix('{').and_then(|entry| entry.strip_suffix('}')).unwrap_or(&entry).to_owned()
}
