//! Requests to the kernel's netlink, many in one send, each with its own answer. Run on a thread inside the
//! namespace that is meant.

use std::io;

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkDeserializable,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr};
use nix::net::if_::if_indextoname;

use super::faults::{self, Faults, Moment};
use crate::network::NodeName;

/// A netlink request and what it is for, for the error.
pub(super) struct Request<M> {
    /// Action that is attempted, `add link web1`.
    pub attempt: String,
    /// The message.
    pub message: M,
    /// Beside `NLM_F_REQUEST | NLM_F_ACK`.
    pub flags: u16,
    /// Moment at which it fails on purpose.
    pub fault: Option<Moment>,
    /// Refusals that count as consent.
    pub excuse: Excuse,
}

/// Refusals of the kernel that are as good as consent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Excuse {
    /// None.
    Nothing,
    /// These.
    If(&'static [i32]),
    /// That something is not there, where the interface of this index is gone.
    Without(u32),
    /// Any but that there is no memory: in a namespace that others have been at work in.
    Anything,
}

impl Excuse {
    fn covers(self, refused: &io::Error) -> bool {
        let Some(errno) = refused.raw_os_error() else { return false };
        match self {
            Self::Nothing => false,
            Self::If(these) => these.contains(&errno),
            Self::Without(index) => errno == libc::ESRCH && !is_there(index),
            Self::Anything => ![libc::ENOMEM, libc::ENOBUFS].contains(&errno),
        }
    }
}

impl<M> Request<M> {
    /// Counts it as a step of a namespace, which may be to fail.
    pub fn counted(self, faults: &Faults, node: &NodeName) -> Self {
        Self { fault: faults.step(node, &self.attempt), ..self }
    }

    /// The same, with an excuse.
    pub fn excused(self, excuse: Excuse) -> Self {
        Self { excuse, ..self }
    }
}

/// Reports whether the calling thread's namespace has an interface of this index. (For one that it lacks nix gives an empty name.)
fn is_there(index: u32) -> bool {
    if_indextoname(index).is_ok_and(|name| !name.is_empty())
}

/// A request that was refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub attempt: String,
    pub source: io::Error,
}

impl Request<RouteNetlinkMessage> {
    /// A request that makes something new.
    pub fn create(attempt: impl Into<String>, message: RouteNetlinkMessage) -> Self {
        Self {
            attempt: attempt.into(),
            message,
            flags: NLM_F_CREATE | NLM_F_EXCL,
            fault: None,
            excuse: Excuse::Nothing,
        }
    }

    /// A request that changes or removes something.
    pub fn change(attempt: impl Into<String>, message: RouteNetlinkMessage) -> Self {
        Self { attempt: attempt.into(), message, flags: 0, fault: None, excuse: Excuse::Nothing }
    }
}

/// At most so many requests in one send: the answers must fit the receive buffer.
const MAX_PIPELINED: usize = 32;

/// Sends requests in order. Stops after the group of the first refused one.
pub(super) fn request<M>(protocol: isize, requests: Vec<Request<M>>) -> Result<(), Refused>
where
    M: NetlinkSerializable + NetlinkDeserializable + std::fmt::Debug,
{
    let open = |source| Refused { attempt: "open a netlink socket".into(), source };
    let mut socket = Socket::new(protocol).map_err(open)?;
    socket.bind_auto().map_err(open)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(open)?;
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        let mut bytes = Vec::new();
        let mut attempts = Vec::new();
        let mut injected = None;
        for request in requests.by_ref().take(MAX_PIPELINED) {
            if request.fault.is_some() && injected.is_none() {
                injected = Some(Refused { attempt: request.attempt.clone(), source: faults::error() });
            }
            // Those behind it are carried out all the same, as the kernel would.
            if request.fault == Some(Moment::Before) {
                continue;
            }
            let mut message = NetlinkMessage::from(WithType(request.message));
            message.header.flags = NLM_F_REQUEST | NLM_F_ACK | request.flags;
            message.header.sequence_number = attempts.len() as u32;
            message.finalize();
            let start = bytes.len();
            bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(&mut bytes[start..]);
            attempts.push((request.attempt, request.excuse));
        }
        if !attempts.is_empty() {
            socket.send(&bytes, 0).map_err(|source| Refused { attempt: all_of(&attempts), source })?;
            answers::<M>(&socket, &attempts)?;
        }
        injected.map_or(Ok(()), Err)?;
    }
    Ok(())
}

fn all_of(attempts: &[(String, Excuse)]) -> String {
    attempts.iter().map(|(attempt, _)| attempt.as_str()).collect::<Vec<_>>().join(", ")
}

fn answers<M: NetlinkDeserializable>(socket: &Socket, attempts: &[(String, Excuse)]) -> Result<(), Refused> {
    let mut waiting = attempts.len();
    let mut first_refusal = None;
    let whole = |source| Refused { attempt: all_of(attempts), source };
    while waiting > 0 {
        let (buffer, _) = socket.recv_from_full().map_err(whole)?;
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let answer = NetlinkMessage::<M>::deserialize(rest).map_err(|e| whole(io::Error::other(e)))?;
            let length = (answer.header.length as usize).next_multiple_of(4).max(16).min(rest.len());
            rest = &rest[length..];
            if let NetlinkPayload::Error(error) = answer.payload {
                waiting -= 1;
                if error.code.is_some() && first_refusal.is_none() {
                    let asked = attempts.get(answer.header.sequence_number as usize).cloned();
                    let (attempt, excuse) = asked.unwrap_or((String::new(), Excuse::Nothing));
                    let source = refusal(&error);
                    if !excuse.covers(&source) {
                        first_refusal = Some(Refused { attempt, source });
                    }
                }
            }
        }
    }
    first_refusal.map_or(Ok(()), Err)
}

