//! Drops: what decided them, and the records that filters make of that, both ways.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::evidence::Logged;
use crate::compile::names;
use crate::model::{Check, DecidedBy, Direction, GroupName, Hop, InterfaceId, OwnBox};
use crate::network::NodeName;
use crate::network::record::Record;

/// Drop of a flow: its cause, and the source address that the filter saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// Reason why the filter dropped it.
    pub cause: DropCause,
    /// The source address as the filter saw it: behind the gateway, the sender's public one.
    pub source: IpAddr,
}

/// Reason why a filter dropped a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropCause {
    /// Something that verdicts know of.
    Decided(DecidedBy),
    /// Something else: `invalid`, `fragments` ...; or a record that is not where such a decision is made.
    Other(Recorded),
}

/// A drop that no verdict knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Action that the filter recorded.
    pub record: Record,
    /// Namespace whose filter logged it.
    pub node: NodeName,
    /// Interface that sent the packet, or would get it, where that is why it was dropped.
    pub interface: Option<InterfaceId>,
}

impl DropCause {
    /// No rule of these groups admits it.
    pub fn by_groups(at: Direction, interface: InterfaceId, groups: Vec<GroupName>) -> Self {
        Self::Decided(DecidedBy::GroupRules { at, interface, groups, rules: Vec::new() })
    }

    /// The end whose groups admit it by no rule, and the groups; nothing where something else dropped it.
    pub fn groups(&self) -> Option<(Direction, &InterfaceId, &[GroupName])> {
        match self {
            Self::Decided(by) => by.groups(),
            Self::Other(_) => None,
        }
    }

    /// Interface whose groups or whose check dropped it, where that is what did.
    pub fn interface(&self) -> Option<&InterfaceId> {
        match self {
            Self::Decided(by) => by.interface(),
            Self::Other(recorded) => recorded.interface.as_ref(),
        }
    }

    /// The record that a filter makes of it.
    pub fn record(&self) -> Record {
        match self {
            Self::Decided(by) => record_of(by),
            Self::Other(recorded) => recorded.record,
        }
    }
}

/// The record and its place: `spoofed at vpc-default`; of groups their interface, which is in one VPC only.
impl std::fmt::Display for DropCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let record = self.record();
        match self {
            Self::Decided(DecidedBy::GroupRules { interface, .. }) => write!(f, "{record} at {interface}"),
            Self::Decided(DecidedBy::SourceDestCheck { vpc, .. } | DecidedBy::Route { vpc }) => {
                write!(f, "{record} at {}", names::router(vpc))
            }
            Self::Decided(DecidedBy::Translation { vpc }) => write!(f, "{record} at {}", names::gateway(vpc)),
            Self::Other(Recorded { node, .. }) => write!(f, "{record} at {node}"),
        }
    }
}

/// The record that a filter makes of what is dropped so.
fn record_of(by: &DecidedBy) -> Record {
    match by {
        DecidedBy::GroupRules { at, .. } => Record::Drop(*at),
        DecidedBy::SourceDestCheck { check: Check::Source, .. } => Record::Spoofed,
        DecidedBy::SourceDestCheck { check: Check::Destination, .. } => Record::NotItsOwn,
        DecidedBy::Route { .. } => Record::Blackhole,
        DecidedBy::Translation { .. } => Record::Untranslated,
    }
}

/// The namespace of a box.
pub fn node_of(hop: &Hop) -> NodeName {
    match hop {
        Hop::Router(vpc) => names::router(vpc),
        Hop::Gateway(vpc) => names::gateway(vpc),
        Hop::Internet => names::internet(),
    }
}

/// Tells whose interface an index of a router is, and which groups it is in.
pub type InterfaceLookup<'a> = &'a dyn Fn(&NodeName, u32) -> Option<(InterfaceId, Vec<GroupName>)>;

/// End of a flow that sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentBy {
    /// The one that opened it.
    Opener,
    /// The one that answers.
    Answerer,
}

