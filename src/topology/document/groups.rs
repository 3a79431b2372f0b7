//! Security groups and their rules, and load balancers.

use sglab_macros::Shape;

use super::shape::{At, Field, List, Many, Map, Or};
use super::values::{Choice, Seconds, Whole};
use super::words::{Description, Ec2Name, IcmpCode, IcmpType, Listener, Name, NumberOrWord, Peer, ShortRule};
use crate::model::{GroupName, InstanceName, LoadBalancerName, Scheme, SubnetName, VpcName};

/// A list of ingress rules, or the long form with a description.
pub type Group = Or<Rules, LongGroup>;

/// Rules in their order.
pub type Rules = List<Rule>;

/// `PROTOCOL PORT from PEER`, or the same as fields.
pub type Rule = Or<ShortRule, LongRule>;

/// A security group.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a security group")]
pub struct LongGroup {
    /// The name that EC2 has of it, of any characters that it takes; without, the same as here. Unique in its VPC, where the case of
    /// letters makes no difference.
    pub name: Field<Ec2Name>,
    /// A free text, of 255 characters at most.
    pub description: Field<Description>,
    /// Its VPC; to be said where there are several.
    pub vpc: Field<Name<VpcName>>,
    /// What is let in.
    #[shape("a list of rules", unique, others("inbound"))]
    pub ingress: Field<Rules>,
    /// What is let out, in place of everything. Era vpc only.
    #[shape("a list of rules", unique, others("outbound"))]
    pub egress: Field<Rules>,
}

/// A rule as fields.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a rule")]
pub struct LongRule {
    /// The protocol: tcp, udp, icmp, icmpv6, all, or a number.
    #[shape(needed, "a protocol")]
    pub protocol: Field<NumberOrWord>,
    /// A port, or `all`.
    pub port: Field<NumberOrWord>,
    /// A range, such as 7000-8000.
    pub ports: Field<NumberOrWord>,
    /// An ICMP type, `echo` or `all`.
    pub r#type: Field<IcmpType>,
    /// An ICMP code, or `all`; only with a type.
    #[shape("an ICMP code")]
    pub code: Field<IcmpCode>,
    /// Whom a rule for what comes in is about.
    #[shape("a peer or a list of peers")]
    pub from: Field<Many<Peer>>,
    /// The same for what goes out.
    #[shape("a peer or a list of peers")]
    pub to: Field<Many<Peer>>,
    /// A free text, of 255 characters at most.
    pub description: Field<Description>,
    /// Where it stands.
    pub at: At,
}

/// Takes connections, and opens its own to an instance in service. It sends from its own private address.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a load balancer")]
pub struct LoadBalancer {
    /// Its VPC, where there are several.
    pub vpc: Field<Name<VpcName>>,
    /// Its subnet; the first one if left out.
    pub subnet: Field<Name<SubnetName>>,
    /// Whom it is for, era vpc only: `internet-facing`, if left out, or `internal`, without a public address.
    pub scheme: Field<Choice<Scheme>>,
    /// Its security groups, era vpc only; `default` if left out. In EC2-Classic rules name `amazon-elb/amazon-elb-sg`.
    #[shape("at least one security group")]
    #[shape(others("security-groups", "security_groups", "sg"))]
    pub groups: Field<Many<Name<GroupName>>>,
    /// What it listens on, and where the instances do, if elsewhere.
    #[shape(needed, "at least one listener")]
    pub listeners: Field<Many<Listener>>,
    /// The instances that are registered from the start.
    #[shape("an instance or a list of instances")]
    pub targets: Field<Targets>,
    /// How it finds out who is in service.
    pub health_check: Field<HealthCheck>,
    /// Where it stands.
    pub at: At,
}

/// A TCP connection that comes about is a pass.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a health check")]
pub struct HealthCheck {
    /// The port of the instances; that of the first listener if left out.
    #[shape("a port")]
    pub port: Field<Whole<1, 65_535>>,
    /// Seconds from one check to the next; 30 if left out.
    pub interval: Field<Seconds>,
    /// Seconds until a connection that nobody answers counts as failed; 5 if left out, or the interval if that is less, but
    /// not under 1.
    pub timeout: Field<Seconds>,
    /// So many failures in a row take an instance out of service; 2 if left out.
    #[shape("a number of checks")]
    pub unhealthy: Field<Whole<2, 10>>,
    /// So many passes in a row bring it back; 10 if left out.
    #[shape("a number of checks")]
    pub healthy: Field<Whole<2, 10>>,
}

/// Instances behind a load balancer.
pub type Targets = Many<Name<InstanceName>>;

/// Instances by load balancer.
pub type Registered = Map<Name<LoadBalancerName>, Targets>;
