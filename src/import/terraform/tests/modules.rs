//! The shapes of well-known public modules, written by hand from their sources: none leaves a rule unknown.

use serde_json::{Value, json};

use super::support::{Planned, account, call, configured, constant, members, module, new, plan, refs, rules};
use crate::account::{Account, Known, Peer};

pub fn unknown_rules(account: &Account) -> usize {
    let rules = account.rules();
    rules.filter(|rule| matches!(rule.peer, Peer::Unknown(_)) || matches!(rule.traffic, Known::Unknown(_))).count()
}

pub fn group(address: &'static str) -> Planned {
    new(address, json!({"name_prefix": "x-"}), json!({"id": true, "ingress": true, "egress": true, "vpc_id": true}))
}

/// A rule apart: what is not given is computed.
pub fn rule(address: &'static str, kind: &str, port: i64, more: Value) -> Planned {
    let protocol = if port == 0 { "-1" } else { "tcp" };
    let mut values = json!({"type": kind, "protocol": protocol, "from_port": port, "to_port": port, "cidr_blocks": null,
        "ipv6_cidr_blocks": null, "prefix_list_ids": [], "self": false});
    for (key, value) in more.as_object().expect("an object") {
        values[key] = value.clone();
    }
    new(address, values, json!({"id": true, "security_group_id": true, "source_security_group_id": true}))
}

pub fn vpc_resources() -> Vec<Planned> {
    let subnet = |address, cidr: &str, public: bool| {
        let values = json!({"cidr_block": cidr, "map_public_ip_on_launch": public});
        new(address, values, json!({"id": true, "vpc_id": true}))
    };
    let acl = json!([{"action": "allow", "protocol": "-1", "rule_no": 100, "cidr_block": "0.0.0.0/0"},
        {"action": "allow", "protocol": "-1", "rule_no": 101, "ipv6_cidr_block": "::/0"}]);
    vec![
        new(
            "module.vpc.aws_vpc.this[0]",
            json!({"cidr_block": "10.0.0.0/16"}),
            json!({"id": true, "default_security_group_id": true}),
        ),
        subnet("module.vpc.aws_subnet.public[0]", "10.0.101.0/24", true),
        subnet("module.vpc.aws_subnet.private[0]", "10.0.1.0/24", false),
        new(
            "module.vpc.aws_default_security_group.this[0]",
            json!({}),
            json!({"id": true, "vpc_id": true, "ingress": true, "egress": true}),
        ),
        new("module.vpc.aws_default_network_acl.this[0]", json!({"ingress": acl, "egress": acl}), json!({"id": true})),
        new("module.vpc.aws_internet_gateway.this[0]", json!({}), json!({"id": true, "vpc_id": true})),
        new("module.vpc.aws_eip.nat[0]", json!({}), json!({"id": true, "instance": true, "network_interface": true})),
        new("module.vpc.aws_nat_gateway.this[0]", json!({}), json!({"id": true})),
    ]
}

/// terraform-aws-modules/vpc, main.tf: subnets are in `local.vpc_id`.
pub fn vpc_module() -> Value {
    let subnet = |address| configured(address, json!({"vpc_id": refs(&["local.vpc_id"])}));
    let own = json!({"vpc_id": refs(&["aws_vpc.this[0].id"])});
    let splat = |name: &str| json!({"references": [format!("aws_subnet.{name}")]});
    module(
        vec![
            configured("aws_vpc.this", json!({})),
            configured("aws_vpc_ipv4_cidr_block_association.this", own.clone()),
            subnet("aws_subnet.public"),
            subnet("aws_subnet.private"),
            configured("aws_default_security_group.this", own),
            configured("aws_default_network_acl.this", json!({})),
            configured("aws_internet_gateway.this", json!({})),
            configured("aws_eip.nat", json!({})),
            configured("aws_nat_gateway.this", json!({})),
        ],
        &[("cidr", json!("10.0.0.0/16"))],
        &[
            ("vpc_id", refs(&["aws_vpc.this[0].id"])),
            ("public_subnets", splat("public")),
            ("private_subnets", splat("private")),
            ("default_security_group_id", refs(&["aws_vpc.this[0].default_security_group_id"])),
        ],
    )
}

#[test]
fn the_vpc_module_has_its_subnets_in_its_vpc() {
    let configuration = json!({"module_calls": {"vpc": call(json!({}), vpc_module())}});
    let account = account(&plan(&vpc_resources(), configuration));
    let vpc = account.vpcs.values().next().expect("a VPC");
    assert_eq!(vpc.label, "vpc");
    assert!(account.subnets.values().all(|subnet| subnet.vpc.as_ref() == account.vpcs.keys().next()));
    assert_eq!(rules(&account), [""; 0]);
    let left: Vec<String> = super::support::reasons(&account);
    assert!(left.contains(&"module.vpc.aws_nat_gateway.this[0]: not emulated".to_owned()), "{left:?}");
    assert!(left.contains(&"module.vpc.aws_default_network_acl.this[0]: no part in who reaches whom".to_owned()));
    assert!(!left.iter().any(|line| line.contains("not known")), "{left:?}");
}

