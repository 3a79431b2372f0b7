//! What of a plan is not known, and what is left out.

use serde_json::{Value, json};

use super::support::{Planned, account, configured, constant, members, new, plan, reasons, refs, rules, state};
use crate::account::{Known, Public};

fn public(document: &Value) -> Public {
    account(document).interfaces.values().next().expect("an interface").public.clone()
}

fn without_configuration(resources: &[Planned]) -> Value {
    plan(resources, json!({}))
}

#[test]
fn without_a_configuration_all_that_is_not_known_may_be_given() {
    let rule = json!({"security_group_id": "sg-1", "ip_protocol": "-1"});
    let account = account(&without_configuration(&[
        new("aws_security_group.web", json!({"id": "sg-1", "ingress": [], "egress": []}), json!({})),
        new("aws_vpc_security_group_ingress_rule.in", rule, json!({"cidr_ipv4": true})),
        new("aws_ec2_managed_prefix_list.l", json!({"id": "pl-1"}), json!({"entry": true})),
    ]));
    assert_eq!(rules(&account), ["web < all ?`cidr_ipv4` is not known"]);
    let entries = &account.prefix_lists.values().next().expect("a list").entries;
    assert_eq!(*entries, Known::Unknown("`entry` is not known".to_owned()));
}

#[test]
fn without_a_configuration_a_way_from_the_internet_may_be_given() {
    let unknown = |key: &str| Public::Unknown(format!("`{key}` is not known"));
    let subnet = || new("aws_subnet.s", json!({"id": "subnet-1", "map_public_ip_on_launch": false}), json!({}));
    let instance = json!({"subnet_id": "subnet-1", "vpc_security_group_ids": ["sg-1"]});
    let computed = || new("aws_instance.i", instance.clone(), json!({"associate_public_ip_address": true}));
    let document = without_configuration(&[subnet(), computed()]);
    assert_eq!(public(&document), unknown("associate_public_ip_address"));
    let own = json!({"vpc_security_group_ids": constant(json!(["sg-1"]))});
    let document = plan(&[subnet(), computed()], json!({"resources": [configured("aws_instance.i", own)]}));
    assert_eq!(public(&document), Public::None);
    let groups = || json!({"vpc_security_group_ids": ["sg-1"], "security_groups": ["sg-1"]});
    let database = || new("aws_db_instance.d", groups(), json!({"publicly_accessible": true}));
    assert_eq!(public(&without_configuration(&[database()])), unknown("publicly_accessible"));
    let balancer = || new("aws_lb.l", groups(), json!({"internal": true}));
    assert_eq!(public(&without_configuration(&[balancer()])), unknown("internal"));
    assert_eq!(public(&state(&[("aws_lb.l", groups())])), Public::At(Vec::new()));
}

#[test]
fn an_instance_of_a_template_that_no_source_has_may_be_in_any_group() {
    let (vpc, subnet) = (json!({"id": "vpc-1"}), json!({"id": "subnet-1", "vpc_id": "vpc-1"}));
    let instance = |template: &str| {
        let values = json!({"id": "i-1", "subnet_id": "subnet-1", "launch_template": [{"id": template}]});
        let launch = json!({"id": "lt-1", "vpc_security_group_ids": ["sg-1"],
            "network_interfaces": [{"associate_public_ip_address": "true"}]});
        account(&state(&[
            ("aws_vpc.v", vpc.clone()),
            ("aws_subnet.s", subnet.clone()),
            ("aws_launch_template.t", launch),
            ("aws_instance.i", values),
        ]))
    };
    let own = |template: &str| {
        let account = instance(template);
        let found = account.interfaces.values().find(|interface| interface.label == "i").expect("an instance");
        (found.groups.clone(), found.public.clone())
    };
    let why = "no source has its launch template lt-2".to_owned();
    assert_eq!(own("lt-2"), (Known::Unknown(why.clone()), Public::Unknown(why)));
    let (groups, public) = own("lt-1");
    assert_eq!(groups.known().map(|groups| groups[0].as_str().to_owned()), Some("sg-1".to_owned()));
    assert_eq!(public, Public::At(Vec::new()));
}

