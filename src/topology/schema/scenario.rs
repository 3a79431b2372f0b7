//! The schema of tables, steps and what they expect.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::load_balancers::Registered;
use super::{
    Association, Era, Group, Holder, Instance, Interface, Name, OnOrOff, OneOrMany, PrefixListEdit, Rule, Services,
};

/// `FROM -> TO:PORT`, `FROM <-> TO:PORT`; of a connection that is held also `FROM:PORT <-> TO:PORT/udp`; then `by public address`, `by dns name`, `at ingress`.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Flow(#[schemars(regex(pattern = r"^\s*\S+(\s+as\s+\S+)?\s*<?->\s*\S+\s*:\s*\S"))] String);

/// `FROM -> dns`, `FROM -> metadata`, `FROM -> time`.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Question(#[schemars(regex(pattern = r"^\s*\S+\s*->\s*(dns|metadata|time)\s*$"))] String);

/// `ACCEPT FROM -> TO:PORT`, `REJECT ...`, `ACCEPT response to FROM -> TO:PORT`; `no` before it; `no REJECT`; `NODATA`.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct LogLine(
    #[schemars(regex(
        pattern = r"^\s*(NODATA|no\s+(ACCEPT|REJECT)|(no\s+)?(ACCEPT|REJECT)\s+(response to\s+)?\S+\s*<?->\s*\S+\s*:\s*\S.*)\s*$"
    ))]
    String,
);

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Table {
    /// The table that this one extends.
    like: Option<Name>,
    /// Columns to add to those that the file names anyway.
    ports: Option<Services>,
    /// The cells that are open.
    open: Option<Flows>,
    /// By which address instances reach each other here; `private`, or that of the table it extends.
    by: Option<By>,
}

/// Flows; none at all is fine.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Flows {
    One(Flow),
    Many(Vec<Flow>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum By {
    Private,
    Public,
    Ipv6,
    Dns,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["do"]}, {"required": ["expect"]}]))]
pub(super) struct Step {
    /// Its name, a sentence; each once.
    step: String,
    /// The eras that it belongs to; left out: all.
    eras: Option<OneOrMany<Era>>,
    /// A word for the reader.
    note: Option<String>,
    /// What it does, in order.
    r#do: Option<OneOrMany<Action>>,
    /// Traffic that flows meanwhile, over tcp or udp; `leak` and `loss` say what must hold of it.
    during: Option<OneOrMany<Flow>>,
    /// What must hold then.
    expect: Option<Expect>,
}

