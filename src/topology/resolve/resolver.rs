//! What is known of a document while it is read, and what is wrong with it.

use indexmap::{IndexMap, IndexSet};

use super::names::Names;
use super::refused::Refused;
use super::standing::Standing;
use crate::model::{
    Era, Forwarding, Host, HostName, InstanceName, InterfaceId, LoadBalancerName, Place, Service, TableName, Vpc,
    VpcName,
};
use crate::topology::document::shape::{At, Span};
use crate::topology::files::Files;
use crate::topology::patterns::{FlowPattern, Table};
use crate::topology::problem::{Draft, Source};

/// A document half resolved.
pub(super) struct Resolver<'s> {
    pub told: Report<'s>,
    pub names: Names,
    pub cloud: Known,
    pub later: Later,
    /// Whether the operation that is being read is to be refused.
    pub refused: Refused,
}

/// What is wrong, and where.
pub(super) struct Report<'s> {
    pub source: &'s Source,
    pub problems: Vec<Draft>,
    /// The files that it names, where these can be looked for.
    pub files: Option<&'s dyn Files>,
}

/// What is known of the cloud at the step that is being read.
#[derive(Default)]
pub(super) struct Known {
    pub eras: Vec<Era>,
    pub vpcs: IndexMap<VpcName, Vpc>,
    /// Their names, known before any of them is read.
    pub named_vpcs: Vec<VpcName>,
    pub hosts: IndexMap<HostName, Host>,
    pub tables: IndexMap<TableName, Table>,
    /// The `ports:` of all tables.
    pub ports: Vec<Service>,
    /// Groups and instances.
    pub now: Standing,
    /// How many addresses of hosts all rules have together.
    pub peers: usize,
    /// What instances listen on.
    pub listens: IndexMap<InstanceName, IndexSet<Service>>,
    /// Who is ever registered with which load balancer.
    pub registered: IndexMap<LoadBalancerName, IndexSet<InstanceName>>,
    /// The load balancers that have no public address.
    pub internal: IndexSet<InstanceName>,
    /// What instances do with packets for others.
    pub forwarders: IndexMap<InstanceName, Forwarding>,
    /// The connections that steps so far have opened.
    pub connections: IndexMap<String, Span>,
    /// Whether something names the `default` group, or is in it.
    pub default_used: bool,
    /// Whether a load balancer is in it for want of another.
    pub default_of_balancers: bool,
    /// Whether there is a load balancer, or something names their group.
    pub elb_group_used: bool,
}

/// What can be judged once all of the document is known.
#[derive(Default)]
pub(super) struct Later {
    /// Patterns with their places.
    pub patterns: Vec<(FlowPattern, Span)>,
    /// Who is said to answer behind which load balancer, or to be in service there.
    pub behind: Vec<(LoadBalancerName, InstanceName, Span)>,
    /// The instances that routes lead to.
    pub routed_to: Vec<(InterfaceId, Span)>,
    /// The instances and interfaces that Elastic IPs are associated with from the start.
    pub holders: Vec<Holder>,
}

/// Who has an Elastic IP from the start, as the file says it.
pub(super) struct Holder {
    pub instance: InstanceName,
    /// Where its name stands.
    pub named: Span,
    /// Nothing where it says no interface, and so means the only one.
    pub device: Option<u8>,
    pub span: Span,
}

impl<'s> Resolver<'s> {
    pub fn new(source: &'s Source, problems: Vec<Draft>, files: Option<&'s dyn Files>) -> Self {
        let told = Report { source, problems, files };
        Self { told, names: Names::default(), cloud: Known::default(), later: Later::default(), refused: Refused::No }
    }

    pub fn report(&mut self, draft: Draft) {
        self.told.problems.push(draft);
    }

    /// Reports that a key is missing, unless an unknown one, which is reported, may have been meant for it.
    pub fn missing(&mut self, at: &At, draft: Draft) {
        if !at.misspelt() {
            self.report(draft);
        }
    }

    pub fn place(&self, span: Span) -> Place {
        self.told.source.place(span)
    }
}
