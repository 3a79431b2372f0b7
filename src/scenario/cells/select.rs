//! The flows that a pattern means, and why it means none.

use std::net::IpAddr;

use indexmap::IndexSet;

use super::ends::{balancer, has_ipv6, has_name, has_public, has_secondary, hosts, inside, via_of, vpc_of};
use crate::model::{
    Attachment, Cloud, Endpoint, Flow, GroupName, InstanceName, InstanceState, InterfaceId, Peers, Service, Via,
};
use crate::topology::{Columns, FlowPattern, OpenCells, Selector};

/// The flows that a pattern means now, and that a probe can ask for.
///
/// # Errors
/// A sentence about why it means none.
pub fn select(pattern: &FlowPattern, default_via: Option<Via>, cloud: &Cloud) -> Result<Vec<Flow>, String> {
    let mut flows = meant(pattern, default_via, cloud)?;
    let why = flows.iter().find_map(|flow| flow.service.unprobeable(flow.via));
    flows.retain(|flow| flow.service.unprobeable(flow.via).is_none());
    match why.filter(|_| flows.is_empty()) {
        Some(why) => Err(format!("`{}` selects no flow: {why}", pattern.written)),
        None => Ok(flows),
    }
}

/// The flows that a table opens now, in the columns of its file.
///
/// # Errors
/// A sentence about why there are none.
pub fn opened(
    cells: &OpenCells,
    columns: &Columns,
    default_via: Option<Via>,
    cloud: &Cloud,
) -> Result<Vec<Flow>, String> {
    let (kind, pairs) = match cells {
        OpenCells::Of(pattern) => return select(pattern, default_via, cloud),
        OpenCells::Every(kind, pairs) => (kind, pairs),
    };
    if !columns.iter().any(|service| kind.has(*service)) {
        return Err(format!("`{}` selects no flow: the table has no column of `{}`", pairs.written, kind.words()));
    }
    let pairs_written = pairs.written.clone();
    let pairs = meant(&pairs.asking(Service::IcmpEcho), default_via, cloud)?;
    let flows = pairs.iter().flat_map(|pair| {
        let asked = columns.by(pair.via).filter(|service| kind.has(*service));
        asked.map(|service| Flow { service, ..pair.clone() })
    });
    let flows: Vec<Flow> = flows.collect();
    if flows.is_empty() {
        let written = &pairs_written;
        return Err(format!("`{written}` selects no flow: no column of `{}` is asked by that address", kind.words()));
    }
    Ok(flows)
}

/// The flows that a pattern means now, also those that no probe can ask for.
///
/// # Errors
/// A sentence about why it means none.
pub fn meant(pattern: &FlowPattern, default_via: Option<Via>, cloud: &Cloud) -> Result<Vec<Flow>, String> {
    let said = pattern.via.or(default_via);
    let asked = pattern.via;
    let mut selection = Selection {
        cloud,
        asked,
        said,
        service: pattern.service,
        itself: false,
        flows: IndexSet::new(),
        no_path: None,
        no_address: None,
    };
    selection.itself = is_one(&pattern.from) && is_one(&pattern.to);
    selection.pairs(&pattern.from, &pattern.to);
    if pattern.both_ways {
        selection.service = pattern.back();
        selection.pairs(&pattern.to, &pattern.from);
    }
    if selection.flows.is_empty() {
        return Err(format!("`{}` selects no flow: {}", pattern.written, selection.why(pattern)));
    }
    Ok(selection.flows.into_iter().collect())
}

/// The pairs that a pattern means now of which both ends send to each other; none if it is one way, or of what is not sent so.
///
/// # Errors
/// A sentence about why it means none.
pub fn peers(pattern: &FlowPattern, cloud: &Cloud) -> Result<Vec<Peers>, String> {
    if !pattern.both_ways || !matches!(pattern.service, Service::Udp(_) | Service::Protocol(_)) {
        return Ok(Vec::new());
    }
    let flows = meant(&FlowPattern { both_ways: false, ..pattern.clone() }, None, cloud)?;
    Ok(flows.iter().map(|flow| Peers::of(flow, pattern.from_port)).collect())
}

