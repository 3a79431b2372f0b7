//! Programs in the lab: beside its namespaces, or inside an instance and fenced off from everything else.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use super::inside::show;
use super::{Fabric, FabricError, Namespace, Sandbox};
use crate::compile::network::NodeName;

impl Fabric {
    /// Shows the lab's names, as they are behind this router, to every program of the sandbox as its `/etc/hosts`, where there is
    /// one; later changes show by themselves.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn publish_hosts_file(&self, router: &NodeName) -> io::Result<()> {
        show(&self.hosts_file(router), Path::new("/etc/hosts"))
    }

    /// A program inside an instance, as its root. Its network, mount, process, host name and IPC namespaces belong to
    /// the instance's user namespace: it can neither see nor change anything of the lab's. Its `/etc/hosts` and
    /// `/etc/resolv.conf` are those behind this router, where the system has them.
    ///
    /// # Errors
    /// [`FabricError::NoNode`] if there is no such instance, or it has no namespace because it does not run.
    pub fn program_in(
        &self,
        sandbox: Sandbox,
        instance: &NodeName,
        router: &NodeName,
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
        command.args(["--", "sh", "-c", PREPARE, instance.0.as_str()]).arg(self.resolver_file(router));
        command.arg(self.hosts_file(router)).args(program);
        Ok(command)
    }
}

/// What is done in the namespaces of a program before it begins: its name is `$0`, its resolver `$1`, its names `$2`. Many systems
/// have `/etc/resolv.conf` as a link into `/run`, which is the sandbox's own and has nothing there yet.
const PREPARE: &str = r#"
hostname "$0" || exit
file=$(readlink -m /etc/resolv.conf || echo /etc/resolv.conf)
case $file in /run/*) mkdir -p "${file%/*}" && : >>"$file" ;; esac
[ ! -e "$file" ] || mount --bind "$1" "$file"
[ ! -e /etc/hosts ] || mount --bind "$2" /etc/hosts
shift 2
exec "$@"
"#;

fn prefixed(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}
