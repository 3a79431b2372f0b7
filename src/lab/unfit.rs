//! Reasons why something of the host's cannot be shown to an instance, and links that are followed where it is, or where a service's log is opened.

use std::path::{Component, Path, PathBuf};
use std::{fmt, io};

use nix::sys::stat::stat;
use nix::unistd::geteuid;

use super::shared_folders::is_never_written;
use crate::sandbox::machine::links::{Link, ResolvedPath, follow};

/// Reason why something cannot be mounted.
#[derive(Debug)]
pub enum UnmountableReason {
    /// It is not there.
    Missing,
    /// It cannot be looked at.
    Unknown(io::Error),
    /// It is neither a file nor a folder.
    Kind(&'static str),
    /// It holds what no instance is to see, or lies in that: where the path leads, which folder that is, and what.
    Shared(PathBuf, PathBuf, &'static str),
    /// It is the system's, and can be mounted to read only.
    System(PathBuf),
    /// Whoever asks may not do with it what the instance is to do: with which file or folder what, and how it can be given leave.
    Forbidden(PathBuf, &'static str, &'static str),
    /// It is reached by a link that an instance, or another user, may have made: that link, and what it says.
    Link(PathBuf, PathBuf),
    /// It is nothing that output is added to.
    NoLog(&'static str),
}

impl UnmountableReason {
    /// Suggests what to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Unknown(_) => None,
            Self::Kind(_) => Some("files and folders can be mounted"),
            Self::Shared(..) => Some("mount a folder that has only what the instance is to see"),
            Self::System(_) => Some("without `writable` it can be read"),
            Self::Forbidden(_, _, help) => Some(help),
            Self::Link(..) => Some("name the path that is meant, without the link"),
            Self::NoLog(_) => Some("a log is a file, or `/dev/null`"),
        }
    }
}

impl fmt::Display for UnmountableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => io::Error::from_raw_os_error(libc::ENOENT).fmt(f),
            Self::Unknown(error) => error.fmt(f),
            Self::Kind(kind) | Self::NoLog(kind) => write!(f, "it is {kind}"),
            Self::Shared(path, folder, what) if path == folder => write!(f, "{} is {what}", path.display()),
            Self::Shared(path, folder, what) if path.starts_with(folder) => {
                write!(f, "{} lies in {}, which is {what}", path.display(), folder.display())
            }
            Self::Shared(path, folder, what) => {
                write!(f, "{} lies in {}, and is {what}", folder.display(), path.display())
            }
            Self::Forbidden(path, what, _) => write!(f, "you may not {what} {}", path.display()),
            Self::Link(link, target) => write!(
                f,
                "{} is a link to {}, and an instance or another user may have made it: no such link is followed",
                link.display(),
                target.display()
            ),
            Self::System(path) => write!(f, "no instance may write to {}, which is the system's", path.display()),
        }
    }
}

impl std::error::Error for UnmountableReason {}

const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Refuses a path on whose way is a link that an instance, or another user, may have put there. `from` is the folder of the topology file:
/// whoever can make links in it or above can make another of the file itself.
///
/// # Errors
/// [`UnmountableReason::Link`].
pub(super) fn judge(followed: &ResolvedPath, from: Option<&Path>) -> Result<(), UnmountableReason> {
    if followed.links.is_empty() {
        return Ok(());
    }
    let from = from.and_then(|from| Some((from, follow(from).ok()?)));
    let is_on_the_way = |link: &Link| {
        let Some((named, leads)) = &from else { return false };
        let folder = link.path.parent().unwrap_or(Path::new("/"));
        named.starts_with(folder)
            || leads.path.starts_with(folder)
            || leads.links.iter().any(|known| known.path == link.path)
    };
    let system = stat("/").map(|root| root.st_uid).unwrap_or_default();
    let is_followed = |link: &Link| {
        let is_open = link.folder_mode & OTHERS_WRITE != 0;
        // In a folder of everybody's the link has to be the user's own or the system's.
        if is_open && link.folder_mode & STICKY != 0 && ![geteuid().as_raw(), system].contains(&link.uid) {
            return false;
        }
        let is_of_system = [link.uid, link.folder_uid].iter().all(|uid| *uid == system);
        is_below(&link.target)
            || is_on_the_way(link)
            || is_never_written(link.path.parent().unwrap_or(Path::new("/")))
            // An instance of root's may have made what is root's; one of another user's has not. In a lab strangers look like the system: what
            // is theirs has been refused outside of it, when the file was read.
            || is_of_system && !is_open && system != geteuid().as_raw()
    };
    match followed.links.iter().find(|link| !is_followed(link)) {
        None => Ok(()),
        Some(link) => Err(UnmountableReason::Link(link.path.clone(), link.target.clone())),
    }
}

/// Tells if a link leads below its own folder, by names alone: further links there are judged by themselves.
fn is_below(target: &Path) -> bool {
    target.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Follows a path and judges its links.
///
/// # Errors
/// The link that may not be followed, or the system's error.
pub(super) fn followed(path: &Path, from: Option<&Path>) -> Result<PathBuf, UnmountableReason> {
    let followed = follow(path).map_err(UnmountableReason::Unknown)?;
    judge(&followed, from)?;
    Ok(followed.path)
}
