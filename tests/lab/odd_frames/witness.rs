//! What may come to whom: the short list that groups here admit, by addresses and protocol of what has arrived.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{LinkAddr, recvfrom};
use sglab::fabric::Namespace;
use socket2::{Domain, Protocol, Socket, Type};

use super::frames::OPEN;
use super::headers::{Read, read, whole};
use crate::bare::inside;

/// Who sends.
#[derive(Debug)]
pub struct Sender {
    pub name: String,
    pub vpc: Option<String>,
    /// The addresses that what it sends may have, in its own VPC and elsewhere.
    pub within: Vec<IpAddr>,
    pub beyond: Vec<IpAddr>,
    /// Whose check is off may say that it is anybody.
    pub forges: bool,
    /// What passes on what it sends to the outside.
    pub by: Option<&'static str>,
}

/// What of protocols without ports somebody has sent to whom: its interface takes what comes back, whatever the rules say.
pub type Sent = HashSet<(String, u8, IpAddr)>;

/// Whether a protocol is one of these.
pub fn is_without_ports(protocol: u8) -> bool {
    ![1, 6, 17, 58].contains(&protocol)
}

/// What may come to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// No group stands before a host outside.
    Everything,
    ShortList,
    Nothing,
}

/// Somebody who sees every frame that comes to one namespace.
pub struct Witness {
    pub name: String,
    pub vpc: Option<String>,
    pub own: Vec<IpAddr>,
    pub admits: Admits,
    /// The router's own address, from which it speaks over IPv6.
    pub router: Option<IpAddr>,
    socket: Socket,
    /// Pieces of packets that are not all there yet.
    pub pieces: Vec<Read>,
}

const ECHO: [u8; 2] = [8, 128];
const ECHO_ANSWERS: [u8; 2] = [0, 129];
const ERRORS_IPV4: [u8; 3] = [3, 11, 12];
const ERRORS_IPV6: [u8; 4] = [1, 2, 3, 4];
/// Flags of TCP.
const SYN: u8 = 2;
const BEGINS_NOTHING: u8 = 1 | 4 | 16;

impl Witness {
    pub async fn of(node: &Arc<Namespace>, vpc: Option<String>, own: Vec<IpAddr>, admits: Admits) -> Self {
        let opened = inside(node, || {
            let all = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(all))?;
            socket.set_recv_buffer_size(4 << 20)?;
            Ok::<Socket, std::io::Error>(socket)
        });
        let (name, socket) = (node.name.0.clone(), opened.await.expect("a packet socket"));
        Self { name, vpc, own, admits, router: None, socket, pieces: Vec::new() }
    }

    /// Every frame that has come since.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let (mut frames, mut buffer) = (Vec::new(), vec![0; 4096]);
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((_, Some(by))) if by.pkttype() == libc::PACKET_OUTGOING => {}
                Ok((length, _)) => frames.push(buffer[..length].to_vec()),
                Err(Errno::EAGAIN) => return frames,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    /// Why a frame may not have come, if it may not have.
    pub fn fault(&mut self, sender: &Sender, sent: &Sent, frame: &[u8], is_marked: bool) -> Option<&'static str> {
        let Some(mut packet) = read(frame) else { return Some("it is no whole packet of IP") };
        // A filter puts pieces together, judges them, and takes them apart again. Outside there is none.
        if packet.piece.is_some() && self.admits != Admits::Everything {
            self.pieces.push(packet.clone());
            let of_it: Vec<Read> = self.pieces.iter().filter(|it| it.is_of(&packet)).cloned().collect();
            let all = whole(of_it)?;
            self.pieces.retain(|it| !it.is_of(&packet));
            packet = all;
        }
        // The box at the other end of the link asks and tells of itself, as every box with IPv6 does.
        if !is_marked && packet.protocol == 58 && matches!(packet.body.first(), Some(130..=143)) {
            return None;
        }
        // The router gives up what is not whole after some seconds, and says so to who has sent it.
        let gives_up = match packet.source {
            IpAddr::V4(source) => source.is_link_local() && packet.protocol == 1 && packet.body.starts_with(&[11, 1]),
            source => self.router == Some(source) && packet.protocol == 58 && packet.body.starts_with(&[3, 1]),
        };
        if gives_up {
            return None;
        }
        let passes_on = sender.by == Some(&self.name);
        if (passes_on || sender.forges) && is_answer(&packet) {
            return None;
        }
        let is_within = self.vpc.is_some() && self.vpc == sender.vpc;
        let faces = if is_within { &sender.within } else { &sender.beyond };
        if !sender.forges && !faces.contains(&packet.source) {
            return Some("it has not its sender's address");
        }
        if !self.own.contains(&packet.to) && !passes_on {
            return Some("it is for somebody else");
        }
        if sent.contains(&(self.name.clone(), packet.protocol, packet.source)) {
            return None;
        }
        match self.admits {
            Admits::Everything => None,
            Admits::ShortList if is_on_the_list(&packet) => None,
            Admits::ShortList => Some("no rule lets it in"),
            Admits::Nothing => Some("no rule lets anything in"),
        }
    }
}

/// Whether it begins what the short list admits: a connection to one port, or a ping.
fn is_on_the_list(packet: &Read) -> bool {
    match (packet.protocol, packet.body.as_slice()) {
        (6, [_, _, high, low, rest @ ..]) => {
            let flags = rest.get(9).copied().unwrap_or_default();
            u16::from_be_bytes([*high, *low]) == OPEN && flags & (SYN | BEGINS_NOTHING) == SYN
        }
        (1 | 58, [kind, ..]) => *kind == ECHO[usize::from(packet.source.is_ipv6())],
        _ => false,
    }
}

/// Whether it answers what the short list admits, or what a host outside has taken. It comes to whose address was forged (docs/semantics.md).
fn is_answer(packet: &Read) -> bool {
    match (packet.protocol, packet.body.as_slice()) {
        (6, [high, low, _, _, rest @ ..]) => {
            let flags = rest.get(9).copied().unwrap_or_default();
            u16::from_be_bytes([*high, *low]) == OPEN || flags & 4 != 0
        }
        (1, [kind, ..]) => *kind == ECHO_ANSWERS[0] || ERRORS_IPV4.contains(kind),
        (58, [kind, ..]) => *kind == ECHO_ANSWERS[1] || ERRORS_IPV6.contains(kind),
        _ => false,
    }
}
