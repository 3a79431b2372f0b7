//! Taps of the packets that a router sends over its links: the second proof of every drop, and the first of everything else.
//!
//! It stands on the router's side. What root in an instance puts in front of its own stack (an ingress chain, a program of XDP or of
//! traffic control) has not touched a packet that is seen here, and cannot hide it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::error::FabricError;
use super::namespace::Namespace;
use super::packet::Sighting;
use super::receive_buffer::most_waiting;
use crate::network::Families;

/// A packet socket, which shows packets from their IP header on. It never blocks.
#[derive(Debug)]
pub struct Tap {
    socket: Socket,
    buffer: Vec<u8>,
    most_waiting: usize,
}

impl Tap {
    /// Opens one for each link of a router, by its index there, in one visit: each shows what the router sends over the link.
    ///
    /// # Errors
    /// The OS error, with the namespace.
    pub async fn on_links(router: &Arc<Namespace>, indexes: Vec<u32>) -> Result<Vec<Self>, FabricError> {
        Self::opened(router, "watch what is sent over links", move || {
            indexes.into_iter().map(|index| open_on(index, &outgoing())).collect()
        })
        .await
    }

    /// Opens one that shows what a router takes in by a link from its other end, as far as its stack looks at it: IP in a plain frame to itself.
    ///
    /// # Errors
    /// As for [`Tap::on_links`].
    pub async fn on_arrivals(router: &Arc<Namespace>, index: u32) -> Result<Vec<Self>, FabricError> {
        let open = move || open_on(index, &incoming()).map(|tap| vec![tap]);
        Self::opened(router, "watch what comes by a link", open).await
    }

    /// Opens one for each family that a namespace speaks, which shows what the namespace's own stack is shown.
    ///
    /// # Errors
    /// As for [`Tap::on_links`].
    pub async fn open(namespace: &Arc<Namespace>) -> Result<Vec<Self>, FabricError> {
        let families = namespace.families;
        Self::opened(namespace, "open a packet socket", move || match families {
            Families::Ipv4 => Ok(vec![open_here()?]),
            Families::Both => Ok(vec![open_here()?, open_for(libc::ETH_P_IPV6)?]),
        })
        .await
    }

    async fn opened(
        namespace: &Arc<Namespace>,
        attempt: &'static str,
        open: impl FnOnce() -> io::Result<Vec<Self>> + Send + 'static,
    ) -> Result<Vec<Self>, FabricError> {
        let (faults, name) = (namespace.faults.clone(), namespace.name.clone());
        let opened = namespace.run(move || faults.around(&name, attempt, open));
        opened.await?.map_err(|source| FabricError::Kernel {
            attempt: attempt.into(),
            node: namespace.name.clone(),
            source,
        })
    }

    /// Reads all that was seen until now, and perhaps of what is seen meanwhile; packets that are not IP are passed over.
    ///
    /// # Errors
    /// The OS error.
    pub fn read(&mut self) -> io::Result<Vec<Sighting>> {
        let mut seen = Vec::new();
        self.read_each(|packet| seen.extend(Sighting::of(packet)))?;
        Ok(seen)
    }

    /// Shows the beginning of each packet that was seen.
    ///
    /// # Errors
    /// The OS error.
    pub fn read_each(&mut self, mut show: impl FnMut(&[u8])) -> io::Result<()> {
        for _ in 0..self.most_waiting {
            // A short read is what is wanted: the headers are enough.
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => show(&self.buffer[..length]),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Returns the number of packets that had no place in the socket's buffer since the last call.
    ///
    /// # Errors
    /// The OS error.
    pub fn missed(&self) -> io::Result<u32> {
        Ok(crate::sandbox::raw::packets_missed(self.socket.as_fd())?)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reports whether an error says that the link of a tap is gone. It shows nothing from then on.
pub fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENETDOWN)
}

/// Room for what comes while nobody has the time to look, in bytes; the kernel gives what it allows.
const BUFFER: usize = 4 << 20;
/// So much of a packet is shown: its headers, and what a probe says.
const SNAPSHOT_LENGTH: usize = 256;

/// Opens one for IPv4 in the calling thread's namespace.
pub(super) fn open_here() -> io::Result<Tap> {
    open_for(libc::ETH_P_IP)
}

fn open_for(protocol: i32) -> io::Result<Tap> {
    // In network byte order, given at once: binding later would wait for a grace period of the kernel.
    let protocol = i32::from((protocol as u16).to_be());
    with_room(Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::from(protocol)))?)
}

fn open_on(index: u32, program: &[SockFilter]) -> io::Result<Tap> {
    // Without a protocol it takes nothing, so that there is nothing to wait for when it is bound.
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::from(0)))?;
    socket.attach_filter(program)?;
    crate::sandbox::raw::watch_interface(socket.as_fd(), index)?;
    with_room(socket)
}

fn with_room(socket: Socket) -> io::Result<Tap> {
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(Tap { most_waiting: most_waiting(&socket)?, socket, buffer: vec![0; SNAPSHOT_LENGTH] })
}

/// Loads a byte of what the kernel knows of a packet besides its content.
fn load_known(what: i32) -> SockFilter {
    SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, (libc::SKF_AD_OFF + what) as u32)
}

fn if_equal(to: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, then, otherwise, to)
}

fn give(bytes: usize) -> SockFilter {
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, bytes as u32)
}

/// A program for the kernel that takes the beginnings of packets that leave, so that none that comes in costs more than it.
fn outgoing() -> [SockFilter; 4] {
    [load_known(libc::SKF_AD_PKTTYPE), if_equal(u32::from(libc::PACKET_OUTGOING), 0, 1), give(SNAPSHOT_LENGTH), give(0)]
}

/// The same of packets that come in, as the stack will read them: to the router's own address, in a frame with no tag, and of the version that the frame names. What is
/// none of that the kernel drops without a word.
fn incoming() -> [SockFilter; 15] {
    let first = || SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, 0);
    let version = || SockFilter::new((libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16, 0, 0, 0xf0);
    [
        load_known(libc::SKF_AD_PKTTYPE),
        if_equal(u32::from(libc::PACKET_HOST), 0, 12),
        load_known(libc::SKF_AD_VLAN_TAG_PRESENT),
        if_equal(0, 0, 10),
        load_known(libc::SKF_AD_PROTOCOL),
        if_equal(libc::ETH_P_IP as u32, 0, 3),
        first(),
        version(),
        if_equal(0x40, 4, 5),
        if_equal(libc::ETH_P_IPV6 as u32, 0, 4),
        first(),
        version(),
        if_equal(0x60, 0, 1),
        give(SNAPSHOT_LENGTH),
        give(0),
    ]
}
