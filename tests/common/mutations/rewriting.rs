//! The text of a rule, taken apart into its conditions and what it does, and put together otherwise.

use std::net::IpAddr;

use ipnet::IpNet;

/// One way to alter a rule, by its name, with the text that comes of it.
pub type Rewritten = (String, String);

/// The conditions of a rule, one by one, and the statements behind them.
pub struct Parts {
    pub conditions: Vec<String>,
    pub statements: String,
}

/// Takes a rule apart. What it does not know as a condition begins the statements.
pub fn parts(text: &str) -> Parts {
    let words: Vec<&str> = text.split(' ').collect();
    let mut conditions = Vec::new();
    let mut at = 0;
    while let Some(end) = condition(&words, at) {
        conditions.push(words[at..end].join(" "));
        at = end;
    }
    Parts { conditions, statements: words[at..].join(" ") }
}

/// Where a condition that begins here ends.
fn condition(words: &[&str], mut at: usize) -> Option<usize> {
    loop {
        at += match (*words.get(at)?, words.get(at + 1).copied()) {
            ("iifname" | "oifname", _) => 1,
            ("ct", Some("original")) if matches!(words.get(at + 2), Some(&("ip" | "ip6"))) => 4,
            ("ct", Some("original")) | ("fib", _) => 3,
            ("ip" | "ip6" | "tcp" | "udp" | "th" | "icmp" | "icmpv6" | "meta" | "ct", _) => 2,
            _ => return None,
        };
        if words.get(at) != Some(&".") {
            break;
        }
        at += 1;
    }
    match *words.get(at)? {
        "set" | "vmap" | "map" => return None,
        "&" => at += 3,
        _ => {}
    }
    if words.get(at) == Some(&"!=") {
        at += 1;
    }
    words.get(at).map(|_| at + 1)
}

/// Every way to alter a rule.
pub fn rewritten(text: &str) -> Vec<Rewritten> {
    let Parts { conditions, statements } = parts(text);
    let with = |conditions: &[String], statements: &str| {
        let all = conditions.iter().map(String::as_str).chain([statements]);
        all.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let mut ways = Vec::new();
    if let Some(flipped) = flipped(&statements) {
        ways.push(("flip".to_owned(), with(&conditions, &flipped)));
    }
    if conditions.len() > 1 {
        ways.push(("match all".to_owned(), with(&[], &statements)));
    }
    for (number, condition) in conditions.iter().enumerate() {
        let mut rest = conditions.clone();
        rest.remove(number);
        ways.push((format!("drop `{condition}`"), with(&rest, &statements)));
        for altered in altered(condition) {
            let mut rest = conditions.clone();
            rest[number].clone_from(&altered);
            ways.push((format!("`{condition}` is `{altered}`"), with(&rest, &statements)));
        }
    }
    for (name, marked) in remarked(&statements) {
        ways.push((name.to_owned(), with(&conditions, &marked)));
    }
    ways.retain(|(_, new)| new != text);
    ways
}

/// The verdict the other way round. What goes on elsewhere is admitted in place.
fn flipped(statements: &str) -> Option<String> {
    let words: Vec<&str> = statements.split(' ').collect();
    let (end, verdict) = match words.as_slice() {
        [.., "accept"] => (words.len() - 1, "drop"),
        [.., "drop"] => (words.len() - 1, "accept"),
        [.., "jump", _] => (words.len() - 2, "accept"),
        [.., _, "vmap", _] => (words.len() - 3, "accept"),
        _ => (words.iter().position(|word| *word == "reject")?, "accept"),
    };
    Some([&words[..end], &[verdict]].concat().join(" "))
}

/// What is remembered of the flow, or said of the interface, otherwise.
fn remarked(statements: &str) -> Vec<(&'static str, String)> {
    let mut ways = Vec::new();
    for bit in ["0x1", "0x2"] {
        let track = format!("ct mark set ct mark | {bit} ");
        if let Some(rest) = statements.strip_prefix(&track) {
            ways.push(("do not track", rest.to_owned()));
        }
    }
    if let Some(bits) = statements.strip_prefix("meta mark set ") {
        for (name, other) in [("mark none", "0x0"), ("mark all", "0xf")] {
            if bits != other {
                ways.push((name, format!("meta mark set {other}")));
            }
        }
    }
    ways
}

/// ICMP, TCP, UDP and ICMPv6, as nft reads them.
const NAMED: [&str; 4] = ["1", "6", "17", "58"];

/// A condition with another value: the nearest ones that a mistake would give.
fn altered(condition: &str) -> Vec<String> {
    let Some((head, value)) = condition.rsplit_once(' ') else { return Vec::new() };
    let is_port = ["tcp dport", "udp dport", "proto-dst"].iter().any(|end| head.ends_with(end));
    let values: Vec<String> = if is_port {
        ports(value)
    } else if value == "echo-request" {
        vec![if head.starts_with("icmpv6") { "129" } else { "13" }.to_owned()]
    } else if head == "meta l4proto" && NAMED.contains(&value) {
        // Nothing speaks the next protocol: that is the rule deleted, which is tried by itself.
        Vec::new()
    } else if head.ends_with(" type") || head.ends_with(" code") || head == "meta l4proto" {
        value.parse::<u8>().map(|number| vec![number.wrapping_add(1).to_string()]).unwrap_or_default()
    } else if head.ends_with("saddr") || head.ends_with("daddr") || head.ends_with("!=") {
        addresses(value)
    } else {
        Vec::new()
    };
    values.into_iter().map(|value| format!("{head} {value}")).collect()
}

/// The edges of a port or a range, each moved by one.
fn ports(value: &str) -> Vec<String> {
    let (low, high) = value.split_once('-').unwrap_or((value, value));
    let (Ok(low), Ok(high)) = (low.parse::<i32>(), high.parse::<i32>()) else { return Vec::new() };
    let moved = if low == high {
        vec![(low - 1, high), (low, high + 1), (low + 1, high + 1)]
    } else {
        vec![(low - 1, high), (low + 1, high), (low, high - 1), (low, high + 1)]
    };
    let whole = moved.into_iter().filter(|(low, high)| low <= high && *low >= 0 && *high <= 65535);
    whole.map(|(low, high)| if low == high { low.to_string() } else { format!("{low}-{high}") }).collect()
}

/// The neighbour of an address; a block twice and half as large.
pub fn addresses(value: &str) -> Vec<String> {
    if let Ok(address) = value.parse::<IpAddr>() {
        return vec![neighbour(address).to_string()];
    }
    let Ok(net) = value.parse::<IpNet>() else { return Vec::new() };
    let wider = net.supernet().map(|net| net.to_string());
    let narrower = net.subnets(net.prefix_len() + 1).ok().and_then(|mut halves| halves.next());
    wider.into_iter().chain(narrower.map(|net| net.to_string())).collect()
}

fn neighbour(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address) ^ 1).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) ^ 1).into()),
    }
}
