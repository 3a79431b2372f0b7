//! ICMP errors that come to a socket of datagrams, and who has sent them: out on the internet anybody may say that a port refuses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use tokio::net::UdpSocket;

/// Else host unreachable never reaches a socket of datagrams.
pub(super) fn receive_errors(socket: &impl AsFd, source: IpAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    if source.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// Receives from a peer. Errors that refuse in its name and are not its own are passed over.
pub(super) async fn receive(socket: &UdpSocket, peer: IpAddr, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.recv(buffer).await {
            Err(error) if is_anothers(socket, peer, &error) => {}
            received => return received,
        }
    }
}

/// Sends to a peer. An error that came before is told here, and nothing is sent.
pub(super) async fn send(socket: &UdpSocket, peer: IpAddr, bytes: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(bytes).await {
            Err(error) if is_anothers(socket, peer, &error) => {}
            sent => return sent.map(drop),
        }
    }
}

/// Tells a refusal of which the peer has not spoken. In a flood the kernel sets a socket's error when that has been read already, so
/// that one of which nothing waits is somebody's as well.
fn is_anothers(socket: &UdpSocket, peer: IpAddr, error: &io::Error) -> bool {
    if !is_refusal(error) {
        return false;
    }
    let mut by_peer = false;
    while let Ok(sender) = next(socket) {
        by_peer |= sender == peer;
    }
    !by_peer
}

/// Tells what a port or a protocol that nobody takes comes to: of a protocol it is "protocol not available".
pub(super) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::ECONNRESET | libc::ENOPROTOOPT))
}

/// Reads the next error that waits, and returns its sender; the unspecified address where that is not told.
fn next(socket: &UdpSocket) -> nix::Result<IpAddr> {
    let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut repeated = [0; 64];
    let mut parts = [io::IoSliceMut::new(&mut repeated)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let sender = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(_, sender) => {
            Some(sender.map_or(Ipv4Addr::UNSPECIFIED, |it| Ipv4Addr::from(it.sin_addr.s_addr.to_ne_bytes())).into())
        }
        ControlMessageOwned::Ipv6RecvErr(_, sender) => {
            Some(sender.map_or(Ipv6Addr::UNSPECIFIED, |it| Ipv6Addr::from(it.sin6_addr.s6_addr)).into())
        }
        _ => None,
    });
    Ok(sender.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
}
