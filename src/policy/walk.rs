//! The walk of a flow as data: who was asked on its way, rule by rule, and what became of its addresses.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::{
    Attachment, Cloud, DecidedBy, Direction, Endpoint, Flow, GroupName, InterfaceId, RuleId, Verdict, VpcName,
};

/// A new flow from its sender to where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Stages of the flow, in order.
    pub stages: Vec<Stage>,
    /// Verdict at the end of them.
    pub verdict: Verdict,
}

/// One thing that happened to a flow on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The sender asked its resolver, and was told this address of the receiver: inside the VPC the private one.
    Resolved {
        /// Interface of the name.
        receiver: InterfaceId,
        /// Address in the answer.
        address: Ipv4Addr,
    },
    /// It left an interface with these addresses.
    Sent {
        /// Interface that it left by.
        from: InterfaceId,
        /// Its source.
        source: IpAddr,
        /// Its destination.
        destination: IpAddr,
    },
    /// The groups of an interface were asked.
    RuleEvaluation(RuleEvaluation),
    /// To the receiver it is the answer to what the receiver has sent itself, so nobody asked for its groups.
    OwnAnswer {
        /// Sender, which gets it too.
        interface: InterfaceId,
    },
    /// Nobody asked for the sender's groups: the era has no egress rules.
    NoEgressRules {
        /// Sender, which may send everything.
        interface: InterfaceId,
    },
    /// The route table of the sender's subnet leads to an appliance.
    Routed {
        /// The appliance.
        to: InterfaceId,
    },
    /// The appliance passed it on.
    PassedOn {
        /// The appliance.
        by: InterfaceId,
        /// The source that it has now.
        source: Ipv4Addr,
    },
    /// It left the VPC, and the gateway wrote a public address over its source.
    TranslatedSource {
        /// VPC of the gateway.
        vpc: VpcName,
        /// The private address.
        private: Ipv4Addr,
        /// The public one.
        public: Ipv4Addr,
    },
    /// The gateway of the receiver wrote the private address over its destination.
    TranslatedDestination {
        /// VPC of the gateway.
        vpc: VpcName,
        /// The public address.
        public: Ipv4Addr,
        /// The private one, while the receiver has one.
        private: Option<Ipv4Addr>,
    },
}

impl Stage {
    /// Question there, and its decision; nothing for a stage at which nobody is asked.
    pub fn decided(&self) -> Option<DecidedBy> {
        match self {
            Self::RuleEvaluation(asked) => Some(asked.decided()),
            Self::Resolved { .. }
            | Self::Sent { .. }
            | Self::OwnAnswer { .. }
            | Self::NoEgressRules { .. }
            | Self::Routed { .. }
            | Self::PassedOn { .. }
            | Self::TranslatedSource { .. }
            | Self::TranslatedDestination { .. } => None,
        }
    }
}

/// Station that has passed a flow on between its ends, where that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The gateway of a VPC.
    Gateway(VpcName),
    /// The network between gateways and hosts.
    Internet,
    /// An appliance.
    Appliance(Attachment),
}

