//! Traffic that flows while the cloud changes: a packet each millisecond, in turn of every stream.
//!
//! A stream is one flow. Of each millisecond's packets some begin a new connection, from a source port of its own; over
//! UDP the others belong to one that is held, and go both ways by themselves. A ping has an identifier in place of the port, and its held
//! requests go one way: the answers are the kernel's. Which arrive is read at the receivers by
//! packet sockets of the traffic's own, which know what they have missed; why one did not is in the filters' log.

mod looks;
mod reading;
mod sending;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::ask::{parties, stays_inside, tuples};
use super::canary::{self, Links, Receiver};
use super::dropped::{Drop, InterfaceLookup, SentBy, drop_of};
use super::evidence::ProbeRecord;
use super::held::{self, NotMet};
use super::missing::{MissingEvidence, WANT_OF_ROOM};
use super::prober::Prober;
use super::question;
use super::resolve;
use super::waiting;
use crate::fabric::packet::Tuple;
use crate::model::{Port, Service};
use looks::{Known, Watch, looks, watch};
use looks::{Mark, flow};
use reading::{Passage, Read};
use sending::{Carrier, Lane, Orders, Sent, TICK, answering, send};

pub use looks::Course;
pub use looks::Part;

/// As many source ports are set aside as so many packets need. No port is used twice, so that fewer packets a second begin something in a change
/// that takes longer.
const MAX_PACKETS: usize = 6_000;

/// A packet that was sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Part of the stream that it belongs to.
    pub part: Part,
    /// The moment before it was sent.
    pub before: Instant,
    /// The moment after.
    pub after: Instant,
    /// True if it has come to the receiver's interface.
    pub arrived: bool,
    /// True if the groups of the ends have let it in, by a filter's record. Else it may have passed by an earlier flow.
    pub judged: bool,
    /// The filter's record of its drop; of the held connection's packets, of the last that was dropped.
    pub drop: Option<Drop>,
}

/// Results of the traffic.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Each stream's packets in the order they were sent.
    pub streams: Vec<Vec<Packet>>,
    /// The port that each stream's held connection is sent from.
    pub held_from: Vec<Option<Port>>,
    /// Reason why the instrument did not see all, in words. Then nothing that is missing is proved lost.
    pub blind: Option<String>,
    /// Of each stream, why packets of it are not there: its ends have not sent them as they were to, so that nothing is proved by what became of them.
    pub unsent: Vec<Option<String>>,
}

/// Traffic under way. Dropping it ends it.
#[derive(Debug)]
pub struct Streams {
    courses: Vec<Course>,
    held_from: Vec<Option<Port>>,
    known: Arc<Known>,
    cases: HashMap<Mark, Arc<ProbeRecord>>,
    registered: Vec<Tuple>,
    /// States of its ends' links when it began.
    links: Links,
    lost_before: u64,
    crowded_before: Option<u64>,
    sent: Arc<AtomicUsize>,
    orders: Arc<Orders>,
    wake: Arc<EventFd>,
    sender: Option<JoinHandle<Sent>>,
    reader: Option<JoinHandle<Read>>,
}

