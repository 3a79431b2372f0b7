//! Ends of flows in classes: no rule, no way and no address tells the members of one apart, so what is judged of one holds of each.

use std::collections::HashMap;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::super::cells;
use crate::model::{AutomaticPublic, Cloud, Direction, Endpoint, GroupName, Interface, SourceDestCheck, VpcName};
use crate::topology::Egress;

/// Number of a class.
pub type ClassId = usize;

/// The ends of a cloud's grid in their classes.
pub struct Classes {
    /// The members of each class, in the order of the grid. The addresses of a host are no others'.
    pub members: Vec<Vec<Endpoint>>,
    /// For each class the numbers of what it is like as a sender and as a receiver: alike are also hosts of other names.
    pub alike: Vec<[usize; 2]>,
    by_end: HashMap<Endpoint, ClassId>,
}

impl Classes {
    /// The senders and receivers of a grid.
    pub fn of(cloud: &Cloud, egress: &Egress) -> Self {
        // Receivers look at the address of a sender, and senders at that of a receiver.
        let blocks = Direction::BOTH.map(|at| blocks(cloud, at));
        let is_told_apart = has_ways(cloud);
        let mut kinds: IndexSet<Kind> = IndexSet::new();
        let mut classes: IndexMap<([usize; 2], Option<&str>), Vec<Endpoint>> = IndexMap::new();
        let ends: Vec<Endpoint> = cells::ends(cloud).collect();
        for end in &ends {
            let alike = blocks.each_ref().map(|blocks| {
                let plain = if is_told_apart { None } else { kind(cloud, end, blocks, egress) };
                kinds.insert_full(plain.unwrap_or_else(|| Kind::Own(end.clone()))).0
            });
            let name = match end {
                Endpoint::Host(name, _) => Some(name.as_str()),
                _ => None,
            };
            classes.entry((alike, name)).or_default().push(end.clone());
        }
        let alike = classes.keys().map(|(alike, _)| *alike).collect();
        let members: Vec<Vec<Endpoint>> = classes.into_values().collect();
        let by_end = members.iter().enumerate().flat_map(|(id, all)| all.iter().map(move |end| (end.clone(), id)));
        Self { by_end: by_end.collect(), alike, members }
    }

    /// The class of an end.
    pub fn class_of(&self, end: &Endpoint) -> Option<ClassId> {
        self.by_end.get(end).copied()
    }

    /// The classes whose ends are all such.
    pub fn all_of(&self, is: impl Fn(&Endpoint) -> bool) -> Vec<ClassId> {
        (0..self.members.len()).filter(|id| self.members[*id].iter().all(&is)).collect()
    }
}

/// All that tells an end from others.
#[derive(PartialEq, Eq, Hash)]
enum Kind<'a> {
    /// Something about it is said of no other.
    Own(Endpoint),
    Host {
        family: bool,
        is_receiver: bool,
        within: Vec<usize>,
    },
    Instance {
        vpc: &'a VpcName,
        groups: Vec<&'a GroupName>,
        has_public: bool,
        has_ipv6: bool,
        /// Blocks around its private, public and IPv6 address.
        within: [Vec<usize>; 3],
    },
}

fn kind<'a>(cloud: &'a Cloud, end: &Endpoint, blocks: &IndexSet<IpNet>, egress: &Egress) -> Option<Kind<'a>> {
    let within = |address: IpAddr| -> Vec<usize> {
        blocks.iter().enumerate().filter(|(_, block)| block.contains(&address)).map(|(number, _)| number).collect()
    };
    let interface = match end {
        Endpoint::Host(name, address) => {
            let (family, is_receiver) = (address.0.is_ipv4(), egress.has(name));
            return Some(Kind::Host { family, is_receiver, within: within(address.0) });
        }
        Endpoint::Instance(name) => only_interface(cloud.instances.get(name)?)?,
        Endpoint::Interface(_) | Endpoint::LoadBalancer(..) | Endpoint::Forged(..) => return None,
    };
    let private = interface.private?;
    if interface.source_dest_check == SourceDestCheck::Off {
        return None;
    }
    let mut groups: Vec<&GroupName> = interface.groups.iter().collect();
    groups.sort_unstable();
    let public = interface.public.map(|address| within(address.0.into()));
    let ipv6 = interface.ipv6.map(|address| within(address.0.into()));
    Some(Kind::Instance {
        vpc: &interface.vpc,
        groups,
        has_public: public.is_some(),
        has_ipv6: ipv6.is_some(),
        within: [within(private.0.into()), public.unwrap_or_default(), ipv6.unwrap_or_default()],
    })
}

fn only_interface(instance: &crate::model::Instance) -> Option<&Interface> {
    match instance.interfaces.as_slice() {
        [only] if instance.forwarding == Default::default() => Some(only),
        _ => None,
    }
}

/// Tells whether packets go other ways than straight to whom they are sent to: by a load balancer or a route, or to an address that somebody has
/// given back.
pub fn has_ways(cloud: &Cloud) -> bool {
    let has_routes = cloud.vpcs.values().any(|vpc| vpc.routes.values().any(|all| !all.is_empty()));
    // Who does not run is no end.
    let has_given_back = cells::running(cloud)
        .flat_map(|(_, instance)| &instance.interfaces)
        .any(|it| it.private.is_none() || it.automatic_public == AutomaticPublic::Given && it.public.is_none());
    !cloud.load_balancers.is_empty() || has_routes || has_given_back
}

/// The blocks that rules name, of themselves or by a prefix list.
fn blocks(cloud: &Cloud, at: Direction) -> IndexSet<IpNet> {
    let rules = cloud.groups.values().flat_map(|group| group.rules(at));
    let named = rules.filter_map(|rule| rule.peer.block());
    let listed = cloud.prefix_lists.values().flat_map(|list| list.entries.iter().copied());
    named.chain(listed).filter(|block| block.prefix_len() > 0).collect()
}
