//! What is read and has no part in an account, with its reason.

use serde_json::json;

use super::support::{account, reasons, state};

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
