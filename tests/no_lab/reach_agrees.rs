//! `reach` and `policy` read the same clouds, each by code of its own: what a difference tells is what flows judged one by one tell.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sglab::import::account_of;
use sglab::model::{Cloud, Endpoint, Era, Flow, HostIp, HostName, InstanceName, Port, PortRange, Service, Via};
use sglab::policy::judge;
use sglab::reach::{Passage, Way, compare};
use sglab::topology::{NewGroup, NewInstance, Topology};

const GROUPS: [&str; 3] = ["web", "db", "admin"];
const INSTANCES: [&str; 3] = ["i1", "i2", "i3"];

/// One host in each part of the internet that the blocks below tell apart.
const HOSTS: [(&str, &str); 4] =
    [("near", "198.51.100.7"), ("next", "198.51.100.8"), ("half", "198.51.100.200"), ("far", "203.0.113.5")];

const PEERS: [&str; 10] = [
    "anywhere",
    "198.51.100.0/24",
    "198.51.100.0/25",
    "198.51.100.7",
    "10.0.0.0/16",
    "10.0.0.10/31",
    "10.0.0.12",
    "web",
    "db",
    "admin",
];

const TRAFFIC: [&str; 7] = ["tcp 22", "tcp 80", "tcp 80-90", "tcp all", "udp 53", "icmp echo", "all"];

/// One service in each part that the traffic above tells apart.
const SERVICES: [Service; 6] = [
    Service::Tcp(Port(22)),
    Service::Tcp(Port(80)),
    Service::Tcp(Port(85)),
    Service::Tcp(Port(443)),
    Service::Udp(Port(53)),
    Service::IcmpEcho,
];

/// Rules of the three groups, and groups of the three instances.
#[derive(Clone, Debug)]
pub struct Plan {
    ingress: Vec<Vec<String>>,
    egress: Vec<Vec<String>>,
    members: Vec<Vec<&'static str>>,
}

fn rules(preposition: &'static str) -> impl Strategy<Value = Vec<String>> {
    let rule = (select(&TRAFFIC[..]), select(&PEERS[..]));
    prop::collection::btree_set(rule, 0..3).prop_map(move |rules| {
        rules.into_iter().map(|(traffic, peer)| format!("{traffic} {preposition} {peer}")).collect()
    })
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let members = prop::collection::vec(subsequence(&GROUPS[..], 1..=2), 3);
    let egress = prop_oneof![rules("to"), Just(vec!["all to anywhere".to_owned()])];
    let all = (prop::collection::vec(rules("from"), 3), prop::collection::vec(egress, 3), members);
    all.prop_map(|(ingress, egress, members)| Plan { ingress, egress, members })
}

pub fn cloud(plan: &Plan) -> Cloud {
    let mut builder = Topology::builder(Era::Vpc);
    for (name, address) in HOSTS {
        builder = builder.host(name, [address]);
    }
    for (index, name) in GROUPS.iter().enumerate() {
        builder = builder.group_with(name, NewGroup::new().ingress(&plan.ingress[index]).egress(&plan.egress[index]));
    }
    for (index, name) in INSTANCES.iter().enumerate() {
        let address = format!("10.0.0.{}", 10 + index);
        builder = builder.instance(name, NewInstance::in_groups(&plan.members[index]).address(&address));
    }
    let topology = builder.build().unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"))
}

fn instance(name: &str) -> Endpoint {
    Endpoint::Instance(InstanceName::new(name))
}

fn host((name, address): (&str, &str)) -> Endpoint {
    Endpoint::Host(HostName::new(name), HostIp(address.parse().unwrap()))
}

fn is_open(cloud: &Cloud, from: Endpoint, to: Endpoint, service: Service) -> bool {
    let via =
        if matches!(from, Endpoint::Host(..)) || matches!(to, Endpoint::Host(..)) { Via::Public } else { Via::Private };
    judge(cloud, &Flow { from, to, via, service }).is_open()
}

/// Returns true if a passage speaks of such a service.
fn has(passage: &Passage, service: Service) -> bool {
    let ports = |range: PortRange, port: Port| range.from() <= port && port <= range.to();
    match (passage.traffic.as_str(), service) {
        ("all", _) => true,
        ("icmp echo" | "icmp all", Service::IcmpEcho) => true,
        (traffic, Service::Tcp(port)) => traffic.strip_prefix("tcp ").is_some_and(|words| ports(range(words), port)),
        (traffic, Service::Udp(port)) => traffic.strip_prefix("udp ").is_some_and(|words| ports(range(words), port)),
        _ => false,
    }
}

fn range(words: &str) -> PortRange {
    let (from, to) = words.split_once('-').unwrap_or((words, words));
    PortRange::new(Port(from.parse().unwrap()), Port(to.parse().unwrap())).unwrap()
}

