//! What answers in a namespace: on every column that no service holds, so that "allowed" reads as open.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
        let failed = |(service, source): (Service, std::io::Error)| FabricError::Kernel {
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
fn open(service: Service) -> Result<Option<(Service, Socket)>, (Service, std::io::Error)> {
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

async fn answer(mut stream: TcpStream, name: Arc<str>) -> std::io::Result<()> {
    let mut token = [0; TOKEN_BYTES];
    stream.read_exact(&mut token).await?;
    let mut answer = token.to_vec();
    answer.extend_from_slice(name.as_bytes());
    stream.write_all(&answer).await?;
    // The prober has the last word, so that its side closes first.
    stream.read(&mut token).await.map(drop)
}

async fn serve_udp(socket: UdpSocket, name: Arc<str>) {
    let mut buffer = [0; 256];
    loop {
        // An error here is somebody's ICMP answer to an earlier datagram of ours; it ends nothing.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let mut answer = buffer[..length.min(TOKEN_BYTES)].to_vec();
        answer.extend_from_slice(name.as_bytes());
        drop(socket.send_to(&answer, from).await);
    }
}
