//! Programs in the lab: beside its namespaces, or inside an instance and fenced off from everything else.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use nix::mount::{MsFlags, mount};

use super::{Fabric, FabricError, Namespace, Sandbox};
use crate::compile::network::NodeName;

impl Fabric {
    /// Shows the lab's names to every program of the sandbox as its `/etc/hosts`; later changes show by themselves.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn publish_hosts_file(&self) -> io::Result<()> {
        const NONE: Option<&str> = None;
        mount(Some(self.hosts_file()), "/etc/hosts", NONE, MsFlags::MS_BIND, NONE).map_err(io::Error::from)
    }

    /// A program inside an instance, as its root. Its network, mount, process, host name and IPC namespaces belong to
    /// the instance's user namespace: it can neither see nor change anything of the lab's.
    ///
    /// # Errors
    /// [`FabricError::NoNode`] if there is no such instance, or it has no namespace because it does not run.
    pub fn program_in(
        &self,
        sandbox: Sandbox,
        instance: &NodeName,
        program: &[OsString],
    ) -> Result<Command, FabricError> {
        let namespace: &Namespace = self.node(instance)?;
        let user = namespace.user_path().ok_or_else(|| FabricError::NoNode(instance.clone()))?;
        let mut command = Command::new("nsenter");
        command.arg("--preserve-credentials");
        command.arg(prefixed("--user=", user)).arg(prefixed("--net=", namespace.path()));
        // Its own PID namespace keeps it from signalling the lab, whose processes have the same user outside.
        command.args(["--", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]);
        if sandbox.fresh_proc {
            command.arg("--mount-proc");
        }
        command.args(["--", "sh", "-c", "hostname \"$0\" && exec \"$@\"", instance.0.as_str()]);
        command.args(program);
        Ok(command)
    }
}

fn prefixed(option: &str, path: &std::path::Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}
