//! The ends of a program in an instance, and what passes between them and this process's own terminal and sockets.
//!
//! A program in an instance is not trusted, and may leave others behind: who has a terminal's descriptor reads what is typed there
//! later, and changes its modes; who has a socket's speaks to its peer in the caller's name. So it gets pipes in place of these, or a terminal of
//! its instance's own, whose other end comes here.

use std::io::{self, ErrorKind, IsTerminal, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::fstat;
use nix::unistd::{getpgrp, pipe2, tcgetpgrp};

use super::descriptors;
use super::given::{FOLDER_WITHHELD, Kind};

/// Bytes that are passed on at once.
const CHUNK_SIZE: usize = 1 << 14;

/// Bytes that a pseudo terminal holds at the most (`TTYB_DEFAULT_MEM_LIMIT` of the kernel), rounded up.
const TERMINAL_BUFFER: usize = 1 << 20;

/// Milliseconds between two looks of a process in the background at whether the terminal is its own again.
const PAUSE: u16 = 200;

/// Input, output and errors for a program, and what is to be done here meanwhile.
#[derive(Debug)]
pub struct Ends {
    /// Input, output and errors of the program.
    pub given: [OwnedFd; 3],
    /// Passes on what is typed and printed.
    pub relay: Relay,
}

/// Passes on what is typed and printed. It holds this side's ends.
#[derive(Debug, Default)]
pub struct Relay {
    input: Option<Input>,
    outputs: Vec<Output>,
}

/// From the terminal or the socket at standard input to the program.
#[derive(Debug)]
struct Input {
    to: OwnedFd,
    /// Typed bytes that the program has not taken yet. No more is read until it is.
    typed: Vec<u8>,
    ended: bool,
}

/// From the program to a terminal or a socket.
#[derive(Debug)]
struct Output {
    from: OwnedFd,
    to: OwnedFd,
}

impl Ends {
    /// This process's own files and pipes, but a pipe where it has a terminal or a socket. Where output and errors are the same terminal or
    /// socket, the program has one pipe for both: so they stay in their order.
    ///
    /// # Errors
    /// The OS error; [`ErrorKind::PermissionDenied`] where one is a folder.
    pub fn ours() -> io::Result<Self> {
        let mut relay = Relay::default();
        let input = if is_handed_on(&stdin())? {
            stdin().as_fd().try_clone_to_owned()?
        } else {
            let (theirs, to) = pipe2(OFlag::O_CLOEXEC)?;
            relay.input = Some(Input::to(to)?);
            theirs
        };
        let output = relay.end_for(stdout().as_fd())?;
        let errors = if is_one_relayed()? { output.try_clone()? } else { relay.end_for(stderr().as_fd())? };
        Ok(Self { given: [input, output, errors], relay })
    }

    /// A socket for all three, by which a program's own terminal comes: see [`Far::arrive`].
    ///
    /// # Errors
    /// The OS error.
    pub fn own_terminal() -> io::Result<([OwnedFd; 3], Far)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        Ok(([theirs.try_clone()?, theirs.try_clone()?, theirs], Far(ours)))
    }
}

/// A terminal that is made where the program is.
#[derive(Debug)]
pub struct Far(UnixStream);

impl Far {
    /// Takes the caller's end of it, once the program has begun; gives what passes on what is typed and printed, and by what its size is
    /// changed.
    ///
    /// # Errors
    /// The OS error.
    pub fn arrive(self) -> io::Result<(Relay, OwnedFd)> {
        let [ours] = descriptors::receive::<1>(&self.0)?;
        let output = Output { from: ours.try_clone()?, to: stdout().as_fd().try_clone_to_owned()? };
        Ok((Relay { input: Some(Input::to(ours.try_clone()?)?), outputs: vec![output] }, ours))
    }
}

/// Reports whether the program has one of this process's ends as it is, and not by a pipe.
fn is_handed_on(end: &(impl AsFd + IsTerminal)) -> io::Result<bool> {
    match Kind::of(end)? {
        Kind::Plain => Ok(true),
        Kind::Terminal | Kind::Other => Ok(false),
        Kind::Folder => Err(io::Error::new(ErrorKind::PermissionDenied, FOLDER_WITHHELD)),
    }
}

fn is_one_relayed() -> io::Result<bool> {
    let (output, errors) = (fstat(stdout())?, fstat(stderr())?);
    Ok(!is_handed_on(&stdout())? && (output.st_dev, output.st_ino) == (errors.st_dev, errors.st_ino))
}

