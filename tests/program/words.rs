//! What the program says on a terminal, and to somebody who errs. See also `tests/program/cli.rs` and `tests/no_lab/bad_topologies.rs`.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::labs::Labs;
use crate::program::{Program, Said, User, mistake, said, sglab, write};
use crate::pty::pty;

/// As of a terminal that does not know its size: `script` makes such, where it has none itself.
#[test]
fn a_terminal_without_a_size_is_one_of_80_columns() {
    let program = Program::copy();
    for arguments in [&["list"][..], &["explain", "example:two-tier", "web1 -> db1:22 by public address"]] {
        let lines = seen(&program, 0, arguments);
        assert!(lines.len() > 5 && too_long(&lines, 80).is_empty(), "{arguments:?}: {lines:#?}");
    }
}

/// What somebody sees of it on a terminal of so many columns, without colours.
fn seen(program: &Program, columns: u16, arguments: &[&str]) -> Vec<String> {
    on_a_terminal(&mut program.run(User::Ours, arguments), columns)
}

fn on_a_terminal(command: &mut Command, columns: u16) -> Vec<String> {
    let mut pty = pty(if columns == 0 { 0 } else { 50 }, columns);
    command.env("NO_COLOR", "1");
    let ends = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(ends()).stderr(ends()).spawn().unwrap();
    // Nothing of ours holds the terminal, so that it ends with the program.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    drop(pty.slave);
    let mut bytes = Vec::new();
    // The end of a terminal is told as an error.
    let _ = pty.master.read_to_end(&mut bytes);
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap().lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

fn too_long(lines: &[String], columns: usize) -> Vec<String> {
    // What is to be typed is not broken, since it is copied, nor is a file that a remedy asks for.
    let typed = |line: &str| ["  why:", "  look:", "              "].iter().any(|it| line.starts_with(it));
    lines.iter().filter(|line| line.chars().count() > columns && !typed(line)).cloned().collect()
}

const LONG: &str = "sglab: 1
era: vpc
hosts: {a-host-with-a-name-of-some-length: 198.51.100.7}
groups: {a-group-with-a-name-of-some-length: [tcp 80 from a-host-with-a-name-of-some-length, tcp 81 from a-gruop-with-a-name]}
instances: {an-instance-with-a-name-of-some-length: {groups: a-group-with-a-name-of-some-length, listens: [tcp 80]}}
scenario:
  - step: s
    expect: {open: ['a-host-with-a-name-of-some-length -> an-instance-with-a-name-of-some-length:80 by private']}
";

#[test]
fn no_line_is_wider_than_the_terminal_and_in_a_pipe_none_is_cut() {
    let program = Program::copy();
    write(&program, "two-tier.yaml", &mistake());
    write(&program, "six.yaml", &format!("{SIX}{TABLE}"));
    let explained = "web1 -> db1:22 by public address";
    for arguments in [
        &["list"][..],
        &["list", "--long"],
        &["doctor"],
        &["test", "two-tier.yaml"],
        &["predict", "example:by-address"],
        &["explain", "two-tier.yaml", explained],
        &["test", "two-tier.yaml", "example:two-rules"],
        &["test", "six.yaml"],
        &["predict", "six.yaml"],
        &["walk", "example:gotchas/case-04"],
        &["walk", "example:gotchas/case-20"],
    ] {
        for columns in [80, 100] {
            let lines = seen(&program, columns, arguments);
            assert!(lines.len() > 5, "{arguments:?}: {lines:?}");
            let long = too_long(&lines, columns.into());
            assert!(long.is_empty(), "{arguments:?} on {columns} columns: {long:#?}");
        }
    }
    let piped = sglab(&program, &["explain", "two-tier.yaml", explained]);
    assert!(piped.out.lines().any(|line| line.chars().count() > 110), "{}", piped.out);
}

/// A cloud of more receivers than a terminal has room for, side by side; and what it should let through.
const SIX: &str = "sglab: 1
era: vpc
hosts: {customer: 198.51.100.7, office-network: 203.0.113.9}
groups: {WEB: [tcp 443 from anywhere, tcp 22 from office-network], APP: [tcp 8080 from WEB], DB: [tcp 5432 from APP]}
instances:
  web1: {groups: [WEB, APP], services: {sleeper: {command: sleep 1000}, another-sleeper: {command: sleep 1000}}, mounts: {/var/cache/an-application: empty}}
  web2: {groups: WEB}
  app-server-1: {groups: APP}
  app-server-2: {groups: APP}
  db-primary: {groups: DB}
  db-replica: {groups: DB}
";
const TABLE: &str = "tables: {t: {open: [any -> WEB:443, office-network -> WEB:22, WEB -> APP:8080, APP -> DB:5432]}}
scenario: [{step: as launched, expect: {table: t}}]
";

#[test]
fn what_is_told_of_a_lab_fits_a_terminal_and_errors_say_what_there_is() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "six.yaml", SIX);
    // A lab that stays up needs no scenario; a test does.
    let said = labs.say(&["test", "six.yaml"]);
    assert!(said.code == Some(2) && said.err.contains("the file checks nothing"), "{said:?}");
    assert!(labs.ok(&["up", "six.yaml"]).starts_with("six is up, era vpc, 6 instances  "));
    for arguments in [
        &["ps"][..],
        &["state"],
        &["matrix"],
        &["probe", "customer", "db-primary:5432"],
        &["explain", "customer", "db-primary:5432"],
        &["authorize", "DB", "tcp 5432 from 203.0.113.0/24", "tcp 5433 from 203.0.113.0/24"],
        &["logs", "--service", "web1/sleepy"],
        &["events"],
        &["flow-logs"],
        &["authorize", "DB", "tcp 443 to anywhere"],
        &["authorize", "DB", "tcp 443 from a-name-that-is-none-and-is-very-long-for-a-name-of-anybody"],
        &["edit-prefix-list", "web1", "--add", "web1"],
        &["check", "six.yaml"],
        &["exec", "an-instance-whose-name-is-none", "--", "true"],
        &["stop", "an-instance-whose-name-is-none", "another-instance-whose-name-is-none"],
        &["up", "six.yaml"],
        &["up", "example:two-tier", "--name", "no name"],
    ] {
        let lines = on_a_terminal(&mut labs.command(arguments), 80);
        assert!(!lines.is_empty() && too_long(&lines, 80).is_empty(), "{arguments:?}: {lines:#?}");
    }
    // In a pipe the table is whole.
    assert_eq!(labs.ok(&["matrix"]).matches("customer (198.51.100.7)").count(), 1);
    let said = labs.say(&["logs", "--service", "web1/sleepy"]);
    let expected = "error: there is no service `web1/sleepy`; did you mean `web1/sleeper`? there are web1/sleeper, web1/another-sleeper\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), expected));
    let said = labs.say(&["up", "six.yaml"]);
    let expected = "error: a lab named `six` is up already; `sglab down six` takes it down, and --name gives the new one another name\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), expected));
}

