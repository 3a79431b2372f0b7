//! Agreement of the two readings of a cloud about a flow: what `policy` predicts, and what the packets did.

pub use super::results::Agreement;
use crate::model::{Check, DecidedBy, Half, Verdict};
use crate::network::record::Record;
use crate::policy::behind::Behind;
use crate::policy::tracking::ConnectionState;
use crate::probe::{Drop, DropCause, Held, Observation, Outcome, Resolution, SOMEBODY_ELSE, node_of};

/// Holds a predicted verdict against what was observed. Where rules decided, the rule on record must be among those that were
/// predicted to, and at the receiver's interface; where something dropped it, the record, the box that has it and the interface
/// must be those predicted, and the groups where groups did; where a name has no address, the resolver must have said so.
pub fn compare(verdict: &Verdict, observation: &Observation) -> Agreement {
    let unresolved = *verdict == Verdict::Unresolved;
    match observation.resolved {
        Some(Resolution::NoSuchName) if unresolved => return Agreement::Agree,
        Some(Resolution::NoSuchName) => return Agreement::Disagree,
        Some(Resolution::Address(_)) if unresolved => return Agreement::Disagree,
        Some(Resolution::Address(_) | Resolution::NoAnswer) | None => {}
    }
    let seen = &observation.outcome;
    if matches!(seen, Outcome::Inconclusive { .. }) {
        let Verdict::Dropped { by, half: Half::Answer } = verdict else { return Agreement::Unproved };
        let Some(drop) = &observation.answer_dropped else { return Agreement::Unproved };
        return if is_dropped_by(by, &drop.cause) { Agreement::Agree } else { Agreement::Disagree };
    }
    let agree = match verdict {
        Verdict::Open { .. } => match seen {
            Outcome::Open { admitted_by } | Outcome::Refused { admitted_by } | Outcome::Closed { admitted_by, .. } => {
                admitted_by.is_none_or(|rule| verdict.admitting_rules().contains(&rule))
                    && is_admitted_at_its_end(observation)
            }
            Outcome::Dropped(_)
            | Outcome::Unreachable { .. }
            | Outcome::Misdelivered { .. }
            | Outcome::Inconclusive { .. } => false,
        },
        Verdict::Dropped { by, half: Half::Request } => {
            matches!(seen, Outcome::Dropped(drop) if is_dropped_by(by, &drop.cause))
        }
        // Whoever has an answer, or finds its request dropped, has met something else.
        Verdict::Dropped { half: Half::Answer, .. } => false,
        // The answer to a ping names nobody, and neither does a port where nobody listens.
        Verdict::Misdelivered { to } => match seen {
            Outcome::Misdelivered { answered_by } => *answered_by == to.as_str() || *answered_by == SOMEBODY_ELSE,
            Outcome::Refused { .. } => true,
            Outcome::Open { .. }
            | Outcome::Closed { .. }
            | Outcome::Dropped(_)
            | Outcome::Unreachable { .. }
            | Outcome::Inconclusive { .. } => false,
        },
        Verdict::Unreachable { by } => {
            matches!(seen, Outcome::Unreachable { by: node } if by.as_ref().map(node_of) == *node)
        }
        // Only what the resolver has said shows that there is no name.
        Verdict::Unresolved => false,
    };
    if agree { Agreement::Agree } else { Agreement::Disagree }
}

/// Reports whether what is predicted to drop a packet is what has dropped it.
fn is_dropped_by(predicted: &DecidedBy, seen: &DropCause) -> bool {
    matches!(seen, DropCause::Decided(by) if by == predicted)
}

/// Holds what is predicted of a flow against what was observed, also of what becomes of it behind a load balancer's listener, where it comes
/// to one.
pub fn compare_all(verdict: &Verdict, behind: Option<&Behind>, observation: &Observation) -> Agreement {
    let behind = behind.filter(|_| verdict.is_open());
    match (behind.map(|behind| compare_behind(behind, observation)), &observation.outcome) {
        (Some(Some(Agreement::Disagree)), _) => Agreement::Disagree,
        // A stranger answers, or may: to the verdict alone that would be another flow.
        (Some(known), Outcome::Misdelivered { .. }) => known.unwrap_or(Agreement::Unproved),
        _ => compare(verdict, observation),
    }
}

