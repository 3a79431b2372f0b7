//! The `services:` of a file: whether a run starts them, and from where.

use std::path::{Path, PathBuf};

use crate::model::{Launch, MountSource, NameEffect};
use crate::topology::{Step, Topology};

/// Start of a file's services in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartServices {
    /// It does not: the harness listens in their place, and nothing of theirs need be there.
    #[default]
    No,
    /// It does, from the file's own folder, and what their ports answer is theirs.
    Yes,
    /// As `Yes`, from this folder.
    From(PathBuf),
}

impl StartServices {
    /// Folder that the paths of a file's services are relative to; nothing if they do not start.
    ///
    /// # Errors
    /// As [`folder_of`].
    pub fn folder(&self, topology: &Topology) -> std::io::Result<Option<PathBuf>> {
        match self {
            _ if !has_services(topology) => Ok(None),
            Self::No => Ok(None),
            Self::Yes => folder_of(&topology.file).map(Some),
            Self::From(folder) => Ok(Some(folder.clone())),
        }
    }
}

/// Returns `true` if a file has any services.
pub fn has_services(topology: &Topology) -> bool {
    launches(topology).any(|launch| !launch.processes.is_empty())
}

/// Lists what the services of a file have of the host's, as the file says it: mounted files and folders, and logs.
pub fn host_paths(topology: &Topology) -> impl Iterator<Item = &str> {
    launches(topology).flat_map(|launch| {
        let mounted = launch.mounts.values().filter_map(|source| match source {
            MountSource::Path(path, _) => Some(path.as_str()),
            MountSource::Empty => None,
        });
        mounted.chain(launch.processes.values().filter_map(|process| process.log.as_deref()))
    })
}

/// The instances that a file launches, at its beginning and in its steps.
fn launches(topology: &Topology) -> impl Iterator<Item = &Launch> {
    let steps = topology.steps.iter().flat_map(Step::operations);
    let effects = topology.initial.iter().chain(steps).filter_map(|it| it.value.names());
    effects.filter_map(|effect| if let NameEffect::Instance(launch) = effect { Some(launch) } else { None })
}

/// Returns the folder where the paths of a file's services begin: its own, and for a built-in file the present one. Without `..` and links, for what
/// is opened below it is opened without such.
///
/// # Errors
/// The OS error, where there is no present folder.
pub fn folder_of(file: &str) -> std::io::Result<PathBuf> {
    let path = Path::new(file);
    let parent = path.parent().filter(|parent| path.is_file() && !parent.as_os_str().is_empty());
    match parent {
        Some(parent) => parent.canonicalize(),
        None => std::env::current_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_file_is_named_without_ways_up() {
        let folder = folder_of("src/../src/lib.rs").unwrap();
        assert_eq!(folder, Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap().join("src"));
    }
}
