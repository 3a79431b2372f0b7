//! Flows in words, as a passage tells them, compared by their packets: two halves of a range of ports are the range.

use crate::model::{IcmpMatch, Port, PortRange, Traffic};

use super::region::{Packets, packets_without};

/// The ends of a flow, `web -> db` of `web -> db:5432`.
pub fn ends_of_flow(flow: &str) -> &str {
    flow.rsplit_once(':').map_or(flow, |(ends, _)| ends)
}

/// Tells what of a flow others between the same ends do not have, as flows. One in words that are no range of ports is had by the same words, and by all
/// of its protocol.
pub fn flow_without<'f>(flow: &'f str, others: impl IntoIterator<Item = &'f str>) -> Vec<String> {
    let mut left = packets(flow).into_iter().collect();
    let is_opaque = packets(flow).is_none();
    for other in others.into_iter().filter(|other| ends_of_flow(other) == ends_of_flow(flow)) {
        if other == flow || is_opaque && covers_opaque(other, flow) {
            return Vec::new();
        }
        left = packets_without(left, packets(other));
    }
    if is_opaque {
        return vec![flow.to_owned()];
    }
    let words = left.into_iter().map(|packets| {
        let words = packets.words();
        format!("{}:{}", ends_of_flow(flow), words.strip_prefix("tcp ").unwrap_or(&words))
    });
    words.collect()
}

fn words_of(flow: &str) -> &str {
    flow.rsplit_once(':').map_or("", |(_, words)| words)
}

/// The packets of a flow that is for all traffic, or for ports.
fn packets(flow: &str) -> Option<Packets> {
    let ports = |words: &str| {
        let (from, to) = words.split_once('-').unwrap_or((words, words));
        PortRange::new(Port(from.parse().ok()?), Port(to.parse().ok()?))
    };
    let traffic = match words_of(flow) {
        "all" => Traffic::All,
        "icmp all" => Traffic::Icmp(IcmpMatch::All),
        "icmpv6 all" => Traffic::Icmpv6(IcmpMatch::All),
        words => match words.strip_prefix("udp ") {
            Some(words) => Traffic::Udp(ports(words)?),
            None => Traffic::Tcp(ports(words)?),
        },
    };
    Some(Packets::of(traffic))
}

fn covers_opaque(wide: &str, flow: &str) -> bool {
    let (wide, words) = (words_of(wide), words_of(flow));
    wide == "all" || wide.strip_suffix(" all").is_some_and(|protocol| words.split(' ').next() == Some(protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ranges_that_meet_are_the_range() {
        assert!(flow_without("web -> db:0-65535", ["web -> db:0-1000", "web -> db:1001-65535"]).is_empty());
        assert_eq!(flow_without("web -> db:20-25", ["web -> db:22"]), ["web -> db:20-21", "web -> db:23-25"]);
        assert_eq!(flow_without("web -> db:20-25", ["app -> db:20-25"]), ["web -> db:20-25"]);
    }

    #[test]
    fn words_that_are_no_ports_are_had_by_the_same_and_by_all() {
        let echo = "anywhere -> 2001:db8::/32:icmp echo";
        assert!(flow_without(echo, [echo]).is_empty());
        assert!(flow_without(echo, ["anywhere -> 2001:db8::/32:all"]).is_empty());
        assert!(flow_without(echo, ["anywhere -> 2001:db8::/32:icmp all"]).is_empty());
        assert_eq!(flow_without(echo, ["anywhere -> 2001:db8::/32:icmpv6 all"]), [echo]);
    }
}
