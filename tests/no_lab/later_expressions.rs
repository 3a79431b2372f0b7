//! In a Terraform plan a value that is known later is the same in two plans where its expression is.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, read};
use sglab::reach::compare;

fn account(plan: &Value) -> Account {
    read(&[Text { name: "plan.json".into(), text: plan.to_string().into() }], None)
        .unwrap_or_else(|faults| panic!("{faults}"))
}

const RULE: &str = "aws_vpc_security_group_ingress_rule";

fn group() -> Value {
    json!({"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
           "values": {"id": "sg-1", "name": "web", "ingress": [], "egress": []}})
}

/// A plan of a group with a rule whose block is known later, by this expression; in a module of this call where one is given.
fn plan(expression: &Value, call: Option<&Value>) -> Account {
    let prefix = if call.is_some() { "module.app." } else { "" };
    let rule = json!({"address": format!("{prefix}{RULE}.ssh"), "mode": "managed", "type": RULE, "name": "ssh",
        "values": {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22}});
    let configured = json!({"address": format!("{RULE}.ssh"), "mode": "managed", "type": RULE, "name": "ssh",
        "expressions": {"cidr_ipv4": expression, "security_group_id": {"constant_value": "sg-1"}}});
    let of_group = json!({"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web", "expressions": {}});
    let (values, module) = match call {
        None => (json!({"resources": [group(), rule]}), json!({"resources": [of_group, configured]})),
        Some(call) => (
            json!({"resources": [group()], "child_modules": [{"address": "module.app", "resources": [rule]}]}),
            json!({"resources": [of_group], "module_calls": {"app": {"source": "./app", "expressions": {"block": call},
                "module": {"resources": [configured], "variables": {"block": {}}}}}}),
        ),
    };
    let mut change = rule_change(prefix);
    change["change"]["after_unknown"] = json!({"cidr_ipv4": true});
    account(&json!({"format_version": "1.2", "planned_values": {"root_module": values}, "resource_changes": [change],
                    "configuration": {"root_module": module}}))
}

fn rule_change(prefix: &str) -> Value {
    json!({"address": format!("{prefix}{RULE}.ssh"), "mode": "managed", "type": RULE, "name": "ssh",
           "change": {"actions": ["create"], "before": null, "after": {}}})
}

fn of(address: &str) -> Value {
    json!({"references": [format!("{address}.public_ip"), address]})
}

#[test]
fn a_block_that_is_known_later_is_the_same_by_the_same_expression_only() {
    let (a, b) = (plan(&of("aws_eip.a"), None), plan(&of("aws_eip.b"), None));
    assert!(compare(&a, &a).is_same());
    let difference = compare(&a, &b);
    assert!(difference.opened.iter().chain(&difference.closed).all(|passage| !passage.is_known()), "{difference:?}");
    assert!(!difference.opened.is_empty() && !difference.closed.is_empty(), "{difference:?}");
}

#[test]
fn the_expression_of_a_variable_is_that_of_the_call() {
    let variable = json!({"references": ["var.block"]});
    let with = |address: &str| plan(&variable, Some(&of(address)));
    assert!(compare(&with("aws_eip.a"), &with("aws_eip.a")).is_same());
    assert!(!compare(&with("aws_eip.a"), &with("aws_eip.b")).opened.is_empty());
}

/// A plan of an instance whose groups come of something that is known later.
fn instance(source: &str, more: Option<&str>) -> Account {
    let kind = "aws_instance";
    let address = "aws_instance.web";
    let data =
        |name: &str| json!({"references": [format!("data.external.{name}.result"), format!("data.external.{name}")]});
    let resource = json!({"address": address, "mode": "managed", "type": kind, "name": "web", "values": {"ami": more}});
    let external = |name: &str| json!({"address": format!("data.external.{name}"), "mode": "data", "type": "external", "name": name, "values": {}});
    let configured = json!([
        {"address": address, "mode": "managed", "type": kind, "name": "web", "expressions": {"vpc_security_group_ids": data(source)}},
        {"address": format!("data.external.{source}"), "mode": "data", "type": "external", "name": source, "expressions": {}},
    ]);
    account(&json!({"format_version": "1.2",
        "planned_values": {"root_module": {"resources": [resource, external(source)]}},
        "resource_changes": [{"address": address, "mode": "managed", "type": kind, "name": "web",
            "change": {"actions": ["create"], "before": null, "after": {}, "after_unknown": {"vpc_security_group_ids": true}}}],
        "configuration": {"root_module": {"resources": configured}}}))
}

#[test]
fn groups_that_are_known_later_are_the_same_by_the_same_expression_only() {
    let first = instance("a", None);
    assert!(first.interfaces[0].groups.known().is_none(), "{:?}", first.interfaces);
    assert!(compare(&first, &instance("a", Some("ami-2"))).opened.is_empty());
    let difference = compare(&first, &instance("b", None));
    assert!(
        !difference.opened.is_empty() && difference.opened.iter().all(|passage| !passage.is_known()),
        "{difference:?}"
    );
}

/// A plan with the state that it was made against: a rule for a group of another account, and a firewall that is not emulated.
fn one_plan(action: &str, after: &str) -> Value {
    let resource = |kind: &str, name: &str, values: Value| json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "values": values});
    let rule = json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "referenced_security_group_id": "123456789012/sg-9"});
    let firewall =
        |policy: &str| resource("aws_networkfirewall_firewall", "edge", json!({"name": "edge", "policy": policy}));
    let all = |firewall: Value| vec![group(), resource(RULE, "ssh", rule.clone()), firewall];
    let mut before = all(firewall("a"));
    // A state lists the dependencies of each resource, and a plan does not.
    before.iter_mut().for_each(|resource| resource["depends_on"] = json!(["aws_vpc.main"]));
    let expression = json!({"references": ["var.other"]});
    let change = |address: String, actions: &str| json!({"address": address, "change": {"actions": [actions]}});
    json!({
        "format_version": "1.2",
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": before}}},
        "planned_values": {"root_module": {"resources": all(firewall(after))}},
        "resource_changes": [change(format!("{RULE}.ssh"), "no-op"), change("aws_networkfirewall_firewall.edge".to_owned(), action)],
        "configuration": {"root_module": {"resources": [
            {"address": format!("{RULE}.ssh"), "mode": "managed", "type": RULE, "name": "ssh", "expressions": {"referenced_security_group_id": expression}},
            {"address": "aws_networkfirewall_firewall.edge", "mode": "managed", "type": "aws_networkfirewall_firewall", "name": "edge",
             "expressions": {"policy": expression}},
        ]}},
    })
}

#[test]
fn what_one_plan_leaves_as_it_is_differs_in_nothing_from_its_state() {
    let difference = |plan: &Value| {
        let text = Text { name: "plan.json".into(), text: plan.to_string().into() };
        let plan = sglab::import::plan(&text).unwrap_or_else(|faults| panic!("{faults}")).expect("a plan");
        assert!(!plan.before.left_out.is_empty() && !plan.after.left_out.is_empty(), "{plan:?}");
        compare(&plan.before, &plan.after)
    };
    let same = difference(&one_plan("no-op", "a"));
    assert!(same.is_same(), "{same:?}");
    let changed = difference(&one_plan("update", "b"));
    let told: Vec<&str> = changed.not_known.iter().map(|item| item.origin.resource.as_str()).collect();
    assert_eq!(told, ["aws_networkfirewall_firewall.edge"]);
}
