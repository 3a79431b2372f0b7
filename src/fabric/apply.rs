//! Carries out one phase of the compiler's on the kernel, its actions side by side.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use indexmap::IndexMap;
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;
use nix::mount::{MsFlags, mount};

use super::conntrack::NotForgotten;
use super::error::FabricError;
use super::faults::Faults;
use super::kernel::{Tolerance, in_node, kernel, make_room};
use super::namespace::Names;
use super::namespace::Namespace;
use super::netlink::{self, Excuse, Refused, Request};
use super::nft::Effect;
use super::settle::LowerEnds;
use super::{conntrack, faults, nft, remembered, settle, sysctl, wiring};
use crate::network::{Action, End, Families, NodeKind, NodeName, Timeouts, Way};
use crate::sandbox::Sandbox;

/// The namespaces of a lab. Dropping it gives them up, and the kernel clears away what was in them.
#[derive(Debug)]
pub struct Fabric {
    nodes: HashMap<NodeName, Arc<Namespace>>,
    names: Names,
    folder: PathBuf,
    timeouts: Option<Timeouts>,
    /// Folders of its own that have memory of their own.
    volumes: Mutex<HashSet<PathBuf>>,
    /// The hosts files, open for as long as the lab is there.
    hosts: Arc<Mutex<HashMap<NodeName, File>>>,
}

/// Size of one at the most: a quarter of the machine's memory, and so many files.
const VOLUME: &str = "mode=0755,size=25%,nr_inodes=100000";

/// Labs of one sandbox are numbered; the first has its names where `ip netns` looks for them.
static LABS: AtomicU32 = AtomicU32::new(0);

impl Fabric {
    /// A fabric with nothing in it.
    ///
    /// # Errors
    /// [`FabricError::Folder`] if the sandbox has no place for its names.
    pub fn new(sandbox: Sandbox) -> Result<Self, FabricError> {
        Self::with_faults(sandbox, Faults::default())
    }

    /// The same, where things fail on purpose.
    #[doc(hidden)]
    pub fn with_faults(_sandbox: Sandbox, faults: Faults) -> Result<Self, FabricError> {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/run/sglab/{number}"));
        let net = if number == 0 { PathBuf::from("/run/netns") } else { folder.join("netns") };
        let names = Names::in_folders(net, folder.join("user"), faults)
            .map_err(|source| FabricError::Folder { folder: folder.clone(), source })?;
        Ok(Self {
            nodes: HashMap::new(),
            names,
            folder,
            timeouts: None,
            volumes: Mutex::default(),
            hosts: Arc::default(),
        })
    }

    /// Returns the faults injected in it on purpose.
    #[doc(hidden)]
    pub fn faults(&self) -> &Faults {
        self.names.faults()
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
        self.faults().around(router, "write the resolver file", || std::fs::write(self.resolver_file(router), text))
    }

    /// The folder of the lab for something; it goes with the lab.
    ///
    /// # Errors
    /// [`FabricError::Folder`].
    pub fn folder_for(&self, what: &Path) -> Result<PathBuf, FabricError> {
        let folder = self.folder.join(what);
        let made = std::fs::create_dir_all(&folder);
        made.map_err(|source| FabricError::Folder { folder: folder.clone(), source })?;
        Ok(folder)
    }

    /// The names of the lab for programs started in the instances behind a router, as their `/etc/hosts`.
    pub fn hosts_file(&self, router: &NodeName) -> PathBuf {
        self.folder.join(format!("hosts-{router}"))
    }

