//! Accounts in words, for the tests of every kind of source.

use crate::account::{Account, Interface, Known, Peer, ResourceId, Rule};

/// A rule in words: `tcp 5432 from aws_security_group.app`.
fn words(rule: &Rule) -> String {
    let traffic = match &rule.traffic {
        Known::Is(traffic) => traffic.to_string(),
        Known::Unknown(why) => format!("?{why}"),
    };
    let peer = match &rule.peer {
        Peer::Block(block) => block.to_string(),
        Peer::Group(id) | Peer::PrefixList(id) => id.to_string(),
        Peer::Unknown(why) => format!("?{why}"),
    };
    format!("{traffic} {peer}")
}

/// All rules of an account, a line each: `db < tcp 5432 app`.
pub fn rules(account: &Account) -> Vec<String> {
    let mut all = Vec::new();
    for group in account.groups.values() {
        all.extend(group.ingress.iter().map(|rule| format!("{} < {}", group.label, words(rule))));
        all.extend(group.egress.iter().map(|rule| format!("{} > {}", group.label, words(rule))));
    }
    all
}

/// The members of an account's groups, a line an interface: `web: aws_security_group.web`.
pub fn members(account: &Account) -> Vec<String> {
    let line = |interface: &Interface| match &interface.groups {
        Known::Is(groups) => {
            let groups: Vec<&str> = groups.iter().map(ResourceId::as_str).collect();
            format!("{}: {}", interface.label, groups.join(" "))
        }
        Known::Unknown(why) => format!("{}: ?{why}", interface.label),
    };
    account.interfaces.values().map(line).collect()
}

/// Lists items that are left out, a line each: `aws_nat_gateway.a: not emulated`.
pub fn reasons(account: &Account) -> Vec<String> {
    account.left_out.iter().map(|item| format!("{}: {}", item.origin.resource, item.reason)).collect()
}
