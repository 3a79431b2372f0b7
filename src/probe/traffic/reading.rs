//! The thread that reads what comes by the links of traffic's ends, and what goes to them.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::looks::{Appliance, Known, Shows, Watch};
use super::looks::{LENGTH, Mark, Part, flow, mark};
use crate::fabric::packet::{ECHO_REQUEST, ECHO_REQUEST_IPV6, ICMP, ICMPV6, TCP, Tuple, UDP};
use crate::fabric::tap;
use crate::network::NodeName;

/// Packets that the packet sockets have shown.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Moment at which each was seen to come from its end as it was to be sent.
    pub entered: HashMap<Mark, Instant>,
    /// Moment at which each was first seen on its way to the other end.
    pub arrived: HashMap<Mark, Instant>,
    /// Moment at which each was sent to an appliance.
    pub handed: HashMap<(Mark, NodeName), Instant>,
    /// Moment at which each came from it again.
    pub passed_on: HashMap<(Mark, NodeName), Instant>,
    /// Moment at which the last was read.
    pub ended: Option<Instant>,
    pub missed: u32,
    /// True if a link went with its instance, or was made anew: what was sent over it then is not seen.
    pub gone: bool,
    pub failed: Option<String>,
}

/// Progress of a packet at the appliances on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// None has it; when the last that had it passed it on, if one did.
    Done(Option<Instant>),
    /// One has had it so shortly that it may still pass it on.
    UnderWay,
    /// One has kept it, or has made something else of it.
    Kept(NodeName),
}

impl Read {
    fn note(&mut self, known: &Known, end: &NodeName, shows: Shows, packet: &[u8]) {
        // What stands behind the packet in its frame is no part of it.
        let packet = packet.get(..stated_length(packet)).unwrap_or(packet);
        let Some(tuple) = Tuple::parse(packet) else { return };
        let Some(found) = mark(packet).or_else(|| known.syns.get(&tuple).copied()) else { return };
        let Some(looks) = known.looks.get(&flow(found)) else { return };
        match shows {
            // Whatever bears the mark may have been made of something else: the ports and addresses are those of the flow, or it is another's.
            Shows::SentToIt if looks.to == *end && looks.arriving.contains(&tuple) => {
                self.arrived.entry(found).or_insert_with(Instant::now);
            }
            Shows::ComesFromIt if looks.from == *end && looks.entering == tuple && is_sound(packet) => {
                self.entered.entry(found).or_insert_with(Instant::now);
            }
            Shows::SentToIt | Shows::ComesFromIt => {}
        }
        let appliances = looks.by.iter().filter(|appliance| appliance.node == *end);
        for appliance in appliances {
            let at = || (found, appliance.node.clone());
            match shows {
                Shows::SentToIt if appliance.handed.contains(&tuple) => {
                    self.handed.entry(at()).or_insert_with(Instant::now);
                }
                Shows::ComesFromIt if appliance.passed_on.contains(&tuple) && is_sound(packet) => {
                    self.passed_on.insert(at(), Instant::now());
                }
                Shows::SentToIt | Shows::ComesFromIt => {}
            }
        }
    }

    /// Returns the longest time that each appliance has had a packet that it passed on.
    pub fn slowest(&self) -> HashMap<NodeName, Duration> {
        let mut slowest = HashMap::new();
        for (at, passed_on) in &self.passed_on {
            let took = self.handed.get(at).and_then(|handed| passed_on.checked_duration_since(*handed));
            let longest: &mut Duration = slowest.entry(at.1.clone()).or_default();
            *longest = took.unwrap_or_default().max(*longest);
        }
        slowest
    }

