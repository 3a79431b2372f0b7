//! Mounts that are refused, and files of the lab that an instance would have otherwise: nobody is led, held or written for.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::mounts::{Site, as_each};
use crate::patience::patience;
use crate::program::{self, NOBODY, User};

/// Everything that is wrong is told at once, by `check`, which needs no privilege.
#[test]
fn what_no_instance_is_to_see_is_refused_with_its_place() {
    as_each(|site| {
        let labs = site.labs.folder();
        fs::create_dir_all(&labs).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(site.path("sock")).unwrap();
        nix::unistd::mkfifo(&site.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("/", site.path("everything")).unwrap();
        symlink("/etc", site.path("data/etc")).unwrap();
        let wrong = [
            ("/", "all that this system has"),
            ("./everything", "all that this system has"),
            ("..", "your home folder"),
            ("../..", "lies in"),
            ("/tmp", "where everybody has temporary files"),
            ("/var/tmp/.", "where everybody has temporary files"),
            ("/proc/self", "lies in /proc"),
            ("/dev/null", "lies in /dev"),
            ("/run", "the system's"),
            ("./sock", "a socket"),
            ("./pipe", "a named pipe"),
            (&labs.display().to_string(), "where your labs have their sockets"),
            ("/usr/bin writable", "which is the system's"),
            ("./data/etc writable", "no instance may write to /etc"),
            ("./nothing", "does not exist"),
        ];
        let mounts: Vec<String> =
            wrong.iter().enumerate().map(|(at, (path, _))| format!("/srv/{at}: {path}")).collect();
        let file = site.file(&format!("mounts: {{{}}}", mounts.join(", ")), "public: yes");
        let said = site.labs.say(&["check", &file]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let told: Vec<&str> = said.err.split("error: ").skip(1).collect();
        assert_eq!(told.len(), wrong.len(), "as {:?}: {}", site.labs.user, said.err);
        for ((path, why), told) in wrong.iter().zip(told) {
            let has_place = told.contains("site.yaml:5:") && told.contains('^');
            assert!(told.contains(why) && has_place, "as {:?}, {path}: {told}", site.labs.user);
        }
    });
}

/// Before anything is made; in a lab of root's the owner of each decides, and every owner may.
#[test]
fn what_the_labs_user_may_not_do_with_a_source_is_told_with_its_place() {
    if !program::is_root_or_skipped() {
        return;
    }
    let site = Site::of(User::Nobody);
    for (folder, mode) in [("closed", 0o700), ("open", 0o755), ("closed/in", 0o755), ("mine", 0o700)] {
        fs::create_dir(site.path(folder)).unwrap();
        fs::set_permissions(site.path(folder), Permissions::from_mode(mode)).unwrap();
    }
    chown(site.path("mine"), Some(NOBODY), Some(NOBODY)).unwrap();
    site.write("open/secret", "of root's", 0o600);
    let mounts = "mounts: {/a: ./closed, /b: ./closed/in, /c: ./open writable, /d: ./open/secret, /e: ./open, /f: ./mine writable}";
    let file = site.file(mounts, "public: yes");
    for command in ["check", "up"] {
        let said = site.labs.say(&[command, &file]);
        let told: Vec<&str> = said.err.split("error: ").skip(1).collect();
        let whys = ["not enter", "not enter", "not write to", "not read"];
        assert!(said.code == Some(2) && told.len() == whys.len(), "{said:?}");
        for (why, told) in whys.iter().zip(told) {
            let whole = told.contains(why) && told.contains("chmod o+") && told.contains("^^^");
            assert!(whole && told.contains("site.yaml:5:") && !told.contains("/./"), "{why}: {told}");
        }
    }
    let mut check = site.labs.program.run(User::Ours, &["check", &file]);
    assert_eq!(
        program::said(std::mem::replace(check.env("HOME", "/root"), std::process::Command::new("true"))).code,
        Some(0)
    );
}

/// An instance may put links into what it may write to. They lead nobody anywhere: no mount of another's, and no log.
#[test]
fn links_that_an_instance_has_made_are_followed_for_nobody() {
    as_each(|site| {
        let outside = site.path("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("mine"), "mine").unwrap();
        for (path, mode) in [(outside.clone(), 0o777), (outside.join("mine"), 0o666)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let service =
            "mounts: {/var/lib/x: ./data writable}, services: {a: {command: 'echo said; sleep 1000', log: data/log}}";
        site.up(service, "mounts: {/srv/sub: ./data/sub writable}");
        let lead = |name: &str, to: &Path| {
            site.inside(&format!("rm -rf /var/lib/x/{name}; ln -s {} /var/lib/x/{name}", to.display()))
        };
        lead("sub", &outside);
        let said = site.labs.say(&["reboot", "web2"]);
        let refused = said.code == Some(2) && said.err.contains("is a link, and instances may write to");
        assert!(refused, "as {:?}: {said:?}", site.labs.user);
        // What was refused once is mended by whoever mends the folder.
        site.inside("rm /var/lib/x/sub; mkdir /var/lib/x/sub; echo back >/var/lib/x/sub/page");
        site.labs.ok(&["reboot", "web2"]);
        assert_eq!(site.labs.ok(&["exec", "web2", "--", "cat", "/srv/sub/page"]), "back\n");
        lead("log", &outside.join("mine"));
        let said = site.labs.say(&["logs", "--service", "web1/a"]);
        assert!(said.code != Some(0) && !said.out.contains("mine"), "{said:?}");
        let said = site.labs.say(&["reboot", "web1"]);
        assert!(said.err.contains("no link there is followed"), "as {:?}: {said:?}", site.labs.user);
        assert_eq!(fs::read_to_string(outside.join("mine")).unwrap(), "mine");
    });
}

/// Takes a lease on a file, says so, and gives it up for nobody.
const LEASE: &str = r#"$SIG{IO} = "IGNORE"; open F, "+<", $ARGV[0] or open F, "<", $ARGV[0] or die $!; $| = 1;
    for my $kind (1, 0) { if (fcntl F, 1024, $kind) { print "held\n"; sleep 1000 } } print "none: $!\n"; sleep 1000"#;

/// Whoever opens a leased file waits until the kernel breaks the lease, 45 s: nobody in the lab does.
#[test]
fn a_lease_on_a_file_of_the_labs_holds_nobody() {
    as_each(|site| {
        let service =
            "mounts: {/var/lib/x: ./data writable}, services: {a: {command: 'echo said; sleep 1000', log: data/log}}";
        site.up(service, "mounts: {/var/lib/x: ./data writable}");
        let lease = |file: &str| {
            let mut command = site.labs.command(&["exec", "web2", "--", "perl", "-e", LEASE, file]);
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
            (child, said)
        };
        site.labs.ok(&["stop", "web1"]);
        let (mut log, said) = lease("/var/lib/x/log");
        assert_eq!(said, "held\n", "as {:?}", site.labs.user);
        let said = site.labs.say(&["logs", "--service", "web1/a"]);
        assert!(said.code != Some(0) && said.err.contains("holds a lease on it"), "as {:?}: {said:?}", site.labs.user);
        let said = site.labs.say(&["start", "web1"]);
        let told = said.err.contains("failed to open its log") && said.err.contains("holds a lease on it");
        assert!(told, "as {:?}: {said:?}", site.labs.user);
        log.kill().unwrap();
        log.wait().unwrap();
        let (mut hosts, said) = lease("/etc/hosts");
        assert!(said.starts_with("none"), "as {:?}: {said}", site.labs.user);
        site.labs.ok(&["apply", "{launch: {web3: {groups: WEB}}}"]);
        hosts.kill().unwrap();
        hosts.wait().unwrap();
        assert!(site.inside("cat /etc/hosts").contains("web3"), "as {:?}", site.labs.user);
        site.labs.ok(&["stop", "web2"]);
        site.labs.ok(&["reboot", "web1"]);
        assert!(site.labs.ok(&["logs", "--service", "web1/a"]).ends_with("said\n"));
    });
}

/// A folder directly in `/srv`, which every instance sees; only root makes one. It goes with this.
struct Served(PathBuf);

impl Served {
    fn of(name: &str, owner: u32) -> Self {
        let served = Self(Path::new("/srv").join(format!("{name}-of-a-test-{}", std::process::id())));
        fs::create_dir_all(served.0.join("sub")).unwrap();
        for folder in [served.0.clone(), served.0.join("sub")] {
            chown(folder, Some(owner), Some(owner)).unwrap();
        }
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Whoever writes there could put a link where a folder was looked at: an instance would see what that leads to.
#[test]
fn no_room_is_made_in_what_instances_write_to() {
    if !program::is_root_or_skipped() {
        return;
    }
    as_each(|site| {
        let served = Served::of("room", site.owner());
        let shown = served.0.display();
        let web1 = format!("mounts: {{/w: {shown} writable}}");
        for place in ["cache", "sub/new/deep"] {
            let said = site.labs.say(&["up", &site.file(&web1, &format!("mounts: {{{shown}/{place}: empty}}"))]);
            let told =
                said.err.contains("make room for") && said.err.contains(&format!("instances may write to {shown}"));
            assert!(said.code != Some(0) && told, "as {:?}: {said:?}", site.labs.user);
        }
        // What is there can be mounted on, and beside it there is room.
        let beside = format!("mounts: {{{shown}/sub: empty, {shown}-beside/new: empty}}");
        site.up(&web1, &beside);
        let seen = site.labs.ok(&[
            "exec",
            "web2",
            "--",
            "sh",
            "-c",
            &format!("echo x >{shown}/sub/x; ls {shown}/sub {shown}-beside"),
        ]);
        assert!(seen.contains("x\n") && seen.contains("new\n"), "{seen}");
        let made: Vec<_> = fs::read_dir(&served.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(made, ["sub"]);
        assert_eq!(fs::read_dir(served.0.join("sub")).unwrap().count(), 0);
    });
}

/// Files that run as their owner can be left in what belongs to root: whose it is no instance decides.
#[test]
fn no_instance_decides_whose_it_is_what_it_mounts() {
    const KIM: u32 = 4242;
    if !program::is_root_or_skipped() {
        return;
    }
    let site = Site::of(User::Ours);
    site.own(KIM);
    site.write("data/sub/app", "x", 0o644);
    chown(site.path("data/sub/app"), Some(KIM), Some(KIM)).unwrap();
    fs::create_dir(site.path("data/other")).unwrap();
    chown(site.path("data/other"), Some(KIM), Some(KIM)).unwrap();
    site.up(
        "mounts: {/w: ./data writable, /x: ./data/sub/app writable}, \
         services: {a: {command: 'echo said; exec sleep 1000', log: data/other/app}}",
        "mounts: {/w: ./data/sub writable}",
    );
    assert_eq!(fs::metadata(site.path("data/other/app")).unwrap().uid(), KIM, "a log is of its folder's owner");
    // What the lab has made lies where the mount's source is, now.
    site.inside("cd /w; mv sub t; mv other sub; mv t other");
    site.labs.ok(&["reboot", "web1"]);
    site.inside("cat /usr/bin/id >/x; chmod 4755 /x");
    for path in ["data/sub/app", "data/other/app"] {
        assert_eq!(fs::metadata(site.path(path)).unwrap().uid(), KIM, "{path}");
    }
    // As if a link had led to what is root's when the owner was asked for.
    chown(site.path("data/sub"), Some(0), Some(0)).unwrap();
    let said = site.labs.say(&["reboot", "web2"]);
    assert!(said.code == Some(2) && said.err.contains("belongs to user 0, group 0 now"), "{said:?}");
    chown(site.path("data/sub/app"), Some(0), Some(0)).unwrap();
    chown(site.path("data/sub"), Some(KIM), Some(KIM)).unwrap();
    site.labs.ok(&["down", "--all"]);
    // Also by a later lab, and for a log.
    let said =
        site.labs.say(&["up", &site.file("mounts: {/w: ./data writable, /x: ./data/sub/app writable}", "public: yes")]);
    assert!(said.code != Some(0) && said.err.contains("may have moved it there"), "{said:?}");
    let service = "services: {a: {command: 'echo said', log: data/sub/app}}";
    let said = site.labs.say(&["up", &site.file(service, "public: yes")]);
    assert!(said.code != Some(0) && said.err.contains("may have moved it there"), "{said:?}");
}

/// Where `/etc/resolv.conf` is a link into `/run`, as on most systems, the instance has the lab's all the same, and the host no new file.
#[test]
fn the_files_of_names_are_made_nowhere_on_the_host() {
    if !program::is_root_or_skipped() {
        return;
    }
    as_each(|site| {
        let file = site.file("mounts: {/run/systemd/resolve: ./data writable}", "public: yes");
        let user = site.owner();
        let script = format!(
            "cp -a /etc etc && rm -f etc/resolv.conf && ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf && \
             mount --bind etc /etc && export SGLAB_RUNTIME_DIR={labs} && \
             lab() {{ setpriv --reuid {user} --regid {user} --clear-groups {sglab} \"$@\"; }}; lab up {file} && \
             lab exec web1 -- grep nameserver /etc/resolv.conf && lab exec web2 -- grep nameserver /etc/resolv.conf && \
             lab exec web1 -- ln -s {made} /run/systemd/resolve/stub-resolv.conf && lab reboot web1 && \
             lab exec web1 -- grep nameserver /etc/resolv.conf; code=$?; lab down; exit $code",
            labs = site.labs.folder().display(),
            sglab = site.labs.program.path().display(),
            made = site.path("made-by-lab").display(),
        );
        let unshare = std::process::Command::new("unshare");
        let said = program::said(site.labs.program.dress(User::Ours, unshare, &["-m", "sh", "-c", &script]));
        assert_eq!(
            (said.code, said.out.matches("nameserver").count()),
            (Some(0), 3),
            "as {:?}: {said:?}",
            site.labs.user
        );
        assert!(!site.path("made-by-lab").exists(), "as {:?}", site.labs.user);
        let mut there: Vec<_> =
            fs::read_dir(site.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["old", "stub-resolv.conf", "sub"], "the link is the instance's own");
        fs::remove_dir_all(site.labs.program.scratch().join("etc")).unwrap();
    });
}

/// What an instance wrote stays when its lab has gone, and other labs know nothing of it.
#[test]
fn links_that_an_instance_of_another_lab_has_made_are_followed_for_nobody() {
    as_each(|site| {
        let outside = site.path("outside");
        fs::create_dir(&outside).unwrap();
        chown(&outside, Some(site.owner()), None).unwrap();
        fs::write(outside.join("key"), "secret").unwrap();
        site.up("mounts: {/var/lib/x: ./data writable}", "public: yes");
        site.inside(&format!(
            "cd /var/lib/x; rmdir sub; ln -s {out} sub; ln -s {out}/evil log; ln -s ../outside up; mkdir d; echo x >d/page; ln -s d own",
            out = outside.display()
        ));
        site.labs.ok(&["down", "--all"]);
        let refused = |web1: &str| {
            for command in ["check", "up"] {
                let said = site.labs.say(&[command, &site.file(web1, "public: yes")]);
                let told = said.err.contains("no such link is followed") && said.err.contains("site.yaml:5:");
                assert!(said.code == Some(2) && told, "as {:?}, {web1}: {said:?}", site.labs.user);
            }
        };
        refused("mounts: {/w: ./data/sub}");
        refused("mounts: {/w: ./data/up/key}");
        refused("services: {a: {command: 'echo said; exec sleep 1000', log: data/log}}");
        assert!(!outside.join("evil").exists());
        // What leads below its own folder gives an instance nothing new; and whoever makes links beside the file could alter that.
        symlink("data/d", site.path("beside")).unwrap();
        symlink(&outside, site.path("led")).unwrap();
        let followed = "mounts: {/a: ./data/own, /b: ./beside/page, /c: ./led, /d: /bin/sh, /e: /var/run/../lib/dpkg}";
        let file = site.file(followed, "public: yes");
        if Path::new("/var/run").is_symlink() && Path::new("/var/lib/dpkg").exists() {
            site.labs.ok(&["check", &file]);
        }
        site.up("mounts: {/a: ./data/own, /b: ./beside/page, /c: ./led, /d: /bin/sh}", "public: yes");
        assert_eq!(site.inside("cat /a/page /b /c/key; test -x /d"), "x\nx\nsecret", "as {:?}", site.labs.user);
    });
}

/// Two services may have one log.
#[test]
fn a_service_reads_nothing_of_its_log_by_its_output() {
    as_each(|site| {
        site.write("data/log", "of another\n", 0o644);
        chown(site.path("data/log"), Some(site.owner()), Some(site.owner())).unwrap();
        let command = "if cat <&1 >/tmp/read; then echo read; else echo refused; fi; exec sleep 1000";
        site.up(&format!("services: {{a: {{command: '{command}', log: data/log}}}}"), "public: yes");
        let begun = Instant::now();
        while !site.read("data/log").contains("re") && begun.elapsed() < patience(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = site.read("data/log");
        assert!(log.starts_with("of another\n") && log.ends_with("refused\n"), "as {:?}: {log}", site.labs.user);
        assert_eq!(site.inside("cat /tmp/read"), "");
    });
}
