//! A lab that stays up, looked at: what packets met, what happened, the cloud as a file, its log.

use std::os::unix::net::UnixStream;

use crate::labs::Labs;
use crate::program::{User, users};
use serde_json::Value;
use sglab::protocol::{self, MAX_REPLY, MAX_REQUEST, Reply, VERSION};

#[test]
fn explain_on_a_lab_tells_what_is_predicted_and_what_the_packet_met() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let told = labs.ok(&["explain", "web1", "db1:3306"]);
        assert!(told.contains("  open, by SG-T-DB \"tcp 3306 from SG-T-WEB\""), "{told}");
        assert!(told.contains("recorded   accept   web1 egress  tcp 10.0.0.11:"), "{told}");
        assert!(told.contains(" -> 10.0.0.13:3306  by SG-T-DB \"tcp 3306 from SG-T-WEB\""), "{told}");
        assert!(told.ends_with("  probed     open\n             as predicted\n"), "{told}");
        // By public address the packet crosses the filter twice, and the second time nothing admits it.
        let told = labs.ok(&["explain", "db1", "web1:22", "--by", "public", "--format", "json"]);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let met: Vec<_> = told[0]["met"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap()).collect();
        assert_eq!(met, ["accept", "drop"], "{told}");
        assert_eq!(told[0]["met"][1]["source"], "198.18.0.13");
        assert_eq!(
            (told[0]["agreement"].as_str(), told[0]["predicted"]["verdict"].as_str()),
            (Some("agree"), Some("dropped"))
        );
    }
}

#[test]
fn a_probe_of_who_does_not_run_says_so() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("down.yaml");
    let text = "sglab: 1\nera: article\nhosts: {office: 203.0.113.10}\ngroups: {N: [tcp 80 from anywhere]}\n\
                instances: {web: {groups: N}, app: {groups: N}, gone: {groups: N}}\n\
                scenario: [{step: s, do: [{stop: web}, {crash: gone}], expect: {unreachable: ['any -> web:80', 'app -> gone:80']}}]\n";
    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "down.yaml", "--step", "1"]);
    for (from, to, said) in [
        ("app", "web:80", "unreachable  web is stopped\n"),
        ("office", "web:80", "unreachable  web is stopped\n"),
        ("app", "gone:80", "unreachable  gone has crashed\n"),
    ] {
        let told = labs.ok(&["probe", from, to]);
        assert_eq!(told, format!("{from} -> {to}  {said}"));
    }
    let told = labs.ok(&["explain", "app", "web:80"]);
    assert!(told.contains("  probed     unreachable: web is stopped\n"), "{told}");
    labs.ok(&["start", "web"]);
    assert!(labs.ok(&["probe", "app", "web:80"]).starts_with("app -> web:80  open  "));
}

/// As of a file, and by prediction: a probe sends one way.
#[test]
fn explain_on_a_lab_tells_what_two_ends_come_to_where_both_send() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("peers.yaml");
    let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {A: [], B: [udp 500 from office]}\n\
                instances: {a: {groups: A}, b: {groups: B}}\n\
                scenario: [{step: s, expect: {dropped: ['a -> b:500/udp']}}]\n";
    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "peers.yaml"]);
    for flow in ["a:4500 <-> b:500/udp", "b <-> a:47/udp", "a <-> b:protocol 47", "office <-> b:500/udp"] {
        let of_file = labs.ok(&["explain", "peers.yaml", flow]);
        let (_, expected) = of_file.split_once("   where both send\n").expect(&of_file);
        let told = labs.ok(&["explain", flow]);
        let (ways, together) = told.split_once("   where both send\n").expect(&told);
        assert_eq!(together, format!("{expected}  by prediction: a probe sends one way\n"), "{flow}");
        assert_eq!(ways.matches("as predicted\n").count(), 2, "{told}");
    }
    let told = labs.ok(&["explain", "a:4500 <-> b:500/udp", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told[0].get("together"), None, "{told}");
    assert_eq!(told[1]["together"]["predicted"]["meet"], true, "{told}");
    // One way alone, and what is not sent from fixed ports.
    for flow in ["a -> b:500/udp", "a <-> b:80"] {
        assert!(!labs.ok(&["explain", flow]).contains("where both send"), "{flow}");
    }
}

