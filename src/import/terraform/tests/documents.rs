//! Documents as a whole: states, state files, plans with changes, and what is wrong with them.

use serde_json::json;

use super::support::{account, configured, members, mistakes, new, plan, reasons, rules, state};

#[test]
fn a_state_has_all_ids() {
    let state = state(&[
        (
            "aws_security_group.db",
            json!({"id": "sg-0db", "name": "db", "vpc_id": "vpc-1", "ingress": [], "egress": []}),
        ),
        (
            "aws_security_group_rule.in",
            json!({"type": "ingress", "security_group_id": "sg-0db", "protocol": "tcp", "from_port": 22, "to_port": 22,
                "cidr_blocks": null, "source_security_group_id": "sg-0b", "self": false}),
        ),
        (
            "aws_vpc_security_group_egress_rule.out",
            json!({"security_group_id": "sg-0db", "ip_protocol": "-1", "from_port": null, "to_port": null,
                "cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": null}),
        ),
        (
            "aws_instance.db",
            json!({"id": "i-1", "primary_network_interface_id": "eni-1", "vpc_security_group_ids": ["sg-0db"],
                "subnet_id": "subnet-1", "private_ip": "10.0.0.5", "public_ip": "", "instance_state": "stopped"}),
        ),
    ]);
    let account = account(&state);
    assert_eq!(rules(&account), ["db < tcp 22 sg-0b", "db > all 0.0.0.0/0"]);
    assert_eq!(members(&account), ["db: sg-0db"]);
    let (id, interface) = account.interfaces.first().expect("an interface");
    assert_eq!((id.as_str(), interface.addresses[0].to_string()), ("eni-1", "10.0.0.5/32".to_owned()));
    assert_eq!(interface.holder, crate::account::Holder::StoppedInstance);
    assert_eq!(account.groups[0].vpc.as_ref().map(|vpc| vpc.as_str()), Some("vpc-1"));
}

#[test]
fn a_state_file_of_version_4_is_read() {
    let file = json!({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "outputs": {},
    "resources": [
        {"module": "module.app[\"eu\"]", "mode": "managed", "type": "aws_security_group", "name": "this",
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"index_key": 0, "schema_version": 1, "sensitive_attributes": [], "attributes": {
                "id": "sg-0a", "name": "app", "ingress": [], "egress": []}}]},
        {"mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "in", "provider": "x",
            "instances": [
                {"index_key": "a", "attributes": {"security_group_id": "sg-0a", "ip_protocol": "tcp",
                    "from_port": 80, "to_port": 80, "cidr_ipv4": "10.0.0.0/8"}},
                {"index_key": "b", "attributes": {"security_group_id": "sg-0a", "ip_protocol": "tcp",
                    "from_port": 81, "to_port": 81, "cidr_ipv4": "198.51.100.7/32"},
                    "sensitive_attributes": [[{"type": "get_attr", "value": "cidr_ipv4"}]]}]}
    ]});
    let account = account(&file);
    assert_eq!(rules(&account), ["app[\"eu\"] < tcp 80 10.0.0.0/8", "app[\"eu\"] < tcp 81 ?`cidr_ipv4` is not known"]);
    let origin = &account.groups[0].ingress[0].origin.resource;
    assert_eq!(origin.as_str(), "aws_vpc_security_group_ingress_rule.in[\"a\"]");
}

#[test]
fn a_resource_that_is_to_go_is_not_there() {
    let mut plan = plan(
        &[new("aws_security_group.keep", json!({"id": "sg-1", "ingress": [], "egress": []}), json!({}))],
        json!({"resources": [configured("aws_security_group.keep", json!({}))]}),
    );
    let gone = json!({"address": "aws_security_group.old", "type": "aws_security_group", "change":
        {"actions": ["delete"], "before": {"id": "sg-2"}, "after": null, "after_unknown": {}}});
    plan["resource_changes"].as_array_mut().expect("a list").push(gone);
    let account = account(&plan);
    assert_eq!(account.groups.keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["sg-1"]);
    assert_eq!(reasons(&account), ["aws_security_group.old: gone"]);
}

