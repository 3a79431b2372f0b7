//! `sglab diff`, `import` and `test --import` on files of one's own cloud.

use std::io::{BufRead, BufReader, Write};

use serde_json::{Value, json};

use crate::program::{Program, Said, User, run, said, sglab, write};
use crate::pty::{Pty, pty};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/terraform");

pub fn plan(name: &str) -> String {
    format!("{EXAMPLES}/{name}.json")
}

/// One group with these rules, as `aws ec2 describe-security-groups` tells it.
pub fn groups(rules: &[Value]) -> String {
    json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "IpPermissions": rules, "IpPermissionsEgress": []}]}).to_string()
}

pub fn from(block: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": block}]})
}

#[test]
fn two_raw_plans_say_what_is_newly_open_from_outside() {
    let Said { code, out, .. } = run(&["diff", &plan("base"), &plan("head")]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.starts_with("newly open from outside: db:5432, by aws_security_group.db\n    from anywhere, to db"),
        "{out}"
    );
    assert!(out.contains("head.json:1:"), "{out}");
    let Said { code, out, .. } = run(&["diff", &plan("head"), &plan("base"), "--fail-on", "opened"]);
    assert_eq!(code, Some(0), "{out}");
    let Said { code, .. } = run(&["diff", &plan("base"), &plan("head"), "--fail-on", "opened-from-outside"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("newly closed from outside: db:5432"), "{out}");
}

#[test]
fn what_opens_inside_only_fails_who_asks_for_it() {
    let program = Program::copy();
    let itself = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": "sg-1"}]});
    let out = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let group = |rules: &[&Value]| json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "IpPermissions": rules, "IpPermissionsEgress": [out]}]});
    let old = write(&program, "old.json", &group(&[]).to_string());
    let new = write(&program, "new.json", &group(&[&itself]).to_string());
    let diff = |what: &str| {
        let [old, new] = [&old, &new].map(|path| path.to_str().unwrap());
        sglab(&program, &["diff", old, new, "--fail-on", what]).code
    };
    assert_eq!((diff("opened"), diff("opened-from-outside"), diff("never")), (Some(1), Some(0), Some(0)));
}

#[test]
fn a_plan_does_not_differ_from_itself() {
    let Said { code, out, .. } = run(&["diff", &plan("head"), &plan("head")]);
    assert_eq!((code, out.as_str()), (Some(0), "nothing opens, and nothing closes\n"));
}

