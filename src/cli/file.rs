//! Files that are written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::common::told;
use super::output;

/// Writes a file that must not be there yet. It is not there afterwards if that fails.
///
/// # Errors
/// The OS error.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Not a look before: nobody's file is overwritten, whatever happens in between.
    fill(OpenOptions::new().write(true).create_new(true).open(path)?, path, bytes)
}

/// Writes a text to a file that must not be there yet, or to the output where none is named.
///
/// # Errors
/// If it is there already, or the system refuses.
pub(super) fn write_new_or_out(path: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(output::stdout().write_all(bytes)?) };
    match write_new(path, bytes) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{} is there already", told(path)),
        done => done.with_context(|| format!("failed to write {}", told(path))),
    }
}

/// Checks that the folder of a file which is to be written is there.
///
/// # Errors
/// The OS error.
pub(super) fn check_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only a folder has a `.`.
    fs::metadata(folder.join(".")).map(drop).with_context(|| format!("failed to write {}", told(path)))
}

/// Writes a file, or writes it anew. What was there before is there afterwards if that fails.
///
/// # Errors
/// The OS error.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        // Replace the target of a link and not the link. Leave one that leads nowhere to the system.
        _ => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    };
    let before = fs::symlink_metadata(&path).ok();
    if before.as_ref().is_some_and(|found| !found.is_file()) {
        // A device, a pipe: it has no other name.
        return fs::write(&path, bytes).map_err(output::marked);
    }
    let (new, file) = match beside(&path) {
        // The file may be written where its folder may not.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return fs::write(&path, bytes),
        opened => opened?,
    };
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    fill(file, &new, bytes)?;
    fs::rename(&new, &path).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// A new file beside it: on the same file system, so that it can be moved into place.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?.to_string_lossy().into_owned();
    for number in 0_u32.. {
        let new = path.with_file_name(format!(".{name}.unfinished-{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (new, file)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Fills a file that was made for that, and takes it away if that fails.
fn fill(mut file: File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Some file systems say only then that they are full.
    file.write_all(bytes).and_then(|()| file.sync_data()).inspect_err(|_| drop(fs::remove_file(path)))
}
