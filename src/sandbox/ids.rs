//! User and group ids of a lab: the caller's own, and a subordinate range where one is granted (`/etc/subuid`).
//!
//! Root's instances have a range that nobody uses: root in one is nobody on the host. An ordinary user has none to give, so that root in
//! an instance is that user.
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

use super::raw;
use super::which::find_program;

/// An instance has at most so many ids: 0 to 65535, as a small system has.
const MAX_IDS: u32 = 65536;
/// First id of root's instances, if the lab has these: far from those that systems and container engines give.
const PREFERRED_FIRST_ID: u32 = 2_000_000_000;
/// Lower ones are for accounts.
const LOWEST_SPARE: u32 = 20_000;
/// A range of fewer is none: servers change to ids of a system's accounts.
const MIN_IDS: u32 = 2_000;
/// The id that the kernel shows for one that is not mapped, and that accounts named `nobody` have.
const OVERFLOW: u32 = 65_534;

/// Returns the remedy where programs cannot change users.
pub fn remedy() -> String {
    let uid = outside(&fs::read_to_string("/proc/self/uid_map").unwrap_or_default(), geteuid());
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    format!(
        "give this user a range: `apt-get install uidmap`, then, as root, \
         `echo {user}:100000:65536 | tee -a /etc/subuid >>/etc/subgid`; or run the lab as root"
    )
}

/// Reports whether programs in instances can change users.
pub fn are_many() -> bool {
    let ids = of_instances();
    ids.uids.len() > 1 || ids.uids.iter().any(|line| line.count > 1)
}

/// The id by which the kernel names everybody whom a namespace does not know: nobody's identity.
pub fn of_strangers() -> u32 {
    let said = fs::read_to_string("/proc/sys/kernel/overflowuid");
    said.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(65534)
}

/// The caller's id inside of a lab: the same, but where strangers are named so. Who has it there is then its user and no stranger.
pub(super) fn inside(own: u32) -> u32 {
    if own == of_strangers() { own - 1 } else { own }
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
pub(crate) struct Maps {
    uids: Vec<Line>,
    gids: Vec<Line>,
}

impl Maps {
    /// As the kernel reads them: of users, and of groups.
    pub fn texts(&self) -> (String, String) {
        (text(&self.uids), text(&self.gids))
    }

    /// Root's ids outside: user and group.
    pub fn root(&self) -> (u32, u32) {
        let outside = |lines: &[Line]| lines.iter().find(|line| line.inside == 0).map_or(0, |line| line.outside);
        (outside(&self.uids), outside(&self.gids))
    }

    /// The maps of a namespace with whose ids instances are shown files: what belongs to this user or group belongs to root of the instance,
    /// what belongs to an id of the instance's is that one's, and all else is nobody's.
    pub fn for_files_of(&self, (uid, gid): (u32, u32)) -> Self {
        Self { uids: for_files_of(&self.uids, uid), gids: for_files_of(&self.gids, gid) }
    }

    /// Reports whether the namespace may write them itself: each has one id.
    pub fn are_single(&self) -> bool {
        [&self.uids, &self.gids].iter().all(|lines| matches!(lines.as_slice(), [Line { count: 1, .. }]))
    }
}

fn for_files_of(lines: &[Line], owner: u32) -> Vec<Line> {
    let same = lines.iter().map(|line| Line { inside: line.outside, ..*line });
    // What an instance has made its own already.
    if lines.iter().any(|line| (line.outside..line.outside.saturating_add(line.count)).contains(&owner)) {
        return same.collect();
    }
    let others = lines.iter().filter_map(|line| match line {
        Line { inside: 0, outside, count } if *count > 1 => {
            Some(Line { inside: outside + 1, outside: outside + 1, count: count - 1 })
        }
        Line { inside: 0, .. } => None,
        Line { outside, count, .. } => Some(Line { inside: *outside, outside: *outside, count: *count }),
    });
    let root = lines.iter().find(|line| line.inside == 0);
    root.map(|root| Line { inside: owner, outside: root.outside, count: 1 }).into_iter().chain(others).collect()
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.count)).collect()
}

