//! A lab under a control group that allows it few processes, or little memory: it works, or says what is in its way, and never hangs.
//!
//! Only root makes control groups; where the tests run as root, not to be able to is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{self, Program, Said, User, said, users, write};

const TWO_RULES: &str = include_str!("../../topologies/two-rules.yaml");
/// What takes longer is killed.
fn limit() -> Duration {
    patience(60)
}

/// What a group bounds.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Processes(u64),
    Memory(u64),
}

/// A group of processes, below the one of this process.
struct Group(PathBuf);

impl Group {
    fn of(bound: Bound) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").expect("the groups of this process");
        let (controller, first, second, limit) = match bound {
            Bound::Processes(most) => ("pids", "pids.max", "pids.max", most),
            Bound::Memory(most) => ("memory", "memory.limit_in_bytes", "memory.max", most),
        };
        let of_first = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            (fields.next()? == controller).then(|| fields.next().unwrap_or("/").trim_start_matches('/').to_owned())
        });
        let root = Path::new("/sys/fs/cgroup");
        let (above, file) = match of_first {
            Some(path) => (root.join(controller).join(path), first),
            // Of the second version only the root passes controllers on to groups beside processes.
            None => (root.to_owned(), second),
        };
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = above.join(format!("sglab-test-{}-{number}", std::process::id()));
        let made = fs::create_dir(&folder).and_then(|()| fs::write(folder.join(file), limit.to_string()));
        made.unwrap_or_else(|error| {
            panic!("root can make no group that bounds {controller}: {}: {error}", folder.display())
        });
        Self(folder)
    }

    /// A command, of which everything is in the group.
    fn with(&self, program: &Program, user: User, arguments: &[&str]) -> Command {
        let script = "echo $$ >\"$0/cgroup.procs\" && exec \"$@\"";
        let mut words = vec!["-c", script];
        let (folder, path) = (self.0.display().to_string(), program.path().display().to_string());
        words.push(&folder);
        let id = user.id().map(|id| id.to_string());
        let become_id = id.as_ref().map(|id| [format!("--reuid={id}"), format!("--regid={id}")]);
        if let Some([uid, gid]) = &become_id {
            words.extend(["setpriv", uid, gid, "--clear-groups"]);
        }
        let seconds = limit().as_secs_f64().to_string();
        words.extend(["timeout", "--signal=KILL", &seconds, &path]);
        words.extend(arguments);
        program.dress(User::Ours, Command::new("sh"), &words)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may just be going.
        let begun = Instant::now();
        while fs::remove_dir(&self.0).is_err() && begun.elapsed() < patience(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a run of a story comes to in a group.
fn tested(user: User, bound: Bound) -> Said {
    let (group, program) = (Group::of(bound), Program::copy());
    write(&program, "two-rules.yaml", TWO_RULES);
    let begun = Instant::now();
    let said = said(group.with(&program, user, &["test", "two-rules.yaml", "--era", "vpc"]));
    assert!(begun.elapsed() < limit(), "as {user:?}, {bound:?}: it hangs");
    assert!(!format!("{}{}", said.out, said.err).contains("panicked"), "as {user:?}, {bound:?}: {said:?}");
    said
}

#[test]
fn a_group_of_few_processes_is_an_error_that_names_it() {
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let mut passed = 0;
        for most in [4, 8, 12, 16, 20, 26, 32, 64] {
            let said = tested(*user, Bound::Processes(most));
            let all = format!("{}{}", said.out, said.err);
            // With the fewest not even a shell begins a program.
            let is_told = said.code == Some(3) && all.contains("pids.max") || most <= 4 && said.code != Some(1);
            assert!(said.code == Some(0) || is_told, "as {user:?}, {most}: {said:?}");
            passed += u32::from(said.code == Some(0));
        }
        assert!(passed >= 1, "as {user:?}");
    }
}

/// With too little the kernel kills it, and what it has made goes with it.
#[test]
fn a_group_of_little_memory_ends_a_run_or_lets_it_pass() {
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let mut passed = 0;
        for mebibytes in [4, 8, 16, 32, 64, 128] {
            let said = tested(*user, Bound::Memory(mebibytes << 20));
            let is_over = matches!(said.code, Some(0 | 3 | 137) | None);
            assert!(is_over, "as {user:?}, {mebibytes} MiB: {said:?}");
            passed += u32::from(said.code == Some(0));
        }
        assert!(passed >= 1, "as {user:?}");
    }
}

