//! Tests of a load balancer's compiled form: a namespace with a link like an instance's, and an element of the sets that rules match.

use super::fixture::*;
use crate::compile::{names, network, render};
use crate::model::*;
use crate::network::NodeKind;

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
