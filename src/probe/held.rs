//! Connections held open across changes, and what becomes of them.
//!
//! A connection is alive if a token that each end sends arrives at the other. It is cut if a filter has recorded the
//! drop of what each end sent, and the other end's link has carried a later canary and not the packet. Silence alone,
//! a reset or the death of an end is neither.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::ask::{Ask, parties, stays_inside, tuples};
use super::canary::{self, Links, Receiver};
use super::dropped::{Drop, InterfaceLookup, SentBy, drop_of, words};
use super::evidence::{Logged, ProbeRecord};
use super::prober::Prober;
use super::question::{TOKEN_BYTES, Token};
use super::resolve;
use super::socket_errors;
use crate::fabric::packet::{TCP, Tuple};
use crate::fabric::{FabricError, Namespace, conntrack, remembered};
use crate::model::{Direction, Port, Service};
use crate::network::NodeName;
use crate::network::record::Record;

/// Time that an end waits for what neither arrives nor is recorded. A connection that was cut for a while sends again after a pause that the kernel
/// doubles each time.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The kernel counts in seconds, and clears away a little later.
const EXPIRY_MARGIN: Duration = Duration::from_millis(50);
/// In milliseconds. To a host outside there is no record of an ingress.
const RECORDS_COME_WITHIN: u32 = 20;
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
    /// By what its packets were let pass, and nobody was told yet.
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

impl From<String> for NotMet {
    fn from(why: String) -> Self {
        Self::Apart(why)
    }
}

#[derive(Debug)]
enum End {
    Tcp(TcpStream, Vec<u8>),
    Udp(UdpSocket),
    /// Only the client of a ping can begin; the answer is the kernel's.
    Ping(UdpSocket),
}

impl Connection {
    /// Opens one; the right receiver has answered when this returns.
    ///
    /// # Errors
    /// Why it could not be opened, in words.
    pub async fn open(
        prober: &mut Prober,
        ask: Ask,
        client: Receiver,
        lookup: InterfaceLookup<'_>,
    ) -> Result<Self, NotMet> {
        let server = ask.receiver.as_ref().ok_or_else(|| "nobody holds the address".to_owned())?.node.clone();
        let (socket, port) = prober.open_socket(&ask).await.map_err(NotMet::Unproved)?;
        let token = prober.token();
        let there = tuples(&ask, port);
        let case = prober.board.register(&there, parties(&ask));
        prober.board.expect_answer(&there, &case);
        let to = |port: u16| SocketAddr::new(ask.destination, port);
        let text = |error: io::Error| NotMet::Unproved(error.to_string());
        let opening = async {
            match ask.service {
                Service::Tcp(port) => {
                    let stream = TcpSocket::from_std_stream(socket.into()).connect(to(port.0)).await.map_err(text)?;
                    Ok(End::Tcp(stream, Vec::new()))
                }
                Service::Udp(port) => {
                    let socket = UdpSocket::from_std(socket.into()).map_err(text)?;
                    socket.connect(to(port.0)).await.map_err(text)?;
                    Ok(End::Udp(socket))
                }
                Service::IcmpEcho => {
                    let socket = UdpSocket::from_std(socket.into()).map_err(text)?;
                    socket.connect(to(0)).await.map_err(text)?;
                    Ok(End::Ping(socket))
                }
                Service::Icmp(_) | Service::Protocol(_) => {
                    Err(NotMet::Apart("a connection is held over tcp, udp or ping".to_owned()))
                }
            }
        };
        let opening =
            timeout(ARRIVAL_TIMEOUT, opening).await.map_err(|_| NotMet::Unproved("nobody answers".to_owned()));
        let client_node = Arc::clone(&ask.sender);
        let opened = match opening.flatten() {
            Ok(end) => {
                let records = Vec::new();
                let (heard, was_forgotten) = (Instant::now(), false);
                Self { ask, client, client_node, server, port, token, end, records, heard, was_forgotten }
                    .answered(&case)
                    .await
            }
            Err(why) => Err(why),
        };
        prober.board.forget(&there);
        opened.map_err(|not_met| match not_met {
            NotMet::Apart(why) => NotMet::Apart(why),
            NotMet::Unproved(why) => not_opened(why, &case, lookup),
        })
    }

