//! Probes in batches: sockets first, evidence while they wait, canaries behind them, and only then the outcomes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::StreamExt;
use ipnet::IpNet;
use socket2::Socket;

use super::ask::{Ask, is_unanswered, next_chunk, parties, portless, tuples};
use super::attempt;
use super::balancer::Balancer;
use super::canary::{self, CanaryPorts, KnownPath, Receiver};
use super::evidence::{EvidenceBoard, Logged};
use super::failure::SocketFailure;
use super::missing::MissingEvidence;
use super::observer::{Observer, ObserverSocket};
use super::parties::LinkId;
use super::ports::SourcePorts;
use super::question::{self, Answer, Token};
use super::servers::Servers;
use super::waiting::{Probe, ProbeEvidence, State, finish, until_evidence};
use crate::fabric::links::OtherEnd;
use crate::fabric::nflog::LogSocket;
use crate::fabric::packet::Tuple;
use crate::fabric::{FabricError, Namespace, conntrack, remembered};
use crate::model::{Port, Service};
use crate::network::{NodeKind, NodeName};

/// So many probes share their canaries and are open at once.
const BATCH_SIZE: usize = 1024;
/// So many where more have been too many to look at.
const SMALL_BATCH_SIZE: usize = 32;
/// So many probes wait for their answer at the same time.
const IN_FLIGHT: usize = 256;

/// Probes, listeners and observer of a lab.
#[derive(Debug)]
pub struct Prober {
    pub(super) board: Arc<EvidenceBoard>,
    pub(super) witness: Observer,
    pub(super) servers: HashMap<NodeName, Vec<Servers>>,
    pub(super) balancers: HashMap<NodeName, Balancer>,
    /// Listeners for the probes under way only.
    pub(super) brief: Vec<Servers>,
    pub(super) ports: SourcePorts,
    pub(super) canary_ports: CanaryPorts,
    /// Other end of each link that is watched, as it was when the link was made.
    pub(super) led_to: HashMap<LinkId, OtherEnd>,
    tracking: Vec<Arc<Namespace>>,
    appliances: Vec<Arc<Namespace>>,
    tokens: std::hash::RandomState,
    asked: u64,
}

impl Prober {
    /// Starts the observer.
    ///
    /// # Errors
    /// The OS error.
    pub fn start() -> io::Result<Self> {
        let board = Arc::new(EvidenceBoard::default());
        let witness = Observer::start(Arc::clone(&board))?;
        let servers = HashMap::new();
        Ok(Self {
            board,
            witness,
            servers,
            balancers: HashMap::new(),
            brief: Vec::new(),
            ports: SourcePorts::default(),
            canary_ports: CanaryPorts::default(),
            led_to: HashMap::new(),
            tracking: Vec::new(),
            appliances: Vec::new(),
            tokens: Default::default(),
            asked: 0,
        })
    }

    /// Gives every record of every filter to a listener from now on.
    pub fn tell(&self, listener: tokio::sync::mpsc::Sender<Logged>) {
        self.board.tell(listener);
    }

    /// Returns the number of records that no listener was told of since the last call.
    pub fn unheard(&self) -> u64 {
        self.board.unheard()
    }

    /// Reads a namespace's log from now on.
    ///
    /// # Errors
    /// The OS error.
    pub async fn watch_log(&self, node: &Arc<Namespace>) -> Result<(), FabricError> {
        self.witness.watch(node.name.clone(), ObserverSocket::Log(LogSocket::open(node).await?));
        Ok(())
    }

    /// Sets where the lab tracks flows from now on, and which instances track what they pass on.
    pub fn tracks(&mut self, nodes: Vec<Arc<Namespace>>, appliances: Vec<Arc<Namespace>>) {
        self.tracking = nodes;
        self.appliances = appliances;
    }

    /// Sets the time for which routers remember what interfaces have sent.
    pub fn remembers_for(&mut self, memory: std::time::Duration) {
        self.board.remembers_for(memory);
    }

