//! Evidence board: observers post what they saw of the tuples that a probe can have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::parties::{Ends, LinkId, Parties, Wrong};
use super::question::Token;
use crate::fabric::packet::flaw::Flaw;
use crate::fabric::packet::{Says, Sighting, Tuple};
use crate::model::protocol::{ICMP, ICMPV6, TCP};
use crate::model::{Direction, IcmpMessage};
use crate::network::NodeName;
use crate::network::record::Record;

/// A record of a filter about one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// In whose log it stood.
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
pub(super) struct ProbeRecord {
    /// Nothing where all ends are the harness's own.
    parties: Option<Parties>,
    known: Mutex<Known>,
    /// Woken by every record of a drop and by every sighting.
    pub news: Notify,
}

/// Reason why a load balancer closed a connection that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// It has nobody in service, or a filter has on record that it dropped what went to whose turn it was.
    Rightly(String),
    /// The instance whose turn it was has not taken it. That is the word of one, and others may be in service.
    ByItsTarget(String),
}

/// The load balancer's own connection to an instance, made for one that it took.
#[derive(Clone, Debug)]
pub(super) struct PassedOn {
    /// Tuple of its packets.
    pub tuple: Tuple,
    /// Evidence on it.
    pub case: Arc<ProbeRecord>,
}

#[derive(Debug, Default)]
struct Known {
    records: Vec<Logged>,
    seen_at: Vec<(NodeName, IpAddr)>,
    delivered_to: Option<NodeName>,
    turned_away: Option<TurnedAway>,
    passed_on: Option<PassedOn>,
    overlooked_at: Vec<NodeName>,
    /// The first record of a drop of what answers it.
    answer_drop: Option<Logged>,
    /// The first record of a drop of a packet that looks like it, and came from an end that is no party of it.
    forged: Option<(NodeName, Logged)>,
    /// The records of packets of it that came by another link than they were to, or with other addresses.
    strays: Vec<Stray>,
    /// Addresses of a packet that came to the receiver, where they are not those that it was to have there.
    came_changed: Option<Ends>,
    /// Ends whose groups filters have asked of it, by their records.
    asked: Vec<Direction>,
    /// True if it was dropped while an interface on its way had no room to remember more.
    lacked_room: bool,
    sent_back: SentBack,
}

/// A packet that looks like one of a case, from one who may send it, and is not what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    /// By a link that was not to send it.
    Astray(Logged),
    /// With addresses that it is to have elsewhere on its way.
    Changed(Logged),
    /// The same, as it came to the receiver.
    CameChanged(Ends),
}

impl Stray {
    fn is_drop(&self) -> bool {
        matches!(self, Self::Astray(logged) | Self::Changed(logged) if logged.record.is_drop())
    }
}

