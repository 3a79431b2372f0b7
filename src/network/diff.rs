//! From one network to another: what the kernel has to be told, in an order that fails closed.
//!
//! Take routes away, close and take links away, add the new ones, open; what cannot be undone comes last. Between any two phases no
//! stale address is admitted, and no flow is dropped that both the old and the new network admit.

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::names;
use super::nft::{Change, Ruleset, Set};
use super::ruleset_diff::{changes, closed, first};
use super::{Action, LinkName, Network, Node, NodeKind, NodeName, Phases, Policy, Route, Way};

/// The actions that make `new` of `old`; empty phases are left out. The boot is the diff from an empty network.
pub fn diff(old: &Network, new: &Network) -> Phases {
    let differ = Differ { old, new };
    let phases = if differ.same_boxes() {
        vec![differ.first_rulesets(|old, new| (changes(old, new), changes(new, old)))]
    } else {
        vec![
            differ.added_nodes(),
            differ.removed_routes(),
            // Taking a link away opens nothing, so it need not wait for the filter.
            [
                differ.first_rulesets(|old, new| (first(old, new), changes(&closed(old, new), old))),
                differ.removed_links(),
            ]
            .concat(),
            // Nothing is routed in a new namespace yet, so its ruleset may be loaded while its links are made.
            [differ.added_links(), differ.new_rulesets()].concat(),
            differ.added_routes(),
            differ.rulesets(|_, old, new| {
                let closed = closed(old, new);
                (changes(&closed, new), changes(new, &closed))
            }),
        ]
    };
    let mut phases: Phases = phases;
    phases.push(differ.forgotten_flows());
    phases.push(differ.removed_nodes());
    phases.retain(|phase| !phase.is_empty());
    phases
}

struct Differ<'a> {
    old: &'a Network,
    new: &'a Network,
}

