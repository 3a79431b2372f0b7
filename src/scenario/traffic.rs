//! Traffic during a step: which clouds each packet can have met, and what they say of it together.
//!
//! What all of them admit must come through, what none admits must not, and what only some admit may do either. Before
//! the first operation and after each one is acknowledged a packet meets fewer of them, so the word of the new cloud
//! holds for every packet from then on.

use std::time::Instant;

use super::backend::Backend;
use super::results::{Check, CheckStatus, Details, Evidence, Finding, Promise, Said, TrafficDetails};
use super::{cells, explain};
use crate::lab::LabError;
use crate::model::{Cloud, Endpoint, Flow, InstanceState, Peers, Service, SourceLocation, Via};
use crate::policy;
use crate::probe::{Drop, Outcome, Packet, Part, Streams, Trace};
use crate::topology::Step;

/// So many packets flow before the first operation, and so many after the last.
const EACH_SIDE: usize = 200;

/// Words what a file expects.
fn words(promises: &[Promise]) -> String {
    let word = |promise: &Promise| match promise {
        Promise::NoLeak => "leak: none",
        Promise::NoLoss => "loss: none",
    };
    promises.iter().map(word).collect::<Vec<_>>().join(" and ")
}

/// Makes the check of the packets of one flow.
fn check(packets: TrafficDetails, evidence: Evidenced, place: &SourceLocation) -> Check {
    let Evidenced { because, blind } = evidence;
    let has = |promise| packets.expected.contains(&promise);
    let has_leaked = packets.leaked > 0 && has(Promise::NoLeak);
    let has_lost = packets.lost > 0 && blind.is_none() && has(Promise::NoLoss);
    let (status, word) = match (has_leaked || has_lost, &blind) {
        (true, _) if has_leaked => (CheckStatus::Failed, "leaked"),
        (true, _) => (CheckStatus::Failed, "lost"),
        (false, Some(_)) => (CheckStatus::Inconclusive, "inconclusive"),
        (false, None) => (CheckStatus::Passed, "as-expected"),
    };
    let of = |number: usize, all: usize, what: &str| match number {
        0 => format!("none {what}"),
        number => format!("{number} of {all} {what}"),
    };
    let (leaked, lost) = (of(packets.leaked, packets.barred, "leaked"), of(packets.lost, packets.owed, "lost"));
    Check {
        subject: format!("traffic {}", packets.flow),
        expected: words(&packets.expected),
        observed: format!("{} packets: {leaked}, {lost}", packets.sent),
        status,
        // Nothing recorded a packet that passed and should not have.
        reason: match status {
            CheckStatus::Passed => None,
            CheckStatus::Failed if !has_lost => None,
            CheckStatus::Failed | CheckStatus::Inconclusive => blind.or(because),
        },
        said: Said { words: format!("during: {}", packets.flow), place: place.clone() },
        details: Details::Traffic(TrafficDetails { word, ..packets }),
    }
}

/// Facts about the packets of a flow besides their number.
#[derive(Default)]
struct Evidenced {
    /// Reason why the first was lost, as the filter recorded it.
    because: Option<String>,
    /// Reason why the instrument proves nothing.
    blind: Option<String>,
}

/// Traffic of a step under way.
#[derive(Debug)]
pub struct Running {
    flows: Vec<(Flow, SourceLocation)>,
    /// Reason why none flows where it would prove nothing.
    traffic: Result<Streams, String>,
    before: Cloud,
    /// Moment up to which what was sent has met the cloud before, and no other.
    quiet: Option<Instant>,
}

