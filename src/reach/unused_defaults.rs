//! Default groups that nobody uses: EC2 makes one in each VPC, and most sources do not say it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::matching::Matching;
use crate::account::{Account, Peer, ResourceId};

/// The account without the default groups that the other does not have, where they are as born, nobody is a member, and no rule names them.
pub(super) fn without<'a>(account: &'a Account, matching: &Matching) -> Cow<'a, Account> {
    let alone = |id: &ResourceId| !matching.groups.contains_key(id);
    let born = account.groups.iter().filter(|(id, group)| alone(id) && group.is_default_as_born(id));
    let mut unused: HashSet<ResourceId> = born.map(|(id, _)| id.clone()).collect();
    if unused.is_empty() {
        return Cow::Borrowed(account);
    }
    for interface in account.interfaces.values() {
        match interface.groups.known() {
            Some(groups) => unused.retain(|id| !groups.contains(id)),
            // It may be a member.
            None => return Cow::Borrowed(account),
        }
    }
    for (own, group) in &account.groups {
        for rule in group.ingress.iter().chain(&group.egress) {
            if let Peer::Group(id) = &rule.peer
                && id != own
            {
                unused.remove(id);
            }
        }
    }
    let mut account = account.clone();
    account.groups.retain(|id, _| !unused.contains(id));
    Cow::Owned(account)
}
