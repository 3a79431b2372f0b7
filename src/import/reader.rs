//! A source while it is read: places, mistakes, and what is left out.

use super::builder::Builder;
use super::fault::Mistake;
use super::tree::Node;
use super::words::Wrong;
use crate::account::{LeftOut, Origin, Reason, ResourceId};
use crate::topology::Source;

/// One digest of two texts.
pub(super) fn mixed(one: u64, other: u64) -> u64 {
    one.rotate_left(1) ^ other
}

/// A source while it is read into a builder.
pub(super) struct Reader<'s> {
    pub source: &'s Source,
    pub into: &'s mut Builder,
}

impl Reader<'_> {
    pub fn origin(&self, node: Node<'_>, resource: &str) -> Origin {
        let digest = self.source.digest(node.span());
        let digest = self.into.written.get(resource).map_or(digest, |written| mixed(digest, *written));
        Origin { digest, ..Origin::new(ResourceId::new(resource), self.source.place(node.span())) }
    }

    pub fn fault(&mut self, mistake: Mistake) {
        self.into.faults.push(mistake.placed(self.source));
    }

    /// A value of a resource that cannot be read.
    pub fn wrong(&mut self, node: Node<'_>, resource: &str, (message, help): Wrong) {
        let mistake = Mistake::new(node.span(), format!("{resource}: {message}")).maybe_help(help);
        let mistake = match node.text() {
            Some(text) => mistake.value(text),
            None => mistake,
        };
        self.fault(mistake);
    }

    /// A key that must be there and is not.
    pub fn lacks(&mut self, node: Node<'_>, resource: &str, key: &str) {
        self.fault(Mistake::new(node.start(), format!("{resource}: `{key}` is missing")));
    }

    pub fn leave_out(&mut self, node: Node<'_>, kind: &str, resource: &str, reason: Reason) {
        let origin = self.origin(node, resource);
        self.into.account.left_out.push(LeftOut { kind: kind.to_owned(), reason, origin });
    }
}
