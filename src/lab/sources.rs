//! Sources of mounts: the files of the host that an instance may be shown, `mounts:` of a topology file.

use std::fs::{self, FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

use super::shared_folders::{Shared, is_system, shared};
use super::unfit;
use super::unfit::UnmountableReason;
use crate::model::MountAccess;
use crate::sandbox::machine::links;

/// Judges if a file or folder of the host may be mounted. Links are followed first. `from` is the folder of the topology file.
///
/// # Errors
/// Why not.
pub fn find(path: &Path, asked: MountAccess, from: Option<&Path>) -> Result<(), UnmountableReason> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => UnmountableReason::Missing,
        ErrorKind::PermissionDenied => match closed_above(path) {
            Some(folder) => UnmountableReason::Forbidden(folder, "enter", ENTER),
            None => UnmountableReason::Unknown(error),
        },
        _ => UnmountableReason::Unknown(error),
    })?;
    let followed = links::follow(path).map_err(UnmountableReason::Unknown)?;
    let path = followed.path.clone();
    let unfit = |it: Shared| UnmountableReason::Shared(path.clone(), it.folder, it.what);
    let mut shared = shared();
    shared.sort_by_key(|it| std::cmp::Reverse(it.folder.components().count()));
    if let Some(at) = shared.iter().position(|it| it.folder == path || it.with_all && path.starts_with(&it.folder)) {
        return Err(unfit(shared.swap_remove(at)));
    }
    if path == Path::new("/") {
        return Err(UnmountableReason::Kind("all that this system has"));
    }
    if path.parent() == Some(Path::new("/home")) {
        return Err(UnmountableReason::Kind("the home folder of a user"));
    }
    if let Some(at) = shared.iter().position(|it| it.folder.starts_with(&path)) {
        return Err(unfit(shared.swap_remove(at)));
    }
    if asked == MountAccess::Writable && is_system(&path) {
        return Err(UnmountableReason::System(path));
    }
    unfit::judge(&followed, from)?;
    let kind = found.file_type();
    if !(kind.is_dir() || kind.is_file()) {
        return Err(UnmountableReason::Kind(name(kind)));
    }
    refuse_forbidden(path, &found, asked)
}

const ENTER: &str = "its owner can allow it: `chmod o+x`";

/// The folder nearest to the root that keeps the caller from what lies in it.
fn closed_above(path: &Path) -> Option<PathBuf> {
    let path = links::follow(path).ok()?.path;
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = above.into_iter().rev().find(|folder| access(*folder, AccessFlags::X_OK).is_err());
    closed.map(Path::to_owned)
}

/// Refuses to an instance of the caller's what the caller may not do. In a lab of root's the owner decides that.
fn refuse_forbidden(path: PathBuf, found: &Metadata, asked: MountAccess) -> Result<(), UnmountableReason> {
    let may = |flags| access(&path, flags);
    if asked == MountAccess::Writable && may(AccessFlags::W_OK) == Err(Errno::EROFS) {
        return Err(UnmountableReason::Forbidden(
            path,
            "write to the read-only file system of",
            "without `writable` it can be read",
        ));
    }
    // The owner is root in the instance, whatever the mode.
    if found.uid() == geteuid().as_raw() {
        return Ok(());
    }
    let (flags, what, help) = match found.is_dir() {
        true => (AccessFlags::X_OK, "enter", ENTER),
        false => (AccessFlags::R_OK, "read", "its owner can allow it: `chmod o+r`"),
    };
    if may(flags).is_err() {
        return Err(UnmountableReason::Forbidden(path, what, help));
    }
    if asked == MountAccess::Writable && may(AccessFlags::W_OK).is_err() {
        let help = "without `writable` it can be read; its owner can allow more: `chmod o+w`";
        return Err(UnmountableReason::Forbidden(path, "write to", help));
    }
    Ok(())
}

/// The path that is meant from a folder, without what says nothing.
pub(super) fn named_from(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
    folder.join(path).components().collect()
}

/// Judges if the output of a service can be added to the file at a path; a file that is not there is made later.
///
/// # Errors
/// The reason why it cannot.
pub fn find_log(path: &Path, from: Option<&Path>) -> Result<(), UnmountableReason> {
    unfit::followed(path, from)?;
    match fs::metadata(path) {
        Ok(found) => fit_log(&found),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(UnmountableReason::Unknown(error)),
    }
}

/// Judges if output can be added to a file of this kind.
pub(super) fn fit_log(found: &Metadata) -> Result<(), UnmountableReason> {
    let kind = found.file_type();
    let is_null = kind.is_char_device() && found.rdev() == libc::makedev(1, 3);
    if kind.is_file() || is_null { Ok(()) } else { Err(UnmountableReason::NoLog(name(kind))) }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "a file",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_fifo() => "a named pipe",
        _ => "a device",
    }
}
