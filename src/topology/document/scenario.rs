//! Tables, steps, operations and expectations.

use sglab_macros::Shape;

use super::groups::Registered;
use super::groups::{Group, Rules};
use super::instances::{Instance, Interfaces};
use super::networks::PrefixListEdit;
use super::shape::{Any, At, Field, Many, Map, One, Or};
use super::values::{Choice, EveryHost, Nothing, Unchanged};
use super::words::{Flow, Holder, LogLine, Logging, Name, Question, Service, ShortRule, Text};
use crate::model::{
    ConnectionName, Direction, ElasticIpName, Era, GroupName, InstanceName, Operation, Permission, PrefixListName,
    Reassociation, RefusalCode, SourceDestCheck, TableName, Target, Via,
};

/// An exhaustive truth table.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a table")]
pub struct Table {
    /// The table that this one extends.
    pub like: Field<Name<TableName>>,
    /// Columns to add to those that the file names anyway.
    #[shape("a list of ports")]
    pub ports: Field<Any<Service>>,
    /// The cells that are open.
    #[shape("a list of flows")]
    pub open: Field<Any<Flow>>,
    /// By which address instances reach each other here; `private`, or that of the table it extends.
    pub by: Field<Choice<Via>>,
    /// `all`: hosts are receivers too, each; left out, those to which the table opens something.
    pub egress: Field<Choice<EveryHost>>,
}

/// A step.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a step")]
pub struct Step {
    /// Its name, a sentence; each once.
    #[shape(needed, "the name of a step")]
    pub step: Field<Text>,
    /// The eras that it belongs to; left out: all.
    #[shape("an era or a list of eras")]
    pub eras: Field<Many<Choice<Era>>>,
    /// A word for the reader.
    #[shape("a note")]
    pub note: Field<Text>,
    /// What it does, in order.
    #[shape(either, "an operation or a list of operations")]
    pub r#do: Field<Operations>,
    /// Traffic that flows meanwhile, over tcp, udp or ping; `leak` and `loss` say what must hold of it.
    #[shape("at least one flow")]
    pub during: Field<Many<Flow>>,
    /// What must hold then.
    #[shape(either)]
    pub expect: Field<Expect>,
    /// Where it stands.
    pub at: At,
}

/// What a step does.
pub type Operations = Many<One<Verb>>;

/// Instances of an operation.
type Instances = Many<Name<InstanceName>>;

/// Elastic IPs of an operation.
pub type Addresses = Many<Name<ElasticIpName>>;

/// Connections of an operation or an expectation.
pub type Connections = Many<Name<ConnectionName>>;

/// Rules by group.
pub type RulesOfGroups = Map<Name<GroupName>, Rules>;

