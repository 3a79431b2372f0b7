//! What runs in an instance is nobody on the host, and reaches nothing of it. Each test is a row of the table "What an instance can and
//! cannot do" (docs/architecture.md). Everything here is tried by root of the instance.

use crate::labs::Labs;
use crate::program::{self, NOBODY, User, said, users};
use nix::unistd::geteuid;

/// A lab of two instances, and a shell in the first.
pub struct Fence {
    labs: Labs,
    pub user: User,
}

impl Fence {
    fn of(user: User) -> Self {
        let labs = Labs::of(user);
        labs.ok(&["up", "example:two-tier"]);
        Self { labs, user }
    }

    /// What a script in web1 prints; it must end well.
    pub fn inside(&self, script: &str) -> String {
        self.labs.ok(&["exec", "web1", "--", "sh", "-c", script])
    }

    /// Tries each command in web1. None may succeed, and none may fail because it is not there.
    pub fn nothing_of(&self, commands: &[&str]) {
        for command in commands {
            let said = self.inside(&format!(
                "if (LC_ALL=C; export LC_ALL; {command}) 2>&1; then echo DONE; else echo refused $?; fi"
            ));
            let refused = said.contains("refused") && !said.contains("refused 127") && !said.contains("refused 126");
            assert!(refused && !said.contains("DONE"), "as {:?}, {command}: {said}", self.user);
        }
    }
}

pub fn as_each(test: impl Fn(&Fence)) {
    for user in users() {
        test(&Fence::of(*user));
    }
}

#[test]
fn root_of_an_instance_writes_nothing_of_the_hosts() {
    as_each(|fence| {
        fence.nothing_of(&[
            ": >>/etc/passwd",
            ": >>/etc/hosts",
            ": >>/etc/resolv.conf",
            ": >>/usr/sbin/nft",
            "touch /usr/bin/new /opt/new /var/lib/new",
            "mount -o remount,rw,bind /usr",
            "mount -o remount,rw,bind /etc/hosts",
            "mount -o remount,rw,bind /proc/sys",
            "umount /usr",
            "umount -l /etc/hosts",
        ]);
    });
}

#[test]
fn in_a_lab_of_roots_it_is_nobody_on_the_host() {
    let fence = Fence::of(User::Ours);
    assert_eq!(fence.inside("id -u; id -g"), "0\n0\n");
    let map = fence.inside("cat /proc/self/uid_map");
    let outside: Vec<u32> = map.split_whitespace().skip(1).step_by(3).map(|id| id.parse().expect("an id")).collect();
    assert!(geteuid().is_root().then(|| outside.iter().all(|id| *id >= 20_000)) != Some(false), "{map}");
    // Not even what root alone may read.
    fence.nothing_of(&["cat /etc/shadow"]);
}

#[test]
fn the_settings_of_its_own_network_are_its_own_and_no_others() {
    as_each(|fence| {
        let forwarding = "echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward";
        assert_eq!(fence.inside(forwarding), "1\n");
        fence.nothing_of(&[
            "(: >/proc/sys/kernel/core_pattern)",
            "(: >>/proc/sys/vm/swappiness)",
            "(: >>/proc/sys/fs/file-max)",
            "(: >>/proc/sysrq-trigger)",
            "(: >>/sys/kernel/mm/transparent_hugepage/enabled)",
            "touch /sys/new",
        ]);
    });
}

#[test]
fn what_lies_beneath_the_instances_own_mounts_is_not_revealed() {
    as_each(|fence| {
        fence.nothing_of(&[
            "umount /proc",
            "umount /run",
            "umount /tmp",
            "umount /dev",
            "umount -l /run/data",
            "umount /home",
        ]);
        // A root of its own making shows no more.
        let pivoted = "mkdir /tmp/r && unshare -m sh -c 'mount -t tmpfs none /tmp/r && mkdir /tmp/r/old && cd /tmp/r && \
                       pivot_root . old && echo /old/* /old/run/*'";
        let seen = fence.inside(pivoted);
        assert!(
            seen.contains("usr") && !seen.contains("netns") && !seen.contains("sglab"),
            "as {:?}: {seen}",
            fence.user
        );
    });
}

#[test]
fn the_hosts_own_folders_cannot_be_seen() {
    as_each(|fence| {
        let marked = fence.labs.program.scratch().join("marked");
        std::fs::write(&marked, "secret").expect("a file");
        fence.nothing_of(&[&format!("cat {}", marked.display())]);
        for folder in ["/root", "/home", "/tmp", "/var/tmp", "/mnt", "/media", "/boot"] {
            let seen = fence.inside(&format!("ls -A {folder} 2>/dev/null || true"));
            assert_eq!(seen, "", "as {:?}: {folder}", fence.user);
        }
        assert_eq!(fence.inside("ls /run"), "data\n", "as {:?}", fence.user);
    });
}

