//! Probes of a lab that is up: their JSON, a line each for people, and the truth table that they make.

use std::fmt::Write;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::json;
use super::lab_state::{LoadBalancerView, load_balancers};
use super::live;
use super::terminal::NO_CELL;
use super::text::{self, Style, shown};
use crate::model::{Cloud, Endpoint, Flow, Service, Via};
use crate::probe::{MissingEvidence, Outcome};
use crate::protocol::State;
use crate::scenario::{Class, DecidingRule, ProbedFlow, cells};
use crate::topology::Columns;

/// A probe in the JSON of `sglab probe`, `explain` and `events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeView {
    /// The flow.
    pub flow: String,
    /// `open`, `dropped`, `refused`, `closed`, `unreachable`, `misdelivered` or `inconclusive`.
    pub outcome: String,
    /// The rule that let it in, where one did: `DB "tcp 3306 from WEB"`.
    pub rule: Option<String>,
    /// Reason, where there is more to say.
    pub reason: Option<String>,
    /// Address that a DNS name led to.
    pub address: Option<String>,
    /// The place where its answer was dropped, if the receiver has seen it and that is why nothing came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_dropped: Option<AnswerDroppedView>,
}

/// The place where an answer was dropped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerDroppedView {
    /// The filter's record: `spoofed`, `ingress drop` ...
    pub record: String,
    /// The interface whose groups or check dropped it, where one did: `web.eth0`.
    pub interface: Option<String>,
}

impl ProbeView {
    /// A probe as it was received.
    pub fn of(probed: &ProbedFlow) -> Self {
        let ProbedFlow { flow, outcome, rule, reason, resolved, records: _ } = probed;
        let missing = if let Outcome::Inconclusive { why } = outcome { Some(why) } else { None };
        Self {
            flow: flow.to_string(),
            outcome: probed.class().as_str().to_owned(),
            rule: rule.as_ref().map(self::rule),
            reason: reason.as_ref().map(ToString::to_string),
            address: resolved.map(|address| address.to_string()),
            answer_dropped: missing.and_then(MissingEvidence::answer_dropped).map(|drop| AnswerDroppedView {
                record: drop.cause.record().to_string(),
                interface: drop.cause.interface().map(ToString::to_string),
            }),
        }
    }
}

/// `DB "tcp 3306 from WEB"`.
pub(super) fn rule(rule: &DecidingRule) -> String {
    format!("{} \"{}\"", rule.group, rule.written)
}

/// Results of probes for people, a line each.
pub fn probed(all: &[ProbedFlow]) -> String {
    let mut text = String::new();
    let all: Vec<ProbeView> = all.iter().map(ProbeView::of).collect();
    let width = all.iter().map(|one| one.flow.chars().count()).max().unwrap_or(0);
    for ProbeView { flow, outcome, rule, reason, address, answer_dropped: _ } in &all {
        let mut more = String::new();
        let said = [
            rule.as_ref().map(|rule| format!("by {rule}")),
            reason.as_deref().map(shown).map(Into::into),
            address.as_ref().map(|to| format!("at {to}")),
        ];
        for said in said.into_iter().flatten() {
            more = if more.is_empty() { said } else { format!("{more}; {said}") };
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("{flow:<width$}  {outcome}  {more}").trim_end());
    }
    text
}

/// The word of a cell that no probe can ask for.
const NOT_PROBED: &str = "not-probed";

/// A truth table in the JSON of `sglab matrix`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Matrix {
    /// Ports: the cells of a block.
    pub ports: Vec<String>,
    /// Receivers.
    pub to: Vec<String>,
    /// Senders.
    pub rows: Vec<MatrixRow>,
    /// Load balancers, with who is in service.
    pub load_balancers: Vec<LoadBalancerView>,
}

/// A sender of a truth table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatrixRow {
    /// The sender.
    pub from: String,
    /// By which address of the receivers: `private`, `public`, `ipv6` or `dns`; `usual` where nothing was said of it, which is the
    /// private one, and of a load balancer the one that its name means.
    pub by: String,
    /// For each receiver an outcome for each port; nothing where there is no such path.
    pub cells: Vec<Option<Vec<String>>>,
}

