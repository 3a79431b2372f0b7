//! What is told as opened or closed for certain is so, and what is not known is told as perhaps.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, read};
use sglab::reach::{Difference, Passage, Reached, compare};

fn account(reply: &Value) -> Account {
    let text = Text { name: "account.json".into(), text: reply.to_string().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

fn block(port: u16, block: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]})
}

fn group_peer(port: u16, group: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]})
}

fn group(id: &str, ingress: &[Value], egress: &[Value]) -> Value {
    json!({"GroupId": id, "GroupName": id.trim_start_matches("sg-"), "VpcId": "vpc-1", "IpPermissions": ingress,
           "IpPermissionsEgress": egress})
}

fn anything() -> Value {
    json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
}

fn interface(id: &str, address: Option<&str>, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": address, "Groups": groups})
}

fn cloud(groups: &[Value], interfaces: &[Value]) -> Account {
    account(&json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": groups, "NetworkInterfaces": interfaces,
    }))
}

/// The flows of passages, with a question mark where they are not known.
fn flows(passages: &[Passage]) -> Vec<String> {
    let flow = |passage: &Passage| format!("{}{}", passage.flow(), if passage.is_known() { "" } else { "?" });
    passages.iter().map(flow).collect()
}

fn told(difference: &Difference) -> (Vec<String>, Vec<String>) {
    (flows(&difference.opened), flows(&difference.closed))
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn an_unrelated_edit_neither_opens_nor_closes_what_some_of_a_class_are_admitted_to() {
    // Of two members of `web` only one is in the block that `db` lets in.
    let with = |more: &[Value]| {
        let ingress: Vec<Value> = [block(5432, "10.0.1.0/28")].iter().chain(more).cloned().collect();
        let groups = [group("sg-web", &[], &[group_peer(5432, "sg-db")]), group("sg-db", &ingress, &[])];
        let members =
            [("eni-1", "10.0.1.5", "sg-web"), ("eni-2", "10.0.1.77", "sg-web"), ("eni-3", "10.0.1.99", "sg-db")];
        cloud(&groups, &members.map(|(id, address, group)| interface(id, Some(address), &[group])))
    };
    let edited = with(&[block(22, "203.0.113.0/24")]);
    assert_eq!(told(&compare(&with(&[]), &edited)), (vec!["203.0.113.0/24 -> db:22".to_owned()], none()));
}

#[test]
fn a_second_member_outside_of_the_block_does_not_hide_what_the_first_loses() {
    let with = |admitted: &str| {
        let groups =
            [group("sg-web", &[], &[group_peer(5432, "sg-db")]), group("sg-db", &[block(5432, admitted)], &[])];
        let members =
            [("eni-1", "10.0.1.5", "sg-web"), ("eni-2", "10.0.1.77", "sg-web"), ("eni-3", "10.0.1.99", "sg-db")];
        cloud(&groups, &members.map(|(id, address, group)| interface(id, Some(address), &[group])))
    };
    let (opened, closed) = told(&compare(&with("10.0.1.0/28"), &with("10.0.1.64/28")));
    assert!(opened.contains(&"web -> db:5432".to_owned()), "{opened:?}");
    assert!(closed.contains(&"web -> db:5432".to_owned()), "{closed:?}");
}

/// `web` may send to `db`, which lets in a block; the address of the member of `web` is not known.
fn later(admitted: &str) -> Account {
    let groups = [group("sg-web", &[], &[group_peer(5432, "sg-db")]), group("sg-db", &[block(5432, admitted)], &[])];
    cloud(&groups, &[interface("eni-1", None, &["sg-web"]), interface("eni-2", Some("10.0.1.9"), &["sg-db"])])
}

#[test]
fn an_address_that_is_not_known_is_in_a_block_that_holds_its_subnet() {
    let (opened, _) = told(&compare(&later("203.0.113.0/24"), &later("10.0.0.0/17")));
    assert!(opened.contains(&"web -> db:5432".to_owned()), "{opened:?}");
}

#[test]
fn an_address_that_is_not_known_is_perhaps_in_a_part_of_its_subnet() {
    let difference = compare(&later("203.0.113.0/24"), &later("10.0.1.0/25"));
    let (opened, _) = told(&difference);
    assert!(opened.contains(&"web -> db:5432?".to_owned()), "{opened:?}");
    let why = format!("{:?}", difference.opened);
    assert!(why.contains("a private address is not known, but that it is of 10.0.1.0/24"), "{why}");
    let (opened, _) = told(&compare(&later("203.0.113.0/24"), &later("10.0.2.0/24")));
    assert!(!opened.iter().any(|flow| flow.starts_with("web -> db")), "{opened:?}");
    assert!(compare(&later("10.0.1.0/25"), &later("10.0.1.0/25")).is_same());
}

#[test]
fn what_a_member_of_unknown_groups_is_open_to_is_neither_opened_nor_closed_for_certain() {
    let groups = [
        group("sg-web", &[], &[anything()]),
        group("sg-db", &[block(22, "0.0.0.0/0"), group_peer(5432, "sg-web")], &[]),
    ];
    let web = interface("eni-1", Some("10.0.1.5"), &["sg-web"]);
    let known = cloud(&groups, &[web.clone(), interface("eni-2", Some("10.0.1.9"), &["sg-db"])]);
    let mut cut = interface("eni-2", Some("10.0.1.9"), &[]);
    cut["Groups"] = Value::Null;
    let unknown = cloud(&groups, &[web, cut]);
    for difference in [compare(&known, &unknown), compare(&unknown, &known)] {
        let all = difference.opened.iter().chain(&difference.closed);
        let certain: Vec<String> = all.clone().filter(|passage| passage.is_known()).map(Passage::flow).collect();
        assert_eq!(certain, none(), "{difference:?}");
        assert!(all.count() >= 2, "{difference:?}");
    }
}

#[test]
fn a_rule_that_was_not_known_may_have_admitted_what_a_new_one_admits() {
    let list = |port: u16| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "PrefixListIds": [{"PrefixListId": "pl-1"}]});
    let with = |rules: &[Value]| cloud(&[group("sg-db", rules, &[])], &[]);
    let difference = compare(&with(&[list(22)]), &with(&[block(22, "0.0.0.0/0")]));
    assert_eq!(told(&difference), (vec!["anywhere -> db:22?".to_owned()], vec!["pl-1 -> db:22?".to_owned()]));
    // It is for another port, or on both sides the same.
    let other = compare(&with(&[list(443)]), &with(&[block(22, "0.0.0.0/0")]));
    assert!(flows(&other.opened).contains(&"anywhere -> db:22".to_owned()), "{other:?}");
    let both = compare(&with(&[list(22)]), &with(&[list(22), block(22, "0.0.0.0/0")]));
    assert_eq!(told(&both), (vec!["anywhere -> db:22".to_owned()], none()));
}