/// Lets the traffic of a step flow, if it has any; and what is in the way.
///
/// # Errors
/// When the lab fails.
pub async fn begin<L: Backend>(lab: &mut L, step: &Step) -> Result<(Option<Running>, Vec<Finding>), LabError> {
    let (mut flows, mut obstacles) = (Vec::new(), Vec::new());
    for pattern in &step.during {
        match cells::select(pattern, None, lab.cloud()) {
            Ok(selected) => flows.extend(selected.into_iter().map(|flow| (flow, pattern.place.clone()))),
            Err(why) => {
                let text = format!("`{}` is no traffic: {why}", pattern.written);
                obstacles.push(Finding { text, place: pattern.place.clone() });
            }
        }
    }
    if lab.evidence() == Evidence::Prediction {
        return Ok((None, obstacles));
    }
    let Some((_, place)) = flows.first().cloned() else { return Ok((None, obstacles)) };
    let all: Vec<Flow> = flows.iter().map(|(flow, _)| flow.clone()).collect();
    let before = lab.cloud().clone();
    let traffic = match lab.begin_traffic(&all).await {
        Ok(traffic) => traffic,
        Err(error @ LabError::NoTraffic { .. }) => {
            obstacles.push(Finding { text: error.to_string(), place });
            return Ok((None, obstacles));
        }
        Err(LabError::UnprovedTraffic { why, .. }) => {
            return Ok((Some(Running { flows, traffic: Err(why), before, quiet: None }), obstacles));
        }
        Err(error) => return Err(error),
    };
    traffic.flows_on(EACH_SIDE).await;
    let now = Instant::now();
    let quiet = lab.settle_traffic(&traffic).await.then_some(now);
    Ok((Some(Running { flows, traffic: Ok(traffic), before, quiet }), obstacles))
}

/// Ends it, and judges every packet. `clouds` are those after each operation, with the moment from which they held.
pub async fn end<L: Backend>(
    lab: &mut L,
    expected: &[Promise],
    running: Running,
    clouds: &[(Instant, Cloud)],
) -> Vec<Check> {
    let Running { flows, traffic, before, quiet } = running;
    let trace = match traffic {
        Ok(traffic) => {
            traffic.flows_on_at_last(EACH_SIDE).await;
            lab.end_traffic(traffic).await
        }
        Err(why) => blind(flows.len(), why),
    };
    judge(&flows, &trace, &Moments { before: &before, quiet, clouds }, expected)
}

/// Reason why a prediction says nothing of traffic.
pub const NOT_PREDICTED: &str =
    "sglab does not predict what traffic meets while the cloud changes; `sglab test` sends it";

/// Makes the checks of a prediction for the traffic of a step.
pub fn unpredicted(step: &Step, expected: &[Promise], before: &Cloud) -> Vec<Check> {
    let flows = step.during.iter().flat_map(|pattern| {
        let selected = cells::select(pattern, None, before).unwrap_or_default();
        selected.into_iter().map(|flow| (flow, pattern.place.clone()))
    });
    let flows: Vec<(Flow, SourceLocation)> = flows.collect();
    let trace = blind(flows.len(), NOT_PREDICTED.to_owned());
    let checks = judge(&flows, &trace, &Moments { before, quiet: None, clouds: &[] }, expected);
    // No packet was to be sent, so none is counted.
    checks.into_iter().map(|check| Check { observed: "nothing".to_owned(), ..check }).collect()
}

/// The trace of streams of which nothing is known, and why.
fn blind(streams: usize, why: String) -> Trace {
    Trace { streams: vec![Vec::new(); streams], blind: Some(why), ..Trace::default() }
}

/// The clouds that packets can have met.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    /// The one before the first operation.
    pub before: &'a Cloud,
    /// Moment up to which what was sent has met that one only.
    pub quiet: Option<Instant>,
    /// Those after each operation, with the moment at which it was acknowledged.
    pub clouds: &'a [(Instant, Cloud)],
}

/// Judges every packet of every flow.
pub fn judge(
    flows: &[(Flow, SourceLocation)],
    trace: &Trace,
    moments: &Moments<'_>,
    expected: &[Promise],
) -> Vec<Check> {
    let judged = flows.iter().zip(&trace.streams).enumerate().map(|(number, ((flow, place), packets))| {
        let verdicts = verdicts(flow, moments);
        let meetings = meetings(&Peers::of(flow, trace.held_from.get(number).copied().flatten()), moments);
        let unsent = trace.unsent.get(number).cloned().flatten();
        let mut evidence = Evidenced { because: None, blind: trace.blind.clone().or(unsent) };
        let mut result = TrafficDetails {
            flow: flow.clone(),
            sent: packets.len(),
            owed: 0,
            lost: 0,
            barred: 0,
            leaked: 0,
            either: 0,
            expected: expected.to_vec(),
            word: "inconclusive",
        };
        for packet in packets {
            let arrived = packet.arrived;
            match says(packet, &verdicts, &meetings, moments) {
                Some(true) => {
                    result.owed += 1;
                    result.lost += usize::from(!arrived);
                    if !arrived && evidence.because.is_none() {
                        let recorded = packet.drop.as_ref().map(|drop| told(packet.part, flow, drop, moments.before));
                        evidence.because =
                            Some(recorded.unwrap_or_else(|| "it did not arrive, and no filter recorded it".to_owned()));
                    }
                }
                Some(false) => {
                    result.barred += 1;
                    result.leaked += usize::from(arrived);
                }
                None => result.either += 1,
            }
        }
        let last = moments.clouds.last().map(|(acknowledged, _)| *acknowledged);
        let after = |packet: &&Packet| last.is_none_or(|last| packet.before >= last);
        if evidence.blind.is_none() && result.owed + result.barred == 0 {
            evidence.blind = Some("of no packet is it known what must become of it".to_owned());
        } else if evidence.blind.is_none() && packets.iter().filter(after).count() == 0 {
            evidence.blind = Some("nothing was sent after the last operation".to_owned());
        }
        check(result, evidence, place)
    });
    judged.collect()
}

