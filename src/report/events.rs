//! What happens in a lab that is up, and what packets met in it, for people.

use std::fmt::Write;

use super::live;
use super::text::shown;
use crate::control::protocol::Applied;
use crate::control::told::{Event, Explained, Happening, Together, Verdict};

/// An event, a line or a few; the time is of the day, in UTC.
pub fn event(event: &Event) -> String {
    let told = match &event.what {
        Happening::Change { operation, changes, in_force } => {
            live::applied(&[Applied { operation: operation.clone(), changes: changes.clone(), in_force: *in_force }])
        }
        Happening::Refused { operation, code, message } => {
            format!("{operation}    refused: {code}: {}\n", shown(message))
        }
        Happening::Probe(probed) => format!("probe  {}", live::probed(std::slice::from_ref(probed))),
        Happening::Verdict(verdict) => format!("{}\n", self::verdict(verdict)),
        Happening::Missed { events } => format!("{events} events are not told here: they came too fast\n"),
    };
    let mut text = String::new();
    for (number, line) in told.lines().enumerate() {
        let head = if number == 0 { clock(event.time) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{head:<12}  {line}");
    }
    text
}

/// What a filter recorded, in a line.
pub fn verdict(it: &Verdict) -> String {
    let whose = it.interface.as_deref().unwrap_or(&it.filter);
    let at = it.at.as_deref().unwrap_or("-");
    let protocol = match it.protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        number => format!("protocol {number}"),
    };
    let protocol = match (it.icmp_type, it.icmp_code) {
        (Some(kind), Some(code)) => format!("{protocol} {kind}/{code}"),
        _ => protocol,
    };
    let (source, destination) = match it.protocol {
        6 | 17 => (end(&it.source, it.source_port), end(&it.destination, it.destination_port)),
        _ => (it.source.clone(), it.destination.clone()),
    };
    let by = match (&it.rule, it.verdict.as_str()) {
        (Some(rule), _) => format!("  by {rule}"),
        (None, "drop" | "cut") if !it.groups.is_empty() => format!("  no rule of {}", it.groups.join(", ")),
        _ => String::new(),
    };
    format!("{:<7}  {whose} {at}  {protocol} {source} -> {destination}{by}", it.verdict)
}

fn end(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// A flow explained and probed: the walk as predicted, then what its packets met.
pub fn explained(it: &Explained) -> String {
    let mut text = it.text.clone();
    let mut line = |label: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {label:<10} {what}");
    };
    if it.met.is_empty() {
        line("met", "no filter recorded a packet of it");
    }
    for (number, met) in it.met.iter().enumerate() {
        line(if number == 0 { "met" } else { "" }, &verdict(met));
    }
    let reason = it.probed.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", shown(reason)));
    line("found", &format!("{}{reason}", it.probed.outcome));
    line(
        "",
        match it.agreement.as_str() {
            "agree" => "as predicted",
            "disagree" => "NOT as predicted: model and kernel disagree, and one of the two is wrong; please report it",
            _ => "the probe proved nothing, so there is nothing to compare",
        },
    );
    text
}

/// What two ends come to that send to each other. Each way was probed by itself, so that no packet speaks for both.
pub fn together(it: &Together) -> String {
    format!("{}  by prediction: a probe sends one way\n", it.text)
}

/// `13:05:59.120` of a day, in UTC.
fn clock(time: f64) -> String {
    // Milliseconds since 1970 are far below 2^53.
    let millis = (time * 1000.0) as u64;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_message_is_named_by_its_type_and_code() {
        let mut told = Verdict {
            verdict: "drop".to_owned(),
            at: Some("ingress".to_owned()),
            interface: Some("web1".to_owned()),
            groups: vec!["WEB".to_owned()],
            rule: None,
            rule_id: None,
            filter: "vpc-default".to_owned(),
            protocol: 1,
            source: "169.254.3.1".to_owned(),
            source_port: 0,
            destination: "10.0.0.11".to_owned(),
            destination_port: 3,
            icmp_type: Some(3),
            icmp_code: Some(4),
        };
        let line = "drop     web1 ingress  icmp 3/4 169.254.3.1 -> 10.0.0.11  no rule of WEB";
        assert_eq!(verdict(&told), line);
        // As an older supervisor says it.
        (told.icmp_type, told.icmp_code) = (None, None);
        assert_eq!(verdict(&told), line.replace("icmp 3/4", "icmp"));
    }
}
