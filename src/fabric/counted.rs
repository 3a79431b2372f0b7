//! Connection tracking's own count of the packets and bytes of each flow: of those that stand, and of each that ends.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload, Nla};
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Tuple};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner};
use netlink_sys::Socket;
use nix::poll::{PollFd, PollFlags};

use super::conntrack::{self, SUBSYSTEM};
use super::error::FabricError;
use super::kernel::in_node;
pub use super::kernel_records::Amount;
use super::namespace::Namespace;
use super::netlink;
use super::packet::{self, ICMP, ICMPV6};
use super::receive_buffer::most_waiting;

/// `NFNLGRP_CONNTRACK_DESTROY`.
const ENDS: u32 = 3;
/// `CTA_COUNTERS_ORIG` and `CTA_COUNTERS_REPLY`.
const COUNTERS: [u16; 2] = [9, 10];
/// `CTA_COUNTERS_PACKETS` and `CTA_COUNTERS_BYTES`.
const PARTS: [u16; 2] = [1, 2];
/// The kernel cuts it to its limit.
const RECEIVE_BYTES: usize = 4 << 20;

/// A flow and how much of it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its first packet.
    pub original: packet::Tuple,
    /// In the direction of its first packet.
    pub there: Amount,
    /// In the other.
    pub back: Amount,
}

/// Flows that have ended, as they were read.
#[derive(Debug, Default)]
pub struct Ended {
    /// The flows, with their last count.
    pub flows: Vec<Counted>,
    /// True if the kernel had no place for some.
    pub lost: bool,
}

/// The ends of a namespace's flows. It never blocks.
#[derive(Debug)]
pub struct Ends {
    socket: Socket,
    buffer: Vec<u8>,
    most_waiting: usize,
    news: PollFlags,
}

/// Counts the flows of a namespace that begin from now on, and listens to their ends.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn count(node: &Arc<Namespace>) -> Result<Ends, FabricError> {
    let news = if node.faults.ends_are_late() { PollFlags::empty() } else { PollFlags::POLLIN };
    let opened = node.run(move || {
        let mut socket = Socket::new(netlink_sys::constants::NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        nix::sys::socket::setsockopt(&socket.as_fd(), nix::sys::socket::sockopt::RcvBuf, &RECEIVE_BYTES)?;
        socket.add_membership(ENDS)?;
        let most_waiting = most_waiting(&socket.as_fd())?;
        Ok(Ends { socket, buffer: vec![0; 64 << 10], most_waiting, news })
    });
    let failed = |source| FabricError::Kernel { attempt: "count flows".into(), node: node.name.clone(), source };
    opened.await?.map_err(failed)
}

/// Every flow that a namespace tracks now.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn standing(node: &Arc<Namespace>) -> Result<Vec<Counted>, FabricError> {
    let listed = node.run(|| Ok(conntrack::flows()?.into_iter().filter_map(counted).collect()));
    listed.await?.map_err(|refused| in_node(&node.name, refused))
}

