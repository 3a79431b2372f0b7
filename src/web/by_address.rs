//! Addresses that the rows of the page's table may go by.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::Via;

/// Address of receivers, by its word: [`Via::USUAL`], or that of a kind but `private`, which the usual one stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ByAddress(Option<Via>);

impl ByAddress {
    /// Each with its word.
    fn all() -> impl Iterator<Item = (Cow<'static, str>, Self)> {
        let kinds = Via::KINDS.into_iter().filter(|via| *via != Via::Private);
        std::iter::once(None).chain(kinds.map(Some)).map(|via| (Via::word_or_usual(via), Self(via)))
    }
}

impl TryFrom<String> for ByAddress {
    type Error = String;

    fn try_from(said: String) -> Result<Self, String> {
        let known = Self::all().find(|(word, _)| *word == said);
        known.map(|(_, by)| by).ok_or_else(|| {
            let words: Vec<String> = Self::all().map(|(word, _)| format!("`{word}`")).collect();
            format!("unknown variant `{said}`, expected one of {}", words.join(", "))
        })
    }
}

impl From<ByAddress> for Option<Via> {
    fn from(by: ByAddress) -> Self {
        by.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_by_the_usual_address_or_by_another_kind_and_no_other_word_is_read() {
        let read: Vec<ByAddress> = serde_json::from_str(r#"["usual", "public", "ipv6", "dns"]"#).unwrap();
        let vias: Vec<Option<Via>> = read.into_iter().map(Into::into).collect();
        assert_eq!(vias, [None, Some(Via::Public), Some(Via::Ipv6), Some(Via::Dns)]);
        for word in ["private", "10.0.0.7", ""] {
            let said = serde_json::from_value::<ByAddress>(word.into()).unwrap_err().to_string();
            assert_eq!(said, format!("unknown variant `{word}`, expected one of `usual`, `public`, `ipv6`, `dns`"));
        }
    }
}