#[test]
fn the_difference_for_programs_and_for_a_pull_request_says_the_same() {
    let Said { out, .. } = run(&["diff", &plan("base"), &plan("head"), "--format", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["verdict"]["opened_from_outside"], 1);
    let opened = &told["opened"][0];
    assert_eq!((&opened["to"], &opened["traffic"]), (&json!("db"), &json!("tcp 5432")));
    assert_eq!(opened["by"][0]["resource"], "aws_security_group.db");
    let Said { out, .. } = run(&["diff", &plan("base"), &plan("head"), "--format", "markdown", "--marker", "shop"]);
    assert!(out.starts_with("<!-- sglab-diff:shop -->\n### :warning: 1 passage newly open from outside"), "{out}");
}

#[test]
fn no_line_of_a_difference_is_wider_than_its_terminal() {
    let program = Program::copy();
    let port = |port: u16| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let group = |rules: &[Value]| {
        let name = "a group with a name that is long, though not longer than EC2 has it, and says much";
        json!({"SecurityGroups": [{"GroupId": "sg-0123456789abcdef0", "GroupName": name, "IpPermissions": rules, "IpPermissionsEgress": []}]})
            .to_string()
    };
    let old = write(&program, "old.json", &group(&[]));
    let new = write(&program, "new.json", &group(&[port(22), port(5432)]));
    for command in ["diff", "drift"] {
        let Pty { master, slave } = pty(40, 80);
        let mut run = program.run(User::Ours, &[command, "old.json", "new.json"]);
        let mut child = run.current_dir(program.scratch()).env("NO_COLOR", "1").stdout(slave).spawn().unwrap();
        drop(run);
        let lines: Vec<String> = BufReader::new(master).lines().map_while(Result::ok).collect();
        child.wait().unwrap();
        assert!(lines.iter().any(|line| line.contains("newly open from outside")), "{lines:?}");
        let wide: Vec<&String> = lines.iter().filter(|line| line.trim_end().chars().count() > 80).collect();
        assert!(wide.is_empty(), "{wide:#?} of {lines:#?}");
        assert!(old.is_file() && new.is_file());
    }
}

#[test]
fn what_takes_long_is_told_at_a_terminal() {
    let program = Program::copy();
    let Pty { master, slave } = pty(40, 80);
    let mut run = program.run(User::Ours, &["import", "-", "--check"]);
    let mut child = run.stdin(std::process::Stdio::piped()).stderr(slave).spawn().unwrap();
    drop(run);
    let mut lines = BufReader::new(master).lines();
    // The source is held back until it is told.
    assert_eq!(lines.next().unwrap().unwrap().trim_end(), "reading standard input ...");
    child.stdin.take().unwrap().write_all(groups(&[]).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_picture_is_written_to_a_file_that_is_not_there_yet() {
    let program = Program::copy();
    let picture = program.scratch().join("shop.svg");
    let picture = picture.to_str().unwrap();
    let Said { code, out, err } = sglab(&program, &["graph", &plan("head"), "-o", picture]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg "));
    let Said { code, err, .. } = sglab(&program, &["graph", &plan("head"), "-o", picture]);
    assert_eq!(code, Some(2));
    assert!(err.contains("is there already"), "{err}");
}

#[test]
fn guesses_are_counted_and_marked() {
    let program = Program::copy();
    let instance = json!([{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}], "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}]);
    let mut reply: Value = serde_json::from_str(&groups(&[from("0.0.0.0/0")])).unwrap();
    reply["NetworkInterfaces"] = instance;
    let reply = write(&program, "reply.json", &reply.to_string());
    let reply = reply.to_str().unwrap();
    let Said { code, out, .. } = sglab(&program, &["import", reply, "--check"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.ends_with(", 1 service guessed\n"), "{out}");
    for more in [&[][..], &["--cloud-only"]] {
        let Said { code, out, err } = sglab(&program, &[&["import", reply], more].concat());
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(
            out.lines().filter(|line| line.contains("listens: [tcp 5432]") && line.ends_with("# guessed")).count(),
            1,
            "{out}"
        );
    }
}

#[test]
fn another_kind_of_file_is_told_as_what_it_is() {
    let head = plan("head");
    let Said { code, err, .. } = run(&["check", &head]);
    assert_eq!(code, Some(2), "{err}");
    let told = format!("error: {head} is JSON of Terraform, and no topology; `sglab import {head}` makes one of it\n");
    assert_eq!(err, told);
    let wrong = |kind: &str| {
        let Said { code, err, .. } = run(&["import", &head, "--from", kind]);
        assert_eq!(code, Some(2), "{err}");
        err
    };
    assert!(wrong("describe").starts_with("error: this is no reply of `aws ec2 describe-*`"));
    assert!(wrong("cloudformation").contains("`Resources` is missing"));
    assert!(wrong("topology").contains("is no topology: it does not begin with `sglab: 1`"));
}

#[test]
fn an_account_does_not_drift_from_its_own_import() {
    let program = Program::copy();
    let everywhere = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let default = |vpc: &str| {
        json!({"GroupId": format!("sg-of-{vpc}"), "GroupName": "default", "VpcId": vpc, "IpPermissionsEgress": everywhere,
            "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": format!("sg-of-{vpc}")}]}]})
    };
    let instance = |id: &str, name: &str, group: &str| {
        json!({"InstanceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "Tags": [{"Key": "Name", "Value": name}],
            "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{id}"), "VpcId": "vpc-1", "SubnetId": "subnet-1",
                "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": group}]}]})
    };
    let reply = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}, {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [
            default("vpc-1"), default("vpc-2"),
            {"GroupId": "sg-1", "GroupName": "shop", "VpcId": "vpc-1", "IpPermissions": [from("10.0.0.0/16")],
                "IpPermissionsEgress": everywhere},
        ],
        "Reservations": [{"Instances": [
            instance("i-1", "shop", "sg-1"), instance("i-2", "Jump host", "sg-of-vpc-1"),
        ]}],
    });
    let reply = write(&program, "reply.json", &reply.to_string());
    let reply = reply.to_str().unwrap();
    let topology = program.scratch().join("shop.yaml");
    let topology = topology.to_str().unwrap();
    assert_eq!(sglab(&program, &["import", reply, "-o", topology]).code, Some(0));
    let written = std::fs::read_to_string(topology).unwrap();
    assert!(written.contains("shop-2: {vpc: vpc-1, groups: shop") && written.contains("groups: default"), "{written}");
    let Said { code, out, .. } = sglab(&program, &["drift", reply, topology]);
    assert_eq!((code, out.as_str()), (Some(0), "no drift\n"));
    // Nobody is in the group then that the table names.
    let Said { out: written, .. } = sglab(&program, &["import", reply, "--cloud-only"]);
    let narrower = written.replace("groups: default", "groups: shop");
    let narrower = write(&program, "narrower.yaml", &narrower);
    let Said { code, out, .. } = sglab(&program, &["drift", reply, narrower.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("Jump host in default"), "{out}");
}

