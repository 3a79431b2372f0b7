//! Network namespaces: made, held by descriptor, named for `ip netns`, and entered by plain threads.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use tokio::sync::{Semaphore, oneshot};

use super::error::FabricError;
use super::faults::Faults;
use super::kernel_records::{Element, RuleCounts};
use crate::network::{Families, NodeKind, NodeName};
use crate::sandbox::limits::MAX_CONCURRENT;
use crate::sandbox::{ids, instance_namespaces};

/// A network namespace. It lives as long as this value, whatever happens to its name.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: NodeName,
    /// Kind of box that it is.
    pub kind: NodeKind,
    /// Families of IP that it speaks.
    pub families: Families,
    /// Faults injected in it on purpose.
    pub(crate) faults: Faults,
    /// Counts of rules, kept also when these are gone.
    pub(super) counted: Mutex<RuleCounts>,
    /// Elements that the last transaction has taken out of sets which packets fill, in case that it is taken back.
    pub(super) forgotten: Mutex<Vec<Element>>,
    /// Elements that are gone, with what they had counted, until somebody asks.
    pub(super) ended: Mutex<Vec<Element>>,
    /// True if programs of the user's have run in it.
    entered: AtomicBool,
    net: OwnedFd,
    user: Option<(OwnedFd, PathBuf)>,
    path: PathBuf,
}

/// The folders with the names of a lab's namespaces; `netns-rs` makes and names the lab's own under the first.
#[derive(Clone, Debug)]
pub(super) struct Names {
    net: PathBuf,
    users: PathBuf,
    faults: Faults,
}

impl Names {
    /// Makes the folders.
    pub(super) fn in_folders(net: PathBuf, users: PathBuf, faults: Faults) -> io::Result<Self> {
        fs::create_dir_all(&net)?;
        fs::create_dir_all(&users)?;
        Ok(Self { net, users, faults })
    }

    /// Returns the faults injected in the lab on purpose.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    fn users(&self) -> &Path {
        &self.users
    }
}

impl netns_rs::Env for Names {
    fn persist_dir(&self) -> PathBuf {
        self.net.clone()
    }

    // The folder is on the sandbox's own tmpfs: it needs no sharing with anybody.
    fn init(&self) -> netns_rs::Result<()> {
        Ok(())
    }
}

impl Namespace {
    /// Makes one. Where programs of a user's run, in instances and hosts, it belongs to a user namespace of its own, so that
    /// root inside reaches nothing else.
    pub(super) fn make(names: &Names, name: NodeName, kind: NodeKind, families: Families) -> Result<Self, FabricError> {
        let faults = names.faults();
        let made = faults.around(&name, "make the namespace", || Self::made(names, &name, kind, families));
        made.map_err(|source| FabricError::Namespace { node: name, source })
    }

    fn made(names: &Names, name: &NodeName, kind: NodeKind, families: Families) -> io::Result<Self> {
        let path = names.net.join(&name.0);
        let faults = names.faults().clone();
        if matches!(kind, NodeKind::Instance | NodeKind::Appliance | NodeKind::Host) {
            let fenced = instance_namespaces::fenced_namespaces(&ids::of_instances())?;
            let user = Some((fenced.user, names.users().join(&name.0)));
            // Whole before it has its names: if it cannot get the second, it goes, and the first with it.
            let (counted, forgotten, ended) = (Mutex::default(), Mutex::default(), Mutex::default());
            let (name, net, entered) = (name.clone(), fenced.net, AtomicBool::new(false));
            let made = Self { name, kind, families, faults, counted, forgotten, ended, entered, net, user, path };
            publish(&made.net, &made.path)?;
            if let Some((user, path)) = &made.user {
                publish(user, path)?;
            }
            return Ok(made);
        }
        let named = netns_rs::NetNs::new_with_env(&name.0, names.clone()).map_err(io::Error::other);
        let net = named.and_then(|named| named.file().as_fd().try_clone_to_owned());
        let net = net.inspect_err(|_| unpublish(&path))?;
        let (counted, forgotten, ended) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (name, entered) = (name.clone(), AtomicBool::new(false));
        Ok(Self { name, kind, families, faults, counted, forgotten, ended, entered, net, user: None, path })
    }

    /// Its network namespace.
    pub fn net(&self) -> &OwnedFd {
        &self.net
    }

    /// The user namespace that owns it, if it is an instance's or a host's.
    pub fn user(&self) -> Option<&OwnedFd> {
        self.user.as_ref().map(|(user, _)| user)
    }

    /// From now on nothing in it need be as the lab has left it: programs of the user's run there, and are root.
    pub(super) fn mark_entered(&self) {
        self.entered.store(true, Ordering::Relaxed);
    }

    /// Reports whether programs of the user's have run in it.
    pub(super) fn was_entered(&self) -> bool {
        self.entered.load(Ordering::Relaxed)
    }

    /// Returns the path by which it can be opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path by which its user namespace can be opened, if it has one of its own.
    pub fn user_path(&self) -> Option<&Path> {
        self.user.as_ref().map(|(_, path)| path.as_path())
    }

    /// Moves the calling thread into it, for good: for plain threads only, never for one of tokio's.
    pub(crate) fn enter(&self) -> io::Result<()> {
        setns(&self.net, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    /// Runs a task inside, on a thread of its own, and waits for it.
    ///
    /// # Errors
    /// [`FabricError::Enter`] if the namespace cannot be entered or the task panics.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FabricError> {
        /// A lab of thousands of namespaces starts no thousands of threads.
        static PLACES: Semaphore = Semaphore::const_new(MAX_CONCURRENT);
        let (done, result) = oneshot::channel();
        let namespace = Arc::clone(self);
        // It is never closed.
        let place = PLACES.acquire().await.ok();
        let spawned = std::thread::Builder::new().name(self.name.0.clone()).spawn(move || {
            let _place = place;
            let outcome = namespace.enter().map(|()| task());
            // Nobody waits any longer if the lab is being dropped.
            drop(done.send(outcome));
        });
        let failed = |source| FabricError::Enter { node: self.name.clone(), source };
        spawned.map_err(failed)?;
        match result.await {
            Ok(outcome) => outcome.map_err(failed),
            Err(_) => Err(failed(io::Error::other("the task inside panicked"))),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        [Some(self.path()), self.user_path()].into_iter().flatten().for_each(unpublish);
    }
}

/// Takes a name away. One that is gone already is as good; the sandbox's end takes the rest.
fn unpublish(path: &Path) {
    let _ = umount2(path, MntFlags::MNT_DETACH);
    drop(fs::remove_file(path));
}

/// Gives a namespace a name that `ip netns` finds: a bind mount, as `netns-rs` does for those that it makes itself.
fn publish(net: &OwnedFd, path: &Path) -> io::Result<()> {
    File::create(path)?;
    let source = format!("/proc/self/fd/{}", net.as_raw_fd());
    const NONE: Option<&str> = None;
    mount(Some(source.as_str()), path, NONE, MsFlags::MS_BIND, NONE).map_err(io::Error::from)
}