/// Holds what is predicted of a flow behind a load balancer's listener against what was observed; nothing where the prediction
/// leaves it open, or where it did not come so far.
fn compare_behind(behind: &Behind, observation: &Observation) -> Option<Agreement> {
    let agree = match (behind, &observation.outcome) {
        (Behind::InTurn | Behind::OnAProgram { .. }, _) => return None,
        (Behind::Answered { by }, Outcome::Open { .. }) => {
            observation.answered_by.as_ref().is_none_or(|name| by.iter().any(|known| known.as_str() == name))
        }
        (Behind::Closed, Outcome::Closed { .. }) => true,
        (Behind::Misdelivered { to }, Outcome::Misdelivered { answered_by }) => {
            *answered_by == to.as_str() || *answered_by == SOMEBODY_ELSE
        }
        (_, Outcome::Open { .. } | Outcome::Closed { .. } | Outcome::Misdelivered { .. }) => false,
        _ => return None,
    };
    Some(if agree { Agreement::Agree } else { Agreement::Disagree })
}

/// Holds what is predicted of a connection against what was found. Where it is cut, the filter may meet either of the ends
/// that close it first.
pub fn compare_held(standing: &ConnectionState, held: &Held) -> Agreement {
    let every = |drops: &[Drop], right: &dyn Fn(&DropCause) -> bool| drops.iter().all(|drop| right(&drop.cause));
    let agree = match (standing, held) {
        (_, Held::Inconclusive { .. }) => return Agreement::Unproved,
        (ConnectionState::Alive, Held::Alive) | (ConnectionState::Gone, Held::Gone { .. }) => true,
        (ConnectionState::Cut { at: ends }, Held::Cut(drops)) => every(drops, &|cause| {
            cause.groups().is_some_and(|(at, interface, _)| ends.contains(&(at, interface.clone())))
        }),
        // A packet of a forgotten connection belongs to none, and begins none. The record may be of any VPC
        // in which somebody holds the address now.
        (ConnectionState::Forgotten, Held::Cut(drops)) => every(drops, &|cause| {
            matches!(cause.record(), Record::Invalid | Record::Untranslated | Record::Unreachable | Record::Blackhole)
        }),
        (ConnectionState::Forgotten, Held::Gone { .. }) => true,
        // An end may end its own connection at any time, which nothing foretells.
        (_, Held::Gone { .. }) => return Agreement::Unproved,
        // A NAT instance whose check is on again: what comes in fails the destination check, the translated answer the source check.
        (ConnectionState::FailsCheck { interface, vpc }, Held::Cut(drops)) => every(drops, &|cause| {
            [Check::Source, Check::Destination].into_iter().any(|check| {
                let (interface, vpc) = (interface.clone(), vpc.clone());
                is_dropped_by(&DecidedBy::SourceDestCheck { interface, check, vpc }, cause)
            })
        }),
        _ => false,
    };
    if agree { Agreement::Agree } else { Agreement::Disagree }
}