#[test]
fn a_file_and_a_lab_are_told_apart_by_the_words_alone() {
    let labs = Labs::of(User::Ours);
    // None is up, and what means a file needs none.
    assert!(labs.ok(&["explain", "example:two-tier", "web1 -> db1:3306"]).contains("as launched"));
    assert!(labs.ok(&["render", "example:two-tier"]).contains("table inet sglab"));
    for (words, wanted) in [
        (&["explain", "web1", "db1:3306"][..], "no lab is up"),
        (&["explain", "web1 -> db1:3306"], "no lab is up"),
        (&["render"], "no lab is up"),
        (&["export"], "no lab is up"),
        (&["explain", "example:two-tier"], "which flow of example:two-tier?"),
        (&["explain", "example:two-tier", "web1"], "`web1` is not a flow"),
        (&["explain", "two-tier.yaml", "web1 -> db1:3306", "--name", "x"], "--name are for a lab that is up"),
        (&["explain", "web1", "db1:3306", "--step", "2"], "--step and --era are for a file"),
        (&["explain", "web1 -> db1:22", "db1:22"], "one flow too many"),
        (&["render", "--step", "2"], "<FILE|example:NAME>"),
        (&["events", "--name", "../x"], "cannot be the name of a lab"),
    ] {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        assert!(said.err.contains(wanted), "{words:?}: {said:?}");
    }
}

#[test]
fn a_lab_in_which_nobody_asks_anybody_is_exported_without_a_table() {
    let labs = Labs::of(User::Ours);
    let one = "instances: {web: {groups: WEB}}\n";
    for (file, text, then) in [
        ("one.yaml", format!("sglab: 1\nera: vpc\ngroups: {{WEB: []}}\n{one}"), &[][..]),
        ("stopped.yaml", format!("sglab: 1\nera: vpc\ngroups: {{WEB: []}}\n{one}"), &["stop", "web"]),
        ("none.yaml", "sglab: 1\nera: article\nhosts: {office: 203.0.113.10}\ngroups: {WEB: []}\n".to_owned(), &[]),
    ] {
        std::fs::write(labs.program.scratch().join(file), text).unwrap();
        labs.ok(&["up", file, "--name", "first"]);
        if !then.is_empty() {
            labs.ok(then);
        }
        let exported = labs.say(&["export", "-o", "now.yaml"]);
        assert_eq!(exported.code, Some(0), "{file}: {exported:?}");
        let said = "note: written without a table: no table says what is open in this cloud\n";
        // That it stops an instance and edits no rule is something to hold.
        assert_eq!(exported.err, if then.is_empty() { said } else { "" }, "{file}");
        let text = std::fs::read_to_string(labs.program.scratch().join("now.yaml")).unwrap();
        assert!(!text.contains("tables:"), "{text}");
        let step: &[&str] = if then.is_empty() { &[] } else { &["--step", "1"] };
        labs.ok(&[&["up", "now.yaml", "--name", "again"], step].concat());
        let difference = labs.ok(&["diff", "lab:first", "lab:again", "--rules"]);
        assert_eq!(difference, "nothing opens, and nothing closes\n", "{file}");
        labs.ok(&["down", "--all"]);
        std::fs::remove_file(labs.program.scratch().join("now.yaml")).unwrap();
    }
}

