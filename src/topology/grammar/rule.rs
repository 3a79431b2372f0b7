//! A rule in its short form.

use std::convert::Infallible;
use std::str::FromStr;

use super::services::{first_word, traffic, unknown_protocol};
use crate::model::{Direction, Traffic, name_fault, suggest};
use crate::topology::document::shape::SpannedText;
use crate::topology::problem::{Diagnostic, Problems, Source, Span, TYPED, quote};

/// A rule as it is written: `tcp 3306 from WEB, office`. Names are not looked up.
///
/// ```
/// use sglab::topology::RuleWords;
///
/// assert!("tcp 3306 from WEB".parse::<RuleWords>().is_ok());
/// let problems = "tcp 3306 frm WEB".parse::<RuleWords>().unwrap_err().to_string();
/// assert!(problems.contains("1 | tcp 3306 frm WEB\n  |          ^^^ did you mean `from`?"), "{problems}");
/// ```
#[derive(Clone, Debug)]
pub struct RuleWords {
    /// All of it.
    pub(in crate::topology) said: SpannedText,
    pub(in crate::topology) traffic: Traffic,
    /// The traffic in its author's words: `tcp 3306`.
    pub(in crate::topology) asked: String,
    /// Direction that its preposition says.
    pub(in crate::topology) direction: Direction,
    /// Place of the preposition.
    pub(in crate::topology) preposition: Span,
    /// At least one, perhaps an empty one.
    pub(in crate::topology) peers: Vec<SpannedText>,
}

/// A rule in an argument: with its text, so that what is wrong can be told together with all else that is wrong with a command.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(from = "String")]
pub struct TypedRule {
    pub(in crate::topology) text: String,
    /// Nothing where it cannot be read.
    pub(in crate::topology) words: Option<RuleWords>,
}

impl TypedRule {
    /// Reads it.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), words: RuleWords::parse(&typed(text), None).ok() }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<String> for TypedRule {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

/// Never fails, so that a command line is read to its end.
impl FromStr for TypedRule {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl FromStr for RuleWords {
    type Err = Problems;

    fn from_str(text: &str) -> Result<Self, Problems> {
        Self::parse(&typed(text), None).map_err(|drafts| Problems::new(&Source::new(TYPED, text), drafts))
    }
}

fn typed(text: &str) -> SpannedText {
    SpannedText::new(text, Span { start: 0, end: text.len() })
}

/// Protocols that have ports, types or a number.
const WITH_PORTS: [&str; 5] = ["tcp", "udp", "icmp", "icmpv6", "protocol"];

impl RuleWords {
    /// Reads a rule. `wanted` is the direction of the rules that it stands among, where that is known: for the words of what is wrong.
    pub fn parse(said: &SpannedText, wanted: Option<Direction>) -> Result<Self, Vec<Diagnostic>> {
        let text = said.text();
        let (protocol, rest) = first_word(text);
        let (port, rest) = if is_all(protocol) { ("", rest) } else { first_word(rest) };
        let (preposition, peers) = first_word(rest);
        let at = |word: &str| said.part_or_all(word);
        if let Some(draft) = no_protocol(said, protocol) {
            return Err(vec![draft]);
        }
        if port.is_empty() && !WITH_PORTS.contains(&protocol) && !is_all(protocol) && name_fault(protocol).is_none() {
            // A list of peers without quotes falls apart at its commas.
            let draft = Diagnostic::new(said.span, format!("{} is no rule", quote(text)));
            let help = format!("{}; several peers need quotes: \"tcp 80 from A, B\"", form(wanted));
            return Err(vec![draft.help(help)]);
        }
        let traffic = match (protocol, port) {
            (_, "" | "from" | "to") if WITH_PORTS.contains(&protocol) => {
                let which = if protocol.starts_with("icmp") { "of which type?" } else { "to which port?" };
                Err(Diagnostic::new(at(protocol), format!("`{protocol}` {which}")).help(completed(text, wanted)))
            }
            _ => traffic((protocol, at(protocol)), (port, at(port))),
        };
        let direction = Direction::BOTH.into_iter().find(|it| it.preposition() == preposition);
        // Said also where the traffic is wrong: such a word is wrong for any.
        let misspelt = direction
            .is_none()
            .then(|| {
                let may_be = Direction::BOTH.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it));
                suggest(preposition, may_be.map(Direction::preposition))
            })
            .flatten();
        let misspelt = misspelt.filter(|_| !preposition.is_empty() && !peers.is_empty());
        let misspelt = misspelt.map(|help| no_preposition(said, preposition, wanted).help(help));
        let traffic = match traffic {
            Ok(traffic) => traffic,
            Err(draft) => return Err(std::iter::once(draft).chain(misspelt).collect()),
        };
        if preposition.starts_with(|c: char| c.is_ascii_digit()) {
            let draft = if matches!(traffic, Traffic::All | Traffic::Protocol(_)) {
                let draft =
                    Diagnostic::new(said.part(preposition), format!("`{traffic}` has no ports in a rule of EC2"));
                draft.help(format!("write `{traffic} {peers}`"))
            } else {
                let draft = Diagnostic::new(said.part(preposition), "a rule has one port, or one range");
                draft.help("such as `tcp 7000-8000`; write a rule for each port else")
            };
            return Err(vec![draft]);
        }
        let (Some(direction), false) = (direction, peers.is_empty()) else {
            return Err(vec![misspelt.unwrap_or_else(|| no_preposition(said, preposition, wanted))]);
        };
        Ok(Self {
            said: said.clone(),
            traffic,
            asked: if port.is_empty() { protocol.to_owned() } else { format!("{protocol} {port}") },
            direction,
            preposition: said.part(preposition),
            peers: peers.split(',').map(|peer| said.cut(peer.trim())).collect(),
        })
    }

