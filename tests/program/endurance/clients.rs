//! The clients of a lab: who changes it, who probes it, who looks on.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use indexmap::IndexSet;
use sglab::model::{GroupName, InstanceName, Operation, Port, Service};
use sglab::protocol::{self, Applied, Envelope, MAX_REPLY, MAX_REQUEST, ProbeDetails, Reply, Request, State, VERSION};
use sglab::report::probes::flows_of_matrix;
use sglab::scenario::agreement::Agreement;
use sglab::scenario::cells;
use sglab::topology::{Columns, read_flow, read_operations};

use super::cloud;
use crate::labs::Labs;

/// What is said of a sender that does not run.
const STOPPED: &str = "is stopped, and sends nothing";
/// So many flows of a request.
const FLOWS: u64 = 8;

/// Every way to look on.
pub const WATCHES: [&str; 8] = ["events", "changes", "flow-logs", "capture", "exec", "matrix", "state", "garbage"];

/// Asks a lab.
pub struct Asker {
    socket: PathBuf,
    instances: u64,
    probes: AtomicU64,
    /// Who asks holds it; who wants silence holds it alone.
    silence: RwLock<()>,
}

/// What clients were told.
#[derive(Debug, Default)]
pub struct Replies {
    verdicts: BTreeMap<String, u64>,
    agreements: BTreeMap<String, u64>,
    /// What watchers did.
    watched: BTreeMap<&'static str, u64>,
    odd: Vec<String>,
}

impl Asker {
    pub fn new(socket: PathBuf, instances: usize) -> Self {
        Self { socket, instances: instances as u64, probes: AtomicU64::new(0), silence: RwLock::new(()) }
    }

    pub fn probes(&self) -> u64 {
        self.probes.load(Ordering::Relaxed)
    }

    /// Does something while nobody asks the lab anything.
    pub fn in_silence<T>(&self, what: impl FnOnce() -> T) -> T {
        let _silence = self.silence.write().expect("no panic");
        what()
    }

    /// The state of this moment.
    fn state(&self) -> State {
        match self.ask(Request::State) {
            Reply::State(state) => *state,
            other => panic!("{other:?}"),
        }
    }

    /// Asks, and reads answers until one is the last.
    fn converse(&self, request: Request, mut is_last: impl FnMut(Reply) -> bool) {
        let mut stream = UnixStream::connect(&self.socket).expect("the socket");
        protocol::write(&mut stream, &Envelope { sglab: VERSION, request }, MAX_REQUEST).expect("to be heard");
        while !is_last(protocol::read::<Reply>(&mut stream, MAX_REPLY).expect("an answer")) {}
    }

    pub fn ask(&self, request: Request) -> Reply {
        let mut answer = None;
        self.converse(request, |reply| {
            answer = Some(reply);
            true
        });
        answer.expect("an answer")
    }

    /// How many frames answer a request that has many.
    pub fn count(&self, request: Request) -> (u64, u64) {
        let (mut frames, mut records) = (0, 0);
        self.converse(request, |reply| {
            frames += 1;
            match reply {
                Reply::Done => true,
                Reply::FlowLog(those) => {
                    records += those.len() as u64;
                    false
                }
                Reply::Event(_) => false,
                other => panic!("{other:?}"),
            }
        });
        (frames - 1, records)
    }

    /// Carries out operations: after how many seconds that was answered, and each.
    pub fn apply(&self, operations: &str) -> (f64, Vec<Applied>) {
        let _asking = self.silence.read().expect("no panic");
        let begun = Instant::now();
        let read = read_operations(&self.state().cloud, operations).unwrap_or_else(|problems| panic!("{problems}"));
        let typed = read.into_iter().map(|placed| placed.value).collect();
        match self.ask(Request::Apply { operations: typed, at: None }) {
            Reply::Applied(done) => (begun.elapsed().as_secs_f64(), done),
            other => panic!("{operations}: {other:?}"),
        }
    }

    /// Asks for what EC2 refuses; gives how often it was refused.
    pub fn be_refused(&self) -> u64 {
        let _asking = self.silence.read().expect("no panic");
        let (nobody, web) = (InstanceName::new("nobody"), GroupName::new("WEB"));
        for operation in [Operation::Stop(nobody.clone()), Operation::DeleteGroup(web), Operation::Start(nobody)] {
            match self.ask(Request::Apply { operations: vec![operation.clone()], at: None }) {
                Reply::Refused { .. } => {}
                other => panic!("{operation}: {other:?}"),
            }
        }
        3
    }

