//! How a lab is, as data.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;

use super::Supervised;

use crate::compile::services::zone::balancer_name;
use crate::control::protocol::{
    InstanceState, InterfaceState, LoadBalancerState, MountState, ServiceState, State, TargetState,
};
use crate::lab::{DaemonState, DaemonStates, Now};
use crate::model::{
    Cloud, Daemon, DaemonName, Flow, Instance, InstanceName, InstanceState as Running, Interface, LoadBalancer,
    LoadBalancerName, MountAccess, MountPlace, MountSource, Port, PrivateIp, RefusalCode,
};
use crate::policy::behind::{Reached, health_check};
use crate::probe::{AtWork, Standing};
use crate::scenario::health;

/// The state of a lab now.
pub(super) fn of(supervised: &Supervised) -> State {
    Glimpse::of(supervised).now()
}

/// What the state of a lab is made of, also while a request is carried out: the cloud is that of the operation in force, and
/// services are as they are.
pub(super) struct Glimpse {
    lab: String,
    file: String,
    pid: u32,
    up: Instant,
    before: Arc<Cloud>,
    since: Arc<HashMap<InstanceName, Instant>>,
    now: Now,
    services: DaemonStates,
    balancers: IndexMap<LoadBalancerName, AtWork>,
}

impl Glimpse {
    /// Of a lab, before a request.
    pub fn of(supervised: &Supervised) -> Self {
        let now = supervised.lab.now();
        Self {
            lab: supervised.name.to_string(),
            file: supervised.file.clone(),
            pid: supervised.pid,
            up: supervised.up,
            before: now.cloud(),
            since: Arc::clone(&supervised.since),
            now,
            services: supervised.lab.services_states(),
            balancers: supervised.lab.balancers_at_work(),
        }
    }

    /// Now.
    pub fn now(&self) -> State {
        let cloud = self.now.cloud();
        State {
            lab: self.lab.clone(),
            file: self.file.clone(),
            era: cloud.era.to_string(),
            pid: self.pid,
            uptime: self.up.elapsed().as_secs_f64(),
            instances: cloud.instances.iter().map(|(name, instance)| self.instance(name, instance)).collect(),
            load_balancers: balancers(&cloud, &self.balancers),
            groups: cloud.groups.keys().map(ToString::to_string).collect(),
            hosts: cloud.hosts.keys().map(ToString::to_string).collect(),
            elastic_ips: cloud.elastic_ips.keys().map(ToString::to_string).collect(),
            prefix_lists: cloud.prefix_lists.keys().map(ToString::to_string).collect(),
        }
    }

    fn instance(&self, name: &InstanceName, instance: &Instance) -> InstanceState {
        let ran = self.before.instances.get(name).is_some_and(|it| it.state == Running::Running);
        let runs = instance.state == Running::Running;
        let since = self.since.get(name).filter(|_| ran && runs);
        let coming = runs && !ran && instance.daemons.keys().any(|daemon| self.services.of(name, daemon).is_coming());
        InstanceState {
            name: name.to_string(),
            // EC2's word for one that does not run yet.
            state: if coming { "pending".to_owned() } else { format!("{:?}", instance.state).to_lowercase() },
            uptime: since.map(|since| since.elapsed().as_secs_f64()),
            interfaces: instance.interfaces.iter().map(interface).collect(),
            services: services(name, instance, &self.services),
            mounts: instance.mounts.iter().map(mount).collect(),
        }
    }
}

/// The load balancers of a cloud, with what each thinks of the instances behind it.
pub(super) fn balancers(cloud: &Cloud, at_work: &IndexMap<LoadBalancerName, AtWork>) -> Vec<LoadBalancerState> {
    let one = |(name, it): (&LoadBalancerName, &LoadBalancer)| {
        let standings = at_work.get(name).map(AtWork::standings).unwrap_or_default();
        let of = |(target, address): (&InstanceName, &PrivateIp)| {
            let standing = standings.get(target).unwrap_or(&Standing::InProgress);
            let (reason_code, description) = reason(cloud, target, standing);
            TargetState {
                instance: target.to_string(),
                address: address.to_string(),
                state: if *standing == Standing::InService { "InService" } else { "OutOfService" }.to_owned(),
                reason_code: reason_code.to_owned(),
                description: description.to_owned(),
                cause: cause(cloud, it, target, standing),
            }
        };
        let listener = |(own, to): (&Port, &Port)| match own == to {
            true => format!("tcp {own}"),
            false => format!("tcp {own} to {to}"),
        };
        LoadBalancerState {
            name: name.to_string(),
            scheme: it.scheme.to_string(),
            dns_name: balancer_name(name, it.scheme),
            private: it.interface.private.map(|address| address.to_string()),
            public: it.interface.public.map(|address| address.to_string()),
            groups: it.interface.groups.iter().map(ToString::to_string).collect(),
            listeners: it.listeners.iter().map(listener).collect(),
            health_check: format!("tcp {}", it.health_check.port),
            targets: it.registrations.iter().map(of).collect(),
        }
    };
    cloud.load_balancers.iter().map(one).collect()
}

