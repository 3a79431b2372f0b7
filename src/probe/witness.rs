//! The thread that drains logs and taps at once: a buffer that overflows would cost evidence.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::evidence::{Board, Logged};
use crate::compile::network::NodeName;
use crate::fabric::nflog::LogSocket;
use crate::fabric::packet::{self, Tuple};
use crate::fabric::tap::Tap;

/// What a witness looks at.
pub(super) enum Eye {
    /// A namespace's log of verdicts.
    Log(LogSocket),
    /// A namespace's interfaces.
    Tap(Tap),
}

enum Order {
    Watch(NodeName, Eye),
    Forget(NodeName),
    Stop,
}

/// The witness thread. It ends when this value is dropped.
#[derive(Debug)]
pub(super) struct Witness {
    orders: Sender<Order>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// The key of the wake-up descriptor in epoll.
const WAKE: u64 = u64::MAX;

impl Witness {
    /// Starts the thread.
    pub fn start(board: Arc<Board>) -> io::Result<Self> {
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
    pub fn watch(&self, node: NodeName, eye: Eye) {
        self.order(Order::Watch(node, eye));
    }

    /// Closes everything of a namespace.
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

impl Drop for Witness {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn watch(epoll: &Epoll, wake: &EventFd, inbox: &Receiver<Order>, board: &Board) {
    let mut eyes: HashMap<u64, (NodeName, Eye)> = HashMap::new();
    let mut next = 0u64;
    let mut events = Vec::new();
    loop {
        // Room for all that can be ready, so that no log waits behind a tap.
        events.resize(eyes.len() + 1, EpollEvent::empty());
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        };
        // Logs first: what a filter recorded of a packet was there before the packet went on, so whoever sees a canary
        // arrive finds on record all that came before it.
        let is_log = |key: &u64| matches!(eyes.get(key), Some((_, Eye::Log(_))));
        let (logs, others): (Vec<u64>, Vec<u64>) = events[..ready].iter().map(EpollEvent::data).partition(is_log);
        for key in logs.into_iter().chain(others) {
            if key == WAKE {
                let _ = wake.read();
                continue;
            }
            let Some((node, eye)) = eyes.get_mut(&key) else { continue };
            let read = match eye {
                Eye::Log(log) => read_log(node, log, board),
                Eye::Tap(tap) => read_tap(node, tap, board),
            };
            if read.is_err() {
                // A socket that cannot be read is evidence lost, not evidence of nothing.
                board.post_lost(1);
                if let Some((_, eye)) = eyes.remove(&key) {
                    close(epoll, eye);
                }
            }
        }
        while let Ok(order) = inbox.try_recv() {
            match order {
                Order::Stop => {
                    // All at once: their grace periods overlap.
                    let closing: Vec<_> = eyes.into_values().filter_map(|(_, eye)| close(epoll, eye)).collect();
                    closing.into_iter().for_each(|thread| drop(thread.join()));
                    return;
                }
                Order::Forget(node) => {
                    let leaving: Vec<u64> =
                        eyes.iter().filter(|(_, (owner, _))| *owner == node).map(|(key, _)| *key).collect();
                    for (_, eye) in leaving.iter().filter_map(|key| eyes.remove(key)) {
                        close(epoll, eye);
                    }
                }
                Order::Watch(node, eye) => {
                    let added = match &eye {
                        Eye::Log(log) => epoll.add(log, EpollEvent::new(EpollFlags::EPOLLIN, next)),
                        Eye::Tap(tap) => epoll.add(tap, EpollEvent::new(EpollFlags::EPOLLIN, next)),
                    };
                    if added.is_err() {
                        board.post_lost(1);
                    }
                    eyes.insert(next, (node, eye));
                    next += 1;
                }
            }
        }
    }
}

/// Closes an eye without keeping the witness: the kernel holds whoever closes a packet socket for a grace period.
fn close(epoll: &Epoll, eye: Eye) -> Option<JoinHandle<()>> {
    // Closing the descriptor would take it out too, but only then.
    let _ = match &eye {
        Eye::Log(log) => epoll.delete(log),
        Eye::Tap(tap) => epoll.delete(tap),
    };
    // Where no thread is to be had, this one drops it with the closure, and waits.
    std::thread::Builder::new().name("close".into()).spawn(move || drop(eye)).ok()
}

fn read_log(node: &NodeName, log: &mut LogSocket, board: &Board) -> io::Result<()> {
    let read = log.read()?;
    board.post_lost(read.lost);
    for logged in read.records {
        let (Some(record), Some(tuple)) = (logged.record, Tuple::parse(&logged.packet)) else { continue };
        board.post_record(Logged {
            node: node.clone(),
            record,
            in_index: logged.in_index,
            out_index: logged.out_index,
            tuple,
            length: packet::length(&logged.packet),
        });
    }
    Ok(())
}

fn read_tap(node: &NodeName, tap: &mut Tap, board: &Board) -> io::Result<()> {
    for tuple in tap.read()? {
        board.post_sighting(node, &tuple);
    }
    if tap.missed()? > 0 {
        board.post_overlooked(node);
    }
    Ok(())
}
