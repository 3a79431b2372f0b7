//! The collector: reads nodes as what the format wants there, and notes every problem instead of stopping at one.

use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};

use super::document::shape::At;
use super::elastic_ips::Holder;
use super::mounts::Files;
use super::names::{Names, World};
use super::problem::{Draft, Source, Span};
use super::{FlowPattern, Table, TableName};
use crate::model::{Era, Forwarding, HostName, InstanceName, InterfaceId, LoadBalancerName, Vpc, VpcName};
use crate::model::{Host, Place, Service};

/// A file half read: what is known of it, and what is wrong with it.
pub(super) struct Reading<'s> {
    pub source: &'s Source,
    pub problems: Vec<Draft>,
    /// Every name of the file, later launches included.
    pub names: Names,
    pub eras: Vec<Era>,
    pub vpcs: IndexMap<VpcName, Vpc>,
    /// Their names, known before any of them is read.
    pub named_vpcs: Vec<VpcName>,
    pub hosts: IndexMap<HostName, Host>,
    pub tables: IndexMap<TableName, Table>,
    /// The `ports:` of all tables.
    pub ports: Vec<Service>,
    /// Groups and instances at the step that is being read.
    pub world: World,
    /// How many addresses of hosts all rules have together.
    pub peers: usize,
    /// What instances listen on.
    pub listens: IndexMap<InstanceName, IndexSet<Service>>,
    /// A part that makes names or members could not be read: what seems to be missing may stand there.
    pub incomplete: bool,
    /// Names of which a part that could not be read may be the declaration.
    pub unread: HashSet<String>,
    /// The tables could not be read.
    pub tables_incomplete: bool,
    /// The load balancers of which a listener could not be read.
    pub listeners_unread: HashSet<InstanceName>,
    /// Who is ever registered with which load balancer.
    pub registered: IndexMap<LoadBalancerName, IndexSet<InstanceName>>,
    /// Who is said to answer behind which load balancer, or to be in service there.
    pub behind: Vec<(LoadBalancerName, InstanceName, Span)>,
    /// A VPC could not be read, and is not among `vpcs`.
    pub vpcs_incomplete: bool,
    /// What instances do with packets for others.
    pub forwarders: IndexMap<InstanceName, Forwarding>,
    /// The instances that routes lead to.
    pub routed_to: Vec<(InterfaceId, Span)>,
    /// The instances and interfaces that Elastic IPs are associated with from the start.
    pub holders: Vec<Holder>,
    /// The load balancers that have no public address.
    pub internal: IndexSet<InstanceName>,
    /// A membership could not be read: nobody can say that a group is empty.
    pub members_unknown: bool,
    /// An association could not be read: nobody can say who never has a public address.
    pub publics_unknown: bool,
    /// The connections that steps so far have opened.
    pub connections: IndexMap<String, Span>,
    /// Whether something names the `default` group, or is in it.
    pub default_used: bool,
    /// Whether a load balancer is in it for want of another.
    pub default_of_balancers: bool,
    /// Whether there is a load balancer, or something names their group.
    pub elb_group_used: bool,
    /// Patterns with their places, to be checked once every membership is known.
    pub patterns: Vec<(FlowPattern, Span)>,
    /// The files that it names, where these can be looked for.
    pub files: Option<&'s dyn Files>,
}

impl<'s> Reading<'s> {
    pub fn new(source: &'s Source, problems: Vec<Draft>, files: Option<&'s dyn Files>) -> Self {
        Self {
            source,
            problems,
            names: Names::default(),
            eras: Vec::new(),
            vpcs: IndexMap::new(),
            named_vpcs: Vec::new(),
            hosts: IndexMap::new(),
            tables: IndexMap::new(),
            ports: Vec::new(),
            world: World::default(),
            peers: 0,
            listens: IndexMap::new(),
            incomplete: false,
            unread: HashSet::new(),
            tables_incomplete: false,
            listeners_unread: HashSet::new(),
            registered: IndexMap::new(),
            behind: Vec::new(),
            vpcs_incomplete: false,
            forwarders: IndexMap::new(),
            routed_to: Vec::new(),
            holders: Vec::new(),
            internal: IndexSet::new(),
            members_unknown: false,
            publics_unknown: false,
            connections: IndexMap::new(),
            default_used: false,
            default_of_balancers: false,
            elb_group_used: false,
            patterns: Vec::new(),
            files,
        }
    }

    pub fn report(&mut self, draft: Draft) {
        self.problems.push(draft);
    }

    /// Reports that a key is missing, unless an unknown one, which is reported, may have been meant for it.
    pub fn missing(&mut self, at: &At, draft: Draft) {
        if !at.misspelt() {
            self.report(draft);
        }
    }

    pub fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }
}