#[test]
fn the_caret_stands_right_where_a_line_of_the_file_is_wider_than_the_terminal() {
    let program = Program::copy();
    write(&program, "long.yaml", LONG);
    for (columns, words) in [(80, ["a-gruop-with-a-name", "by private"]), (60, ["a-gruop-with-a-name", "by private"])] {
        let lines = seen(&program, columns, &["check", "long.yaml"]);
        assert!(too_long(&lines, columns.into()).is_empty(), "{lines:#?}");
        let carets: Vec<(&String, &String)> =
            lines.windows(2).filter(|pair| pair[1].contains('^')).map(|pair| (&pair[0], &pair[1])).collect();
        let meant: Vec<String> = carets
            .iter()
            .map(|(line, caret)| {
                let from = caret.find('^').unwrap();
                line.chars().skip(from).take(caret.matches('^').count()).collect()
            })
            .collect();
        assert_eq!(meant, words, "{lines:#?}");
    }
}

#[test]
fn one_of_a_thing_is_one() {
    let program = Program::copy();
    write(
        &program,
        "good.yaml",
        &LONG.replace("gruop", "group").replace("a-group-with-a-name]", "192.0.2.1]").replace(" by private", ""),
    );
    let said = sglab(&program, &["check", "good.yaml"]);
    assert!(said.out.starts_with("good.yaml: valid, 1 step, "), "{said:?}");
}