/// One operation.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Action {
    /// `RunInstances`, one instance each.
    Launch(BTreeMap<Name, Instance>),
    /// `StopInstances`.
    Stop(OneOrMany<Name>),
    /// `StartInstances`; also brings back a crashed instance.
    Start(OneOrMany<Name>),
    /// `RebootInstances`: every address is kept.
    Reboot(OneOrMany<Name>),
    /// The operating system dies.
    Crash(OneOrMany<Name>),
    /// `TerminateInstances`.
    Terminate(OneOrMany<Name>),
    /// `AuthorizeSecurityGroupIngress`.
    Authorize(BTreeMap<Name, Vec<Rule>>),
    /// `AuthorizeSecurityGroupEgress`.
    AuthorizeEgress(BTreeMap<Name, Vec<Rule>>),
    /// `RevokeSecurityGroupEgress`.
    RevokeEgress(BTreeMap<Name, Vec<Rule>>),
    /// `DeleteSecurityGroup`.
    DeleteGroup(OneOrMany<Name>),
    /// `AllocateAddress`.
    AllocateAddress(OneOrMany<Name>),
    /// `AssociateAddress`: from whoever has it.
    AssociateAddress(BTreeMap<Name, Association>),
    /// `DisassociateAddress`.
    DisassociateAddress(OneOrMany<Name>),
    /// `ReleaseAddress`.
    ReleaseAddress(OneOrMany<Name>),
    /// Opens connections that are held until they are closed: a name, and one flow.
    Open(BTreeMap<Name, Flow>),
    /// Closes connections.
    Close(OneOrMany<Name>),
    /// Waits, in silence, until connections are not tracked any more.
    Idle(OneOrMany<Name>),
    /// `RevokeSecurityGroupIngress`.
    Revoke(BTreeMap<Name, Vec<Rule>>),
    /// `ModifyInstanceAttribute`: replaces the groups of an instance.
    SetGroups(BTreeMap<Holder, OneOrMany<Name>>),
    /// `AttachNetworkInterface`: a new interface of an instance.
    AttachInterface(BTreeMap<Name, BTreeMap<String, Interface>>),
    /// `DetachNetworkInterface`.
    DetachInterface(OneOrMany<Holder>),
    /// `ModifyManagedPrefixList`.
    EditPrefixList(BTreeMap<Name, PrefixListEdit>),
    /// `RegisterInstancesWithLoadBalancer`: instances by load balancer.
    RegisterInstances(Registered),
    /// `DeregisterInstancesFromLoadBalancer`.
    DeregisterInstances(Registered),
    /// `ModifyNetworkInterfaceAttribute` with `SourceDestCheck`.
    SourceDestCheck(BTreeMap<Holder, OnOrOff>),
    /// `CreateSecurityGroup`, with its first rules.
    CreateGroup(BTreeMap<Name, Group>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", extend("minProperties" = 1))]
struct Expect {
    /// Whole tables.
    table: Option<OneOrMany<Name>>,
    /// Flows that are answered; to a listener of a load balancer also with `answered by web1 and web2` behind.
    open: Option<OneOrMany<Flow>>,
    /// Flows that the groups let in, and nobody listens.
    refused: Option<OneOrMany<Flow>>,
    /// Flows that a load balancer takes and closes, having nobody in service.
    closed: Option<OneOrMany<Flow>>,
    /// Flows that a filter drops, by proof.
    dropped: Option<OneOrMany<Flow>>,
    /// Flows to an address that nobody holds.
    unreachable: Option<OneOrMany<Flow>>,
    /// Questions to the services that groups never filter, which are answered.
    answered: Option<OneOrMany<Question>>,
    /// Instances to which a load balancer passes connections on.
    in_service: Option<Registered>,
    /// Instances to which it does not.
    out_of_service: Option<Registered>,
    /// Held connections over which each end still reaches the other.
    alive: Option<OneOrMany<Name>>,
    /// Held connections of which what each end sends is dropped, by proof.
    cut: Option<OneOrMany<Name>>,
    /// Held connections an end of which is no more.
    gone: Option<OneOrMany<Name>>,
    /// Held connections over which what the server alone sends is dropped, by proof.
    unanswerable: Option<OneOrMany<Name>>,
    /// What the flow logs of interfaces say of the step, by instance or interface.
    flow_logs: Option<BTreeMap<Holder, OneOrMany<LogLine>>>,
    /// Instances that hold other addresses than before the step.
    new_addresses: Option<OneOrMany<Name>>,
    /// Instances that hold another private address than before the step.
    new_private: Option<OneOrMany<Name>>,
    /// Instances that hold the same private address as before the step.
    same_private: Option<OneOrMany<Name>>,
    /// Instances that hold another public address than before the step.
    new_public: Option<OneOrMany<Name>>,
    /// Instances that hold the same public address as before the step.
    same_public: Option<OneOrMany<Name>>,
    /// No packet of the traffic comes through that neither the cloud before nor any after it admits.
    leak: Option<Nothing>,
    /// Every packet of the traffic comes through that the cloud before and every one after it admits.
    loss: Option<Nothing>,
    /// The step adds, removes and replaces no rule.
    rules: Option<Rules>,
    /// EC2's code, with which the last operation of the step is refused.
    refusal: Option<Refusal>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Nothing {
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Rules {
    Unchanged,
}

/// One of EC2's error codes.
struct Refusal;

impl JsonSchema for Refusal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Refusal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let codes = crate::model::RefusalCode::ALL.map(crate::model::RefusalCode::as_str);
        schemars::json_schema!({"type": "string", "enum": codes.as_slice()})
    }
}
