//! One instance of a test's lab.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::Error;
use super::error::unknown;
use super::lab::Lab;
use super::within::Running;
use crate::model::{GroupName, InstanceName, InstanceState, Interface, Operation, Target};
use crate::topology::NewInstance;

/// An instance, by name: it stays the same while its addresses and its groups change.
#[derive(Clone, Debug)]
pub struct Instance<'lab> {
    lab: &'lab Lab,
    name: InstanceName,
}

impl Lab {
    /// An instance, by name.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn instance(&self, name: &str) -> Result<Instance<'_>, Error> {
        let cloud = self.cloud();
        match cloud.instances.get_key_value(&InstanceName::new(name)) {
            Some((name, _)) => Ok(Instance { lab: self, name: name.clone() }),
            None => Err(unknown("instance", name, cloud.instances.keys().map(InstanceName::as_str))),
        }
    }

    /// Launches another instance.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn launch(&self, name: &str, instance: NewInstance) -> Result<Instance<'_>, Error> {
        self.apply_all(&instance.read(name, &self.cloud())?).await?;
        self.instance(name)
    }
}

impl Instance<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Returns the state of the instance; nothing once it is terminated.
    pub fn state(&self) -> Option<InstanceState> {
        self.lab.cloud().instances.get(&self.name).map(|instance| instance.state)
    }

    /// The private address of its first interface now.
    pub fn private_ip(&self) -> Option<Ipv4Addr> {
        self.first_interface()?.private.map(|address| address.0)
    }

    /// The public address of its first interface now, an Elastic IP too.
    pub fn public_ip(&self) -> Option<Ipv4Addr> {
        self.first_interface()?.public.map(|address| address.0)
    }

    /// The IPv6 address of its first interface.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.first_interface()?.ipv6.map(|address| address.0)
    }

    /// The groups that its first interface is in now.
    pub fn groups(&self) -> Vec<String> {
        let groups = self.first_interface().map(|interface| interface.groups).unwrap_or_default();
        groups.iter().map(ToString::to_string).collect()
    }

    /// `StopInstances`.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn stop(&self) -> Result<(), Error> {
        self.lab.carry_out(&Operation::Stop(self.name.clone())).await
    }

    /// `StartInstances`; also brings back a crashed one.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn start(&self) -> Result<(), Error> {
        self.lab.carry_out(&Operation::Start(self.name.clone())).await
    }

    /// `RebootInstances`: every address is kept.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn reboot(&self) -> Result<(), Error> {
        self.lab.carry_out(&Operation::Reboot(self.name.clone())).await
    }

    /// Its operating system dies; its peers hear nothing of that.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn crash(&self) -> Result<(), Error> {
        self.lab.carry_out(&Operation::Crash(self.name.clone())).await
    }

    /// `TerminateInstances`.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn terminate(&self) -> Result<(), Error> {
        self.lab.carry_out(&Operation::Terminate(self.name.clone())).await
    }

    /// Replaces the groups that it is in.
    ///
    /// # Errors
    /// As [`Lab::carry_out`].
    pub async fn set_groups(&self, groups: impl IntoIterator<Item: AsRef<str>>) -> Result<(), Error> {
        let groups = groups.into_iter().map(GroupName::new).collect();
        self.lab.carry_out(&Operation::SetGroups(Target::Instance(self.name.clone()), groups)).await
    }

    /// Runs a future in it; see [`Lab::run_in`].
    ///
    /// # Errors
    /// As [`Lab::run_in`].
    pub async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T, Error> {
        self.lab.run_in(self.name(), future).await
    }

    /// Starts a future in it; see [`Lab::spawn_in`].
    ///
    /// # Errors
    /// As [`Lab::spawn_in`].
    pub async fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Running<T>, Error> {
        self.lab.spawn_in(self.name(), future).await
    }

    fn first_interface(&self) -> Option<Interface> {
        self.lab.cloud().instances.get(&self.name)?.interfaces.first().cloned()
    }
}
