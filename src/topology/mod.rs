//! A topology file: a cloud, truth tables, and a scenario of steps.

mod builder;
mod columns;
mod document;
mod predictions;
mod problem;
mod resolve;
#[cfg(test)]
pub(crate) mod sample;
mod story;
mod strangers;
mod tree;
pub mod write;

pub use builder::{Builder, NewGroup, NewInstance, NewService, NewVpc};
pub use columns::columns_of;
pub use document::schema;
pub use predictions::{Asked, Prediction, Reply, Wanted, predictions};
pub use problem::{Problem, Problems, Related};
pub use resolve::{
    ExpectedLog, Files, Found, LogAction, LogPart, LogWanted, MAX_BYTES, read_flow, read_operations,
    read_operations_beside, read_question, read_rules, read_services,
};
pub use story::{Part, Story};

use std::net::Ipv4Addr;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use crate::model::{
    Cloud, CloudService, ConnectionName, Direction, Era, GroupName, HostIp, HostName, InstanceName, InterfaceId, Knobs,
    LoadBalancerName, Operation, Place, Port, Refusal, RefusalCode, Service, TableName, Via, VpcName,
    add_default_group, add_elb_group,
};

/// The commented file that `sglab init` writes.
pub const STARTER: &str = include_str!("starter.yaml");

/// Every file below `topologies`, by its path there without `.yaml`: `gotchas/case-02-one-group-is-no-trust`. Ordered by
/// name, those in folders last. Compiled in, so that they are there without a checkout.
pub const EXAMPLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// A checked topology file: whatever it names exists, and its initial cloud can be launched.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The file's stem, such as `two-tier`.
    pub name: String,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The eras it is to run under; at least one. `sglab test --era` chooses among all three.
    pub eras: Vec<Era>,
    /// Overrides of single knobs, applied on top of the era's preset.
    pub overrides: KnobOverrides,
    /// Hosts, VPCs, and what makes the initial cloud, as operations (groups with their rules, then launches).
    pub initial: Vec<Placed<Operation>>,
    /// The cloud before the first operation, for one era.
    pub(crate) empty: Cloud,
    /// The VPC whose `default` group the file uses; one that no file names is not there, and no filter is made for it.
    pub default_group: Option<VpcName>,
    /// The same where only load balancers wear it, which is in era vpc alone.
    pub default_group_of_balancers: Option<VpcName>,
    /// The VPC to which EC2-Classic's load balancers belong, if the file has any or names their group.
    pub elb_group: Option<VpcName>,
    /// Truth tables by name.
    pub tables: IndexMap<TableName, Table>,
    /// The scenario; at least one step, and at least one expectation in the file.
    pub steps: Vec<Step>,
    /// Every column of the exhaustive table: what rules, listeners and expectations of any step name, edges of
    /// ranges and their outside neighbours, one port that nothing names, and ICMP echo.
    pub columns: IndexSet<Service>,
    /// Ports that a `refused` expectation names: the harness does not listen there.
    pub deaf: IndexSet<(InstanceName, Service)>,
    /// What the file's opening comment tells of it.
    pub story: Story,
}

/// Single knobs that the file sets by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnobOverrides {
    /// See [`Knobs::change_groups`].
    pub change_groups: Option<crate::model::ChangeGroups>,
    /// See [`Knobs::self_reference`].
    pub self_reference: Option<crate::model::SelfReference>,
    /// See [`Knobs::private_address_on_start`].
    pub private_address_on_start: Option<crate::model::OnStart>,
    /// See [`Knobs::address_on_crash`].
    pub address_on_crash: Option<crate::model::OnCrash>,
    /// See [`Knobs::elastic_ip_on_stop`].
    pub elastic_ip_on_stop: Option<crate::model::ElasticIpOnStop>,
    /// See [`Knobs::quotas`].
    pub quotas: Option<crate::model::Quotas>,
    /// See [`Knobs::group_reference_ipv6`].
    pub group_reference_ipv6: Option<crate::model::GroupReferenceIpv6>,
    /// See [`Knobs::icmp_errors`].
    pub icmp_errors: Option<crate::model::IcmpErrors>,
}

/// A value and the place in the file that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// What is said.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// An exhaustive truth table: every cell that it does not open must be dropped, by proof.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where the file says so.
    pub place: Place,
    /// The table that this one extends; its open cells are this one's too. Never a circle.
    pub like: Option<TableName>,
    /// The cells that are open, beside those of `like`.
    pub open: Vec<FlowPattern>,
    /// By which address instances reach each other in this table, where it or one that it is like says so.
    pub via: Option<Via>,
}

