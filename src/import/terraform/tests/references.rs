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

fn inline_rule(port: u16, more: Value) -> Value {
    let mut rule = json!({"description": "", "protocol": "tcp", "from_port": port, "to_port": port, "cidr_blocks": [],
        "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": false});
    for (key, value) in more.as_object().expect("an object") {
        rule[key] = value.clone();
    }
    rule
}

#[test]
fn each_peer_of_an_inline_rule_is_a_rule_with_the_place_of_its_object() {
    let everyone = json!({"cidr_blocks": ["10.1.2.3/8"], "ipv6_cidr_blocks": ["::/0"], "prefix_list_ids": ["pl-1"],
        "security_groups": ["sg-0b", "111122223333/sg-0c"], "self": true, "description": "all"});
    let state = json!({"format_version": "1.0", "values": {"root_module": {"resources": [
        {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
            "values": {"id": "sg-0a", "ingress": [inline_rule(80, everyone), inline_rule(22, json!({"cidr_blocks": ["0.0.0.0/0"]}))],
                "egress": []}}]}}});
    let account = account(&state);
    assert_eq!(
        rules(&account),
        [
            "web < tcp 80 10.0.0.0/8",
            "web < tcp 80 ::/0",
            "web < tcp 80 pl-1",
            "web < tcp 80 sg-0b",
            "web < tcp 80 sg-0a",
            "web < tcp 22 0.0.0.0/0"
        ]
    );
    let web = &account.groups[0];
    assert_eq!(web.ingress[0].description.as_deref(), Some("all"));
    assert!(web.ingress[0].origin.place.line < web.ingress[5].origin.place.line, "each object has its own place");
    assert!(reasons(&account).contains(&"aws_security_group.web: of another account".to_owned()));
}

#[test]
fn without_egress_blocks_a_new_group_lets_nothing_out() {
    let plan = plan(
        &[new("aws_security_group.db", json!({}), json!({"id": true, "ingress": true, "egress": true}))],
        json!({"resources": [configured("aws_security_group.db", json!({"name": constant(json!("db"))}))]}),
    );
    let account = account(&plan);
    assert_eq!(rules(&account), [""; 0]);
    assert_eq!(reasons(&account), [""; 0]);
}

#[test]
fn rules_that_are_unknown_as_a_whole_are_one_unknown_rule() {
    let plan = plan(
        &[new("aws_security_group.db", json!({"egress": []}), json!({"id": true, "ingress": true}))],
        json!({"resources": [configured("aws_security_group.db", json!({"ingress": refs(&["var.rules"])}))]}),
    );
    let account = account(&plan);
    assert_eq!(rules(&account), ["db < ?`ingress` is known after apply ?`ingress` is known after apply"]);
    assert_eq!(reasons(&account), ["aws_security_group.db: not known: `ingress` is known after apply"]);
}

/// A plan of a group whose inline rules refer to other groups, `count` of them.
fn referring(references: &[&str]) -> Value {
    let mut inline = inline_rule(8080, json!({}));
    inline.as_object_mut().expect("an object").remove("security_groups");
    plan(
        &[
            new("aws_security_group.lb", json!({}), json!({"id": true, "ingress": true, "egress": true})),
            new("aws_security_group.bastion", json!({}), json!({"id": true, "ingress": true, "egress": true})),
            new(
                "aws_security_group.app",
                json!({"ingress": [inline, inline_rule(9100, json!({"cidr_blocks": ["10.0.0.0/16"]}))]}),
                json!({"id": true, "egress": true, "ingress": [
                    {"cidr_blocks": [], "security_groups": true}, {"cidr_blocks": [false], "security_groups": []}]}),
            ),
        ],
        json!({"resources": [
            configured("aws_security_group.lb", json!({})),
            configured("aws_security_group.bastion", json!({})),
            configured("aws_security_group.app", json!({"ingress": refs(references)})),
        ]}),
    )
}

#[test]
fn an_unknown_group_of_an_inline_rule_is_the_only_one_that_all_of_them_name() {
    let account = account(&referring(&["aws_security_group.lb.id", "var.cidr"]));
    assert_eq!(rules(&account), ["app < tcp 8080 aws_security_group.lb", "app < tcp 9100 10.0.0.0/16"]);
}

#[test]
fn which_of_several_groups_an_inline_rule_names_is_unknown() {
    let account = account(&referring(&["aws_security_group.lb.id", "aws_security_group.bastion.id"]));
    let why = "`security_groups` is known after apply, and may be aws_security_group.lb or aws_security_group.bastion";
    assert_eq!(rules(&account), [format!("app < tcp 8080 ?{why}"), "app < tcp 9100 10.0.0.0/16".to_owned()]);
    assert_eq!(reasons(&account), [format!("aws_security_group.app: not known: {why}")]);
}

