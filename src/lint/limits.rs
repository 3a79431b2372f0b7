//! Checks of what comes near a quota of EC2.

use super::check::{Advice, Check};
use super::found::Found;
use super::level::Level;
use super::options::{EgressRules, Profile};
use super::subject::{Ruled, Subject};
use crate::account::{Account, Peer, ResourceId, Weight};
use crate::model::{Direction, Limits, PrefixFamily};
use crate::reach::peer_words;

/// Rules of a group times groups of an interface of a VPC, whatever the quotas are raised to. Source: "Amazon VPC quotas".
const PRODUCT: usize = 1_000;
/// A list that takes so much of a group's rules is worth knowing of.
const HEAVY: usize = Limits::VPC.rules / 4;

const QUOTAS: Advice = Advice {
    who: "Amazon, \"Amazon VPC quotas\"",
    link: "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "near-quota",
        level: Level::Warning,
        title: "a group or an interface is near a quota",
        why: "At the quota the next rule or group is refused: in the middle of a roll-out, most likely. The numbers are those that an account is born with.",
        advice: &[QUOTAS, Advice { who: "Prowler, ec2_securitygroup_with_many_ingress_egress_rules", link: "https://hub.prowler.com" }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {a: [tcp 443 from anywhere], b: [], c: [], d: [], e: []}
instances: {web1: {groups: [a, b, c, d, e]}}
",
        good: "\
sglab: 1
era: vpc
groups: {a: [tcp 443 from anywhere], b: [], c: []}
instances: {web1: {groups: [a, b, c]}}
",
        fix: None,
        claim: None,
        run: near_quota,
    },
    Check {
        id: "prefix-list-weight",
        level: Level::Note,
        title: "a prefix list counts as many rules",
        why: "A rule that names a list counts as many rules as the list may have entries, whatever it has; one of Amazon's own as many as Amazon publishes. Where no source tells that number, the weight is told from the entries.",
        advice: &[Advice {
            who: "Amazon, \"Managed prefix lists\"",
            link: "https://docs.aws.amazon.com/vpc/latest/userguide/working-with-managed-prefix-lists.html",
        }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
prefix-lists:
  partners:
    max-entries: 20
    entries: [
      192.0.2.1/32, 192.0.2.3/32, 192.0.2.5/32, 192.0.2.7/32, 192.0.2.9/32, 192.0.2.11/32, 192.0.2.13/32, 192.0.2.15/32,
      192.0.2.17/32, 192.0.2.19/32, 192.0.2.21/32, 192.0.2.23/32, 192.0.2.25/32, 192.0.2.27/32, 192.0.2.29/32, 192.0.2.31/32]
groups: {web: [tcp 443 from partners]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
prefix-lists: {partners: {max-entries: 2, entries: [192.0.2.0/27]}}
groups: {web: [tcp 443 from partners]}
instances: {web1: {groups: web}}
",
        fix: None,
        claim: None,
        run: prefix_list_weight,
    },
];

/// Four fifths of a quota are near.
fn is_near(count: usize, quota: usize) -> bool {
    count * 5 >= quota * 4
}

/// Rules of one direction and family.
#[derive(Default)]
struct Count<'a> {
    rules: usize,
    /// A prefix list of which no source tells as how many rules it counts.
    beside: Option<&'a ResourceId>,
}

impl<'a> Count<'a> {
    fn of(account: &Account, rules: impl Iterator<Item = Ruled<'a>>, family: PrefixFamily) -> Self {
        rules.fold(Count::default(), |count, ruled| {
            let (more, beside) = match &ruled.rule.peer {
                Peer::Block(block) => (usize::from(PrefixFamily::of(*block) == family), None),
                Peer::Group(_) | Peer::Unknown(_) => (1, None),
                Peer::PrefixList(id) => {
                    let weight = weight(account, id, family);
                    (rules_of(weight), Some(id).filter(|_| weight == Weight::Unknown))
                }
            };
            Count { rules: count.rules + more, beside: count.beside.or(beside) }
        })
    }
}

fn weight(account: &Account, list: &ResourceId, family: PrefixFamily) -> Weight {
    account.prefix_lists.get(list).map_or(Weight::Unknown, |list| list.weight(family))
}

fn rules_of(weight: Weight) -> usize {
    usize::try_from(weight.at_least()).unwrap_or(usize::MAX)
}

fn limits(subject: &Subject<'_>) -> Limits {
    match subject.options.platform.egress {
        EgressRules::Enforced => Limits::VPC,
        EgressRules::None => Limits::CLASSIC,
    }
}

fn near_quota(subject: &Subject<'_>) -> Vec<Found> {
    let Limits { rules, groups_of_one: groups_at_most, .. } = limits(subject);
    let mut found = Vec::new();
    let mut heaviest = std::collections::HashMap::new();
    for (id, group) in &subject.account.groups {
        for (direction, way) in [(Direction::Ingress, "comes in"), (Direction::Egress, "goes out")] {
            for family in PrefixFamily::BOTH {
                let Count { rules: count, beside } =
                    Count::of(subject.account, subject.rules_of(id, direction), family);
                let most = heaviest.entry(id).or_insert(0);
                *most = count.max(*most);
                if is_near(count, rules) {
                    let message = match beside {
                        None => format!("has {count} of {rules} rules for what {way} over {family}"),
                        Some(list) => format!(
                            "has at least {count} of {rules} rules for what {way} over {family}: \
                             no source tells as how many {} counts",
                            peer_words(subject.account, &Peer::PrefixList(list.clone()))
                        ),
                    };
                    let mut one = subject.of_group((id, group), message);
                    one.key = format!("{way} {family}");
                    found.push(one);
                }
            }
        }
    }
    for interface in subject.account.interfaces.values() {
        let Some(groups) = interface.groups.known() else { continue };
        let most = groups.iter().filter_map(|id| heaviest.get(id)).max().copied().unwrap_or(0);
        let product = most * groups.len();
        if groups.len() >= groups_at_most {
            let message = format!("is in {} groups of {groups_at_most}", groups.len());
            found.push(subject.of_interface(interface, message));
        }
        if subject.options.platform.egress == EgressRules::Enforced && is_near(product, PRODUCT) {
            let message = format!("has {} groups with up to {most} rules: together at most {PRODUCT}", groups.len());
            found.push(subject.of_interface(interface, message));
        }
    }
    found
}

fn prefix_list_weight(subject: &Subject<'_>) -> Vec<Found> {
    let finding = |ruled: Ruled<'_>| {
        let Peer::PrefixList(id) = &ruled.rule.peer else { return None };
        let of_family = PrefixFamily::BOTH.map(|family| weight(subject.account, id, family));
        let weight = of_family.into_iter().max_by_key(|weight| weight.at_least())?;
        let rules = rules_of(weight);
        let list = subject.account.prefix_lists.get(id).filter(|_| rules >= HEAVY)?;
        let (label, most) = (&list.label, Limits::VPC.rules);
        let message = match weight {
            Weight::Published(_) => {
                format!("counts as {rules} of {most} rules, as Amazon publishes of {label}")
            }
            Weight::MaxEntries(_) => {
                format!("counts as {rules} of {most} rules, since {label} may have {rules} entries")
            }
            Weight::Entries(_) => {
                format!("counts as at least {rules} of {most} rules, since {label} has {rules} entries")
            }
            Weight::Unknown => return None,
        };
        Some(subject.of_rule(&ruled, message).beside(&list.origin))
    };
    subject.rules().filter_map(finding).collect()
}