#[test]
fn a_service_of_a_kind_that_is_not_known_may_be_in_any_group() {
    let one = |address: &'static str, key: &str, refers: &str| {
        let resource = new(address, json!({"security_group_ids": ["sg-1"]}), json!({key: true}));
        account(&plan(&[resource], json!({"resources": [configured(address, json!({key: refs(&[refers])}))]})))
    };
    assert_eq!(members(&one("aws_lb.l", "load_balancer_type", "var.kind")), ["l: ?`load_balancer_type` is not known"]);
    let cluster = |refers| one("aws_elasticache_cluster.c", "replication_group_id", refers);
    assert_eq!(members(&cluster("var.group")), ["c: ?`replication_group_id` is not known"]);
    let part = cluster("aws_elasticache_replication_group.g.id");
    assert_eq!(reasons(&part), ["aws_elasticache_cluster.c: no part in who reaches whom"]);
}

#[test]
fn a_rule_tells_why_it_is_left_out() {
    let rule = |values: Value| {
        json!({"security_group_id": "sg-1", "protocol": "-1", "from_port": 0, "to_port": 0})
            .as_object()
            .into_iter()
            .chain(values.as_object())
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
    };
    let nobody = rule(json!({"type": "ingress"}));
    let foreign = rule(json!({"type": "ingress", "source_security_group_id": "111122223333/sg-2"}));
    let typeless = rule(json!({"cidr_blocks": ["10.0.0.0/8"]}));
    let plan = plan(
        &[
            new("aws_security_group_rule.nobody", Value::Object(nobody), json!({})),
            new("aws_security_group_rule.foreign", Value::Object(foreign), json!({})),
            new("aws_security_group_rule.either", Value::Object(typeless), json!({"type": true})),
        ],
        json!({"resources": [configured("aws_security_group_rule.either", json!({"type": refs(&["var.type"])}))]}),
    );
    assert_eq!(
        reasons(&account(&plan)),
        [
            "aws_security_group_rule.nobody: not known: it gives no block, prefix list or group",
            "aws_security_group_rule.foreign: of another account",
            "aws_security_group_rule.either: not known: `type` is not known",
        ]
    );
}

#[test]
fn what_belongs_to_nothing_here_is_listed() {
    let account = account(&plan(
        &[
            new("aws_vpc.v", json!({"id": "vpc-1"}), json!({})),
            new("aws_eip.free", json!({}), json!({"instance": true})),
            new(
                "aws_vpc_ipv4_cidr_block_association.known",
                json!({"vpc_id": "vpc-2", "cidr_block": "10.0.0.0/8"}),
                json!({}),
            ),
            new("aws_vpc_ipv4_cidr_block_association.unknown", json!({"vpc_id": "vpc-1"}), json!({"cidr_block": true})),
        ],
        json!({"resources": [configured("aws_eip.free", json!({"domain": constant(json!("vpc"))}))]}),
    ));
    assert_eq!(
        reasons(&account),
        [
            "aws_vpc_ipv4_cidr_block_association.known: names vpc-2, which no source has",
            "aws_vpc_ipv4_cidr_block_association.unknown: not known: its IPv4 block is not known",
            "aws_eip.free: no part in who reaches whom",
        ]
    );
}

#[test]
fn what_is_joined_to_an_interface_that_no_source_has_is_listed() {
    let account = account(&state(&[
        ("aws_eip.instance", json!({"id": "eipalloc-1", "instance": "i-9", "public_ip": "192.0.2.1"})),
        ("aws_eip.nat", json!({"id": "eipalloc-2", "network_interface": "eni-2", "public_ip": "192.0.2.2"})),
        ("aws_nat_gateway.n", json!({"id": "nat-1", "allocation_id": "eipalloc-2"})),
        (
            "aws_network_interface_sg_attachment.a",
            json!({"network_interface_id": "eni-9", "security_group_id": "sg-1"}),
        ),
        (
            "aws_network_interface_attachment.j",
            json!({"network_interface_id": "eni-8", "instance_id": "i-8", "device_index": 1}),
        ),
    ]));
    assert_eq!(
        reasons(&account),
        [
            "aws_eip.nat: no part in who reaches whom",
            "aws_network_interface_attachment.j: names eni-8, which no source has",
            "aws_nat_gateway.n: not emulated",
            "aws_network_interface_sg_attachment.a: names eni-9, which no source has",
            "aws_eip.instance: names i-9, which no source has",
        ]
    );
}