/// The instances that a selector means as senders now.
///
/// # Errors
/// A sentence about why it means none.
pub fn askers(selector: &Selector, cloud: &Cloud) -> Result<Vec<InstanceName>, String> {
    let instances = ends(selector, cloud, Role::Sender).into_iter().filter_map(|end| match end {
        Endpoint::Instance(name) | Endpoint::Interface(Attachment { instance: name, .. }) => Some(name),
        Endpoint::LoadBalancer(..) | Endpoint::Forged(..) | Endpoint::Host(..) => None,
    });
    // An instance asks once, however many interfaces it has.
    let instances: IndexSet<_> = instances.collect();
    if instances.is_empty() {
        return Err(absence(selector, cloud, Role::Sender).unwrap_or_else(|| "there is no running instance".to_owned()));
    }
    Ok(instances.into_iter().collect())
}

struct Selection<'a> {
    cloud: &'a Cloud,
    /// By which address the pattern itself says.
    asked: Option<Via>,
    /// The same, or what a table says where it does not.
    said: Option<Via>,
    service: Service,
    /// Both ends are named one by one, so that an instance may be meant twice.
    itself: bool,
    flows: IndexSet<Flow>,
    no_path: Option<String>,
    /// Reason that names the host without an address of the kind that is asked for.
    no_address: Option<String>,
}