    /// Writes that file, in place. It stays open for writing: nobody who sees it can take a lease on it then, and to open it anew would
    /// wait for that one.
    ///
    /// # Errors
    /// The system's word.
    pub async fn write_hosts_file(&self, router: &NodeName, text: String) -> io::Result<()> {
        let (faults, hosts) = (self.faults().clone(), Arc::clone(&self.hosts));
        let (path, router) = (self.hosts_file(router), router.clone());
        // A file system may take its time, and what waits for it is not to wait on the runtime's threads.
        let written = tokio::task::spawn_blocking(move || {
            faults.around(&router, "write the hosts file", || {
                let mut open = hosts.lock().unwrap_or_else(PoisonError::into_inner);
                let file = match open.entry(router.clone()) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(File::create(path)?),
                };
                file.set_len(0)?;
                file.write_all_at(text.as_bytes(), 0)
            })
        });
        written.await.map_err(io::Error::other)?
    }

    /// A folder of the lab for what somebody else fills: it has memory of its own, and when that is full nothing else is.
    ///
    /// # Errors
    /// [`FabricError::Folder`].
    pub fn volume_for(&self, what: &Path) -> Result<PathBuf, FabricError> {
        let folder = self.folder_for(what)?;
        if !self.volumes.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone()) {
            return Ok(folder);
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let made = mount(Some("tmpfs"), &folder, Some("tmpfs"), flags, Some(VOLUME));
        made.map_err(|errno| FabricError::Folder { folder: folder.clone(), source: errno.into() })?;
        Ok(folder)
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

    /// Carries out one phase; everything in it may run at the same time. Tells whose rulesets were changed.
    pub(super) async fn phase(
        &mut self,
        phase: &[&Action],
        tolerance: Tolerance,
        committed: &mut Committed,
    ) -> Result<(), FabricError> {
        self.make_nodes(phase).await?;
        let mut work = Work::default();
        for action in phase {
            self.sort(action, &mut work)?;
        }
        let one_by_one = self.names.faults().are_armed();
        // The filter and the wiring of a phase do not wait for one another: a deletion takes a grace period in each.
        let wiring = wire(
            (work.taken, work.links),
            work.ends,
            (work.settle, work.disturbed, work.deliver),
            tolerance,
            one_by_one,
        );
        let transactions = work.transactions.into_iter().map(|(node, transaction)| transact(node, transaction));
        let transactions = side_by_side(one_by_one, transactions);
        let (wired, ended) =
            if one_by_one { (wiring.await, transactions.await) } else { futures::join!(wiring, transactions) };
        let mut refused = Ok(());
        for ended in ended {
            match ended {
                Ok(node) => drop(committed.whole.insert(node)),
                Err((node, nft::Failed { error, effect })) => {
                    match effect {
                        Effect::None => {}
                        Effect::Whole => drop(committed.whole.insert(node)),
                        Effect::Unknown => committed.unknown = Some(node),
                    }
                    refused = refused.and(Err(error));
                }
            }
        }
        wired.and(refused)?;
        self.forget(work.forget, one_by_one).await?;
        for name in work.remove {
            self.nodes.remove(&name);
        }
        Ok(())
    }

    /// Forgets flows in several namespaces. All are found before the first is forgotten, since there is no way back.
    async fn forget(
        &self,
        flows: IndexMap<NodeName, (Arc<Namespace>, HashSet<IpNet>)>,
        one_by_one: bool,
    ) -> Result<(), FabricError> {
        let finding = flows.into_values().map(|(node, addresses)| find(node, addresses));
        let found: Result<Vec<_>, _> = side_by_side(one_by_one, finding).await.into_iter().collect();
        let mut some_are = false;
        for (node, addresses, found) in found? {
            if found.is_empty() {
                continue;
            }
            match forget(node, addresses, found).await {
                Ok(()) => some_are = true,
                Err((failure, some)) if some || some_are => {
                    let undoing = FabricError::Forgotten.into();
                    return Err(FabricError::Broken { failure: failure.into(), undoing });
                }
                Err((failure, _)) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Makes the namespaces of a phase, a few at a time.
    async fn make_nodes(&mut self, phase: &[&Action]) -> Result<(), FabricError> {
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
        let threads = if self.names.faults().are_armed() {
            1
        } else {
            std::thread::available_parallelism().map_or(2, usize::from).min(8)
        };
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
                if lower.was_entered() {
                    Work::add(&mut work.taken, lower, [(link.lower.index, link.lower.interface.clone())]);
                }
                let mut dress = |node: &Arc<Namespace>, end: &End, up| {
                    Work::add(&mut work.ends, node, wiring::dress_end(end, up));
                };
                dress(upper, &link.upper, false);
                dress(lower, &link.lower, true);
                for (node, end) in [(upper, &link.upper), (lower, &link.lower)] {
                    let ipv6 = end.addresses.iter().filter_map(|address| match address {
                        IpAddr::V6(address) => Some(*address),
                        IpAddr::V4(_) => None,
                    });
                    let ipv6: Vec<Ipv6Addr> = ipv6.collect();
                    if !ipv6.is_empty() {
                        Work::add(&mut work.deliver, node, ipv6);
                    }
                }
                let settling = if lower.was_entered() { &mut work.disturbed } else { &mut work.settle };
                Work::add(settling, upper, [(link.upper.index, link.upper.interface.clone())]);
            }
            Action::RemoveLink(_, link) => {
                let lower = self.node(&link.lower.node)?;
                let request = reached(lower, wiring::remove_link(link));
                Work::add(&mut work.links, self.node(&link.upper.node)?, [request]);
            }
            Action::AddRoute(name, route) => {
                Work::add(&mut work.ends, self.node(name)?, [wiring::add_route(route)]);
            }
            Action::RemoveRoute(name, route) => {
                // It goes with its link, and root in the instance at the other end may have deleted that.
                let excuse = match route.way {
                    Way::Gateway { index, .. }
                    | Way::Link { index }
                    | Way::Delegated { index, .. }
                    | Way::Local { index } => Excuse::Without(index),
                    Way::Unreachable | Way::Main => Excuse::Nothing,
                };
                let node = self.node(name)?;
                let request = reached(node, wiring::remove_route(route).excused(excuse));
                Work::add(&mut work.links, node, [request]);
            }
            Action::AddPolicy(name, policy) => {
                let families = self.node(name)?.families;
                Work::add(&mut work.ends, self.node(name)?, wiring::add_policy(policy, families));
            }
            Action::RemovePolicy(name, policy) => {
                let node = self.node(name)?;
                let requests = wiring::remove_policy(policy, node.families);
                Work::add(&mut work.links, node, requests.into_iter().map(|request| reached(node, request)));
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

/// Errors of the kernel for what is not there.
const ABSENT: &[i32] = &[libc::ESRCH, libc::ENODEV, libc::ENOENT, libc::EADDRNOTAVAIL];

/// A request to take something away, which root of the namespace may have taken away before.
fn reached(node: &Namespace, request: Request<RouteNetlinkMessage>) -> Request<RouteNetlinkMessage> {
    if node.user().is_some() { request.excused(Excuse::If(ABSENT)) } else { request }
}

/// Namespaces whose rulesets a phase has changed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Those that took their transaction.
    pub whole: HashSet<NodeName>,
    /// One of which nobody knows.
    pub unknown: Option<NodeName>,
}

/// Things to do, by the namespace that they are done in.
type ByNode<T> = IndexMap<NodeName, (Arc<Namespace>, Vec<T>)>;
type Requests = ByNode<Request<RouteNetlinkMessage>>;
/// Links by their indexes and names.
type Links = ByNode<(u32, String)>;

/// Work of a phase, by namespace, so that each is entered once.
#[derive(Default)]
struct Work {
    taken: Links,
    links: Requests,
    ends: Requests,
    settle: Links,
    /// Links whose other ends programs of the user's may take down meanwhile.
    disturbed: Links,
    deliver: ByNode<Ipv6Addr>,
    transactions: Vec<(Arc<Namespace>, Transaction)>,
    forget: IndexMap<NodeName, (Arc<Namespace>, HashSet<IpNet>)>,
    remove: Vec<NodeName>,
}

enum Transaction {
    Change(Vec<crate::network::nft::Change>),
    Load(Box<crate::network::nft::Ruleset>),
}

impl Work {
    fn add<T>(to: &mut ByNode<T>, node: &Arc<Namespace>, items: impl IntoIterator<Item = T>) {
        let entry = to.entry(node.name.clone()).or_insert_with(|| (Arc::clone(node), Vec::new()));
        entry.1.extend(items);
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
    let faults = &namespace.faults;
    namespace.enter().map_err(|source| FabricError::Enter { node: node.clone(), source })?;
    let failed = |(attempt, source)| FabricError::Kernel { attempt, node: node.clone(), source };
    if faults.step(node, "set what its kernel does").is_some() {
        return Err(failed(("set what its kernel does".to_owned(), faults::error())));
    }
    sysctl::write(kind, families, timeouts).map_err(failed)?;
    let up = wiring::loopback_up().counted(faults, node);
    netlink::request(NETLINK_ROUTE, vec![up]).map_err(|refused| in_node(node, refused))?;
    Ok(namespace)
}

/// Links, where nothing else has their places, then what is on them, then the wait until they are up and their addresses in use.
async fn wire(
    (taken, links): (Links, Requests),
    ends: Requests,
    (settle, disturbed, deliver): (Links, Links, ByNode<Ipv6Addr>),
    tolerance: Tolerance,
    one_by_one: bool,
) -> Result<(), FabricError> {
    let requests = |work: ByNode<_>| work.into_values().map(|(node, requests)| kernel(node, requests, tolerance));
    all(side_by_side(one_by_one, taken.into_values().map(|(node, links)| make_room(node, links))).await)?;
    all(side_by_side(one_by_one, requests(links)).await)?;
    all(side_by_side(one_by_one, requests(ends)).await)?;
    let settle = settle.into_values().map(|(node, links)| settle::settled(node, links, LowerEnds::AsMade));
    let disturbed = disturbed.into_values().map(|(node, links)| settle::settled(node, links, LowerEnds::Entered));
    all(side_by_side(one_by_one, settle).await)?;
    all(side_by_side(one_by_one, disturbed).await)?;
    all(side_by_side(one_by_one, deliver.into_values().map(|(node, addresses)| settle::deliverable(node, addresses)))
        .await)
}

/// The results of things that do not depend on one another: at the same time, or one by one.
async fn side_by_side<F: Future>(one_by_one: bool, things: impl Iterator<Item = F>) -> Vec<F::Output> {
    if !one_by_one {
        return join_all(things).await;
    }
    let mut results = Vec::new();
    for thing in things {
        results.push(thing.await);
    }
    results
}

/// Carries out a transaction, and gives the namespace whose ruleset it is about.
async fn transact(node: Arc<Namespace>, transaction: Transaction) -> Result<NodeName, (NodeName, nft::Failed)> {
    let done = match transaction {
        Transaction::Change(changes) => remembered::change(&node, &changes).await,
        Transaction::Load(ruleset) => nft::load(&node, &ruleset).await,
    };
    let name = node.name.clone();
    done.map(|()| name.clone()).map_err(|failed| (name, failed))
}

/// The flows of addresses in a namespace.
async fn find(
    node: Arc<Namespace>,
    addresses: HashSet<IpNet>,
) -> Result<(Arc<Namespace>, HashSet<IpNet>, Vec<conntrack::Flow>), FabricError> {
    if node.faults.step(&node.name, conntrack::LIST).is_some() {
        return Err(in_node(&node.name, Refused { attempt: conntrack::LIST.into(), source: faults::error() }));
    }
    let wanted = addresses.clone();
    let found = node.run(move || conntrack::find(&wanted)).await?;
    let found = found.map_err(|refused| in_node(&node.name, refused))?;
    Ok((node, addresses, found))
}

/// Forgets flows of a namespace; where that fails, tells whether some are forgotten.
async fn forget(
    node: Arc<Namespace>,
    addresses: HashSet<IpNet>,
    found: Vec<conntrack::Flow>,
) -> Result<(), (FabricError, bool)> {
    let (faults, name) = (node.faults.clone(), node.name.clone());
    let done = node.run(move || conntrack::forget(&faults, &name, &addresses, found)).await;
    let done = done.map_err(|error| (error, false))?;
    done.map_err(|NotForgotten { refused, some_are }| (in_node(&node.name, refused), some_are))
}

fn all(results: Vec<Result<(), FabricError>>) -> Result<(), FabricError> {
    results.into_iter().collect()
}