impl Ends {
    /// Returns the descriptor to poll, which is ready when there is something to read.
    pub fn news(&self) -> PollFd<'_> {
        PollFd::new(self.socket.as_fd(), self.news)
    }

    /// Reads all that is there now, and perhaps of what comes meanwhile.
    ///
    /// # Errors
    /// The OS error; "no buffer space" is not an error, but some are lost.
    pub fn read(&mut self) -> io::Result<Ended> {
        let mut ended = Ended::default();
        for _ in 0..self.most_waiting {
            match self.socket.recv(&mut &mut self.buffer[..], libc::MSG_DONTWAIT) {
                Ok(length) => parse(&self.buffer[..length], &mut ended),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(ended),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => ended.lost = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }
}

/// Reads what came in one message; what cannot be read is lost.
pub(super) fn parse(mut bytes: &[u8], ended: &mut Ended) {
    while bytes.len() >= 16 {
        let message = Some(bytes).filter(|bytes| netlink::is_of(bytes, SUBSYSTEM));
        let Some(Ok(message)) = message.map(NetlinkMessage::<NetfilterMessage>::deserialize) else {
            ended.lost = true;
            return;
        };
        let length = (message.header.length as usize).next_multiple_of(4).max(16).min(bytes.len());
        bytes = &bytes[length..];
        if let NetlinkPayload::InnerMessage(message) = message.payload {
            ended.flows.extend(counted(message));
        }
    }
}

fn counted(message: NetfilterMessage) -> Option<Counted> {
    let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes) | ConntrackMessage::Delete(attributes)) =
        message.inner
    else {
        return None;
    };
    let mut original = None;
    let mut amounts = [Amount::default(); 2];
    for attribute in &attributes {
        match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) => original = tuple(parts),
            ConntrackAttribute::Other(other) => {
                // The highest bits say that it is nested.
                let kind = other.kind() & 0x3fff;
                if let Some(way) = COUNTERS.iter().position(|known| *known == kind) {
                    let mut value = vec![0; other.value_len()];
                    other.emit_value(&mut value);
                    amounts[way] = amount(&value);
                }
            }
            _ => {}
        }
    }
    Some(Counted { original: original?, there: amounts[0], back: amounts[1] })
}

/// Counters as the kernel nests them: each of eight bytes, the most significant first.
fn amount(mut bytes: &[u8]) -> Amount {
    let mut amount = Amount::default();
    while let [low, high, kind_low, kind_high, rest @ ..] = bytes {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let kind = u16::from_ne_bytes([*kind_low, *kind_high]) & 0x3fff;
        let value = rest.get(..length.saturating_sub(4)).and_then(|value| <[u8; 8]>::try_from(value).ok());
        if let (Some(value), Some(part)) = (value, PARTS.iter().position(|known| *known == kind)) {
            let value = u64::from_be_bytes(value);
            *(if part == 0 { &mut amount.packets } else { &mut amount.bytes }) = value;
        }
        bytes = bytes.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    amount
}

/// Of an ICMP message the identifier stands for the source port and the type for the destination's, as in a log record.
fn tuple(parts: &[Tuple]) -> Option<packet::Tuple> {
    let (mut source, mut destination, mut protocol) = (None, None, None);
    let (mut source_port, mut destination_port) = (0, 0);
    let (mut id, mut kind) = (0, 0);
    for part in parts {
        match part {
            Tuple::Ip(ends) => ends.iter().for_each(|end| match end {
                IPTuple::SourceAddress(address) => source = Some(*address),
                IPTuple::DestinationAddress(address) => destination = Some(*address),
                _ => {}
            }),
            Tuple::Proto(parts) => parts.iter().for_each(|part| match part {
                ProtoTuple::Protocol(number) => protocol = Some(u8::from(*number)),
                ProtoTuple::SourcePort(port) => source_port = *port,
                ProtoTuple::DestinationPort(port) => destination_port = *port,
                ProtoTuple::Other(other) => {
                    let mut value = vec![0; other.value_len()];
                    other.emit_value(&mut value);
                    // `CTA_PROTO_ICMP_ID` and `_TYPE`, and the same of ICMPv6.
                    match (other.kind(), value.as_slice()) {
                        (4 | 7, [high, low]) => id = u16::from_be_bytes([*high, *low]),
                        (5 | 8, [value]) => kind = u16::from(*value),
                        _ => {}
                    }
                }
                _ => {}
            }),
            _ => {}
        }
    }
    let protocol = protocol?;
    if matches!(protocol, ICMP | ICMPV6) {
        (source_port, destination_port) = (id, kind);
    }
    Some(packet::Tuple { protocol, source: source?, source_port, destination: destination?, destination_port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_are_cut_off_count_nothing_and_do_not_hang() {
        let whole = [12u16.to_ne_bytes(), 1u16.to_ne_bytes()].concat();
        let whole = [whole, 7u64.to_be_bytes().to_vec()].concat();
        assert_eq!(amount(&whole).packets, 7);
        for end in 0..whole.len() {
            assert_eq!(amount(&whole[..end]), Amount::default(), "cut at {end}");
        }
        assert_eq!(amount(&[0; 16]), Amount::default());
    }
}
