//! Two peers that send to each other from fixed ports, or by a protocol that has none.
//!
//! Each interface tracks for itself: who has sent takes what comes back, though no rule admits it as something new, and though what
//! was sent never arrived. So two peers reach each other when both may send.
//!
//! Source: "Security group connection tracking" (EC2): "if your instance sends traffic to another host, and the host sends the same type
//! of traffic to your instance within 600 seconds, the security group for your instance accepts it regardless of inbound security
//! group rules", said there of protocols other than TCP, UDP and ICMP. Of UDP it follows from tracking by addresses and ports.

use super::judge::walk;
use super::memory::{Memory, memory};
use super::walk::Stage;
use crate::model::{Cloud, Direction, Flow, Peers, Service, Verdict};

/// Packets of each peer that arrive, once both have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// True if those of the first peer arrive.
    pub there: bool,
    /// True if those of the other arrive.
    pub back: bool,
}

/// The meeting of two peers, each of which sends to the address and port that the other sends from. Nothing for TCP
/// and ICMP, of which a packet in the other direction is no answer, and where an appliance is on the way.
pub fn meeting(cloud: &Cloud, peers: &Peers) -> Option<Meeting> {
    if !matches!(peers.there.service, Service::Udp(_) | Service::Protocol(_)) {
        return None;
    }
    let there = Sent::of(cloud, &peers.there)?;
    let back = Sent::of(cloud, &peers.back)?;
    // What rules admit is answered whatever the other direction's rules say.
    if there == Sent::Arrives || back == Sent::Arrives {
        return Some(Meeting { there: true, back: true });
    }
    let both = there == Sent::IsRemembered && back == Sent::IsRemembered;
    Some(Meeting { there: both, back: both })
}

/// Fate of the first packet that an end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// Rules admit it at both ends.
    Arrives,
    /// It gets as far as the receiver's rules, and the sender remembers it.
    IsRemembered,
    /// Neither.
    IsLost,
}

impl Sent {
    fn of(cloud: &Cloud, flow: &Flow) -> Option<Self> {
        let walk = walk(cloud, flow);
        if walk.stages.iter().any(|stage| matches!(stage, Stage::Routed { .. })) {
            return None;
        }
        let is_tracked = |stage: &Stage| match stage {
            Stage::RuleEvaluation(asked) if asked.at == Direction::Egress => {
                memory(cloud, asked, flow.service).is_some_and(Memory::is_tracked)
            }
            // Classic tracks what goes out.
            Stage::NoEgressRules { .. } => true,
            _ => false,
        };
        // A host outside has no groups, and takes everything.
        let from_outside = flow.from.interface().is_none();
        Some(match walk.verdict {
            Verdict::Open { .. } => Self::Arrives,
            Verdict::Dropped { .. }
                if walk.verdict.refused_at() == Some(Direction::Ingress)
                    && (from_outside || walk.stages.iter().any(is_tracked)) =>
            {
                Self::IsRemembered
            }
            Verdict::Dropped { .. }
            | Verdict::Misdelivered { .. }
            | Verdict::Unreachable { .. }
            | Verdict::Unresolved => Self::IsLost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::Sample;
    use crate::model::{Endpoint, Era, InstanceName, Port, Via};

    fn met(sample: Sample, service: Service, via: Via) -> Option<(bool, bool)> {
        let end = |name: &str| Endpoint::Instance(InstanceName::new(name));
        let flow = Flow { from: end("a"), to: end("b"), via, service };
        meeting(&sample.0, &Peers::of(&flow, None)).map(|meeting| (meeting.there, meeting.back))
    }

    fn peers(era: Era) -> Sample {
        Sample::new(era).group("G", &[]).group("H", &[]).instance("a", &["G"]).instance("b", &["H"])
    }

    const WIREGUARD: Service = Service::Udp(Port(51820));

    #[test]
    fn two_peers_that_let_nothing_in_meet_when_both_send() {
        for era in Era::ALL {
            for via in [Via::Private, Via::Public] {
                assert_eq!(met(peers(era), WIREGUARD, via), Some((true, true)), "{era} {via:?}");
            }
        }
        assert_eq!(met(peers(Era::Vpc), Service::Protocol(50), Via::Private), Some((true, true)));
    }

    #[test]
    fn who_may_not_send_meets_nobody_unless_a_rule_admits_what_comes() {
        let mute = || peers(Era::Vpc).egress("H", &[]);
        assert_eq!(met(mute(), WIREGUARD, Via::Private), Some((false, false)));
        assert_eq!(met(mute().allow("H", &["udp 51820 from G"]), WIREGUARD, Via::Private), Some((true, true)));
    }

    #[test]
    fn a_rule_of_either_end_for_the_port_that_the_other_sends_to_is_enough() {
        let end = |name: &str| Endpoint::Instance(InstanceName::new(name));
        let flow = Flow { from: end("a"), to: end("b"), via: Via::Private, service: Service::Udp(Port(500)) };
        // `a` may send, and `b` may not: only a rule of `a` for the port that it sends from makes the two meet.
        let met = |rules: &[&str], port: Option<Port>| {
            let sample = peers(Era::Vpc).egress("G", &["udp 500 to H"]).egress("H", &["udp 4500 to G"]);
            let sample = rules.iter().fold(sample, |sample, rule| sample.allow("G", &[rule]));
            let mute = sample.egress("G", &[]);
            meeting(&mute.0, &Peers::of(&flow, port)).map(|meeting| (meeting.there, meeting.back))
        };
        assert_eq!(met(&["udp 4500 from H"], Some(Port(4500))), Some((true, true)));
        assert_eq!(met(&["udp 500 from H"], Some(Port(4500))), Some((false, false)));
        assert_eq!(met(&["udp 4500 from H"], None), Some((false, false)), "from 500 to 500");
    }

    #[test]
    fn a_connection_and_a_ping_in_the_other_direction_are_no_answers() {
        assert_eq!(met(peers(Era::Vpc), Service::Tcp(Port(80)), Via::Private), None);
        assert_eq!(met(peers(Era::Vpc), Service::IcmpEcho, Via::Private), None);
    }
}
