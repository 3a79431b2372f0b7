//! Tuples that packets of traffic have at each link of their way, and the taps that show them there.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::fabric::packet::Tuple;
use crate::fabric::tap::Tap;
use crate::fabric::{FabricError, Namespace};
use crate::model::Service;
use crate::network::NodeName;
use crate::probe::ask::{Ask, stays_inside, tuples};
use crate::probe::canary::Receiver;
use crate::probe::parties::{Ends, LinkPosition, Route};
use crate::probe::question;

/// Course of a stream.
#[derive(Clone, Debug)]
pub struct Course {
    /// Its flow, as a probe would ask.
    pub ask: Ask,
    /// The way back.
    pub client: Receiver,
}

impl Course {
    /// Returns the parts that the stream's packets are, in turn.
    pub(super) fn parts(&self) -> &'static [Part] {
        match (self.ask.service, self.ask.source) {
            (Service::Udp(_), IpAddr::V4(_)) => &[Part::New, Part::Forth, Part::Back],
            (Service::Udp(_), IpAddr::V6(_)) | (Service::IcmpEcho, _) => &[Part::New, Part::Forth],
            _ => &[Part::New],
        }
    }
}

/// Packets of an end that a tap shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shows {
    /// Those that are sent to it.
    SentToIt,
    /// Those that come from it.
    ComesFromIt,
}

/// A tap at the link of an end.
#[derive(Debug)]
pub(super) struct Watch {
    pub end: NodeName,
    pub shows: Shows,
    pub tap: Tap,
}

/// Tuples of one flow's packets where they come from their end, and where they are sent to the other.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    pub from: NodeName,
    pub entering: Tuple,
    pub to: NodeName,
    pub arriving: Vec<Tuple>,
    /// Appliances that they may be led through.
    pub by: Vec<Appliance>,
}

/// Tuples of one flow's packets at an appliance on their way.
#[derive(Clone, Debug)]
pub(super) struct Appliance {
    pub node: NodeName,
    /// Tuples with which they are sent to it.
    pub handed: Vec<Tuple>,
    /// Tuples with which they come from it.
    pub passed_on: Vec<Tuple>,
}

/// All that packets of traffic can look like.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub looks: HashMap<Mark, Looks>,
    /// Marks of packets that begin a connection of TCP, which carry none.
    pub syns: HashMap<Tuple, Mark>,
}

fn watching(end: &NodeName, shows: Shows, opened: Vec<Tap>) -> impl Iterator<Item = Watch> {
    opened.into_iter().map(move |tap| Watch { end: end.clone(), shows, tap })
}

/// Links that are watched, by router and index; and whether only what an end sends to itself is.
pub(super) type Watched = HashSet<(NodeName, u32, bool)>;

/// Watches the links of a stream's ends, and those of appliances that it may be led through, if nobody does yet.
pub(super) async fn watch(course: &Course, watched: &mut Watched, taps: &mut Vec<Watch>) -> Result<(), FabricError> {
    let Course { ask, client } = course;
    let ends: Vec<&Receiver> = ask.receiver.iter().chain([client]).collect();
    for end in &ends {
        if stays_inside(ask) {
            if watched.insert((end.router.name.clone(), end.port, true)) {
                taps.extend(watching(&end.node, Shows::SentToIt, Tap::open(&end.namespace).await?));
            }
        } else if watched.insert((end.router.name.clone(), end.port, false)) {
            watch_link(&end.node, &end.router, end.port, taps).await?;
        }
    }
    for LinkPosition { node, link: (router, index), .. } in ask.there.passed_on.iter().chain(&ask.back.passed_on) {
        let router = ends.iter().map(|end| &end.router).find(|it| it.name == *router);
        if let Some(router) = router.filter(|router| watched.insert((router.name.clone(), *index, false))) {
            watch_link(node, router, *index, taps).await?;
        }
    }
    Ok(())
}

async fn watch_link(
    end: &NodeName,
    router: &Arc<Namespace>,
    index: u32,
    taps: &mut Vec<Watch>,
) -> Result<(), FabricError> {
    taps.extend(watching(end, Shows::SentToIt, Tap::on_links(router, vec![index]).await?));
    taps.extend(watching(end, Shows::ComesFromIt, Tap::on_arrivals(router, index).await?));
    Ok(())
}

