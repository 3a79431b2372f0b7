//! New flows where nobody but those whom a mutation concerns judges them: what a rule does shows there also where in the file's
//! own cloud another end would have dropped the packet.

use std::collections::HashMap;

use sglab::lab::{Alteration, Lab};
use sglab::model::{Cloud, Flow, InstanceState, Verdict};
use sglab::probe::Outcome;

use super::concerning::{Judged, concerns, in_turn};
use super::held::open_to_everybody;
use super::mutation::Mutation;
use super::noticing::is_forged;

/// So many flows at most are asked for the sake of one mutation.
const MAX_FLOWS: usize = 150;

const OPEN: &str = "open";

/// What is asked, and what becomes of it as compiled.
pub struct Isolated {
    flows: Vec<Flow>,
    as_compiled: HashMap<(Judged, Flow), String>,
    asked: usize,
}

impl Isolated {
    /// Of all that there is to ask, what comes to a filter.
    pub fn of(cloud: &Cloud, all: &[(Flow, Verdict)]) -> Self {
        let answers = |flow: &Flow| {
            let to = flow.to.instance().and_then(|name| cloud.instances.get(name));
            to.is_none_or(|it| it.state == InstanceState::Running)
        };
        let comes = |(flow, verdict): &&(Flow, Verdict)| {
            !is_forged(flow) && answers(flow) && (verdict.is_open() || verdict.refused_at().is_some())
        };
        let flows = all.iter().filter(comes).map(|(flow, _)| flow.clone()).collect();
        Self { flows, as_compiled: HashMap::new(), asked: 0 }
    }

    /// How many flows were asked since this was last asked.
    pub fn spent(&mut self) -> usize {
        std::mem::take(&mut self.asked)
    }

    /// What a mutation makes of new flows that is not as compiled, twice.
    ///
    /// # Errors
    /// That the lab cannot be altered.
    pub async fn red(&mut self, lab: &mut Lab, mutation: &Mutation) -> Result<Option<String>, String> {
        for judged in Judged::each_by(mutation, lab.cloud()) {
            let concerned: Vec<&Flow> =
                self.flows.iter().filter(|flow| concerns(mutation, lab.cloud(), flow)).collect();
            let concerned = in_turn(mutation, concerned, |flow| flow);
            let flows: Vec<Flow> = concerned.into_iter().take(MAX_FLOWS).cloned().collect();
            self.know(lab, &judged, &flows).await?;
            let Some((different, _)) = self.difference(lab, &judged, &flows, mutation).await? else { continue };
            if let Some((_, red)) = self.difference(lab, &judged, &[different], mutation).await? {
                return Ok(Some(red));
            }
        }
        Ok(None)
    }

    /// Of these flows those that come about, as compiled.
    ///
    /// # Errors
    /// That the lab cannot be altered.
    pub async fn opened(&mut self, lab: &mut Lab, judged: &Judged, flows: Vec<Flow>) -> Result<Vec<Flow>, String> {
        self.know(lab, judged, &flows).await?;
        let word = |flow: &Flow| self.as_compiled.get(&(judged.clone(), flow.clone()));
        let is_open = |flow: &Flow| word(flow).is_some_and(|word| word.starts_with(OPEN));
        Ok(flows.into_iter().filter(is_open).collect())
    }

    /// Finds out what becomes of flows as compiled, where that is not known yet.
    async fn know(&mut self, lab: &mut Lab, judged: &Judged, flows: &[Flow]) -> Result<(), String> {
        let is_new = |flow: &&Flow| !self.as_compiled.contains_key(&(judged.clone(), (*flow).clone()));
        let new: Vec<Flow> = flows.iter().filter(is_new).cloned().collect();
        for (flow, word) in self.words(lab, judged, &new, None).await? {
            self.as_compiled.insert((judged.clone(), flow), word);
        }
        Ok(())
    }

    async fn difference(
        &mut self,
        lab: &mut Lab,
        judged: &Judged,
        flows: &[Flow],
        mutation: &Mutation,
    ) -> Result<Option<(Flow, String)>, String> {
        let words = self.words(lab, judged, flows, Some(mutation)).await?;
        Ok(words.into_iter().find_map(|(flow, is)| {
            let was = self.as_compiled.get(&(judged.clone(), flow.clone()))?;
            let red = format!("where nobody else judges, {flow} is {is} in place of {was}");
            (is != *was).then_some((flow, red))
        }))
    }

    async fn words(
        &mut self,
        lab: &mut Lab,
        judged: &Judged,
        flows: &[Flow],
        mutation: Option<&Mutation>,
    ) -> Result<Vec<(Flow, String)>, String> {
        if flows.is_empty() {
            return Ok(Vec::new());
        }
        self.asked += flows.len();
        let (mutation, judged) = (mutation.cloned(), judged.clone());
        let altered = move |network| open_to_everybody(Mutation::or_none(mutation.as_ref(), network), &judged);
        lab.alter(Some(Alteration::new(altered))).await.map_err(|error| error.to_string())?;
        let batch = lab.probe(flows).await.map_err(|error| error.to_string())?;
        Ok(batch.observations.into_iter().map(|seen| (seen.flow, word(&seen.outcome))).collect())
    }
}

/// An outcome, and by whom; nothing of what is chance in it.
fn word(outcome: &Outcome) -> String {
    let by = |rule: &Option<sglab::model::RuleId>| rule.map_or_else(String::new, |rule| format!(" by {rule}"));
    match outcome {
        Outcome::Open { admitted_by } => format!("{OPEN}{}", by(admitted_by)),
        Outcome::Refused { admitted_by } => format!("refused{}", by(admitted_by)),
        Outcome::Dropped(drop) => match drop.cause.groups() {
            Some((at, interface, _)) => format!("dropped at {}'s {at}", interface.holder()),
            None => drop.cause.to_string(),
        },
        Outcome::Closed { .. } => "closed".to_owned(),
        Outcome::Unreachable { .. } => "unreachable".to_owned(),
        Outcome::Misdelivered { answered_by } => format!("answered by {answered_by}"),
        Outcome::Inconclusive { .. } => "inconclusive".to_owned(),
    }
}
