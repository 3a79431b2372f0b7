//! The port that the first end of a flow sends from: `left:4500 <-> right:500/udp`.

use super::resolver::Resolver;
use crate::model::{Port, Service};
use crate::topology::document::shape::SpannedText;
use crate::topology::grammar::{Ends, Within, port};
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// The port that is written before the arrow of a flow.
    pub fn sent_from(&mut self, ends: &Ends, word: &SpannedText, service: Service, within: Within) -> Option<Port> {
        let (word, span) = (word.text(), ends.or_whole(word).span);
        let draft = match (within, ends.arrow(), service) {
            (Within::Table | Within::Step { .. }, ..) => {
                let draft = Diagnostic::new(span, "what is probed is sent from any port that is free");
                draft
                    .help("a port before the arrow is for what is held: `do: {open: {tunnel: 'a:4500 <-> b:500/udp'}}`")
            }
            (_, "->", _) => {
                let draft = Diagnostic::new(span, "who opens a flow sends from any port that is free");
                draft.help("`<->` with a port at each end: both send, `left:4500 <-> right:500/udp`")
            }
            (.., Service::Udp(_)) => match word.split_once('/').unwrap_or((word, "udp")) {
                (number, "udp") => match port(number, span) {
                    Ok(Port(0)) => Diagnostic::new(span, "nothing is sent from port 0"),
                    Ok(port) => return Some(port),
                    Err(draft) => draft.help("one port to send from, such as 4500"),
                },
                (_, other) => Diagnostic::new(span, format!("{} at one end, and udp at the other", quote(other))),
            },
            _ => {
                let draft = Diagnostic::new(span, "only datagrams are sent from both ends at once");
                draft.help("write `/udp` behind the port of the other end")
            }
        };
        self.report(draft);
        None
    }
}
