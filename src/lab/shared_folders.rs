//! Folders of the host's that are more than one project's.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::sandbox::machine::view::HOST_FOLDERS;

/// Folders of the system's programs and settings.
const SYSTEM: [&str; 10] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/boot", "/nix"];

/// A folder that more than one project has to do with.
pub(super) struct Shared {
    pub folder: PathBuf,
    pub what: &'static str,
    /// True if that is so of everything in it.
    pub with_all: bool,
}

pub(super) fn is_system(path: &Path) -> bool {
    HOST_FOLDERS.iter().chain(&["/var/lib", "/gnu"]).any(|folder| Path::new(folder) == path)
        || SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// Tells if no lab lets an instance write to a folder: it is the system's, or has files that no instance is to see.
pub(super) fn is_never_written(folder: &Path) -> bool {
    folder == Path::new("/") || is_system(folder) || common().iter().any(|shared| shared.folder == folder)
}

/// Returns `true` if a folder is more than a project's: the home folder of the user, the folder of all temporary files, one that has such in it, or
/// one that a variable names for programs and labs.
pub(super) fn is_shared(folder: &Path) -> bool {
    common().iter().any(|shared| shared.folder.starts_with(folder)) || is_of_several(folder, &shared())
}

/// Returns `true` if a folder is one of these, or lies in one of which all is shared.
fn is_of_several(folder: &Path, shared: &[Shared]) -> bool {
    shared.iter().any(|it| it.folder == folder || it.with_all && folder.starts_with(&it.folder))
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

/// Those, and the folders that this user's programs have in the environment.
pub(super) fn shared() -> Vec<Shared> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_variable_names_is_no_project_and_what_lies_in_it_may_be() {
        let of = |folder: &str, with_all| Shared { folder: folder.into(), what: "", with_all };
        let shared = [of("/scratch", false), of("/sockets", true)];
        for (folder, is_it) in
            [("/scratch", true), ("/scratch/project", false), ("/sockets", true), ("/sockets/lab", true), ("/", false)]
        {
            assert_eq!(is_of_several(Path::new(folder), &shared), is_it, "{folder}");
        }
    }
}