#[test]
fn what_load_balancers_do_otherwise_is_counted_as_what_it_is() {
    let program = Program::copy();
    let text = "sglab: 1
era: vpc
hosts: {world: 198.51.100.7}
groups: {WEB: [tcp 80 from anywhere]}
instances: {web1: {groups: WEB, listens: tcp 80}, web2: {groups: WEB, listens: tcp 80}}
load-balancers:
  site: {groups: WEB, listeners: [tcp 80], targets: [web1, web2], health-check: {interval: 0.2, timeout: 1}}
scenario:
  - step: who answers
    expect: {open: [world -> site:80 answered by web1], in-service: {site: web1}}
";
    write(&program, "site.yaml", text);
    let said = sglab(&program, &["test", "site.yaml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("1 of 2 expectations of load balancers not met"), "{}", said.out);
    assert!(said.out.contains("FAILED  1 of 1 step, no cells, 2 other expectations examined"), "{}", said.out);
}

/// The help of a command on a terminal of 80 columns.
fn help(program: &Program, command: &str) -> Said {
    let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
    let mut run = program.run(User::Ours, &arguments);
    run.env("COLUMNS", "80");
    said(run)
}

#[test]
fn every_command_has_an_example_and_its_help_fits_a_terminal() {
    let program = Program::copy();
    let all = help(&program, "").out;
    let (_, listed) = all.split_once("\n\nRun:\n").unwrap();
    let (listed, _) = listed.split_once("\nOptions:\n").unwrap();
    let named = |line: &str| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next().map(str::to_owned)
    };
    let commands: Vec<String> = listed.lines().filter_map(named).filter(|name| name != "help").collect();
    assert!(commands.len() > 45, "{commands:?}");
    let page = include_str!("../../docs/cli.md");
    // As a whole word: `update-description` says nothing of `up`.
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-');
    let stands = |words: &str| page.match_indices(words).any(|(at, _)| ends(&page[at + words.len()..]));
    let is_told = |command: &str| stands(&format!("sglab {command}")) || stands(&format!("`{command}"));
    let untold: Vec<&String> = commands.iter().filter(|it| !is_told(it)).collect();
    assert!(untold.is_empty(), "docs/cli.md says nothing of {untold:?}");
    for command in [String::new()].iter().chain(&commands) {
        let said = help(&program, command);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command}");
        let long: Vec<&str> = said.out.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{command}: {long:#?}");
        let (_, examples) = said.out.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{command} has no example"));
        let examples = examples.split("\n\n").next().unwrap();
        // An example that goes on, or is told about, is indented further: what begins at the second column is one to type.
        let typed = |line: &str| {
            line.strip_prefix("  ").is_some_and(|line| line.starts_with("sglab ") || line.contains("<(sglab "))
        };
        let odd: Vec<&str> = examples.lines().filter(|line| !line.starts_with("      ") && !typed(line)).collect();
        assert!(odd.is_empty(), "{command}: {odd:#?}");
        let name = format!("sglab {command}");
        assert!(examples.contains(name.trim_end()), "{command}: {examples}");
    }
}

#[test]
fn which_lab_and_how_to_print_come_last_among_the_options_of_an_operation() {
    let program = Program::copy();
    for command in ["launch", "authorize", "update-description", "create-group", "edit-prefix-list", "stop"] {
        let said = help(&program, command).out;
        let (_, options) = said.split_once("\nOptions:\n").unwrap();
        let begins =
            |line: &str| line.trim_start().strip_prefix("--").map(|line| line.split(' ').next().unwrap().to_owned());
        let options: Vec<String> = options.lines().filter_map(begins).collect();
        assert!(options.ends_with(&["name".to_owned(), "format".to_owned()]), "{command}: {options:?}");
    }
    let all = program.scratch().join("man");
    std::fs::create_dir(&all).unwrap();
    assert_eq!(sglab(&program, &["man", "man"]).code, Some(0));
    let page = std::fs::read_to_string(all.join("sglab.1")).unwrap();
    let place = |command: &str| page.find(&format!("sglab\\-{command}(1)")).unwrap_or_else(|| panic!("{command}"));
    assert!(place("test") < place("up") && place("up") < place("launch") && place("apply") < place("walk"));
}

#[test]
fn what_a_file_takes_a_lab_takes_and_what_is_no_instance_is_told() {
    let labs = Labs::of(User::Ours);
    let cloud = "sglab: 1
era: vpc
hosts: {home: 198.51.100.7}
elastic-ips: {eip-spare: none}
groups: {WEB: [tcp 80 from anywhere, tcp 8443 from anywhere]}
instances: {web1: {groups: WEB, listens: tcp 80}, web2: {groups: WEB, listens: tcp 80}}
load-balancers:
  site: {groups: WEB, listeners: [tcp 80], targets: [web1, web2], health-check: {interval: 0.2, timeout: 1}}
scenario: [{step: s, expect: {open: [home -> site:80]}}]
";
    write(&labs.program, "shop.yaml", cloud);
    labs.ok(&["up", "shop.yaml"]);
    // A port alone is of tcp, and one argument is a flow.
    assert!(labs.ok(&["matrix", "--ports", "8443"]).starts_with("each cell: tcp 8443 "));
    assert!(labs.ok(&["probe", "home -> web1:80"]).contains("  open  "));
    assert!(labs.ok(&["probe", "home -> web1:80/tcp by public address"]).contains("  open  "));
    let told = labs.ok(&["deregister-instances", "site", "web1"]);
    assert!(told.contains("  site registration of web1 10.0."), "{told}");
    let told = labs.ok(&["apply", "register-instances: {site: web1}"]);
    assert!(told.contains("  site registration of web1 none -> 10.0."), "{told}");
    let state = labs.ok(&["state"]);
    for words in ["groups         WEB", "hosts outside  home", "Elastic IPs    eip-spare", "health checks  site tcp 80"]
    {
        assert!(state.contains(words), "{words}: {state}");
    }
    assert!(!labs.ok(&["ps"]).contains("eip-spare"));
    let mut command = labs.command(&["explain", "home", "web1:81"]);
    let long = too_long(&on_a_terminal(&mut command, 80), 80).len();
    assert_eq!((long, too_long(&on_a_terminal(&mut command, 200), 80).is_empty()), (0, false));
    for (arguments, words) in [
        (&["probe", "web1"][..], "`web1` has no destination"),
        (&["stop", "site"], "`site` is a load balancer, not an instance"),
        (&["stop", "WEB"], "`WEB` is a security group, not an instance"),
        (&["explain", "home -> site:80 answered by web1"], "leave it out: it is what a step expects of the flow"),
        (&["explain", "web1", "web2:80 by private"], "did you mean `by private address`?"),
        (&["explain", "home", "site.us-east-1.elb.amazonaws.com:80"], "write `site`"),
    ] {
        let said = labs.say(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: {said:?}");
    }
}

/// Names that nobody has, in every command that takes one, with the one that was meant.
const UNKNOWN: &[(&[&str], &str)] = &[
    (&["stop", "wbe1"], "web1"),
    (&["start", "wbe1"], "web1"),
    (&["terminate", "wbe1"], "web1"),
    (&["set-groups", "wbe1", "WEB"], "web1"),
    (&["set-groups", "web1", "WBE"], "WEB"),
    (&["launch", "new", "--group", "WBE"], "WEB"),
    (&["launch", "new", "--group", "WEB", "--subnet", "froont"], "front"),
    (&["launch", "new", "--group", "WEB", "--address", "wbe1.previous"], "web1"),
    (&["authorize", "WBE", "tcp 81 from anywhere"], "WEB"),
    (&["authorize", "WEB", "tcp 81 from ofice"], "office"),
    (&["revoke", "WBE", "tcp 80 from anywhere"], "WEB"),
    (&["delete-group", "WBE"], "WEB"),
    (&["associate-address", "eip-spar", "web1"], "eip-spare"),
    (&["associate-address", "eip-spare", "wbe1"], "web1"),
    (&["release-address", "eip-spar"], "eip-spare"),
    (&["attach-interface", "wbe1", "eth1", "--group", "WEB"], "web1"),
    (&["attach-interface", "web1", "eth1", "--group", "WBE"], "WEB"),
    (&["detach-interface", "wbe1.eth1"], "web1"),
    (&["source-dest-check", "wbe1", "off"], "web1"),
    (&["edit-prefix-list", "partnes", "--add", "192.0.2.9"], "partners"),
    (&["register-instances", "sitee", "web1"], "site"),
    (&["register-instances", "site", "wbe1"], "web1"),
    (&["apply", "stop: wbe1"], "web1"),
    (&["probe", "wbe1", "web1:80"], "web1"),
    (&["explain", "web1", "wbe1:80"], "web1"),
    (&["exec", "wbe1", "--", "true"], "web1"),
    (&["capture", "wbe1"], "web1"),
    (&["logs", "--service", "web1/slepper"], "web1/sleeper"),
    (&["state", "--name", "shp"], "shop"),
    (&["down", "shp"], "shop"),
    (&["logs", "shp"], "shop"),
    (&["shell", "--in", "wbe1", "shop.yaml"], "web1"),
    (&["up", "example:two-teir"], "example:two-tier"),
];

#[test]
fn every_name_that_nobody_has_is_exit_code_2_with_the_one_that_was_meant() {
    let labs = Labs::of(User::Ours);
    let cloud = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
elastic-ips: [eip-spare]
prefix-lists: {partners: [192.0.2.0/28]}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {front: 10.0.1.0/24}}}
groups: {WEB: [tcp 80 from anywhere]}
instances: {web1: {groups: WEB, listens: tcp 80, services: {sleeper: {command: sleep 1000}}}}
load-balancers: {site: {groups: WEB, listeners: [tcp 80], targets: [web1]}}
";
    write(&labs.program, "shop.yaml", cloud);
    labs.ok(&["up", "shop.yaml"]);
    let before = labs.ok(&["export"]);
    for (words, meant) in UNKNOWN {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        let is_told = ["error: ", "refused: "].iter().any(|word| said.err.starts_with(word));
        assert!(is_told && said.err.contains(&format!("did you mean `{meant}`?")), "{words:?}: {said:?}");
    }
    // All of them at once.
    let said = labs.say(&["stop", "wbe1", "web2", "web1"]);
    assert!(said.err.contains("The instance IDs 'wbe1, web2' do not exist"), "{said:?}");
    let said = labs.say(&["set-groups", "web1", "WBE", "ADMIN"]);
    let told = ["command:2:1", "unknown security group `WBE`", "command:3:1", "unknown security group `ADMIN`"];
    assert!(told.iter().all(|words| said.err.contains(words)), "{said:?}");
    let said = labs.say(&["authorize", "WBE", "tcp 80 from ADMIN, SITE"]);
    let told = ["unknown security group `WBE`", "unknown security group `ADMIN`", "unknown security group `SITE`"];
    assert!(told.iter().all(|words| said.err.contains(words)), "{said:?}");
    assert_eq!(labs.ok(&["export"]), before);
}