#[test]
fn no_device_of_the_hosts_is_there() {
    as_each(|fence| {
        let devices = fence.inside("find /dev -type b -o -type c | sort | tr '\\n' ' '");
        let harmless = [
            "/dev/full",
            "/dev/net/tun",
            "/dev/null",
            "/dev/pts/ptmx",
            "/dev/random",
            "/dev/tty",
            "/dev/urandom",
            "/dev/zero",
        ];
        assert!(devices.split_whitespace().all(|device| harmless.contains(&device)), "as {:?}: {devices}", fence.user);
        fence.nothing_of(&["mknod /tmp/disk b 254 0 && cat /tmp/disk"]);
    });
}

#[test]
fn the_processes_of_others_cannot_be_seen() {
    as_each(|fence| {
        let mut other = fence.labs.command(&["exec", "db1", "--", "sleep", "1000001"]).spawn().expect("a program");
        while !fence.labs.ok(&["exec", "db1", "--", "ps", "ax"]).contains("1000001") {}
        assert!(!fence.inside("ps ax").contains("1000001"), "as {:?}", fence.user);
        other.kill().expect("a program");
        other.wait().expect("a program");
    });
}

/// Neither the socket of the lab nor any other of the user's is in a folder that instances see.
#[test]
fn no_socket_of_the_users_is_in_sight() {
    as_each(|fence| {
        // Of every file system that is mounted in it.
        let sockets = "find / \\( -path /proc -o -path /sys \\) -prune -o -type s -print 2>/dev/null | grep .";
        fence.nothing_of(&["ls /run/sglab", "ls /run/netns", sockets]);
    });
}

/// The socket knows who speaks, wherever it is met. Only root can put a client into the processes of a lab.
#[test]
fn a_program_inside_gives_no_orders_to_the_lab() {
    if !program::is_root_or_skipped() {
        return;
    }
    as_each(gives_no_orders);
}

