//! Checks of what EC2 does not track.

use std::collections::HashMap;

use indexmap::IndexSet;

use super::check::{Advice, Check};
use super::cure::{self, HTTPS, Other, Target};
use super::found::Found;
use super::level::Level;
use super::options::{EgressRules, Profile};
use super::subject::{Ruled, Subject};
use crate::account::{Holder, Peer, ResourceId};
use crate::model::{Direction, PortRange, Traffic};

pub(super) const CHECKS: &[Check] = &[Check {
    id: "untracked-session",
    level: Level::Note,
    title: "sessions by a rule are not tracked: a revoke cuts them",
    why: "What a rule for every address admits, while the other direction is open to every address on all ports, EC2 does not track. Such sessions are cut with the rule, where \
          others live on; and they need no room in the table of tracked connections. Good to know before a revoke, and no mistake.",
    advice: &[Advice {
        who: "Amazon, \"Security group connection tracking\"",
        link: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html",
    }],
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
    run: untracked_session,
}];

fn untracked_session<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let mut open: HashMap<&ResourceId, Vec<Ruled<'a>>> = HashMap::new();
    let finding = |ruled: Ruled<'a>| {
        let traffic = ruled.traffic().filter(|traffic| matches!(traffic, Traffic::Tcp(_) | Traffic::Udp(_)))?;
        if !ruled.is_anywhere() || is_of_services(subject, ruled.id) {
            return None;
        }
        let message = |back: &str| format!("admits sessions that a revoke cuts: {back}");
        if subject.options.platform.egress == EgressRules::None {
            return Some(subject.of_rule(&ruled, message("everything goes out")));
        }
        let open = open.entry(ruled.id).or_insert_with(|| {
            let groups = with_groups_beside(subject, ruled.id);
            let rules = groups.iter().flat_map(|id| subject.rules_of_any(id, Direction::Egress));
            rules.filter(Ruled::is_anywhere).collect()
        });
        let back = open.iter().find(|egress| opens_all(egress, &ruled, traffic))?;
        let words = message(&format!("\"{}\" of {} opens the way back", subject.words(back), back.group.label));
        let narrow = (HTTPS, Other::Every(cure::family(back)));
        let target = (Target::There(back.group), &back.group.origin);
        let operations = [cure::open(subject, target, Direction::Egress, narrow), cure::revoke(subject, back)];
        Some(subject.of_rule(&ruled, words).beside(&back.rule.origin).cured(operations))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

/// Returns true for a group of load balancers and other services of Amazon's alone. Their sessions are Amazon's to keep, and what they send out is how
/// they reach their targets: to narrow it would cut the service and not the session.
fn is_of_services(subject: &Subject<'_>, group: &ResourceId) -> bool {
    let members = subject.members(group);
    !members.is_empty() && members.iter().all(|member| is_service(member.interface.holder))
}

fn is_service(holder: Holder) -> bool {
    match holder {
        Holder::LoadBalancer | Holder::Database | Holder::Function | Holder::Service => true,
        Holder::Instance | Holder::StoppedInstance | Holder::Nobody => false,
    }
}

/// The group, and all that some member of it is in as well.
fn with_groups_beside<'s>(subject: &'s Subject<'_>, group: &'s ResourceId) -> IndexSet<&'s ResourceId> {
    let others = subject.members(group).iter().flat_map(|member| member.interface.groups.known().into_iter().flatten());
    std::iter::once(group).chain(others).collect()
}

fn opens_all(egress: &Ruled<'_>, ingress: &Ruled<'_>, traffic: Traffic) -> bool {
    let every_port = match (egress.traffic(), traffic) {
        (Some(Traffic::All), _) => true,
        (Some(Traffic::Tcp(ports)), Traffic::Tcp(_)) | (Some(Traffic::Udp(ports)), Traffic::Udp(_)) => {
            ports == PortRange::ALL
        }
        _ => false,
    };
    let same_family =
        matches!((&egress.rule.peer, &ingress.rule.peer), (Peer::Block(one), Peer::Block(other)) if one == other);
    every_port && same_family
}