/// Returns the drop of a packet, by its record.
pub(super) fn drop_of(logged: &Logged, sent_by: SentBy, lookup: InterfaceLookup<'_>) -> Drop {
    let cause = match decided(logged, sent_by, lookup) {
        Some(by) => DropCause::Decided(by),
        None => DropCause::Other(recorded(logged, lookup)),
    };
    Drop { cause, source: logged.tuple.source }
}

/// Returns the stage that decided so, by the record; nothing where no verdict knows of it. The source is checked where the packet came in, and the
/// destination where it would leave.
fn decided(logged: &Logged, sent_by: SentBy, lookup: InterfaceLookup<'_>) -> Option<DecidedBy> {
    let Logged { node, in_index, out_index, .. } = logged;
    let owner = |index: Option<u32>| lookup(node, index?);
    let checked = |check, index| {
        let (interface, _) = owner(index)?;
        Some(DecidedBy::SourceDestCheck { interface, check, vpc: OwnBox::Router.vpc_of(&node.0)? })
    };
    match logged.record {
        // What no group could judge has no state.
        Record::Drop(_) | Record::Cut(_) if logged.flaw.is_some() => None,
        Record::Drop(at) | Record::Cut(at) => {
            let (interface, groups) = owner(judging(logged, sent_by))?;
            Some(DecidedBy::GroupRules { at, interface, groups, rules: Vec::new() })
        }
        Record::Spoofed => checked(Check::Source, *in_index),
        Record::NotItsOwn => checked(Check::Destination, *out_index),
        Record::Blackhole => Some(DecidedBy::Route { vpc: OwnBox::Router.vpc_of(&node.0)? }),
        Record::Untranslated => Some(DecidedBy::Translation { vpc: OwnBox::Gateway.vpc_of(&node.0)? }),
        Record::Accept(..)
        | Record::Pass(_)
        | Record::NoRoom
        | Record::Remembered(_)
        | Record::Unclaimed(_)
        | Record::Fragments
        | Record::Connections
        | Record::ForeignError
        | Record::Invalid
        | Record::Unreachable
        | Record::Unserved => None,
    }
}

/// Index of the interface whose groups a drop is of. What is cut is cut at an end that once admitted the flow as it was opened: for an answer
/// that is where the packet comes from, if it was the answerer's ingress.
fn judging(logged: &Logged, sent_by: SentBy) -> Option<u32> {
    match (logged.record, sent_by) {
        (Record::Cut(Direction::Ingress), SentBy::Answerer) => logged.in_index,
        (Record::Cut(Direction::Egress), SentBy::Answerer) => logged.out_index,
        (Record::Drop(Direction::Egress) | Record::Cut(Direction::Egress), _) => logged.in_index,
        _ => logged.out_index,
    }
}

/// The record of a drop that no verdict knows of.
fn recorded(logged: &Logged, lookup: InterfaceLookup<'_>) -> Recorded {
    let index = match logged.record {
        Record::Spoofed | Record::Fragments | Record::Connections | Record::ForeignError => logged.in_index,
        Record::NotItsOwn => logged.out_index,
        _ => None,
    };
    let interface = index.and_then(|index| lookup(&logged.node, index)).map(|(id, _)| id);
    let record = match logged.record {
        Record::Drop(_) | Record::Cut(_) if logged.flaw.is_some() => Record::Invalid,
        record => record,
    };
    Recorded { record, node: logged.node.clone(), interface }
}