/// Returns true if the end of a passage means an address.
fn holds(end: &str, address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    match end {
        "anywhere" => true,
        block => block
            .parse::<IpNet>()
            .or_else(|_| block.parse::<IpAddr>().map(IpNet::from))
            .is_ok_and(|block| block.contains(&address)),
    }
}

fn is_member(plan: &Plan, group: &str, instance: usize) -> bool {
    group.split('+').any(|group| plan.members[instance].contains(&group))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// What is newly open from outside by flows is told, and nothing else is.
    #[test]
    fn newly_open_from_outside_is_what_single_flows_say(old in plan(), new in plan()) {
        let (before, after) = (cloud(&old), cloud(&new));
        let difference = compare(&account_of(&before, "old"), &account_of(&after, "new"));
        let told: Vec<&Passage> = difference.opened.iter().filter(|passage| passage.way == Way::FromOutside).collect();
        for (index, name) in INSTANCES.iter().enumerate() {
            for (from, address) in HOSTS {
                for service in SERVICES {
                    let open = |cloud| is_open(cloud, host((from, address)), instance(name), service);
                    let is_told = told.iter().any(|passage| {
                        has(passage, service) && holds(&passage.from, address) && passage.members.contains(&(*name).to_owned())
                            && is_member(&new, &passage.to, index)
                    });
                    if open(&after) && !open(&before) {
                        prop_assert!(is_told, "{address} -> {name}:{service} of {told:?}");
                    }
                }
            }
        }
        for passage in told {
            let some = INSTANCES.iter().filter(|name| passage.members.contains(&(**name).to_owned())).any(|name| {
                HOSTS.iter().filter(|(_, address)| holds(&passage.from, address)).any(|&end| {
                    SERVICES.iter().filter(|service| has(passage, **service)).any(|service| {
                        let open = |cloud| is_open(cloud, host(end), instance(name), *service);
                        open(&after) && !open(&before)
                    })
                })
            });
            // A wide rule may admit newly what none of the few services and hosts shows: another protocol, another port.
            let wide = ["all", "tcp 0-65535"].contains(&passage.traffic.as_str()) || passage.from == "anywhere";
            prop_assert!(some || wide || passage.members.is_empty(), "{passage:?}");
        }
    }

    /// What is newly open inside is told by groups or by blocks, and what is told by groups is newly open.
    #[test]
    fn newly_open_inside_is_what_single_flows_say(old in plan(), new in plan()) {
        let (before, after) = (cloud(&old), cloud(&new));
        let difference = compare(&account_of(&before, "old"), &account_of(&after, "new"));
        for (i, from) in INSTANCES.iter().enumerate() {
            for (j, to) in INSTANCES.iter().enumerate().filter(|(j, _)| *j != i) {
                for service in SERVICES {
                    let open = |cloud| is_open(cloud, instance(from), instance(to), service);
                    if !open(&after) || open(&before) {
                        continue;
                    }
                    let is_told = difference.opened.iter().filter(|passage| has(passage, service)).any(|passage| {
                        let sends = holds_or_is(&new, &passage.from, i);
                        let receives = holds_or_is(&new, &passage.to, j);
                        sends && receives
                    });
                    prop_assert!(is_told, "{from} -> {to}:{service} of {:?}", difference.opened);
                }
            }
        }
        let by_groups = |passage: &&Passage| passage.way == Way::Inside && GROUPS.iter().any(|group| passage.from == *group) && GROUPS.contains(&passage.to.as_str());
        for passage in difference.opened.iter().filter(by_groups).filter(|passage| !passage.members.is_empty()) {
            let pairs = || (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|(i, j)| i != j);
            let pairs = || pairs().filter(|(i, j)| is_member(&new, &passage.from, *i) && is_member(&new, &passage.to, *j));
            let some = pairs().any(|(i, j)| {
                SERVICES.iter().filter(|service| has(passage, **service)).any(|service| {
                    let open = |cloud| is_open(cloud, instance(INSTANCES[i]), instance(INSTANCES[j]), *service);
                    open(&after) && !open(&before)
                })
            });
            // Two members are needed to see it, and a service that is asked.
            let seen = pairs().next().is_some() && SERVICES.iter().any(|service| has(passage, *service));
            prop_assert!(some || !seen || is_wide(passage), "{passage:?}");
        }
    }

    /// A cloud does not differ from itself.
    #[test]
    fn a_cloud_does_not_differ_from_itself(plan in plan()) {
        let account = account_of(&cloud(&plan), "file");
        let difference = compare(&account, &account);
        prop_assert!(difference.is_empty(), "{difference:?}");
    }
}

fn is_wide(passage: &Passage) -> bool {
    passage.traffic == "all" || passage.traffic.starts_with("protocols") || passage.traffic.contains('-')
}

fn holds_or_is(plan: &Plan, end: &str, index: usize) -> bool {
    is_member(plan, end, index) || holds(end, &format!("10.0.0.{}", 10 + index))
}