#[test]
fn an_instance_with_an_ipv6_address_only_gets_no_public_one_over_ipv4() {
    let program = Program::copy();
    let reply = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1::/56"}]}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "VpcId": "vpc-1", "IpPermissionsEgress": [], "IpPermissions": [from("0.0.0.0/0")]}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.9",
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8:1::9"}], "Groups": [{"GroupId": "sg-1"}],
            "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}],
    });
    let reply = write(&program, "reply.json", &reply.to_string());
    let Said { code, out, err } = sglab(&program, &["import", reply.to_str().unwrap(), "--cloud-only"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("public: no"), "{out}");
}

#[test]
fn one_instance_that_nobody_outside_reaches_is_a_topology_too() {
    let program = Program::copy();
    let reply = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "VpcId": "vpc-1", "IpPermissions": [from("10.0.0.0/8")],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddress": "10.0.1.9", "Groups": [{"GroupId": "sg-1"}],
            "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}],
    });
    let reply = write(&program, "reply.json", &reply.to_string());
    let Said { code, out, err } = sglab(&program, &["import", reply.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("tcp 5432 from 10.0.0.0/8"), "{out}");
    assert!(
        out.contains("\ntables:\n  as-it-stands: {ports: [tcp 5432], egress: all}\n") && err.is_empty(),
        "{out}{err}"
    );
}

