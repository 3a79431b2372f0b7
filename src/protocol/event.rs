//! Events of a lab, and results of requests: operations in force, and flows that were probed.

use serde::{Deserialize, Serialize};

use crate::model::{Change, Operation, Refusal};
use crate::scenario::{PacketVerdict, ProbedFlow};

/// Something that happened in a lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Events are numbered from 1; a number that is not there was not kept.
    pub number: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// The event.
    pub kind: EventKind,
}

/// Kind of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// An operation changed the cloud.
    Change(Applied),
    /// EC2 refused an operation.
    Refused {
        /// The operation.
        operation: Operation,
        /// EC2's code and text.
        refusal: Refusal,
    },
    /// A probe found something.
    Probe(Box<ProbedFlow>),
    /// A filter admitted a new flow, or dropped a packet: a probe's or anybody's.
    Verdict(Box<PacketVerdict>),
    /// Events that were lost to this listener, or were never known.
    Missed {
        /// Their number.
        events: u64,
    },
}

/// A packet as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedFrame {
    /// Seconds since 1970 when the kernel saw it.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// From the Ethernet header on, two digits a byte.
    pub hex: String,
}

/// One operation that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The operation.
    pub operation: Operation,
    /// Everything that it changed.
    pub changes: Vec<Change>,
    /// Seconds until the kernel had it.
    pub in_force: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Flow, GroupName, InstanceName, LoadBalancerName, Port, Scheme, Service, Via};
    use crate::network::NodeName;
    use crate::network::record::Record;
    use crate::probe::{CloseReason, HealthFailure, MissingEvidence, Outcome, SocketFailure, Unaskable, Untaken};
    use crate::scenario::results::reason::{FailedTargets, NearMiss, NoIngressRule, Reason};

    /// Reasons of every kind, each with its words on the other side of the socket.
    fn reasons() -> Vec<(Reason, &'static str)> {
        let web = || Endpoint::Instance(InstanceName::new("web1"));
        let unproved = |why, crashed| Reason::Unproved { why, crashed };
        let untaken = || Untaken::NoAnswer("10.0.0.11:80".parse().unwrap());
        let nobody = NoIngressRule {
            groups: vec![GroupName::new("DB"), GroupName::new("WEB")],
            service: Service::Tcp(Port(3306)),
            source: [10, 0, 0, 11].into(),
            public: None,
            itself: None,
            near_miss: Some(NearMiss::NoRules { at: crate::model::Direction::Ingress, only: None }),
        };
        let closed = Reason::Closed {
            by: Endpoint::LoadBalancer(LoadBalancerName::new("lb"), Scheme::Internal),
            why: CloseReason::NoneInService,
            failed: vec![FailedTargets {
                targets: ["web1", "web2"].map(InstanceName::new).to_vec(),
                cause: HealthFailure::Found(untaken()),
            }],
        };
        let lost = MissingEvidence::RecordsLost { count: 3, why: Box::new(MissingEvidence::NoTrace) };
        let forged = MissingEvidence::ForgedOnly { end: NodeName("db1".to_owned()), record: Record::Spoofed };
        vec![
            (
                Reason::NoIngressRule(nobody),
                "no rule of DB, WEB admits tcp 3306 from 10.0.0.11; they have no ingress rules",
            ),
            (
                closed,
                "lb closed it: no instance behind it is in service; web1 and web2 fail their health checks: 10.0.0.11:80: no answer",
            ),
            (Reason::NobodyListens, "the groups let it in, nobody listens"),
            (Reason::Stopped(web()), "web1 is stopped"),
            (unproved(lost, None), "no answer, and no filter has a record of it; 3 log records were lost meanwhile"),
            (
                unproved(forged, None),
                "no answer, and no filter has a record of it but of a packet that db1 has forged: spoofed",
            ),
            (
                unproved(MissingEvidence::Unaskable(Unaskable::NotRunning(web())), None),
                "web1 is not running, so it can ask nothing",
            ),
            (
                unproved(MissingEvidence::ClosedByItsTarget(untaken()), None),
                "the load balancer closed it, by the word of the target whose turn it was: 10.0.0.11:80: no answer",
            ),
            (
                unproved(MissingEvidence::ClosedWithoutSocket(Untaken::NoSocket("no buffer space".to_owned())), None),
                "the load balancer closed it, as it could open no connection of its own: no socket: no buffer space",
            ),
            (
                unproved(MissingEvidence::Socket(SocketFailure::Kernel("no buffer space".to_owned())), Some(web())),
                "no buffer space; web1 has crashed and is silent, which is no outcome: expect `dropped` where no rule admits the flow, or that a held \
                 connection is `gone`",
            ),
        ]
    }

    #[test]
    fn a_reason_crosses_the_socket_as_a_value_and_is_put_into_words_behind_it() {
        for (reason, words) in reasons() {
            let [from, to] = ["client", "web1"].map(|name| Endpoint::Instance(InstanceName::new(name)));
            let flow = Flow { from, to, via: Via::Private, service: Service::Tcp(Port(80)) };
            let outcome = Outcome::Unreachable { by: None };
            let probed = ProbedFlow { flow, outcome, rule: None, reason: Some(reason), resolved: None, records: None };
            let text = serde_json::to_string(&probed).unwrap();
            assert!(!text.contains(words), "{text}");
            let read: ProbedFlow = serde_json::from_str(&text).unwrap();
            assert_eq!(read, probed);
            assert_eq!(read.reason.map(|reason| reason.to_string()).as_deref(), Some(words));
        }
    }
}
