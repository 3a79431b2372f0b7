//! The tree that an instance will see, while it is made. What other instances may write to lies in it already, and they rename and link what
//! they like meanwhile: so everything here goes by descriptor, and no path is looked up twice.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};
use nix::unistd::symlinkat;

use crate::sandbox::machine::calls::{Failed, at};
use crate::sandbox::machine::links::{self, ResolvedPath, follow_in, is};
use crate::sandbox::raw;

/// Root of the tree while it is made: on the lab's own tmpfs.
pub(super) const PLACE: &str = "/run/sglab/root";
/// Mount point of new memory, from which it is moved.
const STAGE: &str = "/run/sglab/stage";
/// Opens what a name is, also a link.
const NAMED: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Kind of what is mounted, and so of what it is mounted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

impl Kind {
    /// Whoever writes to the folder that it lies in may have made something else of it since it was looked at.
    pub fn of(found: &FileStat) -> io::Result<Self> {
        match found {
            found if is(found, SFlag::S_IFDIR) => Ok(Self::Folder),
            found if is(found, SFlag::S_IFREG) => Ok(Self::File),
            _ => Err(io::Error::other("it is neither a file nor a folder")),
        }
    }

    /// Makes one; nothing may be there.
    fn make(self, folder: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
        match self {
            Self::Folder => mkdirat(folder, name, Mode::from_bits_truncate(0o755))?,
            Self::File => {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
                drop(openat(folder, name, flags, Mode::from_bits_truncate(0o644))?);
            }
        }
        openat(folder, name, NAMED, Mode::empty())
    }

    /// Makes one, and the folders above it.
    fn make_below(self, folder: BorrowedFd<'_>, names: &[OsString]) -> nix::Result<OwnedFd> {
        let (last, above) = names.split_last().ok_or(Errno::EEXIST)?;
        let mut made: Option<OwnedFd> = None;
        for name in above {
            let next = Self::Folder.make(made.as_ref().map_or(folder, AsFd::as_fd), name)?;
            made = Some(next);
        }
        self.make(made.as_ref().map_or(folder, AsFd::as_fd), last)
    }
}

/// The tree, and what of it nobody else has.
pub(super) struct Tree {
    root: OwnedFd,
    /// Root of the instance, by the lab's ids.
    owner: (u32, u32),
    /// File systems in memory that were made for this tree. Only there anything is made.
    own: Vec<libc::dev_t>,
    /// Places of the instance's own choice where files of the host's are shown.
    of_host: Vec<PathBuf>,
    /// Folders and files of the host's that instances may write to.
    written: Vec<PathBuf>,
}

impl Tree {
    /// An empty one.
    pub fn begin(owner: (u32, u32), written: &[PathBuf]) -> Result<Self, Failed> {
        for folder in [PLACE, STAGE] {
            fs::create_dir_all(folder).map_err(at(format!("make {folder}")))?;
        }
        let words = || format!("mount {PLACE}");
        mount_memory(PLACE, owner, 0o755).map_err(at(words()))?;
        let root = open(PLACE, NAMED, Mode::empty()).map_err(at(words()))?;
        let own = vec![fstat(&root).map_err(at(words()))?.st_dev];
        Ok(Self { root, owner, own, of_host: Vec::new(), written: written.to_vec() })
    }

    /// Follows a path in it.
    pub fn follow(&self, path: &Path) -> Result<ResolvedPath, Failed> {
        let followed = self.root.try_clone().and_then(|root| follow_in(root, path));
        followed.map_err(at(format!("find {}", path.display())))
    }

    /// Opens what a path names in it, also a link; its folder is followed.
    pub fn named(&self, path: &Path) -> Result<Option<OwnedFd>, Failed> {
        let words = || format!("find {}", path.display());
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let folder = self.follow(folder)?;
        let Some(folder) = folder.opened() else { return Ok(None) };
        match openat(folder, name, NAMED, Mode::empty()) {
            Ok(named) => Ok(Some(named)),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => Ok(None),
            Err(errno) => Err(at(words())(errno)),
        }
    }

