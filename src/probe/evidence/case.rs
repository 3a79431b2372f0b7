//! All that is known of one probe: the case to which witnesses add what they saw.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::fabric::packet::flaw::Flaw;
use crate::fabric::packet::{Says, Sighting, Tuple};
use crate::model::{Direction, IcmpMessage};
use crate::network::NodeName;
use crate::network::record::Record;
use crate::probe::failure::CloseReason;
use crate::probe::parties::{Ends, Parties};

/// A record of a filter about one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Namespace whose filter logged it.
    pub node: NodeName,
    /// Action that the filter recorded.
    pub record: Record,
    /// The interface that the packet came in by.
    pub in_index: Option<u32>,
    /// The interface that it would leave by.
    pub out_index: Option<u32>,
    /// The tuple as the filter saw it.
    pub tuple: Tuple,
    /// Type and code of an ICMP message.
    pub icmp: Option<IcmpMessage>,
    /// Reason why it is not what was asked, where that can be told.
    pub flaw: Option<Flaw>,
    /// The length of the packet in bytes, with its IP header.
    pub length: u32,
}

impl std::fmt::Display for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tuple { protocol, source, source_port, destination, destination_port } = self.tuple;
        let index = |index: Option<u32>| index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let (from, to) = (index(self.in_index), index(self.out_index));
        let (node, record) = (&self.node, &self.record);
        write!(f, "{node}: {record}, protocol {protocol}, {source} {source_port} -> {destination} {destination_port}")?;
        write!(f, ", in {from}, out {to}")
    }
}

/// All that is known of one probe so far.
#[derive(Debug, Default)]
pub(in crate::probe) struct ProbeRecord {
    /// Nothing where all ends are the harness's own.
    pub(super) parties: Option<Parties>,
    pub(super) known: Mutex<Known>,
    /// Woken by every record of a drop and by every sighting.
    pub news: Notify,
}

/// The load balancer's own connection to an instance, made for one that it took.
#[derive(Clone, Debug)]
pub(in crate::probe) struct PassedOn {
    /// Tuple of its packets.
    pub tuple: Tuple,
    /// Evidence on it.
    pub case: Arc<ProbeRecord>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) records: Vec<Logged>,
    pub(super) seen_at: Vec<(NodeName, IpAddr)>,
    pub(super) delivered_to: Option<NodeName>,
    pub(super) turned_away: Option<CloseReason>,
    pub(super) passed_on: Option<PassedOn>,
    pub(super) overlooked_at: Vec<NodeName>,
    /// The first record of a drop of what answers it.
    pub(super) answer_drop: Option<Logged>,
    /// The first record of a drop of a packet that looks like it, and came from an end that is no party of it.
    pub(super) forged: Option<(NodeName, Logged)>,
    /// The records of packets of it that came by another link than they were to, or with other addresses.
    pub(super) strays: Vec<UnaskedPacket>,
    /// Addresses of a packet that came to the receiver, where they are not those that it was to have there.
    pub(super) came_changed: Option<Ends>,
    /// Ends whose groups filters have asked of it, by their records.
    pub(super) asked: Vec<Direction>,
    /// True if it was dropped while an interface on its way had no room to remember more.
    pub(super) lacked_room: bool,
    pub(super) sent_back: SentBack,
}

/// A packet that looks like one of a case, from one who may send it, and is not what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) enum UnaskedPacket {
    /// By a link that was not to send it.
    Astray(Logged),
    /// With addresses that it is to have elsewhere on its way.
    Changed(Logged),
    /// The same, as it came to the receiver.
    CameChanged(Ends),
}

impl UnaskedPacket {
    fn is_drop(&self) -> bool {
        matches!(self, Self::Astray(logged) | Self::Changed(logged) if logged.record.is_drop())
    }
}

/// Kinds of packets that routers have sent to the sender's link and that can have come from whom it asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::probe) struct SentBack {
    /// An answer.
    pub answer: bool,
    /// A reset, or an ICMP error about the question.
    pub refusal: bool,
}

impl ProbeRecord {
    /// Every record about it, in the order of their arrival.
    pub fn records(&self) -> Vec<Logged> {
        lock(&self.known).records.clone()
    }

    /// Reports whether some filter has recorded a drop.
    pub fn has_drop(&self) -> bool {
        let known = lock(&self.known);
        known.records.iter().any(|logged| logged.record.is_drop()) || known.strays.iter().any(UnaskedPacket::is_drop)
    }

    /// Reports whether a filter has on record what the groups of an end said of it: of the receiver's, at one of its own interfaces.
    pub fn was_asked(&self, at: Direction) -> bool {
        lock(&self.known).asked.contains(&at)
    }

