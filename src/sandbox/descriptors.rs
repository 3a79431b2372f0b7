//! Descriptors that travel over a Unix socket, beside one byte.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::{raise_descriptor_limit, raw};

/// Sends copies of descriptors.
///
/// # Errors
/// The OS error.
pub fn send(over: &impl AsFd, descriptors: &[&dyn AsFd]) -> io::Result<()> {
    let numbers: Vec<i32> = descriptors.iter().map(|descriptor| descriptor.as_fd().as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let pass = || sendmsg::<()>(over.as_fd().as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::MSG_NOSIGNAL, None);
    let sent = match pass() {
        // The kernel counts those on their way by user, and holds them against the limit of whoever sends: that of an instance is lower.
        Err(Errno::ETOOMANYREFS) => {
            raise_descriptor_limit();
            pass()
        }
        other => other,
    }?;
    if sent == 1 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Takes what [`send`] has sent, if it was so many; they are closed where a program is started.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it was not `N` descriptors, [`io::ErrorKind::UnexpectedEof`] if the other side has closed.
pub fn receive<const N: usize>(over: &impl AsFd) -> io::Result<[OwnedFd; N]> {
    let wrong = |received: Vec<OwnedFd>| {
        let why = format!("{N} descriptors are wanted, and {} came", received.len());
        io::Error::new(io::ErrorKind::InvalidData, why)
    };
    receive_all(over)?.try_into().map_err(wrong)
}

/// Takes what [`send`] has sent.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] if the other side has closed.
pub(super) fn receive_all(over: &impl AsFd) -> io::Result<Vec<OwnedFd>> {
    let mut byte = [0];
    match raw::receive(over.as_fd(), &mut byte)? {
        (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
        (_, received) => Ok(received),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Each is closed again: the other end of the pipe tells.
    #[test]
    fn too_many_are_an_error_and_none_stays_open() {
        for count in [3, 5, 64, 253] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (mut read, write) = io::pipe().unwrap();
            let sent: Vec<&dyn AsFd> = (0..count).map(|_| &write as &dyn AsFd).collect();
            send(&ours, &sent).unwrap();
            drop(write);
            assert_eq!(receive::<2>(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
            // A child that another test starts at this moment may hold it a little longer, and no more than that.
            assert_eq!(io::Read::read(&mut read, &mut [0]).unwrap(), 0, "{count}");
        }
    }

    #[test]
    fn what_is_sent_comes_and_anything_else_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let null = File::open("/dev/null").unwrap();
        send(&ours, &[&null, &ours]).unwrap();
        let received: [OwnedFd; 2] = receive(&theirs).unwrap();
        assert_ne!(received[0].as_raw_fd(), null.as_raw_fd());
        ours.write_all(b"x").unwrap();
        assert_eq!(receive::<2>(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData, "none came");
        send(&ours, &[&null]).unwrap();
        assert_eq!(receive::<2>(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData, "one is missing");
        drop((ours, received));
        assert_eq!(receive::<2>(&theirs).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
