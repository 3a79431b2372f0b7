//! Kinds of files that a caller has as input, output or errors, by whether a program of an instance may have them.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use nix::sys::stat::{SFlag, fstat, major, minor};

/// Number of the kernel's devices of memory (`MEM_MAJOR`).
const MEMORY: u64 = 1;
/// Those of them that every instance has: `null`, `zero`, `full`, `random`, `urandom`. Others are the machine's memory.
const HARMLESS: [u64; 5] = [3, 5, 7, 8, 9];

/// Words where one is a folder.
pub(super) const FOLDER_WITHHELD: &str = "a folder as input, output or errors is given to no program of an instance: the host's files could be reached by it";

/// Kind of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, a pipe, or a device that every instance has: it leads nowhere else.
    Plain,
    /// A terminal. Whoever has it reads what is typed there later.
    Terminal,
    /// A folder, by which all that lies in it could be opened, and what lies above it.
    Folder,
    /// A socket, another device or something of the kernel's. By a socket its peer can be asked for more, in the caller's name.
    Other,
}

impl Kind {
    /// Looks at an open file.
    ///
    /// # Errors
    /// The OS error.
    pub fn of(file: &(impl AsFd + IsTerminal)) -> io::Result<Self> {
        if file.is_terminal() {
            return Ok(Self::Terminal);
        }
        let found = fstat(file)?;
        let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        Ok(if kind == SFlag::S_IFREG || kind == SFlag::S_IFIFO {
            Self::Plain
        } else if kind == SFlag::S_IFDIR {
            Self::Folder
        } else if kind == SFlag::S_IFCHR && is_harmless(found.st_rdev) {
            Self::Plain
        } else {
            Self::Other
        })
    }
}

fn is_harmless(device: libc::dev_t) -> bool {
    major(device) == MEMORY && HARMLESS.contains(&minor(device))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn files_pipes_and_harmless_devices_are_given_and_sockets_and_folders_are_not() {
        let opened = |path: &str| Kind::of(&File::open(path).expect("it can be opened")).expect("its kind");
        for plain in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/proc/self/exe"] {
            assert_eq!(opened(plain), Kind::Plain, "{plain}");
        }
        assert_eq!(opened("/"), Kind::Folder);
        let (read, _write) = io::pipe().expect("a pipe");
        assert_eq!(Kind::of(&OwnedFd::from(read)).expect("its kind"), Kind::Plain);
        let (socket, _peer) = UnixStream::pair().expect("sockets");
        assert_eq!(Kind::of(&OwnedFd::from(socket)).expect("its kind"), Kind::Other);
        // The machine's memory.
        assert!(!is_harmless(nix::sys::stat::makedev(1, 1)) && !is_harmless(nix::sys::stat::makedev(1, 4)));
    }
}
