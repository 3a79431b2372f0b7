//! The receive buffer of a socket, by which a reader of "all that is there" knows when it has it.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};

/// Bytes that the kernel counts for the smallest message at the least: what it keeps of each is larger.
const SMALLEST: usize = 256;

/// Returns the number of messages that can wait in a socket at the same time, at the most. Whoever reads so many has read all that was there
/// when he began, however fast more comes.
pub(super) fn most_waiting(socket: &impl AsFd) -> io::Result<usize> {
    let bytes = getsockopt(socket, sockopt::RcvBuf)?;
    Ok(bytes / SMALLEST + 1)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn no_more_of_the_smallest_messages_wait_in_a_socket_than_are_read_at_once() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        nix::sys::socket::setsockopt(&socket, sockopt::RcvBuf, &(64 << 10)).expect("a buffer");
        socket.set_nonblocking(true).expect("a mode");
        let most = most_waiting(&socket).expect("a number");
        let own = socket.local_addr().expect("an address");
        // Those for which there is no room are lost without a word.
        for _ in 0..2 * most {
            socket.send_to(&[], own).expect("sent");
        }
        let waiting = std::iter::from_fn(|| socket.recv(&mut [0]).ok()).count();
        assert!((1..=most).contains(&waiting), "{waiting} of {most}");
    }
}