fn gives_no_orders(fence: &Fence) {
    let child_of = |pid: String| {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("its children");
        children.split_whitespace().next().expect("a child").to_owned()
    };
    // Outside of the lab is its caller; inside are the first process, and the one that answers.
    let pid = child_of(child_of(fence.labs.pid("two-tier").to_string()));
    let mut command = std::process::Command::new("nsenter");
    let id = id_of(fence.user).to_string();
    command.args(["-t", &pid, "--pid", "--", "setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
    command.arg(fence.labs.program.path()).args(["stop", "web1"]);
    let said = said({
        command.env("SGLAB_RUNTIME_DIR", fence.labs.folder());
        command
    });
    assert!(said.code != Some(0) && said.err.contains("no program inside a lab may change it"), "{said:?}");
    assert_eq!(fence.inside("hostname"), "web1\n", "it runs on");
}

/// Services see the folder of their file, to read; what is hidden stays so in it.
#[test]
fn a_service_reads_beside_its_file_and_writes_nothing() {
    for user in users() {
        let labs = Labs::of(*user);
        let folder = labs.program.scratch().join("site");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("a folder");
        std::fs::write(folder.join("page"), "hello").expect("a file");
        let text = "sglab: 1\nera: vpc\ngroups: {WEB: []}\ninstances:\n  web1: {groups: WEB, services: {web: {command: \
                    'cat page; echo x >>page || echo refused; ls ..; sleep 1000'}}}\nscenario: [{step: up, expect: \
                    {dropped: ['web1 -> web1:80 by public address']}}]\n";
        let file = folder.join("site.yaml");
        std::fs::write(&file, text).expect("a file");
        labs.ok(&["up", &file.display().to_string()]);
        let read = || labs.ok(&["logs", "--service", "web1/web"]);
        while !read().contains("refused") {}
        assert!(read().starts_with("hello"), "as {user:?}: {}", read());
        assert_eq!(std::fs::read_to_string(folder.join("page")).expect("the file"), "hello");
    }
}

fn id_of(user: User) -> u32 {
    if user == User::Nobody { NOBODY } else { geteuid().as_raw() }
}

/// A lab of one instance with `mounts:`, whose file lies in a folder with a `www` and a `data`.
fn mounting(user: User, mounts: &str) -> (Fence, std::path::PathBuf) {
    let labs = Labs::of(user);
    let folder = labs.program.scratch().join("site");
    for below in ["www", "data/www"] {
        std::fs::create_dir_all(folder.join(below)).expect("a folder");
    }
    std::fs::write(folder.join("www/page"), "hello").expect("a file");
    for path in ["", "www", "www/page", "data", "data/www"] {
        std::os::unix::fs::chown(folder.join(path), Some(id_of(user)), None).expect("given to the lab's user");
    }
    let text = format!(
        "sglab: 1\nera: vpc\ngroups: {{WEB: []}}\ninstances: {{web1: {{groups: WEB, mounts: {mounts}}}}}\n\
         scenario: [{{step: up, expect: {{dropped: ['web1 -> web1:80 by public address']}}}}]\n"
    );
    let file = folder.join("site.yaml");
    std::fs::write(&file, text).expect("a file");
    labs.ok(&["up", &file.display().to_string()]);
    (Fence { labs, user }, folder)
}

#[test]
fn what_is_mounted_read_only_is_read_and_not_written() {
    for user in users() {
        // Nobody else may read it, and the instance's root is not them.
        let (fence, folder) = mounting(*user, "{/srv/www: ./www}");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder.join("www"), private).expect("it is ours");
        assert_eq!(fence.inside("cat /srv/www/page"), "hello", "as {user:?}");
        fence.nothing_of(&[
            "echo x >>/srv/www/page",
            "touch /srv/www/new",
            "rm /srv/www/page",
            "mount -o remount,rw,bind /srv/www",
            "umount /srv/www",
            "ls /srv/www/../data",
            "unshare -m sh -c 'mount -o remount,rw,bind /srv/www && touch /srv/www/new'",
        ]);
        assert_eq!(std::fs::read_to_string(folder.join("www/page")).expect("the file"), "hello");
        fence.labs.ok(&["reboot", "web1"]);
        assert_eq!(fence.inside("cat /srv/www/page"), "hello", "after a reboot as well");
    }
}

#[test]
fn what_an_instance_writes_to_a_writable_mount_belongs_to_the_labs_user() {
    for user in users() {
        let (fence, folder) = mounting(*user, "{/var/lib/app: ./data writable}");
        fence.inside("echo written >/var/lib/app/file; mkdir /var/lib/app/folder");
        let file = folder.join("data/file");
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), "written\n", "as {user:?}");
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&file).expect("the file"));
        assert_eq!(owner, id_of(*user), "as {user:?}");
        // A program of the host's is no key to it: what the instance makes there gives nobody anything.
        fence.inside("cp /bin/sh /var/lib/app/sh && chmod 4755 /var/lib/app/sh");
        fence.nothing_of(&["ls /var/lib/app/../site.yaml", "mknod /var/lib/app/null c 1 3", "touch /srv/new"]);
        fence.labs.ok(&["stop", "web1"]);
        fence.labs.ok(&["start", "web1"]);
        assert_eq!(fence.inside("cat /var/lib/app/file"), "written\n", "after a restart as well");
    }
}

/// Also by a mount of its own making, by root of a user namespace of its own, or by what lies above the folder.
#[test]
fn no_mount_of_an_instances_makes_what_is_mounted_writable_or_leads_beside_it() {
    for user in users() {
        let (fence, folder) = mounting(
            *user,
            "{/srv/www: ./www, /srv/data: ./data writable, /srv/data/www: ./www, /srv/page: ./www/page}",
        );
        std::fs::write(folder.join("beside"), "secret").expect("a file");
        std::os::unix::fs::symlink("../beside", folder.join("www/link")).expect("a link");
        assert_eq!(fence.inside("cat /srv/www/page /srv/page /srv/data/www/page"), "hellohellohello");
        let again = "mkdir -p /tmp/m && mount --bind /srv/www /tmp/m";
        fence.nothing_of(&[
            ": >>/srv/page",
            "chmod 777 /srv/www/page",
            "touch /srv/data/www/new",
            "mount -o remount,rw,bind /srv/page",
            "mount -o remount,rw,bind /srv/data/www",
            "umount -l /srv/data/www",
            &format!("{again} && mount -o remount,rw,bind /tmp/m"),
            &format!("{again} && touch /tmp/m/new"),
            &format!("{again} && mount --make-private /tmp/m && mount -o remount,bind,rw /tmp/m && touch /tmp/m/new"),
            "unshare -Urm sh -c 'mount -o remount,rw,bind /srv/www && touch /srv/www/new'",
            "unshare -Urm sh -c 'umount -l /srv/www'",
            "cat /srv/www/link",
            "cat /srv/www/../beside",
            "cat /srv/data/../site.yaml",
            "mknod /srv/data/disk b 254 0 && cat /srv/data/disk",
        ]);
        assert_eq!(fence.inside("cd /srv/www/.. && ls -d page www"), "page\nwww\n");
        let entries = std::fs::read_dir(folder.join("www")).expect("a folder");
        let mut names: Vec<_> = entries.map(|it| it.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["link", "page"], "as {user:?}");
    }
}

