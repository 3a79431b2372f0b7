//! Checks of rules for every address.

use super::check::{Advice, Check};
use super::cure::{self, HTTPS, Other, Target};
use super::everybody::everybody;
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::subject::{Ruled, Subject};
use crate::account::Peer;
use crate::model::{Direction, PortRange, PrefixFamily, Traffic};
use crate::reach::covers;

const EC2_18: Advice = Advice {
    who: "AWS Security Hub, EC2.18",
    link: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-18",
};
const EC2_19: Advice = Advice {
    who: "AWS Security Hub, EC2.19",
    link: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-19",
};
const ONE_FAMILY: &str = "0.0.0.0/0 never covers IPv6, nor ::/0 IPv4. In a VPC with both, clients of the other family are dropped, and most try that one first.";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "admin-from-anywhere",
        level: Level::Error,
        title: "administration ports are open to anywhere",
        why: "Ports 22 and 3389 of an address are tried within minutes of its first use. Name a prefix list of the addresses that administrators come from, a bastion's \
              group, or no rule at all with Session Manager.",
        advice: &[
            EC2_19,
            Advice {
                who: "Prowler, Trivy AWS-0107, Checkov CKV_AWS_24 and CKV_AWS_25",
                link: "https://avd.aquasec.com/misconfig/aws-0107",
            },
        ],
        profiles: &[Profile::Article, Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 22 from anywhere]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
prefix-lists: {office: {entries: [203.0.113.0/28], max-entries: 5}}
groups: {web: [tcp 443 from anywhere, tcp 22 from office]}
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: admin_from_anywhere,
    },
    Check {
        id: "open-to-anywhere",
        level: Level::Warning,
        title: "a port that is not for the public is open to anywhere",
        why: "Only what the public is to use should be open to it: ports 80 and 443, or those that `--authorised` names. A database that a load balancer or a tier \
              uses is opened to their group.",
        advice: &[EC2_18, Advice { who: "ScoutSuite", link: "https://github.com/nccgroup/ScoutSuite" }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from anywhere]}
