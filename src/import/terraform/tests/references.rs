//! References of plans, followed to the resources that they mean.

use serde_json::{Value, json};

use super::support::{Planned, account, configured, constant, members, new, plan, reasons, refs, rules};

/// A rule apart for `tcp 5432`, whose group and source are known after apply.
fn rule(address: &'static str) -> Planned {
    let values = json!({"type": "ingress", "protocol": "tcp", "from_port": 5432, "to_port": 5432, "cidr_blocks": null,
        "self": false});
    new(address, values, json!({"id": true, "security_group_id": true, "source_security_group_id": true}))
}

fn group(address: &'static str) -> Planned {
    new(address, json!({"name": "g"}), json!({"id": true, "ingress": true, "egress": true}))
}

/// The configuration of some groups and of one rule.
fn one_rule(groups: &[&str], expressions: Value) -> Value {
    let groups = groups.iter().map(|address| configured(address, json!({})));
    let all: Vec<Value> = groups.chain([configured("aws_security_group_rule.in", expressions)]).collect();
    json!({"resources": all})
}

#[test]
fn a_rule_of_a_new_group_is_found_by_its_references() {
    let plan = plan(
        &[
            group("aws_security_group.db"),
            group("aws_security_group.app"),
            rule("aws_security_group_rule.in"),
            new("aws_instance.web[0]", json!({}), json!({"vpc_security_group_ids": true})),
            new("aws_instance.web[1]", json!({}), json!({"vpc_security_group_ids": true})),
        ],
        json!({"resources": [
            configured("aws_security_group.db", json!({"name": constant(json!("db"))})),
            configured("aws_security_group.app", json!({"name": constant(json!("app"))})),
            configured("aws_security_group_rule.in", json!({
                "security_group_id": refs(&["aws_security_group.db.id"]),
                "source_security_group_id": refs(&["aws_security_group.app.id"])})),
            configured("aws_instance.web", json!({"vpc_security_group_ids": refs(&["aws_security_group.app.id"])})),
        ]}),
    );
    let account = account(&plan);
    assert_eq!(rules(&account), ["db < tcp 5432 aws_security_group.app"]);
    assert_eq!(members(&account), ["web[0]: aws_security_group.app", "web[1]: aws_security_group.app"]);
    let rule = &account.groups.values().next().expect("db").ingress[0];
    assert_eq!(rule.origin.resource.as_str(), "aws_security_group_rule.in");
    assert!(rule.origin.place.line > 1);
    assert_eq!(reasons(&account), [""; 0]);
}

#[test]
fn an_instance_of_several_is_found_by_the_own_index() {
    let mut resources = vec![group("aws_security_group.db")];
    resources.extend([group("aws_security_group.app[0]"), group("aws_security_group.app[1]")]);
    resources.extend([rule("aws_security_group_rule.in[0]"), rule("aws_security_group_rule.in[1]")]);
    let configuration = one_rule(
        &["aws_security_group.db", "aws_security_group.app"],
        json!({"security_group_id": refs(&["aws_security_group.db.id"]),
            "source_security_group_id": refs(&["aws_security_group.app", "count.index"])}),
    );
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["db < tcp 5432 aws_security_group.app[0]", "db < tcp 5432 aws_security_group.app[1]"]);
}

#[test]
fn an_instance_of_several_is_found_by_the_own_key() {
    let resources = [
        group("aws_security_group.g[\"app\"]"),
        group("aws_security_group.g[\"db\"]"),
        rule("aws_security_group_rule.in[\"app\"]"),
    ];
    let configuration = one_rule(
        &["aws_security_group.g"],
        json!({"security_group_id": refs(&["aws_security_group.g[\"db\"].id"]),
            "source_security_group_id": refs(&["aws_security_group.g", "each.key"])}),
    );
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["g[\"db\"] < tcp 5432 aws_security_group.g[\"app\"]"]);
}

#[test]
fn a_key_that_each_value_names_is_followed() {
    let resources = [
        group("aws_security_group.g[\"app\"]"),
        group("aws_security_group.g[\"db\"]"),
        rule("aws_security_group_rule.in[\"one\"]"),
    ];
    let mut configuration = one_rule(
        &["aws_security_group.g"],
        json!({"security_group_id": refs(&["aws_security_group.g", "each.value.to"]),
            "source_security_group_id": refs(&["aws_security_group.g", "each.value.from"])}),
    );
    configuration["resources"][1]["for_each_expression"] =
        constant(json!({"one": {"from": "app", "to": "db"}, "two": {"from": "db", "to": "app"}}));
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["g[\"db\"] < tcp 5432 aws_security_group.g[\"app\"]"]);
}

