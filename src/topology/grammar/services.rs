//! Protocols and ports, in their short form: `tcp 80`, `tcp 7000-8000`, `icmp echo`; and services as a flow asks for.

use crate::model::protocol::unnamed;
use crate::model::{IcmpMatch, IcmpMessage, Port, PortRange, Service, Traffic, Via, number, suggest};
use crate::topology::document::shape::SpannedText;
use crate::topology::problem::{Diagnostic, Span, quote};

const PROTOCOLS: &str = "tcp, udp, icmp, icmpv6, `protocol` with a number, or `all`";

/// The first and the remaining words.
pub fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.find(char::is_whitespace) {
        Some(end) => (&text[..end], text[end..].trim()),
        None => (text, &text[text.len()..]),
    }
}

/// Reads a protocol with a port, or with an ICMP type.
pub fn traffic(protocol: (&str, Span), port: (&str, Span)) -> Result<Traffic, Diagnostic> {
    match protocol.0 {
        "tcp" => ports(port.0, port.1).map(Traffic::Tcp),
        "udp" => ports(port.0, port.1).map(Traffic::Udp),
        "icmp" => icmp(port.0, port.1, 8).map(Traffic::Icmp),
        "icmpv6" => icmp(port.0, port.1, 128).map(Traffic::Icmpv6),
        "all" | "-1" => Ok(Traffic::All),
        "protocol" if port.0 == "-1" => Ok(Traffic::All),
        "protocol" => protocol_of_a_rule(port.0, port.1),
        other => Err(unknown_protocol(other, protocol.1)),
    }
}

pub fn unknown_protocol(word: &str, span: Span) -> Diagnostic {
    let help = by_number(word).or_else(|| suggest(word, ["tcp", "udp", "icmp", "icmpv6"]));
    let help = help.unwrap_or_else(|| PROTOCOLS.to_owned());
    Diagnostic::new(span, format!("unknown protocol {}", quote(word))).help(help)
}

/// Returns advice on writing by its number a protocol that has a name elsewhere, and none in EC2.
fn by_number(word: &str) -> Option<String> {
    let number = unnamed(word)?;
    Some(format!("{} is `protocol {number}`, without ports: EC2 has none for it", word.to_uppercase()))
}

fn no_number(word: &str, span: Span) -> Diagnostic {
    let help = by_number(word).unwrap_or_else(|| "0 to 255".to_owned());
    Diagnostic::new(span, format!("{} is not the number of a protocol", quote(word))).help(help)
}

/// The number of a protocol in a rule. Those that have names have ports or types, which must be said.
fn protocol_of_a_rule(word: &str, span: Span) -> Result<Traffic, Diagnostic> {
    let named =
        |name: &str| Err(Diagnostic::new(span, format!("protocol {word} is {name}")).help(format!("write `{name}`")));
    match number::<u8>(word) {
        Some(6) => named("tcp"),
        Some(17) => named("udp"),
        Some(1) => named("icmp"),
        Some(58) => named("icmpv6"),
        Some(number) => Ok(Traffic::Protocol(number)),
        None => Err(no_number(word, span)),
    }
}

/// `80`, `7000-8000`, `all`.
pub fn ports(word: &str, span: Span) -> Result<PortRange, Diagnostic> {
    if word == "all" {
        return Ok(PortRange::ALL);
    }
    let Some((from, to)) = word.split_once('-').filter(|_| word != "-1") else {
        return port(word, span).map(PortRange::single);
    };
    let (from, to) = (port(from, span)?, port(to, span)?);
    PortRange::new(from, to).ok_or_else(|| {
        Diagnostic::new(span, format!("the port range {word} ends before it begins")).help(format!("write {to}-{from}"))
    })
}

/// A port number.
pub fn port(word: &str, span: Span) -> Result<Port, Diagnostic> {
    if word == "-1" {
        return Err(Diagnostic::new(span, "-1 is not a port")
            .help("EC2 takes -1 for a protocol and for ICMP; every port is `all`"));
    }
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) {
        let draft = Diagnostic::new(span, format!("{} is not a port", quote(word)));
        return Err(draft.help("a number, a range such as 7000-8000, or `all`"));
    }
    match word.parse() {
        Ok(number) => Ok(Port(number)),
        Err(_) => Err(Diagnostic::new(span, format!("port {word} is out of range")).help("ports go up to 65535")),
    }
}

