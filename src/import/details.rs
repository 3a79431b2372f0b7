//! Rules that `describe-security-group-rules` tells, beside those that groups have: put together when all replies are read.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::placed::unknown_rule;
use crate::account::{Account, LeftOut, Origin, Reason, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

/// A rule of such a reply, or why it is none.
type Told = Result<Rule, LeftOut>;

/// Rules by their groups, and what the groups tell themselves.
#[derive(Default)]
pub(super) struct RuleDetails {
    rules: IndexMap<ResourceId, OfGroup>,
    /// Groups that `describe-security-groups` tells.
    described: HashSet<ResourceId>,
    /// Directions of which such a reply has the rules.
    told: HashSet<(ResourceId, Direction)>,
}

struct OfGroup {
    rules: Vec<(Direction, Told)>,
    /// The place of the first of them.
    origin: Origin,
}

impl RuleDetails {
    /// Says that a reply has a group.
    pub fn described(&mut self, group: ResourceId) {
        self.described.insert(group);
    }

    /// Says that a reply has the rules of a group in one direction.
    pub fn told(&mut self, group: ResourceId, direction: Direction) {
        self.told.insert((group, direction));
    }

    /// Returns true if a reply has had the rules of a group in one direction.
    pub fn is_told(&self, group: &ResourceId, direction: Direction) -> bool {
        self.told.contains(&(group.clone(), direction))
    }

    /// Adds a rule that stands apart from its group.
    pub fn rule(&mut self, group: ResourceId, direction: Direction, told: Told, origin: Origin) {
        let of_group = self.rules.entry(group).or_insert_with(|| OfGroup { rules: Vec::new(), origin });
        of_group.rules.push((direction, told));
    }

    /// Adds to each group the rules that it does not tell itself. Of a direction that no reply tells, nothing is known.
    pub fn finish(mut self, account: &mut Account) {
        for id in &self.described {
            let Some(group) = account.groups.get_mut(id) else { continue };
            for direction in Direction::BOTH {
                if !self.told.contains(&(id.clone(), direction)) && !self.rules.contains_key(id) {
                    // Two cut replies compare as equal: the digest leaves out the rest of the group.
                    let origin = Origin { digest: 0, ..group.origin.clone() };
                    let rule = unknown_rule("the reply is cut: it does not say the rules of the group", &origin);
                    group.rules_mut(direction).push(rule);
                }
            }
        }
        for (id, OfGroup { rules, origin }) in std::mem::take(&mut self.rules) {
            let mut differs = None;
            let group = account.groups.entry(id.clone()).or_insert_with(|| SecurityGroup {
                label: id.to_string(),
                name: None,
                description: None,
                vpc: None,
                ingress: Vec::new(),
                egress: Vec::new(),
                origin,
            });
            for (direction, told) in rules {
                let is_told = self.told.contains(&(id.clone(), direction));
                match told {
                    Ok(rule) if has(group.rules(direction), &rule) => {}
                    Ok(rule) => {
                        if is_told {
                            differs = Some(rule.origin.clone());
                        }
                        group.rules_mut(direction).push(rule);
                    }
                    Err(_) if is_told => {}
                    Err(item) => account.left_out.push(item),
                }
            }
            if let Some(origin) = differs {
                account.left_out.push(told_otherwise(origin));
            }
        }
    }
}

/// Returns true if one of the rules admits the same.
pub(super) fn has(rules: &[Rule], rule: &Rule) -> bool {
    rules.iter().any(|known| (&known.traffic, &known.peer) == (&rule.traffic, &rule.peer))
}

/// A group of which nobody knows which of two replies holds: it has the rules of both.
pub(super) fn told_otherwise(origin: Origin) -> LeftOut {
    LeftOut {
        kind: "group".to_owned(),
        reason: Reason::UnknownValue("two replies tell different rules of it".to_owned()),
        origin,
    }
}