/// Flows by pattern: `SG-T-WEB -> SG-T-DB:3306`. Membership is read at the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPattern {
    /// The words of the file.
    pub written: String,
    /// Where they stand.
    pub place: Place,
    /// Who opens the flow.
    pub from: Selector,
    /// `left:4500 <-> ...`: the port that it sends from, where both ends send to each other.
    pub from_port: Option<Port>,
    /// To whom.
    pub to: Selector,
    /// `<->`: the other way round too.
    pub both_ways: bool,
    /// What is asked for.
    pub service: Service,
    /// By which address of the receiver, where the pattern says so; else the table's, or the usual one.
    pub via: Option<Via>,
    /// `at ingress`, `at egress`: at which end a drop must happen.
    pub at: Option<Direction>,
}

/// Who asks which service, `app -> dns`. Membership is read at the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The words of the file.
    pub written: String,
    /// Where they stand.
    pub place: Place,
    /// Who asks; never a host.
    pub from: Selector,
    /// Whom.
    pub service: CloudService,
}

/// Who a pattern means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every host, and every running instance but the flow's other end.
    Any,
    /// One instance.
    Instance(InstanceName),
    /// A further interface of an instance: `web1.eth1`.
    Interface(InterfaceId),
    /// An instance with a source address that is not its own: `nat as 10.0.0.99`.
    Forged(InterfaceId, Ipv4Addr),
    /// The running members of a group, at that moment.
    Group(GroupName),
    /// A host, by each of its addresses.
    Host(HostName),
    /// One address of a host, `world[1]` in a result; never written in a file.
    HostAddress(HostName, HostIp),
}

/// A step: changes, then what must hold.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, a sentence.
    pub name: String,
    /// Where it begins.
    pub place: Place,
    /// The eras that it belongs to; others pass over it. Empty: all.
    pub eras: Vec<Era>,
    /// What it does, in order.
    pub actions: Vec<Action>,
    /// Traffic that flows meanwhile.
    pub during: Vec<FlowPattern>,
    /// What must hold then.
    pub expectations: Vec<Placed<Expectation>>,
    /// A word for the reader, printed with the result of the step.
    pub note: Option<String>,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A call: what one entry of `do:` changes. All of it is carried out, or nothing.
    Call(Vec<Placed<Operation>>),
    /// Opens a connection, which is held until it is closed or the scenario ends.
    Open(Placed<Opening>),
    /// Closes one.
    Close(Placed<ConnectionName>),
    /// Waits, in silence, until a connection is not tracked any more.
    Idle(Placed<ConnectionName>),
}

/// A connection to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its name, once in the file.
    pub name: ConnectionName,
    /// Who opens it to whom: exactly one flow at that moment. With `<->` each end sends from a fixed port to the other's, and
    /// neither answers; without a port of the first end both have one number.
    pub flow: FlowPattern,
}

impl Step {
    /// Whether an era takes this step: those that it names, or every one.
    pub fn is_of(&self, era: Era) -> bool {
        self.eras.is_empty() || self.eras.contains(&era)
    }

    /// The calls that change the cloud, in order.
    pub fn calls(&self) -> impl Iterator<Item = &[Placed<Operation>]> {
        self.actions.iter().filter_map(|action| match action {
            Action::Call(operations) => Some(operations.as_slice()),
            Action::Open(_) | Action::Close(_) | Action::Idle(_) => None,
        })
    }

    /// The changes to the cloud, in order.
    pub fn operations(&self) -> impl Iterator<Item = &Placed<Operation>> {
        self.calls().flatten()
    }

    /// The cloud after the calls; one that is refused leaves it as it is.
    pub fn cloud_after(&self, cloud: &Cloud) -> Cloud {
        self.calls().fold(cloud.clone(), |cloud, call| {
            crate::model::apply_all(&cloud, call.iter().map(|placed| &placed.value)).unwrap_or(cloud)
        })
    }
}

/// What must have become of a connection that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// What each end sends arrives.
    Alive,
    /// What each end sends is dropped, by proof.
    Cut,
    /// An end of it is no more.
    Gone,
    /// What the server alone sends over it is dropped, by proof: nobody remembers the question.
    Unanswerable,
}

impl Fate {
    /// The word of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Cut => "cut",
            Self::Gone => "gone",
            Self::Unanswerable => "unanswerable",
        }
    }
}