/// `echo`, `all`, `8`, `3/4`; -1 means every type or code, as in EC2, where one type of its own goes with a code.
fn icmp(word: &str, span: Span, echo: u8) -> Result<IcmpMatch, Diagnostic> {
    let matched = match word {
        "all" | "-1" | "-1/-1" => Some(IcmpMatch::All),
        "echo" => Some(IcmpMatch::Type(echo)),
        _ => match word.split_once('/') {
            Some(("all" | "-1", _)) => {
                return Err(Diagnostic::new(span, "a code needs one type of its own")
                    .help("`all` is every type with every code"));
            }
            Some((kind, "all" | "-1")) => number(kind).map(IcmpMatch::Type),
            Some((kind, code)) => number(kind).zip(number(code)).map(|(kind, code)| IcmpMatch::TypeAndCode(kind, code)),
            None => number(word).map(IcmpMatch::Type),
        },
    };
    matched.ok_or_else(|| {
        Diagnostic::new(span, format!("{} is not an ICMP type", quote(word)))
            .help("`echo`, `all`, a type such as 8, or type/code such as 3/4; each at most 255")
    })
}

/// Reads the service of a flow: `80`, `80/tcp`, `53/udp`, `ping`, `tcp 80`, `udp 53`, `icmp echo`, `icmp 13`, `protocol 47`. Gives what
/// follows, too.
pub fn service<'t>(node: &SpannedText, text: &'t str) -> Result<(Service, &'t str), Diagnostic> {
    let (first, rest) = first_word(text);
    let span = node.part(first);
    let one = |word: &str, span: Span, make: fn(Port) -> Service| match port(word, span) {
        Ok(Port(0)) => Err(Diagnostic::new(span, "nothing can listen on port 0, and nothing can ask for it")),
        Ok(port) => Ok(make(port)),
        Err(draft) => Err(draft.help("one port, such as 80, 80/tcp, 53/udp, or `ping`")),
    };
    match first {
        "ping" => return Ok((Service::IcmpEcho, rest)),
        "tcp" | "udp" | "icmp" | "protocol" => {}
        "" => return Err(Diagnostic::new(node.span, "a port is missing").help("such as `tcp 80` or `icmp echo`")),
        _ if first.starts_with(|c: char| c.is_ascii_digit()) => {
            let service = match first.split_once('/') {
                None => one(first, span, Service::Tcp)?,
                Some((port, "tcp")) => one(port, span, Service::Tcp)?,
                Some((port, "udp")) => one(port, span, Service::Udp)?,
                Some((_, other)) => return Err(unknown_protocol(other, node.part(other))),
            };
            return Ok((service, rest));
        }
        _ if first.contains('/') || !rest.is_empty() || unnamed(first).is_some() => {
            return Err(unknown_protocol(first, span));
        }
        _ => {
            return Err(
                Diagnostic::new(span, format!("{} is not a port", quote(first))).help("such as 80, 53/udp or ping")
            );
        }
    }
    let (second, rest) = first_word(rest);
    let at = if second.is_empty() { span } else { node.part(second) };
    let service = match (first, second) {
        (_, "") => return Err(Diagnostic::new(at, format!("`{first}` of which port?")).help("such as `tcp 80`")),
        ("tcp", port) => one(port, at, Service::Tcp)?,
        ("udp", port) => one(port, at, Service::Udp)?,
        ("protocol", number) => protocol(number, at)?,
        (_, "echo" | "8" | "8/0") => Service::IcmpEcho,
        (_, message) => icmp_message(message, at)?,
    };
    Ok((service, rest))
}

/// `13`, `3/4`: one message.
fn icmp_message(word: &str, span: Span) -> Result<Service, Diagnostic> {
    let (kind, code) = word.split_once('/').unwrap_or((word, "0"));
    let message = number(kind).zip(number(code)).map(|(kind, code)| Service::Icmp(IcmpMessage { kind, code }));
    message.ok_or_else(|| {
        Diagnostic::new(span, format!("{} is not an ICMP message", quote(word)))
            .help("`echo`, a type such as 13, or type/code such as 3/4; each at most 255")
    })
}

/// Reports a service that no probe can ask for by an address of this kind. `asked` are its words.
pub fn unprobeable(node: &SpannedText, asked: &str, service: Service, via: Via) -> Option<Diagnostic> {
    let why = service.unprobeable(via)?;
    let (_, number) = first_word(asked);
    let (number, _) = first_word(number);
    let over = if service.unprobeable(Via::Private).is_none() { " over IPv6" } else { "" };
    let message = format!("no probe can ask for {service}{over}");
    Some(
        Diagnostic::new(node.part(number), message).help(format!("{why}; `sglab explain` says what groups make of it")),
    )
}

/// `47`: a protocol of IP that has no ports.
fn protocol(word: &str, span: Span) -> Result<Service, Diagnostic> {
    match number::<u8>(word) {
        Some(6) => Err(Diagnostic::new(span, "protocol 6 is tcp").help("such as `tcp 80`")),
        Some(17) => Err(Diagnostic::new(span, "protocol 17 is udp").help("such as `udp 53`")),
        Some(1 | 58) => Err(Diagnostic::new(span, format!("protocol {word} is icmp")).help("such as `icmp echo`")),
        Some(number) => Ok(Service::Protocol(number)),
        None => Err(no_number(word, span)),
    }
}
