use std::net::IpAddr;

use super::super::parties::{LinkPosition, Route};
use super::case::SentBack;
use super::*;
use crate::fabric::packet::{ECHO_REQUEST, ICMP, UDP};
use crate::model::IcmpMessage;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 11));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 12));
const QUESTION: Tuple =
    Tuple { protocol: UDP, source: HERE, source_port: 4000, destination: THERE, destination_port: 53 };
const ANSWER: Tuple =
    Tuple { protocol: UDP, source: THERE, source_port: 53, destination: HERE, destination_port: 4000 };

/// The same as a NAT instance passes it on, and with the address by which the receiver is known behind a gateway.
const NAT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 14));
const BEHIND: Tuple = Tuple { source: NAT, ..QUESTION };
const TRANSLATED: Tuple = Tuple { source: IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 0, 11)), ..QUESTION };

fn node(name: &str) -> NodeName {
    NodeName(name.to_owned())
}

/// A router with three instances, each at a link of its own and one at a second, and what is known of a question of the first to the second.
fn board() -> (EvidenceBoard, Arc<ProbeRecord>) {
    let board = EvidenceBoard::default();
    for (index, name) in (101..).zip(["a", "b", "c", "nat", "a", "nat"]) {
        board.link_leads_to(&node("vpc"), index, node(name));
    }
    let at = |name, index, ends| LinkPosition { node: node(name), link: (node("vpc"), index), ends: vec![ends] };
    let passed_on = vec![at("nat", 104, (NAT, THERE))];
    let arrives = vec![(HERE, THERE), (NAT, THERE)];
    let there = Route { sent: Some(at("a", 101, (HERE, THERE))), passed_on, arrives, ..Route::default() };
    let receiver = Some(node("b"));
    let parties = Parties { receiver, there, ..Parties::of_sender(node("a")) };
    let case = board.register(&[QUESTION, BEHIND, TRANSLATED], parties);
    board.expect_answer(&[QUESTION], &case);
    (board, case)
}

fn dropped(tuple: Tuple, in_index: Option<u32>) -> Logged {
    let record = Record::Drop(Direction::Ingress);
    Logged { node: node("vpc"), record, in_index, out_index: None, tuple, icmp: None, flaw: None, length: 40 }
}

#[test]
fn a_record_of_a_packet_from_another_end_than_its_sender_is_a_forgery() {
    for forger in [102, 103] {
        let (board, case) = board();
        board.post_record(dropped(QUESTION, Some(forger)), None);
        assert!(!case.has_drop() && case.records().is_empty());
        let name = if forger == 102 { "b" } else { "c" };
        assert_eq!(case.forged().map(|(end, _)| end), Some(node(name)));
    }
    // By the sender's link, from an appliance on the way, and from where no end of a flow is.
    for (tuple, right) in [(QUESTION, Some(101)), (BEHIND, Some(104)), (TRANSLATED, Some(2)), (QUESTION, None)] {
        let (board, case) = board();
        board.post_record(dropped(tuple, right), None);
        assert!(!case.records().is_empty() && case.stray().is_none() && case.forged().is_none());
    }
    let (board, case) = board();
    board.link_is_gone(&node("vpc"), 103);
    board.post_record(dropped(QUESTION, Some(103)), None);
    assert!(case.has_drop());
}

#[test]
fn a_record_of_a_packet_by_another_link_of_its_senders_is_of_a_packet_astray() {
    for (tuple, index) in [(QUESTION, 105), (BEHIND, 106)] {
        let (board, case) = board();
        board.post_record(dropped(tuple, Some(index)), None);
        assert!(case.has_drop() && case.records().is_empty() && case.forged().is_none());
        assert_eq!(case.stray(), Some(UnaskedPacket::Astray(dropped(tuple, Some(index)))));
    }
}

#[test]
fn a_record_of_a_packet_with_addresses_of_another_place_is_of_another_question() {
    for (tuple, index) in [(BEHIND, 101), (TRANSLATED, 101), (QUESTION, 104), (TRANSLATED, 104)] {
        let (board, case) = board();
        board.post_record(dropped(tuple, Some(index)), None);
        assert!(case.has_drop() && case.records().is_empty() && case.forged().is_none());
        assert_eq!(case.stray(), Some(UnaskedPacket::Changed(dropped(tuple, Some(index)))));
    }
}

