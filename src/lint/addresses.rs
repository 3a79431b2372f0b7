//! Checks of rules that name addresses.

use std::collections::HashMap;
use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::check::{ARTICLE, Advice, Check};
use super::cure::{self, Member, Other};
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::proof::Claim;
use super::subject::{self, Ruled, Subject, listed};
use crate::account::{Interface, Peer, Public, ResourceId, SecurityGroup};
use crate::model::{Direction, Traffic};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "address-in-rule",
        level: Level::Warning,
        title: "a rule names an address or a block of one's own",
        why: "A rule that names an address is a rule for whoever holds it. An instance that is replaced, or in EC2-Classic restarted, gets another address and \
              is locked out, and whoever gets the old one is let in. A rule that names a group follows its members, and nobody edits it.",
        advice: &[ARTICLE],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from 10.0.0.11]}
instances: {web1: {groups: web, address: 10.0.0.11}, db1: {groups: db}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from web]}
instances: {web1: {groups: web, address: 10.0.0.11}, db1: {groups: db}}
",
        fix: None,
        claim: Some(Claim::AddressOfAnybody),
        run: address_in_rule,
    },
    Check {
        id: "address-of-outside",
        level: Level::Note,
        title: "a host outside is named by its address",
        why: "An address of somebody else says nothing of who that is, and when it moves, every rule that names it is to be found. A prefix list \
              has a name and is edited in one place.",
        advice: &[
            ARTICLE,
            Advice {
                who: "Amazon, \"Managed prefix lists\"",
                link: "https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html",
            },
        ],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from 203.0.113.10]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
prefix-lists: {office: {entries: [203.0.113.10/32], max-entries: 5}}
groups: {web: [tcp 443 from office]}
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: address_of_outside,
    },
    Check {
        id: "public-path-surprise",
        level: Level::Warning,
        title: "open by private address and closed by public address, where both are used",
        why: "What goes by public address comes back from the gateway with the sender's public address, and a rule that names a group does not match it. \
              Where rules show that somebody goes that way, others of the same group do not get through.",
        advice: &[
            ARTICLE,
            Advice {
                who: "Amazon, \"Security group rules\"",
                link: "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
            },
        ],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
elastic-ips: {eip-a: web1, eip-b: web2}
groups: {web: [], db: [tcp 5432 from web, tcp 5432 from eip-a]}
instances: {web1: {groups: web}, web2: {groups: web}, db1: {groups: db}}
",
        good: "\
sglab: 1
era: vpc
elastic-ips: {eip-a: web1, eip-b: web2}
groups: {web: [], db: [tcp 5432 from web]}
instances: {web1: {groups: web}, web2: {groups: web}, db1: {groups: db}}
",
        fix: None,
        claim: None,
        run: public_path_surprise,
    },
];

/// The one address that a rule names.
fn host(block: IpNet) -> Option<IpAddr> {
    (block.prefix_len() == block.max_prefix_len()).then(|| block.addr())
}

/// Returns true for a block that nobody is ever reached by. CloudFormation and CDK take a rule for one to say that nothing goes out: a group
/// without any keeps the rule for everything that it is born with.
///
/// Source: "AWS::EC2::SecurityGroup", examples, `127.0.0.1/32` (AWS CloudFormation User Guide); `allowAllOutbound: false` of CDK writes
/// `255.255.255.255/32`.
fn is_nobody(block: IpNet) -> bool {
    match block.addr() {
        IpAddr::V4(address) => address.is_loopback() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_loopback() && block.prefix_len() == 128,
    }
}

