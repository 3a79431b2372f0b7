//! What answers in a namespace: on every column that no service holds, so that "allowed" reads as open.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::AbortHandle;

use super::TOKEN_BYTES;
use crate::fabric::{FabricError, Namespace};
use crate::model::Service;

/// The listeners of one namespace; they close when this is dropped.
#[derive(Debug)]
pub(super) struct Servers {
    tasks: Vec<AbortHandle>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Servers {
    /// Listens in a namespace. Each answer repeats the token and names who gave it.
    ///
    /// # Errors
    /// [`FabricError::Kernel`] with the port that could not be had.
    pub async fn listen(namespace: &Arc<Namespace>, services: Vec<Service>) -> Result<Self, FabricError> {
        let opened = namespace.run(move || services.into_iter().map(open).collect::<Result<Vec<_>, _>>()).await?;
        let failed = |(service, source): (Service, io::Error)| FabricError::Kernel {
            attempt: format!("listen on {service}"),
            node: namespace.name.clone(),
            source,
        };
        let name: Arc<str> = Arc::from(format!(" {}\n", namespace.name));
        let mut tasks = Vec::new();
        for (service, socket) in opened.map_err(failed)?.into_iter().flatten() {
            let name = Arc::clone(&name);
            let task = match service {
                Service::Udp(_) => {
                    let socket = UdpSocket::from_std(socket.into()).map_err(|e| failed((service, e)))?;
                    tokio::spawn(serve_udp(socket, name))
                }
                _ => {
                    let socket = TcpListener::from_std(socket.into()).map_err(|e| failed((service, e)))?;
                    tokio::spawn(serve_tcp(socket, name))
                }
            };
            tasks.push(task.abort_handle());
        }
        Ok(Self { tasks })
    }
}

/// Opens a listening socket on the calling thread's namespace; the kernel itself answers an echo.
fn open(service: Service) -> Result<Option<(Service, Socket)>, (Service, io::Error)> {
    let (kind, protocol, port) = match service {
        Service::Tcp(port) => (Type::STREAM, Protocol::TCP, port),
        Service::Udp(port) => (Type::DGRAM, Protocol::UDP, port),
        Service::IcmpEcho => return Ok(None),
    };
    let open = || {
        let socket = Socket::new(Domain::IPV4, kind.nonblocking().cloexec(), Some(protocol))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port.0).into())?;
        if kind == Type::STREAM {
            socket.listen(1024)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        Ok(socket)
    };
    open().map(|socket| Some((service, socket))).map_err(|error| (service, error))
}

async fn serve_tcp(listener: TcpListener, name: Arc<str>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, Arc::clone(&name)))),
            // Out of descriptors, for example: those that wait will be served when there are some again.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn answer(mut stream: TcpStream, name: Arc<str>) -> io::Result<()> {
    let mut token = [0; TOKEN_BYTES];
    stream.read_exact(&mut token).await?;
    let mut answer = token.to_vec();
    answer.extend_from_slice(name.as_bytes());
    stream.write_all(&answer).await?;
    // The prober has the last word, so that its side closes first.
    stream.read(&mut token).await.map(drop)
}

async fn serve_udp(socket: UdpSocket, name: Arc<str>) {
    loop {
        // An error here is somebody's ICMP answer to an earlier datagram of ours; it ends nothing.
        let Ok(asked) = socket.async_io(Interest::READABLE, || receive(&socket)).await else { continue };
        let mut answer = asked.token.clone();
        answer.extend_from_slice(name.as_bytes());
        drop(socket.async_io(Interest::WRITABLE, || reply(&socket, &asked, &answer)).await);
    }
}

/// A datagram: what it asks, who asks, and at which of our addresses.
struct Asked {
    token: Vec<u8>,
    from: SockaddrIn,
    at: libc::in_pktinfo,
}

fn receive(socket: &UdpSocket) -> io::Result<Asked> {
    let mut token = vec![0; TOKEN_BYTES];
    let mut space = nix::cmsg_space!(libc::in_pktinfo);
    let mut parts = [io::IoSliceMut::new(&mut token)];
    let received = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let at = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(info),
        _ => None,
    });
    let (Some(from), Some(at)) = (received.address, at) else {
        return Err(io::Error::other("a datagram without its addresses"));
    };
    let length = received.bytes;
    token.truncate(length);
    Ok(Asked { token, from, at })
}

/// Answers from the address that was asked, which need not be the first of a host that has several.
fn reply(socket: &UdpSocket, asked: &Asked, answer: &[u8]) -> io::Result<()> {
    let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: asked.at.ipi_addr, ipi_addr: asked.at.ipi_addr };
    let control = [ControlMessage::Ipv4PacketInfo(&from)];
    let parts = [io::IoSlice::new(answer)];
    let sent = sendmsg(socket.as_raw_fd(), &parts, &control, MsgFlags::MSG_DONTWAIT, Some(&asked.from));
    sent.map(drop).map_err(io::Error::from)
}
