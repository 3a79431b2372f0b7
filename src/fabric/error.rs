//! Errors of what is asked of the kernel.

use std::io;

use crate::network::NodeName;

/// Error of a change or a question to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// A namespace could not be made.
    #[error("failed to make the namespace {node}: {source}")]
    Namespace {
        /// Name of the namespace.
        node: NodeName,
        /// The OS error.
        source: io::Error,
    },
    /// The sandbox has no place for the lab's names.
    #[error("failed to make {}: {source}", folder.display())]
    Folder {
        /// Path of the folder.
        folder: std::path::PathBuf,
        /// The OS error.
        source: io::Error,
    },
    /// A namespace could not be entered.
    #[error("failed to enter the namespace {node}: {source}")]
    Enter {
        /// Name of the namespace.
        node: NodeName,
        /// The OS error.
        source: io::Error,
    },
    /// A namespace is named that was not made.
    #[error("there is no namespace {0}")]
    NoNode(NodeName),
    /// The kernel refused a link, an address, a route, a setting, or the deletion of a flow.
    #[error("failed to {attempt} in {node}: {source}")]
    Kernel {
        /// Action that was attempted, `add link web1`.
        attempt: String,
        /// Namespace.
        node: NodeName,
        /// The OS error.
        source: io::Error,
    },
    /// nft refused a script.
    #[error("failed to change the ruleset of {node}: {message}")]
    Nft {
        /// Namespace.
        node: NodeName,
        /// Script that nft was given.
        script: String,
        /// nft's own words.
        message: String,
    },
    /// nft did not list what a ruleset has.
    #[error("failed to list the rules of {node}: {message}")]
    Listing {
        /// Namespace.
        node: NodeName,
        /// nft's own words, or what of them could not be read.
        message: String,
    },
    /// Something failed that is not the kernel's.
    #[error("{0}")]
    Beside(String),
    /// Nobody knows whether a transaction took place: an undo might undo what was never done.
    #[error("whether the ruleset of {node} was changed is unknown")]
    Unknown {
        /// Namespace.
        node: NodeName,
    },
    /// Flows have been forgotten, and do not come back.
    #[error("some tracked flows are forgotten already")]
    Forgotten,
    /// A change failed, and then taking it back failed too: nothing that is measured from now on counts.
    #[error("{failure}; and taking it back failed: {undoing}. The lab is broken")]
    Broken {
        /// First failure.
        failure: Box<FabricError>,
        /// Failure while undoing.
        undoing: Box<FabricError>,
    },
}
