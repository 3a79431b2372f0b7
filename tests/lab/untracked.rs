//! Messages of ICMPv6 that the kernel never tracks, as routers, neighbours and listeners send them: no protocol by number, and so of no memory.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{Icmpv6Type, PacketBuilder};
use sglab::fabric::packet::ICMPV6;
use sglab::model::{Direction, Era};
use sglab::network::record::Record;

use crate::answered::send;
use crate::bare::{Bare, seen, taps};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: '2001:db8:ffff::10'}
groups: {LONE: []}
instances: {a: {groups: LONE}, b: {groups: LONE}}
scenario: [{step: as launched, expect: {dropped: ['a -> b:icmp 135 by ipv6 address']}}]
";

/// Listeners, routers, neighbours.
const MESSAGES: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

async fn cloud() -> (Bare, Ipv6Addr, Ipv6Addr) {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let own = |name: &str| bare.cloud.instances[name].interfaces[0].ipv6.expect("an address").0;
    let (a, b) = (own("a"), own("b"));
    (bare, a, b)
}

fn message(from: Ipv6Addr, to: Ipv6Addr, type_u8: u8, carried: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let message = Icmpv6Type::Unknown { type_u8, code_u8: 0, bytes5to8: [0; 4] };
    PacketBuilder::ipv6(from.octets(), to.octets(), 64).icmpv6(message).write(&mut packet, carried).expect("it fits");
    packet
}

#[sglab::test]
async fn who_has_sent_a_message_to_a_neighbour_takes_no_answer_without_a_rule() {
    let (bare, a, b) = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for kind in MESSAGES {
        for (by, from, to) in [("a", a, b), ("b", b, a)] {
            send(&bare.node(by), message(from, to, kind, &[0; 16])).await.expect("it leaves");
            let (record, tuple, _) = log.next_drop();
            let dropped = (record, tuple.source, tuple.protocol);
            assert_eq!(dropped, (Record::Drop(Direction::Ingress), IpAddr::from(from), ICMPV6), "{kind} by {by}");
        }
    }
    assert_eq!(log.drops(), []);
}

/// It would be an error about what nobody has sent: an echo.
#[sglab::test]
async fn about_a_message_to_a_neighbour_nobody_outside_speaks() {
    let (bare, a, _) = cloud().await;
    let office: Ipv6Addr = "2001:db8:ffff::10".parse().expect("an address");
    let (mut log, mut tap) = (bare.log("vpc-main").await, taps(&bare.node("office")).await.swap_remove(1));
    for kind in MESSAGES {
        send(&bare.node("a"), message(a, office, kind, &[0; 16])).await.expect("it leaves");
        seen(&mut tap, |tuple| tuple.protocol == ICMPV6 && tuple.destination_port == u16::from(kind));
        for error in [1, 2, 3, 4] {
            let about = message(a, office, 129, &[0; 16]);
            send(&bare.node("office"), message(office, a, error, &about)).await.expect("it leaves");
            let (record, tuple, _) = log.next_drop();
            assert_eq!(
                (record, tuple.source),
                (Record::Drop(Direction::Ingress), office.into()),
                "{error} after {kind}"
            );
        }
    }
    assert_eq!(log.drops(), []);
}
