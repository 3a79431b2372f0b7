//! A finding before it has its check.

use serde::Serialize;

use super::level::Level;
use crate::account::Origin;
use crate::reach::RuleAt;

/// The kind of what a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AboutKind {
    /// A security group, or a rule of it.
    Group,
    /// A network interface.
    Interface,
    /// An item that was read and is not in the account.
    Item,
    /// An allowance.
    Allowance,
}

/// The subject of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct About {
    /// Its kind.
    pub kind: AboutKind,
    /// Its short name.
    pub label: String,
    /// Its resource, as its file names it.
    pub resource: String,
    /// Other names by which an allowance may mean it: of a group its label, EC2's name of it, and its id.
    pub names: Vec<String>,
}

/// One thing that a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub about: About,
    /// The rule in the words of a topology.
    pub rule: Option<String>,
    /// Its position.
    pub at: Option<RuleAt>,
    /// Distinguishes findings of one check and group in the fingerprint; holds no file or line.
    pub key: String,
    pub origin: Origin,
    pub related: Vec<Origin>,
    pub level: Option<Level>,
    pub message: String,
    /// Operations that mend it, in the words of the command line.
    pub cure: Vec<String>,
}

impl Found {
    pub fn cured(mut self, operations: impl IntoIterator<Item = String>) -> Self {
        self.cure.extend(operations);
        self
    }

    pub fn at_level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    pub fn beside(mut self, origin: &Origin) -> Self {
        self.related.push(origin.clone());
        self
    }
}
