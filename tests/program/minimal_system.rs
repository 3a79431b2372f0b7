//! The program on a system that lacks what a full one happens to have. `scripts/bare` runs it on a whole Debian of that kind.

use std::fs;
use std::process::Command;

use crate::program::{Program, Said, User, said, users};

/// A system whose `/etc` has these files only. The program runs in a mount namespace of its own, made by root or in a user
/// namespace.
fn with_etc(program: &Program, user: User, files: &[&str], arguments: &[&str]) -> Said {
    let etc = program.folder().join("etc");
    fs::create_dir_all(&etc).expect("a folder");
    for file in files {
        fs::write(etc.join(file), "").expect("a file");
    }
    let own = if nix::unistd::geteuid().is_root() { "--mount" } else { "-Umc" };
    let drop = if user == User::Nobody { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
    let script = format!("mount --bind {} /etc && exec {drop} {} \"$@\"", etc.display(), program.path().display());
    let words = [&[own, "--propagation", "private", "sh", "-c", &script, "sh"], arguments].concat();
    said(program.dress(User::Ours, Command::new("unshare"), &words))
}

/// Asks in `web1` for the address of `db1`, by name.
const ASKS: &[&str] = &["shell", "example:two-tier", "--in", "web1", "--", "getent", "hosts", "db1"];

#[test]
fn a_lab_runs_where_etc_is_empty_and_its_names_resolve() {
    for user in users() {
        let program = Program::copy();
        let doctor = with_etc(&program, *user, &[], &["doctor"]);
        assert_eq!(doctor.code, Some(0), "as {user:?}: {doctor:?}");
        assert!(doctor.out.contains("have their files"), "as {user:?}: {doctor:?}");
        let tested = with_etc(&program, *user, &[], &["test", "example:two-tier"]);
        assert_eq!((tested.code, tested.err.as_str()), (Some(0), ""), "as {user:?}: {tested:?}");
        let asked = with_etc(&program, *user, &[], ASKS);
        assert!(asked.code == Some(0) && asked.out.starts_with("10.0.0."), "as {user:?}: {asked:?}");
        assert!(
            fs::read_dir(program.folder().join("etc")).expect("a folder").next().is_none(),
            "nothing was left there"
        );
    }
}

#[test]
fn a_lab_shows_its_names_where_etc_has_files_for_them() {
    for user in users() {
        let program = Program::copy();
        let asked = with_etc(&program, *user, &["hosts", "resolv.conf"], ASKS);
        assert!(asked.code == Some(0) && asked.out.starts_with("10.0.0."), "as {user:?}: {asked:?}");
    }
}

/// The folder that `TMPDIR` names is the scratch folder, in sight at another place.
#[test]
fn a_lab_stays_up_where_tmp_is_read_only_and_another_folder_is_named() {
    for user in users() {
        let program = Program::copy();
        let own = if nix::unistd::geteuid().is_root() { "--mount" } else { "-Umc" };
        let drop = if *user == User::Nobody { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
        let (scratch, path) = (program.scratch(), program.path());
        let script = format!(
            "mount --bind {} /mnt && mount --rbind /tmp /tmp && mount -o remount,bind,ro /tmp && mount -t tmpfs none /run && \
             mount -o remount,ro /run && cd /mnt && export TMPDIR=/mnt HOME=/mnt && \
             sglab() {{ {drop} {} \"$@\"; }} && sglab up example:two-tier --name bare && sglab ps && sglab down bare",
            scratch.display(),
            path.display()
        );
        let words = [own, "--propagation", "private", "sh", "-ec", &script];
        let all = said(program.dress(User::Ours, Command::new("unshare"), &words));
        assert_eq!(all.code, Some(0), "as {user:?}: {all:?}");
        assert!(all.out.contains("bare"), "as {user:?}: {all:?}");
    }
}
