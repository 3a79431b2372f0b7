//! Sets of packets as boxes: protocols by ports by addresses. A difference of two sets is exact, whatever rules they come from.

use std::net::IpAddr;
#[cfg(test)]
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
#[cfg(test)]
use ipnet::{Ipv4Subnets, Ipv6Subnets};

use crate::model::{IcmpMatch, Port, PortRange, PrefixFamily, Traffic, protocol};

/// Both ends included.
type Span<T> = (T, T);

/// Traffic as a box. Ports are those of the destination; of ICMP, type and code are one number, `type * 256 + code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Packets {
    protocols: Span<u8>,
    ports: Span<u16>,
}

/// Packets from or to a range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Cell {
    packets: Packets,
    ipv6: bool,
    addresses: Span<u128>,
}

impl Packets {
    pub fn of(traffic: Traffic) -> Self {
        let all = (0, u16::MAX);
        let icmp = |matched: IcmpMatch| match matched {
            IcmpMatch::All => all,
            IcmpMatch::Type(kind) => (u16::from(kind) << 8, u16::from(kind) << 8 | 0xFF),
            IcmpMatch::TypeAndCode(kind, code) => {
                let one = u16::from(kind) << 8 | u16::from(code);
                (one, one)
            }
        };
        let ports = |range: PortRange| (range.from().0, range.to().0);
        let (protocols, ports) = match traffic {
            Traffic::All => ((0, u8::MAX), all),
            Traffic::Tcp(range) => ((protocol::TCP, protocol::TCP), ports(range)),
            Traffic::Udp(range) => ((protocol::UDP, protocol::UDP), ports(range)),
            Traffic::Icmp(matched) => ((protocol::ICMP, protocol::ICMP), icmp(matched)),
            Traffic::Icmpv6(matched) => ((protocol::ICMPV6, protocol::ICMPV6), icmp(matched)),
            Traffic::Protocol(number) => ((number, number), all),
        };
        Self { protocols, ports }
    }

    /// The one protocol that it is of; nothing for all traffic.
    pub fn protocol(self) -> Option<u8> {
        (self.protocols.0 == self.protocols.1).then_some(self.protocols.0)
    }

    /// The ports, both ends included.
    pub fn ports(self) -> (u16, u16) {
        self.ports
    }

    /// Returns what both have.
    pub fn common(self, other: Self) -> Option<Self> {
        Some(Self { protocols: overlap(self.protocols, other.protocols)?, ports: overlap(self.ports, other.ports)? })
    }

    fn without(self, other: Self, rest: &mut Vec<Self>) {
        let Some(common) = self.common(other) else { return rest.push(self) };
        let beside = outside(self.protocols, common.protocols);
        rest.extend(beside.map(|protocols| Self { protocols, ..self }));
        let below = Self { protocols: common.protocols, ..self };
        rest.extend(outside(self.ports, common.ports).map(|ports| Self { ports, ..below }));
    }

    /// The traffic in the words of a rule.
    pub fn words(self) -> String {
        let Self { protocols: (first, last), ports: (from, to) } = self;
        if first != last {
            return if (first, last) == (0, u8::MAX) { "all".to_owned() } else { format!("protocols {first}-{last}") };
        }
        let range = || PortRange::new(Port(from), Port(to)).unwrap_or(PortRange::ALL);
        let messages = || match (from >> 8, to >> 8) {
            _ if (from, to) == (0, u16::MAX) => IcmpMatch::All,
            (kind, _) if from & 0xFF == 0 && to == from | 0xFF => IcmpMatch::Type(byte(kind)),
            (kind, _) => IcmpMatch::TypeAndCode(byte(kind), byte(from & 0xFF)),
        };
        match first {
            protocol::TCP => Traffic::Tcp(range()),
            protocol::UDP => Traffic::Udp(range()),
            protocol::ICMP => Traffic::Icmp(messages()),
            protocol::ICMPV6 => Traffic::Icmpv6(messages()),
            number => Traffic::Protocol(number),
        }
        .to_string()
    }
}

fn byte(number: u16) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

impl Cell {
    /// Packets from or to a block; nothing where ICMP is that of the other family.
    pub fn new(traffic: Traffic, block: IpNet) -> Option<Self> {
        let family = PrefixFamily::of(block);
        let ipv6 = !family.is_ipv4();
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        let addresses = (number(block.network()), number(block.broadcast()));
        fits(traffic, family).then(|| Self { packets: Packets::of(traffic), ipv6, addresses })
    }

    #[cfg(test)]
    pub fn packets(self) -> Packets {
        self.packets
    }

    /// Returns true if an address is among them.
    pub fn holds(self, address: IpNet) -> bool {
        Self::new(Traffic::All, address).is_some_and(|other| {
            self.ipv6 == other.ipv6 && self.addresses.0 <= other.addresses.0 && other.addresses.1 <= self.addresses.1
        })
    }

    /// Returns true if they have a packet in common.
    pub fn meets(self, other: Self) -> bool {
        self.common(other).is_some()
    }

