//! Terminals of a caller's. Tests of many files begin programs at once, so none of them may inherit another's terminal.

use std::fs::File;
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open};
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;

/// A pseudo terminal.
pub struct Pty {
    /// Types, and reads what is printed.
    pub master: File,
    /// The terminal of a program.
    pub slave: OwnedFd,
}

/// Makes a terminal of so many rows and columns.
pub fn pty(rows: u16, columns: u16) -> Pty {
    // `openpty` gives both ends to every program that is begun meanwhile.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = open(ptsname_r(&master).unwrap().as_str(), flags, Mode::empty()).unwrap();
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    sglab::sandbox::terminal::set_size(&slave, &size).unwrap();
    let master = File::from(OwnedFd::from(master));
    Pty { master, slave }
}
