//! What arrives at a namespace's interfaces: the second witness of every drop.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::packet::Tuple;
use super::{FabricError, Namespace};
use crate::compile::network::Families;

/// A packet socket in a namespace, which sees what arrives over one family before the namespace's own stack does. It
/// never blocks.
#[derive(Debug)]
pub struct Tap {
    socket: Socket,
    buffer: Vec<u8>,
    control: Vec<u8>,
    overflow: u32,
}

impl Tap {
    /// Opens one for each family that the namespace speaks.
    ///
    /// # Errors
    /// The kernel's word, with the namespace.
    pub async fn open(namespace: &Arc<Namespace>) -> Result<Vec<Self>, FabricError> {
        const ATTEMPT: &str = "open a packet socket";
        let (families, faults, name) = (namespace.families, namespace.faults.clone(), namespace.name.clone());
        let opened = namespace.run(move || {
            faults.around(&name, ATTEMPT, || match families {
                Families::Ipv4 => Ok(vec![open_here()?]),
                Families::Both => Ok(vec![open_here()?, open_for(libc::ETH_P_IPV6)?]),
            })
        });
        opened.await?.map_err(|source| FabricError::Kernel {
            attempt: ATTEMPT.into(),
            node: namespace.name.clone(),
            source,
        })
    }

    /// Reads all that has arrived; packets that are not IP are passed over.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn read(&mut self) -> io::Result<Vec<Tuple>> {
        let mut seen = Vec::new();
        self.read_each(|packet| seen.extend(Tuple::parse(packet)))?;
        Ok(seen)
    }

    /// Shows the beginning of each packet that has arrived.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn read_each(&mut self, mut show: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            // A short read is what is wanted: the headers are enough.
            let mut parts = [io::IoSliceMut::new(&mut self.buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            match recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut self.control), flags) {
                Ok(received) => {
                    let length = received.bytes;
                    let overflow = received.cmsgs().ok().and_then(|mut all| {
                        all.find_map(|message| match message {
                            ControlMessageOwned::RxqOvfl(count) => Some(count),
                            _ => None,
                        })
                    });
                    self.overflow = overflow.unwrap_or(self.overflow);
                    show(&self.buffer[..length]);
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// How many packets had no place in the socket's buffer, as the last one that had says.
    pub fn overflow(&self) -> u32 {
        self.overflow
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Opens one for IPv4 in the calling thread's namespace.
pub(super) fn open_here() -> io::Result<Tap> {
    open_for(libc::ETH_P_IP)
}

fn open_for(protocol: i32) -> io::Result<Tap> {
    // In network byte order, given at once: binding later would wait for a grace period of the kernel.
    let protocol = i32::from((protocol as u16).to_be());
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::from(protocol)))?;
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    Ok(Tap { socket, buffer: vec![0; 256], control: nix::cmsg_space!(u32), overflow: 0 })
}
