//! The thread that sends: one packet each millisecond, in turn of every part of every stream.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::looks::{Mark, Part, payload};
use crate::fabric::Namespace;
use crate::model::{Port, Service};
use crate::probe::question::echo_request;

/// One packet each, over all streams.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Longest delay that is made up for in one burst.
const MAX_BURST_DELAY: Duration = Duration::from_millis(20);
/// Protocol that carries the packets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tcp,
    Udp,
    /// Echo requests. Those of one identifier are one flow, as those from one port are.
    Ping,
}

impl Carrier {
    /// The carrier of a service and the port that is asked; nothing for what no traffic is made of.
    pub fn of(service: Service) -> Option<(Self, Port)> {
        match service {
            Service::Tcp(port) => Some((Self::Tcp, port)),
            Service::Udp(port) => Some((Self::Udp, port)),
            Service::IcmpEcho => Some((Self::Ping, Port(0))),
            Service::Icmp(_) | Service::Protocol(_) => None,
        }
    }
}

/// A stream, as the sending thread needs it.
pub(super) struct Lane {
    pub stream: u32,
    pub from: Arc<Namespace>,
    pub source: IpAddr,
    pub to: SocketAddr,
    pub carrier: Carrier,
    pub parts: &'static [Part],
    pub ports: Ports,
    pub forth: Option<Socket>,
    pub back: Option<Back>,
}

/// Socket by which a receiver sends, whom to, and the ports that its packets bear.
pub(super) type Back = (Socket, SocketAddr, [u8; 4]);

/// Ports of a stream that are kept until nothing changes any more.
const KEPT_PORTS: usize = 32;

/// Source ports of a stream, each with its number. None is used twice.
///
/// They are spared: once half of them are used, every second round takes one, and so on, and some are kept for what is sent after the change,
/// however long that takes.
pub(super) struct Ports {
    total: usize,
    left: std::vec::IntoIter<(u32, u16)>,
}

impl From<Vec<(u32, u16)>> for Ports {
    fn from(ports: Vec<(u32, u16)>) -> Self {
        Self { total: ports.len(), left: ports.into_iter() }
    }
}

impl Ports {
    /// Returns true if a round is to leave them alone.
    fn is_spared_in(&self, round: u32) -> bool {
        let left = self.left.len();
        if left <= KEPT_PORTS.min(self.total / 2) {
            return true;
        }
        let interval = self.total / left;
        usize::try_from(round).is_ok_and(|round| !round.is_multiple_of(interval))
    }

    /// Gives those that nothing was sent from.
    pub fn unused(self) -> Vec<u16> {
        self.left.map(|(_, port)| port).collect()
    }
}

/// Words of the thread's owner to it.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Nothing more is sent.
    pub stop: AtomicBool,
    /// Nothing changes any more, so that ports are not spared.
    pub is_last: AtomicBool,
}

/// A socket that sends datagrams with whatever ports its bytes say: the port of the service is a listener's.
pub(super) fn answering(own: IpAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW.cloexec(), Some(Protocol::UDP))?;
    socket.bind(&SocketAddr::new(own, 0).into())?;
    // It is for sending only, and nothing is to pile up in it.
    socket.set_recv_buffer_size(0)?;
    Ok(socket)
}

/// Packets that were sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Each packet, and the moments between which it was sent.
    pub packets: Vec<(Mark, Instant, Instant)>,
    /// Ports of each stream that nothing was sent from.
    pub unused: Vec<(u32, Vec<u16>)>,
}

/// Sends until it is told to stop.
pub(super) fn send(mut lanes: Vec<Lane>, orders: &Orders, count: &AtomicUsize) -> Sent {
    let packets = send_packets(&mut lanes, orders, count);
    let unused = lanes.into_iter().map(|lane| (lane.stream, lane.ports.unused()));
    Sent { packets, unused: unused.collect() }
}

