//! Instances that send from an address of somebody else, over both families: what the packets do and what the policy says.

use std::net::IpAddr;

use sglab::lab::Lab;
use sglab::model::{
    Attachment, DecidedBy, Direction, Endpoint, Era, Flow, HostName, IcmpMessage, InstanceName, Service, Via,
};
use sglab::policy;
use sglab::probe::{DropCause, Outcome};
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::{Options, RunVerdict};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs:
  one: {cidr: 10.0.0.0/16, ipv6: '2001:db8:1000::/56'}
  two: {cidr: 10.0.0.0/16, ipv6: '2001:db8:2000::/56'}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups:
  NAT: {vpc: one, ingress: [], egress: [all to anywhere, 'all to ::/0']}
  WEB: {vpc: one}
  DB:
    vpc: one
    ingress: [udp 53 from 10.0.9.9, 'udp 53 from 2001:db8:9::9', udp 54 from WEB, icmp 13 from 10.0.9.9, 'icmpv6 135 from 2001:db8:9::9',
      protocol 47 from 10.0.9.9, 'protocol 47 from 2001:db8:9::9']
  FAR: {vpc: two, ingress: [udp 53 from anywhere, 'udp 53 from ::/0']}
instances:
  nat: {vpc: one, groups: NAT, source-dest-check: off}
  honest: {vpc: one, groups: NAT}
  web: {vpc: one, groups: WEB}
  db: {vpc: one, groups: DB}
  far: {vpc: two, groups: FAR}
scenario:
  - step: over both families
    expect:
      open: ['nat as 10.0.9.9 -> db:53/udp', 'nat as 2001:db8:9::9 -> db:53/udp', 'nat as 2001:db8:9::9 -> db:protocol 47']
      dropped:
        - nat as 10.0.9.8 -> db:53/udp at ingress
        - nat as 2001:db8:9::8 -> db:53/udp at ingress
        - nat as 2001:db8:9::9 -> db:55/udp at ingress
        - honest as 2001:db8:9::9 -> db:53/udp
        - nat as 2001:db8:9::9 -> office:53/udp
";

fn forged(from: &str, source: IpAddr, to: &str, service: Service) -> Flow {
    let from = Endpoint::Forged(Attachment::first_of(&InstanceName::new(from)), source);
    let via = if source.is_ipv6() { Via::Ipv6 } else { Via::Private };
    Flow { from, via, ..flow("nat", to, service) }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn six(lab: &Lab, name: &str) -> IpAddr {
    lab.cloud().instances[&InstanceName::new(name)].interfaces[0].ipv6.expect("an IPv6 address").0.into()
}

/// Outcomes of flows, of each of which model and kernel say the same.
async fn agreed(lab: &mut Lab, flows: &[Flow]) -> Vec<Outcome> {
    let batch = lab.probe(flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    for seen in &batch.observations {
        let verdict = policy::judge(lab.cloud(), &seen.flow);
        assert_eq!(compare(&verdict, seen), Agreement::Agree, "{}: {verdict:?}, {seen:?}", seen.flow);
        assert!(!seen.timed_out, "evidence and not patience decides: {seen:?}");
    }
    batch.observations.into_iter().map(|seen| seen.outcome).collect()
}

#[sglab::test]
async fn a_forged_source_of_either_family_is_judged_by_that_source() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    for (named, other, message) in [("10.0.9.9", "10.0.9.8", 13), ("2001:db8:9::9", "2001:db8:9::8", 135)] {
        let (named, other) = (address(named), address(other));
        let message = Service::Icmp(IcmpMessage { kind: message, code: 0 });
        let all = [udp(53), message, Service::Protocol(47)];
        let open: Vec<Flow> = all.iter().map(|service| forged("nat", named, "db", *service)).collect();
        let found = agreed(&mut lab, &open).await;
        assert!(found.iter().all(is_open), "{found:?}");
        let dropped: Vec<Flow> = all.iter().map(|service| forged("nat", other, "db", *service)).collect();
        let found = agreed(&mut lab, &dropped).await;
        assert!(found.iter().all(|it| dropped_at(it) == Some((Direction::Ingress, "db".into()))), "{found:?}");
        let found = agreed(&mut lab, &[forged("honest", named, "db", udp(53))]).await;
        let at_the_check = |outcome: &Outcome| match outcome {
            Outcome::Dropped(drop) => matches!(drop.cause, DropCause::Decided(DecidedBy::SourceDestCheck { .. })),
            _ => false,
        };
        assert!(at_the_check(&found[0]), "whose source is checked: {found:?}");
    }
}

#[sglab::test]
async fn who_sends_as_a_member_of_a_group_is_no_member_over_ipv6_either() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let web = six(&lab, "web");
    let own = Flow { via: Via::Ipv6, ..flow("web", "db", udp(54)) };
    let found = agreed(&mut lab, &[own, forged("nat", web, "db", udp(54))]).await;
    assert!(is_open(&found[0]), "{found:?}");
    assert_eq!(dropped_at(&found[1]), Some((Direction::Ingress, "db".into())), "{found:?}");
}

#[sglab::test]
async fn what_leaves_a_vpc_over_ipv6_has_the_address_of_an_interface_there() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let office = Endpoint::Host(HostName::new("office"), sglab::model::HostIp(address("2001:db8:ffff::10")));
    let (web, unheld) = (six(&lab, "web"), address("2001:db8:1000::4242"));
    for to in ["far", "office"] {
        let to = |flow: Flow| if to == "office" { Flow { to: office.clone(), ..flow } } else { flow };
        let flows = [web, unheld, address("2001:db8:9::9")].map(|source| to(forged("nat", source, "far", udp(53))));
        let found = agreed(&mut lab, &flows).await;
        assert!(is_open(&found[0]), "{found:?}");
        for outcome in &found[1..] {
            let Outcome::Dropped(drop) = outcome else { panic!("{found:?}") };
            assert!(matches!(drop.cause, DropCause::Decided(DecidedBy::Translation { .. })), "{found:?}");
        }
    }
}

#[sglab::test]
async fn a_file_forges_sources_of_both_families() {
    let result = sglab::scenario::run(&topology(CLOUD), Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(result.verdict, RunVerdict::Passed, "{:#?}", result.steps);
}
