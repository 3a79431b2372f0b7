//! Frames as no honest stack sends them, drawn from a seed: always the same ones for the same seed and number.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::headers::{self, Ipv4, Ipv6};

/// What every draw is made of: splitmix64, of which each seed gives another sequence.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64, number: u32) -> Self {
        Self(seed ^ u64::from(number).wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// True once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.byte()).collect()
    }
}

/// What a sender knows of the world.
pub struct World {
    /// Addresses that mean somebody, by whatever way, and some that mean nobody.
    pub ipv4: Vec<Ipv4Addr>,
    pub ipv6: Vec<Ipv6Addr>,
    /// The hardware addresses of everybody.
    pub macs: Vec<[u8; 6]>,
    /// Somebody else's flow: who has pinged, who answers, over each family. The identifier is [`PINGED`].
    pub flow: Option<[(IpAddr, IpAddr); 2]>,
}

/// What a sender is.
pub struct Own {
    pub mac: [u8; 6],
    /// The other end of its link.
    pub next: [u8; 6],
    pub ipv4: Ipv4Addr,
    pub ipv6: Ipv6Addr,
}

/// The identifier of pings that other people send.
pub const PINGED: u16 = 7;
/// The one port that a short list admits.
pub const OPEN: u16 = 443;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;

/// Draws one frame, or the pieces of one.
pub fn draw(dice: &mut Dice, world: &World, own: &Own, token: &[u8], number: u32) -> Vec<Vec<u8>> {
    let mut it = Drawing { dice, world, own, token, port: 1024 + (number % 64_000) as u16 };
    match it.dice.below(20) {
        0..9 => it.ipv4(),
        9..18 => it.ipv6(),
        18 => vec![it.arp()],
        _ => vec![it.other()],
    }
}

struct Drawing<'a> {
    dice: &'a mut Dice,
    world: &'a World,
    own: &'a Own,
    token: &'a [u8],
    /// A source port that no other frame of the run has.
    port: u16,
}

