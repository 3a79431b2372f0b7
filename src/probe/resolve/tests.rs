use super::super::dropped::DropCause;
use super::*;
use crate::fabric::packet::UDP;
use crate::model::InstanceName;
use crate::probe::failure::{SocketFailure, Untaken};

fn found(answer: Option<Answer>, overlooked: bool) -> Outcome {
    found_behind(answer, overlooked, true)
}

fn found_behind(answer: Option<Answer>, overlooked: bool, canary_arrived: bool) -> Outcome {
    resolved(&finding(answer, overlooked, canary_arrived))
}

fn resolved(finding: &ProbeEvidence) -> Outcome {
    // One link leads to the receiver, and another to somebody else.
    let lookup = |_: &NodeName, index| {
        let name = InstanceName::new(if index == 7 { "db1" } else { "web1" });
        Some((InterfaceId::first_of(&name), Vec::new()))
    };
    let node = NodeName("db1".to_owned());
    outcome(finding, Some(ProbeTarget { node: &node, address: IpAddr::from([10, 0, 0, 12]) }), &[], &lookup)
}

fn finding(answer: Option<Answer>, overlooked: bool, canary_arrived: bool) -> ProbeEvidence {
    let [source, destination] = [[10, 0, 0, 11], [10, 0, 0, 12]].map(IpAddr::from);
    let dropped = Logged {
        node: NodeName("vpc".to_owned()),
        record: Record::Drop(Direction::Ingress),
        in_index: None,
        out_index: None,
        tuple: Tuple { protocol: UDP, source, source_port: 4000, destination, destination_port: 53 },
        icmp: None,
        flaw: None,
        length: 40,
    };
    let records = if answer.is_none() { vec![dropped] } else { Vec::new() };
    let (seen, timed_out, lost) = (false, false, 0);
    ProbeEvidence {
        answer,
        records,
        seen,
        canary_arrived,
        canary_not_sent: None,
        overlooked,
        inside: false,
        judged: true,
        elsewhere: Vec::new(),
        back: Back::Shown,
        forged: None,
        stray: None,
        turned_away: None,
        passed_on: None,
        answer_drop: None,
        lacked_room: false,
        timed_out,
        lost,
    }
}

fn admitted(record: Record) -> Logged {
    let dropped = finding(None, false, true).records.remove(0);
    Logged { record, in_index: Some(3), out_index: Some(7), ..dropped }
}

#[test]
fn a_receiver_of_more_than_could_be_looked_at_was_not_proved_silent() {
    assert!(matches!(found(None, false), Outcome::Dropped(_)));
    assert!(matches!(found(None, true), Outcome::Inconclusive { .. }));
}

#[test]
fn a_drop_of_what_was_sent_to_the_receiver_is_none() {
    let seen = ProbeEvidence { seen: true, ..finding(None, false, true) };
    assert!(matches!(resolved(&seen), Outcome::Inconclusive { .. }));
}

#[test]
fn a_drop_beside_a_word_of_the_receivers_own_interface_is_none() {
    let records = [Record::Accept(Direction::Ingress, RuleId(7)), Record::Remembered(Direction::Ingress)];
    for record in records.map(admitted) {
        let with = |logged: Logged| {
            let mut found = finding(None, false, true);
            found.records.insert(0, logged);
            resolved(&found)
        };
        assert!(matches!(with(record.clone()), Outcome::Inconclusive { .. }), "{record}");
        // Somebody on the way has let it in before, or the receiver itself has, to pass it on.
        let mut onward = record.clone();
        onward.tuple.destination = IpAddr::from([198, 18, 0, 12]);
        assert!(matches!(with(onward), Outcome::Dropped(_)), "{record}");
        assert!(matches!(with(Logged { out_index: Some(8), ..record.clone() }), Outcome::Dropped(_)), "{record}");
    }
}

#[test]
fn what_a_sender_makes_of_its_question_was_not_judged_as_that() {
    for record in [Record::Invalid, Record::Fragments, Record::ForeignError] {
        let mut found = finding(None, false, true);
        found.records[0].record = record;
        assert!(matches!(resolved(&found), Outcome::Inconclusive { .. }), "{record}");
    }
    for flaw in [Flaw::Checksum, Flaw::Short, Flaw::Long, Flaw::Code] {
        let mut found = finding(None, false, true);
        found.records[0].flaw = Some(flaw);
        let Outcome::Inconclusive { why } = resolved(&found) else { panic!("{flaw}") };
        assert_eq!(why.to_string(), format!("vpc has on record {flaw}: no rule judged it as what was asked"));
    }
}

#[test]
fn what_another_code_comes_to_is_no_answer_to_the_question() {
    let let_in = |flaw| Logged { flaw, ..admitted(Record::Accept(Direction::Ingress, RuleId(7))) };
    for (flaw, is_open) in [(None, true), (Some(Flaw::Code), false)] {
        let answered = ProbeEvidence { seen: true, ..finding(Some(Answer::Answered(None)), false, true) };
        let found = resolved(&ProbeEvidence { records: vec![let_in(flaw)], ..answered });
        assert_eq!(matches!(found, Outcome::Open { .. }), is_open, "{found:?}");
    }
}

