//! Canaries: packets of known fate, which show that the instrument works and that what came before has arrived.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};

use super::evidence::{EvidenceBoard, ProbeRecord};
use super::parties::LinkId;
use super::patience::within;
use super::ports::{SourcePorts, UsedUp};
use crate::compile::names::{CANARY_DROPPED_PORT, CANARY_OPEN_PORT};
use crate::fabric::links::{self, LinkState};
use crate::fabric::packet::{Tuple, UDP};
use crate::fabric::{FabricError, Namespace};
use crate::network::NodeName;

/// Time that a canary may take before the instrument counts as broken.
const CANARY_TIMEOUT: Duration = Duration::from_secs(2);

/// Receiver that a batch of probes may reach, and the router that feeds its link.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its namespace's name.
    pub node: NodeName,
    /// Its namespace.
    pub namespace: Arc<Namespace>,
    /// Its address on its link.
    pub address: IpAddr,
    /// The router at the other end of its link.
    pub router: Arc<Namespace>,
    /// The router's own address there.
    pub router_address: IpAddr,
    /// The index there of its link.
    pub port: u32,
}

/// States of the receivers' links before they are asked, of those that lead where they did when they were made.
pub(super) type Links = HashMap<LinkId, LinkState>;

impl Receiver {
    /// Returns the namespace and address at which a canary has to arrive: what arrives over the one family says nothing of the other.
    pub(super) fn link(&self) -> (NodeName, IpAddr) {
        (self.node.clone(), self.address)
    }

    /// Its link, as the router knows it.
    pub fn at_router(&self) -> LinkId {
        (self.router.name.clone(), self.port)
    }
}

/// A path through a VPC's filter with one flow known open and one known dropped.
#[derive(Clone, Debug)]
pub struct KnownPath {
    /// Namespace that the canaries start in.
    pub from: Arc<Namespace>,
    /// From which address.
    pub source: IpAddr,
    /// Namespace that they go to.
    pub to: NodeName,
    /// To which address.
    pub destination: IpAddr,
}

/// Sends a canary down each receiver's link, from the router and behind whatever the filter let through before, and
/// waits until it has arrived. Gives those whose canary did. A link that is named twice gets one: two would look alike.
///
/// A link's packets queue per processor, so a canary goes from every processor: when all have arrived, so has every
/// packet that passed the filter earlier. It proves nothing of a link that is not as it was before, behind the packets.
pub(super) async fn barrier(
    board: &EvidenceBoard,
    ports: &mut SourcePorts,
    receivers: &[Receiver],
    before: &Links,
) -> Result<HashSet<(NodeName, IpAddr)>, CanaryError> {
    let cpus = allowed_cpus().map_err(CanaryError::Cpus)?;
    let mut groups: Vec<(Arc<Namespace>, IpAddr, Vec<&Receiver>)> = Vec::new();
    let mut fed: HashSet<(NodeName, IpAddr)> = HashSet::new();
    for receiver in receivers.iter().filter(|receiver| fed.insert(receiver.link())) {
        let same = |(router, source, _): &&mut (Arc<Namespace>, IpAddr, Vec<&Receiver>)| {
            router.name == receiver.router.name && *source == receiver.router_address
        };
        match groups.iter_mut().find(same) {
            Some((.., members)) => members.push(receiver),
            None => groups.push((Arc::clone(&receiver.router), receiver.router_address, vec![receiver])),
        }
    }
    let mut sent: Vec<(NodeName, Tuple, Arc<ProbeRecord>)> = Vec::new();
    let mut after = Links::new();
    for (router, source, members) in groups {
        let mut plan = Vec::new();
        for cpu in &cpus {
            let port = ports.take(source, UDP)?;
            for receiver in &members {
                let tuple = udp(source, port, receiver.address, CANARY_OPEN_PORT);
                sent.push((receiver.node.clone(), tuple, board.register_own(&[tuple])));
            }
            plan.push((*cpu, port));
        }
        let addresses: Vec<IpAddr> = members.iter().map(|receiver| receiver.address).collect();
        let indexes: Vec<u32> = members.iter().map(|receiver| receiver.port).collect();
        let sending = router.run(move || {
            send_from_each(&plan, source, &addresses)?;
            links::states_here(&indexes)
        });
        let states = sending.await?.map_err(|source| CanaryError::Send { node: router.name.clone(), source })?;
        after.extend(states.into_iter().map(|(index, state)| ((router.name.clone(), index), state)));
    }
    let arrivals = join_all(sent.iter().map(|(node, _, case)| arrived(case, node))).await;
    board.forget(&sent.iter().map(|(_, tuple, _)| *tuple).collect::<Vec<_>>());
    let is_as_before = |receiver: &&Receiver| {
        let port = receiver.at_router();
        before.get(&port).zip(after.get(&port)).is_some_and(|(before, after)| before.lasted_until(after))
    };
    let mut held: HashSet<(NodeName, IpAddr)> = receivers.iter().filter(is_as_before).map(Receiver::link).collect();
    for ((node, tuple, _), arrived) in sent.iter().zip(arrivals) {
        if !arrived {
            held.remove(&(node.clone(), tuple.destination));
        }
    }
    Ok(held)
}

