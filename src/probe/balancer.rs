//! A load balancer at work: takes connections in its namespace, opens its own to an instance in service, and finds out
//! by health checks who that is. Sockets are made inside by a thread and driven by the one runtime.

mod shared;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::IndexMap;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::connections::{Connections, MAX_PER_CLIENT};
use super::evidence::{EvidenceBoard, PassedOn};
use super::failure::{CloseReason, DropProof, HealthDoubt, HealthFailure, Untaken};
use super::parties::Parties;
use crate::fabric::FabricError;
use crate::fabric::packet::{TCP, Tuple};
use crate::model::{InstanceName, Port};
use crate::network::record::Record;

pub use shared::Plan;
pub use shared::{RunningBalancer, ScheduledHealth};
use shared::{Shared, Target, lock};

/// Time beyond its own thresholds that a load balancer may take to make up its mind, before that is held against it.
const HEALTH_MARGIN: Duration = Duration::from_secs(5);
/// Time that a client may go on sending after it was turned away.
const REFUSED_GRACE: Duration = Duration::from_secs(1);

/// Health of an instance behind a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It gets connections.
    InService,
    /// It gets none.
    OutOfService {
        /// Reason, as its health checks or the cloud tell it.
        why: HealthFailure,
    },
    /// Health checks contradict it, and it has not made up its mind within its own time.
    Undecided {
        /// Reason why it is not known.
        why: HealthDoubt,
    },
}

/// A load balancer at work. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Balancer {
    shared: Arc<Shared>,
    _listeners: JoinSet<()>,
    checks: IndexMap<InstanceName, (IpAddr, Abort)>,
}