    /// The folder that a path names in it, if there is one and no link leads there.
    pub fn folder(&self, path: &Path) -> Result<Option<OwnedFd>, Failed> {
        let words = || format!("find {}", path.display());
        let found = self.follow(path)?;
        let Some(found) = found.opened().filter(|_| found.links.is_empty()) else { return Ok(None) };
        let kind = fstat(found).map_err(at(words()))?;
        let folder = is(&kind, SFlag::S_IFDIR).then(|| found.try_clone_to_owned());
        folder.transpose().map_err(at(words()))
    }

    /// Mounts memory at a place, that root of the instance may write in.
    pub fn mount_memory(&mut self, place: &OwnedFd, path: &Path, mode: u32) -> Result<(), Failed> {
        let moved = self.staged(mode).and_then(|made| Ok(raw::put_mounts(made.as_fd(), place.as_fd())?));
        moved.map_err(at(format!("mount {}", path.display())))
    }

    /// Mounts an empty folder over one that the instance would see otherwise.
    pub fn hide(&mut self, folder: &Path) -> Result<(), Failed> {
        // The target of a link is hidden by its own name.
        match self.folder(folder)? {
            Some(place) => self.mount_memory(&place, folder, 0o755),
            None => Ok(()),
        }
    }

    /// Memory that is to be moved from where it is.
    fn staged(&mut self, mode: u32) -> io::Result<OwnedFd> {
        mount_memory(STAGE, self.owner, mode)?;
        let made = open(STAGE, NAMED, Mode::empty())?;
        self.own.push(fstat(&made)?.st_dev);
        Ok(made)
    }

    /// Notes that files of the host's are shown at a place.
    pub fn shows_host_at(&mut self, place: &Path) {
        self.of_host.push(place.to_owned());
    }

    /// Opens what is at a place that has been followed; something to be mounted on is made if nothing is there. Nothing is ever made in a folder of
    /// the host's.
    pub fn room(&mut self, place: &ResolvedPath, kind: Kind) -> Result<OwnedFd, Failed> {
        let words = || format!("make {}", place.path.display());
        if let Some(opened) = place.opened() {
            return opened.try_clone_to_owned().map_err(at(words()));
        }
        let missing = place.missing();
        let above = place.there().last().ok_or(Errno::ENOENT).map_err(at(words()))?;
        if self.own.contains(&fstat(above).map_err(at(words()))?.st_dev) {
            match kind.make_below(above.as_fd(), &missing) {
                // Its own, and read-only: it has been made anew already.
                Err(Errno::EROFS | Errno::EACCES) => {}
                made => return made.map_err(at(words())),
            }
        } else {
            self.refuse_room(place, missing.len())?;
        }
        self.make_anew(above, &missing, kind).map_err(at(format!("make room for {}", place.path.display())))
    }

    /// Refuses room below what is mounted, and below what another instance alters meanwhile.
    fn refuse_room(&self, place: &ResolvedPath, missing: usize) -> Result<(), Failed> {
        let above = place.path.ancestors().nth(missing).unwrap_or(Path::new("/"));
        let shown = place.path.display();
        if let Some(around) =
            self.of_host.iter().filter(|it| above.starts_with(it)).max_by_key(|it| it.components().count())
        {
            let attempt =
                format!("mount something at {shown}, which is not there in what is mounted at {}", around.display());
            return Err((attempt, ErrorKind::NotFound.into()));
        }
        let is_in = |written: &Path| {
            // By its own name, and by whatever other the system has it.
            let opened = links::open_followed(written, OFlag::O_PATH).ok().and_then(|opened| fstat(opened).ok());
            let same = |it: &OwnedFd| {
                let found = fstat(it).ok();
                found.zip(opened).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
            };
            above.starts_with(written) || place.there().iter().any(same)
        };
        match self.written.iter().find(|written| is_in(written)) {
            None => Ok(()),
            Some(written) => {
                let attempt = format!(
                    "make room for {shown}: instances may write to {}, so nothing is made there; make it on the host",
                    written.display()
                );
                Err((attempt, Errno::ENOENT.into()))
            }
        }
    }

