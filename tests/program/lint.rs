//! `sglab lint` as it is typed.

use crate::program::{Program, sglab, write};

const OPEN: &str = "sglab: 1
era: vpc
groups:
  web: [tcp 22 from anywhere]
instances: {web1: {groups: web}}
";

#[test]
fn the_exit_code_is_by_the_worst_level() {
    let program = Program::copy();
    write(&program, "open.yaml", OPEN);
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.starts_with("error  admin-from-anywhere: ") && said.out.contains("open.yaml:4:9"), "{said:?}");
    assert!(said.out.contains("cure:  sglab authorize web 'tcp 22 from PREFIX-LIST'"), "{said:?}");
    for (arguments, code) in [
        (&["--fail-on", "never"][..], 0),
        (&["--profile", "all", "--level", "error"], 1),
        (&["--admin-ports", "3389"], 0),
        (&["--admin-ports", "3389", "--fail-on", "warning"], 1),
        (&["--convention", "tiers=a"], 2),
        (&["--allow", "absent.yaml"], 2),
    ] {
        let all: Vec<&str> = ["lint", "open.yaml"].iter().chain(arguments).copied().collect();
        let said = sglab(&program, &all);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    }
    assert_eq!(sglab(&program, &["lint"]).code, Some(2));
}

#[test]
fn an_allowance_wants_a_reason_in_a_comment_and_in_a_file() {
    let program = Program::copy();
    write(&program, "open.yaml", &OPEN.replace("anywhere]", "anywhere]  # sglab: allow admin-from-anywhere"));
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("has no reason") && said.err.contains("--> open.yaml:4:32"), "{said:?}");
    write(&program, "open.yaml", &OPEN.replace("anywhere]", "anywhere]  # sglab: allow admin-from-anywhere - a trap"));
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert!(said.code == Some(0) && said.out.contains("; 1 allowed"), "{said:?}");
    write(&program, "open.yaml", OPEN);
    write(&program, "allow.yaml", "- {check: admin-from-anywhere, resource: web, reason: a trap, until: 2020-01-01}\n");
    let said = sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]);
    assert!(said.code == Some(1) && said.out.contains("ended on 2020-01-01"), "{said:?}");
    write(&program, "allow.yaml", "- {check: admin-from-anywhere, resource: web, reason: a trap, until: 2999-01-01}\n");
    assert_eq!(sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]).code, Some(0));
    write(&program, "allow.yaml", "- {check: admin-from-anywher, resource: web, reason: a trap}\n");
    let said = sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `admin-from-anywhere`?"), "{said:?}");
}

