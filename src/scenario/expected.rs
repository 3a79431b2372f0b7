//! Expectations of a step, by their evaluators. This is the one list of all kinds of expectations here: each evaluator takes its part, and a kind
//! that is in no part does not compile. Whoever evaluates it is called here too, unless it has a moment of its own in the step, and so are the lists
//! of reports.

mod answers;
mod balanced;
mod hops;

use super::backend::Backend;
use super::demand::Cells;
use super::flow_logs;
use super::judge::Change;
use super::results::{Check, Finding, Promise, Section};
use crate::lab::LabError;
use crate::model::{ConnectionName, SourceLocation};
use crate::topology::{Expectation, ExpectedConnection, ExpectedHops, ExpectedLog, Placed, Question, Step, Topology};
use balanced::Balancers;
pub use balanced::SECTION as LOAD_BALANCERS;

/// The lists of checks in reports, in their order.
pub const SECTIONS: [Section; 6] =
    [Section::CONNECTIONS, Section::TRAFFIC, Section::ANSWERS, LOAD_BALANCERS, hops::SECTION, flow_logs::SECTION];

/// Expectations of a step by their evaluators. Each part is in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Expected<'a> {
    /// Of cells.
    pub cells: Vec<Cells<'a>>,
    /// Of connections that are held.
    pub connections: Vec<(ExpectedConnection, &'a [Placed<ConnectionName>])>,
    /// Of traffic.
    pub promises: Vec<Promise>,
    /// Of services that groups never filter.
    pub questions: Vec<&'a Question>,
    /// Of load balancers.
    pub balancers: Vec<Balancers<'a>>,
    /// Of stations of flows.
    pub hops: Vec<&'a ExpectedHops>,
    /// Of flow logs.
    pub flow_logs: Vec<&'a ExpectedLog>,
    /// Of what the operations change.
    pub changes: Vec<(Change<'a>, &'a SourceLocation)>,
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
                Expectation::Hops(hops) => all.hops.extend(hops),
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

    /// Tells whether any step of a file expects something of flow logs: then they are kept from the beginning, since a connection
    /// may be older than the step.
    pub fn has_flow_logs(topology: &'a Topology) -> bool {
        topology.steps.iter().any(|step| !Self::of(step).flow_logs.is_empty())
    }

    /// Examines all that takes packets of its own, when everything else is probed. Gives besides what selects nothing now, which is a
    /// mistake.
    ///
    /// # Errors
    /// When the lab fails.
    pub async fn examine<L: Backend>(&self, lab: &mut L) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
        let (mut checks, mut empty) = answers::ask(lab, &self.questions).await?;
        let (balancers, selecting_nothing) = balanced::examine(lab, &self.balancers).await?;
        checks.extend(balancers);
        empty.extend(selecting_nothing);
        let (hops, selecting_nothing) = hops::examine(lab, &self.hops).await?;
        checks.extend(hops);
        empty.extend(selecting_nothing);
        Ok((checks, empty))
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexSet;

    use super::*;

    #[test]
    fn every_section_has_a_key_and_a_rank_of_its_own() {
        let keys: IndexSet<&str> = SECTIONS.iter().map(|section| section.key).collect();
        let ranks: IndexSet<u8> = SECTIONS.iter().map(|section| section.headline.rank).collect();
        assert_eq!((keys.len(), ranks.len()), (SECTIONS.len(), SECTIONS.len()));
    }
}