impl Drawing<'_> {
    fn frame(&mut self, kind: u16, body: &[u8]) -> Vec<u8> {
        let multicast = [1, 0, 0x5e, 0, 0, self.dice.byte()];
        let odd =
            [[0xff; 6], [0; 6], multicast, [0x33, 0x33, 0, 0, 0, 1], self.own.mac, self.dice.one(&self.world.macs)];
        let to = if self.dice.once_in(6) { self.dice.one(&odd) } else { self.own.next };
        let from = if self.dice.once_in(8) { self.dice.one(&odd) } else { self.own.mac };
        let tags: &[&[u16]] =
            &[&[0x8100, 0], &[0x8100, 1], &[0x88a8, 1, 0x8100, 2], &[0x8100, 0, 0x8100, 0], &[0x88a8, 0]];
        let tags = if self.dice.once_in(12) { self.dice.one(tags) } else { &[] };
        let mut frame = [to, from].concat();
        frame.extend(tags.iter().chain([&kind]).flat_map(|word| word.to_be_bytes()));
        frame.extend(body);
        frame
    }

    /// A payload that says who sent it at its beginning and at its end: either may be cut off.
    fn payload(&mut self) -> Vec<u8> {
        let filling = if self.dice.once_in(20) { self.dice.bytes(1200) } else { self.dice.bytes(24) };
        [self.token, &filling, self.token].concat()
    }

    fn source(&mut self) -> Ipv4Addr {
        if self.dice.once_in(3) { self.dice.one(&self.world.ipv4) } else { self.own.ipv4 }
    }

    fn source_ipv6(&mut self) -> Ipv6Addr {
        if self.dice.once_in(3) { self.dice.one(&self.world.ipv6) } else { self.own.ipv6 }
    }

    fn ipv4(&mut self) -> Vec<Vec<u8>> {
        let (source, to) = (self.source(), self.dice.one(&self.world.ipv4));
        let (protocol, body) = self.body(source.into(), to.into());
        let mut header = Ipv4::of(source, to, protocol);
        if self.dice.once_in(8) {
            // Nothing, record route, loose and strict source routes by the router, a timestamp, the router's attention.
            let by = self.dice.one(&self.world.ipv4).octets();
            let route = |kind: u8| [&[kind, 7, 4][..], &by, &[0]].concat();
            let clock = vec![68, 8, 5, 0, 0, 0, 0, 0];
            let options =
                [vec![1; 4], vec![0; 4], route(7), route(131), route(137), clock, vec![148, 4, 0, 0], vec![130; 8]];
            header.options = self.dice.one(&options);
        }
        if self.dice.once_in(8) {
            header.hops = self.dice.one(&[0, 1, 2, 3, 255]);
        }
        if self.dice.once_in(8) {
            header.service = self.dice.byte();
        }
        if self.dice.once_in(6) {
            return self.pieces_ipv4(&header, &body);
        }
        let mut packet = header.packet(&body);
        if self.dice.once_in(10) {
            self.spoil_ipv4(&mut packet);
        }
        vec![self.frame(IPV4, &packet)]
    }

    /// Two pieces, of which one may be missing, overlap the other, or come before it; their number is this frame's own.
    fn pieces_ipv4(&mut self, header: &Ipv4, body: &[u8]) -> Vec<Vec<u8>> {
        let (cut, second) = self.cut(body.len());
        let whole = |flags: u16, bytes: &[u8]| Ipv4 { id: self.port, flags, ..header.clone() }.packet(bytes);
        let first = whole(0x2000, &body[..cut]);
        let rest = whole((second / 8) as u16, &body[second..]);
        self.some_of(IPV4, first, rest)
    }

    /// Where the first piece of so many bytes ends, and where the second begins.
    fn cut(&mut self, length: usize) -> (usize, usize) {
        let cut = (8 * self.dice.one(&[1, 2, 3])).min(length / 8 * 8);
        let second = if self.dice.once_in(4) { self.dice.one(&[0, 8]).min(cut) } else { cut };
        (cut, second)
    }

    fn some_of(&mut self, kind: u16, first: Vec<u8>, rest: Vec<u8>) -> Vec<Vec<u8>> {
        let [first, rest] = [first, rest].map(|packet| self.frame(kind, &packet));
        match self.dice.below(4) {
            0 => vec![first],
            1 => vec![rest],
            2 => vec![rest, first],
            _ => vec![first, rest],
        }
    }

    fn spoil_ipv4(&mut self, packet: &mut Vec<u8>) {
        let length = packet.len() as u16;
        let wrong = self.dice.one(&[0, 19, 20, 21, length - 1, length - self.token.len() as u16, length + 1, u16::MAX]);
        match self.dice.below(6) {
            0 => packet[2..4].copy_from_slice(&wrong.to_be_bytes()),
            1 => packet[0] = (packet[0] & 0xf0) | (self.dice.byte() & 0xf),
            2 => packet[0] = (self.dice.byte() & 0xf0) | (packet[0] & 0xf),
            3 => packet[6] |= 0x80,
            4 => return packet[10] ^= 0xff,
            _ => packet.truncate(self.dice.below(packet.len())),
        }
        headers::mend_ipv4(packet);
    }

    fn ipv6(&mut self) -> Vec<Vec<u8>> {
        let (source, to) = (self.source_ipv6(), self.dice.one(&self.world.ipv6));
        let (mut protocol, mut body) = self.body(source.into(), to.into());
        let pieces = self.dice.once_in(6).then(|| self.cut(body.len()));
        if pieces.is_none() && self.dice.once_in(5) {
            for _ in 0..=self.dice.below(3) {
                let header = self.extension(protocol);
                (protocol, body) = (header.0, [header.1, body].concat());
            }
        }
        // Neighbours listen to what cannot have come through a router only.
        let hops = if self.dice.once_in(4) { self.dice.one(&[0, 1, 2, 255]) } else { 64 };
        let header = Ipv6 { source, to, protocol, hops };
        if let Some((cut, second)) = pieces {
            let piece = |offset: u16, bytes: &[u8]| {
                let number = u32::from(self.port).to_be_bytes();
                let fragment = [&[protocol, 0][..], &offset.to_be_bytes(), &number, bytes].concat();
                Ipv6 { protocol: 44, ..header.clone() }.packet(&fragment)
            };
            let (first, rest) = (piece(1, &body[..cut]), piece(second as u16, &body[second..]));
            return self.some_of(IPV6, first, rest);
        }
        let mut packet = header.packet(&body);
        if self.dice.once_in(10) {
            let length = body.len() as u16;
            match self.dice.below(4) {
                0 => packet[4..6].copy_from_slice(&self.dice.one(&[0, 1, length + 8, u16::MAX]).to_be_bytes()),
                1 => packet[6] = self.dice.byte(),
                2 => packet[0] = self.dice.byte(),
                _ => packet.truncate(self.dice.below(packet.len())),
            }
        }
        vec![self.frame(IPV6, &packet)]
    }

    /// A header before the protocol, and its number: options, routes of each kind, a piece of all, an authentication.
    fn extension(&mut self, next: u8) -> (u8, Vec<u8>) {
        let by = self.dice.one(&self.world.ipv6).octets();
        match self.dice.below(6) {
            0 => (0, vec![next, 0, 5, 2, 0, 0, 1, 0]),
            1 => (60, vec![next, 0, 1, 4, 0, 0, 0, 0]),
            2 => (43, [&[next, 2, self.dice.one(&[0, 2, 3, 4]), 1, 0, 0, 0, 0][..], &by].concat()),
            3 => (43, vec![next, 0, self.dice.byte(), 0, 0, 0, 0, 0]),
            4 => (44, vec![next, 0, 0, 0, 0, 0, 0, self.dice.byte()]),
            _ => (51, [&[next, 4, 0, 0][..], &[1; 20]].concat()),
        }
    }

    /// What an IP packet carries, and its number.
    fn body(&mut self, source: IpAddr, to: IpAddr) -> (u8, Vec<u8>) {
        let wrong_sum = self.dice.once_in(16);
        let (protocol, mut body, sum_at) = match self.dice.below(20) {
            0..6 => (6, self.tcp(), Some(16)),
            6..9 => (17, self.udp(), Some(6)),
            9..13 => self.icmp(source.is_ipv4()),
            13 => self.icmp_error(to),
            14 if to.is_ipv6() => self.neighbours(),
            14 => {
                (2, [&[self.dice.one(&[0x11, 0x16, 0x17, 0x22]), 0, 0, 0, 224, 0, 0, 9][..], self.token].concat(), None)
            }
            15 | 16 => self.tunnel(to),
            _ => (self.dice.byte(), [self.dice.bytes(24), self.payload()].concat(), None),
        };
        if let Some(at) = sum_at {
            let sum = headers::sum(source, to, protocol, &body);
            body[at..at + 2].copy_from_slice(&(if wrong_sum { !sum } else { sum }).to_be_bytes());
        }
        (protocol, body)
    }

    fn destination(&mut self) -> u16 {
        self.dice.one(&[OPEN, OPEN, OPEN, 80, 22, 53, 67, 500, 4789, 0, u16::MAX])
    }

    fn tcp(&mut self) -> Vec<u8> {
        let flags = if self.dice.once_in(2) { self.dice.one(&[2, 0x12, 0x10, 4, 1]) } else { self.dice.byte() };
        let offset = if self.dice.once_in(12) { self.dice.byte() & 0xf0 } else { 0x50 };
        let ports = [self.port.to_be_bytes(), self.destination().to_be_bytes()].concat();
        let rest = [0, 0, 0, 1, 0, 0, 0, 1, offset, flags, 4, 0, 0, 0, 0, 0];
        [&ports[..], &rest, &self.payload()].concat()
    }

    fn udp(&mut self) -> Vec<u8> {
        // As a client asks for an address, too.
        let ports = if self.dice.once_in(6) { [68, 67] } else { [self.port, self.destination()] };
        let payload = self.payload();
        let right = 8 + payload.len() as u16;
        let length = if self.dice.once_in(10) { self.dice.one(&[0, 7, 8, right + 9]) } else { right };
        let header = [ports[0], ports[1], length, 0].map(u16::to_be_bytes).concat();
        [header, payload].concat()
    }

    fn icmp(&mut self, ipv4: bool) -> (u8, Vec<u8>, Option<usize>) {
        let echo = if ipv4 { 8 } else { 128 };
        let kind = if self.dice.once_in(4) { echo } else { self.dice.byte() };
        let code = if self.dice.once_in(3) { self.dice.byte() } else { 0 };
        let body = [&[kind, code, 0, 0][..], &self.port.to_be_bytes(), &[0, 1], &self.payload()].concat();
        (if ipv4 { 1 } else { 58 }, body, Some(2))
    }

    /// An error about the ping of somebody else, to who has answered it; or about a flow that is not there.
    fn icmp_error(&mut self, to: IpAddr) -> (u8, Vec<u8>, Option<usize>) {
        let quoted = self.world.flow.map(|flows| flows[usize::from(to.is_ipv6())]).filter(|_| !self.dice.once_in(3));
        let (asker, answerer) = quoted.unwrap_or((self.dice_address(to), to));
        let id = if quoted.is_some() { PINGED } else { self.port }.to_be_bytes();
        let (numbers, kinds, protocol): (_, &[u8], u8) =
            if to.is_ipv4() { ([0, 0], &[3, 4, 5, 11, 12], 1) } else { ([129, 0], &[1, 2, 3, 4], 58) };
        let answer = [&numbers[..], &[0, 0], &id, &[0, 1], self.token].concat();
        let about = match (answerer, asker) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Ipv4::of(from, to, 1).packet(&answer),
            (IpAddr::V6(from), IpAddr::V6(to)) => Ipv6 { source: from, to, protocol: 58, hops: 64 }.packet(&answer),
            _ => answer,
        };
        let head = [self.dice.one(kinds), self.dice.byte() & 15, 0, 0, 0, 0, 2, 88];
        (protocol, [&head[..], &about, self.token].concat(), Some(2))
    }

    fn dice_address(&mut self, like: IpAddr) -> IpAddr {
        if like.is_ipv4() { self.dice.one(&self.world.ipv4).into() } else { self.dice.one(&self.world.ipv6).into() }
    }

    /// What neighbours and routers say to each other: routers, neighbours, redirects, listeners.
    fn neighbours(&mut self) -> (u8, Vec<u8>, Option<usize>) {
        let kind = self.dice.one(&[133, 134, 135, 136, 137, 130, 131, 132, 143, 138, 151]);
        let about = [self.dice.one(&self.world.ipv6), self.dice.one(&self.world.ipv6)];
        let addresses = about.map(|address| address.octets()).concat();
        let option = [&[self.dice.one(&[1, 2]), 1][..], &self.own.mac].concat();
        (58, [&[kind, 0, 0, 0, 0xe0, 0, 7, 8][..], &addresses, &option, self.token].concat(), Some(2))
    }

    /// A packet that would be admitted by itself, in another: IP in IP, GRE, and Ethernet in UDP.
    fn tunnel(&mut self, to: IpAddr) -> (u8, Vec<u8>, Option<usize>) {
        let (source, inner_to) = (self.dice.one(&self.world.ipv4), self.dice.one(&self.world.ipv4));
        let mut syn = [self.port, OPEN].map(u16::to_be_bytes).concat();
        syn.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]);
        syn.extend(self.token);
        let (from, into) = (self.dice.one(&self.world.ipv6), self.dice.one(&self.world.ipv6));
        let four = Ipv4::of(source, inner_to, 6).packet(&syn);
        let six = Ipv6 { source: from, to: into, protocol: 6, hops: 64 }.packet(&syn);
        match self.dice.below(5) {
            0 => (4, four, None),
            1 => (41, six, None),
            2 => (47, [&[0, 0, 8, 0][..], &four].concat(), None),
            3 => (47, [&[0, 0, 0x86, 0xdd][..], &six].concat(), None),
            _ => {
                let inner = [&[0xff; 6][..], &self.own.mac, &IPV4.to_be_bytes(), &four].concat();
                let length = 16 + inner.len() as u16;
                let port = if to.is_ipv4() { 4789 } else { OPEN };
                let head = [self.port, port, length, 0].map(u16::to_be_bytes).concat();
                (17, [&head[..], &[8, 0, 0, 0, 0, 0, 1, 0], &inner].concat(), Some(6))
            }
        }
    }

    fn arp(&mut self) -> Vec<u8> {
        let (sender, target) = (self.dice.one(&self.world.ipv4), self.dice.one(&self.world.ipv4));
        let kind = self.dice.one(&[1, 2, 3, 8]);
        let (mac, about) = (self.own.mac, self.dice.one(&self.world.macs));
        let head = [0, 1, 8, 0, 6, 4, 0, kind];
        let body = [&head[..], &mac, &sender.octets(), &about, &target.octets(), self.token].concat();
        self.frame(ARP, &body)
    }

    /// No IP, or called what it is not: LLC, SNAP, MPLS, PPPoE, EAPOL, LLDP, a loop, anything.
    fn other(&mut self) -> Vec<u8> {
        let packet = Ipv4::of(self.own.ipv4, self.dice.one(&self.world.ipv4), 1).packet(&self.payload());
        let payload = self.payload();
        let (kind, body) = match self.dice.below(7) {
            0 => (payload.len() as u16 + 3, [&[0x42, 0x42, 3][..], &payload].concat()),
            1 => (packet.len() as u16 + 8, [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &packet].concat()),
            2 => (self.dice.one(&[0x8847, 0x8848]), [&[0, 0, 0x11, 64][..], &packet].concat()),
            3 => (0x8864, [&[0x11, 0, 0, 1, 0, 40, 0, 0x21][..], &packet].concat()),
            4 => (IPV6, packet),
            5 => (self.dice.one(&[0x888e, 0x88cc, 0x9000, 0x8035, 0x22f3]), payload),
            _ => (self.dice.next() as u16 | 0x600, payload),
        };
        self.frame(kind, &body)
    }
}