    fn common(self, other: Self) -> Option<Self> {
        let packets = self.packets.common(other.packets).filter(|_| self.ipv6 == other.ipv6)?;
        Some(Self { packets, addresses: overlap(self.addresses, other.addresses)?, ..self })
    }

    fn without(self, other: Self, rest: &mut Vec<Self>) {
        let Some(common) = self.common(other) else { return rest.push(self) };
        rest.extend(outside(self.addresses, common.addresses).map(|addresses| Self { addresses, ..self }));
        let mut packets = Vec::new();
        self.packets.without(common.packets, &mut packets);
        rest.extend(packets.into_iter().map(|packets| Self { packets, ..common }));
    }

    /// The blocks that its addresses are, as few as can be.
    #[cfg(test)]
    pub fn blocks(self) -> Vec<IpNet> {
        let (from, to) = self.addresses;
        if self.ipv6 {
            Ipv6Subnets::new(Ipv6Addr::from(from), Ipv6Addr::from(to), 0).map(IpNet::V6).collect()
        } else {
            let address = |number: u128| Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX));
            Ipv4Subnets::new(address(from), address(to), 0).map(IpNet::V4).collect()
        }
    }
}

/// Returns what `all` has and `others` do not.
pub(super) fn packets_without(all: Vec<Packets>, others: impl IntoIterator<Item = Packets>) -> Vec<Packets> {
    others.into_iter().fold(all, |left, other| {
        let mut rest = Vec::with_capacity(left.len());
        left.into_iter().for_each(|one| one.without(other, &mut rest));
        rest
    })
}

/// Returns what `cell` has and `others` do not.
pub(super) fn cell_without<'c>(cell: Cell, others: impl IntoIterator<Item = &'c Cell>) -> Vec<Cell> {
    others.into_iter().fold(vec![cell], |left, other| {
        let mut rest = Vec::with_capacity(left.len());
        left.into_iter().for_each(|one| one.without(*other, &mut rest));
        rest
    })
}

/// Returns true if traffic goes over a family: each has its own ICMP.
pub(super) fn fits(traffic: Traffic, family: PrefixFamily) -> bool {
    match traffic {
        Traffic::Icmp(_) => family.is_ipv4(),
        Traffic::Icmpv6(_) => !family.is_ipv4(),
        _ => true,
    }
}

fn overlap<T: Ord + Copy>(one: Span<T>, other: Span<T>) -> Option<Span<T>> {
    let common = (one.0.max(other.0), one.1.min(other.1));
    (common.0 <= common.1).then_some(common)
}

/// The parts of `whole` below and above `part`, which lies in it.
fn outside<T: Bounded>(whole: Span<T>, part: Span<T>) -> impl Iterator<Item = Span<T>> {
    let below = (whole.0 < part.0).then(|| (whole.0, part.0.before()));
    let above = (part.1 < whole.1).then(|| (part.1.after(), whole.1));
    below.into_iter().chain(above)
}

/// Whole numbers with neighbours.
trait Bounded: Ord + Copy {
    fn before(self) -> Self;
    fn after(self) -> Self;
}

macro_rules! bounded {
    ($($kind:ty)+) => {$(
        impl Bounded for $kind {
            fn before(self) -> Self {
                self.saturating_sub(1)
            }

            fn after(self) -> Self {
                self.saturating_add(1)
            }
        }
    )+};
}

bounded!(u8 u16 u128);

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(traffic: Traffic, block: &str) -> Cell {
        Cell::new(traffic, block.parse().unwrap()).unwrap()
    }

    fn tcp(from: u16, to: u16) -> Traffic {
        Traffic::Tcp(PortRange::new(Port(from), Port(to)).unwrap())
    }

    #[test]
    fn a_block_without_a_part_of_it_is_the_blocks_around() {
        let rest = cell_without(cell(tcp(22, 22), "10.0.0.0/24"), &[cell(Traffic::All, "10.0.0.128/25")]);
        assert_eq!(rest.iter().flat_map(|cell| cell.blocks()).collect::<Vec<_>>(), ["10.0.0.0/25".parse().unwrap()]);
    }

    #[test]
    fn ports_without_one_are_those_below_and_above() {
        let rest = cell_without(cell(tcp(20, 25), "0.0.0.0/0"), &[cell(tcp(22, 22), "0.0.0.0/0")]);
        let words: Vec<String> = rest.iter().map(|cell| cell.packets().words()).collect();
        assert_eq!(words, ["tcp 20-21", "tcp 23-25"]);
    }

    #[test]
    fn icmp_of_one_family_is_nothing_to_the_other() {
        assert_eq!(Cell::new(Traffic::Icmp(IcmpMatch::All), "::/0".parse().unwrap()), None);
    }

    #[test]
    fn all_without_a_protocol_still_has_its_neighbours() {
        let rest = packets_without(vec![Packets::of(Traffic::All)], [Packets::of(tcp(0, u16::MAX))]);
        let words: Vec<String> = rest.iter().map(|packets| packets.words()).collect();
        assert_eq!(words, ["protocols 0-5", "protocols 7-255"]);
    }
}
