//! Labs of several users at once, of the same names and addresses: none sees or may order another's, and no verdict is touched by another's.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;

use crate::labs::Labs;
use crate::program::{self, User, said};
use nix::unistd::geteuid;

/// Root's tests take root, an ordinary user and two whom nobody knows; everybody else has labs in two folders of one's own.
fn several() -> Vec<Labs> {
    let root = [User::Ours, User::Nobody, User::Unused(5), User::Unused(6)];
    let users: &[User] = if geteuid().is_root() { &root } else { &[User::Ours; 2] };
    users.iter().map(|user| Labs::of(*user)).collect()
}

/// Every lab says of each flow what it would say alone.
fn verdicts_hold(labs: &Labs, name: &str) {
    let said = labs.ok(&["probe", "--name", name, "web1", "db1:3306"]);
    assert!(said.contains("  open  "), "as {:?}: {said}", labs.user);
    let said = labs.ok(&["probe", "--name", name, "web1", "db1:22"]);
    assert!(said.contains("  dropped  "), "as {:?}: {said}", labs.user);
}

/// What one lab does to its rules, while all probe, is its own.
#[test]
fn labs_of_one_name_and_one_address_block_know_nothing_of_each_other() {
    let all = several();
    thread::scope(|scope| all.iter().for_each(|labs| drop(scope.spawn(|| labs.ok(&["up", "example:two-tier"])))));
    all[0].ok(&["authorize", "SG-T-DB", "tcp 22 from SG-T-WEB"]);
    all[0].ok(&["stop", "web2"]);
    thread::scope(|scope| {
        for labs in &all[1..] {
            scope.spawn(|| {
                for _ in 0..3 {
                    verdicts_hold(labs, "two-tier");
                }
            });
        }
        let mine = &all[0];
        for _ in 0..3 {
            let said = mine.ok(&["probe", "web1", "db1:22"]);
            assert!(said.contains("  open  ") || said.contains("  refused  "), "{said}");
        }
    });
    for labs in &all[1..] {
        assert_eq!(labs.states().len(), 1, "as {:?}", labs.user);
        assert!(labs.ok(&["exec", "web2", "--", "hostname"]).contains("web2"), "as {:?}", labs.user);
    }
    // Who takes everything down takes one's own.
    all[0].ok(&["down", "--all"]);
    for labs in &all[1..] {
        verdicts_hold(labs, "two-tier");
    }
}

#[test]
fn nobody_sees_or_orders_the_lab_of_another_user() {
    // Between two ordinary users stands more than one's own id, and only root can be both.
    if !program::is_root_or_skipped() {
        return;
    }
    let (theirs, own) = (Labs::of(User::Unused(5)), Labs::of(User::Unused(6)));
    theirs.ok(&["up", "example:two-tier"]);
    let commands: &[&[&str]] = &[
        &["ps"],
        &["down", "--all"],
        &["down", "--force", "two-tier"],
        &["exec", "web1", "--", "true"],
        &["probe", "web1", "db1:3306"],
        &["stop", "web1"],
        &["export"],
        &["events"],
    ];
    // As it is, and as its owner has opened it by mistake.
    for mode in [0o700, 0o777] {
        fs::set_permissions(theirs.folder(), fs::Permissions::from_mode(mode)).expect("permissions");
        fs::set_permissions(theirs.socket("two-tier"), fs::Permissions::from_mode(0o777)).expect("permissions");
        for user in [User::Unused(6), User::Nobody, User::Ours] {
            for command in commands {
                let mut command = own.program.run(user, command);
                command.env("SGLAB_RUNTIME_DIR", theirs.folder());
                let shown = format!("{command:?}");
                let said = said(command);
                let all = format!("{}{}", said.out, said.err);
                assert!(said.code != Some(0) || all.contains("no lab is up"), "{mode:o}, {user:?}, {shown}: {said:?}");
                assert!(!all.contains("web2") && !all.contains("10.0.0."), "{mode:o}, {user:?}, {shown}: {said:?}");
            }
        }
        // By path, past what the program would say: the socket is not reached, or says whose it is.
        for user in [User::Unused(6), User::Nobody] {
            let request = br#"{"sglab":1,"request":"state"}"#;
            let socket = theirs.socket("two-tier").display().to_string();
            let mut client = own.program.dress(user, Command::new("nc.openbsd"), &["-N", "-U", &socket]);
            let mut client = client.stdin(Stdio::piped()).spawn().expect("nc");
            let frame = [&(request.len() as u32).to_be_bytes()[..], request].concat();
            // It may have been turned away already.
            drop(client.stdin.take().expect("its input").write_all(&frame));
            let output = client.wait_with_output().expect("nc");
            let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let is_refused = all.contains("ermission denied") || all.contains("this lab is another user's");
            assert!(is_refused && !all.contains("web1"), "{mode:o}, {user:?}: {all}");
        }
    }
    fs::set_permissions(theirs.folder(), fs::Permissions::from_mode(0o700)).expect("permissions");
    verdicts_hold(&theirs, "two-tier");
    assert_eq!(theirs.states().len(), 1);
}

#[test]
fn many_labs_of_several_users_are_up_at_once_and_go_one_by_one() {
    const EACH: usize = 3;
    let all = several();
    let names: Vec<String> = (0..EACH).map(|number| format!("lab{number}")).collect();
    thread::scope(|scope| {
        for labs in &all {
            for name in &names {
                scope.spawn(move || labs.ok(&["up", "example:two-tier", "--name", name]));
            }
        }
    });
    thread::scope(|scope| {
        for labs in &all {
            for name in &names {
                scope.spawn(move || verdicts_hold(labs, name));
            }
        }
    });
    for (gone, name) in names.iter().enumerate() {
        for labs in &all {
            assert_eq!(labs.states().len(), EACH - gone, "as {:?}", labs.user);
            labs.ok(&["down", name]);
        }
    }
}
