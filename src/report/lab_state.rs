//! The state of a lab as `sglab ps`, `sglab state` and their JSON have it.

use serde::Serialize;

use crate::compile::services::zone::balancer_name;
use crate::lab::ProcessState;
use crate::model::{
    AllocationId, Cloud, Ec2Name, GroupName, Instance, InstanceId, InstanceName, InstanceState, Interface,
    LoadBalancer, LoadBalancerName, MountAccess, MountPlace, MountSource, NetworkInterfaceId, Port, PrefixListId,
    PrivateIp, SecurityGroup, SecurityGroupId, SubnetId, SubnetName, Vpc, VpcId, VpcName,
};
use crate::probe::ScheduledHealth;
use crate::protocol::State;
use crate::scenario::health;

/// A lab.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabState {
    /// Name.
    pub lab: String,
    /// Topology file, as it was named.
    pub file: String,
    /// Era.
    pub era: String,
    /// Process of its supervisor, as the machine sees it.
    pub pid: u32,
    /// Seconds since it came up.
    pub uptime_s: f64,
    /// Instances, in the order of their launch.
    pub instances: Vec<InstanceView>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancerView>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// The same groups as EC2 describes them.
    pub security_groups: Vec<GroupView>,
    /// VPCs.
    pub vpcs: Vec<VpcView>,
    /// Names of hosts outside.
    pub hosts: Vec<String>,
    /// Names of Elastic IPs.
    pub elastic_ips: Vec<String>,
    /// The ids of their allocations, in the same order.
    pub allocation_ids: Vec<AllocationId>,
    /// Names of prefix lists.
    pub prefix_lists: Vec<String>,
    /// Their ids, in the same order.
    pub prefix_list_ids: Vec<PrefixListId>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// The name by which the file and every command know it.
    pub group: GroupName,
    /// Its id.
    pub id: SecurityGroupId,
    /// The name that EC2 has of it.
    pub name: Ec2Name,
    /// Its VPC.
    pub vpc: VpcName,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VpcView {
    /// Name.
    pub name: VpcName,
    /// Its id.
    pub id: VpcId,
    /// Its subnets.
    pub subnets: Vec<SubnetView>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubnetView {
    /// Name.
    pub name: SubnetName,
    /// Its id.
    pub id: SubnetId,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceView {
    /// Name.
    pub name: String,
    /// Its id.
    pub id: InstanceId,
    /// `running`, `stopped`, `crashed` or `pending`.
    pub state: String,
    /// Seconds since it was launched or started, while it runs.
    pub uptime_s: Option<f64>,
    /// Interfaces; the first is `eth0`.
    pub interfaces: Vec<InterfaceView>,
    /// Programs that it runs by itself, in the order of their starts.
    pub services: Vec<ServiceView>,
    /// Mounts of the topology file, in its order.
    pub mounts: Vec<MountView>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// Name.
    pub name: String,
    /// `tcp 80`: it is ready once it listens there; without, once it has begun.
    pub port: Option<String>,
    /// `not-started`, `starting`, `ready`, `exited`, or `given-up` where it did not listen in time.
    pub state: String,
    /// Exit code, if it has ended by itself.
    pub exit_code: Option<i32>,
}

/// A mount of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountView {
    /// Absolute path in the instance.
    pub place: String,
    /// Path on the host as the topology file has it; `None` for an empty folder in memory.
    pub source: Option<String>,
    /// `read-only` or `writable`.
    pub access: String,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadBalancerView {
    /// Name.
    pub name: String,
    /// Id of its network interface: it has none of its own.
    pub interface_id: NetworkInterfaceId,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// DNS name, which means its public address, or of an internal one its private address.
    pub dns_name: String,
    /// Private address.
    pub private: Option<String>,
    /// Public address, unless it is internal.
    pub public: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// `tcp 80`, `tcp 80 to 8080`.
    pub listeners: Vec<String>,
    /// Port of its health check: `tcp 80`.
    pub health_check: String,
    /// Instances that are registered with it.
    pub targets: Vec<TargetView>,
}

/// A load balancer's view of an instance, in the words of `DescribeInstanceHealth` of Elastic Load Balancing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetView {
    /// Instance.
    pub instance: String,
    /// Private address of its registration.
    pub address: String,
    /// `InService` or `OutOfService`.
    pub state: String,
    /// `ELB`, `Instance`, or `N/A` while it is in service.
    pub reason_code: String,
    /// The API's sentence for that; `N/A` while it is in service.
    pub description: String,
    /// Reason why its health check fails, where that is known: `no rule of WEB admits tcp 80 from lb (10.0.0.13)`.
    pub cause: Option<String>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterfaceView {
    /// `eth0`, `eth1` ...
    pub device: String,
    /// Its id.
    pub id: NetworkInterfaceId,
    /// Private address, while it has one.
    pub private: Option<String>,
    /// Private addresses beside that: single ones, and prefixes.
    pub secondary: Vec<String>,
    /// Public address, while it has one.
    pub public: Option<String>,
    /// IPv6 address, if it has one.
    pub ipv6: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
}

impl LabState {
    /// The state as it was received.
    pub fn of(state: &State) -> Self {
        let cloud = &state.cloud;
        Self {
            lab: state.lab.clone(),
            file: state.file.clone(),
            era: cloud.era.to_string(),
            pid: state.pid,
            uptime_s: state.uptime,
            instances: cloud.instances.iter().map(|(name, instance)| self::instance(state, name, instance)).collect(),
            load_balancers: load_balancers(state),
            groups: names(cloud.groups.keys()),
            security_groups: cloud.groups.iter().map(group).collect(),
            vpcs: cloud.vpcs.iter().map(vpc).collect(),
            hosts: names(cloud.hosts.keys()),
            elastic_ips: names(cloud.elastic_ips.keys()),
            allocation_ids: cloud.elastic_ips.values().map(|it| it.allocation).collect(),
            prefix_lists: names(cloud.prefix_lists.keys()),
            prefix_list_ids: cloud.prefix_lists.values().map(|it| it.id).collect(),
        }
    }
}

fn names<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|name| name.to_string()).collect()
}