impl Streams {
    /// Opens sockets and begins to send.
    ///
    /// # Errors
    /// In words, what could not be opened, and of which stream.
    pub async fn start(prober: &mut Prober, courses: Vec<Course>) -> Result<Self, NotMet> {
        let (mut cases, mut registered, mut known) = (HashMap::new(), Vec::new(), Known::default());
        let (mut lanes, mut taps): (Vec<Lane>, Vec<Watch>) = (Vec::new(), Vec::new());
        let (mut held_from, mut watched) = (Vec::new(), HashSet::new());
        let turns: usize = courses.iter().map(|course| parts(course).len()).sum();
        let most = u32::try_from(MAX_PACKETS / turns.max(1)).unwrap_or(u32::MAX).max(64);
        for (number, course) in courses.iter().enumerate() {
            let Course { ask, client } = course;
            let stream = u32::try_from(number).unwrap_or(u32::MAX);
            let receiver = ask.receiver.as_ref().ok_or_else(NotMet::nobody)?;
            let Some((carrier, port)) = Carrier::of(ask.service) else {
                return Err(NotMet::Apart("traffic flows over tcp, udp or ping".to_owned()));
            };
            let mut ports = Vec::new();
            for number in 0..most {
                let fresh = prober.ports.take(ask.ports_of, question::protocol(ask.service, ask.source));
                let fresh = match fresh {
                    Ok(fresh) => fresh,
                    Err(error) => {
                        let taken = lanes.into_iter().map(|lane| (lane.stream, lane.ports.unused()));
                        let taken = taken.chain([(stream, ports.into_iter().map(|(_, port)| port).collect())]);
                        give_back(prober, &courses, taken);
                        prober.board.forget(&registered);
                        return Err(NotMet::Unproved(error.to_string()));
                    }
                };
                let ways = tuples(ask, fresh);
                let mark = (stream, Part::New, number);
                cases.insert(mark, prober.board.register(&ways, parties(ask)));
                known.syns.extend(ways.iter().filter(|_| carrier == Carrier::Tcp).map(|way| (*way, mark)));
                known.looks.insert(mark, looks(ask, client, receiver, fresh));
                registered.extend(ways);
                ports.push((number, fresh));
            }
            let (mut forth, mut back, mut held_port) = (None, None, None);
            if carrier != Carrier::Tcp {
                let (socket, held) = prober.open_socket(ask).await?;
                held_port = Some(Port(held));
                let ways = tuples(ask, held);
                let there = looks(ask, client, receiver, held);
                if carrier == Carrier::Udp {
                    known.looks.insert((stream, Part::Back, 0), there.turned(ask, held));
                    let turned: Vec<Tuple> = ways.iter().map(|way| way.turned()).collect();
                    let back = prober.board.register(&turned, parties(ask).turned(receiver.node.clone()));
                    cases.insert((stream, Part::Back, 0), back);
                    registered.extend(turned);
                }
                known.looks.insert((stream, Part::Forth, 0), there);
                cases.insert((stream, Part::Forth, 0), prober.board.register(&ways, parties(ask)));
                registered.extend(ways);
                forth = Some(socket);
                if parts(course).contains(&Part::Back) {
                    let namespace = Arc::clone(&receiver.namespace);
                    let seen = looks::seen_source(ask);
                    let own = receiver.address;
                    let opened = namespace.run(move || answering(own)).await.map_err(NotMet::unproved)?;
                    let socket =
                        opened.map_err(|error| NotMet::unproved(format!("failed to open the way back: {error}")))?;
                    let [a, b] = port.0.to_be_bytes();
                    let [c, d] = held.to_be_bytes();
                    back = Some((socket, SocketAddr::new(seen, 0), [a, b, c, d]));
                }
            }
            watch(course, &mut watched, &mut taps).await.map_err(NotMet::unproved)?;
            held_from.push(held_port);
            lanes.push(Lane {
                stream,
                from: Arc::clone(&ask.sender),
                source: ask.source,
                to: SocketAddr::new(ask.destination, port.0),
                carrier,
                parts: parts(course),
                ports: ports.into(),
                forth,
                back,
            });
        }
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).map_err(NotMet::unproved)?);
        let orders = Arc::new(Orders::default());
        let sent = Arc::new(AtomicUsize::new(0));
        let known = Arc::new(known);
        let (waker, told, count) = (Arc::clone(&wake), Arc::clone(&orders), Arc::clone(&sent));
        let thread = std::thread::Builder::new().name("traffic-in".to_owned());
        let read_as = Arc::clone(&known);
        let reader = thread.spawn(move || reading::read(taps, &waker, &read_as)).map_err(NotMet::unproved)?;
        let sending = std::thread::Builder::new().name("traffic-out".to_owned());
        let sender = sending.spawn(move || send(lanes, &told, &count)).map_err(NotMet::unproved)?;
        let links = prober.links_of(&receivers_of(&courses)).await;
        Ok(Self {
            courses,
            links,
            held_from,
            known,
            cases,
            registered,
            lost_before: prober.lost(),
            crowded_before: crowded(),
            sent,
            orders,
            wake,
            sender: Some(sender),
            reader: Some(reader),
        })
    }

    /// Waits until so many more packets have been sent, and of every stream some.
    pub async fn flows_on(&self, packets: usize) {
        let at_least = packets.max(self.courses.len() * 9);
        let until = self.sent.load(Ordering::Relaxed) + at_least;
        while self.sent.load(Ordering::Relaxed) < until && self.sender.as_ref().is_some_and(|it| !it.is_finished()) {
            // The clock is what it waits for: one packet each millisecond.
            tokio::time::sleep(TICK * 5).await;
        }
    }

    /// The same once nothing changes any more: no port is kept for later.
    pub async fn flows_on_at_last(&self, packets: usize) {
        self.orders.is_last.store(true, Ordering::Relaxed);
        self.flows_on(packets).await;
    }

    /// Proves that what has been sent up to now has arrived, if it ever does.
    ///
    /// # Errors
    /// In words, why nothing proves it.
    pub async fn settle(&self, prober: &mut Prober) -> Result<(), String> {
        let receivers = receivers_of(&self.courses);
        let held = canary::barrier(&prober.board, &mut prober.canary_ports, &receivers, &self.links).await;
        let held = held.map_err(|error| MissingEvidence::CanaryNotSent(error.into()).to_string())?;
        let all = receivers.iter().all(|receiver| held.contains(&receiver.link()));
        all.then_some(()).ok_or_else(|| "a link carried no canary behind the last packets".to_owned())
    }

    /// Ends the traffic and says what became of it.
    pub async fn finish(mut self, prober: &mut Prober, lookup: InterfaceLookup<'_>) -> Trace {
        self.orders.stop.store(true, Ordering::Relaxed);
        let sent = join(self.sender.take()).await.unwrap_or_default();
        let settling = Instant::now();
        let settled = self.settle(prober).await;
        let _ = self.wake.write(1);
        let read = join(self.reader.take()).await.unwrap_or_default();
        let mut trace = Trace {
            streams: vec![Vec::new(); self.courses.len()],
            held_from: std::mem::take(&mut self.held_from),
            blind: None,
            unsent: vec![None; self.courses.len()],
        };
        let first_questions: Vec<Option<Instant>> =
            (0..).zip(&self.courses).map(|(stream, _)| read.first_question(stream)).collect();
        let slowest = read.slowest();
        let (mut unexplained, mut ends, mut no_room) = (0, 0, false);
        let mut stray = None;
        give_back(prober, &self.courses, sent.unused);
        for (mark, before, after) in sent.packets {
            let (stream, part, _) = mark;
            let arrived = read.arrived.contains_key(&mark);
            let case = self.cases.get(&flow(mark));
            let record = case.and_then(|case| case.records().into_iter().rfind(|logged| logged.record.is_drop()));
            let crowded_out = !arrived && record.is_some() && case.is_some_and(|case| held::lacked_room(case));
            no_room |= crowded_out;
            stray = stray.or_else(|| case.and_then(|case| case.stray()));
            let record = record.filter(|_| !crowded_out);
            let unjudged = record.as_ref().filter(|_| !arrived).and_then(|logged| {
                let begins = case.filter(|_| part == Part::New);
                resolve::unjudged(logged).or_else(|| resolve::begun_before(logged, &begins?.records()))
            });
            let sent_by = if part == Part::Back { SentBy::Answerer } else { SentBy::Opener };
            let drop = record.filter(|_| !arrived).map(|logged| drop_of(&logged, sent_by, lookup));
            let by = self.known.looks.get(&flow(mark)).map_or(&[][..], |looks| looks.by.as_slice());
            let passage = match read.passage(mark, by, &slowest) {
                // No canary is behind it: those that are sent last pass by no appliance.
                Passage::Done(Some(passed_on)) if !arrived && drop.is_none() && passed_on >= settling => {
                    Passage::UnderWay
                }
                passage => passage,
            };
            ends += 1;
            unexplained += usize::from(!arrived && drop.is_none() && passage != Passage::UnderWay);
            let number = stream as usize;
            let Some(course) = self.courses.get(number) else { continue };
            let entered = if stays_inside(&course.ask) { Some(after) } else { read.entered.get(&mark).copied() };
            let (Some(entered), None) = (entered, &unjudged) else {
                if let Some(unsent) = trace.unsent.get_mut(number) {
                    unsent.get_or_insert_with(|| {
                        unjudged.map_or_else(|| not_sent(course, part), |record| record.to_string())
                    });
                }
                continue;
            };
            // What answers no question is something new, whatever it looks like.
            let asked = first_questions.get(number).copied().flatten();
            if part == Part::Back && asked.is_none_or(|asked| asked > before) {
                continue;
            }
            let passed_on = match passage {
                Passage::Done(passed_on) => passed_on,
                Passage::UnderWay => continue,
                Passage::Kept(node) => {
                    let why = format!("not all that {node} was to pass on has come from it as it was to be sent");
                    if let Some(unsent) = trace.unsent.get_mut(number) {
                        unsent.get_or_insert(why);
                    }
                    continue;
                }
            };
            // It may have been held back where it was sent, or by an appliance.
            let after = after.max(entered).max(passed_on.unwrap_or(entered));
            let judged = case.is_some_and(|case| waiting::is_judged(&course.ask, case));
            if let Some(packets) = trace.streams.get_mut(number) {
                packets.push(Packet { part, before, after, arrived, judged, drop });
            }
        }
        prober.board.forget(&self.registered);
        let lost = prober.lost() - self.lost_before;
        let crowded = match (self.crowded_before, crowded()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => 0,
        };
        trace.blind = if let Some(why) = read.failed {
            Some(format!("what arrived could not be read: {why}"))
        } else if read.missed > 0 {
            Some(format!("{} packets found no place in the buffers of those who watch for them", read.missed))
        } else if let Some(stray) = &stray {
            Some(resolve::not_asked(stray, lookup).to_string())
        } else if no_room {
            Some(format!("filters recorded drops, {}", WANT_OF_ROOM))
        } else if unexplained > 0 && crowded > 0 {
            Some(format!("this machine itself lost {crowded} packets, of all its namespaces, for want of time"))
        } else if unexplained > 0 && read.gone {
            Some("a link was taken away, and what was sent over another in its place was not watched".to_owned())
        } else if let (Err(why), true) = (settled, unexplained > 0) {
            Some(why)
        } else if unexplained > 0 && lost > 0 {
            Some(format!("{lost} log records were lost meanwhile"))
        } else if ends == 0 {
            Some("nothing could be sent".to_owned())
        } else {
            None
        };
        trace
    }
}