#[test]
fn an_empty_mount_is_the_instances_own_until_it_stops() {
    for user in users() {
        let (fence, _) = mounting(*user, "{/opt/cache: empty, /srv/www: ./www, /usr/local/share: empty}");
        fence.inside("touch /opt/cache/file /usr/local/share/file; test -e /srv/www/page");
        fence.labs.ok(&["stop", "web1"]);
        fence.labs.ok(&["start", "web1"]);
        assert_eq!(
            fence.inside("ls -A /opt/cache /usr/local/share | wc -l"),
            "3\n",
            "as {user:?}: two names, a blank line"
        );
    }
}

#[test]
fn a_mount_that_has_gone_is_an_error_that_names_it_and_nothing_is_started() {
    for user in users() {
        let (fence, folder) = mounting(*user, "{/srv/www: ./www}");
        std::fs::rename(folder.join("www"), folder.join("elsewhere")).expect("it is ours");
        // What runs has it still, and goes on.
        for begin in ["reboot", "start"] {
            assert_eq!(fence.inside("cat /srv/www/page"), "hello", "as {user:?}");
            if begin == "start" {
                fence.labs.ok(&["stop", "web1"]);
            }
            let said = fence.labs.say(&[begin, "web1"]);
            let words = ["failed to mount ./www at /srv/www", "site/www is not there", "nothing has changed"];
            let told = words.iter().all(|words| said.err.contains(words));
            assert!(said.code == Some(2) && told, "as {user:?}: {said:?}");
        }
        let said = fence.labs.say(&["exec", "web1", "--", "true"]);
        assert!(said.err.contains("web1 does not run"), "as {user:?}: {said:?}");
        std::fs::rename(folder.join("elsewhere"), folder.join("www")).expect("it is ours");
        fence.labs.ok(&["start", "web1"]);
        assert_eq!(fence.inside("cat /srv/www/page"), "hello", "as {user:?}");
    }
}

/// It pays for that with its own network, and a restart gives it a new one.
#[test]
fn what_an_instance_does_to_its_own_network_costs_itself_only() {
    as_each(|fence| {
        for sabotage in [
            "ip addr flush dev eth0",
            "ip route flush table all",
            "ip link del eth0",
            "ip link set eth0 name other",
            "ip rule del from all lookup main",
            "unshare -n sleep 1000 >/dev/null 2>&1 & sleep 0.1; ip link set eth0 netns $!",
        ] {
            fence.inside(&format!("{sabotage} || exit 0"));
            let others = fence.labs.ok(&["probe", "web2", "db1:3306"]);
            assert!(others.contains("open"), "{sabotage}: {others}");
            for command in ["stop", "start"] {
                fence.labs.ok(&[command, "web1"]);
            }
            let found = fence.labs.ok(&["probe", "web1", "db1:3306"]);
            assert!(found.contains("open"), "as {:?}, {sabotage}: {found}", fence.user);
        }
    });
}

#[test]
fn a_fork_bomb_costs_its_instance_only() {
    as_each(|fence| {
        let script = "bomb() { bomb | bomb & }; echo begun; bomb; sleep 1000";
        let mut bomb = fence.labs.command(&["exec", "web1", "--", "sh", "-c", script]);
        let mut bomb =
            bomb.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().expect("a program");
        let mut begun = [0; 6];
        std::io::Read::read_exact(bomb.stdout.as_mut().expect("its output"), &mut begun).expect("its word");
        assert_eq!(fence.labs.ok(&["exec", "db1", "--", "echo", "alive"]), "alive\n");
        assert!(fence.labs.ok(&["probe", "web2", "db1:3306"]).contains("open"));
        fence.labs.ok(&["stop", "web1"]);
        bomb.wait().expect("its end");
        fence.labs.ok(&["start", "web1"]);
        assert_eq!(fence.inside("echo alive"), "alive\n");
    });
}

#[test]
fn the_number_of_processes_is_limited() {
    as_each(|fence| {
        let limits = fence.inside("grep 'Max processes' /proc/self/limits");
        assert_eq!(limits.split_whitespace().nth(3), Some("2048"), "{limits}");
        fence.nothing_of(&["prlimit --nproc=4000:4000 true"]);
    });
}