/// Kinds of packets that routers have sent to the sender's link and that can have come from whom it asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SentBack {
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
        known.records.iter().any(|logged| logged.record.is_drop()) || known.strays.iter().any(Stray::is_drop)
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
    pub fn turned_away(&self) -> Option<TurnedAway> {
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
    fn is_on_its_way(&self, router: &NodeName, tuple: &Tuple) -> bool {
        self.parties.as_ref().is_none_or(|parties| parties.is_on_its_way(router, tuple.destination))
    }

    /// A packet of it was sent to a namespace.
    fn see(&self, node: &NodeName, tuple: &Tuple) {
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
    fn see_back(&self, node: &NodeName, Sighting { tuple, says }: &Sighting) {
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

    /// To whom a packet of it was sent who is no party of it.
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
    pub fn stray(&self) -> Option<Stray> {
        let known = lock(&self.known);
        let recorded = known.strays.iter().find(|stray| stray.is_drop()).or(known.strays.first()).cloned();
        recorded.or(known.came_changed.map(Stray::CameChanged))
    }

    /// Reports whether a packet of it was sent to a namespace for an address of it: an appliance sees also what it passes on.
    pub fn seen_by(&self, node: &NodeName, address: IpAddr) -> bool {
        lock(&self.known).seen_at.iter().any(|(seen, to)| seen == node && *to == address)
    }
}

/// Tuples are registered before their first packet; what is not registered is not kept.
#[derive(Debug, Default)]
pub(super) struct EvidenceBoard {
    cases: Mutex<HashMap<Tuple, Arc<ProbeRecord>>>,
    /// By the tuples of what answers them.
    answers: Mutex<HashMap<Tuple, Arc<ProbeRecord>>>,
    tokens: Mutex<HashMap<Token, Arc<ProbeRecord>>>,
    /// Namespace at the other end of each link of each router, where that is an end of flows.
    ends: Mutex<HashMap<NodeName, HashMap<u32, NodeName>>>,
    /// Router of each end of flows.
    routers: Mutex<HashMap<NodeName, NodeName>>,
    /// Moment at which packets that came by a link of a router last found no room there to be remembered.
    full: Mutex<HashMap<LinkId, Instant>>,
    /// Time for which they would have been remembered.
    memory: Mutex<Duration>,
    lost: std::sync::atomic::AtomicU64,
    listener: Mutex<Option<mpsc::Sender<Logged>>>,
    unheard: std::sync::atomic::AtomicU64,
}

impl EvidenceBoard {
    /// Gives every record of every filter to whoever is at the other end, from now on. Where there is no place, it is
    /// counted and goes by: the observer waits for nobody.
    pub fn tell(&self, listener: mpsc::Sender<Logged>) {
        *lock(&self.listener) = Some(listener);
    }

    /// Returns the number of records that were not told, or lost before that, since the last call.
    pub fn unheard(&self) -> u64 {
        self.unheard.swap(0, std::sync::atomic::Ordering::Relaxed)
    }

    /// Says who is at the other end of a router's link.
    pub fn link_leads_to(&self, router: &NodeName, index: u32, end: NodeName) {
        lock(&self.routers).insert(end.clone(), router.clone());
        lock(&self.ends).entry(router.clone()).or_default().insert(index, end);
    }

    /// So long routers remember what interfaces have sent.
    pub fn remembers_for(&self, memory: Duration) {
        *lock(&self.memory) = memory;
    }

    /// Reports whether the ends of a recorded packet may have sent, within what routers remember, what there was no room for. Of TCP and ICMP nothing
    /// is remembered but in connection tracking.
    fn lacks_room(&self, logged: &Logged) -> bool {
        let (full, memory) = (lock(&self.full), *lock(&self.memory));
        let was_full = |index: u32| {
            let last = full.get(&(logged.node.clone(), index));
            last.is_some_and(|last| last.elapsed() <= memory)
        };
        ![TCP, ICMP, ICMPV6].contains(&logged.tuple.protocol)
            && [logged.in_index, logged.out_index].into_iter().flatten().any(was_full)
    }

    /// The link is gone.
    pub fn link_is_gone(&self, router: &NodeName, index: u32) {
        if let Some(ends) = lock(&self.ends).get_mut(router) {
            ends.remove(&index);
        }
    }

    /// Registers every tuple that packets between parties can have.
    pub fn register(&self, tuples: &[Tuple], parties: Parties) -> Arc<ProbeRecord> {
        self.enter(tuples, ProbeRecord { parties: Some(parties), ..ProbeRecord::default() })
    }

    /// The same of packets between ends of the harness's own.
    pub fn register_own(&self, tuples: &[Tuple]) -> Arc<ProbeRecord> {
        self.enter(tuples, ProbeRecord::default())
    }

    fn enter(&self, tuples: &[Tuple], case: ProbeRecord) -> Arc<ProbeRecord> {
        let case = Arc::new(case);
        let mut cases = lock(&self.cases);
        for tuple in tuples {
            cases.insert(*tuple, Arc::clone(&case));
        }
        case
    }

    /// Registers what answers a case as well.
    pub fn expect_answer(&self, tuples: &[Tuple], case: &Arc<ProbeRecord>) {
        let mut answers = lock(&self.answers);
        answers.extend(tuples.iter().filter_map(|tuple| tuple.answer()).map(|answer| (answer, Arc::clone(case))));
    }

    /// Registers the token of a message that nobody answers.
    pub fn expect_delivery(&self, token: Token, case: &Arc<ProbeRecord>) {
        lock(&self.tokens).insert(token, Arc::clone(case));
    }

    /// A token has come to a socket of a namespace.
    pub fn post_delivery(&self, node: &NodeName, token: &Token) {
        let case = lock(&self.tokens).remove(token);
        if let Some(case) = case {
            lock(&case.known).delivered_to = Some(node.clone());
            case.news.notify_one();
        }
    }

    /// A load balancer is about to close a connection, since nobody is there to take it.
    pub fn post_turned_away(&self, tuple: &Tuple, why: TurnedAway) {
        let case = lock(&self.cases).get(tuple).cloned();
        if let Some(case) = case {
            lock(&case.known).turned_away = Some(why);
        }
    }

    /// A load balancer has opened a connection of its own for one that it took. It is forgotten with that one; false where
    /// nobody has asked for that one.
    pub fn post_passed_on(&self, tuple: &Tuple, on: PassedOn) -> bool {
        let cases = lock(&self.cases);
        let Some(case) = cases.get(tuple) else { return false };
        lock(&case.known).passed_on = Some(on);
        case.news.notify_one();
        true
    }

    /// Forgets a token that never came.
    pub fn forget_delivery(&self, token: &Token) {
        lock(&self.tokens).remove(token);
    }

    /// Forgets tuples, what answers them, and the connections by which load balancers passed them on.
    pub fn forget(&self, tuples: &[Tuple]) {
        let mut answers = lock(&self.answers);
        for answer in tuples.iter().filter_map(|tuple| tuple.answer()) {
            answers.remove(&answer);
        }
        drop(answers);
        let mut cases = lock(&self.cases);
        for tuple in tuples {
            if let Some(on) = cases.remove(tuple).and_then(|case| case.passed_on()) {
                cases.remove(&on.tuple);
            }
        }
    }

    /// A filter's record. `error_about` is the tuple of the packet that it is an ICMP error about.
    pub fn post_record(&self, logged: Logged, error_about: Option<Tuple>) {
        if logged.record.is_drop() {
            self.post_answer_drop(&logged, error_about);
        }
        if let (Record::NoRoom, Some(index)) = (logged.record, logged.in_index) {
            lock(&self.full).insert((logged.node.clone(), index), Instant::now());
        }
        let untold = lock(&self.listener).as_ref().is_some_and(|listener| listener.try_send(logged.clone()).is_err());
        if untold {
            self.unheard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let case = lock(&self.cases).get(&logged.tuple).cloned().filter(|_| logged.record != Record::NoRoom);
        // Whoever sends it with an address that it is to have elsewhere is told so wherever it goes.
        let case = case
            .filter(|case| case.is_on_its_way(&logged.node, &logged.tuple) || self.is_from_its_sender(case, &logged));
        if let Some(case) = case {
            let drop = logged.record.is_drop();
            let wrong = self.wrong(&case, &logged);
            if let Some(Wrong::Forged(forger)) = wrong {
                if drop {
                    lock(&case.known).forged.get_or_insert((forger, logged));
                }
                return;
            }
            let code = case.parties.as_ref().and_then(|parties| parties.code);
            let another = code.zip(logged.icmp).is_some_and(|(code, message)| code != message.code);
            let flaw = if another { Some(Flaw::Code) } else { logged.flaw };
            let logged = Logged { flaw, ..logged };
            let lacked_room = drop && self.lacks_room(&logged);
            let asked = self.asked(&case, &logged).filter(|_| wrong.is_none());
            let mut known = lock(&case.known);
            known.lacked_room |= lacked_room;
            let asked = asked.filter(|at| !known.asked.contains(at));
            known.asked.extend(asked);
            match wrong {
                Some(Wrong::Astray) => known.strays.push(Stray::Astray(logged)),
                Some(Wrong::Changed | Wrong::Forged(_)) => known.strays.push(Stray::Changed(logged)),
                None => known.records.push(logged),
            }
            if drop {
                case.news.notify_one();
            }
        }
    }

    /// Returns the fault of a recorded packet. None where it has come from another router or a gateway: no end is there.
    fn wrong(&self, case: &ProbeRecord, logged: &Logged) -> Option<Wrong> {
        let (parties, index) = case.parties.as_ref().zip(logged.in_index)?;
        let end = self.end_of(&logged.node, index)?;
        parties.wrong(&end, &(logged.node.clone(), index), &logged.tuple)
    }

    /// Returns the end whose groups were asked of a recorded packet. Appliances on the way are asked as well, and are none.
    fn asked(&self, case: &ProbeRecord, logged: &Logged) -> Option<Direction> {
        let (Record::Accept(at, _) | Record::Pass(at) | Record::Drop(at)) = logged.record else { return None };
        let parties = case.parties.as_ref()?;
        let (index, asked) = match at {
            Direction::Egress => (logged.in_index, Some(&parties.sender)),
            Direction::Ingress => (logged.out_index, parties.receiver.as_ref()),
        };
        let end = index.and_then(|index| self.end_of(&logged.node, index));
        (end.is_some() && end.as_ref() == asked).then_some(at)
    }

    /// Reports whether a recorded packet has come by a link of whoever may send the case's.
    fn is_from_its_sender(&self, case: &ProbeRecord, logged: &Logged) -> bool {
        let end = logged.in_index.and_then(|index| self.end_of(&logged.node, index));
        case.parties.as_ref().zip(end).is_some_and(|(parties, end)| parties.may_send(&end))
    }

    /// Reports whether a record of what answers a case is of a packet from an end that may not have sent it.
    fn is_forged_answer(&self, case: &ProbeRecord, logged: &Logged) -> bool {
        let end = logged.in_index.and_then(|index| self.end_of(&logged.node, index));
        case.parties.as_ref().zip(end).is_some_and(|(parties, end)| !parties.may_answer(&end))
    }

    /// Returns the namespace at the other end of a router's link, where that is an end of flows.
    fn end_of(&self, router: &NodeName, index: u32) -> Option<NodeName> {
        lock(&self.ends).get(router)?.get(&index).cloned()
    }

    fn post_answer_drop(&self, logged: &Logged, error_about: Option<Tuple>) {
        let case = match error_about {
            Some(asked) => lock(&self.cases).get(&asked).cloned(),
            None => lock(&self.answers).get(&logged.tuple).cloned(),
        };
        let case = case.filter(|case| !self.is_forged_answer(case, logged));
        if let Some(case) = case {
            // An answer may be as long as it likes.
            let flaw = logged.flaw.filter(|flaw| *flaw != Flaw::Long);
            lock(&case.known).answer_drop.get_or_insert_with(|| Logged { flaw, ..logged.clone() });
            case.news.notify_one();
        }
    }

    /// A packet was sent over the link to a namespace.
    pub fn post_sighting(&self, node: &NodeName, seen: &Sighting) {
        let case = lock(&self.cases).get(&seen.tuple).cloned();
        let is_on_its_way = |case: &Arc<ProbeRecord>| {
            lock(&self.routers).get(node).is_none_or(|router| case.is_on_its_way(router, &seen.tuple))
        };
        if let Some(case) = case.filter(is_on_its_way) {
            case.see(node, &seen.tuple);
        }
        let asked = match seen.says {
            Says::Error(about) => lock(&self.cases).get(&about).cloned(),
            Says::Reset | Says::Anything => lock(&self.answers).get(&seen.tuple).cloned(),
        };
        if let Some(case) = asked {
            case.see_back(node, seen);
        }
    }

    /// Packets that came to a namespace have not been looked at, whosesoever they were.
    pub fn post_overlooked(&self, node: &NodeName) {
        for case in lock(&self.cases).values() {
            let mut known = lock(&case.known);
            if !known.overlooked_at.contains(node) {
                known.overlooked_at.push(node.clone());
                case.news.notify_one();
            }
        }
    }

    /// Counts records that were lost.
    pub fn post_lost(&self, count: u64) {
        self.lost.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        self.unheard.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
    }

    /// Returns the number of records that were ever lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A panic elsewhere does not make the evidence worse: it is only ever appended to.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
