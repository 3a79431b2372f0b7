//! Interfaces of instances, and what is joined to them apart.

use serde_json::json;

use super::support::{Planned, account, configured, members, new, plan, reasons, refs, state};
use crate::account::{Holder, Known, Public};

fn group(address: &'static str) -> Planned {
    new(address, json!({"name": address}), json!({"id": true, "ingress": true, "egress": true}))
}

/// A VPC with a public and a private subnet.
fn network() -> Vec<Planned> {
    let subnet = |address, cidr: &str, public: bool| {
        new(
            address,
            json!({"cidr_block": cidr, "map_public_ip_on_launch": public}),
            json!({"id": true, "vpc_id": true}),
        )
    };
    vec![
        new(
            "aws_vpc.main",
            json!({"cidr_block": "10.0.0.0/16"}),
            json!({"id": true, "default_security_group_id": true}),
        ),
        subnet("aws_subnet.public", "10.0.0.0/24", true),
        subnet("aws_subnet.private", "10.0.1.0/24", false),
    ]
}

fn configured_network() -> Vec<serde_json::Value> {
    let subnet = |address| configured(address, json!({"vpc_id": refs(&["aws_vpc.main.id"])}));
    vec![configured("aws_vpc.main", json!({})), subnet("aws_subnet.public"), subnet("aws_subnet.private")]
}

#[test]
fn a_subnet_decides_whether_an_instance_gets_a_public_address() {
    let mut resources = network();
    let unknown = || {
        json!({"subnet_id": true, "vpc_security_group_ids": true, "public_ip": true,
        "associate_public_ip_address": true})
    };
    resources.extend([
        new("aws_instance.web", json!({}), unknown()),
        new("aws_instance.db", json!({}), unknown()),
        new(
            "aws_instance.nat",
            json!({"associate_public_ip_address": true}),
            json!({"subnet_id": true, "public_ip": true}),
        ),
    ]);
    let in_subnet = |address, subnet| configured(address, json!({"subnet_id": refs(&[subnet])}));
    let mut entries = configured_network();
    entries.extend([
        in_subnet("aws_instance.web", "aws_subnet.public.id"),
        in_subnet("aws_instance.db", "aws_subnet.private.id"),
        in_subnet("aws_instance.nat", "aws_subnet.private.id"),
    ]);
    let account = account(&plan(&resources, json!({"resources": entries})));
    let public: Vec<&Public> = account.interfaces.values().map(|interface| &interface.public).collect();
    assert_eq!(public, [&Public::At(Vec::new()), &Public::None, &Public::At(Vec::new())]);
    let web = &account.interfaces[0];
    assert_eq!(web.vpc.as_ref().map(|id| id.as_str()), Some("aws_vpc.main"));
    assert_eq!(web.subnet.as_ref().map(|id| id.as_str()), Some("aws_subnet.public"));
}

#[test]
fn an_instance_without_groups_is_in_the_default_group_of_its_vpc() {
    let mut resources = network();
    let unknown = json!({"subnet_id": true, "vpc_security_group_ids": true});
    resources.push(new("aws_instance.web", json!({}), unknown));
    let mut entries = configured_network();
    entries.push(configured("aws_instance.web", json!({"subnet_id": refs(&["aws_subnet.private.id"])})));
    let before = account(&plan(&resources, json!({"resources": entries})));
    assert_eq!(members(&before), ["web: aws_vpc.main.default_security_group_id"]);
    assert_eq!(before.groups[0].egress.len(), 2, "that of a new VPC lets everything out");

    // The resource that adopts the group replaces its rules.
    resources.push(new(
        "aws_default_security_group.d",
        json!({"ingress": [], "egress": []}),
        json!({"id": true, "vpc_id": true}),
    ));
    entries.push(configured("aws_default_security_group.d", json!({"vpc_id": refs(&["aws_vpc.main.id"])})));
    let after = account(&plan(&resources, json!({"resources": entries})));
    assert_eq!(members(&after), ["web: aws_default_security_group.d"]);
    assert_eq!(after.groups[0].egress, []);
}

#[test]
fn interfaces_groups_and_elastic_ips_are_joined_to_instances() {
    let resources = [
        group("aws_security_group.a"),
        group("aws_security_group.b"),
        new("aws_network_interface.first", json!({}), json!({"id": true, "security_groups": true})),
        new("aws_network_interface.second", json!({}), json!({"id": true, "security_groups": true})),
        new(
            "aws_instance.fw",
            json!({"network_interface": [{"device_index": 0}]}),
            json!({"id": true, "vpc_security_group_ids": true, "network_interface": [{"network_interface_id": true}]}),
        ),
        new(
            "aws_network_interface_attachment.s",
            json!({"device_index": 1}),
            json!({"instance_id": true, "network_interface_id": true}),
        ),
        new(
            "aws_network_interface_sg_attachment.b",
            json!({}),
            json!({"network_interface_id": true, "security_group_id": true}),
        ),
        new(
            "aws_eip.e",
            json!({}),
            json!({"id": true, "public_ip": true, "instance": true, "network_interface": true}),
        ),
    ];
    let in_a = json!({"security_groups": refs(&["aws_security_group.a.id"])});
    let configuration = json!({"resources": [
        configured("aws_security_group.a", json!({})),
        configured("aws_security_group.b", json!({})),
        configured("aws_network_interface.first", in_a.clone()),
        configured("aws_network_interface.second", in_a),
        configured("aws_instance.fw", json!({"network_interface": [
            {"network_interface_id": refs(&["aws_network_interface.first.id"])}]})),
        configured("aws_network_interface_attachment.s", json!({"instance_id": refs(&["aws_instance.fw.id"]),
            "network_interface_id": refs(&["aws_network_interface.second.id"])})),
        configured("aws_network_interface_sg_attachment.b", json!({
            "network_interface_id": refs(&["aws_instance.fw.primary_network_interface_id"]),
            "security_group_id": refs(&["aws_security_group.b.id"])})),
        configured("aws_eip.e", json!({"instance": refs(&["aws_instance.fw.id"])})),
    ]});
    let account = account(&plan(&resources, configuration));
    assert_eq!(members(&account), ["fw: aws_security_group.a aws_security_group.b", "fw.eth1: aws_security_group.a"]);
    let first = &account.interfaces[0];
    assert_eq!((first.holder, &first.public), (Holder::Instance, &Public::At(Vec::new())));
    assert_eq!(account.interfaces[1].public, Public::None);
    assert_eq!(reasons(&account), [""; 0]);
}

