//! Work of one phase, by the namespace that it is done in, so that each is entered once.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use futures::future::join_all;
use indexmap::IndexMap;
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;

use super::conntrack::NotForgotten;
use super::error::FabricError;
use super::faults::Faults;
use super::kernel::{Tolerance, in_node, kernel, make_room};
use super::namespace::Namespace;
use super::netlink::{Excuse, Refused, Request};
use super::nft::Effect;
use super::settle::LowerEnds;
use super::{conntrack, faults, nft, remembered, settle, wiring};
use crate::network::{Action, End, Link, NodeName, Way};

/// Order of things that do not depend on one another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// All at the same time.
    AtOnce,
    /// One after the other, so that a fault on purpose meets the same step each time.
    OneByOne,
}

impl Order {
    /// The order where these faults may be met.
    pub(super) fn under(faults: &Faults) -> Self {
        if faults.are_armed() { Self::OneByOne } else { Self::AtOnce }
    }

    async fn run<F: Future>(self, things: impl Iterator<Item = F>) -> Vec<F::Output> {
        match self {
            Self::AtOnce => join_all(things).await,
            Self::OneByOne => {
                let mut results = Vec::new();
                for thing in things {
                    results.push(thing.await);
                }
                results
            }
        }
    }

    async fn all<F: Future<Output = Result<(), FabricError>>>(
        self,
        things: impl Iterator<Item = F>,
    ) -> Result<(), FabricError> {
        self.run(things).await.into_iter().collect()
    }
}

/// Namespaces whose rulesets a phase has changed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Those that took their transaction.
    pub whole: HashSet<NodeName>,
    /// One whose transaction may or may not be in force.
    pub unknown: Option<NodeName>,
}

/// Things to do, by the namespace that they are done in.
type ByNode<T> = IndexMap<NodeName, (Arc<Namespace>, Vec<T>)>;
type Requests = ByNode<Request<RouteNetlinkMessage>>;
/// Links by their indexes and names.
type Links = ByNode<(u32, String)>;

fn add<T>(to: &mut ByNode<T>, node: &Arc<Namespace>, items: impl IntoIterator<Item = T>) {
    let entry = to.entry(node.name.clone()).or_insert_with(|| (Arc::clone(node), Vec::new()));
    entry.1.extend(items);
}

/// Work of a phase.
#[derive(Default)]
pub(super) struct Work {
    wiring: Wiring,
    transactions: Vec<(Arc<Namespace>, Transaction)>,
    forget: IndexMap<NodeName, (Arc<Namespace>, HashSet<IpNet>)>,
    remove: Vec<NodeName>,
}

/// Work on links, addresses and routes, in the order of its fields.
#[derive(Default)]
struct Wiring {
    /// Places that links of the user's may have taken.
    taken: Links,
    links: Requests,
    ends: Requests,
    settle: Links,
    /// Links whose other ends programs of the user's may take down meanwhile.
    disturbed: Links,
    deliver: ByNode<Ipv6Addr>,
}

enum Transaction {
    Change(Vec<crate::network::nft::Change>),
    Load(Box<crate::network::nft::Ruleset>),
}