    /// Returns what has become of a packet at the appliances on its way.
    pub fn passage(&self, found: Mark, by: &[Appliance], slowest: &HashMap<NodeName, Duration>) -> Passage {
        let mut last = None;
        for Appliance { node, .. } in by {
            let at = (found, node.clone());
            match (self.handed.get(&at), self.passed_on.get(&at)) {
                (_, Some(passed_on)) => last = last.max(Some(*passed_on)),
                // It may still be passed on: it has been there for no longer than twice what the slowest took.
                (Some(handed), None)
                    if slowest
                        .get(node)
                        .zip(self.ended)
                        .is_some_and(|(longest, ended)| ended.duration_since(*handed) <= *longest * 2) =>
                {
                    return Passage::UnderWay;
                }
                (Some(_), None) => return Passage::Kept(node.clone()),
                (None, None) => {}
            }
        }
        Passage::Done(last)
    }

    /// Returns the moment at which the first question of a stream's held connection came to the receiver.
    pub fn first_question(&self, stream: u32) -> Option<Instant> {
        let forth = self.arrived.iter().filter(|((of, part, _), _)| *of == stream && *part == Part::Forth);
        forth.map(|(_, at)| *at).min()
    }
}

/// Fewer hops to go than this are not what a packet of ours begins with.
const HOPS: u8 = 32;

/// Reports whether a packet has nothing wrong with it for which a router drops it without a word: it is whole, its header is as it was sent, and
/// there are hops to go. What begins a connection of TCP does nothing else. Of the rest (checksums, flags, lengths behind the header) filters have
/// records.
fn is_sound(packet: &[u8]) -> bool {
    let length = stated_length(packet);
    let (is_sound, protocol, header) = match packet {
        [0x45, _, _, _, _, _, flags, offset, hops, protocol, ..] if packet.len() >= 20 => {
            let sum: u32 = packet[..20].chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]]))).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            let is_right = (folded & 0xffff) + (folded >> 16) == 0xffff;
            (is_right && flags & 0xbf == 0 && *offset == 0 && *hops >= HOPS, *protocol, 20)
        }
        [first, _, _, _, _, _, protocol, hops, ..] if first >> 4 == 6 => (*hops >= HOPS, *protocol, 40),
        _ => return false,
    };
    // Headers between the two have a router drop it without a word, and so does a length that ends before what follows.
    let follows = packet.get(header..length).unwrap_or_default();
    is_sound
        && match (protocol, follows) {
            (TCP, [_, _, _, _, _, _, _, _, _, _, _, _, _, flags, ..]) => flags & 0x3f == 0x02,
            (UDP, [_, _, _, _, high, low, ..]) => {
                follows.len() == 8 + LENGTH && usize::from(u16::from_be_bytes([*high, *low])) == follows.len()
            }
            (ICMP, [kind, 0, ..]) => follows.len() == 8 + LENGTH && u16::from(*kind) == ECHO_REQUEST,
            (ICMPV6, [kind, 0, ..]) => follows.len() == 8 + LENGTH && u16::from(*kind) == ECHO_REQUEST_IPV6,
            _ => false,
        }
}

