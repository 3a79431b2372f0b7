//! Flows of UDP that EC2 forgets at another time than the kernel.
//!
//! EC2 keeps a stream for longer than other flows, and a stream has had more than one question and answer. The kernel
//! keeps for longer what has lasted two seconds and was answered, and the two seconds cannot be set. So two kinds are told
//! apart here, and cost nothing once both agree:
//!
//! - A stream that is younger than two seconds: each end that tracks it remembers it in a set. The kernel's entry may go.
//! - A flow older than that which is no stream: a set keeps it for the shorter time. A packet that comes after
//!   that is judged as new, on the entry that still stands.
//!
//! Source: "Security group connection tracking" (Amazon EC2 user guide), "Idle connection tracking timeout".

use super::doubts::DOUBTS;
use super::names::{UDP_SLOW, keeping, new_flows};
use super::parts::{chain, families, of, udp_key};
use super::rule::{mark, marked, marked_of, own, tracked_bit};
use super::shares::SetLimits;
use crate::model::Direction;
use crate::model::protocol::UDP;
use crate::network::names::UDP_STREAMS;
use crate::network::nft::{NftRule, Ruleset};
use crate::network::{Families, Timeouts};

/// Flows that are slow. One for which there is no room is judged as new with each packet.
fn kept_slow(timeouts: Timeouts) -> SetLimits {
    SetLimits { name: UDP_SLOW, share: 1 << 10, paid: 1 << 14, timeout: timeouts.udp }
}

/// Streams that are young.
pub fn kept_streams(timeouts: Timeouts) -> SetLimits {
    SetLimits { name: UDP_STREAMS, share: 1 << 9, paid: 1 << 13, timeout: timeouts.udp_stream }
}

const MORE_THAN_ONE_EACH_WAY: &str = "ct original packets > 1 ct reply packets > 1";

/// The bit of the ct mark of a flow that is a stream for EC2.
pub const STREAM: u32 = 0x40;
/// That of a flow that is a stream for EC2 and for the kernel.
const SETTLED: u32 = 0x8;
/// That of a flow that only the kernel takes for a stream.
const SLOW: u32 = 0x10;
/// That of a flow that is forgotten, while its entry stands.
const EXPIRED: u32 = 0x20;

/// Those of the two ends.
const ENDS: u32 = tracked_bit(Direction::Egress) | tracked_bit(Direction::Ingress);

const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

/// Adds the sets, and the chains that fill them. Gives the rules that belong behind the verdicts of both ends.
pub fn add(ruleset: &mut Ruleset, spoken: Families, timeouts: Timeouts) -> [NftRule; 2] {
    kept_slow(timeouts).add(ruleset, UDP_SLOW, "ct id");
    // Of a flow, not of an end of it.
    let keep = kept_slow(timeouts).remember(UDP_SLOW, "ct id", None);
    ruleset.chains.insert("keep-udp-slow".to_owned(), chain(keep));
    for (family, end) in families(spoken).flat_map(|family| DIRECTIONS.map(|end| (family, end))) {
        let set = of(family, UDP_STREAMS);
        let keep = kept_streams(timeouts).remember(&set, &udp_key(family, end), None);
        ruleset.chains.insert(keeping(&set, end), chain(keep));
    }
    ruleset.chains.insert("udp-renewed".to_owned(), chain(renewed()));
    ruleset.chains.insert("udp-unsettled".to_owned(), chain(unsettled()));
    ruleset.chains.insert("udp-stream".to_owned(), chain(remember_stream(spoken)));
    let of_udp = |id: &str, matched: String| own(id, format!("meta l4proto {UDP} {matched} jump {id}"));
    [of_udp("udp-renewed", marked(EXPIRED)), of_udp("udp-unsettled", marked_of(0, SETTLED))]
}

/// The rules of a base chain about flows that are forgotten while their entry stands. Egress finds out. Each end is then asked as if it had had
/// nothing of the flow: whoever goes on with it may do so in the ends' names.
pub fn forgotten(direction: Direction) -> Vec<NftRule> {
    let expired = format!("meta l4proto {UDP} {}", marked(EXPIRED));
    let judged = format!("goto {}", new_flows(direction));
    match direction {
        Direction::Egress => {
            let slow = marked_of(SLOW, SETTLED | SLOW);
            let expires = format!("meta l4proto {UDP} {slow} ct id != @{UDP_SLOW} ct mark set {:#x}", EXPIRED | DOUBTS);
            // What the last packet has left of the bits of the ends goes.
            let expired = format!("{expired} ct mark set ct mark & {DOUBTS:#x} | {EXPIRED:#x} {judged}");
            vec![own("udp-expires", expires), own("udp-expired", expired)]
        }
        Direction::Ingress => vec![own("udp-expired", format!("{expired} {judged}"))],
    }
}

/// Matches a packet of a forgotten flow that its sender's end has admitted and tracks.
pub fn renewed_and_tracked() -> String {
    format!("{} meta l4proto {UDP}", marked(EXPIRED | tracked_bit(Direction::Egress)))
}

/// Both ends have admitted a packet as new, and have set the bits of its sender's and its receiver's end: those of the flow
/// are of the end that has opened it, and of the other.
fn renewed() -> Vec<NftRule> {
    let done = EXPIRED | SLOW;
    let swap = |one: Direction| {
        let only = marked_of(tracked_bit(one), ENDS);
        own(
            &format!("swap-{one}"),
            format!("ct direction reply {only} ct mark set ct mark ^ {:#x} return", ENDS | done),
        )
    };
    let [egress, ingress] = DIRECTIONS.map(swap);
    vec![egress, ingress, own("done", format!("ct mark set ct mark ^ {done:#x}"))]
}

/// Tells the two kinds of flow apart, of those that are not settled.
fn unsettled() -> Vec<NftRule> {
    vec![
        own("known", format!("{} goto udp-stream", marked(STREAM))),
        own("stream", format!("{MORE_THAN_ONE_EACH_WAY} {} goto udp-stream", mark(STREAM))),
        own("slow", format!("ct status assured {} goto keep-udp-slow", mark(SLOW))),
    ]
}

/// Remembers a packet of a stream at each end that tracks it.
fn remember_stream(spoken: Families) -> Vec<NftRule> {
    let mut rules = vec![own("settled", format!("ct status assured {} return", mark(SETTLED)))];
    for family in families(spoken) {
        let set = of(family, UDP_STREAMS);
        for (way, ends) in [("original", DIRECTIONS), ("reply", [Direction::Ingress, Direction::Egress])] {
            for (here, end) in DIRECTIONS.into_iter().zip(ends) {
                let tracked = format!("ct direction {way} {} {}", family.any(), marked(tracked_bit(end)));
                let keep = format!("jump {}", keeping(&set, here));
                rules.push(own(&format!("{set}-{way}-{here}"), format!("{tracked} {keep}")));
            }
        }
    }
    rules
}