fn address_in_rule<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut known: HashMap<Kin<'a>, Option<Siblings<'a>>> = HashMap::new();
    for ruled in subject.rules().filter(|ruled| !ruled.is_anywhere()) {
        let Some(block) = ruled.block().filter(|block| !is_nobody(*block)) else { continue };
        let private = host(block).and_then(|address| subject.private_holder(address, ruled.group));
        let public = host(block).and_then(|address| subject.public_holder(address));
        let message = match (private, public) {
            (Some(holder), _) => format!(
                "names {}, which is {}'s today: the rule stays with the address and not with {1}",
                block.addr(),
                holder.interface.label
            ),
            (None, Some(holder)) => format!(
                "names {}, the public address of {}: the rule stays with the address; a group means private addresses",
                block.addr(),
                holder.interface.label
            ),
            (None, None) if !subject.vpc_blocks(ruled.group).iter().any(|own| own.contains(&block)) => continue,
            (None, None) => {
                let labels = &subject.inside(block, ruled.group).labels;
                format!("names {}, inside the VPC: whoever gets an address there counts, today {labels}", shown(block))
            }
        };
        let operations = match private.or(public) {
            Some(subject::Member { id, .. }) => {
                let one = IndexSet::from([id]);
                match subject.group_of_exactly(&one) {
                    None => {
                        let kin = (ruled.id, ruled.direction, ruled.traffic());
                        match known.entry(kin).or_insert_with(|| siblings(subject, &ruled)) {
                            None => by_group(subject, &ruled, &one, None),
                            Some(Siblings { exact, revoke }) => {
                                let authorize = cure::authorize(subject, &ruled, Other::Group(exact));
                                [authorize].into_iter().chain(revoke.iter().cloned()).collect()
                            }
                        }
                    }
                    exact => by_group(subject, &ruled, &one, exact),
                }
            }
            None => {
                let inside = subject.inside(block, ruled.group);
                by_group(subject, &ruled, &inside.members, inside.exact)
            }
        };
        found.push(subject.of_rule(&ruled, message).cured(operations));
    }
    found
}

fn shown(block: IpNet) -> String {
    host(block).map_or_else(|| block.to_string(), |address| address.to_string())
}

/// The rule for the group that has exactly these members; where none has, one that is made for them.
fn by_group(
    subject: &Subject<'_>,
    ruled: &Ruled<'_>,
    members: &IndexSet<&ResourceId>,
    exact: Option<&SecurityGroup>,
) -> Vec<String> {
    /// Members, at most, that a cure puts into a new group one by one.
    const FEW: usize = 4;
    let group = ruled.group;
    let revoke = cure::revoke(subject, ruled);
    let instead = |other: Other<'_>| cure::authorize(subject, ruled, other);
    if let Some(exact) = exact {
        return vec![instead(Other::Group(exact)), revoke];
    }
    let some = members.iter().take(FEW + 1);
    let interfaces: Vec<&Interface> = some.filter_map(|id| subject.account.interfaces.get(*id)).collect();
    let name = match interfaces.as_slice() {
        [] => return vec![revoke],
        [one] => subject.options.convention.instance.replacen('*', &one.label.to_uppercase(), 1),
        _ => format!("{}-peers", group.label),
    };
    let mut operations = vec![cure::create_group(subject, &name, group)];
    if interfaces.len() <= FEW {
        operations.extend(interfaces.iter().map(|interface| joined(subject, interface, &name)));
    } else {
        operations.push(cure::set_many(subject, &name, group));
    }
    operations.extend([instead(Other::New(&name)), revoke]);
    operations
}

fn joined(subject: &Subject<'_>, interface: &Interface, name: &str) -> String {
    let mut groups = cure::groups_of(subject, interface, |_, _| true);
    groups.push(Member::New(name));
    cure::set_groups(subject, &interface.label, interface, &groups)
}

/// Rules of one group for the same traffic, each for an address that somebody holds, and the group that has exactly these.
struct Siblings<'a> {
    exact: &'a SecurityGroup,
    revoke: Vec<String>,
}

/// Groups of rules that may be siblings.
type Kin<'a> = (&'a ResourceId, Direction, Option<Traffic>);

/// One rule for several addresses: the group that has exactly those who hold them.
fn siblings<'a>(subject: &Subject<'a>, ruled: &Ruled<'a>) -> Option<Siblings<'a>> {
    let holder = |other: &Ruled<'a>| subject.private_holder(other.block().and_then(host)?, other.group);
    let same = subject.rules_of(ruled.id, ruled.direction).filter(|other| other.traffic() == ruled.traffic());
    let held: Vec<(Ruled<'_>, &ResourceId)> = same.filter_map(|other| Some((other, holder(&other)?.id))).collect();
    let exact = subject.group_of_exactly(&held.iter().map(|(_, id)| *id).collect())?;
    let revoke = held.iter().map(|(other, _)| cure::revoke(subject, other));
    Some(Siblings { exact, revoke: revoke.collect() })
}

fn address_of_outside(subject: &Subject<'_>) -> Vec<Found> {
    let outside = |ruled: &Ruled<'_>| {
        let address = ruled.block().filter(|block| !is_nobody(*block)).and_then(host)?;
        let is_own = subject.private_holder(address, ruled.group).is_some()
            || subject.public_holder(address).is_some()
            || subject.vpc_blocks(ruled.group).iter().any(|own| own.contains(&address));
        (!is_own).then_some(address)
    };
    let finding = |ruled: Ruled<'_>| {
        let address = outside(&ruled)?;
        let message = format!("names the host {address}; a prefix list would give it a name and one place to edit");
        let instead = cure::authorize(subject, &ruled, Other::AnyList(cure::family(&ruled)));
        let revoke = cure::revoke(subject, &ruled);
        Some(subject.of_rule(&ruled, message).cured([instead, revoke]))
    };
    subject.rules().filter_map(finding).collect()
}

