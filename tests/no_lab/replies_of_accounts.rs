//! Replies of ordinary accounts: whatever the order of files, and whatever a collector makes of keys, the same cloud is read and written, never a wider one.

use serde_json::{Value, json};

use sglab::account::{Account, Holder, LeftOut};
use sglab::import::{Text, kind_of, read, topology_of};
use sglab::model::{Cloud, Endpoint, Era, Flow, InstanceName, Port, Service, Via};
use sglab::policy::judge;

use crate::cures::findings;

fn account(replies: &[Value]) -> Account {
    let texts: Vec<Text> = replies
        .iter()
        .enumerate()
        .map(|(number, reply)| Text { name: format!("{number}.json"), text: reply.to_string().into() })
        .collect();
    read(&texts, None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The cloud of the topology that is written of an account, that topology, and what it leaves out.
fn written(account: &Account) -> (Cloud, String, Vec<LeftOut>) {
    let written = topology_of(account);
    let yaml = written.builder.to_yaml();
    let topology = written.topology("t.yaml", "").unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
    let cloud = topology.initial_cloud(Era::Vpc).unwrap_or_else(|refused| panic!("{refused:?}\n{yaml}"));
    (cloud, yaml, written.left_out)
}

fn group(id: &str, ingress: &Value) -> Value {
    json!({"GroupId": id, "GroupName": id.trim_start_matches("sg-"), "VpcId": "vpc-1", "IpPermissions": ingress,
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
}

fn from_block(port: u16, block: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]})
}

/// An interface as an instance tells it, in the group `sg-web`.
fn card(id: &str, device: u8, address: &str) -> Value {
    json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": address,
        "Attachment": {"DeviceIndex": device}, "Groups": [{"GroupId": "sg-web"}]})
}

/// An interface as `describe-network-interfaces` tells it.
fn attached(id: &str, instance: &str, device: u8, address: &str) -> Value {
    let mut card = card(id, device, address);
    card["Attachment"]["InstanceId"] = instance.into();
    card
}

fn instance(id: &str, name: &str, state: &str, cards: &[Value]) -> Value {
    json!({"InstanceId": id, "VpcId": "vpc-1", "State": {"Name": state}, "Tags": [{"Key": "Name", "Value": name}],
        "NetworkInterfaces": cards})
}

fn networks() -> Value {
    json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}]})
}

#[test]
fn addresses_of_what_is_no_instance_of_the_topology_are_no_elastic_ips() {
    let public = |mut card: Value, address: &str| {
        card["Association"] = json!({"PublicIp": address});
        card
    };
    let mut gateway = public(card("eni-n", 0, "10.0.1.20"), "203.0.113.9");
    gateway["InterfaceType"] = json!("nat_gateway");
    gateway["Groups"] = json!([]);
    let mut available = public(card("eni-a", 0, "10.0.1.21"), "203.0.113.10");
    available["Attachment"] = json!(null);
    available["Status"] = json!("available");
    let mut untold = public(attached("eni-u", "i-2", 0, "10.0.1.22"), "203.0.113.11");
    untold["Groups"] = json!([{"GroupId": "sg-gone"}]);
    let further = public(attached("eni-v", "i-2", 1, "10.0.1.23"), "203.0.113.12");
    let web = public(attached("eni-1", "i-1", 0, "10.0.1.10"), "203.0.113.7");
    let account = account(&[
        networks(),
        json!({"SecurityGroups": [group("sg-web", &json!([from_block(443, "203.0.113.0/24")]))]}),
        json!({"NetworkInterfaces": [gateway, available, further, untold, web]}),
    ]);
    let (cloud, yaml, left_out) = written(&account);
    assert_eq!((cloud.instances.len(), cloud.elastic_ips.len()), (1, 1), "{yaml}");
    let listed: Vec<&str> = left_out.iter().map(|item| item.origin.resource.as_str()).collect();
    for id in ["eni-n", "eni-a", "i-2"] {
        assert!(listed.contains(&id), "{id}: {listed:?}");
    }
    assert_eq!(listed.iter().filter(|id| **id == "i-2").count(), 3, "a membership and two interfaces: {left_out:?}");
}

