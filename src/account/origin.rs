//! Ids of resources, where they were read, and names that a topology can have, as like those of an account as can be.

use std::fmt;
use std::sync::Arc;

use crate::model::{MAX_NAME, SourceLocation};

/// An id as the sources have it: `sg-0abc`, or a resource's address such as `aws_security_group.web` where the id is known later only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// An id.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::model::shown(&self.0))
    }
}

/// The place that something was read from, and the resource that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The resource as its file names it: `aws_security_group_rule.db_in`, `sg-0abc`.
    pub resource: ResourceId,
    /// File, line and column.
    pub place: SourceLocation,
    /// Digest of the source's text, white space aside; 0 where there is none. What is not known is the same in two sources if its text is.
    pub digest: u64,
}

impl Origin {
    /// An origin without a text.
    pub fn new(resource: ResourceId, place: SourceLocation) -> Self {
        Self { resource, place, digest: 0 }
    }
}

/// `aws_security_group.db (plan.json:1:245)`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.resource, self.place)
    }
}

/// Makes a name of a topology of any other: letters, digits, `-` and `_`, beginning with a letter. A name of digits would be a number in a file,
/// and `sg-1` an id.
pub fn plain_name(wanted: &str) -> String {
    let mut name = String::new();
    for c in wanted.trim().chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches('-');
    // `default-VPC` is the default group of a VPC in a topology.
    let is_taken = |name: &str| ["sg-", "default-"].iter().any(|beginning| name.to_lowercase().starts_with(beginning));
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_taken(name);
    let mut name = if begins { name.to_owned() } else { format!("n-{name}") };
    name.truncate(MAX_NAME);
    name.trim_end_matches('-').to_owned()
}

/// Returns the name without the number by which it is told from its twins: `web` of `web-2`.
pub fn without_number(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, number)) if !stem.is_empty() && number.parse().is_ok_and(|number: u32| number > 1) => stem,
        _ => name,
    }
}
