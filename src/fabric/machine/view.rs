//! The files that programs of an instance see: a root of its own, with parts of the host's, read-only.
//!
//! The tree is made in the lab's user namespace, before the instance's own is entered. The kernel locks what a namespace of less
//! privilege inherits: root in the instance can mount on top, and can neither take a mount off nor make it writable.

mod mounts;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Gid, Uid, chdir, chown, pivot_root};
use serde::{Deserialize, Serialize};

pub(super) use mounts::WithIds;
pub use mounts::{Mount, Source};

use super::DATA;
use crate::fabric::raw;
use mounts::ShownSoFar;

const NONE: Option<&str> = None;

/// Folders of the host that every instance sees, read-only, where the host has them.
pub const HOST_FOLDERS: [&str; 13] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", "/var", "/srv"];

/// Folders that are the instance's own and empty, though they lie in one of the host's.
const EMPTY_FOLDERS: [&str; 5] = ["/var/tmp", "/var/log", "/var/cache", "/var/spool", "/var/mail"];

/// Devices of the host that every instance has, where the host has them.
pub const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "net/tun"];

/// Parts of `/proc` that are read-only, as containers have it.
const READ_ONLY_PROC: [&str; 6] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi"];

/// Where the tree is made: on the lab's own tmpfs.
const PLACE: &str = "/run/sglab/root";

/// What an instance sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct View {
    /// Its `/etc/hosts`.
    pub hosts: PathBuf,
    /// Its `/etc/resolv.conf`.
    pub resolver: PathBuf,
    /// Its [`DATA`].
    pub data: PathBuf,
    /// Whose what it may write is: root of the instance, by the lab's ids.
    pub owner: (u32, u32),
    /// Folders that are hidden, though they may lie in one that is shown.
    pub hidden: Vec<PathBuf>,
    /// What it sees beside that.
    pub mounts: Vec<WithIds>,
    /// Whether a `/proc` of its own can be mounted.
    pub fresh_proc: bool,
}

/// An error, and at what.
pub(super) type Failed = (String, io::Error);

fn at<E: Into<io::Error>>(attempt: impl Into<String>) -> impl FnOnce(E) -> Failed {
    let attempt = attempt.into();
    move |error| (attempt, error.into())
}

