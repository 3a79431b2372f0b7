//! Traffic that flows while the cloud changes: a packet each millisecond, in turn of every stream.
//!
//! A stream is one flow. Of each millisecond's packets some begin a new connection, from a source port of its own; over
//! UDP the others belong to one that is held, and go both ways by themselves. A ping has an identifier in place of the port, and its held
//! requests go one way: the answers are the kernel's. Which arrive is read at the receivers by
//! packet sockets of the traffic's own, which know what they have missed; why one did not is in the filters' log.

mod looks;
mod opening;
mod reading;
mod sending;
mod tracing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::canary::{self, Links, Receiver};
use super::dropped::InterfaceLookup;
use super::evidence::ProbeRecord;
use super::held::NotMet;
use super::missing::MissingEvidence;
use super::prober::Prober;
use crate::fabric::packet::Tuple;
use crate::model::Port;
use looks::{Known, Mark, Watch};
use opening::{Opened, Opening, ports_of};
use reading::Read;
use sending::{Lane, Orders, Sent, TICK, send};
use tracing::{Evidence, Losses, Tracing};

pub use looks::Course;
pub use looks::Part;
pub use tracing::{Packet, Trace};

/// As many source ports are set aside as so many packets need. No port is used twice, so that fewer packets a second begin something in a change
/// that takes longer.
const MAX_PACKETS: usize = 6_000;

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
    threads: Threads,
}

/// The threads that send and read. Dropping this ends them.
#[derive(Debug)]
struct Threads {
    sent: Arc<AtomicUsize>,
    orders: Arc<Orders>,
    wake: Arc<EventFd>,
    sender: Option<JoinHandle<Sent>>,
    reader: Option<JoinHandle<Read>>,
}

impl Threads {
    /// Begins to read, and then to send.
    fn start(lanes: Vec<Lane>, taps: Vec<Watch>, known: &Arc<Known>) -> Result<Self, NotMet> {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).map_err(NotMet::unproved)?);
        let (sent, orders) = (Arc::<AtomicUsize>::default(), Arc::<Orders>::default());
        let mut threads = Self { sent, orders, wake, sender: None, reader: None };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (waker, known) = (Arc::clone(&threads.wake), Arc::clone(known));
        let reader = named("traffic-in").spawn(move || reading::read(taps, &waker, &known));
        threads.reader = Some(reader.map_err(NotMet::unproved)?);
        let (told, count) = (Arc::clone(&threads.orders), Arc::clone(&threads.sent));
        let sender = named("traffic-out").spawn(move || send(lanes, &told, &count));
        threads.sender = Some(sender.map_err(NotMet::unproved)?);
        Ok(threads)
    }

    /// Sends nothing more, and gives what was sent.
    async fn end_sending(&mut self) -> Sent {
        self.orders.stop.store(true, Ordering::Relaxed);
        join(self.sender.take()).await.unwrap_or_default()
    }

    /// Reads nothing more, and gives what was read.
    async fn end_reading(&mut self) -> Read {
        let _ = self.wake.write(1);
        join(self.reader.take()).await.unwrap_or_default()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        let _ = self.wake.write(1);
    }
}

impl Streams {
    /// Opens sockets and begins to send.
    ///
    /// # Errors
    /// In words, what could not be opened, and of which stream.
    pub async fn start(prober: &mut Prober, courses: Vec<Course>) -> Result<Self, NotMet> {
        let turns: usize = courses.iter().map(|course| course.parts().len()).sum();
        let most = u32::try_from(MAX_PACKETS / turns.max(1)).unwrap_or(u32::MAX).max(64);
        let links = prober.links_of(&receivers_of(&courses)).await;
        let (lost_before, crowded_before) = (prober.lost(), crowded());
        let mut opening = Opening::new(prober);
        for (stream, course) in (0..).zip(&courses) {
            opening.add(stream, course, most).await?;
        }
        let (lanes, taps, known) = opening.take_parts();
        let known = Arc::new(known);
        let threads = Threads::start(lanes, taps, &known)?;
        let Opened { cases, registered, held_from, .. } = opening.keep();
        Ok(Self { courses, links, held_from, known, cases, registered, lost_before, crowded_before, threads })
    }

    /// Waits until so many more packets have been sent, and of every stream some.
    pub async fn flows_on(&self, packets: usize) {
        let at_least = packets.max(self.courses.len() * 9);
        let Threads { sent, sender, .. } = &self.threads;
        let until = sent.load(Ordering::Relaxed) + at_least;
        while sent.load(Ordering::Relaxed) < until && sender.as_ref().is_some_and(|it| !it.is_finished()) {
            // The clock is what it waits for: one packet each millisecond.
            tokio::time::sleep(TICK * 5).await;
        }
    }

    /// The same once nothing changes any more: no port is kept for later.
    pub async fn flows_on_at_last(&self, packets: usize) {
        self.threads.orders.is_last.store(true, Ordering::Relaxed);
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
        let sent = self.threads.end_sending().await;
        let settling = Instant::now();
        let unsettled = self.settle(prober).await.err();
        let read = self.threads.end_reading().await;
        give_back(prober, &self.courses, sent.unused);
        let Self { courses, known, cases, .. } = &self;
        let mut tracing = Tracing::new(Evidence { courses, known, cases, read: &read, settling }, lookup);
        for (mark, before, after) in sent.packets {
            tracing.add(mark, before, after);
        }
        prober.board.forget(&self.registered);
        let packets = match (self.crowded_before, crowded()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => 0,
        };
        let losses = Losses { packets, records: prober.lost() - self.lost_before, unsettled };
        tracing.ended(self.held_from.clone(), losses)
    }
}

/// Gives back ports of streams that nothing was sent from.
fn give_back(prober: &mut Prober, courses: &[Course], unused: impl IntoIterator<Item = (u32, Vec<u16>)>) {
    for (stream, ports) in unused {
        if let Some(Course { ask, .. }) = courses.get(stream as usize) {
            let (sender, protocol) = ports_of(ask);
            prober.ports.give_back(sender, protocol, ports);
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
