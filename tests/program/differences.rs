//! `sglab diff` on one plan, on folders of git, with allowances, with values of parameters, and by packets.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Program, Said, User, said, sglab, write};

fn group(id: &str, name: &str, blocks: &[&str]) -> Value {
    let rules: Vec<Value> = blocks
        .iter()
        .map(|block| json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": block}]}))
        .collect();
    json!({"GroupId": id, "GroupName": name, "VpcId": "vpc-1", "IpPermissions": rules,
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
}

/// A cloud of one instance with a public address, whose group has these rules.
fn cloud(blocks: &[&str]) -> String {
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "MapPublicIpOnLaunch": true}],
        "SecurityGroups": [group("sg-1", "db", blocks)],
        "Reservations": [{"Instances": [{"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PublicIpAddress": "54.0.0.9",
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
                "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-1"}],
                "Association": {"PublicIp": "54.0.0.9"}}]}]}],
    })
    .to_string()
}

fn names<const N: usize>(paths: [&Path; N]) -> [&str; N] {
    paths.map(|path| path.to_str().unwrap())
}

#[test]
fn packets_of_a_proof_are_told_flow_by_flow() {
    let program = Program::copy();
    let (old, new) = (write(&program, "old.json", &cloud(&[])), write(&program, "new.json", &cloud(&["0.0.0.0/0"])));
    let [old, new] = names([&old, &new]);
    let Said { code, out, err } = sglab(&program, &["diff", old, new, "--prove"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("\nproved by packets: 2 flows open in NEW and not in OLD, 0 the other way round\n"), "{out}");
    let line = "    proved: elsewhere (198.51.100.7) -> i-1:5432   OLD dropped at i-1's ingress; NEW open by db \"tcp 5432 from anywhere\"\n";
    assert!(out.contains(line), "{out}");
    let Said { out, err, .. } = sglab(&program, &["diff", old, new, "--prove", "--format", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let proof = &told["proof"];
    assert_eq!((&proof["proved"], &proof["disproved"], &proof["not_proved"]), (&json!(2), &json!(0), &json!(0)));
    let flow = &proof["flows"][0];
    assert_eq!(
        (&flow["from"], &flow["to"], &flow["service"]),
        (&json!("elsewhere"), &json!("i-1"), &json!("tcp 5432"))
    );
    assert_eq!((&flow["before"]["observed"], &flow["after"]["observed"]), (&json!("dropped"), &json!("open")));
    assert_eq!((&flow["change"], &flow["proof"]), (&json!("opened"), &json!("proved")));
    assert_eq!(flow["after"]["rule"]["written"], "tcp 5432 from anywhere");
    let Said { out, .. } = sglab(&program, &["diff", old, new, "--prove", "--format", "markdown"]);
    assert!(out.contains("<summary>proved by packets: 2 flows open in NEW"), "{out}");
    assert!(out.contains("\nproved: elsewhere (198.51.100.7) -> i-1:5432   OLD dropped"), "{out}");
}

#[test]
fn ends_that_only_the_new_cloud_has_are_told_as_such() {
    let program = Program::copy();
    let mut old: Value = serde_json::from_str(&cloud(&["0.0.0.0/0"])).unwrap();
    let new = write(&program, "new.json", &old.to_string());
    old["Reservations"][0]["Instances"][0]["InstanceId"] = json!("i-0");
    old["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"] = json!("eni-0");
    old["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]["Groups"] = json!([]);
    let old = write(&program, "old.json", &old.to_string());
    let [old, new] = names([&old, &new]);
    let Said { out, err, .. } = sglab(&program, &["diff", old, new, "--prove", "--fail-on", "never"]);
    assert!(out.contains("proved: elsewhere (198.51.100.7) -> i-1:5432   OLD not there; NEW open by db"), "{out}{err}");
}

/// A plan of one group with a rule, before and after.
fn plan(before: &str, after: &str, with_prior: bool) -> String {
    let values = |block: &str| {
        let rule =
            json!({"protocol": "tcp", "from_port": 5432, "to_port": 5432, "cidr_blocks": [block], "self": false});
        json!({"id": "sg-0a", "name": "db", "vpc_id": "vpc-1", "ingress": [rule], "egress": []})
    };
    let state = |block: &str| {
        json!({"root_module": {"resources": [{"address": "aws_security_group.db", "mode": "managed", "type": "aws_security_group",
            "name": "db", "values": values(block)}]}})
    };
    let mut plan = json!({
        "format_version": "1.2",
        "planned_values": state(after),
        "resource_changes": [{"address": "aws_security_group.db", "type": "aws_security_group", "name": "db",
            "change": {"actions": ["update"], "before": values(before), "after": values(after), "after_unknown": {}}}],
        "configuration": {"root_module": {}},
    });
    if with_prior {
        plan["prior_state"] = json!({"format_version": "1.0", "values": state(before)});
    }
    plan.to_string()
}

#[test]
fn one_plan_is_compared_with_the_state_that_it_was_made_against() {
    let program = Program::copy();
    let wider = write(&program, "plan.json", &plan("203.0.113.0/24", "0.0.0.0/0", true));
    let same = write(&program, "same.json", &plan("0.0.0.0/0", "0.0.0.0/0", true));
    let cut = write(&program, "cut.json", &plan("203.0.113.0/24", "0.0.0.0/0", false));
    let dump = write(&program, "dump.json", &cloud(&[]));
    let [wider, same, cut, dump] = names([&wider, &same, &cut, &dump]);
    let Said { code, out, err } = sglab(&program, &["diff", wider]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        out.starts_with(
            "newly open from outside: db:5432, by aws_security_group.db\n    from anywhere, to no member yet"
        ),
        "{out}"
    );
    assert!(out.contains("open before: tcp 5432 from 203.0.113.0/24"), "{out}");
    let Said { code, out, .. } = sglab(&program, &["diff", same]);
    assert_eq!((code, out.as_str()), (Some(0), "nothing opens, and nothing closes\n"));
    let Said { code, err, .. } = sglab(&program, &["diff", cut]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("this plan changes what is there, and has no `prior_state`"), "{err}");
    let Said { code, err, .. } = sglab(&program, &["diff", dump]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is no plan of Terraform") && err.contains("give a second source"), "{err}");
}

#[test]
fn a_folder_of_a_revision_of_git_is_a_source() {
    let program = Program::copy();
    let folder = program.scratch();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(&folder).env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "--quiet"]);
    std::fs::create_dir_all(folder.join("dumps/eu")).unwrap();
    std::fs::write(folder.join("dumps/eu/cloud.json"), cloud(&[])).unwrap();
    std::fs::write(folder.join("dumps/README.md"), "no source").unwrap();
    git(&["add", "dumps"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one"]);
    std::fs::write(folder.join("dumps/eu/cloud.json"), cloud(&["0.0.0.0/0"])).unwrap();
    let diff = |at: &Path, old: &str, new: &str| {
        let mut command = program.run(User::Ours, &["diff", old, new]);
        command.current_dir(at);
        said(command)
    };
    for (at, old, new) in [
        (folder.clone(), "HEAD:dumps", "dumps"),
        (folder.clone(), "HEAD:", "dumps"),
        (folder.join("dumps"), "HEAD:./eu", "eu"),
    ] {
        let Said { code, out, err } = diff(&at, old, new);
        assert_eq!(code, Some(1), "{old}: {out}{err}");
        assert!(out.starts_with("newly open from outside: db:5432"), "{old}: {out}{err}");
    }
    let Said { out, .. } = diff(&folder, "dumps", "HEAD:dumps");
    assert!(out.starts_with("newly closed from outside: db:5432"), "{out}");
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("empty/README.md"), "no source").unwrap();
    git(&["add", "empty"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "two"]);
    let Said { code, err, .. } = diff(&folder, "HEAD:empty", "dumps");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("there is no source (") && err.contains("in this folder of the revision"), "{err}");
    let Said { code, err, .. } = diff(&folder, "HEAD:nowhere", "dumps");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("failed to read HEAD:nowhere"), "{err}");
}

#[test]
fn what_must_be_made_a_source_first_says_how() {
    let program = Program::copy();
    let folder = program.scratch();
    let cdk = folder.join("app");
    std::fs::create_dir(&cdk).unwrap();
    std::fs::write(cdk.join("cdk.json"), r#"{"app": "node app.js"}"#).unwrap();
    let hcl = folder.join("infra");
    std::fs::create_dir(&hcl).unwrap();
    std::fs::write(hcl.join("main.tf"), "resource \"aws_vpc\" \"main\" {}\n").unwrap();
    std::fs::write(hcl.join("package.json"), "{}").unwrap();
    std::fs::write(folder.join("plan.bin"), b"PK\x03\x04\x14\x00\x08\x00tfplan").unwrap();
    std::fs::write(folder.join("main.hcl"), "# the shop\n\nresource \"aws_vpc\" \"main\" {\n}\n").unwrap();
    std::fs::write(folder.join("plan.ndjson"), "{\"@level\":\"info\",\"@message\":\"Terraform 1.9.0\"}\n").unwrap();
    for (path, words) in [
        (folder.join("plan.bin"), "plan.bin > plan.json`, and give plan.json"),
        (hcl.join("main.tf"), "HCL is not read: run `terraform plan -out=plan.bin && terraform show -json plan.bin"),
        (
            folder.join("main.hcl"),
            "HCL is not read: run `terraform plan -out=plan.bin && terraform show -json plan.bin",
        ),
        (hcl, "HCL is not read: run `terraform plan -out=plan.bin && terraform show -json plan.bin"),
        (folder.join("plan.ndjson"), "is what `terraform plan -json` says while it plans: run"),
        (cdk, "is an app of CDK: run `cdk synth` there"),
    ] {
        let path = path.to_str().unwrap();
        for command in [["import", path].as_slice(), &["lint", path], &["diff", path, path], &["graph", path]] {
            let Said { code, out, err } = sglab(&program, command);
            assert_eq!(code, Some(2), "{command:?}: {out}{err}");
            assert!(err.contains(words), "{command:?}: {err}");
        }
    }
}

#[test]
fn what_a_file_allows_is_no_failure_until_its_last_day() {
    let program = Program::copy();
    let old = write(&program, "old.json", &cloud(&["203.0.113.0/24"]));
    let new = write(&program, "new.json", &cloud(&["203.0.113.0/24", "0.0.0.0/0"]));
    let [old, new] = names([&old, &new]);
    let diff = |name: &str, text: &str, more: &[&str]| {
        let allow = write(&program, name, text);
        let arguments = ["diff", old, new, "--fail-on", "opened", "--allow", allow.to_str().unwrap()];
        sglab(&program, &[arguments.as_slice(), more].concat())
    };
    let text = "allows:\n  - {flow: 'anywhere -> db:5432', reason: the move, until: 2999-01-31}\n";
    let Said { code, out, err } = diff("one.yaml", text, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("allowed: anywhere -> db:5432\n    the move, until 2999-01-31\n"), "{out}");
    assert!(out.contains("one.yaml:2:5\n") && out.contains("nothing opens, and nothing closes; 1 allowed\n"), "{out}");
    let Said { out, .. } = diff("one.yaml", text, &["--format", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["verdict"]["opened"], &told["verdict"]["allowed"]), (&json!(0), &json!(1)));
    assert_eq!(told["allowed"][0]["allowed_by"][0]["reason"], "the move");
    let Said { out, .. } = diff("one.yaml", text, &["--format", "markdown"]);
    assert!(out.contains("Newly open and allowed") && out.contains("the move"), "{out}");

    let Said { code, out, .. } = diff("old.yaml", &text.replace("2999", "2020"), &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("the allowance of anywhere -> db:5432 ended on 2020-01-31\n"), "{out}");
    let Said { code, out, .. } = diff("other.yaml", &text.replace("5432", "5433"), &[]);
    assert_eq!(code, Some(1), "{out}");
    let useless = "the allowance of anywhere -> db:5433 allows nothing: no such flow is newly open\n";
    assert!(out.contains(useless) && out.contains("other.yaml:2:5"), "{out}");

    for (name, text, words) in [
        ("bare.yaml", "allows:\n  - {flow: 'anywhere -> db:5432'}\n", "an allowance lacks its `reason`"),
        ("blank.yaml", "allows:\n  - {flow: 'anywhere -> db:5432', reason: ' '}\n", "has no reason"),
        ("day.yaml", "allows:\n  - {flow: 'anywhere -> db:5432', reason: x, until: soon}\n", "`soon` is no day"),
        ("key.yaml", "allows:\n  - {flow: 'anywhere -> db:5432', reason: x, untill: soon}\n", "did you mean `until`?"),
        ("flow.yaml", "allows:\n  - {flow: 'db', reason: x}\n", "this is no passage"),
    ] {
        let Said { code, err, .. } = diff(name, text, &[]);
        assert_eq!(code, Some(2), "{name}: {err}");
        assert!(err.contains(words) && err.contains(&format!("{name}:2:")), "{name}: {err}");
    }
}

#[test]
fn an_accepted_cloud_keeps_its_allowances() {
    let program = Program::copy();
    let source = write(&program, "cloud.json", &cloud(&["0.0.0.0/0"]));
    let text = "admits: []\nallows:\n  - {flow: 'anywhere -> db:5432', reason: 'it''s the move', until: 2999-01-31}\n";
    let expect = write(&program, "expect.yaml", text);
    let [source, expect] = names([&source, &expect]);
    let Said { code, out, err } = sglab(&program, &["test", "--import", source, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let written = std::fs::read_to_string(expect).unwrap();
    let allowance = "allows:\n  - {flow: 'anywhere -> db:5432', reason: 'it''s the move', until: '2999-01-31'}\n";
    assert!(written.contains(allowance) && !written.contains("  - 'anywhere -> db:5432'"), "{written}");
    let Said { code, out, err } = sglab(&program, &["test", "--import", source, "--expect", expect]);
    assert_eq!(code, Some(0), "{out}{err}");
    std::fs::write(expect, written.replace("2999", "2020")).unwrap();
    let Said { code, err, .. } = sglab(&program, &["test", "--import", source, "--expect", expect]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("not accepted: anywhere -> db:5432"), "{err}");
}

const TEMPLATE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Office: {Type: String}
  Stage: {Type: String, Default: test, AllowedValues: [test, prod]}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress:
      - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Ref Office}
      - !If [IsProd, {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}, !Ref AWS::NoValue]
";

#[test]
fn parameters_of_a_template_take_values() {
    let program = Program::copy();
    let template = write(&program, "web.yaml", TEMPLATE);
    let file = json!([{"ParameterKey": "Office", "ParameterValue": "203.0.113.0/24"}, {"ParameterKey": "Stage", "ParameterValue": "prod"}]);
    let file = write(&program, "prod.json", &file.to_string());
    let [template, file] = names([&template, &file]);
    let import = |more: &[&str]| sglab(&program, &[["import", template, "--check"].as_slice(), more].concat());
    let Said { err, .. } = import(&[]);
    assert!(err.contains("the parameter `Office` has no default; `--parameter Office=VALUE` gives it"), "{err}");
    let Said { code, out, err } = import(&["--parameter", "Office=203.0.113.0/24"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("1 group with 2 rules (0 unknown)"), "{out}{err}");
    let Said { code, out, err } = import(&["--parameters", file]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("1 group with 3 rules (0 unknown)"), "{out}{err}");
    for (more, words) in [
        (["--parameter", "Ofice=203.0.113.0/24"], "there is no parameter `Ofice`; did you mean `Office`?"),
        (["--parameter", "Office"], "`Office` gives no parameter a value: write NAME=VALUE"),
        (["--parameter", "Stage=prd"], "`prd` is none of the values that the parameter `Stage` allows"),
        (["--parameter", "Office=nowhere"], "`nowhere` is no block of addresses"),
    ] {
        let Said { code, err, .. } = import(&more);
        assert_eq!(code, Some(2), "{more:?}: {err}");
        assert!(err.contains(words), "{more:?}: {err}");
    }
    let Said { code, out, err } = sglab(
        &program,
        &["diff", template, template, "--parameter", "Office=203.0.113.0/24", "--parameter", "Stage=prod"],
    );
    assert_eq!((code, out.as_str()), (Some(0), "nothing opens, and nothing closes\n"), "{err}");
    for command in ["lint", "graph", "drift"] {
        let sources: &[&str] = if command == "drift" { &[template, template] } else { &[template] };
        let said = sglab(&program, &[[command].as_slice(), sources, &["--parameters", file]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let said = sglab(&program, &[[command].as_slice(), sources, &["--parameter", "No=1"]].concat());
        assert_eq!(said.code, Some(2), "{said:?}");
    }
    let dump = write(&program, "dump.json", &cloud(&[]));
    let Said { code, err, .. } = sglab(&program, &["import", dump.to_str().unwrap(), "--parameter", "Office=1"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("there is no parameter `Office`: no source is a CloudFormation template"), "{err}");
}

#[test]
fn a_network_acl_that_goes_is_told_and_may_open() {
    let program = Program::copy();
    let with_acl = |action: &str| {
        let entry = |egress: bool, action: &str| json!({"Egress": egress, "RuleNumber": 100, "Protocol": "-1", "RuleAction": action, "CidrBlock": "0.0.0.0/0"});
        let mut reply: Value = serde_json::from_str(&cloud(&["0.0.0.0/0"])).unwrap();
        reply["NetworkAcls"] =
            json!([{"NetworkAclId": "acl-1", "Entries": [entry(false, action), entry(true, "allow")]}]);
        reply.to_string()
    };
    let (old, new) = (write(&program, "old.json", &with_acl("deny")), write(&program, "new.json", &with_acl("allow")));
    let [old, new] = names([&old, &new]);
    for fail_on in ["opened", "changed"] {
        let Said { code, out, .. } = sglab(&program, &["diff", old, new, "--fail-on", fail_on]);
        assert_eq!(code, Some(4), "{out}");
        assert!(
            out.starts_with("gone, and may have kept something closed: network ACL of acl-1: not emulated\n"),
            "{out}"
        );
        assert!(out.contains("; 1 not known\n"), "{out}");
    }
    let Said { code, out, .. } = sglab(&program, &["drift", old, new]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("network ACL of acl-1"), "{out}");
    let Said { out, .. } = sglab(&program, &["diff", old, new, "--format", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["gone"][0]["kind"], &told["gone"][0]["may_open"]), (&json!("network ACL"), &json!(true)));
}

#[test]
fn two_ranges_of_ports_are_what_one_has_accepted() {
    let program = Program::copy();
    let with = |ranges: &[(u16, u16)]| {
        let mut reply: Value = serde_json::from_str(&cloud(&[])).unwrap();
        let rule = |(from, to): &(u16, u16)| json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]});
        reply["SecurityGroups"][0]["IpPermissions"] = ranges.iter().map(rule).collect();
        reply.to_string()
    };
    let whole = write(&program, "whole.json", &with(&[(0, 65535)]));
    let halves = write(&program, "halves.json", &with(&[(0, 1000), (1001, 65535)]));
    let narrow = write(&program, "narrow.json", &with(&[(22, 22)]));
    let expect = program.scratch().join("expect.yaml");
    let [whole, halves, narrow, expect] = names([&whole, &halves, &narrow, &expect]);
    let test = |cloud: &str, more: &[&str]| {
        sglab(&program, &[&["test", "--import", cloud, "--expect", expect], more].concat())
    };
    let Said { code, err, out } = test(whole, &["--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let Said { code, err, out } = test(halves, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    let Said { code, err, .. } = test(narrow, &[]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("accepted, and not open any more: 10.0.0.0/8 -> db:0-21\n"), "{err}");
    assert!(err.contains("accepted, and not open any more: 10.0.0.0/8 -> db:23-65535\n"), "{err}");
    assert!(!err.contains("not accepted"), "{err}");
}
