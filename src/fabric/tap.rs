//! What arrives at a namespace's interfaces: the second witness of every drop.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
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
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => show(&self.buffer[..length]),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// How many packets had no place in the socket's buffer since this was last asked.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn missed(&self) -> io::Result<u32> {
        Ok(super::raw::packets_missed(self.socket.as_fd())?)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Room for what comes while nobody has the time to look, in bytes; the kernel gives what it allows.
const BUFFER: usize = 4 << 20;

/// Opens one for IPv4 in the calling thread's namespace.
pub(super) fn open_here() -> io::Result<Tap> {
    open_for(libc::ETH_P_IP)
}

fn open_for(protocol: i32) -> io::Result<Tap> {
    // In network byte order, given at once: binding later would wait for a grace period of the kernel.
    let protocol = i32::from((protocol as u16).to_be());
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::from(protocol)))?;
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(Tap { socket, buffer: vec![0; 256] })
}