impl Work {
    /// Puts each action with the others that run in the same namespace; `node` finds one by its name.
    ///
    /// # Errors
    /// Those of `node`.
    pub(super) fn of<'n>(
        phase: &[&Action],
        node: impl Fn(&NodeName) -> Result<&'n Arc<Namespace>, FabricError>,
    ) -> Result<Self, FabricError> {
        let mut work = Self::default();
        for action in phase {
            work.sort(action, &node)?;
        }
        Ok(work)
    }

    fn sort<'n>(
        &mut self,
        action: &Action,
        node: &impl Fn(&NodeName) -> Result<&'n Arc<Namespace>, FabricError>,
    ) -> Result<(), FabricError> {
        let wiring = &mut self.wiring;
        match action {
            Action::AddNode(..) => {}
            Action::RemoveNode(name) => self.remove.push(name.clone()),
            Action::AddLink(_, link) => wiring.add_link(link, node(&link.upper.node)?, node(&link.lower.node)?),
            Action::RemoveLink(_, link) => {
                let request = reached(node(&link.lower.node)?, wiring::remove_link(link));
                add(&mut wiring.links, node(&link.upper.node)?, [request]);
            }
            Action::AddRoute(name, route) => add(&mut wiring.ends, node(name)?, [wiring::add_route(route)]),
            Action::RemoveRoute(name, route) => {
                // It goes with its link, and root in the instance at the other end may have deleted that.
                let excuse = match route.way {
                    Way::Gateway { index, .. }
                    | Way::Link { index }
                    | Way::Delegated { index, .. }
                    | Way::Local { index } => Excuse::Without(index),
                    Way::Unreachable | Way::Main => Excuse::Nothing,
                };
                let node = node(name)?;
                add(&mut wiring.links, node, [reached(node, wiring::remove_route(route).excused(excuse))]);
            }
            Action::AddPolicy(name, policy) => {
                let node = node(name)?;
                add(&mut wiring.ends, node, wiring::add_policy(policy, node.families));
            }
            Action::RemovePolicy(name, policy) => {
                let node = node(name)?;
                let requests = wiring::remove_policy(policy, node.families);
                add(&mut wiring.links, node, requests.into_iter().map(|request| reached(node, request)));
            }
            Action::Nft { node: name, forward, .. } => {
                self.transactions.push((Arc::clone(node(name)?), Transaction::Change(forward.clone())));
            }
            Action::LoadRuleset(name, ruleset) => {
                self.transactions.push((Arc::clone(node(name)?), Transaction::Load(Box::new(ruleset.clone()))));
            }
            Action::ForgetFlows(name, address) => {
                let node = node(name)?;
                let entry = self.forget.entry(name.clone());
                entry.or_insert_with(|| (Arc::clone(node), HashSet::new())).1.insert(*address);
            }
        }
        Ok(())
    }

    /// Carries it out, and notes whose rulesets were changed. Returns the namespaces to be given up.
    ///
    /// # Errors
    /// The first failure; [`FabricError::Broken`] where some flows are forgotten and others are not.
    pub(super) async fn carry_out(
        self,
        tolerance: Tolerance,
        order: Order,
        committed: &mut Committed,
    ) -> Result<Vec<NodeName>, FabricError> {
        // The filter and the wiring of a phase do not wait for one another: a deletion takes a grace period in each.
        let wiring = self.wiring.carry_out(tolerance, order);
        let transactions = order.run(self.transactions.into_iter().map(|(node, one)| transact(node, one)));
        let (wired, ended) = match order {
            Order::OneByOne => (wiring.await, transactions.await),
            Order::AtOnce => futures::join!(wiring, transactions),
        };
        let mut refused = Ok(());
        for ended in ended {
            match ended {
                Ok(node) => drop(committed.whole.insert(node)),
                Err((node, nft::Failed { error, effect })) => {
                    match effect {
                        Effect::None => {}
                        Effect::Whole => drop(committed.whole.insert(node)),
                        Effect::Unknown => committed.unknown = Some(node),
                    }
                    refused = refused.and(Err(error));
                }
            }
        }
        wired.and(refused)?;
        forget_all(self.forget, order).await?;
        Ok(self.remove)
    }
}

impl Wiring {
    fn add_link(&mut self, link: &Link, upper: &Arc<Namespace>, lower: &Arc<Namespace>) {
        add(&mut self.links, upper, [wiring::add_link(link, lower.net())]);
        if lower.was_entered() {
            add(&mut self.taken, lower, [(link.lower.index, link.lower.interface.clone())]);
        }
        let mut dress = |node: &Arc<Namespace>, end: &End, up| add(&mut self.ends, node, wiring::dress_end(end, up));
        dress(upper, &link.upper, false);
        dress(lower, &link.lower, true);
        for (node, end) in [(upper, &link.upper), (lower, &link.lower)] {
            let ipv6 = end.addresses.iter().filter_map(|address| match address {
                IpAddr::V6(address) => Some(*address),
                IpAddr::V4(_) => None,
            });
            let ipv6: Vec<Ipv6Addr> = ipv6.collect();
            if !ipv6.is_empty() {
                add(&mut self.deliver, node, ipv6);
            }
        }
        let settling = if lower.was_entered() { &mut self.disturbed } else { &mut self.settle };
        add(settling, upper, [(link.upper.index, link.upper.interface.clone())]);
    }