#[test]
fn templates_make_members_of_what_is_not_there_yet() {
    let resources = [
        group("aws_security_group.web"),
        new(
            "aws_launch_template.t",
            json!({"network_interfaces": [{"associate_public_ip_address": "true"}]}),
            json!({"id": true, "vpc_security_group_ids": [], "network_interfaces": [{"security_groups": true}]}),
        ),
        new("aws_launch_configuration.alone", json!({}), json!({"id": true, "security_groups": true})),
        new(
            "aws_autoscaling_group.web",
            json!({"launch_template": [{"version": "1"}]}),
            json!({"id": true, "launch_template": [{"id": true, "name": true}], "vpc_zone_identifier": true}),
        ),
    ];
    let configuration = json!({"resources": [
        configured("aws_security_group.web", json!({})),
        configured("aws_launch_template.t", json!({"network_interfaces": [
            {"security_groups": refs(&["aws_security_group.web.id"])}]})),
        configured("aws_launch_configuration.alone", json!({"security_groups": refs(&["aws_security_group.web.id"])})),
        configured("aws_autoscaling_group.web", json!({"launch_template": [
            {"id": refs(&["aws_launch_template.t.id"])}]})),
    ]});
    let account = account(&plan(&resources, configuration));
    assert_eq!(members(&account), ["alone: aws_security_group.web", "web: aws_security_group.web"]);
    assert_eq!(account.interfaces[1].public, Public::At(Vec::new()));
}

#[test]
fn groups_by_name_and_prefix_lists_are_found() {
    let state = state(&[
        ("aws_security_group.web", json!({"id": "sg-1", "name": "web servers", "ingress": [], "egress": []})),
        ("aws_instance.old", json!({"id": "i-1", "security_groups": ["web servers"]})),
        ("aws_ec2_managed_prefix_list.offices", json!({"id": "pl-1", "entry": [{"cidr": "192.0.2.0/24"}]})),
        ("aws_ec2_managed_prefix_list_entry.more", json!({"prefix_list_id": "pl-1", "cidr": "198.51.100.0/24"})),
        ("aws_vpc.main", json!({"id": "vpc-1", "cidr_block": "10.0.0.0/16", "ipv6_cidr_block": ""})),
        ("aws_vpc_ipv4_cidr_block_association.more", json!({"vpc_id": "vpc-1", "cidr_block": "10.1.0.0/16"})),
    ]);
    let account = account(&state);
    assert_eq!(members(&account), ["old: sg-1"]);
    let Known::Is(entries) = &account.prefix_lists[0].entries else { panic!("entries") };
    assert_eq!(entries.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.0/24", "198.51.100.0/24"]);
    assert_eq!(account.vpcs[0].blocks.len(), 2);
}

#[test]
fn services_are_members_with_their_holders_and_public_ways() {
    let groups = || json!(["sg-1"]);
    let state = state(&[
        (
            "aws_lb.front",
            json!({"id": "arn:1", "internal": false, "security_groups": groups(), "load_balancer_type": "application"}),
        ),
        ("aws_elb.inner", json!({"id": "inner", "internal": true, "security_groups": groups()})),
        (
            "aws_lb.plain",
            json!({"id": "arn:2", "internal": true, "load_balancer_type": "network", "security_groups": []}),
        ),
        ("aws_db_instance.db", json!({"id": "db", "publicly_accessible": true, "vpc_security_group_ids": groups()})),
        ("aws_elasticache_cluster.c", json!({"id": "c", "security_group_ids": groups()})),
        (
            "aws_lambda_function.f",
            json!({"id": "f", "vpc_config": [{"security_group_ids": groups(), "subnet_ids": []}]}),
        ),
        (
            "aws_ecs_service.s",
            json!({"id": "s", "network_configuration": [
            {"security_groups": groups(), "assign_public_ip": true, "subnets": []}]}),
        ),
        ("aws_opensearch_domain.o", json!({"id": "o", "vpc_options": [{"security_group_ids": groups()}]})),
    ]);
    let account = account(&state);
    let why = "a network load balancer without groups filters nothing";
    assert_eq!(
        members(&account),
        [
            "front: sg-1",
            "inner: sg-1",
            &format!("plain: ?{why}"),
            "db: sg-1",
            "c: sg-1",
            "f: sg-1",
            "s: sg-1",
            "o: sg-1"
        ]
    );
    let holders: Vec<Holder> = account.interfaces.values().map(|interface| interface.holder).collect();
    let (balancer, database) = (Holder::LoadBalancer, Holder::Database);
    assert_eq!(
        holders,
        [balancer, balancer, balancer, database, database, Holder::Function, Holder::Service, database]
    );
    let open = account.interfaces.values().filter(|interface| interface.public == Public::At(Vec::new()));
    assert_eq!(open.map(|interface| interface.label.as_str()).collect::<Vec<_>>(), ["front", "db", "s"]);
    assert_eq!(reasons(&account), [format!("aws_lb.plain: not known: its groups: {why}")]);
}
