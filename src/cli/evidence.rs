//! A folder of evidence: written whole or not at all, and never over something else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use super::common::told;
use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use sglab::report::evidence::{BundleFile, FORMAT, MANIFEST, Manifest, sha256};

/// More than any file of a bundle has.
const MAX_BYTES: u64 = 256 << 20;

/// Checks that a bundle may be written there.
///
/// # Errors
/// A folder that holds something else, or what is no folder.
pub(super) fn check_target(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("{} cannot hold the evidence", told(folder));
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(failed),
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(());
            }
        }
    }
    let mut foreign = None;
    let files = read_manifest(folder).map(|manifest| manifest.files).unwrap_or_default();
    look_through(folder, &files, &mut |path, what| {
        if foreign.is_none() && what == EntryKind::Foreign {
            foreign = Some(path.to_owned());
        }
        Ok(())
    })
    .with_context(failed)?;
    match foreign {
        None => Ok(()),
        Some(path) => bail!(
            "{} holds something else than evidence of an earlier run as it was written ({}), and is not overwritten; \
             name another folder",
            told(folder),
            told(&path)
        ),
    }
}

/// Kind of an entry of a folder, as a manifest sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    /// A file of the bundle, as it was written, or the manifest itself.
    File,
    /// A folder of files of the bundle; all in it has been told.
    Folder,
    /// Anything else: files that are not listed or have been altered, folders without one, links, pipes.
    Foreign,
}

/// Tells of everything in a folder, what is in a folder before the folder. Follows no link.
fn look_through(
    folder: &Path,
    files: &BTreeMap<String, String>,
    tell: &mut dyn FnMut(&Path, EntryKind) -> io::Result<()>,
) -> io::Result<()> {
    let mut open = vec![(PathBuf::new(), false)];
    while let Some((inside, told)) = open.pop() {
        let path = folder.join(&inside);
        if told {
            let inside = format!("{}/", inside.display());
            let listed = files.range(inside.clone()..).next().is_some_and(|(name, _)| name.starts_with(&inside));
            tell(&path, if listed { EntryKind::Folder } else { EntryKind::Foreign })?;
            continue;
        }
        if !inside.as_os_str().is_empty() {
            open.push((inside.clone(), true));
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let inside = inside.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push((inside, false));
            } else {
                tell(
                    &entry.path(),
                    if is_of_bundle(folder, &inside, files) { EntryKind::File } else { EntryKind::Foreign },
                )?;
            }
        }
    }
    Ok(())
}

/// Returns `true` if a file is there as the manifest has it.
fn is_of_bundle(folder: &Path, inside: &Path, files: &BTreeMap<String, String>) -> bool {
    let Some(name) = inside.to_str() else { return false };
    // Without a list there is no bundle, and the file that should have it is anybody's.
    if name == MANIFEST {
        return !files.is_empty() && open(folder, inside).is_ok();
    }
    let Some(sum) = files.get(name) else { return false };
    read(folder, inside).is_ok_and(|bytes| sha256(&bytes) == *sum)
}

/// Opens a file of a bundle: below its folder, and no way there a link.
fn open(folder: &Path, inside: &Path) -> io::Result<File> {
    let leads_out = || io::Error::other("it leads out of the folder");
    // Asked beforehand: of `..` the kernel says "try again" while anything of the machine is renamed.
    if inside.components().any(|part| part == Component::ParentDir) {
        return Err(leads_out());
    }
    let folder = File::open(folder)?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let opened = openat2(&folder, inside, how).map_err(|errno| match errno {
        Errno::EXDEV | Errno::ELOOP => leads_out(),
        errno => errno.into(),
    })?;
    let file = File::from(opened);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    Ok(file)
}

/// Reads a file of a bundle, as [`open`] opens it.
///
/// # Errors
/// The OS error, or that it is no file of a bundle.
pub(super) fn read(folder: &Path, inside: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(folder, inside)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Writes a bundle beside its folder, and puts it in its place when all of it is there. An earlier bundle goes then, and no
/// sooner.
///
/// # Errors
/// Failure to write a bundle; nothing of the bundle is left then, and what was there before is as it was.
pub(super) fn write(folder: &Path, files: &[BundleFile]) -> anyhow::Result<()> {
    let failed = || format!("failed to write the evidence to {}: nothing of it was kept", told(folder));
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
    // Over nothing, or over an empty folder: any other refuses.
    match fs::rename(new, folder) {
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {}
        done => return done,
    }
    let old = beside(folder)?;
    fs::rename(folder, &old)?;
    if let Err(error) = fs::rename(new, folder) {
        fs::rename(&old, folder)?;
        return Err(error);
    }
    // The new one is in its place; what is left of the old one is no reason to call that a failure.
    if remove(&old).is_err() {
        eprintln!("note: what was in {} and is no evidence is in {}", told(folder), told(&old));
    }
    Ok(())
}

/// Takes away what is of a bundle, and nothing else: somebody may have put something there meanwhile.
fn remove(folder: &Path) -> anyhow::Result<()> {
    let manifest = read_manifest(folder)?;
    look_through(folder, &manifest.files, &mut |path, what| match what {
        EntryKind::File if path != folder.join(MANIFEST) => fs::remove_file(path),
        // It stays where it holds something else.
        EntryKind::Folder => fs::remove_dir(path).or(Ok(())),
        EntryKind::File | EntryKind::Foreign => Ok(()),
    })?;
    fs::remove_file(folder.join(MANIFEST))?;
    Ok(fs::remove_dir(folder)?)
}

/// Reads what a bundle is about.
///
/// # Errors
/// Refuses what is no bundle, or one of a later sglab.
pub(super) fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = read(folder, Path::new(MANIFEST));
    let text = text.with_context(|| format!("{} is no folder of evidence", told(folder)))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", told(&path)))?;
    if manifest.format != FORMAT {
        bail!("{} is of format {}, and this sglab reads {FORMAT}", told(&path), manifest.format);
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// The kernel refuses `..` below a folder with "try again" while anything of the machine is renamed.
    #[test]
    fn a_way_up_is_refused_in_the_same_words_while_others_rename() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        fs::create_dir(path.join("run")).expect("a folder");
        fs::write(path.join("one"), "").expect("written");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::rename(path.join("one"), path.join("two")).expect("renamed");
                    fs::rename(path.join("two"), path.join("one")).expect("renamed");
                }
            });
            let said: BTreeSet<String> = (0..20_000)
                .filter_map(|_| open(path, Path::new("run/../../outside")).err())
                .map(|source| source.to_string())
                .collect();
            done.store(true, Ordering::Relaxed);
            assert_eq!(said, BTreeSet::from(["it leads out of the folder".to_owned()]));
        });
    }
}
