//! An operation as a whole: first what can be taken back, then what may still fail beside the kernel, and only then
//! what cannot be taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use indexmap::IndexMap;

use super::booted::Lab;
use super::error::LabError;
use super::hosts_file;
use crate::compile::names;
use crate::fabric::{self, FabricError, Namespace};
use crate::model::{Change, Changed, Cloud, InstanceName, InstanceState, Operation, Power, Service, apply, apply_all};
use crate::network::diff::diff;
use crate::network::{Action, Link, LinkName, Network, NodeKind, NodeName, Phases, Timeouts};
use crate::sandbox::machine::Machine;

/// Parts opened for an operation, and closed again if it fails.
#[derive(Debug, Default)]
struct Opened {
    /// Namespaces that are new.
    nodes: Vec<NodeName>,
    /// Links that are watched, by their routers and indexes there.
    links: Vec<(NodeName, u32)>,
    /// Namespaces in which something listens that did not.
    listening: Vec<NodeName>,
    /// The first processes of instances that begin.
    machines: Vec<(NodeName, Machine)>,
    hosts_files: HostsFiles,
}

/// The hosts files of a lab, as an operation leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HostsFiles {
    #[default]
    AsBefore,
    Written,
}

/// An operation, and what it changes of the cloud.
#[derive(Clone, Copy)]
pub(super) struct Operated<'a> {
    operation: &'a Operation,
    changed: &'a Changed,
}

/// An operation that is in force.
#[derive(Debug)]
pub struct InForce {
    /// Time until it was in force.
    pub took: Duration,
    /// Changes that it has made.
    pub changes: Vec<Change>,
    /// Result of the processes that were to come up after it: [`LabError::Process`] or [`LabError::Machine`] if one did not.
    pub processes: Result<(), LabError>,
}

impl Lab {
    /// Carries out an operation, and says how long it took until it was in force.
    ///
    /// # Errors
    /// As [`Self::carry_out`]. [`LabError::Process`] and [`LabError::Machine`]: it is in force, and a process did not come up after it.
    pub async fn apply(&mut self, operation: &Operation) -> Result<Duration, LabError> {
        let InForce { took, processes, .. } = self.carry_out(operation).await?;
        processes.map(|()| took)
    }

    /// Carries out an operation.
    ///
    /// # Errors
    /// [`LabError::Refused`] in EC2's words; otherwise what the kernel or nft said. State and kernel are as before.
    /// [`LabError::Broken`] from then on if they are not.
    pub async fn carry_out(&mut self, operation: &Operation) -> Result<InForce, LabError> {
        self.refuse_broken()?;
        let begun = Instant::now();
        // The cloud of before is there for whoever asks until the new one is in force, and longer if that fails.
        let mut cloud = Cloud::clone(self.state.cloud());
        let changed = apply(&mut cloud, operation)?;
        let network = self.compiled(&cloud)?;
        self.refuse_missing_mounts(&cloud, operation)?;
        self.end_programs_first(operation).await;
        let operated = Operated { operation, changed: &changed };
        match self.transition(Some(operated), Arc::new(cloud), network, begun).await {
            Ok(took) => {
                let processes = self.start_missing_processes().await;
                Ok(InForce { took, changes: changed.into_changes(), processes })
            }
            Err(error) => {
                if self.broken.is_none() {
                    // It runs on as before, and its processes begin anew.
                    drop(self.start_missing_processes().await);
                }
                Err(error)
            }
        }
    }

    /// Checks several operations before the first is carried out: that EC2 refuses none, that each compiles, and that no mount is missing.
    /// A single one needs no such check: [`Self::apply`] makes it.
    ///
    /// # Errors
    /// [`Self::apply`]'s words for the first that cannot be carried out, with that operation.
    pub fn rehearse(&mut self, operations: &[Operation]) -> Result<(), Box<(Operation, LabError)>> {
        if operations.len() < 2 {
            return Ok(());
        }
        let mut cloud = Cloud::clone(self.state.cloud());
        match apply_all(&mut cloud, operations) {
            Ok(changed) => changed.undo(&mut cloud),
            Err(refused) => return Err(Box::new((refused.operation.clone(), refused.refusal.into()))),
        }
        for operation in operations {
            let of = |error: LabError| Box::new((operation.clone(), error));
            apply(&mut cloud, operation).map_err(|refusal| of(refusal.into()))?;
            self.compiled(&cloud).map_err(of)?;
            self.refuse_missing_mounts(&cloud, operation).map_err(of)?;
        }
        Ok(())
    }

