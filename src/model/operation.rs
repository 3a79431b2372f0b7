//! Changes to a cloud, in EC2's verbs: all that depends on which one it is, so that nobody else has a list of them. What each does to
//! a cloud is a function of `apply`.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::apply::edit::Edit;
use super::apply::{elastic_ip, group, instance, interface, load_balancer, prefix_list, rule};
use super::cloud::Cloud;
use super::effect::{EntryEdit, NameEffect, Power, RuleEdit, RuleEffect};
use super::flow::Direction::{self, Egress, Ingress};
use super::flow::Service;
use super::interface::SourceDestCheck;
use super::interface_id::Attachment;
use super::load_balancer::CreateLoadBalancer;
use super::name::{ElasticIpName, GroupName, InstanceName, LoadBalancerName, PrefixListName};
use super::refusal::Refusal;
use super::request::{CreateGroup, CreatePrefixList, Launch, NewInterface, Reassociation, Target};
use super::rule::{Peer, PeerRequest, Permission};

/// One change to a cloud.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `CreateSecurityGroup`.
    CreateGroup(CreateGroup),
    /// `DeleteSecurityGroup`.
    DeleteGroup(GroupName),
    /// `RunInstances` for one instance.
    Launch(Box<Launch>),
    /// `StopInstances`.
    Stop(InstanceName),
    /// `StartInstances`; also brings back a crashed instance.
    Start(InstanceName),
    /// `RebootInstances`: every address is kept, in every era.
    Reboot(InstanceName),
    /// The operating system dies. Not an EC2 call, but what happens to people.
    Crash(InstanceName),
    /// `TerminateInstances`.
    Terminate(InstanceName),
    /// `AuthorizeSecurityGroupIngress`: all or nothing.
    AuthorizeIngress(GroupName, Vec<Permission>),
    /// `RevokeSecurityGroupIngress`: all or nothing.
    RevokeIngress(GroupName, Vec<Permission>),
    /// `AuthorizeSecurityGroupEgress`: all or nothing. Groups of a VPC only.
    AuthorizeEgress(GroupName, Vec<Permission>),
    /// `RevokeSecurityGroupEgress`: all or nothing. Groups of a VPC only.
    RevokeEgress(GroupName, Vec<Permission>),
    /// `UpdateSecurityGroupRuleDescriptionsIngress`: all or nothing. A rule that is named without a description loses its own.
    UpdateDescription(GroupName, Vec<Permission>),
    /// `UpdateSecurityGroupRuleDescriptionsEgress`: all or nothing. Groups of a VPC only.
    UpdateDescriptionEgress(GroupName, Vec<Permission>),
    /// `ModifyInstanceAttribute` or `ModifyNetworkInterfaceAttribute` with `GroupId`: replaces the whole set.
    SetGroups(Target, IndexSet<GroupName>),
    /// `CreateNetworkInterface` and `AttachNetworkInterface` in one.
    AttachInterface(InstanceName, NewInterface),
    /// `DetachNetworkInterface` and `DeleteNetworkInterface` in one; never the first.
    DetachInterface(Attachment),
    /// The same two calls with `SourceDestCheck`.
    SetSourceDestCheck(Target, SourceDestCheck),
    /// `CreateManagedPrefixList`.
    CreatePrefixList(CreatePrefixList),
    /// `ModifyManagedPrefixList`: all or nothing.
    ModifyPrefixList {
        /// Name of the prefix list.
        name: PrefixListName,
        /// Entries that it gets.
        add: Vec<IpNet>,
        /// Entries that it loses.
        remove: Vec<IpNet>,
    },
    /// `CreateLoadBalancer`, with `ConfigureHealthCheck`.
    CreateLoadBalancer(CreateLoadBalancer),
    /// `RegisterInstancesWithLoadBalancer`: all or nothing.
    RegisterInstances(LoadBalancerName, IndexSet<InstanceName>),
    /// `DeregisterInstancesFromLoadBalancer`: all or nothing.
    DeregisterInstances(LoadBalancerName, IndexSet<InstanceName>),
    /// `AllocateAddress`.
    AllocateAddress(ElasticIpName),
    /// `AssociateAddress`. What the interface had is dissociated.
    AssociateAddress {
        /// Name of the Elastic IP.
        elastic_ip: ElasticIpName,
        /// Instance or interface that gets it.
        to: Target,
        /// Permission to take it from another.
        reassociation: Reassociation,
    },
    /// `DisassociateAddress`.
    DisassociateAddress(ElasticIpName),
    /// `ReleaseAddress`: an associated one is dissociated first.
    ReleaseAddress(ElasticIpName),
}

