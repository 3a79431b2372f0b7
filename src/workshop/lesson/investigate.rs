//! Questions of the kind "which rule?": a few flows, and the rules that let them through, as the model has it.

use indexmap::{IndexMap, IndexSet};

use super::fates::{Fate, by_the_model, moments};
use super::limits::rules;
use crate::model::{Cloud, Flow, RuleId, Verdict};
use crate::policy::{self, Stage};
use crate::scenario::{DecidingRule, explain};
use crate::topology::Topology;

/// Maximum number of flows that are let through; one that is not comes besides.
const MAX_OPEN: usize = 3;

/// Questions about the cloud of a file, after its first step.
#[derive(Clone, Debug, Default)]
pub struct RuleQuestions {
    /// The rules to choose from; they are numbered from 1.
    pub rules: Vec<DecidingRule>,
    /// The questions.
    pub questions: Vec<RuleQuestion>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleQuestion {
    /// Flow that is asked about.
    pub flow: Flow,
    /// Numbers of the rules that let it through; each is a right answer. Without any the right answer is 0.
    pub answers: Vec<usize>,
}

impl RuleQuestion {
    /// Reports whether an answer is right; 0 is that no rule lets it through.
    pub fn is_right(&self, answer: usize) -> bool {
        if self.answers.is_empty() { answer == 0 } else { self.answers.contains(&answer) }
    }
}

/// Finds the questions of a file, under its first era.
pub fn of(topology: &Topology) -> RuleQuestions {
    let Some(era) = topology.eras.first() else { return RuleQuestions::default() };
    let Some((number, cloud)) = moments(topology, *era).into_iter().next() else { return RuleQuestions::default() };
    let runs = by_the_model(topology);
    let step = runs.first().and_then(|run| run.steps.iter().find(|step| step.number == number));
    let flows: Vec<&Flow> = step.map(|step| step.probed.observed.keys().collect()).unwrap_or_default();
    let (used, others): (Vec<&Flow>, Vec<&Flow>) = flows.into_iter().partition(|flow| is_used(&cloud, flow));
    let numbered: IndexMap<RuleId, DecidingRule> =
        rules(&cloud).map(|(group, rule)| (rule.id, explain::of_group(group, rule))).collect();
    let mut seen: IndexSet<Vec<usize>> = IndexSet::new();
    let mut questions: Vec<RuleQuestion> = Vec::new();
    for flow in used.iter().chain(&others) {
        let answers: Vec<usize> =
            admitting(&cloud, flow).iter().filter_map(|id| numbered.get_index_of(id)).map(|index| index + 1).collect();
        if !answers.is_empty() && questions.len() < MAX_OPEN && seen.insert(answers.clone()) {
            questions.push(RuleQuestion { flow: (*flow).clone(), answers });
        }
    }
    let is_closed = |flow: &&&Flow| {
        Fate::predicted(&cloud, flow) == Fate::Kept && policy::judge(&cloud, flow).refused_at().is_some()
    };
    if let Some(flow) = used.iter().find(is_closed).or_else(|| others.iter().find(is_closed)) {
        questions.push(RuleQuestion { flow: (*flow).clone(), answers: Vec::new() });
    }
    RuleQuestions { rules: numbered.into_values().collect(), questions }
}

/// The rules by which the last who was asked let an open flow through.
fn admitting(cloud: &Cloud, flow: &Flow) -> Vec<RuleId> {
    let walk = policy::walk(cloud, flow);
    let Verdict::Open { .. } = walk.verdict else { return Vec::new() };
    let asked = walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::RuleEvaluation(asked) => Some(asked),
        _ => None,
    });
    asked.map(|asked| asked.admitted_by().collect()).unwrap_or_default()
}

/// Returns true if the file says that the receiver listens there.
fn is_used(cloud: &Cloud, flow: &Flow) -> bool {
    let instance = flow.to.instance().and_then(|name| cloud.instances.get(name));
    instance.is_some_and(|instance| instance.listens.contains(&flow.service))
}