#[test]
fn a_vpc_whose_block_no_source_tells_is_no_wider_than_what_lies_in_it() {
    let groups = json!({"SecurityGroups": [group("sg-web", &json!([from_block(22, "10.0.0.0/16"), from_block(80, "172.31.0.0/16")]))]});
    let with = |first: &str, second: &str| {
        let instances = [
            instance("i-1", "web1", "running", &[card("eni-1", 0, first)]),
            instance("i-2", "web2", "running", &[card("eni-2", 0, second)]),
        ];
        account(&[groups.clone(), json!({"Reservations": [{"Instances": instances}]})])
    };
    let (cloud, yaml, left_out) = written(&with("172.31.0.10", "172.31.5.11"));
    let is_open = |port: u16| {
        let [from, to] = ["web1", "web2"].map(|name| Endpoint::Instance(InstanceName::new(name)));
        judge(&cloud, &Flow { from, to, via: Via::Private, service: Service::Tcp(Port(port)) }).is_open()
    };
    assert_eq!((is_open(22), is_open(80)), (false, true), "{yaml}");
    let addresses: Vec<String> =
        cloud.network_interfaces().filter_map(|it| it.private).map(|it| it.to_string()).collect();
    assert_eq!(addresses, ["172.31.0.10", "172.31.5.11"], "{yaml}");
    let kinds = |left_out: &[LeftOut]| {
        left_out.iter().map(|item| format!("{}: {}", item.kind, item.origin.resource)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&left_out), ["block of a VPC: vpc-1"]);
    // Addresses too far from each other are in no block that a VPC may have.
    let (cloud, yaml, left_out) = written(&with("172.31.0.10", "10.0.0.11"));
    let block = cloud.vpcs[0].cidr;
    for named in ["10.0.0.0/16", "172.31.0.0/16"] {
        let named: ipnet::Ipv4Net = named.parse().unwrap();
        assert!(!named.contains(&block) && !block.contains(&named), "{yaml}");
    }
    assert!(kinds(&left_out).contains(&"block of a VPC: vpc-1".to_owned()), "{left_out:?}");
}

#[test]
fn an_instance_is_the_same_whatever_reply_tells_its_interfaces_first() {
    let instances = json!({"Reservations": [{"Instances": [
        instance("i-1", "web1", "stopped", &[card("eni-1", 0, "10.0.1.10"), card("eni-2", 1, "10.0.1.11")])]}]});
    let interfaces = json!({"NetworkInterfaces": [attached("eni-2", "i-1", 1, "10.0.1.11"), attached("eni-1", "i-1", 0, "10.0.1.10")]});
    let groups = json!({"SecurityGroups": [group("sg-web", &json!([]))]});
    for replies in [[instances.clone(), interfaces.clone()], [interfaces, instances]] {
        let [one, other] = replies;
        let account = account(&[networks(), groups.clone(), one, other]);
        let mut told: Vec<(&str, Holder)> =
            account.interfaces.values().map(|it| (it.label.as_str(), it.holder)).collect();
        told.sort_by_key(|(label, _)| *label);
        assert_eq!(told, [("web1", Holder::StoppedInstance), ("web1.eth1", Holder::StoppedInstance)]);
        let (cloud, yaml, _) = written(&account);
        let addresses: Vec<String> =
            cloud.instances[0].interfaces.iter().filter_map(|it| it.private).map(|it| it.to_string()).collect();
        assert_eq!(addresses, ["10.0.1.10", "10.0.1.11"], "{yaml}");
    }
}

#[test]
fn an_instance_without_its_interfaces_is_the_one_that_they_name() {
    let mut cut = instance("i-1", "web1", "stopped", &[]);
    cut["NetworkInterfaces"] = json!(null);
    cut["SecurityGroups"] = json!([{"GroupId": "sg-web"}]);
    cut["PrivateIpAddress"] = json!("10.0.1.10");
    cut["PublicIpAddress"] = json!("203.0.113.7");
    let instances = json!({"Reservations": [{"Instances": [cut]}]});
    let interfaces = json!({"NetworkInterfaces": [attached("eni-2", "i-1", 1, "10.0.1.11"), attached("eni-1", "i-1", 0, "10.0.1.10")]});
    for replies in [[instances.clone(), interfaces.clone()], [interfaces, instances.clone()]] {
        let account = account(&replies);
        let mut told: Vec<(&str, &str, Holder)> =
            account.interfaces.iter().map(|(id, it)| (id.as_str(), it.label.as_str(), it.holder)).collect();
        told.sort_by_key(|(id, ..)| *id);
        let stopped = Holder::StoppedInstance;
        assert_eq!(told, [("eni-1", "web1", stopped), ("eni-2", "web1.eth1", stopped)]);
    }
    assert_eq!(account(&[instances]).interfaces.keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["i-1"]);
}

