//! What a step expects, by who evaluates it. This is the one list of all kinds of expectations here: each evaluator takes its
//! part, and a kind that is in no part does not compile.

use super::results::Promise;
use crate::model::{ConnectionName, InstanceName, LoadBalancerName, Place, RefusalCode, TableName};
use crate::topology::{
    AddressFate, AddressKind, AnsweredBy, Expectation, ExpectedLog, ExpectedOutcome, Fate, FlowPattern, Placed,
    Question, Rotation, Step,
};

/// Expectations of a step by their evaluators. Each part is in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Expected<'a> {
    /// Of cells.
    pub cells: Vec<Cells<'a>>,
    /// Of connections that are held.
    pub connections: Vec<(Fate, &'a [Placed<ConnectionName>])>,
    /// Of traffic.
    pub promises: Vec<Promise>,
    /// Of services that groups never filter.
    pub questions: Vec<&'a Question>,
    /// Of load balancers.
    pub balancers: Vec<Balancers<'a>>,
    /// Of flow logs.
    pub flow_logs: Vec<&'a ExpectedLog>,
    /// Of what the operations change.
    pub changes: Vec<(Change<'a>, &'a Place)>,
}

/// Expectation of cells.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// What a table says of each.
    Table(&'a TableName, &'a Place),
    /// One outcome.
    Flows(ExpectedOutcome, &'a [FlowPattern]),
}

/// Expectation of load balancers.
#[derive(Clone, Copy, Debug)]
pub enum Balancers<'a> {
    /// Who is in service, or out of it.
    Health(Rotation, &'a [(Placed<LoadBalancerName>, InstanceName)]),
    /// Who answers.
    AnsweredBy(&'a [AnsweredBy]),
}

/// Expectation of what the operations change.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Other addresses than before.
    NewAddresses(&'a [InstanceName]),
    /// Another address of a kind, or the same.
    Address(AddressKind, AddressFate, &'a [InstanceName]),
    /// No other rules in the kernel.
    RulesUnchanged,
    /// The last operation is refused, and changes nothing.
    Refusal(RefusalCode),
}

impl<'a> Expected<'a> {
    /// Sorts what a step expects.
    pub fn of(step: &'a Step) -> Self {
        let mut all = Self::default();
        for Placed { value, place } in &step.expectations {
            match value {
                Expectation::Table(name) => all.cells.push(Cells::Table(name, place)),
                Expectation::Flows(outcome, patterns) => all.cells.push(Cells::Flows(*outcome, patterns)),
                Expectation::Connections(fate, names) => all.connections.push((*fate, names)),
                Expectation::NoLeak => all.promises.push(Promise::NoLeak),
                Expectation::NoLoss => all.promises.push(Promise::NoLoss),
                Expectation::Answered(questions) => all.questions.extend(questions),
                Expectation::Health(rotation, names) => all.balancers.push(Balancers::Health(*rotation, names)),
                Expectation::AnsweredBy(flows) => all.balancers.push(Balancers::AnsweredBy(flows)),
                Expectation::FlowLogs(lines) => all.flow_logs.extend(lines),
                Expectation::NewAddresses(names) => all.changes.push((Change::NewAddresses(names), place)),
                Expectation::Address(kind, fate, names) => {
                    all.changes.push((Change::Address(*kind, *fate, names), place));
                }
                Expectation::RulesUnchanged => all.changes.push((Change::RulesUnchanged, place)),
                Expectation::Refusal(code) => all.changes.push((Change::Refusal(*code), place)),
            }
        }
        all
    }

    /// Tells whether the rules in the kernel are expected to stay as they are.
    pub fn has_unchanged_rules(&self) -> bool {
        self.changes.iter().any(|(change, _)| matches!(change, Change::RulesUnchanged))
    }

    /// Tells whether the last operation is expected to be refused.
    pub fn has_refusal(&self) -> bool {
        self.changes.iter().any(|(change, _)| matches!(change, Change::Refusal(_)))
    }
}
