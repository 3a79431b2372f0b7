//! Findings, and the fingerprints by which the next run knows them again.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::check::Check;
use super::found::{About, Found};
use super::level::Level;
use super::proof::Proof;
use crate::account::Origin;
use crate::reach::RuleAt;

/// Bytes of a fingerprint.
const BYTES: usize = 16;

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// Its level.
    pub level: Level,
    /// Its subject.
    pub about: About,
    /// The rule, in the words of a topology.
    pub rule: Option<String>,
    /// The position of that rule.
    pub at: Option<RuleAt>,
    /// The resource that says it, and its place.
    pub origin: Origin,
    /// Other places that belong to it.
    pub related: Vec<Origin>,
    /// The finding in one sentence, without its subject.
    pub message: String,
    /// Operations that mend it, in the words of the command line; one after the other.
    pub cure: Vec<String>,
    /// The same over runs while check, group and rule are: no line is in it.
    pub fingerprint: String,
    /// The outcome on packets, where they were sent.
    pub proof: Option<Proof>,
}

/// Makes findings of what checks have found. Of two that are alike each has a fingerprint of its own.
pub(super) fn findings(all: impl IntoIterator<Item = (&'static Check, Found)>) -> Vec<Finding> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut finding = |(check, found): (&'static Check, Found)| {
        let key = format!("{}\0{}\0{}", check.id, found.about.resource, found.key);
        let count = seen.entry(key.clone()).or_default();
        let fingerprint = digest(&format!("{key}\0{count}"));
        *count += 1;
        let Found { about, rule, at, origin, related, level, message, cure, key: _ } = found;
        let level = level.unwrap_or(check.level);
        Finding { check, level, about, rule, at, origin, related, message, cure, fingerprint, proof: None }
    };
    all.into_iter().map(&mut finding).collect()
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()
}
