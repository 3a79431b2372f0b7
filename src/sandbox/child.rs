//! A program that is given its input, heard to its end, and killed when it takes too long.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::raw;

/// Result of a program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: Status,
    pub output: String,
    pub errors: String,
}

/// Way in which it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    /// It said that it failed.
    Failure,
    /// A signal of somebody else ended it.
    Signalled(i32),
    /// It took too long, and was killed.
    Overdue,
}

/// Runs a program on this thread, in this thread's namespace. It has a process group of its own: an interrupt from the
/// terminal does not end it in the middle.
pub(crate) fn run(command: &mut Command, input: &[u8], patience: Duration) -> io::Result<Ended> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.process_group(0).spawn()?;
    let talked = talk(&mut child, input, Instant::now() + patience);
    // Nothing of it outlives this call. It has not been waited for yet, so the number is still its own.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let status = child.wait()?;
    let Talk { ended, output, errors } = talked?;
    let status = match status.signal() {
        _ if !ended => Status::Overdue,
        Some(signal) => Status::Signalled(signal),
        None if status.success() => Status::Success,
        None => Status::Failure,
    };
    Ok(Ended { status, output: text(&output), errors: text(&errors) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Output so far, and whether the program has ended.
struct Talk {
    ended: bool,
    output: Vec<u8>,
    errors: Vec<u8>,
}

/// Gives the input and takes the output, both at once, until the program has ended or it is too late.
fn talk(child: &mut Child, mut input: &[u8], until: Instant) -> io::Result<Talk> {
    let end = raw::process(child.id())?;
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let pipes = [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)];
    for pipe in pipes.into_iter().flatten() {
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    loop {
        if input.is_empty() {
            stdin = None;
        }
        let wanted: [Option<(BorrowedFd<'_>, PollFlags)>; 4] = [
            Some((end.as_fd(), PollFlags::POLLIN)),
            stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
            stdout.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
            stderr.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
        ];
        let mut fds: Vec<PollFd<'_>> =
            wanted.into_iter().flatten().map(|(fd, events)| PollFd::new(fd, events)).collect();
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so that it does not come back a moment too early and spin.
        let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let ready = match poll(&mut fds, left) {
            Err(nix::errno::Errno::EINTR) => continue,
            ready => ready?,
        };
        let ended = fds.first().and_then(PollFd::any).unwrap_or(false);
        drop(fds);
        // What it said is read after its end too: nothing is added then.
        take(&mut stdout, &mut output)?;
        take(&mut stderr, &mut errors)?;
        if ended || (ready == 0 && Instant::now() >= until) {
            return Ok(Talk { ended, output, errors });
        }
        if let Some(pipe) = &mut stdin {
            match pipe.write(input) {
                Ok(written) => input = &input[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It does not want to hear the rest; how it ends says more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => stdin = None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads all that is there; a pipe at its end is closed.
fn take(pipe: &mut Option<impl Read>, to: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    match open.read_to_end(to) {
        Ok(_) => *pipe = None,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, input: &[u8], patience: Duration) -> Ended {
        run(Command::new("sh").args(["-c", script]), input, patience).expect("it can be started")
    }

    #[test]
    fn what_goes_in_and_comes_out_at_once_does_not_block() {
        let much = vec![b'x'; 1 << 20];
        let ended = shell("tee /dev/stderr", &much, LONG);
        assert_eq!((ended.status, ended.output.len(), ended.errors.len()), (Status::Success, 1 << 20, 1 << 20));
    }

    #[test]
    fn who_does_not_listen_is_no_error_and_their_end_is_told() {
        let much = vec![b'x'; 1 << 20];
        let ended = shell("exec <&-; echo no >&2; exit 1", &much, LONG);
        assert_eq!((ended.status, ended.errors.as_str()), (Status::Failure, "no\n"));
        assert_eq!(shell("kill -9 $$", &much, LONG).status, Status::Signalled(9));
    }

    #[test]
    fn who_takes_too_long_is_killed_with_their_children() {
        let short = Duration::from_millis(20);
        assert_eq!(shell("echo begun; sleep 1000", b"", short).status, Status::Overdue);
        // Also who says no more.
        assert_eq!(shell("exec >&- 2>&- <&-; while :; do sleep 1000; done", b"", short).status, Status::Overdue);
    }

    #[test]
    fn what_an_orphan_of_it_keeps_open_does_not_hold_anybody_up() {
        let ended = shell("sleep 1000 & echo done", b"", LONG);
        assert_eq!((ended.status, ended.output.as_str()), (Status::Success, "done\n"));
    }
}
