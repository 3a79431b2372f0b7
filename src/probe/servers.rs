//! Listeners of a namespace: on every column that no service holds, so that "allowed" reads as open.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::connections::{Connections, MAX_PER_CLIENT};
use super::evidence::EvidenceBoard;
use super::question::{TOKEN_BYTES, Token};
use super::raw;
use crate::fabric::{FabricError, Namespace};
use crate::model::{Port, Service};
use crate::network::{Families, NodeName};

/// The listeners of one namespace; they end when this is dropped, and [`Servers::close`] waits for it.
#[derive(Debug)]
pub(super) struct Servers {
    doors: Vec<(Service, Door)>,
    ours: Ours,
    tasks: JoinSet<()>,
    streams: Arc<Streams>,
    datagrams: HashMap<SocketAddr, Arc<UdpSocket>>,
}

/// A socket that listens, which outlives those who listen on it.
#[derive(Clone, Debug)]
enum Door {
    Streams(Arc<TcpListener>),
    Datagrams(Arc<UdpSocket>),
    /// Socket for messages that nobody answers; true for IPv6.
    Unanswered(Arc<UdpSocket>, bool),
}

/// The server's ends of TCP connections, by the first token that came over each.
type Streams = Mutex<HashMap<Token, OwnedWriteHalf>>;

impl Servers {
    /// Listens in a namespace. Each answer repeats the token and names who gave it.
    ///
    /// # Errors
    /// [`FabricError::Kernel`] with the port that could not be had.
    pub async fn listen(
        namespace: &Arc<Namespace>,
        services: Vec<Service>,
        board: &Arc<EvidenceBoard>,
    ) -> Result<Self, FabricError> {
        let opened = open_all(namespace, services).await?;
        let listening = opened.into_iter().map(|(service, opened)| opened.map_err(|source| (service, source)));
        let listening = listening.collect::<Result<Vec<_>, _>>().map_err(|failed| cannot(namespace, failed))?;
        Self::start(namespace, listening.into_iter().flatten(), board)
    }

    /// As [`Self::listen`], but leaves alone what a program holds already, and says what that is.
    ///
    /// # Errors
    /// As [`Self::listen`], for every other reason.
    pub async fn listen_where_free(
        namespace: &Arc<Namespace>,
        services: Vec<Service>,
        board: &Arc<EvidenceBoard>,
    ) -> Result<(Self, Vec<Service>), FabricError> {
        let (mut listening, mut held) = (Vec::new(), Vec::new());
        for (service, opened) in open_all(namespace, services).await? {
            match opened {
                Ok(opened) => listening.extend(opened),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => held.push(service),
                Err(error) => return Err(cannot(namespace, (service, error))),
            }
        }
        // Held for one family is held: the program answers there.
        listening.retain(|listening: &Listening| !held.contains(&listening.service));
        Ok((Self::start(namespace, listening.into_iter(), board)?, held))
    }

    /// Serves what listens.
    fn start(
        namespace: &Arc<Namespace>,
        listening: impl Iterator<Item = Listening>,
        board: &Arc<EvidenceBoard>,
    ) -> Result<Self, FabricError> {
        let failed = |failed| cannot(namespace, failed);
        let mut doors = Vec::new();
        let mut datagrams = HashMap::new();
        for Listening { service, ipv6, socket } in listening {
            let driven = |socket: Socket| UdpSocket::from_std(socket.into()).map(Arc::new);
            let door = match service {
                Service::Icmp(_) | Service::Protocol(_) => driven(socket).map(|socket| Door::Unanswered(socket, ipv6)),
                Service::Udp(_) => driven(socket).map(Door::Datagrams),
                _ => TcpListener::from_std(socket.into()).map(|listener| Door::Streams(Arc::new(listener))),
            };
            let door = door.map_err(|error| failed((service, error)))?;
            if let Door::Datagrams(socket) = &door {
                datagrams.insert(socket.local_addr().map_err(|e| failed((service, e)))?, Arc::clone(socket));
            }
            doors.push((service, door));
        }
        let name = Arc::from(format!(" {}\n", namespace.name));
        let ours = Ours { name, node: namespace.name.clone(), board: Arc::clone(board) };
        let mut servers = Self { doors, ours, tasks: JoinSet::new(), streams: Arc::default(), datagrams };
        servers.begin();
        Ok(servers)
    }

    fn begin(&mut self) {
        for (service, door) in self.doors.clone() {
            let ours = self.ours.clone();
            match door {
                Door::Streams(listener) => self.tasks.spawn(serve_tcp(listener, ours, Arc::clone(&self.streams))),
                Door::Datagrams(socket) => self.tasks.spawn(serve_udp(socket, ours)),
                Door::Unanswered(socket, ipv6) => {
                    self.tasks.spawn(raw::take(socket, service, ipv6, ours.node, ours.board))
                }
            };
        }
    }