/// What a step expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The whole table.
    Table(TableName),
    /// These flows have this outcome.
    Flows(ExpectedOutcome, Vec<FlowPattern>),
    /// This has become of these connections.
    Connections(Fate, Vec<Placed<ConnectionName>>),
    /// These questions to the services that groups never filter are answered.
    Answered(Vec<Question>),
    /// These flows to listeners of load balancers are answered by these instances and by no other.
    AnsweredBy(Vec<AnsweredBy>),
    /// These instances are in service behind a load balancer, or out of it.
    Health(Rotation, Vec<(Placed<LoadBalancerName>, InstanceName)>),
    /// The flow logs of interfaces say this of the step.
    FlowLogs(Vec<ExpectedLog>),
    /// These instances hold another private address than before the step, and another public one.
    NewAddresses(Vec<InstanceName>),
    /// These instances hold another private or public address than before the step, or the same.
    Address(AddressKind, AddressFate, Vec<InstanceName>),
    /// No packet of the traffic came through that none of the clouds admits which it can have met.
    NoLeak,
    /// Every packet of the traffic came through that all of the clouds admit which it can have met.
    NoLoss,
    /// No rule was added, removed or replaced in the kernel by the step, compared by handles.
    RulesUnchanged,
    /// The last operation of the step is refused with this code, and nothing changed.
    Refusal(RefusalCode),
}

/// Who must answer flows that come to a load balancer: each of them has, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredBy {
    /// The words of the file.
    pub written: String,
    /// The flows.
    pub flow: FlowPattern,
    /// Who answers them.
    pub by: IndexSet<InstanceName>,
}

/// Whether a load balancer passes connections on to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It does.
    In,
    /// It does not.
    Out,
}

impl Rotation {
    /// The word of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in-service",
            Self::Out => "out-of-service",
        }
    }
}

/// Which address of an instance is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// The private one.
    Private,
    /// The public one.
    Public,
}

/// What becomes of an address in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFate {
    /// Another takes its place.
    New,
    /// It stays.
    Same,
}

/// The outcome that a flow must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedOutcome {
    /// Answered by the instance asked for.
    Open,
    /// Let in by the groups, and nobody listens.
    Refused,
    /// Let in by a load balancer, which has nobody to pass it on to.
    Closed,
    /// Dropped by a filter, by proof.
    Dropped,
    /// Nobody holds the address.
    Unreachable,
}

impl Topology {
    /// The cloud before the first operation under an era, with the file's overrides.
    pub fn empty_cloud(&self, era: Era) -> Cloud {
        let mut cloud = self.empty.clone();
        cloud.era = era;
        cloud.knobs = self.overrides.over(era.knobs());
        let balanced = self.default_group_of_balancers.as_ref().filter(|_| era == Era::Vpc);
        if let Some(vpc) = self.default_group.as_ref().or(balanced) {
            add_default_group(&mut cloud, vpc);
        }
        if let Some(vpc) = self.elb_group.as_ref().filter(|_| era != Era::Vpc) {
            add_elb_group(&mut cloud, vpc);
        }
        cloud
    }
}

impl Topology {
    /// The cloud as launched, under an era; or the operation that EC2 refuses, and why.
    ///
    /// # Errors
    /// The refusal, and the place of what is refused. Only under an era that the file does not name.
    pub fn initial_cloud(&self, era: Era) -> Result<Cloud, (Refusal, Place)> {
        let mut cloud = self.empty_cloud(era);
        for Placed { value, place } in &self.initial {
            crate::model::carry_out(&mut cloud, value).map_err(|refusal| (refusal, place.clone()))?;
        }
        Ok(cloud)
    }
}

impl KnobOverrides {
    /// The preset with the overrides in place.
    pub fn over(self, preset: Knobs) -> Knobs {
        Knobs {
            change_groups: self.change_groups.unwrap_or(preset.change_groups),
            self_reference: self.self_reference.unwrap_or(preset.self_reference),
            private_address_on_start: self.private_address_on_start.unwrap_or(preset.private_address_on_start),
            address_on_crash: self.address_on_crash.unwrap_or(preset.address_on_crash),
            elastic_ip_on_stop: self.elastic_ip_on_stop.unwrap_or(preset.elastic_ip_on_stop),
            quotas: self.quotas.unwrap_or(preset.quotas),
            group_reference_ipv6: self.group_reference_ipv6.unwrap_or(preset.group_reference_ipv6),
            icmp_errors: self.icmp_errors.unwrap_or(preset.icmp_errors),
        }
    }
}

#[cfg(test)]
mod tests;
