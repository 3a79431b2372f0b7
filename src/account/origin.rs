//! Ids of resources, and where they were read.

use std::fmt;
use std::sync::Arc;

use crate::model::SourceLocation;

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