impl Relay {
    /// Makes the program's end for one of ours.
    fn end_for(&mut self, ours: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let to = ours.try_clone_to_owned()?;
        if is_handed_on(&to)? {
            return Ok(to);
        }
        let (from, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        not_blocking(&from)?;
        self.outputs.push(Output { from, to });
        Ok(theirs)
    }

    /// Waits until something can be passed on, or one of the descriptors beside is ready for reading; says which of those are. No end is
    /// served for so long that the others wait.
    ///
    /// # Errors
    /// The OS error.
    pub fn turn<const N: usize>(&mut self, beside: [BorrowedFd<'_>; N]) -> io::Result<[bool; N]> {
        let standard_input = stdin();
        let mut fds: Vec<PollFd<'_>> = beside.iter().map(|one| PollFd::new(*one, PollFlags::POLLIN)).collect();
        fds.extend(self.outputs.iter().map(|output| PollFd::new(output.from.as_fd(), PollFlags::POLLIN)));
        let mut patience = PollTimeout::NONE;
        if let Some(input) = &self.input {
            // That nobody reads there any more is told without being asked for.
            let taking = if input.typed.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            fds.push(PollFd::new(input.to.as_fd(), taking));
            if input.typed.is_empty() && in_foreground() {
                fds.push(PollFd::new(standard_input.as_fd(), PollFlags::POLLIN));
            } else if input.typed.is_empty() {
                patience = PAUSE.into();
            }
        }
        match poll(&mut fds, patience) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let told: Vec<PollFlags> = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
        drop(fds);
        let (others, own) = told.split_at(N);
        let (printed, typing) = own.split_at(self.outputs.len());
        let mut printed = printed.iter();
        self.outputs.retain_mut(|output| {
            let is_ready = printed.next().is_some_and(|told| !told.is_empty());
            !is_ready || output.pass_on(CHUNK_SIZE) != Passed::Ended
        });
        if let (Some(input), [taking, rest @ ..]) = (&mut self.input, typing) {
            let is_heard = !taking.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL);
            if rest.first().is_some_and(|told| !told.is_empty()) {
                input.read();
            }
            if !is_heard || input.pass_on() == Passed::Ended {
                self.input = None;
            }
        }
        Ok(std::array::from_fn(|index| others.get(index).is_some_and(|told| !told.is_empty())))
    }

    /// Passes on what the program has printed before its end. What it has left behind may print on, and is not waited for.
    pub fn finish(self) {
        for output in self.outputs {
            let held = fcntl(&output.from, FcntlArg::F_GETPIPE_SZ).ok().and_then(|held| usize::try_from(held).ok());
            let mut left = held.unwrap_or(TERMINAL_BUFFER);
            while let Passed::Bytes(passed @ 1..) = output.pass_on(left.min(CHUNK_SIZE)) {
                left = left.saturating_sub(passed);
            }
        }
    }
}

/// Result of passing on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// So many; perhaps more later.
    Bytes(usize),
    /// There is nobody any more on one of the sides.
    Ended,
}

impl Output {
    /// As much as there is, up to so many bytes.
    fn pass_on(&self, most: usize) -> Passed {
        let mut bytes = vec![0; most];
        match nix::unistd::read(&self.from, &mut bytes) {
            Ok(0) if most > 0 => Passed::Ended,
            Ok(read) => match write(&self.to, &bytes[..read]) {
                Ok(()) => Passed::Bytes(read),
                Err(_) => Passed::Ended,
            },
            Err(Errno::EAGAIN | Errno::EINTR) => Passed::Bytes(0),
            // A terminal that nobody has open any more, among others.
            Err(_) => Passed::Ended,
        }
    }
}

impl Input {
    fn to(to: OwnedFd) -> io::Result<Self> {
        not_blocking(&to)?;
        Ok(Self { to, typed: Vec::new(), ended: false })
    }

    fn read(&mut self) {
        let mut bytes = [0; 4096];
        match nix::unistd::read(stdin(), &mut bytes) {
            Ok(read) => {
                self.typed.extend_from_slice(&bytes[..read]);
                self.ended = read == 0;
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // It has just become somebody else's, or there is none any more.
            Err(_) => self.ended = in_foreground(),
        }
    }

    /// As much as the program takes.
    fn pass_on(&mut self) -> Passed {
        while !self.typed.is_empty() {
            match nix::unistd::write(&self.to, &self.typed) {
                Ok(written) => drop(self.typed.drain(..written)),
                Err(Errno::EAGAIN | Errno::EINTR) => return Passed::Bytes(0),
                Err(_) => return Passed::Ended,
            }
        }
        if self.ended { Passed::Ended } else { Passed::Bytes(0) }
    }
}

/// Writes all of it, also where somebody else has made the terminal one that does not block.
fn write(to: &OwnedFd, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                poll(&mut [PollFd::new(to.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE)?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reports whether what is typed is for this process. A shell keeps that from what it runs in the background, and whoever reads all the same is
/// stopped; from here on only refused.
fn in_foreground() -> bool {
    let mut stops = SigSet::empty();
    stops.add(Signal::SIGTTIN);
    // Without this it would be stopped at the worst.
    let _ = stops.thread_block();
    // Of a terminal that is not this session's own anybody may read.
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}

fn not_blocking(end: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(end, FcntlArg::F_GETFL)?);
    fcntl(end, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop).map_err(io::Error::from)
}
