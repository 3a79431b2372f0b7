//! A lab's parts, and how it boots.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::addresses::LastAddresses;
use super::alteration::{Alteration, compiled};
use super::connections::Connections;
use super::error::LabError;
use super::flow_log::Journal;
use super::hosts_file;
use super::listeners::{Listeners, Listening};
use super::mounted::Mounted;
use super::process_states::ProcessTable;
use super::services::{CurrentCloud, Services};
use super::state::LabState;
use crate::fabric::Fabric;
use crate::fabric::faults::Faults;
use crate::model::Cloud;
use crate::network::diff::diff;
use crate::network::{Network, NodeName};
use crate::probe::Prober;
use crate::sandbox::machine::Machine;
use crate::sandbox::{self, Sandbox, limits};

/// A running cloud. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    /// Dropped before all that they run in: that they end with it is no news.
    pub(super) processes: ProcessTable,
    pub(super) state: LabState,
    pub(super) alteration: Option<Alteration>,
    pub(super) prober: Prober,
    pub(super) services: Services,
    pub(super) listening: Listening,
    /// The addresses that interfaces hold or held last: a flow to a stopped one asks there.
    pub(super) last: LastAddresses,
    /// Is told what is waited for.
    pub(super) tell_waits: Option<fn(&str)>,
    pub(super) connections: Connections,
    /// The first processes of the instances and hosts in which programs were started.
    pub(super) machines: IndexMap<NodeName, Machine>,
    pub(super) mounted: Mounted,
    /// The flow log that it keeps by itself.
    pub(super) journal: Option<Journal>,
    pub(super) broken: Option<String>,
}

impl Lab {
    /// Boots a cloud: namespaces, links, addresses, rulesets in force, listeners bound.
    ///
    /// # Errors
    /// [`LabError`]; nothing is left of a lab that did not boot.
    pub async fn boot(cloud: Cloud, listeners: Listeners) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, Faults::default(), None).await
    }

    /// The same, and the ports of the instances' processes are left to them, which [`Lab::start_processes`] starts.
    ///
    /// # Errors
    /// As [`Lab::boot`].
    pub async fn boot_for_processes(cloud: Cloud, listeners: Listeners, folder: PathBuf) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, Faults::default(), Some(folder)).await
    }

    /// The same, where things fail on purpose.
    #[doc(hidden)]
    pub async fn boot_with(cloud: Cloud, listeners: Listeners, faults: Faults) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, None, faults, None).await
    }

    pub(super) async fn boot_as(
        cloud: Cloud,
        listeners: Listeners,
        alteration: Option<Alteration>,
        faults: Faults,
        processes_from: Option<PathBuf>,
    ) -> Result<Self, LabError> {
        let sandbox: Sandbox = sandbox::current().ok_or(LabError::NoSandbox)?;
        let network = compiled(&cloud, alteration.as_ref())?;
        limits::afford(network.nodes.len(), listeners.most_in(&network, &cloud))?;
        let mut fabric = Fabric::with_faults(sandbox, faults)?;
        fabric.forget_idle_flows_after(network.timeouts);
        fabric.execute(&diff(&Network::default(), &network)).await?;
        let prober = Prober::start().map_err(LabError::Observer)?;
        let cloud = Arc::new(cloud);
        let services = Services::open(&fabric, &cloud).await?;
        let mut lab = Self {
            state: LabState::of(cloud, fabric),
            alteration,
            prober,
            services,
            listening: Listening::of(listeners),
            last: LastAddresses::default(),
            tell_waits: None,
            connections: Connections::default(),
            machines: IndexMap::new(),
            mounted: Mounted::from_folder(processes_from.clone()),
            processes: ProcessTable::of(processes_from),
            journal: None,
            broken: None,
        };
        lab.boot_up(&network).await?;
        hosts_file::write_resolvers(lab.state.fabric(), lab.state.cloud())?;
        lab.state.stand_as(lab.state.cloud().clone(), network);
        lab.register_targets();
        lab.last.remember(lab.state.cloud());
        Ok(lab)
    }

    /// From now on the paths of what instances mount are meant from this folder, that of the topology file.
    pub fn find_files_from(&mut self, folder: &Path) {
        self.mounted.find_from(folder);
    }

    /// The folder from which these paths are meant, if it is known.
    pub fn folder(&self) -> Option<&Path> {
        self.mounted.folder()
    }

    /// The state of the cloud now.
    pub fn cloud(&self) -> &Cloud {
        self.state.cloud()
    }

    /// The state of the cloud at any moment, for who cannot have the lab meanwhile.
    pub fn now(&self) -> CurrentCloud {
        self.services.now()
    }

    /// The namespaces of the lab.
    pub fn fabric(&self) -> &Fabric {
        self.state.fabric()
    }

    pub(super) fn refuse_broken(&self) -> Result<(), LabError> {
        match &self.broken {
            Some(why) => Err(LabError::Broken(why.clone())),
            None => Ok(()),
        }
    }
}
