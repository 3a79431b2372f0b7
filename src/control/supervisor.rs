//! Holds one lab and answers at its socket. Requests come in on many connections, and are carried out one by one: a lab has
//! one state.

mod capturing;
mod connection;
mod events;
mod feed;
mod flow_logs;
mod hearing;
mod probing;
mod programs;
mod state;
mod supervised;

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::lab_dir::LabName;
use crate::lab::{InForce, Lab, LabError};
use crate::model::{Change, InstanceName, Operation, Power, Refusal};
use crate::protocol::{Applied, EventKind, Failure, Reply, Request, Revision};
use capturing::Captures;
use events::Events;
pub(crate) use feed::now;
use feed::{Answer, Job};
use flow_logs::Windows;
pub use flow_logs::{Keeping, Write};
use programs::StartProgram;
use state::Glimpse;
use supervised::Supervised;

/// Time for the last window of the flow log, however the lab ends.
const LAST_WINDOW: Duration = Duration::from_secs(10);
/// So many requests wait for their turn; more wait in their sockets.
const QUEUE: usize = 64;

/// Start parameters of a supervisor.
#[derive(Debug)]
pub struct Start {
    /// The lab's name.
    pub name: LabName,
    /// The topology file, as it was named.
    pub file: String,
    /// The supervisor's process, as the machine sees it.
    pub pid: u32,
    /// The socket, listening.
    pub listener: StdListener,
    /// Window and file of its flow log.
    pub flow_logs: Keeping,
}

/// Serves a lab until somebody asks it to end, or `end` comes, which waits for no request that is carried out. The last window of the flow log is
/// written either way.
///
/// # Errors
/// Where the socket cannot be driven.
pub async fn serve(mut lab: Lab, start: Start, end: impl Future<Output = ()>) -> io::Result<()> {
    tokio::pin!(end);
    // Listen before the lab is said to be up: a client may come at once.
    tokio::select! {
        biased;
        () = &mut end => return Ok(()),
        () = std::future::ready(()) => {}
    }
    start.listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(start.listener)?;
    let (jobs, queue) = mpsc::channel::<Job>(QUEUE);
    let (programs, starts) = mpsc::channel(QUEUE);
    let accepting = tokio::spawn(connection::accept(listener, jobs, programs));
    let now = Instant::now();
    let since = Arc::new(lab.cloud().instances.keys().map(|name| (name.clone(), now)).collect());
    let verdicts = lab.verdicts();
    let Start { name, file, pid, flow_logs, .. } = start;
    let windows = lab.flow_logs().await.map_err(io::Error::other)?;
    let windows = Windows::new(windows, flow_logs);
    let (events, revision) = (Events::default(), Revision::default());
    let mut supervised = Supervised {
        lab,
        name,
        file,
        pid,
        up: now,
        since,
        revision,
        events,
        verdicts,
        windows,
        captures: Captures::default(),
    };
    let mut requests = Requests { queue, starts, waiting: VecDeque::new() };
    while let Some((request, answer)) = supervised.next(&mut requests, &mut end).await {
        let last = request == Request::Down;
        let Some(given) = supervised.answer_beside(request, &mut requests, &mut end).await else { break };
        // The client may have gone; what was done is done.
        drop(answer.send(given));
        if last {
            break;
        }
        supervised.end_full_window().await;
    }
    // The last window is written too, as far as the kernel counts it in time.
    drop(tokio::time::timeout(LAST_WINDOW, supervised.end_window_by_clock()).await);
    accepting.abort();
    Ok(())
}

/// Requests of all clients.
struct Requests {
    queue: mpsc::Receiver<Job>,
    starts: mpsc::Receiver<StartProgram>,
    /// Requests that came while another was carried out.
    waiting: VecDeque<Job>,
}

impl Supervised {
    /// Waits for the next request, and meanwhile starts programs, hears the filters and ends windows. Returns nothing where `end` comes first, or nobody can ask any more.
    async fn next(&mut self, requests: &mut Requests, end: &mut (impl Future<Output = ()> + Unpin)) -> Option<Job> {
        loop {
            tokio::select! {
                () = &mut *end => return None,
                () = std::future::ready(()), if !requests.waiting.is_empty() => return requests.waiting.pop_front(),
                job = requests.queue.recv(), if requests.waiting.is_empty() => return job,
                Some(start) = requests.starts.recv() => self.start(start).await,
                Some(logged) = self.verdicts.next() => {
                    self.hear(&logged);
                    self.end_full_window().await;
                }
                () = self.windows.logs.ended() => self.end_full_window().await,
                _ = self.windows.clock.tick() => self.end_window_by_clock().await,
            }
        }
    }