/// A script whose interpreter is the link to whoever starts it runs the host's file of sglab, and root of the instance may be its owner.
#[test]
fn the_program_that_starts_others_is_not_changed_by_them() {
    for user in users() {
        let fence = Fence::of(*user);
        let path = fence.labs.program.path();
        if *user == User::Nobody {
            std::os::unix::fs::chown(&path, Some(NOBODY), None).expect("given to the lab's user");
        }
        let mode = || std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).expect("the program"));
        let before = mode();
        fence.inside("printf '#!/proc/self/exe --help\\n' >/tmp/script; chmod 755 /tmp/script");
        let everyone =
            "perl -e 'for (1..20000) { last if -e \"/tmp/done\"; chmod 04000, $_ for glob \"/proc/[0-9]*/exe\" }'";
        std::thread::scope(|scope| {
            scope.spawn(|| fence.inside(everyone));
            for _ in 0..20 {
                fence.labs.say(&["exec", "web1", "--", "/tmp/script"]);
            }
            fence.labs.say(&["exec", "web1", "--", "touch", "/tmp/done"]);
        });
        assert_eq!(mode(), before, "as {user:?}");
        assert_eq!(fence.inside("echo lives"), "lives\n");
    }
}

/// Wherever the home folder lies and however it is named.
#[test]
fn a_home_folder_that_is_named_by_a_link_cannot_be_seen() {
    // Of the folders that instances see, only root makes one.
    if !program::is_root_or_skipped() {
        return;
    }
    for user in users() {
        let labs = Labs::of(*user);
        let home = std::path::Path::new("/srv").join(format!("home-of-a-test-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let link = labs.program.scratch().join("home");
        std::os::unix::fs::symlink(&home, &link).expect("a link");
        std::fs::write(home.join("key"), "secret").expect("a file");
        let mut up = labs.command(&["up", "example:two-tier"]);
        let up = said(std::mem::replace(up.env("HOME", &link), std::process::Command::new("true")));
        let seen = labs.say(&["exec", "web1", "--", "cat", &home.join("key").display().to_string()]);
        std::fs::remove_dir_all(&home).expect("it is ours");
        assert_eq!(up.code, Some(0), "{up:?}");
        assert!(seen.code == Some(1) && seen.err.contains("No such file"), "as {user:?}: {seen:?}");
    }
}

/// What people run in instances works: the tools of the network, and to trace a program of one's own.
#[test]
fn the_usual_tools_work_inside() {
    as_each(|fence| {
        fence.inside(
            "ip link add dummy0 type dummy 2>/dev/null || ip link show eth0; nft add table inet own; nft list tables",
        );
        // It gives up root's ids, for which there must be others.
        if fence.inside("awk '{n += $3} END {print n}' /proc/self/uid_map").trim() != "1" {
            let asks =
                "while kill -0 $! 2>/dev/null; do nc.openbsd -z 127.0.0.1 1; [ $? = 1 ] || { kill $!; exit 1; }; done";
            fence.inside(&format!("tcpdump -c 1 -i lo & {asks}; wait $!"));
        }
        // Each works, and says so by its exit code.
        for works in ["iptables -A INPUT -p tcp --dport 9 -j DROP", "ping -c 1 127.0.0.1", "strace -fo /dev/null true"]
        {
            fence.inside(works);
        }
        assert_eq!(fence.inside("unshare -Ur id -u"), "0\n", "as {:?}", fence.user);
        let terminal = "script -qec tty /dev/null 2>&1 || true";
        assert!(fence.inside(terminal).contains("/dev/pts/"), "as {:?}: {}", fence.user, fence.inside(terminal));
    });
}

#[test]
fn the_first_process_of_an_instance_has_nothing_to_take() {
    as_each(|fence| fence.nothing_of(&["ls /proc/1/fd", "cat /proc/1/environ", "readlink /proc/1/exe"]));
}

/// Neither the lab nor a program in it keeps open what the caller had open.
#[test]
fn what_the_caller_has_open_does_not_come_inside() {
    for user in users() {
        let labs = Labs::of(*user);
        let (mut read, write) = std::io::pipe().expect("a pipe");
        let mut command = labs.command(&["up", "example:two-tier"]);
        let inherited = std::os::fd::OwnedFd::from(write);
        nix::fcntl::fcntl(&inherited, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
            .expect("a descriptor");
        assert!(command.output().expect("the program").status.success());
        drop(inherited);
        // It ends while the lab is up.
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut read, &mut rest).expect("its end");
        let open = labs.ok(&["exec", "web1", "--", "sh", "-c", "ls /proc/self/fd | wc -l"]);
        assert_eq!(open.trim(), "4", "as {user:?}: input, output, errors, and the folder that is listed");
    }
}
