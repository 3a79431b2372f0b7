//! Calls of the AWS CLI about one rule.

use serde_json::json;

use super::permission::words;
use super::plan::{Id, PlannedPeer, PlannedRule};
use crate::account::Peer;
use crate::model::{Direction, Traffic, shell_word, within_quotes};

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

/// The call for a rule of a group that is there by its id. Nothing where the peer is not known.
///
/// ```
/// use sglab::account::Peer;
/// use sglab::model::{Direction, Traffic};
/// use sglab::outward::{RuleVerb, rule_call};
///
/// let peer = Peer::Block("10.0.0.11/32".parse()?);
/// let call = rule_call(RuleVerb::Revoke, "sg-1", Direction::Ingress, (Traffic::All, &peer));
/// let permission = r#"[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"10.0.0.11/32"}]}]"#;
/// assert_eq!(call, Some(format!("aws ec2 revoke-security-group-ingress --group-id sg-1 --ip-permissions '{permission}'")));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
pub fn rule_call(
    verb: RuleVerb,
    group: &str,
    direction: Direction,
    (traffic, peer): (Traffic, &Peer),
) -> Option<String> {
    let there = |id: &str| Id::There(id.to_owned());
    let peer = match peer {
        Peer::Block(block) => PlannedPeer::Block(*block),
        Peer::Group(id) => PlannedPeer::Group(there(id.as_str())),
        Peer::PrefixList(id) => PlannedPeer::List(there(id.as_str())),
        Peer::Unknown(_) => return None,
    };
    let way = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let (verb, description) = match verb {
        RuleVerb::Authorize => ("authorize-security-group", None),
        RuleVerb::Revoke => ("revoke-security-group", None),
        RuleVerb::Describe => ("update-security-group-rule-descriptions", Some("TEXT".to_owned())),
    };
    let rule = PlannedRule { words: words(traffic), peer, description };
    Some(format!("aws ec2 {verb}-{way} --group-id {} --ip-permissions {}", shell_word(group), permission(&rule)))
}

/// The `IpPermission` of a rule as a word: JSON, in which ids are the script's own.
pub fn permission(rule: &PlannedRule) -> String {
    let (list, key) = match &rule.peer {
        PlannedPeer::Block(block) if block.addr().is_ipv6() => ("Ipv6Ranges", "CidrIpv6"),
        PlannedPeer::Block(_) | PlannedPeer::Address(_) => ("IpRanges", "CidrIp"),
        PlannedPeer::Group(_) => ("UserIdGroupPairs", "GroupId"),
        PlannedPeer::List(_) => ("PrefixListIds", "PrefixListId"),
    };
    let ports = rule.words.ports.map(|(from, to)| format!(r#""FromPort":{from},"ToPort":{to},"#)).unwrap_or_default();
    let head = format!(r#"[{{"IpProtocol":"{}",{ports}"{list}":[{{"{key}":"#, rule.words.protocol);
    let description = rule.description.as_deref().map(|text| format!(r#","Description":{}"#, json!(text)));
    let tail = within_quotes(&format!("{}}}]}}]", description.unwrap_or_default()));
    let peer = match &rule.peer {
        PlannedPeer::Block(block) => format!(r#""{block}""#),
        PlannedPeer::Address(name) => format!(r#""'"${name}_ip"'/32""#),
        PlannedPeer::Group(Id::Own(name)) | PlannedPeer::List(Id::Own(name)) => format!(r#""'"${name}"'""#),
        PlannedPeer::Group(Id::There(id)) | PlannedPeer::List(Id::There(id)) => within_quotes(&json!(id).to_string()),
    };
    format!("'{head}{peer}{tail}'")
}
