//! Carries out the compiler's phases on the kernel, side by side within a phase, and undoes them on failure.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join_all;
use indexmap::IndexMap;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;

use super::namespace::Names;
use super::netlink::{self, Refused, Request};
use super::{FabricError, Namespace, Sandbox, conntrack, nft, settle, sysctl, wiring};
use crate::compile::network::{Action, End, Families, NodeKind, NodeName, Phases, Timeouts};

/// The namespaces of a lab. Dropping it gives them up, and the kernel clears away what was in them.
#[derive(Debug)]
pub struct Fabric {
    nodes: HashMap<NodeName, Arc<Namespace>>,
    names: Names,
    folder: PathBuf,
    hosts_file: PathBuf,
    timeouts: Option<Timeouts>,
}

/// Labs of one sandbox are numbered; the first has its names where `ip netns` looks for them.
static LABS: AtomicU32 = AtomicU32::new(0);

impl Fabric {
    /// A fabric with nothing in it.
    ///
    /// # Errors
    /// [`FabricError::Folder`] if the sandbox has no place for its names.
    pub fn new(_sandbox: Sandbox) -> Result<Self, FabricError> {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/run/sglab/{number}"));
        let net = if number == 0 { PathBuf::from("/run/netns") } else { folder.join("netns") };
        let names = Names::in_folders(net, folder.join("user"))
            .map_err(|source| FabricError::Folder { folder: folder.clone(), source })?;
        let hosts_file = folder.join("hosts");
        Ok(Self { nodes: HashMap::new(), names, hosts_file, folder, timeouts: None })
    }

    /// Namespaces that are made from now on forget idle flows after these times; else after the kernel's own.
    pub fn forget_idle_flows_after(&mut self, timeouts: Timeouts) {
        self.timeouts = Some(timeouts);
    }

    /// The resolver's address for programs started in the instances behind a router, as their `/etc/resolv.conf`.
    pub fn resolver_file(&self, router: &NodeName) -> PathBuf {
        self.folder.join(format!("resolv-{router}"))
    }

    /// Writes that file.
    ///
    /// # Errors
    /// The system's word.
    pub fn write_resolver_file(&self, router: &NodeName, text: &str) -> io::Result<()> {
        std::fs::write(self.resolver_file(router), text)
    }

    /// The hosts file of programs started in the lab's instances.
    pub fn hosts_file(&self) -> &Path {
        &self.hosts_file
    }

    /// Writes that file, in place.
    ///
    /// # Errors
    /// The system's word.
    pub fn write_hosts_file(&self, text: &str) -> io::Result<()> {
        std::fs::write(&self.hosts_file, text)
    }

    /// A namespace by its name.
    ///
    /// # Errors
    /// [`FabricError::NoNode`].
    pub fn node(&self, name: &NodeName) -> Result<&Arc<Namespace>, FabricError> {
        self.nodes.get(name).ok_or_else(|| FabricError::NoNode(name.clone()))
    }

