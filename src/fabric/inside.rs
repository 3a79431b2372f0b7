//! A caller's own code inside a namespace: a future on a thread of its own, with sockets and names of that place.

use std::any::Any;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use tokio::sync::oneshot;

use super::error::FabricError;
use super::namespace::Namespace;
use crate::sandbox::machine::view::Mounts;
use crate::sandbox::machine::{InstanceHome, Machine, StartError};
use crate::sandbox::{Sandbox, raw};

/// A namespace, and what code in it finds in `/etc`.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Namespace that the code runs in.
    pub namespace: Arc<Namespace>,
    /// Its `/etc/hosts`.
    pub hosts: PathBuf,
    /// Its `/etc/resolv.conf`.
    pub resolver: PathBuf,
}

/// End of a future inside.
#[derive(Debug)]
pub enum Ending<T> {
    /// It gave this.
    Done(T),
    /// It panicked with this.
    Panicked(Box<dyn Any + Send>),
    /// It was dropped before its end: the place that it ran in is no more.
    Stopped,
}

/// A future under way inside. Dropping this drops the future.
#[derive(Debug)]
pub struct Task<T> {
    ending: oneshot::Receiver<io::Result<Ending<T>>>,
    namespace: Arc<Namespace>,
}

impl Inside {
    /// Drives a future on a thread that is inside, with a runtime of its own, until it is done, `gone` is, or the [`Task`] is
    /// dropped. Threads that the future starts, for resolving names too, are born there and are inside as well.
    ///
    /// # Errors
    /// [`FabricError::Enter`] if no thread can be started.
    pub fn drive<T, F>(
        self,
        make: impl FnOnce() -> F + Send + 'static,
        gone: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Task<T>, FabricError>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let (done, ending) = oneshot::channel();
        let namespace = Arc::clone(&self.namespace);
        namespace.mark_entered();
        let thread = std::thread::Builder::new().name(namespace.name.0.clone());
        let started = thread.spawn(move || self.run(make, gone, done));
        started.map_err(|source| FabricError::Enter { node: namespace.name.clone(), source })?;
        Ok(Task { ending, namespace })
    }

    /// Starts the first process of the instance whose namespace it is, as [`Machine::start`] does.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_machine(&self, data: PathBuf, mounts: Mounts, sandbox: Sandbox) -> Result<Machine, StartError> {
        let name = self.namespace.name.to_string();
        let failed = |source| StartError { attempt: format!("start the first process of {name}"), source };
        let user = self.namespace.user();
        let user = user.ok_or_else(|| failed(io::Error::other("it is neither an instance nor a host")))?;
        let user = user.try_clone().map_err(failed)?;
        let net = self.namespace.net().try_clone().map_err(failed)?;
        self.namespace.mark_entered();
        let (hosts, resolver) = (self.hosts.clone(), self.resolver.clone());
        Machine::start(InstanceHome { name, user, net, hosts, resolver }, data, mounts, sandbox).await
    }

    /// The thread's work.
    fn run<T, F: Future<Output = T>>(
        &self,
        make: impl FnOnce() -> F,
        gone: impl Future<Output = ()>,
        mut done: oneshot::Sender<io::Result<Ending<T>>>,
    ) {
        let entered = self.namespace.enter().and_then(|()| self.show_files());
        let runtime = entered.and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(done.send(Err(error))),
        };
        let driven = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    value = async { make().await } => Ending::Done(value),
                    () = gone => Ending::Stopped,
                    () = done.closed() => Ending::Stopped,
                }
            })
        }));
        // What it has spawned ends here; a blocking call that hangs is not waited for.
        runtime.shutdown_background();
        drop(done.send(Ok(driven.unwrap_or_else(Ending::Panicked))));
    }

    /// Gives the calling thread mounts of its own, with the lab's names in them.
    fn show_files(&self) -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        show(&self.hosts, Path::new("/etc/hosts"))?;
        show(&self.resolver, Path::new("/etc/resolv.conf"))
    }
}

/// Shows a file in place of another, where the system has that. Many have `/etc/resolv.conf` as a link into `/run`, which is the
/// sandbox's own and has nothing there yet: the file is mounted on the link, so that nothing is made where it leads.
pub(super) fn show(file: &Path, place: &Path) -> io::Result<()> {
    let named = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let place = match open(place, named, Mode::empty()) {
        Ok(place) => place,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let file = open(file, named, Mode::empty())?;
    Ok(raw::put_mounts(raw::copy_of_mounts(file.as_fd())?.as_fd(), place.as_fd())?)
}

impl<T> Task<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`FabricError::Enter`] if the thread could not get inside.
    pub async fn ending(&mut self) -> Result<Ending<T>, FabricError> {
        let ended = (&mut self.ending).await;
        let ended = ended.unwrap_or_else(|_| Err(io::Error::other("the thread inside has gone")));
        ended.map_err(|source| FabricError::Enter { node: self.namespace.name.clone(), source })
    }
}