    /// Returns the namespaces where connections are tracked.
    pub fn tracking(&self) -> &[Arc<Namespace>] {
        &self.tracking
    }

    /// Closes everything of a namespace but the taps of its links.
    pub async fn leave(&mut self, node: &NodeName) {
        self.silence(node).await;
        self.balancers.remove(node);
        self.witness.forget(node.clone());
    }

    /// The tracked flows of a block have been forgotten: the source ports may be used again.
    pub fn forget_senders(&mut self, block: IpNet) {
        self.ports.reset(block);
    }

    /// Waits until whatever the filters of these paths have recorded up to now is read; false where a canary says nothing.
    pub async fn settles(&mut self, paths: &[KnownPath]) -> bool {
        self.canaries_hold(paths).await.is_ok()
    }

    /// Sends canaries down the paths of known fate.
    ///
    /// # Errors
    /// The reason why nothing is proved: one did not do as it must, or could not be sent.
    pub(super) async fn canaries_hold(&mut self, paths: &[KnownPath]) -> Result<(), MissingEvidence> {
        for path in paths {
            match canary::known_path(&self.board, &mut self.canary_ports, path).await {
                Ok(true) => {}
                Ok(false) => return Err(MissingEvidence::Canary),
                Err(error) => return Err(MissingEvidence::CanaryNotSent(error.into())),
            }
        }
        Ok(())
    }

    /// Asks everything, and gives one finding for each, in order. What there were too many packets to see is asked once more, in smaller
    /// company.
    pub(super) async fn ask_all(&mut self, asks: &[Ask]) -> Vec<ProbeEvidence> {
        let mut findings: Vec<Option<ProbeEvidence>> = asks.iter().map(|_| None).collect();
        self.ask_these(asks, (0..asks.len()).collect(), BATCH_SIZE, &mut findings).await;
        let is_blind = |number: &usize| findings[*number].as_ref().is_some_and(ProbeEvidence::is_blind);
        let blind: Vec<usize> = (0..asks.len()).filter(is_blind).collect();
        self.ask_these(asks, blind, SMALL_BATCH_SIZE, &mut findings).await;
        findings.into_iter().flatten().collect()
    }

    async fn ask_these(
        &mut self,
        asks: &[Ask],
        these: Vec<usize>,
        most: usize,
        findings: &mut [Option<ProbeEvidence>],
    ) {
        let mut rest = these;
        while !rest.is_empty() {
            let (chunk, later) = next_chunk(asks, &rest, most);
            rest = later;
            let these: Vec<Ask> = chunk.iter().map(|number| asks[*number].clone()).collect();
            for (number, finding) in chunk.into_iter().zip(self.ask_chunk(&these).await) {
                findings[number] = Some(finding);
            }
        }
    }