/// The members of a plan of one resource whose blocks come from a `dynamic` one.
fn dynamic(address: &'static str, values: Value, block: &str) -> Vec<String> {
    let name = json!({"name": constant(json!("a"))});
    let resource = new(address, values, json!({block: true}));
    members(&account(&plan(&[resource], json!({"resources": [configured(address, name)]}))))
}

#[test]
fn a_dynamic_block_that_is_not_known_may_name_any_group() {
    let service = dynamic("aws_ecs_service.s", json!({}), "network_configuration");
    assert!(service[0].starts_with("s: ?`security_groups` is known after apply"), "{service:?}");
    let template = dynamic("aws_launch_template.t", json!({}), "network_interfaces");
    assert_eq!(template, ["t: ?`network_interfaces` is not known"]);
    let instance = dynamic("aws_instance.i", json!({}), "launch_template");
    assert_eq!(instance, ["i: ?`launch_template` is not known"]);
    let nodes = dynamic("aws_eks_node_group.n", json!({"cluster_name": "c"}), "remote_access");
    assert_eq!(nodes, ["n: ?EKS makes a further group for its remote access"]);
}

#[test]
fn a_node_group_of_a_cluster_that_is_not_known_may_be_in_any_group() {
    let one = |values: Value, unknown: Value| {
        let cluster = new("aws_eks_cluster.c", json!({"name": "c", "vpc_config": [{}]}), json!({"id": true}));
        let nodes = new("aws_eks_node_group.n", values, unknown);
        let configuration = json!({"resources": [
            configured("aws_eks_cluster.c", json!({"name": constant(json!("c")), "vpc_config": [{}]})),
            configured("aws_eks_node_group.n", json!({"cluster_name": refs(&["var.cluster"])})),
        ]});
        members(&account(&plan(&[cluster, nodes], configuration)))[1].clone()
    };
    assert_eq!(one(json!({"cluster_name": "c"}), json!({})), "n: aws_eks_cluster.c.cluster_security_group_id");
    assert_eq!(one(json!({"cluster_name": "other"}), json!({})), "n: ?no source has its cluster other");
    assert!(one(json!({}), json!({"cluster_name": true})).starts_with("n: ?"));
}

#[test]
fn traffic_that_is_not_known_is_listed() {
    let values = json!({"security_group_id": "sg-1", "cidr_ipv4": "10.0.0.0/8"});
    let account = account(&without_configuration(&[
        new("aws_security_group.web", json!({"id": "sg-1", "ingress": [], "egress": []}), json!({})),
        new("aws_vpc_security_group_ingress_rule.in", values, json!({"ip_protocol": true})),
    ]));
    assert_eq!(reasons(&account), ["aws_vpc_security_group_ingress_rule.in: not known: `ip_protocol` is not known"]);
}

#[test]
fn what_is_joined_to_a_value_that_nobody_gives_is_listed() {
    let one = |address: &'static str, values: Value, key: &str| {
        let other = json!({"name": constant(json!("a"))});
        let plan =
            plan(&[new(address, values, json!({key: true}))], json!({"resources": [configured(address, other)]}));
        reasons(&account(&plan))
    };
    let why = |address: &str, key: &str| vec![format!("{address}: not known: `{key}` is known after apply")];
    let (attached, block) = ("aws_network_interface_sg_attachment.a", "aws_vpc_ipv4_cidr_block_association.b");
    let group = json!({"security_group_id": "sg-1"});
    assert_eq!(one(attached, group, "network_interface_id"), why(attached, "network_interface_id"));
    assert_eq!(one(block, json!({"cidr_block": "10.0.0.0/8"}), "vpc_id"), why(block, "vpc_id"));
}

