//! Source ports and echo identifiers. None is used again while a tracked flow of its last use may live: the new
//! probe would ride on it, whatever the rules say now.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The first port given; those below are left to services.
const FIRST: u16 = 1024;
/// Ports are aged in blocks of this many.
const BLOCK: u16 = 1024;
/// Longer than any flow that a probe leaves behind is tracked: a reset closes its connections (10 s), an unanswered
/// half lasts two minutes, a datagram's three.
const REST: Duration = Duration::from_secs(600);

/// What was given, by sender's address and protocol.
#[derive(Debug, Default)]
pub(super) struct SourcePorts {
    given: HashMap<(IpAddr, u8), Given>,
}

#[derive(Debug)]
struct Given {
    next: u16,
    /// When each block was last begun.
    begun: [Option<Instant>; 64],
}

/// Every port of a sender is in use or resting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("every source port of {0} was used in the last minutes; one used again would prove nothing")]
pub(super) struct UsedUp(IpAddr);

impl SourcePorts {
    /// The next port that this sender has not used, or not for long.
    pub fn take(&mut self, sender: IpAddr, protocol: u8) -> Result<u16, UsedUp> {
        self.take_at(sender, protocol, Instant::now())
    }

    fn take_at(&mut self, sender: IpAddr, protocol: u8, now: Instant) -> Result<u16, UsedUp> {
        let given = self.given.entry((sender, protocol)).or_insert(Given { next: FIRST, begun: [None; 64] });
        let port = given.next;
        if port.is_multiple_of(BLOCK) {
            // A block takes a while to give, so the rest is counted from the end of it: when the next one began.
            let block = usize::from(port / BLOCK);
            let after = if block == 63 { 1 } else { block + 1 };
            let ended = given.begun[block].map(|own| given.begun[after].filter(|next| *next >= own).unwrap_or(own));
            if ended.is_some_and(|ended| now.duration_since(ended) < REST) {
                return Err(UsedUp(sender));
            }
            given.begun[block] = Some(now);
        }
        given.next = port.checked_add(1).unwrap_or(FIRST);
        Ok(port)
    }

    /// Begins anew for a sender, whose tracked flows have been forgotten everywhere.
    pub fn reset(&mut self, sender: IpAddr) {
        self.given.retain(|(address, _), _| *address != sender);
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
        assert_eq!(ports.take_at(SENDER, 6, begin + REST / 2), Err(UsedUp(SENDER)));
        assert_eq!(ports.take_at(SENDER, 6, begin + REST), Ok(FIRST));
    }

    #[test]
    fn another_protocol_has_ports_of_its_own_and_a_forgotten_sender_begins_anew() {
        let mut ports = SourcePorts::default();
        assert_eq!(ports.take(SENDER, 6), Ok(FIRST));
        assert_eq!(ports.take(SENDER, 6), Ok(FIRST + 1));
        assert_eq!(ports.take(SENDER, 17), Ok(FIRST));
        ports.reset(SENDER);
        assert_eq!(ports.take(SENDER, 6), Ok(FIRST));
    }
}