    async fn ask_chunk(&mut self, asks: &[Ask]) -> Vec<ProbeEvidence> {
        let lost_before = self.board.lost();
        let receivers = receivers_of(asks);
        let links = self.links_of(&receivers).await;
        let forgotten = self.forget_portless(asks).await;
        let opened = self.open_sockets(asks).await;
        let mut started = Vec::new();
        for (ask, socket) in asks.iter().zip(opened) {
            let token = self.token();
            let socket = match &forgotten {
                Err(why) if matches!(ask.service, Service::Protocol(_)) => Err(why.clone()),
                _ => socket,
            };
            let tuples = match &socket {
                Ok((_, port)) => tuples(ask, *port),
                Err(_) => Vec::new(),
            };
            let case = self.board.register(&tuples, parties(ask));
            if is_unanswered(ask) {
                self.board.expect_delivery(token, &case);
            } else {
                self.board.expect_answer(&tuples, &case);
            }
            started.push((ask, socket, token, tuples, case));
        }
        let tokens: Vec<Token> =
            started.iter().filter(|(ask, ..)| is_unanswered(ask)).map(|(_, _, token, ..)| *token).collect();
        let running = started.into_iter().enumerate().map(|(number, (ask, socket, token, tuples, case))| async move {
            let state = match socket {
                Ok((socket, port)) => {
                    let asking = attempt::ask(socket, ask.service, ask.destination, port, token, ask.answering);
                    until_evidence(ask, Box::pin(asking), &case).await
                }
                Err(why) => State::Answered(Answer::Failed(why), true),
            };
            (number, Probe { case, tuples, state })
        });
        // Unordered: one that waits for its fallback must not hold up those behind it.
        let mut probes: Vec<(usize, Probe)> =
            futures::stream::iter(running).buffer_unordered(IN_FLIGHT).collect().await;
        probes.sort_unstable_by_key(|(number, _)| *number);
        // A canary that cannot be sent has not arrived: nothing is proved by it.
        let barrier = canary::barrier(&self.board, &mut self.canary_ports, &receivers, &links);
        let arrived = barrier.await.map_err(SocketFailure::from);
        let lost = self.board.lost() - lost_before;
        let findings = asks.iter().zip(probes).map(|(ask, (_, probe))| {
            let arrived = arrived.as_ref();
            async move { finish(ask, probe, arrived, lost).await }
        });
        let finished: Vec<(ProbeEvidence, Vec<Tuple>)> = futures::future::join_all(findings).await;
        let (findings, tuples): (Vec<_>, Vec<_>) = finished.into_iter().unzip();
        self.board.forget(&tuples.concat());
        tokens.iter().for_each(|token| self.board.forget_delivery(token));
        findings
    }

    /// Forgets the flows without ports that have an end in common with those to be asked: tracking would take the new
    /// ones for the old.
    async fn forget_portless(&self, asks: &[Ask]) -> Result<(), SocketFailure> {
        let tuples = asks.iter().filter_map(portless).flatten();
        let ends: HashSet<(u8, IpAddr)> = tuples.map(|tuple| (tuple.protocol, tuple.source)).collect();
        if ends.is_empty() {
            return Ok(());
        }
        let nodes = [&self.tracking[..], &self.appliances].concat();
        conntrack::forget_portless(&nodes, &ends).await.map_err(in_words)?;
        let routers: Vec<_> = nodes.into_iter().filter(|node| node.kind == NodeKind::Router).collect();
        remembered::forget_protocols(&routers, &ends).await.map_err(in_words)
    }

    /// Opens the sockets of a chunk, one visit to each sender's namespace.
    async fn open_sockets(&mut self, asks: &[Ask]) -> Vec<Result<(Socket, u16), SocketFailure>> {
        let mut by_sender: HashMap<NodeName, Vec<usize>> = HashMap::new();
        for (number, ask) in asks.iter().enumerate() {
            by_sender.entry(ask.sender.name.clone()).or_default().push(number);
        }
        let mut jobs = Vec::new();
        for numbers in by_sender.into_values() {
            let mut wanted = Vec::new();
            for number in &numbers {
                let ask = &asks[*number];
                let port = self.source_port(ask);
                wanted.push((ask.service, ask.source, port, ask.forged));
            }
            let sender = Arc::clone(&asks[numbers[0]].sender);
            jobs.push(async move {
                let opened = sender.run(move || wanted.into_iter().map(open_one).collect::<Vec<_>>()).await;
                (numbers, opened)
            });
        }
        let mut sockets: Vec<Result<(Socket, u16), SocketFailure>> =
            asks.iter().map(|_| Err(SocketFailure::NotOpened)).collect();
        for (numbers, opened) in futures::future::join_all(jobs).await {
            match opened {
                Ok(opened) => {
                    for (number, socket) in numbers.into_iter().zip(opened) {
                        sockets[number] = socket;
                    }
                }
                Err(error) => {
                    for number in numbers {
                        sockets[number] = Err(SocketFailure::Kernel(error.to_string()));
                    }
                }
            }
        }
        self.retry_taken_ports(asks, &mut sockets).await;
        sockets
    }