    /// The record of a drop of its answer, or of an ICMP error about it.
    pub fn answer_drop(&self) -> Option<Logged> {
        lock(&self.known).answer_drop.clone()
    }

    /// Reports whether it was dropped while an interface on its way had no room to remember more: memory might have let it pass.
    pub fn lacked_room(&self) -> bool {
        lock(&self.known).lacked_room
    }

    /// Returns the namespace whose socket took its token, for messages that nobody answers.
    pub fn delivered_to(&self) -> Option<NodeName> {
        lock(&self.known).delivered_to.clone()
    }

    /// Returns the reason why a load balancer closed it, where one did.
    pub fn turned_away(&self) -> Option<CloseReason> {
        lock(&self.known).turned_away.clone()
    }

    /// The connection by which a load balancer passed it on, where one did.
    pub fn passed_on(&self) -> Option<PassedOn> {
        lock(&self.known).passed_on.clone()
    }

    /// Reports whether packets that came to a namespace since this was registered found no place in what watches its interfaces: then it proves
    /// nothing that none of this was seen there.
    pub fn overlooked_at(&self, node: &NodeName) -> bool {
        lock(&self.known).overlooked_at.contains(node)
    }

    /// Reports whether a router that has seen a packet like it is on its way.
    pub(super) fn is_on_its_way(&self, router: &NodeName, tuple: &Tuple) -> bool {
        self.parties.as_ref().is_none_or(|parties| parties.is_on_its_way(router, tuple.destination))
    }

    /// A packet of it was sent to a namespace.
    pub(super) fn see(&self, node: &NodeName, tuple: &Tuple) {
        let to = tuple.destination;
        let mut known = lock(&self.known);
        if self.parties.as_ref().is_some_and(|parties| parties.arrives_changed(node, tuple)) {
            known.came_changed.get_or_insert((tuple.source, to));
        }
        if !known.seen_at.iter().any(|(known, address)| known == node && *address == to) {
            known.seen_at.push((node.clone(), to));
            self.news.notify_one();
        }
    }

    /// Notes an answer to it that was sent to a namespace.
    pub(super) fn see_back(&self, node: &NodeName, Sighting { tuple, says }: &Sighting) {
        // An error about what is not answered may repeat it as it was elsewhere.
        let asked = match says {
            Says::Error(about) => about.answer().map(|_| *about),
            Says::Reset | Says::Anything => {
                Some(Tuple { source: tuple.destination, destination: tuple.source, ..*tuple })
            }
        };
        let is_to_it =
            |parties: &Parties| parties.sender == *node && asked.as_ref().is_none_or(|asked| parties.is_as_sent(asked));
        if !self.parties.as_ref().is_some_and(is_to_it) {
            return;
        }
        let back = &mut lock(&self.known).sent_back;
        let seen = match says {
            Says::Reset | Says::Error(_) => &mut back.refusal,
            Says::Anything => &mut back.answer,
        };
        if !std::mem::replace(seen, true) {
            self.news.notify_one();
        }
    }

    /// Reports whether a packet of it was sent to a namespace.
    pub fn seen_at(&self, node: &NodeName) -> bool {
        lock(&self.known).seen_at.iter().any(|(seen, _)| seen == node)
    }

    /// Namespaces that a packet of it was sent to and that are no party of it.
    pub fn seen_elsewhere(&self) -> Vec<NodeName> {
        let is_party = |node: &NodeName| {
            self.parties.as_ref().is_some_and(|parties| parties.may_send(node) || parties.may_answer(node))
        };
        lock(&self.known).seen_at.iter().map(|(node, _)| node).filter(|node| !is_party(node)).cloned().collect()
    }

    /// Returns the kinds of packets that were sent back to the sender.
    pub fn sent_back(&self) -> SentBack {
        lock(&self.known).sent_back
    }

    /// The record of a drop of a packet that only looks like it, and who has sent that.
    pub fn forged(&self) -> Option<(NodeName, Logged)> {
        lock(&self.known).forged.clone()
    }

    /// Returns the proof that something else was sent than was asked, the record of a drop if there is one.
    pub fn stray(&self) -> Option<UnaskedPacket> {
        let known = lock(&self.known);
        let recorded = known.strays.iter().find(|stray| stray.is_drop()).or(known.strays.first()).cloned();
        recorded.or(known.came_changed.map(UnaskedPacket::CameChanged))
    }

    /// Reports whether a packet of it was sent to a namespace for an address of it: an appliance sees also what it passes on.
    pub fn seen_by(&self, node: &NodeName, address: IpAddr) -> bool {
        lock(&self.known).seen_at.iter().any(|(seen, to)| seen == node && *to == address)
    }
}

/// A panic elsewhere does not make the evidence worse: it is only ever appended to.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
