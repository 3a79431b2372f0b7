//! Results of packets for a difference, flow by flow.

use serde::Serialize;

use crate::model::{Endpoint, Flow};
use crate::report::count;
use crate::report::json::{Which, receiver, which};
use crate::report::text;
use crate::scenario::differing::FlowChange;
use crate::scenario::proved::{Fate, FlowProof, ProvedDifference, ProvedFlow};
use crate::scenario::{Class, DecidingRule};
use crate::topology::write;

/// The proof for programs.
#[derive(Serialize)]
pub(super) struct ProofJson<'a> {
    proved: usize,
    disproved: usize,
    not_proved: usize,
    flows: Vec<FlowJson<'a>>,
}

#[derive(Serialize)]
struct FlowJson<'a> {
    #[serde(flatten)]
    flow: Which,
    change: &'static str,
    before: FateJson<'a>,
    after: FateJson<'a>,
    proof: FlowProof,
}

#[derive(Serialize)]
struct FateJson<'a> {
    observed: &'static str,
    detail: String,
    reason: Option<&'a str>,
    rule: Option<&'a DecidingRule>,
}

pub(super) fn json(proved: &ProvedDifference) -> ProofJson<'_> {
    ProofJson {
        proved: proved.count(FlowProof::Proved),
        disproved: proved.count(FlowProof::Disproved),
        not_proved: proved.count(FlowProof::NotProved),
        flows: proved.flows.iter().map(flow).collect(),
    }
}

fn flow(flow: &ProvedFlow) -> FlowJson<'_> {
    FlowJson {
        flow: which(&flow.flow),
        change: match flow.change {
            FlowChange::Opened => "opened",
            FlowChange::OpenedAtNewEnds => "opened-at-new-ends",
            FlowChange::Closed => "closed",
        },
        before: fate_json(&flow.before),
        after: fate_json(&flow.after),
        proof: flow.proof(),
    }
}

fn fate_json(fate: &Fate) -> FateJson<'_> {
    let none = |observed| FateJson { observed, detail: words(fate), reason: None, rule: None };
    match fate {
        Fate::NoSuchEnd => none("no-such-end"),
        Fate::NotSent => none("not-sent"),
        Fate::Met(met) => FateJson {
            observed: Class::of(&met.outcome).as_str(),
            detail: text::outcome(&met.outcome),
            reason: met.reason.as_deref(),
            rule: met.rule.as_ref(),
        },
    }
}

/// Outcome of a flow in one lab: `dropped at db's ingress`, `open by db "tcp 5432 from anywhere"`.
fn words(fate: &Fate) -> String {
    match fate {
        Fate::NoSuchEnd => "not there".to_owned(),
        Fate::NotSent => "not sent".to_owned(),
        Fate::Met(met) => {
            let rule = met.rule.as_ref().map(|rule| format!(" by {}", text::rule(rule)));
            text::outcome(&met.outcome) + &rule.unwrap_or_default()
        }
    }
}

/// The verdict of packets in one line.
pub(super) fn verdict(proved: &ProvedDifference) -> String {
    let proof = |proof, change: &[FlowChange]| {
        let flows = proved.flows.iter().filter(|flow| flow.proof() == proof && change.contains(&flow.change));
        flows.count()
    };
    let opened = proof(FlowProof::Proved, &[FlowChange::Opened, FlowChange::OpenedAtNewEnds]);
    let closed = proof(FlowProof::Proved, &[FlowChange::Closed]);
    let mut said = format!(
        "proved by packets: {} open in NEW and not in OLD, {closed} the other way round",
        count(opened, "flow")
    );
    for (what, word) in [(FlowProof::Disproved, "disproved"), (FlowProof::NotProved, "not proved")] {
        let flows = proved.count(what);
        if flows > 0 {
            said.push_str(&format!("; {flows} {word}"));
        }
    }
    said
}

/// A line for each flow: what it met in OLD and in NEW.
pub(super) fn lines(proved: &ProvedDifference) -> impl Iterator<Item = String> {
    proved.flows.iter().map(|flow| {
        let proof = match flow.proof() {
            FlowProof::Proved => "proved",
            FlowProof::Disproved => "DISPROVED",
            FlowProof::NotProved => "not proved",
        };
        let (before, after) = (words(&flow.before), words(&flow.after));
        format!("{proof}: {}   OLD {before}; NEW {after}", flow_words(&flow.flow))
    })
}

/// A flow with the addresses of hosts: one host may have several.
fn flow_words(flow: &Flow) -> String {
    let words = write::flow(flow);
    let to = words.split_once(" -> ").map_or(words.as_str(), |(_, to)| to);
    let at = match flow.to {
        Endpoint::Host(_, address) => format!(" ({address})"),
        Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) => {
            String::new()
        }
    };
    format!("{} -> {to}{at}", receiver(&flow.from))
}
