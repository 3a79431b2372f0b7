//! The flow log by itself: what records and counts come to.

use std::net::IpAddr;

use super::*;
use crate::model::sample::Sample;
use crate::model::{Era, IcmpMessage, InstanceName};

/// `a` and `b`, both in a group.
fn cloud() -> Cloud {
    Sample::new(Era::Vpc).group("G", &["tcp 22 from 10.0.0.0/8"]).instance("a", &["G"]).instance("b", &["G"]).0
}

fn interface<'a>(cloud: &'a Cloud, name: &str) -> &'a Interface {
    cloud.interface(&InterfaceId::first_of(&InstanceName::new(name))).expect("an interface")
}

fn flow(cloud: &Cloud) -> Tuple {
    let address = |name| IpAddr::V4(interface(cloud, name).private.expect("an address").0);
    Tuple { protocol: 6, source: address("a"), source_port: 40000, destination: address("b"), destination_port: 22 }
}

fn amount(packets: u64, bytes: u64) -> Amount {
    Amount { packets, bytes }
}

struct ExpectedRecord<'a> {
    cloud: &'a Cloud,
    log: FlowLog,
}

impl<'a> ExpectedRecord<'a> {
    fn of(cloud: &'a Cloud) -> Self {
        Self { cloud, log: FlowLog::new(100) }
    }

    fn record(&mut self, record: Record, tuple: Tuple) {
        self.message(record, tuple, None);
    }

    fn message(&mut self, record: Record, tuple: Tuple, icmp: Option<IcmpMessage>) {
        let node = NodeName("vpc-default".to_owned());
        let logged = Logged { node, record, in_index: None, out_index: None, tuple, icmp, flaw: None, length: 60 };
        let (a, b) = (interface(self.cloud, "a"), interface(self.cloud, "b"));
        let forward = tuple.destination_port == 22;
        let at = if forward {
            PacketEndpoints { from: Some(a), to: Some(b) }
        } else {
            PacketEndpoints { from: Some(b), to: Some(a) }
        };
        self.log.record(&logged, at);
    }

    fn admitted(&mut self) {
        self.record(Record::Pass(Direction::Egress), flow(self.cloud));
        self.record(Record::Accept(Direction::Ingress, RuleId(1)), flow(self.cloud));
    }

    fn counted(&mut self, there: Amount, back: Amount, ended: bool) {
        let original = flow(self.cloud);
        self.log.count(&NodeName("vpc-default".to_owned()), Counted { original, there, back }, ended);
    }

    /// Interface, direction, action and amount of each record, or its status.
    fn close(&mut self) -> Vec<String> {
        let records = self.log.close(self.cloud, 160);
        let line = |it: &FlowRecord| {
            let what =
                it.traffic.map_or_else(|| format!("{:?}", it.status), |t| format!("{} {:?}", t.direction, t.action));
            format!("{} {what} {} {}", it.eni.id.holder(), it.amount.packets, it.amount.bytes)
        };
        let mut lines: Vec<String> = records.iter().map(line).collect();
        lines.sort();
        lines
    }
}

#[test]
fn a_flow_is_two_records_at_each_end_and_only_what_is_new_is_in_the_next_window() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.admitted();
    told.counted(amount(3, 180), amount(2, 120), false);
    assert_eq!(
        told.close(),
        ["a egress Accept 3 180", "a ingress Accept 2 120", "b egress Accept 2 120", "b ingress Accept 3 180"]
    );
    told.counted(amount(4, 240), amount(2, 120), true);
    assert_eq!(told.close(), ["a egress Accept 1 60", "b ingress Accept 1 60"]);
    assert_eq!(told.close(), ["a NoData 0 0", "b NoData 0 0"]);
}

#[test]
fn what_ingress_refuses_left_the_sender_all_the_same() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    for _ in 0..2 {
        told.record(Record::Pass(Direction::Egress), flow(&cloud));
        told.record(Record::Drop(Direction::Ingress), flow(&cloud));
    }
    assert_eq!(told.close(), ["a egress Accept 2 120", "b ingress Reject 2 120"]);
}

#[test]
fn what_is_cut_at_one_end_is_not_accepted_there_though_the_kernel_counts_it() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.admitted();
    told.record(Record::Cut(Direction::Ingress), flow(&cloud));
    told.counted(amount(3, 180), amount(0, 0), true);
    assert_eq!(told.close(), ["a egress Accept 3 180", "b ingress Accept 2 120", "b ingress Reject 1 60"]);
}

#[test]
fn an_end_that_is_heard_before_the_beginning_is_counted_all_the_same() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.counted(amount(1, 60), amount(0, 0), true);
    told.admitted();
    assert_eq!(told.close(), ["a egress Accept 1 60", "b ingress Accept 1 60"]);
}

