//! The port that the first end of a flow sends from: `left:4500 <-> right:500/udp`.

use super::resolver::Resolver;
use super::services;
use super::within::Within;
use crate::model::{Port, Service};
use crate::topology::document::shape::Word;
use crate::topology::problem::{Draft, quote};

/// Splits the text before an arrow into an end, and perhaps a port.
pub(super) fn split(word: &str) -> (&str, Option<&str>) {
    match word.split_once(':') {
        // A forged source may be an address of any kind, with colons.
        Some((end, port)) if !end.contains(" as ") => (end.trim(), Some(port.trim())),
        _ => (word, None),
    }
}

impl Resolver<'_> {
    /// The port that is written before the arrow of a flow.
    pub fn sent_from(
        &mut self,
        node: &Word,
        word: &str,
        (arrow, service): (&str, Service),
        within: Within,
    ) -> Option<Port> {
        let span = node.part_or_all(word);
        let draft = match (within, arrow, service) {
            (Within::Table | Within::Step { .. }, ..) => {
                let draft = Draft::new(span, "what is probed is sent from any port that is free");
                draft
                    .help("a port before the arrow is for what is held: `do: {open: {tunnel: 'a:4500 <-> b:500/udp'}}`")
            }
            (_, "->", _) => {
                let draft = Draft::new(span, "who opens a flow sends from any port that is free");
                draft.help("`<->` with a port at each end: both send, `left:4500 <-> right:500/udp`")
            }
            (.., Service::Udp(_)) => match word.split_once('/').unwrap_or((word, "udp")) {
                (number, "udp") => match services::port(number, span) {
                    Ok(Port(0)) => Draft::new(span, "nothing is sent from port 0"),
                    Ok(port) => return Some(port),
                    Err(draft) => draft.help("one port to send from, such as 4500"),
                },
                (_, other) => Draft::new(span, format!("{} at one end, and udp at the other", quote(other))),
            },
            _ => {
                let draft = Draft::new(span, "only datagrams are sent from both ends at once");
                draft.help("write `/udp` behind the port of the other end")
            }
        };
        self.report(draft);
        None
    }
}
