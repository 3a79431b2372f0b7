//! The running cloud: applies operations to the state and to the kernel, and probes it.
//!
//! An operation is judged by the pure [`apply`](fn@crate::model::apply), compiled, and the difference goes to the
//! kernel. If any part of that fails, kernel and state are as they were, or the lab says that it is broken.

mod admissions;
mod altered;
mod balancers;
mod captured;
mod change;
mod daemons;
pub mod flow_log;
mod held;
mod hosts_file;
mod inside;
mod lent;
mod logs;
mod names;
mod paths;
mod programs;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod room;
mod services;
pub mod sources;
mod testimony;
mod traffic;
mod trust;
mod verdicts;
mod ways;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::compile::CompileError;
use crate::fabric::faults::Faults;
use crate::fabric::{Fabric, FabricError, nft};
use crate::model::{
    Cloud, ConnectionName, DaemonName, Flow, InstanceName, InterfaceId, Ipv6, PrivateIp, PublicIp, Refusal, RuleId,
    Service,
};
use crate::network::diff::diff;
use crate::network::names::{group_chains, is_group_chain};
use crate::network::{Families, Network, Node, NodeKind, NodeName};
use crate::probe::{Batch, Prober};
use crate::sandbox::machine::Machine;
use crate::sandbox::{self, Sandbox, limits};
use indexmap::{IndexMap, IndexSet};

pub use admissions::{Admission, Admissions, AdmittedBy};
pub use altered::Alteration;
pub use balancers::HealthOfAll;
pub use captured::Captured;
pub use daemons::{DaemonState, DaemonStates};
pub use inside::Site;
pub use programs::{Door, ProgramError};
pub use services::{Asked, Now};
pub use testimony::Testimony;
pub use verdicts::{Verdicts, Where};

/// A running cloud. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    /// Dropped before all that they run in: that they end with it is no news.
    daemons: daemons::Daemons,
    cloud: Cloud,
    network: Network,
    alteration: Option<Alteration>,
    fabric: Fabric,
    prober: Prober,
    services: services::Services,
    listeners: Listeners,
    unheld: Unheld,
    /// The addresses that interfaces hold or held last: a flow to a stopped one asks there.
    last: IndexMap<InterfaceId, LastHeld>,
    /// Is told what is waited for.
    tell_waits: Option<fn(&str)>,
    held: IndexMap<ConnectionName, held::Holding>,
    /// The first processes of the instances and hosts in which programs were started.
    machines: IndexMap<NodeName, Machine>,
    /// The folder from which the paths of `mounts` are meant, if that is known.
    folder: Option<PathBuf>,
    /// What instances may write to, or might once: whoever looks a path up there may be led anywhere.
    written: BTreeSet<PathBuf>,
    /// User and group of what instances mount, by its named path, as it was when it was met first.
    owners: HashMap<PathBuf, (u32, u32)>,
    /// The flow log that it keeps by itself.
    journal: Option<flow_log::Journal>,
    broken: Option<String>,
}

/// The addresses that an interface held last, each by itself.
#[derive(Clone, Copy, Debug, Default)]
struct LastHeld {
    private: Option<PrivateIp>,
    public: Option<PublicIp>,
    ipv6: Option<Ipv6>,
}

/// What the harness does about a port that nobody holds when somebody asks there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unheld {
    /// Nothing: who is let in is refused.
    #[default]
    Refuses,
    /// It answers for as long as the probes take.
    Answers,
}

/// What the harness listens on, beside what the instances' own services hold.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// Every instance and host listens on these.
    pub columns: IndexSet<Service>,
    /// But not these.
    pub deaf: IndexSet<(InstanceName, Service)>,
}

impl Listeners {
    /// How many sockets they are at most, in all of a network.
    fn most_in(&self, network: &Network, cloud: &Cloud) -> usize {
        let columns = self.columns.iter().filter(|service| **service != Service::IcmpEcho).count();
        let own: usize = cloud.instances.values().map(|instance| instance.listens.len()).sum();
        let of_node = |node: &Node| match (node.kind, node.families) {
            (NodeKind::Router | NodeKind::Gateway | NodeKind::Internet | NodeKind::Canary, _) => 0,
            (_, Families::Ipv4) => columns,
            (_, Families::Both) => 2 * columns,
        };
        network.nodes.values().map(of_node).sum::<usize>() + own
    }
}

/// A rule in the kernel: its chain, its id, and the handle that the kernel gave it.
pub type RuleHandles = BTreeMap<(String, String), u64>;

