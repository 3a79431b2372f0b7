//! The flow log of a lab that runs: it listens to the ends of flows, and counts what stands where a window ends.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use tokio::sync::mpsc;

use super::log::FlowLog;
use super::records::FlowRecord;
use crate::fabric::counted::{self, Ended, Ends};
use crate::fabric::remembered;
use crate::lab::error::LabError;
use crate::lab::heard::Verdicts;
use crate::lab::state::LabState;
use crate::network::{NodeKind, NodeName};
use crate::probe::Logged;

/// So many readings wait; the kernel keeps the others, and says if it cannot.
const WAITING: usize = 64;

/// The flow log of a lab, and what it hears. Whoever holds it gives it the filter's records: `Lab::hear`.
#[derive(Debug)]
pub struct FlowLogs {
    log: FlowLog,
    ended: mpsc::Receiver<ListenerMessage>,
    stop: Arc<EventFd>,
    ask: Arc<EventFd>,
}

/// The flow log and where it hears the filters.
#[derive(Debug)]
pub(in crate::lab) struct Journal {
    pub verdicts: Verdicts,
    pub logs: FlowLogs,
}

/// Message of the listener.
#[derive(Debug)]
enum ListenerMessage {
    /// Flows of a namespace have ended.
    Ended(NodeName, Ended),
    /// All that had ended when this was asked for is told.
    All,
}

impl FlowLogs {
    /// Keeps a flow log of what begins from now on. A lab's routers count packets and bytes from now on.
    ///
    /// # Errors
    /// The OS error.
    pub(super) async fn of(state: &LabState) -> Result<Self, LabError> {
        let (tell, ended) = mpsc::channel(WAITING);
        let mut all = Vec::new();
        for (name, _) in state.network().nodes.iter().filter(|(_, node)| node.kind == NodeKind::Router) {
            all.push((name.clone(), counted::count(state.fabric().node(name)?).await?));
        }
        let stop = Arc::new(EventFd::new().map_err(|errno| LabError::Observer(errno.into()))?);
        let stopped = Arc::clone(&stop);
        let ask = Arc::new(EventFd::new().map_err(|errno| LabError::Observer(errno.into()))?);
        let asked = Arc::clone(&ask);
        let thread = std::thread::Builder::new().name("flow-logs".into());
        thread.spawn(move || listen(all, (&asked, &stopped), &tell)).map_err(LabError::Observer)?;
        Ok(Self { log: FlowLog::new(now()), ended, stop, ask })
    }

    /// A filter of the lab recorded something.
    pub(super) fn hear(&mut self, state: &LabState, logged: &Logged) {
        self.log.record(logged, state.packet_endpoints(logged));
    }

    /// Returns `true` if the window should end now: it has [`FULL`](super::FULL) kinds of traffic.
    pub fn is_full(&self) -> bool {
        self.log.is_full()
    }

    /// Forgets what the window holds: it cannot be ended, and has no more room.
    pub fn give_up_window(&mut self) {
        self.log.give_up_window();
    }

    /// Records were lost.
    pub fn lose(&mut self) {
        self.log.lose();
    }

    /// Flows have ended; waits until some have.
    pub async fn ended(&mut self) {
        match self.ended.recv().await {
            Some(ListenerMessage::Ended(node, ended)) => self.take(&node, ended),
            Some(ListenerMessage::All) => {}
            None => std::future::pending().await,
        }
    }

    /// Ends the window: what has passed since the last, and in which window of connection tracking's counts it has.
    ///
    /// # Errors
    /// The OS error; what was counted is then in the next window.
    pub(super) async fn close(&mut self, state: &LabState) -> Result<Vec<FlowRecord>, LabError> {
        let mut standing = Vec::new();
        for (name, _) in state.network().nodes.iter().filter(|(_, node)| node.kind == NodeKind::Router) {
            standing.push((name.clone(), counted::standing(state.fabric().node(name)?).await?));
        }
        for (name, flows) in standing {
            flows.into_iter().for_each(|counted| self.log.count(&name, counted, false));
            for (packet, amount, ended) in remembered::counted(state.fabric().node(&name)?).await? {
                // The gateway's end is nobody's interface, and one that has gone has no record in this window.
                if let Some(interface) = state.interface_at(&name, &packet.interface) {
                    self.log.remembered(interface, &packet, amount, ended);
                }
            }
        }
        // Flows that ended before the list was made are not in it.
        self.hear_all().await;
        Ok(self.log.close(state.cloud(), now()))
    }

    /// Hears of all that has ended up to now; what the listener has not read yet it reads first.
    async fn hear_all(&mut self) {
        let mut asked = self.ask.write(1).is_ok();
        while asked {
            match self.ended.recv().await {
                Some(ListenerMessage::Ended(node, ended)) => self.take(&node, ended),
                Some(ListenerMessage::All) => return,
                None => asked = false,
            }
        }
        // Nobody listens any more.
        self.log.lose();
    }

    fn take(&mut self, node: &NodeName, ended: Ended) {
        if ended.lost {
            self.log.lose();
        }
        ended.flows.into_iter().for_each(|counted| self.log.count(node, counted, true));
    }
}

/// Reads the ends of flows as they come, until `stop` is written to or nobody takes them any more. Where it is asked to, it
/// says that it has read all.
fn listen(mut all: Vec<(NodeName, Ends)>, (asked, stop): (&EventFd, &EventFd), tell: &mpsc::Sender<ListenerMessage>) {
    loop {
        let told = [asked, stop].map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
        let mut news: Vec<PollFd<'_>> = all.iter().map(|(_, ends)| ends.news()).chain(told).collect();
        match poll(&mut news, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        }
        let ready: Vec<bool> = news.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        if ready.last() == Some(&true) {
            return;
        }
        let is_asked = ready.get(all.len()) == Some(&true);
        for ((node, ends), ready) in all.iter_mut().zip(ready) {
            if !ready && !is_asked {
                continue;
            }
            // Flows that cannot be read are lost.
            let read = ends.read().unwrap_or(Ended { flows: Vec::new(), lost: true });
            if tell.blocking_send(ListenerMessage::Ended(node.clone(), read)).is_err() {
                return;
            }
        }
        if is_asked && (asked.read().is_err() || tell.blocking_send(ListenerMessage::All).is_err()) {
            return;
        }
    }
}

impl Drop for FlowLogs {
    fn drop(&mut self) {
        // It ends also where nobody takes what it reads.
        let _ = self.stop.write(1);
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