#[test]
fn an_answer_with_a_wrong_checksum_was_dropped_by_no_group() {
    let lookup = |_: &NodeName, _| Some((InterfaceId::first_of(&InstanceName::new("db1")), Vec::new()));
    let logged = Logged { out_index: Some(7), ..finding(None, false, true).records.remove(0) };
    assert!(matches!(drop_of(&logged, SentBy::Answerer, &lookup).cause, DropCause::Decided(_)));
    let broken = Logged { flaw: Some(Flaw::Checksum), ..logged };
    let DropCause::Other(recorded) = drop_of(&broken, SentBy::Answerer, &lookup).cause else { panic!("a group's") };
    assert_eq!(recorded.record, Record::Invalid);
}

#[test]
fn what_has_left_by_another_interface_proves_nothing_of_the_one_that_was_to_ask() {
    for answer in [None, Some(Answer::Answered(Some("db1".to_owned()))), Some(Answer::Refused)] {
        let seen = ProbeEvidence { seen: answer.is_some(), ..finding(answer, false, true) };
        assert!(!matches!(resolved(&seen), Outcome::Inconclusive { .. }), "{seen:?}");
        let stray = Some(UnaskedPacket::Astray(admitted(Record::Pass(Direction::Egress))));
        assert!(matches!(resolved(&ProbeEvidence { stray, ..seen }), Outcome::Inconclusive { .. }));
    }
}

#[test]
fn an_answer_needs_its_question_at_the_receiver_and_its_way_to_the_sender() {
    for answer in [Answer::Answered(Some("db1".to_owned())), Answer::Answered(None), Answer::Refused] {
        let unseen = finding(Some(answer.clone()), false, true);
        assert!(matches!(resolved(&unseen), Outcome::Inconclusive { .. }), "{answer:?}");
        let good = |outcome: &Outcome| matches!(outcome, Outcome::Open { .. } | Outcome::Refused { .. });
        let seen = ProbeEvidence { seen: true, ..unseen.clone() };
        assert!(good(&resolved(&seen)), "{answer:?}");
        let let_in = ProbeEvidence { records: vec![admitted(Record::Pass(Direction::Ingress))], ..unseen };
        assert!(good(&resolved(&let_in)), "{answer:?}");
        for back in [Back::Missing, Back::Overlooked] {
            assert!(matches!(resolved(&ProbeEvidence { back, ..seen.clone() }), Outcome::Inconclusive { .. }));
        }
        // Nobody was there, or somebody else.
        let down = ProbeEvidence { canary_arrived: false, ..seen };
        assert!(matches!(resolved(&down), Outcome::Inconclusive { .. }), "{answer:?}");
    }
}

#[test]
fn only_who_was_sent_the_question_has_answered_in_place_of_the_receiver() {
    let named = Answer::Answered(Some("web2".to_owned()));
    let answered = ProbeEvidence { seen: true, ..finding(Some(named), false, true) };
    assert!(matches!(resolved(&answered), Outcome::Inconclusive { .. }));
    let elsewhere = vec![NodeName("web2".to_owned())];
    let misdelivered = resolved(&ProbeEvidence { elsewhere, ..answered });
    assert_eq!(misdelivered, Outcome::Misdelivered { answered_by: "web2".to_owned() });
}

#[test]
fn an_echo_is_nobody_elses_answer_where_its_receiver_may_have_been_overlooked() {
    let echo = |overlooked, canary_arrived, elsewhere: &[&str]| {
        let elsewhere = elsewhere.iter().map(|name| NodeName((*name).to_owned())).collect();
        resolved(&ProbeEvidence { elsewhere, ..finding(Some(Answer::Answered(None)), overlooked, canary_arrived) })
    };
    assert!(matches!(echo(false, true, &["web2"]), Outcome::Misdelivered { .. }));
    assert!(matches!(echo(false, true, &[]), Outcome::Inconclusive { .. }));
    assert!(matches!(echo(true, true, &["web2"]), Outcome::Inconclusive { .. }));
    assert!(matches!(echo(false, false, &["web2"]), Outcome::Inconclusive { .. }));
}

#[test]
fn where_no_canary_could_be_sent_that_is_told_and_not_that_none_arrived() {
    let failure = SocketFailure::Kernel("no thread is to be had".to_owned());
    let recorded = |canary_not_sent| resolved(&ProbeEvidence { canary_not_sent, ..finding(None, false, false) });
    let because = |why| Outcome::Inconclusive { why };
    assert_eq!(recorded(Some(failure.clone())), because(MissingEvidence::CanaryNotSent(failure)));
    assert_eq!(recorded(None), because(MissingEvidence::DroppedWithoutCanary));
}

#[test]
fn a_socket_of_the_load_balancers_own_that_fails_is_no_word_of_a_target() {
    let closed = |why: Untaken| {
        let turned_away = Some(CloseReason::Untaken(why));
        resolved(&ProbeEvidence { seen: true, turned_away, ..finding(None, false, true) })
    };
    let inconclusive = |why| Outcome::Inconclusive { why };
    let own = Untaken::NoSocket("too many open files".to_owned());
    assert_eq!(closed(own.clone()), inconclusive(MissingEvidence::ClosedWithoutSocket(own)));
    let theirs = Untaken::Refused("10.0.0.12:80".parse().unwrap());
    assert_eq!(closed(theirs.clone()), inconclusive(MissingEvidence::ClosedByItsTarget(theirs)));
}
