//! An end that has the router forget its own connection: by a reset that the router believes, and the other end does not.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use sglab::fabric::conntrack;
use sglab::fabric::packet::{TCP, Tuple};
use sglab::fabric::tap::Tap;
use sglab::lab::Lab;
use sglab::model::ConnectionName;
use sglab::probe::Held;

use crate::bare::{inside, send_raw, soon, tap};
use crate::clouds::*;
use crate::liars::{Family, INSIDE, cloud, over};

/// A connection that the router takes for closed is forgotten by then.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(1_500);

/// A segment with content.
#[derive(Clone, Copy, Debug)]
struct Segment {
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    /// The number of what its sender sends next.
    next: u32,
    acknowledged: u32,
}

impl Segment {
    fn read(packet: &[u8]) -> Option<Self> {
        let short = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let long = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
        let address = |at: usize| Some(Ipv4Addr::from(long(at)?));
        if *packet.first()? != 0x45 || *packet.get(9)? != TCP {
            return None;
        }
        let header = 20 + 4 * usize::from(packet.get(32)? >> 4);
        let content = usize::from(short(2)?).checked_sub(header).filter(|content| *content > 0)?;
        Some(Self {
            from: (address(12)?, short(20)?),
            to: (address(16)?, short(22)?),
            next: long(24)? + u32::try_from(content).ok()?,
            acknowledged: long(28)?,
        })
    }

    /// An acknowledgment ahead of what was sent, and a reset behind it.
    fn resets(self) -> Vec<Vec<u8>> {
        let (source, destination) = (self.from.0.octets(), self.to.0.octets());
        let ahead = || PacketBuilder::ipv4(source, destination, 64).tcp(self.from.1, self.to.1, self.next + 100, 1024);
        [ahead().ack(self.acknowledged), ahead().ack(self.acknowledged).rst()]
            .map(|builder| {
                let mut packet = Vec::new();
                builder.write(&mut packet, &[]).expect("a vector takes it");
                packet
            })
            .to_vec()
    }
}

/// Holds a connection between two instances, and gives the last segment that one of them has sent, with what else comes of it.
async fn held(lab: &mut Lab, sender: &str) -> (ConnectionName, Segment, Tap) {
    let name = ConnectionName::new("session");
    let asked = over(lab, INSIDE, Family::Ipv4, tcp(80));
    lab.open(&name, &asked).await.unwrap_or_else(|error| panic!("{error}"));
    let receiver = if sender == INSIDE.from { INSIDE.to } else { INSIDE.from };
    let mut come = tap(&node(lab, receiver)).await;
    assert_eq!(lab.examine(&name).await.expect("a lab"), Held::Alive);
    let mut last = None;
    come.read_each(|packet| last = Segment::read(packet).or(last)).expect("the tap");
    (name, last.expect("a segment"), come)
}

/// No group has cut it. EC2 would not have, either.
#[sglab::test]
async fn an_end_that_has_its_own_connection_forgotten_has_it_cut_by_no_group() {
    for sender in [INSIDE.from, INSIDE.to] {
        let mut lab = cloud().await;
        let (name, mut segment, mut come) = held(&mut lab, sender).await;
        let router = node(&lab, "vpc-main");
        // A closed connection is forgotten sooner than it usually is: after a second.
        let soonest = || std::fs::write("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close", "1");
        inside(&router, soonest).await.expect("a setting");
        send_raw(&node(&lab, sender), segment.resets()).await;
        let (from, to) = (segment.from, segment.to);
        let own = Tuple {
            protocol: TCP,
            source: from.0.into(),
            source_port: from.1,
            destination: to.0.into(),
            destination_port: to.1,
        };
        let begun = Instant::now();
        let mut sent = begun;
        while conntrack::knows(&router, own).await.expect("the kernel tells") {
            assert!(begun.elapsed() < soon(), "it is remembered");
            // What was still on its way makes a reset one of before, which the router does not believe.
            let next = segment.next;
            come.read_each(|packet| segment = Segment::read(packet).unwrap_or(segment)).expect("the tap");
            // The other end questions a reset of its own accord. Where that answer passes the router behind the reset, the connection is
            // remembered as before, and one more reset is needed.
            if segment.next != next || sent.elapsed() > FORGOTTEN_AFTER {
                send_raw(&node(&lab, sender), segment.resets()).await;
                sent = Instant::now();
            }
        }
        let found = lab.examine(&name).await.expect("a lab");
        let Held::Inconclusive { why } = &found else { panic!("{sender}: {found:?}") };
        assert!(why.ends_with("an end has closed or reset it"), "{why}");
    }
}

/// An end that keeps its own packets has no connection opened, and nothing proves that its groups keep it closed.
#[sglab::test]
async fn a_connection_that_its_own_end_does_not_begin_is_not_proved_closed() {
    let text = "sglab: 1
era: vpc
groups: {A: [], B: [tcp 80 from A]}
instances: {a: {groups: A}, b: {groups: B, listens: [tcp 80, tcp 81]}}
scenario: [{step: one, expect: {open: ['a -> b:80'], dropped: ['a -> b:81']}}]
";
    let mut lab = boot(&topology(text), sglab::model::Era::Vpc).await;
    let name = ConnectionName::new("session");
    let closed = lab.open(&name, &flow("a", "b", tcp(81))).await.expect_err("no rule admits it");
    assert!(matches!(closed, sglab::lab::LabError::NotOpened { .. }), "{closed}");
    let keep = "table ip own { chain own { type filter hook output priority 0; tcp dport 80 drop\n }\n}\n";
    crate::bare::nft_script(&node(&lab, "a"), keep.to_owned()).await;
    let kept = lab.open(&name, &flow("a", "b", tcp(80))).await.expect_err("it keeps its own");
    assert!(matches!(kept, sglab::lab::LabError::NotProved { .. }), "{kept}");
}