    /// Ends the programs of an instance that ends: before anything else is done, so that none is in the way.
    async fn end_programs_first(&mut self, operation: &Operation) {
        match operation.power() {
            Some((Power::Stop | Power::Terminate, name)) => self.end_programs(name).await,
            Some((Power::Reboot, name)) if self.runs(name) => self.end_programs(name).await,
            // Later than those, except where its programs leave no room for a thread.
            Some((Power::Crash, name)) if !fabric::has_room() => self.end_programs(name).await,
            Some((Power::Reboot | Power::Crash | Power::Start, _)) | None => {}
        }
    }

    /// Makes the lab one of another cloud and network, whole or not at all, and says how long it took since it was begun.
    pub(super) async fn transition(
        &mut self,
        operated: Option<Operated<'_>>,
        cloud: Arc<Cloud>,
        network: Network,
        begun: Instant,
    ) -> Result<Duration, LabError> {
        let phases = diff(self.state.network(), &network);
        // Until it is known how it ends: who gives up waiting for this leaves something half done.
        self.broken = Some("an operation was begun, and nobody waited for its end".to_owned());
        let mut changed = self.change(operated, &phases, &cloud, &network, begun).await;
        let broken = match &mut changed {
            Ok((_, opened)) => {
                self.settle(operated, &phases, cloud, network).await;
                self.machines.extend(std::mem::take(&mut opened.machines));
                None
            }
            Err(LabError::Fabric(error @ FabricError::Broken { .. })) => Some(error.to_string()),
            Err(LabError::Broken(why)) => Some(why.clone()),
            Err(_) => None,
        };
        self.broken = broken;
        changed.map(|(in_force, _)| in_force)
    }

    /// All of an operation that may fail.
    async fn change(
        &mut self,
        operated: Option<Operated<'_>>,
        phases: &Phases,
        cloud: &Cloud,
        network: &Network,
        begun: Instant,
    ) -> Result<(Duration, Opened), LabError> {
        let operation = operated.map(|it| it.operation);
        if let Err(failure) = self.advance(operation, phases).await {
            return Err(self.watch_again(network, failure.into()).await);
        }
        let in_force = begun.elapsed();
        let mut opened = Opened::default();
        let mut prepared = self.prepare(cloud, operated.map(|it| it.changed), network, &mut opened).await;
        if prepared.is_ok() {
            prepared = self.start_with_mounts(cloud, operation, &mut opened.machines).await;
        }
        let failure = match prepared {
            Err(failure) => failure,
            Ok(()) => match self.state.fabric_mut().complete(phases).await {
                Ok(()) => return Ok((in_force, opened)),
                Err(broken @ FabricError::Broken { .. }) => return Err(broken.into()),
                Err(failure) => failure.into(),
            },
        };
        let closed = self.close_opened(opened).await;
        let failure = match failure {
            LabError::Fabric(failure) => self.state.fabric_mut().retreat(phases, failure).await.into(),
            // It is told in its own words, but broken is broken.
            failure => match self.state.fabric_mut().retreat(phases, FabricError::Beside(failure.to_string())).await {
                FabricError::Beside(_) => failure,
                broken => broken.into(),
            },
        };
        match closed {
            Ok(()) => Err(self.watch_again(network, failure).await),
            Err(undoing) => Err(LabError::Broken(format!("{failure}; and taking it back failed: {undoing}"))),
        }
    }

    /// Carries out all that can be taken back; it has been, if this fails. The programs of an instance that crashes end once its links
    /// are gone and before they are made again: its peers see no farewell, and none is in the way.
    async fn advance(&mut self, operation: Option<&Operation>, phases: &Phases) -> Result<(), FabricError> {
        let Some(Operation::Crash(name)) = operation else { return self.state.fabric_mut().advance(phases).await };
        let takes_links = |phase: &Vec<Action>| phase.iter().any(|action| matches!(action, Action::RemoveLink(..)));
        let (before, after) = phases.split_at(phases.iter().rposition(takes_links).map_or(0, |last| last + 1));
        self.state.fabric_mut().advance(before).await?;
        self.end_programs(name).await;
        match self.state.fabric_mut().advance(after).await {
            Err(failure) if !matches!(failure, FabricError::Broken { .. }) => {
                Err(self.state.fabric_mut().retreat(before, failure).await)
            }
            other => other,
        }
    }

