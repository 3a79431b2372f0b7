//! From the state of a cloud to namespaces, links and rulesets, as data. Pure: touches nothing, needs no privilege.

pub mod names;
pub mod network;
pub mod nft;
pub mod record;