impl Selection<'_> {
    fn pairs(&mut self, from: &Selector, to: &Selector) {
        let receivers = ends(to, self.cloud, Role::Receiver);
        for from in ends(from, self.cloud, Role::Sender) {
            for to in &receivers {
                self.pair(&from, to);
            }
        }
    }

    fn pair(&mut self, from: &Endpoint, to: &Endpoint) {
        let via = match (from.interface(), to.interface()) {
            // Between two hosts there is no cloud.
            (None, None) => None,
            (None, Some(receiver)) => self.via_from_host(from, to, &receiver),
            (Some(sender), None) => self.via_to_host(from, to, &sender),
            (Some(a), Some(b)) if a.holder() == b.holder() && !self.leaves_and_comes_back(to) => None,
            (Some(a), Some(b)) => self.via_inside(from, to, [&a, &b]),
        };
        self.flows.extend(via.map(|via| Flow { from: from.clone(), to: to.clone(), via, service: self.service }));
    }

    /// Returns the address by which a host asks an interface.
    fn via_from_host(&mut self, host: &Endpoint, to: &Endpoint, receiver: &InterfaceId) -> Option<Via> {
        let via = self.family(host, host, receiver)?;
        let by_name = self.asked == Some(Via::Dns);
        let by_its_name = by_name && has_name(self.cloud, receiver);
        if via == Via::Public && !by_its_name && !has_public(self.cloud, receiver) {
            return self.no_path(|| format!("{} has no public address", receiver.short()));
        }
        match self.asked {
            Some(Via::Secondary(address)) if !has_secondary(self.cloud, receiver, address) => {
                self.no_path(|| format!("{to} has no secondary address {address}"))
            }
            Some(secondary @ Via::Secondary(_)) => Some(secondary),
            _ if by_name => Some(Via::Dns),
            _ => Some(via),
        }
    }

    /// Returns the address by which an interface asks a host.
    fn via_to_host(&mut self, from: &Endpoint, host: &Endpoint, sender: &InterfaceId) -> Option<Via> {
        if self.asked == Some(Via::Dns) {
            return self.no_path(|| format!("{host} is outside, and EC2 has no name for it"));
        }
        self.family(host, from, sender)
    }

    /// Returns [`Via::Public`] or [`Via::Ipv6`], if a host and an interface can talk by that and the pattern does not ask
    /// otherwise.
    fn family(&mut self, host: &Endpoint, from: &Endpoint, interface: &InterfaceId) -> Option<Via> {
        let is_asked = |via: &Via| match self.asked {
            None => true,
            Some(Via::Secondary(IpAddr::V6(_))) => *via == Via::Ipv6 && from == host,
            // Its resolver is at an IPv4 address, and the public name means one.
            Some(Via::Dns) => *via == Via::Public,
            Some(asked) => asked == *via,
        };
        let Some(via) = via_of(host).filter(|via| has_family(from, *via)).filter(is_asked) else {
            self.no_address.get_or_insert_with(|| match self.asked {
                None if is_forged_ipv6(from) => format!("{host} has no IPv6 address"),
                Some(Via::Private | Via::Secondary(IpAddr::V4(_))) => {
                    format!("{host} is outside, and private addresses lead nowhere there")
                }
                Some(Via::Ipv6 | Via::Secondary(IpAddr::V6(_))) => format!("{host} has no IPv6 address"),
                Some(Via::Public | Via::Dns) | None => format!("{host} has no IPv4 address"),
            });
            return None;
        };
        if via == Via::Ipv6 && !has_ipv6(self.cloud, interface) {
            return self.no_path(|| format!("{} has no IPv6 address", interface.short()));
        }
        Some(via)
    }

    /// Returns the address by which an interface asks another.
    fn via_inside(&mut self, from: &Endpoint, to: &Endpoint, [sender, receiver]: [&InterfaceId; 2]) -> Option<Via> {
        let usual = || if is_forged_ipv6(from) { Via::Ipv6 } else { to.usual_via() };
        let via = self.said.unwrap_or_else(usual);
        if let Via::Secondary(address) = via
            && !has_secondary(self.cloud, receiver, address)
        {
            return self.no_path(|| format!("{to} has no secondary address {address}"));
        }
        if via.is_private() && vpc_of(self.cloud, sender) != vpc_of(self.cloud, receiver) {
            return self.no_path(|| format!("{from} and {to} are in different VPCs, and have no private path"));
        }
        match via {
            Via::Public if !has_public(self.cloud, receiver) => {
                return self.no_path(|| format!("{to} has no public address"));
            }
            Via::Dns if !has_name(self.cloud, receiver) => {
                return self.no_path(|| format!("{to} has no public DNS name"));
            }
            _ => {}
        }
        if via.is_ipv6()
            && let Some(without) = [sender, receiver].into_iter().find(|id| !has_ipv6(self.cloud, id))
        {
            return self.no_path(|| format!("{} has no IPv6 address", without.short()));
        }
        Some(via)
    }

    /// Keeps the first reason why a pair has no path.
    fn no_path(&mut self, why: impl FnOnce() -> String) -> Option<Via> {
        self.no_path.get_or_insert_with(why);
        None
    }

    /// Of an instance that asks itself: by public address the packet goes out by the gateway and comes in again. To an address of its
    /// own the kernel sends nothing out, and by DNS name it is told its private one.
    fn leaves_and_comes_back(&mut self, to: &Endpoint) -> bool {
        let via = self.said.unwrap_or_else(|| to.usual_via());
        if !self.itself || via == Via::Public {
            return self.itself;
        }
        let why = || format!("{via} what {to} sends to itself never leaves it; `{}` it does", Via::Public.words());
        self.no_path.get_or_insert_with(why);
        false
    }

    fn why(&self, pattern: &FlowPattern) -> String {
        if let Some(why) = &self.no_path {
            return why.clone();
        }
        absence(&pattern.from, self.cloud, Role::Sender)
            .or_else(|| absence(&pattern.to, self.cloud, Role::Receiver))
            .or_else(|| self.no_address.clone())
            .unwrap_or_else(|| "both ends are the same".to_owned())
    }
}

fn is_forged_ipv6(from: &Endpoint) -> bool {
    matches!(from, Endpoint::Forged(_, source) if source.is_ipv6())
}

