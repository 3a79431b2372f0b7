//! Faults of place: the filter drops or admits by the right word, and at the wrong end. Model and kernel are held against each
//! other for the box, the interface and the record, so each of these is a disagreement.

use ipnet::IpNet;
use sglab::lab::Alteration;
use sglab::model::{Attachment, Cloud, Endpoint, Era, Flow, InstanceName, Service, Via};
use sglab::network::nft::{NftRule, Ruleset};
use sglab::network::{LinkName, Network, NodeName, Policy, Route, Selected, Table, Way};
use sglab::policy;
use sglab::probe::{Observation, Outcome};
use sglab::scenario::agreement::{Agreement, compare};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {v: {cidr: 10.0.0.0/16, subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}}}
groups: {CLIENT: [], SAME: [tcp 80 from CLIENT]}
instances:
  client: {groups: CLIENT, subnet: a}
  hidden: {groups: CLIENT, subnet: a, public: no}
  web: {groups: SAME, subnet: a, listens: tcp 80, interfaces: {eth1: {groups: SAME, subnet: b}}}
  other: {groups: SAME, subnet: b}
  gone: {groups: SAME, subnet: b}
scenario: [{step: as launched, expect: {open: ['client -> web:80']}}]
";

type Alter = fn(Network) -> Network;

/// What model and kernel say to each other of a flow, in the lab as compiled and in the altered one, and what was seen there.
async fn told(flow: &dyn Fn(&Cloud) -> Flow, alter: Alter) -> (Agreement, Agreement, Observation) {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let flow = flow(lab.cloud());
    if flow.to == Endpoint::Instance(InstanceName::new("gone")) {
        change(&mut lab, &stop("gone")).await;
    }
    let verdict = policy::judge(lab.cloud(), &flow);
    let compiled = probe(&mut lab, flow.clone()).await;
    lab.alter(Some(Alteration::new(alter))).await.unwrap_or_else(|error| panic!("{error}"));
    let altered = probe(&mut lab, flow).await;
    (compare(&verdict, &compiled), compare(&verdict, &altered), altered)
}

fn ruleset<'a>(network: &'a mut Network, node: &str) -> &'a mut Ruleset {
    network.nodes.get_mut(&NodeName(node.into())).expect("the node").ruleset.as_mut().expect("its ruleset")
}

fn rules<'a>(network: &'a mut Network, node: &str, chain: &str) -> &'a mut Vec<NftRule> {
    &mut ruleset(network, node).chains.get_mut(chain).expect("the chain").rules
}

fn rule(text: String) -> NftRule {
    NftRule { text, id: "planted".to_owned(), note: String::new() }
}

fn text_of(network: &mut Network, node: &str, chain: &str, id: &str) -> String {
    rules(network, node, chain).iter().find(|rule| rule.id == id).expect("the rule").text.clone()
}

fn to_office(from: Endpoint, cloud: &Cloud) -> Flow {
    let (name, host) = cloud.hosts.first().expect("the office");
    Flow { from, to: Endpoint::Host(name.clone(), host.addresses[0]), via: Via::Public, service: tcp(80) }
}

fn forged(cloud: &Cloud) -> Flow {
    let client = Attachment::first_of(&InstanceName::new("client"));
    to_office(Endpoint::Forged(client, [10, 0, 9, 9].into()), cloud)
}

fn cause(seen: &Observation) -> String {
    match &seen.outcome {
        Outcome::Dropped(drop) => format!("{:?}", drop.cause),
        other => panic!("{other:?}"),
    }
}

#[sglab::test]
async fn a_forged_packet_that_the_gateway_drops_as_spoofed_is_no_agreement() {
    let (compiled, altered, seen) = told(&forged, |mut network| {
        let spoofed = text_of(&mut network, "vpc-v", "prerouting", "spoofed");
        for rule in rules(&mut network, "vpc-v", "prerouting").iter_mut().filter(|rule| rule.id == "spoofed") {
            rule.text = "accept".to_owned();
        }
        rules(&mut network, "gateway-v", "forward").insert(0, rule(format!("ip saddr 10.0.9.9 {spoofed}")));
        network
    })
    .await;
    assert!(cause(&seen).contains("record: Spoofed, node: NodeName(\"gateway-v\")"), "{seen:?}");
    assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
}

