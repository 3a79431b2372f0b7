//! Cures as they would be typed: commands of sglab, calls of the AWS CLI, or the change to what a file declares.

use ipnet::IpNet;

use super::options::CureWords;
use super::subject::{Ruled, Subject};
use crate::account::{Account, Interface, Origin, Peer, ResourceId, SecurityGroup};
use crate::model::{Direction, Port, PortRange, PrefixFamily, Traffic, shell_word};
use crate::outward::{CallGroup, CallPeer, CallTraffic, MADE, RuleVerb, block_to_choose, rule_call};
use crate::reach::{peer_words, traffic_words};

/// The other end of a rule that a cure makes. Words in capitals are to be chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Other<'a> {
    /// A group that is there.
    Group(&'a SecurityGroup),
    /// A group that the cure makes.
    New(&'a str),
    /// A group.
    AnyGroup,
    /// A prefix list of a family.
    AnyList(PrefixFamily),
    /// A block of a family.
    AnyBlock(PrefixFamily),
    /// Every address of a family.
    Every(PrefixFamily),
    /// Peer of another rule.
    Same(&'a Peer),
}

/// The group whose rule a cure makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// One that is there.
    There(&'a SecurityGroup),
    /// One that the cure makes.
    New(&'a str),
    /// One that is to be chosen, by a word in capitals.
    Chosen(&'a str),
}

/// A group that an interface is to be in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member<'a> {
    /// One that is there.
    Of(&'a SecurityGroup),
    /// One that the cure makes.
    New(&'a str),
    /// One that is to be chosen, by a word in capitals.
    Chosen(&'a str),
}

/// The traffic to the internet that members need more often than any other.
pub(super) const HTTPS: CallTraffic = CallTraffic::Known(Traffic::Tcp(PortRange::single(Port(443))));

/// The family of a block; that of IPv4 where a rule names none.
pub(super) fn family(ruled: &Ruled<'_>) -> PrefixFamily {
    ruled.block().map_or(PrefixFamily::Ipv4, PrefixFamily::of)
}

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
        if is_implied(ruled) {
            return format!(
                "{resource}: declare its {} rules: they take the place of {}, which a group is born with",
                ruled.direction,
                words(&declared_peer(subject, &ruled.rule.peer))
            );
        }
        if let Peer::Unknown(_) = &ruled.rule.peer {
            return format!("{resource}: delete the {} rule at {}", ruled.direction, ruled.rule.origin.place);
        }
        let words = words(&declared_peer(subject, &ruled.rule.peer));
        let beside = ruled.group.rules(ruled.direction).iter();
        let count = beside.filter(|rule| rule.origin.resource == *own).count();
        match own == resource {
            true => format!("{resource}: delete the {} rule {words}", ruled.direction),
            false if count == 1 => format!("{own}: delete it"),
            false => format!("{own}: take {words} out of it"),
        }
    };
    match language(subject, &ruled.group.origin) {
        Language::Sglab => {
            command("revoke", &ruled.group.label, ruled.direction, &words(&peer(subject.account, &ruled.rule.peer)))
        }
        Language::Calls => call(RuleVerb::Revoke, ruled).unwrap_or_else(declared),
        Language::Declared => declared(),
    }
}

/// Returns true for a rule that a file does not say: a group has it as long as none of its direction is declared.
fn is_implied(ruled: &Ruled<'_>) -> bool {
    ruled.is_born() && ruled.rule.origin == ruled.group.origin
}

/// Narrows a rule to some traffic: rules for that beside it, and the rule taken away. Where no source tells its peer, it is changed as it stands.
pub(super) fn narrow(subject: &Subject<'_>, ruled: &Ruled<'_>, traffic: &[CallTraffic]) -> Vec<String> {
    if let Peer::Unknown(_) = &ruled.rule.peer {
        let wanted: Vec<String> = traffic.iter().map(|traffic| traffic_word(*traffic)).collect();
        let (own, place) = (&ruled.rule.origin.resource, &ruled.rule.origin.place);
        return vec![format!("{own}: make {} of the {} rule at {place}", wanted.join(" and "), ruled.direction)];
    }
    let target = (Target::There(ruled.group), &ruled.group.origin);
    let peer = Other::Same(&ruled.rule.peer);
    let rules = traffic.iter().map(|traffic| open(subject, target, ruled.direction, (*traffic, peer)));
    rules.chain([revoke(subject, ruled)]).collect()
}

/// The same rule in another group; nothing where no source tells what it admits.
pub(super) fn moved(subject: &Subject<'_>, ruled: &Ruled<'_>, target: Target<'_>) -> Option<String> {
    let traffic = CallTraffic::Known(ruled.traffic()?);
    if let Peer::Unknown(_) = &ruled.rule.peer {
        return None;
    }
    let rule = (traffic, Other::Same(&ruled.rule.peer));
    Some(open(subject, (target, &ruled.group.origin), ruled.direction, rule))
}

/// The rule with another peer.
pub(super) fn authorize(subject: &Subject<'_>, ruled: &Ruled<'_>, other: Other<'_>) -> String {
    let target = (Target::There(ruled.group), &ruled.group.origin);
    match ruled.traffic() {
        Some(traffic) => open(subject, target, ruled.direction, (CallTraffic::Known(traffic), other)),
        None => {
            let words = words(ruled, &other_words(subject, other, language(subject, target.1)));
            added(ruled.group.origin.resource.as_str(), ruled.direction, &words)
        }
    }
}

/// A rule of a group; `origin` is that of what it is beside.
pub(super) fn open(
    subject: &Subject<'_>,
    (target, origin): (Target<'_>, &Origin),
    direction: Direction,
    (traffic, other): (CallTraffic, Other<'_>),
) -> String {
    let language = language(subject, origin);
    let name = match (target, language) {
        (Target::There(group), Language::Sglab) => group.label.as_str(),
        (Target::There(group), Language::Calls | Language::Declared) => group.origin.resource.as_str(),
        (Target::New(name) | Target::Chosen(name), _) => name,
    };
    let words = || {
        let peer = other_words(subject, other, language);
        format!("{} {} {peer}", traffic_word(traffic), direction.preposition())
    };
    let called = || {
        let group = match target {
            Target::There(group) => CallGroup::Id(id_of(subject, group)?.as_str()),
            Target::New(_) => CallGroup::Made,
            Target::Chosen(word) => CallGroup::Id(word),
        };
        let peer = match other {
            Other::Group(group) => Peer::Group(id_of(subject, group)?.clone()),
            Other::AnyGroup => Peer::Group(ResourceId::new(ANY_GROUP)),
            Other::AnyList(family) => Peer::PrefixList(ResourceId::new(any_list(family))),
            Other::Every(family) => Peer::Block(family.every_address()),
            Other::Same(peer) => peer.clone(),
            Other::New(_) => return rule_call(RuleVerb::Authorize, group, direction, (traffic, CallPeer::Made)),
            Other::AnyBlock(family) => {
                return rule_call(RuleVerb::Authorize, group, direction, (traffic, CallPeer::Block(family)));
            }
        };
        rule_call(RuleVerb::Authorize, group, direction, (traffic, CallPeer::Known(&peer)))
    };
    match language {
        Language::Sglab => command("authorize", name, direction, &words()),
        Language::Calls => called().unwrap_or_else(|| added(name, direction, &words())),
        Language::Declared => added(name, direction, &words()),
    }
}

/// A group that is to be chosen.
const ANY_GROUP: &str = "GROUP";

/// A prefix list that is to be chosen: each has entries of one family.
fn any_list(family: PrefixFamily) -> &'static str {
    match family {
        PrefixFamily::Ipv4 => "PREFIX-LIST",
        PrefixFamily::Ipv6 => "IPV6-PREFIX-LIST",
    }
}

fn traffic_word(traffic: CallTraffic) -> String {
    match traffic {
        CallTraffic::Known(traffic) => traffic.to_string(),
        CallTraffic::TcpPort => "tcp PORT".to_owned(),
        CallTraffic::UdpPort => "udp PORT".to_owned(),
    }
}

fn other_words(subject: &Subject<'_>, other: Other<'_>, language: Language) -> String {
    match other {
        Other::Group(group) if language == Language::Sglab => group.label.clone(),
        Other::Group(group) => group.origin.resource.to_string(),
        Other::New(name) => name.to_owned(),
        Other::AnyGroup => ANY_GROUP.to_owned(),
        Other::AnyList(family) => any_list(family).to_owned(),
        Other::AnyBlock(family) => block_to_choose(family).to_owned(),
        Other::Every(PrefixFamily::Ipv4) => crate::model::Peer::ANYWHERE.to_owned(),
        Other::Every(PrefixFamily::Ipv6) => "::/0".to_owned(),
        Other::Same(known) if language == Language::Sglab => peer(subject.account, known),
        Other::Same(known) => declared_peer(subject, known),
    }
}

/// A text for a rule.
pub(super) fn describe(subject: &Subject<'_>, ruled: &Ruled<'_>) -> String {
    let declared = || {
        let resource = &ruled.rule.origin.resource;
        match &ruled.rule.peer {
            Peer::Unknown(_) => format!("{resource}: describe the rule at {}", ruled.rule.origin.place),
            known => format!("{resource}: describe {}", words(ruled, &declared_peer(subject, known))),
        }
    };
    match language(subject, &ruled.group.origin) {
        Language::Sglab => {
            let words = words(ruled, &peer(subject.account, &ruled.rule.peer));
            command("update-description", &ruled.group.label, ruled.direction, &words) + " --description TEXT"
        }
        Language::Calls => call(RuleVerb::Describe, ruled).unwrap_or_else(declared),
        Language::Declared => declared(),
    }
}

/// A new group beside another. Calls keep its id for those that follow.
pub(super) fn create_group(subject: &Subject<'_>, name: &str, beside: &SecurityGroup) -> String {
    let name = shell_word(name);
    match language(subject, &beside.origin) {
        Language::Sglab => format!("sglab create-group {name}"),
        Language::Calls => {
            let vpc = beside.vpc.as_ref().map(|vpc| format!(" --vpc-id {}", shell_word(vpc.as_str())));
            let vpc = vpc.unwrap_or_default();
            format!(
                "{MADE}=$(aws ec2 create-security-group --group-name {name} --description TEXT{vpc} --query GroupId --output text)"
            )
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

/// The groups of an interface; `holder` is its name in commands.
pub(super) fn set_groups(subject: &Subject<'_>, holder: &str, interface: &Interface, groups: &[Member<'_>]) -> String {
    let resource = interface.origin.resource.as_str();
    let card = card_of(subject, interface);
    let language = match card {
        Some(_) if subject.options.cures == CureWords::OfSources => Language::Calls,
        _ => language(subject, &interface.origin),
    };
    let joined = |word: &dyn Fn(&Member<'_>) -> String| groups.iter().map(word).collect::<Vec<_>>().join(" ");
    match language {
        Language::Sglab => {
            let label = |member: &Member<'_>| match member {
                Member::Of(group) => shell_word(&group.label),
                Member::New(name) | Member::Chosen(name) => shell_word(name),
            };
            format!("sglab set-groups {} {}", shell_word(holder), joined(&label))
        }
        Language::Calls => {
            let id = |member: &Member<'_>| match member {
                Member::Of(group) => shell_word(id_of(subject, group).map_or(group.label.as_str(), ResourceId::as_str)),
                Member::New(_) => format!("\"${MADE}\""),
                Member::Chosen(word) => shell_word(word),
            };
            // EC2 refuses to change the groups of an instance with several interfaces.
            let (what, named) = match card {
                Some(card) => ("modify-network-interface-attribute --network-interface-id", card.as_str()),
                None => ("modify-instance-attribute --instance-id", resource),
            };
            format!("aws ec2 {what} {} --groups {}", shell_word(named), joined(&id))
        }
        Language::Declared => {
            let name = |member: &Member<'_>| match member {
                Member::Of(group) => group.origin.resource.to_string(),
                Member::New(name) | Member::Chosen(name) => (*name).to_owned(),
            };
            format!("{resource}: make its groups {}", joined(&name))
        }
    }
}

/// The id of an interface that a reply tells. What a file declares is told by its resource.
fn card_of<'a>(subject: &Subject<'a>, interface: &Interface) -> Option<&'a ResourceId> {
    let resource = interface.origin.resource.as_str();
    let is_told = resource.starts_with("i-") || resource.starts_with("eni-") || resource == interface.label;
    let mut all = subject.account.interfaces.iter().filter(|(_, known)| std::ptr::eq(*known, interface));
    all.next().map(|(id, _)| id).filter(|id| is_told && id.as_str().starts_with("eni-"))
}

/// The groups that an interface is in and that are wanted, then others.
pub(super) fn groups_of<'a>(
    subject: &Subject<'a>,
    interface: &Interface,
    is_wanted: impl Fn(&ResourceId, &SecurityGroup) -> bool,
) -> Vec<Member<'a>> {
    let own = interface.groups.known().into_iter().flatten();
    let known = own.filter_map(|id| Some((id, subject.account.groups.get(id)?)));
    known.filter(|(id, group)| is_wanted(id, group)).map(|(_, group)| Member::Of(group)).collect()
}

/// A new group for many interfaces, one by one.
pub(super) fn set_many(subject: &Subject<'_>, group: &str, beside: &SecurityGroup) -> String {
    let group = shell_word(group);
    match language(subject, &beside.origin) {
        Language::Sglab => format!("sglab set-groups INSTANCE GROUPS {group}"),
        Language::Calls => {
            format!("aws ec2 modify-instance-attribute --instance-id INSTANCE --groups GROUPS \"${MADE}\"")
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

fn call(verb: RuleVerb, ruled: &Ruled<'_>) -> Option<String> {
    let rule = (CallTraffic::Known(ruled.traffic()?), CallPeer::Known(&ruled.rule.peer));
    rule_call(verb, CallGroup::Id(ruled.id.as_str()), ruled.direction, rule)
}

fn added(resource: &str, direction: Direction, words: &str) -> String {
    format!("{resource}: add the {} rule {words}", direction)
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

/// The id of a group of the account.
fn id_of<'a>(subject: &Subject<'a>, group: &SecurityGroup) -> Option<&'a ResourceId> {
    let mut groups = subject.account.groups.iter().filter(|(_, known)| std::ptr::eq(*known, group));
    groups.next().map(|(id, _)| id)
}

/// The one group of a label.
pub(super) fn group_named<'a>(subject: &Subject<'a>, label: &str) -> Option<&'a SecurityGroup> {
    let mut groups = subject.account.groups.values().filter(|group| group.label == label);
    groups.next().filter(|_| groups.next().is_none())
}
