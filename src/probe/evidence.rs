//! Evidence board: observers post what they saw of the tuples that a probe can have.

mod case;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

pub use case::Logged;
use case::lock;
pub(super) use case::{PassedOn, ProbeRecord, UnaskedPacket};

use super::failure::CloseReason;
use super::parties::{LinkId, Parties, Wrong};
use super::question::Token;
use crate::fabric::packet::flaw::Flaw;
use crate::fabric::packet::{Says, Sighting, Tuple};
use crate::model::Direction;
use crate::model::protocol::{ICMP, ICMPV6, TCP};
use crate::network::NodeName;
use crate::network::record::Record;

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
    pub fn post_turned_away(&self, tuple: &Tuple, why: CloseReason) {
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
                Some(Wrong::Astray) => known.strays.push(UnaskedPacket::Astray(logged)),
                Some(Wrong::Changed | Wrong::Forged(_)) => known.strays.push(UnaskedPacket::Changed(logged)),
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

#[cfg(test)]
mod tests;
