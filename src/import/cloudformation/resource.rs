//! Resources of a template.

use super::super::tree::Node;
use crate::account::{Known, Origin, Reason, ResourceId};
use crate::topology::Span;

use super::super::reader::Reader;

/// A resource as its template declares it.
#[derive(Clone)]
pub struct Resource<'t> {
    /// Its logical id.
    pub name: &'t str,
    /// Its type: `AWS::EC2::SecurityGroup`.
    pub kind: &'t str,
    /// The place of its logical id.
    pub span: Span,
    /// Digest of its declaration.
    pub digest: u64,
    /// Its whole declaration.
    pub node: Node<'t>,
    /// Its `Properties`; its whole declaration, which has none of their names, where it says none.
    pub properties: Node<'t>,
    /// True where its condition holds.
    pub there: Known<bool>,
}

impl Resource<'_> {
    /// Returns the place of its declaration.
    pub fn origin(&self, reader: &Reader<'_>) -> Origin {
        let digest = self.digest;
        Origin { digest, ..Origin::new(ResourceId::new(self.name), reader.source.place(self.span)) }
    }

    /// Lists it as left out.
    pub fn leave_out(&self, reader: &mut Reader<'_>, reason: Reason) {
        let (kind, origin) = (self.kind.to_owned(), self.origin(reader));
        reader.into.account.left_out.push(crate::account::LeftOut { kind, reason, origin });
    }

    /// Lists it as left out, or a part of it, since something is not known.
    pub fn unknown(&self, reader: &mut Reader<'_>, why: impl Into<String>) {
        self.leave_out(reader, Reason::UnknownValue(why.into()));
    }
}
