//! Checks of groups that nobody is in, that nobody has, and that say nothing of themselves.

use std::collections::HashSet;

use super::check::{ARTICLE, Advice, Check};
use super::cure::{self, Other};
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::subject::{Ruled, Subject};
use crate::account::{Peer, Reason};
use crate::model::SelfReference;

/// The description that Terraform writes where nobody has written one.
const NO_TEXT: &str = "Managed by Terraform";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "unused-group",
        level: Level::Note,
        title: "a group has no member, and no rule names it",
        why: "It does nothing, counts against the quota of groups, and is what the next launch takes by mistake.",
        advice: &[
            Advice {
                who: "Prowler, ec2_securitygroup_not_used",
                link: "https://hub.prowler.com/check/ec2_securitygroup_not_used",
            },
            Advice { who: "Checkov CKV2_AWS_5", link: "https://www.checkov.io/5.Policy%20Index/all.html" },
        ],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], old: []}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere]}
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: unused_group,
    },
    Check {
        id: "empty-reference",
        level: Level::Note,
        title: "a rule names a group without members",
        why: "It opens nothing today, and something to whoever is launched into the group next. Made ahead on purpose that is the article's way; forgotten, it is a door.",
        advice: &[Advice { who: "sglab", link: "docs/semantics.md#what-a-rule-matches" }],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
groups: {web: [], db: [tcp 5432 from web]}
instances: {db1: {groups: db}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [], db: [tcp 5432 from web]}
instances: {web1: {groups: web}, db1: {groups: db}}
",
        fix: None,
        claim: None,
        run: empty_reference,
    },
    Check {
        id: "stale-reference",
        level: Level::Error,
        title: "a rule or an interface names what is not there",
        why: "A rule that names a deleted group stays, and matches nobody; EC2 lists such rules as stale. Of files that were cut it may be that the other half lies \
              elsewhere: give both.",
        advice: &[Advice {
            who: "Amazon, DescribeStaleSecurityGroups",
            link: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeStaleSecurityGroups.html",
        }],
        profiles: &[Profile::Article, Profile::Aws],
        bad: "\
SecurityGroups:
- GroupId: sg-db
  GroupName: db
  IpPermissions:
  - {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, UserIdGroupPairs: [{GroupId: sg-gone}]}
",
        good: "\
SecurityGroups:
- GroupId: sg-web
  GroupName: web
- GroupId: sg-db
  GroupName: db
  IpPermissions:
  - {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, UserIdGroupPairs: [{GroupId: sg-web}]}
",
        fix: None,
        claim: None,
        run: stale_reference,
    },
    Check {
        id: "self-reference",
        level: Level::Note,
        title: "a group names itself",
        why: "In the article such a rule is accepted and matches nobody, and there it is an error. As Amazon documents it, every member reaches every other: often \
              what a cluster wants, and often more than anybody meant.",
        advice: &[
            ARTICLE,
            Advice {
                who: "Amazon, \"Default security groups\"",
                link: "https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html",
            },
        ],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: article
groups: {SG-T-DB: [tcp 3306 from SG-T-DB]}
instances: {db1: {groups: SG-T-DB}, db2: {groups: SG-T-DB}}
",
        good: "\
sglab: 1
era: article
groups: {SG-T-DB: [tcp 3306 from SG-I-DB1], SG-I-DB1: []}
instances: {db1: {groups: [SG-T-DB, SG-I-DB1]}, db2: {groups: SG-T-DB}}
",
        fix: None,
        claim: None,
        run: self_reference,
    },
    Check {
        id: "no-description",
        level: Level::Note,
        title: "a group or its rules say nothing of themselves",
        why: "Who finds the rule in two years has its description, and nothing else, to tell why it is there.",
        advice: &[
            Advice { who: "Trivy AWS-0099 and AWS-0124", link: "https://avd.aquasec.com/misconfig/aws-0099" },
            Advice { who: "Checkov CKV_AWS_23", link: "https://www.checkov.io/5.Policy%20Index/all.html" },
        ],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
groups:
  web:
    description: what the public reaches
    ingress: [{protocol: tcp, ports: 443, from: anywhere, description: the shop}]
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: no_description,
    },
];

