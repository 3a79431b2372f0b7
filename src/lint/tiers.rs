//! Checks of the article's strategy: groups for tiers, and groups that are names of instances. They say something only of accounts that follow it.

use indexmap::{IndexMap, IndexSet};

use super::check::{ARTICLE, Check};
use super::convention::Role;
use super::cure::{self, Member, Target};
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::subject::{Ruled, Subject, holder, listed};
use crate::account::{Interface, ResourceId};
use crate::model::{Direction, PortRange, Traffic};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "instance-group-with-rules",
        level: Level::Warning,
        title: "the group of an instance has rules of its own",
        why: "Such a group is a name: others' rules say it, and it says nothing. What opens an instance stands in the group of its tier, where everybody looks for it.",
        advice: &[ARTICLE],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB1: [tcp 8080 from anywhere]}
instances: {web1: {groups: [SG-T-WEB, SG-I-WEB1]}}
",
        good: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB1: []}
instances: {web1: {groups: [SG-T-WEB, SG-I-WEB1]}}
",
        fix: None,
        claim: None,
        run: instance_group_with_rules,
    },
    Check {
        id: "instance-group-shared",
        level: Level::Error,
        title: "the group of one instance has several members",
        why: "A rule that names it means one instance, and lets in all of them.",
        advice: &[ARTICLE],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB1: []}
instances: {web1: {groups: [SG-T-WEB, SG-I-WEB1]}, web2: {groups: [SG-T-WEB, SG-I-WEB1]}}
",
        good: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB1: [], SG-I-WEB2: []}
instances: {web1: {groups: [SG-T-WEB, SG-I-WEB1]}, web2: {groups: [SG-T-WEB, SG-I-WEB2]}}
",
        fix: None,
        claim: None,
        run: instance_group_shared,
    },
    Check {
        id: "tier-group-missing",
        level: Level::Warning,
        title: "an instance is in no tier's group, or in two",
        why: "Who is in no tier is opened by rules that nobody finds, and who is in two is opened by both.",
        advice: &[ARTICLE],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB2: []}
instances: {web1: {groups: SG-T-WEB}, web2: {groups: SG-I-WEB2}}
",
        good: "\
sglab: 1
era: article
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-I-WEB2: []}
instances: {web1: {groups: SG-T-WEB}, web2: {groups: [SG-T-WEB, SG-I-WEB2]}}
",
        fix: None,
        claim: None,
        run: tier_group_missing,
    },
    Check {
        id: "admin-group-missing",
        level: Level::Note,
        title: "a tier is open for administration by a rule of its own",
        why: "One group says who administers, and every instance is in it. Where tiers say so themselves, one of them is forgotten when it changes.",
        advice: &[ARTICLE],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: article
hosts: {office: 203.0.113.10}
groups: {SG-T-WEB: [tcp 80 from anywhere, tcp 22 from office]}
instances: {web1: {groups: SG-T-WEB}}
",
        good: "\
sglab: 1
era: article
hosts: {office: 203.0.113.10}
groups: {SG-T-WEB: [tcp 80 from anywhere], SG-T-ADMIN: [tcp 22 from office]}
instances: {web1: {groups: [SG-T-WEB, SG-T-ADMIN]}}
",
        fix: None,
        claim: None,
        run: admin_group_missing,
    },
];

fn instance_groups<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a ResourceId> {
    let groups = subject.account.groups.iter().filter(|(_, group)| subject.role(group) == Some(Role::Instance));
    groups.map(|(id, _)| id)
}

fn instance_group_with_rules(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for id in instance_groups(subject) {
        for ruled in subject.all_rules_of(id).filter(|ruled| !ruled.is_born()) {
            let moved = cure::moved(subject, &ruled, Target::Chosen("TIER-GROUP"));
            let operations = moved.into_iter().chain([cure::revoke(subject, &ruled)]);
            found.push(
                subject.of_rule(&ruled, "is a rule of a group that is the name of an instance").cured(operations),
            );
        }
    }
    found
}

