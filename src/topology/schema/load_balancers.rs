//! The schema of load balancers.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::{Name, OneOrMany};

/// Takes connections, and opens its own to an instance in service. It sends from its own private address.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LoadBalancer {
    /// Whom it is for, era vpc only: `internet-facing`, if left out, or `internal`, without a public address.
    scheme: Option<Scheme>,
    /// Its security groups, era vpc only; `default` if left out. In EC2-Classic rules name `amazon-elb/amazon-elb-sg`.
    groups: Option<OneOrMany<Name>>,
    /// What it listens on, and where the instances do, if elsewhere.
    listeners: OneOrMany<Listener>,
    /// The instances that are registered from the start.
    targets: Option<OneOrMany<Name>>,
    /// How it finds out who is in service.
    health_check: Option<HealthCheck>,
    /// Its VPC, where there are several.
    vpc: Option<Name>,
    /// Its subnet; the first one if left out.
    subnet: Option<Name>,
}

/// Whom a load balancer is for.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Scheme {
    /// Its DNS name means its public address, inside its VPC as well.
    InternetFacing,
    /// It has a private address only, and its DNS name means that.
    Internal,
}

/// `tcp 80`, `tcp 80 to 8080`.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Listener(#[schemars(regex(pattern = r"^\s*tcp\s+[0-9]+(\s+to\s+(tcp\s+)?[0-9]+)?\s*$"))] String);

/// A TCP connection that comes about is a pass.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct HealthCheck {
    /// The port of the instances; that of the first listener if left out.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// Seconds from one check to the next; 30 if left out.
    #[schemars(range(min = 0.05, max = 300.0))]
    interval: Option<f64>,
    /// Seconds until a connection that nobody answers counts as failed; 5 if left out, or the interval if that is less, but
    /// not under 1.
    #[schemars(range(min = 0.05, max = 300.0))]
    timeout: Option<f64>,
    /// So many failures in a row take an instance out of service; 2 if left out.
    #[schemars(range(min = 2, max = 10))]
    unhealthy: Option<u8>,
    /// So many passes in a row bring it back; 10 if left out.
    #[schemars(range(min = 2, max = 10))]
    healthy: Option<u8>,
}

/// Instances by load balancer.
pub(super) type Registered = BTreeMap<Name, OneOrMany<Name>>;