/// Says where a packet was dropped, and for want of what.
fn told(part: Part, flow: &Flow, drop: &Drop, cloud: &Cloud) -> String {
    match (part, drop.cause.groups()) {
        (Part::New, Some(_)) => {
            let why = explain::reason_in_words(flow, &Outcome::Dropped(drop.clone()), cloud).unwrap_or_default();
            format!("{}; {why}", explain::unanswerable(drop))
        }
        (Part::New, None) | (Part::Forth | Part::Back, _) => explain::cut(drop),
    }
}

/// Tells for each cloud whether it admits a flow as something new; nothing from the first on in which an end of it is another.
fn verdicts(flow: &Flow, moments: &Moments<'_>) -> Vec<Option<bool>> {
    let clouds = std::iter::once(moments.before).chain(moments.clouds.iter().map(|(_, cloud)| cloud));
    let first = ends(flow, moments.before);
    let mut same = true;
    let verdict = clouds.map(|cloud| {
        same &= ends(flow, cloud) == first;
        same.then(|| policy::judge(cloud, flow).is_open())
    });
    verdict.collect()
}

/// Tells for each cloud whether it lets the two ends of a flow meet, where both send from fixed ports as those of a held connection do. A ping's
/// receiver sends answers only, to what has come.
fn meetings(peers: &Peers, moments: &Moments<'_>) -> Vec<Option<bool>> {
    if peers.there.service == Service::IcmpEcho {
        return vec![Some(false); moments.clouds.len() + 1];
    }
    let clouds = std::iter::once(moments.before).chain(moments.clouds.iter().map(|(_, cloud)| cloud));
    clouds.map(|cloud| policy::meeting(cloud, peers).map(|meeting| meeting.there)).collect()
}

/// Lists what a packet's addresses are made of, and whether those who have them run.
fn ends(flow: &Flow, cloud: &Cloud) -> Vec<Option<String>> {
    let of = |end: &Endpoint| {
        let id = end.interface()?;
        let instance = id.instance().and_then(|name| cloud.instances.get(name));
        let running = instance.is_some_and(|it| it.state == InstanceState::Running);
        let interface = cloud.interface(&id).filter(|_| running)?;
        Some(match flow.via {
            Via::Private => format!("{:?}", interface.private),
            Via::Secondary(_) => format!("{:?} {:?} {:?}", interface.private, interface.secondary, interface.ipv6),
            _ => format!("{:?} {:?} {:?}", interface.private, interface.public, interface.ipv6),
        })
    };
    vec![of(&flow.from), of(&flow.to)]
}

