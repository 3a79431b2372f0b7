//! One attempt: a socket in the sender's namespace, and what its peer and the kernel answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};

use super::failure::SocketFailure;
use super::question::{Answer, Answering, Token, echo_request, protocol};
use super::{raw, socket_errors};
use crate::model::Service;

/// Opens and binds the socket of a probe, on a thread inside the sender's namespace.
pub(super) fn open(service: Service, source: IpAddr, source_port: u16, forged: bool) -> io::Result<Socket> {
    let (socket, bound) = unbound(service, source, source_port, forged)?;
    socket.bind(&bound.into())?;
    Ok(socket)
}

/// The same beside others that may share the port, for several peers of one port too.
pub(super) fn open_beside(service: Service, source: IpAddr, source_port: u16, forged: bool) -> io::Result<Socket> {
    let (socket, bound) = unbound(service, source, source_port, forged)?;
    socket.set_reuse_address(true)?;
    socket.bind(&bound.into())?;
    Ok(socket)
}

fn unbound(service: Service, source: IpAddr, source_port: u16, forged: bool) -> io::Result<(Socket, SocketAddr)> {
    let (kind, protocol) = match service {
        Service::Tcp(_) => (Type::STREAM, Protocol::TCP),
        Service::Udp(_) => (Type::DGRAM, Protocol::UDP),
        Service::IcmpEcho if source.is_ipv6() => (Type::DGRAM, Protocol::ICMPV6),
        Service::IcmpEcho => (Type::DGRAM, Protocol::ICMPV4),
        Service::Icmp(_) | Service::Protocol(_) => (Type::RAW, i32::from(protocol(service, source)).into()),
    };
    let bound = SocketAddr::new(source, if kind == Type::RAW { 0 } else { source_port });
    let socket = Socket::new(Domain::for_address(bound), kind.nonblocking().cloexec(), Some(protocol))?;
    if kind == Type::STREAM {
        // Closing sends a reset: nothing lingers in TIME_WAIT.
        socket.set_linger(Some(Duration::ZERO))?;
    } else if kind == Type::DGRAM {
        socket_errors::receive_errors(&socket, source)?;
    }
    match source {
        IpAddr::V4(_) if forged => socket.set_ip_transparent_v4(true)?,
        // An address of a prefix that is delegated to it is its own by a route, and no interface has it.
        IpAddr::V6(_) => socket.set_freebind_v6(true)?,
        IpAddr::V4(_) => {}
    }
    Ok((socket, bound))
}

/// Asks, and waits for the answer without end: evidence or the caller's patience ends the wait. `source_port` is the
/// identifier of an ICMP message.
pub(super) async fn ask(
    socket: Socket,
    service: Service,
    destination: IpAddr,
    source_port: u16,
    token: Token,
    answering: Answering,
) -> Answer {
    let asked = match service {
        Service::Tcp(port) if answering == Answering::Program => {
            // Not a word: it could be the wrong one.
            let connecting = TcpSocket::from_std_stream(socket.into()).connect(SocketAddr::new(destination, port.0));
            connecting.await.map(|_| Answer::Connected)
        }
        Service::Tcp(port) if answering == Answering::ProgramBehind => {
            listen_tcp(socket, SocketAddr::new(destination, port.0)).await
        }
        Service::Tcp(port) => ask_tcp(socket, SocketAddr::new(destination, port.0), token).await,
        Service::Udp(port) => ask_udp(socket, SocketAddr::new(destination, port.0), token, answering).await,
        Service::IcmpEcho => ask_echo(socket, destination, token).await,
        Service::Icmp(message) => {
            raw::tell(socket, raw::icmp(message, destination, source_port, &token), destination).await
        }
        Service::Protocol(_) => raw::tell(socket, raw::portless(&token), destination).await,
    };
    asked.unwrap_or_else(|error| match error.raw_os_error() {
        _ if socket_errors::is_refusal(&error) => Answer::Refused,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => Answer::Unreachable,
        _ => Answer::Failed(SocketFailure::Kernel(error.to_string())),
    })
}

async fn ask_tcp(socket: Socket, to: SocketAddr, token: Token) -> io::Result<Answer> {
    let mut stream = TcpSocket::from_std_stream(socket.into()).connect(to).await?;
    stream.write_all(&token).await?;
    let mut answer = [0; 256];
    let mut length = 0;
    while length < answer.len() && !answer[..length].ends_with(b"\n") {
        match stream.read(&mut answer[length..]).await? {
            0 => break,
            read => length += read,
        }
    }
    Ok(read_answer(&answer[..length], &token))
}

/// Says nothing, and stays until the other end says a word or ends it: what that means, somebody in between knows.
async fn listen_tcp(socket: Socket, to: SocketAddr) -> io::Result<Answer> {
    let mut stream = TcpSocket::from_std_stream(socket.into()).connect(to).await?;
    stream.read(&mut [0; 1]).await.map(|_| Answer::Connected)
}

async fn ask_udp(socket: Socket, to: SocketAddr, token: Token, answering: Answering) -> io::Result<Answer> {
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(to).await?;
    socket.send(&token).await?;
    let mut answer = [0; 256];
    let length = socket_errors::receive(&socket, to.ip(), &mut answer).await?;
    Ok(match answering {
        Answering::Program | Answering::ProgramBehind => Answer::Connected,
        Answering::Harness => read_answer(&answer[..length], &token),
    })
}

async fn ask_echo(socket: Socket, to: IpAddr, token: Token) -> io::Result<Answer> {
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(SocketAddr::new(to, 0)).await?;
    socket.send(&echo_request(to, 1, &token)).await?;
    let mut answer = [0; 256];
    let length = socket_errors::receive(&socket, to, &mut answer).await?;
    match answer[..length].split_first_chunk::<8>() {
        Some((_, repeated)) if repeated == token => Ok(Answer::Answered(None)),
        _ => Ok(Answer::Failed(SocketFailure::OtherEchoToken)),
    }
}

pub(super) fn read_answer(answer: &[u8], token: &Token) -> Answer {
    match answer.strip_prefix(token.as_slice()) {
        Some(name) => Answer::Answered(Some(String::from_utf8_lossy(name).trim().to_owned())),
        None => Answer::Failed(SocketFailure::OtherToken),
    }
}
