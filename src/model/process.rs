//! Programs that an instance runs by itself: `services:` of a topology file.

use super::flow::Service;

/// A program that runs as long as its instance does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Process {
    /// It and its arguments; never empty. It stays in the foreground.
    pub command: Vec<String>,
    /// It is ready once it listens here; without, once it has begun. tcp or udp.
    pub port: Option<Service>,
    /// File that its output is added to, from the folder of the topology file; without, the lab keeps it as long as it is up.
    pub log: Option<String>,
}
