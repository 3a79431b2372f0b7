//! The files that a topology file names, where it lies.

use std::fs;
use std::path::{Path, PathBuf};

use super::services::folder_of;
use crate::lab::{UnmountableReason, sources};
use crate::model::MountAccess;
use crate::topology::{Files, Found};

/// So many names of a folder are looked at for what may have been meant.
const MAX_NAMES: usize = 1000;

/// The files that are named from a folder.
#[derive(Clone, Debug)]
pub struct FilesFrom {
    folder: Option<PathBuf>,
}

impl FilesFrom {
    /// From a folder; without one, absolute paths can be looked for all the same.
    pub fn folder(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_owned) }
    }

    /// From the folder of a topology file; one that is built in has none.
    pub fn beside(file: &str) -> Self {
        let folder = Path::new(file).is_file().then(|| folder_of(file).ok()).flatten();
        Self { folder }
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        if path.is_absolute() { Some(path.to_owned()) } else { Some(self.folder.as_ref()?.join(path)) }
    }
}

fn found(found: Result<(), UnmountableReason>) -> Found {
    match found {
        Ok(()) => Found::Something,
        Err(UnmountableReason::Missing) => Found::Nothing,
        Err(UnmountableReason::Unknown(_)) => Found::Unknown,
        Err(unfit) => Found::Unfit { why: unfit.to_string(), help: unfit.help() },
    }
}

impl Files for FilesFrom {
    fn find(&self, path: &str, access: MountAccess) -> Found {
        let Some(path) = self.path(path) else { return Found::Unknown };
        found(sources::find(&path, access, self.folder.as_deref()))
    }

    fn find_log(&self, path: &str) -> Found {
        let Some(path) = self.path(path) else { return Found::Unknown };
        found(sources::find_log(&path, self.folder.as_deref()))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = self.path(folder).and_then(|folder| fs::read_dir(folder).ok());
        let names = entries.into_iter().flatten().take(MAX_NAMES).flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.into_string().ok()).collect()
    }
}
