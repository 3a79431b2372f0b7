//! The rule that is missing: the smallest that names a group and opens a flow, opens nothing that must stay closed, and keeps the limits; else the
//! solution's own, which may name an address by a word of the file.

use std::fmt;

use super::fates::Fate;
use super::goal::GoalStep;
use super::task::Task;
use crate::model::{Cloud, Direction, Flow, GroupName, Peer, PeerRequest, Permission, Rule, RuleEdit, RuleId, apply};
use crate::policy::{self, RuleEvaluation, Stage};

/// A rule that would let a flow through.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Missing {
    /// End of the flow at which it is missing.
    pub at: Direction,
    /// Group that it belongs to.
    pub group: GroupName,
    /// The rule as a file has it.
    pub rule: String,
    /// The traffic of it: `tcp 3306`.
    pub traffic: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = if self.at == Direction::Egress { "`egress:` of " } else { "" };
        write!(f, "{list}{} lacks `{}`", self.group, self.rule)
    }
}

/// Finds what is missing at one step; what one rule opens is put down to that rule.
pub(super) struct Remedies<'a> {
    task: &'a Task,
    goal: &'a GoalStep,
    cloud: &'a Cloud,
    found: Vec<(Missing, Cloud)>,
    /// Rules that are lacking in place of those that let through too much.
    replaced: Vec<(RuleId, Option<Missing>)>,
}

impl<'a> Remedies<'a> {
    pub(super) fn new(task: &'a Task, goal: &'a GoalStep, cloud: &'a Cloud) -> Self {
        Self { task, goal, cloud, found: Vec::new(), replaced: Vec::new() }
    }

    /// The rule that a flow lacks, the first one on its way.
    pub(super) fn of(&mut self, flow: &Flow) -> Option<Missing> {
        if let Some((missing, _)) = self.found.iter().find(|(_, cloud)| policy::judge(cloud, flow).is_open()) {
            return Some(missing.clone());
        }
        let by_group = self.smallest(flow, |peer| matches!(peer, Peer::Group(_)));
        let found = by_group.or_else(|| self.of_the_solution(flow));
        let (missing, cloud) = found.or_else(|| self.smallest(flow, |_| true))?;
        self.found.push((missing.clone(), cloud));
        Some(missing)
    }

    /// The rule that is lacking once another, which lets through too much, is taken out; nothing where that one was needed for nothing.
    pub(super) fn in_place_of(&mut self, id: RuleId) -> Option<Missing> {
        if let Some((_, known)) = self.replaced.iter().find(|(known, _)| *known == id) {
            return known.clone();
        }
        let mut cloud = self.cloud.clone();
        for group in cloud.groups.values_mut() {
            group.ingress.retain(|rule| rule.id != id);
            group.egress.retain(|rule| rule.id != id);
        }
        let closes = self.goal.cells.iter().find(|(flow, wanted)| {
            wanted.fate == Fate::Through
                && Fate::predicted(self.cloud, flow) == Fate::Through
                && Fate::predicted(&cloud, flow) != Fate::Through
        });
        let missing = closes.and_then(|(flow, _)| Remedies::new(self.task, self.goal, &cloud).of(flow));
        self.replaced.push((id, missing.clone()));
        missing
    }

    /// The smallest change by rules whose peers are good enough.
    fn smallest(&self, flow: &Flow, is_good: fn(&Peer) -> bool) -> Option<(Missing, Cloud)> {
        policy::remedies(self.cloud, flow).into_iter().find_map(|remedy| {
            if remedy.via.is_some() || remedy.scheme.is_some() {
                return None;
            }
            let mut cloud = self.cloud.clone();
            let mut first = None;
            for change in &remedy.changes {
                let RuleEdit { group, at, permissions, .. } = change.added_rules()?;
                let permission = permissions.first().filter(|permission| self.may(group, permission, is_good))?;
                let (_, rule) = permission.peers.first()?;
                apply(&mut cloud, change).ok()?;
                let traffic = permission.traffic.to_string();
                first.get_or_insert(Missing { at, group: group.clone(), rule: rule.clone(), traffic });
            }
            self.opens_nothing_else(&cloud).then_some((first?, cloud))
        })
    }

    /// Reports whether a learner may write a rule.
    fn may(&self, group: &GroupName, permission: &Permission, is_good: fn(&Peer) -> bool) -> bool {
        let peer = |request: &PeerRequest| match request {
            PeerRequest::Peer(peer) => is_good(peer) && self.task.limits.allows(peer, self.cloud),
            // No file can name the address of an instance in a group's rules.
            _ => false,
        };
        self.task.limits.frees(group) && permission.peers.iter().all(|(request, _)| peer(request))
    }

    fn opens_nothing_else(&self, cloud: &Cloud) -> bool {
        let closed = self.goal.cells.iter().filter(|(_, wanted)| wanted.fate == Fate::Kept);
        closed.into_iter().all(|(flow, _)| {
            Fate::predicted(cloud, flow) != Fate::Through || Fate::predicted(self.cloud, flow) == Fate::Through
        })
    }

    /// The solution's rule at the first end that does not admit it here.
    fn of_the_solution(&self, flow: &Flow) -> Option<(Missing, Cloud)> {
        let (here, there) = (evaluations(self.cloud, flow), evaluations(&self.goal.cloud, flow));
        let lacking = there
            .iter()
            .find(|asked| !here.iter().any(|it| it.interface == asked.interface && it.at == asked.at && it.admits()))?;
        let (group, rule) = self.goal.cloud.rule(lacking.admitted_by().next()?)?;
        let missing = Missing {
            at: lacking.at,
            group: group.clone(),
            rule: rule.written.clone(),
            traffic: rule.traffic.to_string(),
        };
        Some((missing, with_rule(self.cloud, lacking.at, group, rule)))
    }
}

/// The cloud with one more rule, as far as it takes it.
fn with_rule(cloud: &Cloud, at: Direction, group: &GroupName, rule: &Rule) -> Cloud {
    let mut cloud = cloud.clone();
    if let Some(group) = cloud.groups.get_mut(group) {
        let rules = if at == Direction::Ingress { &mut group.ingress } else { &mut group.egress };
        // A peer that is not there admits nobody.
        let known = !matches!(&rule.peer, Peer::PrefixList(name) if !cloud.prefix_lists.contains_key(name));
        rules.extend(known.then(|| rule.clone()));
    }
    cloud
}

fn evaluations(cloud: &Cloud, flow: &Flow) -> Vec<RuleEvaluation> {
    let stages = policy::walk(cloud, flow).stages.into_iter();
    stages.filter_map(|stage| if let Stage::RuleEvaluation(asked) = stage { Some(asked) } else { None }).collect()
}