    /// Itself, once the right receiver has answered.
    async fn answered(mut self, case: &ProbeRecord) -> Result<Self, NotMet> {
        let text = |error: io::Error| NotMet::Unproved(error.to_string());
        let token = self.token;
        self.send(token).await.map_err(text)?;
        let answer = timeout(ARRIVAL_TIMEOUT, self.receive(token)).await;
        match answer.map_err(|_| NotMet::Unproved("nobody answers".to_owned()))?.map_err(text)? {
            // Who was sent the question may say so; any other name is only said.
            Some(name) if name != self.server.0 => {
                let was_sent = case.seen_elsewhere().iter().any(|node| node.0 == name);
                let make = if was_sent { NotMet::Apart } else { NotMet::Unproved };
                Err(make(format!("{name} answered")))
            }
            _ if !self.is_shown(case).await => {
                let why = "it was answered, and nothing proves that it was sent there, or that an answer was sent back";
                Err(NotMet::Unproved(why.to_owned()))
            }
            _ => {
                self.records = admitting(&[case]).await;
                Ok(self)
            }
        }
    }

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

    /// Has both ends send datagrams from fixed ports, until each has heard the other; the client's is this one, where the harness listens. The
    /// first packets may be lost: who has not sent yet takes nothing that no rule admits.
    ///
    /// # Errors
    /// Why they do not meet, in words.
    pub async fn meet(prober: &mut Prober, ask: Ask, client: Receiver, port: Port) -> Result<Self, NotMet> {
        let text = |error: io::Error| error.to_string();
        let Service::Udp(at) = ask.service else {
            return Err("only datagrams are sent from both ends".to_owned().into());
        };
        let server = ask.receiver.as_ref().ok_or_else(|| "nobody holds the address".to_owned())?.node.clone();
        let port = port.0;
        let socket = UdpSocket::from_std(prober.open_beside(&ask, port).await?.into()).map_err(text)?;
        socket.connect(SocketAddr::new(ask.destination, at.0)).await.map_err(text)?;
        let client_node = Arc::clone(&ask.sender);
        let token = prober.token();
        let (end, records, heard, was_forgotten) = (End::Udp(socket), Vec::new(), Instant::now(), false);
        let mut connection = Self { ask, client, client_node, server, port, token, end, records, heard, was_forgotten };
        // Once each has sent, each has been heard, or never is.
        connection.exchange(prober).await?;
        match connection.exchange(prober).await? {
            ((Way::Arrived, Way::Arrived), _) => Ok(connection),
            ((there, back), lacked_room) => {
                let why = format!("what the one end sent {there}, and what the other sent {back}");
                Err(if lacked_room {
                    NotMet::Unproved(format!("{why}, {}", resolve::WANT_OF_ROOM))
                } else if matches!(there, Way::Silent) || matches!(back, Way::Silent) {
                    NotMet::Unproved(why)
                } else {
                    NotMet::Apart(why)
                })
            }
        }
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

    /// Each end sends once; what became of it, and whether there was no room for it.
    async fn exchange(&mut self, prober: &mut Prober) -> Result<((Way, Way), bool), String> {
        let (there, back) = (self.there(), self.back());
        let (case_there, case_back) = (self.case_there(prober), self.case_back(prober));
        let (question, answer) = (prober.token(), prober.token());
        prober.board.expect_delivery(question, &case_there);
        let found = self.both_ways(prober, question, answer, (&case_there, &case_back)).await;
        if self.records.is_empty() && matches!(found, Ok((Way::Arrived, _) | (_, Way::Arrived))) {
            self.records = admitting(&[&case_there, &case_back]).await;
        }
        prober.board.forget(&[there, back].concat());
        prober.board.forget_delivery(&question);
        Ok((found?, [&case_there, &case_back].into_iter().any(|case| lacked_room(case))))
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

    /// The client sends a token.
    async fn send(&mut self, token: Token) -> io::Result<()> {
        match &mut self.end {
            End::Tcp(stream, _) => stream.write_all(&token).await,
            End::Udp(socket) => socket_errors::send(socket, self.ask.destination, &token).await,
            End::Ping(socket) => {
                let kind = if self.ask.destination.is_ipv4() { 8 } else { 128 };
                let mut request = vec![kind, 0, 0, 0, 0, 0, 0, 1];
                request.extend_from_slice(&token);
                socket_errors::send(socket, self.ask.destination, &request).await
            }
        }
    }

    /// Waits until a token comes to the client; gives the name that follows it, if one does.
    async fn receive(&mut self, token: Token) -> io::Result<Option<String>> {
        let mut buffer = [0; 512];
        match &mut self.end {
            End::Tcp(stream, read) => loop {
                if let Some(at) = find(read, &token) {
                    let rest = read.split_off(at + TOKEN_BYTES);
                    let line = rest.iter().position(|byte| *byte == b'\n');
                    if let Some(end) = line {
                        *read = rest[end + 1..].to_vec();
                        return Ok(Some(String::from_utf8_lossy(&rest[..end]).trim().to_owned()));
                    }
                    read.extend_from_slice(&token);
                    read.extend_from_slice(&rest);
                }
                match stream.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => read.extend_from_slice(&buffer[..length]),
                }
            },
            End::Udp(socket) => loop {
                let length = socket_errors::receive(socket, self.ask.destination, &mut buffer).await?;
                if let Some(name) = buffer[..length].strip_prefix(token.as_slice()) {
                    return Ok(Some(String::from_utf8_lossy(name).trim().to_owned()));
                }
            },
            End::Ping(socket) => loop {
                let length = socket_errors::receive(socket, self.ask.destination, &mut buffer).await?;
                if find(&buffer[..length], &token).is_some() {
                    return Ok(None);
                }
            },
        }
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
            let way = timeout(ARRIVAL_TIMEOUT, waiting).await.unwrap_or(Ok(Way::Silent))?;
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
        let (forth, come) = futures::join!(timeout(ARRIVAL_TIMEOUT, forth), timeout(ARRIVAL_TIMEOUT, come));
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
        let held = canary::barrier(&prober.board, &mut prober.ports, &receivers, links).await.unwrap_or_default();
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
                return Held::Inconclusive { why: format!("a drop is on record, {}", resolve::WANT_OF_ROOM) };
            }
            drops.push(drop_of(&logged, sent_by, lookup));
        }
        Held::Cut(drops)
    }

    /// Routers have been told to forget the flows of an address.
    pub fn forget(&mut self, address: IpAddr) {
        self.was_forgotten |= self.there().iter().any(|tuple| tuple.source == address || tuple.destination == address);
    }

    /// Returns the reason why the record of a drop says nothing of the connection. Of TCP what is sent in the middle has no state where nobody remembers the
    /// beginning, whoever sends it. Where somebody does, it is its sender who makes it so; and who has forgotten it before its time has been told by
    /// an end that it has ended.
    async fn unjudged(&self, prober: &Prober, logged: &Logged) -> Option<String> {
        let why = resolve::unjudged(logged)?;
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
                match timeout(ARRIVAL_TIMEOUT, come).await.unwrap_or(Way::Silent) {
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
/// Tells whether it is for the groups, or for the receiver, that a connection does not come about: an end that keeps its own packets is not
/// answered either.
fn not_opened(why: String, case: &ProbeRecord, lookup: InterfaceLookup<'_>) -> NotMet {
    let records = case.records();
    let Some(logged) = records.iter().find(|logged| logged.record.is_drop()) else {
        return if case.sent_back().refusal { NotMet::Apart(why) } else { NotMet::Unproved(why) };
    };
    match resolve::unjudged(logged).or_else(|| resolve::begun_before(logged, &records)) {
        Some(why) => NotMet::Unproved(why),
        None if lacked_room(case) => NotMet::Unproved(format!("a drop is on record, {}", resolve::WANT_OF_ROOM)),
        None => NotMet::Apart(words(&drop_of(logged, SentBy::Opener, lookup))),
    }
}

pub(super) fn lacked_room(case: &ProbeRecord) -> bool {
    case.lacked_room() || case.records().iter().any(|logged| logged.record == Record::Connections)
}

fn admissions_of(case: &ProbeRecord) -> Vec<Logged> {
    case.records().into_iter().filter(|logged| !logged.record.is_drop()).collect()
}

/// The records of what has let something new pass, behind which it has arrived. They are read by others, and may come a little later: what
/// has not come by then is not known.
async fn admitting(cases: &[&ProbeRecord]) -> Vec<Logged> {
    for _ in 0..RECORDS_COME_WITHIN {
        let records: Vec<Logged> = cases.iter().flat_map(|case| admissions_of(case)).collect();
        // Where the receiver's end is in the cloud, its record is the last.
        if records.iter().any(|logged| logged.record.is_at(Direction::Ingress)) {
            return records;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cases.iter().flat_map(|case| admissions_of(case)).collect()
}

fn find(within: &[u8], token: &Token) -> Option<usize> {
    within.windows(TOKEN_BYTES).position(|window| window == token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_begins() {
        let token = *b"0123456789abcdef";
        assert_eq!(find(b"xx0123456789abcdef name\n", &token), Some(2));
        assert_eq!(find(b"0123456789abcde", &token), None);
    }
}
