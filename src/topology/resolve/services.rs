//! Services: those that stand alone, and the columns of a table.

use super::resolver::Resolver;
use crate::model::{Service, Via};
use crate::topology::document::shape::SpannedText;
use crate::topology::grammar::{service, unprobeable};
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// A service that stands alone, such as in `listens:`, in the words of a flow: a number alone is a port of tcp.
    pub fn service(&mut self, word: &SpannedText) -> Option<Service> {
        match service(word, word.text()) {
            Ok((service, "")) => match unprobeable(word, word.text(), service, Via::Private) {
                Some(draft) => {
                    self.report(draft);
                    None
                }
                None => Some(service),
            },
            Ok((_, rest)) => {
                self.report(Diagnostic::new(word.part(rest), format!("{} follows the port", quote(rest))));
                None
            }
            Err(draft) => {
                self.report(draft);
                None
            }
        }
    }
}
