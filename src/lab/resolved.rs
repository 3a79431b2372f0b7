//! Answers of resolvers about flows by DNS name.

use std::net::IpAddr;

use indexmap::IndexMap;

use crate::model::{Endpoint, Flow, Via};
use crate::probe::{NoAddress, Resolution};

/// Answers of resolvers, by sender and by receiver asked for: flows that differ in their service only share an answer.
#[derive(Debug, Default)]
pub(super) struct Resolved(pub(super) IndexMap<(Endpoint, Endpoint), Result<IpAddr, NoAddress>>);

impl Resolved {
    /// Returns the answer to the sender of a flow, if it goes by name.
    pub fn of(&self, flow: &Flow) -> Option<Result<IpAddr, NoAddress>> {
        let asked = (flow.via == Via::Dns).then(|| (flow.from.clone(), flow.to.clone()))?;
        self.0.get(&asked).cloned()
    }

    /// The same as a part of what was observed.
    pub fn resolution(&self, flow: &Flow) -> Option<Resolution> {
        Some(match self.of(flow)? {
            Ok(address) => Resolution::Address(address),
            Err(why) if why.is_said() => Resolution::NoSuchName,
            Err(_) => Resolution::NoAnswer,
        })
    }
}