/// One operation.
#[derive(Clone, Debug, Shape)]
#[shape(
    "an operation, such as `stop: web1`",
    others("restart" = "a restart is a stop and a start: [{stop: web1}, {start: web1}]")
)]
pub enum Verb {
    /// `RunInstances`, one instance each.
    #[shape("a mapping of instances")]
    Launch(Map<Name<InstanceName>, Instance>),
    /// `StopInstances`.
    #[shape("an instance or a list of instances")]
    Stop(Instances),
    /// `StartInstances`; also brings back a crashed instance.
    #[shape("an instance or a list of instances")]
    Start(Instances),
    /// `RebootInstances`: every address is kept.
    #[shape("an instance or a list of instances")]
    Reboot(Instances),
    /// The operating system dies.
    #[shape("an instance or a list of instances")]
    Crash(Instances),
    /// `TerminateInstances`.
    #[shape("an instance or a list of instances")]
    Terminate(Instances),
    /// `AuthorizeSecurityGroupIngress`.
    #[shape("a mapping from groups to rules")]
    Authorize(RulesOfGroups),
    /// `RevokeSecurityGroupIngress`.
    #[shape("a mapping from groups to rules")]
    Revoke(RulesOfGroups),
    /// `AuthorizeSecurityGroupEgress`.
    #[shape("a mapping from groups to rules")]
    AuthorizeEgress(RulesOfGroups),
    /// `RevokeSecurityGroupEgress`.
    #[shape("a mapping from groups to rules")]
    RevokeEgress(RulesOfGroups),
    /// `UpdateSecurityGroupRuleDescriptionsIngress`: the rules as they stand, with their new descriptions; without one it is removed.
    #[shape("a mapping from groups to rules")]
    UpdateDescription(RulesOfGroups),
    /// `UpdateSecurityGroupRuleDescriptionsEgress`.
    #[shape("a mapping from groups to rules")]
    UpdateDescriptionEgress(RulesOfGroups),
    /// `ModifyInstanceAttribute`: replaces the groups of an instance.
    #[shape("a mapping from instances to their groups")]
    SetGroups(Map<Holder, Many<Name<GroupName>>>),
    /// `CreateSecurityGroup`, with its first rules.
    #[shape("a mapping of security groups")]
    CreateGroup(Map<Name<GroupName>, Group>),
    /// `DeleteSecurityGroup`.
    #[shape("a security group or a list of them")]
    DeleteGroup(Many<Name<GroupName>>),
    /// `AllocateAddress`.
    #[shape("an Elastic IP or a list of them")]
    AllocateAddress(Addresses),
    /// `AssociateAddress`: from whoever has it.
    #[shape("a mapping from Elastic IPs to instances")]
    AssociateAddress(Map<Name<ElasticIpName>, Association>),
    /// `DisassociateAddress`.
    #[shape("an Elastic IP or a list of them")]
    DisassociateAddress(Addresses),
    /// `ReleaseAddress`.
    #[shape("an Elastic IP or a list of them")]
    ReleaseAddress(Addresses),
    /// `AttachNetworkInterface`: a new interface of an instance.
    #[shape("a mapping from instances to interfaces")]
    AttachInterface(Map<Name<InstanceName>, Interfaces>),
    /// `DetachNetworkInterface`.
    #[shape("an interface such as `web1.eth1`, or a list of them")]
    DetachInterface(Many<Holder>),
    /// `ModifyNetworkInterfaceAttribute` with `SourceDestCheck`.
    #[shape("a mapping from instances or interfaces to `on` or `off`")]
    SourceDestCheck(Map<Holder, Choice<SourceDestCheck>>),
    /// `ModifyManagedPrefixList`.
    #[shape("a mapping of prefix lists")]
    EditPrefixList(Map<Name<PrefixListName>, PrefixListEdit>),
    /// `RegisterInstancesWithLoadBalancer`: instances by load balancer.
    #[shape("a mapping from load balancers to instances")]
    RegisterInstances(Registered),
    /// `DeregisterInstancesFromLoadBalancer`.
    #[shape("a mapping from load balancers to instances")]
    DeregisterInstances(Registered),
    /// Opens connections that are held until they are closed: a name, and one flow.
    #[shape("a mapping from names to flows")]
    Open(Map<Name<ConnectionName>, Flow>),
    /// Closes connections.
    #[shape("a connection or a list of them")]
    Close(Connections),
    /// Waits, in silence, until connections are not tracked any more.
    #[shape("a connection or a list of them")]
    Idle(Connections),
}

