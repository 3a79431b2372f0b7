//! Names of sets, maps and chains that mean something outside of their ruleset: a difference and a reader go by them.

use super::nft::Ruleset;

/// Datagrams that an interface has sent: interface, its address, the other's, its port, the other's.
pub const UDP_SENT: &str = "udp-sent";
/// Datagrams of streams that an interface tracks, as those of [`UDP_SENT`].
pub const UDP_STREAMS: &str = "udp-streams";
/// Traffic of other protocols that an interface has sent or admitted: interface, protocol, its address, the other's.
pub const OTHER: &str = "other";
/// Counts what the interface has sent of it. A set of its own, since a lookup counts on its element too.
pub const OTHER_SENT: &str = "other-sent";
/// Counts what the interface has admitted of it.
pub const OTHER_RECEIVED: &str = "other-received";
/// The end of the names of sets of IPv6 that have one of IPv4 beside them.
pub const OF_IPV6: &str = "-ipv6";
/// The gateway's map from public to private addresses.
pub const PRIVATE_OF: &str = "private-of";

/// The name of the set of IPv6 beside one that packets fill.
pub fn of_ipv6(set: &str) -> String {
    format!("{set}{OF_IPV6}")
}

/// Ending of the name of a set of what is paid for.
const PAID: &str = "-paid";

/// The set of what is paid for of a set that packets fill.
pub fn paid(set: &str) -> String {
    format!("{set}{PAID}")
}

/// The set of which this one says what is paid for.
pub fn paid_of(set: &str) -> Option<&str> {
    set.strip_suffix(PAID)
}

/// The chains of a group's rules, one kind for new flows and one for untracked flows under way.
const GROUP_CHAINS: [&str; 4] = ["ingress/", "egress/", "ingress-live/", "egress-live/"];

/// Reports whether a chain holds a group's rules, whose handles stay while the rules stand.
pub fn is_group_chain(chain: &str) -> bool {
    GROUP_CHAINS.iter().any(|prefix| chain.starts_with(prefix))
}

/// The names of the chains that hold groups' rules. Their handles change only when rules do; the chains of
/// interfaces are written anew whenever an interface changes its groups.
pub fn group_chains(ruleset: &Ruleset) -> impl Iterator<Item = &str> {
    ruleset.chains.keys().map(String::as_str).filter(|chain| is_group_chain(chain))
}
