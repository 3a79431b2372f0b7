//! A flow: `web1 -> db1:3306 by public address`.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::Ipv6Net;

use super::services::{first_word, service};
use crate::model::{Direction, Service, Via};
use crate::topology::document::shape::SpannedText;
use crate::topology::patterns::ColumnKind;
use crate::topology::problem::{Diagnostic, Problems, Source, Span, TYPED, quote};

/// The form of a flow.
pub const FORM: &str = "a flow reads `FROM -> TO:PORT`, such as `web1 -> db1:3306`";

/// Lists the words that may follow a port, for messages.
fn continuations() -> String {
    let by = Via::KINDS.map(|via| quote(&via.words())).join(", ");
    let at = Direction::BOTH.map(|at| quote(&format!("at {at}"))).join(" or ");
    format!("it goes on with {by} or a secondary address such as `by 10.0.0.20`, then {at}")
}

/// The ends of a flow, with what is asked between them; as words.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The word that it stands in, which is meant where a part of it is missing.
    pub whole: SpannedText,
    /// The flow in one line.
    pub written: String,
    pub both_ways: bool,
    pub from: SpannedText,
    /// The port that the first end sends from.
    pub from_port: Option<SpannedText>,
    pub to: SpannedText,
    /// The port and what follows it.
    asked: SpannedText,
    /// The address that is said beside the flow.
    by: Option<Via>,
}

/// Service that is asked of an end, with the address and the place of a drop.
#[derive(Clone, Copy, Debug)]
pub struct FlowTarget {
    pub service: Service,
    pub via: Option<Via>,
    pub at: Option<Direction>,
}

impl Ends {
    /// Takes a flow apart, which may be a part of a word's text.
    pub fn of(whole: &SpannedText, text: &str) -> Result<Self, Diagnostic> {
        let Some(arrow) = ["<->", "->"].into_iter().find(|arrow| text.contains(arrow)) else {
            return Err(Diagnostic::new(whole.span, format!("{} is not a flow", quote(text))).help(FORM));
        };
        let (from, to) = text.split_once(arrow).unwrap_or((text, ""));
        let mut ends = Self::between(whole, &whole.cut(from.trim()), &whole.cut(to.trim()))?;
        ends.both_ways = arrow == "<->";
        ends.written = in_one_line(text);
        Ok(ends)
    }

    /// Puts a flow together of who asks, and of whom and for what.
    pub fn between(whole: &SpannedText, from: &SpannedText, to: &SpannedText) -> Result<Self, Diagnostic> {
        let (end, asked) = receiver(to)?;
        let (sender, port) = sender(from.text());
        Ok(Self {
            whole: whole.clone(),
            written: in_one_line(&format!("{} -> {}", from.text(), to.text())),
            both_ways: false,
            from: from.cut(sender),
            from_port: port.map(|port| from.cut(port)),
            to: to.cut(end.trim()),
            asked: to.cut(asked),
            by: None,
        })
    }

    /// The arrow between them.
    pub fn arrow(&self) -> &'static str {
        if self.both_ways { "<->" } else { "->" }
    }

    /// A part of it; all of it for one that is missing.
    pub fn or_whole<'w>(&'w self, part: &'w SpannedText) -> &'w SpannedText {
        if part.text().trim().is_empty() { &self.whole } else { part }
    }

    /// The words of what is asked, port first.
    pub fn asked_words(&self) -> &SpannedText {
        &self.asked
    }

    /// Reads `all`, `tcp all` ... in place of a port. Gives what follows, too.
    pub fn every(&self) -> Option<(ColumnKind, &str)> {
        let (first, rest) = first_word(self.asked.text());
        let (second, after) = first_word(rest);
        let said = |columns: &ColumnKind| match columns.words().split_once(' ') {
            Some(words) => words == (first, second),
            None => columns.words() == first,
        };
        let columns = ColumnKind::ALL.into_iter().find(said)?;
        Some((columns, if columns == ColumnKind::All { rest } else { after }))
    }

    /// Reads the port and what follows it. Where a table names many columns, a ping stands for them: every pair has it.
    pub fn asked(&self, within: Within) -> Result<FlowTarget, Diagnostic> {
        let (service, mut rest) = match (self.asked.text().trim(), self.every()) {
            ("", _) => service(&self.whole, "")?,
            (_, Some((_, rest))) if within == Within::Table => (Service::IcmpEcho, rest),
            (_, Some((columns, _))) => {
                let words = columns.words();
                let draft = Diagnostic::new(self.asked.span, format!("`{words}` stands for the columns of a table"));
                return Err(draft.help("a flow asks for one port, such as `:3306`, `:53/udp` or `:ping`"));
            }
            _ => service(&self.asked, self.asked.text())?,
        };
        let node = &self.asked;
        let (mut via, mut at) = (None, None);
        while !rest.is_empty() {
            let (word, after) = first_word(rest);
            let (second, after) = first_word(after);
            let (third, after_third) = first_word(after);
            let said = Via::KINDS.into_iter().find(|via| via.words().split(' ').eq([word, second, third]));
            match (word, second) {
                _ if via.is_none() && said.is_some() => (via, rest) = (said, after_third),
                ("by", address) if via.is_none() && address.parse::<IpAddr>().is_ok() => {
                    (via, rest) = (address.parse().ok().map(Via::Secondary), after);
                }
                ("at", "ingress") if at.is_none() => (at, rest) = (Some(Direction::Ingress), after),
                ("at", "egress") if at.is_none() => (at, rest) = (Some(Direction::Egress), after),
                ("answered", "by") => {
                    let draft = Diagnostic::new(node.part(rest), format!("{} is no part of a flow here", quote(rest)));
                    return Err(draft.help(match within {
                        Within::Question => "leave it out: it is what a step expects of the flow, under `open:`",
                        _ => "it belongs under `open:`, of a flow to a load balancer",
                    }));
                }
                _ => {
                    let draft = Diagnostic::new(node.part(rest), format!("{} means nothing after a port", quote(rest)));
                    return Err(draft.help(completed(word, second).unwrap_or_else(continuations)));
                }
            }
        }
        match (via, self.by) {
            (Some(via), Some(_)) => {
                let draft = Diagnostic::new(self.whole.span, format!("the flow says `{}` already", via.words()));
                Err(draft.help("leave `--by` out"))
            }
            (via, by) => Ok(FlowTarget { service, via: via.or(by), at }),
        }
    }
}

