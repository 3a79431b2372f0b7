//! Connections held open across changes, and what becomes of them.
//!
//! A connection is alive if a token that each end sends arrives at the other. It is cut if a filter has recorded the
//! drop of what each end sent, and the other end's link has carried a later canary and not the packet. Silence alone,
//! a reset or the death of an end is neither.

mod end;
mod opening;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use end::End;
use ipnet::IpNet;

use super::ask::{Ask, parties, stays_inside, tuples};
use super::canary::{self, Links, Receiver};
use super::dropped::{Drop, InterfaceLookup, SentBy, drop_of};
use super::evidence::{Logged, ProbeRecord};
use super::failure::SocketFailure;
use super::missing::{MissingEvidence, WANT_OF_ROOM};
use super::patience::within;
use super::prober::Prober;
use super::question::Token;
use super::resolve;
use crate::fabric::packet::{TCP, Tuple};
use crate::fabric::{FabricError, Namespace, conntrack, remembered};
use crate::model::{Port, Service};
use crate::network::NodeName;
use crate::network::record::Record;

/// Time that an end waits for what neither arrives nor is recorded. A connection that was cut for a while sends again after a pause that the kernel
/// doubles each time.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The kernel counts in seconds, and clears away a little later.
const EXPIRY_MARGIN: Duration = Duration::from_millis(50);
/// So often the rest of a flow's time is asked for.
const MAX_ROUNDS: usize = 200;

/// State of a held connection, as evidence shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The data of each end has arrived at the other.
    Alive,
    /// The data of each end was dropped, on record, and has not arrived. One drop for each end that can send.
    Cut(Vec<Drop>),
    /// The data of the server alone was dropped, on record, and has not arrived: nobody remembers the question.
    Unanswerable(Vec<Drop>),
    /// An end is no more: its instance stopped, or it ended the connection.
    Gone {
        /// Reason, as far as it is known.
        why: String,
    },
    /// Nothing proves any of these.
    Inconclusive {
        /// Evidence that is missing.
        why: String,
    },
}

/// A connection under way.
#[derive(Debug)]
pub struct Connection {
    ask: Ask,
    /// The way back: where the client is.
    client: Receiver,
    client_node: Arc<Namespace>,
    server: NodeName,
    port: u16,
    /// Names the connection at the server's side.
    token: Token,
    end: End,
    /// Records of what let its packets pass, of which nobody was told yet.
    records: Vec<Logged>,
    /// Time at which each end has last heard the other.
    heard: Instant,
    /// True if the lab itself has had routers forget flows of an address that it has.
    was_forgotten: bool,
}

/// Reason why two ends do not meet.
#[derive(Debug)]
pub enum NotMet {
    /// In words.
    Apart(String),
    /// The same, and nothing proves that it is for their groups.
    Unproved(String),
}

impl NotMet {
    /// Nobody holds the address that is asked.
    pub(super) fn nobody() -> Self {
        Self::Apart("nobody holds the address".to_owned())
    }

    /// A socket, a thread or a namespace of the harness has failed, which says nothing of the groups.
    pub(super) fn unproved(why: impl std::fmt::Display) -> Self {
        Self::Unproved(why.to_string())
    }
}

impl From<SocketFailure> for NotMet {
    fn from(why: SocketFailure) -> Self {
        Self::unproved(why)
    }
}

impl Connection {
    /// Reports whether what the client has sent was sent over the server's link, and an answer over its own: else it may have spoken to itself.
    async fn is_shown(&self, case: &ProbeRecord) -> bool {
        if stays_inside(&self.ask) {
            return true;
        }
        let at = self.server_address();
        let is_sent = |case: &ProbeRecord| case.seen_by(&self.server, at) || case.overlooked_at(&self.server);
        let is_answered = |case: &ProbeRecord| case.sent_back().answer || case.overlooked_at(&self.client.node);
        canary::wait(case, |case| is_sent(case) && is_answered(case)).await
            && case.seen_by(&self.server, at)
            && case.sent_back().answer
    }

    /// The records of what has let its packets pass, since this was last asked.
    pub fn take_records(&mut self) -> Vec<Logged> {
        std::mem::take(&mut self.records)
    }

