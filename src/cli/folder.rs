//! The topologies of a folder: each file once, whatever leads to it, and nothing opened that is no file.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::common::told;

/// Contents of a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its topologies and those of its folders, by name.
    pub files: Vec<PathBuf>,
    /// Paths that were left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Found {
    /// Says what was left out, and why.
    pub fn tell_skipped(&self) {
        for (path, why) in &self.skipped {
            eprintln!("note: {} is skipped: {why}", told(path));
        }
    }
}

/// A folder by what it is, whatever it is called.
type Identity = (u64, u64);

/// Looks through a folder and its folders. A link to a folder is followed where nothing else leads there.
///
/// # Errors
/// The OS error, and the path that it is of.
pub(super) fn topologies(folder: &Path) -> Result<Found, (PathBuf, io::Error)> {
    files(folder, is_ending)
}

/// The same for files of any ending.
///
/// # Errors
/// As [`topologies`].
pub(super) fn files(folder: &Path, is_ending: fn(&OsStr) -> bool) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    let mut seen: HashSet<Identity> = HashSet::new();
    // The names that folders have of their own come before those that links give them.
    let mut folders = vec![folder.to_owned()];
    let mut links: Vec<PathBuf> = Vec::new();
    loop {
        while let Some(folder) = folders.pop() {
            if seen.insert(identity(&folder).map_err(|error| (folder.clone(), error))?) {
                look((&folder, is_ending), &mut folders, &mut links, &mut found).map_err(|error| (folder, error))?;
            }
        }
        links.sort_by(|a, b| b.cmp(a));
        let Some(link) = links.pop() else { break };
        if seen.contains(&identity(&link).map_err(|error| (link.clone(), error))?) {
            found.skipped.push((link, "it leads to a folder that is read already".to_owned()));
        } else {
            folders.push(link);
        }
    }
    found.files.sort();
    found.skipped.sort();
    Ok(found)
}

fn identity(folder: &Path) -> io::Result<Identity> {
    fs::metadata(folder).map(|found| (found.dev(), found.ino()))
}

fn look(
    (folder, is_ending): (&Path, fn(&OsStr) -> bool),
    folders: &mut Vec<PathBuf>,
    links: &mut Vec<PathBuf>,
    found: &mut Found,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_link = entry.file_type()?.is_symlink();
        // The type of what a link leads to; a link that leads nowhere is told by whoever opens it.
        let kind = fs::metadata(&path).map(|found| found.file_type()).or_else(|_| entry.file_type())?;
        if kind.is_dir() {
            if is_link { links.push(path) } else { folders.push(path) }
        } else if path.extension().is_some_and(is_ending) {
            match what_it_is(kind) {
                None => found.files.push(path),
                Some(other) => found.skipped.push((path, format!("it is {other}, and no file"))),
            }
        }
    }
    Ok(())
}

fn is_ending(ending: &OsStr) -> bool {
    ending == "yaml" || ending == "yml"
}

/// Names what is there and is no file.
fn what_it_is(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_fifo() => Some("a named pipe"),
        _ if kind.is_socket() => Some("a socket"),
        _ if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        _ => None,
    }
}

/// Opens a file of a folder. It may have become something else since the folder was read, and to open that must not wait.
///
/// # Errors
/// The OS error, or that it is no file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    Ok(file)
}
