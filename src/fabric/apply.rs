//! The namespaces of a lab, and what one phase of a plan does to them.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join_all;
use netlink_sys::constants::NETLINK_ROUTE;

use super::error::FabricError;
use super::faults::{self, Faults};
use super::files::LabFiles;
use super::kernel::{Tolerance, in_node};
use super::namespace::{Names, Namespace};
use super::work::{Committed, Order, Work};
use super::{netlink, sysctl, wiring};
use crate::network::{Action, Families, NodeKind, NodeName, Timeouts};
use crate::sandbox::Sandbox;

/// The namespaces of a lab. Dropping it gives them up, and the kernel clears away what was in them.
#[derive(Debug)]
pub struct Fabric {
    nodes: HashMap<NodeName, Arc<Namespace>>,
    names: Names,
    files: LabFiles,
    timeouts: Option<Timeouts>,
}

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
        let files = LabFiles::new(folder, names.faults().clone());
        Ok(Self { nodes: HashMap::new(), names, files, timeouts: None })
    }

    /// Returns the faults injected in it on purpose.
    #[doc(hidden)]
    pub fn faults(&self) -> &Faults {
        self.names.faults()
    }

    /// The files and folders of the lab.
    pub fn files(&self) -> &LabFiles {
        &self.files
    }

    /// Namespaces that are made from now on forget idle flows after these times; else after the kernel's own.
    pub fn forget_idle_flows_after(&mut self, timeouts: Timeouts) {
        self.timeouts = Some(timeouts);
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
        let work = Work::of(phase, |name| self.node(name))?;
        let removed = work.carry_out(tolerance, Order::under(self.faults()), committed).await?;
        for name in removed {
            self.nodes.remove(&name);
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
        let threads = match Order::under(self.faults()) {
            Order::OneByOne => 1,
            Order::AtOnce => std::thread::available_parallelism().map_or(2, usize::from).min(8),
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
