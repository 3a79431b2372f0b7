//! Which user and group ids a lab has: the caller's own, and a subordinate range where one is granted (`/etc/subuid`).
//!
//! Programs that change users (nginx, mariadbd, sshd) need more than one id. Root's labs have them; an ordinary user's get a range
//! from `newuidmap`, which is asked from outside of the new user namespace.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, User, getegid, geteuid, pipe2};

use super::nft::find_program;
use super::raw;

/// An instance has at most so many ids: 0 to 65535, as a small system has.
const MOST: u32 = 65536;

/// What is done where programs cannot change users.
pub fn remedy() -> String {
    let user = User::from_uid(geteuid()).ok().flatten().map_or_else(|| geteuid().to_string(), |user| user.name);
    format!(
        "give this user a range: apt-get install uidmap, then, as root, \
         echo {user}:100000:65536 | tee -a /etc/subuid >>/etc/subgid; or run the lab as root"
    )
}

/// Whether programs in instances can change users.
pub fn are_many() -> bool {
    let ids = of_instances();
    ids.uids.len() > 1 || ids.uids.iter().any(|line| line.count > 1)
}

/// A line of an id map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    inside: u32,
    outside: u32,
    count: u32,
}

/// The id maps of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Maps {
    uids: Vec<Line>,
    gids: Vec<Line>,
}

impl Maps {
    /// As the kernel reads them: of users, and of groups.
    pub fn texts(&self) -> (String, String) {
        (text(&self.uids), text(&self.gids))
    }

    /// Whether the namespace may write them itself: each has one id.
    pub fn are_single(&self) -> bool {
        [&self.uids, &self.gids].iter().all(|lines| matches!(lines.as_slice(), [Line { count: 1, .. }]))
    }
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.count)).collect()
}

/// The ids of every instance: root inside is the lab's user, and the others are what else the lab has.
pub(super) fn of_instances() -> Maps {
    let of = |path: &str, own: u32| packed(&extents(&fs::read_to_string(path).unwrap_or_default()), own);
    Maps { uids: of("/proc/self/uid_map", geteuid().as_raw()), gids: of("/proc/self/gid_map", getegid().as_raw()) }
}

/// The ids that a namespace has, by the text of its map: where each run begins, and how many they are.
fn extents(map: &str) -> Vec<(u32, u32)> {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (inside, _, count) = (numbers.next()?.ok()?, numbers.next(), numbers.next()?.ok()?);
        Some((inside, count))
    };
    map.lines().filter_map(extent).collect()
}

/// The map of an instance, of a lab whose namespace has these ids.
fn packed(extents: &[(u32, u32)], own: u32) -> Vec<Line> {
    if own == 0 {
        // Files are whose they are.
        let below = |&(start, count): &(u32, u32)| {
            let count = count.min(MOST.saturating_sub(start));
            (count > 0).then_some(Line { inside: start, outside: start, count })
        };
        return extents.iter().filter_map(below).collect();
    }
    let mut lines = vec![Line { inside: 0, outside: own, count: 1 }];
    let mut next = 1;
    for &(start, count) in
        extents.iter().filter(|&&(start, count)| !(start..start.saturating_add(count)).contains(&own))
    {
        let count = count.min(MOST - next);
        if count > 0 {
            lines.push(Line { inside: next, outside: start, count });
            next += count;
        }
    }
    lines
}

/// A child that maps ids for its parent, once that has a user namespace: it stays outside.
pub(super) struct Mapper {
    child: Pid,
    go: fs::File,
}

impl Mapper {
    /// Starts it, if a range is granted to the caller and the programs for it are there. For a process without threads only.
    pub fn start() -> Option<Self> {
        let (uid, gid) = (geteuid(), getegid());
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let granted = |file: &str| range(&fs::read_to_string(file).unwrap_or_default(), name.as_deref(), uid);
        let (uids, gids) = (granted("/etc/subuid")?, granted("/etc/subgid")?);
        let programs = (find_program("newuidmap")?, find_program("newgidmap")?);
        let (read, write) = pipe2(OFlag::O_CLOEXEC).ok()?;
        let parent = process::id();
        match raw::fork_single_threaded().ok()? {
            ForkResult::Parent { child } => Some(Self { child, go: write.into() }),
            ForkResult::Child => {
                drop(write);
                let told = fs::File::from(read).read_exact(&mut [0]).is_ok();
                let done = told && map(&programs, parent, (uid, uids), (gid, gids)).is_ok();
                process::exit(i32::from(!done));
            }
        }
    }

    /// Has it map; false if it could not.
    pub fn map(mut self) -> bool {
        let told = self.go.write_all(&[0]).is_ok();
        drop(self.go);
        told && loop {
            match waitpid(self.child, None) {
                Ok(WaitStatus::Exited(_, code)) => break code == 0,
                Err(Errno::EINTR) => {}
                _ => break false,
            }
        }
    }
}

/// The range of a user in a file such as `/etc/subuid`: by name or by number, the first.
fn range(file: &str, name: Option<&str>, uid: Uid) -> Option<(u32, u32)> {
    file.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let whose = fields.next()?;
        let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse::<u32>().ok()?);
        let ours = Some(whose) == name || whose == uid.to_string();
        (ours && count > 0).then_some((start, count.min(MOST - 1)))
    })
}

type Granted<Id> = (Id, (u32, u32));

/// The caller's own ids as themselves, and the ranges as themselves.
fn map(programs: &(PathBuf, PathBuf), pid: u32, uids: Granted<Uid>, gids: Granted<Gid>) -> io::Result<()> {
    let lines =
        |own: u32, (start, count): (u32, u32)| [own, own, 1, start, start, count].map(|number| number.to_string());
    let run = |program: &PathBuf, lines: [String; 6]| {
        let mut command = Command::new(program);
        let quiet =
            command.arg(pid.to_string()).args(lines).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if quiet.status()?.success() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    };
    run(&programs.0, lines(uids.0.as_raw(), uids.1))?;
    run(&programs.1, lines(gids.0.as_raw(), gids.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(inside: u32, outside: u32, count: u32) -> Line {
        Line { inside, outside, count }
    }

    #[test]
    fn roots_instances_have_the_ids_that_it_has_itself_below_65536() {
        assert_eq!(packed(&extents("         0          0 4294967295\n"), 0), [line(0, 0, 65536)]);
        assert_eq!(packed(&extents("0 100000 1000\n1000 1000 1\n"), 0), [line(0, 0, 1000), line(1000, 1000, 1)]);
        assert_eq!(packed(&extents("0 0 1\n70000 70000 10\n"), 0), [line(0, 0, 1)]);
    }

    #[test]
    fn an_ordinary_users_instances_have_it_as_root_and_the_range_behind() {
        let granted = "1000 1000 1\n100000 100000 65536\n";
        assert_eq!(packed(&extents(granted), 1000), [line(0, 1000, 1), line(1, 100_000, 65535)]);
        assert_eq!(packed(&extents("1000 1000 1\n"), 1000), [line(0, 1000, 1)]);
    }

    #[test]
    fn a_range_is_granted_by_name_or_by_number() {
        let file = "# none\nbob:7:9\nann:100000:65536\n1002:5:0\n1002:8:3\n";
        assert_eq!(range(file, Some("ann"), Uid::from_raw(1)), Some((100_000, 65535)));
        assert_eq!(range(file, None, Uid::from_raw(1002)), Some((8, 3)));
        assert_eq!(range(file, Some("eve"), Uid::from_raw(3)), None);
    }
}
