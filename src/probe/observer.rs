//! The thread that drains logs and taps at once: a buffer that overflows would cost evidence.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::evidence::{EvidenceBoard, Logged};
use super::parties::LinkId;
use crate::fabric::nflog::LogSocket;
use crate::fabric::packet::flaw::Flaw;
use crate::fabric::packet::{self, Tuple};
use crate::fabric::tap::{self, Tap};
use crate::network::NodeName;

/// Socket that an observer reads.
pub(super) enum ObserverSocket {
    /// A namespace's log of verdicts.
    Log(LogSocket),
    /// Packets that a router sends over its link of this index, which leads to a namespace.
    Tap(LinkId, Tap),
}

enum Order {
    Watch(NodeName, ObserverSocket),
    Forget(NodeName),
    Unlink(LinkId),
    Stop,
}

/// The observer thread. It ends when this value is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    orders: Sender<Order>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// The key of the wake-up descriptor in epoll.
const WAKE: u64 = u64::MAX;

impl Observer {
    /// Starts the thread.
    pub fn start(board: Arc<EvidenceBoard>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = Arc::new(EventFd::from_flags(nix::sys::eventfd::EfdFlags::EFD_NONBLOCK)?);
        epoll.add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let (orders, inbox) = channel();
        let waker = Arc::clone(&wake);
        let thread =
            std::thread::Builder::new().name("witness".into()).spawn(move || watch(&epoll, &waker, &inbox, &board))?;
        Ok(Self { orders, wake, thread: Some(thread) })
    }

    /// Watches something of a namespace from now on.
    pub fn watch(&self, node: NodeName, eye: ObserverSocket) {
        self.order(Order::Watch(node, eye));
    }

    /// Closes the tap of a link.
    pub fn unlink(&self, port: LinkId) {
        self.order(Order::Unlink(port));
    }

    /// Closes the log of a namespace.
    pub fn forget(&self, node: NodeName) {
        self.order(Order::Forget(node));
    }

