//! What an instance sees at places of its own choice.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use serde::{Deserialize, Serialize};

use super::{DATA, Failed, NONE, View, at, bind, inside, outside, restrict};
use crate::fabric::raw;
use crate::model::MountPlace;

/// Where a folder is made anew.
const STAGE: &str = "/run/sglab/stage";
/// So many links are followed on the way to a place.
const MOST_LINKS: usize = 40;

/// What an instance sees at a place of its own choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where: an absolute path.
    pub place: PathBuf,
    /// What.
    pub source: Source,
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// An empty folder in memory, which goes with the instance's processes.
    Empty,
    /// A file or a folder of the host's, by an absolute path; the instance may only read.
    ReadOnly(PathBuf),
    /// One that the instance may write to.
    Writable(PathBuf),
    /// A folder of the host's as others see it, but for what is hidden in it; the instance may only read.
    Surroundings(PathBuf),
}

/// A place that something is shown at, and whether that is of the host's.
struct Shown {
    place: PathBuf,
    of_host: bool,
}

/// What has been shown so far, what lies above before what lies below.
#[derive(Default)]
pub(super) struct ShownSoFar(Vec<Shown>);

/// Those of a list that lie in the instance's own data or not, what lies above before what lies below.
pub(super) fn in_order(mounts: &[Mount], in_data: bool) -> Vec<&Mount> {
    let mut some: Vec<&Mount> = mounts.iter().filter(|mount| mount.place.starts_with(DATA) == in_data).collect();
    some.sort_by_key(|mount| mount.place.components().count());
    some
}

impl View {
    pub(super) fn show(&self, mount: &Mount, user: &OwnedFd, shown: &mut ShownSoFar) -> Result<(), Failed> {
        let Mount { place, source } = mount;
        let real = resolve(place)?;
        if real != *place && MountPlace::new(&real.to_string_lossy()).is_err() {
            let attempt = format!("mount something at {}, which is {}", place.display(), real.display());
            return Err((attempt, Errno::EBUSY.into()));
        }
        let place = inside(&real);
        match source {
            Source::Empty => {
                self.make_room(&place, Kind::Folder, shown)?;
                self.own_folder(&place, 0o1777)?;
            }
            Source::ReadOnly(host) | Source::Writable(host) | Source::Surroundings(host) => {
                let found = fs::metadata(host).map_err(at(format!("show {} as {}", host.display(), real.display())))?;
                let kind = if found.is_dir() { Kind::Folder } else { Kind::File };
                self.make_room(&place, kind, shown)?;
                kind.fits(host, &place)?;
                self.show_host(source, host, &place, user)?;
            }
        }
        shown.0.push(Shown { place, of_host: *source != Source::Empty });
        Ok(())
    }

    fn show_host(&self, source: &Source, host: &Path, place: &Path, user: &OwnedFd) -> Result<(), Failed> {
        let ids = || match self.owner_is_caller() {
            true => None,
            // Files keep their owners: what belongs to root on the host is root's in the instance, and the other way round.
            false => Some(raw::show_with_ids_of(user.as_fd(), host, place)),
        };
        match source {
            Source::Empty => Ok(()),
            Source::Writable(_) => match ids() {
                Some(shown) => shown.map_err(at(format!(
                    "let the instance write to {}, since {} shows no files with an instance's ids (ext4, xfs, btrfs and tmpfs do)",
                    host.display(),
                    file_system(host)
                ))),
                None => {
                    bind(host, place)?;
                    raw::disarm_mounts(place).map_err(at(format!("show {}", host.display())))
                }
            },
            Source::ReadOnly(_) => {
                // What root alone may read the instance's root reads, where the file system can; else what others may.
                if !matches!(ids(), Some(Ok(()))) {
                    bind(host, place)?;
                }
                restrict(place)
            }
            Source::Surroundings(_) => {
                bind(host, place)?;
                restrict(place)?;
                let below = self.hidden.iter().filter(|folder| folder.starts_with(host) && *folder != host);
                for folder in below.map(|folder| inside(folder)).filter(|folder| folder.is_dir()) {
                    self.own_folder(&folder, 0o755)?;
                }
                Ok(())
            }
        }
    }

