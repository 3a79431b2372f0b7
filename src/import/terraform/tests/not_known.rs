//! Values that a plan does not know and the configuration may give: unknown in the account too, and listed.

use serde_json::{Value, json};

use super::support::{Planned, account, configured, new, plan, reasons, refs};

fn without_configuration(resources: &[Planned]) -> Value {
    plan(resources, json!({}))
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
fn traffic_that_is_not_known_is_listed() {
    let values = json!({"security_group_id": "sg-1", "cidr_ipv4": "10.0.0.0/8"});
    let account = account(&without_configuration(&[
        new("aws_security_group.web", json!({"id": "sg-1", "ingress": [], "egress": []}), json!({})),
        new("aws_vpc_security_group_ingress_rule.in", values, json!({"ip_protocol": true})),
    ]));
    assert_eq!(reasons(&account), ["aws_vpc_security_group_ingress_rule.in: not known: `ip_protocol` is not known"]);
}
