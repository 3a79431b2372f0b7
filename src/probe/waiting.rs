//! A probe under way: it waits for evidence, and what is known of it is put together behind its canaries.

use std::collections::HashSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::ask::{Ask, is_unanswered, stays_inside};
use super::canary::{self, Receiver};
use super::evidence::{Logged, PassedOn, ProbeRecord, UnaskedPacket};
use super::failure::{CloseReason, SocketFailure};
use super::patience::within;
use super::question::{Answer, Answering};
use crate::fabric::packet::Tuple;
use crate::model::Service;
use crate::network::NodeName;

/// The fallback: how long a probe waits that neither an answer nor a record resolves.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Evidence on an [`Ask`].
#[derive(Clone, Debug)]
pub(super) struct ProbeEvidence {
    /// Result of the socket, if it has one.
    pub answer: Option<Answer>,
    /// Records of the filters.
    pub records: Vec<Logged>,
    /// True if a packet of it was sent over the receiver's link.
    pub seen: bool,
    /// True if a canary behind it was too, and the link was up all the time and leads where it did: else neither "seen" nor "not seen" means
    /// anything.
    pub canary_arrived: bool,
    /// Reason why no canary was sent behind it.
    pub canary_not_sent: Option<SocketFailure>,
    /// True if more was sent to the receiver than could be looked at, so that "not seen" means nothing.
    pub overlooked: bool,
    /// True if it never leaves the sender, who asks itself.
    pub inside: bool,
    /// True if the groups of each end have been asked of it, by a filter's record. Else it may have passed by an earlier flow of those ends, who can
    /// begin one from every port.
    pub judged: bool,
    /// Namespaces beside the parties that it was sent to.
    pub elsewhere: Vec<NodeName>,
    /// Evidence that the socket's answer was sent back over the sender's link.
    pub back: Back,
    /// The record of a drop of a packet that only looks like it, and who has sent that.
    pub forged: Option<(NodeName, Logged)>,
    /// Proof that something else was sent than was asked.
    pub stray: Option<UnaskedPacket>,
    /// Reason why a load balancer closed it, where one did.
    pub turned_away: Option<CloseReason>,
    /// The connection by which a load balancer passed it on, where one did.
    pub passed_on: Option<Onward>,
    /// The record of a drop of its answer.
    pub answer_drop: Option<Logged>,
    /// True if it was dropped where an interface may have been owed memory of it, and had no room for more.
    pub lacked_room: bool,
    /// True if the fallback ended the wait.
    pub timed_out: bool,
    /// Number of log records lost meanwhile.
    pub lost: u64,
}

/// Evidence that the socket's answer was sent over the sender's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It was, or the answer is no word of the sender's own kernel.
    Shown,
    /// Nothing of the kind.
    Missing,
    /// More was sent there than could be looked at.
    Overlooked,
}

/// Evidence on the connection by which a load balancer passed another on.
#[derive(Clone, Debug)]
pub(super) struct Onward {
    /// Records of the filters.
    pub records: Vec<Logged>,
    /// Namespaces that it was sent to.
    pub sent_to: Vec<NodeName>,
}

impl Onward {
    fn of(on: &PassedOn) -> Self {
        Self { records: on.case.records(), sent_to: on.case.seen_elsewhere() }
    }
}

impl ProbeEvidence {
    /// Reports whether it proves nothing for want of sight, or by the port that it had, so that asking once more may help.
    pub fn is_blind(&self) -> bool {
        self.back == Back::Overlooked
            || self.overlooked && !self.seen
            || self.answer.is_some() && self.seen && !self.judged
    }
}

pub(super) type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A probe under way.
pub(super) struct Probe {
    pub case: Arc<ProbeRecord>,
    pub tuples: Vec<Tuple>,
    pub state: State,
}

