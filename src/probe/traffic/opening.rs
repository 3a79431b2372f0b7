//! Opening of traffic: source ports, tuples on the board, sockets and taps of each stream.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::looks::{Course, Known, Mark, Part, Watch, Watched, looks, seen_source, watch};
use super::sending::{Back, Carrier, Lane, answering};
use crate::fabric::packet::Tuple;
use crate::model::Port;
use crate::probe::ask::{Ask, parties, tuples};
use crate::probe::canary::Receiver;
use crate::probe::evidence::ProbeRecord;
use crate::probe::held::NotMet;
use crate::probe::prober::Prober;
use crate::probe::question;

/// Traffic that is being opened. Dropping it takes the tuples from the board and gives the ports back, as nothing was sent from them.
pub(super) struct Opening<'a> {
    prober: &'a mut Prober,
    watched: Watched,
    opened: Opened,
    /// Source ports, by sender's address and protocol.
    taken: Vec<((IpAddr, u8), u16)>,
}

/// Parts of all streams.
#[derive(Default)]
pub(super) struct Opened {
    pub lanes: Vec<Lane>,
    pub taps: Vec<Watch>,
    pub known: Known,
    pub cases: HashMap<Mark, Arc<ProbeRecord>>,
    pub registered: Vec<Tuple>,
    /// The port that each stream's held connection is sent from.
    pub held_from: Vec<Option<Port>>,
}

/// A stream that is being opened.
#[derive(Clone, Copy)]
struct Stream<'a> {
    number: u32,
    course: &'a Course,
    receiver: &'a Receiver,
    carrier: Carrier,
    /// The port that is asked.
    port: Port,
}

impl<'a> Opening<'a> {
    /// Nothing is opened yet.
    pub fn new(prober: &'a mut Prober) -> Self {
        Self { prober, watched: HashSet::new(), opened: Opened::default(), taken: Vec::new() }
    }

    /// Opens one more stream, with ports for so many packets.
    ///
    /// # Errors
    /// In words, what could not be opened.
    pub async fn add(&mut self, number: u32, course: &Course, packets: u32) -> Result<(), NotMet> {
        let ask = &course.ask;
        let receiver = ask.receiver.as_ref().ok_or_else(NotMet::nobody)?;
        let Some((carrier, port)) = Carrier::of(ask.service) else {
            return Err(NotMet::Apart("traffic flows over tcp, udp or ping".to_owned()));
        };
        let stream = Stream { number, course, receiver, carrier, port };
        let mut ports = Vec::new();
        for packet in 0..packets {
            ports.push((packet, self.take_port(stream, packet)?));
        }
        let (mut forth, mut back, mut held_from) = (None, None, None);
        if carrier != Carrier::Tcp {
            let (socket, held) = self.prober.open_socket(ask).await?;
            self.register_held(stream, held);
            (forth, held_from) = (Some(socket), Some(Port(held)));
            if course.parts().contains(&Part::Back) {
                back = Some(open_back(stream, held).await?);
            }
        }
        watch(course, &mut self.watched, &mut self.opened.taps).await.map_err(NotMet::unproved)?;
        self.opened.held_from.push(held_from);
        self.opened.lanes.push(Lane {
            stream: number,
            from: Arc::clone(&ask.sender),
            source: ask.source,
            to: SocketAddr::new(ask.destination, port.0),
            carrier,
            parts: course.parts(),
            ports: ports.into(),
            forth,
            back,
        });
        Ok(())
    }

    /// Takes the source port of one new connection, and registers its tuples.
    fn take_port(&mut self, stream: Stream<'_>, packet: u32) -> Result<u16, NotMet> {
        let Course { ask, client } = stream.course;
        let sender = ports_of(ask);
        let port = self.prober.ports.take(sender.0, sender.1).map_err(NotMet::unproved)?;
        self.taken.push((sender, port));
        let mark = (stream.number, Part::New, packet);
        let ways = self.register(stream, mark, port);
        let Known { looks: all, syns } = &mut self.opened.known;
        syns.extend(ways.iter().filter(|_| stream.carrier == Carrier::Tcp).map(|way| (*way, mark)));
        all.insert(mark, looks(ask, client, stream.receiver, port));
        Ok(port)
    }

    /// Registers the tuples of the held connection, both ways where both ends send.
    fn register_held(&mut self, stream: Stream<'_>, port: u16) {
        let Course { ask, client } = stream.course;
        let there = looks(ask, client, stream.receiver, port);
        let ways = self.register(stream, (stream.number, Part::Forth, 0), port);
        if stream.carrier == Carrier::Udp {
            let mark = (stream.number, Part::Back, 0);
            self.opened.known.looks.insert(mark, there.turned(ask, port));
            let turned: Vec<Tuple> = ways.into_iter().map(Tuple::turned).collect();
            let back = self.prober.board.register(&turned, parties(ask).turned(stream.receiver.node.clone()));
            self.opened.cases.insert(mark, back);
            self.opened.registered.extend(turned);
        }
        self.opened.known.looks.insert((stream.number, Part::Forth, 0), there);
    }

    /// Registers what is sent from a port.
    fn register(&mut self, stream: Stream<'_>, mark: Mark, port: u16) -> Vec<Tuple> {
        let ask = &stream.course.ask;
        let ways = tuples(ask, port);
        self.opened.cases.insert(mark, self.prober.board.register(&ways, parties(ask)));
        self.opened.registered.extend_from_slice(&ways);
        ways
    }

    /// Takes what the threads need. Until [`Self::keep`] the rest can still be taken back.
    pub fn take_parts(&mut self) -> (Vec<Lane>, Vec<Watch>, Known) {
        let Opened { lanes, taps, known, .. } = &mut self.opened;
        (std::mem::take(lanes), std::mem::take(taps), std::mem::take(known))
    }

    /// Keeps what is opened: from now on it is its holder's to take back.
    pub fn keep(mut self) -> Opened {
        self.taken.clear();
        std::mem::take(&mut self.opened)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.prober.board.forget(&self.opened.registered);
        for ((sender, protocol), port) in self.taken.drain(..) {
            self.prober.ports.give_back(sender, protocol, [port]);
        }
    }
}

/// Opens the socket by which the receiver of a held connection sends.
async fn open_back(stream: Stream<'_>, held: u16) -> Result<Back, NotMet> {
    let own = stream.receiver.address;
    let opened = stream.receiver.namespace.run(move || answering(own)).await.map_err(NotMet::unproved)?;
    let socket = opened.map_err(|error| NotMet::unproved(format!("failed to open the way back: {error}")))?;
    let [a, b] = stream.port.0.to_be_bytes();
    let [c, d] = held.to_be_bytes();
    Ok((socket, SocketAddr::new(seen_source(&stream.course.ask), 0), [a, b, c, d]))
}

/// Returns by what the source ports of a stream are numbered.
pub(super) fn ports_of(ask: &Ask) -> (IpAddr, u8) {
    (ask.ports_of, question::protocol(ask.service, ask.source))
}
