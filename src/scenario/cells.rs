//! Which flows there are at a moment: the exhaustive grid, and the flows that a pattern means.

use indexmap::IndexSet;

use crate::model::topology::{FlowPattern, Selector};
use crate::model::{
    AutomaticPublic, Cloud, Endpoint, Flow, GroupName, InstanceName, InstanceState, InterfaceId, LoadBalancer, Service,
    Via, VpcName,
};

/// The columns of a grid: those that some row of it can ask for.
pub fn columns_of(columns: &IndexSet<Service>, senders: &[(Endpoint, Option<Via>)]) -> Vec<Service> {
    // The usual address is one of IPv4.
    let can =
        |service: &Service| senders.iter().any(|(_, via)| service.unprobeable(via.unwrap_or(Via::Private)).is_none());
    columns.iter().copied().filter(can).collect()
}

/// Every cell of the grid: every outside address and every running instance, to every other running instance.
///
/// Hosts go by public address always, instances by each of `vias`; by the usual address where one says nothing. What no probe can
/// ask for is no cell.
pub fn grid<'a>(
    cloud: &'a Cloud,
    columns: &'a IndexSet<Service>,
    vias: &'a IndexSet<Option<Via>>,
) -> impl Iterator<Item = Flow> + 'a {
    senders(cloud, vias).into_iter().flat_map(move |(from, via)| {
        let paths: Vec<_> = running(cloud).filter_map(|to| path(cloud, &from, to, via)).collect();
        paths.into_iter().flat_map(move |(to, via)| {
            let from = from.clone();
            let asked = columns.iter().filter(move |service| service.unprobeable(via).is_none());
            asked.map(move |&service| Flow { from: from.clone(), to: to.clone(), via, service })
        })
    })
}

/// Every row of the grid, in its order, with what is said of the address.
pub fn senders(cloud: &Cloud, vias: &IndexSet<Option<Via>>) -> Vec<(Endpoint, Option<Via>)> {
    let hosts = hosts(cloud).into_iter().map(|host| {
        let via = via_of(&host).unwrap_or(Via::Public);
        (host, Some(via))
    });
    let instances = vias.iter().flat_map(|&via| running(cloud).map(move |name| (holder(cloud, name), via)));
    hosts.chain(instances).collect()
}

/// The instances that run, in launch order, and the load balancers.
pub fn running(cloud: &Cloud) -> impl Iterator<Item = &InstanceName> {
    let instances = cloud.instances.iter().filter(|(_, instance)| instance.state == InstanceState::Running);
    instances.map(|(name, _)| name).chain(cloud.load_balancers.values().map(LoadBalancer::node))
}

/// A holder of interfaces as an end of a flow, by its first interface.
pub fn holder(cloud: &Cloud, name: &InstanceName) -> Endpoint {
    match cloud.load_balancer_of(name) {
        Some(balancer) => Endpoint::LoadBalancer(name.clone(), balancer.scheme),
        None => Endpoint::Instance(name.clone()),
    }
}

/// The receiver of a block of a grid, and the address that it is reached by; nothing where the grid has no such block.
///
/// Instances of different VPCs have no private path.
pub fn path(cloud: &Cloud, from: &Endpoint, to: &InstanceName, said: Option<Via>) -> Option<(Endpoint, Via)> {
    let first = InterfaceId { instance: to.clone(), device: 0 };
    let to = holder(cloud, to);
    let via = said.unwrap_or_else(|| to.usual_via());
    let has = match (from.interface(), via) {
        (None, Via::Ipv6) => has_ipv6(cloud, &first),
        (None, _) => has_public(cloud, &first),
        (Some(from), _) if from.instance == first.instance => false,
        (Some(_), Via::Public) => has_public(cloud, &first),
        (Some(_), Via::Dns) => has_name(cloud, &first),
        (Some(from), Via::Private) => vpc_of(cloud, &from) == vpc_of(cloud, &first),
        (Some(from), Via::Ipv6) => has_ipv6(cloud, &from) && has_ipv6(cloud, &first),
    };
    has.then_some((to, via))
}

