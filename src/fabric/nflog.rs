//! The one door to the kernel's log of verdicts (NFLOG) in a namespace.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::nflog::{
    ConfigCmd, ConfigFlags, ConfigMode, ConfigNla, PacketNla, ULogMessage, config_request,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::error::FabricError;
use super::faults::LogFault;
use super::namespace::Namespace;
use super::netlink;
use super::receive_buffer::most_waiting;
use crate::network::record::{LOG_GROUP, Record};

/// `NFNL_SUBSYS_ULOG`.
const SUBSYSTEM: u8 = 4;
/// So much of each packet: its headers and a probe's token.
const COPY_BYTES: u32 = 128;
/// The kernel's buffer for one record; its default is a page, of which a receive buffer holds few.
const RECORD_BYTES: u32 = 512;
/// As much receive buffer as the system allows without privilege; the kernel cuts it to its limit.
const RECEIVE_BYTES: usize = 4 << 20;

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Action of the filter, if the prefix is one of ours.
    pub record: Option<Record>,
    /// The index of the interface that the packet came in by.
    pub in_index: Option<u32>,
    /// The index of the interface that it would leave by; nothing before routing.
    pub out_index: Option<u32>,
    /// The packet's beginning, from its IP header.
    pub packet: Vec<u8>,
}

/// Results of reading the log.
#[derive(Debug, Default)]
pub struct Read {
    /// The records, in the kernel's order.
    pub records: Vec<LogRecord>,
    /// Number of records lost before or among them; where the kernel does not say how many, one.
    pub lost: u64,
}

/// The log of a namespace. It never blocks.
#[derive(Debug)]
pub struct LogSocket {
    socket: Socket,
    buffer: Vec<u8>,
    most_waiting: usize,
    numbers: Numbers,
    fault: Option<LogFault>,
    reads: u64,
}

/// Sequence numbers of a log's records, by which a lost one is known.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    next: Option<u32>,
    /// Every so many are lost on purpose.
    lose_every: Option<u64>,
    come: u64,
}

impl LogSocket {
    /// Opens the log of a namespace.
    ///
    /// # Errors
    /// The OS error, with the namespace.
    pub async fn open(namespace: &Arc<Namespace>) -> Result<Self, FabricError> {
        const ATTEMPT: &str = "open the log of verdicts";
        let (faults, name) = (namespace.faults.clone(), namespace.name.clone());
        let opened = namespace.run(move || {
            let mut log = faults.around(&name, ATTEMPT, open_here)?;
            log.fault = faults.log();
            if let Some(LogFault::LoseEvery(every)) = log.fault {
                log.numbers.lose_every = Some(every);
            }
            Ok(log)
        });
        opened.await?.map_err(|source| FabricError::Kernel {
            attempt: ATTEMPT.into(),
            node: namespace.name.clone(),
            source,
        })
    }

    /// Reports whether it says by itself that there is something to read, as it does unless that fails on purpose.
    pub fn announces(&self) -> bool {
        self.fault != Some(LogFault::Silent)
    }

    /// Reads all that is there now, and perhaps of what comes meanwhile.
    ///
    /// # Errors
    /// The OS error; "no buffer space" is not an error but counts as lost.
    pub fn read(&mut self) -> io::Result<Read> {
        let mut read = Read::default();
        for _ in 0..self.most_waiting {
            let mut space = &mut self.buffer[..];
            let received = self.socket.recv(&mut space, libc::MSG_DONTWAIT);
            match received.and_then(|length| self.spoil(length)) {
                Ok(length) => parse(&self.buffer[..length], &mut self.numbers, &mut read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(read),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => read.lost += 1,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }
}

impl LogSocket {
    /// Makes of a read what is to become of it, on purpose.
    fn spoil(&mut self, length: usize) -> io::Result<usize> {
        self.reads += 1;
        match self.fault {
            Some(LogFault::OverflowEvery(every)) if self.reads.is_multiple_of(every) => {
                Err(io::Error::from_raw_os_error(libc::ENOBUFS))
            }
            Some(LogFault::Unreadable) => Err(super::faults::error()),
            _ => Ok(length),
        }
    }
}

impl AsFd for LogSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open_here() -> io::Result<LogSocket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    nix::sys::socket::setsockopt(&socket.as_fd(), nix::sys::socket::sockopt::RcvBuf, &RECEIVE_BYTES)?;
    let configuration = vec![
        ConfigCmd::Bind.into(),
        ConfigMode::new_packet(COPY_BYTES).into(),
        ConfigNla::NlBufSiz(RECORD_BYTES),
        ConfigFlags::SEQ.into(),
    ];
    let mut message = config_request(NetfilterProtoFamily::Unspec, LOG_GROUP, configuration);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut buffer = vec![0; 64 << 10];
    let length = socket.recv(&mut &mut buffer[..], 0)?;
    let answer = NetlinkMessage::<NetfilterMessage>::deserialize(&buffer[..length]).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(netlink::refusal(&error)),
        _ => {
            let most_waiting = most_waiting(&socket.as_fd())?;
            Ok(LogSocket { socket, buffer, most_waiting, numbers: Numbers::default(), fault: None, reads: 0 })
        }
    }
}

pub(super) fn parse(mut bytes: &[u8], numbers: &mut Numbers, read: &mut Read) {
    while bytes.len() >= 16 {
        if !netlink::is_of(bytes, SUBSYSTEM) {
            read.lost += 1;
            return;
        }
        let Ok(message) = NetlinkMessage::<NetfilterMessage>::deserialize(bytes) else {
            // What cannot be read is lost.
            read.lost += 1;
            return;
        };
        let length = (message.header.length as usize).next_multiple_of(4).max(16).min(bytes.len());
        bytes = &bytes[length..];
        let NetlinkPayload::InnerMessage(NetfilterMessage {
            inner: NetfilterMessageInner::ULog(ULogMessage::Packet(attributes)),
            ..
        }) = message.payload
        else {
            continue;
        };
        numbers.come += 1;
        if numbers.lose_every.is_some_and(|every| numbers.come.is_multiple_of(every)) {
            continue;
        }
        let mut record = LogRecord { record: None, in_index: None, out_index: None, packet: Vec::new() };
        for attribute in attributes {
            match attribute {
                PacketNla::Prefix(prefix) => record.record = prefix.to_str().ok().and_then(|text| text.parse().ok()),
                PacketNla::IfIndexInDev(index) => record.in_index = Some(index),
                PacketNla::IfIndexOutDev(index) => record.out_index = Some(index),
                PacketNla::Payload(packet) => record.packet = packet,
                PacketNla::Seq(number) => {
                    let expected = numbers.next.unwrap_or(number);
                    read.lost += u64::from(number.wrapping_sub(expected));
                    numbers.next = Some(number.wrapping_add(1));
                }
                _ => {}
            }
        }
        read.records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_no_record_counts_as_lost_and_is_not_read() {
        // Of nftables, with attributes that say to be longer than they are: what fuzzing found to panic.
        let message = include_bytes!("../../fuzz/corpus/log/a-message-of-nftables");
        let (mut numbers, mut read) = (Numbers::default(), Read::default());
        parse(message, &mut numbers, &mut read);
        assert_eq!((read.records.len(), read.lost), (0, 1));
    }
}
