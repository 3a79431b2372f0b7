//! An account that is written for others and read again is the same account.

use std::collections::BTreeMap;
use std::io::Write;

use proptest::prelude::*;
use serde_json::json;
use sglab::account::Account;
use sglab::import::{Text, account_of, read, topology_of};
use sglab::model::{Cloud, Endpoint, Era, Flow, HostIp, HostName, Interface, Port, Service, Via};
use sglab::outward::{Form, write};
use sglab::policy::judge;
use sglab::reach::compare;
use sglab::topology::Topology;

use crate::reach_agrees::{cloud, plan};

/// Reads what was written in a form that sglab reads.
fn again(account: &Account, form: Form) -> Account {
    let written = write(account, form, "a test");
    assert_eq!(written.left_out, [], "{}", written.text);
    let text = Text { name: "again".into(), text: written.text.as_str().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}\n{}", written.text))
}

fn of(yaml: &str) -> Account {
    account_of(&cloud_of(yaml), "file")
}

fn cloud_of(yaml: &str) -> Cloud {
    let topology = Topology::parse_cloud("file", yaml.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Replies written of a cloud say the same groups, rules and members, and so the same reach.
    #[test]
    fn replies_say_the_same_cloud(plan in plan()) {
        let account = account_of(&cloud(&plan), "file");
        let difference = compare(&account, &again(&account, Form::Describe));
        prop_assert!(difference.is_same(), "{difference:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// A template says the same reach. Its ids are others, and a group that lets nothing out has a rule for nobody.
    #[test]
    fn a_template_says_the_same_reach(plan in plan()) {
        let account = account_of(&cloud(&plan), "file");
        let mut read = again(&account, Form::CloudFormation);
        // An instance of a template is known by its logical id only.
        read.interfaces = account.interfaces.keys().cloned().zip(read.interfaces.into_values()).collect();
        let mut difference = compare(&account, &read);
        difference.rules_added.retain(|change| change.rule != "all to 127.0.0.1");
        difference.opened.retain(|passage| passage.to != "127.0.0.1");
        prop_assert!(difference.is_same(), "{difference:?}");
    }
}

/// The address of an instance in its file, where IPv6 is drawn: none, an automatic one, one that is asked for; then some beside it.
const BY_IPV6: [&str; 7] = [
    "",
    "ipv6: no",
    "subnet: bare",
    "ipv6: '2001:db8:1000:3::a5'",
    "secondary-addresses: '2001:db8:1000:3::NUMBER'",
    "secondary-addresses: ['2001:db8:1000:3:NUMBER::/80', '2001:db8:1000:3::NUMBER', 10.0.1.NUMBER]",
    "ipv6: no, interfaces: {eth1: {groups: WEB, secondary-addresses: '2001:db8:1000:3:NUMBER::/80'}}",
];

fn dual(drawn: &[usize]) -> Cloud {
    let mut yaml = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    ipv6: '2001:db8:1000::/56'
    subnets: {front: {cidr: 10.0.1.0/24, ipv6: '2001:db8:1000:3::/64'}, bare: {cidr: 10.0.2.0/24, ipv6: no}, usual: 10.0.3.0/24}
hosts: {office: [198.51.100.7, '2001:db8:ffff::7']}
groups:
  WEB: [tcp 80 from WEB, 'tcp 81 from 2001:db8:1000:3::a5', 'tcp 82 from 2001:db8:1000:3::/64', 'tcp 83 from ::/0', 'tcp 84 from 2001:db8:1000:3:21::/80']
instances:
"
    .to_owned();
    for (number, drawn) in drawn.iter().enumerate() {
        let words = BY_IPV6[*drawn].replace("NUMBER", &(20 + number).to_string());
        // One has the address that is asked for.
        let words = if number > 0 && words.contains("::a5'") { "subnet: usual".to_owned() } else { words };
        let comma = if words.is_empty() { "" } else { ", " };
        yaml += &format!("  i{number}: {{groups: WEB{comma}{words}}}\n");
    }
    cloud_of(&yaml)
}

/// Each flow from each address of somebody to each of another, with what becomes of it.
fn truth(cloud: &Cloud) -> BTreeMap<String, bool> {
    let of = |it: &Interface| it.ipv6_blocks().map(|block| block.broadcast()).collect::<Vec<_>>();
    let interfaces: Vec<&Interface> = cloud.network_interfaces().collect();
    let end = |it: &Interface| match it.id.attachment() {
        Some(at) if at.device > 0 => Endpoint::Interface(at.clone()),
        _ => Endpoint::Instance(it.id.instance().unwrap().clone()),
    };
    let mut truth = BTreeMap::new();
    for (from, to) in interfaces.iter().flat_map(|from| interfaces.iter().map(move |to| (from, to))) {
        let sources =
            of(from).into_iter().map(|own| Endpoint::Forged(from.id.attachment().unwrap().clone(), own.into()));
        let receivers = of(to).into_iter().map(|own| Via::Secondary(own.into())).chain([Via::Private, Via::Ipv6]);
        let receivers: Vec<Via> = receivers.collect();
        let office = Endpoint::Host(HostName::new("office"), HostIp("2001:db8:ffff::7".parse().unwrap()));
        for source in sources.chain([end(from), office]) {
            for (via, port) in receivers.iter().flat_map(|via| (80..86).map(move |port| (*via, port))) {
                let flow = Flow { from: source.clone(), to: end(to), via, service: Service::Tcp(Port(port)) };
                truth.insert(flow.to_string(), judge(cloud, &flow).is_open());
            }
        }
    }
    truth
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// IPv6 addresses of an account, and who has none, come back as they were, and what they reach.
    #[test]
    fn replies_say_the_same_ipv6_addresses(drawn in prop::collection::vec(0..BY_IPV6.len(), 2..=4)) {
        let first = dual(&drawn);
        let account = account_of(&first, "file");
        let read = again(&account, Form::Describe);
        let written = topology_of(&read);
        prop_assert_eq!(&written.left_out, &[]);
        let yaml = written.builder.to_yaml();
        let topology = written.topology("again", "hosts: {office: [198.51.100.7, '2001:db8:ffff::7']}\n");
        let topology = topology.unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
        let second = topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
        prop_assert_eq!(truth(&first), truth(&second), "{}", yaml);
        // A template has other addresses, for as many.
        let template = again_listed(&account, Form::CloudFormation);
        let of_template = topology_of(&template).topology("template", "").unwrap_or_else(|problems| panic!("{problems}"));
        let third = of_template.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
        // A template names them otherwise, and has further interfaces apart.
        let has = |cloud: &Cloud| {
            let mut all: Vec<bool> = cloud.network_interfaces().map(|it| it.ipv6.is_some()).collect();
            all.sort_unstable();
            all
        };
        prop_assert_eq!(has(&first), has(&third));
    }
}

/// The same of a form that cannot say all, and says so.
fn again_listed(account: &Account, form: Form) -> Account {
    let written = write(account, form, "a test");
    let text = Text { name: "again".into(), text: written.text.as_str().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}\n{}", written.text))
}

/// All that an account may hold and random clouds do not.
const RICH: &str = "sglab: 1
era: vpc
vpcs:
  main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {front: 10.0.0.0/24, back: {cidr: 10.0.1.0/24, public: no}, bare: {cidr: 10.0.2.0/24, ipv6: no}}}
hosts: {office: 198.51.100.7}
elastic-ips: {home: db1}
prefix-lists:
  partners: [203.0.113.0/24, 198.51.100.128/25]
groups:
  web:
    description: who answers
    ingress:
      - tcp 80 from anywhere
      - 'tcp 443 from ::/0'
      - tcp 8000-8080 from partners
      - icmp echo from office
      - icmp 3/4 from anywhere
      - 'icmpv6 all from 2001:db8::/32'
      - udp all from web
      - protocol 47 from partners
    egress: [all to anywhere]
  db:
    ingress: [tcp 5432 from web, all from db, tcp 22 from home]
    egress: []
instances:
  web1:
    groups: [web]
    subnet: front
    address: 10.0.0.11
    secondary-addresses: [10.0.0.20, 10.0.0.32/28, '2001:db8:1000::a5', '2001:db8:1000:0:1::/80']
    interfaces: {eth1: {groups: [db], subnet: back, secondary-addresses: [10.0.1.21, 10.0.1.48/28]}}
  db1: {groups: [db, web], subnet: back, address: 10.0.1.12}
  db2: {groups: [db], subnet: back, address: 10.0.1.13, ipv6: no}
  db3: {groups: [db], subnet: bare, address: 10.0.2.13}
";

#[test]
fn replies_say_the_same_of_every_kind_of_rule_and_interface() {
    let account = of(RICH);
    let read = again(&account, Form::Describe);
    let difference = compare(&account, &read);
    assert!(difference.is_same(), "{difference:?}");
    assert_eq!(account.vpcs.len(), read.vpcs.len());
    for (id, subnet) in &account.subnets {
        assert_eq!(Some(subnet.block), read.subnets.get(id).map(|subnet| subnet.block));
        assert_eq!(Some(&subnet.ipv6), read.subnets.get(id).map(|subnet| &subnet.ipv6));
        assert_eq!(Some(&subnet.automatic_public), read.subnets.get(id).map(|subnet| &subnet.automatic_public));
    }
    for (id, interface) in &account.interfaces {
        let told = &read.interfaces[id];
        assert_eq!((&interface.label, interface.holder), (&told.label, told.holder));
        assert_eq!((&interface.addresses, &interface.public), (&told.addresses, &told.public));
        assert_eq!((&interface.subnet, &interface.origin.resource), (&told.subnet, &told.origin.resource));
    }
}

/// What the reader of replies cannot be told, and a form for people says in a comment.
const PARTLY_KNOWN: &str = r#"{
  "SecurityGroups": [
    {"GroupId": "sg-2", "GroupName": "it's $HOME", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": [], "Description": "it's $HOME `id` \"${x}\" %{y}\nrm"},
    {"GroupId": "sg-1", "GroupName": "default", "VpcId": "vpc-1", "IpPermissionsEgress": [], "Description": "it's $HOME `id` \"${x}\" %{y}\nrm",
     "IpPermissions": [
       {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]},
       {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "54.0.0.7/32", "Description": "o'hara $(id)"}],
        "PrefixListIds": [{"PrefixListId": "pl-63a5400a"}], "UserIdGroupPairs": [{"GroupId": "sg-gone"}]}]}],
  "Reservations": [{"Instances": [
    {"InstanceId": "i-1", "State": {"Name": "stopped"}, "Tags": [{"Key": "Name", "Value": "front door"}],
     "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Groups": [{"GroupId": "sg-1"}],
       "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.5", "Association": {"PublicIp": "54.0.0.7"}}, {"PrivateIpAddress": "10.0.0.6"}]}]}]}],
  "NetworkInterfaces": [{"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "Groups": [{"GroupId": "sg-1"}], "Description": "ELB app/shop/1"}],
  "Vpcs": [{"VpcId": "vpc-1"}]
}"#;

fn partly_known() -> Account {
    let text = Text { name: "replies.json".into(), text: PARTLY_KNOWN.into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

const FORMS: [(Form, &str); 3] =
    [(Form::Terraform, "terraform"), (Form::CloudFormation, "cloudformation"), (Form::Cli, "cli")];

/// Read these when they change: no test knows what AWS makes of them.
#[test]
fn each_form_is_as_it_was() {
    for (form, name) in FORMS {
        let all = write(&of(RICH), form, "All kinds.").text;
        let partly = write(&partly_known(), form, "Replies.").text;
        insta::assert_snapshot!(name, format!("{all}\n==== of what is partly known\n{partly}"));
    }
}

/// What a form does not say of an account is listed, and is in the text as a comment.
#[test]
fn what_a_form_does_not_say_is_listed_and_told() {
    for (form, name) in FORMS {
        let written = write(&partly_known(), form, "Replies.");
        for kind in ["block", "load balancer", "subnet"] {
            let item = written.left_out.iter().find(|item| item.kind == kind);
            let item = item.unwrap_or_else(|| panic!("{name}: {kind} of {:?}", written.left_out));
            assert!(item.matters());
            assert!(
                written.text.contains(&format!("# {kind} of {}: {}", item.origin, item.reason)),
                "{}",
                written.text
            );
        }
    }
}

/// Texts of an account are never commands: the shell reads the script and finds each a word.
#[test]
fn no_text_of_an_account_is_a_command_of_the_script() {
    let script = write(&partly_known(), Form::Cli, "Replies.").text;
    // Calls print their words here, one a line.
    // Each call has an answer of its own, so that a reference to the wrong one is seen.
    let stub = "aws() { printf '%s\\n' \"$@\" >&2; printf 'id-%s\\n' \"$(printf %s \"$2$*\" | cksum | cut -d' ' -f1)\"; }\n\
                AMI=ami-1 block_of_vpc_vpc_1=10.0.0.0/16\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    std::fs::write(&file, format!("{stub}{script}")).unwrap();
    let ran = std::process::Command::new("bash").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}\n{script}");
    for words in ["o'hara $(id)", "front door", "it's $HOME", "it's $HOME `id` \"${x}\" %{y}\nrm"] {
        assert!(said.contains(words), "{said}");
    }
    // The rule of the default group names that group: the id of its own call, and not that of another.
    let lines: Vec<&str> = said.lines().collect();
    let rule = lines.iter().position(|line| line.contains("\"IpProtocol\":\"-1\"") && line.contains("id-")).unwrap();
    let own = lines[..rule].iter().rposition(|line| *line == "--group-id").map(|at| lines[at + 1]).unwrap();
    assert!(lines[rule].contains(&format!("\"GroupId\":\"{own}\"")), "{own} of {}", lines[rule]);
    let address = said.split("\"CidrIp\":\"id-").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    assert_ne!(format!("id-{address}"), own);
}

/// The layout is that of `terraform fmt`, where the program is there to ask.
#[test]
fn terraform_has_nothing_to_lay_out_anew() {
    for account in [of(RICH), partly_known()] {
        let text = write(&account, Form::Terraform, "A test.").text;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.tf"), &text).unwrap();
        match std::process::Command::new("terraform")
            .args(["fmt", "-check", "-diff"])
            .current_dir(folder.path())
            .output()
        {
            Ok(ran) => assert!(
                ran.status.success(),
                "{}{}",
                String::from_utf8_lossy(&ran.stdout),
                String::from_utf8_lossy(&ran.stderr)
            ),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                // On the error output itself: what tests print is shown only if they fail.
                writeln!(std::io::stderr(), "SKIPPED, needs terraform: {}", file!()).unwrap();
            }
        }
    }
}

/// `${` and `%{` begin templates in Terraform's language, and a text has none.
#[test]
fn a_text_of_an_account_is_no_template_of_terraform() {
    let text = write(&partly_known(), Form::Terraform, "Replies.").text;
    assert!(text.contains(r#""it's $HOME `id` \"$${x}\" %%{y}\nrm""#), "{text}");
}

#[test]
fn names_that_a_tool_would_resolve_are_changed_and_listed() {
    let group = json!({"GroupId": "sg-1", "GroupName": "{{resolve:ssm:/secret}}", "Description": "file:///etc/passwd"});
    let text = Text { name: "groups.json".into(), text: json!({"SecurityGroups": [group]}).to_string().into() };
    let account = read(&[text], None).unwrap();
    let listed = |form| {
        let written = write(&account, form, "");
        let texts = written.left_out.iter().filter(|item| item.kind == "text").count();
        (written.text, texts)
    };
    let (template, texts) = listed(Form::CloudFormation);
    assert!(!template.contains("{{resolve:") && texts == 1, "{template}");
    let (script, texts) = listed(Form::Cli);
    assert!(!script.contains("file:///") && texts == 1, "{script}");
    let (terraform, texts) = listed(Form::Terraform);
    assert!(terraform.contains("file:///etc/passwd") && texts == 0, "{terraform}");
}

#[test]
fn a_prefix_list_keeps_its_room_and_its_descriptions() {
    let reply = r#"{"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "office", "MaxEntries": 20,
        "Entries": [{"Cidr": "203.0.113.0/24", "Description": "Berlin's \"new\" house"}, {"Cidr": "198.51.100.0/24"}]}],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "Name", "Value": "shop"}]}, {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16"}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "IpPermissionsEgress": [],
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]}]}"#;
    let account = read(&[Text { name: "reply.json".into(), text: reply.into() }], None).unwrap();
    let told = |account: &Account| {
        let (_, list) = account.prefix_lists.first().unwrap();
        (list.max_entries, list.descriptions.clone())
    };
    assert_eq!(told(&account).0, Some(20));
    assert_eq!(told(&again(&account, Form::Describe)), told(&account));
    assert_eq!(told(&again(&account, Form::CloudFormation)), told(&account));
    let text = write(&account, Form::Terraform, "t").text;
    assert!(text.contains("  max_entries    = 20\n"), "{text}");
    let entry =
        "  entry {\n    cidr        = \"203.0.113.0/24\"\n    description = \"Berlin's \\\"new\\\" house\"\n  }\n";
    assert!(text.contains(entry), "{text}");
    // Only what somebody has named has a name.
    assert_eq!(text.matches("tags").count(), 1, "{text}");
    assert!(text.contains("tags       = { Name = \"shop\" }"), "{text}");
    let text = write(&account, Form::Cli, "t").text;
    assert!(text.contains("--max-entries 20 --entries '[{\"Cidr\":\"203.0.113.0/24\",\"Description\":"), "{text}");
    let plan = r#"{"format_version": "1.2", "configuration": {"root_module": {}}, "planned_values": {"root_module": {"resources": [
        {"address": "aws_ec2_managed_prefix_list.office", "mode": "managed", "type": "aws_ec2_managed_prefix_list", "name": "office",
         "values": {"name": "office", "max_entries": 20, "entry": [{"cidr": "203.0.113.0/24", "description": "Berlin's \"new\" house"}, {"cidr": "198.51.100.0/24", "description": ""}]}}]}}}"#;
    assert_eq!(told(&read(&[Text { name: "plan.json".into(), text: plan.into() }], None).unwrap()), told(&account));
}
