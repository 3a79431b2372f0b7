//! Output of a test in the process inside, printed here: so a harness that captures what tests print captures it too.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Passes both on until both have ended. What was printed to standard output comes first where both have something, since a
/// test prints there until it fails.
pub(super) fn pass_on(stdout: ChildStdout, stderr: ChildStderr) {
    let mut streams = [
        Stream { from: OwnedFd::from(stdout).into(), kept: Vec::new(), print: |text| print!("{text}"), open: true },
        Stream { from: OwnedFd::from(stderr).into(), kept: Vec::new(), print: |text| eprint!("{text}"), open: true },
    ];
    while streams.iter().any(|stream| stream.open) {
        let open: Vec<usize> = (0..streams.len()).filter(|number| streams[*number].open).collect();
        let mut polled: Vec<PollFd<'_>> =
            open.iter().map(|number| PollFd::new(streams[*number].from.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        for (number, _) in open.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            streams[number].read();
        }
    }
}

struct Stream {
    from: File,
    /// The beginning of a character whose end has not come.
    kept: Vec<u8>,
    print: fn(&str),
    open: bool,
}

impl Stream {
    fn read(&mut self) {
        let mut buffer = [0; 8192];
        match self.from.read(&mut buffer) {
            Ok(read @ 1..) => {
                self.kept.extend_from_slice(&buffer[..read]);
                let whole = whole_characters(&self.kept);
                (self.print)(&String::from_utf8_lossy(&self.kept[..whole]));
                self.kept.drain(..whole);
            }
            Ok(0) | Err(_) => {
                (self.print)(&String::from_utf8_lossy(&self.kept));
                self.open = false;
            }
        }
    }
}

/// Counts the bytes that can be shown: a character may be cut in two by the end of what was read.
fn whole_characters(bytes: &[u8]) -> usize {
    let cut = (1..=3).filter(|back| *back <= bytes.len()).find(|back| {
        let tail = &bytes[bytes.len() - back..];
        std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0)
    });
    bytes.len() - cut.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_kept_until_all_of_it_has_come() {
        assert_eq!(whole_characters("aé".as_bytes()), 3);
        assert_eq!(whole_characters(&"aé".as_bytes()[..2]), 1);
        assert_eq!(whole_characters(&"\u{1F600}".as_bytes()[..3]), 0);
        assert_eq!(whole_characters(b"no text: \xff"), 10);
        assert_eq!(whole_characters(b""), 0);
    }
}