impl Operation {
    /// Carries it out on a cloud, which is of no use any more after a refusal.
    pub(in crate::model) fn carry_out(&self, cloud: &mut Edit<'_>) -> Result<(), Refusal> {
        match self {
            Self::CreateGroup(request) => group::create(cloud, request),
            Self::DeleteGroup(group) => group::delete(cloud, group),
            Self::AuthorizeIngress(group, permissions) => rule::authorize(cloud, Ingress, group, permissions),
            Self::RevokeIngress(group, permissions) => rule::revoke(cloud, Ingress, group, permissions),
            Self::AuthorizeEgress(group, permissions) => rule::authorize(cloud, Egress, group, permissions),
            Self::RevokeEgress(group, permissions) => rule::revoke(cloud, Egress, group, permissions),
            Self::UpdateDescription(group, permissions) => rule::describe(cloud, Ingress, group, permissions),
            Self::UpdateDescriptionEgress(group, permissions) => rule::describe(cloud, Egress, group, permissions),
            Self::SetGroups(target, groups) => instance::set_groups(cloud, target, groups),
            Self::AttachInterface(instance, request) => interface::attach(cloud, instance, request),
            Self::DetachInterface(id) => interface::detach(cloud, id),
            Self::SetSourceDestCheck(target, check) => interface::set_check(cloud, target, *check),
            Self::CreatePrefixList(request) => prefix_list::create(cloud, request),
            Self::ModifyPrefixList { name, add, remove } => prefix_list::modify(cloud, name, add, remove),
            Self::CreateLoadBalancer(request) => load_balancer::create(cloud, request),
            Self::RegisterInstances(name, instances) => load_balancer::register(cloud, name, instances),
            Self::DeregisterInstances(name, instances) => load_balancer::deregister(cloud, name, instances),
            Self::AllocateAddress(name) => elastic_ip::allocate(cloud, name),
            Self::AssociateAddress { elastic_ip, to, reassociation } => {
                elastic_ip::associate(cloud, elastic_ip, to, *reassociation)
            }
            Self::DisassociateAddress(name) => elastic_ip::disassociate(cloud, name),
            Self::ReleaseAddress(name) => elastic_ip::release(cloud, name),
            Self::Launch(request) => instance::launch(cloud, request),
            Self::Stop(instance) => instance::stop(cloud, instance),
            Self::Start(instance) => instance::start(cloud, instance),
            Self::Reboot(instance) => instance::reboot(cloud, instance),
            Self::Crash(instance) => instance::crash(cloud, instance),
            Self::Terminate(instance) => instance::terminate(cloud, instance),
        }
    }