    /// Probes until it is over.
    pub fn probe_until(&self, over: &AtomicBool, number: u64) -> Replies {
        let mut told = Replies::default();
        for turn in number << 40.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            self.probe(turn, &mut told);
        }
        told
    }

    /// Probes some flows, others each turn; every tenth turn it asks for an explanation as well.
    pub fn probe(&self, turn: u64, told: &mut Replies) {
        let words = (0..FLOWS).map(|it| cloud::flow(turn.wrapping_mul(FLOWS) + it, self.instances));
        let _asking = self.silence.read().expect("no panic");
        let State { cloud, revision, .. } = self.state();
        let mut flows = Vec::new();
        for words in words {
            let pattern = read_flow(&cloud, &words).unwrap_or_else(|problems| panic!("{problems}"));
            match cells::select(&pattern, None, &cloud) {
                Ok(meant) => flows.extend(meant),
                Err(why) if why.contains(STOPPED) => {
                    *told.verdicts.entry("(sender stopped)".to_owned()).or_default() += 1;
                }
                Err(why) => told.odd.push(why),
            }
        }
        let details = if turn.is_multiple_of(10) { ProbeDetails::Records } else { ProbeDetails::None };
        match self.ask(Request::Probe { flows, details, at: Some(revision) }) {
            Reply::Probed(found) => {
                self.probes.fetch_add(found.len() as u64, Ordering::Relaxed);
                for one in found {
                    if !["open", "dropped", "refused", "unreachable"].contains(&one.class().as_str()) {
                        told.odd.push(format!("{one:?}"));
                    }
                    *told.verdicts.entry(one.class().as_str().to_owned()).or_default() += 1;
                    if let Some(records) = &one.records {
                        if records.agreement != Agreement::Agree {
                            told.odd.push(format!("{one:?}"));
                        }
                        *told.agreements.entry(format!("{:?}", records.agreement).to_lowercase()).or_default() += 1;
                    }
                }
            }
            Reply::Stale(_) => *told.verdicts.entry("(moved on)".to_owned()).or_default() += 1,
            other => told.odd.push(format!("{other:?}")),
        }
    }

    /// Looks on until it is over, at most so often that there is time for anything else.
    pub fn watch_until(&self, over: &AtomicBool, labs: &Labs, number: usize) -> Replies {
        let mut told = Replies::default();
        for turn in number.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            self.watch(WATCHES[turn % WATCHES.len()], labs, &mut told);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        told
    }

    /// Looks on in one of the ways there are, and goes away again, with everything unread but the first word.
    pub fn watch(&self, what: &'static str, labs: &Labs, told: &mut Replies) {
        let _asking = self.silence.read().expect("no panic");
        let instance = || InstanceName::new("i0");
        let request = match what {
            "events" => Request::Events { follow: true },
            "changes" => Request::Changes,
            "flow-logs" => Request::FlowLogs { follow: true },
            "capture" => Request::Capture { instance: instance() },
            // As many cells as there are pairs of instances.
            "matrix" if self.instances <= 20 => {
                let columns = Columns::from(IndexSet::from([Service::Tcp(Port(443))]));
                let extent = cells::Extent::from(IndexSet::from([None]));
                let flows = flows_of_matrix(&self.state().cloud, &columns, &extent);
                Request::Probe { flows, details: ProbeDetails::None, at: None }
            }
            "garbage" => {
                drop(labs.raw("endurance", &[0xff; 64]));
                *told.watched.entry(what).or_default() += 1;
                return;
            }
            "exec" => {
                drop(labs.ok(&["exec", "i0", "--", "true"]));
                *told.watched.entry(what).or_default() += 1;
                return;
            }
            _ => Request::State,
        };
        match self.ask(request) {
            bad @ (Reply::Failed(_) | Reply::Unfit(_) | Reply::Partly { .. }) => {
                told.odd.push(format!("{what}: {bad:?}"))
            }
            _ => *told.watched.entry(what).or_default() += 1,
        }
    }
}

impl Replies {
    pub fn add(&mut self, other: Self) {
        for (word, number) in other.verdicts {
            *self.verdicts.entry(word).or_default() += number;
        }
        for (word, number) in other.agreements {
            *self.agreements.entry(word).or_default() += number;
        }
        for (word, number) in other.watched {
            *self.watched.entry(word).or_default() += number;
        }
        self.odd.extend(other.odd);
    }

    /// What is no verdict, is nobody's agreement, or is missing altogether.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.odd.iter().take(20).cloned().collect();
        for wanted in ["open", "dropped"] {
            if !self.verdicts.contains_key(wanted) {
                complaints.push(format!("no probe was {wanted}: {self}"));
            }
        }
        complaints
    }
}

impl fmt::Display for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verdicts {:?}, explained {:?}, watched {:?}", self.verdicts, self.agreements, self.watched)
    }
}