#[test]
fn a_group_that_only_one_source_has_opens_nothing_for_certain() {
    let member = [interface("eni-1", Some("10.0.1.5"), &["sg-db"])];
    let with = cloud(&[group("sg-db", &[block(22, "0.0.0.0/0")], &[])], &member);
    let without = cloud(&[], &member);
    assert_eq!(flows(&compare(&without, &with).opened), ["anywhere -> db:22?"]);
    let closed = compare(&with, &without).closed;
    assert!(closed.iter().all(|passage| !passage.is_known()), "{closed:?}");
}

#[test]
fn who_gets_a_public_address_is_reached_by_rules_that_were_there() {
    let with = |public: Option<&str>| {
        let mut web = interface("eni-1", Some("10.0.1.5"), &["sg-web"]);
        web["Association"] = json!({"PublicIp": public});
        let rules = [block(443, "0.0.0.0/0"), block(22, "10.0.0.0/8")];
        cloud(&[group("sg-web", &rules, &[])], &[web])
    };
    let difference = compare(&with(None), &with(Some("203.0.113.7")));
    assert_eq!(told(&difference), (vec!["anywhere -> web:443".to_owned()], none()));
    assert_eq!(difference.opened[0].reached, Reached::ByAddressAlone);
    assert_eq!(difference.addresses_added[0].address, "203.0.113.7");
    let back = compare(&with(Some("203.0.113.7")), &with(None));
    assert_eq!(told(&back), (none(), vec!["anywhere -> web:443".to_owned()]));
    assert_eq!(back.addresses_removed.len(), 1);
    // Another address is as good.
    assert!(compare(&with(Some("203.0.113.7")), &with(Some("203.0.113.8"))).is_same());
}