/// The arguments of a verb by their form. Verbs of one form differ by the operation that they make, which stands beside.
pub enum Said<'a> {
    /// An operation on each of these instances.
    Instances(&'a Instances, fn(InstanceName) -> Operation),
    /// Instances that are no more.
    Terminated(&'a Instances),
    /// Groups to delete.
    Deleted(&'a Many<Name<GroupName>>),
    /// An operation on each of these Elastic IPs.
    Addresses(&'a Addresses, fn(ElasticIpName) -> Operation),
    /// Elastic IPs to release.
    Released(&'a Addresses),
    /// An operation on rules of each of these groups.
    Rules(&'a RulesOfGroups, Direction, fn(GroupName, Vec<Permission>) -> Operation),
    /// Instances to launch.
    Launches(&'a Map<Name<InstanceName>, Instance>),
    /// Groups to create.
    NewGroups(&'a Map<Name<GroupName>, Group>),
    /// Elastic IPs to allocate.
    NewAddresses(&'a Addresses),
    /// Who is to have which Elastic IP.
    Associations(&'a Map<Name<ElasticIpName>, Association>),
    /// Who is to be in which groups.
    Members(&'a Map<Holder, Many<Name<GroupName>>>),
    /// Interfaces to attach.
    NewInterfaces(&'a Map<Name<InstanceName>, Interfaces>),
    /// Interfaces to detach.
    Interfaces(&'a Many<Holder>),
    /// Who is to check source and destination.
    Checks(&'a Map<Holder, Choice<SourceDestCheck>>),
    /// Entries of prefix lists.
    PrefixLists(&'a Map<Name<PrefixListName>, PrefixListEdit>),
    /// Who is to be behind which load balancer.
    Registered(&'a Registered),
    /// Who is not.
    Deregistered(&'a Registered),
    /// Connections to open.
    Open(&'a Map<Name<ConnectionName>, Flow>),
    /// Connections to close.
    Close(&'a Connections),
    /// Connections to leave in silence.
    Idle(&'a Connections),
}

impl Verb {
    /// Returns the entry of a `do:` that says an operation; nothing where a file needs more of the cloud than the operation says.
    pub fn of(operation: &Operation) -> Option<Self> {
        let rules = |group: &GroupName, permissions: &[Permission]| -> RulesOfGroups {
            let peers = permissions.iter().flat_map(|permission| &permission.peers);
            let rules: Rules = peers.map(|(_, written)| Or::Short(ShortRule::from(written))).collect();
            Map::from_iter([(group.as_str().into(), rules)])
        };
        let holder = |target: &Target| match target {
            Target::Instance(name) => Holder::from(name),
            Target::Interface(id) => Holder::from(id),
        };
        Some(match operation {
            Operation::AuthorizeIngress(group, permissions) => Self::Authorize(rules(group, permissions)),
            Operation::AuthorizeEgress(group, permissions) => Self::AuthorizeEgress(rules(group, permissions)),
            Operation::RevokeIngress(group, permissions) => Self::Revoke(rules(group, permissions)),
            Operation::RevokeEgress(group, permissions) => Self::RevokeEgress(rules(group, permissions)),
            Operation::Start(name) => Self::Start([name.as_str().into()].into_iter().collect()),
            Operation::Stop(name) => Self::Stop([name.as_str().into()].into_iter().collect()),
            Operation::SetSourceDestCheck(target, check) => {
                Self::SourceDestCheck(Map::from_iter([(holder(target), Choice::from(*check))]))
            }
            Operation::AllocateAddress(name) => Self::AllocateAddress([name.as_str().into()].into_iter().collect()),
            Operation::AssociateAddress { elastic_ip, to, .. } => {
                Self::AssociateAddress(Map::from_iter([(elastic_ip.as_str().into(), Or::Short(holder(to)))]))
            }
            Operation::CreateGroup(_)
            | Operation::DeleteGroup(_)
            | Operation::Launch(_)
            | Operation::Reboot(_)
            | Operation::Crash(_)
            | Operation::Terminate(_)
            | Operation::UpdateDescription(..)
            | Operation::UpdateDescriptionEgress(..)
            | Operation::SetGroups(..)
            | Operation::AttachInterface(..)
            | Operation::DetachInterface(_)
            | Operation::CreatePrefixList(_)
            | Operation::ModifyPrefixList { .. }
            | Operation::CreateLoadBalancer(_)
            | Operation::RegisterInstances(..)
            | Operation::DeregisterInstances(..)
            | Operation::DisassociateAddress(_)
            | Operation::ReleaseAddress(_) => return None,
        })
    }

    /// What it says.
    pub fn said(&self) -> Said<'_> {
        use Direction::{Egress, Ingress};
        match self {
            Self::Launch(map) => Said::Launches(map),
            Self::Stop(names) => Said::Instances(names, Operation::Stop),
            Self::Start(names) => Said::Instances(names, Operation::Start),
            Self::Reboot(names) => Said::Instances(names, Operation::Reboot),
            Self::Crash(names) => Said::Instances(names, Operation::Crash),
            Self::Terminate(names) => Said::Terminated(names),
            Self::Authorize(map) => Said::Rules(map, Ingress, Operation::AuthorizeIngress),
            Self::Revoke(map) => Said::Rules(map, Ingress, Operation::RevokeIngress),
            Self::AuthorizeEgress(map) => Said::Rules(map, Egress, Operation::AuthorizeEgress),
            Self::RevokeEgress(map) => Said::Rules(map, Egress, Operation::RevokeEgress),
            Self::UpdateDescription(map) => Said::Rules(map, Ingress, Operation::UpdateDescription),
            Self::UpdateDescriptionEgress(map) => Said::Rules(map, Egress, Operation::UpdateDescriptionEgress),
            Self::SetGroups(map) => Said::Members(map),
            Self::CreateGroup(map) => Said::NewGroups(map),
            Self::DeleteGroup(names) => Said::Deleted(names),
            Self::AllocateAddress(names) => Said::NewAddresses(names),
            Self::AssociateAddress(map) => Said::Associations(map),
            Self::DisassociateAddress(names) => Said::Addresses(names, Operation::DisassociateAddress),
            Self::ReleaseAddress(names) => Said::Released(names),
            Self::AttachInterface(map) => Said::NewInterfaces(map),
            Self::DetachInterface(names) => Said::Interfaces(names),
            Self::SourceDestCheck(map) => Said::Checks(map),
            Self::EditPrefixList(map) => Said::PrefixLists(map),
            Self::RegisterInstances(map) => Said::Registered(map),
            Self::DeregisterInstances(map) => Said::Deregistered(map),
            Self::Open(flows) => Said::Open(flows),
            Self::Close(names) => Said::Close(names),
            Self::Idle(names) => Said::Idle(names),
        }
    }
}

/// Association of an Elastic IP with an instance.
pub type Association = Or<Holder, LongAssociation>;

/// An association of which more is said.
#[derive(Clone, Debug, Default, Shape)]
#[shape("an association")]
pub struct LongAssociation {
    /// The instance.
    #[shape(needed)]
    pub instance: Field<Holder>,
    /// Whether it may be taken from another; `yes` if left out.
    pub allow_reassociation: Field<Choice<Reassociation>>,
    /// Where it stands.
    pub at: At,
}

/// What a step expects.
#[derive(Clone, Debug, Default, Shape)]
#[shape("expectations", some)]
pub struct Expect {
    /// Whole tables.
    #[shape("a table or a list of tables")]
    pub table: Field<Many<Name<TableName>>>,
    /// Flows that are answered; to a listener of a load balancer also with `answered by web1 and web2` behind.
    #[shape("at least one flow")]
    pub open: Field<Many<Flow>>,
    /// Flows that the groups let in, and nobody listens.
    #[shape("at least one flow")]
    pub refused: Field<Many<Flow>>,
    /// Flows that a load balancer takes and closes, having nobody in service.
    #[shape("at least one flow")]
    pub closed: Field<Many<Flow>>,
    /// Flows that a filter drops, by proof.
    #[shape("at least one flow")]
    pub dropped: Field<Many<Flow>>,
    /// Flows to an address that nobody holds.
    #[shape("at least one flow")]
    pub unreachable: Field<Many<Flow>>,
    /// Questions to the services that groups never filter, which are answered.
    #[shape("at least one question")]
    pub answered: Field<Many<Question>>,
    /// Instances to which a load balancer passes connections on.
    #[shape("a mapping from load balancers to instances")]
    pub in_service: Field<Registered>,
    /// Instances to which it does not.
    #[shape("a mapping from load balancers to instances")]
    pub out_of_service: Field<Registered>,
    /// Held connections over which each end still reaches the other.
    #[shape("at least one connection")]
    pub alive: Field<Connections>,
    /// Held connections of which what each end sends is dropped, by proof.
    #[shape("at least one connection")]
    pub cut: Field<Connections>,
    /// Held connections an end of which is no more.
    #[shape("at least one connection")]
    pub gone: Field<Connections>,
    /// Held connections over which what the server alone sends is dropped, by proof.
    #[shape("at least one connection")]
    pub unanswerable: Field<Connections>,
    /// The stations that flows pass, in order: `gateway`, `internet`, and appliances by name; `[]` for nobody.
    #[shape("a mapping from flows to stations", some)]
    pub hops: Field<Map<Flow, Any<Text>>>,
    /// What the flow logs of interfaces say of the step, by instance or interface.
    #[shape("a mapping from instances to what their flow logs say", some)]
    pub flow_logs: Field<Map<Logging, Many<LogLine>>>,
    /// Instances, or interfaces such as `web1.eth1`, that hold other addresses than before the step.
    #[shape("at least one instance or interface")]
    pub new_addresses: Field<Many<Holder>>,
    /// Instances, or interfaces, that hold another private address than before the step.
    #[shape("at least one instance or interface")]
    pub new_private: Field<Many<Holder>>,
    /// Instances, or interfaces, that hold the same private address as before the step.
    #[shape("at least one instance or interface")]
    pub same_private: Field<Many<Holder>>,
    /// Instances, or interfaces, that hold another public address than before the step.
    #[shape("at least one instance or interface")]
    pub new_public: Field<Many<Holder>>,
    /// Instances, or interfaces, that hold the same public address as before the step.
    #[shape("at least one instance or interface")]
    pub same_public: Field<Many<Holder>>,
    /// No packet of the traffic comes through that neither the cloud before nor any after it admits.
    pub leak: Field<Choice<Nothing>>,
    /// Every packet of the traffic comes through that the cloud before and every one after it admits.
    pub loss: Field<Choice<Nothing>>,
    /// The step adds, removes and replaces no rule.
    pub rules: Field<Choice<Unchanged>>,
    /// EC2's code, with which the last operation of the step is refused.
    pub refusal: Field<Choice<RefusalCode>>,
    /// Where it stands.
    pub at: At,
}