/// A lab that is up in a group.
fn up(group: &Group, user: User) -> Labs {
    let labs = Labs::of(user);
    let mut command = group.with(&labs.program, user, &["up", "example:two-tier"]);
    command.env("SGLAB_RUNTIME_DIR", labs.folder());
    let said = said(command);
    assert_eq!(said.code, Some(0), "as {user:?}: {said:?}");
    labs
}

#[test]
fn a_fork_bomb_in_a_group_of_few_processes_costs_its_instance_only() {
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let group = Group::of(Bound::Processes(160));
        let labs = up(&group, *user);
        let bomb = "$| = 1; for (1..500) { my $p = fork; if (!defined $p) { last } elsif (!$p) { sleep 100000 } } print qq(over\n); sleep 100000";
        let mut bomb = labs.command(&["exec", "web1", "--", "perl", "-e", bomb]);
        let mut bomb = bomb.stderr(Stdio::null()).spawn().expect("a program");
        let mut over = [0; 5];
        std::io::Read::read_exact(bomb.stdout.as_mut().expect("its output"), &mut over).expect("its word");
        assert_eq!(labs.ok(&["exec", "db1", "--", "echo", "alive"]), "alive\n", "as {user:?}");
        assert!(labs.ok(&["probe", "web2", "db1:3306"]).contains("  open  "), "as {user:?}");
        labs.ok(&["stop", "web1"]);
        bomb.wait().expect("its end");
        labs.ok(&["start", "web1"]);
        assert_eq!(labs.ok(&["exec", "web1", "--", "echo", "alive"]), "alive\n", "as {user:?}");
        labs.ok(&["down"]);
    }
}

/// The kernel kills who takes most: the program, and not the lab.
#[test]
fn who_takes_all_memory_of_a_group_dies_and_the_lab_lives() {
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let group = Group::of(Bound::Memory(200 << 20));
        let labs = up(&group, *user);
        let hog = labs.say(&["exec", "web1", "--", "perl", "-e", "my @all; push @all, 'x' x 1e6 while 1"]);
        assert_eq!(hog.code, Some(137), "as {user:?}: {hog:?}");
        assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "), "as {user:?}");
        assert_eq!(labs.ok(&["exec", "web1", "--", "echo", "alive"]), "alive\n", "as {user:?}");
        labs.ok(&["down"]);
    }
}

/// By a namespace of control groups its root would mount the group, and kill all that is in it.
#[test]
fn an_instance_neither_sees_nor_kills_the_group_that_its_lab_runs_in() {
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let group = Group::of(Bound::Processes(400));
        let labs = up(&group, *user);
        let inside = |script: &str| labs.ok(&["exec", "web1", "--", "sh", "-c", script]);
        let groups = inside("cat /proc/self/cgroup");
        assert!(groups.lines().all(|line| line.ends_with(":/")), "as {user:?}: {groups}");
        for mount in ["-t cgroup2", "-t cgroup -o pids"] {
            let attack = format!("mount {mount} none /tmp/c && echo 1 >/tmp/c/cgroup.kill; echo max >/tmp/c/pids.max");
            inside(&format!("mkdir -p /tmp/c; unshare -mC sh -c '{attack}' 2>/dev/null; exit 0"));
            assert_eq!(labs.ok(&["exec", "db1", "--", "echo", "alive"]), "alive\n", "as {user:?}: {mount}");
        }
        assert_eq!(fs::read_to_string(group.0.join("pids.max")).expect("its bound"), "400\n", "as {user:?}");
        labs.ok(&["down"]);
    }
}