    /// Reports whether it is between the ends and ports of what is to be held, whoever is its client. False for all but UDP.
    pub fn is_between(&self, ask: &Ask, port: Port) -> bool {
        if !matches!(self.end, End::Udp(_)) {
            return false;
        }
        let own = [self.there(), self.back()].concat();
        tuples(ask, port.0).iter().any(|tuple| own.contains(tuple))
    }

    /// The tuples of what the client sends, before and behind the gateway.
    fn there(&self) -> Vec<Tuple> {
        tuples(&self.ask, self.port)
    }

    /// The tuples of what the server sends.
    fn back(&self) -> Vec<Tuple> {
        self.there().into_iter().map(Tuple::turned).collect()
    }

    /// Registers what the client sends, and what answers it.
    fn case_there(&self, prober: &Prober) -> Arc<ProbeRecord> {
        let there = self.there();
        let case = prober.board.register(&there, parties(&self.ask));
        prober.board.expect_answer(&there, &case);
        case
    }

    /// Registers what the server sends.
    fn case_back(&self, prober: &Prober) -> Arc<ProbeRecord> {
        prober.board.register(&self.back(), parties(&self.ask).turned(self.server.clone()))
    }

    async fn send(&mut self, token: Token) -> io::Result<()> {
        self.end.send(self.ask.destination, token).await
    }

    async fn receive(&mut self, token: Token) -> io::Result<Option<String>> {
        self.end.receive(self.ask.destination, token).await
    }

    /// Finds out what has become of the connection.
    pub async fn examine(&mut self, prober: &mut Prober, lookup: InterfaceLookup<'_>) -> Held {
        if !prober.listens(&self.server) {
            return Held::Gone { why: format!("what answered at {} is no more", self.server) };
        }
        let lost = prober.lost();
        let links = prober.links_of(&self.receivers()).await;
        let (there, back) = (self.there(), self.back());
        let (case_there, case_back) = (self.case_there(prober), self.case_back(prober));
        let (question, answer) = (prober.token(), prober.token());
        prober.board.expect_delivery(question, &case_there);
        let found = self.both_ways(prober, question, answer, (&case_there, &case_back)).await;
        let held = match found {
            // Of a ping the client alone says that it was answered.
            Ok((Way::Arrived, Way::Arrived)) if self.is_ping() && !self.is_shown(&case_there).await => {
                let why =
                    "the client was answered, and nothing proves that the server was asked, or answered".to_owned();
                Held::Inconclusive { why }
            }
            Ok((Way::Arrived, Way::Arrived)) => {
                self.heard = Instant::now();
                Held::Alive
            }
            Ok((Way::Recorded(first), Way::Recorded(second))) => {
                self.cut(prober, &links, [(&case_there, first), (&case_back, second)], lookup).await
            }
            Ok((there, back)) => {
                let why = format!("what the client sent {there}, and what the server sent {back}");
                Held::Inconclusive { why }
            }
            Err(why) => Held::Gone { why },
        };
        self.records.extend([&case_there, &case_back].into_iter().flat_map(|case| admissions_of(case)));
        prober.board.forget(&[there, back].concat());
        prober.board.forget_delivery(&question);
        match held {
            Held::Inconclusive { why } if prober.lost() > lost => {
                Held::Inconclusive { why: format!("{why}; log records were lost meanwhile") }
            }
            held => held,
        }
    }

    /// Each end sends, and each direction is watched until it has arrived or a drop of it is on record.
    async fn both_ways(
        &mut self,
        prober: &Prober,
        question: Token,
        answer: Token,
        (there, back): (&ProbeRecord, &ProbeRecord),
    ) -> Result<(Way, Way), String> {
        let ended = |error: io::Error| format!("the connection has ended: {error}");
        self.send(question).await.map_err(ended)?;
        if self.is_ping() {
            let waiting = async {
                tokio::select! {
                    biased;
                    answered = self.receive(question) => answered.map(|_| Way::Arrived).map_err(ended),
                    way = watch(there) => Ok(way),
                }
            };
            let way = within(ARRIVAL_TIMEOUT, waiting).await.unwrap_or(Ok(Way::Silent))?;
            return Ok(match way {
                Way::Arrived => (Way::Arrived, Way::Arrived),
                Way::Recorded(logged) => (Way::Recorded(logged), Way::Recorded(None)),
                Way::Silent => (Way::Silent, Way::Silent),
            });
        }
        let client = SocketAddr::new(self.client_as_seen(), self.port);
        let service = self.ask.service;
        let (server, token) = (self.server.clone(), self.token);
        prober.send_from((&server, self.server_address()), service, token, client, answer).await.map_err(ended)?;
        let forth = watch(there);
        let come = async {
            tokio::select! {
                biased;
                received = self.receive(answer) => received.map(|_| Way::Arrived).map_err(ended),
                way = watch(back) => Ok(way),
            }
        };
        let (forth, come) = futures::join!(within(ARRIVAL_TIMEOUT, forth), within(ARRIVAL_TIMEOUT, come));
        Ok((forth.unwrap_or(Way::Silent), come.unwrap_or(Ok(Way::Silent))?))
    }

