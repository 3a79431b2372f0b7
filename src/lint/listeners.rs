//! Checks of rules against what listens. Only a topology tells that; of other sources they say nothing.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::check::{Advice, Check};
use super::cure::{self, Other, Target};
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::ports::one_port;
use super::subject::{self, Ruled, Subject};
use crate::account::{Holder, Interface, ResourceId};
use crate::model::{Direction, Service, Traffic};
use crate::outward::CallTraffic;
use crate::reach::covers;

const SGLAB: Advice = Advice { who: "sglab", link: "docs/topology.md" };

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "nobody-listens",
        level: Level::Note,
        title: "a rule opens a port on which no member listens",
        why: "It does nothing today. It is a rest of what has moved, or what listens is not written down.",
        advice: &[SGLAB],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 80 from anywhere]}
instances: {web1: {groups: web, listens: tcp 443}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 80 from anywhere]}
instances: {web1: {groups: web, listens: [tcp 443, tcp 80]}}
",
        fix: None,
        claim: None,
        run: nobody_listens,
    },
    Check {
        id: "unreachable-listener",
        level: Level::Note,
        title: "an instance listens where no rule lets anybody in",
        why: "A rule is missing, or the service need not listen on that address.",
        advice: &[SGLAB],
        profiles: &[Profile::Article],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere]}
instances: {web1: {groups: web, listens: [tcp 443, tcp 9100]}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 9100 from monitor], monitor: []}
instances: {web1: {groups: web, listens: [tcp 443, tcp 9100]}, m1: {groups: monitor}}
",
        fix: None,
        claim: None,
        run: unreachable_listener,
    },
];

fn nobody_listens<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let finding = |ruled: Ruled<'a>| {
        let opened = ruled.traffic().filter(|traffic| matches!(traffic, Traffic::Tcp(_) | Traffic::Udp(_)))?;
        // A load balancer listens, and so may whoever the source tells nothing of.
        let served = subject.served(ruled.id).filter(|served| served.is_whole)?;
        let mut listening = served.services.iter().filter_map(|service| one_port(*service));
        if subject.members(ruled.id).is_empty() || listening.any(|service| covers(opened, service)) {
            return None;
        }
        let labels = &served.labels;
        let revoke = cure::revoke(subject, &ruled);
        Some(subject.of_rule(&ruled, format!("opens what no member listens on: {labels}")).cured([revoke]))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

fn unreachable_listener(subject: &Subject<'_>) -> Vec<Found> {
    let Some(listeners) = subject.listeners else { return Vec::new() };
    let mut found = Vec::new();
    // An instance listens on all of its interfaces: one that lets somebody in is enough.
    let mut asked: HashMap<(Vec<&ResourceId>, Service), bool> = HashMap::new();
    let mut closed: IndexMap<(&str, Service), (usize, &Interface)> = IndexMap::new();
    for (id, interface) in &subject.account.interfaces {
        let (Some(services), Some(groups)) = (listeners.get(id), interface.groups.known()) else { continue };
        if interface.holder != Holder::Instance {
            continue;
        }
        let groups: Vec<&ResourceId> = groups.iter().collect();
        let holder = subject::holder(interface);
        for service in services {
            let Some(narrow) = one_port(*service) else { continue };
            // Interfaces with the same groups are asked once.
            let is_open = *asked.entry((groups.clone(), *service)).or_insert_with(|| {
                let mut rules = groups.iter().flat_map(|group| subject.rules_of_any(group, Direction::Ingress));
                rules.any(|ruled| ruled.traffic().is_none_or(|wide| covers(wide, narrow)))
            });
            let (open, _) = closed.entry((holder, *service)).or_insert((0, interface));
            *open += usize::from(is_open);
        }
    }
    for ((holder, service), (_, interface)) in closed.iter().filter(|(_, (open, _))| *open == 0) {
        let group = interface.groups.known().and_then(|groups| subject.account.groups.get(groups.first()?));
        let open = group.zip(one_port(*service)).map(|(group, traffic)| {
            let rule = (CallTraffic::Known(traffic), Other::AnyGroup);
            cure::open(subject, (Target::There(group), &group.origin), Direction::Ingress, rule)
        });
        let message = format!("listens on {service}, and no rule of its groups admits it");
        let mut one = subject.of_interface(interface, message).cured(open);
        one.key = format!("{holder} {service}");
        found.push(one);
    }
    found
}