    /// Every namespace.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Namespace>> {
        self.nodes.values()
    }

    /// Carries out phases in order. If one fails, it and those before it are taken back, last first.
    ///
    /// # Errors
    /// What failed, with the tool's own words; [`FabricError::Broken`] if taking back failed too.
    pub async fn execute(&mut self, phases: &Phases) -> Result<(), FabricError> {
        for (number, phase) in phases.iter().enumerate() {
            let mut committed = HashSet::new();
            if let Err(failure) = self.phase(phase, Tolerance::Strict, &mut committed).await {
                // A transaction is all or nothing: one that failed has nothing to be taken back.
                let failed = |action: &Action| matches!(action, Action::Nft { node, .. } if !committed.contains(node));
                let of_this = phase.iter().filter(|action| !failed(action)).collect::<Vec<_>>();
                let earlier = phases[..number].iter().rev().map(|phase| phase.iter().collect());
                for done in std::iter::once(of_this).chain(earlier) {
                    let back: Vec<Action> = done.into_iter().rev().filter_map(inverse).collect();
                    if let Err(undoing) = self.phase(&back, Tolerance::AlreadySo, &mut HashSet::new()).await {
                        return Err(FabricError::Broken { failure: failure.into(), undoing: undoing.into() });
                    }
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Carries out one phase; everything in it may run at the same time. Tells whose rulesets were changed.
    async fn phase(
        &mut self,
        phase: &[Action],
        tolerance: Tolerance,
        committed: &mut HashSet<NodeName>,
    ) -> Result<(), FabricError> {
        self.make_nodes(phase).await?;
        let mut work = Work::default();
        for action in phase {
            self.sort(action, &mut work)?;
        }
        // The filter and the wiring of a phase do not wait for one another: a deletion takes a grace period in each.
        let wiring = wire(work.links, work.ends, work.settle, tolerance);
        let transactions =
            join_all(work.transactions.into_iter().map(|(node, transaction)| transact(node, transaction)));
        let (wired, ended) = futures::join!(wiring, transactions);
        committed.extend(ended.iter().flatten().cloned());
        wired?;
        ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        let forgetting = work.forget.into_iter().map(|(_, (node, addresses))| forget(node, addresses));
        all(join_all(forgetting).await)?;
        for name in work.remove {
            self.nodes.remove(&name);
        }
        Ok(())
    }

    /// Makes the namespaces of a phase, a few at a time.
    async fn make_nodes(&mut self, phase: &[Action]) -> Result<(), FabricError> {
        let wanted: Vec<(NodeName, NodeKind, Families)> = phase
            .iter()
            .filter_map(|action| match action {
                Action::AddNode(name, kind, families) if !self.nodes.contains_key(name) => {
                    Some((name.clone(), *kind, *families))
                }
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        let share = wanted.len().div_ceil(threads);
        let makers = wanted.chunks(share).map(|share| {
            let share = share.to_vec();
            let names = self.names.clone();
            let timeouts = self.timeouts;
            let (done, result) = tokio::sync::oneshot::channel();
            let spawned = std::thread::Builder::new().name("namespaces".into()).spawn(move || {
                let made: Result<Vec<_>, _> = share
                    .into_iter()
                    .map(|(name, kind, families)| make(&names, name, kind, families, timeouts))
                    .collect();
                drop(done.send(made));
            });
            async move {
                let gone = |source| FabricError::Namespace { node: NodeName("*".into()), source };
                spawned.map_err(gone)?;
                result.await.map_err(|e| gone(io::Error::other(e)))?
            }
        });
        for made in join_all(makers).await {
            for namespace in made? {
                self.nodes.insert(namespace.name.clone(), Arc::new(namespace));
            }
        }
        Ok(())
    }

    /// Puts an action with the others that run in the same namespace.
    fn sort(&self, action: &Action, work: &mut Work) -> Result<(), FabricError> {
        match action {
            Action::AddNode(..) => {}
            Action::RemoveNode(name) => work.remove.push(name.clone()),
            Action::AddLink(_, link) => {
                let upper = self.node(&link.upper.node)?;
                let lower = self.node(&link.lower.node)?;
                Work::add(&mut work.links, upper, [wiring::add_link(link, lower.net())]);
                let mut dress = |node: &Arc<Namespace>, end: &End, up| {
                    Work::add(&mut work.ends, node, wiring::dress_end(end, up));
                };
                dress(upper, &link.upper, false);
                dress(lower, &link.lower, true);
                let up = settle::Fact::Link(link.upper.index, link.upper.interface.clone());
                Work::add(&mut work.settle, upper, [up]);
                for (node, end) in [(upper, &link.upper), (lower, &link.lower)] {
                    let ipv6 = end.addresses.iter().filter_map(|address| match address {
                        IpAddr::V4(_) => None,
                        IpAddr::V6(address) => Some(settle::Fact::Address(*address)),
                    });
                    let ipv6: Vec<_> = ipv6.collect();
                    if !ipv6.is_empty() {
                        Work::add(&mut work.settle, node, ipv6);
                    }
                }
            }
            Action::RemoveLink(_, link) => {
                Work::add(&mut work.links, self.node(&link.upper.node)?, [wiring::remove_link(link)]);
            }
            Action::AddRoute(name, route) => {
                Work::add(&mut work.ends, self.node(name)?, [wiring::add_route(route)]);
            }
            Action::RemoveRoute(name, route) => {
                Work::add(&mut work.links, self.node(name)?, [wiring::remove_route(route)]);
            }
            Action::AddPolicy(name, policy) => {
                let families = self.node(name)?.families;
                Work::add(&mut work.ends, self.node(name)?, wiring::add_policy(policy, families));
            }
            Action::RemovePolicy(name, policy) => {
                let families = self.node(name)?.families;
                Work::add(&mut work.links, self.node(name)?, wiring::remove_policy(policy, families));
            }
            Action::Nft { node, forward, .. } => {
                work.transactions.push((Arc::clone(self.node(node)?), Transaction::Change(forward.clone())));
            }
            Action::LoadRuleset(node, ruleset) => {
                work.transactions.push((Arc::clone(self.node(node)?), Transaction::Load(Box::new(ruleset.clone()))));
            }
            Action::ForgetFlows(name, address) => {
                let node = self.node(name)?;
                let entry = work.forget.entry(name.clone());
                entry.or_insert_with(|| (Arc::clone(node), HashSet::new())).1.insert(*address);
            }
        }
        Ok(())
    }
}

/// Whether "it is so already" is an answer or an error: an undo meets what was never done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tolerance {
    Strict,
    AlreadySo,
}

/// Things to do, by the namespace that they are done in.
type ByNode<T> = IndexMap<NodeName, (Arc<Namespace>, Vec<T>)>;

/// What a phase comes to, by namespace, so that each is entered once.
#[derive(Default)]
struct Work {
    links: ByNode<Request<RouteNetlinkMessage>>,
    ends: ByNode<Request<RouteNetlinkMessage>>,
    settle: ByNode<settle::Fact>,
    transactions: Vec<(Arc<Namespace>, Transaction)>,
    forget: IndexMap<NodeName, (Arc<Namespace>, HashSet<IpAddr>)>,
    remove: Vec<NodeName>,
}

enum Transaction {
    Change(Vec<crate::compile::nft::Change>),
    Load(Box<crate::compile::nft::Ruleset>),
}

impl Work {
    fn add<T>(to: &mut ByNode<T>, node: &Arc<Namespace>, items: impl IntoIterator<Item = T>) {
        let entry = to.entry(node.name.clone()).or_insert_with(|| (Arc::clone(node), Vec::new()));
        entry.1.extend(items);
    }
}

/// The action that takes another back, if it can be.
fn inverse(action: &Action) -> Option<Action> {
    match action.clone() {
        Action::AddNode(name, ..) => Some(Action::RemoveNode(name)),
        Action::AddLink(name, link) => Some(Action::RemoveLink(name, link)),
        Action::RemoveLink(name, link) => Some(Action::AddLink(name, link)),
        Action::AddRoute(node, route) => Some(Action::RemoveRoute(node, route)),
        Action::RemoveRoute(node, route) => Some(Action::AddRoute(node, route)),
        Action::AddPolicy(node, policy) => Some(Action::RemovePolicy(node, policy)),
        Action::RemovePolicy(node, policy) => Some(Action::AddPolicy(node, policy)),
        Action::Nft { node, forward, back } => Some(Action::Nft { node, forward: back, back: forward }),
        // The namespace that it was loaded into goes with its own undo; a forgotten flow comes back by itself.
        Action::LoadRuleset(..) | Action::ForgetFlows(..) | Action::RemoveNode(_) => None,
    }
}

fn make(
    names: &Names,
    name: NodeName,
    kind: NodeKind,
    families: Families,
    timeouts: Option<Timeouts>,
) -> Result<Namespace, FabricError> {
    let namespace = Namespace::make(names, name, kind, families)?;
    let node = &namespace.name;
    namespace.enter().map_err(|source| FabricError::Enter { node: node.clone(), source })?;
    sysctl::write(kind, families, timeouts).map_err(|(attempt, source)| FabricError::Kernel {
        attempt,
        node: node.clone(),
        source,
    })?;
    netlink::request(NETLINK_ROUTE, vec![wiring::loopback_up()]).map_err(|refused| in_node(node, refused))?;
    Ok(namespace)
}

async fn kernel(
    node: Arc<Namespace>,
    requests: Vec<Request<RouteNetlinkMessage>>,
    tolerance: Tolerance,
) -> Result<(), FabricError> {
    let done = node
        .run(move || match tolerance {
            Tolerance::Strict => netlink::request(NETLINK_ROUTE, requests),
            Tolerance::AlreadySo => requests.into_iter().try_for_each(|request| {
                netlink::request(NETLINK_ROUTE, vec![request]).or_else(|refused| {
                    let so = [libc::EEXIST, libc::ENOENT, libc::ESRCH, libc::ENODEV];
                    let already = refused.source.raw_os_error().is_some_and(|errno| so.contains(&errno));
                    if already { Ok(()) } else { Err(refused) }
                })
            }),
        })
        .await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

/// Links, then what is on them, then the wait until they carry packets.
async fn wire(
    links: ByNode<Request<RouteNetlinkMessage>>,
    ends: ByNode<Request<RouteNetlinkMessage>>,
    settle: ByNode<settle::Fact>,
    tolerance: Tolerance,
) -> Result<(), FabricError> {
    all(join_all(links.into_values().map(|(node, requests)| kernel(node, requests, tolerance))).await)?;
    all(join_all(ends.into_values().map(|(node, requests)| kernel(node, requests, tolerance))).await)?;
    all(join_all(settle.into_values().map(|(node, links)| settled(node, links))).await)
}

/// Carries out a transaction, and gives the namespace whose ruleset is another now.
async fn transact(node: Arc<Namespace>, transaction: Transaction) -> Result<NodeName, FabricError> {
    match transaction {
        Transaction::Change(changes) => nft::change(&node, &changes).await?,
        Transaction::Load(ruleset) => nft::load(&node, &ruleset).await?,
    }
    Ok(node.name.clone())
}

async fn settled(node: Arc<Namespace>, facts: Vec<settle::Fact>) -> Result<(), FabricError> {
    let done = node.run(move || settle::settle(&facts)).await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

async fn forget(node: Arc<Namespace>, addresses: HashSet<IpAddr>) -> Result<(), FabricError> {
    let done = node.run(move || conntrack::forget(&addresses)).await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

pub(super) fn in_node(node: &NodeName, Refused { attempt, source }: Refused) -> FabricError {
    FabricError::Kernel { attempt, node: node.clone(), source }
}

fn all(results: Vec<Result<(), FabricError>>) -> Result<(), FabricError> {
    results.into_iter().collect()
}
