//! Readers of the answers to probes, for whoever feeds them any bytes at all.

use super::attempt;
use super::question::{Answer, TOKEN_BYTES, Token};
use super::raw;
use crate::model::{IcmpMessage, Service};

/// Reads what comes back to a probe, and what comes to a listener without ports.
pub fn answer(bytes: &[u8]) {
    const TOKEN: Token = *b"0123456789abcdef";
    if let Answer::Answered(name) = attempt::read_answer(bytes, &TOKEN) {
        assert!(bytes.starts_with(&TOKEN), "an answer without the token: {name:?}");
    }
    for service in [Service::Icmp(IcmpMessage { kind: 13, code: 0 }), Service::Protocol(47)] {
        for ipv6 in [false, true] {
            if let Some(token) = raw::token(bytes, service, ipv6) {
                assert!(bytes.windows(TOKEN_BYTES).any(|window| window == token), "a token that did not come");
            }
        }
    }
}
