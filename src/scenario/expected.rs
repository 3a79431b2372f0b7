//! Expectations of a step, by their evaluators. This is the one list of all kinds of expectations here: each evaluator takes its part, and a kind
//! that is in no part does not compile. An evaluator without a moment of its own in the step is in [`evaluators!`], which makes its part, its list in
//! reports and its call.

mod answers;
mod balanced;
mod flow_logs;
mod hops;
mod seen;

use super::backend::Backend;
use super::demand::Cells;
use super::judge::Change;
use super::results::{Check, Finding, Promise, Section};
use crate::lab::LabError;
use crate::model::{ConnectionName, SourceLocation};
use crate::topology::{Expectation, ExpectedConnection, ExpectedHops, ExpectedLog, Placed, Question, Step, Topology};
use balanced::Balancers;
pub use balanced::SECTION as LOAD_BALANCERS;
pub use flow_logs::SECTION as FLOW_LOGS;
pub use seen::Seen;

/// Lists the evaluators that are asked when everything else is probed, in their order, each with what its part is made of.
macro_rules! evaluators {
    ($($(#[$doc:meta])* $evaluator:ident: $part:ty,)*) => {
        /// The lists of checks in reports, in their order.
        pub const SECTIONS: &[Section] = &[Section::CONNECTIONS, Section::TRAFFIC, $($evaluator::SECTION,)*];

        /// Expectations that are examined when everything else is probed, by their evaluators. Each part is in the order of the file.
        #[derive(Clone, Debug, Default)]
        pub struct Examined<'a> {
            $($(#[$doc])* pub $evaluator: Vec<$part>,)*
        }

        impl Examined<'_> {
            /// Asks each evaluator. Gives besides what selects nothing now, which is a mistake.
            ///
            /// # Errors
            /// When the lab fails.
            pub async fn examine<L: Backend>(
                &self,
                lab: &mut L,
                seen: &Seen<'_>,
            ) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
                let (mut checks, mut empty) = (Vec::new(), Vec::new());
                $(
                    let (of_part, selecting_nothing) = $evaluator::examine(lab, &self.$evaluator, seen).await?;
                    checks.extend(of_part);
                    empty.extend(selecting_nothing);
                )*
                Ok((checks, empty))
            }
        }
    };
}

evaluators! {
    /// Of services that groups never filter.
    answers: &'a Question,
    /// Of load balancers.
    balanced: Balancers<'a>,
    /// Of stations of flows.
    hops: &'a ExpectedHops,
    /// Of flow logs. They are last: their window has the packets of the others.
    flow_logs: &'a ExpectedLog,
}

/// Expectations of a step by their evaluators. Each part is in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Expected<'a> {
    /// Of cells.
    pub cells: Vec<Cells<'a>>,
    /// Of connections that are held.
    pub connections: Vec<(ExpectedConnection, &'a [Placed<ConnectionName>])>,
    /// Of traffic.
    pub promises: Vec<Promise>,
    /// Of what the operations change.
    pub changes: Vec<(Change<'a>, &'a SourceLocation)>,
    /// Of what is examined when everything else is probed.
    pub examined: Examined<'a>,
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
                Expectation::Answered(questions) => all.examined.answers.extend(questions),
                Expectation::Health(rotation, names) => all.examined.balanced.push(Balancers::Health(*rotation, names)),
                Expectation::AnsweredBy(flows) => all.examined.balanced.push(Balancers::AnsweredBy(flows)),
                Expectation::Hops(hops) => all.examined.hops.extend(hops),
                Expectation::FlowLogs(lines) => all.examined.flow_logs.extend(lines),
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
        topology.steps.iter().any(|step| !Self::of(step).examined.flow_logs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use indexmap::IndexSet;

    use super::*;

    #[test]
    fn every_section_has_a_key_and_a_rank_of_its_own() {
        let keys: IndexSet<&str> = SECTIONS.iter().map(|section| section.key).collect();
        let ranks: IndexSet<u8> = SECTIONS.iter().map(|section| section.headline.rank).collect();
        assert_eq!((keys.len(), ranks.len()), (SECTIONS.len(), SECTIONS.len()));
    }

    /// A section that is not listed is in no report.
    #[test]
    fn every_section_that_is_made_is_listed() {
        fn made(folder: &Path, keys: &mut IndexSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    made(&path, keys);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let key = |section: &str| section.split('"').nth(1).map(str::to_owned);
                for opening in [": Section = Section {", ": Self = Self {"] {
                    keys.extend(
                        product.split(opening).skip(1).filter(|it| it.trim_start().starts_with("key:")).filter_map(key),
                    );
                }
            }
        }
        let mut keys = IndexSet::new();
        made(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenario"), &mut keys);
        let listed: IndexSet<String> = SECTIONS.iter().map(|section| section.key.to_owned()).collect();
        assert_eq!(keys, listed);
    }
}
