//! The system calls that no program of an instance may make: rows of the same table as those of `fence`. Everything here is tried by root of
//! the instance.

use crate::fence::as_each;

/// Modems' sockets; the C library of some machines does not name it.
const AF_QIPCRTR: i32 = 42;

/// `dmesg` asks by `syslog`, `keyctl` by its number; both are programs of every Debian, or of perl.
#[test]
fn calls_into_the_depths_of_the_kernel_are_refused() {
    as_each(|fence| {
        for (name, number) in
            [("bpf", libc::SYS_bpf), ("keyctl", libc::SYS_keyctl), ("io_uring_setup", libc::SYS_io_uring_setup)]
        {
            let script = format!("perl -e '$! = 0; syscall({number}, 0, 0, 0); print $!+0'");
            assert_eq!(fence.inside(&script), libc::EPERM.to_string(), "as {:?}: {name}", fence.user);
        }
    });
}

/// These families know no network namespaces: what binds a port of theirs takes it from the host.
#[test]
fn sockets_that_no_network_of_an_instance_bounds_are_refused() {
    as_each(|fence| {
        let errno = |call: libc::c_long, family: i32| {
            let script = format!("perl -e '$! = 0; syscall({call}, {family}, 2, 0, 0); print $!+0'");
            fence.inside(&script)
        };
        for (name, family) in [
            ("vsock", libc::AF_VSOCK),
            ("alg", libc::AF_ALG),
            ("qipcrtr", AF_QIPCRTR),
            ("tipc", libc::AF_TIPC),
            ("none", -1),
        ] {
            for call in [libc::SYS_socket, libc::SYS_socketpair] {
                let wanted = libc::EAFNOSUPPORT.to_string();
                assert_eq!(errno(call, family), wanted, "as {:?}: {name}", fence.user);
            }
        }
        for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET] {
            assert_eq!(errno(libc::SYS_socket, family), "0", "as {:?}: {family}", fence.user);
        }
    });
}

/// The group that the lab runs in has files by which whoever may write to them kills it, stops it and takes its bounds away.
#[test]
fn the_control_group_of_the_lab_is_neither_seen_nor_written() {
    as_each(|fence| {
        let groups = fence.inside("cat /proc/self/cgroup");
        assert!(groups.lines().all(|line| line.ends_with(":/")), "as {:?}: {groups}", fence.user);
        let mut commands = vec!["unshare -C true".to_owned(), "unshare -UrC true".to_owned()];
        for mount in ["mount -t cgroup2 none /tmp/c", "mount -t cgroup -o pids none /tmp/c"] {
            for way in ["", "unshare -m ", "unshare -C ", "unshare -mC ", "unshare -Urm ", "unshare -UrmC "] {
                commands.push(format!("mkdir -p /tmp/c; {way}{mount}"));
            }
        }
        commands.push(r"find / -path /proc -prune -o -name cgroup.procs -print 2>/dev/null | grep .".to_owned());
        fence.nothing_of(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    });
}

/// By whatever call the namespace is asked for; and threads, processes and namespaces of other kinds are made as ever.
#[test]
fn namespaces_of_control_groups_are_refused_and_threads_and_processes_are_made() {
    as_each(|fence| {
        let errno = |call: libc::c_long, flags: i32| {
            let script = format!(
                "perl -e '$! = 0; my $made = syscall({call}, {flags}, 0, 0, 0, 0); exit 0 if $made == 0; waitpid $made, 0 if \
                 $made > 0; print $!+0'"
            );
            fence.inside(&script).parse::<i32>().expect("an error's number")
        };
        let group = libc::CLONE_NEWCGROUP;
        for (call, flags) in [
            (libc::SYS_unshare, group),
            (libc::SYS_unshare, group | libc::CLONE_NEWUSER),
            (libc::SYS_clone, group | libc::SIGCHLD),
            (libc::SYS_clone, group | libc::CLONE_NEWUSER | libc::SIGCHLD),
        ] {
            assert_eq!(errno(call, flags), libc::EPERM, "as {:?}: {call} {flags:#x}", fence.user);
        }
        assert_eq!(errno(libc::SYS_clone, libc::SIGCHLD), 0, "as {:?}", fence.user);
        let third = format!("perl -e '$! = 0; syscall({}, 0, 0); print $!+0'", libc::SYS_clone3);
        assert_eq!(fence.inside(&third), libc::ENOSYS.to_string(), "as {:?}", fence.user);
        assert_eq!(fence.inside("(echo forked) | cat; unshare -m echo apart"), "forked\napart\n");
        assert_eq!(fence.inside("perl -Mthreads -e 1 2>/dev/null || exec printf 7; perl -Mthreads -e 'print threads->create(sub { 7 })->join'"), "7");
        assert_eq!(
            fence.inside(
                "if command -v python3 >/dev/null; then python3 -c 'import threading as t; \
                                 x = t.Thread(target=print, args=(7,)); x.start(); x.join()'; else echo 7; fi"
            ),
            "7\n"
        );
    });
}

/// The same calls by other numbers, which x86-64 kernels may know.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_x32_are_refused() {
    as_each(|fence| {
        for call in [libc::SYS_bpf, libc::SYS_getpid] {
            let script = format!("perl -e '$! = 0; syscall({}, 0, 0, 0); print $!+0'", call | 0x4000_0000);
            assert_eq!(fence.inside(&script), libc::EPERM.to_string(), "as {:?}: {call}", fence.user);
        }
    });
}