    /// Returns the names in the operation, for callers that ask what it is about and not which one it is.
    fn parts(&self) -> Parts<'_> {
        let none = Parts::default();
        match self {
            Self::CreateGroup(group) => Parts { names: Some(NameEffect::Group(&group.name, &group.vpc)), ..none },
            Self::DeleteGroup(group) => Parts { group: Some(group), names: Some(NameEffect::NoGroup(group)), ..none },
            Self::Launch(launch) => {
                let more = launch.more.iter().map(|interface| &interface.groups);
                let sets = std::iter::once(&launch.groups).chain(more).collect();
                let processes = launch.processes.values().filter_map(|process| process.port);
                let services = launch.listens.iter().copied().chain(processes).collect();
                Parts { sets, services, names: Some(NameEffect::Instance(launch)), ..none }
            }
            Self::Terminate(instance) => {
                let names = Some(NameEffect::NoInstance(instance));
                Parts { power: Some((Power::Terminate, instance)), names, ..none }
            }
            Self::Stop(instance) => Parts { power: Some((Power::Stop, instance)), ..none },
            Self::Start(instance) => Parts { power: Some((Power::Start, instance)), ..none },
            Self::Reboot(instance) => Parts { power: Some((Power::Reboot, instance)), ..none },
            Self::Crash(instance) => Parts { power: Some((Power::Crash, instance)), ..none },
            Self::AuthorizeIngress(group, rules) => Parts::of_rules(RuleEffect::Adds, Ingress, group, rules),
            Self::AuthorizeEgress(group, rules) => Parts::of_rules(RuleEffect::Adds, Egress, group, rules),
            Self::RevokeIngress(group, rules) => Parts::of_rules(RuleEffect::Removes, Ingress, group, rules),
            Self::RevokeEgress(group, rules) => Parts::of_rules(RuleEffect::Removes, Egress, group, rules),
            Self::UpdateDescription(group, rules) => Parts::of_rules(RuleEffect::Describes, Ingress, group, rules),
            Self::UpdateDescriptionEgress(group, rules) => Parts::of_rules(RuleEffect::Describes, Egress, group, rules),
            Self::SetGroups(target, groups) => {
                Parts { sets: vec![groups], names: Some(NameEffect::Groups(target.instance(), groups)), ..none }
            }
            Self::AttachInterface(instance, new) => {
                Parts { sets: vec![&new.groups], names: Some(NameEffect::Interface(instance, new)), ..none }
            }
            Self::CreateLoadBalancer(balancer) => {
                let ports = balancer.listeners.iter().flat_map(|(own, to)| [*own, *to]);
                let services = ports.chain([balancer.health_check.port]).map(Service::Tcp).collect();
                let names = Some(NameEffect::LoadBalancer(&balancer.name));
                Parts { sets: vec![&balancer.groups], services, names, ..none }
            }
            Self::CreatePrefixList(request) => {
                let entries = EntryEdit { list: &request.name, added: &request.entries, removed: &[] };
                Parts { entries: Some(entries), names: Some(NameEffect::PrefixList(&request.name)), ..none }
            }
            Self::ModifyPrefixList { name, add, remove } => {
                Parts { entries: Some(EntryEdit { list: name, added: add, removed: remove }), ..none }
            }
            Self::AllocateAddress(name) => Parts { names: Some(NameEffect::ElasticIp(name)), ..none },
            Self::ReleaseAddress(name) => Parts { names: Some(NameEffect::NoElasticIp(name)), ..none },
            Self::AssociateAddress { to, .. } => Parts { names: Some(NameEffect::PublicAddress(to)), ..none },
            Self::DetachInterface(_)
            | Self::SetSourceDestCheck(..)
            | Self::RegisterInstances(..)
            | Self::DeregisterInstances(..)
            | Self::DisassociateAddress(_) => none,
        }
    }

    /// The instance whose state it changes, and how.
    pub fn power(&self) -> Option<(Power, &InstanceName)> {
        self.parts().power
    }

    /// The rules of a group that it is about, and its effect on them.
    pub fn rule_edit(&self) -> Option<RuleEdit<'_>> {
        self.parts().rules
    }

    /// The rules that it gives a group.
    pub fn added_rules(&self) -> Option<RuleEdit<'_>> {
        self.rule_edit().filter(|edit| edit.effect == RuleEffect::Adds)
    }

    /// Returns true if it is about rules of a group.
    pub fn is_of_rules(&self) -> bool {
        self.rule_edit().is_some()
    }

    /// The entries of a prefix list that it is about.
    pub fn entry_edit(&self) -> Option<EntryEdit<'_>> {
        self.parts().entries
    }

    /// Returns true if it gives a group rules, or takes some from it. A description is no part of what a rule does.
    pub fn changes_rules(&self) -> bool {
        self.rule_edit().is_some_and(|edit| match edit.effect {
            RuleEffect::Adds | RuleEffect::Removes => true,
            RuleEffect::Describes => false,
        })
    }

    /// The rules that it names.
    pub fn permissions(&self) -> &[Permission] {
        self.rule_edit().map(|edit| edit.permissions).unwrap_or_default()
    }

    /// Returns the rules that it names to be there, and its group does not have, as they are written.
    pub fn missing_rules(&self, cloud: &Cloud) -> Vec<String> {
        let Some(RuleEdit { group, at, effect, permissions }) = self.rule_edit() else { return Vec::new() };
        match effect {
            RuleEffect::Adds => Vec::new(),
            RuleEffect::Removes | RuleEffect::Describes => rule::missing(cloud, at, group, permissions),
        }
    }

    /// The services that it names but in rules.
    pub fn services(&self) -> Vec<Service> {
        self.parts().services
    }

    /// Returns its effect on names.
    pub fn names(&self) -> Option<NameEffect<'_>> {
        self.parts().names
    }

    /// The groups that it names, but for one that it makes.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        let Parts { group, sets, rules, .. } = self.parts();
        let peers = rules.into_iter().flat_map(|edit| edit.permissions).flat_map(|permission| &permission.peers);
        let peers = peers.filter_map(|(peer, _)| match peer {
            PeerRequest::Peer(Peer::Group(name)) => Some(name),
            _ => None,
        });
        group.into_iter().chain(sets.into_iter().flatten()).chain(peers)
    }

    /// Says it as a sentence without a subject: `delete the group WEB`.
    pub fn sentence(&self) -> String {
        match self {
            Self::CreateGroup(group) => format!("create the group {}", group.name),
            Self::DeleteGroup(name) => format!("delete the group {name}"),
            Self::Launch(launch) => format!("launch {}, in {}", launch.name, list(&launch.groups)),
            Self::Stop(name) => format!("stop {name}"),
            Self::Start(name) => format!("start {name}"),
            Self::Reboot(name) => format!("reboot {name}"),
            Self::Crash(name) => format!("crash {name}"),
            Self::Terminate(name) => format!("terminate {name}"),
            Self::AuthorizeIngress(name, rules) => format!("add to {name}: {}", written(rules)),
            Self::RevokeIngress(name, rules) => format!("take out of {name}: {}", written(rules)),
            Self::AuthorizeEgress(name, rules) => format!("add to what {name} lets out: {}", written(rules)),
            Self::RevokeEgress(name, rules) => {
                format!("take out of what {name} lets out: {}", written(rules))
            }
            Self::UpdateDescription(name, rules) => format!("describe rules of {name} anew: {}", written(rules)),
            Self::UpdateDescriptionEgress(name, rules) => {
                format!("describe rules for what {name} lets out anew: {}", written(rules))
            }
            Self::SetGroups(target, groups) => {
                format!("put {} into {}, and no other group", whom(target), list(groups))
            }
            Self::AttachInterface(name, interface) => {
                format!("attach eth{} to {name}, in {}", interface.device, list(&interface.groups))
            }
            Self::DetachInterface(id) => format!("detach {id}"),
            Self::SetSourceDestCheck(target, check) => {
                let verb = match check {
                    SourceDestCheck::On => "check",
                    SourceDestCheck::Off => "do not check",
                };
                format!("{verb} source and destination at {}", whom(target))
            }
            Self::CreatePrefixList(prefixes) => format!("create the prefix list {}", prefixes.name),
            Self::ModifyPrefixList { name, add, remove } => {
                let part =
                    |verb: &str, entries: &[IpNet]| (!entries.is_empty()).then(|| format!("{verb} {}", list(entries)));
                let parts: Vec<String> = [part("add", add), part("remove", remove)].into_iter().flatten().collect();
                format!("in the prefix list {name}: {}", parts.join(", "))
            }
            Self::CreateLoadBalancer(balancer) => format!("create the load balancer {}", balancer.name),
            Self::RegisterInstances(name, instances) => {
                format!("register {} with the load balancer {name}", list(instances))
            }
            Self::DeregisterInstances(name, instances) => {
                format!("deregister {} from the load balancer {name}", list(instances))
            }
            Self::AllocateAddress(name) => format!("allocate the Elastic IP {name}"),
            Self::AssociateAddress { elastic_ip, to, reassociation } => {
                let only = match reassociation {
                    Reassociation::Allowed => "",
                    Reassociation::Refused => ", unless another has it",
                };
                format!("associate the Elastic IP {elastic_ip} with {}{only}", whom(to))
            }
            Self::DisassociateAddress(name) => format!("disassociate the Elastic IP {name}"),
            Self::ReleaseAddress(name) => format!("release the Elastic IP {name}"),
        }
    }
}

