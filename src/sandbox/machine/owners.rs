//! Owners of the host's files that an instance sees at places of its own choice.
//!
//! In a lab of root's no id of an instance is one of the host's. Whose a mounted file or folder is, is root there: so root in the instance
//! can read what its owner can, and what it writes is that owner's. What anybody else in the instance writes belongs to an id that nobody
//! has, and what belongs to others on the host belongs to nobody inside: no file of theirs can be made, whatever its mode.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use super::links::open_followed;
use super::view::{Mount, WithIds};
use crate::sandbox::ids::{self, InstanceRoot, Maps};
use crate::sandbox::{instance_namespaces, raw};

/// More than these are not sent at once.
const MAX_DESCRIPTORS: usize = 200;

/// Finds for each the user namespace whose ids it is shown with, if these are not its own; makes those.
pub(super) fn of(mounts: Vec<Mount>) -> io::Result<(Vec<WithIds>, Vec<OwnedFd>)> {
    let mut known: Vec<Maps> = Vec::new();
    let mut users = Vec::new();
    let mut all = Vec::new();
    for mount in mounts {
        let Some(maps) = mount.owner.map(|owner| ids::of_instances().for_files_of(owner)) else {
            all.push((mount, None));
            continue;
        };
        let number = match known.iter().position(|it| *it == maps) {
            Some(number) => number,
            None if users.len() == MAX_DESCRIPTORS => {
                return Err(io::Error::other(format!("what it mounts belongs to more than {MAX_DESCRIPTORS} owners")));
            }
            None => {
                let raw::InstanceNamespaces { user, .. } = instance_namespaces::fenced_namespaces(&maps)?;
                users.push(user);
                known.push(maps);
                users.len() - 1
            }
        };
        all.push((mount, Some(number)));
    }
    Ok((all, users))
}

/// Finds the owner of a file or folder, which is root in an instance that mounts it; `None` where an instance's root is the lab's user.
///
/// # Errors
/// The OS error: `ELOOP` for a link, as the path has been followed.
pub fn owner_of(path: &Path) -> io::Result<Option<(u32, u32)>> {
    if ids::instance_root() == InstanceRoot::Caller {
        return Ok(None);
    }
    let found = fstat(open_followed(path, OFlag::O_PATH)?)?;
    Ok(Some((found.st_uid, found.st_gid)))
}