    /// Begins anew, as programs do when their machine does: every connection ends, and the same ports are listened on.
    /// It cannot fail.
    pub async fn restart(&mut self) {
        self.tasks.shutdown().await;
        self.streams = Arc::default();
        self.begin();
    }

    /// Reports whether a service is among them.
    pub fn serves(&self, service: Service) -> bool {
        self.doors.iter().any(|(served, _)| *served == service)
    }

    /// Lets sockets of ours be bound to a UDP port beside these, until what it gives is dropped: the kernel asks for that when they are bound
    /// only, so that a program still finds the port taken.
    pub fn share(&self, port: Port) -> Shared {
        let is_it = |service: Service| service == Service::Udp(port);
        let sockets = self.doors.iter().filter(|(service, _)| is_it(*service)).filter_map(|(_, door)| match door {
            Door::Datagrams(socket) => Some(Arc::clone(socket)),
            Door::Streams(_) | Door::Unanswered(..) => None,
        });
        Shared::of(sockets.collect())
    }

    /// Ends them all: when this returns nothing listens there, and somebody else can.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }

    /// Sends a token from the server's end of a connection that is held open; `at` is the address that was asked.
    ///
    /// # Errors
    /// The OS error; "not connected" where there is no such end.
    pub async fn send(
        &self,
        service: Service,
        connection: Token,
        at: IpAddr,
        client: SocketAddr,
        token: Token,
    ) -> io::Result<()> {
        match service {
            Service::Udp(port) => {
                let any: IpAddr = match client {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = self.datagrams.get(&SocketAddr::new(any, port.0)).ok_or(io::ErrorKind::NotConnected)?;
                let asked = Datagram { token: token.to_vec(), from: client.into(), at };
                socket.async_io(Interest::WRITABLE, || reply(socket, &asked, &token)).await
            }
            _ => {
                let mut streams = self.streams.lock().await;
                let stream = streams.get_mut(&connection).ok_or(io::ErrorKind::NotConnected)?;
                stream.write_all(&[token.as_slice(), b"\n"].concat()).await
            }
        }
    }
}

/// Listeners beside which a socket can be bound.
#[derive(Debug)]
pub(super) struct Shared(Vec<Arc<UdpSocket>>);

impl Shared {
    fn of(sockets: Vec<Arc<UdpSocket>>) -> Self {
        let shared = Self(sockets);
        shared.set(true);
        shared
    }

    fn set(&self, reuse: bool) {
        // Where it fails the port is taken, which whoever binds to it is told.
        self.0.iter().for_each(|socket| drop(SockRef::from(&**socket).set_reuse_address(reuse)));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// Identity of the answerer, and the evidence board that is told of what has come.
#[derive(Clone, Debug)]
struct Ours {
    /// Name that follows the token in an answer.
    name: Arc<str>,
    node: NodeName,
    board: Arc<EvidenceBoard>,
}

/// A socket that listens.
struct Listening {
    service: Service,
    ipv6: bool,
    socket: Socket,
}

/// Opens the sockets of services, in one visit to the namespace.
async fn open_all(
    namespace: &Arc<Namespace>,
    services: Vec<Service>,
) -> Result<Vec<(Service, io::Result<Option<Listening>>)>, FabricError> {
    let any: &[IpAddr] = match namespace.families {
        Families::Ipv4 => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        Families::Both => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
    };
    let (faults, node) = (namespace.faults.clone(), namespace.name.clone());
    let each = move |service: Service| {
        let fault = faults.step(&node, &format!("listen on {service}"));
        let failed = fault.map(|_| (service, Err(io::ErrorKind::OutOfMemory.into())));
        any.iter().map(move |at| (service, open(service, *at))).chain(failed)
    };
    namespace.run(move || services.into_iter().flat_map(each).collect()).await
}

fn cannot(namespace: &Namespace, (service, source): (Service, io::Error)) -> FabricError {
    FabricError::Kernel { attempt: format!("listen on {service}"), node: namespace.name.clone(), source }
}

/// Opens a listening socket of a family on the calling thread's namespace; the kernel itself answers an echo.
fn open(service: Service, any: IpAddr) -> io::Result<Option<Listening>> {
    let ipv6 = any.is_ipv6();
    let (kind, protocol, port) = match service {
        Service::Tcp(port) => (Type::STREAM, Protocol::TCP, port),
        Service::Udp(port) => (Type::DGRAM, Protocol::UDP, port),
        Service::IcmpEcho => return Ok(None),
        Service::Icmp(_) | Service::Protocol(_) => {
            let socket = raw::listen(service, ipv6)?;
            return Ok(Some(Listening { service, ipv6, socket }));
        }
    };
    let open = || -> io::Result<Socket> {
        let any = SocketAddr::new(any, port.0);
        let socket = Socket::new(Domain::for_address(any), kind.nonblocking().cloexec(), Some(protocol))?;
        if ipv6 {
            socket.set_only_v6(true)?;
            // It answers from the address that was asked, which may be one of a prefix: no interface has that.
            socket.set_freebind_v6(true)?;
        }
        if kind == Type::STREAM {
            // What is left of a connection that this end closed does not hold the port.
            socket.set_reuse_address(true)?;
        }
        socket.bind(&any.into())?;
        match (kind, ipv6) {
            (Type::STREAM, _) => socket.listen(1024)?,
            (_, false) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            (_, true) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        Ok(socket)
    };
    open().map(|socket| Some(Listening { service, ipv6, socket }))
}

async fn serve_tcp(listener: Arc<TcpListener>, ours: Ours, streams: Arc<Streams>) {
    // Dropped with this task, and then the connections end too.
    let mut connections = Connections::at_most(MAX_PER_CLIENT);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let answering = answer(stream, ours.clone(), Arc::clone(&streams));
                    connections.serve(peer.ip(), async { drop(answering.await) });
                }
                // Out of descriptors, for example: those that wait are served when there are some again, which
                // nobody tells.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = connections.ended() => {}
        }
    }
}

/// The end of a connection among those that are kept, until this is dropped: also when nobody waits for its end any more.
struct OpenConnection {
    streams: Arc<Streams>,
    first: Token,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let (streams, first) = (Arc::clone(&self.streams), self.first);
        if let Ok(mut streams) = streams.try_lock() {
            streams.remove(&first);
            return;
        }
        // Where there is no runtime any more, nothing is kept either.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move { drop(streams.lock().await.remove(&first)) }));
        }
    }
}

