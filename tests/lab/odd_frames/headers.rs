//! Headers of IP by hand, as wrong as they are asked for; and what a frame says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A header of IPv4.
#[derive(Clone)]
pub struct Ipv4 {
    pub source: Ipv4Addr,
    pub to: Ipv4Addr,
    pub protocol: u8,
    pub hops: u8,
    pub service: u8,
    pub id: u16,
    pub flags: u16,
    /// A multiple of four bytes.
    pub options: Vec<u8>,
}

impl Ipv4 {
    pub fn of(source: Ipv4Addr, to: Ipv4Addr, protocol: u8) -> Self {
        Self { source, to, protocol, hops: 64, service: 0, id: 0, flags: 0, options: Vec::new() }
    }

    pub fn packet(&self, body: &[u8]) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut packet = vec![0x40 | (header / 4) as u8, self.service];
        packet.extend(((header + body.len()) as u16).to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(self.flags.to_be_bytes());
        packet.extend([self.hops, self.protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.to.octets());
        packet.extend(&self.options);
        packet.extend(body);
        mend_ipv4(&mut packet);
        packet
    }
}

/// A header of IPv6.
#[derive(Clone)]
pub struct Ipv6 {
    pub source: Ipv6Addr,
    pub to: Ipv6Addr,
    pub protocol: u8,
    pub hops: u8,
}

impl Ipv6 {
    pub fn packet(&self, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend((body.len() as u16).to_be_bytes());
        packet.extend([self.protocol, self.hops]);
        packet.extend(self.source.octets());
        packet.extend(self.to.octets());
        packet.extend(body);
        packet
    }
}

fn ones(words: impl Iterator<Item = u8>) -> u16 {
    let bytes: Vec<u8> = words.collect();
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// Gives a header of IPv4 the checksum of what it says now, as far as it is there.
pub fn mend_ipv4(packet: &mut [u8]) {
    let length = usize::from(packet.first().copied().unwrap_or(0) & 0xf) * 4;
    if packet.len() >= length.max(20) {
        packet[10..12].fill(0);
        let sum = ones(packet[..length.max(20)].iter().copied());
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The checksum of what a packet carries, in which its own place is nothing yet. ICMP over IPv4 counts no addresses.
pub fn sum(source: IpAddr, to: IpAddr, protocol: u8, body: &[u8]) -> u16 {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(it) => it.octets().to_vec(),
        IpAddr::V6(it) => it.octets().to_vec(),
    };
    let mut words = Vec::new();
    if protocol != 1 {
        words = [octets(source), octets(to), (body.len() as u32).to_be_bytes().to_vec(), vec![0, protocol]].concat();
    }
    ones(words.into_iter().chain(body.iter().copied()))
}

/// What a frame carries, by the frame itself.
#[derive(Clone, Debug)]
pub struct Read {
    pub source: IpAddr,
    pub to: IpAddr,
    pub protocol: u8,
    /// If it is a piece of a packet.
    pub piece: Option<Piece>,
    /// From the header of the protocol on.
    pub body: Vec<u8>,
}

/// Which piece of which packet.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub id: u32,
    /// Where it begins, in bytes.
    pub offset: usize,
    pub is_last: bool,
}

impl Read {
    /// Whether both are pieces of one packet. By its number only: a kernel that takes a packet apart writes the addresses of the next
    /// leg into the bytes of later pieces, which a packet socket still shares.
    pub fn is_of(&self, other: &Self) -> bool {
        let of = |it: &Self| it.piece.map(|piece| piece.id);
        of(self).is_some() && of(self) == of(other)
    }
}

/// The packet that pieces are of, once each is there.
pub fn whole(mut pieces: Vec<Read>) -> Option<Read> {
    let place = |it: &Read| it.piece.map_or(0, |piece| piece.offset);
    pieces.sort_by_key(place);
    let is_last = |it: &Read| it.piece.is_some_and(|piece| piece.is_last);
    let mut whole = pieces.first()?.clone();
    whole.body.clear();
    for piece in &pieces {
        if place(piece) != whole.body.len() {
            return None;
        }
        whole.body.extend(&piece.body);
    }
    pieces.last().is_some_and(is_last).then_some(Read { piece: None, ..whole })
}

/// Reads a frame, whatever tags it has; nothing if it is no IP, or too short for its first header.
pub fn read(frame: &[u8]) -> Option<Read> {
    let word = |bytes: &[u8], at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let mut packet = frame.get(12..)?;
    while let 0x8100 | 0x88a8 = word(packet, 0)? {
        packet = packet.get(4..)?;
    }
    let (kind, packet) = (word(packet, 0)?, packet.get(2..)?);
    match kind {
        0x0800 => {
            let header = usize::from(packet.first()? & 0xf) * 4;
            let address = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
            let (id, place, length) = (u32::from(word(packet, 4)?), word(packet, 6)?, usize::from(word(packet, 2)?));
            let (offset, is_last) = (usize::from(place & 0x1fff) * 8, place & 0x2000 == 0);
            let piece = (place & 0x3fff != 0).then_some(Piece { id, offset, is_last });
            // A short frame is filled up behind the packet.
            let body = packet.get(header.max(20)..packet.len().min(length)).unwrap_or_default().to_vec();
            Some(Read { source: address(12)?, to: address(16)?, protocol: *packet.get(9)?, piece, body })
        }
        0x86dd => {
            let length = 40 + usize::from(word(packet, 4)?);
            let address = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
            let (source, to) = (address(8)?, address(24)?);
            let mut read = Read { source, to, protocol: *packet.get(6)?, piece: None, body: Vec::new() };
            let mut body = packet.get(40..packet.len().min(length)).unwrap_or_default();
            // What is not the first piece has no headers of its own.
            while read.piece.is_none_or(|piece| piece.offset == 0) {
                let Some((next, header, piece)) = extension(read.protocol, body) else { break };
                (read.protocol, read.piece, body) = (next, piece.or(read.piece), &body[header..]);
            }
            Some(Read { body: body.to_vec(), ..read })
        }
        _ => None,
    }
}

/// What follows a header before the protocol, how long it is, and which piece it says that this is; nothing if it is none, or cut off.
fn extension(protocol: u8, body: &[u8]) -> Option<(u8, usize, Option<Piece>)> {
    let length = usize::from(*body.get(1)?);
    let header = match protocol {
        44 => 8,
        51 => (length + 2) * 4,
        0 | 43 | 60 => (length + 1) * 8,
        _ => return None,
    };
    if body.len() < header {
        return None;
    }
    let place = u16::from_be_bytes([body[2], body[3]]);
    let piece = (protocol == 44 && place & 0xfff9 != 0).then(|| Piece {
        id: u32::from_be_bytes([body[4], body[5], body[6], body[7]]),
        offset: usize::from(place & 0xfff8),
        is_last: place & 1 == 0,
    });
    Some((body[0], header, piece))
}
