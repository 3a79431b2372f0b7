//! The client's end of a connection: what it sends, and what comes to it.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::probe::question::{TOKEN_BYTES, Token, echo_request};
use crate::probe::socket_errors;

#[derive(Debug)]
pub enum End {
    Tcp(TcpStream, Vec<u8>),
    Udp(UdpSocket),
    /// Only the client of a ping can begin; the answer is the kernel's.
    Ping(UdpSocket),
}

impl End {
    /// The client sends a token.
    pub async fn send(&mut self, destination: IpAddr, token: Token) -> io::Result<()> {
        match self {
            End::Tcp(stream, _) => stream.write_all(&token).await,
            End::Udp(socket) => socket_errors::send(socket, destination, &token).await,
            End::Ping(socket) => socket_errors::send(socket, destination, &echo_request(destination, 1, &token)).await,
        }
    }

    /// Waits until a token comes to the client; gives the name that follows it, if one does.
    pub async fn receive(&mut self, destination: IpAddr, token: Token) -> io::Result<Option<String>> {
        let mut buffer = [0; 512];
        match self {
            End::Tcp(stream, read) => loop {
                if let Some(at) = find(read, &token) {
                    let rest = read.split_off(at + TOKEN_BYTES);
                    let line = rest.iter().position(|byte| *byte == b'\n');
                    if let Some(end) = line {
                        *read = rest[end + 1..].to_vec();
                        return Ok(Some(String::from_utf8_lossy(&rest[..end]).trim().to_owned()));
                    }
                    read.extend_from_slice(&token);
                    read.extend_from_slice(&rest);
                }
                match stream.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => read.extend_from_slice(&buffer[..length]),
                }
            },
            End::Udp(socket) => loop {
                let length = socket_errors::receive(socket, destination, &mut buffer).await?;
                if let Some(name) = buffer[..length].strip_prefix(token.as_slice()) {
                    return Ok(Some(String::from_utf8_lossy(name).trim().to_owned()));
                }
            },
            End::Ping(socket) => loop {
                let length = socket_errors::receive(socket, destination, &mut buffer).await?;
                if find(&buffer[..length], &token).is_some() {
                    return Ok(None);
                }
            },
        }
    }
}

fn find(within: &[u8], token: &Token) -> Option<usize> {
    within.windows(TOKEN_BYTES).position(|window| window == token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_begins() {
        let token = *b"0123456789abcdef";
        assert_eq!(find(b"xx0123456789abcdef name\n", &token), Some(2));
        assert_eq!(find(b"0123456789abcde", &token), None);
    }
}
