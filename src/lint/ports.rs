//! Checks of rules for many ports.

use super::check::{Advice, Check};
use super::cure;
use super::everybody::everybody;
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::subject::{Ruled, Subject, listed};
use crate::account::Peer;
use crate::model::{Direction, PortRange, Service, Traffic};
use crate::outward::CallTraffic;
use crate::reach::{covers, peer_words};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "all-ports",
        level: Level::Warning,
        title: "every port is open",
        why: "What a member will listen on tomorrow is open today. From anywhere it is an error, from a group or a block a warning; between members of one group, as \
              clusters want it, a note.",
        advice: &[
            Advice { who: "Checkov CKV_AWS_277", link: "https://www.checkov.io/5.Policy%20Index/all.html" },
            Advice { who: "ScoutSuite, opens-all-ports", link: "https://github.com/nccgroup/ScoutSuite" },
        ],
        profiles: &[Profile::Article, Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [all from anywhere]}
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
        run: all_ports,
    },
    Check {
        id: "wide-range",
        level: Level::Warning,
        title: "a wide range of ports is open",
        why: "A rule for hundreds of ports is mostly for ports on which nobody listens yet. Name those that somebody uses.",
        advice: &[Advice { who: "ScoutSuite, opens-port-range", link: "https://github.com/nccgroup/ScoutSuite" }],
        profiles: &[Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], app: [tcp 8000-9000 from web]}
instances: {web1: {groups: web}, app1: {groups: app}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere], app: [tcp 8080 from web]}
instances: {web1: {groups: web}, app1: {groups: app}}
",
        fix: None,
        claim: None,
        run: wide_range,
    },
];

fn all_ports<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let finding = |ruled: Ruled<'a>| {
        let what = match ruled.traffic()? {
            Traffic::All => "everything",
            Traffic::Tcp(PortRange::ALL) => "every port of TCP",
            Traffic::Udp(PortRange::ALL) => "every port of UDP",
            _ => return None,
        };
        let level = match &ruled.rule.peer {
            // The default group's own rule has a check of its own.
            Peer::Group(id) if id == ruled.id && subject.is_default(ruled.group) => return None,
            Peer::Group(id) if id == ruled.id => Level::Note,
            _ if everybody(subject, &ruled).is_some() => Level::Error,
            _ => Level::Warning,
        };
        let peer = peer_words(subject.account, &ruled.rule.peer);
        Some(narrowed(subject, &ruled, format!("opens {what} to {peer}")).at_level(level))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

fn wide_range<'a>(subject: &Subject<'a>) -> Vec<Found> {
    let finding = |ruled: Ruled<'a>| {
        let (Traffic::Tcp(range) | Traffic::Udp(range)) = ruled.traffic()? else { return None };
        let count = u32::from(range.to().0 - range.from().0) + 1;
        if range == PortRange::ALL || count <= u32::from(subject.options.wide) {
            return None;
        }
        let listening = match listened(subject, &ruled) {
            Some(ports) if ports.is_empty() => "; no member listens on any of them".to_owned(),
            Some(ports) => {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                format!("; members listen on {}", listed(ports.iter().map(String::as_str)))
            }
            None => String::new(),
        };
        Some(narrowed(subject, &ruled, format!("opens {count} ports{listening}")))
    };
    subject.rules_in(Direction::Ingress).filter_map(finding).collect()
}

fn narrowed<'a>(subject: &Subject<'a>, ruled: &Ruled<'a>, message: String) -> Found {
    let used = listened(subject, ruled).unwrap_or_default();
    let used: Vec<CallTraffic> = used.into_iter().filter_map(one_port).map(CallTraffic::Known).collect();
    let narrow = if used.is_empty() { vec![placeholder(ruled)] } else { used };
    subject.of_rule(ruled, message).cured(cure::narrow(subject, ruled, &narrow))
}

/// The port of a service as traffic.
pub(super) fn one_port(service: Service) -> Option<Traffic> {
    match service {
        Service::Tcp(port) => Some(Traffic::Tcp(PortRange::single(port))),
        Service::Udp(port) => Some(Traffic::Udp(PortRange::single(port))),
        Service::IcmpEcho | Service::Icmp(_) | Service::Protocol(_) => None,
    }
}

/// A port of the rule's protocol, to be filled in.
fn placeholder(ruled: &Ruled<'_>) -> CallTraffic {
    if matches!(ruled.traffic(), Some(Traffic::Udp(_))) { CallTraffic::UdpPort } else { CallTraffic::TcpPort }
}

/// The services of members that a rule admits, where the source tells who listens.
fn listened<'a>(subject: &Subject<'a>, ruled: &Ruled<'a>) -> Option<Vec<Service>> {
    let served = subject.served(ruled.id)?;
    let traffic = ruled.traffic()?;
    let is_admitted = |service: &&Service| one_port(**service).is_some_and(|port| covers(traffic, port));
    Some(served.services.iter().filter(is_admitted).copied().collect())
}
