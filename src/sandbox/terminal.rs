//! A terminal for a program inside: the caller makes a pseudo terminal, gives one end away, and stands between the other and its
//! own terminal.

use std::io::{self, IsTerminal, stdin};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::raw;

/// A pseudo terminal.
#[derive(Debug)]
pub struct Pty {
    /// What is written here is typed, and what is read from here was printed. It never blocks.
    pub ours: OwnedFd,
    /// The terminal that the program gets.
    pub theirs: OwnedFd,
}

impl Pty {
    /// Makes one of the size of the terminal at standard input.
    ///
    /// # Errors
    /// The system's word.
    pub fn like_ours() -> io::Result<Self> {
        let pty = openpty(&raw::window(stdin().as_fd())?, None)?;
        for end in [&pty.master, &pty.slave] {
            fcntl(end, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { ours: pty.master, theirs: pty.slave })
    }
}

/// Gives a pseudo terminal the size that the one at standard input has now.
///
/// # Errors
/// The system's word.
pub fn resize(ours: &OwnedFd) -> io::Result<()> {
    set_size(ours, &raw::window(stdin().as_fd())?)
}

/// Gives a terminal a size; its programs are told.
///
/// # Errors
/// The system's word.
pub fn set_size(terminal: &OwnedFd, size: &Winsize) -> io::Result<()> {
    Ok(raw::set_window(terminal.as_fd(), size)?)
}

/// Whether standard input is a terminal.
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
    /// The system's word: it may be no terminal.
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