    /// Sees to it that something is there to be mounted on. Nothing is ever made in a folder of the user's.
    fn make_room(&self, place: &Path, kind: Kind, shown: &ShownSoFar) -> Result<(), Failed> {
        if place.exists() {
            return Ok(());
        }
        let above = place.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
        let around =
            shown.0.iter().filter(|it| above.starts_with(&it.place)).max_by_key(|it| it.place.components().count());
        if let Some(Shown { place: around, .. }) = around.filter(|around| around.of_host) {
            let attempt = format!(
                "mount something at {}, which is not there in what is mounted at {}",
                outside(place).display(),
                outside(around).display()
            );
            return Err((attempt, ErrorKind::NotFound.into()));
        }
        match kind.make(place) {
            Err(error) if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
                self.make_anew(above, place, kind)
            }
            made => made.map_err(at(format!("make {}", outside(place).display()))),
        }
    }

    /// Puts a folder in memory in place of one of the host's, which shows all that is in that, and has room for something else.
    fn make_anew(&self, folder: &Path, room: &Path, kind: Kind) -> Result<(), Failed> {
        let words = || format!("make room for {}", outside(room).display());
        let stage = Path::new(STAGE);
        fs::create_dir_all(stage).map_err(at(words()))?;
        let mode = fs::metadata(folder).map_err(at(words()))?.mode();
        self.own_folder(stage, mode & 0o7777)?;
        for entry in fs::read_dir(folder).map_err(at(words()))? {
            let entry = entry.map_err(at(words()))?;
            let (from, to) = (entry.path(), stage.join(entry.file_name()));
            let kind = entry.file_type().map_err(at(words()))?;
            let made = if kind.is_symlink() {
                fs::read_link(&from).and_then(|target| symlink(target, &to))
            } else {
                if kind.is_dir() { fs::create_dir(&to) } else { File::create(&to).map(drop) }
            };
            made.map_err(at(words()))?;
            if !kind.is_symlink() {
                bind(&from, &to)?;
            }
        }
        let rest = room.strip_prefix(folder).unwrap_or(room);
        kind.make(&stage.join(rest)).map_err(at(words()))?;
        // Itself alone: what is mounted in it stays as it was.
        let flags =
            MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(NONE, stage, NONE, flags, NONE).map_err(at(words()))?;
        mount(Some(stage), folder, NONE, MsFlags::MS_MOVE, NONE).map_err(at(words()))
    }
}

/// What is mounted, and so what it is mounted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

impl Kind {
    fn make(self, place: &Path) -> io::Result<()> {
        let folder = |place: &Path| DirBuilder::new().recursive(true).mode(0o755).create(place);
        match self {
            Self::Folder => folder(place),
            Self::File => {
                place.parent().map_or(Ok(()), folder)?;
                File::create(place).map(drop)
            }
        }
    }

    fn fits(self, host: &Path, place: &Path) -> Result<(), Failed> {
        let (what, there, errno) = match (self, place.is_dir()) {
            (Self::Folder, false) => ("a folder", "a file", Errno::ENOTDIR),
            (Self::File, true) => ("a file", "a folder", Errno::EISDIR),
            _ => return Ok(()),
        };
        let (host, place) = (host.display(), outside(place));
        Err((format!("show {host}, {what}, as {}, where {there} is", place.display()), errno.into()))
    }
}

/// The place that is meant in the instance, links on the way followed there: those of the host's folders lead to the instance's own.
fn resolve(place: &Path) -> Result<PathBuf, Failed> {
    let mut real = PathBuf::from("/");
    let mut left: Vec<OsString> = names(place);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(name);
        let Ok(target) = fs::read_link(inside(&next)) else {
            real = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err((format!("find {}", place.display()), Errno::ELOOP.into()));
        }
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        left.extend(names(&target));
    }
    Ok(real)
}

/// The parts of a path, the last first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// The kind of the file system that a path is on.
fn file_system(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of = |line: &str| {
        let (mount, about) = line.split_once(" - ")?;
        let at = PathBuf::from(mount.split(' ').nth(4)?.replace("\\040", " "));
        Some((at, about.split(' ').next()?.to_owned()))
    };
    // Of two at one place the later is seen.
    let around = mounts
        .lines()
        .filter_map(of)
        .filter(|(at, _)| path.starts_with(at))
        .max_by_key(|(at, _)| at.components().count());
    around.map_or_else(|| "its file system".to_owned(), |(_, kind)| kind)
}
