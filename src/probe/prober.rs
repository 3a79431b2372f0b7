//! Probes in batches: sockets first, evidence while they wait, canaries behind them, and only then the outcomes.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use socket2::Socket;
use tokio::time::timeout;

use super::attempt::{self, Answer, Token};
use super::balancer::Balancer;
use super::canary::{self, KnownPath, Receiver};
use super::evidence::{Board, Case, Logged};
use super::ports::SourcePorts;
use super::servers::Servers;
use super::witness::{Eye, Witness};
use crate::compile::network::NodeName;
use crate::fabric::nflog::LogSocket;
use crate::fabric::packet::Tuple;
use crate::fabric::tap::Tap;
use crate::fabric::{FabricError, Namespace, conntrack};
use crate::model::Service;

/// So many probes share their canaries and are open at once.
const CHUNK: usize = 1024;
/// So many probes wait for their answer at the same time.
const IN_FLIGHT: usize = 256;
/// The fallback: how long a probe waits that neither an answer nor a record resolves.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a probe is to ask, with every address that it can have.
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
    /// Whose source ports it takes one of: an appliance and those behind it share theirs, for it has one address for all.
    pub ports_of: IpAddr,
    /// Whether the source is not an address of the sender, who then sees no answer.
    pub forged: bool,
    /// The addresses of appliances that may pass it on as their own.
    pub passed_on_by: Vec<IpAddr>,
    /// What it asks for.
    pub service: Service,
    /// Who holds the address, if anybody has a link for it.
    pub receiver: Option<Receiver>,
    /// Who may answer in its place: the instances behind a load balancer.
    pub behind: Vec<NodeName>,
    /// What answers there, if anything does.
    pub answering: Answering,
}

/// What answers at the receiver's port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// A listener of ours, which repeats the token and names itself; or nothing.
    #[default]
    Harness,
    /// A program of the user's, which knows nothing of tokens: nothing is said to it that its protocol may not have.
    Program,
}

/// What came of an [`Ask`].
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What the socket came to, if it came to anything.
    pub answer: Option<Answer>,
    /// What the filters recorded.
    pub records: Vec<Logged>,
    /// Whether a packet of it arrived at the receiver.
    pub seen: bool,
    /// Whether the receiver's canaries arrived, so that "not seen" means something.
    pub canary_arrived: bool,
    /// Why a load balancer closed it, where one did.
    pub turned_away: Option<String>,
    /// Whether the fallback ended the wait.
    pub timed_out: bool,
    /// Whether log records were lost meanwhile.
    pub lost: u64,
}

/// Probes, listeners and witnesses of a lab.
#[derive(Debug)]
pub struct Prober {
    pub(super) board: Arc<Board>,
    witness: Witness,
    servers: HashMap<NodeName, Vec<Servers>>,
    pub(super) balancers: HashMap<NodeName, Balancer>,
    /// What listens for the probes under way only.
    brief: Vec<Servers>,
    pub(super) ports: SourcePorts,
    tracking: Vec<Arc<Namespace>>,
    tokens: std::hash::RandomState,
    asked: u64,
}

type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A probe under way.
struct Probe {
    case: Arc<Case>,
    tuples: Vec<Tuple>,
    state: State,
}

enum State {
    Answered(Answer),
    /// A filter recorded a drop; the socket still waits, in case the record lies.
    Recorded(Pending),
    /// A datagram for a program has arrived, which need not answer; the socket still waits, in case nobody takes it.
    Arrived(Pending),
    TimedOut,
}

