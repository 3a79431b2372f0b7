//! Source ports and echo identifiers. None is used again while a tracked flow of its last use may live: the new
//! probe would ride on it, whatever the rules say now. And nobody can tell which is next: who could would have an answer, or an error, there
//! before the probe.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

/// The first port given; those below are left to services.
const FIRST: u16 = 1024;
/// The last.
const LAST: u16 = u16::MAX;
/// Ports are aged in blocks of this many, in the order in which they are given.
const BLOCK: u16 = 1024;
/// Longer than any flow that a probe leaves behind is tracked: a reset closes its connections (10 s), an unanswered
/// half lasts two minutes, a datagram's three.
const QUARANTINE: Duration = Duration::from_secs(600);

/// Ports that were given, by sender's address and protocol.
#[derive(Debug)]
pub(super) struct SourcePorts {
    given: HashMap<(IpAddr, u8), Given>,
    /// Time for which a block rests.
    rest: Duration,
}

/// Those of probes.
impl Default for SourcePorts {
    fn default() -> Self {
        Self::resting(QUARANTINE)
    }
}

#[derive(Debug)]
struct Given {
    /// Order of the ports, by place.
    order: Order,
    /// The next place. Places are numbered as ports are.
    next: u16,
    /// Moment at which each block was last begun.
    begun: [Option<Instant>; 64],
    /// Places that were given back unused.
    unused: Vec<u16>,
}

/// Every port of a sender is in use or resting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("every source port of {0} was used in the last minutes; one used again would prove nothing")]
pub struct UsedUp(IpAddr);

impl SourcePorts {
    /// Ports that are given again once their block has rested for so long.
    pub fn resting(rest: Duration) -> Self {
        Self { given: HashMap::new(), rest }
    }

    /// The next port that this sender has not used, or not for long.
    pub fn take(&mut self, sender: IpAddr, protocol: u8) -> Result<u16, UsedUp> {
        self.take_at(sender, protocol, Instant::now())
    }

    pub(super) fn take_at(&mut self, sender: IpAddr, protocol: u8, now: Instant) -> Result<u16, UsedUp> {
        let given = self.given.entry((sender, protocol)).or_insert_with(|| Given {
            order: Order::new(),
            next: FIRST,
            begun: [None; 64],
            unused: Vec::new(),
        });
        if let Some(place) = given.unused.pop() {
            // It is used later than the others of its block, which rests from then on.
            given.begun[usize::from(place / BLOCK)] = Some(now);
            return Ok(given.order.port(place));
        }
        let place = given.next;
        if place.is_multiple_of(BLOCK) {
            // A block takes a while to give, so the rest is counted from the end of it: when the next one began.
            let block = usize::from(place / BLOCK);
            let after = if block == 63 { 1 } else { block + 1 };
            let ended = given.begun[block].map(|own| given.begun[after].filter(|next| *next >= own).unwrap_or(own));
            if ended.is_some_and(|ended| now.duration_since(ended) < self.rest) {
                return Err(UsedUp(sender));
            }
            given.begun[block] = Some(now);
            given.unused.retain(|place| usize::from(place / BLOCK) != block);
        }
        given.next = place.checked_add(1).unwrap_or(FIRST);
        Ok(given.order.port(place))
    }

    /// Takes back ports that this sender was given and has not used.
    pub fn give_back(&mut self, sender: IpAddr, protocol: u8, unused: impl IntoIterator<Item = u16>) {
        let Some(Given { order, next, begun, unused: places }) = self.given.get_mut(&(sender, protocol)) else {
            return;
        };
        // Not what was given before a reset, and is to be given yet.
        let was_given = |place: &u16| {
            let block = usize::from(place / BLOCK);
            begun[block].is_some() && (block != usize::from(*next / BLOCK) || place < next)
        };
        places.extend(unused.into_iter().map(|port| order.place(port)).filter(was_given));
    }

    /// Begins anew for senders of a block, whose tracked flows have been forgotten everywhere.
    pub fn reset(&mut self, senders: IpNet) {
        self.given.retain(|(address, _), _| !senders.contains(address));
    }
}

/// An order of all ports that nobody else knows: a permutation by a secret, in rounds of a Feistel network.
#[derive(Debug)]
struct Order(RandomState);

impl Order {
    const ROUNDS: u8 = 8;

    fn new() -> Self {
        Self(RandomState::new())
    }