/// Asks one question that has one answer.
pub(super) fn ask<M>(protocol: isize, message: M) -> io::Result<M>
where
    M: NetlinkSerializable + NetlinkDeserializable + std::fmt::Debug,
{
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut message = NetlinkMessage::from(WithType(message));
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (buffer, _) = socket.recv_from_full()?;
    match NetlinkMessage::<M>::deserialize(&buffer).map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(message) => Ok(message),
        NetlinkPayload::Error(error) if error.code.is_some() => Err(refusal(&error)),
        _ => Err(io::Error::other("no answer to the question")),
    }
}

/// Asks for a dump and gives every message of it, all of one subsystem of netfilter.
pub(super) fn dump<M>(protocol: isize, subsystem: u8, attempt: &str, message: M) -> Result<Vec<M>, Refused>
where
    M: NetlinkSerializable + NetlinkDeserializable + std::fmt::Debug,
{
    let failed = |source| Refused { attempt: attempt.into(), source };
    let mut socket = Socket::new(protocol).map_err(failed)?;
    socket.bind_auto().map_err(failed)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
    let mut message = NetlinkMessage::from(WithType(message));
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).map_err(failed)?;
    let mut found = Vec::new();
    loop {
        let (buffer, _) = socket.recv_from_full().map_err(failed)?;
        if read(&buffer, subsystem, &mut found).map_err(failed)? {
            return Ok(found);
        }
    }
}

/// Reads a part of a dump; true if it is the last.
pub(super) fn read<M: NetlinkDeserializable>(mut rest: &[u8], subsystem: u8, found: &mut Vec<M>) -> io::Result<bool> {
    while !rest.is_empty() {
        if !is_of(rest, subsystem) {
            return Err(io::Error::other("a message of another subsystem of netfilter"));
        }
        let answer = NetlinkMessage::<M>::deserialize(rest).map_err(io::Error::other)?;
        let length = (answer.header.length as usize).next_multiple_of(4).max(16).min(rest.len());
        rest = &rest[length..];
        match answer.payload {
            NetlinkPayload::InnerMessage(message) => found.push(message),
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(refusal(&error)),
            _ => {}
        }
    }
    Ok(false)
}

/// Reports whether a message is of a subsystem of netfilter, or one of netlink's own. Others are not asked for and not read: some of their readers
/// panic at attributes that are cut off.
pub(super) fn is_of(message: &[u8], subsystem: u8) -> bool {
    let Some([low, high]) = message.get(4..6) else { return true };
    let kind = u16::from_ne_bytes([*low, *high]);
    kind < NETLINK_S_OWN || kind >> 8 == u16::from(subsystem)
}

/// Kinds of messages below this are the same for every protocol.
const NETLINK_S_OWN: u16 = 16;

/// Returns the OS error of a message. The crate's own reading overflows at the number that has no opposite.
pub(super) fn refusal(error: &ErrorMessage) -> io::Error {
    io::Error::from_raw_os_error(error.raw_code().saturating_abs())
}

/// `NetlinkMessage::from` wants the payload itself; this says so for any protocol.
struct WithType<M>(M);

impl<M: NetlinkSerializable> From<WithType<M>> for NetlinkMessage<M> {
    fn from(WithType(message): WithType<M>) -> Self {
        Self::new(netlink_packet_core::NetlinkHeader::default(), NetlinkPayload::InnerMessage(message))
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_netfilter::NetfilterMessage;

    use super::*;

    /// A message of a kind.
    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).expect("a short body");
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    #[test]
    fn an_error_whose_number_has_no_opposite_is_an_error_all_the_same() {
        let error = message(2, &[&i32::MIN.to_ne_bytes()[..], &[0; 16]].concat());
        let read = read::<NetfilterMessage>(&error, 1, &mut Vec::new());
        assert_eq!(read.expect_err("an error").raw_os_error(), Some(i32::MAX));
        let error = message(2, &[&(-2i32).to_ne_bytes()[..], &[0; 16]].concat());
        let read = self::read::<NetfilterMessage>(&error, 1, &mut Vec::new());
        assert_eq!(read.expect_err("an error").raw_os_error(), Some(2));
    }

    #[test]
    fn a_message_that_was_not_asked_for_is_not_read() {
        // A set of nftables, with an attribute that says to be longer than it is.
        let set = message(0x0a << 8 | 9, &[1, 0, 0, 0, 12, 0, 17, 0, 2, 4, 4, 0, 3, 0, 8, 0]);
        assert!(read::<NetfilterMessage>(&set, 1, &mut Vec::new()).is_err());
        assert!(is_of(&message(1 << 8, &[]), 1) && is_of(&message(3, &[]), 1));
    }
}