#[test]
fn every_other_resource_is_listed_with_its_reason() {
    let allow_all = json!([{"action": "allow", "protocol": "-1", "rule_no": 100, "cidr_block": "0.0.0.0/0"},
        {"action": "allow", "protocol": "-1", "rule_no": 101, "ipv6_cidr_block": "::/0", "cidr_block": ""}]);
    let deny = json!([{"action": "deny", "protocol": "-1", "rule_no": 10, "cidr_block": "10.0.0.0/8"},
        {"action": "allow", "protocol": "-1", "rule_no": 100, "cidr_block": "0.0.0.0/0"}]);
    let state = state(&[
        ("aws_iam_role.r", json!({})),
        ("aws_s3_bucket.b", json!({})),
        ("aws_nat_gateway.n", json!({})),
        ("aws_ec2_transit_gateway.t", json!({})),
        ("aws_vpc_endpoint.e", json!({"security_group_ids": ["sg-1"]})),
        ("aws_network_acl.plain", json!({"ingress": allow_all, "egress": allow_all})),
        ("aws_network_acl.strict", json!({"ingress": deny, "egress": allow_all})),
        ("aws_route.igw", json!({"gateway_id": "igw-1", "nat_gateway_id": ""})),
        ("aws_route.nat", json!({"nat_gateway_id": "nat-1"})),
        (
            "aws_route_table.t",
            json!({"route": [{"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1", "nat_gateway_id": ""}]}),
        ),
        ("aws_lambda_function.outside", json!({"vpc_config": []})),
        ("random_pet.p", json!({})),
        ("aws_glue_connection.c", json!({})),
        ("aws_ecs_thing_of_tomorrow.x", json!({"security_groups": ["sg-1"]})),
    ]);
    let (no_part, not_emulated) = ("no part in who reaches whom", "not emulated");
    let expected = [
        ("aws_lambda_function.outside", no_part),
        ("aws_iam_role.r", no_part),
        ("aws_s3_bucket.b", no_part),
        ("aws_nat_gateway.n", not_emulated),
        ("aws_ec2_transit_gateway.t", not_emulated),
        ("aws_vpc_endpoint.e", not_emulated),
        ("aws_network_acl.plain", no_part),
        ("aws_network_acl.strict", not_emulated),
        ("aws_route.igw", no_part),
        ("aws_route.nat", not_emulated),
        ("aws_route_table.t", no_part),
        ("random_pet.p", no_part),
        ("aws_glue_connection.c", not_emulated),
        ("aws_ecs_thing_of_tomorrow.x", not_emulated),
    ];
    let expected: Vec<String> = expected.iter().map(|(address, reason)| format!("{address}: {reason}")).collect();
    assert_eq!(reasons(&account(&state)), expected);
}

const NO_PART: &str = "no part in who reaches whom";
const NOT_EMULATED: &str = "not emulated";

/// The reason why one resource of a plan is left out: its values, what of them is not known, and its expressions.
fn why(kind: &'static str, values: Value, unknown: Value, expressions: Value) -> String {
    let plan = plan(&[new(kind, values, unknown)], json!({"resources": [configured(kind, expressions)]}));
    let [reason] = <[String; 1]>::try_from(reasons(&account(&plan))).expect("one reason");
    reason.rsplit_once(": ").expect("a reason").1.to_owned()
}

#[test]
fn a_resource_of_the_cloud_control_provider_is_not_emulated() {
    assert_eq!(why("awscc_ec2_security_group.g", json!({}), json!({}), json!({})), NOT_EMULATED);
}

