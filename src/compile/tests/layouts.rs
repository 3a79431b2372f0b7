//! Nodes, links and routes.

use std::collections::HashSet;

use super::fixture::*;
use crate::compile::{CompileError, names, network, render};
use crate::model::*;
use crate::network::{NodeKind, *};

fn node(network: &Network, name: &str) -> Node {
    network.nodes[&NodeName(name.to_owned())].clone()
}

fn link<'a>(network: &'a Network, name: &str) -> Option<&'a Link> {
    network.links.get(&LinkName(name.to_owned()))
}

#[test]
fn a_cloud_is_these_boxes() {
    let network = network(&two_tier(Era::Article)).unwrap();
    let mut names: Vec<_> = network.nodes.keys().map(|name| name.0.as_str()).collect();
    names.sort_unstable();
    let expected =
        ["canary-default", "db1", "gateway-default", "internet", "office", "vpc-default", "web1", "web2", "world"];
    assert_eq!(names, expected);
    assert_eq!(network.links.len(), 3 + 3 + 2);
}

#[test]
fn every_route_goes_over_an_end_of_its_node_to_a_permanent_neighbour() {
    for era in Era::ALL {
        let network = network(&two_tier(era)).unwrap();
        let ends: Vec<_> = network.links.values().flat_map(|link| [&link.upper, &link.lower]).collect();
        for (name, node) in &network.nodes {
            for route in &node.routes {
                let (index, next) = match route.way {
                    Way::Gateway { index, gateway, .. } => (index, gateway),
                    Way::Link { index } => (index, route.destination.addr()),
                    Way::Delegated { index, to } => (index, to),
                    Way::Local { .. } | Way::Unreachable | Way::Main => continue,
                };
                let end = ends.iter().find(|end| end.node == *name && end.index == index).unwrap();
                assert!(end.neighbours.contains_key(&next), "{name}: {route:?}");
            }
        }
    }
}

#[test]
fn indexes_and_names_are_unique_in_a_node_and_hardware_addresses_everywhere() {
    let network = network(&two_tier(Era::Vpc)).unwrap();
    let (mut indexes, mut names, mut macs) = (HashSet::new(), HashSet::new(), HashSet::new());
    for end in network.links.values().flat_map(|link| [&link.upper, &link.lower]) {
        assert!(indexes.insert((&end.node, end.index)));
        assert!(names.insert((&end.node, &end.interface)));
        assert!(macs.insert(end.mac));
        assert!(end.index >= 2 && end.interface.len() <= 15 && end.mac[0] == 0x02);
    }
}

#[test]
fn a_crashed_instance_that_keeps_its_address_stays_on_the_wire_and_holds_nothing() {
    let mut cloud = two_tier(Era::Vpc);
    instance(&mut cloud, "db1").state = InstanceState::Crashed;
    let network = network(&cloud).unwrap();
    assert!(link(&network, "db1.eth0").unwrap().lower.addresses.is_empty());
    assert!(!link(&network, "db1.eth0").unwrap().upper.neighbours.is_empty());
    let way = Way::Link { index: 103 };
    let route = Route { table: Table::default(), destination: "10.0.0.21/32".parse().unwrap(), way, limit: None };
    assert!(node(&network, "vpc-default").routes.contains(&route));
    assert!(node(&network, "db1").routes.is_empty());
}

#[test]
fn without_an_address_or_while_stopped_there_is_no_box() {
    let mut cloud = two_tier(Era::Article);
    instance(&mut cloud, "db1").state = InstanceState::Crashed;
    instance(&mut cloud, "db1").interfaces[0].private = None;
    instance(&mut cloud, "web1").state = InstanceState::Stopped;
    let network = network(&cloud).unwrap();
    for name in ["db1", "web1"] {
        assert!(!network.nodes.contains_key(&NodeName(name.to_owned())));
        assert!(link(&network, &format!("{name}.eth0")).is_none());
    }
    assert!(!node(&network, "internet").routes.iter().any(|r| r.destination == "198.18.0.11/32".parse().unwrap()));
}

