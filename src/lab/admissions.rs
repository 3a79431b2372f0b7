//! By what the packets of a connection that is held were let out and in, as filters have recorded them.

use crate::model::{Direction, Flow, GroupName, InterfaceId, RuleId};

/// By what each end of a connection has let it pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissions {
    /// Flows of the connection: one, or of two ends that send to each other what each sends.
    pub flows: Vec<Flow>,
    /// In the order of its packets.
    pub ends: Vec<Admission>,
}

/// By what an end has let something pass that was new to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// At which end.
    pub at: Direction,
    /// Interface whose groups let it pass.
    pub interface: InterfaceId,
    /// By what.
    pub by: AdmittedBy,
}

/// Reason for which an end lets something pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmittedBy {
    /// A rule, which may have gone since.
    Rule {
        /// Its identifier.
        id: RuleId,
        /// Group of the rule.
        group: GroupName,
        /// In the words of the file.
        written: String,
    },
    /// The interface has sent to that end before.
    Memory,
    /// Nobody judges at this end in this era.
    Everything,
}

impl Admissions {
    /// Takes note of what has been let pass; what is known of the same end is over.
    pub(super) fn add(&mut self, admission: Admission) {
        match self.ends.iter_mut().find(|it| it.at == admission.at && it.interface == admission.interface) {
            Some(known) => *known = admission,
            None => self.ends.push(admission),
        }
    }

    /// Returns `true` if the receiver's end is among them, where the receiver has one.
    pub fn are_whole(&self) -> bool {
        let Some(flow) = self.flows.first() else { return false };
        let ingress = self.ends.iter().any(|end| end.at == Direction::Ingress);
        ingress || flow.to.interface().is_none() && !self.ends.is_empty()
    }
}
