//! Reasons for an outcome beyond its class: values, which cross the socket of a lab that is up, and their words.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{
    DecidedBy, Direction, Endpoint, GroupName, InstanceName, InterfaceHolder, InterfaceId, PrefixFamily, Service,
};
use crate::probe::{CloseReason, DropCause, HealthFailure, MissingEvidence};

/// Reason for an outcome beyond its class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No ingress rule admits it.
    NoIngressRule(NoIngressRule),
    /// No egress rule lets it out.
    NoEgressRule(NoEgressRule),
    /// Something decided that no group is asked about.
    BeyondGroups(BeyondGroups),
    /// Something dropped it that no verdict knows of.
    Dropped {
        /// Reason why the filter dropped it.
        cause: DropCause,
        /// Source address as the filter saw it.
        source: IpAddr,
    },
    /// The groups let it in, and nobody listens.
    NobodyListens,
    /// A load balancer closed it.
    Closed {
        /// The load balancer.
        by: Endpoint,
        /// Reason that it gave.
        why: CloseReason,
        /// Instances behind it that fail their health checks.
        failed: Vec<FailedTargets>,
    },
    /// Somebody else answered.
    AnsweredBy(String),
    /// Nothing is proved.
    Unproved {
        /// Evidence that is missing.
        why: MissingEvidence,
        /// The receiver, if it has crashed and holds its address.
        crashed: Option<Endpoint>,
    },
    /// The receiver is stopped.
    Stopped(Endpoint),
    /// The receiver has crashed.
    Crashed(Endpoint),
}

/// Groups of a receiver of which no rule admits a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoIngressRule {
    /// The groups.
    pub groups: Vec<GroupName>,
    /// Service of the flow.
    pub service: Service,
    /// Source address as the filter saw it.
    pub source: IpAddr,
    /// Present where the source is the public address of a sender that the groups may mean.
    pub public: Option<PublicSource>,
    /// Present where a group names itself, and both ends are members.
    pub itself: Option<NamesItself>,
    /// Rule that is nearly one for it.
    pub near_miss: Option<NearMiss>,
}

/// Groups of a sender of which no egress rule lets a flow out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoEgressRule {
    /// The groups.
    pub groups: Vec<GroupName>,
    /// Service of the flow.
    pub service: Service,
    /// The receiver.
    pub to: Endpoint,
    /// Secondary address of the receiver that was asked.
    pub asked: Option<IpAddr>,
    /// Holder of the groups.
    pub out_of: InterfaceHolder,
    /// Rule that is nearly one for it.
    pub near_miss: Option<NearMiss>,
}

/// A source that is the public address of a member: behind the gateway it no longer looks like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicSource {
    /// The sender.
    pub sender: Endpoint,
    /// The receiver, if its name means its public address.
    pub by_name: Option<Endpoint>,
    /// A group with a rule that names a group, and so matches private addresses only.
    pub by_group: Option<GroupName>,
}

/// A group that names itself where that matches nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesItself {
    /// The group.
    pub group: GroupName,
    /// The sender.
    pub sender: Endpoint,
    /// The receiver.
    pub receiver: InterfaceHolder,
}

/// Rule that is nearly one for a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NearMiss {
    /// The groups have no rules at all.
    NoRules {
        /// End of the flow that is judged.
        at: Direction,
        /// The group, if it is the only one.
        only: Option<GroupName>,
    },
    /// The rule is for one family of IP only.
    Family {
        /// Group of the rule.
        group: GroupName,
        /// The rule as it was written.
        rule: String,
        /// Family that the rule is for.
        only: PrefixFamily,
    },
    /// The rule is for another code of the same ICMP message.
    Code {
        /// Group of the rule.
        group: GroupName,
        /// The rule as it was written.
        rule: String,
        /// Code that the rule is for.
        code: u8,
        /// Service of the flow.
        service: Service,
        /// Code of the message.
        asked: u8,
    },
}

/// Decision about a flow that no group is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondGroups {
    /// The source/destination check of an interface.
    SourceDestCheck(InterfaceId),
    /// A route that leads to an instance that has crashed.
    RouteToCrashed(InstanceName),
    /// A route that leads to an instance that is stopped.
    RouteToStopped(InstanceName),
    /// A route that leads to what is not there, or passes nothing on.
    RouteToNobody,
    /// A source that is the address of no interface of the VPC.
    ForeignSource(IpAddr),
    /// A sender without a public address.
    NoPublicAddress(Endpoint),
}

/// Instances that fail their health checks for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTargets {
    /// The instances, at least one.
    pub targets: Vec<InstanceName>,
    /// Cause of the failure.
    pub cause: HealthFailure,
}