#[test]
fn a_resource_that_is_forgotten_stays_in_the_account() {
    let mut plan = plan(&[], json!({}));
    plan["resource_changes"] = json!([{"address": "aws_security_group.old", "type": "aws_security_group", "change":
        {"actions": ["forget"], "before": {"id": "sg-2"}, "after": null, "after_unknown": {}}}]);
    let why = "Terraform forgets it, and it stays in the account";
    assert_eq!(reasons(&account(&plan)), [format!("aws_security_group.old: not known: {why}")]);
}

#[test]
fn a_sensitive_value_is_never_read() {
    let mut state = state(&[(
        "aws_security_group.db",
        json!({"id": "sg-1", "description": "hush-hush", "egress": [], "ingress": [
            {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["198.51.100.7/32"]}]}),
    )]);
    state["values"]["root_module"]["resources"][0]["sensitive_values"] =
        json!({"description": true, "ingress": [{"cidr_blocks": [true]}]});
    let account = account(&state);
    assert_eq!(account.groups[0].description, None);
    assert_eq!(rules(&account), ["db < tcp 22 ?`cidr_blocks` has an element that is not known"]);
    assert!(!format!("{account:?}").contains("198.51.100.7"));
}

#[test]
fn what_a_data_source_looks_up_has_unknown_rules_unless_another_source_tells_them() {
    let mut plan = plan(
        &[new("aws_instance.web", json!({"vpc_security_group_ids": ["sg-0shared"]}), json!({}))],
        json!({"resources": [configured("aws_instance.web", json!({}))]}),
    );
    plan["prior_state"] = json!({"values": {"root_module": {"resources": [
        {"address": "data.aws_security_group.shared", "mode": "data", "values": {"id": "sg-0shared", "name": "shared"}},
        {"address": "data.aws_security_group.other", "mode": "data", "values": {"id": "sg-0other", "name": "other"}}]}}});
    let account = account(&plan);
    assert_eq!(account.groups.len(), 1, "only what something refers to");
    let why = "it is a data source, which tells no rules";
    assert_eq!(rules(&account), [format!("shared < ?{why} ?{why}"), format!("shared > ?{why} ?{why}")]);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let told = mistakes(&state(&[
        ("aws_security_group_rule.a", json!({"type": "ingres", "security_group_id": "sg-1", "protocol": "tcp"})),
        (
            "aws_security_group_rule.b",
            json!({"type": "egress", "security_group_id": "sg-1", "protocol": "tpc", "from_port": 1, "to_port": 1,
                "cidr_blocks": ["0.0.0.0/0"]}),
        ),
        (
            "aws_security_group_rule.c",
            json!({"type": "egress", "security_group_id": "sg-1", "protocol": "tcp", "from_port": "ssh", "to_port": 1}),
        ),
        (
            "aws_vpc_security_group_ingress_rule.d",
            json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 80, "to_port": 80,
                "cidr_ipv4": "10.0.0.0/40"}),
        ),
        ("aws_security_group_rule.e", json!({"security_group_id": "sg-1", "protocol": "tcp"})),
        ("nonsense", json!({})),
    ]));
    for part in [
        "aws_security_group_rule.a: `type` is ingress or egress",
        "did you mean `ingress`?",
        "aws_security_group_rule.b: unknown protocol `tpc`",
        "aws_security_group_rule.c: `from_port` is no number",
        "aws_vpc_security_group_ingress_rule.d: `10.0.0.0/40` is no block of addresses",
        "aws_security_group_rule.e: `type` is missing",
        "this is no address of a resource",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert_eq!(told.matches(" --> plan.json:").count(), 6, "{told}");
}

#[test]
fn other_versions_of_the_formats_are_mistakes() {
    let told = mistakes(&json!({"format_version": "2.0", "values": {}}));
    assert!(told.contains("sglab reads `format_version` 1 of Terraform's JSON\n --> plan.json:2:21"), "{told}");
    let told = mistakes(&json!({"version": 3, "terraform_version": "0.11.14", "modules": []}));
    assert!(told.contains("sglab reads state files of version 4 only"), "{told}");
    let told = mistakes(&json!({"format_version": "1.2", "resource_changes": []}));
    assert!(told.contains("this is a plan without `planned_values`"), "{told}");
    let told = mistakes(&json!({"format_version": "1.2", "planned_values": {}, "errored": true}));
    assert!(told.contains("the plan has failed"), "{told}");
}
