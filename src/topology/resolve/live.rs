//! The words of a topology file, read for a cloud that runs: operations, flows and ports as somebody types them.

use std::borrow::Cow;
use std::net::IpAddr;

use super::names::EntityKind;
use super::resolver::{Held, Resolver};
use super::standing::Refused;
use crate::model::{
    AskedIpv6, Attachment, Cloud, Direction, Forwarding, GroupName, Operation, Permission, Scheme, Service, Via,
    default_group,
};
use crate::topology::document::scenario::Operations;
use crate::topology::document::shape::{Any, Diagnostics, Shape};
use crate::topology::document::words::Service as ServiceSaid;
use crate::topology::files::Files;
use crate::topology::grammar::{TypedFlow, TypedRule, Within};
use crate::topology::patterns::FlowPattern;
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, Problems, Source, Span, TYPED};
use crate::topology::steps::Action;
use crate::topology::tree;
use crate::topology::typed::TypedRules;

/// Reads the operations of a `do:`, such as `{stop: web1}` or a list of such, for a running cloud. What EC2 itself would refuse,
/// an unknown instance for example, is left to [`apply`](fn@crate::model::apply).
///
/// # Errors
/// Everything that is wrong with the words, at once.
pub fn read_operations(cloud: &Cloud, text: &str) -> Result<Vec<Placed<Operation>>, Problems> {
    operations(cloud, text, None)
}

/// The same where the files that they name can be looked for.
///
/// # Errors
/// Everything that is wrong with the words, at once; and files that are not there.
pub fn read_operations_beside(
    cloud: &Cloud,
    text: &str,
    files: &dyn Files,
) -> Result<Vec<Placed<Operation>>, Problems> {
    operations(cloud, text, Some(files))
}

fn operations(cloud: &Cloud, text: &str, files: Option<&dyn Files>) -> Result<Vec<Placed<Operation>>, Problems> {
    read(cloud, text, files, "an operation or a list of operations", |resolver, said: &Operations| {
        resolver.declare_made(said, &[], Refused::ByEc2);
        let actions = resolver.actions(said, &[], Refused::ByEc2);
        let all = actions.len();
        let calls = actions.into_iter().filter_map(|action| match action {
            Action::Call(operations) => Some(operations),
            Action::Open(_) | Action::Close(_) | Action::Idle(_) => None,
        });
        let calls: Vec<_> = calls.collect();
        let is_less = calls.len() < all;
        let operations: Vec<_> = calls.into_iter().flatten().collect();
        // What could not be read is told already.
        if is_less || operations.is_empty() && resolver.told.problems.is_empty() {
            let help = "`open`, `close` and `idle` are for the connections of a scenario".to_owned();
            let what = Diagnostic::new(said.span, "this is not an operation on the cloud");
            resolver.report(what.maybe_help(is_less.then_some(help)));
        }
        operations
    })
}

/// Reads a flow, such as `web1 -> db1:3306 by public address`, for a running cloud.
///
/// # Errors
/// Everything that is wrong with the words, at once.
pub fn read_flow(cloud: &Cloud, text: &str) -> Result<FlowPattern, Problems> {
    TypedFlow::new(text).flow(cloud)
}

/// The same as a question to the model, also for what no probe can ask for.
///
/// # Errors
/// Everything that is wrong with the words, at once.
pub fn read_question(cloud: &Cloud, text: &str) -> Result<FlowPattern, Problems> {
    TypedFlow::new(text).question(cloud)
}

impl FlowPattern {
    /// Reads `web1 -> db1:3306 by public address` as [`read_question`] does, for a cloud at a moment of a file. A pattern that means nobody is
    /// wrong too: the file says who is there.
    ///
    /// # Errors
    /// Everything that is wrong with the words, at once.
    pub fn parse(words: &str, cloud: &Cloud) -> Result<Self, Problems> {
        flow_of("FLOW", &TypedFlow::new(words), cloud, Within::Question, |resolver| resolver.refuse_empty_patterns())
    }
}

