//! Clients of the services, written by hand: they share no code with what they ask.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use sglab::fabric::Namespace;
use sglab::lab::Lab;

use crate::bare::{inside, soon};
use crate::clouds::node;
use crate::patience::patience;

/// A question for the addresses of a name.
pub fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

/// What an answer says: its code, and the data of its only record if it has one.
pub fn read_answer(bytes: &[u8], question: &[u8]) -> (u8, Option<IpAddr>) {
    assert_eq!(bytes[..2], question[..2], "an answer to this question");
    assert_eq!(bytes[2] & 0x80, 0x80, "an answer");
    let (code, count) = (bytes[3] & 0x0f, u16::from_be_bytes([bytes[6], bytes[7]]));
    let address = (count > 0).then(|| match u16::from_be_bytes([bytes[bytes.len() - 6], bytes[bytes.len() - 5]]) {
        4 => IpAddr::from(<[u8; 4]>::try_from(&bytes[bytes.len() - 4..]).expect("four bytes")),
        _ => IpAddr::from(<[u8; 16]>::try_from(&bytes[bytes.len() - 16..]).expect("sixteen bytes")),
    });
    (code, address)
}

/// Time that a test waits for what must not come.
fn silence() -> Duration {
    patience(1)
}

/// Asks over UDP from a namespace; nothing if there is no answer.
pub async fn dig(node: &Arc<Namespace>, at: IpAddr, name: &str, kind: u16) -> Option<(u8, Option<IpAddr>)> {
    let question = question(name, kind);
    let asked = question.clone();
    let answer = datagram(node, SocketAddr::new(at, 53), asked, soon()).await?;
    Some(read_answer(&answer, &question))
}

/// Says whether a resolver leaves a question unanswered.
pub async fn is_silent(node: &Arc<Namespace>, at: IpAddr, name: &str) -> bool {
    datagram(node, SocketAddr::new(at, 53), question(name, A), silence()).await.is_none()
}

/// Sends a datagram and gives the answer; nothing if there is none in that time, or the question is turned away.
async fn datagram(node: &Arc<Namespace>, to: SocketAddr, message: Vec<u8>, wait: Duration) -> Option<Vec<u8>> {
    let asking = move || {
        let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().expect("an address");
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(wait))?;
        socket.connect(to)?;
        socket.send(&message)?;
        let mut answer = vec![0; 2048];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        std::io::Result::Ok(answer)
    };
    inside(node, asking).await.ok()
}

/// The kinds of records.
pub const A: u16 = 1;
pub const AAAA: u16 = 28;

/// Sends a request and gives status and body.
pub async fn http(node: &Arc<Namespace>, at: &str, request: String) -> (u16, String) {
    let at: SocketAddr = at.parse().expect("an address and a port");
    let asking = move || {
        let mut stream = TcpStream::connect_timeout(&at, soon())?;
        stream.set_read_timeout(Some(soon()))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    let answer = inside(node, asking).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

const METADATA: &str = "169.254.169.254:80";

/// Reads a page of an instance's metadata, as version 1.
pub async fn get(lab: &Lab, name: &str, path: &str) -> (u16, String) {
    get_with(lab, name, path, "").await
}

/// The same with more headers.
pub async fn get_with(lab: &Lab, name: &str, path: &str, headers: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n");
    http(&node(lab, name), METADATA, request).await
}

/// Asks for a session token.
pub async fn token(lab: &Lab, name: &str, ttl: &str) -> (u16, String) {
    let ttl = format!("X-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n");
    let request = format!("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n{ttl}Connection: close\r\n\r\n");
    http(&node(lab, name), METADATA, request).await
}

/// Asks for the time; gives the answer if one came.
pub async fn time(node: &Arc<Namespace>, at: IpAddr) -> Option<Vec<u8>> {
    let mut request = vec![0; 48];
    request[0] = 0x23;
    request[40..48].copy_from_slice(b"a client");
    datagram(node, SocketAddr::new(at, 123), request, soon()).await
}

/// An address of either kind.
pub fn address(of: impl Into<Ipv4Addr>) -> IpAddr {
    IpAddr::V4(of.into())
}

/// Connects, or gives the error that comes back.
pub async fn connect(node: &Arc<Namespace>, to: impl Into<SocketAddr>) -> Result<(), ErrorKind> {
    connect_within(node, to.into(), soon()).await
}

/// Says whether nothing at all comes back to an attempt to connect.
pub async fn swallows(node: &Arc<Namespace>, to: impl Into<SocketAddr>) -> bool {
    connect_within(node, to.into(), silence()).await == Err(ErrorKind::TimedOut)
}

async fn connect_within(node: &Arc<Namespace>, to: SocketAddr, wait: Duration) -> Result<(), ErrorKind> {
    inside(node, move || TcpStream::connect_timeout(&to, wait).map(drop).map_err(|error| error.kind())).await
}