#[test]
fn a_stopped_instance_of_an_account_is_stopped_in_its_topology() {
    let program = Program::copy();
    let instance = |id: &str, state: &str| {
        json!({"InstanceId": id, "State": {"Name": state}, "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{id}"), "VpcId": "vpc-1", "SubnetId": "subnet-1",
                "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-1"}]}]})
    };
    let reply = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "VpcId": "vpc-1", "IpPermissionsEgress": [], "IpPermissions": [from("10.0.0.0/16")]}],
        "Reservations": [{"Instances": [instance("i-1", "running"), instance("i-2", "stopped")]}],
    });
    let reply = write(&program, "reply.json", &reply.to_string());
    let reply = reply.to_str().unwrap();
    let Said { code, out, err } = sglab(&program, &["import", reply]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("- stop: i-2"), "{out}");
    let Said { code, out, err } = sglab(&program, &["import", reply, "--test"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let booted = sglab(&program, &["import", reply, "--up", "--name", "stopped"]);
    assert_eq!(booted.code, Some(0), "{booted:?}");
    let Said { out, .. } = sglab(&program, &["probe", "i-1", "i-2:5432"]);
    let down = sglab(&program, &["down", "--all"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    assert!(out.contains("unreachable"), "{out}");
}

#[test]
fn a_lab_that_is_up_is_a_source_as_its_file_is() {
    let program = Program::copy();
    let head = plan("head");
    let booted = sglab(&program, &["import", &head, "--up", "--name", "shop"]);
    assert_eq!(booted.code, Some(0), "{booted:?}");
    let same = sglab(&program, &["drift", &head, "lab:shop"]);
    let changed = sglab(&program, &["authorize", "db", "tcp 22 from anywhere"]);
    let diff = sglab(&program, &["diff", &head, "lab:shop"]);
    let lint = sglab(&program, &["lint", "lab:shop"]);
    let several = sglab(&program, &["lint", "lab:shop", &head]);
    let down = sglab(&program, &["down", "--all"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no drift\n"), "{same:?}");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    assert_eq!(diff.code, Some(1), "{diff:?}");
    assert!(diff.out.starts_with("newly open from outside: db:22, by db\n"), "{diff:?}");
    assert_eq!(lint.code, Some(1), "{lint:?}");
    assert!(lint.out.contains("admin-from-anywhere"), "{lint:?}");
    assert!(several.err.contains("are several clouds: a lab is a cloud of its own"), "{several:?}");
    let gone = sglab(&program, &["diff", &head, "lab:shop"]);
    assert_eq!(gone.code, Some(2), "{gone:?}");
    assert!(gone.err.contains("no lab named `shop` is up"), "{gone:?}");
}

#[test]
fn an_imported_cloud_is_a_topology_that_holds_on_packets() {
    let program = Program::copy();
    let shop = program.scratch().join("shop.yaml");
    let shop = shop.to_str().unwrap();
    let Said { code, err, .. } = sglab(&program, &["import", &plan("head"), "-o", shop]);
    assert_eq!(code, Some(0), "{err}");
    let Said { code, out, err } = sglab(&program, &["test", shop]);
    assert_eq!(code, Some(0), "{out}{err}");
    let Said { code, err, .. } = sglab(&program, &["import", &plan("head"), "-o", shop]);
    assert_eq!(code, Some(2));
    assert!(err.contains("is there already"), "{err}");
}

#[test]
fn what_is_no_source_is_told_with_its_place_and_without_its_line() {
    let program = Program::copy();
    let secret = "hunter2";
    let cases = [
        (
            "cut.json",
            format!(r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "Password": "{secret}""#),
            "this is no JSON: ",
        ),
        ("other.json", format!(r#"{{"secret": "{secret}"}}"#), "this is no source that sglab knows"),
        ("empty.json", String::new(), "the source is empty"),
        (
            "wrong.json",
            format!(
                r#"{{"UserData": "{secret}", "SecurityGroups": [{{"GroupId": "sg-1", "IpPermissions": [{{"IpProtocol": "tpc", "FromPort": 1}}]}}]}}"#
            ),
            "sg-1: unknown protocol `tpc`",
        ),
    ];
    for (name, text, message) in cases {
        let path = write(&program, name, &text);
        let Said { code, err, out } = sglab(&program, &["import", path.to_str().unwrap(), "--check"]);
        assert_eq!(code, Some(2), "{name}: {out}{err}");
        assert!(err.contains(message) && err.contains(&format!("{name}:1:")), "{name}: {err}");
        assert!(!format!("{out}{err}").contains(secret), "{name}: {err}");
    }
}

#[test]
fn a_revision_of_git_is_a_source() {
    let program = Program::copy();
    let folder = program.scratch();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(&folder).env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "--quiet"]);
    std::fs::write(folder.join("groups.json"), groups(&[])).unwrap();
    git(&["add", "groups.json"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one"]);
    std::fs::write(folder.join("groups.json"), groups(&[from("0.0.0.0/0")])).unwrap();
    let mut command = program.run(User::Ours, &["diff", "HEAD:groups.json", "groups.json"]);
    command.current_dir(&folder);
    let Said { out, err, .. } = said(command);
    assert!(out.contains("newly open from outside: db:5432"), "{out}{err}");
}

#[test]
fn an_account_is_written_for_others_and_read_again() {
    let program = Program::copy();
    let source = write(&program, "account.json", &groups(&[from("10.0.0.0/16")]));
    let source = source.to_str().unwrap();
    let Said { code, out, .. } = run(&["import", source, "--to", "describe"]);
    assert_eq!(code, Some(0), "{out}");
    let again = write(&program, "again.json", &out);
    let Said { code, out, .. } = run(&["diff", source, again.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(0), "nothing opens, and nothing closes\n"));
    for (form, words) in [
        ("terraform", "resource \"aws_security_group\" \"db\""),
        ("cloudformation", "AWS::EC2::SecurityGroup"),
        ("cli", "group_db=$(aws ec2 create-security-group"),
    ] {
        let Said { code, out, .. } = run(&["import", source, "--to", form]);
        assert!(code == Some(0) && out.contains(words), "{form}: {out}");
    }
    // The VPC is not known, and the file says so.
    let Said { code, out, err } = run(&["import", source, "--to", "terraform"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("left out: 1 VPC: not written as it is"), "{err}");
    assert!(out.contains("# VPC of sg-1 ("), "{out}");
    let Said { code, out, err } = run(&["import", source, "--to", "terraform", "--strict"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("error: something is left out, and `--strict`"), "{err}");
}

#[test]
fn what_of_a_folder_is_no_file_is_told() {
    let program = Program::copy();
    write(&program, "dump/groups.json", &groups(&[]));
    nix::unistd::mkfifo(&program.scratch().join("dump/pipe.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let Said { code, err, .. } = sglab(&program, &["import", "dump", "--check"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("note: dump/pipe.json is skipped: it is a named pipe, and no file"), "{err}");
}

#[test]
fn a_source_without_an_end_is_an_error_that_says_the_limit() {
    let Said { code, err, .. } = run(&["import", "/dev/zero"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: /dev/zero is larger than the limit of 256 MiB for a source\n"));
    let Said { code, err, .. } = run(&["diff", "/dev/zero", "/dev/zero"]);
    assert_eq!(code, Some(2), "{err}");
}
