//! Cures as they would be typed: commands of sglab, calls of the AWS CLI, or the change to what a file declares.

use ipnet::IpNet;

use super::options::CureWords;
use super::subject::{Ruled, Subject};
use crate::account::{Account, Interface, Origin, Peer, ResourceId, SecurityGroup};
use crate::model::{Direction, shell_word};
use crate::outward::{RuleVerb, rule_call};
use crate::reach::{peer_words, traffic_words};

/// A prefix list that is to be chosen.
pub(super) const PREFIX_LIST: &str = "PREFIX-LIST";

/// The language of a cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// `sglab revoke DB 'tcp 3306 from WEB'`.
    Sglab,
    /// `aws ec2 revoke-security-group-ingress ...`, where a resource is told by its id.
    Calls,
    /// `aws_security_group.db: delete the ingress rule tcp 3306 from aws_security_group.web`, where a file declares it.
    Declared,
}

fn language(subject: &Subject<'_>, origin: &Origin) -> Language {
    let is_id = |resource: &str| ["sg-", "sgr-", "eni-", "i-"].iter().any(|kind| resource.starts_with(kind));
    match subject.options.cures {
        CureWords::Commands => Language::Sglab,
        CureWords::OfSources if is_id(origin.resource.as_str()) => Language::Calls,
        CureWords::OfSources => Language::Declared,
    }
}

/// Takes a rule away.
pub(super) fn revoke(subject: &Subject<'_>, ruled: &Ruled<'_>) -> String {
    let words = |peer: &str| words(ruled, peer);
    let declared = || {
        let (resource, own) = (&ruled.group.origin.resource, &ruled.rule.origin.resource);
        let words = words(&declared_peer(subject, &ruled.rule.peer));
        let beside = match ruled.direction {
            Direction::Ingress => &ruled.group.ingress,
            Direction::Egress => &ruled.group.egress,
        };
        let count = beside.iter().filter(|rule| rule.origin.resource == *own).count();
        match own == resource {
            true => format!("{resource}: delete the {} rule {words}", way(ruled.direction)),
            false if count == 1 => format!("{own}: delete it"),
            false => format!("{own}: take {words} out of it"),
        }
    };
    match language(subject, &ruled.group.origin) {
        Language::Sglab => {
            command("revoke", &ruled.group.label, ruled.direction, &words(&peer(subject.account, &ruled.rule.peer)))
        }
        Language::Calls => call(RuleVerb::Revoke, ruled, &ruled.rule.peer).unwrap_or_else(declared),
        Language::Declared => declared(),
    }
}

/// The rule with another peer: the label of a group, a block, or a word to be replaced.
pub(super) fn authorize(subject: &Subject<'_>, ruled: &Ruled<'_>, other: &str) -> String {
    let called = || call(RuleVerb::Authorize, ruled, &peer_of(subject, other));
    match language(subject, &ruled.group.origin) {
        Language::Sglab => command("authorize", &ruled.group.label, ruled.direction, &words(ruled, other)),
        Language::Calls => {
            called().unwrap_or_else(|| open(subject, ruled.group, ruled.direction, &words(ruled, other)))
        }
        Language::Declared => {
            let other = group_named(subject, other).map_or(other, |(_, group)| group.origin.resource.as_str());
            open(subject, ruled.group, ruled.direction, &words(ruled, other))
        }
    }
}

/// A rule of a group, in the words of a topology.
pub(super) fn open(subject: &Subject<'_>, group: &SecurityGroup, direction: Direction, words: &str) -> String {
    match language(subject, &group.origin) {
        Language::Sglab => command("authorize", &group.label, direction, words),
        Language::Calls | Language::Declared => added(group.origin.resource.as_str(), direction, words),
    }
}

/// As [`open`], of a group by its label, or a word to be replaced by one; `origin` is that of what is replaced.
pub(super) fn open_in(
    subject: &Subject<'_>,
    (label, origin): (&str, &Origin),
    direction: Direction,
    words: &str,
) -> String {
    match (language(subject, origin), group_named(subject, label)) {
        (Language::Sglab, _) => command("authorize", label, direction, words),
        (_, Some((_, group))) => open(subject, group, direction, words),
        (_, None) => added(label, direction, words),
    }
}

/// A text for a rule.
pub(super) fn describe(subject: &Subject<'_>, ruled: &Ruled<'_>) -> String {
    let declared = || {
        let resource = &ruled.rule.origin.resource;
        format!("{resource}: describe {}", words(ruled, &declared_peer(subject, &ruled.rule.peer)))
    };
    match language(subject, &ruled.group.origin) {
        Language::Sglab => {
            let words = words(ruled, &peer(subject.account, &ruled.rule.peer));
            command("update-description", &ruled.group.label, ruled.direction, &words) + " --description TEXT"
        }
        Language::Calls => call(RuleVerb::Describe, ruled, &ruled.rule.peer).unwrap_or_else(declared),
        Language::Declared => declared(),
    }
}

