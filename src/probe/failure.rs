//! Reasons why a socket of the harness, or of a load balancer, comes to nothing, and what that means for the health of an instance: values, and
//! their words.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::ports::UsedUp;
use crate::model::{GroupName, InstanceName, InterfaceHolder, Port, PrivateIp};
use crate::network::record::Record;

/// Reason why a socket of a probe shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketFailure {
    /// It was not opened.
    NotOpened,
    /// Somebody holds its source port.
    PortTaken,
    /// Every source port of the sender is in use or resting.
    PortsUsedUp(UsedUp),
    /// It could not be bound.
    Bind {
        /// Source address.
        source: IpAddr,
        /// Source port.
        port: u16,
        /// The kernel's words.
        error: String,
    },
    /// An answer came with the token of another probe.
    OtherToken,
    /// The same, to a ping.
    OtherEchoToken,
    /// Something else, in the kernel's words.
    Kernel(String),
}

impl From<UsedUp> for SocketFailure {
    fn from(used_up: UsedUp) -> Self {
        Self::PortsUsedUp(used_up)
    }
}

impl fmt::Display for SocketFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened => f.write_str("its socket was not opened"),
            Self::PortTaken => f.write_str("its source port is taken"),
            Self::PortsUsedUp(used_up) => used_up.fmt(f),
            Self::Bind { source, port, error } => write!(f, "failed to bind {source}:{port}: {error}"),
            Self::OtherToken => f.write_str("an answer with another token"),
            Self::OtherEchoToken => f.write_str("an echo reply with another token"),
            Self::Kernel(words) => f.write_str(words),
        }
    }
}

/// Reason why nobody has taken a connection of a load balancer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Untaken {
    /// Its registration is in progress, and nothing was tried yet.
    InProgress,
    /// A filter recorded that it dropped it.
    Dropped {
        /// Address that was asked.
        to: SocketAddr,
        /// The record, where it was still known.
        record: Option<Record>,
        /// Kind of the record.
        proof: DropProof,
    },
    /// The other end refused it.
    Refused(SocketAddr),
    /// Nobody holds the address, or no route leads there.
    Unreachable(SocketAddr),
    /// It failed otherwise.
    Failed(SocketAddr),
    /// Nobody said anything within the timeout of the health check.
    NoAnswer(SocketAddr),
    /// No socket could be made, in the kernel's words.
    NoSocket(String),
    /// Its socket has no address.
    NoAddress,
    /// The namespace could not be entered, in the kernel's words.
    Kernel(String),
}

/// Weight of the record of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropProof {
    /// A rule has judged it, or nobody holds the address.
    Judged,
    /// It begins nothing, or found no room: no rule has said anything.
    Unjudged,
}

impl Untaken {
    /// Returns `true` if the load balancer's own socket failed, so that the instance had no part in it.
    pub fn is_of_the_balancer(&self) -> bool {
        match self {
            Self::NoSocket(_) | Self::NoAddress | Self::Kernel(_) => true,
            Self::InProgress
            | Self::Dropped { .. }
            | Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Failed(_)
            | Self::NoAnswer(_) => false,
        }
    }

    /// Returns `true` if a filter says so; else it is the word of whom it was for, or of nobody.
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Dropped { proof: DropProof::Judged, .. })
    }
}

impl fmt::Display for Untaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProgress => f.write_str("its registration is in progress"),
            Self::Dropped { to, record: Some(record), .. } => write!(f, "{to}: {record}"),
            Self::Dropped { to, record: None, .. } => write!(f, "{to}: dropped"),
            Self::Refused(to) => write!(f, "{to}: refused"),
            Self::Unreachable(to) => write!(f, "{to}: unreachable"),
            Self::Failed(to) => write!(f, "{to}: failed"),
            Self::NoAnswer(to) => write!(f, "{to}: no answer"),
            Self::NoSocket(error) => write!(f, "no socket: {error}"),
            Self::NoAddress => f.write_str("a socket without an address"),
            Self::Kernel(words) => f.write_str(words),
        }
    }
}