#[test]
fn words_that_were_meant_otherwise_are_told_how() {
    let labs = Labs::of(User::Ours);
    let cloud = "sglab: 1
era: vpc
prefix-lists: {partners: [192.0.2.0/28]}
groups: {WEB: [tcp 80 from anywhere]}
instances:
  web1: {groups: WEB, listens: tcp 80, services: {sleeper: {command: sleep 1000}}}
  web2: {groups: WEB}
";
    write(&labs.program, "shop.yaml", cloud);
    write(&labs.program, "volumes.yaml", &cloud.replace("web2: {", "web2: {volumes: {/srv: empty}, ports: [80], "));
    labs.ok(&["up", "shop.yaml"]);
    let ok = labs.ok(&["matrix", "--ports", "80,443, ping"]);
    assert!(ok.starts_with("each cell: tcp 80, tcp 443, icmp echo "), "{ok}");
    write(&labs.program, "now.yaml", "");
    for (arguments, words) in [
        (
            &["authorize", "WEB", "tcp", "81", "from", "anywhere"][..],
            "error: a rule is one argument, in quotes: 'tcp 81 from anywhere'\n",
        ),
        (
            &["create-group", "NEW", "tcp", "81", "from", "WEB"],
            "error: a rule is one argument, in quotes: 'tcp 81 from WEB'\n",
        ),
        (&["authorize", "WEB", "tcp", "81", "to", "anywhere"], "a rule for what goes out needs `--egress`"),
        (&["authorize", "WEB", "tcp 81 to anywhere"], "a rule for what goes out needs `--egress`"),
        (&["authorize", "WEB", "--egress", "tcp 81 from anywhere"], "a rule for what comes in goes without `--egress`"),
        (&["export", "-o", "now.yaml"], "error: now.yaml is there already; `sglab export > now.yaml` overwrites it\n"),
        (&["logs", "web1"], "web1 is an instance of shop; what its services say: `sglab logs --service web1/sleeper`"),
        (&["logs", "web2"], "web2 is an instance of shop, without services"),
        (&["check", "volumes.yaml"], "here it is `mounts:`"),
        (&["check", "volumes.yaml"], "here it is `listens:`"),
    ] {
        let said = labs.say(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: {said:?}");
    }
    // An entry that is none is the one mistake.
    let said = labs.say(&["edit-prefix-list", "partners", "--add", "web1"]);
    assert!(said.code == Some(2) && said.err.matches("error: ").count() == 1, "{said:?}");
    assert!(said.err.contains("`web1` is not an address block"), "{said:?}");
    labs.ok(&["up", "shop.yaml", "--name", "other"]);
    for command in ["down", "logs"] {
        let said = labs.say(&[command]);
        let wanted = format!("several labs are up: other, shop; choose one with `sglab {command} LAB` or SGLAB_LAB\n");
        assert!(said.code == Some(2) && said.err.ends_with(&wanted), "{said:?}");
        labs.ok(&[command, "--name", "other"]);
        if command == "down" {
            labs.ok(&["up", "shop.yaml", "--name", "other"]);
        }
    }
}

#[test]
fn one_name_that_cannot_be_read_hides_no_other_file() {
    let program = Program::copy();
    write(&program, "wrong.yaml", "sglab: 1\nera: vpx\n");
    write(&program, "cloud.yaml", "sglab: 1\nera: vpc\ngroups: {WEB: []}\ninstances: {web1: {groups: WEB}}\n");
    for command in ["check", "test"] {
        let said = sglab(&program, &[command, "nope.yaml", "wrong.yaml", "example:nope", "cloud.yaml"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        for words in ["failed to read nope.yaml", "--> wrong.yaml:2:6", "there is no built-in topology `nope`"] {
            assert!(said.err.contains(words), "{command}, {words}: {said:?}");
        }
        // A test wants a scenario.
        assert_eq!(said.err.contains("other commands take the file without"), command == "test", "{said:?}");
    }
    let said = sglab(&program, &["check", "nope.yaml", "wrong.yaml", "--format", "json"]);
    let told = crate::program::json(&said.out);
    assert_eq!(told["unreadable"][0]["file"], "nope.yaml");
    assert_eq!(told["problems"][0]["place"]["file"], "wrong.yaml");
}

#[test]
fn an_example_that_mounts_files_says_where_they_are_before_anything_boots() {
    let labs = Labs::of(User::Ours);
    for command in [&["up"][..], &["shell", "--in", "web1"]] {
        let said = labs.say(&[command, &["example:real/replicating"]].concat());
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("--> example:real/replicating:") && !said.err.contains("put it back"), "{said:?}");
        assert!(said.err.contains("they lie in topologies/real of sglab's source"), "{said:?}");
    }
    assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
}

const WORDS: &str = "sglab: 1
era: vpc
groups: {l: [tcp 80 from anywhere], w: [tcp 9000 from l, udp 53 from w]}
instances: {web: {groups: w, listens: tcp 9000}, c: {groups: w, source-dest-check: off}}
load-balancers: {site: {groups: l, listeners: [tcp 80 to 8080], targets: [web], health-check: {port: 9000, interval: 0.2, unhealthy: 2, healthy: 2}}}
scenario:
  - {step: closed, expect: {closed: [c -> site:80]}}
  - {step: rules, do: [{authorize: {w: [tcp 81 from w, icmp echo from anywhere]}}], expect: {rules: unchanged}}
";

#[test]
fn an_explanation_names_the_service_the_forged_source_and_who_is_in_service() {
    let program = Program::copy();
    write(&program, "words.yaml", WORDS);
    let explain = |flow: &str| sglab(&program, &["explain", "words.yaml", flow]);
    let told = explain("c -> site:80").out;
    assert!(told.contains("; but site closes it: web is in service, and takes no connection on tcp 8080\n"), "{told}");
    let told = explain("c as 10.0.0.99 -> web:53/udp").out;
    assert!(told.contains("the source is forged") && !told.contains("an appliance is between"), "{told}");
    for (address, service) in [("169.254.169.254:80", "the metadata service"), ("10.0.0.2:53/udp", "the resolver")] {
        let said = explain(&format!("c -> {address}"));
        assert!(said.code == Some(2) && said.err.contains(&format!("is {service} of the VPC")), "{said:?}");
    }
}

#[test]
fn as_many_rules_are_edited_by_prediction_as_by_packets() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "words.yaml", WORDS);
    for command in ["predict", "test"] {
        let said = labs.say(&[command, "words.yaml"]);
        assert!(
            said.out.contains("rules: unchanged, but 2 rules were added, removed or replaced"),
            "{command}: {said:?}"
        );
    }
}