/// The flows that a pattern means now, and that a probe can ask for.
///
/// # Errors
/// A sentence about why it means none.
pub fn select(pattern: &FlowPattern, default_via: Option<Via>, cloud: &Cloud) -> Result<Vec<Flow>, String> {
    let mut flows = meant(pattern, default_via, cloud)?;
    let why = flows.iter().find_map(|flow| flow.service.unprobeable(flow.via));
    flows.retain(|flow| flow.service.unprobeable(flow.via).is_none());
    match why.filter(|_| flows.is_empty()) {
        Some(why) => Err(format!("`{}` selects no cell: {why}", pattern.written)),
        None => Ok(flows),
    }
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
    };
    selection.itself = is_one(&pattern.from) && is_one(&pattern.to);
    selection.pairs(&pattern.from, &pattern.to);
    if pattern.both_ways {
        selection.pairs(&pattern.to, &pattern.from);
    }
    if selection.flows.is_empty() {
        return Err(format!("`{}` selects no cell: {}", pattern.written, selection.why(pattern)));
    }
    Ok(selection.flows.into_iter().collect())
}

/// The instances that a selector means as senders now.
///
/// # Errors
/// A sentence about why it means none.
pub fn askers(selector: &Selector, cloud: &Cloud) -> Result<Vec<InstanceName>, String> {
    let instances = ends(selector, cloud, Role::Sender).into_iter().filter_map(|end| match end {
        Endpoint::Instance(name) => Some(name),
        Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) | Endpoint::Host(..) => None,
    });
    let instances: Vec<_> = instances.collect();
    if instances.is_empty() {
        return Err(absence(selector, cloud, Role::Sender).unwrap_or_else(|| "there is no running instance".to_owned()));
    }
    Ok(instances)
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
            (None, None) => return,
            (None, Some(other)) | (Some(other), None) => {
                let host = if from.interface().is_none() { from } else { to };
                let by_name = self.asked == Some(Via::Dns);
                if by_name && to == host {
                    self.no_path.get_or_insert_with(|| format!("{to} is outside, and EC2 has no name for it"));
                    return;
                }
                let its = via_of(host).filter(|via| match self.asked {
                    None => true,
                    // Its resolver is at an IPv4 address, and the public name means one.
                    Some(Via::Dns) => *via == Via::Public,
                    Some(asked) => asked == *via,
                });
                let Some(via) = its else { return };
                if via == Via::Ipv6 && !has_ipv6(self.cloud, &other) {
                    self.no_path.get_or_insert_with(|| format!("{} has no IPv6 address", named(&other)));
                    return;
                }
                let by_its_name = by_name && has_name(self.cloud, &other);
                if from == host && via == Via::Public && !by_its_name && !has_public(self.cloud, &other) {
                    self.no_path.get_or_insert_with(|| format!("{} has no public address", named(&other)));
                    return;
                }
                if by_name { Via::Dns } else { via }
            }
            (Some(a), Some(b)) if a.instance == b.instance && !self.leaves_and_comes_back(to) => return,
            (Some(a), Some(b)) => {
                let via = self.said.unwrap_or_else(|| to.usual_via());
                if via == Via::Private && vpc_of(self.cloud, &a) != vpc_of(self.cloud, &b) {
                    let why = || format!("{from} and {to} are in different VPCs, and have no private path");
                    self.no_path.get_or_insert_with(why);
                    return;
                }
                let lacks = match via {
                    Via::Public if !has_public(self.cloud, &b) => Some("address"),
                    Via::Dns if !has_name(self.cloud, &b) => Some("DNS name"),
                    _ => None,
                };
                if let Some(lacks) = lacks {
                    self.no_path.get_or_insert_with(|| format!("{to} has no public {lacks}"));
                    return;
                }
                if via == Via::Ipv6
                    && let Some(without) = [a, b].into_iter().find(|id| !has_ipv6(self.cloud, id))
                {
                    self.no_path.get_or_insert_with(|| format!("{} has no IPv6 address", named(&without)));
                    return;
                }
                via
            }
        };
        self.flows.insert(Flow { from: from.clone(), to: to.clone(), via, service: self.service });
    }

    /// Of an instance that asks itself: by public address the packet goes out by the gateway and comes in again. To an address of its
    /// own the kernel sends nothing out, and by DNS name it is told its private one.
    fn leaves_and_comes_back(&mut self, to: &Endpoint) -> bool {
        let via = self.said.unwrap_or_else(|| to.usual_via());
        if !self.itself || via == Via::Public {
            return self.itself;
        }
        let why = || {
            let by = match via {
                Via::Ipv6 => "by IPv6 address",
                Via::Dns => "by DNS name",
                Via::Private | Via::Public => "by private address",
            };
            format!("{by} what {to} sends to itself never leaves it; `by public address` it does")
        };
        self.no_path.get_or_insert_with(why);
        false
    }

    fn why(&self, pattern: &FlowPattern) -> String {
        if let Some(why) = &self.no_path {
            return why.clone();
        }
        absence(&pattern.from, self.cloud, Role::Sender)
            .or_else(|| absence(&pattern.to, self.cloud, Role::Receiver))
            .unwrap_or_else(|| "both ends are the same".to_owned())
    }
}