    fn is_ping(&self) -> bool {
        matches!(self.end, End::Ping(_))
    }

    /// Both ends, as those to whom something is sent.
    fn receivers(&self) -> Vec<Receiver> {
        self.ask.receiver.clone().into_iter().chain([self.client.clone()]).collect()
    }

    /// The server's own address, at which it was asked.
    fn server_address(&self) -> IpAddr {
        self.ask.receiver.as_ref().map_or(self.ask.destination, |receiver| receiver.address)
    }

    /// The client's address as the server sees it.
    fn client_as_seen(&self) -> IpAddr {
        match &self.ask.translated {
            Some((source, _)) => *source,
            None => self.ask.source,
        }
    }

    /// The records say dropped: a canary behind the packets shows whether the links were silent.
    async fn cut(
        &self,
        prober: &mut Prober,
        links: &Links,
        ways: [(&Arc<ProbeRecord>, Option<Logged>); 2],
        lookup: InterfaceLookup<'_>,
    ) -> Held {
        let receivers = self.receivers();
        let held = match canary::barrier(&prober.board, &mut prober.canary_ports, &receivers, links).await {
            Ok(held) => held,
            Err(error) => {
                let why = MissingEvidence::CanaryNotSent(error.into());
                return Held::Inconclusive { why: format!("a drop is on record, but {why}") };
            }
        };
        let mut drops = Vec::new();
        let ends = receivers.iter().zip([SentBy::Opener, SentBy::Answerer]);
        for ((case, logged), (receiver, sent_by)) in ways.into_iter().zip(ends) {
            let Some(logged) = logged else { continue };
            if !held.contains(&receiver.link()) {
                let why =
                    format!("a drop is on record, but {}'s link carried no canary to prove it silent", receiver.node);
                return Held::Inconclusive { why };
            }
            if case.overlooked_at(&receiver.node) {
                let why = format!("a drop is on record, but more came to {} than could be looked at", receiver.node);
                return Held::Inconclusive { why };
            }
            if case.seen_by(&receiver.node, receiver.address) {
                let why = format!("a drop is on record, and yet {} has seen it", receiver.node);
                return Held::Inconclusive { why };
            }
            if let Some(why) = self.unjudged(prober, &logged).await {
                return Held::Inconclusive { why };
            }
            if lacked_room(case) {
                return Held::Inconclusive { why: format!("a drop is on record, {WANT_OF_ROOM}") };
            }
            drops.push(drop_of(&logged, sent_by, lookup));
        }
        Held::Cut(drops)
    }

    /// Routers have been told to forget the flows of a block.
    pub fn forget(&mut self, block: IpNet) {
        self.was_forgotten |=
            self.there().iter().any(|tuple| block.contains(&tuple.source) || block.contains(&tuple.destination));
    }

