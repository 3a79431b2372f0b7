//! `mounts:` of instances, as their users meet them: files of the host's in an instance, to read or to write, and empty folders.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{self, NOBODY, User, users};
use nix::unistd::geteuid;
use serde_json::Value;

/// A folder of the user's with a topology of two instances, which mount what is said.
struct Site {
    labs: Labs,
    folder: PathBuf,
}

impl Site {
    fn of(user: User) -> Self {
        let labs = Labs::of(user);
        let folder = labs.program.scratch().join("site");
        let site = Self { labs, folder };
        for folder in ["", "www", "data", "data/sub"] {
            fs::create_dir(site.path(folder)).unwrap();
        }
        site.write("www/page", "hello", 0o644);
        site.write("www/secret", "of the owner's", 0o600);
        site.write("data/old", "old", 0o600);
        site.own(site.owner());
        site
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        fs::write(self.path(path), text).unwrap();
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    fn owner(&self) -> u32 {
        if self.labs.user == User::Nobody { NOBODY } else { geteuid().as_raw() }
    }

    /// Gives all of it to somebody.
    fn own(&self, uid: u32) {
        if geteuid().is_root() {
            for path in ["", "www", "data", "data/sub", "www/page", "www/secret", "data/old"] {
                chown(self.path(path), Some(uid), Some(uid)).unwrap();
            }
        }
    }

    /// The file: what web1 mounts, and what web2 does.
    fn file(&self, web1: &str, web2: &str) -> String {
        let text = format!(
            "sglab: 1\nera: vpc\ngroups: {{WEB: []}}\ninstances:\n  web1: {{groups: WEB, {web1}}}\n  web2: {{groups: WEB, \
             {web2}}}\nscenario: [{{step: up, expect: {{dropped: ['web1 -> web2:80']}}}}]\n"
        );
        fs::write(self.path("site.yaml"), text).unwrap();
        self.path("site.yaml").display().to_string()
    }

    fn up(&self, web1: &str, web2: &str) {
        self.labs.ok(&["up", &self.file(web1, web2)]);
    }

    fn inside(&self, script: &str) -> String {
        self.labs.ok(&["exec", "web1", "--", "sh", "-c", script])
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

fn as_each(test: impl Fn(&Site)) {
    for user in users() {
        test(&Site::of(*user));
    }
}

const ALL: &str = "mounts: {/srv/www: ./www, /var/lib/x: ./data writable, /var/lib/mysql: empty, /run/data/page: ./www/page, \
                   /usr/local/lib/new/page: ./www/page, /opt/www/sub: empty}";

#[test]
fn what_is_mounted_is_there_and_what_is_written_is_on_the_host() {
    as_each(|site| {
        site.up(ALL, "public: yes");
        assert_eq!(site.inside("cat /srv/www/page /run/data/page /usr/local/lib/new/page"), "hellohellohello");
        // Whose the folder is, is root there.
        let read = "cat /srv/www/secret /var/lib/x/old; stat -c %u /srv/www /var/lib/x/old";
        assert_eq!(site.inside(read), "of the owner'sold0\n0\n");
        site.inside("cd /var/lib/x; echo new >new; echo more >>old; rm -r sub; mkdir made");
        assert_eq!((site.read("data/new").as_str(), site.read("data/old").as_str()), ("new\n", "oldmore\n"));
        assert!(site.path("data/made").is_dir() && !site.path("data/sub").exists());
        assert_eq!(fs::metadata(site.path("data/new")).unwrap().uid(), site.owner(), "as {:?}", site.labs.user);
        // What the host writes is seen at once.
        site.write("www/page", "hello again", 0o644);
        assert_eq!(site.inside("cat /srv/www/page"), "hello again");
        let empty = "ls -A /var/lib/mysql /opt/www/sub; echo x >/var/lib/mysql/x; ls /opt/www";
        assert_eq!(site.inside(empty), "/opt/www/sub:\n\n/var/lib/mysql:\nsub\n");
        let others = "ls -d /srv/www /var/lib/x /usr/local/lib/new || true";
        let seen = site.labs.ok(&["exec", "web2", "--", "sh", "-c", others]);
        assert_eq!(seen, "", "it is web1's alone");
    });
}

#[test]
fn mounts_outlive_restarts_and_what_is_in_an_empty_folder_does_not() {
    as_each(|site| {
        site.up(ALL, "public: yes");
        for restart in [&["reboot"][..], &["stop", "start"], &["crash", "start"]] {
            site.inside("echo x >/var/lib/mysql/x; echo x >>/var/lib/x/count");
            for operation in restart {
                site.labs.ok(&[operation, "web1"]);
            }
            let seen = site.inside("cat /srv/www/page; ls -A /var/lib/mysql");
            assert_eq!(seen, "hello", "as {:?}: {restart:?}", site.labs.user);
        }
        assert_eq!(site.read("data/count"), "x\nx\nx\n");
    });
}

#[test]
fn state_and_export_and_live_launches_know_mounts() {
    as_each(|site| {
        site.up(ALL, "public: yes");
        let launched = site.labs.ok(&["apply", "{launch: {web3: {groups: WEB, mounts: {/srv: ./www}}}}"]);
        assert!(launched.contains("web3"), "{launched}");
        assert_eq!(site.labs.ok(&["exec", "web3", "--", "cat", "/srv/page"]), "hello");
        let state = &site.labs.states()[0];
        let instances = state["instances"].as_array().unwrap();
        let mounts = instances.iter().find(|it| it["name"] == "web1").unwrap()["mounts"].clone();
        let of = |place: &str| {
            let mount = mounts.as_array().unwrap().iter().find(|it| it["place"] == place).unwrap_or(&Value::Null);
            (mount["source"].clone(), mount["access"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(of("/srv/www"), ("./www".into(), "read-only".to_owned()));
        assert_eq!(of("/var/lib/x"), ("./data".into(), "writable".to_owned()));
        assert_eq!(of("/var/lib/mysql"), (Value::Null, "writable".to_owned()));
        let told = site.labs.ok(&["state"]);
        assert!(told.contains("web1 /srv/www ./www read-only, web1 /var/lib/x ./data writable"), "{told}");
        let exported = site.labs.ok(&["export"]);
        let lines = ["'/var/lib/x': './data writable'", "'/var/lib/mysql': empty"];
        assert!(lines.iter().all(|line| exported.contains(line)), "{exported}");
        for (words, told) in [
            ("{launch: {web4: {groups: WEB, mounts: {/srv: ./wwww}}}}", "did you mean `./www`?"),
            ("{launch: {web4: {groups: WEB, mounts: {/srv: ../.. writable, /proc: empty}}}}", "cannot be mounted"),
        ] {
            let said = site.labs.say(&["apply", words]);
            assert!(said.code == Some(2) && said.err.contains(told) && said.err.contains("^^^"), "{said:?}");
        }
    });
}

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
        let begun = Instant::now();
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
        assert!(begun.elapsed() < patience(30), "as {:?}, {said}: {:?}", site.labs.user, begun.elapsed());
        hosts.kill().unwrap();
        hosts.wait().unwrap();
        assert!(site.inside("cat /etc/hosts").contains("web3"), "as {:?}", site.labs.user);
        site.labs.ok(&["stop", "web2"]);
        site.labs.ok(&["reboot", "web1"]);
        assert!(site.labs.ok(&["logs", "--service", "web1/a"]).ends_with("said\n"));
    });
}

/// Nobody reads a pipe, so nothing would go on; a file that becomes one later is refused as well.
#[test]
fn a_log_is_a_file() {
    as_each(|site| {
        let pipe = |path: &str| {
            nix::unistd::mkfifo(&site.path(path), nix::sys::stat::Mode::S_IRWXU).unwrap();
            chown(site.path(path), Some(site.owner()), None).unwrap();
        };
        pipe("pipe");
        let service = |log: &str| format!("services: {{a: {{command: 'echo said; sleep 1000', log: {log}}}}}");
        for (log, why) in
            [("./pipe", "it is a named pipe"), ("data", "it is a folder"), ("/dev/zero", "it is a device")]
        {
            for command in ["check", "up"] {
                let said = site.labs.say(&[command, &site.file(&service(log), "public: yes")]);
                let told = said.err.contains("cannot be a log") && said.err.contains(why) && said.err.contains("^^^");
                assert!(said.code == Some(2) && told, "as {:?}, {log}: {said:?}", site.labs.user);
            }
        }
        assert!(site.labs.states().is_empty());
        site.up(&service("/dev/null"), "public: yes");
        site.labs.ok(&["down", "--all"]);
        site.up(&service("./data/log"), "public: yes");
        fs::remove_file(site.path("data/log")).unwrap();
        pipe("data/log");
        let said = site.labs.say(&["reboot", "web1"]);
        assert!(said.err.contains("is a named pipe"), "as {:?}: {said:?}", site.labs.user);
        let said = site.labs.say(&["logs", "--service", "web1/a"]);
        assert!(said.code != Some(0) && said.err.contains("is a named pipe"), "as {:?}: {said:?}", site.labs.user);
    });
}

/// Whatever one instance does to what another mounts is that one's affair: every other operation goes on.
#[test]
fn an_instance_without_its_mount_keeps_nobody_else() {
    as_each(|site| {
        site.up("mounts: {/var/lib/x: ./data writable}", "mounts: {/srv/sub: ./data/sub}");
        site.labs.ok(&["stop", "web2"]);
        site.inside("rm -r /var/lib/x/sub");
        let before = site.labs.ok(&["export"]);
        // That a file cannot be where a folder is, is known only once there is an instance.
        let launch = "{launch: {web3: {groups: WEB, mounts: {/usr/bin: ./www/page}}}}";
        for refused in [&["start", "web2"][..], &["apply", launch]] {
            let said = site.labs.say(refused);
            let told = said.err.contains("nothing has changed");
            assert!(said.code == Some(2) && told, "as {:?}, {refused:?}: {said:?}", site.labs.user);
        }
        assert_eq!(site.labs.ok(&["export"]), before, "as {:?}", site.labs.user);
        site.labs.ok(&["authorize", "WEB", "tcp 80 from WEB"]);
        site.labs.ok(&["reboot", "web1"]);
        site.inside("mkdir /var/lib/x/sub; echo back >/var/lib/x/sub/page");
        site.labs.ok(&["start", "web2"]);
        assert_eq!(site.labs.ok(&["exec", "web2", "--", "cat", "/srv/sub/page"]), "back\n");
        let probed = site.labs.ok(&["probe", "web1", "web2:80"]);
        assert!(probed.contains("  open  ") || probed.contains("  refused  "), "as {:?}: {probed}", site.labs.user);
    });
}

/// In a lab of root's, what an instance writes belongs to whom the folder belongs to, or to nobody; and to read is what that one may read.
#[test]
fn in_a_lab_of_roots_the_owner_of_the_folder_is_root_in_it() {
    const KIM: u32 = 4242;
    if !program::is_root_or_skipped() {
        return;
    }
    let site = Site::of(User::Ours);
    site.own(KIM);
    site.write("data/of-root", "x", 0o600);
    site.up(ALL, "public: yes");
    let read = "cat /srv/www/secret; stat -c %u /var/lib/x/of-root";
    assert_eq!(site.inside(read), format!("of the owner's{NOBODY}\n"));
    site.inside("! cat /var/lib/x/of-root 2>/dev/null && ! chown root /var/lib/x/of-root 2>/dev/null");
    site.inside(
        "cd /var/lib/x; chmod 777 .; echo x >root; chmod 4755 root; \
         setpriv --reuid 33 --regid 33 --clear-groups touch www-data",
    );
    let of = |file: &str| fs::metadata(site.path(file)).unwrap().uid();
    assert_eq!(of("data/root"), KIM);
    assert!(of("data/www-data") > 65_536, "an id that nobody has: {}", of("data/www-data"));
    assert_eq!(site.inside("stat -c %u /var/lib/x/root /var/lib/x/www-data"), "0\n33\n");
    // No file of anybody else's can be made.
    site.inside("cd /var/lib/x; for id in 1 1000 4242 65534; do touch $id && chown $id $id; done; true");
    for entry in fs::read_dir(site.path("data")).unwrap() {
        let entry = entry.unwrap();
        let uid = entry.metadata().unwrap().uid();
        assert!(uid == KIM || uid > 65_536 || entry.file_name() == "of-root", "{entry:?} is of {uid}");
    }
}

/// What cannot be given to an instance's root is read as others may, and not written at all.
#[test]
fn where_a_file_system_gives_no_ids_nothing_is_written_to_it() {
    if !program::is_root_or_skipped() {
        return;
    }
    let site = Site::of(User::Ours);
    let lab = |mounts: &str, command: &str| {
        let file = site.file(mounts, "public: yes");
        let script = format!(
            "mount -t ramfs none {www} && echo open >{www}/page && echo secret >{www}/secret && chmod 755 {www} && \
             chmod 600 {www}/secret && {sglab} up {file} && {sglab} exec web1 -- sh -c '{command}'; code=$?; \
             {sglab} down; exit $code",
            www = site.path("www").display(),
            sglab = site.labs.program.path().display(),
        );
        let unshare = std::process::Command::new("unshare");
        let mut command = site.labs.program.dress(User::Ours, unshare, &["-m", "sh", "-c", &script]);
        command.env("SGLAB_RUNTIME_DIR", site.labs.folder());
        program::said(command)
    };
    let said = lab("mounts: {/srv/www: ./www}", "cat /srv/www/page; cat /srv/www/secret");
    assert!(said.out.contains("open") && !said.out.contains("secret"), "{said:?}");
    let said = lab("mounts: {/srv/www: ./www writable}", "true");
    let told = "since ramfs shows no files with an instance's ids";
    assert!(said.code == Some(3) && said.err.contains(told) && said.out.is_empty(), "{said:?}");
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