/// How many packets the rules of security groups matched, those that are gone too.
pub type RulePackets = BTreeMap<RuleId, u64>;

/// Why an operation on a lab failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// EC2 would not carry it out; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A rule cannot be compiled; nothing changed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The kernel refused; what had been done was taken back.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// The system has too little of something; nothing was made.
    #[error(transparent)]
    Scarce(#[from] limits::Scarce),
    /// The process is not in a sandbox, which must be entered before it has threads.
    #[error(
        "failed to boot a lab: the process is not in a sandbox. In a test, write `#[sglab::test]` in place of `#[test]` or \
         `#[tokio::test]`, or begin it with `sglab::sandboxed!();`; in a `main`, wrap its work in `sglab::testing::main`"
    )]
    NoSandbox,
    /// The witness of arrivals and verdicts could not be started.
    #[error("failed to start the witness: {0}")]
    Witness(io::Error),
    /// The names of the lab could not be written for its programs.
    #[error("failed to write the {file}: {source}")]
    Names {
        /// Which file.
        file: String,
        /// The system's word.
        source: io::Error,
    },
    /// A connection that was to be held did not come about.
    #[error("the connection {name}, {flow}, could not be opened: {why}")]
    NotOpened {
        /// Its name.
        name: ConnectionName,
        /// What it was to be.
        flow: String,
        /// What happened instead.
        why: String,
    },
    /// A connection that was to be held did not come about, and nothing proves that it is for the groups.
    #[error("nothing proves whether the connection {name}, {flow}, can be opened: {why}")]
    NotProved {
        /// Its name.
        name: ConnectionName,
        /// What it was to be.
        flow: String,
        /// What happened instead.
        why: String,
    },
    /// Traffic that was to flow cannot.
    #[error("no traffic can flow for {flow}: {why}")]
    NoTraffic {
        /// Which.
        flow: String,
        /// What is in its way.
        why: String,
    },
    /// A connection is remembered though it was idle for its time.
    #[error("the connection {name} is still tracked: {why}")]
    NotForgotten {
        /// Its name.
        name: ConnectionName,
        /// What is known of it.
        why: String,
    },
    /// A service of an instance did not come up; the instance runs, and so does everything else.
    #[error("the service {daemon} of {instance} did not come up: {why}{last_words}")]
    Daemon {
        /// Of which instance.
        instance: InstanceName,
        /// Which.
        daemon: DaemonName,
        /// Why.
        why: String,
        /// What it said at last, indented lines.
        last_words: String,
    },
    /// The first process of an instance could not be started; the instance runs without.
    #[error("no program can be started: {0}")]
    Machine(String),
    /// An instance would begin without what it mounts; nothing changed.
    #[error("{0}; nothing has changed")]
    NoMounts(String),
    /// An earlier change could neither be finished nor taken back.
    #[error("the lab is broken: {0}")]
    Broken(String),
}

impl LabError {
    /// Whether the topology file asks for what cannot be, on any machine.
    pub fn is_of_the_file(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Compile(_) | Self::NotOpened { .. } | Self::NoTraffic { .. } | Self::Daemon { .. }
        )
    }

    /// Whether the operation was carried out, and only what was to come up after it did not.
    pub fn came_after(&self) -> bool {
        matches!(self, Self::Daemon { .. } | Self::Machine(_))
    }
}

