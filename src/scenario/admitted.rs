//! Reasons for which a held connection is alive: what its ends have let it pass by, and whether that still stands.

use crate::lab::{Admission, Admissions, AdmittedBy};
use crate::model::{Cloud, Direction, Flow, InterfaceId, Peers, RuleId};
use crate::policy::{self, RuleEvaluation, Stage};

/// Predicts what admits a flow that is opened now.
pub fn of_flow(cloud: &Cloud, flow: &Flow) -> Admissions {
    Admissions { flows: vec![flow.clone()], ends: ends(cloud, flow) }
}

/// The same of two ends that send to each other. Where no rule lets anything in, each takes it by what it has sent.
pub fn of_peers(cloud: &Cloud, peers: &Peers) -> Admissions {
    let (there, back) = (ends(cloud, &peers.there), ends(cloud, &peers.back));
    let lets_in = |ends: &[Admission]| ends.iter().any(|end| end.at == Direction::Ingress);
    let by_rule = lets_in(&there) || lets_in(&back);
    let mut ends = if lets_in(&there) { there } else { [there, back].concat() };
    if !by_rule {
        let both = [&peers.there.from, &peers.there.to].into_iter().filter_map(|end| end.interface());
        ends.extend(both.map(|interface| Admission { at: Direction::Ingress, interface, by: AdmittedBy::Memory }));
    }
    Admissions { flows: vec![peers.there.clone(), peers.back.clone()], ends }
}

fn ends(cloud: &Cloud, flow: &Flow) -> Vec<Admission> {
    let end = |stage: &Stage| match stage {
        Stage::RuleEvaluation(asked) => {
            let id = asked.admitted_by().next()?;
            let (group, rule) = cloud.rule(id)?;
            let by = AdmittedBy::Rule { id, group: group.clone(), written: rule.written.clone() };
            Some(Admission { at: asked.at, interface: asked.interface.clone(), by })
        }
        Stage::NoEgressRules { interface } => {
            Some(Admission { at: Direction::Egress, interface: interface.clone(), by: AdmittedBy::Everything })
        }
        _ => None,
    };
    policy::walk(cloud, flow).stages.iter().filter_map(end).collect()
}

/// Explains in words what keeps it alive; `cloud` is the one of now.
pub fn alive(admissions: &Admissions, cloud: &Cloud) -> Option<String> {
    let walks: Vec<_> = admissions.flows.iter().map(|flow| policy::walk(cloud, flow)).collect();
    let asked: Vec<&RuleEvaluation> = walks
        .iter()
        .flat_map(|walk| &walk.stages)
        .filter_map(|stage| match stage {
            Stage::RuleEvaluation(asked) => Some(asked),
            _ => None,
        })
        .collect();
    let now = CurrentRules { cloud, asked };
    let by_rule = |end: &Admission| end.at == Direction::Ingress && matches!(end.by, AdmittedBy::Rule { .. });
    let from_memory = |end: &Admission| end.at == Direction::Ingress && end.by == AdmittedBy::Memory;
    let (ends, peers) = (&admissions.ends, admissions.flows.len() > 1);
    if peers && !ends.iter().any(by_rule) && ends.iter().any(from_memory) {
        let flow = admissions.flows.first()?;
        // A host outside has no groups, and takes everything.
        let who: Vec<_> = [&flow.from, &flow.to].into_iter().filter(|end| end.interface().is_some()).collect();
        let remember = match who.as_slice() {
            [one] => format!("{one} remembers what it has sent"),
            _ => format!("{} and {} each remember what they have sent", flow.from, flow.to),
        };
        let no_rule = if now.lets_in() { "no rule let it in when they met" } else { "no rule lets it in" };
        let mut text = format!("{remember}; {no_rule}");
        for end in ends {
            if let Some(rule) = now.gone(end) {
                text.push_str(&format!("; {rule}, by which {} could send, has gone since", end.interface.holder()));
            }
        }
        return Some(text);
    }
    let parts: Vec<String> = ends.iter().filter_map(|end| now.part(end)).collect();
    match parts.as_slice() {
        [] if ends.is_empty() => None,
        [] => Some("no security group applies at either end".to_owned()),
        parts => Some(format!("admitted {}", parts.join(", and "))),
    }
}

/// The rules of now.
struct CurrentRules<'a> {
    cloud: &'a Cloud,
    asked: Vec<&'a RuleEvaluation>,
}

impl CurrentRules<'_> {
    fn part(&self, end: &Admission) -> Option<String> {
        let whose = end.interface.holder();
        let at = format!("at {whose}'s {}", end.at);
        match &end.by {
            AdmittedBy::Everything => None,
            AdmittedBy::Memory => Some(format!("{at} by what {whose} has sent before")),
            AdmittedBy::Rule { group, written, .. } => {
                let since = if self.gone(end).is_some() { self.since(&end.interface, end.at) } else { String::new() };
                Some(format!("{at} by {group} \"{written}\"{since}"))
            }
        }
    }

    /// The rule of an end, if there is none such any more.
    fn gone(&self, end: &Admission) -> Option<String> {
        match &end.by {
            AdmittedBy::Rule { id, group, written } if self.cloud.rule(*id).is_none() => {
                Some(format!("{group} \"{written}\""))
            }
            _ => None,
        }
    }

    /// Explains what keeps it where its rule has gone. An end that is not asked now says nothing.
    fn since(&self, interface: &InterfaceId, at: Direction) -> String {
        let gone = ", since revoked";
        let Some(asked) = self.asked.iter().find(|it| it.at == at && it.interface == *interface) else {
            return gone.to_owned();
        };
        match asked.admitted_by().next().and_then(|id: RuleId| self.cloud.rule(id)) {
            Some((group, rule)) => format!("{gone} (now {group} \"{}\" admits it)", rule.written),
            None => format!("{gone} (still tracked; no rule admits it now)"),
        }
    }

    /// Returns `true` if some rule lets it in now, at either end.
    fn lets_in(&self) -> bool {
        self.asked.iter().any(|asked| asked.at == Direction::Ingress && asked.admits())
    }
}
