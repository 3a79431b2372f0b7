//! Verdicts: what becomes of a new flow, and what decides that on its way.

use super::flow::Direction;
use super::interface_id::{InterfaceHolder, InterfaceId};
use super::name::{GroupName, RuleId, VpcName};

/// A box between the ends of a flow, which decides what becomes of its packets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// The router of a VPC, where interfaces are checked and groups are asked.
    Router(VpcName),
    /// The gateway of a VPC, which translates addresses.
    Gateway(VpcName),
    /// The network between gateways and hosts.
    Internet,
}

/// Half of the check of source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Packets that the interface sends must have its address as the source.
    Source,
    /// Packets that come to the interface must have its address as the destination.
    Destination,
}

/// Stage that decides about a packet, in a prediction and in an observation alike. Each stage that decides has its variant.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// The rules of an interface's groups.
    GroupRules {
        /// The sender's egress or the receiver's ingress.
        at: Direction,
        /// Interface whose groups were consulted.
        interface: InterfaceId,
        /// The groups consulted, in the interface's order.
        groups: Vec<GroupName>,
        /// The rules that admit it; without one it is dropped.
        rules: Vec<RuleId>,
    },
    /// The check of an interface, of which it is neither from nor to an address: the sender's, or that of an instance which the
    /// route leads through.
    SourceDestCheck {
        /// Interface whose check it fails.
        interface: InterfaceId,
        /// Half of the check that it fails.
        check: Check,
        /// The VPC of the interface, whose router checks.
        vpc: VpcName,
    },
    /// The route, which leads to an interface that is not there now.
    Route {
        /// The VPC of the route table.
        vpc: VpcName,
    },
    /// The gateway, which has no public address to send it on with.
    Translation {
        /// The VPC that it leaves.
        vpc: VpcName,
    },
}

impl DecidedBy {
    /// The end whose groups decided, and the groups; nothing where something else did.
    pub fn groups(&self) -> Option<(Direction, &InterfaceId, &[GroupName])> {
        match self {
            Self::GroupRules { at, interface, groups, .. } => Some((*at, interface, groups)),
            Self::SourceDestCheck { .. } | Self::Route { .. } | Self::Translation { .. } => None,
        }
    }

    /// Interface whose groups or whose check decided.
    pub fn interface(&self) -> Option<&InterfaceId> {
        match self {
            Self::GroupRules { interface, .. } | Self::SourceDestCheck { interface, .. } => Some(interface),
            Self::Route { .. } | Self::Translation { .. } => None,
        }
    }

    /// The rules that admit at the receiver's ingress; none where this decided at another place.
    fn rules_at_ingress(&self) -> &[RuleId] {
        match self {
            Self::GroupRules { at: Direction::Ingress, rules, .. } => rules,
            Self::GroupRules { at: Direction::Egress, .. }
            | Self::SourceDestCheck { .. }
            | Self::Route { .. }
            | Self::Translation { .. } => &[],
        }
    }
}

/// Reason why the answer to a flow comes back. A filter without state will have a variant of its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetBack {
    /// Groups are stateful: where they let the request pass they let its answer pass, whatever their rules for the other direction say.
    Stateful {
        /// End at which the request has passed.
        at: Direction,
        /// Interface of the groups.
        interface: InterfaceId,
    },
}

/// Half of a conversation, to which a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// The packets of whoever opens the flow.
    Request,
    /// The packets that come back.
    Answer,
}

/// Verdict of the documented semantics on a new flow.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Whoever is asked on the way admits it, and lets its answer back.
    Open {
        /// All that admitted the request, in the order of its way: the sender's egress first, the receiver's ingress last. Empty where
        /// nobody judges.
        request: Vec<DecidedBy>,
        /// All that lets the answer back at the two ends, in the order of its way.
        answer: Vec<LetBack>,
    },
    /// Something on the way drops it.
    Dropped {
        /// The stage that does.
        by: DecidedBy,
        /// Half that it drops.
        half: Half,
    },
    /// The receiver has given its private address back; another holds it now, and lets it in.
    Misdelivered {
        /// Holder of the interface that lets it in.
        to: InterfaceHolder,
    },
    /// Nobody holds the address.
    Unreachable {
        /// Box that knows nobody; none where there is no address to send to, or from.
        by: Option<Hop>,
    },
    /// The receiver has no public DNS name, so there is no address to go to.
    Unresolved,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Dropped { .. } => "dropped",
            Self::Misdelivered { .. } => "misdelivered",
            Self::Unreachable { .. } => "unreachable",
            Self::Unresolved => "unresolved",
        }
    }

    /// Reports whether it is open.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::Dropped { .. } | Self::Misdelivered { .. } | Self::Unreachable { .. } | Self::Unresolved => false,
        }
    }

    /// The rules that admit it at the receiver; empty where no group judges there, and of what is not open.
    pub fn admitting_rules(&self) -> &[RuleId] {
        match self {
            Self::Open { request, .. } => request.last().map_or(&[], DecidedBy::rules_at_ingress),
            Self::Dropped { .. } | Self::Misdelivered { .. } | Self::Unreachable { .. } | Self::Unresolved => &[],
        }
    }

    /// The end whose groups drop the request; nothing where something else does, or nothing.
    pub fn refused_at(&self) -> Option<Direction> {
        match self {
            Self::Dropped { by, half: Half::Request } => by.groups().map(|(at, ..)| at),
            Self::Dropped { half: Half::Answer, .. }
            | Self::Open { .. }
            | Self::Misdelivered { .. }
            | Self::Unreachable { .. }
            | Self::Unresolved => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceName;

    fn by_groups(at: Direction, of: &str, rules: &[u32]) -> DecidedBy {
        let interface = InterfaceId::first_of(&InstanceName::new(of));
        let rules = rules.iter().copied().map(RuleId).collect();
        DecidedBy::GroupRules { at, interface, groups: vec![GroupName::new("G")], rules }
    }

    fn open(request: &[DecidedBy]) -> Verdict {
        Verdict::Open { request: request.to_vec(), answer: Vec::new() }
    }

    #[test]
    fn the_rules_that_admit_are_those_of_the_receiver() {
        let (egress, ingress) = (Direction::Egress, Direction::Ingress);
        let sender = by_groups(egress, "a", &[1]);
        let direct = open(&[sender.clone(), by_groups(ingress, "b", &[2, 3])]);
        assert_eq!(direct.admitting_rules(), [RuleId(2), RuleId(3)]);
        let outward = open(&[sender, by_groups(ingress, "nat", &[4]), by_groups(egress, "nat", &[5])]);
        assert_eq!(
            outward.admitting_rules(),
            [],
            "a host outside has no groups, and the appliance is not the receiver"
        );
        assert_eq!(open(&[]).admitting_rules(), []);
    }

    #[test]
    fn what_is_refused_is_the_request_and_by_groups() {
        let by = || by_groups(Direction::Ingress, "b", &[]);
        let dropped = |by, half| Verdict::Dropped { by, half };
        assert_eq!(dropped(by(), Half::Request).refused_at(), Some(Direction::Ingress));
        assert_eq!(dropped(by(), Half::Answer).refused_at(), None);
        assert_eq!(dropped(DecidedBy::Route { vpc: VpcName::new("v") }, Half::Request).refused_at(), None);
        assert_eq!(open(&[by()]).refused_at(), None);
    }
}
