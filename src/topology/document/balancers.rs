//! Load balancers.

use sglab_macros::Shape;

use super::shape::{At, Field, Many, Map};
use super::values::{Choice, Seconds, Whole};
use super::words::{Listener, Name};
use crate::model::{GroupName, InstanceName, LoadBalancerName, Scheme, SubnetName, VpcName};

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
