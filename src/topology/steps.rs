//! The steps of a scenario: what each changes, and what must hold then.

use std::ptr;

use super::expected::Expectation;
use super::patterns::FlowPattern;
use super::placed::Placed;
use crate::model::{Cloud, ConnectionName, Era, Operation, Refusal, SourceLocation, apply_all};

/// A step: changes, then what must hold.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, a sentence.
    pub name: String,
    /// Position of its first line in the file.
    pub place: SourceLocation,
    /// The eras that it belongs to; others pass over it. Empty: all.
    pub eras: Vec<Era>,
    /// Actions of the step, in order.
    pub actions: Vec<Action>,
    /// Traffic that flows meanwhile.
    pub during: Vec<FlowPattern>,
    /// Expectations that must hold after the actions.
    pub expectations: Vec<Placed<Expectation>>,
    /// A word for the reader, printed with the result of the step.
    pub note: Option<String>,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A call: what one entry of `do:` changes. All of it is carried out, or nothing.
    Call(Vec<Placed<Operation>>),
    /// Opens a connection, which is held until it is closed or the scenario ends.
    Open(Placed<Opening>),
    /// Closes one.
    Close(Placed<ConnectionName>),
    /// Waits, in silence, until a connection is not tracked any more.
    Idle(Placed<ConnectionName>),
}

/// A connection to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its name, once in the file.
    pub name: ConnectionName,
    /// Flow of the connection, from its opener: exactly one flow at that moment. With `<->` each end sends from a fixed port to the
    /// other's, and neither answers; without a port of the first end both have one number.
    pub flow: FlowPattern,
}

/// Tries a call on a copy of a cloud: what EC2 refuses of it, and where that stands.
pub fn refusal<'a>(call: &'a [Placed<Operation>], cloud: &Cloud) -> Option<(Refusal, &'a SourceLocation)> {
    let refused = apply_all(&mut cloud.clone(), call.iter().map(|placed| &placed.value)).err()?;
    // Two operations of a call may be equal.
    let placed = call.iter().find(|placed| ptr::eq(&placed.value, refused.operation))?;
    Some((refused.refusal, &placed.place))
}

impl Step {
    /// Returns true if an era takes this step: one that it names, or any if it names none.
    pub fn is_of(&self, era: Era) -> bool {
        self.eras.is_empty() || self.eras.contains(&era)
    }

    /// The calls that change the cloud, in order.
    pub fn calls(&self) -> impl Iterator<Item = &[Placed<Operation>]> {
        self.actions.iter().filter_map(|action| match action {
            Action::Call(operations) => Some(operations.as_slice()),
            Action::Open(_) | Action::Close(_) | Action::Idle(_) => None,
        })
    }

    /// The changes to the cloud, in order.
    pub fn operations(&self) -> impl Iterator<Item = &Placed<Operation>> {
        self.calls().flatten()
    }

    /// The cloud after the calls; one that is refused leaves it as it is.
    pub fn cloud_after(&self, cloud: &Cloud) -> Cloud {
        let mut cloud = cloud.clone();
        for call in self.calls() {
            drop(apply_all(&mut cloud, call.iter().map(|placed| &placed.value)));
        }
        cloud
    }
}