pub(super) enum State {
    /// Result of the socket, and whether everybody who should has seen it.
    Answered(Answer, bool),
    /// A filter recorded a drop; the socket still waits, in case the record lies.
    Recorded(Pending),
    /// A datagram for a program has arrived, which need not answer; the socket still waits, in case nobody takes it.
    Arrived(Pending),
    /// It has arrived, and a filter recorded a drop of the answer; the socket still waits, in case another comes.
    AnswerDropped(Pending),
    TimedOut,
}

/// Waits for an answer, a delivery, a record of a drop, or the end of patience.
pub(super) async fn until_evidence(ask: &Ask, mut pending: Pending, case: &ProbeRecord) -> State {
    enum Seen {
        Answer(Answer),
        Drop,
        Arrival,
        AnswerDrop,
    }
    let need_not_answer = ask.answering == Answering::Program && matches!(ask.service, Service::Udp(_));
    let evidence = async {
        loop {
            tokio::select! {
                biased;
                answer = &mut pending => return Seen::Answer(answer),
                () = case.news.notified() => {
                    if let Some(node) = case.delivered_to() {
                        return Seen::Answer(Answer::Answered(Some(node.0)));
                    }
                    if case.has_drop() {
                        return Seen::Drop;
                    }
                    if ask.answering == Answering::ProgramBehind && case.passed_on().is_some() {
                        return Seen::Answer(Answer::Connected);
                    }
                    let arrived = |receiver: &Receiver| case.seen_by(&receiver.node, receiver.address);
                    if !ask.receiver.as_ref().is_some_and(arrived) {
                        continue;
                    }
                    if case.answer_drop().is_some() {
                        return Seen::AnswerDrop;
                    }
                    if need_not_answer {
                        return Seen::Arrival;
                    }
                }
            }
        }
    };
    match within(PROBE_TIMEOUT, evidence).await {
        Some(Seen::Answer(Answer::Unreachable)) => {
            // A router that says so has a record of it, which may come a moment later.
            canary::wait(case, ProbeRecord::has_drop).await;
            State::Answered(Answer::Unreachable, true)
        }
        Some(Seen::Answer(answer)) => {
            let witnessed = until_witnessed(ask, &answer, case).await;
            State::Answered(answer, witnessed)
        }
        Some(Seen::Drop) => State::Recorded(pending),
        Some(Seen::Arrival) => State::Arrived(pending),
        Some(Seen::AnswerDrop) => State::AnswerDropped(pending),
        None => State::TimedOut,
    }
}

/// Puts together what is known of a probe, now that the canaries behind it have arrived.
pub(super) async fn finish(
    ask: &Ask,
    probe: Probe,
    arrived: Result<&HashSet<(NodeName, IpAddr)>, &SocketFailure>,
    lost: u64,
) -> (ProbeEvidence, Vec<Tuple>) {
    let Probe { case, tuples, state } = probe;
    let is_seen = || ask.receiver.as_ref().is_some_and(|receiver| case.seen_by(&receiver.node, receiver.address));
    let (answer, timed_out) = match state {
        State::Answered(answer, witnessed) => (Some(answer), !witnessed),
        State::TimedOut => (None, true),
        // The canary behind it has come, so "port unreachable" would have come back by now.
        State::Arrived(mut pending) => {
            witnessed(ask, Some(now(&mut pending).unwrap_or(Answer::Connected)), &case).await
        }
        State::AnswerDropped(mut pending) => witnessed(ask, now(&mut pending), &case).await,
        // The record says dropped, and yet it has arrived: then only the socket tells.
        State::Recorded(pending) if is_seen() => match within(PROBE_TIMEOUT, pending).await {
            Some(answer) => witnessed(ask, Some(answer), &case).await,
            None => (None, true),
        },
        State::Recorded(_) => (None, false),
    };
    let seen = is_seen();
    let canary_arrived =
        ask.receiver.as_ref().is_some_and(|receiver| arrived.is_ok_and(|arrived| arrived.contains(&receiver.link())));
    let overlooked = ask.receiver.as_ref().is_some_and(|receiver| case.overlooked_at(&receiver.node));
    let (records, turned_away) = (case.records(), case.turned_away());
    let passed_on = case.passed_on().as_ref().map(Onward::of);
    let back = match &answer {
        Some(answer) if !is_sent_back(ask, answer, &case) => {
            if case.overlooked_at(&ask.sender.name) {
                Back::Overlooked
            } else {
                Back::Missing
            }
        }
        _ => Back::Shown,
    };
    let answer_drop = case.answer_drop();
    let finding = ProbeEvidence {
        answer,
        records,
        seen,
        canary_arrived,
        canary_not_sent: arrived.err().cloned(),
        overlooked,
        inside: stays_inside(ask),
        judged: is_judged(ask, &case),
        elsewhere: case.seen_elsewhere(),
        back,
        forged: case.forged(),
        stray: case.stray(),
        turned_away,
        passed_on,
        answer_drop,
        // Nobody knows the port of a datagram before it is sent.
        lacked_room: matches!(ask.service, Service::Protocol(_)) && case.lacked_room(),
        timed_out,
        lost,
    };
    (finding, tuples)
}

