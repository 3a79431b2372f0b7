//! States of links at this moment, as the router's side of each knows them: beside what was sent over one they say whether somebody was there.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rtnetlink::LinkUnspec;

use super::error::FabricError;
use super::namespace::Namespace;

/// State of a link, by the index of the router's end. Two of one link that are equal have nothing between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// True if the other end is up.
    pub carries: bool,
    /// Number of times that has changed.
    changes: u32,
    /// Place of the other end.
    pub leads_to: OtherEnd,
}

impl LinkState {
    /// Reports whether somebody was there from this moment to a later one.
    pub fn lasted_until(&self, later: &Self) -> bool {
        self.carries && self == later
    }
}

/// The other end of a link: its index, and the namespace that it is in, by the kernel's number.
pub type OtherEnd = (Option<u32>, Option<i32>);

/// So many questions before their answers are read: these must fit the receive buffer.
const MAX_PIPELINED: usize = 32;

/// Returns the states of a router's links, of those that are there.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn states(router: &Arc<Namespace>, indexes: Vec<u32>) -> Result<HashMap<u32, LinkState>, FabricError> {
    let asked = router.run(move || states_here(&indexes)).await?;
    let (attempt, node) = ("ask how links are".to_owned(), router.name.clone());
    asked.map_err(|source| FabricError::Kernel { attempt, node, source })
}

/// The same in the calling thread's namespace.
pub(crate) fn states_here(indexes: &[u32]) -> io::Result<HashMap<u32, LinkState>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut states = HashMap::new();
    for indexes in indexes.chunks(MAX_PIPELINED) {
        let mut bytes = Vec::new();
        for index in indexes {
            let mut question = LinkUnspec::new_with_index(*index).build();
            question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
            let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetLink(question));
            message.header.flags = NLM_F_REQUEST;
            message.finalize();
            let start = bytes.len();
            bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(&mut bytes[start..]);
        }
        socket.send(&bytes, 0)?;
        let mut waiting = indexes.len();
        while waiting > 0 {
            let (buffer, _) = socket.recv_from_full()?;
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                let answer = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?;
                waiting = waiting.saturating_sub(1);
                // One that is gone is answered with an error.
                if answer.message_type() == libc::RTM_NEWLINK {
                    states.extend(read(answer.payload()));
                }
                rest = rest.get((answer.length() as usize).next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
    Ok(states)
}

/// Reads a link's index and state. All that the kernel says of one is long, and these are asked for with every batch of probes: nothing else
/// is read.
pub(super) fn read(link: &[u8]) -> Option<(u32, LinkState)> {
    let (header, attributes) = link.split_at_checked(size_of::<libc::ifinfomsg>())?;
    let index = u32::from_ne_bytes(header.get(4..8)?.try_into().ok()?);
    let mut state = LinkState { carries: false, changes: 0, leads_to: (None, None) };
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.ok()?;
        let number = || attribute.value().try_into().ok().map(u32::from_ne_bytes);
        match attribute.kind() {
            libc::IFLA_CARRIER => state.carries = attribute.value() == [1],
            libc::IFLA_CARRIER_CHANGES => state.changes = number()?,
            libc::IFLA_LINK => state.leads_to.0 = number(),
            libc::IFLA_LINK_NETNSID => state.leads_to.1 = number().map(u32::cast_signed),
            _ => {}
        }
    }
    Some((index, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("a short value");
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_links_index_and_state_are_read_and_nothing_of_what_is_cut_off() {
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&7u32.to_ne_bytes());
        let link = [
            header.to_vec(),
            attribute(libc::IFLA_IFNAME, b"web1\0"),
            attribute(libc::IFLA_LINK, &2u32.to_ne_bytes()),
            attribute(libc::IFLA_CARRIER, &[1]),
            attribute(libc::IFLA_CARRIER_CHANGES, &3u32.to_ne_bytes()),
            attribute(libc::IFLA_LINK_NETNSID, &5i32.to_ne_bytes()),
        ]
        .concat();
        let state = LinkState { carries: true, changes: 3, leads_to: (Some(2), Some(5)) };
        assert_eq!(read(&link), Some((7, state.clone())));
        let (down, flapped) =
            (LinkState { carries: false, ..state.clone() }, LinkState { changes: 5, ..state.clone() });
        let moved = LinkState { leads_to: (Some(2), Some(6)), ..state.clone() };
        assert!(state.lasted_until(&state) && !down.lasted_until(&down));
        assert!([down, flapped, moved].iter().all(|later| !state.lasted_until(later)));
        assert_eq!(read(&link[..link.len() - 2]), None);
        assert_eq!(read(&link[..15]), None);
    }
}
