//! Links of the host's that are followed where an instance is shown something, or a service's log is opened.
//!
//! What instances write stays when their lab has gone, and in an ordinary user's lab it is that user's like everything else. So a link is
//! followed where no instance of any lab can have made it, or where it leads nowhere but below its own folder.

use std::path::{Component, Path, PathBuf};

use nix::sys::stat::stat;
use nix::unistd::geteuid;

use super::shared_folders::is_never_written;
use super::unfit::UnmountableReason;
use crate::sandbox::machine::links::{Link, ResolvedPath, follow};

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