/// Returns what all the clouds say of a packet that it can have met; nothing where they differ.
fn says(packet: &Packet, verdicts: &[Option<bool>], meetings: &[Option<bool>], moments: &Moments<'_>) -> Option<bool> {
    let acknowledged = moments.clouds.iter().filter(|(at, _)| *at <= packet.before).count();
    let last = if moments.quiet.is_some_and(|quiet| packet.after <= quiet) { 0 } else { moments.clouds.len() };
    let all = |range: &[Option<bool>], wanted: bool| range.iter().all(|verdict| *verdict == Some(wanted));
    let met = verdicts.get(acknowledged.min(last)..=last)?;
    // A held connection remembers what an earlier cloud has admitted.
    let ever = verdicts.get(..=last)?;
    let (admitted, barred) = match packet.part {
        // No group is asked about a packet that an earlier flow from its port lets in.
        Part::New => (all(met, true), all(met, false) && (packet.judged || !packet.arrived)),
        // The receiver sends as well, and who has sent takes what comes back, whatever its rules say.
        Part::Forth => (all(met, true), all(ever, false) && all(meetings.get(..=last)?, false)),
        // An answer needs a question that came through; without one it is a new flow, of which nothing is said here.
        Part::Back => (all(ever, true), false),
    };
    match (admitted, barred) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::sample::Sample;
    use crate::model::{Era, InstanceName, Port, Service};

    /// `a` may ask `b` for UDP 53 before, and not after; operations are acknowledged 10 ms after the beginning.
    fn judged(part: Part, at: u64, arrived: bool) -> Check {
        let base = Sample::new(Era::Vpc).group("G", &[]).group("H", &["udp 53 from G"]);
        let before = base.instance("a", &["G"]).instance("b", &["H"]);
        let mut after = before.clone();
        for group in after.0.groups.values_mut() {
            group.ingress.clear();
        }
        let begin = Instant::now();
        let moment = |at| begin + Duration::from_millis(at);
        let flow = Flow {
            from: Endpoint::Instance(InstanceName::new("a")),
            to: Endpoint::Instance(InstanceName::new("b")),
            via: Via::Private,
            service: Service::Udp(Port(53)),
        };
        let packet = Packet { part, before: moment(at), after: moment(at), arrived, judged: true, drop: None };
        // One of after the last operation, of which nothing is said, so that the packet alone decides.
        let later = Packet {
            part: Part::Back,
            before: moment(30),
            after: moment(30),
            arrived: false,
            judged: true,
            drop: None,
        };
        let trace = Trace { streams: vec![vec![packet, later]], ..Trace::default() };
        let clouds = [(moment(10), after.0)];
        let moments = Moments { before: &before.0, quiet: Some(moment(5)), clouds: &clouds };
        let place = SourceLocation { file: Arc::from("t.yaml"), line: 1, column: 1 };
        judge(&[(flow, place)], &trace, &moments, &[Promise::NoLeak, Promise::NoLoss]).remove(0)
    }

    fn either(check: &Check) -> usize {
        check.details.traffic().expect("traffic").either
    }

    #[test]
    fn before_the_old_rule_holds_after_the_new_one_and_in_between_either() {
        assert_eq!(judged(Part::New, 1, false).word(), "lost");
        assert_eq!(judged(Part::New, 1, true).word(), "as-expected");
        for arrived in [false, true] {
            assert_eq!(either(&judged(Part::New, 7, arrived)), 2, "on its way while the operation was");
        }
        assert_eq!(judged(Part::New, 20, true).word(), "leaked");
        assert_eq!(judged(Part::New, 20, false).word(), "as-expected");
    }

    #[test]
    fn a_held_connection_may_outlive_its_rule_or_be_cut() {
        for arrived in [false, true] {
            let check = judged(Part::Forth, 20, arrived);
            assert_eq!((either(&check), check.is_failed()), (2, false));
        }
        assert_eq!(judged(Part::Forth, 1, false).word(), "lost");
    }

    #[test]
    fn the_word_is_that_of_the_promise_that_is_broken() {
        let details = |expected: &[Promise]| TrafficDetails {
            expected: expected.to_vec(),
            lost: 3,
            leaked: 2,
            ..judged(Part::New, 1, true).details.traffic().expect("traffic").clone()
        };
        let check_of = |expected: &[Promise]| {
            let evidence = Evidenced { because: Some("dropped at b".to_owned()), blind: None };
            let check =
                check(details(expected), evidence, &SourceLocation { file: "a.yaml".into(), line: 1, column: 1 });
            (check.word().to_owned(), check.reason.clone())
        };
        assert_eq!(check_of(&[Promise::NoLoss]), ("lost".to_owned(), Some("dropped at b".to_owned())));
        assert_eq!(check_of(&[Promise::NoLeak]), ("leaked".to_owned(), None), "the reason is that of a loss");
    }

    #[test]
    fn what_nobody_can_say_anything_about_is_inconclusive() {
        assert_eq!(judged(Part::New, 7, true).word(), "inconclusive");
    }
}