/// Whether a selector names a single instance or interface.
fn is_one(selector: &Selector) -> bool {
    matches!(selector, Selector::Instance(_) | Selector::Interface(_))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Sender,
    Receiver,
}

fn ends(selector: &Selector, cloud: &Cloud, role: Role) -> Vec<Endpoint> {
    match selector {
        Selector::Any => hosts(cloud).into_iter().chain(running(cloud).map(|name| holder(cloud, name))).collect(),
        Selector::Instance(name) if may_be(cloud, name, role) => vec![holder(cloud, name)],
        Selector::Interface(id) if may_be(cloud, &id.instance, role) && cloud.interface(id).is_some() => {
            vec![Endpoint::Interface(id.clone())]
        }
        Selector::Forged(id, source) if may_be(cloud, &id.instance, role) && cloud.interface(id).is_some() => {
            vec![Endpoint::Forged(id.clone(), *source)]
        }
        Selector::Instance(_) | Selector::Interface(_) | Selector::Forged(..) => Vec::new(),
        Selector::Group(group) => {
            let members = running(cloud).filter(|name| is_member(cloud, name, group));
            members.map(|name| holder(cloud, name)).collect()
        }
        Selector::Host(name) => cloud.hosts.get(name).map_or_else(Vec::new, |host| {
            host.addresses.iter().map(|&address| Endpoint::Host(name.clone(), address)).collect()
        }),
        Selector::HostAddress(name, address) => vec![Endpoint::Host(name.clone(), *address)],
    }
}

/// A receiver that is named may be down: that it does not answer is what the step wants to see.
fn may_be(cloud: &Cloud, name: &InstanceName, role: Role) -> bool {
    cloud.state_of(name).is_some_and(|state| role == Role::Receiver || state == InstanceState::Running)
}

/// An interface as people say it: the first by the name of its instance.
fn named(id: &InterfaceId) -> String {
    if id.device == 0 { id.instance.to_string() } else { id.to_string() }
}

/// Why a selector means nobody, if it does.
fn absence(selector: &Selector, cloud: &Cloud, role: Role) -> Option<String> {
    if !ends(selector, cloud, role).is_empty() {
        return None;
    }
    Some(match selector {
        Selector::Any => "there is no host and no running instance".to_owned(),
        Selector::Instance(name)
        | Selector::Interface(InterfaceId { instance: name, .. })
        | Selector::Forged(InterfaceId { instance: name, .. }, _) => match cloud.state_of(name) {
            None => format!("there is no {name} at this step"),
            Some(InstanceState::Stopped) => format!("{name} is stopped, and opens nothing"),
            Some(InstanceState::Crashed) => format!("{name} has crashed, and opens nothing"),
            Some(InstanceState::Running) => format!("{name} has no such interface at this step"),
        },
        Selector::Group(group) => format!("{group} has no running member"),
        Selector::Host(name) | Selector::HostAddress(name, _) => format!("there is no host {name}"),
    })
}

fn hosts(cloud: &Cloud) -> Vec<Endpoint> {
    let addresses = |(name, host): (&crate::model::HostName, &crate::model::Host)| {
        host.addresses.iter().map(|&address| Endpoint::Host(name.clone(), address)).collect::<Vec<_>>()
    };
    cloud.hosts.iter().flat_map(addresses).collect()
}

/// By which address a host's address reaches an instance, and is reached.
fn via_of(end: &Endpoint) -> Option<Via> {
    match end {
        Endpoint::Host(_, address) => Some(if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 }),
        Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) => None,
    }
}

/// Whether there is, or was, a public address to ask for.
fn has_public(cloud: &Cloud, id: &InterfaceId) -> bool {
    cloud.interface(id).is_some_and(|i| i.public.is_some() || i.automatic_public == AutomaticPublic::Given)
}

/// Whether there is, or was, a public DNS name to ask for. An internal load balancer has one, which means its private address.
fn has_name(cloud: &Cloud, id: &InterfaceId) -> bool {
    has_public(cloud, id) || cloud.load_balancer_of(&id.instance).is_some()
}

fn has_ipv6(cloud: &Cloud, id: &InterfaceId) -> bool {
    cloud.interface(id).is_some_and(|interface| interface.ipv6.is_some())
}

