//! A probe under way: it waits for evidence, and what is known of it is put together behind its canaries.

use std::collections::HashSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::timeout;

use super::ask::{Answering, Ask};
use super::attempt::Answer;
use super::canary::{self, Receiver};
use super::evidence::{Case, Logged};
use crate::compile::network::NodeName;
use crate::fabric::packet::Tuple;
use crate::model::Service;

/// The fallback: how long a probe waits that neither an answer nor a record resolves.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of an [`Ask`].
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What the socket came to, if it came to anything.
    pub answer: Option<Answer>,
    /// What the filters recorded.
    pub records: Vec<Logged>,
    /// Whether a packet of it arrived at the receiver.
    pub seen: bool,
    /// Whether the receiver's canaries arrived, so that "not seen" means something.
    pub canary_arrived: bool,
    /// Whether more came to the receiver than could be looked at, so that it means nothing.
    pub overlooked: bool,
    /// Why a load balancer closed it, where one did.
    pub turned_away: Option<String>,
    /// What the filters recorded of the connection by which a load balancer passed it on, where one did.
    pub passed_on: Option<Vec<Logged>>,
    /// The record of a drop of its answer.
    pub answer_drop: Option<Logged>,
    /// Whether the fallback ended the wait.
    pub timed_out: bool,
    /// Whether log records were lost meanwhile.
    pub lost: u64,
}

pub(super) type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A probe under way.
pub(super) struct Probe {
    pub case: Arc<Case>,
    pub tuples: Vec<Tuple>,
    pub state: State,
}

pub(super) enum State {
    Answered(Answer),
    /// A filter recorded a drop; the socket still waits, in case the record lies.
    Recorded(Pending),
    /// A datagram for a program has arrived, which need not answer; the socket still waits, in case nobody takes it.
    Arrived(Pending),
    /// It has arrived, and a filter recorded a drop of the answer; the socket still waits, in case another comes.
    AnswerDropped(Pending),
    TimedOut,
}

/// Waits for an answer, a delivery, a record of a drop, or the end of patience.
pub(super) async fn until_evidence(ask: &Ask, mut pending: Pending, case: &Case) -> State {
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
    match timeout(PATIENCE, evidence).await {
        Ok(Seen::Answer(Answer::Unreachable)) => {
            // A router that says so has a record of it, which may come a moment later.
            canary::wait(case, Case::has_drop).await;
            State::Answered(Answer::Unreachable)
        }
        Ok(Seen::Answer(answer)) => State::Answered(answer),
        Ok(Seen::Drop) => State::Recorded(pending),
        Ok(Seen::Arrival) => State::Arrived(pending),
        Ok(Seen::AnswerDrop) => State::AnswerDropped(pending),
        Err(_) => State::TimedOut,
    }
}

/// Puts together what is known of a probe, now that the canaries behind it have arrived.
pub(super) async fn finish(
    ask: &Ask,
    probe: Probe,
    arrived: &HashSet<(NodeName, IpAddr)>,
    lost: u64,
) -> (Finding, Vec<Tuple>) {
    let Probe { case, tuples, state } = probe;
    let seen = ask.receiver.as_ref().is_some_and(|receiver| case.seen_by(&receiver.node, receiver.address));
    let (answer, timed_out) = match state {
        State::Answered(answer) => (Some(answer), false),
        State::TimedOut => (None, true),
        // The canary behind it has come, so "port unreachable" would have come back by now.
        State::Arrived(mut pending) => (Some(now(&mut pending).unwrap_or(Answer::Connected)), false),
        State::AnswerDropped(mut pending) => (now(&mut pending), false),
        // The record says dropped, and yet it has arrived: then only the socket tells.
        State::Recorded(pending) if seen => match timeout(PATIENCE, pending).await {
            Ok(answer) => (Some(answer), false),
            Err(_) => (None, true),
        },
        State::Recorded(_) => (None, false),
    };
    let canary_arrived = ask.receiver.as_ref().is_some_and(|receiver| arrived.contains(&receiver.link()));
    let overlooked = ask.receiver.as_ref().is_some_and(|receiver| case.overlooked_at(&receiver.node));
    let (records, turned_away) = (case.records(), case.turned_away());
    let passed_on = case.passed_on().map(|on| on.case.records());
    let answer_drop = case.answer_drop();
    let finding = Finding {
        answer,
        records,
        seen,
        canary_arrived,
        overlooked,
        turned_away,
        passed_on,
        answer_drop,
        timed_out,
        lost,
    };
    (finding, tuples)
}

/// What has come by now.
fn now(pending: &mut Pending) -> Option<Answer> {
    pending.now_or_never()
}