#[test]
fn a_dynamic_block_may_refer_to_whatever_its_module_can() {
    let mut document = referring(&[]);
    // The configuration does not contain the expressions of a `dynamic` block.
    document["configuration"]["root_module"]["resources"][2]["expressions"] = json!({});
    let why = "`security_groups` is known after apply, and may be";
    assert!(rules(&account(&document))[0].starts_with(&format!("app < tcp 8080 ?{why}")));
}

#[test]
fn a_block_of_an_address_that_is_known_after_apply_is_unknown() {
    let inline = inline_rule(22, json!({"cidr_blocks": [null, "10.0.0.0/8"]}));
    let plan = plan(
        &[new(
            "aws_security_group.db",
            json!({"ingress": [inline]}),
            json!({"id": true, "egress": true, "ingress": [{"cidr_blocks": [true, false]}]}),
        )],
        json!({"resources": [configured("aws_security_group.db", json!({"ingress": refs(&["aws_eip.nat.public_ip"])}))]}),
    );
    assert_eq!(
        rules(&account(&plan)),
        ["db < tcp 22 10.0.0.0/8", "db < tcp 22 ?`cidr_blocks` has an element that is not known"]
    );
}

#[test]
fn a_group_itself_that_is_not_known_is_an_unknown_peer() {
    let mut inline = inline_rule(22, json!({"cidr_blocks": ["10.0.0.0/8"]}));
    inline.as_object_mut().expect("an object").remove("self");
    let apart = json!({"type": "ingress", "security_group_id": "sg-1", "protocol": "-1", "from_port": 0, "to_port": 0,
        "cidr_blocks": ["10.0.0.0/8"]});
    let mut other = apart.clone();
    other["cidr_blocks"] = json!(["10.9.0.0/16"]);
    let given = json!({"self": refs(&["var.own"]), "cidr_blocks": constant(json!(["10.0.0.0/8"]))});
    let plan = plan(
        &[
            new(
                "aws_security_group.db",
                json!({"id": "sg-1", "egress": [], "ingress": [inline]}),
                json!({"ingress": [{"self": true}]}),
            ),
            new("aws_security_group_rule.given", apart, json!({"self": true})),
            new("aws_security_group_rule.computed", other, json!({"self": true, "source_security_group_id": true})),
        ],
        json!({"resources": [
            configured("aws_security_group.db", json!({"ingress": refs(&["var.own"])})),
            configured("aws_security_group_rule.given", given),
            configured("aws_security_group_rule.computed", json!({"cidr_blocks": constant(json!(["10.9.0.0/16"]))})),
        ]}),
    );
    assert_eq!(
        rules(&account(&plan)),
        [
            "db < tcp 22 10.0.0.0/8",
            "db < tcp 22 ?`self` is not known",
            "db < all 10.0.0.0/8",
            "db < all ?`self` is not known",
            "db < all 10.9.0.0/16",
        ]
    );
}

#[test]
fn a_dynamic_block_that_is_not_known_is_an_unknown_rule() {
    let known = || inline_rule(22, json!({"cidr_blocks": ["10.0.0.0/8"]}));
    let all = |key: &str| json!({key: true, "protocol": true, "from_port": true, "to_port": true});
    let of = |values: Value, mask: Value| {
        let mut group = json!({"id": "sg-1", "egress": []});
        group.as_object_mut().expect("an object").extend(values.as_object().expect("an object").clone());
        let plan = plan(
            &[new("aws_security_group.db", group, json!({"ingress": mask}))],
            json!({"resources": [configured("aws_security_group.db", json!({"name": constant(json!("db"))}))]}),
        );
        let account = account(&plan);
        (rules(&account), reasons(&account))
    };
    let why = "a rule of `ingress` is known after apply";
    let reason = format!("aws_security_group.db: not known: {why}");
    let unknown = format!("db < ?{why} ?{why}");
    for (values, mask) in [
        (json!({"ingress": [{}]}), json!([all("cidr_blocks")])),
        (json!({"ingress": [null]}), json!([true])),
        (json!({}), json!([true])),
    ] {
        assert_eq!(of(values, mask), (vec![unknown.clone()], vec![reason.clone()]));
    }
    let beside = of(json!({"ingress": [known(), null]}), json!([{"cidr_blocks": [false]}, true]));
    assert_eq!(beside, (vec!["db < tcp 22 10.0.0.0/8".to_owned(), unknown], vec![reason]));
}