    /// Opens logs, taps and listeners where there are none yet, and writes the hosts file.
    pub(super) async fn boot_up(&mut self, network: &Network) -> Result<(), LabError> {
        let cloud = Arc::clone(self.state.cloud());
        self.prepare(&cloud, None, network, &mut Opened::default()).await?;
        self.track(network);
        Ok(())
    }

    /// Of an operation it is known what it changes, and the rest is left alone.
    async fn prepare(
        &mut self,
        cloud: &Cloud,
        changed: Option<&Changed>,
        network: &Network,
        opened: &mut Opened,
    ) -> Result<(), LabError> {
        let new = network.nodes.iter().filter(|(name, _)| !self.state.network().nodes.contains_key(*name));
        let mut opening = Vec::new();
        for (name, node) in new {
            opened.nodes.push(name.clone());
            if matches!(node.kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet) {
                let (prober, namespace) = (&self.prober, self.state.fabric().node(name)?);
                opening.push(async move { prober.watch_log(namespace).await });
            }
        }
        let at_once = if self.state.fabric().faults().are_armed() { 1 } else { opening.len().max(1) };
        let watched: Vec<_> = futures::stream::iter(opening).buffered(at_once).collect().await;
        watched.into_iter().collect::<Result<(), _>>()?;
        let made = |name: &LinkName, link: &Link| self.state.network().links.get(name) != Some(link);
        let made = network.links.iter().filter(|(name, link)| made(name, link)).map(|(_, link)| link);
        let made = ends_by_router(network, made);
        opened
            .links
            .extend(made.iter().flat_map(|(router, ends)| ends.iter().map(|(index, _)| (router.clone(), *index))));
        self.watch_links(made).await?;
        let mut wanted: Vec<(Arc<Namespace>, Vec<Service>)> = Vec::new();
        let holders = changed.map(Changed::holders);
        let may_begin = |name: &NodeName| holders.as_ref().is_none_or(|holders| holders.contains(name.0.as_str()));
        for (name, node) in network.nodes.iter().filter(|(name, _)| may_begin(name) && !self.prober.listens(name)) {
            if let Some(services) = self.to_listen(cloud, name, node.kind) {
                wanted.push((Arc::clone(self.state.fabric().node(name)?), services));
            }
        }
        opened.listening.extend(wanted.iter().map(|(node, _)| node.name.clone()));
        self.prober.listen(wanted).await?;
        self.open_balancers(cloud).await?;
        if changed.is_none_or(|changed| changed.changes().iter().any(Change::is_of_names)) {
            opened.hosts_files = HostsFiles::Written;
            hosts_file::write(self.state.fabric(), cloud).await?;
        }
        Ok(())
    }

    async fn watch_links(&mut self, by_router: IndexMap<NodeName, Vec<(u32, NodeName)>>) -> Result<(), LabError> {
        for (router, ends) in by_router {
            let router = Arc::clone(self.state.fabric().node(&router)?);
            self.prober.watch_links(&router, ends).await?;
        }
        Ok(())
    }

    /// Watches the links that an operation was to replace: taking it back has made them anew. Gives its failure, or that the lab is broken.
    async fn watch_again(&mut self, wanted: &Network, failure: LabError) -> LabError {
        if matches!(failure, LabError::Fabric(FabricError::Broken { .. })) {
            return failure;
        }
        let replaced = self.state.network().links.iter().filter(|(name, link)| wanted.links.get(*name) != Some(link));
        let replaced = ends_by_router(self.state.network(), replaced.map(|(_, link)| link));
        match self.watch_links(replaced).await {
            Ok(()) => failure,
            Err(undoing) => LabError::Broken(format!("{failure}; and taking it back failed: {undoing}")),
        }
    }

    /// Takes back what [`Lab::prepare`] has done, the last first.
    async fn close_opened(&mut self, opened: Opened) -> Result<(), LabError> {
        for (_, machine) in opened.machines {
            machine.end().await;
        }
        let written = match opened.hosts_files {
            HostsFiles::Written => hosts_file::write(self.state.fabric(), self.state.cloud()).await,
            HostsFiles::AsBefore => Ok(()),
        };
        for name in &opened.listening {
            self.prober.silence(name).await;
        }
        for (router, index) in &opened.links {
            self.prober.unwatch_link(router, *index);
        }
        for name in &opened.nodes {
            self.prober.leave(name).await;
        }
        written
    }

