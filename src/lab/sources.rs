//! What of the host's an instance may be shown: `mounts:` of a topology file.

use std::fmt;
use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, User, access, geteuid};

use super::trust;
use crate::model::MountAccess;
use crate::sandbox::machine::links;
use crate::sandbox::machine::view::HOST_FOLDERS;

/// Folders of the system's programs and settings.
const SYSTEM: [&str; 10] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/boot", "/nix"];

/// Why something cannot be mounted.
#[derive(Debug)]
pub enum Unfit {
    /// It is not there.
    Missing,
    /// It cannot be looked at.
    Unknown(io::Error),
    /// It is neither a file nor a folder.
    Kind(&'static str),
    /// It holds what no instance is to see, or lies in that: where the path leads, which folder that is, and what.
    Shared(PathBuf, PathBuf, &'static str),
    /// It is the system's, and can be mounted to read only.
    System(PathBuf),
    /// Whoever asks may not do with it what the instance is to do: with which file or folder what, and how it can be given leave.
    Forbidden(PathBuf, &'static str, &'static str),
    /// It is reached by a link that an instance, or another user, may have made: that link, and what it says.
    Link(PathBuf, PathBuf),
    /// It is nothing that output is added to.
    NoLog(&'static str),
}

impl Unfit {
    /// What to do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Unknown(_) => None,
            Self::Kind(_) => Some("files and folders can be mounted"),
            Self::Shared(..) => Some("mount a folder that has only what the instance is to see"),
            Self::System(_) => Some("without `writable` it can be read"),
            Self::Forbidden(_, _, help) => Some(help),
            Self::Link(..) => Some("name the path that is meant, without the link"),
            Self::NoLog(_) => Some("a log is a file, or `/dev/null`"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => io::Error::from_raw_os_error(libc::ENOENT).fmt(f),
            Self::Unknown(error) => error.fmt(f),
            Self::Kind(kind) | Self::NoLog(kind) => write!(f, "it is {kind}"),
            Self::Shared(path, folder, what) if path == folder => write!(f, "{} is {what}", path.display()),
            Self::Shared(path, folder, what) if path.starts_with(folder) => {
                write!(f, "{} lies in {}, which is {what}", path.display(), folder.display())
            }
            Self::Shared(path, folder, what) => {
                write!(f, "{} lies in {}, and is {what}", folder.display(), path.display())
            }
            Self::Forbidden(path, what, _) => write!(f, "you may not {what} {}", path.display()),
            Self::Link(link, target) => write!(
                f,
                "{} is a link to {}, and an instance or another user may have made it: no such link is followed",
                link.display(),
                target.display()
            ),
            Self::System(path) => write!(f, "no instance may write to {}, which is the system's", path.display()),
        }
    }
}

impl std::error::Error for Unfit {}

/// A folder that more than one project has to do with.
struct Shared {
    folder: PathBuf,
    what: &'static str,
    /// Whether that is so of everything in it.
    with_all: bool,
}

/// Judges if a file or folder of the host may be mounted. Links are followed first. `from` is the folder of the topology file.
///
/// # Errors
/// Why not.
pub fn find(path: &Path, asked: MountAccess, from: Option<&Path>) -> Result<(), Unfit> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unfit::Missing,
        ErrorKind::PermissionDenied => match closed_above(path) {
            Some(folder) => Unfit::Forbidden(folder, "enter", ENTER),
            None => Unfit::Unknown(error),
        },
        _ => Unfit::Unknown(error),
    })?;
    let followed = links::follow(path).map_err(Unfit::Unknown)?;
    let path = followed.path.clone();
    let unfit = |it: Shared| Unfit::Shared(path.clone(), it.folder, it.what);
    let mut shared = shared();
    shared.sort_by_key(|it| std::cmp::Reverse(it.folder.components().count()));
    if let Some(at) = shared.iter().position(|it| it.folder == path || it.with_all && path.starts_with(&it.folder)) {
        return Err(unfit(shared.swap_remove(at)));
    }
    if path == Path::new("/") {
        return Err(Unfit::Kind("all that this system has"));
    }
    if path.parent() == Some(Path::new("/home")) {
        return Err(Unfit::Kind("the home folder of a user"));
    }
    if let Some(at) = shared.iter().position(|it| it.folder.starts_with(&path)) {
        return Err(unfit(shared.swap_remove(at)));
    }
    if asked == MountAccess::Writable && is_system(&path) {
        return Err(Unfit::System(path));
    }
    trust::judge(&followed, from)?;
    let kind = found.file_type();
    if !(kind.is_dir() || kind.is_file()) {
        return Err(Unfit::Kind(name(kind)));
    }
    refuse_forbidden(path, &found, asked)
}

const ENTER: &str = "its owner can allow it: `chmod o+x`";

/// The folder nearest to the root that keeps the caller from what lies in it.
fn closed_above(path: &Path) -> Option<PathBuf> {
    let path = links::follow(path).ok()?.path;
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = above.into_iter().rev().find(|folder| access(*folder, AccessFlags::X_OK).is_err());
    closed.map(Path::to_owned)
}