/// Waits until those who watch links have said all that they are going to say of an answer, which is nothing where an end lies. False when
/// patience ends.
async fn until_witnessed(ask: &Ask, answer: &Answer, case: &ProbeRecord) -> bool {
    let node = &ask.sender.name;
    canary::wait(case, |case| {
        is_sent(ask, answer, case)
            && (is_sent_back(ask, answer, case) || case.overlooked_at(node))
            && (is_judged(ask, case) || is_elsewhere(case) || matches!(answer, Answer::Failed(_) | Answer::Unreachable))
    })
    .await
}

async fn witnessed(ask: &Ask, answer: Option<Answer>, case: &ProbeRecord) -> (Option<Answer>, bool) {
    match answer {
        Some(answer) => {
            let in_time = until_witnessed(ask, &answer, case).await;
            (Some(answer), !in_time)
        }
        None => (None, false),
    }
}

/// Reports whether the question of such an answer was sent to anybody, or may have been and was overlooked.
fn is_sent(ask: &Ask, answer: &Answer, case: &ProbeRecord) -> bool {
    let to = |receiver: &Receiver| case.seen_by(&receiver.node, receiver.address) || case.overlooked_at(&receiver.node);
    stays_inside(ask)
        || matches!(answer, Answer::Failed(_))
        || ask.receiver.as_ref().is_some_and(to)
        || is_elsewhere(case)
}

/// Reports whether the question was sent to somebody else, whose groups are not those of the receiver.
fn is_elsewhere(case: &ProbeRecord) -> bool {
    !case.seen_elsewhere().is_empty()
}

/// Reports whether filters have on record what the groups of each end said of the question that are to be asked of it. Where they said no and it came
/// all the same, the filter is what is wrong.
pub(super) fn is_judged(ask: &Ask, case: &ProbeRecord) -> bool {
    stays_inside(ask) || ask.judged_at.iter().all(|at| case.was_asked(*at))
}

/// Reports whether an answer that the socket came to was sent over the sender's link. What a listener or a load balancer of ours says is no word of
/// the sender's.
fn is_sent_back(ask: &Ask, answer: &Answer, case: &ProbeRecord) -> bool {
    let back = case.sent_back();
    match answer {
        _ if stays_inside(ask) => true,
        Answer::Answered(_) => is_unanswered(ask) || back.answer,
        // A datagram may be taken without an answer.
        Answer::Connected => {
            ask.answering == Answering::ProgramBehind || matches!(ask.service, Service::Udp(_)) || back.answer
        }
        Answer::Refused => back.refusal,
        Answer::Unreachable | Answer::Failed(_) => true,
    }
}

/// Returns the answer that has come by now.
fn now(pending: &mut Pending) -> Option<Answer> {
    pending.now_or_never()
}
