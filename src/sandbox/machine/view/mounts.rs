//! Mounts that an instance sees at places of its own choice.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use serde::{Deserialize, Serialize};

use super::tree::{Kind, Tree};
use crate::model::{DATA_FOLDER, MountPlace};
use crate::sandbox::machine::calls::{Failed, at};
use crate::sandbox::machine::links::open_followed;
use crate::sandbox::raw;

/// Mounts that an error names, at the most.
const MAX_NAMED: usize = 5;

/// A mount that an instance sees at a place of its own choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path of the mount point.
    pub place: PathBuf,
    /// Source of what is shown there.
    pub source: Source,
    /// User and group whose it has to be, where an instance's root has it as they do. An instance may have put something else there.
    pub owner: Option<(u32, u32)>,
}

/// Mounts of an instance, and the paths of the host that any instance may write to.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    /// Its mounts.
    pub all: Vec<Mount>,
    /// Files and folders, by their paths without links.
    pub written: Vec<PathBuf>,
}

/// Source of a mount. Paths of the host's are absolute, and without links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// An empty folder in memory, which goes with the instance's processes.
    Empty,
    /// A file or a folder of the host's; the instance may only read.
    ReadOnly(PathBuf),
    /// One that the instance may write to.
    Writable(PathBuf),
    /// A folder of the host's as others see it, but for what is hidden in it; the instance may only read.
    Surroundings(PathBuf),
}

/// A mount, and the number of the user namespace, among those sent along, whose ids it is shown with.
pub(in crate::sandbox::machine) type WithIds = (Mount, Option<usize>);

/// Those of a list that lie in the instance's own data or not, what lies above before what lies below.
pub(super) fn in_order(mounts: &[WithIds], in_data: bool) -> Vec<&WithIds> {
    let mut some: Vec<&WithIds> =
        mounts.iter().filter(|(mount, _)| mount.place.starts_with(DATA_FOLDER) == in_data).collect();
    some.sort_by_key(|(mount, _)| mount.place.components().count());
    some
}

impl Mount {
    /// Shows it with the ids of a user namespace, without what is hidden in it. What instances may write to, another instance may alter
    /// meanwhile: so each name is looked up once, without links, and what is shown is made read-only before it is anywhere.
    pub(super) fn show(&self, user: Option<&OwnedFd>, hidden: &[PathBuf], tree: &mut Tree) -> Result<(), Failed> {
        let Self { place, source, owner } = self;
        let place_found = tree.follow(place)?;
        let real = place_found.path.clone();
        if real != *place && MountPlace::new(&real.to_string_lossy()).is_err() {
            let attempt = format!("mount something at {}, which is {}", place.display(), real.display());
            return Err((attempt, Errno::EBUSY.into()));
        }
        match source {
            Source::Empty => {
                let room = tree.room(&place_found, Kind::Folder)?;
                tree.mount_memory(&room, &real, 0o1777)
                    .map_err(|(_, error)| (format!("mount an empty folder at {}", real.display()), error))
            }
            Source::ReadOnly(host) | Source::Writable(host) | Source::Surroundings(host) => {
                let words = || format!("show {} as {}", host.display(), real.display());
                let opened = open_followed(host, OFlag::O_PATH).map_err(at(words()))?;
                let found = fstat(&opened).map_err(at(words()))?;
                if owner.is_some_and(|owner| owner != (found.st_uid, found.st_gid)) {
                    let attempt = format!("{}: it belongs to another user or group now", words());
                    return Err((attempt, Errno::EPERM.into()));
                }
                let kind = Kind::of(&found).map_err(at(words()))?;
                let room = tree.room(&place_found, kind)?;
                kind.fits(host, &room, &real)?;
                let copy = raw::copy_of_mounts(opened.as_fd()).map_err(at(words()))?;
                source.dress(host, &copy, user)?;
                raw::put_mounts(copy.as_fd(), room.as_fd()).map_err(at(words()))?;
                tree.shows_host_at(&real);
                source.hide_in(&real, hidden, tree)
            }
        }
    }
}

impl Source {
    fn dress(&self, host: &Path, tree: &OwnedFd, user: Option<&OwnedFd>) -> Result<(), Failed> {
        let given = user.map_or(Ok(()), |user| raw::give_ids(tree.as_fd(), user.as_fd()));
        let writable = matches!(self, Self::Writable(_));
        match given {
            // What is only read is shown all the same: what others may read of it.
            Err(errno) if writable => {
                let words = format!("let the instance write to {}, since {}", host.display(), without_ids(host, errno));
                Err(at(words)(errno))
            }
            _ => raw::disarm_mounts(tree.as_fd(), !writable).map_err(at(format!("show {}", host.display()))),
        }
    }

    /// Hides in the folder of a file what nobody is to see there either.
    fn hide_in(&self, place: &Path, hidden: &[PathBuf], tree: &mut Tree) -> Result<(), Failed> {
        let Self::Surroundings(host) = self else { return Ok(()) };
        let below = hidden.iter().filter_map(|folder| folder.strip_prefix(host).ok());
        for rest in below.filter(|rest| !rest.as_os_str().is_empty()) {
            tree.hide(&place.join(rest))?;
        }
        Ok(())
    }
}

impl Kind {
    fn fits(self, what: &Path, room: &OwnedFd, place: &Path) -> Result<(), Failed> {
        let shown = what.display();
        let there = fstat(room).map_err(at(format!("show {shown} as {}", place.display())))?;
        let (kind, there, errno) = match (self, Self::of(&there).ok()) {
            (Self::Folder, Some(Self::Folder)) => return Ok(()),
            (Self::Folder, _) => ("a folder", "a file", Errno::ENOTDIR),
            (Self::File, Some(Self::Folder)) => ("a file", "a folder", Errno::EISDIR),
            (Self::File, _) => return Ok(()),
        };
        Err((format!("show {shown}, {kind}, as {}, where {there} is", place.display()), errno.into()))
    }
}

/// Explains why the kernel shows a folder with no other ids: it does so for all that is mounted there or for none.
fn without_ids(host: &Path, errno: Errno) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of = |line: &str| {
        let (mount, about) = line.split_once(" - ")?;
        let at = PathBuf::from(mount.split(' ').nth(4)?.replace("\\040", " "));
        Some((at, about.split(' ').next()?.to_owned()))
    };
    let all: Vec<(PathBuf, String)> = mounts.lines().filter_map(of).collect();
    // Of two at one place the later is seen.
    let around = all.iter().filter(|(at, _)| host.starts_with(at)).max_by_key(|(at, _)| at.components().count());
    let kind = around.map_or("its file system", |(_, kind)| kind.as_str());
    let named = |(at, kind): &(PathBuf, String)| format!("{} ({kind})", at.display());
    let below: Vec<String> =
        all.iter().filter(|(at, _)| at.starts_with(host) && at != host).take(MAX_NAMED).map(named).collect();
    let mut why = match errno {
        Errno::EPERM => format!("{kind} is mounted there with ids of its own already, or by another user namespace"),
        _ => format!("{kind} shows no files with an instance's ids (ext4, xfs, btrfs and tmpfs do)"),
    };
    if !below.is_empty() {
        why = format!("{why}, or what is mounted in it cannot: {}", below.join(", "));
    }
    why
}