#[test]
fn checks_are_listed_and_explained() {
    let program = Program::copy();
    let said = sglab(&program, &["lint", "--list"]);
    assert!(said.code == Some(0) && said.out.lines().count() >= 25, "{said:?}");
    let said = sglab(&program, &["lint", "--explain", "address-in-rule"]);
    assert!(said.code == Some(0) && said.out.contains("tcp 5432 from 10.0.0.11"), "{said:?}");
    let said = sglab(&program, &["lint", "--explain", "adress-in-rule"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `address-in-rule`?"), "{said:?}");
}

#[test]
fn findings_are_json_or_sarif_for_programs() {
    let program = Program::copy();
    write(&program, "open.yaml", OPEN);
    for (format, key) in [("json", "findings"), ("sarif", "runs")] {
        let said = sglab(&program, &["lint", "open.yaml", "--format", format]);
        let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert!(said.code == Some(1) && document[key].is_array(), "{said:?}");
    }
}

const SHOP: &str = "\
sglab: 1
era: vpc
hosts: {office: 203.0.113.10}

groups:
  # The shop.
  web: [tcp 443 from anywhere, 'tcp 443 from 203.0.113.0/24',  tcp 22 from office]   # two doors
  db:
    - tcp 5432 from web          # queries
    # Of old.
    # sglab: allow address-in-rule - nobody knows
    - tcp 5432 from 10.0.0.0/16
    - tcp 5432 from 10.0.0.11    # sglab: allow all-ports - no such thing
instances:
  web1: {groups: web, address: 10.0.0.11, listens: [tcp 443]}   # sglab: allow near-quota - none
  db1: {groups: db, listens: [tcp 5432]}
";

const FIXED: &str = "\
sglab: 1
era: vpc
hosts: {office: 203.0.113.10}

groups:
  # The shop.
  web: [tcp 443 from anywhere, tcp 22 from office]   # two doors
  db:
    # Of old.
    # sglab: allow address-in-rule - nobody knows
    - tcp 5432 from 10.0.0.0/16
instances:
  web1: {groups: web, address: 10.0.0.11, listens: [tcp 443]}
  db1: {groups: db, listens: [tcp 5432]}
";

#[test]
fn what_nobody_needs_is_cut_and_the_rest_stays_as_it_was() {
    let program = Program::copy();
    let shop = write(&program, "shop.yaml", SHOP);
    let said = sglab(&program, &["lint", "shop.yaml", "--fix", "--dry-run", "--fail-on", "warning"]);
    assert_eq!(std::fs::read_to_string(&shop).unwrap(), SHOP, "a trial writes nothing");
    assert!(said.out.starts_with("--- shop.yaml\n+++ shop.yaml\n@@ "), "{said:?}");
    assert!(
        said.out.contains("\n-    - tcp 5432 from 10.0.0.11    # sglab: allow all-ports - no such thing\n"),
        "{said:?}"
    );
    assert!(
        !said.out.contains("fixed") && said.err.contains("to be fixed: db \"tcp 5432 from web\" (shadowed-rule)"),
        "{said:?}"
    );
    let said = sglab(&program, &["lint", "shop.yaml", "--fix", "--fail-on", "warning"]);
    assert!(said.out.contains("fixed: db \"tcp 5432 from web\" (shadowed-rule)  shop.yaml:9:7\n"), "{said:?}");
    assert_eq!(std::fs::read_to_string(&shop).unwrap(), FIXED);
    assert!(!said.out.contains("useless-allowance:") && !said.out.contains("shadowed-rule:"), "{said:?}");
    assert_eq!(said.code, Some(0), "nothing but notes remains: {said:?}");
    let said = sglab(&program, &["lint", "shop.yaml", "--fix", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&document["fixes"]["written"], &document["fixes"]["diff"]), (&serde_json::Value::Null, &"".into()));
    assert_eq!(std::fs::read_to_string(&shop).unwrap(), FIXED, "a second run has nothing to do");
}

#[test]
fn a_rule_that_a_later_step_needs_is_not_cut() {
    let program = Program::copy();
    let later = SHOP.to_owned()
        + "scenario:\n  - step: only the tier\n    do: [{revoke: {db: [tcp 5432 from 10.0.0.0/16, tcp 5432 from 10.0.0.11]}}]\n    expect: {open: [web1 -> db1:5432]}\n";
    let shop = write(&program, "shop.yaml", &later);
    let said = sglab(&program, &["lint", "shop.yaml", "--fix", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let told = |key: &str| {
        let all = document["fixes"][key].as_array().expect("a list").iter();
        all.map(|one| one["subject"].as_str().expect("a subject").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("not_fixed"), ["db \"tcp 5432 from web\"", "db \"tcp 5432 from 10.0.0.11\""], "{said:?}");
    assert!(told("fixed").contains(&"web \"tcp 443 from 203.0.113.0/24\"".to_owned()), "{said:?}");
    let left = std::fs::read_to_string(&shop).unwrap();
    assert!(left.contains("tcp 5432 from web") && left.contains("- tcp 5432 from 10.0.0.11\n"), "{left}");
    assert_eq!(document["fixes"]["written"], "shop.yaml");
    assert!(
        document["fixes"]["not_fixed"][0]["reason"].as_str().expect("a reason").contains("only the tier"),
        "{said:?}"
    );
}

#[test]
fn an_entry_of_several_rules_goes_with_all_of_them_only() {
    let program = Program::copy();
    let text = SHOP.replace("tcp 5432 from 10.0.0.11    #", "'tcp 5432 from 10.0.0.11, 203.0.113.9'   #");
    let shop = write(&program, "shop.yaml", &text);
    let said = sglab(&program, &["lint", "shop.yaml", "--fix"]);
    assert!(said.out.contains("its entry is several rules"), "{said:?}");
    assert!(std::fs::read_to_string(&shop).unwrap().contains("'tcp 5432 from 10.0.0.11, 203.0.113.9'"), "{said:?}");
}

/// Two rules of which the second is carried, and an instance that holds the address of a third.
const REPLIES: &str = r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
"SecurityGroups": [
  {"GroupId": "sg-web", "GroupName": "web", "VpcId": "vpc-1", "Description": "web", "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], "IpPermissions": [
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}]},
  {"GroupId": "sg-db", "GroupName": "db", "VpcId": "vpc-1", "Description": "db", "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], "IpPermissions": [
    {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.11/32"}]}]}],
"NetworkInterfaces": [
  {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.11", "Groups": [{"GroupId": "sg-web"}],
   "Attachment": {"InstanceId": "i-1"}, "Status": "in-use"},
  {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.21", "Groups": [{"GroupId": "sg-db"}],
   "Attachment": {"InstanceId": "i-2"}, "Status": "in-use"}]}"#;

#[test]
fn sources_of_others_are_not_edited() {
    let program = Program::copy();
    let path = write(&program, "account.json", REPLIES);
    let said = sglab(&program, &["lint", "account.json", "--fix"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("nothing is edited: the source is no topology of sglab"), "{said:?}");
    let cure = r#"cure: aws ec2 revoke-security-group-ingress --group-id sg-web --ip-permissions '[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"203.0.113.0/24"}]}]'"#;
    assert!(said.err.contains(cure), "{said:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), REPLIES);
    let said = sglab(&program, &["lint", "example:by-address", "--fix"]);
    assert!(said.code == Some(2) && said.err.contains("is no file that can be written"), "{said:?}");
}

fn proofs(said: &crate::program::Said) -> Vec<(String, String, String)> {
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("JSON: {said:?}"));
    let of = |finding: &serde_json::Value| {
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        finding["proof"]
            .is_object()
            .then(|| (word(&finding["check"]), word(&finding["proof"]["status"]), word(&finding["proof"]["told"])))
    };
    document["findings"].as_array().expect("findings").iter().filter_map(of).collect()
}

#[test]
fn findings_about_behaviour_are_proved_by_packets() {
    let program = Program::copy();
    write(&program, "account.json", REPLIES);
    let shop = SHOP.replace("    # sglab: allow address-in-rule - nobody knows\n", "");
    write(&program, "shop.yaml", &shop.replace("    - tcp 5432 from 10.0.0.0/16\n", ""));
    for source in ["account.json", "shop.yaml"] {
        let said = sglab(&program, &["lint", source, "--prove", "--format", "json"]);
        let proofs = proofs(&said);
        let of =
            |check: &str| proofs.iter().find(|(id, ..)| id == check).unwrap_or_else(|| panic!("{check}: {said:?}"));
        let (_, status, told) = of("address-in-rule");
        assert_eq!(status, "proved", "{told}");
        let holder = if source == "shop.yaml" { ("web1", "db1") } else { ("i-1", "i-2") };
        let wanted = format!(
            "stranger -> {}:5432 is open where the stranger got {}'s 10.0.0.11, and dropped where it has another address",
            holder.1, holder.0
        );
        assert_eq!(*told, wanted);
        let (_, status, told) = of("shadowed-rule");
        assert_eq!(status, "proved", "{told}");
        assert!(told.ends_with("cells of the truth table are the same with and without it"), "{told}");
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    let said = sglab(&program, &["lint", "shop.yaml", "--prove"]);
    assert!(said.out.contains("        proved: stranger -> db1:5432 is open"), "{said:?}");
}

#[test]
fn what_no_lab_shows_is_not_proved_and_says_why() {
    let program = Program::copy();
    // Another rule lets everybody in: the address decides nothing.
    write(&program, "shop.yaml", &SHOP.replace("    # sglab: allow address-in-rule - nobody knows\n", ""));
    let said = sglab(&program, &["lint", "shop.yaml", "--prove", "--format", "json"]);
    let all = proofs(&said);
    for why in ["by prediction the address decides nothing: bystander -> db1:5432", "every address of the VPC"] {
        let is_it = |(id, status, told): &(String, String, String)| {
            id == "address-in-rule" && status == "not proved" && told.contains(why)
        };
        assert!(all.iter().any(is_it), "{why}: {all:?}");
    }
    assert_eq!(said.code, Some(4), "{said:?}");
    // Nobody is in the group.
    write(
        &program,
        "alone.yaml",
        "sglab: 1\nera: vpc\ngroups: {web: [], db: [tcp 5432 from 10.0.0.11]}\ninstances: {web1: {groups: web, address: 10.0.0.11}}\n",
    );
    let said = sglab(&program, &["lint", "alone.yaml", "--prove"]);
    assert!(said.out.contains("not proved: no other instance that runs is in the group"), "{said:?}");
}

#[test]
fn an_allowance_means_a_group_by_its_name_too() {
    let program = Program::copy();
    write(&program, "account.json", REPLIES);
    for (resource, allowed) in [("db", true), ("sg-db", true), ("web", false)] {
        let text = format!("- {{check: address-in-rule, resource: {resource}, reason: a test}}\n");
        write(&program, "allow.yaml", &text);
        let said = sglab(&program, &["lint", "account.json", "--allow", "allow.yaml"]);
        assert_eq!(said.out.contains("; 1 allowed"), allowed, "{resource}: {said:?}");
    }
}