/// A new group beside another.
pub(super) fn create_group(subject: &Subject<'_>, name: &str, beside: &SecurityGroup) -> String {
    let name = shell_word(name);
    match language(subject, &beside.origin) {
        Language::Sglab => format!("sglab create-group {name}"),
        Language::Calls => {
            let vpc = beside.vpc.as_ref().map(|vpc| format!(" --vpc-id {}", shell_word(vpc.as_str())));
            let vpc = vpc.unwrap_or_default();
            format!("aws ec2 create-security-group --group-name {name} --description TEXT{vpc}")
        }
        Language::Declared => format!("declare a group {name}"),
    }
}

/// Takes a group away.
pub(super) fn delete_group(subject: &Subject<'_>, (id, group): (&ResourceId, &SecurityGroup)) -> String {
    match language(subject, &group.origin) {
        Language::Sglab => format!("sglab delete-group {}", shell_word(&group.label)),
        Language::Calls => format!("aws ec2 delete-security-group --group-id {}", shell_word(id.as_str())),
        Language::Declared => format!("{}: delete it", group.origin.resource),
    }
}

/// The groups of an interface, by their labels or words to be replaced; `holder` is its name in commands.
pub(super) fn set_groups(subject: &Subject<'_>, holder: &str, interface: &Interface, groups: &[&str]) -> String {
    let resource = interface.origin.resource.as_str();
    let joined = |told: &dyn Fn(&str) -> String| groups.iter().map(|group| told(group)).collect::<Vec<_>>().join(" ");
    match language(subject, &interface.origin) {
        Language::Sglab => format!("sglab set-groups {} {}", shell_word(holder), joined(&shell_word)),
        Language::Calls => {
            let id = |label: &str| shell_word(group_named(subject, label).map_or(label, |(id, _)| id.as_str()));
            let what = match resource.starts_with("i-") {
                true => "modify-instance-attribute --instance-id",
                false => "modify-network-interface-attribute --network-interface-id",
            };
            format!("aws ec2 {what} {} --groups {}", shell_word(resource), joined(&id))
        }
        Language::Declared => {
            let name = |label: &str| {
                group_named(subject, label).map_or(label, |(_, group)| group.origin.resource.as_str()).to_owned()
            };
            format!("{resource}: make its groups {}", joined(&name))
        }
    }
}

/// The same for many interfaces, one by one.
pub(super) fn set_many(subject: &Subject<'_>, group: &str, beside: &SecurityGroup) -> String {
    let group = shell_word(group);
    match language(subject, &beside.origin) {
        Language::Sglab => format!("sglab set-groups INSTANCE GROUPS {group}"),
        Language::Calls => {
            format!("aws ec2 modify-instance-attribute --instance-id INSTANCE --groups GROUPS {group}")
        }
        Language::Declared => format!("add {group} to the groups of each"),
    }
}

/// A peer as a command takes it.
pub(super) fn peer(account: &Account, peer: &Peer) -> String {
    match peer {
        Peer::Block(block @ IpNet::V6(_)) if block.prefix_len() == 0 => block.to_string(),
        known => peer_words(account, known),
    }
}

/// A command on a rule that is given as its traffic and peer.
fn command(verb: &str, group: &str, direction: Direction, rule: &str) -> String {
    let egress = match direction {
        Direction::Ingress => "",
        Direction::Egress => " --egress",
    };
    format!("sglab {verb} {}{egress} {}", shell_word(group), shell_word(rule))
}

fn call(verb: RuleVerb, ruled: &Ruled<'_>, peer: &Peer) -> Option<String> {
    rule_call(verb, ruled.id.as_str(), ruled.direction, (ruled.traffic()?, peer))
}

fn added(resource: &str, direction: Direction, words: &str) -> String {
    format!("{resource}: add the {} rule {words}", way(direction))
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn words(ruled: &Ruled<'_>, peer: &str) -> String {
    format!("{} {} {peer}", traffic_words(ruled.rule), ruled.direction.preposition())
}

/// A peer by the resource that declares it.
fn declared_peer(subject: &Subject<'_>, known: &Peer) -> String {
    let declared = match known {
        Peer::Group(id) => subject.account.groups.get(id).map(|group| group.origin.resource.to_string()),
        Peer::Block(_) | Peer::PrefixList(_) | Peer::Unknown(_) => None,
    };
    declared.unwrap_or_else(|| peer(subject.account, known))
}

/// The peer of a call for a word.
fn peer_of(subject: &Subject<'_>, word: &str) -> Peer {
    let block = if word == "anywhere" { Some(IpNet::V4(ipnet::Ipv4Net::default())) } else { word.parse().ok() };
    match (block, group_named(subject, word)) {
        (Some(block), _) => Peer::Block(block),
        (None, Some((id, _))) => Peer::Group(id.clone()),
        (None, None) if word == PREFIX_LIST => Peer::PrefixList(ResourceId::new(word)),
        (None, None) => Peer::Group(ResourceId::new(word)),
    }
}

/// The one group of a label.
fn group_named<'a>(subject: &Subject<'a>, label: &str) -> Option<(&'a ResourceId, &'a SecurityGroup)> {
    let mut groups = subject.account.groups.iter().filter(|(_, group)| group.label == label);
    groups.next().filter(|_| groups.next().is_none())
}