/// Returns the tuples of a flow's packets at either end, by the port that they are sent from.
pub(super) fn looks(ask: &Ask, client: &Receiver, receiver: &Receiver, port: u16) -> Looks {
    let (source, destination) = ask.translated.unwrap_or((ask.source, ask.destination));
    let sources = std::iter::once(source).chain(ask.passed_on_by.iter().copied());
    Looks {
        from: client.node.clone(),
        entering: question::tuple(ask.service, ask.source, port, ask.destination),
        to: receiver.node.clone(),
        arriving: sources.map(|source| question::tuple(ask.service, source, port, destination)).collect(),
        by: appliances(&ask.there, [&client.node, &receiver.node], &tuples(ask, port), |(from, to)| {
            question::tuple(ask.service, from, port, to)
        }),
    }
}

/// The address that the receiver sees a flow come from: that of a NAT instance, where it has to be led through one.
pub(super) fn seen_source(ask: &Ask) -> IpAddr {
    let translated = ask.translated.map_or(ask.source, |(source, _)| source);
    let arrives = || ask.there.arrives.iter().map(|(from, _)| *from);
    if arrives().any(|from| from == translated) { translated } else { arrives().next().unwrap_or(translated) }
}

/// Returns the tuples of a flow at the appliances on its way; `ways` is all that it can look like.
fn appliances(route: &Route, ends: [&NodeName; 2], ways: &[Tuple], looks: impl Fn(Ends) -> Tuple) -> Vec<Appliance> {
    let at = |place: &LinkPosition| Appliance {
        node: place.node.clone(),
        handed: ways.to_vec(),
        passed_on: place.ends.iter().copied().map(&looks).collect(),
    };
    // What comes to an end itself it passes on to nobody.
    route.passed_on.iter().filter(|place| !ends.contains(&&place.node)).map(at).collect()
}

impl Looks {
    /// The same of what goes back.
    pub(super) fn turned(&self, ask: &Ask, port: u16) -> Self {
        let seen = seen_source(ask);
        let own = ask.receiver.as_ref().map_or(ask.destination, |receiver| receiver.address);
        let ways: Vec<Tuple> = tuples(ask, port).into_iter().map(Tuple::turned).collect();
        Self {
            from: self.to.clone(),
            entering: question::tuple(ask.service, seen, port, own).turned(),
            to: self.from.clone(),
            arriving: vec![self.entering.turned()],
            by: appliances(&ask.back, [&self.from, &self.to], &ways, |(from, to)| {
                question::tuple(ask.service, to, port, from).turned()
            }),
        }
    }
}

/// Begins the payload of every packet of ours.
const MAGIC: [u8; 4] = *b"\xb1iNK";

/// Part of a stream that a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// It begins a connection.
    New,
    /// It belongs to the held one, from the sender.
    Forth,
    /// It belongs to the held one, from the receiver.
    Back,
}

/// Identifies a packet on its way: stream, part and number.
pub type Mark = (u32, Part, u32);

/// The mark of what a packet is a part of: each new connection, and the held one in each direction.
pub fn flow((stream, part, number): Mark) -> Mark {
    (stream, part, if part == Part::New { number } else { 0 })
}

/// Length of the payload of every packet of ours, in bytes.
pub const LENGTH: usize = 13;

pub fn payload((stream, part, number): Mark) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&stream.to_be_bytes());
    bytes[8] = part as u8;
    bytes[9..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The mark of a packet of ours, at whose end it stands.
pub fn mark(packet: &[u8]) -> Option<Mark> {
    let bytes = packet.last_chunk::<LENGTH>().filter(|bytes| bytes.starts_with(&MAGIC))?;
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let part = [Part::New, Part::Forth, Part::Back].into_iter().find(|part| *part as u8 == bytes[8])?;
    Some((number(4), part, number(9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_ours_is_known_by_its_mark_behind_any_header() {
        for part in [Part::New, Part::Forth, Part::Back] {
            let packet = [&[0x45; 28][..], &payload((7, part, 70_000))].concat();
            assert_eq!(mark(&packet), Some((7, part, 70_000)));
            assert_eq!(mark(&packet[..40]), None, "cut off");
            assert_eq!(mark(&[&packet, &[0][..]].concat()), None, "something stands behind it");
        }
        assert_eq!(mark(b"somebody else's packet"), None);
    }
}
