//! `sglab diff`, `import` and `test --import` on files of one's own cloud.

use serde_json::{Value, json};

use crate::program::{Program, Said, User, run, said, sglab, write};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/terraform");

fn plan(name: &str) -> String {
    format!("{EXAMPLES}/{name}.json")
}

/// One group with these rules, as `aws ec2 describe-security-groups` tells it.
fn groups(rules: &[Value]) -> String {
    json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "IpPermissions": rules}]}).to_string()
}

fn from(block: &str) -> Value {
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
    assert!(out.starts_with("newly closed from outside: db:5432"), "{out}");
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
fn the_expectation_is_written_once_and_a_widened_rule_is_a_red_run() {
    let program = Program::copy();
    let old = write(&program, "old.json", &groups(&[from("10.0.0.0/16")]));
    let new = write(&program, "new.json", &groups(&[from("0.0.0.0/0")]));
    let expect = program.scratch().join("expect.yaml");
    let [old, new, expect] = [&old, &new, &expect].map(|path| path.to_str().unwrap());
    let Said { code, err, .. } = sglab(&program, &["test", "--import", old, "--expect", expect]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("`--accept` writes what is admitted now"), "{err}");
    let Said { code, err, out } = sglab(&program, &["test", "--import", old, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let written = std::fs::read_to_string(expect).unwrap();
    assert!(written.contains("admits:\n  - '10.0.0.0/16 -> db:5432'"), "{written}");
    let Said { code, err, .. } = sglab(&program, &["test", "--import", new, "--expect", expect]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("not accepted: anywhere -> db:5432, by sg-1\n") && err.contains("new.json:1:"), "{err}");
    assert!(err.contains("accepted, and not open any more: 10.0.0.0/16 -> db:5432\n"), "{err}");
    assert_eq!(std::fs::read_to_string(expect).unwrap(), written);
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
    let Said { code, out, err } = run(&["import", source, "--to", "terraform", "--strict"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("left out: 1 VPC: not written as it is"), "{err}");
    assert!(out.contains("# VPC of sg-1 ("), "{out}");
}

#[test]
fn a_rule_for_a_group_of_another_account_is_not_known_and_no_pass() {
    let program = Program::copy();
    let foreign = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
                         "UserIdGroupPairs": [{"GroupId": "sg-9", "UserId": "999", "PeeringStatus": "active"}]});
    let with_owner = |rules: &[Value]| {
        let mut reply: Value = serde_json::from_str(&groups(rules)).unwrap();
        reply["SecurityGroups"][0]["OwnerId"] = json!("111122223333");
        reply.to_string()
    };
    let old = write(&program, "old.json", &with_owner(&[from("10.0.0.0/16")]));
    let new = write(&program, "new.json", &with_owner(&[from("10.0.0.0/16"), foreign]));
    let expect = program.scratch().join("expect.yaml");
    let [old, new, expect] = [&old, &new, &expect].map(|path| path.to_str().unwrap());
    let Said { code, out, err } = sglab(&program, &["test", "--import", old, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let Said { code, out, err } = sglab(&program, &["test", "--import", new, "--expect", expect]);
    assert_eq!(code, Some(4), "{out}{err}");
    let Said { code, out, err } = sglab(&program, &["diff", old, new]);
    assert_eq!(code, Some(4), "{out}{err}");
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
