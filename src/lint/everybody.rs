//! Rules that are for every address of a family: by their block, by the entries of a prefix list, or along with other rules of their group.

use ipnet::IpNet;

use super::subject::{Ruled, Subject};
use crate::account::{Account, Rule};
use crate::reach::covers;

/// The way in which a rule is for every address of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Everybody {
    /// It names the block.
    ByBlock,
    /// The entries of its prefix list are the block.
    ByList,
    /// Other rules of its group are for the rest.
    WithOthers,
}

impl Everybody {
    /// Words behind `opens 22 to every address`.
    pub fn words(self) -> &'static str {
        match self {
            Self::ByBlock => "",
            Self::ByList => ", by the entries of its prefix list",
            Self::WithOthers => ", along with other rules of the group",
        }
    }
}

/// Blocks that are smaller do not make up a family in a group's rules.
const LONGEST_PART: u8 = 8;

/// Tells how a rule is for every address of a family, if it is.
pub(super) fn everybody<'a>(subject: &Subject<'a>, ruled: &Ruled<'a>) -> Option<Everybody> {
    if ruled.is_anywhere() {
        return Some(Everybody::ByBlock);
    }
    let own = parts(subject.account, ruled.rule);
    if own.is_empty() {
        return None;
    }
    if is_a_family(&own) {
        return Some(Everybody::ByList);
    }
    let traffic = ruled.traffic()?;
    let others = subject.rules_of(ruled.id, ruled.direction);
    let covering = others.filter(|other| other.traffic().is_some_and(|wide| covers(wide, traffic)));
    let all: Vec<IpNet> = covering.flat_map(|other| parts(subject.account, other.rule)).collect();
    let whole = IpNet::aggregate(&all);
    own.iter()
        .any(|part| whole.iter().any(|block| block.prefix_len() == 0 && block.contains(part)))
        .then_some(Everybody::WithOthers)
}

/// The large blocks that a rule names, of itself or by a prefix list.
fn parts(account: &Account, rule: &Rule) -> Vec<IpNet> {
    let blocks = account.blocks(&rule.peer).unwrap_or_default();
    IpNet::aggregate(&blocks.to_vec()).into_iter().filter(|block| block.prefix_len() <= LONGEST_PART).collect()
}

fn is_a_family(blocks: &[IpNet]) -> bool {
    IpNet::aggregate(&blocks.to_vec()).iter().any(|block| block.prefix_len() == 0)
}