    fn order(&self, order: Order) {
        // The thread is gone only when nothing can be watched any more; probes are then inconclusive.
        if self.orders.send(order).is_ok() {
            let _ = self.wake.write(1);
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// All eyes, by their keys in epoll. Logs are few: routers, gateways and the internet have them.
#[derive(Default)]
struct Eyes {
    logs: HashMap<u64, (NodeName, LogSocket)>,
    taps: HashMap<u64, (NodeName, LinkId, Tap)>,
    next: u64,
}

fn watch(epoll: &Epoll, wake: &EventFd, inbox: &Receiver<Order>, board: &EvidenceBoard) {
    let mut eyes = Eyes::default();
    let mut events = vec![EpollEvent::empty(); 256];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        };
        let ready: Vec<u64> = events[..ready].iter().map(EpollEvent::data).collect();
        if ready.contains(&WAKE) {
            let _ = wake.read();
        }
        eyes.look(&ready, epoll, board);
        while let Ok(order) = inbox.try_recv() {
            match order {
                Order::Stop => {
                    // All at once: their grace periods overlap.
                    let closing = eyes.take_logs(|_| true).into_iter().chain(eyes.take_taps(|_| true));
                    let closing: Vec<_> = closing.filter_map(|eye| close(epoll, eye)).collect();
                    closing.into_iter().for_each(|thread| drop(thread.join()));
                    return;
                }
                Order::Forget(node) => {
                    for eye in eyes.take_logs(|owner| *owner == node) {
                        close(epoll, eye);
                    }
                }
                Order::Unlink(port) => {
                    for eye in eyes.take_taps(|known| *known == port) {
                        close(epoll, eye);
                    }
                }
                Order::Watch(node, eye) => {
                    if eyes.open(epoll, node, eye).is_err() {
                        board.post_lost(1);
                    }
                }
            }
        }
    }
}

impl Eyes {
    fn open(&mut self, epoll: &Epoll, node: NodeName, eye: ObserverSocket) -> nix::Result<()> {
        let event = |flags| EpollEvent::new(flags, self.next);
        let added = match eye {
            ObserverSocket::Log(log) => {
                let flags = if log.announces() { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
                let added = epoll.add(&log, event(flags));
                self.logs.insert(self.next, (node, log));
                added
            }
            ObserverSocket::Tap(port, tap) => {
                let added = epoll.add(&tap, event(EpollFlags::EPOLLIN));
                self.taps.insert(self.next, (node, port, tap));
                added
            }
        };
        self.next += 1;
        added
    }

    fn take_logs(&mut self, whose: impl Fn(&NodeName) -> bool) -> Vec<ObserverSocket> {
        self.logs.extract_if(|_, (node, _)| whose(node)).map(|(_, (_, log))| ObserverSocket::Log(log)).collect()
    }

    fn take_taps(&mut self, which: impl Fn(&LinkId) -> bool) -> Vec<ObserverSocket> {
        let taken = self.taps.extract_if(|_, (_, port, _)| which(port));
        taken.map(|(_, (_, port, tap))| ObserverSocket::Tap(port, tap)).collect()
    }

    /// Reads what is there and posts it: taps are read first, and what they saw is posted last. What a filter recorded of a packet
    /// was there before the packet went on, so whoever sees a canary arrive finds on record all that came before it.
    fn look(&mut self, ready: &[u64], epoll: &Epoll, board: &EvidenceBoard) {
        let (mut seen, mut blind) = (Vec::new(), Vec::new());
        for key in ready {
            let Some((node, _, tap)) = self.taps.get_mut(key) else { continue };
            match tap.read().and_then(|sightings| Ok((sightings, tap.missed()?))) {
                Ok((sightings, missed)) => seen.push((node.clone(), sightings, missed)),
                // It says so once. The canaries show that it is gone, and whoever takes links away closes it.
                Err(error) if tap::is_gone(&error) => board.post_overlooked(node),
                Err(_) => blind.extend(self.taps.remove(key).map(|(_, port, tap)| ObserverSocket::Tap(port, tap))),
            }
        }
        let unread = self.logs.extract_if(|_, (node, log)| read_log(node, log, board).is_err());
        blind.extend(unread.map(|(_, (_, log))| ObserverSocket::Log(log)));
        for (node, sightings, missed) in seen {
            sightings.iter().for_each(|seen| board.post_sighting(&node, seen));
            if missed > 0 {
                board.post_overlooked(&node);
            }
        }
        for eye in blind {
            // A socket that cannot be read is evidence lost, not evidence of nothing.
            board.post_lost(1);
            close(epoll, eye);
        }
    }
}

/// Closes a socket without keeping the observer waiting: the kernel holds whoever closes a packet socket for a grace period.
fn close(epoll: &Epoll, eye: ObserverSocket) -> Option<JoinHandle<()>> {
    // Closing the descriptor would take it out too, but only then.
    let _ = match &eye {
        ObserverSocket::Log(log) => epoll.delete(log),
        ObserverSocket::Tap(_, tap) => epoll.delete(tap),
    };
    // Where no thread is to be had, this one drops it with the closure, and waits.
    std::thread::Builder::new().name("close".into()).spawn(move || drop(eye)).ok()
}

fn read_log(node: &NodeName, log: &mut LogSocket, board: &EvidenceBoard) -> io::Result<()> {
    let read = log.read()?;
    board.post_lost(read.lost);
    for logged in read.records {
        let (Some(record), Some(tuple)) = (logged.record, Tuple::parse(&logged.packet)) else { continue };
        let (node, length) = (node.clone(), packet::length(&logged.packet));
        let (in_index, out_index) = (logged.in_index, logged.out_index);
        let about = Tuple::of_error(&logged.packet);
        let (icmp, flaw) = (packet::icmp_message(&logged.packet), Flaw::of(&logged.packet));
        board.post_record(Logged { node, record, in_index, out_index, tuple, icmp, flaw, length }, about);
    }
    Ok(())
}