#[sglab::test]
async fn a_packet_without_a_public_address_that_the_router_drops_is_no_agreement() {
    let hidden = |cloud: &Cloud| to_office(Endpoint::Instance(InstanceName::new("hidden")), cloud);
    let (compiled, altered, seen) = told(&hidden, |mut network| {
        let untranslated = text_of(&mut network, "gateway-v", "forward", "untranslated");
        let at = format!("iifname \"hidden\" oifname \"gw\" {untranslated}");
        rules(&mut network, "vpc-v", "ingress").insert(0, rule(at));
        network
    })
    .await;
    assert!(cause(&seen).contains("record: Untranslated, node: NodeName(\"vpc-v\")"), "{seen:?}");
    assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
}

/// As if the links of the instance had been mixed up: what it forges comes in by its first interface, and not by the second.
#[sglab::test]
async fn a_forged_packet_dropped_as_spoofed_for_another_interface_is_no_agreement() {
    let by = |device| {
        let from = Attachment { instance: InstanceName::new("web"), device };
        move |cloud: &Cloud| to_office(Endpoint::Forged(from.clone(), [10, 0, 9, 9].into()), cloud)
    };
    let (compiled, _, seen) = told(&by(0), |network| network).await;
    assert!(cause(&seen).contains("SourceDestCheck"), "{seen:?}");
    let (cloud, _) = initial_cloud(&topology(CLOUD), Era::Vpc);
    let altered = compare(&policy::judge(&cloud, &by(1)(&cloud)), &seen);
    assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
}

#[sglab::test]
async fn an_address_that_the_router_calls_unreachable_and_not_the_internet_is_no_agreement() {
    let to_nobody = |_: &Cloud| by_public(flow("client", "gone", tcp(80)));
    let (compiled, altered, seen) = told(&to_nobody, |mut network| {
        let nobody = text_of(&mut network, "vpc-v", "unreachable", "nobody");
        let (_, told) = nobody.split_once(" log ").expect("a record");
        let at = format!("ip daddr 198.18.0.0/15 log {told}");
        rules(&mut network, "vpc-v", "unreachable").insert(0, rule(at));
        network
    })
    .await;
    assert_eq!(seen.outcome, Outcome::Unreachable { by: Some(NodeName("vpc-v".into())) }, "{seen:?}");
    assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
}

/// Leads what the client sends to the second interface of `web` to another link. Canaries go as they do.
fn led_to(mut network: Network, link: &str) -> Network {
    let link = network.links.get_mut(&LinkName(link.into())).expect("the link");
    let own = "10.0.2.11".parse().expect("an address");
    link.upper.neighbours.insert(own, link.lower.mac);
    let way = Way::Link { index: link.upper.index };
    let router = network.nodes.get_mut(&NodeName("vpc-v".into())).expect("the router");
    router.routes.insert(Route { table: Table(9), destination: IpNet::from(own), way, limit: None });
    router.policies.insert(Policy { of: Selected::From("client".to_owned()), table: Table(9) });
    network
}

fn to_the_second(service: Service) -> impl Fn(&Cloud) -> Flow {
    move |cloud: &Cloud| {
        let to = Attachment { instance: InstanceName::new("web"), device: 1 };
        let address = cloud.attached(&to).and_then(|it| it.private).expect("an address");
        assert_eq!(address.to_string(), "10.0.2.11");
        Flow { to: Endpoint::Interface(to), ..flow("client", "web", service) }
    }
}

#[sglab::test]
async fn a_drop_at_another_instance_or_interface_of_the_same_groups_is_no_agreement() {
    let others: [(Alter, &str); 2] =
        [(|network| led_to(network, "web.eth0"), "web"), (|network| led_to(network, "other.eth0"), "other")];
    for (alter, name) in others {
        let (compiled, altered, seen) = told(&to_the_second(tcp(22)), alter).await;
        let at = format!("instance: \"{name}\", device: 0");
        assert!(cause(&seen).contains(&at), "{seen:?}");
        assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
    }
}

#[sglab::test]
async fn a_rule_that_admits_at_another_interface_than_was_asked_is_no_agreement() {
    let (compiled, altered, seen) = told(&to_the_second(tcp(80)), |network| led_to(network, "web.eth0")).await;
    assert!(is_open(&seen.outcome), "{seen:?}");
    assert_eq!((compiled, altered), (Agreement::Agree, Agreement::Disagree), "{seen:?}");
}
