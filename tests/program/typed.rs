//! What somebody types for a lab that is up, and what a newcomer is told.

use serde_json::Value;

use crate::labs::Labs;
use crate::program::{Program, User, sglab, write};

const SHOP: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {front: 10.0.1.0/24}}}
groups: {WEB: [tcp 80 from anywhere], ADMIN: []}
instances: {web1: {groups: WEB, listens: tcp 80}, web2: {groups: WEB}}
";

#[test]
fn what_is_wrong_by_itself_is_told_without_a_lab() {
    let program = Program::copy();
    for (arguments, words) in [
        (&["authorize", "WEB", "tcp 80-70 frm DB"][..], "2 | tcp 80-70 frm DB\n  |     ^^^^^ write 70-80"),
        (&["authorize", "WEB", "tcp 80 frm DB"], "2 | tcp 80 frm DB\n  |        ^^^ did you mean `from`?"),
        (&["create-group", "DB", "443 from anywhere"], "^^^ write `tcp 443 from anywhere`, or udp"),
        (&["authorize", "WEB", "tcp", "80", "from", "DB"], "a rule is one argument, in quotes: 'tcp 80 from DB'"),
        (&["probe", "web1", "db1"], "2 | db1\n  | ^^^ such as `:3306`, `:53/udp` or `:ping`"),
        (&["explain", "web1 -> db1:80 by private"], "did you mean `by private address`?"),
    ] {
        let said = sglab(&program, arguments);
        assert!(said.code == Some(2) && said.err.contains(words), "{arguments:?}: {said:?}");
    }
    // What is right by itself needs a lab.
    let said = sglab(&program, &["authorize", "WEB", "tcp 80 from DB"]);
    assert!(said.err.contains("no lab is up"), "{said:?}");
    let said = sglab(&program, &["check", "example:case-04"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean example:gotchas/case-04"), "{said:?}");
    assert_eq!(sglab(&program, &["init"]).code, Some(0));
    let said = sglab(&program, &["init"]);
    let expected = "error: sglab.yaml is there already, and nothing is overwritten; `sglab init another.yaml` writes a file of another name\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), expected));
}

#[test]
fn a_lab_answers_what_is_typed_at_the_words_that_were_typed() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "shop.yaml", SHOP);
    let up: Value = serde_json::from_str(&labs.ok(&["up", "shop.yaml", "--format", "json"])).expect("JSON");
    assert_eq!((up["lab"].as_str(), up["instances"].as_u64()), (Some("shop"), Some(2)));
    let said = labs.say(&["launch", "web3", "--group", "WBE", "--group", "ADMN", "--subnet", "frnt"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    for words in [
        "2 | WBE\n  | ^^^ did you mean `WEB`?",
        "3 | ADMN\n  | ^^^^ did you mean `ADMIN`?",
        "4 | frnt\n  | ^^^^ did you mean `front`?",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    // An existing name stays EC2's to refuse.
    let said = labs.say(&["create-group", "WEB", "tcp 80 from office"]);
    assert!(said.code == Some(1) && said.err.starts_with("refused: InvalidGroup.Duplicate"), "{said:?}");
    let told = labs.ok(&["authorize", "WEB", "tcp 22 from office", "--description", "admins"]);
    assert!(told.contains("  WEB + tcp 22 from office\n"), "{told}");
    let again = labs.ok(&["update-description", "WEB", "tcp 22 from office", "--description", "admins"]);
    assert!(again.ends_with(" ms\n  nothing changed\n"), "{again}");
    let said = labs.say(&["revoke", "WEB", "tcp 22 from office", "tcp 23 from office", "tcp 24 from ADMIN"]);
    let expected = "         there is no rule `tcp 23 from office`\n         there is no rule `tcp 24 from ADMIN`\n";
    assert!(said.code == Some(1) && said.err.ends_with(expected), "{said:?}");
    let told = labs.ok(&["set-groups", "web1", "WEB", "ADMIN"]);
    assert!(told.contains("  web1 groups WEB -> WEB, ADMIN\n"), "{told}");
    let told = labs.ok(&["explain", "office", "web1:80"]);
    assert!(told.starts_with("office -> web1:80 "), "{told}");
    let said = labs.say(&["probe", "office", "10.0.1.99:80"]);
    assert!(said.code == Some(2) && said.err.contains("nobody has 10.0.1.99, which lies in VPC `main`"), "{said:?}");
    let said = labs.say(&["authorize", "WEB", "tcp 443 from everywhere"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `anywhere`?"), "{said:?}");
    let down: Value = serde_json::from_str(&labs.ok(&["down", "--format", "json"])).expect("JSON");
    assert_eq!(down, serde_json::json!([{"lab": "shop", "had_died": false}]));
}
