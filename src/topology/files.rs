//! The files that a topology file names.

use crate::model::MountAccess;

/// The files that a topology file names, for whoever reads it where they are. Paths are as the file says them.
pub trait Files {
    /// Looks up a path, for an instance that may do this with it.
    fn find(&self, path: &str, access: MountAccess) -> Found;
    /// Judges if the output of a service can be added to a file.
    fn find_log(&self, path: &str) -> Found;
    /// The names in a folder: what may have been meant.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// Result of looking up a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file or a folder that can be mounted.
    Something,
    /// Something that cannot.
    Unfit {
        /// Reason for the refusal.
        why: String,
        /// Advice on how to mend it.
        help: Option<&'static str>,
    },
    /// Nothing.
    Nothing,
    /// Nobody can say: where the path begins is not known, or may not be read.
    Unknown,
}
