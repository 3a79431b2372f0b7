//! The kernel's count of the transactions that it has taken on a namespace's ruleset.

use std::io;

use netlink_packet_netfilter::nftables::{GenAttribute, GenMessage, NfTablesMessage};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};

use super::netlink;

/// Reads it, on a thread inside the namespace. Each transaction that changes anything, whoever's it is, adds one.
pub(super) fn read() -> io::Result<u32> {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, 0);
    let question = NetfilterMessage::new(header, NfTablesMessage::GetGen(GenMessage { attributes: Vec::new() }));
    let answer = netlink::ask(netlink_sys::constants::NETLINK_NETFILTER, question)?;
    let NetfilterMessageInner::NfTables(NfTablesMessage::NewGen(generation)) = answer.inner else {
        return Err(io::Error::other("the kernel answers something else than the ruleset's generation"));
    };
    let id = generation.attributes.iter().find_map(|it| if let GenAttribute::Id(id) = it { Some(*id) } else { None });
    id.ok_or_else(|| io::Error::other("the kernel does not say the ruleset's generation"))
}