    /// Does what follows from an operation that has succeeded. None of it can fail.
    async fn settle(&mut self, operated: Option<Operated<'_>>, phases: &Phases, cloud: Arc<Cloud>, network: Network) {
        let gone: Vec<NodeName> =
            self.state.network().nodes.keys().filter(|name| !network.nodes.contains_key(*name)).cloned().collect();
        for (_, link) in self.state.network().links.iter().filter(|(name, _)| !network.links.contains_key(*name)) {
            self.prober.unwatch_link(&link.upper.node, link.upper.index);
        }
        for name in &gone {
            self.connections.end(name, "it was stopped, or is gone");
            let instance = self.state.cloud().instances.get_key_value(name.0.as_str()).map(|(name, _)| name.clone());
            if let Some(instance) = instance {
                self.end_programs(&instance).await;
            }
            self.prober.leave(name).await;
        }
        match operated.and_then(|it| it.operation.power()) {
            // Its link went first, so its peers see silence and no farewell.
            Some((Power::Crash, name)) => {
                let node = names::instance(name);
                self.prober.silence(&node).await;
                self.end_programs(name).await;
                self.connections.end(&node, "its programs have ended");
            }
            // A boot begins its programs anew.
            Some((Power::Reboot, name)) => {
                let node = names::instance(name);
                self.prober.restart(&node).await;
                self.end_programs(name).await;
                self.connections.end(&node, "its programs have ended");
            }
            // Sockets that listen there were opened for this very start; to start an instance that runs does nothing.
            Some((Power::Start, name)) if !self.runs(name) => {
                self.connections.end(&names::instance(name), "its programs have ended");
                self.end_programs(name).await;
            }
            Some((Power::Start | Power::Stop | Power::Terminate, _)) | None => {}
        }
        for action in phases.iter().flatten() {
            if let Action::ForgetFlows(_, block) = action {
                self.prober.forget_senders(*block);
                self.connections.forget(*block);
            }
        }
        self.track(&network);
        self.services.follow(&cloud);
        self.state.stand_as(cloud, network);
        if operated.is_some_and(|it| !it.changed.holders().is_empty()) {
            self.state.number_ports();
        }
        self.register_targets();
        self.last.remember(self.state.cloud());
    }

    /// Lists the services that are to listen in a namespace.
    fn to_listen(&self, cloud: &Cloud, name: &NodeName, kind: NodeKind) -> Option<Vec<Service>> {
        self.listening.wanted(cloud, name, kind, |name, service| self.processes.hold(cloud, name, service))
    }

    fn runs(&self, name: &InstanceName) -> bool {
        self.state.cloud().instances.get(name).is_some_and(|instance| instance.state == InstanceState::Running)
    }

    /// Tells the prober where flows are tracked.
    fn track(&mut self, network: &Network) {
        let of = |kinds: &[NodeKind]| {
            let nodes = network.nodes.iter().filter(|(_, node)| kinds.contains(&node.kind));
            nodes.filter_map(|(name, _)| self.state.fabric().node(name).ok().cloned()).collect()
        };
        let Timeouts { udp, udp_stream, other, .. } = network.timeouts;
        self.prober.remembers_for(Duration::from_secs(udp.max(udp_stream).max(other).into()));
        self.prober.tracks(of(&[NodeKind::Router, NodeKind::Gateway]), of(&[NodeKind::Appliance]));
    }
}

/// The links among these that lead to ends of flows, by the routers that they lead from.
fn ends_by_router<'a>(
    network: &Network,
    links: impl Iterator<Item = &'a Link>,
) -> IndexMap<NodeName, Vec<(u32, NodeName)>> {
    let mut by_router: IndexMap<NodeName, Vec<(u32, NodeName)>> = IndexMap::new();
    for Link { upper, lower } in links {
        let kind = network.nodes.get(&lower.node).map(|node| node.kind);
        if !matches!(kind, None | Some(NodeKind::Router | NodeKind::Gateway | NodeKind::Internet)) {
            by_router.entry(upper.node.clone()).or_default().push((upper.index, lower.node.clone()));
        }
    }
    by_router
}
