//! Reasons why something of the host's cannot be shown to an instance.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Reason why something cannot be mounted.
#[derive(Debug)]
pub enum UnmountableReason {
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

impl UnmountableReason {
    /// Suggests what to do.
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

impl fmt::Display for UnmountableReason {
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

impl std::error::Error for UnmountableReason {}
