//! What a lab holds of its machine: told by the kernel, from outside of the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;
use serde_json::Value;
use sglab::protocol::Request;

use super::clients::Asker;

/// So many times processes are looked at again ...
const LOOKS: usize = 6;
/// ... so long after one another: closing a tap waits for a grace period of the kernel.
const BETWEEN_LOOKS: Duration = Duration::from_millis(15);

/// A thing of which a lab holds some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Processes,
    Threads,
    Descriptors,
    Namespaces,
    Mounts,
    /// Of all its processes, what is no file's, in KiB.
    Memory,
    /// What it has said, in bytes.
    Log,
    Sets,
    Chains,
    Rules,
    /// Of sets that transactions fill.
    Elements,
    /// Elements of sets that packets fill. They come and go with the packets.
    Filled,
    /// Flows that connection tracking knows, in all routers and gateways.
    Tracked,
    /// Events that are kept for who asks.
    Events,
    /// Records of the flow log that are kept.
    FlowRecords,
}

/// How much may come on top without being growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowance {
    /// So many: what is there for a moment.
    Few(u64),
    /// A part of what there is, and so many.
    Part(f64, u64),
    /// It fills up to this, and no further.
    UpTo(u64),
    /// It is only shown.
    NotJudged,
}

impl Kind {
    /// As the table's column is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Threads => "threads",
            Self::Descriptors => "fds",
            Self::Namespaces => "spaces",
            Self::Mounts => "mounts",
            Self::Memory => "KiB",
            Self::Log => "log",
            Self::Sets => "sets",
            Self::Chains => "chains",
            Self::Rules => "rules",
            Self::Elements => "elements",
            Self::Filled => "filled",
            Self::Tracked => "tracked",
            Self::Events => "events",
            Self::FlowRecords => "flow log",
        }
    }

    /// What of it is no leak.
    pub fn allowance(self) -> Allowance {
        match self {
            // Threads of the runtime's that wait for work.
            Self::Threads => Allowance::Few(4),
            Self::Descriptors => Allowance::Few(2),
            Self::Processes
            | Self::Namespaces
            | Self::Mounts
            | Self::Sets
            | Self::Chains
            | Self::Rules
            | Self::Elements => Allowance::Few(0),
            Self::Log => Allowance::Few(200),
            Self::Memory => Allowance::Part(0.1, 4096),
            // What three interfaces may fill of one set of datagrams.
            Self::Filled => Allowance::UpTo(3 * 3 * 2048),
            // As many as there were probes in the longest time that idle flows are remembered: it depends on the clients.
            Self::Tracked => Allowance::NotJudged,
            Self::Events => Allowance::UpTo(4096),
            Self::FlowRecords => Allowance::UpTo(65_536),
        }
    }
}

/// How much of each it holds.
#[derive(Clone, Debug, Default)]
pub struct Held(BTreeMap<Kind, u64>);

impl Held {
    /// What the lab of this supervisor holds now; kinds that this user cannot see are left out.
    pub fn by(supervisor: Pid, log: &Path, asker: &Asker) -> Self {
        let mut held = Self::of_processes(supervisor);
        // A connection, a program or a tap that is just closing is no leak: the fewest of some looks count.
        for _ in 0..LOOKS {
            std::thread::sleep(BETWEEN_LOOKS);
            for (kind, figure) in Self::of_processes(supervisor).0 {
                held.0.entry(kind).and_modify(|least| *least = figure.min(*least));
            }
        }
        held.add(Kind::Log, fs::metadata(log).map_or(0, |it| it.len()));
        held.look_into_filters(supervisor);
        held.add(Kind::Events, asker.count(Request::Events { follow: false }).0);
        held.add(Kind::FlowRecords, asker.count(Request::FlowLogs { follow: false }).1);
        held
    }

    fn of_processes(supervisor: Pid) -> Self {
        let processes = family(supervisor);
        let mut namespaces = BTreeSet::new();
        let mut held = Self::default();
        for process in &processes {
            let at = PathBuf::from(format!("/proc/{process}"));
            let status = fs::read_to_string(at.join("status")).unwrap_or_default();
            held.add(Kind::Threads, figure(&status, "Threads:"));
            held.add(Kind::Memory, figure(&status, "RssAnon:"));
            for (folder, counts) in [("fd", true), ("ns", false)] {
                for link in fs::read_dir(at.join(folder)).into_iter().flatten().flatten() {
                    held.add(Kind::Descriptors, counts.into());
                    let target = fs::read_link(link.path()).unwrap_or_default();
                    namespaces.extend(target.to_str().filter(|it| it.contains(":[")).map(str::to_owned));
                }
            }
        }
        // Sockets and pipes are told in the same way.
        namespaces.retain(|it| !["socket:", "pipe:"].iter().any(|other| it.starts_with(other)));
        // All its own processes see the same mounts; those of instances have others.
        let mounts = fs::read_to_string(format!("/proc/{supervisor}/mountinfo")).unwrap_or_default();
        let mounted = mounts.lines().filter_map(|line| line.split(' ').nth(3)).filter(|it| it.contains(":["));
        namespaces.extend(mounted.map(str::to_owned));
        held.add(Kind::Processes, processes.len() as u64);
        held.add(Kind::Namespaces, namespaces.len() as u64);
        held.add(Kind::Mounts, mounts.lines().count() as u64);
        held
    }

    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> {
        self.0.iter().map(|(kind, figure)| (*kind, *figure))
    }

    pub fn of(&self, kind: Kind) -> Option<u64> {
        self.0.get(&kind).copied()
    }

    fn add(&mut self, kind: Kind, figure: u64) {
        *self.0.entry(kind).or_default() += figure;
    }

    /// Only root can enter a namespace of another process by the programs of a system.
    fn look_into_filters(&mut self, process: Pid) {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        for name in ["vpc-default", "gateway-default"] {
            let inside = |program: &[&str]| {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/proc/{process}/root/run/netns/{name}")).args(program);
                let output = command.output().expect("nsenter");
                assert!(output.status.success(), "{output:?}");
                String::from_utf8(output.stdout).expect("text")
            };
            let tracked = inside(&["cat", "/proc/sys/net/netfilter/nf_conntrack_count"]);
            self.add(Kind::Tracked, tracked.trim().parse().expect("a number"));
            let listed: Value = serde_json::from_str(&inside(&["nft", "-j", "list", "ruleset"])).expect("JSON");
            for thing in listed["nftables"].as_array().into_iter().flatten().filter_map(Value::as_object) {
                for (what, thing) in thing {
                    match what.as_str() {
                        "set" | "map" => {
                            self.add(Kind::Sets, 1);
                            // Sets that packets fill declare a size, and no others.
                            let kind = if thing.get("size").is_some() { Kind::Filled } else { Kind::Elements };
                            self.add(kind, thing["elem"].as_array().map_or(0, |it| it.len() as u64));
                        }
                        "chain" => self.add(Kind::Chains, 1),
                        "rule" => self.add(Kind::Rules, 1),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// A process and all that came of it, parents first.
fn family(eldest: Pid) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name of its program stands in brackets, and may have anything in it.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(process);
    }
    let mut family = vec![eldest.as_raw()];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        family.extend(children.get(parent).into_iter().flatten().copied());
        next += 1;
    }
    family
}

fn figure(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