async fn answer(stream: TcpStream, ours: Ours, all: Arc<Streams>) -> io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    let mut first = Token::default();
    read.read_exact(&mut first).await?;
    let mut answer = first.to_vec();
    answer.extend_from_slice(ours.name.as_bytes());
    let _kept = {
        // Whoever has the answer may ask this end to send at once, so it must be found by then.
        let mut streams = all.lock().await;
        write.write_all(&answer).await?;
        streams.insert(first, write);
        OpenConnection { streams: Arc::clone(&all), first }
    };
    // The prober has the last word, so that its side closes first; until then every token that comes is told.
    let mut token = Token::default();
    while read.read_exact(&mut token).await.is_ok() {
        ours.board.post_delivery(&ours.node, &token);
    }
    Ok(())
}

async fn serve_udp(socket: Arc<UdpSocket>, ours: Ours) {
    loop {
        // An error here is somebody's ICMP answer to an earlier datagram of ours; it ends nothing.
        let Ok(asked) = socket.async_io(Interest::READABLE, || receive(&socket)).await else { continue };
        if let Ok(token) = asked.token.as_slice().try_into() {
            ours.board.post_delivery(&ours.node, &token);
        }
        let mut answer = asked.token.clone();
        answer.extend_from_slice(ours.name.as_bytes());
        drop(socket.async_io(Interest::WRITABLE, || reply(&socket, &asked, &answer)).await);
    }
}

/// A datagram: what it asks, who asks, and at which of our addresses.
struct Datagram {
    token: Vec<u8>,
    from: SockaddrStorage,
    at: IpAddr,
}

fn receive(socket: &UdpSocket) -> io::Result<Datagram> {
    let mut token = vec![0; TOKEN_BYTES];
    let mut space = nix::cmsg_space!(libc::in6_pktinfo);
    let mut parts = [io::IoSliceMut::new(&mut token)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let at = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes())))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr))),
        _ => None,
    });
    let (Some(from), Some(at)) = (received.address, at) else {
        return Err(io::Error::other("a datagram without its addresses"));
    };
    let length = received.bytes;
    token.truncate(length);
    Ok(Datagram { token, from, at })
}

/// Answers from the address that was asked, which need not be the first of a host that has several.
fn reply(socket: &UdpSocket, asked: &Datagram, answer: &[u8]) -> io::Result<()> {
    let parts = [io::IoSlice::new(answer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = match asked.at {
        IpAddr::V4(at) => {
            let at = libc::in_addr { s_addr: u32::from_ne_bytes(at.octets()) };
            let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: at, ipi_addr: at };
            sendmsg(socket.as_raw_fd(), &parts, &[ControlMessage::Ipv4PacketInfo(&from)], flags, Some(&asked.from))
        }
        IpAddr::V6(at) => {
            let from = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: at.octets() }, ipi6_ifindex: 0 };
            sendmsg(socket.as_raw_fd(), &parts, &[ControlMessage::Ipv6PacketInfo(&from)], flags, Some(&asked.from))
        }
    };
    sent.map(drop).map_err(io::Error::from)
}