impl Differ<'_> {
    /// Reports whether nothing but rulesets differs.
    fn same_boxes(&self) -> bool {
        let same = |name: &NodeName, node: &Node| {
            self.old.nodes.get(name).is_some_and(|old| {
                old.routes == node.routes
                    && old.policies == node.policies
                    && old.ruleset.is_some() == node.ruleset.is_some()
            })
        };
        self.old.links == self.new.links
            && self.old.nodes.len() == self.new.nodes.len()
            && self.new.nodes.iter().all(|(name, node)| same(name, node))
    }

    fn added_nodes(&self) -> Vec<Action> {
        let added = self.new.nodes.iter().filter(|(name, _)| !self.old.nodes.contains_key(*name));
        added.map(|(name, node)| Action::AddNode(name.clone(), node.kind, node.families)).collect()
    }

    fn removed_nodes(&self) -> Vec<Action> {
        let removed = self.old.nodes.keys().filter(|name| !self.new.nodes.contains_key(*name));
        removed.map(|name| Action::RemoveNode(name.clone())).collect()
    }

    /// One transaction per namespace that stays and whose ruleset has something to do.
    fn rulesets(
        &self,
        transaction: impl Fn(&NodeName, &Ruleset, &Ruleset) -> (Vec<Change>, Vec<Change>),
    ) -> Vec<Action> {
        let both = self.new.nodes.iter().filter_map(|(name, node)| {
            Some((name, self.old.nodes.get(name)?.ruleset.as_ref()?, node.ruleset.as_ref()?))
        });
        both.map(|(name, old, new)| (name, transaction(name, old, new)))
            .filter(|(_, (forward, _))| !forward.is_empty())
            .map(|(name, (forward, back))| Action::Nft { node: name.clone(), forward, back })
            .collect()
    }

    /// The first transaction also forgets the packets of addresses that leave their holder: the next one inherits nothing.
    fn first_rulesets(&self, transaction: impl Fn(&Ruleset, &Ruleset) -> (Vec<Change>, Vec<Change>)) -> Vec<Action> {
        let left = self.left_addresses();
        self.rulesets(|name, old, new| {
            let (mut forward, mut back) = transaction(old, new);
            if new.sets.values().any(Set::is_filled_by_packets) {
                let left = left.get(name).into_iter().flatten();
                forward.extend(left.clone().map(|address| Change::Forget(*address)));
                back.extend(left.map(|address| Change::Recall(*address)));
            }
            (forward, back)
        })
    }

    fn new_rulesets(&self) -> Vec<Action> {
        let fresh = self.new.nodes.iter().filter_map(|(name, node)| {
            let had = self.old.nodes.get(name).is_some_and(|old| old.ruleset.is_some());
            if had { None } else { Some(Action::LoadRuleset(name.clone(), node.ruleset.clone()?)) }
        });
        fresh.collect()
    }

    fn link_goes(&self, name: &LinkName) -> bool {
        self.old.links.get(name) != self.new.links.get(name)
    }

    fn removed_links(&self) -> Vec<Action> {
        let gone = self.old.links.iter().filter(|(name, _)| self.link_goes(name));
        gone.map(|(name, link)| Action::RemoveLink(name.clone(), link.clone())).collect()
    }

    fn added_links(&self) -> Vec<Action> {
        let added = self.new.links.iter().filter(|(name, _)| self.link_goes(name));
        added.map(|(name, link)| Action::AddLink(name.clone(), link.clone())).collect()
    }

    /// The interfaces that go, by node and index: their routes go with them and have to be made again.
    fn removed_ends(&self) -> IndexSet<(&NodeName, u32)> {
        let gone = self.old.links.iter().filter(|(name, _)| self.link_goes(name));
        gone.flat_map(|(_, link)| [&link.upper, &link.lower]).map(|end| (&end.node, end.index)).collect()
    }

    /// Reports whether a route of the old network is left alone.
    fn route_stays(&self, removed: &IndexSet<(&NodeName, u32)>, node: &NodeName, route: &Route) -> bool {
        let over_removed = match route.way {
            Way::Gateway { index, .. } | Way::Link { index } | Way::Delegated { index, .. } | Way::Local { index } => {
                removed.contains(&(node, index))
            }
            Way::Unreachable | Way::Main => false,
        };
        let has = |network: &Network| network.nodes.get(node).is_some_and(|node| node.routes.contains(route));
        !over_removed && has(self.old) && has(self.new)
    }

    /// Routes over a link that goes are taken away one by one, so that undoing brings them back.
    fn removed_routes(&self) -> Vec<Action> {
        let removed = self.removed_ends();
        routes(self.old)
            .filter(|(node, route)| !self.route_stays(&removed, node, route))
            .map(|(node, route)| Action::RemoveRoute(node.clone(), route.clone()))
            .chain(policies(self.old, self.new).map(|(node, policy)| Action::RemovePolicy(node, policy)))
            .collect()
    }

    fn added_routes(&self) -> Vec<Action> {
        let removed = self.removed_ends();
        routes(self.new)
            .filter(|(node, route)| !self.route_stays(&removed, node, route))
            .map(|(node, route)| Action::AddRoute(node.clone(), route.clone()))
            .chain(policies(self.new, self.old).map(|(node, policy)| Action::AddPolicy(node, policy)))
            .collect()
    }

    /// The flows of every address that has left its holder.
    fn forgotten_flows(&self) -> Vec<Action> {
        let left = self.left_addresses().into_iter();
        left.flat_map(|(node, left)| left.into_iter().map(move |address| Action::ForgetFlows(node.clone(), address)))
            .collect()
    }

    /// Every address that has left its holder, by the routers and gateways that may remember it and stay.
    fn left_addresses(&self) -> IndexMap<NodeName, IndexSet<IpNet>> {
        let mut by_node: IndexMap<NodeName, IndexSet<IpNet>> = IndexMap::new();
        for link in self.old.links.values() {
            let (router, gateway) = (&link.lower.node, &link.upper.node);
            if self.old.nodes.get(gateway).map(|node| node.kind) != Some(NodeKind::Gateway) {
                continue;
            }
            let left = [self.left_interfaces(router), self.left_translations(gateway)].concat();
            for node in [router, gateway].into_iter().filter(|node| self.new.nodes.contains_key(*node)) {
                by_node.entry(node.clone()).or_default().extend(left.iter().copied());
            }
        }
        by_node
    }

    /// Private addresses, and delegated prefixes, that the router no longer delivers where it did.
    fn left_interfaces(&self, router: &NodeName) -> Vec<IpNet> {
        let routes_of =
            |network: &Network| network.nodes.get(router).map(|node| node.routes.clone()).unwrap_or_default();
        let now = routes_of(self.new);
        let left = routes_of(self.old)
            .into_iter()
            .filter(|route| matches!(route.way, Way::Link { .. } | Way::Delegated { .. }));
        left.filter(|route| !now.contains(route)).map(|route| route.destination).collect()
    }

    /// Public addresses that the gateway no longer translates as it did.
    fn left_translations(&self, gateway: &NodeName) -> Vec<IpNet> {
        let elements_of = |network: &Network| {
            let ruleset = network.nodes.get(gateway).and_then(|node| node.ruleset.as_ref());
            ruleset.and_then(|ruleset| ruleset.maps.get(names::PRIVATE_OF)).map(|map| map.elements.clone())
        };
        let now = elements_of(self.new).unwrap_or_default();
        let before = elements_of(self.old).unwrap_or_default();
        let left = before.iter().filter(|(public, private)| now.get(*public) != Some(private));
        left.filter_map(|(public, _)| public.parse::<IpAddr>().ok()).map(IpNet::from).collect()
    }
}

/// The policies of a network that another lacks.
fn policies<'a>(of: &'a Network, other: &'a Network) -> impl Iterator<Item = (NodeName, Policy)> + 'a {
    of.nodes.iter().flat_map(move |(name, node)| {
        let has = move |policy: &Policy| other.nodes.get(name).is_some_and(|node| node.policies.contains(policy));
        node.policies.iter().filter(move |policy| !has(policy)).map(move |policy| (name.clone(), policy.clone()))
    })
}

fn routes(network: &Network) -> impl Iterator<Item = (&NodeName, &Route)> {
    network.nodes.iter().flat_map(|(name, node)| node.routes.iter().map(move |route| (name, route)))
}
