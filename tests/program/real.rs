//! Real programs in a lab: nginx behind the load balancer, and MariaDB replicating. Needs nginx and mariadbd, as
//! `scripts/prerequisites` installs them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::labs::Labs;
use crate::program::{User, users};

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