/// Refuses to an instance of the caller's what the caller may not do. In a lab of root's the owner decides that.
fn refuse_forbidden(path: PathBuf, found: &Metadata, asked: MountAccess) -> Result<(), Unfit> {
    let may = |flags| access(&path, flags);
    if asked == MountAccess::Writable && may(AccessFlags::W_OK) == Err(Errno::EROFS) {
        return Err(Unfit::Forbidden(
            path,
            "write to the read-only file system of",
            "without `writable` it can be read",
        ));
    }
    // The owner is root in the instance, whatever the mode.
    if found.uid() == geteuid().as_raw() {
        return Ok(());
    }
    let (flags, what, help) = match found.is_dir() {
        true => (AccessFlags::X_OK, "enter", ENTER),
        false => (AccessFlags::R_OK, "read", "its owner can allow it: `chmod o+r`"),
    };
    if may(flags).is_err() {
        return Err(Unfit::Forbidden(path, what, help));
    }
    if asked == MountAccess::Writable && may(AccessFlags::W_OK).is_err() {
        let help = "without `writable` it can be read; its owner can allow more: `chmod o+w`";
        return Err(Unfit::Forbidden(path, "write to", help));
    }
    Ok(())
}

/// The path that is meant from a folder, without what says nothing.
pub(super) fn named_from(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
    folder.join(path).components().collect()
}

/// Judges if the output of a service can be added to the file at a path; a file that is not there is made later.
///
/// # Errors
/// The reason why it cannot.
pub fn find_log(path: &Path, from: Option<&Path>) -> Result<(), Unfit> {
    trust::followed(path, from)?;
    match fs::metadata(path) {
        Ok(found) => fit_log(&found),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Unfit::Unknown(error)),
    }
}

/// Judges if output can be added to a file of this kind.
pub(super) fn fit_log(found: &Metadata) -> Result<(), Unfit> {
    let kind = found.file_type();
    let is_null = kind.is_char_device() && found.rdev() == libc::makedev(1, 3);
    if kind.is_file() || is_null { Ok(()) } else { Err(Unfit::NoLog(name(kind))) }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "a file",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_fifo() => "a named pipe",
        _ => "a device",
    }
}

fn is_system(path: &Path) -> bool {
    HOST_FOLDERS.iter().chain(&["/var/lib"]).any(|folder| Path::new(folder) == path)
        || SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// Tells if no lab lets an instance write to a folder: it is the system's, or has files that no instance is to see.
pub(super) fn is_never_written(folder: &Path) -> bool {
    folder == Path::new("/") || is_system(folder) || common().iter().any(|shared| shared.folder == folder)
}

/// Whether a folder is more than a project's: the home folder of the user, the folder of all temporary files, or one that has such in it.
pub(super) fn is_shared(folder: &Path) -> bool {
    common().iter().any(|shared| shared.folder.starts_with(folder))
}

/// Folders that are so on every system, and the user's home.
fn common() -> Vec<Shared> {
    let of = |with_all: bool, what: &'static str| {
        move |folder: &str| Shared { folder: PathBuf::from(folder), what, with_all }
    };
    let mut all: Vec<Shared> = ["/proc", "/sys", "/dev", "/run"].map(of(true, "the system's")).into();
    all.extend(["/tmp", "/var/tmp"].map(of(false, "where everybody has temporary files")));
    all.extend(["/home", "/root"].map(of(false, "where users have their own files")));
    let own = User::from_uid(geteuid()).ok().flatten().map(|user| user.dir);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    all.extend(home.into_iter().chain(own).filter(|home| home.is_absolute()).flat_map(|home| {
        let named = |folder: PathBuf| Shared { folder, what: "your home folder", with_all: false };
        // By its own name and by where that leads.
        [fs::canonicalize(&home).ok(), Some(home)].into_iter().flatten().map(named)
    }));
    // An account without a home has this.
    all.retain(|shared| shared.folder != Path::new("/"));
    all
}

fn shared() -> Vec<Shared> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let own = [
        (variable("TMPDIR"), "where everybody has temporary files", false),
        (variable("XDG_RUNTIME_DIR"), "where your programs have their sockets", true),
        (Some(folder_of_labs()), "where your labs have their sockets", true),
    ];
    let own = own.into_iter().filter_map(|(folder, what, with_all)| {
        let folder = folder.filter(|folder| folder.is_absolute())?;
        Some(Shared { folder: fs::canonicalize(&folder).unwrap_or(folder), what, with_all })
    });
    common().into_iter().chain(own).collect()
}

/// A folder, where this user may make something in it: a container's may be read-only.
fn writable(folder: &str) -> Option<PathBuf> {
    access(folder, AccessFlags::W_OK).is_ok().then(|| folder.into())
}

/// The user's folder of labs: `$SGLAB_RUNTIME_DIR`, or below the session's runtime folder, or below `/tmp` (for root `/run`); below
/// `$TMPDIR` where those are read-only.
pub fn folder_of_labs() -> PathBuf {
    let given = std::env::var_os("SGLAB_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let session = || {
        let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
        folder.is_dir().then(|| folder.join("sglab"))
    };
    let user = geteuid();
    let of_user = || {
        let own = format!("sglab-{user}");
        match writable("/run") {
            Some(run) if user.is_root() => run.join("sglab"),
            _ => writable("/tmp").unwrap_or_else(std::env::temp_dir).join(own),
        }
    };
    given.or_else(session).unwrap_or_else(of_user)
}