    /// Puts a folder in memory in place of one, which shows all that is in that, and has room for something else.
    fn make_anew(&mut self, folder: &OwnedFd, room: &[OsString], kind: Kind) -> io::Result<OwnedFd> {
        let mode = fstat(folder)?.st_mode & 0o7777;
        let stage = self.staged(mode)?;
        let mut list =
            Dir::openat(folder, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        for entry in list.iter() {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            let opened = match openat(folder, name.as_os_str(), NAMED, Mode::empty()) {
                // It has gone since.
                Err(Errno::ENOENT) => continue,
                opened => opened?,
            };
            let found = fstat(&opened)?;
            if is(&found, SFlag::S_IFLNK) {
                symlinkat(&links::target(&opened)?, &stage, name.as_os_str())?;
                continue;
            }
            let place =
                if is(&found, SFlag::S_IFDIR) { Kind::Folder } else { Kind::File }.make(stage.as_fd(), &name)?;
            // It keeps what it may be used for.
            raw::put_mounts(raw::copy_of_mounts(opened.as_fd())?.as_fd(), place.as_fd())?;
        }
        let made = kind.make_below(stage.as_fd(), room)?;
        raw::restrict_one(stage.as_fd())?;
        raw::put_mounts(stage.as_fd(), folder.as_fd())?;
        Ok(made)
    }
}

fn mount_memory(place: &str, (uid, gid): (u32, u32), mode: u32) -> nix::Result<()> {
    let options = format!("mode={mode:o},uid={uid},gid={gid}");
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options.as_str()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree in a folder, all of it its own; and a folder beside it.
    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root/shared", "outside"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = open(&folder.path().join("root"), NAMED, Mode::empty()).unwrap();
        let own = vec![fstat(&root).unwrap().st_dev];
        (folder, Tree { root, owner: (0, 0), own, of_host: Vec::new(), written: Vec::new() })
    }

    #[test]
    fn room_is_made_where_the_path_was_and_not_where_a_link_leads_that_came_since() {
        for kind in [Kind::Folder, Kind::File] {
            let (folder, mut tree) = tree();
            let found = tree.follow(Path::new("/shared/new/deep")).unwrap();
            fs::rename(folder.path().join("root/shared"), folder.path().join("root/moved")).unwrap();
            symlink(folder.path().join("outside"), folder.path().join("root/shared")).unwrap();
            let made = fstat(tree.room(&found, kind).unwrap()).unwrap();
            assert_eq!(Kind::of(&made).unwrap(), kind);
            assert!(folder.path().join("root/moved/new/deep").exists());
            assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_link_that_came_where_room_is_made_is_not_followed() {
        for kind in [Kind::Folder, Kind::File] {
            let (folder, mut tree) = tree();
            let found = tree.follow(Path::new("/shared/new")).unwrap();
            symlink(folder.path().join("outside/new"), folder.path().join("root/shared/new")).unwrap();
            assert!(tree.room(&found, kind).is_err());
            assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
        }
    }

    #[test]
    fn links_and_dots_lead_nowhere_beyond_the_root() {
        let (folder, mut tree) = tree();
        symlink(folder.path().join("outside"), folder.path().join("root/absolute")).unwrap();
        symlink("../../outside", folder.path().join("root/shared/up")).unwrap();
        for path in ["/absolute/x", "/shared/up/x", "/../outside/x"] {
            let found = tree.follow(Path::new(path)).unwrap();
            drop(tree.room(&found, Kind::File));
        }
        assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 0);
        assert!(
            tree.folder(Path::new("/shared/up")).unwrap().is_none()
                && tree.folder(Path::new("/shared")).unwrap().is_some()
        );
    }

    #[test]
    fn nothing_is_made_in_what_is_not_the_trees_own() {
        let (folder, mut tree) = tree();
        tree.own.clear();
        tree.written.push(folder.path().join("root/shared"));
        let found = tree.follow(Path::new("/shared/new")).unwrap();
        let (attempt, _) = tree.room(&found, Kind::Folder).unwrap_err();
        assert!(attempt.contains("instances may write to"), "{attempt}");
        tree.shows_host_at(Path::new("/shared"));
        let (attempt, _) = tree.room(&found, Kind::Folder).unwrap_err();
        assert!(attempt.contains("not there in what is mounted at /shared"), "{attempt}");
        assert!(!folder.path().join("root/shared/new").exists());
    }
}