impl Prober {
    /// Starts the witness.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn start() -> io::Result<Self> {
        let board = Arc::new(Board::default());
        let witness = Witness::start(Arc::clone(&board))?;
        let servers = HashMap::new();
        Ok(Self {
            board,
            witness,
            servers,
            balancers: HashMap::new(),
            brief: Vec::new(),
            ports: SourcePorts::default(),
            tracking: Vec::new(),
            tokens: Default::default(),
            asked: 0,
        })
    }

    /// Gives every record of every filter to a listener from now on.
    pub fn tell(&self, listener: tokio::sync::mpsc::Sender<Logged>) {
        self.board.tell(listener);
    }

    /// How many records no listener was told of since this was last asked.
    pub fn unheard(&self) -> u64 {
        self.board.unheard()
    }

    /// Reads a namespace's log from now on.
    ///
    /// # Errors
    /// The kernel's word.
    pub async fn watch_log(&self, node: &Arc<Namespace>) -> Result<(), FabricError> {
        self.witness.watch(node.name.clone(), Eye::Log(LogSocket::open(node).await?));
        Ok(())
    }

    /// Where flows are tracked from now on.
    pub fn tracks(&mut self, nodes: Vec<Arc<Namespace>>) {
        self.tracking = nodes;
    }

    /// Where connections are tracked.
    pub fn tracking(&self) -> &[Arc<Namespace>] {
        &self.tracking
    }

    /// Watches what arrives at a namespace from now on.
    ///
    /// # Errors
    /// The kernel's word.
    pub async fn watch_arrivals(&self, node: &Arc<Namespace>) -> Result<(), FabricError> {
        for tap in Tap::open(node).await? {
            self.witness.watch(node.name.clone(), Eye::Tap(tap));
        }
        Ok(())
    }

    /// Listens in namespaces where nothing of ours listens yet: in all of them or, if one fails, in none.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen(&mut self, wanted: Vec<(Arc<Namespace>, Vec<Service>)>) -> Result<(), FabricError> {
        let names: Vec<NodeName> = wanted.iter().map(|(node, _)| node.name.clone()).collect();
        let one_by_one = wanted.iter().any(|(node, _)| node.faults.are_armed());
        let at_once = if one_by_one { 1 } else { wanted.len().max(1) };
        let board = &self.board;
        let opening = wanted.into_iter().map(|(node, services)| async move {
            Servers::listen(&node, services, board).await.map(|servers| (node.name.clone(), servers))
        });
        let opened: Vec<_> = futures::stream::iter(opening).buffered(at_once).collect().await;
        let mut failed = Ok(());
        for opened in opened {
            match opened {
                Ok((name, servers)) => drop(self.servers.insert(name, vec![servers])),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        if failed.is_err() {
            for name in names {
                self.silence(&name).await;
            }
        }
        failed
    }

    /// What listens in a namespace begins anew, as if its machine had.
    pub async fn restart(&mut self, node: &NodeName) {
        for servers in self.servers.get_mut(node).into_iter().flatten() {
            servers.restart().await;
        }
    }

    /// Listens for the probes to come where nothing of ours does: at a port of each of these namespaces. Says which of them
    /// programs hold. [`Self::hush`] ends it.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen_briefly(
        &mut self,
        wanted: Vec<(Arc<Namespace>, Vec<Service>)>,
    ) -> Result<HashSet<(NodeName, Service)>, FabricError> {
        let board = &self.board;
        let opening = wanted.into_iter().map(|(node, services)| async move {
            Servers::listen_where_free(&node, services, board).await.map(|opened| (node.name.clone(), opened))
        });
        let mut all_held = HashSet::new();
        for opened in futures::future::join_all(opening).await {
            let (name, (servers, held)) = opened?;
            self.brief.push(servers);
            all_held.extend(held.into_iter().map(|service| (name.clone(), service)));
        }
        Ok(all_held)
    }

    /// Listens at one more port of a namespace, until it is silenced. False if a program holds it.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen_too(&mut self, namespace: &Arc<Namespace>, service: Service) -> Result<bool, FabricError> {
        if self.serves(&namespace.name, service) {
            return Ok(true);
        }
        let (servers, held) = Servers::listen_where_free(namespace, vec![service], &self.board).await?;
        if held.is_empty() {
            self.servers.entry(namespace.name.clone()).or_default().push(servers);
        }
        Ok(held.is_empty())
    }

    /// Ends what listens for a while.
    pub async fn hush(&mut self) {
        let closing = std::mem::take(&mut self.brief).into_iter().map(Servers::close);
        futures::future::join_all(closing).await;
    }

    /// Whether something of ours listens at a port of a namespace, or a load balancer is there, which has its own listeners.
    pub fn serves(&self, node: &NodeName, service: Service) -> bool {
        service == Service::IcmpEcho
            || self.balancers.contains_key(node)
            || self.servers.get(node).is_some_and(|all| all.iter().any(|servers| servers.serves(service)))
    }

    /// Whether something of ours listens in a namespace.
    pub fn listens(&self, node: &NodeName) -> bool {
        self.servers.contains_key(node)
    }

    /// Closes what listens in a namespace.
    pub async fn silence(&mut self, node: &NodeName) {
        let closing = self.servers.remove(node).unwrap_or_default().into_iter().map(Servers::close);
        futures::future::join_all(closing).await;
    }

    /// Closes everything of a namespace.
    pub async fn leave(&mut self, node: &NodeName) {
        self.silence(node).await;
        self.balancers.remove(node);
        self.witness.forget(node.clone());
    }

    /// The tracked flows of an address have been forgotten: its source ports may be used again.
    pub fn forget_sender(&mut self, address: IpAddr) {
        self.ports.reset(address);
    }

    /// Sends canaries down the paths of known fate; true if all did as they must.
    pub(super) async fn canaries_hold(&mut self, paths: &[KnownPath]) -> bool {
        for path in paths {
            match canary::known_path(&self.board, &mut self.ports, path).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            }
        }
        true
    }

    /// Asks everything, and gives one finding for each, in order.
    pub(super) async fn ask_all(&mut self, asks: &[Ask]) -> Vec<Finding> {
        let mut findings: Vec<Option<Finding>> = asks.iter().map(|_| None).collect();
        let mut rest: Vec<usize> = (0..asks.len()).collect();
        while !rest.is_empty() {
            let (chunk, later) = next_chunk(asks, &rest);
            rest = later;
            let these: Vec<Ask> = chunk.iter().map(|number| asks[*number].clone()).collect();
            for (number, finding) in chunk.into_iter().zip(self.ask_chunk(&these).await) {
                findings[number] = Some(finding);
            }
        }
        findings.into_iter().flatten().collect()
    }

    async fn ask_chunk(&mut self, asks: &[Ask]) -> Vec<Finding> {
        let lost_before = self.board.lost();
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
            let case = self.board.register(&tuples);
            if is_unanswered(ask) {
                self.board.expect_delivery(token, &case);
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
                Err(why) => State::Answered(Answer::Failed(why)),
            };
            (number, Probe { case, tuples, state })
        });
        // Unordered: one that waits for its fallback must not hold up those behind it.
        let mut probes: Vec<(usize, Probe)> =
            futures::stream::iter(running).buffer_unordered(IN_FLIGHT).collect().await;
        probes.sort_unstable_by_key(|(number, _)| *number);
        let arrived = self.barrier(asks).await;
        let lost = self.board.lost() - lost_before;
        let findings = asks.iter().zip(probes).map(|(ask, (_, probe))| {
            let arrived = &arrived;
            async move { finish(ask, probe, arrived, lost).await }
        });
        let finished: Vec<(Finding, Vec<Tuple>)> = futures::future::join_all(findings).await;
        let (findings, tuples): (Vec<_>, Vec<_>) = finished.into_iter().unzip();
        self.board.forget(&tuples.concat());
        tokens.iter().for_each(|token| self.board.forget_delivery(token));
        findings
    }

    /// Forgets the flows without ports that have an end in common with those to be asked: tracking would take the new
    /// ones for the old.
    async fn forget_portless(&self, asks: &[Ask]) -> Result<(), String> {
        let tuples = asks.iter().filter_map(portless).flatten();
        let ends: HashSet<(u8, IpAddr)> = tuples.map(|tuple| (tuple.protocol, tuple.source)).collect();
        if ends.is_empty() {
            return Ok(());
        }
        conntrack::forget_portless(&self.tracking, &ends).await.map_err(|error| error.to_string())
    }

    /// A canary behind the packets of every receiver of a chunk.
    async fn barrier(&mut self, asks: &[Ask]) -> HashSet<(NodeName, IpAddr)> {
        let mut receivers: Vec<Receiver> = Vec::new();
        let mut known = HashSet::new();
        for receiver in asks.iter().filter_map(|ask| ask.receiver.as_ref()) {
            if known.insert(receiver.link()) {
                receivers.push(receiver.clone());
            }
        }
        // A canary that cannot be sent has not arrived: nothing is proved by it.
        canary::barrier(&self.board, &mut self.ports, &receivers).await.unwrap_or_default()
    }

    /// Opens the sockets of a chunk, one visit to each sender's namespace.
    async fn open_sockets(&mut self, asks: &[Ask]) -> Vec<Result<(Socket, u16), String>> {
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
        let mut sockets: Vec<Result<(Socket, u16), String>> =
            asks.iter().map(|_| Err("its socket was not opened".into())).collect();
        for (numbers, opened) in futures::future::join_all(jobs).await {
            match opened {
                Ok(opened) => {
                    for (number, socket) in numbers.into_iter().zip(opened) {
                        sockets[number] = socket;
                    }
                }
                Err(error) => {
                    for number in numbers {
                        sockets[number] = Err(error.to_string());
                    }
                }
            }
        }
        self.retry_taken_ports(asks, &mut sockets).await;
        sockets
    }

    /// A program in the instance may hold a source port: then the next one will do.
    async fn retry_taken_ports(&mut self, asks: &[Ask], sockets: &mut [Result<(Socket, u16), String>]) {
        for (ask, socket) in asks.iter().zip(sockets) {
            for _ in 0..16 {
                if !matches!(socket, Err(why) if why == PORT_TAKEN) {
                    break;
                }
                let (service, source, forged) = (ask.service, ask.source, ask.forged);
                let port = self.source_port(ask);
                let opened = ask.sender.run(move || open_one((service, source, port, forged))).await;
                *socket = opened.unwrap_or_else(|error| Err(error.to_string()));
            }
        }
    }

    /// The next source port or identifier of a sender; 0 for a protocol that has none.
    fn source_port(&mut self, ask: &Ask) -> Result<u16, String> {
        if matches!(ask.service, Service::Protocol(_)) {
            return Ok(0);
        }
        self.ports.take(ask.ports_of, attempt::protocol(ask.service, ask.source)).map_err(|error| error.to_string())
    }

    /// How many log records were ever lost.
    pub(super) fn lost(&self) -> u64 {
        self.board.lost()
    }

    /// Opens and binds the one socket of an ask.
    pub(super) async fn open_socket(&mut self, ask: &Ask) -> Result<(Socket, u16), String> {
        let opened = self.open_sockets(std::slice::from_ref(ask)).await;
        opened.into_iter().next().unwrap_or_else(|| Err("its socket was not opened".into()))
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

/// The asks that may be under way together, and those that come later. Without ports one flow is told from another by
/// addresses alone: two that would look alike on some part of their way are not asked at once.
fn next_chunk(asks: &[Ask], rest: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (mut chunk, mut later) = (Vec::new(), Vec::new());
    let mut taken: HashSet<Tuple> = HashSet::new();
    for number in rest {
        let ask = &asks[*number];
        let alike = portless(ask).unwrap_or_default();
        if chunk.len() == CHUNK || alike.iter().any(|tuple| taken.contains(tuple)) {
            later.push(*number);
        } else {
            taken.extend(alike);
            chunk.push(*number);
        }
    }
    (chunk, later)
}

/// Every tuple of an ask without ports, in both directions: what goes back looks like what somebody else begins.
fn portless(ask: &Ask) -> Option<Vec<Tuple>> {
    matches!(ask.service, Service::Protocol(_)).then(|| {
        let there = tuples(ask, 0);
        let back = there.iter().map(|tuple| Tuple { source: tuple.destination, destination: tuple.source, ..*tuple });
        back.chain(there.iter().copied()).collect()
    })
}

/// Whether nobody answers, or somebody else gets the answer: then the receiver tells of what has come.
fn is_unanswered(ask: &Ask) -> bool {
    ask.forged || matches!(ask.service, Service::Icmp(_) | Service::Protocol(_))
}

/// What [`open_one`] says of a source port that somebody holds.
const PORT_TAKEN: &str = "its source port is taken";

fn open_one(
    (service, source, port, forged): (Service, IpAddr, Result<u16, String>, bool),
) -> Result<(Socket, u16), String> {
    let port = port?;
    attempt::open(service, source, port, forged).map(|socket| (socket, port)).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            PORT_TAKEN.into()
        } else {
            format!("failed to bind {source}:{port}: {error}")
        }
    })
}

