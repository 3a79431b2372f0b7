//! The files that the output of processes is added to.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;
use nix::unistd::geteuid;

use super::mounted::Mounted;
use super::sources;
use crate::sandbox::ids::{InstanceRoot, instance_root};
use crate::sandbox::machine::links;

/// Time to wait for a lease on a log: who holds one in good faith gives it up at once.
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two tries: the kernel tells nobody that a lease has ended.
const LEASE_PAUSE: Duration = Duration::from_millis(50);

/// Purpose for which a log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogUse {
    /// To read what was said.
    Read,
    /// To add to it, and nothing else: it becomes the output of a process, which is not to read what others have said.
    Add,
}

impl LogUse {
    fn flags(self) -> OFlag {
        match self {
            Self::Read => OFlag::O_RDONLY,
            Self::Add => OFlag::O_WRONLY | OFlag::O_APPEND,
        }
    }
}

impl Mounted {
    /// Opens a log, which somebody may still have to give up a lease on.
    pub(super) async fn open_leased_log(&self, path: &Path, wanted: LogUse) -> io::Result<File> {
        let begun = Instant::now();
        loop {
            match self.open_log(path, wanted) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < LEASE_TIMEOUT => {
                    tokio::time::sleep(LEASE_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens a log; one that is to be added to is made if it is not there. It is where its name says, and not where a link leads that an
    /// instance may have made.
    ///
    /// Never waits, whatever instances or others have made of it: a pipe, or a file that they hold a lease on.
    pub(super) fn open_log(&self, path: &Path, wanted: LogUse) -> io::Result<File> {
        let followed = self.untampered(path).map_err(io::Error::other)?;
        let (Some(folder), Some(name)) = (followed.folder(), followed.path.file_name()) else {
            return Err(ErrorKind::NotFound.into());
        };
        let open = |more: OFlag| links::open_in(folder, name, wanted.flags() | more | OFlag::O_NONBLOCK);
        let opened = open(OFlag::empty()).or_else(|error| match (error.kind(), wanted) {
            (ErrorKind::NotFound, LogUse::Add) => match open(OFlag::O_CREAT | OFlag::O_EXCL) {
                Ok(made) => give_to_owner_of(folder, made),
                // Another process of the same log has been faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => open(OFlag::empty()),
                Err(error) => Err(error),
            },
            _ => Err(error),
        });
        let log = opened.map(File::from).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => io::Error::new(ErrorKind::WouldBlock, "some program holds a lease on it"),
            // A pipe that nobody reads, or a socket, is not opened at all.
            _ => kind_of(folder, name).err().unwrap_or(error),
        })?;
        sources::fit_log(&log.metadata()?).map_err(io::Error::other)?;
        refuse_strange(folder, &log)?;
        // A process that has it as its output is to find nothing unusual.
        fcntl(&log, FcntlArg::F_SETFL(wanted.flags() & OFlag::O_APPEND))?;
        Ok(log)
    }
}

/// Refuses what is no file that can be a log.
fn kind_of(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match links::open_in(folder, name, OFlag::O_PATH) {
        Ok(there) => sources::fit_log(&File::from(there).metadata()?).map_err(io::Error::other),
        Err(_) => Ok(()),
    }
}

/// Gives a log that was made to whom its folder belongs. One of root's in a folder of somebody else's could be moved to where an instance has
/// it as its owner does.
fn give_to_owner_of(folder: BorrowedFd<'_>, made: OwnedFd) -> io::Result<OwnedFd> {
    if instance_root() != InstanceRoot::Caller {
        let owner = fstat(folder)?;
        if owner.st_uid != geteuid().as_raw() {
            fchown(&made, Some(owner.st_uid), Some(owner.st_gid))?;
        }
    }
    Ok(made)
}

/// Refuses a log of one user's in a folder of another's, in a lab of root's: somebody may have moved it there.
fn refuse_strange(folder: BorrowedFd<'_>, log: &File) -> io::Result<()> {
    if instance_root() == InstanceRoot::Caller {
        return Ok(());
    }
    let (folder, log) = (fstat(folder)?.st_uid, log.metadata()?.uid());
    if folder == log || folder == geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it belongs to user {log} and its folder to user {folder}, who may have moved it there"
    )))
}
