//! The `services:` of a file: whether a run starts them, and from where.

use std::path::{Path, PathBuf};

use crate::model::Operation;
use crate::model::topology::{Step, Topology};

/// Whether a run starts the services of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartServices {
    /// It does not: the harness listens in their place, and nothing of theirs need be there.
    #[default]
    No,
    /// It does, and what their ports answer is theirs.
    Yes,
}

/// What became of the services of a file in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicesTold {
    /// They were not started: the harness listened in their place.
    NotStarted,
    /// They were started.
    Started,
}

/// Whether a file has any.
pub fn has_services(topology: &Topology) -> bool {
    let steps = topology.steps.iter().flat_map(Step::operations);
    let mut all = topology.initial.iter().chain(steps);
    all.any(|it| matches!(&it.value, Operation::Launch(launch) if !launch.daemons.is_empty()))
}

/// Where the paths of a file's services begin: its own folder, and for a built-in one the present one.
///
/// # Errors
/// The system's word, where there is no present folder.
pub fn folder_of(file: &str) -> std::io::Result<PathBuf> {
    let path = Path::new(file);
    let parent = path.parent().filter(|parent| path.is_file() && !parent.as_os_str().is_empty());
    match parent {
        Some(parent) => std::path::absolute(parent),
        None => std::env::current_dir(),
    }
}
