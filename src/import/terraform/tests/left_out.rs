//! Resources that have no part in an account, each with its reason.

use serde_json::{Value, json};

use super::support::{account, configured, new, plan, reasons, refs, state};

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
