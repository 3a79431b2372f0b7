//! Items of an account that a form does not say, as a list and as comments.

use crate::account::{LeftOut, Origin, Reason};
use crate::model::shown;

/// A text in one of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outward {
    /// The text.
    pub text: String,
    /// Items of the account that it does not say, or not as they are.
    pub left_out: Vec<LeftOut>,
}

/// Items that a text does not say, or not as they are.
#[derive(Debug, Default)]
pub struct Notes(Vec<LeftOut>);

impl Notes {
    /// Lists an item with the reason.
    pub fn add(&mut self, kind: &str, why: &str, origin: &Origin) {
        let reason = Reason::NotWritten(why.to_owned());
        self.0.push(LeftOut { kind: kind.to_owned(), reason, origin: origin.clone() });
    }

    /// The list as comments, after a title.
    pub fn header(&self, title: &str) -> String {
        let mut header = comment(title);
        for LeftOut { kind, reason, origin } in &self.0 {
            header += &comment(&format!("{kind} of {origin}: {reason}"));
        }
        header
    }

    pub fn into_items(self) -> Vec<LeftOut> {
        self.0
    }
}

/// A comment of one line: nothing in the text ends it.
pub fn comment(text: &str) -> String {
    let line: String = shown(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {line}\n")
}