/// Takes apart who is asked, and for what. An IPv6 address stands in brackets, since its port is told by a colon too.
fn receiver(to: &SpannedText) -> Result<(&str, &str), Diagnostic> {
    let text = to.text();
    if let Some(parts) = bracketed(text) {
        return Ok(parts);
    }
    let (word, _) = first_word(text);
    let (end, port) = word.rsplit_once(':').unwrap_or((word, ""));
    for (address, port) in [(end, port), (word, "443")] {
        if is_ipv6(address) {
            let draft = Diagnostic::new(to.span, format!("where does the address end in {}?", quote(word)));
            return Err(draft.help(format!("an IPv6 address stands in brackets: `[{address}]:{port}`")));
        }
    }
    text.split_once(':').ok_or_else(|| {
        let draft = Diagnostic::new(to.span, format!("{} has no port", quote(text)));
        draft.help("such as `:3306`, `:53/udp` or `:ping`")
    })
}

/// Takes apart who asks, and the port that it sends from.
fn sender(from: &str) -> (&str, Option<&str>) {
    let whole = (from, None);
    if let Some((end, port)) = bracketed(from) {
        return (end, Some(port.trim()));
    }
    if let Some(end) = from.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return (end, None);
    }
    match from.split_once(':') {
        _ if is_ipv6(from) => whole,
        // A forged source may be an address of any kind, with colons.
        Some((end, port)) if !end.contains(" as ") => (end.trim(), Some(port.trim())),
        _ => whole,
    }
}

/// Returns true for an address or a block of IPv6.
fn is_ipv6(word: &str) -> bool {
    word.parse::<Ipv6Addr>().is_ok() || word.parse::<Ipv6Net>().is_ok()
}

/// An end in brackets, and what follows its colon.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once("]:")
}

/// The text with one space between its words.
pub fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words after a port that were meant, where there is only one way to go on.
fn completed(first: &str, second: &str) -> Option<String> {
    let by = Via::KINDS.map(|via| via.words().into_owned());
    let known = by.into_iter().chain(Direction::BOTH.map(|at| format!("at {at}")));
    let said = if ["by", "at"].contains(&first) { second } else { first };
    let mut exact = known.filter(|words| words.split(' ').nth(1) == Some(said));
    exact.next().map(|words| format!("did you mean `{words}`?"))
}

/// A flow as somebody has typed it, in one argument or in two. Names are not looked up.
///
/// ```
/// use sglab::topology::TypedFlow;
///
/// assert!("web1 -> db1:3306 by public address".parse::<TypedFlow>().is_ok());
/// let problems = TypedFlow::between("web1", "db1").check().unwrap_err().to_string();
/// assert!(problems.contains("2 | db1\n  | ^^^ such as `:3306`, `:53/udp` or `:ping`"), "{problems}");
/// ```
#[derive(Clone, Debug)]
pub struct TypedFlow {
    pub(in crate::topology) text: String,
    pub(in crate::topology) ends: Result<Ends, Diagnostic>,
}

impl TypedFlow {
    /// Takes one argument apart.
    pub fn new(flow: &str) -> Self {
        let whole = SpannedText::new(flow, Span { start: 0, end: flow.len() });
        Self { text: flow.to_owned(), ends: Ends::of(&whole, whole.text()) }
    }

    /// Puts two arguments together: who asks; whom, and for what. Problems point into them, a line each.
    pub fn between(from: &str, to: &str) -> Self {
        let from = from.replace(['\n', '\r'], " ");
        let text = format!("{from}\n{to}");
        let (end, start) = (from.len(), from.len() + 1);
        let [from, to] = [(0, end), (start, text.len())]
            .map(|(start, end)| SpannedText::new(&text[start..end], Span { start, end }));
        let ends = Ends::between(&from, &from.cut(from.text().trim()), &to.cut(to.text().trim()));
        Self { text, ends }
    }

    /// By this address, where the flow says none itself.
    pub fn by(mut self, via: Option<Via>) -> Self {
        if let (Ok(ends), Some(via)) = (&mut self.ends, via) {
            ends.written = format!("{} {}", ends.written, via.words());
            ends.by = Some(via);
        }
        self
    }

    /// Reads what needs no names.
    ///
    /// # Errors
    /// Everything that is wrong whatever the names stand for.
    pub fn check(&self) -> Result<(), Problems> {
        let asked = self.ends.clone().and_then(|ends| ends.asked(Within::Question));
        asked.map(drop).map_err(|draft| Problems::new(&Source::new(TYPED, &self.text), vec![draft]))
    }
}

impl FromStr for TypedFlow {
    type Err = Problems;

    fn from_str(text: &str) -> Result<Self, Problems> {
        let flow = Self::new(text);
        flow.check().map(|()| flow)
    }
}

/// Context of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// A truth table, which may name what is launched later.
    Table,
    /// An expectation of a step; whether it is one of drops.
    Step { dropped: bool },
    /// A connection that is held.
    Held,
    /// A question to the model alone, which needs no packet.
    Question,
}