    /// The same rule, where its source stands behind so many bytes of another.
    pub(in crate::topology) fn moved(&self, by: usize) -> Self {
        let Span { start, end } = self.preposition;
        Self {
            said: self.said.moved(by),
            preposition: Span { start: start + by, end: end + by },
            peers: self.peers.iter().map(|peer| peer.moved(by)).collect(),
            ..self.clone()
        }
    }
}

/// The rule as it may have been meant, where a protocol lacks its port or its type.
fn completed(text: &str, wanted: Option<Direction>) -> String {
    let (protocol, rest) = first_word(text);
    let (preposition, peer) = first_word(rest);
    match (protocol, preposition) {
        (_, "") | ("protocol", _) => form(wanted).to_owned(),
        _ if peer.is_empty() => form(wanted).to_owned(),
        ("icmp", _) => format!("write `icmp echo {rest}` for pings, or `icmp all {rest}`"),
        _ => format!("write `{protocol} all {rest}`, or one port"),
    }
}

/// Tells what newcomers write for a protocol.
fn no_protocol(said: &SpannedText, first: &str) -> Option<Diagnostic> {
    let at = said.part_or_all(first);
    let rest = first_word(said.text()).1;
    match first {
        "deny" | "drop" | "reject" | "block" if rest.contains(' ') => {
            let draft = Diagnostic::new(at, format!("security groups have no rules that {first}"));
            return Some(
                draft.help("what no rule lets in is dropped: leave the rule out, or narrow those that let it in"),
            );
        }
        "allow" | "accept" | "permit" if rest.contains(' ') => {
            let draft = Diagnostic::new(at, format!("a rule has no word {}", quote(first)));
            return Some(draft.help(format!("every rule lets in: write `{rest}`")));
        }
        _ => {}
    }
    if !["from", "to"].contains(&first_word(rest).0) {
        return None;
    }
    if matches!(first, "ping" | "echo") {
        let draft = Diagnostic::new(at, format!("a rule has no word {}", quote(first)));
        return Some(draft.help(format!("write `icmp echo {rest}`")));
    }
    let (number, protocol) = first.split_once('/').unwrap_or((first, ""));
    let is_port = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit());
    let is_ports = number.split('-').count() <= 2 && number.split('-').all(is_port);
    if !is_ports {
        return None;
    }
    let draft = Diagnostic::new(at, format!("{} of which protocol?", quote(number)));
    match protocol {
        "tcp" | "udp" => Some(draft.help(format!("write `{protocol} {number} {rest}`"))),
        "" => Some(draft.help(format!("write `tcp {number} {rest}`, or udp"))),
        other => Some(unknown_protocol(other, said.part_or_all(other))),
    }
}

fn no_preposition(said: &SpannedText, preposition: &str, wanted: Option<Direction>) -> Diagnostic {
    let silent = preposition.is_empty()
        || Direction::BOTH
            .into_iter()
            .any(|it| wanted.is_none_or(|wanted| wanted == it) && it.preposition() == preposition);
    let span = if silent { said.span } else { said.part(preposition) };
    Diagnostic::new(span, format!("the rule {} does not say {}", quote(said.text()), whom(wanted))).help(form(wanted))
}

/// Returns the form of a short rule, with an example.
pub fn form(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Egress) => {
            "a rule for what goes out reads `PROTOCOL PORT to PEER`, such as `tcp 443 to anywhere`"
        }
        Some(Direction::Ingress) | None => "a rule reads `PROTOCOL PORT from PEER`, such as `tcp 80 from anywhere`",
    }
}

/// Returns the words for the peer that a rule lacks.
pub fn whom(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Egress) => "to whom",
        Some(Direction::Ingress) | None => "from whom",
    }
}

/// Returns true if a word stands for every protocol.
pub fn is_all(word: &str) -> bool {
    matches!(word, "all" | "-1")
}
