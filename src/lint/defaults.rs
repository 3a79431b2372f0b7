//! Checks of the group that each VPC is born with.

use super::check::{Advice, Check};
use super::cure::{self, Member};
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::subject::{Ruled, Subject, listed};

const AMAZON: Advice = Advice {
    who: "AWS Security Hub, EC2.2",
    link: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-2",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "default-group-used",
        level: Level::Warning,
        title: "somebody is in the default group",
        why: "Whatever is launched without a group lands in `default`, and all of it trusts each other. Give everything a group of its own, and leave this one empty.",
        advice: &[
            AMAZON,
            Advice { who: "ScoutSuite, default-security-group-in-use", link: "https://github.com/nccgroup/ScoutSuite" },
        ],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere]}
instances: {web1: {groups: web}, forgotten: {}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], jobs: []}
instances: {web1: {groups: web}, forgotten: {groups: jobs}}
",
        fix: None,
        claim: None,
        run: used,
    },
    Check {
        id: "default-group-rules",
        level: Level::Warning,
        title: "the default group has rules",
        why: "It cannot be deleted, so take its rules away: then whatever lands in it by mistake reaches nobody, and is reached by nobody.",
        advice: &[
            AMAZON,
            Advice { who: "Trivy AWS-0173, Checkov CKV2_AWS_12", link: "https://avd.aquasec.com/misconfig/aws-0173" },
        ],
        profiles: &[Profile::Aws],
        bad: "\
SecurityGroups:
- GroupId: sg-default
  GroupName: default
  IpPermissions: [{IpProtocol: '-1', UserIdGroupPairs: [{GroupId: sg-default}]}]
  IpPermissionsEgress: []
",
        good: "\
SecurityGroups:
- GroupId: sg-default
  GroupName: default
  IpPermissions: []
  IpPermissionsEgress: []
",
        fix: None,
        claim: None,
        run: rules,
    },
];

fn used(subject: &Subject<'_>) -> Vec<Found> {
    let groups = subject.account.groups.iter().filter(|(_, group)| subject.is_default(group));
    let findings = groups.filter_map(|(id, group)| {
        let members = subject.members(id);
        let labels = listed(members.iter().map(|member| member.interface.label.as_str()));
        let operations = members.iter().take(4).map(|member| {
            let others = cure::groups_of(subject, member.interface, |other, _| other != id);
            let groups = if others.is_empty() { vec![Member::Chosen("GROUP")] } else { others };
            cure::set_groups(subject, &member.interface.label, member.interface, &groups)
        });
        (!members.is_empty()).then(|| subject.of_group((id, group), format!("has members: {labels}")).cured(operations))
    });
    findings.collect()
}

fn rules(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (id, group) in subject.account.groups.iter().filter(|(_, group)| subject.is_default(group)) {
        let own: Vec<Ruled<'_>> = subject.all_rules_of(id).collect();
        if own.is_empty() {
            continue;
        }
        let words: Vec<String> = own.iter().map(|ruled| subject.words(ruled)).collect();
        let revoke = own.iter().map(|ruled| cure::revoke(subject, ruled));
        let message = format!("has rules: {}", listed(words.iter().map(String::as_str)));
        found.push(subject.of_group((id, group), message).cured(revoke));
    }
    found
}