    /// The port at a place.
    fn port(&self, place: u16) -> u16 {
        let mut port = self.round_about(place);
        // It permutes all numbers. Whoever goes on from one that is no port comes to one, and nobody else comes to it.
        while !(FIRST..=LAST).contains(&port) {
            port = self.round_about(port);
        }
        port
    }

    /// The place of a port.
    fn place(&self, port: u16) -> u16 {
        let mut place = self.round_back(port);
        while !(FIRST..=LAST).contains(&place) {
            place = self.round_back(place);
        }
        place
    }

    fn round_about(&self, number: u16) -> u16 {
        let [mut left, mut right] = number.to_be_bytes();
        for round in 0..Self::ROUNDS {
            (left, right) = (right, left ^ self.mixed(round, right));
        }
        u16::from_be_bytes([left, right])
    }

    fn round_back(&self, number: u16) -> u16 {
        let [mut left, mut right] = number.to_be_bytes();
        for round in (0..Self::ROUNDS).rev() {
            (left, right) = (right ^ self.mixed(round, left), left);
        }
        u16::from_be_bytes([left, right])
    }

    fn mixed(&self, round: u8, half: u8) -> u8 {
        let [mixed, ..] = self.0.hash_one((round, half)).to_be_bytes();
        mixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 11));

    #[test]
    fn a_port_is_not_given_twice_to_one_sender_before_it_has_rested() {
        let mut ports = SourcePorts::default();
        let begin = Instant::now();
        let mut given = std::collections::HashSet::new();
        while let Ok(port) = ports.take_at(SENDER, 6, begin) {
            assert!(given.insert(port));
        }
        assert_eq!(given.len(), 65_536 - usize::from(FIRST));
        assert!(given.iter().all(|port| *port >= FIRST));
        assert_eq!(ports.take_at(SENDER, 6, begin + QUARANTINE / 2), Err(UsedUp(SENDER)));
        assert!(ports.take_at(SENDER, 6, begin + QUARANTINE).is_ok());
    }

    #[test]
    fn a_port_that_was_given_back_unused_is_given_again_and_its_block_rests_from_then_on() {
        let mut ports = SourcePorts::default();
        let begin = Instant::now();
        let given: Vec<u16> = (0..3000).map(|_| ports.take_at(SENDER, 17, begin).unwrap()).collect();
        let (used, unused) = given.split_at(1000);
        ports.give_back(SENDER, 17, unused.iter().copied());
        let later = begin + QUARANTINE / 2;
        let mut again: Vec<u16> = (0..2000).map(|_| ports.take_at(SENDER, 17, later).unwrap()).collect();
        again.sort_unstable();
        let mut unused = unused.to_vec();
        unused.sort_unstable();
        assert_eq!(again, unused);
        let mut all: std::collections::HashSet<u16> = used.iter().copied().chain(again).collect();
        while let Ok(port) = ports.take_at(SENDER, 17, later) {
            assert!(all.insert(port), "{port} is given twice");
        }
        assert_eq!(
            ports.take_at(SENDER, 17, begin + QUARANTINE),
            Err(UsedUp(SENDER)),
            "the first block was used later"
        );
    }

    #[test]
    fn another_protocol_has_ports_of_its_own_and_a_forgotten_sender_begins_anew() {
        let mut ports = SourcePorts::default();
        let now = Instant::now();
        while ports.take_at(SENDER, 6, now).is_ok() {}
        assert!(ports.take_at(SENDER, 17, now).is_ok());
        ports.reset(SENDER.into());
        assert!(ports.take_at(SENDER, 6, now).is_ok());
    }

    #[test]
    fn nobody_can_tell_which_port_is_next() {
        let taken = || {
            let mut ports = SourcePorts::default();
            (0..500).map(|_| ports.take(SENDER, 17).unwrap()).collect::<Vec<_>>()
        };
        let (one, other) = (taken(), taken());
        let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
        assert!(same < 5, "another lab, and another order: {same}");
        let ascending = one.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((150..350).contains(&ascending), "{ascending}");
        // Each sixteenth of all ports has about its share: 500 / 16 is 31.
        let mut shares = [0; 16];
        one.iter().for_each(|port| shares[usize::from(port >> 12)] += 1);
        assert!(shares.iter().all(|share| (8..64).contains(share)), "{shares:?}");
    }
}
