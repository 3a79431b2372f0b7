//! Sets whose elements may be whole blocks of addresses: those of IPv6, since no one can list a delegated prefix.

use ipnet::IpNet;

use crate::network::nft::{Set, SetKey};

/// A set of these elements, of which some may be whole blocks.
pub fn blocks(key: &str, elements: impl IntoIterator<Item = String>) -> Set {
    Set { key: SetKey::Intervals(key.to_owned()), elements: elements.into_iter().collect() }
}

/// A block as an element of such a set: one address stands as it is.
pub fn element(block: IpNet) -> String {
    if block.prefix_len() == block.max_prefix_len() { block.addr().to_string() } else { block.to_string() }
}