/// `dropped as spoofed at web.eth0, source 10.0.2.11`, `dropped at the ingress of web.eth0, source 10.0.0.12`.
pub(super) fn words(Drop { cause, source }: &Drop) -> String {
    match (cause.groups(), cause.interface()) {
        (Some((at, interface, _)), _) => format!("dropped at the {at} of {interface}, source {source}"),
        (None, Some(interface)) => format!("dropped as {} at {interface}, source {source}", cause.record()),
        (None, None) => format!("dropped as {cause}, source {source}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::packet::flaw::Flaw;
    use crate::fabric::packet::{Tuple, UDP};
    use crate::model::{InstanceName, VpcName};

    const IN: u32 = 3;
    const OUT: u32 = 7;

    fn of(name: &str) -> InterfaceId {
        InterfaceId::first_of(&InstanceName::new(name))
    }

    fn groups() -> Vec<GroupName> {
        vec![GroupName::new("G")]
    }

    /// Reads a record in a box's log of a packet from `a` to `b`.
    fn cause(record: Record, node: NodeName, flaw: Option<Flaw>, sent_by: SentBy) -> DropCause {
        let [source, destination] = [[10, 0, 0, 11], [10, 0, 0, 12]].map(IpAddr::from);
        let logged = Logged {
            node,
            record,
            in_index: Some(IN),
            out_index: Some(OUT),
            tuple: Tuple { protocol: UDP, source, source_port: 4000, destination, destination_port: 53 },
            icmp: None,
            flaw,
            length: 40,
        };
        // Only a router knows interfaces.
        let lookup = |node: &NodeName, index| {
            let name = if index == IN { "a" } else { "b" };
            (*node == names::router(&vpc())).then(|| (of(name), groups()))
        };
        drop_of(&logged, sent_by, &lookup).cause
    }

    fn vpc() -> VpcName {
        VpcName::new("main")
    }

    #[test]
    fn a_record_says_what_decided_and_what_decided_has_that_record() {
        let rules = |at, interface| DecidedBy::GroupRules { at, interface, groups: groups(), rules: Vec::new() };
        let check = |interface, check| DecidedBy::SourceDestCheck { interface, check, vpc: vpc() };
        let decisions = [
            (rules(Direction::Egress, of("a")), "egress drop at a.eth0", names::router(&vpc())),
            (rules(Direction::Ingress, of("b")), "ingress drop at b.eth0", names::router(&vpc())),
            (check(of("a"), Check::Source), "spoofed at vpc-main", names::router(&vpc())),
            (check(of("b"), Check::Destination), "not-its-own at vpc-main", names::router(&vpc())),
            (DecidedBy::Route { vpc: vpc() }, "blackhole at vpc-main", names::router(&vpc())),
            (DecidedBy::Translation { vpc: vpc() }, "untranslated at gateway-main", names::gateway(&vpc())),
        ];
        for (by, words, node) in decisions {
            let decided = DropCause::Decided(by);
            assert_eq!(decided.to_string(), words);
            assert_eq!(cause(decided.record(), node, None, SentBy::Opener), decided);
        }
    }

    #[test]
    fn a_record_where_no_such_decision_is_made_is_of_something_else() {
        let (router, gateway) = (names::router(&vpc()), names::gateway(&vpc()));
        let elsewhere = [(Record::Spoofed, &gateway), (Record::Blackhole, &gateway), (Record::Untranslated, &router)];
        for (record, node) in elsewhere {
            let other = Recorded { record, node: node.clone(), interface: None };
            assert_eq!(cause(record, node.clone(), None, SentBy::Opener), DropCause::Other(other));
        }
        let broken = cause(Record::Drop(Direction::Ingress), router.clone(), Some(Flaw::Checksum), SentBy::Answerer);
        assert_eq!(broken.to_string(), "invalid at vpc-main");
        assert_eq!(broken.groups(), None);
    }

    #[test]
    fn an_answer_is_cut_at_the_end_that_once_admitted_the_flow() {
        for (at, interface) in [(Direction::Ingress, of("a")), (Direction::Egress, of("b"))] {
            let cut = cause(Record::Cut(at), names::router(&vpc()), None, SentBy::Answerer);
            assert_eq!(cut, DropCause::by_groups(at, interface, groups()));
        }
    }
}