#[test]
fn routes_that_are_given_and_not_known_may_go_anywhere() {
    let route = |expressions| why("aws_route_table.t", json!({}), json!({"route": true}), expressions);
    assert_eq!(route(json!({"route": refs(&["var.routes"])})), NOT_EMULATED);
    assert_eq!(route(json!({"vpc_id": refs(&["var.vpc"])})), NO_PART);
    let hidden = json!({"format_version": "1.0", "values": {"root_module": {"resources": [{"address": "aws_route.r",
        "values": {"nat_gateway_id": "nat-1"}, "sensitive_values": {"nat_gateway_id": true}}]}}});
    assert_eq!(reasons(&account(&hidden)), ["aws_route.r: not emulated"]);
}

#[test]
fn an_entry_of_a_network_acl_admits_all_where_that_is_known() {
    let rule = |values: Value, unknown: Value| {
        let mut all = json!({"rule_action": "allow", "protocol": "-1", "rule_number": 100});
        values.as_object().expect("an object").iter().for_each(|(key, value)| all[key] = value.clone());
        why("aws_network_acl_rule.r", all, unknown, json!({"cidr_block": refs(&["var.block"])}))
    };
    assert_eq!(rule(json!({"cidr_block": "0.0.0.0/0"}), json!({})), NO_PART);
    assert_eq!(rule(json!({"ipv6_cidr_block": "::/0"}), json!({})), NO_PART);
    assert_eq!(rule(json!({"cidr_block": "10.0.0.0/8"}), json!({})), NOT_EMULATED);
    assert_eq!(rule(json!({}), json!({"cidr_block": true})), NOT_EMULATED);
    assert_eq!(rule(json!({"ipv6_cidr_block": "::/0", "rule_action": "deny"}), json!({})), NOT_EMULATED);
}

#[test]
fn an_entry_whose_block_is_not_known_may_deny_anything() {
    let all = json!({"action": "allow", "protocol": "-1", "rule_no": 100, "cidr_block": "0.0.0.0/0"});
    let acl = |first: Value, unknown: Value| {
        let values = json!({"ingress": [first, all], "egress": [all]});
        let refers = refs(&["var.block"]);
        why(
            "aws_network_acl.a",
            values,
            json!({"ingress": [unknown, {}]}),
            json!({"ingress": refers, "egress": refers}),
        )
    };
    let deny = |number: Value| json!({"action": "deny", "protocol": "-1", "rule_no": number});
    assert_eq!(acl(deny(json!(10)), json!({"cidr_block": true})), NOT_EMULATED);
    assert_eq!(acl(deny(json!(200)), json!({"cidr_block": true})), NO_PART);
    assert_eq!(acl(deny(Value::Null), json!({"cidr_block": true, "rule_no": true})), NOT_EMULATED);
    assert_eq!(acl(all.clone(), json!({})), NO_PART);
}

#[test]
fn a_resource_with_groups_anywhere_in_it_is_not_emulated() {
    let within = |groups: Value| {
        let values = json!({"vpc_config": [{"subnet_ids": ["subnet-1"], "security_group_ids": groups}]});
        why("aws_msk_serverless_cluster.c", values, json!({}), json!({}))
    };
    assert_eq!(within(json!(["sg-1"])), NOT_EMULATED);
    assert_eq!(within(json!([])), NO_PART);
    let unknown = json!({"vpc_config": [{"security_group_ids": true}]});
    assert_eq!(why("aws_msk_serverless_cluster.c", json!({}), unknown, json!({})), NOT_EMULATED);
}

#[test]
fn a_route_to_another_gateway_than_that_of_the_internet_goes_elsewhere() {
    let known = |gateway: &str| why("aws_route.r", json!({"gateway_id": gateway}), json!({}), json!({}));
    assert_eq!(["igw-1", "local", "vgw-1"].map(known), [NO_PART, NO_PART, NOT_EMULATED]);
    let unknown = |reference: &str| {
        why("aws_route.r", json!({}), json!({"gateway_id": true}), json!({"gateway_id": refs(&[reference])}))
    };
    let references = ["aws_internet_gateway.g.id", "aws_vpn_gateway.g.id", "var.gateway"];
    assert_eq!(references.map(unknown), [NO_PART, NOT_EMULATED, NOT_EMULATED]);
}
