//! What is typed: rules, flows and operations, read without a cloud and with one.

use clap::{FromArgMatches, Subcommand};

use super::*;
use crate::model::{Cloud, Era, Operation};

const SHOP: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
elastic-ips: [eip-spare]
prefix-lists: {partners: [192.0.2.0/28]}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {front: 10.0.1.0/24, back: 10.0.2.0/24}}}
groups: {WEB: [tcp 80 from anywhere], ADMIN: []}
instances: {web1: {groups: WEB, listens: tcp 80}, web2: {groups: WEB, interfaces: {eth1: {groups: WEB}}}}
load-balancers: {site: {groups: WEB, listeners: [tcp 80], targets: [web1]}}
";

fn shop() -> Cloud {
    let topology = Topology::parse_cloud("shop.yaml", SHOP.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap()
}

/// The operation of a command line, with its arguments by spaces and `'`.
fn typed(line: &str) -> Typed {
    let quoted = |(part, text): (usize, &str)| match part % 2 {
        1 => vec![text.to_owned()],
        _ => text.split_whitespace().map(str::to_owned).collect(),
    };
    let words = line.split('\'').enumerate().flat_map(quoted);
    let command = Typed::augment_subcommands(clap::Command::new("operations").no_binary_name(true));
    let matches = command.try_get_matches_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    Typed::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// The words under each caret, with what is said there.
fn carets(problems: &Problems) -> Vec<String> {
    let text = problems.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let under = |pair: &[&str]| {
        let from = pair[1].find('^')?;
        let width = pair[1].matches('^').count();
        let help = pair[1][from + width..].trim();
        Some(format!("{}: {help}", pair[0].chars().skip(from).take(width).collect::<String>()).trim_end().to_owned())
    };
    lines.windows(2).filter_map(under).collect()
}

#[test]
fn a_rule_is_read_without_a_cloud_and_every_wrong_word_has_a_caret() {
    for (rule, wrong) in [
        ("tcp 80-70 frm DB", &["80-70: write 70-80", "frm: did you mean `from`?"][..]),
        ("tpc 80 from DB", &["tpc: did you mean `tcp`?"]),
        ("443 from anywhere", &["443: write `tcp 443 from anywhere`, or udp"]),
        ("443/udp from anywhere", &["443/udp: write `udp 443 from anywhere`"]),
        ("ping from office", &["ping: write `icmp echo from office`"]),
    ] {
        assert_eq!(carets(&rule.parse::<RuleWords>().unwrap_err()), wrong, "{rule}");
    }
    for rule in
        ["tcp 80 from DB, office", "all to anywhere", "icmp 3/4 from 10.0.0.0/8", "protocol 47 from web1.private"]
    {
        assert!(rule.parse::<RuleWords>().is_ok(), "{rule}");
    }
    let known = typed("authorize WEB 'tcp 443 from everywhere'").read(&shop()).unwrap_err();
    assert_eq!(carets(&known), ["everywhere: did you mean `anywhere`?"]);
}

#[test]
fn all_that_is_wrong_with_a_command_is_told_at_its_arguments() {
    let cloud = shop();
    let wrong = |line: &str| carets(&typed(line).read(&cloud).unwrap_err());
    assert_eq!(
        wrong("launch web3 --group WBE --group ADMN --subnet frnt --listens 'tcp 80'"),
        ["WBE: did you mean `WEB`?", "ADMN: did you mean `ADMIN`?", "frnt: did you mean `front`?"]
    );
    assert_eq!(
        wrong("attach-interface wbe1 eth1 --group WBE"),
        ["wbe1: did you mean `web1`?", "WBE: did you mean `WEB`?"]
    );
    assert_eq!(wrong("edit-prefix-list partnes --add 192.0.2.300 --remove 192.0.2.0/33").len(), 3);
    let group = "create-group CACHE 'tcp 6379 from WBE' 'tcp 6379 frm WEB' --vpc mian";
    assert_eq!(carets(&typed(group).check().unwrap_err()), ["frm: did you mean `from`?"]);
    assert_eq!(wrong(group).len(), 3);
    let authorize = "authorize WEB 'tcp 80-70 frm WEB' 'tcp 80 from web1'";
    assert_eq!(carets(&typed(authorize).check().unwrap_err()), ["80-70: write 70-80", "frm: did you mean `from`?"]);
    assert_eq!(wrong(authorize).len(), 3);
}

#[test]
fn arguments_are_what_the_words_of_a_file_are() {
    let cloud = shop();
    let lines = [
        (
            "launch web3 --group WEB --subnet back --listens 'tcp 80' --no-public",
            "launch: {web3: {groups: WEB, subnet: back, listens: tcp 80, public: no}}",
        ),
        ("launch web3 --group WEB --public", "launch: {web3: {groups: WEB, public: yes}}"),
        ("launch web3 --group WEB", "launch: {web3: {groups: WEB}}"),
        ("stop web1 nope", "stop: [web1, nope]"),
        ("start web1", "start: web1"),
        ("reboot web1", "reboot: web1"),
        ("crash web1", "crash: web1"),
        ("terminate web1", "terminate: web1"),
        ("authorize WEB 'tcp 81 from office'", "authorize: {WEB: [tcp 81 from office]}"),
        (
            "authorize WEB --egress 'tcp 81 to office' --description queries",
            "authorize-egress: {WEB: [{protocol: tcp, port: 81, to: office, description: queries}]}",
        ),
        ("revoke WEB --egress 'all to anywhere'", "revoke-egress: {WEB: [all to anywhere]}"),
        (
            "update-description WEB 'tcp 80 from anywhere' --description shop",
            "update-description: {WEB: [{protocol: tcp, port: 80, from: anywhere, description: shop}]}",
        ),
        (
            "create-group CACHE --group-name 'caches (eu-west) #1' --description 'of the shop' 'tcp 6379 from WEB'",
            "create-group: {CACHE: {name: 'caches (eu-west) #1', description: of the shop, ingress: [tcp 6379 from WEB]}}",
        ),
        ("delete-group ADMIN", "delete-group: ADMIN"),
        ("set-groups web2.eth1 ADMIN", "set-groups: {web2.eth1: ADMIN}"),
        ("allocate-address eip-new", "allocate-address: eip-new"),
        ("associate-address eip-spare web1", "associate-address: {eip-spare: web1}"),
        (
            "associate-address eip-spare web1 --no-reassociation",
            "associate-address: {eip-spare: {instance: web1, allow-reassociation: no}}",
        ),
        ("disassociate-address eip-spare", "disassociate-address: eip-spare"),
        ("release-address eip-spare", "release-address: eip-spare"),
        ("attach-interface web1 eth1 --group ADMIN", "attach-interface: {web1: {eth1: {groups: ADMIN}}}"),
        ("detach-interface web2.eth1", "detach-interface: web2.eth1"),
        ("source-dest-check web1 off", "source-dest-check: {web1: off}"),
        ("source-dest-check web1 on", "source-dest-check: {web1: on}"),
        ("edit-prefix-list partners --add 192.0.2.64", "edit-prefix-list: {partners: {add: 192.0.2.64}}"),
        ("register-instances site web2", "register-instances: {site: web2}"),
        ("deregister-instances site web1", "deregister-instances: {site: web1}"),
    ];
    // Without the places, of which each has its own.
    fn plain(mut value: serde_json::Value) -> serde_json::Value {
        match &mut value {
            serde_json::Value::Object(map) => {
                map.remove("place");
                map.values_mut().for_each(|it| *it = plain(it.take()));
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|it| *it = plain(it.take())),
            _ => {}
        }
        value
    }
    let json = |all: Vec<Operation>| plain(serde_json::to_value(all).unwrap());
    for (line, words) in lines {
        let read = typed(line).read(&cloud).unwrap_or_else(|problems| panic!("{line}: {problems}"));
        let of_file = read_operations(&cloud, words).unwrap_or_else(|problems| panic!("{words}: {problems}"));
        assert_eq!(json(read), json(of_file.into_iter().map(|placed| placed.value).collect()), "{line}");
    }
}

#[test]
fn a_rule_that_a_shell_took_apart_is_put_together() {
    let apart = typed("authorize WEB tcp 81 from office");
    assert!(apart.check().is_err());
    let (rule, whole) = apart.with_one_rule().unwrap();
    assert_eq!(rule, "tcp 81 from office");
    assert!(whole.read(&shop()).is_ok());
    assert!(typed("revoke WEB 'tcp 80 from anywhere' 'tcp 81 from office'").with_one_rule().is_none());
}

#[test]
fn a_flow_is_typed_in_one_argument_or_in_two_and_its_carets_stand_there() {
    let cloud = shop();
    let written = |flow: TypedFlow| flow.flow(&cloud).unwrap_or_else(|problems| panic!("{problems}")).written;
    assert_eq!(written(TypedFlow::new("office ->  web1:80")), "office -> web1:80");
    let public = written(TypedFlow::between("web2", "web1:80").by(Some(crate::model::Via::Public)));
    assert_eq!(public, "web2 -> web1:80 by public address");
    let web1 = cloud.instances.first().and_then(|(_, web1)| web1.interfaces.first()).unwrap();
    let private = web1.private.unwrap();
    let wrong = |flow: TypedFlow| carets(&flow.flow(&cloud).unwrap_err());
    assert_eq!(
        wrong(TypedFlow::between("wbe1", "web2:99999")),
        ["wbe1: did you mean `web1`?", "99999: one port, such as 80, 80/tcp, 53/udp, or `ping`"]
    );
    let ends = |from: &str, to: &str| {
        let flow = TypedFlow::between(from, to);
        let pattern = flow.flow(&flow.with_synthetic_hosts(&cloud)).unwrap_or_else(|problems| panic!("{problems}"));
        (pattern.from, pattern.to, pattern.via)
    };
    let (web1, web2) = ["web1", "web2"].map(|name| Selector::Instance(crate::model::InstanceName::new(name))).into();
    let (office, other) = ["office", "8.8.8.8"].map(|name| Selector::Host(crate::model::HostName::new(name))).into();
    let by_private = Some(crate::model::Via::Private);
    assert_eq!(ends("web2", &format!("{private}:80")), (web2, web1.clone(), by_private));
    assert_eq!(ends("203.0.113.10", "web1:80"), (office, web1.clone(), None));
    assert_eq!(ends("8.8.8.8", "web1:80"), (other, web1, None));
    assert_eq!(wrong(TypedFlow::between("8.8.8.8", "web1:80")), ["8.8.8.8: name an instance, a group or a host"]);
    assert_eq!(
        wrong(TypedFlow::between("web2", "2001:db8::9:80")),
        ["2001:db8::9:80: an IPv6 address stands in brackets: `[2001:db8::9]:80`"]
    );
    let twice = TypedFlow::between("web2", "web1:80 by dns name").by(Some(crate::model::Via::Public));
    assert!(twice.check().unwrap_err().to_string().contains("the flow says `by dns name` already"));
    assert!("web1 -> web2".parse::<TypedFlow>().is_err() && "web1 -> nobody:80".parse::<TypedFlow>().is_ok());
}