impl Walk {
    /// All who have passed it on to its receiver, in order. The router of a VPC is none of them: what it passes on has a hop less and
    /// no other sign of it.
    pub fn passed(&self, cloud: &Cloud, flow: &Flow) -> Vec<Passed> {
        let vpc_of = |end: &Endpoint| Some(cloud.interface(&end.interface()?)?.vpc.clone());
        let (from, to) = (vpc_of(&flow.from), vpc_of(&flow.to));
        let is_ipv6 = self.stages.iter().find_map(|stage| match stage {
            Stage::Sent { destination, .. } => Some(destination.is_ipv6()),
            _ => None,
        });
        let is_ipv6 =
            is_ipv6.unwrap_or_else(|| matches!(&flow.from, Endpoint::Host(_, address) if address.0.is_ipv6()));
        if is_ipv6 {
            // Nothing translates it: a gateway is on the way where a VPC is left or entered.
            return if from == to { Vec::new() } else { between(from, to) };
        }
        let mut passed: Vec<Passed> = Vec::new();
        let mut left = None;
        for stage in &self.stages {
            match stage {
                Stage::PassedOn { by, .. } => passed.extend(by.attachment().cloned().map(Passed::Appliance)),
                Stage::TranslatedSource { vpc, .. } => left = Some(vpc.clone()),
                // Where it leaves and enters one VPC, one gateway does both.
                Stage::TranslatedDestination { vpc, .. } if left.as_ref() == Some(vpc) => {
                    passed.extend(left.take().map(Passed::Gateway));
                }
                Stage::TranslatedDestination { vpc, .. } => passed.extend(between(left.take(), Some(vpc.clone()))),
                Stage::Resolved { .. }
                | Stage::Sent { .. }
                | Stage::RuleEvaluation(_)
                | Stage::OwnAnswer { .. }
                | Stage::NoEgressRules { .. }
                | Stage::Routed { .. } => {}
            }
        }
        if left.is_some() {
            passed.extend(between(left, None));
        }
        passed
    }
}

/// From a VPC, or from outside, to another.
fn between(from: Option<VpcName>, to: Option<VpcName>) -> Vec<Passed> {
    let gateway = |vpc: Option<VpcName>| vpc.map(Passed::Gateway);
    gateway(from).into_iter().chain([Passed::Internet]).chain(gateway(to)).collect()
}

/// Question to the groups of an interface, with the answer of each of their rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleEvaluation {
    /// Owner of the groups.
    pub interface: InterfaceId,
    /// End of the flow: ingress at the receiver, egress at the sender.
    pub at: Direction,
    /// The groups, in the interface's order.
    pub groups: Vec<GroupName>,
    /// The address of the other end as it is seen here.
    pub other: IpAddr,
    /// Path of the packet between the two ends: direct, or by an appliance.
    pub path: Path,
    /// Every rule of every group, in their order.
    pub trials: Vec<RuleMatch>,
}

impl RuleEvaluation {
    /// The rules that admit the flow; one is enough.
    pub fn admitted_by(&self) -> impl Iterator<Item = RuleId> {
        self.trials.iter().filter(|trial| trial.miss.is_none()).map(|trial| trial.rule)
    }

    /// The decision of these groups.
    pub fn decided(&self) -> DecidedBy {
        DecidedBy::GroupRules {
            at: self.at,
            interface: self.interface.clone(),
            groups: self.groups.clone(),
            rules: self.admitted_by().collect(),
        }
    }

    /// Returns true if a rule admits the flow.
    pub fn admits(&self) -> bool {
        self.admitted_by().next().is_some()
    }
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMatch {
    /// Its group.
    pub group: GroupName,
    /// ID of the rule.
    pub rule: RuleId,
    /// Reason why it does not admit the flow, if it does not: the first one, traffic before address.
    pub miss: Option<Mismatch>,
}

/// Reason why a rule does not admit a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mismatch {
    /// It is for another protocol.
    Protocol,
    /// It is for other ports.
    Port,
    /// It is for other ICMP messages.
    Message,
    /// It is for the ICMP of the other family of IP.
    Family,
    /// The other end's address is not in its block.
    Block,
    /// The other end's address is in no entry of its prefix list.
    PrefixList,
    /// The other end's address is not the private one of a member of the group that it names.
    NoMember,
    /// The group names itself, and in this world that matches nobody.
    SelfReference,
    /// An appliance is between the two ends, so that no group can be known.
    Appliance,
    /// The source is forged, so that no group can be known.
    Forged,
}

/// Path of a packet between the two interfaces: straight, or passed on by an appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Straight.
    Direct,
    /// An appliance is between them.
    ThroughAnAppliance,
    /// Straight, from an address that is not the sender's.
    Forged,
}