    /// A program in the instance may hold a source port: then the next one will do.
    async fn retry_taken_ports(&mut self, asks: &[Ask], sockets: &mut [Result<(Socket, u16), SocketFailure>]) {
        for (ask, socket) in asks.iter().zip(sockets) {
            for _ in 0..16 {
                if !matches!(socket, Err(SocketFailure::PortTaken)) {
                    break;
                }
                let (service, source, forged) = (ask.service, ask.source, ask.forged);
                let port = self.source_port(ask);
                let opened = ask.sender.run(move || open_one((service, source, port, forged))).await;
                *socket = opened.unwrap_or_else(|error| Err(in_words(error)));
            }
        }
    }

    /// The next source port or identifier of a sender; 0 for a protocol that has none.
    fn source_port(&mut self, ask: &Ask) -> Result<u16, SocketFailure> {
        if matches!(ask.service, Service::Protocol(_)) {
            return Ok(0);
        }
        Ok(self.ports.take(ask.ports_of, question::protocol(ask.service, ask.source))?)
    }

    /// Returns the number of log records that were ever lost.
    pub(super) fn lost(&self) -> u64 {
        self.board.lost()
    }

    /// Opens and binds the one socket of an ask.
    pub(super) async fn open_socket(&mut self, ask: &Ask) -> Result<(Socket, u16), SocketFailure> {
        let opened = self.open_sockets(std::slice::from_ref(ask)).await;
        opened.into_iter().next().unwrap_or_else(|| Err(SocketFailure::NotOpened))
    }

    /// Opens the socket of an ask at a port that listeners of ours hold, beside them: what comes from whom it is connected to comes to it alone.
    pub(super) async fn open_beside(&mut self, ask: &Ask, port: u16) -> Result<Socket, SocketFailure> {
        let listeners = self.servers.get(&ask.sender.name).into_iter().flatten();
        let shared = listeners.map(|servers| servers.share(Port(port))).collect::<Vec<_>>();
        let (service, source, forged) = (ask.service, ask.source, ask.forged);
        let opened = ask.sender.run(move || attempt::open_beside(service, source, port, forged)).await;
        drop(shared);
        let opened = opened.map_err(in_words)?;
        opened.map_err(|error| SocketFailure::Bind { source, port, error: error.to_string() })
    }

    /// Sends a token from the server's end of a held connection, and from the address there that was asked.
    pub(super) async fn send_from(
        &self,
        (server, at): (&NodeName, IpAddr),
        service: Service,
        connection: Token,
        client: SocketAddr,
        token: Token,
    ) -> io::Result<()> {
        for servers in self.servers.get(server).into_iter().flatten().filter(|servers| servers.serves(service)) {
            match servers.send(service, connection, at, client, token).await {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                sent => return sent,
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    pub(super) fn token(&mut self) -> Token {
        use std::hash::BuildHasher;
        self.asked += 1;
        let text = format!("{:016x}", self.tokens.hash_one(self.asked));
        let mut token = Token::default();
        token.copy_from_slice(text.as_bytes());
        token
    }
}

/// Returns all who may receive something of a chunk, each once.
fn receivers_of(asks: &[Ask]) -> Vec<Receiver> {
    let mut known = HashSet::new();
    let receivers = asks.iter().filter_map(|ask| ask.receiver.as_ref());
    receivers.filter(|receiver| known.insert(receiver.link())).cloned().collect()
}

fn in_words(error: FabricError) -> SocketFailure {
    SocketFailure::Kernel(error.to_string())
}

fn open_one(
    (service, source, port, forged): (Service, IpAddr, Result<u16, SocketFailure>, bool),
) -> Result<(Socket, u16), SocketFailure> {
    let port = port?;
    attempt::open(service, source, port, forged).map(|socket| (socket, port)).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            SocketFailure::PortTaken
        } else {
            SocketFailure::Bind { source, port, error: error.to_string() }
        }
    })
}
