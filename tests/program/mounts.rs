//! `mounts:` of instances, as their users meet them: files of the host's in an instance, to read or to write, and empty folders.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use crate::labs::Labs;
use crate::program::{self, NOBODY, User, users};
use nix::unistd::geteuid;
use serde_json::Value;

/// A folder of the user's with a topology of two instances, which mount what is said.
pub struct Site {
    pub labs: Labs,
    pub folder: PathBuf,
}

impl Site {
    pub fn of(user: User) -> Self {
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

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub fn write(&self, path: &str, text: &str, mode: u32) {
        fs::write(self.path(path), text).unwrap();
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    pub fn owner(&self) -> u32 {
        if self.labs.user == User::Nobody { NOBODY } else { geteuid().as_raw() }
    }

    /// Gives all of it to somebody.
    pub fn own(&self, uid: u32) {
        if geteuid().is_root() {
            for path in ["", "www", "data", "data/sub", "www/page", "www/secret", "data/old"] {
                chown(self.path(path), Some(uid), Some(uid)).unwrap();
            }
        }
    }

    /// The file: what web1 mounts, and what web2 does.
    pub fn file(&self, web1: &str, web2: &str) -> String {
        let text = format!(
            "sglab: 1\nera: vpc\ngroups: {{WEB: []}}\ninstances:\n  web1: {{groups: WEB, {web1}}}\n  web2: {{groups: WEB, \
             {web2}}}\nscenario: [{{step: up, expect: {{dropped: ['web1 -> web2:80']}}}}]\n"
        );
        fs::write(self.path("site.yaml"), text).unwrap();
        self.path("site.yaml").display().to_string()
    }

    pub fn up(&self, web1: &str, web2: &str) {
        self.labs.ok(&["up", &self.file(web1, web2)]);
    }

    pub fn inside(&self, script: &str) -> String {
        self.labs.ok(&["exec", "web1", "--", "sh", "-c", script])
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

pub fn as_each(test: impl Fn(&Site)) {
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
