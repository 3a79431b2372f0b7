//! Client of the services: it asks over real packets, from the namespace of whoever wants to know.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::timeout;

use super::answers::GivenAnswers;
use super::{dns, http, time};
use crate::compile::services::{port, zone};
use crate::fabric::Namespace;
use crate::model::{Interface, VpcService};
use crate::probe::NoAddress;

/// Number of times that a datagram is sent that nobody answers, and the time that each waits.
const TRIES: usize = 3;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Result of asking a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceResponse {
    /// It gave the answer that it must.
    Answered {
        /// The answer, in a few words.
        what: String,
    },
    /// It gave another answer, or the question was turned away.
    Wrong {
        /// Difference from the answer that it must give, in words.
        why: String,
    },
    /// Nothing proves either.
    Inconclusive {
        /// Missing proof, in words.
        why: String,
    },
}

/// Asks a resolver for the address of a name. What comes as the answer, and is not what the resolver has said, is none.
///
/// # Errors
/// Reason for which there is none.
pub(in crate::lab) async fn resolve(
    from: &Arc<Namespace>,
    source: IpAddr,
    resolver: IpAddr,
    name: &str,
    said: &GivenAnswers,
) -> Result<IpAddr, NoAddress> {
    let [high, low, ..] = chance();
    let id = u16::from_be_bytes([high, low]);
    let question = dns::question(id, name);
    let question = question.ok_or_else(|| NoAddress::NoName(name.to_owned()))?;
    let asking = async {
        let socket = connected(from, source, SocketAddr::new(resolver, port(VpcService::Dns))).await?;
        let awaited = said.await_answer(socket.local_addr()?);
        let read = |message: &[u8]| {
            let answer = dns::read_answer(message, id, name)?;
            Some(if awaited.is_said(message) { answer } else { Err(NoAddress::NotSaid(name.to_owned())) })
        };
        exchange(&socket, &question, read).await
    };
    match asking.await {
        Ok(answer) => answer,
        Err(error) => Err(NoAddress::Silent { resolver, name: name.to_owned(), error: error.to_string() }),
    }
}

/// Asks a service at an address for something of which the answer is known.
pub(in crate::lab) async fn ask(
    from: &Arc<Namespace>,
    asker: &Interface,
    source: IpAddr,
    service: VpcService,
    at: IpAddr,
    said: &GivenAnswers,
) -> ServiceResponse {
    match service {
        VpcService::Dns => {
            let Some(private) = asker.private else { return none("it has no name of its own to ask for") };
            let name = zone::private_name(private);
            match resolve(from, source, at, &name, said).await {
                Ok(address) if address == IpAddr::V4(private.0) => {
                    ServiceResponse::Answered { what: format!("{name} is {address}") }
                }
                Ok(address) => ServiceResponse::Wrong { why: format!("{at} says that {name} is {address}") },
                Err(why) => ServiceResponse::Inconclusive { why: why.to_string() },
            }
        }
        VpcService::Metadata => {
            let Some(id) = asker.attached_to.map(|id| id.to_string()) else { return none("it is no instance") };
            match get(from, source, at, "/latest/meta-data/instance-id", said).await {
                Ok(Page { said: false, .. }) => ServiceResponse::Inconclusive { why: not_said(at) },
                Ok(Page { status: 200, body, .. }) if body == id => ServiceResponse::Answered { what: body },
                Ok(Page { status, body, .. }) => {
                    ServiceResponse::Wrong { why: format!("{at} says {status} {body}, and the instance is {id}") }
                }
                Err(error) => failed(at, &error),
            }
        }
        VpcService::Time => {
            let mark = chance();
            let asking = async {
                let socket = connected(from, source, SocketAddr::new(at, port(VpcService::Time))).await?;
                let awaited = said.await_answer(socket.local_addr()?);
                let read = |message: &[u8]| time::answers(message, mark).then(|| awaited.is_said(message));
                exchange(&socket, &time::request(mark), read).await
            };
            match asking.await {
                Ok(true) => ServiceResponse::Answered { what: format!("the time of {at}") },
                Ok(false) => ServiceResponse::Inconclusive { why: not_said(at) },
                Err(error) => failed(at, &error),
            }
        }
    }
}

fn none(why: &str) -> ServiceResponse {
    ServiceResponse::Inconclusive { why: why.to_owned() }
}

fn not_said(at: IpAddr) -> String {
    format!("what came as the answer of {at} is not what the service has said")
}

/// Silence is no answer, nor is it one that somebody turns the question away: root at the asker may have done so.
fn failed(at: IpAddr, error: &io::Error) -> ServiceResponse {
    ServiceResponse::Inconclusive { why: format!("{at}: {error}") }
}

/// Eight bytes that nobody knows beforehand.
fn chance() -> [u8; 8] {
    RandomState::new().build_hasher().finish().to_be_bytes()
}

/// A socket of the asker for datagrams to one address.
async fn connected(from: &Arc<Namespace>, source: IpAddr, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::from_std(bound(from, source, Type::DGRAM, Protocol::UDP).await?.into())?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Sends a datagram until what comes back can be read.
async fn exchange<T>(socket: &UdpSocket, message: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> io::Result<T> {
    let mut buffer = [0; 4096];
    for _ in 0..TRIES {
        socket.send(message).await?;
        let answer = async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                if let Some(answer) = read(&buffer[..length]) {
                    return Ok::<T, io::Error>(answer);
                }
            }
        };
        if let Ok(answer) = timeout(ANSWER_TIMEOUT, answer).await {
            return answer;
        }
    }
    Err(silent())
}

/// A page as it came.
struct Page {
    status: u16,
    body: String,
    /// True if the service has said it so.
    said: bool,
}

/// Asks for a page.
async fn get(from: &Arc<Namespace>, source: IpAddr, at: IpAddr, path: &str, said: &GivenAnswers) -> io::Result<Page> {
    let socket = bound(from, source, Type::STREAM, Protocol::TCP).await?;
    let asking = async {
        let socket = TcpSocket::from_std_stream(socket.into());
        let awaited = said.await_answer(socket.local_addr()?);
        let mut stream = socket.connect(SocketAddr::new(at, port(VpcService::Metadata))).await?;
        stream.write_all(http::request(path, at).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let (status, body) = http::read_answer(&answer).ok_or_else(|| io::Error::other("an answer that is no HTTP"))?;
        Ok(Page { status, body, said: awaited.is_said(&answer) })
    };
    let patience = ANSWER_TIMEOUT * u32::try_from(TRIES).unwrap_or(1);
    timeout(patience, asking).await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer")
}

/// A socket of the asker, opened inside its namespace.
async fn bound(from: &Arc<Namespace>, source: IpAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let opening = move || {
        let at = SocketAddr::new(source, 0);
        let socket = Socket::new(Domain::for_address(at), kind.nonblocking().cloexec(), Some(protocol))?;
        socket.bind(&at.into())?;
        Ok(socket)
    };
    from.run(opening).await.map_err(io::Error::other)?
}