fn send_packets(lanes: &mut [Lane], orders: &Orders, count: &AtomicUsize) -> Vec<(Mark, Instant, Instant)> {
    let mut sent = Vec::new();
    let mut turns = Vec::new();
    for (lane, it) in lanes.iter().enumerate() {
        turns.extend(it.parts.iter().map(|part| (lane, *part)));
    }
    if turns.is_empty() {
        return sent;
    }
    let mut due = Instant::now();
    let mut round = 0u32;
    while !orders.stop.load(Ordering::Relaxed) {
        for (lane, part) in &turns {
            let now = Instant::now();
            match due.checked_duration_since(now) {
                Some(early) => std::thread::sleep(early),
                None if now.duration_since(due) > MAX_BURST_DELAY => due = now,
                None => {}
            }
            due += TICK;
            let is_spared = *part == Part::New && lanes[*lane].ports.is_spared_in(round);
            if is_spared && !orders.is_last.load(Ordering::Relaxed) {
                continue;
            }
            // An attempt that fails is one too, else nobody would ever go on.
            count.fetch_add(1, Ordering::Relaxed);
            // The way back begins once the way there is known.
            if *part == Part::Back && round < 2 {
                continue;
            }
            let before = Instant::now();
            if let Ok(mark) = lanes[*lane].send(*part, round) {
                sent.push((mark, before, Instant::now()));
            }
        }
        round += 1;
    }
    sent
}

impl Lane {
    /// Sends the next packet of a part. What cannot be sent is not lost: it was never on its way.
    fn send(&mut self, part: Part, round: u32) -> io::Result<Mark> {
        match part {
            Part::New => {
                let (number, port) = self.ports.left.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let mark = (self.stream, part, number);
                self.from.enter()?;
                self.begin(port, mark)?;
                Ok(mark)
            }
            Part::Forth => {
                let mark = (self.stream, part, round);
                let socket = self.forth.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                self.tell(socket, mark)?;
                Ok(mark)
            }
            Part::Back => {
                let mark = (self.stream, part, round);
                let (socket, to, ports) = self.back.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                let content = payload(mark);
                let length = u16::try_from(8 + content.len()).unwrap_or(u16::MAX).to_be_bytes();
                // A checksum of zero: none.
                let bytes = [ports.as_slice(), &length, &[0, 0], &content].concat();
                again(|| socket.send_to(&bytes, &(*to).into()))?;
                Ok(mark)
            }
        }
    }

    fn begin(&self, port: u16, mark: Mark) -> io::Result<()> {
        let own = SocketAddr::new(self.source, port);
        let (kind, protocol) = match self.carrier {
            Carrier::Tcp => (Type::STREAM, Protocol::TCP),
            Carrier::Udp => (Type::DGRAM, Protocol::UDP),
            Carrier::Ping if own.is_ipv6() => (Type::DGRAM, Protocol::ICMPV6),
            Carrier::Ping => (Type::DGRAM, Protocol::ICMPV4),
        };
        let socket = Socket::new(Domain::for_address(own), kind.nonblocking().cloexec(), Some(protocol))?;
        if self.carrier == Carrier::Tcp {
            socket.set_linger(Some(Duration::ZERO))?;
        }
        socket.bind(&own.into())?;
        if self.carrier == Carrier::Tcp {
            // Its first packet is all that is asked for: closed at once, it sends no second.
            return match socket.connect(&self.to.into()) {
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                connected => connected,
            };
        }
        self.tell(&socket, mark)
    }

    /// Sends a datagram or an echo request with a mark.
    fn tell(&self, socket: &Socket, mark: Mark) -> io::Result<()> {
        let (payload, (_, _, number)) = (payload(mark), mark);
        let [.., high, low] = number.to_be_bytes();
        let content = match self.carrier {
            Carrier::Ping => echo_request(self.to.ip(), u16::from_be_bytes([high, low]), &payload),
            Carrier::Tcp | Carrier::Udp => payload.to_vec(),
        };
        again(|| socket.send_to(&content, &self.to.into())).map(drop)
    }
}

/// Sends again where the first try only told of an earlier packet's fate.
fn again(mut send: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    match send() {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::EHOSTUNREACH)) => send(),
        sent => sent,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_are_left_however_long_a_change_takes_and_each_is_used_once() {
        let mut ports = Ports::from((0..666).map(|number| (u32::from(number), 1_024 + number)).collect::<Vec<_>>());
        let mut used = Vec::new();
        let an_hour = 3_600_000 / 9;
        for round in 0..an_hour {
            if !ports.is_spared_in(round) {
                used.extend(ports.left.next().map(|(_, port)| (round, port)));
            }
        }
        // As long as most are there, each round uses one.
        assert!(used.iter().take(300).enumerate().all(|(number, (round, _))| usize::try_from(*round) == Ok(number)));
        assert_eq!((used.len(), ports.left.len()), (666 - 32, 32));
        let all: HashSet<u16> = used.into_iter().map(|(_, port)| port).chain(ports.unused()).collect();
        assert_eq!(all.len(), 666);
    }

    #[test]
    fn a_stream_without_ports_uses_none() {
        assert!(Ports::from(Vec::new()).is_spared_in(0));
    }
}
