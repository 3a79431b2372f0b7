//! Probes flows, all at once, and says what each came to.

use std::time::Instant;

use super::ask::Ask;
use super::canary::KnownPath;
use super::dropped::InterfaceLookup;
use super::missing::MissingEvidence;
use super::outcome::{Batch, Observation};
use super::prober::Prober;
use super::question::Answer;
use super::resolve;
use super::unaskable::Unaskable;
use crate::model::Flow;

impl Prober {
    /// Probes flows, all at once, between canaries. An ask that could not be made says why, and is inconclusive.
    pub async fn probe(
        &mut self,
        flows: &[(Flow, Result<Ask, Unaskable>)],
        paths: &[KnownPath],
        lookup: InterfaceLookup<'_>,
    ) -> Batch {
        let begun = Instant::now();
        let held_before = self.canaries_hold(paths).await;
        let asks: Vec<Ask> = flows.iter().filter_map(|(_, ask)| ask.as_ref().ok().cloned()).collect();
        let mut findings = self.ask_all(&asks).await.into_iter();
        let held = match held_before {
            Ok(()) => self.canaries_hold(paths).await,
            failed => failed,
        };
        let observations = flows.iter().map(|(flow, ask)| {
            let found = ask.as_ref().map_err(|why| MissingEvidence::Unaskable(why.clone())).and_then(|ask| {
                let finding = findings.next().ok_or(MissingEvidence::NotAsked)?;
                let receiver =
                    ask.receiver.as_ref().map(|it| resolve::ProbeTarget { node: &it.node, address: it.address });
                let by = match &finding.answer {
                    Some(Answer::Answered(Some(name))) => Some(name.clone()),
                    _ => resolve::passed_on_to(&finding, &ask.behind, lookup).map(|node| node.0),
                };
                let outcome = resolve::outcome(&finding, receiver, &ask.behind, lookup);
                let answer_dropped = resolve::answer_dropped(&finding, lookup);
                let mut records = finding.records.clone();
                records.extend(finding.answer_drop.clone().filter(|_| answer_dropped.is_some()));
                Ok(Observation {
                    flow: flow.clone(),
                    outcome,
                    timed_out: finding.timed_out,
                    resolved: None,
                    admitted_at: resolve::admitted_at(&finding, lookup),
                    answered_by: by,
                    answer_dropped,
                    records,
                })
            });
            match (found, &held) {
                (Ok(seen), Err(why)) => {
                    Observation { records: seen.records, ..Observation::unproved(flow.clone(), why.clone()) }
                }
                (Ok(seen), Ok(())) => seen,
                (Err(why), _) => Observation::unproved(flow.clone(), why),
            }
        });
        Batch { observations: observations.collect(), canaries_held: held.is_ok(), took: begun.elapsed() }
    }
}
