//! The question of a probe, and its tuples on every part of its way.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::canary::Receiver;
use super::parties::{Parties, Route};
use super::question::{self, Answering};
use crate::fabric::Namespace;
use crate::fabric::packet::Tuple;
use crate::model::{Direction, Service};
use crate::network::NodeName;

/// The question of a probe, with every address that it can have.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The sender's namespace.
    pub sender: Arc<Namespace>,
    /// The sender's address there.
    pub source: IpAddr,
    /// The address that it asks.
    pub destination: IpAddr,
    /// (source, destination) behind the gateway, if the path leads through it.
    pub translated: Option<(IpAddr, IpAddr)>,
    /// Address whose source ports it takes one of: an appliance and those behind it share theirs, for it has one address for all.
    pub ports_of: IpAddr,
    /// True if it asks one of the sender's own addresses, whoever was to hold it.
    pub to_itself: bool,
    /// True if the source is not an address of the sender, who then sees no answer.
    pub forged: bool,
    /// The addresses of appliances that may pass it on as their own.
    pub passed_on_by: Vec<IpAddr>,
    /// Links that it goes by, and its addresses there.
    pub there: Route,
    /// The same of what answers it.
    pub back: Route,
    /// Ends at which groups are asked of it, each on record.
    pub judged_at: Vec<Direction>,
    /// Protocol that it asks for, with its port or ICMP message.
    pub service: Service,
    /// Holder of the address, if anybody has a link for it.
    pub receiver: Option<Receiver>,
    /// Instances behind a load balancer, which may answer in its place.
    pub behind: Vec<NodeName>,
    /// Kind of listener at the receiver's port.
    pub answering: Answering,
}

/// The asks that may be under way together, at most so many, and those that come later. Without ports one flow is told from another by
/// addresses alone: two that would look alike on some part of their way are not asked at once.
pub(super) fn next_chunk(asks: &[Ask], rest: &[usize], most: usize) -> (Vec<usize>, Vec<usize>) {
    let (mut chunk, mut later) = (Vec::new(), Vec::new());
    let mut taken: HashSet<Tuple> = HashSet::new();
    for number in rest {
        let ask = &asks[*number];
        let alike = portless(ask).unwrap_or_default();
        if chunk.len() == most || alike.iter().any(|tuple| taken.contains(tuple)) {
            later.push(*number);
        } else {
            taken.extend(alike);
            chunk.push(*number);
        }
    }
    (chunk, later)
}

/// Every tuple of an ask without ports, in both directions: what goes back looks like what somebody else begins.
pub(super) fn portless(ask: &Ask) -> Option<Vec<Tuple>> {
    matches!(ask.service, Service::Protocol(_)).then(|| {
        let there = tuples(ask, 0);
        let back = there.iter().map(|tuple| Tuple { source: tuple.destination, destination: tuple.source, ..*tuple });
        back.chain(there.iter().copied()).collect()
    })
}

/// Between whom its packets go.
pub(super) fn parties(ask: &Ask) -> Parties {
    let receiver = ask.receiver.as_ref().map(|receiver| receiver.node.clone());
    let (there, back) = (ask.there.clone(), ask.back.clone());
    let code = match ask.service {
        Service::IcmpEcho => Some(0),
        Service::Icmp(message) => Some(message.code),
        Service::Tcp(_) | Service::Udp(_) | Service::Protocol(_) => None,
    };
    Parties { sender: ask.sender.name.clone(), code, receiver, there, back }
}

/// Reports whether it is asked of the sender's own address. Then nothing of it leaves the sender, no filter is asked, and nobody but the sender can
/// say anything of it.
pub(super) fn stays_inside(ask: &Ask) -> bool {
    ask.to_itself && ask.translated.is_none() && !ask.forged
}

/// Reports whether nobody answers, or somebody else gets the answer: then the receiver tells of what has come.
pub(super) fn is_unanswered(ask: &Ask) -> bool {
    ask.forged || matches!(ask.service, Service::Icmp(_) | Service::Protocol(_))
}

/// Every tuple that a probe can have, before and behind the gateway.
pub(super) fn tuples(ask: &Ask, port: u16) -> Vec<Tuple> {
    let mut tuples = vec![question::tuple(ask.service, ask.source, port, ask.destination)];
    let behind = ask.translated;
    let sources = [Some(ask.source), behind.map(|(source, _)| source)];
    let sources = sources.into_iter().flatten().chain(ask.passed_on_by.iter().copied());
    for source in sources {
        // With a public address on one side only, the translation changes one end at a time.
        for destination in [Some(ask.destination), behind.map(|(_, destination)| destination)].into_iter().flatten() {
            let tuple = question::tuple(ask.service, source, port, destination);
            if !tuples.contains(&tuple) {
                tuples.push(tuple);
            }
        }
    }
    tuples
}
