//! A folder of evidence: written whole or not at all, and never over something else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, bail};
use sglab::report::evidence::{BundleFile, FORMAT, MANIFEST, Manifest};

/// Whether a bundle may be written there.
///
/// # Errors
/// A folder that holds something else, or what is no folder.
pub(super) fn check_target(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot hold the evidence", folder.display())),
        Ok(mut entries) => {
            if entries.next().is_none() || is_bundle(folder) {
                return Ok(());
            }
            bail!(
                "{} holds something else than evidence of an earlier run, and is not overwritten; name another folder",
                folder.display()
            )
        }
    }
}

fn is_bundle(folder: &Path) -> bool {
    fs::metadata(folder.join(MANIFEST)).is_ok_and(|it| it.is_file())
}

/// Writes a bundle beside its folder, and puts it in its place when all of it is there. An earlier bundle goes then, and no
/// sooner.
///
/// # Errors
/// What could not be written; nothing of the bundle is left then, and what was there before is as it was.
pub(super) fn write(folder: &Path, files: &[BundleFile]) -> anyhow::Result<()> {
    let failed = || format!("failed to write the evidence to {}: nothing of it was kept", folder.display());
    check_target(folder)?;
    let folder = absolute(folder).with_context(failed)?;
    let parent = folder.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).with_context(failed)?;
    let new = beside(&folder).with_context(failed)?;
    let written = fill(&new, files).and_then(|()| put_in_place(&new, &folder));
    if written.is_err() {
        drop(fs::remove_dir_all(&new));
    }
    written.with_context(failed)
}

fn absolute(folder: &Path) -> io::Result<PathBuf> {
    match folder.canonicalize() {
        Ok(there) => Ok(there),
        Err(_) => std::path::absolute(folder),
    }
}

/// A new folder beside it: on the same file system, so that it can be moved into place.
fn beside(folder: &Path) -> io::Result<PathBuf> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for number in 0_u32.. {
        let new = folder.with_file_name(format!(".{name}.unfinished-{number}"));
        match fs::create_dir(&new) {
            Ok(()) => return Ok(new),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn fill(folder: &Path, files: &[BundleFile]) -> io::Result<()> {
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes)?;
    }
    Ok(())
}

fn put_in_place(new: &Path, folder: &Path) -> io::Result<()> {
    if !is_bundle(folder) {
        // Over nothing, or over an empty folder: any other refuses.
        return fs::rename(new, folder);
    }
    let old = beside(folder)?;
    fs::rename(folder, &old)?;
    if let Err(error) = fs::rename(new, folder) {
        fs::rename(&old, folder)?;
        return Err(error);
    }
    // The new one is in its place; what is left of the old one is no reason to call that a failure.
    drop(fs::remove_dir_all(&old));
    Ok(())
}

/// Reads what a bundle is about.
///
/// # Errors
/// What is no bundle, or one of a later sglab.
pub(super) fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).with_context(|| format!("{} is no folder of evidence", folder.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))?;
    if manifest.format != FORMAT {
        bail!("{} is of format {}, and this sglab reads {FORMAT}", path.display(), manifest.format);
    }
    Ok(manifest)
}
