//! Load balancers: listeners, registered instances, and the health check by which they are in service or not.
//!
//! Source: "What is a Classic Load Balancer?", "Configure health checks for your Classic Load Balancer" (Classic Load
//! Balancers user guide); the API of 2012.

use std::net::Ipv4Addr;
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::address::{Port, PrivateIp};
use super::interface::Interface;
use super::name::{GroupName, InstanceName, LoadBalancerName, SourceLocation, SubnetName, VpcName};

/// The group of every load balancer of EC2-Classic, and Amazon's own: rules name it, and nobody edits it.
///
/// Source: "Security groups for instances in EC2-Classic" (Classic Load Balancers user guide).
pub const ELB_GROUP: &str = "amazon-elb/amazon-elb-sg";

/// Scheme of a load balancer. It is made so, and stays so.
///
/// Source: `Scheme` of "CreateLoadBalancer" (Elastic Load Balancing API reference 2012-06-01).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// It has a public address, and its DNS name means that for everybody, inside its VPC as well.
    ///
    /// Source: "Internet-facing Classic Load Balancers" (Classic Load Balancers user guide).
    #[default]
    InternetFacing,
    /// It has a private address only, and its DNS name means that for everybody, outside as well. In a VPC only.
    ///
    /// Source: "Internal Classic Load Balancers" (Classic Load Balancers user guide).
    Internal,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::InternetFacing, Self::Internal];

    /// The API's word, and the file's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternetFacing => "internet-facing",
            Self::Internal => "internal",
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A load balancer: a node that takes connections and opens its own to one of the instances behind it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadBalancer {
    /// Its one network interface, with a private address, and a public one unless it is internal.
    pub interface: Interface,
    /// Scheme: internet-facing or internal.
    pub scheme: Scheme,
    /// The TCP ports that it takes connections on, each with the port of the instances that it goes on to.
    pub listeners: IndexMap<Port, Port>,
    /// Health check of its instances.
    pub health_check: HealthCheck,
    /// The instances behind it, each with the private address that it held when it was registered: what becomes of
    /// the instance's address later does not change it.
    pub registrations: IndexMap<InstanceName, PrivateIp>,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}

impl LoadBalancer {
    /// The address that its DNS name means, for whoever asks.
    pub fn named_address(&self) -> Option<Ipv4Addr> {
        match self.scheme {
            Scheme::InternetFacing => self.interface.public.map(|address| address.0),
            Scheme::Internal => self.interface.private.map(|address| address.0),
        }
    }
}

/// A TCP health check: a connection that comes about is a pass.
///
/// Source: "Configure health checks for your Classic Load Balancer".
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HealthCheck {
    /// The port of the instances.
    pub port: Port,
    /// From one check of an instance to the next.
    pub interval: Duration,
    /// Longest time for a connection to come about where nothing says that it never will.
    pub timeout: Duration,
    /// Number of failures in a row that take an instance out of service.
    pub unhealthy_threshold: u32,
    /// Number of passes in a row that bring it back. One is enough for an instance that has just been registered.
    pub healthy_threshold: u32,
}

impl HealthCheck {
    /// The defaults of the documents: every 30 s, a timeout of 5 s, out after 2 failures, back after 10 passes.
    pub fn of_port(port: Port) -> Self {
        Self {
            port,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            unhealthy_threshold: 2,
            healthy_threshold: 10,
        }
    }
}

/// Parameters of a new load balancer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreateLoadBalancer {
    /// Its name.
    pub name: LoadBalancerName,
    /// Its VPC.
    pub vpc: VpcName,
    /// Its subnet.
    pub subnet: SubnetName,
    /// Scheme; in EC2-Classic always internet-facing.
    pub scheme: Scheme,
    /// Its groups; none in EC2-Classic, and in a VPC `default` if there is none here.
    pub groups: IndexSet<GroupName>,
    /// Its ports, each with that of the instances.
    pub listeners: IndexMap<Port, Port>,
    /// Its health check.
    pub health_check: HealthCheck,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}
