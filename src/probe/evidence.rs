//! The board on which witnesses post what they saw of the tuples that a probe can have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::attempt::Token;
use crate::compile::network::NodeName;
use crate::compile::record::Record;
use crate::fabric::packet::Tuple;
use crate::model::IcmpMessage;

/// A record of a filter about one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// In whose log it stood.
    pub node: NodeName,
    /// What the filter did.
    pub record: Record,
    /// The interface that the packet came in by.
    pub in_index: Option<u32>,
    /// The interface that it would leave by.
    pub out_index: Option<u32>,
    /// The tuple as the filter saw it.
    pub tuple: Tuple,
    /// What an ICMP message is.
    pub icmp: Option<IcmpMessage>,
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
pub(super) struct Case {
    known: Mutex<Known>,
    /// Woken by every record of a drop and by every sighting.
    pub news: Notify,
}

/// The load balancer's own connection to an instance, made for one that it took.
#[derive(Clone, Debug)]
pub(super) struct PassedOn {
    /// How it looks.
    pub tuple: Tuple,
    /// What is known of it.
    pub case: Arc<Case>,
}

#[derive(Debug, Default)]
struct Known {
    records: Vec<Logged>,
    seen_at: Vec<(NodeName, IpAddr)>,
    delivered_to: Option<NodeName>,
    turned_away: Option<String>,
    passed_on: Option<PassedOn>,
    overlooked_at: Vec<NodeName>,
    /// The first record of a drop of what answers it.
    answer_drop: Option<Logged>,
}

impl Case {
    /// Every record about it, in the order of their arrival.
    pub fn records(&self) -> Vec<Logged> {
        lock(&self.known).records.clone()
    }

    /// Whether some filter has recorded a drop.
    pub fn has_drop(&self) -> bool {
        lock(&self.known).records.iter().any(|logged| logged.record.is_drop())
    }

    /// The record of a drop of its answer, or of an ICMP error about it.
    pub fn answer_drop(&self) -> Option<Logged> {
        lock(&self.known).answer_drop.clone()
    }

    /// Whose socket took its token, for messages that nobody answers.
    pub fn delivered_to(&self) -> Option<NodeName> {
        lock(&self.known).delivered_to.clone()
    }

    /// Why a load balancer closed it, where one did.
    pub fn turned_away(&self) -> Option<String> {
        lock(&self.known).turned_away.clone()
    }

    /// The connection by which a load balancer passed it on, where one did.
    pub fn passed_on(&self) -> Option<PassedOn> {
        lock(&self.known).passed_on.clone()
    }

    /// Whether packets that came to a namespace since this was registered found no place in what watches its interfaces:
    /// then it proves nothing that none of this was seen there.
    pub fn overlooked_at(&self, node: &NodeName) -> bool {
        lock(&self.known).overlooked_at.contains(node)
    }

    /// Whether a packet of it has arrived at a namespace.
    pub fn seen_at(&self, node: &NodeName) -> bool {
        lock(&self.known).seen_at.iter().any(|(seen, _)| seen == node)
    }

    /// Whether a packet of it has arrived at a namespace for an address of it: an appliance sees also what it passes on.
    pub fn seen_by(&self, node: &NodeName, address: IpAddr) -> bool {
        lock(&self.known).seen_at.iter().any(|(seen, to)| seen == node && *to == address)
    }
}

/// Tuples are registered before their first packet; what is not registered is not kept.
#[derive(Debug, Default)]
pub(super) struct Board {
    cases: Mutex<HashMap<Tuple, Arc<Case>>>,
    /// By the tuples of what answers them.
    answers: Mutex<HashMap<Tuple, Arc<Case>>>,
    tokens: Mutex<HashMap<Token, Arc<Case>>>,
    lost: std::sync::atomic::AtomicU64,
    listener: Mutex<Option<mpsc::Sender<Logged>>>,
    unheard: std::sync::atomic::AtomicU64,
}

impl Board {
    /// Gives every record of every filter to whoever is at the other end, from now on. Where there is no place, it is
    /// counted and goes by: the witness waits for nobody.
    pub fn tell(&self, listener: mpsc::Sender<Logged>) {
        *lock(&self.listener) = Some(listener);
    }

    /// How many records were not told, or lost before that, since this was last asked.
    pub fn unheard(&self) -> u64 {
        self.unheard.swap(0, std::sync::atomic::Ordering::Relaxed)
    }

    /// Registers every tuple that a probe can have.
    pub fn register(&self, tuples: &[Tuple]) -> Arc<Case> {
        let case = Arc::new(Case::default());
        let mut cases = lock(&self.cases);
        for tuple in tuples {
            cases.insert(*tuple, Arc::clone(&case));
        }
        case
    }

    /// Registers what answers a case as well.
    pub fn expect_answer(&self, tuples: &[Tuple], case: &Arc<Case>) {
        let mut answers = lock(&self.answers);
        answers.extend(tuples.iter().filter_map(|tuple| tuple.answer()).map(|answer| (answer, Arc::clone(case))));
    }

    /// Registers the token of a message that nobody answers.
    pub fn expect_delivery(&self, token: Token, case: &Arc<Case>) {
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
    pub fn post_turned_away(&self, tuple: &Tuple, why: &str) {
        let case = lock(&self.cases).get(tuple).cloned();
        if let Some(case) = case {
            lock(&case.known).turned_away = Some(why.to_owned());
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
        let untold = lock(&self.listener).as_ref().is_some_and(|listener| listener.try_send(logged.clone()).is_err());
        if untold {
            self.unheard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let case = lock(&self.cases).get(&logged.tuple).cloned();
        if let Some(case) = case {
            let drop = logged.record.is_drop();
            lock(&case.known).records.push(logged);
            if drop {
                case.news.notify_one();
            }
        }
    }

    fn post_answer_drop(&self, logged: &Logged, error_about: Option<Tuple>) {
        let case = match error_about {
            Some(asked) => lock(&self.cases).get(&asked).cloned(),
            None => lock(&self.answers).get(&logged.tuple).cloned(),
        };
        if let Some(case) = case {
            lock(&case.known).answer_drop.get_or_insert_with(|| logged.clone());
            case.news.notify_one();
        }
    }

    /// An arrival at a namespace.
    pub fn post_sighting(&self, node: &NodeName, tuple: &Tuple) {
        let case = lock(&self.cases).get(tuple).cloned();
        if let Some(case) = case {
            lock(&case.known).seen_at.push((node.clone(), tuple.destination));
            case.news.notify_one();
        }
    }

    /// Packets that came to a namespace have not been looked at, whosesoever they were.
    pub fn post_overlooked(&self, node: &NodeName) {
        for case in lock(&self.cases).values() {
            let mut known = lock(&case.known);
            if !known.overlooked_at.contains(node) {
                known.overlooked_at.push(node.clone());
            }
        }
    }

    /// Counts records that were lost.
    pub fn post_lost(&self, count: u64) {
        self.lost.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        self.unheard.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
    }

    /// How many records were ever lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A panic elsewhere does not make the evidence worse: it is only ever appended to.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