/// Why instances behind the load balancer that a flow goes to are out of service, where its health checks have found it and the cloud alone
/// does not tell.
pub(super) fn failures_found(cloud: &Cloud, flow: &Flow, all: &[LoadBalancerState]) -> Vec<String> {
    let Some((name, _)) = flow.to.instance().and_then(|to| cloud.load_balancers.get_key_value(to.as_str())) else {
        return Vec::new();
    };
    let targets = all.iter().filter(|it| it.name == name.as_str()).flat_map(|it| &it.targets);
    let found = targets.filter_map(|target| {
        let cause = target.cause.as_ref()?;
        let foretold = health::failure(cloud, name, &InstanceName::new(&target.instance));
        foretold.is_none().then(|| format!("{} fails its health check: {cause}", target.instance))
    });
    found.collect()
}

/// `ReasonCode` and `Description` of `InstanceState` (Elastic Load Balancing API reference 2012-06-01).
fn reason(cloud: &Cloud, target: &InstanceName, standing: &Standing) -> (&'static str, &'static str) {
    let stopped = cloud.instances.get(target).is_some_and(|it| it.state == Running::Stopped);
    match standing {
        Standing::InService => ("N/A", "N/A"),
        _ if stopped => ("Instance", "Instance is in stopped state."),
        Standing::InProgress => ("ELB", "Instance registration is still in progress."),
        Standing::Failed { .. } => {
            ("Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
        }
        Standing::Passing { .. } => (
            "Instance",
            "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
        ),
    }
}

/// The reason why a health check fails: by the cloud, or else as it was seen.
fn cause(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName, standing: &Standing) -> Option<String> {
    match standing {
        Standing::InService | Standing::InProgress => None,
        Standing::Passing { passed } => {
            Some(format!("{passed} of {} checks in a row have passed", balancer.health_check.healthy_threshold))
        }
        Standing::Failed { why } => Some(match health_check(cloud, balancer, target, &health::ears(cloud)) {
            Some(Reached::Fails(failure)) => health::cause(cloud, balancer, target, &failure),
            _ => why.clone(),
        }),
    }
}

fn services(name: &InstanceName, instance: &Instance, states: &DaemonStates) -> Vec<ServiceState> {
    let one = |(daemon, it): (&DaemonName, &Daemon)| {
        let (state, exit_code) = words(states.of(name, daemon));
        ServiceState { name: daemon.to_string(), port: it.port.map(|port| port.to_string()), state, exit_code }
    };
    instance.daemons.iter().map(one).collect()
}

fn mount((place, source): (&MountPlace, &MountSource)) -> MountState {
    let (source, access) = match source {
        MountSource::Empty => (None, MountAccess::Writable),
        MountSource::Path(path, access) => (Some(path.clone()), *access),
    };
    MountState { place: place.to_string(), source, access: access.as_str().to_owned() }
}

fn words(state: DaemonState) -> (String, Option<i32>) {
    let (word, code) = match state {
        DaemonState::NotStarted => ("not-started", None),
        DaemonState::Starting => ("starting", None),
        DaemonState::Ready => ("ready", None),
        DaemonState::Exited(code) => ("exited", Some(code)),
        DaemonState::GivenUp => ("given-up", None),
    };
    (word.to_owned(), code)
}

fn interface(interface: &Interface) -> InterfaceState {
    InterfaceState {
        device: format!("eth{}", interface.id.device),
        private: interface.private.map(|address| address.to_string()),
        public: interface.public.map(|address| address.to_string()),
        ipv6: interface.ipv6.map(|address| address.to_string()),
        groups: interface.groups.iter().map(ToString::to_string).collect(),
    }
}

/// What there is of the kind that EC2 did not find.
pub(super) fn names(cloud: &Cloud, code: RefusalCode) -> Option<String> {
    let names: Vec<&str> = match code {
        RefusalCode::InvalidInstanceIdNotFound => cloud.instances.keys().map(|name| name.as_str()).collect(),
        RefusalCode::InvalidGroupNotFound => cloud.groups.keys().map(|name| name.as_str()).collect(),
        RefusalCode::InvalidAddressNotFound => cloud.elastic_ips.keys().map(|name| name.as_str()).collect(),
        _ => return None,
    };
    Some(if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) })
}
