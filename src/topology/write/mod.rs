//! A cloud written back as a topology file: the reader makes an equal one of it.
//!
//! Private addresses of instances are written down. Public and IPv6 ones cannot be asked for, nor those of load balancers,
//! so others are given, and a rule that names one by its address names the new one instead. Whatever cannot be said in a
//! file is an error, and what was written is read again before it is given out: a file never says something else.

mod addresses;
mod balancers;
mod cloud;
mod common;
#[cfg(test)]
mod tests;

pub use common::operation;
pub use common::{Promise, Unwritable, is_amazons};

use super::checked::Topology;
use super::document::shape::Shape;
use super::outside_name::OutsideName;
use super::patterns::ColumnKind;
use crate::model::{Cloud, Endpoint, Flow, GroupName, Peer, Peers, Service, Via};

/// Writes a cloud as a file whose last step stands where the cloud stands, and what is to hold there.
///
/// # Errors
/// [`Unwritable`]; nothing is left out silently.
pub fn write(cloud: &Cloud, title: &str, promise: &Promise) -> Result<String, Unwritable> {
    let mut cloud = cloud.clone();
    forget_unused_defaults(&mut cloud);
    balancers::forget_unused_groups(&mut cloud);
    balancers::refuse_elsewhere(&cloud)?;
    let first = text(&cloud, title, promise)?;
    let renamed = addresses::rename(&cloud, &read(&first)?)?;
    let written = text(&renamed, title, promise)?;
    let again = read(&written)?;
    match addresses::difference(&renamed, &again) {
        None => Ok(written),
        Some(difference) => Err(Unwritable::ReadsDifferently(difference)),
    }
}

/// The cloud without the hosts that only a table brings.
pub fn without_strangers(cloud: &Cloud) -> Cloud {
    let mut cloud = cloud.clone();
    let names: Vec<String> = cloud.hosts.keys().map(ToString::to_string).collect();
    let is_host = |word: &str| names.iter().any(|name| name == word);
    // A host of the file's own may have such a name.
    cloud.hosts.retain(|name, host| host.place.is_some() || OutsideName::of(name.as_str(), is_host).is_none());
    cloud
}

/// A flow as a file writes it. A host with several addresses means each of them.
pub fn flow(flow: &Flow) -> String {
    flow_between(&flow.from.to_string(), &flow.to.to_string(), flow.service) + &by(flow)
}

/// The flows of a service between ends by their words in a file, such as groups.
pub fn flow_between(from: &str, to: &str, service: Service) -> String {
    let service = match service {
        Service::Tcp(port) => port.to_string(),
        Service::Udp(port) => format!("{port}/udp"),
        Service::IcmpEcho => "ping".to_owned(),
        Service::Icmp(_) | Service::Protocol(_) => service.to_string(),
    };
    // An IPv6 address stands in brackets before a port.
    let to = if to.contains(':') { format!("[{to}]") } else { to.to_owned() };
    format!("{from} -> {to}:{service}")
}

/// The cells of all columns of a kind between such ends.
pub fn open_cells_between(from: &str, to: &str, columns: ColumnKind) -> String {
    format!("{from} -> {to}:{}", columns.words())
}

/// Two ends that send to each other as a file writes them.
pub fn peers(peers: &Peers) -> String {
    let Flow { from, to, service, .. } = &peers.there;
    match (peers.port(), service) {
        (Some(own), Service::Udp(port)) => format!("{from}:{own} <-> {to}:{port}/udp{}", by(&peers.there)),
        _ => format!("{from} <-> {to}:{service}{}", by(&peers.there)),
    }
}

/// Writes the address that a flow goes by, where that has to be said.
fn by(flow: &Flow) -> String {
    let host = |end: &Endpoint| matches!(end, Endpoint::Host(..));
    match flow.via {
        via if via != Via::Dns && (host(&flow.from) || host(&flow.to) || via == flow.to.usual_via()) => String::new(),
        via => format!(" {}", via.words()),
    }
}

/// The cloud of a file that was written here, after its one step.
pub(super) fn read(text: &str) -> Result<Cloud, Unwritable> {
    let unread = |why: String| Unwritable::ReadsDifferently(why);
    let topology =
        Topology::parse_cloud("written.yaml", text.as_bytes()).map_err(|problems| unread(problems.to_string()))?;
    let era = topology.eras.first().copied().ok_or_else(|| unread("it has no era".to_owned()))?;
    let mut cloud = topology.initial_cloud(era).map_err(|(refusal, place)| unread(format!("{place}: {refusal}")))?;
    for operation in topology.steps.iter().flat_map(super::Step::operations) {
        crate::model::apply(&mut cloud, &operation.value)
            .map_err(|refusal| unread(format!("{}: {refusal}", operation.place)))?;
    }
    Ok(cloud)
}

/// A file has a default group only where something uses it.
fn forget_unused_defaults(cloud: &mut Cloud) {
    let defaults: Vec<GroupName> =
        cloud.groups.iter().filter(|(_, group)| group.is_default()).map(|(name, _)| name.clone()).collect();
    for name in defaults {
        let worn = cloud.network_interfaces().any(|interface| interface.groups.contains(&name));
        let names_it = |rule: &crate::model::Rule| rule.peer == Peer::Group(name.clone());
        let named = cloud.groups.iter().any(|(other, group)| *other != name && group.all_rules().any(names_it));
        if !worn && !named {
            cloud.groups.shift_remove(&name);
        }
    }
}

fn text(cloud: &Cloud, title: &str, promise: &Promise) -> Result<String, Unwritable> {
    let title: String = title.lines().map(|line| format!("# {line}\n")).collect();
    Ok(title + &cloud::document(cloud, promise)?.yaml().file())
}