/// The operation that has this effect on these rules.
impl From<RuleEdit<'_>> for Operation {
    fn from(edit: RuleEdit<'_>) -> Self {
        let make = match (edit.effect, edit.at) {
            (RuleEffect::Adds, Ingress) => Self::AuthorizeIngress,
            (RuleEffect::Adds, Egress) => Self::AuthorizeEgress,
            (RuleEffect::Removes, Ingress) => Self::RevokeIngress,
            (RuleEffect::Removes, Egress) => Self::RevokeEgress,
            (RuleEffect::Describes, Ingress) => Self::UpdateDescription,
            (RuleEffect::Describes, Egress) => Self::UpdateDescriptionEgress,
        };
        make(edit.group.clone(), edit.permissions.to_vec())
    }
}

/// Names and services in an operation.
#[derive(Default)]
struct Parts<'a> {
    /// The change of state of an instance that is there.
    power: Option<(Power, &'a InstanceName)>,
    /// Its own group, which is there.
    group: Option<&'a GroupName>,
    /// Groups of interfaces.
    sets: Vec<&'a IndexSet<GroupName>>,
    /// Rules of that group.
    rules: Option<RuleEdit<'a>>,
    /// Entries of a prefix list.
    entries: Option<EntryEdit<'a>>,
    /// Ports that listen, or are asked.
    services: Vec<Service>,
    /// Effect on names.
    names: Option<NameEffect<'a>>,
}