/// Returns `true` unless a forged source is of the other family.
fn has_family(from: &Endpoint, via: Via) -> bool {
    !matches!(from, Endpoint::Forged(..)) || is_forged_ipv6(from) == via.is_ipv6()
}

/// Returns `true` if a selector names a single instance or interface.
fn is_one(selector: &Selector) -> bool {
    matches!(selector, Selector::Instance(_) | Selector::Interface(_) | Selector::LoadBalancer(_))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Sender,
    Receiver,
}

fn ends(selector: &Selector, cloud: &Cloud, role: Role) -> Vec<Endpoint> {
    match selector {
        Selector::Any => hosts(cloud).into_iter().chain(inside(cloud)).collect(),
        Selector::Instance(name) if may_be(cloud, name, role) => vec![Endpoint::Instance(name.clone())],
        Selector::LoadBalancer(name) => cloud.load_balancers.get_key_value(name).map(balancer).into_iter().collect(),
        Selector::Interface(id) if may_be(cloud, &id.instance, role) && cloud.attached(id).is_some() => {
            vec![Endpoint::Interface(id.clone())]
        }
        Selector::Forged(id, source) if may_be(cloud, &id.instance, role) && cloud.attached(id).is_some() => {
            vec![Endpoint::Forged(id.clone(), *source)]
        }
        Selector::Instance(_) | Selector::Interface(_) | Selector::Forged(..) => Vec::new(),
        Selector::Group(group) => inside(cloud).filter(|end| is_member(cloud, end, group)).collect(),
        Selector::Host(name) => cloud.hosts.get(name).map_or_else(Vec::new, |host| {
            host.addresses.iter().map(|&address| Endpoint::Host(name.clone(), address)).collect()
        }),
        Selector::HostAddress(name, address) => vec![Endpoint::Host(name.clone(), *address)],
        Selector::HostNumber(name, number) => {
            let addresses = cloud.hosts.get(name).map_or(&[][..], |host| &host.addresses);
            let address = number.checked_sub(1).and_then(|index| addresses.get(index));
            address.map(|address| Endpoint::Host(name.clone(), *address)).into_iter().collect()
        }
    }
}

/// A receiver that is named may be down: that it does not answer is what the step wants to see.
fn may_be(cloud: &Cloud, name: &InstanceName, role: Role) -> bool {
    let instance = cloud.instances.get(name);
    instance.is_some_and(|instance| role == Role::Receiver || instance.state == InstanceState::Running)
}

/// Explains why a selector means nobody, if it does.
fn absence(selector: &Selector, cloud: &Cloud, role: Role) -> Option<String> {
    if !ends(selector, cloud, role).is_empty() {
        return None;
    }
    Some(match selector {
        Selector::Any => "there is no host and no running instance".to_owned(),
        Selector::Instance(name)
        | Selector::Interface(Attachment { instance: name, .. })
        | Selector::Forged(Attachment { instance: name, .. }, _) => {
            match cloud.instances.get(name).map(|instance| instance.state) {
                None => format!("there is no {name} at this step"),
                Some(InstanceState::Stopped) => format!("{name} is stopped, and sends nothing"),
                Some(InstanceState::Crashed) => format!("{name} has crashed, and opens nothing"),
                Some(InstanceState::Running) => format!("{name} has no such interface at this step"),
            }
        }
        Selector::LoadBalancer(name) => format!("there is no {name} at this step"),
        Selector::Group(group) => format!("{group} has no running member"),
        Selector::Host(name) | Selector::HostAddress(name, _) => format!("there is no host {name}"),
        Selector::HostNumber(name, number) => format!("there is no {name}[{number}]"),
    })
}

// Members of a group are interfaces, as in EC2.
fn is_member(cloud: &Cloud, end: &Endpoint, group: &GroupName) -> bool {
    let interface = end.interface().and_then(|id| cloud.interface(&id));
    interface.is_some_and(|interface| interface.groups.contains(group))
}