#[test]
fn who_gets_an_ipv6_address_later_is_reached_by_rules_that_were_there() {
    let with = |count: u8| {
        let rule = json!({"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": ["::/0"]});
        let resource = |kind: &str, values: Value| json!({"address": format!("{kind}.web"), "mode": "managed", "type": kind, "name": "web", "values": values});
        let plan = json!({"format_version": "1.2", "configuration": {"root_module": {}}, "planned_values": {"root_module": {"resources": [
            resource("aws_security_group", json!({"id": "sg-1", "name": "web", "ingress": [rule], "egress": []})),
            resource("aws_instance", json!({"id": "i-1", "vpc_security_group_ids": ["sg-1"], "ipv6_address_count": count,
                "associate_public_ip_address": false})),
        ]}}});
        account(&plan)
    };
    let difference = compare(&with(0), &with(1));
    assert_eq!(told(&difference), (vec!["anywhere (IPv6) -> web:443".to_owned()], none()));
    assert_eq!(difference.opened[0].reached, Reached::ByAddressAlone);
    assert_eq!(difference.addresses_added[0].address, "an IPv6 address that is not known yet");
    assert_eq!(compare(&with(1), &with(0)).addresses_removed.len(), 1);
    assert!(compare(&with(1), &with(2)).is_same());
}

#[test]
fn a_block_of_own_public_addresses_means_their_holders_too() {
    let with = |rules: &[Value]| {
        let mut nat = interface("eni-1", Some("10.0.1.5"), &["sg-nat"]);
        nat["Association"] = json!({"PublicIp": "203.0.113.7"});
        let db = interface("eni-2", Some("10.0.1.9"), &["sg-db"]);
        cloud(&[group("sg-nat", &[], &[anything()]), group("sg-db", rules, &[])], &[nat, db])
    };
    let held_by = |admitted: &str| compare(&with(&[]), &with(&[block(22, admitted)])).opened[0].held_by.clone();
    assert_eq!(held_by("203.0.113.0/28"), ["eni-1"]);
    assert_eq!(held_by("203.0.113.16/28"), none());
    assert_eq!(held_by("0.0.0.0/0"), none());
    let written = sglab::import::topology_of(&with(&[block(22, "203.0.113.0/28")])).builder.to_yaml();
    assert!(written.contains("tcp 22 from 203.0.113.0/28, tcp 22 from eip-eni-1"), "{written}");
}

/// Traffic of one port between `x` and an instance in many groups, both of which name each other.
fn joined(many: usize, port: u16) -> Account {
    let own: Vec<String> = (0..many).map(|at| format!("sg-{at}")).collect();
    let all: Vec<Value> = own.iter().map(|id| group_peer(port, id)).collect();
    let x = [group_peer(port, "sg-x")];
    let groups: Vec<Value> = own.iter().map(|id| group(id, &x, &x)).chain([group("sg-x", &all, &all)]).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    cloud(&groups, &[interface("eni-1", Some("10.0.1.5"), &own), interface("eni-2", Some("10.0.1.9"), &["sg-x"])])
}

#[test]
fn what_many_groups_of_one_instance_say_is_told_once_a_group() {
    // Pairs of rules held against each other would be a hundred million.
    let difference = compare(&joined(100, 1), &joined(100, 2));
    assert_eq!((difference.opened.len(), difference.closed.len()), (200, 200));
}