    /// Returns the reason why the record of a drop says nothing of the connection. Of TCP what is sent in the middle has no state where nobody remembers the
    /// beginning, whoever sends it. Where somebody does, it is its sender who makes it so; and who has forgotten it before its time has been told by
    /// an end that it has ended.
    async fn unjudged(&self, prober: &Prober, logged: &Logged) -> Option<String> {
        let why = resolve::unjudged(logged)?.to_string();
        if logged.record != Record::Invalid || logged.tuple.protocol != TCP {
            return Some(why);
        }
        let Some(node) = prober.tracking().iter().find(|node| node.name == logged.node) else { return Some(why) };
        match conntrack::knows(node, logged.tuple).await {
            Ok(false) if self.was_forgotten => None,
            Ok(false) => match conntrack::keeps_connections_for(node).await {
                Ok(time) if self.heard.elapsed() >= time => None,
                Ok(_) => Some(format!(
                    "{} has it on record as invalid, and forgot the connection before its time: an end has closed or reset it",
                    logged.node
                )),
                Err(error) => Some(error.to_string()),
            },
            Ok(true) => Some(format!("{} has it on record as invalid, and remembers the connection", logged.node)),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Waits, in silence, until none of these namespaces remembers it.
    ///
    /// # Errors
    /// In words: the kernel's, or that it is remembered for ever.
    pub async fn until_forgotten(&self, tracking: &[Arc<Namespace>]) -> Result<(), String> {
        let tuples = [self.there(), self.back()].concat();
        let rest = async |node: &Arc<Namespace>| {
            let tracked = conntrack::remembered_for(node, &tuples).await?;
            let Service::Udp(_) = self.ask.service else { return Ok(tracked) };
            Ok(tracked.max(remembered::remembered_for(node, &tuples).await?))
        };
        let in_words = |error: FabricError| error.to_string();
        for node in tracking {
            // Each time the rest is less, so this ends; some rounds are for the kernel, which clears away in its own time.
            for _ in 0..MAX_ROUNDS {
                match rest(node).await.map_err(in_words)? {
                    None => break,
                    Some(left) => tokio::time::sleep(left.max(EXPIRY_MARGIN)).await,
                }
            }
            if let Some(left) = rest(node).await.map_err(in_words)? {
                return Err(format!("{} remembers it for another {} ms", node.name, left.as_millis()));
            }
        }
        Ok(())
    }

    /// Finds out what becomes of what the server alone sends: an answer, as long as somebody remembers the question.
    pub async fn examine_answer(&mut self, prober: &mut Prober, lookup: InterfaceLookup<'_>) -> Held {
        let links = prober.links_of(&self.receivers()).await;
        let back = self.back();
        let case = self.case_back(prober);
        let token = prober.token();
        let client = SocketAddr::new(self.client_as_seen(), self.port);
        let sent =
            prober.send_from((&self.server, self.server_address()), self.ask.service, self.token, client, token).await;
        let held = match sent {
            Err(error) => Held::Gone { why: format!("the connection has ended: {error}") },
            Ok(()) => {
                let come = async {
                    tokio::select! {
                        biased;
                        received = self.receive(token) => received.map_or(Way::Silent, |_| Way::Arrived),
                        way = watch(&case) => way,
                    }
                };
                match within(ARRIVAL_TIMEOUT, come).await.unwrap_or(Way::Silent) {
                    Way::Arrived => Held::Alive,
                    Way::Recorded(logged) => {
                        match self.cut(prober, &links, [(&case, None), (&case, logged)], lookup).await {
                            Held::Cut(drops) => Held::Unanswerable(drops),
                            other => other,
                        }
                    }
                    Way::Silent => Held::Inconclusive { why: format!("what the server sent {}", Way::Silent) },
                }
            }
        };
        prober.board.forget(&back);
        held
    }

    /// The namespaces of both ends: when one is gone, so is the connection.
    pub fn ends(&self) -> [&NodeName; 2] {
        [&self.client_node.name, &self.server]
    }
}

/// Result of one end's sending.
#[derive(Debug)]
enum Way {
    Arrived,
    /// Nothing where this end cannot begin: it has answered nothing, for it was asked nothing.
    Recorded(Option<Logged>),
    Silent,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Arrived => "has arrived",
            Self::Recorded(_) => "was dropped",
            Self::Silent => "neither arrived nor is recorded",
        })
    }
}

/// Waits until a token has come to a socket, or a drop is on record.
async fn watch(case: &ProbeRecord) -> Way {
    loop {
        if case.delivered_to().is_some() {
            return Way::Arrived;
        }
        if let Some(logged) = case.records().into_iter().find(|logged| logged.record.is_drop()) {
            return Way::Recorded(Some(logged));
        }
        case.news.notified().await;
    }
}

/// Reports whether it was dropped for want of room, or where memory might have let it pass for which there was none.
pub(super) fn lacked_room(case: &ProbeRecord) -> bool {
    case.lacked_room() || case.records().iter().any(|logged| logged.record == Record::Connections)
}

fn admissions_of(case: &ProbeRecord) -> Vec<Logged> {
    case.records().into_iter().filter(|logged| !logged.record.is_drop()).collect()
}