/// terraform-aws-modules/security-group, main.tf.
fn security_group_module() -> Value {
    let apart = |name: &str, more: Value| {
        let mut expressions = json!({"security_group_id": refs(&["local.this_sg_id"]), "cidr_blocks":
            refs(&["var.ingress_cidr_blocks"]), "prefix_list_ids": refs(&["var.ingress_prefix_list_ids"])});
        for (key, value) in more.as_object().expect("an object") {
            expressions[key] = value.clone();
        }
        configured(&format!("aws_security_group_rule.{name}"), expressions)
    };
    let from = |variable: &str| json!({"source_security_group_id": refs(&[variable, "count.index"])});
    let groups = ["aws_security_group.this", "aws_security_group.this_name_prefix"];
    module(
        vec![
            configured(groups[0], json!({"vpc_id": refs(&["var.vpc_id"])})),
            configured(groups[1], json!({"vpc_id": refs(&["var.vpc_id"])})),
            apart("ingress_rules", json!({})),
            apart("ingress_with_self", json!({})),
            apart(
                "computed_ingress_with_source_security_group_id",
                from("var.computed_ingress_with_source_security_group_id"),
            ),
            apart("egress_rules", json!({})),
        ],
        &[
            ("vpc_id", json!(null)),
            ("security_group_id", json!(null)),
            ("ingress_cidr_blocks", json!([])),
            ("ingress_prefix_list_ids", json!([])),
            ("computed_ingress_with_source_security_group_id", json!([])),
        ],
        &[("security_group_id", refs(&["aws_security_group.this[0].id", "aws_security_group.this_name_prefix[0].id"]))],
    )
}

#[test]
fn the_security_group_module_has_no_unknown_rule() {
    let mut resources = vpc_resources();
    resources.extend([
        group("module.web.aws_security_group.this_name_prefix[0]"),
        rule(
            "module.web.aws_security_group_rule.ingress_rules[0]",
            "ingress",
            443,
            json!({"cidr_blocks": ["0.0.0.0/0"]}),
        ),
        rule("module.web.aws_security_group_rule.ingress_with_self[0]", "ingress", 0, json!({"self": true})),
        rule("module.web.aws_security_group_rule.egress_rules[0]", "egress", 0, json!({"cidr_blocks": ["0.0.0.0/0"]})),
        group("module.jump.aws_security_group.this[0]"),
        group("module.db.aws_security_group.this_name_prefix[0]"),
        rule(
            "module.db.aws_security_group_rule.computed_ingress_with_source_security_group_id[0]",
            "ingress",
            5432,
            json!({}),
        ),
        rule(
            "module.db.aws_security_group_rule.computed_ingress_with_source_security_group_id[1]",
            "ingress",
            22,
            json!({}),
        ),
    ]);
    let of = |more: Value| {
        let mut expressions = json!({"vpc_id": refs(&["module.vpc.vpc_id"])});
        for (key, value) in more.as_object().expect("an object") {
            expressions[key] = value.clone();
        }
        call(expressions, security_group_module())
    };
    let configuration = json!({"module_calls": {
        "vpc": call(json!({}), vpc_module()),
        "web": of(json!({"ingress_cidr_blocks": constant(json!(["0.0.0.0/0"]))})),
        "jump": of(json!({})),
        "db": of(json!({"computed_ingress_with_source_security_group_id":
            refs(&["module.web.security_group_id", "module.jump.security_group_id"])})),
    }});
    let account = account(&plan(&resources, configuration));
    let web = "module.web.aws_security_group.this_name_prefix[0]";
    assert_eq!(
        rules(&account),
        [
            "web < tcp 443 0.0.0.0/0".to_owned(),
            format!("web < all {web}"),
            "web > all 0.0.0.0/0".to_owned(),
            format!("db < tcp 5432 {web}"),
            "db < tcp 22 module.jump.aws_security_group.this[0]".to_owned(),
        ]
    );
    let vpcs = account.groups.values().filter_map(|group| group.vpc.as_ref()).map(|vpc| vpc.as_str());
    assert!(vpcs.into_iter().all(|vpc| vpc == "module.vpc.aws_vpc.this[0]"));
}

