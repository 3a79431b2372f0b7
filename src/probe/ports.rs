//! Source ports and echo identifiers, each used once: a reused one would ride on the tracked flow of the last.

use std::collections::HashMap;
use std::net::Ipv4Addr;

/// The first port given; those below are left to services.
const FIRST: u16 = 1024;

/// What was given, by sender's address and protocol.
#[derive(Debug, Default)]
pub(super) struct SourcePorts {
    next: HashMap<(Ipv4Addr, u8), u32>,
}

/// Every port of a sender has been used in this lab.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("every source port of {0} has been used; a port used twice would prove nothing")]
pub(super) struct UsedUp(Ipv4Addr);

impl SourcePorts {
    /// The next port that this sender has never used.
    pub fn take(&mut self, sender: Ipv4Addr, protocol: u8) -> Result<u16, UsedUp> {
        let next = self.next.entry((sender, protocol)).or_insert(u32::from(FIRST));
        let port = u16::try_from(*next).map_err(|_| UsedUp(sender))?;
        *next += 1;
        Ok(port)
    }

    /// Begins anew for a sender, whose tracked flows have been forgotten everywhere.
    pub fn reset(&mut self, sender: Ipv4Addr) {
        self.next.retain(|(address, _), _| *address != sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_never_given_twice_to_one_sender() {
        let mut ports = SourcePorts::default();
        let sender = Ipv4Addr::new(10, 0, 0, 11);
        let mut given = std::collections::HashSet::new();
        while let Ok(port) = ports.take(sender, 6) {
            assert!(given.insert(port));
        }
        assert_eq!(given.len(), 65_536 - usize::from(FIRST));
        assert_eq!(ports.take(sender, 6), Err(UsedUp(sender)));
        assert_eq!(ports.take(sender, 17), Ok(FIRST), "another protocol has ports of its own");
        ports.reset(sender);
        assert_eq!(ports.take(sender, 6), Ok(FIRST));
    }
}