impl View {
    /// Makes the tree in a mount namespace that is the caller's own, all but what shows processes. The caller is in the network namespace of
    /// the instance, and in no user namespace of its.
    ///
    /// `users` are the user namespaces whose ids mounts are shown with.
    pub fn build(&self, users: &[OwnedFd]) -> Result<(), Failed> {
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(at("make mounts private"))?;
        let root = Path::new(PLACE);
        fs::create_dir_all(root).map_err(at(format!("make {PLACE}")))?;
        self.own_folder(root, 0o755)?;
        for folder in HOST_FOLDERS {
            self.show_host_folder(Path::new(folder))?;
        }
        for folder in EMPTY_FOLDERS {
            let place = inside(Path::new(folder));
            // What is a link leads to a folder that is the instance's own as well.
            if fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir()) {
                self.own_folder(&place, 0o1777)?;
            }
        }
        for folder in &self.hidden {
            self.hide(folder)?;
        }
        for (folder, mode) in [("/run", 0o755), ("/tmp", 0o1777), ("/root", 0o700), ("/home", 0o755)] {
            let place = inside(Path::new(folder));
            self.folder(&place)?;
            self.own_folder(&place, mode)?;
        }
        self.devices()?;
        let mut shown = ShownSoFar::default();
        for mount in mounts::in_order(&self.mounts, false) {
            self.show(mount, users, &mut shown)?;
        }
        for (file, place) in [(&self.hosts, "/etc/hosts"), (&self.resolver, "/etc/resolv.conf")] {
            self.show_names(file, Path::new(place))?;
        }
        let data = inside(Path::new(DATA));
        self.folder(&data)?;
        bind(&self.data, &data)?;
        chown(&data, Some(Uid::from_raw(self.owner.0)), Some(Gid::from_raw(self.owner.1)))
            .map_err(at(format!("give away {DATA}")))?;
        for mount in mounts::in_order(&self.mounts, true) {
            self.show(mount, users, &mut shown)?;
        }
        self.system()
    }

    /// Shows the processes of the caller's process namespace, and makes the tree its root.
    pub fn enter(&self) -> Result<(), Failed> {
        let proc = inside(Path::new("/proc"));
        if self.fresh_proc {
            let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("proc"), &proc, Some("proc"), quiet, NONE).map_err(at("mount its /proc"))?;
        }
        // Its own network's settings: root in it may write them. A mount of its own first, which the read-only one takes along.
        let net = proc.join("sys/net");
        bind(&net, &net)?;
        for part in READ_ONLY_PROC {
            let place = proc.join(part);
            if !place.exists() {
                continue;
            }
            bind(&place, &place)?;
            let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(NONE, &place, NONE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, NONE)
                .map_err(at(format!("make /proc/{part} read-only")))?;
        }
        chdir(PLACE).map_err(at("enter its root"))?;
        pivot_root(".", ".").map_err(at("change its root"))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(at("leave the lab's root"))?;
        chdir("/").map_err(at("enter its root"))
    }

    /// One of the host's folders; a link to one stays a link.
    fn show_host_folder(&self, folder: &Path) -> Result<(), Failed> {
        let place = inside(folder);
        let shown = folder.display();
        match fs::symlink_metadata(folder) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(folder).map_err(at(format!("read the link {shown}")))?;
                symlink(target, &place).map_err(at(format!("make the link {shown}")))
            }
            Ok(found) if found.is_dir() => {
                self.folder(&place)?;
                bind(folder, &place)?;
                restrict(&place)
            }
            _ => Ok(()),
        }
    }

    /// An empty folder over one that the instance would see otherwise.
    fn hide(&self, folder: &Path) -> Result<(), Failed> {
        let shown = HOST_FOLDERS.iter().any(|shown| folder.starts_with(shown) && folder != Path::new(shown));
        let place = inside(folder);
        if shown && place.is_dir() { self.own_folder(&place, 0o755) } else { Ok(()) }
    }

    /// Mounts memory that root of the instance may write in.
    fn own_folder(&self, place: &Path, mode: u32) -> Result<(), Failed> {
        let (uid, gid) = self.owner;
        let options = format!("mode={mode:o},uid={uid},gid={gid}");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), place, Some("tmpfs"), flags, Some(options.as_str()))
            .map_err(at(format!("mount {}", outside(place).display())))
    }

    fn folder(&self, place: &Path) -> Result<(), Failed> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(place);
        made.map_err(at(format!("make {}", outside(place).display())))
    }

    /// A file of the lab's in place of the system's, if that has it. Many have `/etc/resolv.conf` as a link into `/run`, where nothing is
    /// yet.
    fn show_names(&self, file: &Path, name: &Path) -> Result<(), Failed> {
        let mut place = inside(name);
        if let Ok(link) = fs::read_link(&place) {
            let target = name.parent().unwrap_or(Path::new("/")).join(link);
            place = inside(&normal(&target));
            // Nowhere to be made: then there is no such file, as on this system outside.
            let make = |place: &Path| {
                place.parent().map_or(Ok(()), fs::create_dir_all)?;
                File::create(place)
            };
            if !place.exists() && make(&place).is_err() {
                return Ok(());
            }
        }
        if !place.exists() {
            return Ok(());
        }
        bind(file, &place)?;
        restrict(&place)
    }

    /// Devices that are harmless, terminals of its own, and shared memory of its own.
    fn devices(&self) -> Result<(), Failed> {
        let dev = inside(Path::new("/dev"));
        self.folder(&dev)?;
        self.own_folder(&dev, 0o755)?;
        for device in DEVICES {
            let host = Path::new("/dev").join(device);
            if !host.exists() {
                continue;
            }
            let place = dev.join(device);
            place.parent().map_or(Ok(()), |folder| self.folder(folder))?;
            File::create(&place).map_err(at(format!("make /dev/{device}")))?;
            bind(&host, &place)?;
        }
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            symlink(target, dev.join(name)).map_err(at(format!("make the link /dev/{name}")))?;
        }
        let (terminals, shared) = (dev.join("pts"), dev.join("shm"));
        self.folder(&terminals)?;
        self.folder(&shared)?;
        self.own_folder(&shared, 0o1777)?;
        let (quiet, options) = (MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
        mount(Some("devpts"), &terminals, Some("devpts"), quiet, Some(options)).map_err(at("mount its /dev/pts"))
    }

    /// `/sys` shows the interfaces of the network namespace; `/proc` is the lab's until there are processes.
    fn system(&self) -> Result<(), Failed> {
        let (sys, proc) = (inside(Path::new("/sys")), inside(Path::new("/proc")));
        self.folder(&sys)?;
        self.folder(&proc)?;
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        // A comfort: some containers refuse a new one.
        let _ = mount(Some("sysfs"), &sys, Some("sysfs"), quiet, NONE);
        if !self.fresh_proc {
            bind(Path::new("/proc"), &proc)?;
        }
        Ok(())
    }
}

/// Where a path of the instance's is while the tree is made.
fn inside(path: &Path) -> PathBuf {
    Path::new(PLACE).join(path.strip_prefix("/").unwrap_or(path))
}

/// The path of the instance's that is here.
fn outside(place: &Path) -> PathBuf {
    Path::new("/").join(place.strip_prefix(PLACE).unwrap_or(place))
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Shows a file or a folder at another place, with all that is mounted below.
fn bind(what: &Path, place: &Path) -> Result<(), Failed> {
    mount(Some(what), place, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE).map_err(at(format!(
        "show {} as {}",
        what.display(),
        outside(place).display()
    )))
}

/// Read-only from here on, with all that is mounted below.
fn restrict(place: &Path) -> Result<(), Failed> {
    raw::restrict_mounts(place).map_err(at(format!("make {} read-only", outside(place).display())))
}