#[test]
fn a_map_of_resources_is_followed_by_its_key() {
    let resources = [
        group("aws_security_group.g[\"app\"]"),
        group("aws_security_group.g[\"db\"]"),
        group("aws_security_group.all"),
        rule("aws_security_group_rule.in[\"db\"]"),
    ];
    let mut configuration = one_rule(
        &["aws_security_group.g", "aws_security_group.all"],
        json!({"security_group_id": refs(&["each.value.id"]),
            "source_security_group_id": refs(&["aws_security_group.all.id"])}),
    );
    configuration["resources"][2]["for_each_expression"] = json!({"references": ["aws_security_group.g"]});
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["g[\"db\"] < tcp 5432 aws_security_group.all"]);
}

#[test]
fn what_may_be_several_is_unknown_and_listed() {
    let resources = [
        group("aws_security_group.a[0]"),
        group("aws_security_group.a[1]"),
        group("aws_security_group.b"),
        rule("aws_security_group_rule.in"),
    ];
    let configuration = one_rule(
        &["aws_security_group.a", "aws_security_group.b"],
        json!({"security_group_id": refs(&["aws_security_group.b.id"]),
            "source_security_group_id": refs(&["aws_security_group.a", "local.which"])}),
    );
    let account = account(&plan(&resources, configuration));
    let why = "`source_security_group_id` is known after apply, and may be aws_security_group.a[0] or \
        aws_security_group.a[1] or 1 more";
    assert_eq!(rules(&account), [format!("b < tcp 5432 ?{why}")]);
    assert_eq!(reasons(&account), [format!("aws_security_group_rule.in: not known: {why}")]);
}

#[test]
fn a_rule_of_an_unknown_group_is_on_no_group_and_listed() {
    let resources = [group("aws_security_group.a"), group("aws_security_group.b"), rule("aws_security_group_rule.in")];
    let configuration = one_rule(
        &["aws_security_group.a", "aws_security_group.b"],
        json!({"security_group_id": refs(&["local.one"]), "source_security_group_id": refs(&["aws_security_group.a.id"])}),
    );
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), [""; 0]);
    assert!(reasons(&account)[0].starts_with("aws_security_group_rule.in: not known: its group: "), "{account:?}");
}

#[test]
fn a_local_is_the_only_group_that_it_can_be() {
    let resources = [group("aws_security_group.this[0]"), rule("aws_security_group_rule.in")];
    let configuration = one_rule(
        &["aws_security_group.this", "aws_security_group.this_name_prefix"],
        json!({"security_group_id": refs(&["local.this_sg_id"]),
            "source_security_group_id": refs(&["aws_security_group.this[0].id", "aws_security_group.this_name_prefix[0].id"])}),
    );
    let account = account(&plan(&resources, configuration));
    assert_eq!(rules(&account), ["this < tcp 5432 aws_security_group.this[0]"]);
}

#[test]
fn a_set_has_all_groups_that_it_refers_to_and_a_list_its_known_ones() {
    let resources = [
        group("aws_security_group.a"),
        group("aws_security_group.b"),
        new("aws_instance.set", json!({}), json!({"vpc_security_group_ids": true})),
        new(
            "aws_instance.list",
            json!({"vpc_security_group_ids": ["sg-0abc", null]}),
            json!({"vpc_security_group_ids": [false, true]}),
        ),
    ];
    let configuration = json!({"resources": [
        configured("aws_security_group.a", json!({})),
        configured("aws_security_group.b", json!({})),
        configured("aws_instance.set",
            json!({"vpc_security_group_ids": refs(&["aws_security_group.a.id", "aws_security_group.b.id"])})),
        configured("aws_instance.list", json!({"vpc_security_group_ids": refs(&["aws_security_group.a.id"])})),
    ]});
    let account = account(&plan(&resources, configuration));
    assert_eq!(
        members(&account),
        ["set: aws_security_group.a aws_security_group.b", "list: sg-0abc aws_security_group.a"]
    );
}

#[test]
fn a_condition_that_chooses_among_groups_makes_members_unknown() {
    let resources = [
        group("aws_security_group.a"),
        group("aws_security_group.b"),
        new("aws_instance.web", json!({}), json!({"vpc_security_group_ids": true})),
    ];
    let mut configuration = json!({"resources": [
        configured("aws_security_group.a", json!({})),
        configured("aws_security_group.b", json!({})),
        configured("aws_instance.web", json!({"vpc_security_group_ids":
            refs(&["var.wide", "aws_security_group.a.id", "aws_security_group.b.id"])})),
    ]});
    configuration["variables"] = json!({"wide": {"default": true}});
    let account = account(&plan(&resources, configuration));
    assert!(members(&account)[0].starts_with("web: ?`vpc_security_group_ids` is known after apply, and may be"));
}
