//! Between whom packets go, by which links, and which addresses they have at each of them.
//!
//! A packet changes on its way: a NAT instance and a gateway give it other addresses. So each address that it can have is looked for
//! everywhere, and counts only where it belongs: whoever gives a packet on its way out an address that it is to have elsewhere has sent
//! another question than was asked, and what that meets is no answer to this one.

use std::net::IpAddr;

use crate::fabric::packet::Tuple;
use crate::network::NodeName;

/// A link, by its router and the index there.
pub type LinkId = (NodeName, u32);

/// Source and destination of a packet.
pub type Ends = (IpAddr, IpAddr);

/// Link by which somebody is to send packets of a flow, and their addresses there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPosition {
    /// Namespace that sends them.
    pub node: NodeName,
    /// Link that they leave by.
    pub link: LinkId,
    /// Source and destination that they may have there.
    pub ends: Vec<Ends>,
}

/// The way of what one end of a flow sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Place where the sender itself sends them, if it has a link.
    pub sent: Option<LinkPosition>,
    /// Places where appliances may pass them on.
    pub passed_on: Vec<LinkPosition>,
    /// Addresses that they have where they come to whom they go to; empty where that is not known.
    pub arrives: Vec<Ends>,
    /// Private address of whom they go to, where it has one.
    pub private: Option<Private>,
}

/// A private address, which somebody else may have in another VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    /// The address.
    pub address: IpAddr,
    /// Routers and gateways at which it is that one's.
    pub at: Vec<NodeName>,
}

/// Between whom a case's packets go: an end that is none of these and sends such a packet has forged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    /// Namespace that sends them.
    pub sender: NodeName,
    /// The code that each of them has, where they are ICMP messages that were asked for: a tuple has their type only.
    pub code: Option<u8>,
    /// Namespace that they go to; none where nobody holds the address.
    pub receiver: Option<NodeName>,
    /// Their way.
    pub there: Route,
    /// The way of what answers them.
    pub back: Route,
}

/// Fault of a packet that is to be of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// An end has sent it that is no party of it.
    Forged(NodeName),
    /// It came by another link of its sender's, or of an appliance's, than it was to come by.
    Astray,
    /// It came by the right link, and with addresses that it is to have elsewhere on its way.
    Changed,
}

fn ends(tuple: &Tuple) -> Ends {
    (tuple.source, tuple.destination)
}

impl Parties {
    /// Parties of packets that go straight to the holder of the address, from an end of the harness's own.
    pub fn of_sender(sender: NodeName) -> Self {
        Self { sender, code: None, receiver: None, there: Route::default(), back: Route::default() }
    }

    pub fn may_send(&self, end: &NodeName) -> bool {
        self.sender == *end || self.there.passed_on.iter().any(|place| place.node == *end)
    }

    pub fn may_answer(&self, end: &NodeName) -> bool {
        self.receiver.as_ref() == Some(end) || self.back.passed_on.iter().any(|place| place.node == *end)
    }

    /// Returns the fault of a packet that came from an end of flows, by a link.
    pub fn wrong(&self, end: &NodeName, link: &LinkId, tuple: &Tuple) -> Option<Wrong> {
        if !self.may_send(end) {
            return Some(Wrong::Forged(end.clone()));
        }
        // Of the harness's own ends it is not said.
        self.there.sent.as_ref()?;
        let mut here =
            self.there.sent.iter().chain(&self.there.passed_on).filter(|place| place.link == *link).peekable();
        if here.peek().is_none() {
            return Some(Wrong::Astray);
        }
        (!here.any(|place| place.ends.contains(&ends(tuple)))).then_some(Wrong::Changed)
    }

    /// Reports whether what was sent to a namespace came to whom it was to come, and is not what was asked.
    pub fn arrives_changed(&self, node: &NodeName, tuple: &Tuple) -> bool {
        let arrives = &self.there.arrives;
        // An appliance that is asked itself gets also what it is to pass on.
        let is_to_it = arrives.iter().any(|(_, to)| *to == tuple.destination);
        self.receiver.as_ref() == Some(node) && is_to_it && !arrives.contains(&ends(tuple))
    }

    /// Reports whether what a router or a gateway has seen go to an address is on its way to whom it is to go to.
    pub fn is_on_its_way(&self, router: &NodeName, to: IpAddr) -> bool {
        self.there.private.as_ref().is_none_or(|private| private.address != to || private.at.contains(router))
    }

    /// Reports whether a packet has the addresses that the sender has given its question.
    pub fn is_as_sent(&self, tuple: &Tuple) -> bool {
        self.there.sent.as_ref().is_none_or(|place| place.ends.contains(&ends(tuple)))
    }

    /// The same of what goes back, which the receiver sends.
    pub fn turned(self, by: NodeName) -> Self {
        Self { receiver: Some(self.sender), sender: by, code: None, there: self.back, back: self.there }
    }
}
