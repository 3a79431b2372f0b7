//! What may open or close where one end of it is not known, and where an address is what changes.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, plan, read};
use sglab::reach::{Difference, Passage, Reached, compare};

fn account(reply: &Value) -> Account {
    let text = Text { name: "account.json".into(), text: reply.to_string().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

fn rule(port: u16, key: &str, peer: &Value) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, key: [peer]})
}

fn of_group(port: u16, id: &str) -> Value {
    rule(port, "UserIdGroupPairs", &json!({"GroupId": id}))
}

fn of_list(port: u16) -> Value {
    rule(port, "PrefixListIds", &json!({"PrefixListId": "pl-x"}))
}

fn of_block(port: u16, block: &str) -> Value {
    rule(port, "IpRanges", &json!({"CidrIp": block}))
}

fn everything() -> Value {
    json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
}

fn group(name: &str, ingress: &[Value], egress: &[Value]) -> Value {
    json!({"GroupId": format!("sg-{name}"), "GroupName": name, "VpcId": "vpc-1", "IpPermissions": ingress,
           "IpPermissionsEgress": egress})
}

fn interface(id: &str, addresses: &[&str], groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|name| json!({"GroupId": format!("sg-{name}")})).collect();
    let all: Vec<Value> = addresses.iter().map(|address| json!({"PrivateIpAddress": address})).collect();
    json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "PrivateIpAddress": addresses[0], "PrivateIpAddresses": all, "Groups": groups})
}

fn cloud(groups: &[Value], interfaces: &[Value]) -> Account {
    account(&json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}], "SecurityGroups": groups,
                    "NetworkInterfaces": interfaces}))
}

/// `web` at 10.0.0.11 and `app` at 10.0.0.12.
fn web_and_app(web: Value, app: Value) -> Account {
    cloud(&[web, app], &[interface("eni-1", &["10.0.0.11"], &["web"]), interface("eni-2", &["10.0.0.12"], &["app"])])
}

fn flows(passages: &[Passage]) -> Vec<String> {
    passages.iter().map(|passage| format!("{}{}", if passage.is_known() { "" } else { "? " }, passage.flow())).collect()
}

/// Holds that a change perhaps opens this, that the way back perhaps closes it, and that nothing else differs.
fn perhaps(old: &Account, new: &Account, flow: &str) {
    assert!(compare(new, new).is_same());
    let expected = [format!("? {flow}")];
    let there = compare(old, new);
    assert_eq!((flows(&there.opened), there.closed.len()), (expected.to_vec(), 0), "{there:?}");
    let back = compare(new, old);
    assert_eq!((flows(&back.closed), back.opened.len()), (expected.to_vec(), 0), "{back:?}");
}

#[test]
fn a_rule_for_a_group_whose_egress_is_not_known_perhaps_opens() {
    let at =
        |ingress: &[Value]| web_and_app(group("web", ingress, &[everything()]), group("app", &[], &[of_list(5432)]));
    perhaps(&at(&[]), &at(&[of_group(5432, "sg-app")]), "app -> web:5432");
}

#[test]
fn an_egress_rule_for_a_group_whose_ingress_is_not_known_perhaps_opens() {
    let at = |egress: &[Value]| web_and_app(group("web", &[of_list(5432)], &[]), group("app", &[], egress));
    perhaps(&at(&[]), &at(&[of_group(5432, "sg-web")]), "app -> web:5432");
}

#[test]
fn beside_a_rule_that_lets_all_out_an_unknown_one_makes_nothing_doubtful() {
    let at = |ingress: &[Value]| {
        web_and_app(group("web", ingress, &[everything()]), group("app", &[], &[of_list(5432), everything()]))
    };
    let difference = compare(&at(&[]), &at(&[of_group(5432, "sg-app")]));
    assert_eq!(flows(&difference.opened), ["app -> web:5432"]);
}

#[test]
fn a_rule_that_is_narrowed_before_an_unknown_one_opens_nothing() {
    let wide =
        json!({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": "sg-app"}]});
    let at = |ingress: &Value| {
        web_and_app(group("web", std::slice::from_ref(ingress), &[everything()]), group("app", &[], &[of_list(5432)]))
    };
    let difference = compare(&at(&wide), &at(&of_group(5432, "sg-app")));
    assert!(difference.opened.is_empty(), "{difference:?}");
}

#[test]
fn a_rule_for_a_group_whose_members_are_in_one_that_no_source_has_perhaps_opens() {
    let at = |ingress: &[Value]| {
        let groups = [group("web", ingress, &[everything()]), group("app", &[], &[])];
        cloud(
            &groups,
            &[interface("eni-1", &["10.0.0.11"], &["web"]), interface("eni-2", &["10.0.0.12"], &["app", "else"])],
        )
    };
    perhaps(&at(&[]), &at(&[of_group(5432, "sg-app")]), "app -> web:5432");
}

/// A template in which what `app` may send to is told by another stack.
fn imported(rule: &str) -> Account {
    let text = format!(
        "Resources:
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16}}}}
  Db: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: d, VpcId: !Ref Vpc}}}}
  App:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: d
      VpcId: !Ref Vpc
      SecurityGroupEgress: [{{IpProtocol: tcp, FromPort: 5432, ToPort: 5432, CidrIp: !ImportValue DbNet}}]
{rule}"
    );
    let text = Text { name: "shop.yaml".into(), text: text.into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn so_does_one_for_a_group_that_sends_to_what_another_stack_tells() {
    let rule = "  In: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Db, IpProtocol: tcp, \
                FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: !Ref App}}\n";
    perhaps(&imported(""), &imported(rule), "App -> Db:5432");
}

/// A plan that adds a rule of `web` for a group that is a data source, beside these that are there.
fn plan_with(rules: &[(&str, u16)], added: (&str, u16)) -> Difference {
    let web = json!({"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
                     "values": {"id": "sg-1", "name": "web", "ingress": [], "egress": []}});
    let ext = json!({"address": "data.aws_security_group.ext", "mode": "data", "type": "aws_security_group", "name": "ext",
                     "values": {"id": "sg-ext", "name": "ext"}});
    let kind = "aws_vpc_security_group_ingress_rule";
    let of = |(name, port): (&str, u16)| {
        json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "values":
            {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": port, "to_port": port,
             "referenced_security_group_id": "sg-ext"}})
    };
    let before: Vec<Value> = [web, ext].into_iter().chain(rules.iter().map(|rule| of(*rule))).collect();
    let after: Vec<Value> = before.iter().cloned().chain([of(added)]).collect();
    let create = json!({"address": format!("{kind}.{}", added.0), "mode": "managed", "type": kind, "name": added.0,
                        "change": {"actions": ["create"], "before": null, "after": {}, "after_unknown": {}}});
    let text = json!({
        "format_version": "1.2",
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": before}}},
        "planned_values": {"root_module": {"resources": after}},
        "resource_changes": [create],
        "configuration": {"root_module": {"resources": []}},
    });
    let plan = plan(&Text { name: "plan.json".into(), text: text.to_string().into() }).unwrap().unwrap();
    compare(&plan.before, &plan.after)
}

