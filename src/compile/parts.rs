//! Parts that chains and sets of a router are made of.

use super::error::CompileError;
use super::rule::{Family, log};
use crate::model::Direction;
use crate::network::Families;
use crate::network::names::of_ipv6;
use crate::network::nft::{Chain, NftRule, Ruleset, Set, SetKey};
use crate::network::record::Record;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// The families that a lab speaks.
pub fn families(families: Families) -> impl Iterator<Item = Family> {
    FAMILIES.into_iter().filter(move |family| families == Families::Both || *family == Family::Ipv4)
}

/// The name of a family's set, or rule.
pub fn of(family: Family, name: &str) -> String {
    match family {
        Family::Ipv4 => name.to_owned(),
        Family::Ipv6 => of_ipv6(name),
    }
}

/// A datagram, as the interface at this end of it sees it.
pub fn udp_key(family: Family, end: Direction) -> String {
    let ip = family.header();
    match end {
        Direction::Egress => format!("iifname . {ip} saddr . {ip} daddr . udp sport . udp dport"),
        Direction::Ingress => format!("oifname . {ip} daddr . {ip} saddr . udp dport . udp sport"),
    }
}

/// Drops on record.
pub fn log_drop(record: Record) -> String {
    format!("{} drop", log(record))
}

/// A chain that other rules name.
pub fn chain(rules: impl IntoIterator<Item = NftRule>) -> Chain {
    Chain { hook: None, rules: rules.into_iter().collect() }
}

/// A chain of a ruleset, to be added to. Left out without a word, what is added would be a hole in the filter.
pub fn chain_of<'r>(ruleset: &'r mut Ruleset, name: &str) -> Result<&'r mut Chain, CompileError> {
    ruleset.chains.get_mut(name).ok_or_else(|| CompileError::MissingPart { what: "chain", name: name.to_owned() })
}

/// A set of these elements.
pub fn set(key: &str, elements: impl IntoIterator<Item = String>) -> Set {
    Set { key: SetKey::Values(key.to_owned()), elements: elements.into_iter().collect() }
}