fn group((name, group): (&GroupName, &SecurityGroup)) -> GroupView {
    GroupView { group: name.clone(), id: group.id, name: group.name.clone(), vpc: group.vpc.clone() }
}

fn vpc((name, vpc): (&VpcName, &Vpc)) -> VpcView {
    let subnets = vpc.subnets.keys().map(|subnet| SubnetView { name: subnet.clone(), id: subnet.id(name) });
    VpcView { name: name.clone(), id: name.id(), subnets: subnets.collect() }
}

fn instance(state: &State, name: &InstanceName, instance: &Instance) -> InstanceView {
    InstanceView {
        name: name.to_string(),
        id: instance.id,
        // EC2's word for one that does not run yet.
        state: if state.pending.contains(name) { "pending".to_owned() } else { instance.state.to_string() },
        uptime_s: state.running.get(name).copied(),
        interfaces: instance.interfaces.iter().map(interface).collect(),
        services: services(state, name, instance),
        mounts: instance.mounts.iter().map(mount).collect(),
    }
}

fn interface(interface: &Interface) -> InterfaceView {
    InterfaceView {
        device: format!("eth{}", interface.id.device()),
        id: interface.eni,
        private: interface.private.map(|address| address.to_string()),
        secondary: interface.secondary.iter().map(ToString::to_string).collect(),
        public: interface.public.map(|address| address.to_string()),
        ipv6: interface.ipv6.map(|address| address.to_string()),
        groups: names(&interface.groups),
    }
}

fn services(state: &State, name: &InstanceName, instance: &Instance) -> Vec<ServiceView> {
    let states = state.processes.get(name);
    let one = |(process, it): (&crate::model::ProcessName, &crate::model::Process)| {
        let state = states.and_then(|states| states.get(process)).copied().unwrap_or_default();
        let (word, exit_code) = match state {
            ProcessState::NotStarted => ("not-started", None),
            ProcessState::Starting => ("starting", None),
            ProcessState::Ready => ("ready", None),
            ProcessState::Exited(code) => ("exited", Some(code)),
            ProcessState::GivenUp => ("given-up", None),
        };
        let port = it.port.map(|port| port.to_string());
        ServiceView { name: process.to_string(), port, state: word.to_owned(), exit_code }
    };
    instance.processes.iter().map(one).collect()
}

fn mount((place, source): (&MountPlace, &MountSource)) -> MountView {
    let (source, access) = match source {
        MountSource::Empty => (None, MountAccess::Writable),
        MountSource::Path(path, access) => (Some(path.clone()), *access),
    };
    MountView { place: place.to_string(), source, access: access.as_str().to_owned() }
}

/// The load balancers of a lab, with what each thinks of the instances behind it.
pub fn load_balancers(state: &State) -> Vec<LoadBalancerView> {
    state.cloud.load_balancers.iter().map(|(name, balancer)| load_balancer(state, name, balancer)).collect()
}

fn load_balancer(state: &State, name: &LoadBalancerName, it: &LoadBalancer) -> LoadBalancerView {
    let cloud = &state.cloud;
    let of = |(target, address): (&InstanceName, &PrivateIp)| {
        let standing = state.health.get(name).and_then(|all| all.get(target)).unwrap_or(&ScheduledHealth::InProgress);
        let (reason_code, description) = reason(cloud, target, standing);
        TargetView {
            instance: target.to_string(),
            address: address.to_string(),
            state: if *standing == ScheduledHealth::InService { "InService" } else { "OutOfService" }.to_owned(),
            reason_code: reason_code.to_owned(),
            description: description.to_owned(),
            cause: health::observed_cause(cloud, it, target, standing).map(|cause| cause.to_string()),
        }
    };
    let listener = |(own, to): (&Port, &Port)| match own == to {
        true => format!("tcp {own}"),
        false => format!("tcp {own} to {to}"),
    };
    LoadBalancerView {
        name: name.to_string(),
        interface_id: it.interface.eni,
        scheme: it.scheme.to_string(),
        dns_name: balancer_name(name, it.scheme),
        private: it.interface.private.map(|address| address.to_string()),
        public: it.interface.public.map(|address| address.to_string()),
        groups: names(&it.interface.groups),
        listeners: it.listeners.iter().map(listener).collect(),
        health_check: format!("tcp {}", it.health_check.port),
        targets: it.registrations.iter().map(of).collect(),
    }
}

/// `ReasonCode` and `Description` of `InstanceState` (Elastic Load Balancing API reference 2012-06-01).
fn reason(cloud: &Cloud, target: &InstanceName, standing: &ScheduledHealth) -> (&'static str, &'static str) {
    let stopped = cloud.instances.get(target).is_some_and(|it| it.state == InstanceState::Stopped);
    match standing {
        ScheduledHealth::InService => ("N/A", "N/A"),
        _ if stopped => ("Instance", "Instance is in stopped state."),
        ScheduledHealth::InProgress => ("ELB", "Instance registration is still in progress."),
        ScheduledHealth::Failed { .. } => {
            ("Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
        }
        ScheduledHealth::Passing { .. } => (
            "Instance",
            "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
        ),
    }
}