instances: {web1: {groups: web}, db1: {groups: db}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from web]}
instances: {web1: {groups: web}, db1: {groups: db}}
",
        fix: None,
        claim: None,
        run: open_to_anywhere,
    },
    Check {
        id: "anywhere-v4-only",
        level: Level::Note,
        title: "open to every IPv4 address and not to IPv6, in a VPC with both",
        why: ONE_FAMILY,
        advice: &[Advice { who: "sglab", link: "docs/semantics.md#what-a-rule-matches" }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
vpcs: {dual: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {web: [tcp 443 from anywhere]}
instances: {web1: {groups: web}}
",
        good: DUAL,
        fix: None,
        claim: None,
        run: v4_only,
    },
    Check {
        id: "anywhere-v6-only",
        level: Level::Note,
        title: "open to every IPv6 address and not to IPv4, in a VPC with both",
        why: ONE_FAMILY,
        advice: &[Advice { who: "sglab", link: "docs/semantics.md#what-a-rule-matches" }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
vpcs: {dual: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {web: ['tcp 443 from ::/0']}
instances: {web1: {groups: web}}
",
        good: DUAL,
        fix: None,
        claim: None,
        run: v6_only,
    },
    Check {
        id: "egress-open",
        level: Level::Note,
        title: "members may send anything anywhere",
        why: "A group is born so, and most stay so: it is what EC2 does, and no mistake. Scanners call it a failure, since who takes over a member can send from it \
              what they like. Where it matters, name what members need.",
        advice: &[
            Advice { who: "Trivy AWS-0104", link: "https://avd.aquasec.com/misconfig/aws-0104" },
            Advice { who: "Checkov CKV_AWS_382", link: "https://www.checkov.io/5.Policy%20Index/all.html" },
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
groups: {web: {ingress: [tcp 443 from anywhere], egress: [tcp 443 to anywhere]}}
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: egress_open,
    },
];

const DUAL: &str = "\
sglab: 1
era: vpc
vpcs: {dual: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {web: [tcp 443 from anywhere, 'tcp 443 from ::/0']}
instances: {web1: {groups: web}}
";

/// The ports of a rule, unless it is for all of them: that is a finding of its own.
fn ports(ruled: &Ruled<'_>) -> Option<PortRange> {
    match ruled.traffic()? {
        Traffic::Tcp(ports) | Traffic::Udp(ports) if ports != PortRange::ALL => Some(ports),
        _ => None,
    }
}

fn admin_from_anywhere<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let finding = |ruled: Ruled<'a>| {
        if !matches!(ruled.traffic(), Some(Traffic::Tcp(_))) {
            return None;
        }
        let range = ports(&ruled)?;
        let admin = subject.options.admin.iter().filter(|port| range.contains(**port));
        let admin: Vec<String> = admin.map(ToString::to_string).collect();
        if admin.is_empty() {
            return None;
        }
        everybody(subject, &ruled).map(|how| {
            let message = format!("opens {} to every address{}", admin.join(" and "), how.words());
            let mut operations = vec![cure::revoke(subject, &ruled)];
            if range.is_single() {
                operations.insert(0, cure::authorize(subject, &ruled, Other::AnyList(cure::family(&ruled))));
            }
            subject.of_rule(&ruled, message).cured(operations)
        })
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

fn open_to_anywhere<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let finding = |ruled: Ruled<'a>| {
        let what = match (ruled.traffic()?, ports(&ruled)) {
            (Traffic::Tcp(_), Some(range)) if range.is_single() && subject.options.admin.contains(&range.from()) => {
                return None;
            }
            (traffic, Some(range)) => {
                let is_authorised = (range.from().0..=range.to().0)
                    .all(|port| subject.options.authorised.iter().any(|known| known.0 == port));
                if is_authorised {
                    return None;
                }
                traffic.to_string()
            }
            (traffic @ Traffic::Protocol(_), None) => traffic.to_string(),
            _ => return None,
        };
        let how = everybody(subject, &ruled)?;
        let operations = [cure::authorize(subject, &ruled, Other::AnyGroup), cure::revoke(subject, &ruled)];
        Some(subject.of_rule(&ruled, format!("opens {what} to every address{}", how.words())).cured(operations))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

fn v4_only(subject: &Subject<'_>) -> Vec<Found> {
    one_family(subject, PrefixFamily::Ipv4)
}

fn v6_only(subject: &Subject<'_>) -> Vec<Found> {
    one_family(subject, PrefixFamily::Ipv6)
}

fn one_family<'a>(subject: &Subject<'a>, family: PrefixFamily) -> Vec<Found> {
    let of = |ruled: &Ruled<'_>| ruled.block().filter(|_| ruled.is_anywhere()).map(PrefixFamily::of);
    let finding = |ruled: Ruled<'a>| {
        let traffic = ruled.traffic().filter(|traffic| !matches!(traffic, Traffic::Icmp(_) | Traffic::Icmpv6(_)))?;
        let has_both = subject.vpc_blocks(ruled.group).iter().any(|block| block.addr().is_ipv6());
        if of(&ruled) != Some(family) || !has_both {
            return None;
        }
        let other = Peer::Block(family.other().every_address());
        let twins = subject.found_by(ruled.id, ruled.direction, |index, found| {
            index.of_peer(&other, traffic, found);
        });
        if twins.iter().any(|twin| twin.traffic().is_some_and(|wide| covers(wide, traffic))) {
            return None;
        }
        let message = format!("is for every {family} address, and nothing is open over {}", family.other());
        let open = cure::authorize(subject, &ruled, Other::Every(family.other()));
        Some(subject.of_rule(&ruled, message).cured([open]))
    };
    subject.rules().filter_map(finding).collect()
}

fn egress_open(subject: &Subject<'_>) -> Vec<Found> {
    let finding = |ruled: Ruled<'_>| {
        let narrow = (HTTPS, Other::AnyBlock(cure::family(&ruled)));
        let target = (Target::There(ruled.group), &ruled.group.origin);
        let operations = [cure::open(subject, target, Direction::Egress, narrow), cure::revoke(subject, &ruled)];
        subject.of_rule(&ruled, "lets members send anything to every address, as a group is born").cured(operations)
    };
    subject.rules_in(Direction::Egress).filter(Ruled::is_born).map(finding).collect()
}