// A group in a flow means the instances by their first interfaces, so the groups of the first are the ones that count.
fn is_member(cloud: &Cloud, name: &InstanceName, group: &GroupName) -> bool {
    let first = InterfaceId { instance: name.clone(), device: 0 };
    cloud.interface(&first).is_some_and(|interface| interface.groups.contains(group))
}

fn vpc_of<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a VpcName> {
    cloud.interface(id).map(|interface| &interface.vpc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::scenario::testing::{cloud, columns, pattern, stop};

    fn texts(flows: Result<Vec<Flow>, String>) -> Vec<String> {
        flows.expect("some flows").iter().map(ToString::to_string).collect()
    }

    fn usual() -> IndexSet<Option<Via>> {
        IndexSet::from([None])
    }

    #[test]
    fn the_grid_of_two_tier_has_140_cells() {
        assert_eq!(grid(&cloud(), &columns(), &usual()).count(), 140);
    }

    #[test]
    fn a_grid_of_both_vias_has_the_instances_twice_and_the_hosts_once() {
        let both = IndexSet::from([None, Some(Via::Public)]);
        assert_eq!(grid(&cloud(), &columns(), &both).count(), 140 + 4 * 3 * 5);
    }

    #[test]
    fn a_stopped_instance_is_in_no_cell_of_the_grid() {
        let mut cloud = cloud();
        stop(&mut cloud, "db2");
        assert_eq!(grid(&cloud, &columns(), &usual()).count(), 3 * 4 * 5 + 3 * 2 * 5);
    }

    #[test]
    fn a_pair_in_two_vpcs_has_no_private_cell_and_a_public_one() {
        let mut cloud = cloud();
        cloud.instances[&InstanceName::new("db2")].interfaces[0].vpc = VpcName::new("other");
        assert_eq!(grid(&cloud, &columns(), &usual()).count(), 140 - 6 * 5);
        assert_eq!(grid(&cloud, &columns(), &IndexSet::from([Some(Via::Public)])).count(), 140);
        let refusal = select(&pattern("db1 -> db2:3306"), None, &cloud).unwrap_err();
        assert_eq!(
            refusal,
            "`db1 -> db2:3306` selects no cell: db1 and db2 are in different VPCs, and have no private path"
        );
        assert_eq!(select(&pattern("db1 -> db2:3306"), Some(Via::Public), &cloud).unwrap().len(), 1);
    }

    #[test]
    fn any_is_every_outside_address_and_every_other_running_instance() {
        let flows = texts(select(&pattern("any -> web1:80"), None, &cloud()));
        assert_eq!(
            flows,
            [
                "office -> web1:80",
                "neighbour -> web1:80",
                "world -> web1:80",
                "world -> web1:80",
                "web2 -> web1:80",
                "db1 -> web1:80",
                "db2 -> web1:80"
            ]
        );
    }

    #[test]
    fn what_an_instance_sends_to_itself_leaves_it_by_public_address_only() {
        let asked = |via| select(&pattern("db1 -> db1:3306"), Some(via), &cloud());
        assert_eq!(texts(asked(Via::Public)), ["db1 -> db1:3306 by public address"]);
        for (via, by) in [(Via::Private, "private address"), (Via::Dns, "DNS name"), (Via::Ipv6, "IPv6 address")] {
            let why = format!("by {by} what db1 sends to itself never leaves it; `by public address` it does");
            assert_eq!(asked(via).unwrap_err(), format!("`db1 -> db1:3306` selects no cell: {why}"));
        }
        // Who is meant with others is not meant with itself.
        let flows = texts(select(&pattern("SG-T-DB -> SG-T-DB:3306"), Some(Via::Public), &cloud()));
        assert_eq!(flows, ["db1 -> db2:3306 by public address", "db2 -> db1:3306 by public address"]);
    }

    #[test]
    fn both_ways_is_each_way_once_and_nobody_to_itself() {
        let flows = texts(select(&pattern("SG-T-DB <-> SG-T-DB:3306"), None, &cloud()));
        assert_eq!(flows, ["db1 -> db2:3306", "db2 -> db1:3306"]);
    }

    #[test]
    fn a_group_without_a_running_member_selects_no_cell() {
        let refusal = select(&pattern("any -> SG-NONE:80"), None, &cloud()).unwrap_err();
        assert_eq!(refusal, "`any -> SG-NONE:80` selects no cell: SG-NONE has no running member");
    }

    #[test]
    fn a_stopped_instance_may_be_asked_and_cannot_ask() {
        let mut cloud = cloud();
        stop(&mut cloud, "db2");
        assert_eq!(texts(select(&pattern("web1 -> db2:3306"), None, &cloud)), ["web1 -> db2:3306"]);
        let refusal = select(&pattern("db2 -> web1:80"), None, &cloud).unwrap_err();
        assert_eq!(refusal, "`db2 -> web1:80` selects no cell: db2 is stopped, and opens nothing");
    }

    #[test]
    fn by_dns_name_a_host_asks_too_and_is_not_asked() {
        let by_name = |written: &str| FlowPattern { via: Some(Via::Dns), ..pattern(written) };
        let flows = texts(select(&by_name("any -> web1:80"), None, &cloud()));
        assert_eq!(flows.len(), 7);
        assert!(flows.iter().all(|flow| flow.ends_with(" -> web1:80 by DNS name")), "{flows:?}");
        let refusal = select(&by_name("web1 -> office:80"), None, &cloud()).unwrap_err();
        assert_eq!(refusal, "`web1 -> office:80` selects no cell: office is outside, and EC2 has no name for it");
        // An IPv6 address asks no resolver, and the name would not help it.
        let mut cloud = cloud();
        cloud.hosts[0].addresses = vec![crate::model::HostIp("2001:db8::7".parse().unwrap())];
        assert_eq!(select(&by_name("any -> web1:80"), None, &cloud).unwrap().len(), 6);
    }

    fn balanced() -> Cloud {
        let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {A: []}\ninstances: {app: {groups: A}}\n\
                    load-balancers:\n  lb: {groups: A, listeners: tcp 80}\n  \
                    within: {scheme: internal, groups: A, listeners: tcp 80}\n\
                    scenario: [{step: s, expect: {dropped: ['app -> lb:80']}}]\n";
        let topology = crate::model::topology::Topology::parse("t.yaml", text.as_bytes());
        let topology = topology.unwrap_or_else(|problems| panic!("{problems}"));
        topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, _)| panic!("{refusal}"))
    }

    fn flows(words: &str) -> Vec<Flow> {
        let cloud = balanced();
        let pattern = crate::model::topology::read_flow(&cloud, words).unwrap_or_else(|problems| panic!("{problems}"));
        select(&pattern, None, &cloud).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn a_load_balancer_is_reached_by_the_address_that_its_name_means_unless_another_is_said() {
        for (words, via, label) in [
            ("app -> lb:80", Via::Public, "app -> lb:80"),
            ("app -> lb:80 by public address", Via::Public, "app -> lb:80"),
            ("app -> lb:80 by private address", Via::Private, "app -> lb:80 by private address"),
            ("app -> within:80", Via::Private, "app -> within:80"),
            ("office -> lb:80", Via::Public, "office -> lb:80"),
            ("office -> within:80 by dns name", Via::Dns, "office -> within:80 by DNS name"),
            ("app -> within:80 by dns name", Via::Dns, "app -> within:80 by DNS name"),
            ("lb -> app:80", Via::Private, "lb -> app:80"),
        ] {
            let flows = flows(words);
            assert_eq!((flows[0].via, flows[0].to_string().as_str()), (via, label), "{words}");
            let again = crate::model::topology::write::flow(&flows[0]);
            assert_eq!(self::flows(&again), flows, "{words} is written as {again}");
        }
        let cloud = balanced();
        let refused = crate::model::topology::read_flow(&cloud, "office -> within:80").unwrap_err().to_string();
        assert!(refused.contains("`within` is internal, and has no public address"), "{refused}");
        let pattern = crate::model::topology::read_question(&cloud, "office -> within:80").expect("a flow");
        assert!(select(&pattern, None, &cloud).unwrap_err().contains("within has no public address"));
    }

    #[test]
    fn a_table_that_says_nothing_has_load_balancers_by_their_names_and_one_that_says_private_has_not() {
        let (cloud, columns) = (balanced(), IndexSet::from([Service::Tcp(crate::model::Port(80))]));
        let cells = |said: Option<Via>| -> Vec<String> {
            let vias = IndexSet::from([said]);
            let cells = grid(&cloud, &columns, &vias).filter(|flow| flow.from.to_string() == "app");
            cells.map(|flow| flow.to_string()).collect()
        };
        assert_eq!(cells(None), ["app -> lb:80", "app -> within:80"]);
        assert_eq!(cells(Some(Via::Private)), ["app -> lb:80 by private address", "app -> within:80"]);
        assert_eq!(cells(Some(Via::Public)), ["app -> lb:80"]);
    }
}