/// A rule for one member's public address shows that members of the group beside it come that way; an egress rule for a public address, that they go.
fn public_path_surprise(subject: &Subject<'_>) -> Vec<Found> {
    let ingress = subject.rules_in(Direction::Ingress).filter_map(|ruled| ingress_by_public_address(subject, &ruled));
    let egress = subject.rules_in(Direction::Egress).filter_map(|ruled| egress_by_public_address(subject, &ruled));
    ingress.chain(egress).collect()
}

fn ingress_by_public_address(subject: &Subject<'_>, ruled: &Ruled<'_>) -> Option<Found> {
    let holder = subject.public_holder(ruled.block().and_then(host)?)?;
    let traffic = ruled.traffic()?;
    let groups: Vec<&ResourceId> = holder.interface.groups.known().into_iter().flatten().collect();
    let beside = subject.found_by(ruled.id, Direction::Ingress, |index, found| {
        groups.iter().for_each(|id| index.of_peer(&Peer::Group((*id).clone()), traffic, found));
    });
    let beside = beside.first()?;
    let peer = beside.rule.peer.group()?;
    let closed: Vec<&str> = subject
        .members(peer)
        .iter()
        .filter(|member| member.id != holder.id && is_locked_out(subject, &[ruled.id], traffic, member.interface))
        .map(|member| member.interface.label.as_str())
        .collect();
    if closed.is_empty() {
        return None;
    }
    let message = format!(
        "lets {} in by public address, and {} by private address only: the rule for {} does not match what comes by public address",
        holder.interface.label,
        listed(closed),
        subject.account.groups.get(peer).map_or_else(|| peer.to_string(), |group| group.label.clone())
    );
    let revoke = cure::revoke(subject, ruled);
    Some(subject.of_rule(ruled, message).beside(&beside.rule.origin).cured([revoke]))
}

fn egress_by_public_address(subject: &Subject<'_>, ruled: &Ruled<'_>) -> Option<Found> {
    let target = subject.public_holder(ruled.block().and_then(host)?)?;
    let traffic = ruled.traffic()?;
    let receiving: Vec<&ResourceId> = target.interface.groups.known().into_iter().flatten().collect();
    let own = Peer::Group(ruled.id.clone());
    let by_group = receiving.iter().find_map(|id| {
        let named = subject.found_by(id, Direction::Ingress, |index, found| index.of_peer(&own, traffic, found));
        named.first().copied()
    })?;
    let closed: Vec<&str> = subject
        .members(ruled.id)
        .iter()
        .filter(|member| is_locked_out(subject, &receiving, traffic, member.interface))
        .map(|member| member.interface.label.as_str())
        .collect();
    if closed.is_empty() {
        return None;
    }
    let to = &target.interface.label;
    let message = format!(
        "lets {} go to {to} by public address, where {to} lets them in by private address only",
        listed(closed)
    );
    let instead = cure::authorize(subject, ruled, Other::Group(by_group.group));
    let revoke = cure::revoke(subject, ruled);
    Some(subject.of_rule(ruled, message).beside(&by_group.rule.origin).cured([instead, revoke]))
}

/// Tests that an interface has public addresses, and that no rule of these groups about the same traffic lets them in.
fn is_locked_out(subject: &Subject<'_>, groups: &[&ResourceId], traffic: Traffic, interface: &Interface) -> bool {
    let Public::At(addresses) = &interface.public else { return false };
    let public: Vec<&IpAddr> = addresses.iter().filter(|address| address.is_ipv4()).collect();
    let lets_in = |group: &ResourceId, address: IpAddr| {
        let holding = subject.found_by(group, Direction::Ingress, |index, found| {
            index.holding(IpNet::from(address), traffic, found);
        });
        holding.iter().any(|rule| rule.block().is_some())
    };
    !public.is_empty() && !groups.iter().any(|group| public.iter().any(|address| lets_in(group, **address)))
}
