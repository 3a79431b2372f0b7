//! Where a path leads, and by which links.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// A path without links, and where the links lay that led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Where it leads.
    pub path: PathBuf,
    /// The links on the way.
    pub links: Vec<PathBuf>,
}

/// Follows an absolute path as somebody does whose root is `root`; it begins there, too. What is not there is taken as it is said.
///
/// # Errors
/// Too many links.
pub fn follow(root: &Path, path: &Path) -> io::Result<Followed> {
    let mut followed = Followed { path: PathBuf::from("/"), links: Vec::new() };
    let mut left: Vec<OsString> = names(path);
    while let Some(name) = left.pop() {
        if name == ".." {
            followed.path.pop();
            continue;
        }
        let next = followed.path.join(name);
        let Ok(target) = fs::read_link(root.join(next.strip_prefix("/").unwrap_or(&next))) else {
            followed.path = next;
            continue;
        };
        if followed.links.len() == MOST_LINKS {
            return Err(Errno::ELOOP.into());
        }
        followed.links.push(next);
        if target.is_absolute() {
            followed.path = PathBuf::from("/");
        }
        left.extend(names(&target));
    }
    Ok(followed)
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
/// The system's word: `ELOOP` for a link.
pub fn open_followed(path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    open_below(&File::open("/")?, path, flags)
}

/// The same, where the path begins in a folder.
pub(super) fn open_below(root: &impl AsFd, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let path = path.strip_prefix("/").unwrap_or(path);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mode = if flags.contains(OFlag::O_CREAT) { Mode::from_bits_truncate(0o666) } else { Mode::empty() };
    // The kernel takes no flag about the opened file where only the path is.
    let more = if flags.contains(OFlag::O_PATH) { OFlag::empty() } else { OFlag::O_NOCTTY };
    let how =
        OpenHow::new().flags(flags | more | OFlag::O_CLOEXEC).mode(mode).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(root.as_fd(), path, how)?)
}