#[test]
fn what_nobody_holds_is_unreachable() {
    let network = network(&two_tier(Era::Vpc)).unwrap();
    let unreachable = |name: &str| {
        let routes = node(&network, name).routes;
        let them = routes.into_iter().filter(|route| route.way == Way::Unreachable);
        them.map(|route| route.destination.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(unreachable("vpc-default"), ["10.0.0.0/16"]);
    assert_eq!(unreachable("internet"), ["198.18.0.0/15", "0.0.0.0/0"]);
}

#[test]
fn long_and_reserved_names_are_shortened_with_their_number() {
    let id = |name: &str, device| InterfaceId::from(Attachment { instance: InstanceName::new(name), device });
    assert_eq!(names::port(&id("web1", 0), 7), "web1");
    assert_eq!(names::port(&id("web1", 1), 8), "web1.8");
    assert_eq!(names::port(&id("fifteen-letters", 0), 7), "fifteen-letters");
    assert_eq!(names::port(&id("sixteen-letters-", 0), 12345), "sixteen-l.12345");
    assert_eq!(names::port(&id("sixteen-letters-", 0), 4_294_967_295).len(), 15);
    for reserved in ["lo", "gw", "canary"] {
        assert_eq!(names::port(&id(reserved, 0), 7), format!("{reserved}.7"));
    }
    assert_eq!(names::gateway_port(&VpcName::new("default"), 1), "gw-default");
    assert_eq!(names::gateway_port(&VpcName::new("a-very-long-vpc"), 2), "gw-a-very.2");
    assert_eq!(names::host_port("gw-default", 3), "default.3");
    assert_eq!(names::host_port("office", 3), "office");
}

/// Beyond that the index of a gateway's link would be one of a host's.
#[test]
fn a_cloud_of_more_vpcs_than_there_are_numbers_for_is_an_error() {
    let mut cloud = two_tier(Era::Vpc);
    let vpc = cloud.vpcs[0].clone();
    cloud.vpcs.extend((1..1000).map(|number| (VpcName::new(format!("v{number}")), vpc.clone())));
    assert_eq!(network(&cloud).unwrap_err(), CompileError::TooManyVpcs { vpcs: 1000, most: 999 });
}

#[test]
fn a_name_that_is_taken_is_an_error() {
    for name in ["office", "internet", "vpc-default", "canary-default"] {
        let mut cloud = two_tier(Era::Vpc);
        launch(&mut cloud, name, 99, &["SG-T-WEB"]);
        assert!(matches!(network(&cloud), Err(CompileError::Taken { .. })), "{name}");
    }
    let mut cloud = two_tier(Era::Vpc);
    launch(&mut cloud, "long-name-of-an-instance", 98, &["SG-T-WEB"]);
    // No file can say this one.
    launch(&mut cloud, "long-name.4", 99, &["SG-T-WEB"]);
    assert!(matches!(network(&cloud), Err(CompileError::Taken { .. })));
}

#[test]
fn a_name_is_one_that_a_namespace_and_a_chain_can_have() {
    let with = |name: &str| {
        let mut cloud = two_tier(Era::Vpc);
        launch(&mut cloud, name, 99, &["SG-T-WEB"]);
        network(&cloud)
    };
    let longest = "x".repeat(200);
    for name in ["a", "a.b_c-9", "...", &longest] {
        assert!(with(name).is_ok(), "{name}");
    }
    let too_long = "x".repeat(201);
    for name in ["", ".", "..", "a/b", "../a", "a b", "a\"b", "\u{e4}", &too_long] {
        assert!(matches!(with(name), Err(CompileError::Name { what: "instance", .. })), "{name}");
    }
    // Amazon's own groups have a slash.
    let mut cloud = two_tier(Era::Classic);
    add_group(&mut cloud, "amazon-elb/amazon-elb-sg");
    assert!(network(&cloud).is_ok());
    add_group(&mut cloud, "amazon elb");
    assert!(matches!(network(&cloud), Err(CompileError::Name { what: "group", .. })));
}

/// EC2 allows a VPC 200 subnets, and a number of 8 bits has no room for a table and that of a next hop of each.
#[test]
fn each_of_two_hundred_routed_subnets_has_a_table_that_is_none_of_the_kernels_own() {
    let mut cloud = two_tier(Era::Vpc);
    let target = Attachment { instance: InstanceName::new("web1"), device: 0 };
    let vpc = &mut cloud.vpcs[0];
    for number in 1..=200 {
        let subnet = SubnetName::new(format!("s{number}"));
        let route = SubnetRoute { destination: "0.0.0.0/0".parse().unwrap(), target: target.clone() };
        vpc.subnets.insert(subnet.clone(), format!("10.0.{number}.0/24").parse().unwrap());
        vpc.routes.insert(subnet, vec![route]);
    }
    let routes = node(&network(&cloud).unwrap(), "vpc-default").routes;
    let tables: HashSet<u32> = routes.iter().map(|route| route.table.0).filter(|table| *table != 0).collect();
    assert_eq!(tables.len(), 200);
    assert!(tables.iter().all(|table| *table > 255), "{tables:?}");
}

#[test]
fn an_idle_flow_is_never_forgotten_before_its_time() {
    let mut cloud = two_tier(Era::Vpc);
    let times = |cloud: &Cloud| {
        let Timeouts { tcp_established, udp, udp_stream, icmp, other } = network(cloud).unwrap().timeouts;
        [tcp_established, udp, udp_stream, icmp, other]
    };
    assert_eq!(times(&cloud), [432_000, 30, 180, 30, 600]);
    cloud.tracking.clock_factor = 7;
    assert_eq!(times(&cloud), [61_715, 5, 26, 5, 86]);
    cloud.tracking.clock_factor = 1_000_000;
    assert_eq!(times(&cloud), [1; 5]);
}

fn with_balancer(era: Era, groups: &[&str]) -> Cloud {
    let mut cloud = two_tier(era);
    let interface = Interface {
        id: InterfaceId::LoadBalancer(LoadBalancerName::new("lb")),
        eni: NetworkInterfaceId::first_of(&["lb"]),
        attached_to: None,
        number: 90,
        vpc: VpcName::new("default"),
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        private: Some(PrivateIp([10, 0, 0, 90].into())),
        secondary: Vec::new(),
        public: Some(PublicIp([198, 18, 0, 90].into())),
        automatic_public: AutomaticPublic::Given,
        ipv6: None,
        source_dest_check: SourceDestCheck::On,
    };
    let balancer = LoadBalancer {
        interface,
        scheme: Scheme::InternetFacing,
        listeners: [(Port(80), Port(80))].into(),
        health_check: HealthCheck::of_port(Port(80)),
        registrations: Default::default(),
        place: None,
    };
    cloud.load_balancers.insert(LoadBalancerName::new("lb"), balancer);
    cloud
}

#[test]
fn it_is_a_node_of_its_own_kind_and_a_member_of_its_groups() {
    let cloud = with_balancer(Era::Vpc, &["SG-T-WEB"]);
    let network = network(&cloud).unwrap();
    assert_eq!(network.nodes[&names::load_balancer(&LoadBalancerName::new("lb"))].kind, NodeKind::LoadBalancer);
    let router = names::router(&VpcName::new("default"));
    let ruleset = network.nodes[&router].ruleset.as_ref().unwrap();
    let members = &ruleset.sets[&names::members(&GroupName::new("SG-T-WEB"))].elements;
    assert!(members.iter().any(|address| address == "10.0.0.90"), "{members:?}");
    assert!(ruleset.chains.contains_key("to/lb.eth0") && ruleset.chains.contains_key("from/lb.eth0"));
}

#[test]
fn amazons_group_may_have_a_slash_in_its_name_and_nothing_else_may() {
    let mut cloud = with_balancer(Era::Classic, &[ELB_GROUP]);
    add_group(&mut cloud, ELB_GROUP);
    assert!(render(&cloud).unwrap().contains("ingress/amazon-elb/amazon-elb-sg"));
    launch(&mut cloud, "../up", 99, &["SG-T-WEB"]);
    assert!(render(&cloud).is_err(), "a namespace is a file");
}