#[test]
fn what_comes_to_the_receiver_with_addresses_of_another_place_is_another_question() {
    for (tuple, changed) in [(QUESTION, false), (BEHIND, false), (TRANSLATED, true)] {
        for (name, changed) in [("b", changed), ("nat", false)] {
            let (board, case) = board();
            board.post_sighting(&node(name), &Sighting { tuple, says: Says::Anything });
            let expected = changed.then_some(UnaskedPacket::CameChanged((tuple.source, tuple.destination)));
            assert_eq!(case.stray(), expected, "{name}: {tuple:?}");
        }
    }
}

#[test]
fn an_answer_to_another_question_is_none() {
    let (board, case) = board();
    let answer = BEHIND.answer().expect("its answer");
    board.expect_answer(&[BEHIND], &case);
    let error = Tuple { protocol: 1, source_port: 0, destination_port: 3, ..answer };
    for sighting in [
        Sighting { tuple: answer, says: Says::Anything },
        Sighting { tuple: answer, says: Says::Reset },
        Sighting { tuple: error, says: Says::Error(BEHIND) },
    ] {
        board.post_sighting(&node("a"), &sighting);
        assert_eq!(case.sent_back(), SentBack::default(), "{sighting:?}");
    }
}

#[test]
fn a_record_of_a_message_with_another_code_is_not_of_what_was_asked() {
    let ping = Tuple { protocol: ICMP, source_port: 7, destination_port: ECHO_REQUEST, ..QUESTION };
    let (board, _) = board();
    let parties = Parties { code: Some(0), ..Parties::of_sender(node("a")) };
    let case = board.register(&[ping], parties);
    for code in [0, 1] {
        let icmp = Some(IcmpMessage { kind: 8, code });
        board.post_record(Logged { icmp, ..dropped(ping, Some(101)) }, None);
    }
    assert_eq!(case.records().iter().map(|it| it.flaw).collect::<Vec<_>>(), [None, Some(Flaw::Code)]);
}

#[test]
fn a_record_of_an_answer_is_of_what_the_receiver_has_sent() {
    for (index, is_its) in [(101, false), (102, true), (103, false), (104, false)] {
        let (board, case) = board();
        board.post_record(dropped(ANSWER, Some(index)), None);
        assert_eq!(case.answer_drop().is_some(), is_its, "{index}");
        let error = Tuple { protocol: 1, source_port: 0, destination_port: 3, ..ANSWER };
        let (board, case) = self::board();
        board.post_record(dropped(error, Some(index)), Some(QUESTION));
        assert_eq!(case.answer_drop().is_some(), is_its, "{index}");
    }
}

#[test]
fn an_answer_is_sent_back_where_it_was_sent_to_the_sender() {
    let seen = |tuple, says| Sighting { tuple, says };
    let error = Tuple { protocol: 1, source_port: 0, destination_port: 3, ..ANSWER };
    let sightings = [
        (seen(ANSWER, Says::Anything), SentBack { answer: true, refusal: false }),
        (seen(ANSWER, Says::Reset), SentBack { answer: false, refusal: true }),
        (seen(error, Says::Error(QUESTION)), SentBack { answer: false, refusal: true }),
        (seen(error, Says::Error(ANSWER)), SentBack::default()),
        (seen(QUESTION, Says::Anything), SentBack::default()),
    ];
    for (sighting, expected) in sightings {
        for (name, expected) in [("a", expected), ("c", SentBack::default())] {
            let (board, case) = board();
            board.post_sighting(&node(name), &sighting);
            assert_eq!(case.sent_back(), expected, "{name}: {sighting:?}");
        }
    }
}

#[test]
fn whoever_is_no_party_and_was_sent_the_question_is_told() {
    let (board, case) = board();
    for name in ["nat", "b", "a", "c"] {
        board.post_sighting(&node(name), &Sighting { tuple: QUESTION, says: Says::Anything });
    }
    assert_eq!(case.seen_elsewhere(), [node("c")]);
    assert!(case.seen_by(&node("b"), QUESTION.destination));
}