/// The ids of every instance. An ordinary user's: root inside is that user, and the others are what else the lab has. Root's: a
/// range that nobody uses.
pub(crate) fn of_instances() -> Maps {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let of = |map: &str, own: u32, names: &str, granted: &str| {
        let extents = extents(&read(map));
        match own {
            0 => unused(&extents, &used(&read(names), &read(granted))),
            own => packed(&extents, own),
        }
    };
    Maps {
        uids: of("/proc/self/uid_map", geteuid().as_raw(), "/etc/passwd", "/etc/subuid"),
        gids: of("/proc/self/gid_map", getegid().as_raw(), "/etc/group", "/etc/subgid"),
    }
}

/// User on the host that root in an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceRoot {
    /// Nobody: an id that nothing belongs to.
    Nobody(u32),
    /// The caller: there is no id to spare.
    Caller,
}

/// Returns the user on the host that root in an instance is.
pub fn instance_root() -> InstanceRoot {
    let (uid, _) = of_instances().root();
    if uid == geteuid().as_raw() { InstanceRoot::Caller } else { InstanceRoot::Nobody(uid) }
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

/// Returns the id that has another one in this user namespace, by the text of its id map.
fn outside(map: &str, inside: Uid) -> Uid {
    let named = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        let offset = inside.as_raw().checked_sub(first).filter(|offset| *offset < count)?;
        outside.checked_add(offset).map(Uid::from_raw)
    };
    map.lines().find_map(named).unwrap_or(inside)
}

/// Ids that accounts have, or that are granted to users: by the texts of `/etc/passwd` or `/etc/group`, and of `/etc/subuid` or `/etc/subgid`.
fn used(names: &str, granted: &str) -> Vec<(u32, u32)> {
    let accounts = names.lines().filter_map(|line| Some((line.split(':').nth(2)?.parse().ok()?, 1)));
    let ranges = granted.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    accounts.chain(ranges).collect()
}

/// The map of an instance of root's, whose namespace has these ids: a range that is unused, if there is one with some ids.
fn unused(extents: &[(u32, u32)], used: &[(u32, u32)]) -> Vec<Line> {
    let free = |begin: u32| {
        // From there on, up to the next id that is used.
        let extent = extents.iter().find(|(start, count)| (*start..start.saturating_add(*count)).contains(&begin))?;
        let within = |(start, count): &(u32, u32)| (*start..start.saturating_add(*count)).contains(&begin);
        if used.iter().chain([&(OVERFLOW, 1)]).any(within) {
            return None;
        }
        let next = used.iter().map(|(start, _)| *start).chain([OVERFLOW]).filter(|start| *start > begin).min();
        let end = extent.0.saturating_add(extent.1).min(next.unwrap_or(u32::MAX)).min(begin.saturating_add(MAX_IDS));
        Some((begin, end - begin))
    };
    let behind_used = used.iter().map(|(start, count)| start.saturating_add(*count)).filter(|id| *id >= LOWEST_SPARE);
    let begins = [PREFERRED_FIRST_ID, LOWEST_SPARE]
        .into_iter()
        .chain(behind_used)
        .chain(extents.iter().map(|(start, _)| *start));
    let ranges = begins.filter(|begin| *begin >= LOWEST_SPARE).filter_map(free);
    // The first of those with the most: the preferred one, if it is whole.
    let best = ranges.reduce(|best, range| if range.1 > best.1 { range } else { best });
    match best {
        Some((outside, count)) if count >= MIN_IDS => mapped(outside, count),
        _ => vec![Line { inside: 0, outside: 0, count: 1 }],
    }
}

/// Ids from 0 on, and the one that servers call `nobody`.
fn mapped(outside: u32, count: u32) -> Vec<Line> {
    if count > OVERFLOW {
        return vec![Line { inside: 0, outside, count }];
    }
    let from_zero = Line { inside: 0, outside, count: count - 1 };
    vec![from_zero, Line { inside: OVERFLOW, outside: outside + count - 1, count: 1 }]
}

/// The map of an instance of an ordinary user's, whose namespace has these ids.
fn packed(extents: &[(u32, u32)], own: u32) -> Vec<Line> {
    let mut lines = vec![Line { inside: 0, outside: own, count: 1 }];
    let mut next = 1;
    for &(start, count) in
        extents.iter().filter(|&&(start, count)| !(start..start.saturating_add(count)).contains(&own))
    {
        let count = count.min(MAX_IDS - next);
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
        (ours && count > 0).then_some((start, count.min(MAX_IDS - 1)))
    })
}

type Granted<Id> = (Id, (u32, u32));