fn instance_group_shared(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for id in instance_groups(subject) {
        let holders: IndexSet<&str> = subject.members(id).iter().map(|member| holder(member.interface)).collect();
        let Some(group) = subject.account.groups.get(id).filter(|_| holders.len() > 1) else { continue };
        let labels = listed(holders.iter().copied());
        let further = holders.iter().skip(1).filter_map(|name| {
            let own = subject.options.convention.instance.replacen('*', &name.to_uppercase(), 1);
            let member = subject.members(id).iter().find(|member| holder(member.interface) == *name)?;
            let mut groups = cure::groups_of(subject, member.interface, |other, _| other != id);
            let (made, of) = match cure::group_named(subject, &own) {
                Some(known) => (None, Member::Of(known)),
                None => (Some(cure::create_group(subject, &own, group)), Member::New(&own)),
            };
            groups.push(of);
            let set = cure::set_groups(subject, name, member.interface, &groups);
            Some(made.into_iter().chain([set]).collect::<Vec<_>>())
        });
        let operations: Vec<String> = further.flatten().collect();
        let message = format!("is the name of one instance and has {} members: {labels}", holders.len());
        found.push(subject.of_group((id, group), message).cured(operations));
    }
    found
}

fn tier_group_missing(subject: &Subject<'_>) -> Vec<Found> {
    let tier = |id: &ResourceId| {
        let group = subject.account.groups.get(id)?;
        (subject.role(group) == Some(Role::Tier)).then_some(group)
    };
    if !subject.account.groups.keys().any(|id| tier(id).is_some()) {
        return Vec::new();
    }
    let mut instances: IndexMap<&str, Vec<&Interface>> = IndexMap::new();
    for interface in subject.account.interfaces.values() {
        let is_instance = interface.holder.is_instance();
        if is_instance && interface.groups.known().is_some() {
            instances.entry(holder(interface)).or_default().push(interface);
        }
    }
    let mut found = Vec::new();
    for (name, interfaces) in instances {
        let groups = interfaces.iter().flat_map(|interface| interface.groups.known().into_iter().flatten());
        let tiers: IndexSet<&str> = groups.filter_map(|id| Some(tier(id)?.label.as_str())).collect();
        let message = match tiers.len() {
            0 => "is in no tier's group".to_owned(),
            1 => continue,
            _ => format!("is in the groups of several tiers: {}", listed(tiers.iter().copied())),
        };
        let others = cure::groups_of(subject, interfaces[0], |id, _| tier(id).is_none());
        let groups: Vec<Member<'_>> = [Member::Chosen("TIER-GROUP")].into_iter().chain(others).collect();
        let set = cure::set_groups(subject, name, interfaces[0], &groups);
        found.push(subject.of_interface(interfaces[0], message).cured([set]));
    }
    found
}

fn admin_group_missing(subject: &Subject<'_>) -> Vec<Found> {
    let finding = |ruled: Ruled<'_>| {
        let range = match ruled.traffic()? {
            Traffic::All => PortRange::ALL,
            Traffic::Tcp(range) => range,
            _ => return None,
        };
        let mut ports = subject.options.admin.iter().filter(|port| range.contains(**port));
        let port = ports.next().filter(|_| subject.role(ruled.group) == Some(Role::Tier))?;
        let admin = &subject.options.convention.admin;
        let (made, target) = match cure::group_named(subject, admin) {
            Some(known) => (None, Target::There(known)),
            None => (Some(cure::create_group(subject, admin, ruled.group)), Target::New(admin)),
        };
        let moved = made.into_iter().chain(cure::moved(subject, &ruled, target));
        let operations = moved.chain([cure::revoke(subject, &ruled)]);
        Some(subject.of_rule(&ruled, format!("opens port {port} of a tier beside the group {admin}")).cured(operations))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}