#[test]
fn an_exported_lab_has_the_same_truth_table_where_it_is_brought_up_again() {
    let labs = Labs::of(User::Ours);
    for example in ["two-tier", "by-address-vpc"] {
        labs.ok(&["up", &format!("example:{example}"), "--name", "first"]);
        labs.ok(&["create-group", "LATE", "tcp 99 from anywhere"]);
        labs.ok(&["launch", "late", "--group", "LATE"]);
        labs.ok(&["export", "-o", "now.yaml"]);
        let again = labs.say(&["export", "-o", "now.yaml"]);
        assert_eq!(again.code, Some(2), "an existing file is not overwritten: {again:?}");
        labs.ok(&["check", "now.yaml"]);
        let replies = labs.ok(&["state", "--format", "describe"]);
        assert_eq!(labs.ok(&["export", "--to", "describe"]), replies);
        std::fs::write(labs.program.scratch().join("now.json"), replies).unwrap();
        let difference = labs.ok(&["diff", "now.yaml", "now.json", "--rules"]);
        assert_eq!(difference, "nothing opens, and nothing closes\n");
        assert!(labs.ok(&["export", "--to", "terraform"]).contains("resource \"aws_instance\" \"late\""));
        assert!(labs.ok(&["test", "now.yaml"]).contains("PASSED"));
        labs.ok(&["up", "now.yaml"]);
        let table = |lab| labs.ok(&["matrix", "--format", "json", "--name", lab]);
        assert_eq!(table("first"), table("now"));
        labs.ok(&["down", "--all"]);
        std::fs::remove_file(labs.program.scratch().join("now.yaml")).unwrap();
    }
}

#[test]
fn a_rule_of_a_lab_is_described_anew() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let rule = "tcp 3306 from SG-T-WEB";
    let change = |words: &[&str]| labs.ok(&[&["update-description", "SG-T-DB", rule, "--description"], words].concat());
    let said = change(&["queries of the shop"]);
    assert!(said.contains("SG-T-DB tcp 3306 from SG-T-WEB: description none -> \"queries of the shop\""), "{said}");
    let explained = labs.ok(&["explain", "web1", "db1:3306"]);
    assert!(explained.contains("\"tcp 3306 from SG-T-WEB\" (queries of the shop)"), "{explained}");
    assert!(labs.ok(&["export"]).contains("description: queries of the shop"));
    let json: Value = serde_json::from_str(&change(&["", "--format", "json"])).expect("JSON");
    assert_eq!(json[0]["operation"], "update-description SG-T-DB");
    assert_eq!(json[0]["changes"][0], "SG-T-DB tcp 3306 from SG-T-WEB: description \"queries of the shop\" -> none");
    assert!(!labs.ok(&["export"]).contains("queries of the shop"));
    for (words, code, wanted) in [
        (
            &["SG-T-DB", "tcp 3307 from SG-T-WEB", "--description", "x"][..],
            1,
            "InvalidPermission.NotFound: The specified rule does not exist in this security group.",
        ),
        (&["SG-T-DB", rule, "--description", "it's"], 1, "InvalidParameterValue: Invalid rule description."),
        (&["SG-T-DB", rule], 2, "--description <TEXT>"),
        (&["SG-T-BD", rule, "--description", "x"], 2, "SG-T-DB"),
        (&["SG-T-DB", "tcp 3306 form SG-T-WEB", "--description", "x"], 2, "^"),
    ] {
        let said = labs.say(&[&["update-description"], words].concat());
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        assert!(said.err.contains(wanted), "{words:?}: {said:?}");
    }
}