/// Ends a task when it is dropped.
#[derive(Debug)]
struct Abort(AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Balancer {
    /// Takes connections when this returns.
    pub async fn start(plan: Plan, board: Arc<EvidenceBoard>) -> Result<Self, FabricError> {
        let ports: Vec<(Port, Port)> = plan.listeners.iter().map(|(own, to)| (*own, *to)).collect();
        let node = Arc::clone(&plan.node);
        let opening =
            move || ports.into_iter().map(|it| listen(it.0).map(|socket| (it, socket)).map_err(|e| (it.0, e)));
        let opened = node.run(move || opening().collect::<Result<Vec<_>, _>>()).await?;
        let failed = |(port, source): (Port, io::Error)| FabricError::Kernel {
            attempt: format!("take connections on tcp {port}"),
            node: node.name.clone(),
            source,
        };
        let shared = Arc::new(Shared { plan, board, state: Mutex::default(), news: watch::Sender::new(0) });
        let mut listeners = JoinSet::new();
        for ((own, to), socket) in opened.map_err(failed)? {
            let listener = TcpListener::from_std(socket.into()).map_err(|error| failed((own, error)))?;
            listeners.spawn(serve(listener, Arc::clone(&shared), own, to));
        }
        Ok(Self { shared, _listeners: listeners, checks: IndexMap::new() })
    }

    /// It, to look at.
    pub fn at_work(&self) -> RunningBalancer {
        RunningBalancer(Arc::clone(&self.shared))
    }

    /// Returns the health of each instance once that is settled.
    pub async fn health(&self) -> IndexMap<InstanceName, Health> {
        self.shared.settled().await
    }

    /// Has these behind it from now on.
    pub fn register(&mut self, targets: &IndexMap<InstanceName, IpAddr>) {
        self.checks.retain(|name, (address, _)| targets.get(name) == Some(address));
        lock(&self.shared.state).targets.retain(|name, target| targets.get(name) == Some(&target.address));
        for (name, address) in targets {
            if self.checks.contains_key(name) {
                continue;
            }
            let why = Untaken::InProgress;
            let target = Target { address: *address, in_service: false, fresh: true, against: 0, why };
            lock(&self.shared.state).targets.insert(name.clone(), target);
            let task = tokio::spawn(check(Arc::clone(&self.shared), name.clone(), *address));
            self.checks.insert(name.clone(), (*address, Abort(task.abort_handle())));
        }
    }
}

/// Checks one target for ever, the first time at once.
async fn check(shared: Arc<Shared>, name: InstanceName, address: IpAddr) {
    loop {
        let began = Instant::now();
        let result = shared.check_once(address).await;
        shared.note(&name, address, result);
        sleep_until(began + shared.plan.health_check.interval).await;
    }
}

impl Shared {
    async fn check_once(&self, address: IpAddr) -> Result<(), Untaken> {
        let check = &self.plan.health_check;
        self.check(SocketAddr::new(address, check.port.0)).await
    }

    /// Counts a scheduled check.
    fn note(&self, name: &InstanceName, address: IpAddr, result: Result<(), Untaken>) {
        let check = &self.plan.health_check;
        let mut state = lock(&self.state);
        let Some(target) = state.targets.get_mut(name).filter(|target| target.address == address) else { return };
        let passed = result.is_ok();
        if let Err(why) = result {
            target.why = why;
        }
        let needed = match (passed, target.fresh) {
            (true, true) => 1,
            (true, false) => check.healthy_threshold,
            (false, _) => check.unhealthy_threshold,
        };
        let was_fresh = std::mem::replace(&mut target.fresh, false);
        target.against = if passed == target.in_service { 0 } else { target.against + 1 };
        let changes = target.against >= needed;
        if changes {
            target.in_service = passed;
            target.against = 0;
        }
        drop(state);
        if changes || was_fresh {
            self.news.send_modify(|count| *count += 1);
        }
    }

    async fn settled(&self) -> IndexMap<InstanceName, Health> {
        let names: Vec<(InstanceName, IpAddr)> =
            lock(&self.state).targets.iter().map(|(name, target)| (name.clone(), target.address)).collect();
        let settling = names.into_iter().map(|(name, address)| async move {
            let health = self.settle(&name, address).await;
            (name, health)
        });
        futures::future::join_all(settling).await.into_iter().collect()
    }

    /// Makes one more check, which counts for nothing but shows what the scheduled ones are going to say; and where
    /// that is not what is thought of the target, waits until it is.
    async fn settle(&self, name: &InstanceName, address: IpAddr) -> Health {
        let check = &self.plan.health_check;
        let most = check.unhealthy_threshold.max(check.healthy_threshold) + 1;
        let deadline = Instant::now() + (check.interval + check.timeout) * most + HEALTH_MARGIN;
        let mut news = self.news.subscribe();
        loop {
            news.mark_unchanged();
            let result = self.check_once(address).await;
            let Some(target) = lock(&self.state).targets.get(name).cloned() else {
                return Health::OutOfService { why: HealthFailure::NotRegistered };
            };
            match (&result, target.in_service) {
                (Ok(()), true) => return Health::InService,
                (Err(why), false) => return Health::OutOfService { why: HealthFailure::Found(why.clone()) },
                _ => {}
            }
            if timeout_at(deadline, news.changed()).await.is_err() {
                return Health::Undecided { why: HealthDoubt::Contradicted(result.err()) };
            }
        }
    }

    /// Returns the address of the instance that gets the next connection: each in service in its turn.
    fn next(&self) -> Option<IpAddr> {
        let mut state = lock(&self.state);
        let serving: Vec<IpAddr> = state.targets.values().filter(|it| it.in_service).map(|it| it.address).collect();
        let turn = state.turn;
        state.turn = turn.wrapping_add(1);
        serving.get(turn.checked_rem(serving.len())?).copied()
    }

    /// Opens a connection from the load balancer's own address. That a filter dropped it is known from its record; only
    /// where nobody says anything the timeout of the health check decides.
    async fn connect(&self, to: SocketAddr) -> Result<(TcpStream, PassedOn), Untaken> {
        let source = SocketAddr::new(self.plan.address, 0);
        let opened = self.plan.node.run(move || open(source)).await;
        let opened = opened.map_err(|error| Untaken::Kernel(error.to_string()))?;
        let socket = opened.map_err(|error| Untaken::NoSocket(error.to_string()))?;
        let bound = socket.local_addr().ok().and_then(|at| at.as_socket());
        let bound = bound.ok_or(Untaken::NoAddress)?;
        let tuple = Tuple {
            protocol: TCP,
            source: bound.ip(),
            source_port: bound.port(),
            destination: to.ip(),
            destination_port: to.port(),
        };
        let case = self.board.register(&[tuple], Parties::of_sender(self.plan.node.name.clone()));
        let registered = Registered(&self.board, tuple);
        let dropped = async {
            while !case.has_drop() {
                case.news.notified().await;
            }
        };
        let connected = TcpSocket::from_std_stream(socket.into()).connect(to);
        let outcome = timeout(self.plan.health_check.timeout, async {
            tokio::select! {
                biased;
                connected = connected => connected.map_err(|error| failed(&error, to)),
                () = dropped => {
                    let records = case.records();
                    let last = records.iter().rev().find(|logged| logged.record.is_drop());
                    // Of what begins nothing, or found no room, no rule has said anything.
                    let says_so = |record| matches!(record, Record::Drop(_) | Record::Unreachable);
                    let judged = last.is_some_and(|it| it.flaw.is_none() && says_so(it.record));
                    let proof = if judged { DropProof::Judged } else { DropProof::Unjudged };
                    Err(Untaken::Dropped { to, record: last.map(|it| it.record), proof })
                }
            }
        });
        let stream = outcome.await.unwrap_or(Err(Untaken::NoAnswer(to)))?;
        // It is the caller's from here on.
        std::mem::forget(registered);
        Ok((stream, PassedOn { tuple, case }))
    }

    /// A health check: a connection that is opened, and ended.
    async fn check(&self, to: SocketAddr) -> Result<(), Untaken> {
        let (_, PassedOn { tuple, .. }) = self.connect(to).await?;
        self.board.forget(&[tuple]);
        Ok(())
    }
}

/// A connection whose records are kept, until this is dropped: also when nobody waits for its end any more.
struct Registered<'a>(&'a EvidenceBoard, Tuple);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.forget(&[self.1]);
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, own: Port, to: Port) {
    let mut connections = Connections::at_most(MAX_PER_CLIENT);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, peer)) => {
                    connections.serve(peer.ip(), forward(Arc::clone(&shared), client, peer, own, to));
                }
                // Out of descriptors: those that wait are served when there are some again, which nobody tells.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = connections.ended() => {}
        }
    }
}

