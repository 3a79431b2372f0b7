//! The files that programs of an instance see: a root of its own, with parts of the host's, read-only.
//!
//! The tree is made in the lab's user namespace, before the instance's own is entered. The kernel locks what a namespace of less
//! privilege inherits: root in the instance can mount on top, and can neither take a mount off nor make it writable.

mod mounts;
mod tree;

use std::fs::{self, DirBuilder, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Gid, Uid, chdir, chown, pivot_root};
use serde::{Deserialize, Serialize};

pub(super) use mounts::WithIds;
pub use mounts::{Mount, Mounts, Source};

use super::calls::{Failed, at};
use super::links::open_followed;
use crate::model::DATA_FOLDER;
use crate::sandbox::raw;
use tree::{Kind, PLACE, Tree};

const NONE: Option<&str> = None;

/// Folders of the host that every instance sees, read-only, where the host has them.
///
/// Of Nix and Guix only the store: beside it lie the sockets of their daemons.
pub const HOST_FOLDERS: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/var",
    "/srv",
];

/// Folders that are the instance's own and empty, though they lie in one of the host's. The last four have sockets of daemons that act as root.
const EMPTY_FOLDERS: [&str; 9] = [
    "/var/tmp",
    "/var/log",
    "/var/cache",
    "/var/spool",
    "/var/mail",
    "/var/guix",
    "/var/snap",
    "/var/lib/lxd",
    "/var/lib/incus",
];

/// Devices of the host that every instance has, where the host has them.
pub const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "net/tun"];

/// Parts of `/proc` that are read-only, as containers have it.
const READ_ONLY_PROC: [&str; 6] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi"];

/// View of an instance: the files that it sees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct View {
    /// Its `/etc/hosts`.
    pub hosts: PathBuf,
    /// Its `/etc/resolv.conf`.
    pub resolver: PathBuf,
    /// Its [`DATA_FOLDER`].
    pub data: PathBuf,
    /// Owner of what it may write: root of the instance, by the lab's ids.
    pub owner: (u32, u32),
    /// Folders that are hidden, though they may lie in one that is shown.
    pub hidden: Vec<PathBuf>,
    /// Mounts that it sees beside that.
    pub mounts: Vec<WithIds>,
    /// Paths of the host that any instance may write to.
    pub written: Vec<PathBuf>,
    /// True if a `/proc` of its own can be mounted.
    pub fresh_proc: bool,
}

impl View {
    /// Makes the tree in a mount namespace that is the caller's own, all but what shows processes. The caller is in the network namespace of
    /// the instance, and in no user namespace of its.
    ///
    /// `users` are the user namespaces whose ids mounts are shown with.
    pub fn build(&self, users: &[OwnedFd]) -> Result<(), Failed> {
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(at("make mounts private"))?;
        let mut tree = Tree::begin(self.owner, &self.written)?;
        for folder in HOST_FOLDERS {
            self.show_host_folder(Path::new(folder))?;
        }
        for folder in EMPTY_FOLDERS.map(Path::new) {
            // What is a link leads to a folder that is the instance's own as well.
            if let Some(place) = tree.folder(folder)? {
                tree.mount_memory(&place, folder, 0o1777)?;
            }
        }
        for folder in self.hidden.iter().filter(|folder| is_shown(folder)) {
            tree.hide(folder)?;
        }
        for (folder, mode) in [("/run", 0o755), ("/tmp", 0o1777), ("/root", 0o700), ("/home", 0o755)] {
            let folder = Path::new(folder);
            let place = tree.room(&tree.follow(folder)?, Kind::Folder)?;
            tree.mount_memory(&place, folder, mode)?;
        }
        self.devices(&mut tree)?;
        for (mount, ids) in mounts::in_order(&self.mounts, false) {
            mount.show(ids.and_then(|number| users.get(number)), &self.hidden, &mut tree)?;
        }
        for (file, name) in [(&self.hosts, "/etc/hosts"), (&self.resolver, "/etc/resolv.conf")] {
            show_names(file, Path::new(name), &tree)?;
        }
        // In its own `/run`.
        let data = inside(Path::new(DATA_FOLDER));
        self.folder(&data)?;
        bind(&self.data, &data)?;
        chown(&data, Some(Uid::from_raw(self.owner.0)), Some(Gid::from_raw(self.owner.1)))
            .map_err(at(format!("give away {DATA_FOLDER}")))?;
        for (mount, ids) in mounts::in_order(&self.mounts, true) {
            mount.show(ids.and_then(|number| users.get(number)), &self.hidden, &mut tree)?;
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
                place.parent().map_or(Ok(()), |above| self.folder(above))?;
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

    fn folder(&self, place: &Path) -> Result<(), Failed> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(place);
        made.map_err(at(format!("make {}", outside(place).display())))
    }

    /// Devices that are harmless, terminals of its own, and shared memory of its own.
    fn devices(&self, tree: &mut Tree) -> Result<(), Failed> {
        let dev = inside(Path::new("/dev"));
        let memory = |tree: &mut Tree, folder: &str, mode| {
            let place = tree.room(&tree.follow(Path::new(folder))?, Kind::Folder)?;
            tree.mount_memory(&place, Path::new(folder), mode)
        };
        memory(tree, "/dev", 0o755)?;
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
        let terminals = dev.join("pts");
        self.folder(&terminals)?;
        memory(tree, "/dev/shm", 0o1777)?;
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

/// Returns the place of a path of the instance's while the tree is made.
fn inside(path: &Path) -> PathBuf {
    Path::new(PLACE).join(path.strip_prefix("/").unwrap_or(path))
}

/// The path of the instance's that is here.
fn outside(place: &Path) -> PathBuf {
    Path::new("/").join(place.strip_prefix(PLACE).unwrap_or(place))
}

/// Tells if a folder lies in one of the host's that every instance sees.
fn is_shown(folder: &Path) -> bool {
    HOST_FOLDERS.iter().any(|shown| folder.starts_with(shown) && folder != Path::new(shown))
}

/// A file of the lab's in place of the system's, if that has it. Many have `/etc/resolv.conf` as a link into `/run`: the file is mounted on
/// the link, so that nothing need be made where it leads.
fn show_names(file: &Path, name: &Path, tree: &Tree) -> Result<(), Failed> {
    let Some(place) = tree.named(name)? else { return Ok(()) };
    let shown = open_followed(file, OFlag::O_PATH).and_then(|file| {
        let copy = raw::copy_of_mounts(file.as_fd())?;
        raw::disarm_mounts(copy.as_fd(), true)?;
        Ok(raw::put_mounts(copy.as_fd(), place.as_fd())?)
    });
    shown.map_err(at(format!("show {} as {}", file.display(), name.display())))
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