#[test]
fn a_shell_is_offered_the_names_of_the_lab_that_is_up() {
    let labs = Labs::of(User::Ours);
    let script = labs.ok(&["completions", "bash"]);
    std::fs::write(labs.program.scratch().join("completions"), script).unwrap();
    // As bash does it for `sglab WORDS<tab>`.
    let offered = |words: &[&str]| {
        let program = labs.program.path();
        let place = program.parent().unwrap().display().to_string();
        let all = [&["sglab"], words].concat();
        let quoted: Vec<String> = all.iter().map(|word| format!("'{word}'")).collect();
        let line = format!(
            "PATH={place}:$PATH; . ./completions; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
             _clap_complete_sglab sglab '{}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            all.len() - 1,
            all.last().unwrap(),
        );
        let mut bash = labs.program.dress(User::Ours, std::process::Command::new("bash"), &["-c", &line]);
        let output = bash.env("SGLAB_RUNTIME_DIR", labs.folder()).output().expect("bash");
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(offered(&["up", "example:two-t"]), ["example:two-tier", "example:two-tier-vpc"]);
    assert_eq!(offered(&["test", "example:gotchas/case-0"]).len(), 9);
    std::fs::write(labs.program.scratch().join("my-cloud.yaml"), "").unwrap();
    for words in [&["test", "my-"][..], &["explain", "my-"], &["check", "my-"]] {
        assert_eq!(offered(words), ["my-cloud.yaml"], "{words:?}");
    }
    assert!(offered(&["stop", "we"]).iter().all(|word| !word.starts_with("web")), "none is up");
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(offered(&["stop", "we"]), ["web1", "web2"]);
    assert_eq!(offered(&["authorize", "SG-T-"]), ["SG-T-WEB", "SG-T-DB", "SG-T-ADMIN"]);
    assert_eq!(offered(&["probe", "off"]), ["office"]);
    assert_eq!(offered(&["exec", "off"]), ["office"]);
    assert_eq!(offered(&["exec", "db"]), ["db1", "db2"]);
    assert_eq!(offered(&["probe", "web1", "db2"]), ["db2:"]);
    assert_eq!(offered(&["down", "two"]), ["two-tier"]);
    labs.ok(&["launch", "late", "--group", "SG-T-DB"]);
    assert_eq!(offered(&["explain", "lat"]), ["late"]);
    assert_eq!(offered(&["matri"]), ["matrix"]);
    labs.ok(&["down"]);
    // A load balancer is an end of flows, and no instance that could be stopped.
    labs.ok(&["up", "example:gotchas/a-load-balancer-target-on-a-new-address"]);
    assert_eq!(offered(&["probe", "lb"]), ["lb"]);
    assert_eq!(offered(&["probe", "web1", "lb"]), ["lb:"]);
    assert_eq!(offered(&["explain", "web1", "lb"]), ["lb:"]);
    assert!(!offered(&["stop", "lb"]).contains(&"lb".to_owned()));
}

/// What a lab answers to bytes, until it closes.
fn answers(labs: &Labs, bytes: &[u8]) -> Vec<Reply> {
    let answer = labs.raw("two-tier", bytes);
    let mut rest = answer.as_slice();
    std::iter::from_fn(|| protocol::read::<Reply>(&mut rest, MAX_REPLY).ok()).collect()
}

fn framed(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

#[test]
fn whatever_is_asked_wrongly_at_the_socket_is_an_error_and_the_lab_is_unharmed() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let ask = |request: &str| answers(&labs, &framed(&format!("{{\"sglab\":{VERSION},\"request\":{request}}}")));
    let flow = |from: &str, to: &str| {
        let ends = [("from", from), ("to", to)].map(|(end, name)| format!("\"{end}\":{{\"instance\":\"{name}\"}}"));
        format!("{{{},\"via\":\"private\",\"service\":\"tcp 22\"}}", ends.join(","))
    };
    let probe = |flows: &str| format!("{{\"probe\":{{\"flows\":[{flows}],\"details\":\"records\"}}}}");
    let apply = |operation: &str| format!("{{\"apply\":{{\"operations\":[{operation}]}}}}");
    let nested = apply(&"[".repeat(100_000));
    for (request, wanted) in [
        // Nobody sends, and nobody is asked: nothing is proved, and nothing breaks.
        (probe(&flow("nobody", "db1")), "Probed([ProbedFlow { flow: Flow { from: Instance(\"nobody\")"),
        (
            probe(&flow("web1", "nobody")),
            "Probed([ProbedFlow { flow: Flow { from: Instance(\"web1\"), to: Instance(\"nobody\")",
        ),
        (probe(&flow("web1", "../db1")), "Failed"),
        (probe(&flow("web1", "db1").replace("tcp 22", "tcp 0")), "Failed"),
        (probe(&flow("web1", "db1").replace("tcp 22", "tcp 99999")), "Failed"),
        (probe(&flow("web1", "db1").replace("private", "post")), "Failed"),
        (probe("\"web1 -> db1:22\""), "Failed"),
        ("{\"probe\":{\"flows\":[],\"details\":\"none\",\"at\":7}}".to_owned(), "Stale(Revision(0))"),
        ("{\"apply\":{\"operations\":[{\"stop\":\"web1\"}],\"at\":7}}".to_owned(), "Stale(Revision(0))"),
        (apply("{\"stop\":\"web1; flush ruleset\"}"), "Failed"),
        (apply("{\"stop\":\"nobody\"}"), "Refused"),
        (
            apply("{\"create-group\":{\"name\":\"X\",\"vpc\":\"nobody\",\"description\":null,\"place\":null}}"),
            "Refused",
        ),
        ("{\"capture\":{\"instance\":\"../../etc\"}}".to_owned(), "Failed"),
        ("{\"capture\":{\"instance\":\"\"}}".to_owned(), "Failed"),
        ("{\"capture\":{\"instance\":\"internet\"}}".to_owned(), "Unfit"),
        // Names that nobody has are told as names, with those that there are.
        (
            "{\"process-log\":{\"instance\":\"web9\",\"process\":\"web\"}}".to_owned(),
            "Unfit(NoSuch { kind: Instance, name: \"web9\", known: [\"web1\", \"web2\", \"db1\", \"db2\"] })",
        ),
        (
            "{\"process-log\":{\"instance\":\"web1\",\"process\":\"web\"}}".to_owned(),
            "Unfit(NoSuch { kind: Process, name: \"web1/web\", known: [] })",
        ),
        ("{\"capture\":{}}".to_owned(), "Failed"),
        ("{\"events\":{\"follow\":\"yes\"}}".to_owned(), "Failed"),
        ("{\"flow-logs\":{\"follow\":1}}".to_owned(), "Failed"),
        ("{\"changes\":1}".to_owned(), "Failed"),
        ("{\"matrix\":{\"ports\":[],\"by\":[]}}".to_owned(), "Failed"),
        ("[\"state\"]".to_owned(), "Failed"),
        ("null".to_owned(), "Failed"),
        (nested, "Failed"),
    ] {
        let shown = &request[..request.len().min(60)];
        let told = ask(&request);
        assert_eq!(told.len(), 1, "{shown}: {told:?}");
        assert!(format!("{:?}", told[0]).starts_with(wanted), "{shown}: {:?}", told[0]);
    }
    // Largest and too large, deeply nested, of no version, and not even JSON's characters.
    for (bytes, wanted) in [
        (framed(&"x".repeat(MAX_REQUEST)), "no message of the protocol"),
        ((MAX_REQUEST as u32 + 1).to_be_bytes().to_vec(), "1048576 are the most"),
        (framed(&"[".repeat(MAX_REQUEST)), "no message of the protocol"),
        (framed("{\"request\":\"state\"}"), "no message of the protocol"),
        (framed("{\"sglab\":-1,\"request\":\"state\"}"), "no message of the protocol"),
        (framed("{\"sglab\":1,\"request\":{\"new\":1}}"), &format!("version {VERSION}")),
        (framed(""), "no message of the protocol"),
        ([&8u32.to_be_bytes()[..], &[0xff; 8]].concat(), "no message of the protocol"),
        (1000u32.to_be_bytes().to_vec(), "cut short"),
    ] {
        match answers(&labs, &bytes).as_slice() {
            [Reply::Failed(failure)] => assert!(failure.to_string().contains(wanted), "{wanted}: {failure}"),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    // Who follows and says more than was asked is let go.
    let more = [framed(&format!("{{\"sglab\":{VERSION},\"request\":\"changes\"}}")), vec![b'x'; 100]].concat();
    assert!(matches!(answers(&labs, &more).as_slice(), [Reply::State(_)]));
    // Those who connect and say nothing keep nobody out.
    let silent: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(labs.socket("two-tier")).unwrap()).collect();
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
    drop(silent);
    assert_eq!(labs.states()[0]["instances"].as_array().unwrap().len(), 4);
}

#[test]
fn bad_words_on_every_command_are_exit_code_2_with_a_reason() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    for (words, wanted) in [
        (&["explain", "web1", "db9:22"][..], "did you mean `db1`?"),
        (&["explain", "web1", "db1:port"], "^"),
        (&["explain", "web1", "db1:22", "--by", "post"], "invalid value 'post'"),
        (&["matrix", "--ports", "tcp"], "^"),
        (&["capture", "web9", "-w", "x.pcap"], "there is no instance `web9`; did you mean `web1`?"),
        (&["capture"], "<INSTANCE>"),
        (&["capture", "web1", "-w", "/no/such/folder/x.pcap"], "failed to open /no/such/folder/x.pcap"),
        (&["flow-logs", "--format", ""], "at least one field"),
        (&["events", "--format", "xml"], "invalid value 'xml'"),
        (&["logs", "nobody"], "no log of a lab named `nobody`"),
        (&["export", "-o", "/no/such/folder/x.yaml"], "failed to write /no/such/folder/x.yaml"),
        (&["export", "--name", "nobody"], "no lab named `nobody` is up; there is two-tier"),
        (&["render", "--name", "nobody"], "no lab named `nobody` is up"),
        (&["up", "example:two-tier", "--name", "b", "--aggregation", "0"], "0 is not in 1..=600"),
        (&["up", "example:two-tier", "--name", "b", "--flow-logs-format", "srcaddr"], "--flow-logs <FILE>"),
        (&["up", "example:two-tier", "--name", "b", "--flow-logs", "/no/such/folder/x"], "failed to open"),
    ] {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        assert!(said.err.contains(wanted), "{words:?}: {said:?}");
    }
    assert_eq!(labs.states().len(), 1);
}

/// The keys of a document, but for those of what is documented elsewhere.
fn keys(value: &Value, all: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
        Value::Object(entries) => {
            for (key, value) in entries {
                all.insert(key.clone());
                if key != "predicted" {
                    keys(value, all);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_that_a_lab_s_commands_print_is_documented_in_one_place() {
    let docs = include_str!("../../docs/output.md");
    let (_, section) = docs.split_once("\n## Labs that stay up\n").expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/behind-a-load-balancer-the-client-is-gone", "--name", "balanced"]);
    let mounts = "sglab: 1\nera: vpc\ngroups: {WEB: [tcp 80 from WEB]}\ninstances:\n  web1: {groups: WEB, mounts: {/srv/own: empty}, \
                  services: {sleeper: {command: [sleep, infinity]}}}\n  web2: {groups: WEB}\n";
    std::fs::write(labs.program.scratch().join("mounts.yaml"), mounts).expect("written");
    labs.ok(&["up", "mounts.yaml", "--name", "mounts"]);
    for words in [
        &["ps"][..],
        &["state", "--name", "mounts"],
        &["stop", "web2", "--name", "mounts"],
        &["start", "web2", "nope", "--name", "mounts"],
        &["start", "web2", "--name", "mounts"],
        &["probe", "web1", "web2:80", "--name", "mounts"],
        &["matrix", "--name", "balanced"],
        &["explain", "web1", "web2:81", "--name", "mounts"],
        &["explain", "web1 <-> web2:500/udp", "--name", "mounts"],
        &["flow-logs", "--name", "mounts"],
        &["events", "--name", "mounts"],
    ] {
        let said = labs.say(&[words, &["--format", "json"][..]].concat());
        let mut found = std::collections::BTreeSet::new();
        let documents = serde_json::Deserializer::from_str(&said.out).into_iter::<Value>();
        documents.for_each(|document| keys(&document.expect("JSON"), &mut found));
        assert!(!found.is_empty(), "{words:?}: {said:?}");
        for key in found {
            let is_told = [format!("`{key}`"), format!("`{key}[]`")].iter().any(|word| section.contains(word));
            assert!(is_told, "{words:?} prints `{key}`, of which docs/output.md says nothing");
        }
    }
}