/// Every tuple that a probe can have, before and behind the gateway.
pub(super) fn tuples(ask: &Ask, port: u16) -> Vec<Tuple> {
    let mut tuples = vec![attempt::tuple(ask.service, ask.source, port, ask.destination)];
    let behind = ask.translated;
    let sources = [Some(ask.source), behind.map(|(source, _)| source)];
    let sources = sources.into_iter().flatten().chain(ask.passed_on_by.iter().copied());
    for source in sources {
        // With a public address on one side only, the translation changes one end at a time.
        for destination in [Some(ask.destination), behind.map(|(_, destination)| destination)].into_iter().flatten() {
            let tuple = attempt::tuple(ask.service, source, port, destination);
            if !tuples.contains(&tuple) {
                tuples.push(tuple);
            }
        }
    }
    tuples
}

/// Waits for an answer, a delivery, a record of a drop, or the end of patience.
async fn until_evidence(ask: &Ask, mut pending: Pending, case: &Case) -> State {
    enum Seen {
        Answer(Answer),
        Drop,
        Arrival,
    }
    let need_not_answer = ask.answering == Answering::Program && matches!(ask.service, Service::Udp(_));
    let evidence = async {
        loop {
            tokio::select! {
                biased;
                answer = &mut pending => return Seen::Answer(answer),
                () = case.news.notified() => {
                    if let Some(node) = case.delivered_to() {
                        return Seen::Answer(Answer::Answered(Some(node.0)));
                    }
                    if case.has_drop() {
                        return Seen::Drop;
                    }
                    let arrived = |receiver: &Receiver| case.seen_by(&receiver.node, receiver.address);
                    if need_not_answer && ask.receiver.as_ref().is_some_and(arrived) {
                        return Seen::Arrival;
                    }
                }
            }
        }
    };
    match timeout(PATIENCE, evidence).await {
        Ok(Seen::Answer(Answer::Unreachable)) => {
            // A router that says so has a record of it, which may come a moment later.
            canary::wait(case, Case::has_drop).await;
            State::Answered(Answer::Unreachable)
        }
        Ok(Seen::Answer(answer)) => State::Answered(answer),
        Ok(Seen::Drop) => State::Recorded(pending),
        Ok(Seen::Arrival) => State::Arrived(pending),
        Err(_) => State::TimedOut,
    }
}

