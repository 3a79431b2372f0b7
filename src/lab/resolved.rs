//! What resolvers have said of flows by DNS name.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::services::NoAddress;
use crate::model::{Endpoint, Flow, Via};
use crate::probe::Resolution;

/// What resolvers said, by who asked for whose name: flows that differ in their service only share an answer.
#[derive(Debug, Default)]
pub(super) struct Resolved(pub(super) IndexMap<(Endpoint, Endpoint), Result<IpAddr, NoAddress>>);

impl Resolved {
    /// What was said to the sender of a flow, if it goes by name.
    pub fn of(&self, flow: &Flow) -> Option<Result<IpAddr, NoAddress>> {
        let asked = (flow.via == Via::Dns).then(|| (flow.from.clone(), flow.to.clone()))?;
        self.0.get(&asked).cloned()
    }

    /// The same as a part of what was observed.
    pub fn resolution(&self, flow: &Flow) -> Option<Resolution> {
        Some(match self.of(flow)? {
            Ok(address) => Resolution::Address(address),
            Err(NoAddress::NoSuchName(_)) => Resolution::NoSuchName,
            Err(NoAddress::NoAnswer(_)) => Resolution::NoAnswer,
        })
    }
}