/// Length of a packet by its own header, in bytes; 0 where it has none.
fn stated_length(packet: &[u8]) -> usize {
    match packet {
        [first, _, high, low, ..] if first >> 4 == 4 => usize::from(u16::from_be_bytes([*high, *low])),
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => 40 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

/// Reads until it is woken, and then what is left.
pub(super) fn read(mut taps: Vec<Watch>, wake: &EventFd, known: &Known) -> Read {
    let mut read = Read::default();
    loop {
        let ready: Vec<bool> = {
            let mut fds: Vec<PollFd<'_>> =
                taps.iter().map(|watch| PollFd::new(watch.tap.as_fd(), PollFlags::POLLIN)).collect();
            fds.push(PollFd::new(wake.as_fd(), PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => fds.iter().map(|fd| fd.any().unwrap_or(true)).collect(),
                Err(errno) => {
                    read.failed = Some(errno.to_string());
                    return read;
                }
            }
        };
        let last = ready.last().copied().unwrap_or(true);
        for (Watch { end, shows, tap }, ready) in taps.iter_mut().zip(ready) {
            if !(ready || last) {
                continue;
            }
            match tap.read_each(|packet| read.note(known, end, *shows, packet)) {
                Err(error) if tap::is_gone(&error) => read.gone = true,
                Err(error) => read.failed = Some(error.to_string()),
                Ok(()) => {}
            }
        }
        if last {
            read.ended = Some(Instant::now());
            for Watch { tap, .. } in &taps {
                match tap.missed() {
                    Ok(missed) => read.missed += missed,
                    Err(error) => read.failed = Some(error.to_string()),
                }
            }
            return read;
        }
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn datagram(hops: u8) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 12], hops).udp(4000, 53);
        builder.write(&mut packet, b"thirteen byte").expect("a vector takes it");
        packet
    }

    #[test]
    fn what_a_router_drops_without_a_word_is_not_sound() {
        let packet = datagram(64);
        assert!(is_sound(&packet));
        assert!(!is_sound(&datagram(1)), "it ends at the router");
        assert!(!is_sound(&packet[..packet.len() - 1]), "cut off");
        for (at, bits) in [(0, 0x01), (0, 0x20), (3, 0x01), (6, 0x20), (7, 0x01), (8, 0x01), (10, 0x80), (12, 0x01)] {
            let mut broken = packet.clone();
            broken[at] ^= bits;
            assert!(!is_sound(&broken), "byte {at}");
        }
    }

    #[test]
    fn what_is_hidden_from_a_router_by_lengths_or_headers_of_ipv6_is_not_sound() {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(4000, 53);
        builder.write(&mut packet, b"thirteen byte").expect("a vector takes it");
        assert!(is_sound(&packet));
        let mut of_no_length = packet.clone();
        of_no_length[4..6].fill(0);
        assert!(!is_sound(&of_no_length), "the router cuts it behind its header");
        let mut behind_options = packet[..40].to_vec();
        behind_options.extend([17, 0, 0x4e, 4, 0, 0, 0, 0]);
        behind_options.extend(&packet[40..]);
        behind_options[5] += 8;
        behind_options[6] = 0;
        assert!(!is_sound(&behind_options), "the router drops what has options that it does not know");
        let mut padded = packet.clone();
        padded[5] = 8;
        padded[45] = 8;
        assert!(!is_sound(&padded), "what stands behind it is no part of it");
        let mut longer_within = packet;
        longer_within[45] += 1;
        assert!(!is_sound(&longer_within));
    }

    #[test]
    fn of_a_ping_only_the_whole_request_is_sound() {
        let written = |builder: etherparse::PacketBuilderStep<etherparse::Icmpv4Header>, content: &[u8]| {
            let mut packet = Vec::new();
            builder.write(&mut packet, content).expect("a vector takes it");
            packet
        };
        let four = || PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 12], 64);
        let request = written(four().icmpv4_echo_request(7, 1), b"thirteen byte");
        assert!(is_sound(&request));
        assert!(!is_sound(&written(four().icmpv4_echo_reply(7, 1), b"thirteen byte")), "an answer");
        assert!(!is_sound(&written(four().icmpv4_echo_request(7, 1), b"fourteen bytes")), "longer");
        let mut of_code = request;
        of_code[21] = 8;
        assert!(!is_sound(&of_code), "another code is no ping");
        let mut packet = Vec::new();
        let six = PacketBuilder::ipv6([1; 16], [2; 16], 64).icmpv6_echo_request(7, 1);
        six.write(&mut packet, b"thirteen byte").expect("a vector takes it");
        assert!(is_sound(&packet));
    }

    #[test]
    fn a_connection_of_tcp_begins_with_a_syn_alone() {
        let syn = |builder: etherparse::PacketBuilderStep<etherparse::TcpHeader>| {
            let mut packet = Vec::new();
            builder.write(&mut packet, &[]).expect("a vector takes it");
            packet
        };
        let four = || PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 12], 64).tcp(4000, 80, 1, 1024);
        let six = || PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(4000, 80, 1, 1024);
        assert!(is_sound(&syn(four().syn())) && is_sound(&syn(six().syn())));
        assert!(!is_sound(&syn(four().ack(1))) && !is_sound(&syn(six().syn().ack(1))) && !is_sound(&syn(four().rst())));
    }
}
