//! References through modules: variables in, outputs out.

use serde_json::{Value, json};

use super::support::{Planned, account, call, configured, module, new, plan, refs, rules};

fn group(address: &'static str) -> Planned {
    new(address, json!({"name": "g"}), json!({"id": true, "ingress": true, "egress": true}))
}

fn rule(address: &'static str) -> Planned {
    let values = json!({"security_group_id": null, "ip_protocol": "tcp", "from_port": 443, "to_port": 443});
    new(address, values, json!({"id": true, "security_group_id": true, "referenced_security_group_id": true}))
}

/// A module with a group and a rule that admits the group of a variable.
fn tier() -> Value {
    module(
        vec![
            configured("aws_security_group.this", json!({})),
            configured(
                "aws_vpc_security_group_ingress_rule.in",
                json!({"security_group_id": refs(&["aws_security_group.this.id"]),
                    "referenced_security_group_id": refs(&["var.from"])}),
            ),
        ],
        &[("from", json!(null))],
        &[("id", refs(&["aws_security_group.this.id"]))],
    )
}

#[test]
fn an_output_of_one_module_is_a_variable_of_another() {
    let resources = [
        group("aws_security_group.edge"),
        group("module.app.aws_security_group.this"),
        rule("module.app.aws_vpc_security_group_ingress_rule.in"),
        group("module.db.aws_security_group.this"),
        rule("module.db.aws_vpc_security_group_ingress_rule.in"),
    ];
    let configuration = json!({
    "resources": [configured("aws_security_group.edge", json!({}))],
    "module_calls": {
        "app": call(json!({"from": refs(&["aws_security_group.edge.id"])}), tier()),
        "db": call(json!({"from": refs(&["module.app.id"])}), tier()),
    }});
    let account = account(&plan(&resources, configuration));
    assert_eq!(
        rules(&account),
        ["app < tcp 443 aws_security_group.edge", "db < tcp 443 module.app.aws_security_group.this"]
    );
}

#[test]
fn modules_in_modules_with_keys_are_followed() {
    let resources = [
        group("module.shop[\"eu\"].module.app.aws_security_group.this"),
        rule("module.shop[\"eu\"].module.app.aws_vpc_security_group_ingress_rule.in"),
        group("module.shop[\"us\"].module.app.aws_security_group.this"),
        rule("module.shop[\"us\"].module.app.aws_vpc_security_group_ingress_rule.in"),
        group("aws_security_group.edge[\"eu\"]"),
        group("aws_security_group.edge[\"us\"]"),
    ];
    let shop = json!({
        "variables": {"edge": {}},
        "module_calls": {"app": call(json!({"from": refs(&["var.edge"])}), tier())}});
    let configuration = json!({
        "resources": [configured("aws_security_group.edge", json!({}))],
        "module_calls": {"shop": call(json!({"edge": refs(&["aws_security_group.edge", "each.key"])}), shop)}});
    let account = account(&plan(&resources, configuration));
    assert_eq!(
        rules(&account),
        [
            "shop[\"eu\"].app < tcp 443 aws_security_group.edge[\"eu\"]",
            "shop[\"us\"].app < tcp 443 aws_security_group.edge[\"us\"]"
        ]
    );
}

#[test]
fn a_list_that_count_goes_through_gives_each_instance_its_own() {
    let rules_of = || {
        module(
            vec![
                configured("aws_security_group.this", json!({})),
                configured(
                    "aws_vpc_security_group_ingress_rule.in",
                    json!({"security_group_id": refs(&["aws_security_group.this.id"]),
                        "referenced_security_group_id": refs(&["var.from", "count.index"])}),
                ),
            ],
            &[("from", json!([]))],
            &[],
        )
    };
    let resources = [
        group("aws_security_group.b"),
        group("aws_security_group.a"),
        group("module.db.aws_security_group.this"),
        rule("module.db.aws_vpc_security_group_ingress_rule.in[0]"),
        rule("module.db.aws_vpc_security_group_ingress_rule.in[1]"),
    ];
    let configuration = json!({
        "resources": [configured("aws_security_group.a", json!({})), configured("aws_security_group.b", json!({}))],
        "module_calls": {"db": call(
            json!({"from": refs(&["aws_security_group.b.id", "aws_security_group.a.id"])}), rules_of())}});
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["db < tcp 443 aws_security_group.b", "db < tcp 443 aws_security_group.a"]);
}

#[test]
fn a_variable_of_the_root_is_a_value_of_the_plan() {
    let resources = [group("aws_security_group.g"), {
        let mut rule = rule("aws_vpc_security_group_ingress_rule.in");
        rule.values["referenced_security_group_id"] = json!("sg-0edge");
        rule.unknown = json!({"id": true, "security_group_id": true});
        rule
    }];
    let mut document = plan(
        &resources,
        json!({"resources": [
            configured("aws_security_group.g", json!({})),
            configured("aws_vpc_security_group_ingress_rule.in", json!({
                "security_group_id": refs(&["aws_security_group.g.id"]),
                "referenced_security_group_id": refs(&["var.edge"])})),
        ], "variables": {"edge": {}}}),
    );
    document["variables"] = json!({"edge": {"value": "sg-0edge"}});
    assert_eq!(rules(&account(&document)), ["g < tcp 443 sg-0edge"]);
}