impl TypedFlow {
    /// Returns a cloud in which the addresses outside that it names and nobody has are hosts, each by its address as its name.
    pub fn with_synthetic_hosts<'c>(&self, cloud: &'c Cloud) -> Cow<'c, Cloud> {
        let mut all = Cow::Borrowed(cloud);
        let ends = self.ends.iter().flat_map(|ends| [ends.from.text(), ends.to.text()]);
        for address in ends.filter_map(|end| end.parse::<IpAddr>().ok()) {
            if let Some((name, host)) = all.synthetic_host(address) {
                all.to_mut().hosts.insert(name, host);
            }
        }
        all
    }

    /// Looks up its names in a running cloud.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn flow(&self, cloud: &Cloud) -> Result<FlowPattern, Problems> {
        flow_of(TYPED, self, cloud, Within::Step { dropped: false }, |_| ())
    }

    /// The same as a question to the model, also for what no probe can ask for.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn question(&self, cloud: &Cloud) -> Result<FlowPattern, Problems> {
        flow_of(TYPED, self, cloud, Within::Question, |_| ())
    }
}

fn flow_of(
    name: &str,
    said: &TypedFlow,
    cloud: &Cloud,
    within: Within,
    check: impl FnOnce(&mut Resolver<'_>),
) -> Result<FlowPattern, Problems> {
    let flow = read_words_of(name, cloud, &said.text, |resolver| {
        let flow = match &said.ends {
            Ok(ends) => resolver.flow_between(ends, within),
            Err(draft) => {
                resolver.report(draft.clone());
                None
            }
        };
        check(resolver);
        flow
    })?;
    flow.ok_or_else(|| nothing(&said.text))
}

/// Reads rules of a group, such as `tcp 3306 from WEB`, for a running cloud.
///
/// # Errors
/// Everything that is wrong with the words, at once; the group is a line, and each rule is.
pub fn read_rules(
    cloud: &Cloud,
    group: &str,
    direction: Direction,
    rules: impl IntoIterator<Item: AsRef<str>>,
) -> Result<(GroupName, Vec<Permission>), Problems> {
    let rules = rules.into_iter().map(|rule| TypedRule::new(rule.as_ref())).collect();
    TypedRules { group: group.to_owned(), direction, rules }.read(None, cloud)
}

/// Reads ports, such as `tcp 80` or `ping`; a number alone is of tcp, as in a flow.
///
/// # Errors
/// Everything that is wrong with the words, at once.
pub fn read_services(cloud: &Cloud, text: &str) -> Result<Vec<Service>, Problems> {
    read(cloud, text, None, "a port or a list of ports", |resolver, said: &Any<ServiceSaid>| {
        said.items.iter().filter_map(|item| resolver.service(item)).collect()
    })
}

fn read<S: Shape, T>(
    cloud: &Cloud,
    text: &str,
    files: Option<&dyn Files>,
    what: &str,
    take: impl FnOnce(&mut Resolver<'_>, &S) -> T,
) -> Result<T, Problems> {
    let source = Source::new(TYPED, text);
    let mut problems = Vec::new();
    if text.len() > MAX_TYPED {
        return Err(Problems::new(&Source::new(TYPED, ""), vec![too_long()]));
    }
    let root = match tree::parse(text, &mut problems) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(nothing(text)),
        Err(draft) => return Err(Problems::new(&source, vec![draft])),
    };
    let said = S::read(&root, what, &mut Diagnostics(&mut problems));
    let mut resolver = Resolver::new(&source, problems, files);
    seed(&mut resolver, cloud);
    match said.map(|said| take(&mut resolver, &said)) {
        Some(taken) if resolver.told.problems.is_empty() => Ok(taken),
        _ => Err(Problems::new(&source, resolver.told.problems)),
    }
}

/// Reads words that are no YAML.
pub(super) fn read_words<T>(
    cloud: &Cloud,
    text: &str,
    take: impl FnOnce(&mut Resolver<'_>) -> T,
) -> Result<T, Problems> {
    read_words_of(TYPED, cloud, text, take)
}

/// The same, where problems name their source so.
fn read_words_of<T>(
    name: &str,
    cloud: &Cloud,
    text: &str,
    take: impl FnOnce(&mut Resolver<'_>) -> T,
) -> Result<T, Problems> {
    if text.len() > MAX_TYPED {
        return Err(Problems::new(&Source::new(name, ""), vec![too_long()]));
    }
    let source = Source::new(name, text);
    let mut resolver = Resolver::new(&source, Vec::new(), None);
    seed(&mut resolver, cloud);
    let taken = take(&mut resolver);
    if resolver.told.problems.is_empty() { Ok(taken) } else { Err(Problems::new(&source, resolver.told.problems)) }
}

/// The longest words of a command.
const MAX_TYPED: usize = 1 << 20;

const START: Span = Span { start: 0, end: 0 };

fn too_long() -> Diagnostic {
    Diagnostic::new(START, format!("this is longer than {MAX_TYPED} bytes"))
}

fn nothing(text: &str) -> Problems {
    Problems::new(&Source::new(TYPED, text), vec![Diagnostic::new(START, "nothing is said")])
}

/// Tells a resolver what the cloud has.
fn seed(resolver: &mut Resolver<'_>, cloud: &Cloud) {
    resolver.cloud.eras = vec![cloud.era];
    resolver.cloud.vpcs.clone_from(&cloud.vpcs);
    resolver.names.vpcs = cloud.vpcs.keys().cloned().collect();
    resolver.cloud.hosts.clone_from(&cloud.hosts);
    for name in cloud.hosts.keys() {
        resolver.names.seed(name.as_str(), EntityKind::Host);
    }
    for (name, group) in &cloud.groups {
        resolver.names.seed(name.as_str(), EntityKind::Group);
        resolver.cloud.now.groups.insert(name.clone(), Some(group.vpc.clone()));
    }
    // EC2 always has them; an operation that names one makes it here.
    for vpc in cloud.vpcs.keys() {
        resolver.cloud.now.groups.entry(default_group(cloud.vpcs.keys(), vpc)).or_insert_with(|| Some(vpc.clone()));
    }
    for (name, instance) in &cloud.instances {
        resolver.names.seed(name.as_str(), EntityKind::Instance);
        resolver.cloud.now.instances.insert(name.clone(), instance.interfaces.first().map(|first| first.vpc.clone()));
        resolver.cloud.now.attach(name, instance.interfaces.iter().map(|interface| interface.id.device()));
        for interface in &instance.interfaces {
            let id = Attachment { instance: name.clone(), device: interface.id.device() };
            let ipv6 = interface.ipv6.map_or(AskedIpv6::None, AskedIpv6::Exact);
            resolver.cloud.now.assign(id, ipv6, &interface.secondary);
        }
        resolver.cloud.listens.insert(name.into(), instance.listens.clone());
        let ports = instance.processes.values().filter_map(|process| process.port);
        resolver.cloud.listens.entry(name.into()).or_default().extend(ports);
        if instance.forwarding != Forwarding::None {
            resolver.cloud.forwarders.insert(name.clone(), instance.forwarding);
        }
        for group in instance.interfaces.iter().flat_map(|interface| &interface.groups) {
            resolver.cloud.now.members.entry(group.clone()).or_default().insert(name.into());
        }
    }
    for name in cloud.elastic_ips.keys() {
        resolver.names.seed(name.as_str(), EntityKind::ElasticIp);
        resolver.cloud.now.elastic_ips.insert(name.clone());
    }
    for (name, balancer) in &cloud.load_balancers {
        resolver.names.seed(name.as_str(), EntityKind::LoadBalancer);
        for group in &balancer.interface.groups {
            resolver.cloud.now.members.entry(group.clone()).or_default().insert(name.into());
        }
        if balancer.scheme == Scheme::Internal {
            resolver.cloud.internal.insert(name.clone());
        }
    }
    for name in cloud.prefix_lists.keys() {
        resolver.names.seed(name.as_str(), EntityKind::PrefixList);
    }
    for interface in cloud.network_interfaces() {
        let addresses: [(Option<IpAddr>, Via); 3] = [
            (interface.private.map(|it| it.0.into()), Via::Private),
            (interface.public.map(|it| it.0.into()), Via::Public),
            (interface.ipv6.map(|it| it.0.into()), Via::Ipv6),
        ];
        let secondary = interface.private_addresses().skip(1).map(|it| IpAddr::V4(it.0));
        let further = interface.secondary.iter().filter_map(|it| it.ipv6());
        let (single, prefixes): (Vec<_>, Vec<_>) = further.partition(|block| block.prefix_len() == 128);
        let secondary = secondary.chain(single.into_iter().map(|block| IpAddr::V6(block.addr())));
        let secondary = secondary.map(|address| (Some(address), Via::Secondary(address)));
        resolver.cloud.prefixes.extend(prefixes.into_iter().map(|prefix| (prefix, interface.id.clone())));
        for (address, kind) in addresses.into_iter().chain(secondary) {
            let Some(address) = address else { continue };
            let held = Held { by: interface.id.clone(), kind };
            resolver.cloud.holders.entry(address).or_default().push(held);
        }
    }
    // An instance that is gone may have left an address behind it, which its name still stands for.
    for name in cloud.previous_addresses.keys() {
        if !cloud.instances.contains_key(name) {
            resolver.names.know_gone(name.as_str());
        }
    }
}