/// The flows of a truth table, each once: two rows may have a cell in common.
pub fn flows_of_matrix(cloud: &Cloud, columns: &Columns, extent: &cells::Extent) -> Vec<Flow> {
    let flows: IndexSet<Flow> = extent.grid(cloud, columns).collect();
    flows.into_iter().collect()
}

impl Matrix {
    /// The table of a lab's cloud, with what probes found of its flows.
    pub fn of(state: &State, probed: &[ProbedFlow], columns: &Columns, extent: &cells::Extent) -> Self {
        let cloud = &state.cloud;
        let outcomes: IndexMap<&Flow, Class> = probed.iter().map(|it| (&it.flow, it.class())).collect();
        let receivers = extent.receivers(cloud);
        let senders = cells::senders(cloud, &extent.vias);
        let services = cells::columns_of(columns, &senders);
        let rows = senders.into_iter().map(|(from, via)| {
            let block = |to: &Endpoint| {
                let via = cells::path(cloud, &from, to, via)?;
                let class = |service: &Service| {
                    if !columns.are_asked(*service, via) {
                        return NOT_PROBED.to_owned();
                    }
                    let flow = Flow { from: from.clone(), to: to.clone(), via, service: *service };
                    outcomes.get(&flow).copied().unwrap_or(Class::Inconclusive).as_str().to_owned()
                };
                Some(services.iter().map(class).collect())
            };
            let name = json::receiver(&from);
            let by = via.map_or("usual".into(), Via::word).into_owned();
            MatrixRow { from: name, by, cells: receivers.iter().map(block).collect() }
        });
        Self {
            ports: services.iter().map(ToString::to_string).collect(),
            to: receivers.iter().map(json::receiver).collect(),
            rows: rows.collect(),
            load_balancers: load_balancers(state),
        }
    }
}

/// A truth table; where the terminal has no room for all receivers, some after the others.
pub fn matrix(matrix: &Matrix, style: Style) -> String {
    let mut text = String::new();
    let there = |class: Class| {
        matrix.rows.iter().any(|row| row.cells.iter().flatten().flatten().any(|it| it == class.as_str()))
    };
    let letters = text::letters(there);
    text.push_str(&style.fit(&format!("each cell: {}    {letters}\n", matrix.ports.join(", "))));
    let several = matrix.rows.iter().any(|row| row.by != matrix.rows[0].by);
    let label = |row: &MatrixRow| {
        if several && row.by != "usual" { format!("{} by {}", row.from, row.by) } else { row.from.clone() }
    };
    let left = matrix.rows.iter().map(|row| label(row).chars().count()).max().unwrap_or(0) + 2;
    let width = matrix.to.iter().map(|to| to.chars().count()).chain([matrix.ports.len()]).max().unwrap_or(0) + 2;
    for part in style.parts(matrix.to.len(), left, width) {
        let heads: String = matrix.to[part.clone()].iter().map(|to| format!("{to:<width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:left$}{}", "", heads.trim_end());
        for row in &matrix.rows {
            let block = |cells: &Option<Vec<String>>| {
                let letters: String = cells.iter().flatten().map(|outcome| letter(outcome)).collect();
                format!("{:<width$}", if letters.is_empty() { "-" } else { &letters })
            };
            let blocks: String = row.cells.iter().take(part.end).skip(part.start).map(block).collect();
            let _ = writeln!(text, "{:<left$}{}", label(row), blocks.trim_end());
        }
    }
    text.push_str(&style.fit(&live::balancers(&matrix.load_balancers, 0)));
    text
}

fn letter(outcome: &str) -> char {
    if outcome == NOT_PROBED {
        return NO_CELL;
    }
    Class::ALL.into_iter().find(|class| class.as_str() == outcome).unwrap_or(Class::Inconclusive).letter()
}