/// Passes one connection on, or closes it. A TCP listener has no other way to say that it cannot.
async fn forward(shared: Arc<Shared>, mut client: TcpStream, peer: SocketAddr, own: Port, to: Port) {
    let server = match shared.next() {
        Some(address) => shared.connect(SocketAddr::new(address, to.0)).await.map_err(CloseReason::Untaken),
        None => Err(CloseReason::NoneInService),
    };
    let tuple = Tuple {
        protocol: TCP,
        source: peer.ip(),
        source_port: peer.port(),
        destination: shared.plan.address,
        destination_port: own.0,
    };
    match server {
        Ok((mut server, on)) => {
            let own = on.tuple;
            let is_asked_for = shared.board.post_passed_on(&tuple, on);
            let _registered = (!is_asked_for).then(|| Registered(&shared.board, own));
            // Each end has heard the other's end, or one of them is gone: nobody is left to tell.
            drop(copy_bidirectional(&mut client, &mut server).await);
        }
        Err(why) => {
            shared.board.post_turned_away(&tuple, why);
            turn_away(client).await;
        }
    }
}

/// Closes in peace: closing on what has not been read would send a reset.
async fn turn_away(mut client: TcpStream) {
    if client.shutdown().await.is_ok() {
        let mut rest = [0; 1024];
        let reading = async { while client.read(&mut rest).await.is_ok_and(|length| length > 0) {} };
        drop(timeout(REFUSED_GRACE, reading).await);
    }
}

fn listen(port: Port) -> io::Result<Socket> {
    let any = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port.0);
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&any.into())?;
    socket.listen(1024)?;
    Ok(socket)
}

fn open(source: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(source), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    // Nothing lingers in TIME_WAIT: there are many of these.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&source.into())?;
    Ok(socket)
}

fn failed(error: &io::Error, to: SocketAddr) -> Untaken {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED | libc::ECONNRESET) => Untaken::Refused(to),
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => Untaken::Unreachable(to),
        _ => Untaken::Failed(to),
    }
}
