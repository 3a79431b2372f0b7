//! Results of probes, and assertions on them whose messages say which rule decided, or was missing.

use std::fmt::{self, Write};
use std::panic::Location;

use crate::model::{Cloud, Direction};
use crate::probe::{Batch, MissingEvidence, Observation, Outcome};
use crate::scenario::{Class, ProbedFlow, explain};

/// Results of a probe's flows: one, or as many as its words mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a probe that nobody looks at proves nothing"]
pub struct Probed {
    /// Each of them; at least one.
    pub flows: Vec<ProbedFlow>,
}

impl Probed {
    pub(super) fn new(batch: &Batch, cloud: &Cloud) -> Self {
        let flows = batch.observations.iter().map(|seen| {
            if batch.canaries_held {
                return explain::probed(seen, cloud);
            }
            let outcome = Outcome::Inconclusive { why: MissingEvidence::Canaries };
            explain::probed(&Observation { outcome, ..seen.clone() }, cloud)
        });
        Self { flows: flows.collect() }
    }

    /// The outcome of all of them, if it is the same.
    pub fn class(&self) -> Option<Class> {
        let first = self.flows.first()?.class();
        self.flows.iter().all(|flow| flow.class() == first).then_some(first)
    }

    /// Each is answered by whom it asks for.
    ///
    /// # Panics
    /// With what each other flow came to, and why.
    #[track_caller]
    pub fn assert_open(&self) {
        self.assert_all(Class::Open);
    }

    /// Each is dropped by a filter, by proof.
    ///
    /// # Panics
    /// With what each other flow came to, and why.
    #[track_caller]
    pub fn assert_dropped(&self) -> Dropped<'_> {
        self.assert_all(Class::Dropped);
        Dropped(self)
    }

    /// Nobody holds the address of any.
    ///
    /// # Panics
    /// With what each other flow came to, and why.
    #[track_caller]
    pub fn assert_unreachable(&self) {
        self.assert_all(Class::Unreachable);
    }

    /// Each is let in by the groups, and nobody listens.
    ///
    /// # Panics
    /// With what each other flow came to, and why.
    #[track_caller]
    pub fn assert_refused(&self) {
        self.assert_all(Class::Refused);
    }

    /// Each is taken by a load balancer, which has nobody to give it to.
    ///
    /// # Panics
    /// With what each other flow came to, and why.
    #[track_caller]
    pub fn assert_closed(&self) {
        self.assert_all(Class::Closed);
    }

    #[track_caller]
    fn assert_all(&self, expected: Class) {
        self.assert_each(expected.as_str(), |flow| flow.class() == expected);
    }

    #[track_caller]
    fn assert_each(&self, expected: &str, right: impl Fn(&ProbedFlow) -> bool) {
        let wrong: Vec<&ProbedFlow> = self.flows.iter().filter(|flow| !right(flow)).collect();
        if wrong.is_empty() && !self.flows.is_empty() {
            return;
        }
        let mut text = format!("{} of {} flows not {expected}", wrong.len(), self.flows.len());
        if let [_] = self.flows.as_slice() {
            text = format!("expected {expected}");
        }
        for flow in wrong {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {flow}");
        }
        fail(&text);
    }
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flows: Vec<String> = self.flows.iter().map(ToString::to_string).collect();
        f.write_str(&flows.join("\n"))
    }
}

/// Flows that were dropped: where?
#[derive(Clone, Copy, Debug)]
pub struct Dropped<'a>(&'a Probed);

impl Dropped<'_> {
    /// By the receiver's rules for what comes in.
    ///
    /// # Panics
    /// With where each other flow was dropped.
    #[track_caller]
    pub fn at_ingress(self) -> Self {
        self.at(Direction::Ingress)
    }

    /// By the sender's rules for what goes out.
    ///
    /// # Panics
    /// With where each other flow was dropped.
    #[track_caller]
    pub fn at_egress(self) -> Self {
        self.at(Direction::Egress)
    }

    #[track_caller]
    fn at(self, expected: Direction) -> Self {
        self.0.assert_each(&format!("dropped at {expected}"), |flow| match &flow.outcome {
            Outcome::Dropped(drop) => drop.cause.groups().is_some_and(|(at, ..)| at == expected),
            _ => false,
        });
        self
    }
}

/// Fails an assertion of the caller's.
#[allow(clippy::panic, reason = "an assertion panics")]
#[track_caller]
fn fail(text: &str) -> ! {
    panic!("{text}")
}

/// The same, where the caller has gone on since.
#[allow(clippy::panic, reason = "an assertion panics")]
pub(super) fn fail_at(caller: &Location<'_>, text: &str) -> ! {
    panic!("{text}\n  asserted at {caller}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Flow, GroupName, InstanceName, InterfaceId, Port, Service, Via};
    use crate::probe::{Drop, DropCause};
    use crate::scenario::results::reason::Reason;

    fn probed(outcomes: &[Outcome]) -> Probed {
        let flow = |(number, outcome): (usize, &Outcome)| ProbedFlow {
            flow: Flow {
                from: Endpoint::Instance(InstanceName::new(format!("web{number}"))),
                to: Endpoint::Instance(InstanceName::new("db1")),
                via: Via::Private,
                service: Service::Tcp(Port(5432)),
            },
            outcome: outcome.clone(),
            rule: None,
            reason: Some(Reason::AnsweredBy("nobody".to_owned())),
            resolved: None,
            records: None,
        };
        Probed { flows: outcomes.iter().enumerate().map(flow).collect() }
    }

    fn dropped(at: Direction) -> Outcome {
        let groups = vec![GroupName::new("db")];
        let cause = DropCause::by_groups(at, InterfaceId::first_of(&InstanceName::new("db1")), groups);
        Outcome::Dropped(Drop { cause, source: std::net::Ipv4Addr::new(10, 0, 0, 11).into() })
    }

    fn message(assertion: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(assertion).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn a_failed_assertion_says_where_it_was_dropped_and_for_want_of_what() {
        let text = message(|| probed(&[dropped(Direction::Ingress)]).assert_open());
        let said = "expected open\n  web0 -> db1:5432: dropped at the ingress of db1\n    nobody answered";
        assert_eq!(text, said);
    }

    #[test]
    fn one_flow_that_differs_fails_the_assertion_on_all() {
        let mixed = probed(&[Outcome::Open { admitted_by: None }, dropped(Direction::Egress)]);
        assert!(message(|| mixed.assert_open()).starts_with("1 of 2 flows not open\n  web1 -> db1:5432: dropped"));
        assert_eq!(mixed.class(), None);
    }

    #[test]
    fn a_drop_at_the_other_end_is_not_the_drop_that_was_meant() {
        let probed = probed(&[dropped(Direction::Egress)]);
        probed.assert_dropped().at_egress();
        assert!(message(|| _ = probed.assert_dropped().at_ingress()).starts_with("expected dropped at ingress"));
    }

    #[test]
    fn what_is_not_proved_satisfies_no_assertion() {
        let unproved = || probed(&[Outcome::Inconclusive { why: MissingEvidence::NotAsked }]);
        message(|| unproved().assert_open());
        message(|| _ = unproved().assert_dropped());
        message(|| unproved().assert_refused());
        message(|| unproved().assert_unreachable());
        message(|| unproved().assert_closed());
        message(|| probed(&[]).assert_open());
    }
}