#[test]
fn a_rule_for_a_group_that_a_plan_only_reads_perhaps_opens() {
    for rules in [&[][..], &[("ssh", 22)][..]] {
        let difference = plan_with(rules, ("db", 5432));
        assert_eq!(flows(&difference.opened), ["? ext -> web:5432"], "{difference:?}");
        assert!(difference.groups_added.is_empty());
    }
}

#[test]
fn who_moves_into_the_block_of_an_ingress_rule_gets_in() {
    let db = || group("db", &[of_block(5432, "10.0.0.11/32")], &[everything()]);
    let at = |address: &str| {
        let groups = [group("web", &[], &[everything()]), db()];
        cloud(&groups, &[interface("eni-1", &[address], &["web"]), interface("eni-2", &["10.0.0.12"], &["db"])])
    };
    let (out, inside) = (at("10.0.0.99"), at("10.0.0.11"));
    let difference = compare(&out, &inside);
    assert_eq!((flows(&difference.opened), difference.closed.len()), (vec!["web -> db:5432".to_owned()], 0));
    assert_eq!(difference.opened[0].by[0].resource.as_str(), "eni-1");
    assert_eq!(flows(&compare(&inside, &out).closed), ["web -> db:5432"]);
}

#[test]
fn who_swaps_addresses_swaps_what_a_block_admits() {
    let groups = [
        group("web", &[], &[everything()]),
        group("guest", &[], &[everything()]),
        group("db", &[of_block(5432, "10.0.0.11/32")], &[everything()]),
    ];
    let at = |web: &str, guest: &str| {
        let db = interface("eni-2", &["10.0.0.12"], &["db"]);
        cloud(&groups, &[interface("eni-1", &[web], &["web"]), interface("eni-3", &[guest], &["guest"]), db])
    };
    let difference = compare(&at("10.0.0.11", "10.0.0.13"), &at("10.0.0.13", "10.0.0.11"));
    assert_eq!(flows(&difference.opened), ["guest -> db:5432"]);
    assert_eq!(flows(&difference.closed), ["web -> db:5432"]);
}

#[test]
fn a_secondary_address_within_the_block_of_a_rule_gets_in() {
    let groups = [group("web", &[], &[everything()]), group("db", &[of_block(5432, "10.0.0.128/25")], &[])];
    let at = |addresses: &[&str]| {
        cloud(&groups, &[interface("eni-1", addresses, &["web"]), interface("eni-2", &["10.0.0.12"], &["db"])])
    };
    let difference = compare(&at(&["10.0.0.11"]), &at(&["10.0.0.11", "10.0.0.200"]));
    assert_eq!(flows(&difference.opened), ["web -> db:5432"]);
}

/// An interface in `web`, with a public address or without one, and with an IPv6 address or without one.
fn public(ingress: &Value, public: Option<&str>, ipv6: Option<&str>) -> Account {
    let mut interface = interface("eni-1", &["10.0.0.11"], &["web"]);
    if let Some(address) = public {
        interface["Association"] = json!({"PublicIp": address});
    }
    interface["Ipv6Addresses"] = ipv6.into_iter().map(|address| json!({"Ipv6Address": address})).collect();
    cloud(&[group("web", std::slice::from_ref(ingress), &[])], &[interface])
}

#[test]
fn who_gets_a_public_address_is_perhaps_reached_by_a_list_that_nobody_tells() {
    let (without, with) = (public(&of_list(22), None, None), public(&of_list(22), Some("52.1.1.1"), None));
    perhaps(&without, &with, "pl-x -> web:22");
}

#[test]
fn a_rule_for_ipv4_reaches_nobody_by_an_ipv6_address() {
    let of = |ingress: Value| public(&ingress, None, Some("2600:1f18:1234:5600::11"));
    let reached = |rule: Value| compare(&Account::default(), &of(rule)).opened_from_outside().next().unwrap().reached;
    assert_eq!(reached(of_block(22, "0.0.0.0/0")), Reached::NoPublicAddress);
    let ipv6 = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]});
    assert_eq!(reached(ipv6), Reached::ByPublicAddress);
}
