//! What a difference says of small accounts, written as replies of `aws ec2 describe-*`.

use serde_json::{Value, json};

use sglab::account::{Account, Reason};
use sglab::import::{Text, read};
use sglab::reach::{Passage, Reached, Way, compare};

fn account(reply: Value) -> Account {
    let text = Text { name: "account.json".into(), text: reply.to_string().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

fn from_block(port: u16, block: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]})
}

fn from_group(port: u16, group: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]})
}

fn group(id: &str, ingress: &[Value]) -> Value {
    let everything = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    json!({"GroupId": id, "GroupName": id.trim_start_matches("sg-"), "VpcId": "vpc-1", "IpPermissions": ingress,
           "IpPermissionsEgress": [everything]})
}

fn instance(name: &str, address: &str, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"InstanceId": format!("i-{name}"), "VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": name}],
           "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{name}"), "Groups": groups, "PrivateIpAddress": address}]})
}

fn cloud(groups: &[Value], instances: &[Value]) -> Account {
    account(json!({"SecurityGroups": groups, "Reservations": [{"Instances": instances}],
                   "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}))
}

fn told(passages: &[Passage]) -> Vec<String> {
    passages.iter().map(|passage| format!("{:?}: {} -> {}", passage.way, passage.from, passage.target())).collect()
}

#[test]
fn a_rule_for_anywhere_is_newly_open_from_outside() {
    let old = cloud(&[group("sg-db", &[])], &[]);
    let new = cloud(&[group("sg-db", &[from_block(5432, "0.0.0.0/0")])], &[]);
    let difference = compare(&old, &new);
    assert_eq!(told(&difference.opened), ["FromOutside: anywhere -> db:5432"]);
    assert_eq!(difference.opened[0].reached, Reached::NoMember);
    assert!(difference.closed.is_empty());
}

#[test]
fn a_rule_that_another_rule_already_covers_opens_nothing() {
    let old = cloud(&[group("sg-db", &[from_block(5432, "203.0.113.0/24")])], &[]);
    let new = cloud(&[group("sg-db", &[from_block(5432, "203.0.113.0/24"), from_block(5432, "203.0.113.7/32")])], &[]);
    let difference = compare(&old, &new);
    assert!(difference.is_empty(), "{:?}", difference.opened);
    assert_eq!(difference.rules_added.len(), 1);
}

#[test]
fn two_halves_of_a_block_are_the_block() {
    let old = cloud(&[group("sg-db", &[from_block(22, "198.51.100.0/24")])], &[]);
    let halves = [from_block(22, "198.51.100.0/25"), from_block(22, "198.51.100.128/25")];
    assert!(compare(&old, &cloud(&[group("sg-db", &halves)], &[])).is_empty());
}

#[test]
fn a_rule_of_another_group_that_every_member_has_opens_nothing_more() {
    let admin = group("sg-admin", &[from_block(22, "0.0.0.0/0")]);
    let db = |rules: &[Value]| group("sg-db", rules);
    let members = [instance("db1", "10.0.0.5", &["sg-db", "sg-admin"])];
    let old = cloud(&[admin.clone(), db(&[])], &members);
    let new = cloud(&[admin, db(&[from_block(22, "203.0.113.0/24")])], &members);
    assert!(compare(&old, &new).is_empty());
}

#[test]
fn a_rule_that_names_a_group_opens_between_members_and_not_from_outside() {
    let groups = |rules: &[Value]| [group("sg-web", &[]), group("sg-db", rules)];
    let members = [instance("web1", "10.0.0.4", &["sg-web"]), instance("db1", "10.0.0.5", &["sg-db"])];
    let difference = compare(&cloud(&groups(&[]), &members), &cloud(&groups(&[from_group(3306, "sg-web")]), &members));
    assert_eq!(told(&difference.opened), ["Inside: web -> db:3306"]);
    assert_eq!(difference.opened[0].members, ["db1"]);
}

#[test]
fn an_instance_that_joins_a_named_group_gets_in() {
    let groups = [group("sg-web", &[]), group("sg-db", &[from_group(3306, "sg-web")])];
    let db = instance("db1", "10.0.0.5", &["sg-db"]);
    let old = cloud(&groups, &[db.clone(), instance("job1", "10.0.0.9", &["sg-db"])]);
    let new = cloud(&groups, &[db, instance("job1", "10.0.0.9", &["sg-db", "sg-web"])]);
    let difference = compare(&old, &new);
    assert_eq!(told(&difference.opened), ["Inside: web -> db:3306"]);
    assert_eq!(difference.members_added.len(), 1);
}

#[test]
fn a_group_without_egress_reaches_nobody_whatever_the_other_admits() {
    let mut web = group("sg-web", &[]);
    web["IpPermissionsEgress"] = json!([]);
    let members = [instance("web1", "10.0.0.4", &["sg-web"]), instance("db1", "10.0.0.5", &["sg-db"])];
    let groups = |rules: &[Value]| [web.clone(), group("sg-db", rules)];
    let difference = compare(&cloud(&groups(&[]), &members), &cloud(&groups(&[from_group(3306, "sg-web")]), &members));
    assert!(difference.is_empty(), "{:?}", difference.opened);
}

#[test]
fn a_block_within_the_vpc_is_no_outside() {
    let old = cloud(&[group("sg-db", &[])], &[]);
    let new = cloud(&[group("sg-db", &[from_block(5432, "10.0.3.0/24")])], &[]);
    let difference = compare(&old, &new);
    assert_eq!(difference.opened[0].way, Way::Inside);
    assert_eq!(difference.opened_from_outside().count(), 0);
}

#[test]
fn the_entries_of_a_list_that_no_source_has_are_not_known() {
    let mut rule = from_block(443, "0.0.0.0/0");
    rule["IpRanges"] = json!([]);
    rule["PrefixListIds"] = json!([{"PrefixListId": "pl-1"}]);
    let difference = compare(&cloud(&[group("sg-web", &[])], &[]), &cloud(&[group("sg-web", &[rule])], &[]));
    assert_eq!(difference.opened_from_outside().count(), 0);
    assert_eq!(difference.unknown().count(), 1);
}

#[test]
fn what_was_open_and_is_not_any_more_is_newly_closed() {
    let rules = [from_block(22, "0.0.0.0/0")];
    let difference = compare(&cloud(&[group("sg-web", &rules)], &[]), &cloud(&[group("sg-web", &[])], &[]));
    assert_eq!(told(&difference.closed), ["FromOutside: anywhere -> web:22"]);
    assert!(difference.opened.is_empty());
}

#[test]
fn an_interface_that_a_reply_still_has_of_a_terminated_instance_is_gone() {
    let groups = json!([{"GroupId": "sg-db"}]);
    let account = account(json!({
        "SecurityGroups": [group("sg-db", &[])],
        "Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "terminated"}, "NetworkInterfaces": []}]}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": groups, "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}],
    }));
    assert_eq!(account.interfaces.len(), 0, "{:?}", account.interfaces);
    let told: Vec<(&str, &Reason)> = account.left_out.iter().map(|item| (item.kind.as_str(), &item.reason)).collect();
    assert_eq!(told, [("instance", &Reason::Gone), ("interface", &Reason::Gone)]);
}

/// Two instances with addresses of both families, and everything goes out over both.
fn dual_stack(rules: &[Value]) -> Account {
    let both = |name: &str, v4: &str, v6: &str, group: &str| {
        let mut instance = instance(name, v4, &[group]);
        instance["NetworkInterfaces"][0]["Ipv6Addresses"] = json!([{"Ipv6Address": v6}]);
        instance
    };
    let mut groups = [group("sg-web", &[]), group("sg-db", rules)];
    for group in &mut groups {
        group["IpPermissionsEgress"][0]["Ipv6Ranges"] = json!([{"CidrIpv6": "::/0"}]);
    }
    let members = [both("web1", "10.0.0.4", "2001:db8::4", "sg-web"), both("db1", "10.0.0.5", "2001:db8::5", "sg-db")];
    cloud(&groups, &members)
}

#[test]
fn a_rule_for_every_ipv4_address_does_not_cover_a_group_over_ipv6() {
    let old = dual_stack(&[from_block(3306, "0.0.0.0/0")]);
    let new = dual_stack(&[from_block(3306, "0.0.0.0/0"), from_group(3306, "sg-web")]);
    assert_eq!(told(&compare(&old, &new).opened), ["Inside: web -> db:3306"]);
}

#[test]
fn a_group_that_both_families_are_open_to_already_gains_nothing_by_its_name() {
    let anywhere = || {
        let mut rule = from_block(3306, "0.0.0.0/0");
        rule["Ipv6Ranges"] = json!([{"CidrIpv6": "::/0"}]);
        rule
    };
    let old = dual_stack(&[anywhere()]);
    let new = dual_stack(&[anywhere(), from_group(3306, "sg-web")]);
    assert!(compare(&old, &new).is_empty());
}

#[test]
fn what_ipv6_addresses_alone_are_open_to_is_not_taken_for_granted() {
    let six = |rules: &[Value]| {
        let mut groups = [group("sg-web", &[]), group("sg-db", rules)];
        for group in &mut groups {
            group["IpPermissionsEgress"][0] = json!({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]});
        }
        let one = |name: &str, v6: &str, group: &str| {
            let mut instance = instance(name, "", &[group]);
            let interface = &mut instance["NetworkInterfaces"][0];
            interface["PrivateIpAddress"] = Value::Null;
            interface["Ipv6Addresses"] = json!([{"Ipv6Address": v6}]);
            instance
        };
        cloud(&groups, &[one("web1", "2001:db8::4", "sg-web"), one("db1", "2001:db8::5", "sg-db")])
    };
    let elsewhere = from_block(3306, "203.0.113.0/24");
    let difference = compare(&six(std::slice::from_ref(&elsewhere)), &six(&[elsewhere, from_group(3306, "sg-web")]));
    assert_eq!(told(&difference.opened), ["Inside: web -> db:3306"]);
}