    /// Makes links, where nothing else has their places, and what is on them; waits until they are up and their addresses in use.
    async fn carry_out(self, tolerance: Tolerance, order: Order) -> Result<(), FabricError> {
        let requests = |work: Requests| work.into_values().map(|(node, requests)| kernel(node, requests, tolerance));
        let settled = |links: Links, lower: LowerEnds| {
            links.into_values().map(move |(node, links)| settle::settled(node, links, lower))
        };
        order.all(self.taken.into_values().map(|(node, links)| make_room(node, links))).await?;
        order.all(requests(self.links)).await?;
        order.all(requests(self.ends)).await?;
        order.all(settled(self.settle, LowerEnds::AsMade)).await?;
        order.all(settled(self.disturbed, LowerEnds::Entered)).await?;
        order.all(self.deliver.into_values().map(|(node, addresses)| settle::deliverable(node, addresses))).await
    }
}

/// Errors of the kernel for what is not there.
const ABSENT: &[i32] = &[libc::ESRCH, libc::ENODEV, libc::ENOENT, libc::EADDRNOTAVAIL];

/// A request to take something away, which root of the namespace may have taken away before.
fn reached(node: &Namespace, request: Request<RouteNetlinkMessage>) -> Request<RouteNetlinkMessage> {
    if node.user().is_some() { request.excused(Excuse::If(ABSENT)) } else { request }
}

/// Carries out a transaction, and gives the namespace whose ruleset it is about.
async fn transact(node: Arc<Namespace>, transaction: Transaction) -> Result<NodeName, (NodeName, nft::Failed)> {
    let done = match transaction {
        Transaction::Change(changes) => remembered::change(&node, &changes).await,
        Transaction::Load(ruleset) => nft::load(&node, &ruleset).await,
    };
    let name = node.name.clone();
    done.map(|()| name.clone()).map_err(|failed| (name, failed))
}

/// Forgets flows in several namespaces. All are found before the first is forgotten, since there is no way back.
async fn forget_all(
    flows: IndexMap<NodeName, (Arc<Namespace>, HashSet<IpNet>)>,
    order: Order,
) -> Result<(), FabricError> {
    let finding = flows.into_values().map(|(node, addresses)| find(node, addresses));
    let found: Result<Vec<_>, _> = order.run(finding).await.into_iter().collect();
    let mut some_are = false;
    for (node, addresses, found) in found? {
        if found.is_empty() {
            continue;
        }
        match forget(node, addresses, found).await {
            Ok(()) => some_are = true,
            Err((failure, some)) if some || some_are => {
                let undoing = FabricError::Forgotten.into();
                return Err(FabricError::Broken { failure: failure.into(), undoing });
            }
            Err((failure, _)) => return Err(failure),
        }
    }
    Ok(())
}

/// The flows of addresses in a namespace.
async fn find(
    node: Arc<Namespace>,
    addresses: HashSet<IpNet>,
) -> Result<(Arc<Namespace>, HashSet<IpNet>, Vec<conntrack::Flow>), FabricError> {
    if node.faults.step(&node.name, conntrack::LIST).is_some() {
        return Err(in_node(&node.name, Refused { attempt: conntrack::LIST.into(), source: faults::error() }));
    }
    let wanted = addresses.clone();
    let found = node.run(move || conntrack::find(&wanted)).await?;
    let found = found.map_err(|refused| in_node(&node.name, refused))?;
    Ok((node, addresses, found))
}

/// Forgets flows of a namespace; where that fails, tells whether some are forgotten.
async fn forget(
    node: Arc<Namespace>,
    addresses: HashSet<IpNet>,
    found: Vec<conntrack::Flow>,
) -> Result<(), (FabricError, bool)> {
    let (faults, name) = (node.faults.clone(), node.name.clone());
    let done = node.run(move || conntrack::forget(&faults, &name, &addresses, found)).await;
    let done = done.map_err(|error| (error, false))?;
    done.map_err(|NotForgotten { refused, some_are }| (in_node(&node.name, refused), some_are))
}