impl std::ops::Drop for Streams {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        let _ = self.wake.write(1);
    }
}

/// Gives back ports of streams that nothing was sent from.
fn give_back(prober: &mut Prober, courses: &[Course], unused: impl IntoIterator<Item = (u32, Vec<u16>)>) {
    for (stream, ports) in unused {
        if let Some(Course { ask, .. }) = courses.get(stream as usize) {
            prober.ports.give_back(ask.ports_of, question::protocol(ask.service, ask.source), ports);
        }
    }
}

/// Both ends of every stream, each once.
fn receivers_of(courses: &[Course]) -> Vec<Receiver> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for course in courses {
        for receiver in course.ask.receiver.iter().chain([&course.client]) {
            if !receivers.iter().any(|known| known.link() == receiver.link()) {
                receivers.push(receiver.clone());
            }
        }
    }
    receivers
}

/// Explains why packets prove nothing that no router has taken in as they were to be sent.
fn not_sent(course: &Course, part: Part) -> String {
    let sender = match (part, &course.ask.receiver) {
        (Part::Back, Some(receiver)) => &receiver.node,
        _ => &course.client.node,
    };
    format!("not all that {sender} was to send has come from it as it was to be sent")
}

/// Returns the parts that a stream's packets are, in turn.
fn parts(course: &Course) -> &'static [Part] {
    match (course.ask.service, course.ask.source) {
        (Service::Udp(_), IpAddr::V4(_)) => &[Part::New, Part::Forth, Part::Back],
        (Service::Udp(_), IpAddr::V6(_)) | (Service::IcmpEcho, _) => &[Part::New, Part::Forth],
        _ => &[Part::New],
    }
}

/// Waits for a thread without keeping the runtime's.
async fn join<T: Send + 'static>(thread: Option<JoinHandle<T>>) -> Option<T> {
    let thread = thread?;
    tokio::task::spawn_blocking(move || thread.join().ok()).await.ok().flatten()
}

/// Reads the number of packets that the machine has ever lost to full queues; of all namespaces, summed over the processors.
fn crowded() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/softnet_stat").ok()?;
    text.lines().map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()).sum()
}
