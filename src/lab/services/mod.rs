//! The services that groups never filter, on sockets of the routers; and what asks them, on real packets.
//!
//! Each says what the cloud is at the moment of the question. Their addresses and their words come from
//! [`compile::services`](crate::compile::services).

mod answers;
mod ask;
mod dns;
mod http;
mod now;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod time;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

pub(in crate::lab) use answers::GivenAnswers;
pub use ask::ServiceResponse;
pub(super) use ask::{ask, resolve};
pub use now::CurrentCloud;

use crate::compile::names;
use crate::compile::services::zone::View;
use crate::compile::services::{self, OUTSIDE_RESOLVER};
use crate::fabric::{Fabric, FabricError, Namespace};
use crate::model::protocol::TCP;
use crate::model::{Cloud, VpcService, service_addresses};

/// The services of a lab. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Services {
    now: CurrentCloud,
    said: GivenAnswers,
    _tasks: JoinSet<()>,
}

/// An open socket of a service.
enum Open {
    Datagrams(Socket),
    Streams(Socket),
}

impl Services {
    /// Opens the services of every VPC, and the resolver of the outside. The namespaces that they are in stay as long
    /// as the lab.
    pub async fn open(fabric: &Fabric, cloud: &Arc<Cloud>) -> Result<Self, FabricError> {
        let now = CurrentCloud::of(Arc::clone(cloud));
        let said = GivenAnswers::default();
        let tokens = Arc::new(http::Tokens::default());
        let mut tasks = JoinSet::new();
        for (name, vpc) in &cloud.vpcs {
            let view = View::Inside(name.clone());
            let places = service_addresses(cloud.era, vpc);
            for (service, open) in open_all(fabric.node(&names::router(name))?, places).await? {
                match (service, open) {
                    (VpcService::Dns, Open::Datagrams(socket)) => {
                        tasks.spawn(dns::serve_udp(datagrams(socket)?, now.clone(), view.clone(), said.clone()));
                    }
                    (VpcService::Dns, Open::Streams(socket)) => {
                        tasks.spawn(dns::serve_tcp(streams(socket)?, now.clone(), view.clone()));
                    }
                    (VpcService::Metadata, Open::Streams(socket)) => {
                        let serving =
                            http::serve(streams(socket)?, now.clone(), name.clone(), Arc::clone(&tokens), said.clone());
                        tasks.spawn(serving);
                    }
                    (VpcService::Time, Open::Datagrams(socket)) => {
                        tasks.spawn(time::serve(datagrams(socket)?, said.clone()));
                    }
                    (VpcService::Metadata, Open::Datagrams(_)) | (VpcService::Time, Open::Streams(_)) => {}
                }
            }
        }
        let outside = vec![(VpcService::Dns, IpAddr::V4(OUTSIDE_RESOLVER))];
        for (_, open) in open_all(fabric.node(&names::internet())?, outside).await? {
            match open {
                Open::Datagrams(socket) => {
                    tasks.spawn(dns::serve_udp(datagrams(socket)?, now.clone(), View::Outside, said.clone()));
                }
                Open::Streams(socket) => {
                    tasks.spawn(dns::serve_tcp(streams(socket)?, now.clone(), View::Outside));
                }
            }
        }
        Ok(Self { now, said, _tasks: tasks })
    }

    /// The cloud that they speak of, at any moment.
    pub fn now(&self) -> CurrentCloud {
        self.now.clone()
    }

    /// Returns what the services have said to those who wait for it.
    pub fn said(&self) -> &GivenAnswers {
        &self.said
    }

    /// From now on the services speak of this cloud.
    pub fn follow(&self, cloud: &Arc<Cloud>) {
        self.now.set(Arc::clone(cloud));
    }
}

/// Opens the sockets of services at their addresses, in one visit to the namespace.
async fn open_all(
    node: &Arc<Namespace>,
    places: Vec<(VpcService, IpAddr)>,
) -> Result<Vec<(VpcService, Open)>, FabricError> {
    let (faults, name) = (node.faults.clone(), node.name.clone());
    let opening = move || {
        let mut all = Vec::new();
        for (service, address) in places {
            for (protocol, port) in services::ports(service) {
                let at = SocketAddr::new(address, *port);
                let open =
                    || if *protocol == TCP { listen(at).map(Open::Streams) } else { bind(at).map(Open::Datagrams) };
                let opened = faults.around(&name, &format!("serve at {at}"), open);
                all.push((service, opened.map_err(|error| (at, error))?));
            }
        }
        Ok(all)
    };
    node.run(opening).await?.map_err(|(at, source): (SocketAddr, io::Error)| FabricError::Kernel {
        attempt: format!("serve at {at}"),
        node: node.name.clone(),
        source,
    })
}

fn socket(at: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind.nonblocking().cloexec(), Some(protocol))?;
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    Ok(socket)
}

fn bind(at: SocketAddr) -> io::Result<Socket> {
    socket(at, Type::DGRAM, Protocol::UDP)
}

fn listen(at: SocketAddr) -> io::Result<Socket> {
    let socket = socket(at, Type::STREAM, Protocol::TCP)?;
    socket.listen(128)?;
    Ok(socket)
}

fn datagrams(socket: Socket) -> Result<UdpSocket, FabricError> {
    UdpSocket::from_std(socket.into()).map_err(undriven)
}

fn streams(socket: Socket) -> Result<TcpListener, FabricError> {
    TcpListener::from_std(socket.into()).map_err(undriven)
}

fn undriven(source: io::Error) -> FabricError {
    let node = names::internet();
    FabricError::Kernel { attempt: "drive the socket of a service".to_owned(), node, source }
}
