//! References of plans, followed to the resources that they mean.

use serde_json::json;

use super::support::{account, configured, constant, members, new, plan, refs, rules};

#[test]
fn a_rule_of_a_new_group_is_found_by_its_references() {
    let rule = |from: &str| {
        json!({"type": "ingress", "protocol": "tcp", "from_port": from, "to_port": from,
        "cidr_blocks": null, "self": false})
    };
    let plan = plan(
        &[
            new(
                "aws_security_group.db",
                json!({"name": "db", "ingress": []}),
                json!({"id": true, "egress": true, "vpc_id": true}),
            ),
            new(
                "aws_security_group.app",
                json!({"name": "app", "egress": [{"protocol": "-1", "from_port": 0, "to_port": 0,
                    "cidr_blocks": ["0.0.0.0/0"], "self": false}]}),
                json!({"id": true, "ingress": true}),
            ),
            new(
                "aws_security_group_rule.db_in",
                rule("5432"),
                json!({"id": true, "security_group_id": true, "source_security_group_id": true}),
            ),
            new("aws_instance.web[0]", json!({}), json!({"vpc_security_group_ids": true})),
            new("aws_instance.web[1]", json!({}), json!({"vpc_security_group_ids": true})),
        ],
        json!({"resources": [
            configured("aws_security_group.db", json!({"name": constant(json!("db"))})),
            configured("aws_security_group.app", json!({"name": constant(json!("app"))})),
            configured("aws_security_group_rule.db_in", json!({
                "security_group_id": refs(&["aws_security_group.db.id"]),
                "source_security_group_id": refs(&["aws_security_group.app.id"])})),
            configured("aws_instance.web", json!({"vpc_security_group_ids": refs(&["aws_security_group.app.id"])})),
        ]}),
    );
    let account = account(&plan);
    assert_eq!(rules(&account), ["db < tcp 5432 aws_security_group.app", "app > all 0.0.0.0/0"]);
    assert_eq!(members(&account), ["web[0]: aws_security_group.app", "web[1]: aws_security_group.app"]);
    let rule = &account.groups.values().next().expect("db").ingress[0];
    assert_eq!(rule.origin.resource.as_str(), "aws_security_group_rule.db_in");
    assert_eq!(account.left_out, []);
}