    /// Answers a request; others wait meanwhile, but for the state. Returns nothing where `end` comes first, which waits for no request.
    async fn answer_beside(
        &mut self,
        request: Request,
        requests: &mut Requests,
        end: &mut (impl Future<Output = ()> + Unpin),
    ) -> Option<Answer> {
        self.hear_all();
        let glimpse = Glimpse::of(self);
        let answering = self.answer(request);
        tokio::pin!(answering);
        loop {
            tokio::select! {
                biased;
                given = &mut answering => return Some(given),
                () = &mut *end => return None,
                // The state of the lab, and of a process that is waited for, is told meanwhile.
                Some((request, answer)) = requests.queue.recv(), if requests.waiting.len() < QUEUE => {
                    if request == Request::State {
                        drop(answer.send(Answer::Once(glimpse.reply())));
                    } else {
                        requests.waiting.push_back((request, answer));
                    }
                }
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::State => {
                self.first_health_checks().await;
                Answer::Once(Glimpse::of(self).reply())
            }
            Request::Apply { at: Some(at), .. } | Request::Probe { at: Some(at), .. } if at != self.revision => {
                Answer::Once(Reply::Stale(self.revision))
            }
            Request::Apply { operations, .. } => Answer::Once(self.apply(operations).await),
            Request::Probe { flows, details, .. } => Answer::Once(self.probe(&flows, details).await),
            Request::ProcessLog { instance, process } => Answer::Once(self.process_log(&instance, &process)),
            // Each connection begins these conversations by itself.
            Request::Exec(_) => Answer::failed(Failure::OwnConversation),
            Request::Hold => Answer::Once(Reply::GoOn),
            Request::Events { follow } => self.events.feed(follow),
            Request::Changes => self.events.changes(Glimpse::of(self).reply()),
            Request::FlowLogs { follow } => self.feed_flow_logs(follow).await,
            Request::Capture { instance } => self.captures.begin(&self.lab, &instance).await,
            Request::Down => Answer::Once(Reply::Done),
        }
    }

    /// A load balancer that has not looked at an instance yet has nothing to say of it.
    async fn first_health_checks(&self) {
        for at_work in self.lab.balancers_at_work().values() {
            at_work.first_checks().await;
        }
    }

    /// Carries out operations: all of them, or none where one of them is refused.
    async fn apply(&mut self, operations: Vec<Operation>) -> Reply {
        if let Err(failed) = self.lab.rehearse(&operations) {
            return match *failed {
                (operation, LabError::Refused(refusal)) => self.refuse(operation, refusal),
                (_, error) => Reply::Failed(Failure::of(&error)),
            };
        }
        let mut done = Vec::new();
        for operation in operations {
            match self.lab.carry_out(&operation).await {
                Ok(InForce { took, changes, processes: Ok(()) }) => done.push(self.applied(operation, changes, took)),
                Err(LabError::Refused(refusal)) => return self.refuse(operation, refusal),
                // The change is committed; only waiting for its process failed. Report it as applied.
                Ok(InForce { took, changes, processes: Err(error) }) => {
                    done.push(self.applied(operation, changes, took));
                    return partly(done, None, &error);
                }
                Err(error) if done.is_empty() => return Reply::Failed(Failure::of(&error)),
                Err(error) => return partly(done, Some(operation), &error),
            }
        }
        Reply::Applied(done)
    }

    fn refuse(&mut self, operation: Operation, refusal: Refusal) -> Reply {
        let refused = EventKind::Refused { operation: operation.clone(), refusal: refusal.clone() };
        self.events.tell(refused);
        Reply::Refused { operation: Box::new(operation), refusal }
    }

    /// Takes note of an operation that was carried out, and tells whoever follows.
    fn applied(&mut self, operation: Operation, changes: Vec<Change>, took: Duration) -> Applied {
        self.revision.0 += 1;
        self.remember(&operation, &changes);
        self.captures.end(&self.lab);
        let applied = Applied { operation, changes, in_force: took.as_secs_f64() };
        self.events.tell(EventKind::Change(applied.clone()));
        applied
    }

    /// Records the start time of an instance that an operation starts.
    fn remember(&mut self, operation: &Operation, changes: &[Change]) {
        let since = Arc::make_mut(&mut self.since);
        if let Some(name) = begins(operation, changes) {
            since.insert(name.clone(), Instant::now());
        }
        if let Some((Power::Terminate, name)) = operation.power() {
            since.remove(name);
        }
    }
}

/// Returns the instance that begins with an operation. To start one that runs changes nothing, and a reboot nothing that a cloud knows of.
fn begins<'a>(operation: &'a Operation, changes: &[Change]) -> Option<&'a InstanceName> {
    if let Operation::Launch(launch) = operation {
        return Some(&launch.name);
    }
    match operation.power()? {
        (Power::Start, name) => (!changes.is_empty()).then_some(name),
        (Power::Reboot, name) => Some(name),
        (Power::Stop | Power::Terminate | Power::Crash, _) => None,
    }
}

/// Some of a request is in force, and the rest is not.
fn partly(done: Vec<Applied>, failed: Option<Operation>, error: &impl ToString) -> Reply {
    let done = done.into_iter().map(|applied| applied.operation).collect();
    Reply::Partly { done, failed: failed.map(Box::new), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::Sample;
    use crate::model::{Era, apply};

    #[test]
    fn an_instance_that_runs_goes_on_running_when_it_is_started_and_begins_anew_when_it_is_rebooted() {
        let mut cloud = Sample::new(Era::Vpc).group("G", &["tcp 22 from anywhere"]).instance("a", &["G"]).0;
        let a = InstanceName::new("a");
        let mut begun = |operation: Operation| {
            let changes = apply(&mut cloud, &operation).unwrap().into_changes();
            begins(&operation, &changes).cloned()
        };
        assert_eq!(begun(Operation::Start(a.clone())), None);
        assert_eq!(begun(Operation::Reboot(a.clone())), Some(a.clone()));
        assert_eq!(begun(Operation::Stop(a.clone())), None);
        assert_eq!(begun(Operation::Start(a.clone())), Some(a));
    }
}
