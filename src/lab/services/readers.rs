//! Readers of the questions of instances, for whoever feeds them any bytes at all.

use std::time::Duration;

use simple_dns::Packet;

use super::dns::{self, Carrier};
use super::http::Tokens;
use super::http::{self, Parsed};
use super::time;
use crate::compile::services::zone::{self, View};
use crate::model::Cloud;

/// A message to a resolver, and one that comes from a resolver.
pub fn dns(cloud: &Cloud, bytes: &[u8]) {
    let views = cloud.vpcs.keys().map(|vpc| View::Inside(vpc.clone())).chain([View::Outside]);
    for view in views {
        let look_up = |name: &str, kind| zone::answer(cloud, &view, name, kind);
        for carrier in [Carrier::Datagram, Carrier::Stream] {
            let Some(answer) = dns::respond(bytes, carrier, &look_up) else { continue };
            let read = Packet::parse(&answer);
            assert!(read.is_ok(), "an answer that nobody can read: {read:?}");
            assert_eq!(answer[..2], bytes[..2], "an answer to another question");
            assert_eq!(dns::respond(&answer, carrier, &look_up), None, "an answer is answered");
        }
    }
    if let Some([high, low]) = bytes.first_chunk() {
        // In words, if there is no address.
        let _ = dns::read_answer(bytes, u16::from_be_bytes([*high, *low]), "ip-10-0-0-11.ec2.internal");
    }
}

/// A request to the metadata service, and an answer of it.
pub fn http(cloud: &Cloud, bytes: &[u8]) {
    if let Parsed::Whole(request, length) = http::parse(bytes) {
        assert!((1..=bytes.len()).contains(&length), "a request of {length} bytes among {}", bytes.len());
        for (_, _, interface) in cloud.interfaces() {
            let reply = http::reply(&request, (cloud, interface), &Tokens::default(), Duration::from_secs(5));
            let answer = reply.bytes(false, request.last);
            assert!(http::read_answer(&answer).is_some(), "an answer that nobody can read");
        }
    }
    let _ = http::read_answer(bytes);
}

/// A message to the time, and one that comes from it.
pub fn time(bytes: &[u8]) {
    if let Some(answer) = time::answer(bytes, Duration::from_secs(1_700_000_000)) {
        assert!(
            bytes.len() >= time::MESSAGE && time::answer(&answer, Duration::ZERO).is_none(),
            "an answer is answered"
        );
    }
    time::answers(bytes, *b"mark-abc");
}
