//! Probes on a lab that is up.

use indexmap::IndexSet;

use super::{Supervised, invalid, state};
use crate::compile::record::Record;
use crate::control::protocol::{AnswerDropped, Matrix, MatrixRow, NOT_PROBED, Probed, Reply};
use crate::control::told::Happening;
use crate::model::topology::{read_flow, read_question, read_services};
use crate::model::{Endpoint, Flow, Service, Via};
use crate::probe::{Batch, Drop, DropCause, Outcome, Recorded, Resolution};
use crate::scenario::{Class, cells, explain};

/// For what flows are read.
#[derive(Clone, Copy)]
pub(super) enum For {
    /// Packets are to prove something.
    Probes,
    /// Explains also flows that no probe can ask for.
    Explanations,
}

impl Supervised {
    /// Probes flows.
    pub(super) async fn probe(&mut self, words: &[String]) -> Reply {
        let flows = match self.flows(words, For::Probes) {
            Ok(flows) => flows,
            Err(reply) => return *reply,
        };
        match self.lab.probe(&flows).await {
            Ok(batch) => Reply::Probed(self.probed(&batch)),
            Err(error) => Reply::Failed(error.to_string()),
        }
    }

    /// The flows that words mean now.
    pub(super) fn flows(&self, words: &[String], reason: For) -> Result<Vec<Flow>, Box<Reply>> {
        let mut flows: IndexSet<Flow> = IndexSet::new();
        for words in words {
            let cloud = self.lab.cloud();
            let read = match reason {
                For::Probes => read_flow(cloud, words),
                For::Explanations => read_question(cloud, words),
            };
            let pattern = match read {
                Ok(pattern) => pattern,
                Err(problems) => return Err(Box::new(invalid(&problems))),
            };
            let selected = match reason {
                For::Probes => cells::select(&pattern, None, cloud),
                For::Explanations => cells::meant(&pattern, None, cloud),
            };
            match selected {
                Ok(selected) => flows.extend(selected),
                Err(why) => return Err(Box::new(Reply::Invalid(format!("error: {why}")))),
            }
        }
        Ok(flows.into_iter().collect())
    }

    /// What probes found, told to whoever follows the events as well.
    pub(super) fn probed(&mut self, batch: &Batch) -> Vec<Probed> {
        let cloud = self.lab.cloud();
        let closed = batch.observations.iter().any(|seen| matches!(seen.outcome, Outcome::Closed { .. }));
        let behind = if closed { state::balancers(cloud, &self.lab.balancers_at_work()) } else { Vec::new() };
        let one = |seen: &crate::probe::Observation| Probed {
            flow: seen.flow.to_string(),
            outcome: Class::of(&seen.outcome).as_str().to_owned(),
            rule: explain::deciding_rule(&seen.outcome, cloud)
                .map(|rule| format!("{} \"{}\"", rule.group, rule.written)),
            reason: explain::reason(&seen.flow, &seen.outcome, cloud).map(|reason| match &seen.outcome {
                Outcome::Closed { .. } => {
                    let found = state::failures_found(cloud, &seen.flow, &behind);
                    std::iter::once(reason).chain(found).collect::<Vec<_>>().join("; ")
                }
                _ => reason,
            }),
            address: seen.resolved.and_then(Resolution::address).map(|address| address.to_string()),
            answer_dropped: seen.answer_dropped.as_ref().map(answer_dropped),
        };
        let all: Vec<Probed> = batch.observations.iter().map(one).collect();
        self.hear_all();
        all.iter().for_each(|probed| self.events.tell(Happening::Probe(probed.clone())));
        all
    }

    /// Probes everybody to everybody, at these ports, or at those that rules and listeners name.
    pub(super) async fn matrix(&mut self, ports: &[String], by: &[String]) -> Reply {
        let mut columns: IndexSet<Service> = IndexSet::new();
        for words in ports {
            match read_services(self.lab.cloud(), words) {
                Ok(services) => columns.extend(services),
                Err(problems) => return invalid(&problems),
            }
        }
        if columns.is_empty() {
            columns = crate::model::topology::columns_of(self.lab.cloud());
        }
        let mut vias: IndexSet<Option<Via>> = IndexSet::new();
        for word in by {
            match word.as_str() {
                "private" => vias.insert(Some(Via::Private)),
                "public" => vias.insert(Some(Via::Public)),
                "ipv6" => vias.insert(Some(Via::Ipv6)),
                "dns" => vias.insert(Some(Via::Dns)),
                other => {
                    return Reply::Invalid(format!(
                        "error: `{other}` is no kind of address: private, public, ipv6, dns"
                    ));
                }
            };
        }
        if vias.is_empty() {
            vias.insert(None);
        }
        // Two rows may have a cell in common: what is said in the one goes without saying in the other.
        let flows: IndexSet<Flow> = cells::grid(self.lab.cloud(), &columns, &vias).collect();
        let flows: Vec<Flow> = flows.into_iter().collect();
        let batch = match self.lab.probe(&flows).await {
            Ok(batch) => batch,
            Err(error) => return Reply::Failed(error.to_string()),
        };
        self.probed(&batch);
        Reply::Matrix(self.grid(&batch, &columns, &vias))
    }

    fn grid(&self, batch: &Batch, columns: &IndexSet<Service>, vias: &IndexSet<Option<Via>>) -> Matrix {
        let cloud = self.lab.cloud();
        let outcomes: indexmap::IndexMap<&Flow, &Outcome> =
            batch.observations.iter().map(|seen| (&seen.flow, &seen.outcome)).collect();
        let receivers: Vec<_> = cells::running(cloud).cloned().collect();
        let senders = cells::senders(cloud, vias);
        let columns = cells::columns_of(columns, &senders);
        let rows = senders.into_iter().map(|(from, via)| {
            let block = |to: &crate::model::InstanceName| {
                let (to, via) = cells::path(cloud, &from, to, via)?;
                let class = |service: &Service| {
                    if service.unprobeable(via).is_some() {
                        return NOT_PROBED.to_owned();
                    }
                    let flow = Flow { from: from.clone(), to: to.clone(), via, service: *service };
                    outcomes.get(&flow).map_or(Class::Inconclusive, |outcome| Class::of(outcome)).as_str().to_owned()
                };
                Some(columns.iter().map(class).collect())
            };
            let name = match &from {
                Endpoint::Host(name, address) => format!("{name} ({address})"),
                other => other.to_string(),
            };
            MatrixRow {
                from: name,
                by: via.map_or("usual", via_word).to_owned(),
                cells: receivers.iter().map(block).collect(),
            }
        });
        Matrix {
            ports: columns.iter().map(ToString::to_string).collect(),
            to: receivers.iter().map(ToString::to_string).collect(),
            rows: rows.collect(),
            load_balancers: state::balancers(cloud, &self.lab.balancers_at_work()),
        }
    }
}

fn via_word(via: Via) -> &'static str {
    match via {
        Via::Private => "private",
        Via::Public => "public",
        Via::Ipv6 => "ipv6",
        Via::Dns => "dns",
    }
}

fn answer_dropped(drop: &Drop) -> AnswerDropped {
    match &drop.cause {
        DropCause::Groups { at, interface, .. } => {
            AnswerDropped { record: Record::Drop(*at).to_string(), interface: Some(interface.to_string()) }
        }
        DropCause::Other(Recorded { record, interface, .. }) => {
            AnswerDropped { record: record.to_string(), interface: interface.as_ref().map(ToString::to_string) }
        }
    }
}