/// Sends both canaries down a path of known fate. True if the one arrived and the other was dropped, on record.
pub(super) async fn known_path(
    board: &EvidenceBoard,
    ports: &mut SourcePorts,
    path: &KnownPath,
) -> Result<bool, CanaryError> {
    let source = path.source;
    let (dropped_port, open_port) = (ports.take(source, UDP)?, ports.take(source, UDP)?);
    let dropped = udp(source, dropped_port, path.destination, CANARY_DROPPED_PORT);
    let open = udp(source, open_port, path.destination, CANARY_OPEN_PORT);
    let (dropped_case, open_case) = (board.register_own(&[dropped]), board.register_own(&[open]));
    let destination = path.destination;
    let sending = path.from.run(move || {
        // First the one that must be dropped: when the other has arrived, this one would have too.
        send(source, dropped_port, destination, CANARY_DROPPED_PORT)?;
        send(source, open_port, destination, CANARY_OPEN_PORT)
    });
    sending.await?.map_err(|source| CanaryError::Send { node: path.from.name.clone(), source })?;
    let arrived = arrived(&open_case, &path.to).await;
    let recorded = wait(&dropped_case, ProbeRecord::has_drop).await;
    let kept_out = !dropped_case.seen_at(&path.to) && !dropped_case.overlooked_at(&path.to);
    board.forget(&[dropped, open]);
    Ok(arrived && recorded && kept_out)
}

/// Error of a canary that could not be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum CanaryError {
    #[error("failed to send a canary from {node}: {source}")]
    Send { node: NodeName, source: io::Error },
    #[error("failed to learn which processors may be used: {0}")]
    Cpus(nix::errno::Errno),
    #[error(transparent)]
    Ports(#[from] UsedUp),
    #[error(transparent)]
    Fabric(#[from] FabricError),
}

async fn arrived(case: &ProbeRecord, node: &NodeName) -> bool {
    wait(case, |case| case.seen_at(node)).await
}

/// Waits until something holds of a case. False when patience ends.
pub(super) async fn wait(case: &ProbeRecord, holds: impl Fn(&ProbeRecord) -> bool) -> bool {
    let waiting = async {
        while !holds(case) {
            case.news.notified().await;
        }
    };
    within(CANARY_TIMEOUT, waiting).await.is_some()
}

fn udp(source: IpAddr, source_port: u16, destination: IpAddr, destination_port: u16) -> Tuple {
    Tuple { protocol: UDP, source, source_port, destination, destination_port }
}

fn allowed_cpus() -> Result<Vec<usize>, nix::errno::Errno> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

fn send_from_each(plan: &[(usize, u16)], source: IpAddr, destinations: &[IpAddr]) -> io::Result<()> {
    for (cpu, port) in plan {
        let mut only = CpuSet::new();
        only.set(*cpu)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        let socket = bound(source, *port)?;
        for destination in destinations {
            send_on(&socket, *destination, CANARY_OPEN_PORT)?;
        }
    }
    Ok(())
}

fn send(source: IpAddr, port: u16, destination: IpAddr, to: u16) -> io::Result<()> {
    send_on(&bound(source, port)?, destination, to)
}

fn bound(source: IpAddr, port: u16) -> io::Result<Socket> {
    let socket =
        Socket::new(Domain::for_address(SocketAddr::new(source, port)), Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
    socket.bind(&SocketAddr::new(source, port).into())?;
    Ok(socket)
}

fn send_on(socket: &Socket, destination: IpAddr, port: u16) -> io::Result<()> {
    let to = SocketAddr::new(destination, port).into();
    match socket.send_to(b"canary", &to) {
        // The receiver's "nobody listens" to an earlier canary; it is said once, and the next send goes out.
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => socket.send_to(b"canary", &to).map(drop),
        sent => sent.map(drop),
    }
}
