//! A terminal for a program inside: it is one of its instance's own, whose other end the caller gets, who stands between that and
//! its own terminal.

use std::io::{self, IsTerminal, stdin};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::pty::Winsize;
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::raw;

/// Rows and columns of a terminal.
pub type Size = (u16, u16);

/// A pseudo terminal.
#[derive(Debug)]
pub(super) struct Pty {
    /// Caller's end: bytes written here are typed, and bytes read from here were printed. It never blocks.
    pub caller: OwnedFd,
    /// The terminal that the program gets.
    pub program: OwnedFd,
}

/// Path by which an instance opens terminals that are its own.
const TERMINALS: &str = "/dev/pts/ptmx";
/// Major and minor number of the device there, on every system.
const MULTIPLEXER: (u64, u64) = (5, 2);

impl Pty {
    /// Makes one of the terminals of the instance that this process is in, whose root may have put anything at its place.
    ///
    /// # Errors
    /// The OS error.
    pub(super) fn of_the_instance((rows, columns): Size) -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let caller = open(TERMINALS, flags, Mode::empty())?;
        let found = fstat(&caller)?;
        let is_device = SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFCHR;
        if !is_device || (major(found.st_rdev), minor(found.st_rdev)) != MULTIPLEXER {
            return Err(nix::errno::Errno::ENODEV.into());
        }
        let program = raw::end_for_programs(caller.as_fd())?;
        set_size(&program, &Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        Ok(Self { caller, program })
    }
}

/// The size of the terminal at standard input.
///
/// # Errors
/// The OS error: it may be no terminal.
pub fn size() -> io::Result<Size> {
    let window = raw::window(stdin().as_fd())?;
    Ok((window.ws_row, window.ws_col))
}

/// Gives a pseudo terminal the size that the one at standard input has now.
///
/// # Errors
/// The OS error.
pub fn resize(ours: &OwnedFd) -> io::Result<()> {
    set_size(ours, &raw::window(stdin().as_fd())?)
}

/// Gives a terminal a size; its programs are told.
///
/// # Errors
/// The OS error.
pub fn set_size(terminal: &OwnedFd, size: &Winsize) -> io::Result<()> {
    Ok(raw::set_window(terminal.as_fd(), size)?)
}

/// Reports whether standard input is a terminal.
pub fn at_stdin() -> bool {
    stdin().is_terminal()
}

/// The terminal at standard input passes on what is typed, key by key; as it was again once this is dropped.
#[derive(Debug)]
pub struct Raw(Termios);

impl Raw {
    /// From now on.
    ///
    /// # Errors
    /// The OS error: it may be no terminal.
    pub fn begin() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut changed = before.clone();
        cfmakeraw(&mut changed);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &changed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing else can be done for a terminal that refuses.
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
