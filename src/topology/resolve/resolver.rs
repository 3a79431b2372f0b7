//! State of reading a document: its names, its cloud, and its problems.

use std::collections::HashMap;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::Ipv6Net;

use super::names::Names;
use super::standing::Refused;
use super::standing::StepEntities;
use crate::model::{
    Attachment, Era, Forwarding, Host, HostName, InstanceName, InterfaceHolder, InterfaceId, LoadBalancerName, Service,
    SourceLocation, TableName, Via, Vpc, VpcName,
};
use crate::topology::document::shape::{At, Span};
use crate::topology::files::Files;
use crate::topology::patterns::{FlowPattern, Table};
use crate::topology::problem::{Diagnostic, Source};
use crate::topology::synthetic_hosts::NamedOutside;

/// A document half resolved.
pub(super) struct Resolver<'s> {
    pub told: Report<'s>,
    pub names: Names,
    pub cloud: Known,
    pub later: Later,
    /// Expected refusal of the operation that is being read.
    pub refused: Refused,
}

/// Problems found, with their source.
pub(super) struct Report<'s> {
    pub source: &'s Source,
    pub problems: Vec<Diagnostic>,
    /// The files that it names, where these can be looked for.
    pub files: Option<&'s dyn Files>,
}

/// Interface that has an address, and the kind of that address.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub by: InterfaceId,
    pub kind: Via,
}

/// Cloud as known at the step that is being read.
#[derive(Default)]
pub(super) struct Known {
    pub eras: Vec<Era>,
    pub vpcs: IndexMap<VpcName, Vpc>,
    pub hosts: IndexMap<HostName, Host>,
    pub tables: IndexMap<TableName, Table>,
    /// The `ports:` of all tables.
    pub ports: Vec<Service>,
    /// Groups and instances.
    pub now: StepEntities,
    /// Holders of addresses in a running cloud.
    pub holders: HashMap<IpAddr, Vec<Held>>,
    /// Prefixes of IPv6 in a running cloud, with the interfaces that they are delegated to.
    pub prefixes: Vec<(Ipv6Net, InterfaceId)>,
    /// Number of addresses of hosts in all rules together.
    pub peers: usize,
    /// Services that instances listen on.
    pub listens: IndexMap<InterfaceHolder, IndexSet<Service>>,
    /// Instances ever registered with each load balancer.
    pub registered: IndexMap<LoadBalancerName, IndexSet<InstanceName>>,
    /// The load balancers that have no public address.
    pub internal: IndexSet<LoadBalancerName>,
    /// Handling of packets for others, by instance.
    pub forwarders: IndexMap<InstanceName, Forwarding>,
    /// The connections that steps so far have opened.
    pub connections: IndexMap<String, Span>,
    /// The VPCs whose default group something names, or is in.
    pub defaults_used: IndexSet<VpcName>,
    /// The VPCs in whose default group a load balancer is for want of another.
    pub defaults_of_balancers: IndexSet<VpcName>,
    /// True if there is a load balancer, or something names their group.
    pub elb_group_used: bool,
    /// The addresses outside that flows name and no section makes.
    pub outside: NamedOutside,
    /// The ends `world[2]` of flows, where no section makes the host.
    pub numbered: Vec<(HostName, usize, Span)>,
}

/// Items that can be judged only once all of the document is known.
#[derive(Default)]
pub(super) struct Later {
    /// Patterns with their places.
    pub patterns: Vec<(FlowPattern, Span)>,
    /// Instances said to answer behind a load balancer, or to be in service there.
    pub behind: Vec<(LoadBalancerName, InstanceName, Span)>,
    /// The instances that routes lead to.
    pub routed_to: Vec<(Attachment, Span)>,
    /// The interfaces whose check of source and destination the file says, be it by a step.
    pub checks_said: IndexSet<Attachment>,
    /// The instances and interfaces that Elastic IPs are associated with from the start.
    pub holders: Vec<Holder>,
}

/// Instance or interface that has an Elastic IP from the start, as the file says it.
pub(super) struct Holder {
    pub instance: InstanceName,
    /// Position of its name.
    pub named: Span,
    /// Nothing where it says no interface, and so means the only one.
    pub device: Option<u8>,
    pub span: Span,
}

impl<'s> Resolver<'s> {
    pub fn new(source: &'s Source, problems: Vec<Diagnostic>, files: Option<&'s dyn Files>) -> Self {
        let told = Report { source, problems, files };
        Self { told, names: Names::default(), cloud: Known::default(), later: Later::default(), refused: Refused::No }
    }

    pub fn report(&mut self, draft: Diagnostic) {
        self.told.problems.push(draft);
    }

    /// Reports that a key is missing, unless an unknown one, which is reported, may have been meant for it.
    pub fn missing(&mut self, at: &At, draft: Diagnostic) {
        if !at.misspelt() {
            self.report(draft);
        }
    }

    pub fn place(&self, span: Span) -> SourceLocation {
        self.told.source.place(span)
    }
}
