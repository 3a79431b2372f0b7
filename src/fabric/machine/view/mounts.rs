//! What an instance sees at places of its own choice.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use serde::{Deserialize, Serialize};

use super::{DATA, Failed, NONE, PLACE, View, at, bind, inside, outside};
use crate::fabric::machine::links::{follow, open_below, open_followed};
use crate::fabric::raw;
use crate::model::MountPlace;

/// Where a folder is made anew.
const STAGE: &str = "/run/sglab/stage";
/// So many mounts are named at the most.
const MOST_NAMED: usize = 5;

/// What an instance sees at a place of its own choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where: an absolute path.
    pub place: PathBuf,
    /// What.
    pub source: Source,
}

/// What is shown. Paths of the host's are absolute, and without links.
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

/// What is mounted, and the number of the user namespace, among those sent along, whose ids it is shown with.
pub(in crate::fabric::machine) type WithIds = (Mount, Option<usize>);

/// A place that something is shown at, and whether that is of the host's.
struct Shown {
    place: PathBuf,
    of_host: bool,
}

/// What has been shown so far, what lies above before what lies below.
#[derive(Default)]
pub(super) struct ShownSoFar(Vec<Shown>);

/// Those of a list that lie in the instance's own data or not, what lies above before what lies below.
pub(super) fn in_order(mounts: &[WithIds], in_data: bool) -> Vec<&WithIds> {
    let mut some: Vec<&WithIds> = mounts.iter().filter(|(mount, _)| mount.place.starts_with(DATA) == in_data).collect();
    some.sort_by_key(|(mount, _)| mount.place.components().count());
    some
}

impl View {
    /// Shows one. What instances may write to, another instance may alter meanwhile: so each name is looked up once, without links, and
    /// what is shown is made read-only before it is anywhere.
    pub(super) fn show(&self, (mount, ids): &WithIds, users: &[OwnedFd], shown: &mut ShownSoFar) -> Result<(), Failed> {
        let Mount { place, source } = mount;
        let real = follow(Path::new(PLACE), place).map_err(at(format!("find {}", place.display())))?.path;
        if real != *place && MountPlace::new(&real.to_string_lossy()).is_err() {
            let attempt = format!("mount something at {}, which is {}", place.display(), real.display());
            return Err((attempt, Errno::EBUSY.into()));
        }
        let place = inside(&real);
        match source {
            Source::Empty => {
                self.make_room(&place, Kind::Folder, shown)?;
                let opened = self.place(&real)?;
                self.own_folder(&PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())), 0o1777)
                    .map_err(|(_, error)| (format!("mount an empty folder at {}", real.display()), error))?;
            }
            Source::ReadOnly(host) | Source::Writable(host) | Source::Surroundings(host) => {
                let words = || format!("show {} as {}", host.display(), real.display());
                let found = open_followed(host, OFlag::O_PATH).map_err(at(words()))?;
                let kind = Kind::of(&found).map_err(at(words()))?;
                self.make_room(&place, kind, shown)?;
                kind.fits(host, &place)?;
                let user = ids.and_then(|number| users.get(number));
                let tree = raw::copy_of_mounts(found.as_fd()).map_err(at(words()))?;
                self.dress(source, host, &tree, user)?;
                raw::put_mounts(tree.as_fd(), self.place(&real)?.as_fd()).map_err(at(words()))?;
                self.hide_in(source)?;
            }
        }
        shown.0.push(Shown { place, of_host: *source != Source::Empty });
        Ok(())
    }

    fn place(&self, real: &Path) -> Result<OwnedFd, Failed> {
        let words = || format!("mount something at {}", real.display());
        let root = File::open(PLACE).map_err(at(words()))?;
        open_below(&root, real, OFlag::O_PATH).map_err(at(words()))
    }

    fn dress(&self, source: &Source, host: &Path, tree: &OwnedFd, user: Option<&OwnedFd>) -> Result<(), Failed> {
        let given = user.map_or(Ok(()), |user| raw::give_ids(tree.as_fd(), user.as_fd()));
        let writable = matches!(source, Source::Writable(_));
        match given {
            // What is only read is shown all the same: what others may read of it.
            Err(errno) if writable => {
                let words = format!("let the instance write to {}, since {}", host.display(), without_ids(host, errno));
                Err(at(words)(errno))
            }
            _ => raw::disarm_mounts(tree.as_fd(), !writable).map_err(at(format!("show {}", host.display()))),
        }
    }

    /// What nobody is to see in the folder of a file is not seen there either.
    fn hide_in(&self, source: &Source) -> Result<(), Failed> {
        let Source::Surroundings(host) = source else { return Ok(()) };
        let below = self.hidden.iter().filter(|folder| folder.starts_with(host) && *folder != host);
        for folder in below.map(|folder| inside(folder)).filter(|folder| folder.is_dir()) {
            self.own_folder(&folder, 0o755)?;
        }
        Ok(())
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
    /// Whoever writes to the folder that it lies in may have made something else of it since it was looked at.
    fn of(found: &OwnedFd) -> io::Result<Self> {
        match File::from(found.try_clone()?).metadata()?.file_type() {
            kind if kind.is_dir() => Ok(Self::Folder),
            kind if kind.is_file() => Ok(Self::File),
            _ => Err(io::Error::other("it is neither a file nor a folder")),
        }
    }

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

/// Why the kernel shows a folder with no other ids: it does so for all that is mounted there or for none.
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
        all.iter().filter(|(at, _)| at.starts_with(host) && at != host).take(MOST_NAMED).map(named).collect();
    let mut why = match errno {
        Errno::EPERM => format!("{kind} is mounted there with ids of its own already, or by another user namespace"),
        _ => format!("{kind} shows no files with an instance's ids (ext4, xfs, btrfs and tmpfs do)"),
    };
    if !below.is_empty() {
        why = format!("{why}, or what is mounted in it cannot: {}", below.join(", "));
    }
    why
}
