//! Follows a path to where it leads, and notes by which links. Each part of a path is opened once, in the folder that was opened before it: whoever
//! renames folders or puts links there meanwhile leads nobody from one to the other.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// As many as the kernel follows.
const MAX_LINKS: usize = 40;

/// Opens the path and not the file: nothing waits for it, and nobody is told.
const PATH: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// A path without links, and the links that led there.
#[derive(Debug)]
pub struct ResolvedPath {
    /// Path without links that it leads to.
    pub path: PathBuf,
    /// The links on the way.
    pub links: Vec<Link>,
    /// The root, and each part of the path that is there.
    opened: Vec<OwnedFd>,
}

/// A link on the way.
#[derive(Debug)]
pub struct Link {
    /// Path of the link itself, without links.
    pub path: PathBuf,
    /// Path that it points to.
    pub target: PathBuf,
    /// Owner of the link.
    pub uid: u32,
    /// Owner of the folder that it lies in.
    pub folder_uid: u32,
    /// The mode of that folder.
    pub folder_mode: u32,
}

impl ResolvedPath {
    /// Descriptor of the file or folder, if the whole path exists.
    pub fn opened(&self) -> Option<BorrowedFd<'_>> {
        if self.missing().is_empty() { self.opened.last().map(AsFd::as_fd) } else { None }
    }

    /// Descriptor of the folder that it lies in, if that exists.
    pub fn folder(&self) -> Option<BorrowedFd<'_>> {
        let depth = names(&self.path).len();
        self.opened.get(depth.checked_sub(1)?).map(AsFd::as_fd)
    }

    /// Descriptors of the parts that exist: the root, and each below.
    pub(super) fn there(&self) -> &[OwnedFd] {
        &self.opened
    }

    /// Names of the parts that do not exist.
    pub(super) fn missing(&self) -> Vec<OsString> {
        let mut names = names(&self.path);
        names.reverse();
        names.split_off(self.opened.len().saturating_sub(1).min(names.len()))
    }
}

/// Follows an absolute path from the root. What is not there is taken as it is said.
///
/// # Errors
/// Too many links.
pub fn follow(path: &Path) -> io::Result<ResolvedPath> {
    follow_in(open("/", PATH, Mode::empty())?, path)
}

/// The same as somebody does whose root is a folder.
pub(super) fn follow_in(root: OwnedFd, path: &Path) -> io::Result<ResolvedPath> {
    let mut followed = ResolvedPath { path: PathBuf::from("/"), links: Vec::new(), opened: vec![root] };
    let mut depth = 0;
    let mut left = names(path);
    while let Some(name) = left.pop() {
        if name == ".." {
            if followed.path.pop() {
                depth -= 1;
            }
            followed.opened.truncate(depth + 1);
            continue;
        }
        // Nothing is below what is not there.
        let folder = followed.opened.get(depth);
        let opened = folder.and_then(|folder| {
            openat(folder, name.as_os_str(), PATH | OFlag::O_NOFOLLOW, Mode::empty()).ok().zip(Some(folder))
        });
        let next = followed.path.join(&name);
        let link = match &opened {
            Some((opened, folder)) => link_of(opened, folder, &next)?,
            None => None,
        };
        let Some(link) = link else {
            let opened = opened.map(|(opened, _)| opened);
            followed.path = next;
            depth += 1;
            followed.opened.extend(opened);
            continue;
        };
        if followed.links.len() == MAX_LINKS {
            return Err(Errno::ELOOP.into());
        }
        if link.target.is_absolute() {
            followed.path = PathBuf::from("/");
            followed.opened.truncate(1);
            depth = 0;
        }
        left.extend(names(&link.target));
        followed.links.push(link);
    }
    Ok(followed)
}

fn link_of(opened: &OwnedFd, folder: &OwnedFd, path: &Path) -> io::Result<Option<Link>> {
    let found = fstat(opened)?;
    if !is(&found, SFlag::S_IFLNK) {
        return Ok(None);
    }
    let above = fstat(folder)?;
    Ok(Some(Link {
        path: path.to_owned(),
        target: target(opened)?,
        uid: found.st_uid,
        folder_uid: above.st_uid,
        folder_mode: above.st_mode,
    }))
}

/// Reads the target of a link that was opened.
pub(super) fn target(link: &OwnedFd) -> io::Result<PathBuf> {
    Ok(readlinkat(link, "")?.into())
}

/// Tells if a file is of a kind.
pub(super) fn is(found: &FileStat, kind: SFlag) -> bool {
    found.st_mode & SFlag::S_IFMT.bits() == kind.bits()
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

/// Opens a path that has been followed: whoever has put a link there since is not.
///
/// # Errors
/// The OS error: `ELOOP` for a link.
pub fn open_followed(path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    open_below(&open("/", PATH, Mode::empty())?, path, flags)
}

/// The same, where the path begins in a folder, and leads nowhere beyond it.
pub(super) fn open_below(root: &impl AsFd, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let path = path.strip_prefix("/").unwrap_or(path);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mode = if flags.contains(OFlag::O_CREAT) { Mode::from_bits_truncate(0o666) } else { Mode::empty() };
    // The kernel takes no flag about the opened file where only the path is.
    let more = if flags.contains(OFlag::O_PATH) { OFlag::empty() } else { OFlag::O_NOCTTY };
    let resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_IN_ROOT;
    let how = OpenHow::new().flags(flags | more | OFlag::O_CLOEXEC).mode(mode).resolve(resolve);
    Ok(openat2(root.as_fd(), path, how)?)
}

/// The same for one name in a folder.
///
/// # Errors
/// The OS error: `ELOOP` for a link.
pub fn open_in(folder: impl AsFd, name: &OsStr, flags: OFlag) -> io::Result<OwnedFd> {
    open_below(&folder, Path::new(name), flags)
}