#[test]
fn a_web_application_of_three_tiers_has_no_unknown_rule() {
    let inline = |port: u16, from: Value| {
        let mut rule = json!({"protocol": "tcp", "from_port": port, "to_port": port, "cidr_blocks": [], "self": false,
            "ipv6_cidr_blocks": [], "prefix_list_ids": []});
        for (key, value) in from.as_object().expect("an object") {
            rule[key] = value.clone();
        }
        json!([rule])
    };
    let all = json!([{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"], "self": false}]);
    let tier = |address, ingress: Value, unknown: Value| {
        new(
            address,
            json!({"ingress": ingress, "egress": all}),
            json!({"id": true, "vpc_id": true, "ingress": unknown}),
        )
    };
    let from_group = || json!([{"security_groups": true}]);
    let mut resources = vpc_resources();
    resources.extend([
        tier("aws_security_group.alb", inline(443, json!({"cidr_blocks": ["0.0.0.0/0"]})), json!([{}])),
        tier("aws_security_group.app", inline(8080, json!({})), from_group()),
        tier("aws_security_group.db", inline(5432, json!({})), from_group()),
        new(
            "aws_lb.front",
            json!({"internal": false, "load_balancer_type": "application"}),
            json!({"id": true, "security_groups": true, "subnets": true}),
        ),
        new("aws_launch_template.app", json!({}), json!({"id": true, "vpc_security_group_ids": true})),
        new(
            "aws_autoscaling_group.app",
            json!({"launch_template": [{"version": "$Latest"}]}),
            json!({"id": true, "vpc_zone_identifier": true, "launch_template": [{"id": true, "name": true}]}),
        ),
        new(
            "aws_db_instance.db",
            json!({"publicly_accessible": false}),
            json!({"id": true, "vpc_security_group_ids": true}),
        ),
    ]);
    let sg = |name: &str, ingress: Value| {
        configured(
            &format!("aws_security_group.{name}"),
            json!({"vpc_id": refs(&["module.vpc.vpc_id"]), "ingress": ingress}),
        )
    };
    let configuration = json!({
    "module_calls": {"vpc": call(json!({}), vpc_module())},
    "resources": [
        sg("alb", constant(json!([]))),
        sg("app", refs(&["aws_security_group.alb.id"])),
        sg("db", refs(&["aws_security_group.app.id"])),
        configured("aws_lb.front", json!({"security_groups": refs(&["aws_security_group.alb.id"]),
            "subnets": refs(&["module.vpc.public_subnets"]), "internal": constant(json!(false))})),
        configured("aws_launch_template.app", json!({"vpc_security_group_ids": refs(&["aws_security_group.app.id"])})),
        configured("aws_autoscaling_group.app", json!({"vpc_zone_identifier": refs(&["module.vpc.private_subnets"]),
            "launch_template": [{"id": refs(&["aws_launch_template.app.id"])}]})),
        configured("aws_db_instance.db", json!({"vpc_security_group_ids": refs(&["aws_security_group.db.id"])})),
    ]});
    let account = account(&plan(&resources, configuration));
    assert_eq!(
        rules(&account),
        [
            "alb < tcp 443 0.0.0.0/0",
            "alb > all 0.0.0.0/0",
            "app < tcp 8080 aws_security_group.alb",
            "app > all 0.0.0.0/0",
            "db < tcp 5432 aws_security_group.app",
            "db > all 0.0.0.0/0"
        ]
    );
    assert_eq!(
        members(&account),
        ["front: aws_security_group.alb", "app: aws_security_group.app", "db: aws_security_group.db"]
    );
    assert_eq!(unknown_rules(&account), 0);
    assert!(account.interfaces.values().all(|interface| interface.vpc.is_some()));
}

fn group_of(address: &'static str) -> Planned {
    new(address, json!({"name": "g"}), json!({"id": true, "ingress": true, "egress": true}))
}

fn rule_of(address: &'static str) -> Planned {
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
        group_of("aws_security_group.edge"),
        group_of("module.app.aws_security_group.this"),
        rule_of("module.app.aws_vpc_security_group_ingress_rule.in"),
        group_of("module.db.aws_security_group.this"),
        rule_of("module.db.aws_vpc_security_group_ingress_rule.in"),
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
        group_of("module.shop[\"eu\"].module.app.aws_security_group.this"),
        rule_of("module.shop[\"eu\"].module.app.aws_vpc_security_group_ingress_rule.in"),
        group_of("module.shop[\"us\"].module.app.aws_security_group.this"),
        rule_of("module.shop[\"us\"].module.app.aws_vpc_security_group_ingress_rule.in"),
        group_of("aws_security_group.edge[\"eu\"]"),
        group_of("aws_security_group.edge[\"us\"]"),
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
        group_of("aws_security_group.b"),
        group_of("aws_security_group.a"),
        group_of("module.db.aws_security_group.this"),
        rule_of("module.db.aws_vpc_security_group_ingress_rule.in[0]"),
        rule_of("module.db.aws_vpc_security_group_ingress_rule.in[1]"),
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
    let resources = [group_of("aws_security_group.g"), {
        let mut rule = rule_of("aws_vpc_security_group_ingress_rule.in");
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
