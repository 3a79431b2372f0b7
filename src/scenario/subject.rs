//! Subject that is compared between eras, and asked of a class.

use crate::model::{ConnectionName, Flow};
use crate::topology::QuestionSubject;

/// Subject of a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A new flow.
    Flow(Flow),
    /// A connection that is held.
    Connection(ConnectionName),
}

impl Subject {
    /// Returns the kind of words that answer it.
    pub fn asked(&self) -> QuestionSubject {
        match self {
            Self::Flow(_) => QuestionSubject::Flow,
            Self::Connection(_) => QuestionSubject::Connection,
        }
    }

    /// The flow, unless it is a connection.
    pub fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Flow(flow) => Some(flow),
            Self::Connection(_) => None,
        }
    }

    /// It as a topology file writes it.
    pub fn words(&self) -> String {
        match self {
            Self::Flow(flow) => flow.to_string(),
            Self::Connection(name) => format!("connection {name}"),
        }
    }
}