/// Returns `true` if the last record that admits it is of the interface that was asked. Without a record nothing speaks against it.
fn is_admitted_at_its_end(observation: &Observation) -> bool {
    let asked = observation.flow.to.interface();
    observation.admitted_at.as_ref().is_none_or(|at| asked.is_none_or(|asked| asked == *at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, GroupName, InstanceName, InterfaceId, RuleId, VpcName};
    use crate::scenario::testing::{cloud, pattern};

    fn seen(outcome: Outcome, resolved: Option<Resolution>) -> Observation {
        let flows = crate::scenario::cells::select(&pattern("web1 -> db1:3306"), None, &cloud());
        let flow = flows.expect("a flow").remove(0);
        Observation { resolved, ..Observation::of(flow, outcome) }
    }

    fn at_db1(rules: &[u32]) -> DecidedBy {
        DecidedBy::GroupRules {
            at: Direction::Ingress,
            interface: InterfaceId::first_of(&InstanceName::new("db1")),
            groups: vec![GroupName::new("DB")],
            rules: rules.iter().copied().map(RuleId).collect(),
        }
    }

    fn open(rules: &[u32]) -> Verdict {
        Verdict::Open { request: vec![at_db1(rules)], answer: Vec::new() }
    }

    fn unproved() -> Outcome {
        Outcome::Inconclusive { why: crate::probe::MissingEvidence::NoTrace }
    }

    #[test]
    fn a_rule_that_was_not_to_admit_it_is_no_agreement() {
        let by = |rule| seen(Outcome::Open { admitted_by: Some(RuleId(rule)) }, None);
        assert_eq!(compare(&open(&[1, 2]), &by(2)), Agreement::Agree);
        assert_eq!(compare(&open(&[1, 2]), &by(3)), Agreement::Disagree);
        assert_eq!(compare(&Verdict::Unreachable { by: None }, &by(1)), Agreement::Disagree);
    }

    #[test]
    fn what_was_not_proved_agrees_with_nothing() {
        assert_eq!(compare(&open(&[1]), &seen(unproved(), None)), Agreement::Unproved);
        assert_eq!(compare(&Verdict::Unresolved, &seen(unproved(), None)), Agreement::Unproved);
        assert_eq!(compare(&Verdict::Unresolved, &seen(unproved(), Some(Resolution::NoAnswer))), Agreement::Unproved);
    }

    #[test]
    fn what_drops_it_is_what_was_to_and_drops_the_packet_that_was_to_be() {
        let drop = |by| Drop { cause: DropCause::Decided(by), source: [10, 0, 0, 11].into() };
        let route = || DecidedBy::Route { vpc: VpcName::new("v") };
        let dropped = |half| Verdict::Dropped { by: at_db1(&[]), half };
        let request = |by| seen(Outcome::Dropped(drop(by)), None);
        assert_eq!(compare(&dropped(Half::Request), &request(at_db1(&[]))), Agreement::Agree);
        assert_eq!(compare(&dropped(Half::Request), &request(route())), Agreement::Disagree);
        assert_eq!(compare(&dropped(Half::Answer), &request(at_db1(&[]))), Agreement::Disagree);
        let answer = |by| Observation { answer_dropped: Some(drop(by)), ..seen(unproved(), None) };
        assert_eq!(compare(&dropped(Half::Answer), &answer(at_db1(&[]))), Agreement::Agree);
        assert_eq!(compare(&dropped(Half::Answer), &answer(route())), Agreement::Disagree);
        assert_eq!(compare(&dropped(Half::Request), &answer(at_db1(&[]))), Agreement::Unproved);
        assert_eq!(compare(&dropped(Half::Answer), &seen(unproved(), None)), Agreement::Unproved);
    }

    #[test]
    fn that_an_end_has_ended_its_own_connection_is_no_disagreement() {
        let gone = Held::Gone { why: "it has ended".to_owned() };
        assert_eq!(compare_held(&ConnectionState::Alive, &gone), Agreement::Unproved);
        assert_eq!(compare_held(&ConnectionState::Gone, &gone), Agreement::Agree);
        assert_eq!(compare_held(&ConnectionState::Gone, &Held::Alive), Agreement::Disagree);
    }

    #[test]
    fn that_there_is_no_such_name_is_evidence_of_its_own() {
        let no_such_name = || seen(unproved(), Some(Resolution::NoSuchName));
        assert_eq!(compare(&Verdict::Unresolved, &no_such_name()), Agreement::Agree);
        assert_eq!(compare(&open(&[1]), &no_such_name()), Agreement::Disagree);
        let an_address = seen(unproved(), Some(Resolution::Address([10, 0, 0, 21].into())));
        assert_eq!(compare(&Verdict::Unresolved, &an_address), Agreement::Disagree);
    }
}
