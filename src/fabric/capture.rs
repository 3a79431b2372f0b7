//! Whole packets of a namespace, to be read by people: what goes in and out by each of its interfaces.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::error::FabricError;
use super::namespace::Namespace;
use super::receive_buffer::most_waiting;

/// A longer frame does not come over a veth pair of the lab, but by offloading, where the largest is this.
const LONGEST_FRAME: usize = 65_600;

/// Room for what a probe and its canaries send, many times over.
const BUFFER: usize = 4 << 20;

/// A packet as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Time when the kernel saw it, since 1970.
    pub at: Duration,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// Takes down every packet of a namespace from the moment it is opened, in both directions.
#[derive(Debug)]
pub struct Capture {
    socket: Socket,
    most_waiting: usize,
}

impl Capture {
    /// Opens one.
    ///
    /// # Errors
    /// The OS error, with the namespace.
    pub async fn open(namespace: &Arc<Namespace>) -> Result<Self, FabricError> {
        const ATTEMPT: &str = "open a capture";
        let (faults, name) = (namespace.faults.clone(), namespace.name.clone());
        let opened = namespace.run(move || faults.around(&name, ATTEMPT, open_here));
        opened.await?.map_err(|source| FabricError::Kernel {
            attempt: ATTEMPT.into(),
            node: namespace.name.clone(),
            source,
        })
    }

    /// Returns the number of packets that had no place in the socket's buffer since the last call.
    ///
    /// # Errors
    /// The OS error.
    pub fn missed(&self) -> io::Result<u32> {
        Ok(crate::sandbox::raw::packets_missed(self.socket.as_fd())?)
    }

    /// All that was seen until now, and perhaps of what is seen meanwhile. Frames of the loopback interface are not among them.
    ///
    /// # Errors
    /// The OS error.
    pub fn read(&self) -> io::Result<Vec<Frame>> {
        self.read_up_to(usize::MAX)
    }

    /// The same, and stops with the frame by which there are so many bytes: who sends faster than this reads would be read for ever.
    ///
    /// # Errors
    /// The OS error.
    pub fn read_up_to(&self, bytes: usize) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let mut left = bytes;
        let mut buffer = vec![0; LONGEST_FRAME];
        for _ in 0..self.most_waiting {
            if left == 0 {
                break;
            }
            let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
            let mut parts = [io::IoSliceMut::new(&mut buffer)];
            let received =
                recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT);
            let (length, at) = match received {
                Ok(message) => {
                    let at = message.cmsgs()?.find_map(|part| match part {
                        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                        _ => None,
                    });
                    (message.bytes, at.unwrap_or_default())
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            left = left.saturating_sub(length.max(1));
            // On the loopback interface both hardware addresses are none.
            if bytes.iter().take(12).any(|byte| *byte != 0) {
                frames.push(Frame { at, bytes: bytes.to_vec() });
            }
        }
        // The kernel begins to stamp packets a moment after it is asked to, and those before have the time of their reading.
        for number in (1..frames.len()).rev() {
            if let Some([frame, next]) = frames.get_mut(number - 1..=number) {
                frame.at = frame.at.min(next.at);
            }
        }
        Ok(frames)
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open_here() -> io::Result<Capture> {
    // In network byte order, given at once: binding later would wait for a grace period of the kernel.
    let all = i32::from((libc::ETH_P_ALL as u16).to_be());
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(all)))?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    // An ordinary user gets as much as the system's limit allows.
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(Capture { most_waiting: most_waiting(&socket)?, socket })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_stops_with_the_frame_by_which_it_has_enough_and_the_next_goes_on() {
        let own = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.bind(&own.into()).unwrap();
        for number in 1..=10 {
            socket.send_to(&[number; 1000], &socket.local_addr().unwrap()).unwrap();
        }
        let capture = Capture { most_waiting: most_waiting(&socket).unwrap(), socket };
        let firsts = |frames: Vec<Frame>| frames.iter().map(|frame| frame.bytes[0]).collect::<Vec<_>>();
        assert_eq!(firsts(capture.read_up_to(2500).unwrap()), [1, 2, 3]);
        assert_eq!(firsts(capture.read().unwrap()), [4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(firsts(capture.read().unwrap()), [0; 0]);
    }
}