/// Puts together what is known of a probe, now that the canaries behind it have arrived.
async fn finish(ask: &Ask, probe: Probe, arrived: &HashSet<(NodeName, IpAddr)>, lost: u64) -> (Finding, Vec<Tuple>) {
    let Probe { case, tuples, state } = probe;
    let seen = ask.receiver.as_ref().is_some_and(|receiver| case.seen_by(&receiver.node, receiver.address));
    let (answer, timed_out) = match state {
        State::Answered(answer) => (Some(answer), false),
        State::TimedOut => (None, true),
        // The canary behind it has come, so "port unreachable" would have come back by now.
        State::Arrived(mut pending) => (Some(now_or(&mut pending, Answer::Connected).await), false),
        // The record says dropped, and yet it has arrived: then only the socket tells.
        State::Recorded(pending) if seen => match timeout(PATIENCE, pending).await {
            Ok(answer) => (Some(answer), false),
            Err(_) => (None, true),
        },
        State::Recorded(_) => (None, false),
    };
    let canary_arrived = ask.receiver.as_ref().is_some_and(|receiver| arrived.contains(&receiver.link()));
    let (records, turned_away) = (case.records(), case.turned_away());
    (Finding { answer, records, seen, canary_arrived, turned_away, timed_out, lost }, tuples)
}

/// What has come by now, or else this.
async fn now_or(pending: &mut Pending, otherwise: Answer) -> Answer {
    match futures::poll!(pending) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => otherwise,
    }
}
