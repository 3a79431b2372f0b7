//! Readers of the kernel's and nft's words, for whoever feeds them any bytes at all.

use std::net::IpAddr;

use netlink_packet_netfilter::NetfilterMessage;

use super::packet::{self, Sighting, Tuple};
use super::{conntrack, counted, links, netlink, nflog, nft, remembered};

/// nft's own list of a table, and of its sets.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(rules) = nft::read_rules(text) {
        assert!(rules.len() <= bytes.len(), "more rules than bytes");
    }
    if let Ok(elements) = remembered::read(text) {
        assert!(elements.len() <= bytes.len(), "more elements than bytes");
    }
}

/// Reads what the log of verdicts gives to one read.
pub fn log(bytes: &[u8]) {
    let (mut numbers, mut read) = (nflog::Numbers::default(), nflog::Read::default());
    nflog::parse(bytes, &mut numbers, &mut read);
    assert!(read.records.len() <= bytes.len() / 16, "more records than headers");
    for record in &read.records {
        assert!(record.packet.len() <= bytes.len());
        Tuple::parse(&record.packet);
        if let Some(record) = record.record {
            assert_eq!(record.to_string().parse(), Ok(record), "what was read is not what is written");
        }
    }
}

/// Reads what connection tracking gives to one read of its list, and the kernel of a link.
pub fn flows(bytes: &[u8]) {
    let mut found = Vec::<NetfilterMessage>::new();
    // A refusal of the kernel is a fine thing to read.
    let _ = netlink::read(bytes, conntrack::SUBSYSTEM, &mut found);
    assert!(found.len() <= bytes.len() / 16, "more flows than headers");
    let end = |last| IpAddr::from([10, 0, 0, last]);
    let tuple =
        Tuple { protocol: packet::UDP, source: end(11), source_port: 1024, destination: end(12), destination_port: 53 };
    conntrack::longest_of(found, &[tuple]);
    let mut ended = counted::Ended::default();
    counted::parse(bytes, &mut ended);
    assert!(ended.flows.len() <= bytes.len() / 16, "more ends than headers");
    links::read(bytes);
}

/// A packet as a tap or the log shows it.
pub fn packet(bytes: &[u8]) {
    assert_eq!(Sighting::of(bytes).map(|seen| seen.tuple), Tuple::parse(bytes));
    if let Some(tuple) = Tuple::parse(bytes) {
        assert_eq!(tuple.source.is_ipv4(), tuple.destination.is_ipv4(), "a packet of two families");
    }
    if let Some(tuple) = Tuple::of_error(bytes) {
        assert_eq!(tuple.source.is_ipv4(), tuple.destination.is_ipv4(), "an error about a packet of two families");
    }
}
