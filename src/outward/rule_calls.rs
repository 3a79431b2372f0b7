//! Calls of the AWS CLI about one rule.

use serde_json::json;

use super::permission::{Words, words};
use super::plan::{Id, PlannedPeer, PlannedRule};
use crate::account::Peer;
use crate::model::{Direction, PrefixFamily, Traffic, shell_word, within_quotes};

/// The verb of such a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleVerb {
    /// `authorize-security-group-ingress`, or `-egress`.
    Authorize,
    /// `revoke-security-group-ingress`.
    Revoke,
    /// `update-security-group-rule-descriptions-ingress`, for a text in place of `TEXT`.
    Describe,
}

/// The group that a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallGroup<'a> {
    /// One by its id.
    Id(&'a str),
    /// One that a call before has made, whose id the variable `group` keeps.
    Made,
}

/// Traffic of a rule in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTraffic {
    /// As it is said here.
    Known(Traffic),
    /// One port of TCP, to be chosen.
    TcpPort,
    /// One port of UDP, to be chosen.
    UdpPort,
}

/// The other end of a rule in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallPeer<'a> {
    /// As it is said here.
    Known(&'a Peer),
    /// A group that a call before has made.
    Made,
    /// A block of a family, to be chosen.
    Block(PrefixFamily),
}

/// A block that is to be chosen, by its family.
pub fn block_to_choose(family: PrefixFamily) -> &'static str {
    match family {
        PrefixFamily::Ipv4 => "BLOCK",
        PrefixFamily::Ipv6 => "IPV6-BLOCK",
    }
}

/// The call for a rule of a group. Nothing where the peer is not known.
///
/// ```
/// use sglab::account::Peer;
/// use sglab::model::{Direction, Traffic};
/// use sglab::outward::{CallGroup, CallPeer, CallTraffic, RuleVerb, rule_call};
///
/// let peer = Peer::Block("10.0.0.11/32".parse()?);
/// let rule = (CallTraffic::Known(Traffic::All), CallPeer::Known(&peer));
/// let call = rule_call(RuleVerb::Revoke, CallGroup::Id("sg-1"), Direction::Ingress, rule);
/// let permission = r#"[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"10.0.0.11/32"}]}]"#;
/// assert_eq!(call, Some(format!("aws ec2 revoke-security-group-ingress --group-id sg-1 --ip-permissions '{permission}'")));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
pub fn rule_call(
    verb: RuleVerb,
    group: CallGroup<'_>,
    direction: Direction,
    (traffic, peer): (CallTraffic, CallPeer<'_>),
) -> Option<String> {
    let there = |id: &str| Id::There(id.to_owned());
    let peer = match peer {
        CallPeer::Known(Peer::Block(block)) => peer_words(&PlannedPeer::Block(*block)),
        CallPeer::Known(Peer::Group(id)) => peer_words(&PlannedPeer::Group(there(id.as_str()))),
        CallPeer::Known(Peer::PrefixList(id)) => peer_words(&PlannedPeer::List(there(id.as_str()))),
        CallPeer::Known(Peer::Unknown(_)) => return None,
        CallPeer::Made => peer_words(&PlannedPeer::Group(Id::Own(MADE.to_owned()))),
        CallPeer::Block(family) => {
            let (list, key) = ranges(family);
            PeerWords { list, key, value: format!("\"{}\"", block_to_choose(family)) }
        }
    };
    let (verb, description) = match verb {
        RuleVerb::Authorize => ("authorize-security-group", None),
        RuleVerb::Revoke => ("revoke-security-group", None),
        RuleVerb::Describe => ("update-security-group-rule-descriptions", Some("TEXT")),
    };
    let port = |protocol: &str| (protocol.to_owned(), Some(("PORT".to_owned(), "PORT".to_owned())));
    let (protocol, ports) = match traffic {
        CallTraffic::Known(traffic) => {
            let Words { protocol, ports } = words(traffic);
            (protocol, ports.map(|(from, to)| (from.to_string(), to.to_string())))
        }
        CallTraffic::TcpPort => port("tcp"),
        CallTraffic::UdpPort => port("udp"),
    };
    let group = match group {
        CallGroup::Id(id) => shell_word(id),
        CallGroup::Made => format!("\"${MADE}\""),
    };
    let permission = written((&protocol, ports), &peer, description);
    Some(format!("aws ec2 {verb}-{direction} --group-id {group} --ip-permissions {permission}"))
}

/// The variable of a group that a call has made.
pub const MADE: &str = "group";

/// A peer as the key and value of a list.
struct PeerWords {
    list: &'static str,
    key: &'static str,
    value: String,
}

fn ranges(family: PrefixFamily) -> (&'static str, &'static str) {
    match family {
        PrefixFamily::Ipv4 => ("IpRanges", "CidrIp"),
        PrefixFamily::Ipv6 => ("Ipv6Ranges", "CidrIpv6"),
    }
}

fn peer_words(peer: &PlannedPeer) -> PeerWords {
    let (list, key) = match peer {
        PlannedPeer::Block(block) => ranges(PrefixFamily::of(*block)),
        PlannedPeer::Address(_) => ranges(PrefixFamily::Ipv4),
        PlannedPeer::Group(_) => ("UserIdGroupPairs", "GroupId"),
        PlannedPeer::List(_) => ("PrefixListIds", "PrefixListId"),
    };
    let value = match peer {
        PlannedPeer::Block(block) => format!(r#""{block}""#),
        PlannedPeer::Address(name) => format!(r#""'"${name}_ip"'/32""#),
        PlannedPeer::Group(Id::Own(name)) | PlannedPeer::List(Id::Own(name)) => format!(r#""'"${name}"'""#),
        PlannedPeer::Group(Id::There(id)) | PlannedPeer::List(Id::There(id)) => within_quotes(&json!(id).to_string()),
    };
    PeerWords { list, key, value }
}

fn written((protocol, ports): (&str, Option<(String, String)>), peer: &PeerWords, description: Option<&str>) -> String {
    let PeerWords { list, key, value } = peer;
    let ports = ports.map(|(from, to)| format!(r#""FromPort":{from},"ToPort":{to},"#)).unwrap_or_default();
    let head = format!(r#"[{{"IpProtocol":"{protocol}",{ports}"{list}":[{{"{key}":"#);
    let description = description.map(|text| format!(r#","Description":{}"#, json!(text)));
    let tail = within_quotes(&format!("{}}}]}}]", description.unwrap_or_default()));
    format!("'{head}{value}{tail}'")
}

/// The `IpPermission` of a rule as a word: JSON, in which ids are the script's own.
pub fn permission(rule: &PlannedRule) -> String {
    let ports = rule.words.ports.map(|(from, to)| (from.to_string(), to.to_string()));
    written((&rule.words.protocol, ports), &peer_words(&rule.peer), rule.description.as_deref())
}