fn unused_group(subject: &Subject<'_>) -> Vec<Found> {
    if !subject.knows_members {
        return Vec::new();
    }
    let is_unused = |id| subject.members(id).is_empty() && !subject.named.contains(id);
    let groups = subject.account.groups.iter().filter(|(id, group)| is_unused(*id) && !subject.is_default(group));
    let findings = groups.map(|(id, group)| {
        let delete = cure::delete_group(subject, (id, group));
        subject.of_group((id, group), "has no member, and no rule names it").cured([delete])
    });
    findings.collect()
}

fn empty_reference(subject: &Subject<'_>) -> Vec<Found> {
    if !subject.knows_members {
        return Vec::new();
    }
    let finding = |ruled: Ruled<'_>| {
        let Peer::Group(id) = &ruled.rule.peer else { return None };
        let peer = subject.account.groups.get(id).filter(|_| subject.members(id).is_empty() && id != ruled.id)?;
        let message = format!("names {}, which has no member: it is open to whoever is launched into it", peer.label);
        let revoke = cure::revoke(subject, &ruled);
        Some(subject.of_rule(&ruled, message).beside(&peer.origin).cured([revoke]))
    };
    subject.rules().filter_map(finding).collect()
}

fn stale_reference(subject: &Subject<'_>) -> Vec<Found> {
    let by_rule = |ruled: Ruled<'_>| {
        let Peer::Group(id) = &ruled.rule.peer else { return None };
        if subject.account.groups.contains_key(id) {
            return None;
        }
        let revoke = cure::revoke(subject, &ruled);
        let message = format!("names the group {id}, which no source has");
        Some(subject.of_rule(&ruled, message).cured([revoke]))
    };
    let mut found: Vec<Found> = subject.rules().filter_map(by_rule).collect();
    let by_rules: HashSet<String> = found.iter().map(|known| known.origin.to_string()).collect();
    for item in &subject.account.left_out {
        if !matches!(item.reason, Reason::StaleReference(_) | Reason::MatchesNothing(_)) {
            continue;
        }
        if !by_rules.contains(&item.origin.to_string()) {
            found.push(subject.of_item(&item.kind, &item.origin, item.reason.to_string()));
        }
    }
    found
}

fn self_reference(subject: &Subject<'_>) -> Vec<Found> {
    let (level, message) = match subject.options.platform.self_reference {
        SelfReference::MatchesNobody => (Level::Error, "names its own group, and matches nobody in this era"),
        SelfReference::MatchesMembers => (Level::Note, "names its own group: every member reaches every other"),
    };
    let finding = |ruled: Ruled<'_>| {
        // The default group's own rule has a check of its own.
        let is_own = matches!(&ruled.rule.peer, Peer::Group(id) if id == ruled.id) && !subject.is_default(ruled.group);
        let revoke = cure::revoke(subject, &ruled);
        let instead = cure::authorize(subject, &ruled, Other::AnyGroup);
        is_own.then(|| subject.of_rule(&ruled, message).at_level(level).cured([instead, revoke]))
    };
    subject.rules().filter_map(finding).collect()
}

/// One finding a group: a source without any would else have one for each rule.
fn no_description(subject: &Subject<'_>) -> Vec<Found> {
    let is_said =
        |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty() && text != NO_TEXT);
    let mut found = Vec::new();
    for (id, group) in &subject.account.groups {
        if subject.is_default(group) {
            continue;
        }
        let own: Vec<Ruled<'_>> = subject
            .all_rules_of(id)
            .filter(|ruled| !ruled.is_born())
            // Of a rule that nobody tells, nobody tells the text.
            .filter(|ruled| ruled.traffic().is_some() || !matches!(ruled.rule.peer, Peer::Unknown(_)))
            .collect();
        let silent: Vec<&Ruled<'_>> = own.iter().filter(|ruled| !is_said(&ruled.rule.description)).collect();
        let (count, all) = (silent.len(), own.len());
        let message = match (is_said(&group.description), count) {
            (true, 0) => continue,
            (false, 0) => "has no description".to_owned(),
            (false, _) if count == all => "has no description, nor has any of its rules".to_owned(),
            (false, _) => format!("has no description, nor have {count} of its {all} rules"),
            (true, _) => format!("has a description, and {count} of its {all} rules have none"),
        };
        let described = silent.iter().map(|ruled| cure::describe(subject, ruled));
        found.push(subject.of_group((id, group), message).cured(described));
    }
    found
}