#[test]
fn where_records_were_lost_every_interface_says_so() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.record(Record::Drop(Direction::Egress), flow(&cloud));
    told.log.lose();
    assert_eq!(told.close(), ["a SkipData 0 0", "a egress Reject 1 60", "b SkipData 0 0"]);
    assert_eq!(told.close(), ["a NoData 0 0", "b NoData 0 0"]);
}

#[test]
fn the_ports_of_icmp_are_none_and_pings_of_one_pair_are_one_record() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    for id in [7, 8] {
        let ping = Tuple { protocol: ICMP, source_port: id, destination_port: 8, ..flow(&cloud) };
        // The test's own way to tell directions is by port.
        let logged = Logged {
            node: NodeName("vpc-default".to_owned()),
            record: Record::Drop(Direction::Ingress),
            in_index: None,
            out_index: None,
            tuple: ping,
            icmp: None,
            flaw: None,
            length: 84,
        };
        let at = PacketEndpoints { from: Some(interface(&cloud, "a")), to: Some(interface(&cloud, "b")) };
        told.log.record(&logged, at);
    }
    let records = told.log.close(&cloud, 160);
    let rejected: Vec<_> = records.iter().filter_map(|it| it.traffic.map(|traffic| (traffic, it.amount))).collect();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].0.tuple.source_port, rejected[0].0.tuple.destination_port), (0, 0));
    assert_eq!(rejected[0].1, amount(2, 168));
}

#[test]
fn a_window_is_full_with_so_many_kinds_of_traffic_and_empty_once_it_has_ended() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    let from = |port| Tuple { source_port: port, ..flow(&cloud) };
    for port in 1..FULL as u16 {
        told.record(Record::Drop(Direction::Ingress), from(port));
        told.record(Record::Drop(Direction::Ingress), from(port));
    }
    assert!(!told.log.is_full(), "a packet more of the same is no other record");
    told.record(Record::Drop(Direction::Ingress), from(FULL as u16));
    assert!(told.log.is_full());
    told.close();
    assert!(!told.log.is_full());
}

#[test]
fn a_flow_that_was_admitted_and_never_confirmed_is_forgotten_once_a_window_has_passed() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.admitted();
    told.record(Record::Connections, flow(&cloud));
    told.close();
    assert_eq!(told.log.flows.len(), 1, "it may have begun just before the window ended");
    told.close();
    assert_eq!(told.log.flows.len(), 0);
}

#[test]
fn a_flow_that_stands_is_known_however_many_windows_it_is_silent_for() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    told.admitted();
    for _ in 0..5 {
        told.counted(amount(3, 180), amount(2, 120), false);
        told.close();
    }
    told.counted(amount(4, 240), amount(2, 120), true);
    assert_eq!(told.close(), ["a egress Accept 1 60", "b ingress Accept 1 60"]);
    assert_eq!(told.log.flows.len(), 0);
}

#[test]
fn flows_that_begin_and_never_end_fill_a_window_too() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    let begin = |told: &mut ExpectedRecord<'_>, number: usize| {
        let source = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a63_0000 + number as u32));
        told.record(Record::Pass(Direction::Egress), Tuple { source, ..flow(&cloud) });
    };
    (1..BEGUN).for_each(|number| begin(&mut told, number));
    assert!(!told.log.is_full());
    begin(&mut told, BEGUN);
    assert!(told.log.is_full());
    told.close();
    assert!(!told.log.is_full(), "what the last window has is none of the next");
}

#[test]
fn a_window_that_cannot_be_ended_is_given_up_and_says_so() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    for port in 1..=FULL as u16 {
        told.record(Record::Drop(Direction::Egress), Tuple { source_port: port, ..flow(&cloud) });
    }
    assert!(told.log.is_full());
    told.log.give_up_window();
    assert!(!told.log.is_full());
    assert_eq!(told.close(), ["a SkipData 0 0", "b SkipData 0 0"]);
}

#[test]
fn a_message_that_begins_no_flow_is_accepted_by_the_records_of_it() {
    let cloud = cloud();
    let mut told = ExpectedRecord::of(&cloud);
    let unreachable = Some(IcmpMessage { kind: 3, code: 1 });
    let message = Tuple { protocol: ICMP, ..flow(&cloud) };
    for _ in 0..2 {
        told.message(Record::Pass(Direction::Egress), message, unreachable);
        told.message(Record::Accept(Direction::Ingress, RuleId(1)), message, unreachable);
    }
    told.message(Record::Pass(Direction::Egress), message, unreachable);
    told.message(Record::Drop(Direction::Ingress), message, unreachable);
    assert_eq!(told.log.flows.len(), 0);
    assert_eq!(told.close(), ["a egress Accept 3 180", "b ingress Accept 2 120", "b ingress Reject 1 60"]);
    // Connection tracking counts what an echo begins.
    told.message(Record::Pass(Direction::Egress), message, Some(IcmpMessage { kind: 8, code: 0 }));
    assert_eq!(told.close(), ["a NoData 0 0", "b NoData 0 0"]);
}
