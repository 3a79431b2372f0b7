//! Resources of one source are found again in another: a stack in its account, an account in the topology that was made of it.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, account_of, read, topology_of};
use sglab::reach::compare;
use sglab::topology::Topology;

fn account(name: &str, text: &str) -> Account {
    read(&[Text { name: name.into(), text: text.into() }], None).unwrap_or_else(|faults| panic!("{faults}"))
}

const TEMPLATE: &str = "
Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: x
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]
      SecurityGroupEgress: [{IpProtocol: '-1', CidrIp: 0.0.0.0/0}]
      Tags: [{Key: Name, Value: front}]
  Server:
    Type: AWS::EC2::Instance
    Properties:
      SecurityGroupIds: [!GetAtt Web.GroupId]
      NetworkInterfaces: !Ref AWS::NoValue
";

/// The account with the stack of the template. The tags are those of the group and of the instance.
fn deployed(group: &Value, instance: &Value) -> Account {
    let reply = json!({
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "shop-Web-1ABC", "Tags": group,
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}],
        "Reservations": [{"Instances": [{"InstanceId": "i-1", "Tags": instance, "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}], "Attachment": {"DeviceIndex": 0}}]}]}],
    });
    account("reply.json", &reply.to_string())
}

fn logical(id: &str) -> Value {
    json!([{"Key": "aws:cloudformation:logical-id", "Value": id}])
}

#[test]
fn a_stack_is_found_again_by_the_logical_ids_of_its_template() {
    let difference = compare(&account("shop.yaml", TEMPLATE), &deployed(&logical("Web"), &logical("Server")));
    let lists = (&difference.groups_added, &difference.members_added, &difference.members_removed);
    assert_eq!((lists.0.len(), lists.1.len(), lists.2.len()), (0, 0, 0), "{lists:?}");
    assert!(difference.opened.iter().all(|passage| !passage.is_known()), "{:?}", difference.opened);
}

#[test]
fn a_group_without_a_logical_id_is_found_again_by_its_name_tag() {
    let name = json!([{"Key": "Name", "Value": "front"}]);
    let difference = compare(&account("shop.yaml", TEMPLATE), &deployed(&name, &logical("Server")));
    assert!(difference.groups_added.is_empty() && difference.rules_added.is_empty(), "{difference:?}");
}

#[test]
fn two_stacks_of_one_template_are_not_told_apart_by_a_logical_id() {
    let group = |id: &str| json!({"GroupId": id, "GroupName": format!("shop-{id}"), "Tags": logical("Web")});
    let both = account("reply.json", &json!({"SecurityGroups": [group("sg-1"), group("sg-2")]}).to_string());
    let difference = compare(&account("shop.yaml", TEMPLATE), &both);
    assert_eq!(difference.groups_added.len(), 2, "{difference:?}");
}

/// The account of the topology that is made of an account, as it is read from its file.
fn imported(account: &Account) -> Account {
    let text = topology_of(account).builder.to_yaml();
    let topology = Topology::parse_cloud("shop.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud =
        topology.initial_cloud(topology.eras[0]).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
    account_of(&cloud, "shop.yaml")
}

/// Groups of these names, and instances of these names and groups, in up to two VPCs.
fn cloud(groups: &[(&str, &str)], instances: &[(&str, &str, &str)]) -> Account {
    let everything = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let rule = json!([{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let id = |name: &str, vpc: &str| format!("sg-{name}-of-{vpc}");
    let group = |(name, vpc): &(&str, &str)| json!({"GroupId": id(name, vpc), "GroupName": name, "VpcId": vpc, "IpPermissions": rule, "IpPermissionsEgress": everything});
    let instance = |(at, (name, group, vpc)): (usize, &(&str, &str, &str))| {
        json!({"InstanceId": format!("i-{at}"), "VpcId": vpc, "SubnetId": format!("subnet-of-{vpc}"), "Tags": [{"Key": "Name", "Value": name}],
            "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{at}"), "VpcId": vpc, "SubnetId": format!("subnet-of-{vpc}"),
                "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": id(group, vpc)}]}]})
    };
    let vpcs = ["vpc-1", "vpc-2"].iter().enumerate().filter(|(_, vpc)| groups.iter().any(|(_, own)| own == *vpc));
    let (vpcs, subnets): (Vec<Value>, Vec<Value>) = vpcs
        .map(|(at, vpc)| {
            let subnet =
                json!({"SubnetId": format!("subnet-of-{vpc}"), "VpcId": vpc, "CidrBlock": format!("10.{at}.1.0/24")});
            (json!({"VpcId": vpc, "CidrBlock": format!("10.{at}.0.0/16")}), subnet)
        })
        .unzip();
    account(
        "reply.json",
        &json!({
            "Vpcs": vpcs, "Subnets": subnets, "SecurityGroups": groups.iter().map(group).collect::<Vec<_>>(),
            "Reservations": [{"Instances": instances.iter().enumerate().map(instance).collect::<Vec<_>>()}],
        })
        .to_string(),
    )
}

fn holds(account: &Account) {
    let difference = compare(account, &imported(account));
    assert!(difference.is_same(), "{difference:?}\n{}", topology_of(account).builder.to_yaml());
}

#[test]
fn a_default_group_with_other_rules_is_found_again() {
    holds(&cloud(&[("default", "vpc-1")], &[("a", "default", "vpc-1")]));
    holds(&cloud(
        &[("default", "vpc-1"), ("default", "vpc-2")],
        &[("a", "default", "vpc-1"), ("b", "default", "vpc-2")],
    ));
}

#[test]
fn names_that_are_one_as_plain_names_are_found_again() {
    let a = |name| (name, "a", "vpc-1");
    let b = |name| (name, "b", "vpc-1");
    holds(&cloud(&[("a", "vpc-1"), ("b", "vpc-1")], &[a("web 2"), b("web"), a("web@2")]));
    holds(&cloud(
        &[("web", "vpc-1"), ("Web", "vpc-1")],
        &[("web", "web", "vpc-1"), ("web-2", "Web", "vpc-1"), ("Web 2", "web", "vpc-1")],
    ));
    holds(&cloud(&[("a", "vpc-1"), ("b", "vpc-1")], &[a("web-3"), b("web-2"), a("web")]));
}

fn plan(resources: &Value) -> Account {
    account(
        "plan.json",
        &json!({"format_version": "1.0", "values": {"root_module": {"resources": resources}}}).to_string(),
    )
}

#[test]
fn what_is_not_emulated_is_listed_where_it_differs() {
    let rule = |block: &str| {
        json!([{"address": "awscc_ec2_security_group_ingress.ssh", "mode": "managed", "type": "awscc_ec2_security_group_ingress",
            "name": "ssh", "values": {"cidr_ip": block}}])
    };
    let (none, narrow, wide) = (plan(&json!([])), plan(&rule("10.0.0.0/8")), plan(&rule("0.0.0.0/0")));
    assert!(compare(&narrow, &narrow).is_same());
    for (old, new) in [(&none, &narrow), (&narrow, &wide)] {
        let difference = compare(old, new);
        let told: Vec<&str> = difference.not_known.iter().map(|item| item.kind.as_str()).collect();
        assert_eq!(told, ["awscc_ec2_security_group_ingress"]);
    }
    // Another kind of source knows nothing of it.
    let reply = account("reply.json", r#"{"SecurityGroups": []}"#);
    assert!(compare(&reply, &narrow).is_same());
}

#[test]
fn a_load_balancer_with_two_subnets_does_not_drift_from_its_import() {
    let interface = |id: &str, subnet: &str, address: &str, public: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": subnet, "PrivateIpAddress": address, "Groups": [{"GroupId": "sg-1"}],
               "Association": {"PublicIp": public}, "Description": "ELB app/front/50dc6c495c0c9188", "InterfaceType": "interface"})
    };
    let everything = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let reply = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"},
                    {"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": [everything]}],
        "NetworkInterfaces": [interface("eni-1", "subnet-1", "10.0.0.11", "52.1.1.1"), interface("eni-2", "subnet-2", "10.0.1.11", "52.1.1.2")],
    });
    let account = account("reply.json", &reply.to_string());
    let written = topology_of(&account);
    let topology = written.topology("shop.yaml", "").unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = topology.initial_cloud(sglab::model::Era::Vpc).unwrap();
    let imported = account_of(&cloud, "shop.yaml");
    assert!(compare(&account, &imported).is_same(), "{:?}", compare(&account, &imported));
}