impl<'a> Parts<'a> {
    fn of_rules(effect: RuleEffect, at: Direction, group: &'a GroupName, permissions: &'a [Permission]) -> Self {
        let rules = Some(RuleEdit { group, at, effect, permissions });
        Self { group: Some(group), rules, ..Self::default() }
    }
}

fn whom(target: &Target) -> String {
    match target {
        Target::Instance(name) => name.to_string(),
        Target::Interface(id) => id.to_string(),
    }
}

fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|it| it.to_string()).collect();
    if all.is_empty() { "no group".to_owned() } else { all.join(", ") }
}

/// The rules as their author wrote them, each once.
fn written(all: &[Permission]) -> String {
    let words: IndexSet<&str> =
        all.iter().flat_map(|permission| &permission.peers).map(|(_, words)| words.as_str()).collect();
    list(words)
}

/// The EC2 verb and its first operand, as the command line has them: `stop web1`.
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CreateGroup(request) => write!(f, "create-group {}", request.name),
            Self::DeleteGroup(name) => write!(f, "delete-group {name}"),
            Self::Launch(request) => write!(f, "launch {}", request.name),
            Self::Stop(name) => write!(f, "stop {name}"),
            Self::Start(name) => write!(f, "start {name}"),
            Self::Reboot(name) => write!(f, "reboot {name}"),
            Self::Crash(name) => write!(f, "crash {name}"),
            Self::Terminate(name) => write!(f, "terminate {name}"),
            Self::AuthorizeIngress(group, _) => write!(f, "authorize {group}"),
            Self::RevokeIngress(group, _) => write!(f, "revoke {group}"),
            Self::AuthorizeEgress(group, _) => write!(f, "authorize-egress {group}"),
            Self::RevokeEgress(group, _) => write!(f, "revoke-egress {group}"),
            Self::UpdateDescription(group, _) => write!(f, "update-description {group}"),
            Self::UpdateDescriptionEgress(group, _) => write!(f, "update-description-egress {group}"),
            Self::SetGroups(target, _) => write!(f, "set-groups {}", target.instance()),
            Self::AttachInterface(instance, new) => write!(f, "attach-interface {instance}.eth{}", new.device),
            Self::DetachInterface(id) => write!(f, "detach-interface {id}"),
            Self::SetSourceDestCheck(target, _) => write!(f, "source-dest-check {}", target.instance()),
            Self::CreatePrefixList(request) => write!(f, "create-prefix-list {}", request.name),
            Self::ModifyPrefixList { name, .. } => write!(f, "edit-prefix-list {name}"),
            Self::AllocateAddress(name) => write!(f, "allocate-address {name}"),
            Self::AssociateAddress { elastic_ip, to, .. } => {
                write!(f, "associate-address {elastic_ip} {}", to.instance())
            }
            Self::DisassociateAddress(name) => write!(f, "disassociate-address {name}"),
            Self::ReleaseAddress(name) => write!(f, "release-address {name}"),
            Self::CreateLoadBalancer(request) => write!(f, "create-load-balancer {}", request.name),
            Self::RegisterInstances(load_balancer, _) => write!(f, "register-instances {load_balancer}"),
            Self::DeregisterInstances(load_balancer, _) => write!(f, "deregister-instances {load_balancer}"),
        }
    }
}
