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
use super::failure::SocketFailure;
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
/// Rest of the source port of a canary that no filter lets pass, or that crosses none: its conntrack entry decides nothing. Only a packet of the
/// last use that is read late could be taken for the next, and a canary is given up long before.
const SEEN_REST: Duration = Duration::from_secs(20);
/// Rest of the source port of a canary that a filter lets pass: the router tracks it for `nf_conntrack_udp_timeout`, which is 60 s at most, and
/// nobody answers it. One that is sent sooner passes on that entry, and shows nothing of the rule.
const PASSED_REST: Duration = Duration::from_secs(70);

/// Source ports of canaries. All routers have one address, and so have all gateways: with the rest of a probe's ports these would be used up
/// within minutes.
#[derive(Debug)]
pub(super) struct CanaryPorts {
    seen: SourcePorts,
    passed: SourcePorts,
}

impl Default for CanaryPorts {
    fn default() -> Self {
        Self { seen: SourcePorts::resting(SEEN_REST), passed: SourcePorts::resting(PASSED_REST) }
    }
}

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
    /// Source address.
    pub source: IpAddr,
    /// Namespace that they go to.
    pub to: NodeName,
    /// Destination address.
    pub destination: IpAddr,
}

/// Sends a canary down each receiver's link, from the router and behind whatever the filter let through before, and
/// waits until it has arrived. Gives those whose canary did. A link that is named twice gets one: two would look alike.
///
/// A link's packets queue per processor, so a canary goes from every processor: when all have arrived, so has every
/// packet that passed the filter earlier. It proves nothing of a link that is not as it was before, behind the packets.
pub(super) async fn barrier(
    board: &EvidenceBoard,
    ports: &mut CanaryPorts,
    receivers: &[Receiver],
    before: &Links,
) -> Result<HashSet<(NodeName, IpAddr)>, CanaryError> {
    let mut sent = Vec::new();
    let after = send_behind(board, ports, receivers, &mut sent).await;
    let arrivals = match after {
        Ok(_) => join_all(sent.iter().map(|(node, _, case)| arrived(case, node))).await,
        Err(_) => Vec::new(),
    };
    board.forget(&sent.iter().map(|(_, tuple, _)| *tuple).collect::<Vec<_>>());
    let after = after?;
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

/// A canary on its way: to whom, its tuple, and what is seen of it.
type OnItsWay = (NodeName, Tuple, Arc<ProbeRecord>);

/// Sends a canary down each receiver's link from every processor, and gives the states of the links behind them. Those that are registered are
/// in `sent`, also where this fails.
async fn send_behind(
    board: &EvidenceBoard,
    ports: &mut CanaryPorts,
    receivers: &[Receiver],
    sent: &mut Vec<OnItsWay>,
) -> Result<Links, CanaryError> {
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
    let mut after = Links::new();
    for (router, source, members) in groups {
        let mut plan = Vec::new();
        for cpu in &cpus {
            let port = ports.seen.take(source, UDP)?;
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
    Ok(after)
}

/// Sends both canaries down a path of known fate. True if the one arrived and the other was dropped, on record.
pub(super) async fn known_path(
    board: &EvidenceBoard,
    ports: &mut CanaryPorts,
    path: &KnownPath,
) -> Result<bool, CanaryError> {
    let source = path.source;
    let (dropped_port, open_port) = (ports.seen.take(source, UDP)?, ports.passed.take(source, UDP)?);
    let dropped = udp(source, dropped_port, path.destination, CANARY_DROPPED_PORT);
    let open = udp(source, open_port, path.destination, CANARY_OPEN_PORT);
    let (dropped_case, open_case) = (board.register_own(&[dropped]), board.register_own(&[open]));
    let destination = path.destination;
    let sending = path.from.run(move || {
        // First the one that must be dropped: when the other has arrived, this one would have too.
        send(source, dropped_port, destination, CANARY_DROPPED_PORT)?;
        send(source, open_port, destination, CANARY_OPEN_PORT)
    });
    let sent = sending
        .await
        .map_err(CanaryError::from)
        .and_then(|sent| sent.map_err(|source| CanaryError::Send { node: path.from.name.clone(), source }));
    let hold = match &sent {
        Ok(()) => {
            let arrived = arrived(&open_case, &path.to).await;
            let recorded = wait(&dropped_case, ProbeRecord::has_drop).await;
            let kept_out = !dropped_case.seen_at(&path.to) && !dropped_case.overlooked_at(&path.to);
            arrived && recorded && kept_out
        }
        Err(_) => false,
    };
    board.forget(&[dropped, open]);
    sent.map(|()| hold)
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

impl From<CanaryError> for SocketFailure {
    fn from(error: CanaryError) -> Self {
        match error {
            CanaryError::Ports(used_up) => Self::PortsUsedUp(used_up),
            other => Self::Kernel(other.to_string()),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use super::*;

    #[test]
    fn canaries_from_many_processors_never_use_up_the_ports_of_a_router() {
        const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1));
        let begin = Instant::now();
        let mut ports = CanaryPorts::default();
        // 64 processors and 40 batches a second, for a minute and a half.
        for batch in 0..40 * 90 {
            let now = begin + Duration::from_millis(25) * batch;
            for _ in 0..64 {
                assert!(ports.seen.take_at(ROUTER, UDP, now).is_ok(), "batch {batch}");
            }
            // Four probes under way in each of five VPCs.
            for _ in 0..20 {
                assert!(ports.passed.take_at(ROUTER, UDP, now).is_ok(), "batch {batch}");
            }
        }
    }
}
