//! How a lab is, as data.

use std::time::Instant;

use super::Supervised;
use crate::control::protocol::{InstanceState, InterfaceState, ServiceState, State};
use crate::lab::{DaemonState, DaemonStates};
use crate::model::{
    Cloud, Daemon, DaemonName, Instance, InstanceName, InstanceState as Running, Interface, RefusalCode,
};

/// The state of a lab now.
pub(super) fn of(supervised: &Supervised) -> State {
    let cloud = supervised.lab.cloud();
    let instances = cloud.instances.iter().map(|(name, instance)| InstanceState {
        name: name.to_string(),
        state: format!("{:?}", instance.state).to_lowercase(),
        uptime: supervised
            .since
            .get(name)
            .filter(|_| instance.state == Running::Running)
            .map(|since| Instant::now().duration_since(*since).as_secs_f64()),
        interfaces: instance.interfaces.iter().map(interface).collect(),
        services: services(name, instance, &supervised.lab.services_states()),
    });
    State {
        lab: supervised.name.to_string(),
        file: supervised.file.clone(),
        era: cloud.era.to_string(),
        pid: supervised.pid,
        uptime: supervised.up.elapsed().as_secs_f64(),
        instances: instances.collect(),
        groups: cloud.groups.keys().map(ToString::to_string).collect(),
        hosts: cloud.hosts.keys().map(ToString::to_string).collect(),
        elastic_ips: cloud.elastic_ips.keys().map(ToString::to_string).collect(),
        prefix_lists: cloud.prefix_lists.keys().map(ToString::to_string).collect(),
    }
}

fn services(name: &InstanceName, instance: &Instance, states: &DaemonStates) -> Vec<ServiceState> {
    let one = |(daemon, it): (&DaemonName, &Daemon)| {
        let (state, exit_code) = words(states.of(name, daemon));
        ServiceState { name: daemon.to_string(), port: it.port.map(|port| port.to_string()), state, exit_code }
    };
    instance.daemons.iter().map(one).collect()
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

/// The state of a lab as it was before a request that is under way, with its services as they are.
pub(super) struct Glimpse {
    before: State,
    since: Instant,
    services: DaemonStates,
}

impl Glimpse {
    /// Before a request; nothing where there is no service that it could wait for.
    pub fn of(supervised: &Supervised) -> Option<Self> {
        let mut instances = supervised.lab.cloud().instances.values();
        let any = instances.any(|instance| !instance.daemons.is_empty());
        any.then(|| Self { before: of(supervised), since: Instant::now(), services: supervised.lab.services_states() })
    }

    /// Now.
    pub fn now(&self) -> State {
        let mut state = self.before.clone();
        let passed = self.since.elapsed().as_secs_f64();
        state.uptime += passed;
        for instance in &mut state.instances {
            instance.uptime = instance.uptime.map(|uptime| uptime + passed);
            let name = InstanceName::new(&instance.name);
            for service in &mut instance.services {
                let now = words(self.services.of(&name, &DaemonName::new(&service.name)));
                (service.state, service.exit_code) = now;
            }
        }
        state
    }
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