#[test]
fn rules_for_public_addresses_of_its_own_do_not_drift_from_an_import() {
    let rule = |port: u16, block: &str| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]});
    let interface = |number: usize| {
        json!({"NetworkInterfaceId": format!("eni-{number}"), "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": format!("10.0.0.1{number}"),
               "Groups": [{"GroupId": "sg-1"}], "Association": {"PublicIp": format!("52.1.1.{number}")},
               "Attachment": {"InstanceId": format!("i-{number}"), "DeviceIndex": 0}})
    };
    let reply = |port: u16| {
        json!({
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
            "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "IpPermissionsEgress": [],
                "IpPermissions": [rule(22, "52.1.1.1/32"), rule(port, "52.1.1.2/32"), rule(port, "52.1.1.0/24")]}],
            "NetworkInterfaces": [interface(1), interface(2)],
        })
    };
    let account = |port| account("reply.json", &reply(port).to_string());
    let topology = topology_of(&account(443)).topology("shop.yaml", "").unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = topology.initial_cloud(sglab::model::Era::Vpc).unwrap();
    let imported = account_of(&cloud, "shop.yaml");
    for difference in [compare(&account(443), &imported), compare(&imported, &account(443))] {
        assert!(difference.is_same(), "{difference:?}");
    }
    assert!(!compare(&imported, &account(80)).is_same());
}