/// Reason why a load balancer closed a connection that it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// It has nobody in service.
    NoneInService,
    /// Those in service take no connection on the port that it passes on to.
    NoneTakes {
        /// Instances in service, at least one.
        in_service: Vec<InstanceName>,
        /// Port of the instances.
        port: Port,
    },
    /// The instance whose turn it was has not taken it.
    Untaken(Untaken),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneInService => f.write_str("no instance behind it is in service"),
            Self::NoneTakes { in_service, port } => {
                let names: Vec<&str> = in_service.iter().map(InstanceName::as_str).collect();
                let (are, take) = if names.len() == 1 { ("is", "takes") } else { ("are", "take") };
                write!(f, "{} {are} in service, and {take} no connection on tcp {port}", names.join(" and "))
            }
            Self::Untaken(untaken) => untaken.fmt(f),
        }
    }
}

/// Reason why an instance behind a load balancer is out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthFailure {
    /// It is not registered.
    NotRegistered,
    /// Its last health check failed.
    Found(Untaken),
    /// Its health checks pass, and more have to.
    Passing {
        /// Number of those that have passed, in a row.
        passed: u32,
        /// Number of those that have to.
        threshold: u32,
    },
    /// No ingress rule admits the health check.
    NoIngressRule {
        /// Groups that have none.
        groups: Vec<GroupName>,
        /// Port of the health check.
        port: Port,
        /// The load balancer.
        from: InterfaceHolder,
        /// Address of the load balancer.
        address: Option<PrivateIp>,
        /// Holder of the groups, where that is not the instance.
        at: Option<InterfaceHolder>,
    },
    /// No egress rule lets the health check out.
    NoEgressRule {
        /// Groups that have none.
        groups: Vec<GroupName>,
        /// Holder of the groups.
        holder: InterfaceHolder,
        /// Port of the health check.
        port: Port,
    },
    /// A route or a check of source and destination drops it.
    Misrouted,
    /// Nobody listens.
    NobodyListens {
        /// Holder of the address.
        by: InstanceName,
        /// Port of the health check.
        port: Port,
    },
    /// The holder of the address has crashed.
    Crashed(InstanceName),
    /// The instance is stopped.
    Stopped(InstanceName),
    /// The instance has another address than it was registered with.
    Moved {
        /// Address of the registration.
        registered: Ipv4Addr,
        /// Its address now.
        has: PrivateIp,
    },
    /// Nobody holds the address of the registration.
    NoHolder(Ipv4Addr),
}

impl fmt::Display for HealthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |groups: &[GroupName]| groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::NotRegistered => f.write_str("it is not registered"),
            Self::Found(untaken) => untaken.fmt(f),
            Self::Passing { passed, threshold } => write!(f, "{passed} of {threshold} checks in a row have passed"),
            Self::NoIngressRule { groups, port, from, address, at } => {
                write!(f, "no rule of {} admits tcp {port} from {from}", list(groups))?;
                if let Some(address) = address {
                    write!(f, " ({address})")?;
                }
                if let Some(at) = at {
                    write!(f, " at {at}")?;
                }
                Ok(())
            }
            Self::NoEgressRule { groups, holder, port } => {
                write!(f, "no egress rule of {} lets {holder} out to tcp {port}", list(groups))
            }
            Self::Misrouted => f.write_str("a route leads it astray"),
            Self::NobodyListens { by, port } => write!(f, "nobody listens on tcp {port} of {by}"),
            Self::Crashed(by) => write!(f, "{by} has crashed, and answers nothing"),
            Self::Stopped(target) => write!(f, "{target} is stopped"),
            Self::Moved { registered, has } => {
                write!(
                    f,
                    "it was registered with {registered}, and has {has} since: deregister it and register it again"
                )
            }
            Self::NoHolder(address) => write!(f, "nobody holds {address}"),
        }
    }
}

/// Reason why the health of an instance is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthDoubt {
    /// A health check, passed or failed, contradicts its state for longer than its own time.
    Contradicted(Option<Untaken>),
    /// A program decides, which nothing predicts.
    Program {
        /// Instance of the program.
        by: InstanceName,
        /// Port of the health check.
        port: Port,
    },
}

impl fmt::Display for HealthDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradicted(Some(untaken)) => write!(f, "{untaken}, and yet it is still in service"),
            Self::Contradicted(None) => f.write_str("a health check passes, and yet it is still out of service"),
            Self::Program { by, port } => write!(f, "what a program of {by} does on tcp {port} is not predicted"),
        }
    }
}
