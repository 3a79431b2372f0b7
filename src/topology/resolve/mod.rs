//! What a document means: its names and words, against the file itself or a running cloud. Every problem is noted, and reading
//! goes on.

mod answers;
mod asked;
mod connections;
mod daemons;
mod during;
mod elastic_ips;
mod expectations;
mod flow_logs;
mod flows;
mod instances;
mod interfaces;
mod live;
mod load_balancers;
mod mounts;
mod names;
mod networks;
mod parse;
mod peers;
mod prefix_lists;
mod rules;
mod scenario;
mod services;
mod standing;
mod tracking;
mod ways;

pub use flow_logs::{ExpectedLog, LogAction, LogPart, LogWanted};
pub use live::{read_flow, read_operations, read_operations_beside, read_question, read_rules, read_services};
pub use mounts::{Files, Found};
pub use networks::belongs;
pub use parse::MAX_BYTES;

use indexmap::{IndexMap, IndexSet};

use super::document::shape::{At, Span};
use super::problem::{Draft, Source};
use super::{FlowPattern, Table, TableName};
use crate::model::{
    Era, Forwarding, Host, HostName, InstanceName, InterfaceId, LoadBalancerName, Place, Service, Vpc, VpcName,
};
use elastic_ips::Holder;
use names::Names;
use scenario::Refused;
use standing::Standing;

/// A document half resolved.
struct Resolver<'s> {
    told: Report<'s>,
    names: Names,
    cloud: Known,
    later: Later,
    /// Whether the operation that is being read is to be refused.
    refused: Refused,
}

/// What is wrong, and where.
struct Report<'s> {
    source: &'s Source,
    problems: Vec<Draft>,
    /// The files that it names, where these can be looked for.
    files: Option<&'s dyn Files>,
}

/// What is known of the cloud at the step that is being read.
#[derive(Default)]
struct Known {
    eras: Vec<Era>,
    vpcs: IndexMap<VpcName, Vpc>,
    /// Their names, known before any of them is read.
    named_vpcs: Vec<VpcName>,
    hosts: IndexMap<HostName, Host>,
    tables: IndexMap<TableName, Table>,
    /// The `ports:` of all tables.
    ports: Vec<Service>,
    /// Groups and instances.
    now: Standing,
    /// How many addresses of hosts all rules have together.
    peers: usize,
    /// What instances listen on.
    listens: IndexMap<InstanceName, IndexSet<Service>>,
    /// Who is ever registered with which load balancer.
    registered: IndexMap<LoadBalancerName, IndexSet<InstanceName>>,
    /// The load balancers that have no public address.
    internal: IndexSet<InstanceName>,
    /// What instances do with packets for others.
    forwarders: IndexMap<InstanceName, Forwarding>,
    /// The connections that steps so far have opened.
    connections: IndexMap<String, Span>,
    /// Whether something names the `default` group, or is in it.
    default_used: bool,
    /// Whether a load balancer is in it for want of another.
    default_of_balancers: bool,
    /// Whether there is a load balancer, or something names their group.
    elb_group_used: bool,
}

/// What can be judged once all of the document is known.
#[derive(Default)]
struct Later {
    /// Patterns with their places.
    patterns: Vec<(FlowPattern, Span)>,
    /// Who is said to answer behind which load balancer, or to be in service there.
    behind: Vec<(LoadBalancerName, InstanceName, Span)>,
    /// The instances that routes lead to.
    routed_to: Vec<(InterfaceId, Span)>,
    /// The instances and interfaces that Elastic IPs are associated with from the start.
    holders: Vec<Holder>,
}

impl<'s> Resolver<'s> {
    fn new(source: &'s Source, problems: Vec<Draft>, files: Option<&'s dyn Files>) -> Self {
        let told = Report { source, problems, files };
        Self { told, names: Names::default(), cloud: Known::default(), later: Later::default(), refused: Refused::No }
    }

    fn report(&mut self, draft: Draft) {
        self.told.problems.push(draft);
    }

    /// Reports that a key is missing, unless an unknown one, which is reported, may have been meant for it.
    fn missing(&mut self, at: &At, draft: Draft) {
        if !at.misspelt() {
            self.report(draft);
        }
    }

    fn place(&self, span: Span) -> Place {
        self.told.source.place(span)
    }
}
