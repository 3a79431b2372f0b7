//! Services of instances: programs that begin and end with them.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::labs::Labs;
use crate::program::{User, users};

/// A lab of one instance with services, in a file of the labs' own folder.
pub fn with_services(labs: &Labs, services: &str) -> String {
    // Services see the folder of their file, but not the user's home.
    let folder = labs.program.scratch().join("site");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let file = folder.join("services.yaml");
    let text = format!(
        "sglab: 1\nera: vpc\nhosts: {{office: 203.0.113.10}}\ngroups: {{WEB: [tcp 80 from office]}}\ninstances:\n  \
         web1:\n    groups: WEB\n    services: {services}\nscenario: [{{step: up, expect: {{open: ['office -> web1:80']}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn services_come_up_with_their_instance_and_begin_anew_when_it_does() {
    for user in users() {
        let labs = Labs::of(*user);
        let serve = "echo $SGLAB_INSTANCE up; echo x >>$SGLAB_DATA/boots; exec nc.openbsd -lk 80";
        let file =
            with_services(&labs, &format!("{{first: 'touch /run/first', web: {{command: '{serve}', port: tcp 80}}}}"));
        let bad = labs.say(&["up", &file]);
        assert!(bad.code == Some(2) && bad.err.contains("expected a service"), "{bad:?}");
        let file = with_services(
            &labs,
            &format!("{{web: {{command: '{serve}', port: tcp 80}}, sleeper: {{command: [sleep, 1000000]}}}}"),
        );
        labs.ok(&["up", &file]);
        let pids = || labs.ok(&["exec", "web1", "--", "ps", "-eo", "pid,comm"]);
        assert!(pids().contains("nc.openbsd") && pids().contains("sleep"), "as {user:?}: {}", pids());
        assert!(labs.ok(&["probe", "office", "web1:80"]).contains("  open  by WEB"), "what listens is the service");
        assert_eq!(labs.ok(&["logs", "--service", "web1/web"]), "web1 up\n");
        let none = labs.say(&["logs", "--service", "web1/wbe"]);
        assert_eq!(
            none.err,
            "error: there is no service `web1/wbe`; did you mean `web1/web`? there are web1/web, web1/sleeper\n"
        );
        for how in [&["reboot"][..], &["stop", "start"], &["crash", "start"]] {
            how.iter().for_each(|verb| drop(labs.ok(&[verb, "web1"])));
            assert!(labs.ok(&["probe", "office", "web1:80"]).contains("  open  by WEB"), "after {how:?}");
        }
        let boots = labs.ok(&["exec", "web1", "--", "cat", "/run/data/boots"]);
        assert_eq!(boots, "x\nx\nx\nx\n", "one each time, and its data outlives restarts");
    }
}

/// Of each service of web1: its name, its state, its exit code.
fn states(labs: &Labs) -> Vec<(String, String, Option<i64>)> {
    let all: serde_json::Value = serde_json::from_str(&labs.ok(&["ps", "--format", "json"])).unwrap();
    let services = all[0]["instances"][0]["services"].as_array().expect("services");
    let word = |it: &serde_json::Value, field: &str| it[field].as_str().unwrap().to_owned();
    services.iter().map(|it| (word(it, "name"), word(it, "state"), it["exit_code"].as_i64())).collect()
}

#[test]
fn ps_says_of_each_service_how_it_is_also_while_it_is_waited_for() {
    let labs = Labs::of(User::Ours);
    let wait = "until [ -e go ]; do sleep 0.01; done; exec nc.openbsd -lk 80";
    let services = format!("{{short: {{command: exit 5}}, web: {{command: '{wait}', port: tcp 80}}}}");
    let file = with_services(&labs, &services);
    let go = labs.program.scratch().join("site/go");
    std::fs::write(&go, "").unwrap();
    labs.ok(&["up", &file]);
    let is = |name: &str, state: &str, code| (name.to_owned(), state.to_owned(), code);
    // That it has ended is heard of by itself.
    let ended = [is("short", "exited", Some(5)), is("web", "ready", None)];
    while states(&labs) != ended {
        assert_eq!(states(&labs)[1], is("web", "ready", None));
    }
    assert!(labs.ok(&["ps"]).contains("short exited with code 5, web ready"), "{}", labs.ok(&["ps"]));
    labs.ok(&["stop", "web1"]);
    assert_eq!(states(&labs), [is("short", "not-started", None), is("web", "not-started", None)]);
    std::fs::remove_file(&go).unwrap();
    let mut starting = labs.command(&["start", "web1"]).spawn().unwrap();
    while states(&labs)[1] != is("web", "starting", None) {
        assert!(starting.try_wait().unwrap().is_none(), "it waits for its service");
    }
    let instance = |number: usize| {
        let it = &labs.states()[0]["instances"][number];
        (it["name"].as_str().unwrap().to_owned(), it["state"].as_str().unwrap().to_owned(), it["uptime_s"].is_null())
    };
    let is_in = |name: &str, state: &str, no_uptime| (name.to_owned(), state.to_owned(), no_uptime);
    assert_eq!(instance(0), is_in("web1", "pending", true), "EC2's word");
    assert!(labs.states()[0]["instances"][0]["interfaces"][0]["public"].is_string(), "it has its address already");
    assert!(labs.ok(&["ps"]).contains("web1  pending"), "{}", labs.ok(&["ps"]));
    std::fs::write(&go, "").unwrap();
    assert!(starting.wait().unwrap().success());
    assert_eq!(states(&labs)[1], is("web", "ready", None));
    assert_eq!(instance(0), is_in("web1", "running", false));
    // One that is launched is there before its service is; one that is rebooted runs all the time.
    std::fs::remove_file(&go).unwrap();
    let launch = format!("launch: {{web2: {{groups: WEB, services: {{web: {{command: '{wait}', port: tcp 80}}}}}}}}");
    for (words, at, wanted) in [
        (&["reboot", "web1"][..], 0, is_in("web1", "running", false)),
        (&["apply", &launch][..], 1, is_in("web2", "pending", true)),
    ] {
        let mut waits = labs.command(words).spawn().unwrap();
        while labs.states()[0]["instances"][at]["services"]
            .as_array()
            .is_none_or(|all| all.last().unwrap()["state"] != "starting")
        {
            assert!(waits.try_wait().unwrap().is_none(), "{words:?} waits for its service");
        }
        assert_eq!(instance(at), wanted, "{words:?}");
        std::fs::write(&go, "").unwrap();
        assert!(waits.wait().unwrap().success());
        std::fs::remove_file(&go).unwrap();
    }
    assert_eq!(instance(1), is_in("web2", "running", false));
}

#[test]
fn sglab_test_starts_services_where_it_is_asked_to_and_else_says_that_it_does_not() {
    for user in users() {
        let labs = Labs::of(*user);
        let told = |words: &[&str]| {
            let said = labs.say(words);
            let document: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
            (said.code, said.err, document["runs"][0].clone())
        };
        // Whoever looks for a listener finds one, and yet nobody from outside can reach it.
        let file = with_services(&labs, "{web: {command: 'exec nc.openbsd -lk 127.0.0.1 80', port: tcp 80}}");
        let (code, note, run) = told(&["test", &file, "--format", "json"]);
        assert_eq!((code, run["services"].as_str()), (Some(0), Some("not-started")), "the harness answers: {note}");
        assert!(note.contains("services.yaml are not started") && note.contains("--services starts them"), "{note}");
        let (code, note, run) = told(&["test", &file, "--services", "--format", "json"]);
        assert_eq!((code, run["services"].as_str(), note.as_str()), (Some(1), Some("started"), ""));
        assert_eq!(run["steps"][0]["wrong"][0]["observed"], "refused", "the program itself, as {user:?}: {run}");
        let file = with_services(&labs, "{web: {command: 'exit 3', port: tcp 80}}");
        let (code, _, run) = told(&["test", &file, "--services", "--format", "json"]);
        assert_eq!((code, run["verdict"].as_str()), (Some(2), Some("error")));
        assert!(run["error"].as_str().unwrap().contains("it ended with exit code 3 before it listened"), "{run}");
    }
}

const BALANCED: &str = "\
sglab: 1
era: vpc
hosts: {world: 198.51.100.7}
groups: {LB: [tcp 80 from anywhere], WEB: [tcp 8080 from LB]}
instances:
  web1: &web
    groups: WEB
    # nc would serve one connection after the other.
    services: {web: {command: [perl, -MIO::Socket::INET, -e, 'PERL'], port: tcp 8080}}
  web2: *web
load-balancers:
  site: {groups: LB, listeners: [tcp 80 to 8080], targets: [web1, web2], health-check: {interval: 0.1, healthy: 2}}
scenario:
  - {step: in turn, expect: {open: ['world -> site:80 answered by web1 and web2', 'world -> site:80', 'site -> web1:8080']}}
  - {step: one is left, do: [{stop: web1}], expect: {open: ['world -> site:80 answered by web2']}}
  - {step: it comes back, do: [{start: web1}], expect: {open: ['world -> site:80 answered by web1 and web2']}}
  - {step: nobody, do: [{revoke: {WEB: [tcp 8080 from LB]}}], expect: {closed: ['world -> site:80']}}
";

#[test]
fn programs_behind_a_load_balancer_prove_who_took_a_connection() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("balanced.yaml");
    let serve = "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die; \
                 while (my $c = $s->accept) { close $c }";
    let balanced = BALANCED.replace("PERL", serve);
    std::fs::write(&file, &balanced).unwrap();
    let file = file.display().to_string();
    let said = labs.say(&["test", &file, "--services"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    labs.ok(&["up", &file]);
    assert!(labs.ok(&["probe", "world", "site:80"]).contains("  open  "));
    labs.ok(&["revoke", "WEB", "tcp 8080 from LB"]);
    assert!(!labs.say(&["probe", "world", "site:80"]).out.contains("  open  "));
    // A word that is wrong is seen to be.
    let wrong = balanced.replace("by web2']", "by web1']");
    std::fs::write(&file, wrong).unwrap();
    assert_eq!(labs.say(&["test", &file, "--services"]).code, Some(1));
}

#[test]
fn a_service_that_does_not_come_up_is_an_error_with_its_last_words_and_the_lab_is_gone() {
    for user in users() {
        let labs = Labs::of(*user);
        let file = with_services(&labs, "{web: {command: 'echo first; echo no such luck >&2; exit 3', port: tcp 80}}");
        let said = labs.say(&["up", &file]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let expected = "error: the lab is not up: the service web of web1 did not come up: it ended with exit code 3 before it \
                        listened on tcp 80\n  | first\n  | no such luck\n";
        assert!(said.err.starts_with(expected), "as {user:?}: {said:?}");
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
        // It comes up at first, and not again.
        let once = "[ ! -e $SGLAB_DATA/been ] || exit 4; touch $SGLAB_DATA/been; exec nc.openbsd -lk 80";
        let file = with_services(&labs, &format!("{{web: {{command: '{once}', port: tcp 80, log: web.log}}}}"));
        assert!(labs.ok(&["up", &file]).contains(", 1 instance  "), "and not `1 instances`");
        let said = labs.say(&["reboot", "web1"]);
        assert!(said.code == Some(2) && said.err.contains("it ended with exit code 4"), "{said:?}");
        assert!(said.err.starts_with("error: reboot web1 is in force, but the service web of web1 "), "{said:?}");
        assert!(labs.ok(&["exec", "web1", "--", "hostname"]) == "web1\n", "the instance runs all the same");
        assert!(labs.program.scratch().join("site/web.log").exists(), "beside the file");
    }
}

const GRANT: &str = "for file in /etc/subuid /etc/subgid; do [ -e $file ] || touch $file; mount --bind \"$0\" $file; done; \
                     exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

/// Brings the lab up from a copy of the files, which every user can read. For nobody a range of ids is granted, in mounts of
/// the command's own.
fn up(labs: &Labs) {
    let folder = labs.program.scratch().join("real");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/real");
    assert!(Command::new("cp").arg("-r").args([&from, &folder]).status().unwrap().success());
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(&folder).status().unwrap().success());
    let file = folder.join("replicating.yaml").display().to_string();
    if labs.user == User::Ours {
        labs.ok(&["up", &file]);
        return;
    }
    let granted = labs.program.scratch().join("granted");
    std::fs::write(&granted, "nobody:100000:65536\n").unwrap();
    let (granted, program) = (granted.display().to_string(), labs.program.path().display().to_string());
    let words = ["-m", "sh", "-ec", GRANT, &granted, &program, "up", &file];
    let mut command = labs.program.dress(User::Ours, Command::new("unshare"), &words);
    let output = command.env("SGLAB_RUNTIME_DIR", labs.folder()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// As the database's own administrator, in its instance.
fn sql(labs: &Labs, on: &str, words: &str) -> String {
    labs.ok(&["exec", on, "--", "mariadb", "--no-defaults", "-N", "-uroot", "-S", "/run/data/mysql/sock", "-e", words])
}

/// A table of db1's with one more row has come to db2; MariaDB itself waits for it.
fn replicates(labs: &Labs, row: u32) {
    sql(labs, "db1", &format!("INSERT INTO lab.rows_of_db1 VALUES ({row})"));
    let position = sql(labs, "db1", "SELECT @@gtid_binlog_pos");
    let waited = sql(labs, "db2", &format!("SELECT MASTER_GTID_WAIT('{}', 60)", position.trim()));
    assert_eq!(waited.trim(), "0", "{}", sql(labs, "db2", "SHOW SLAVE STATUS\\G"));
    let count = sql(labs, "db2", &format!("SELECT COUNT(*) FROM lab.rows_of_db1 WHERE number = {row}"));
    assert_eq!(count.trim(), "1");
}

#[test]
fn members_of_a_group_replicate_once_a_rule_lets_them_and_by_name_also_after_a_restart() {
    for user in users() {
        let labs = Labs::of(*user);
        up(&labs);
        // Waits until the health checks are through.
        let probed = labs.say(&["probe", "world", "site:80"]);
        assert!(probed.code == Some(0) && probed.out.contains("  open  "), "{probed:?}");
        let asked = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc.openbsd -q 1 site 80 | tail -n 1";
        let mut answers: Vec<String> = (0..2).map(|_| labs.ok(&["exec", "db1", "--", "sh", "-c", asked])).collect();
        answers.sort();
        assert_eq!(answers, ["web1\n", "web2\n"], "nginx behind the load balancer, in turn, as {user:?}");

        let accounts = "SET sql_log_bin = 0; CREATE USER repl IDENTIFIED BY 'p'; GRANT REPLICATION SLAVE ON *.* TO repl; \
                        CREATE USER web IDENTIFIED BY 'p'; GRANT SELECT ON *.* TO web";
        for db in ["db1", "db2"] {
            sql(&labs, db, accounts);
        }
        // web1 asks db2, over a connection each, for as long as its input is open.
        let asking = "n=0; failed=0; while ! read -t 0 line 2>/dev/null; do mariadb --no-defaults -N -h db2 -uweb -pp -e 'SELECT 1' \
                      >/dev/null || failed=$((failed + 1)); n=$((n + 1)); done; echo $n $failed";
        let mut command = labs.command(&["exec", "web1", "--", "bash", "-c", asking]);
        let mut web = command.stdin(Stdio::piped()).spawn().unwrap();

        sql(&labs, "db1", "CREATE DATABASE lab; CREATE TABLE lab.rows_of_db1 (number INT PRIMARY KEY)");
        let replica = "CHANGE MASTER TO MASTER_HOST = 'db1', MASTER_USER = 'repl', MASTER_PASSWORD = 'p', \
                       MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 0.5, MASTER_USE_GTID = slave_pos; START SLAVE";
        sql(&labs, "db2", replica);
        let denied = labs.ok(&["probe", "db2", "db1:3306"]);
        assert!(denied.contains("  dropped  "), "{denied}");
        assert!(sql(&labs, "db2", "SHOW SLAVE STATUS\\G").contains("Connecting\n"));
        assert_eq!(sql(&labs, "db2", "SHOW DATABASES LIKE 'lab'"), "", "nothing has come");

        labs.ok(&["authorize", "DB", "tcp 3306 from DB"]);
        replicates(&labs, 1);

        let before = labs.ok(&["exec", "db2", "--", "grep", "-w", "db1", "/etc/hosts"]);
        labs.ok(&["stop", "db1"]);
        labs.ok(&["start", "db1"]);
        assert_ne!(labs.ok(&["exec", "db2", "--", "grep", "-w", "db1", "/etc/hosts"]), before, "another address");
        replicates(&labs, 2);
        for (web, db) in [("web1", "db1"), ("web2", "db1"), ("web2", "db2")] {
            let asked = [
                "exec",
                web,
                "--",
                "mariadb",
                "--no-defaults",
                "-N",
                "-h",
                db,
                "-uweb",
                "-pp",
                "-e",
                "SELECT COUNT(*) FROM lab.rows_of_db1",
            ];
            assert_eq!(labs.ok(&asked), "2\n", "{web} asks {db}");
        }

        web.stdin.take().unwrap().write_all(b"enough\n").unwrap();
        let mut said = String::new();
        web.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let (asked, failed) = said.trim().split_once(' ').unwrap();
        assert!(asked.parse::<u32>().unwrap() > 1 && failed == "0", "{said}");
        web.wait().unwrap();
    }
}
