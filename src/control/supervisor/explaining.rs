//! A flow explained on a lab that is up: what is predicted, what its packets met, and whether the two say the same.

use indexmap::IndexMap;

use super::probing::For;
use super::{Look, Supervised};
use crate::compile::record::Record;
use crate::control::protocol::Reply;
use crate::control::told::{Explained, Together, Verdict};
use crate::lab::Lab;
use crate::model::topology::read_question;
use crate::model::{Flow, Peers};
use crate::policy;
use crate::policy::behind::listener;
use crate::probe::{Logged, Observation};
use crate::scenario::agreement::{Agreement, compare_all};
use crate::scenario::{cells, health};

impl Supervised {
    /// Explains flows and probes them.
    pub(super) async fn explain(&mut self, words: &[String], look: Look) -> Reply {
        let flows = match self.flows(words, For::Explanations) {
            Ok(flows) => flows,
            Err(reply) => return *reply,
        };
        let batch = match self.lab.probe(&flows).await {
            Ok(batch) => batch,
            Err(error) => return Reply::Failed(error.to_string()),
        };
        let probed = self.probed(&batch);
        let cloud = self.lab.cloud();
        let mut together = self.together(words, look);
        let one = |(seen, probed): (&Observation, _)| {
            let (text, predicted) = (self.explain.flow)(cloud, &seen.flow, look);
            let agreement = match self.agreement(seen) {
                Agreement::Agree => "agree",
                Agreement::Disagree => "disagree",
                Agreement::Unproved => "unproved",
            };
            Explained {
                flow: seen.flow.to_string(),
                agreement: agreement.to_owned(),
                predicted,
                text,
                probed,
                met: seen.records.iter().map(|logged| verdict(&self.lab, logged)).collect(),
                together: together.shift_remove(&seen.flow),
            }
        };
        Reply::Explained(batch.observations.iter().zip(probed).map(one).collect())
    }
}

impl Supervised {
    /// What the ends of each `<->` come to where both send, by the flow of the second end.
    fn together(&self, words: &[String], look: Look) -> IndexMap<Flow, Together> {
        let cloud = self.lab.cloud();
        let patterns = words.iter().filter_map(|words| read_question(cloud, words).ok());
        let peers = patterns.flat_map(|pattern| cells::peers(&pattern, cloud).unwrap_or_default());
        let one = |peers: Peers| {
            let (text, predicted) = (self.explain.together)(cloud, &peers, look)?;
            Some((peers.back, Together { predicted, text }))
        };
        peers.filter_map(one).collect()
    }

    /// Tells if a probe came out as predicted. Programs that this lab knows nothing of may listen behind a load balancer.
    fn agreement(&self, seen: &Observation) -> Agreement {
        let cloud = self.lab.cloud();
        let verdict = policy::judge(cloud, &seen.flow);
        let balancer = seen.flow.to.instance().and_then(|name| cloud.load_balancer_of(name));
        let behind = balancer.and_then(|it| listener(cloud, it, seen.flow.service.tcp_port()?, &health::ears(cloud)));
        compare_all(&verdict, behind.as_ref(), seen)
    }
}

/// A filter's record in the cloud's words.
pub(super) fn verdict(lab: &Lab, logged: &Logged) -> Verdict {
    let (record, tuple) = (logged.record, logged.tuple);
    let interface = lab.whereabouts(logged).judged_by(record);
    let at = match record {
        Record::Accept(at, _)
        | Record::Pass(at)
        | Record::Remembered(at)
        | Record::Drop(at)
        | Record::Cut(at)
        | Record::Unclaimed(at) => Some(at.to_string()),
        _ => None,
    };
    let word = match record {
        Record::Accept(..) | Record::Pass(_) => "accept".to_owned(),
        Record::Remembered(_) => "remembered".to_owned(),
        Record::Drop(_) => "drop".to_owned(),
        Record::Cut(_) => "cut".to_owned(),
        Record::Unclaimed(_) => "unclaimed".to_owned(),
        other => other.to_string(),
    };
    let id = if let Record::Accept(_, id) = record { Some(id) } else { None };
    let rule = id.and_then(|id| lab.cloud().rule(id)).map(|(group, rule)| format!("{group} \"{}\"", rule.written));
    let named = |interface: &crate::model::Interface| match interface.id.device {
        0 => interface.id.instance.to_string(),
        _ => interface.id.to_string(),
    };
    Verdict {
        verdict: word,
        at,
        interface: interface.map(named),
        groups: interface.into_iter().flat_map(|it| &it.groups).map(ToString::to_string).collect(),
        rule,
        rule_id: id.map(|id| id.to_string()),
        filter: logged.node.to_string(),
        protocol: tuple.protocol,
        source: tuple.source.to_string(),
        source_port: tuple.source_port,
        destination: tuple.destination.to_string(),
        destination_port: tuple.destination_port,
        icmp_type: logged.icmp.map(|message| message.kind),
        icmp_code: logged.icmp.map(|message| message.code),
    }
}
