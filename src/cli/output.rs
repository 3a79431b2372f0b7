//! Standard output, whose reader may go before all is said, as in `sglab ... | head`.

use std::io::{self, ErrorKind, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};

/// Nobody reads an output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
struct ReaderGone;

/// An output of this program's. That its reader has gone is told by an error of its own: other pipes and sockets break too.
#[derive(Debug)]
pub(crate) struct Piped<W>(pub W);

/// Standard output of this process.
pub(crate) type Stdout = Piped<io::Stdout>;

/// Standard output of this process.
pub(crate) fn stdout() -> Stdout {
    Piped(io::stdout())
}

/// Marks an error of writing to an output, where it says that the reader has gone.
pub(super) fn marked(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { io::Error::new(ErrorKind::BrokenPipe, ReaderGone) } else { error }
}

/// Returns true for the error of an output that nobody reads any more, which is no failure.
pub(crate) fn is_reader_gone(error: &anyhow::Error) -> bool {
    let of_system = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    of_system.filter_map(io::Error::get_ref).any(|inner| inner.is::<ReaderGone>())
}

impl<W: Write> Write for Piped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(marked)
    }
}

impl<W> Deref for Piped<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.0
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_told_from_any_other_pipe_or_socket_that_broke() {
        let of_output = Piped(Broken).write_all(b"word").context("failed to write the results");
        assert!(is_reader_gone(&of_output.unwrap_err()));
        let of_socket = Broken.write_all(b"word").context("failed to speak to the lab `demo`");
        assert!(!is_reader_gone(&of_socket.unwrap_err()));
    }
}
