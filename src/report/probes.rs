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
    /// Address of the receivers: in JSON `private`, `public`, `ipv6` or `dns`, and `usual` where none was named, which is the
    /// private one, and of a load balancer the one that its name means.
    #[serde(serialize_with = "by_word")]
    pub by: Option<Via>,
    /// For each receiver a cell for each port; nothing where there is no such path.
    pub cells: Vec<Option<Vec<MatrixCell>>>,
}

/// A cell of a truth table; a word in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixCell {
    /// Outcome of its probe.
    Probed(Class),
    /// No probe can ask for it: `not-probed`.
    NotProbed,
}

impl MatrixCell {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probed(class) => class.as_str(),
            Self::NotProbed => "not-probed",
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Probed(class) => class.letter(),
            Self::NotProbed => NO_CELL,
        }
    }
}

impl Serialize for MatrixCell {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn by_word<S: serde::Serializer>(by: &Option<Via>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Via::word_or_usual(*by))
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
                let cell = |service: &Service| {
                    if !columns.are_asked(*service, via) {
                        return MatrixCell::NotProbed;
                    }
                    let flow = Flow { from: from.clone(), to: to.clone(), via, service: *service };
                    MatrixCell::Probed(outcomes.get(&flow).copied().unwrap_or(Class::Inconclusive))
                };
                Some(services.iter().map(cell).collect())
            };
            let name = json::receiver(&from);
            MatrixRow { from: name, by: via, cells: receivers.iter().map(block).collect() }
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
        matrix.rows.iter().any(|row| row.cells.iter().flatten().flatten().any(|it| *it == MatrixCell::Probed(class)))
    };
    let letters = text::letters(there);
    text.push_str(&style.fit(&format!("each cell: {}    {letters}\n", matrix.ports.join(", "))));
    let several = matrix.rows.iter().any(|row| row.by != matrix.rows[0].by);
    let label = |row: &MatrixRow| match row.by.filter(|_| several) {
        Some(by) => format!("{} by {}", row.from, by.word()),
        None => row.from.clone(),
    };
    let left = matrix.rows.iter().map(|row| label(row).chars().count()).max().unwrap_or(0) + 2;
    let width = matrix.to.iter().map(|to| to.chars().count()).chain([matrix.ports.len()]).max().unwrap_or(0) + 2;
    for part in style.parts(matrix.to.len(), left, width) {
        let heads: String = matrix.to[part.clone()].iter().map(|to| format!("{to:<width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:left$}{}", "", heads.trim_end());
        for row in &matrix.rows {
            let block = |cells: &Option<Vec<MatrixCell>>| {
                let letters: String = cells.iter().flatten().map(|cell| cell.letter()).collect();
                format!("{:<width$}", if letters.is_empty() { "-" } else { &letters })
            };
            let blocks: String = row.cells.iter().take(part.end).skip(part.start).map(block).collect();
            let _ = writeln!(text, "{:<left$}{}", label(row), blocks.trim_end());
        }
    }
    text.push_str(&style.fit(&live::balancers(&matrix.load_balancers, 0)));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_a_word_in_json_and_a_letter_for_people_also_where_no_probe_asks_for_it() {
        let row = |by, first| MatrixRow { from: "a".to_owned(), by, cells: vec![Some(first), None] };
        let table = Matrix {
            ports: vec!["22".to_owned(), "ping".to_owned()],
            to: vec!["b".to_owned(), "c".to_owned()],
            rows: vec![
                row(None, vec![MatrixCell::Probed(Class::Open), MatrixCell::NotProbed]),
                row(
                    Some(Via::Public),
                    vec![MatrixCell::Probed(Class::Closed), MatrixCell::Probed(Class::Inconclusive)],
                ),
            ],
            load_balancers: Vec::new(),
        };
        let rows = json!([
            {"from": "a", "by": "usual", "cells": [["open", "not-probed"], null]},
            {"from": "a", "by": "public", "cells": [["closed", "inconclusive"], null]},
        ]);
        assert_eq!(serde_json::to_value(&table).unwrap()["rows"], rows);
        let text = "\
each cell: 22, ping    O open  . dropped  r refused  c closed  u unreachable  ? inconclusive
             b   c
a            O-  -
a by public  c?  -
";
        assert_eq!(matrix(&table, Style::default()), text);
    }
}