/// The caller's own ids as themselves (see [`inside`]), and the ranges as themselves.
fn map(programs: &(PathBuf, PathBuf), pid: u32, uids: Granted<Uid>, gids: Granted<Gid>) -> io::Result<()> {
    let lines = |[inside, own]: [u32; 2], (start, count): (u32, u32)| {
        [inside, own, 1, start, start, count].map(|number| number.to_string())
    };
    let run = |program: &PathBuf, lines: [String; 6]| {
        let mut command = Command::new(program);
        let quiet =
            command.arg(pid.to_string()).args(lines).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if quiet.status()?.success() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    };
    let (uid, gid) = (uids.0.as_raw(), gids.0.as_raw());
    run(&programs.0, lines([inside(uid), uid], uids.1))?;
    run(&programs.1, lines([gid, gid], gids.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(inside: u32, outside: u32, count: u32) -> Line {
        Line { inside, outside, count }
    }

    #[test]
    fn roots_instances_have_ids_that_nobody_uses() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        let used = used(passwd, "ann:100000:65536\n");
        assert_eq!(used, [(0, 1), (1000, 1), (65_534, 1), (100_000, 65_536)]);
        let of = |map: &str| unused(&extents(map), &used);
        assert_eq!(of("         0          0 4294967295\n"), [line(0, 2_000_000_000, 65_536)]);
        // A container of as many ids as a small system has.
        assert_eq!(of("0 100000 65536\n"), [line(0, 20_000, 45_533), line(65_534, 65_533, 1)]);
        // Nothing to spare: then root inside is root.
        assert_eq!(of("0 100000 1000\n1000 1000 1\n"), [line(0, 0, 1)]);
    }

    #[test]
    fn files_of_an_owner_are_those_of_an_instances_root_and_files_of_others_nobodys() {
        let whole = [line(0, 2_000_000_000, 65_536)];
        let rest = line(2_000_000_001, 2_000_000_001, 65_535);
        assert_eq!(for_files_of(&whole, 0), [line(0, 2_000_000_000, 1), rest]);
        assert_eq!(for_files_of(&whole, 1000), [line(1000, 2_000_000_000, 1), rest]);
        // What an instance has made.
        assert_eq!(for_files_of(&whole, 2_000_000_033), [line(2_000_000_000, 2_000_000_000, 65_536)]);
        let parts = [line(0, 20_000, 45_533), line(65_534, 65_533, 1)];
        let expected = [line(0, 20_000, 1), line(20_001, 20_001, 45_532), line(65_533, 65_533, 1)];
        assert_eq!(for_files_of(&parts, 0), expected);
    }

    #[test]
    fn a_range_that_is_granted_to_somebody_is_not_taken() {
        let map = extents("0 0 4294967295\n");
        let used = [(2_000_000_000, 100_000)];
        let [Line { inside: 0, outside, count: 65_536 }] = unused(&map, &used)[..] else { panic!("one range") };
        assert!(outside + 65_536 <= 2_000_000_000 || outside >= 2_000_100_000, "{outside}");
    }

    #[test]
    fn an_ordinary_users_instances_have_it_as_root_and_the_range_behind() {
        let granted = "1000 1000 1\n100000 100000 65536\n";
        assert_eq!(packed(&extents(granted), 1000), [line(0, 1000, 1), line(1, 100_000, 65535)]);
        assert_eq!(packed(&extents("1000 1000 1\n"), 1000), [line(0, 1000, 1)]);
    }

    #[test]
    fn a_user_who_has_another_id_inside_is_told_by_the_one_outside() {
        let map = "     65533      65534          1\n    100000     100000      65536\n";
        assert_eq!(outside(map, Uid::from_raw(65_533)), Uid::from_raw(65_534));
        assert_eq!(outside(map, Uid::from_raw(100_007)), Uid::from_raw(100_007));
        assert_eq!(outside("0 0 4294967295", Uid::from_raw(1000)), Uid::from_raw(1000));
    }

    #[test]
    fn a_range_is_granted_by_name_or_by_number() {
        let file = "# none\nbob:7:9\nann:100000:65536\n1002:5:0\n1002:8:3\n";
        assert_eq!(range(file, Some("ann"), Uid::from_raw(1)), Some((100_000, 65535)));
        assert_eq!(range(file, None, Uid::from_raw(1002)), Some((8, 3)));
        assert_eq!(range(file, Some("eve"), Uid::from_raw(3)), None);
    }
}
