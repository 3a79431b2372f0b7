//! How a lab is, as data.

use std::time::Instant;

use super::Supervised;
use crate::control::protocol::{InstanceState, InterfaceState, State};
use crate::model::{Cloud, InstanceState as Running, Interface, RefusalCode};

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