impl Lab {
    /// Boots a cloud: namespaces, links, addresses, rulesets in force, listeners bound.
    ///
    /// # Errors
    /// [`LabError`]; nothing is left of a lab that did not boot.
    pub async fn boot(cloud: Cloud, listeners: Listeners) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, Faults::default(), None).await
    }

    /// The same, and the ports of the instances' services are left to them, which [`Lab::start_services`] starts.
    ///
    /// # Errors
    /// As [`Lab::boot`].
    pub async fn boot_for_services(cloud: Cloud, listeners: Listeners, folder: PathBuf) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, Faults::default(), Some(folder)).await
    }

    /// The same, where things fail on purpose.
    #[doc(hidden)]
    pub async fn boot_with(cloud: Cloud, listeners: Listeners, faults: Faults) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, faults, None).await
    }

    async fn boot_as(
        cloud: Cloud,
        listeners: Listeners,
        alteration: Option<Alteration>,
        faults: Faults,
        services_from: Option<PathBuf>,
    ) -> Result<Self, LabError> {
        let sandbox: Sandbox = sandbox::current().ok_or(LabError::NoSandbox)?;
        let network = altered::compiled(&cloud, alteration.as_ref())?;
        limits::afford(network.nodes.len(), listeners.most_in(&network, &cloud))?;
        let mut fabric = Fabric::with_faults(sandbox, faults)?;
        fabric.forget_idle_flows_after(network.timeouts);
        fabric.execute(&diff(&Network::default(), &network)).await?;
        let prober = Prober::start().map_err(LabError::Witness)?;
        let services = services::Services::open(&fabric, &cloud).await?;
        let last = IndexMap::new();
        let mut lab = Self {
            cloud,
            network: Network::default(),
            alteration,
            fabric,
            prober,
            services,
            listeners,
            unheld: Unheld::default(),
            last,
            tell_waits: None,
            held: IndexMap::new(),
            machines: IndexMap::new(),
            folder: services_from.clone(),
            written: BTreeSet::new(),
            owners: HashMap::new(),
            daemons: daemons::Daemons::of(services_from),
            journal: None,
            broken: None,
        };
        lab.boot_up(&network).await?;
        hosts_file::write_resolvers(&lab.fabric, &lab.cloud)?;
        lab.network = network;
        lab.register_targets();
        lab.remember();
        Ok(lab)
    }

    /// From now on the paths of what instances mount are meant from this folder, that of the topology file.
    pub fn find_files_from(&mut self, folder: &Path) {
        self.folder = Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
    }

    /// The folder from which these paths are meant, if it is known.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The state of the cloud now.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The state of the cloud at any moment, for who cannot have the lab meanwhile.
    pub fn now(&self) -> Now {
        self.services.now()
    }

    /// The namespaces of the lab.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// Probes flows, all at once; every outcome rests on evidence.
    ///
    /// # Errors
    /// [`LabError::Broken`]: nothing that a broken lab shows would count.
    pub async fn probe(&mut self, flows: &[Flow]) -> Result<Batch, LabError> {
        self.refuse_broken()?;
        if flows.iter().any(|flow| self.is_balanced(flow)) {
            self.health().await?;
        }
        let resolved = self.resolve(flows).await;
        let mut asks: Vec<_> = flows.iter().map(|flow| (flow.clone(), self.ask(flow, &resolved))).collect();
        let known = self.known_paths()?;
        self.listen_for(&mut asks).await?;
        let (network, cloud) = (&self.network, &self.cloud);
        let whose = |node: &NodeName, index| paths::whose(network, cloud, node, index);
        let mut batch = self.prober.probe(&asks, &known, &whose).await;
        self.prober.hush().await;
        for observation in &mut batch.observations {
            observation.resolved = resolved.resolution(&observation.flow);
        }
        Ok(batch)
    }

    /// The handles of every rule of every security group in the kernel.
    ///
    /// # Errors
    /// nft's own words.
    pub async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        let mut handles = RuleHandles::new();
        for (name, node) in &self.network.nodes {
            let Some(ruleset) = node.ruleset.as_ref().filter(|_| node.kind == NodeKind::Router) else { continue };
            let groups: HashSet<&str> = group_chains(ruleset).collect();
            for rule in nft::rules(self.fabric.node(name)?).await? {
                if groups.contains(rule.chain.as_str()) {
                    handles.insert((rule.chain, rule.id), rule.handle);
                }
            }
        }
        Ok(handles)
    }

    /// How many packets each rule of a security group matched, new flows and untracked ones under way, in all of the lab's
    /// life.
    ///
    /// # Errors
    /// nft's own words.
    pub async fn rule_packets(&self) -> Result<RulePackets, LabError> {
        let mut packets = RulePackets::new();
        for (name, _) in self.network.nodes.iter().filter(|(_, node)| node.kind == NodeKind::Router) {
            for rule in nft::counted(self.fabric.node(name)?).await? {
                let id = rule.id.split('/').next().and_then(|id| id.parse().ok());
                if let Some(id) = id.filter(|_| is_group_chain(&rule.chain)) {
                    *packets.entry(id).or_default() += rule.packets.unwrap_or(0);
                }
            }
        }
        Ok(packets)
    }

    fn refuse_broken(&self) -> Result<(), LabError> {
        match &self.broken {
            Some(why) => Err(LabError::Broken(why.clone())),
            None => Ok(()),
        }
    }

    /// Remembers the addresses of now, for flows to instances that hold none later.
    fn remember(&mut self) {
        for interface in self.cloud.network_interfaces() {
            let last = self.last.entry(interface.id.clone()).or_default();
            last.private = interface.private.or(last.private);
            last.public = interface.public.or(last.public);
            last.ipv6 = interface.ipv6.or(last.ipv6);
        }
    }
}