/// Says what dropped a packet where no group did.
pub fn cause(cause: &DropCause) -> String {
    match cause {
        DropCause::Decided(DecidedBy::SourceDestCheck { interface, .. }) => {
            format!("dropped at {}'s source/destination check", interface.short())
        }
        DropCause::Decided(DecidedBy::Route { .. }) => "dropped on its route".to_owned(),
        DropCause::Decided(DecidedBy::Translation { .. }) => "dropped in the gateway".to_owned(),
        DropCause::Decided(DecidedBy::GroupRules { .. }) | DropCause::Other(_) => format!("dropped as {cause}"),
    }
}

fn list(groups: &[GroupName]) -> String {
    groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIngressRule(none) => none.fmt(f),
            Self::NoEgressRule(none) => none.fmt(f),
            Self::BeyondGroups(by) => by.fmt(f),
            Self::Dropped { cause, source } => write!(f, "{}, source {source}", self::cause(cause)),
            Self::NobodyListens => f.write_str("the groups let it in, nobody listens"),
            Self::Closed { by, why, failed } => {
                write!(f, "{by} closed it: {why}")?;
                failed.iter().try_for_each(|failed| write!(f, "; {failed}"))
            }
            Self::AnsweredBy(name) => write!(f, "{name} answered"),
            Self::Unproved { why, crashed: None } => why.fmt(f),
            Self::Unproved { why, crashed: Some(end) } => write!(
                f,
                "{why}; {end} has crashed and is silent, which is no outcome: expect `dropped` where no rule admits the flow, or that a held \
                 connection is `gone`"
            ),
            Self::Stopped(end) => write!(f, "{end} is stopped"),
            Self::Crashed(end) => write!(f, "{end} has crashed"),
        }
    }
}

impl fmt::Display for NoIngressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no rule of {} admits {} from {}", list(&self.groups), self.service, self.source)?;
        if let Some(PublicSource { sender, by_name, by_group }) = &self.public {
            write!(f, ", the public address of {sender}")?;
            if let Some(to) = by_name {
                write!(f, "; the name of {to} means its public address, inside as well")?;
            }
            if by_group.is_some() {
                f.write_str("; a rule that names a group matches private addresses only")?;
            }
        }
        if let Some(NamesItself { group, sender, receiver }) = &self.itself {
            write!(f, "; {group} names itself, and {sender} and {receiver} are members, but here that matches nobody")?;
        }
        self.near_miss.iter().try_for_each(|near| near.fmt(f))
    }
}

impl fmt::Display for NoEgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no egress rule of {} lets {} to ", list(&self.groups), self.service)?;
        match (self.asked, &self.to) {
            (Some(asked), to) => write!(f, "{asked} of {to}")?,
            (None, Endpoint::Host(_, address)) => write!(f, "{address}")?,
            (None, to) => write!(f, "{to}")?,
        }
        write!(f, " out of {}", self.out_of)?;
        self.near_miss.iter().try_for_each(|near| near.fmt(f))
    }
}

/// Follows the words of what it nearly is.
impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules { at, only: Some(group) } => write!(f, "; {group} has no {at} rules"),
            Self::NoRules { at, only: None } => write!(f, "; they have no {at} rules"),
            Self::Family { group, rule, only } => {
                let only = match only {
                    PrefixFamily::Ipv4 => "IPv4 only: write `::/0` for IPv6",
                    PrefixFamily::Ipv6 => "IPv6 only: write `anywhere` for IPv4",
                };
                write!(f, "; {group} \"{rule}\" is for {only}")
            }
            Self::Code { group, rule, code, service, asked } => {
                let this = if *service == Service::IcmpEcho { "a ping" } else { "this message" };
                write!(f, "; {group} \"{rule}\" is for code {code} only, and {this} has code {asked}")
            }
        }
    }
}

impl fmt::Display for BeyondGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceDestCheck(interface) => {
                write!(f, "the source/destination check of {} applies before any group", interface.short())
            }
            Self::RouteToCrashed(hop) => write!(f, "the route leads to {hop}, which has crashed"),
            Self::RouteToStopped(hop) => write!(f, "the route leads to {hop}, which is stopped"),
            Self::RouteToNobody => f.write_str("the route leads to what is not there, or passes nothing on"),
            Self::ForeignSource(source) => {
                write!(f, "{source} is the address of no interface of the VPC, and nothing else leaves it")
            }
            Self::NoPublicAddress(sender) => write!(f, "{sender} has no public address to send it on with"),
        }
    }
}

impl fmt::Display for FailedTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.targets.iter().map(InstanceName::as_str).collect();
        let fails = if names.len() == 1 { "fails its health check" } else { "fail their health checks" };
        write!(f, "{} {fails}: {}", names.join(" and "), self.cause)
    }
}