#[test]
fn a_collectors_small_letters_are_read_and_nothing_of_them_is_listed() {
    let reply = json!({
        "vpcs": [{"vpc_id": "vpc-1", "cidr_block": "10.0.0.0/16"}],
        "subnets": [{"subnet_id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.1.0/24"}],
        "security_groups": [{"group_id": "sg-1", "group_name": "web", "vpc_id": "vpc-1", "ip_permissions_egress": [],
            "ip_permissions": [{"ip_protocol": "tcp", "from_port": 80, "to_port": 80, "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}]}]}],
        "reservations": [{"instances": [{"instance_id": "i-1", "state": {"name": "stopped"}, "tags": [{"key": "Name", "value": "web1"}],
            "network_interfaces": [{"network_interface_id": "eni-1", "vpc_id": "vpc-1", "subnet_id": "subnet-1",
                "attachment": {"device_index": 0}, "groups": [{"group_id": "sg-1"}], "private_ip_address": "10.0.1.10"}]}]}],
    });
    let told = account(std::slice::from_ref(&reply));
    let web = &told.interfaces[0];
    assert_eq!((web.label.as_str(), web.holder), ("web1", Holder::StoppedInstance));
    assert_eq!(web.groups.known().map(|groups| groups.len()), Some(1));
    assert_eq!((told.subnets.len(), told.groups[0].ingress.len()), (1, 1));
    assert!(told.left_out.is_empty(), "{:?}", told.left_out);
    for key in ["vpcs", "subnets", "reservations"] {
        assert!(kind_of(&json!({key: reply[key]}).to_string()).is_some(), "{key}");
    }
    // Such words are in other files as well.
    for other in [json!({"openapi": "3.1.0", "tags": [{"name": "shops"}]}), json!({"instances": [{"name": "web1"}]})] {
        assert_eq!(kind_of(&other.to_string()), None, "{other}");
    }
}

#[test]
fn the_groups_of_an_interface_are_changed_by_its_own_id() {
    let default = |mut card: Value| {
        card["Groups"] = json!([{"GroupId": "sg-default"}]);
        card
    };
    let mut function = default(card("eni-3", 0, "10.0.1.12"));
    function["InterfaceType"] = json!("lambda");
    let source = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "SecurityGroups": [group("sg-default", &json!([]))],
        "NetworkInterfaces": [default(attached("eni-1", "i-1", 0, "10.0.1.10")), default(attached("eni-2", "i-1", 1, "10.0.1.11")), function],
    });
    let cures: Vec<String> =
        findings(&source.to_string(), "default-group-used").into_iter().flat_map(|finding| finding.cure).collect();
    for id in ["eni-1", "eni-2", "eni-3"] {
        let call = format!("aws ec2 modify-network-interface-attribute --network-interface-id {id} ");
        assert!(cures.iter().any(|cure| cure.starts_with(&call)), "{id}: {cures:#?}");
    }
}

#[test]
fn blocks_for_which_there_is_no_room_among_the_hosts_are_listed() {
    let rules: Vec<Value> = (0..45).map(|number| from_block(443, &format!("203.0.113.{number}/32"))).collect();
    let groups = json!({"SecurityGroups": [group("sg-web", &json!(rules))]});
    let (cloud, yaml, left_out) = written(&account(&[networks(), groups]));
    assert_eq!(cloud.hosts.len(), 40, "{yaml}");
    let told: Vec<String> =
        left_out.iter().filter(|item| item.kind == "host").map(|item| item.reason.to_string()).collect();
    assert_eq!(told.len(), 5, "{left_out:?}");
    assert!(told[0].contains("203.0.113.40/32"), "{told:?}");
}
