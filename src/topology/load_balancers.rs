//! Load balancers: those of the start, who is registered with them, and what is expected of them.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::flows::Within;
use super::names::Sort;
use super::problem::{Draft, quote};
use super::reading::{Fields, Reading, part, suggest};
use super::services::first_word;
use super::tree::{Kind, Node, Value};
use super::{AnsweredBy, Expectation, Placed, Rotation, Selector};
use crate::model::{
    CreateLoadBalancer, Era, GroupName, HealthCheck, InstanceName, LoadBalancerName, Operation, Port, RefusalCode,
    Scheme, Service,
};

const KEYS: [&str; 7] = ["scheme", "groups", "listeners", "targets", "health-check", "vpc", "subnet"];
const CHECK: [&str; 5] = ["port", "interval", "timeout", "unhealthy", "healthy"];
/// In seconds. The least is sglab's, so that a test need not wait; Amazon's is 5 for the interval, and 2 for the timeout.
const SHORTEST: f64 = 0.05;
const LONGEST: f64 = 300.0;
/// Source: "Configure health checks for your Classic Load Balancer".
const THRESHOLDS: std::ops::RangeInclusive<u32> = 2..=10;

/// The words of what is expected of instances behind a load balancer.
pub(super) const ROTATIONS: [(&str, Rotation); 2] = [("in-service", Rotation::In), ("out-of-service", Rotation::Out)];

impl Reading<'_> {
    /// `load-balancers: {lb: {listeners: [tcp 80], targets: [web1, web2]}}`.
    pub fn load_balancers(&mut self, node: &Node) -> Vec<Placed<Operation>> {
        let mut made = Vec::new();
        for (key, value) in self.mapping(node, "a mapping of load balancers") {
            let name = self.declared(key, Sort::LoadBalancer).map(LoadBalancerName::new);
            let Some(fields) = self.fields(value, "a load balancer", &KEYS) else {
                self.listeners_unread.extend(name.map(|name| InstanceName::new(name.as_str())));
                continue;
            };
            let vpc = self.vpc_name(fields.get("vpc"), key.span);
            let groups = match fields.get("groups") {
                Some(node) if self.eras.iter().any(|era| *era != Era::Vpc) => {
                    let draft = Draft::new(node.span, "groups of a load balancer belong to era vpc");
                    self.report(draft.help(
                        "in EC2-Classic it has none: rules name `amazon-elb/amazon-elb-sg`, and its listeners are open",
                    ));
                    IndexSet::new()
                }
                Some(node) => self.instance_groups(node, vpc.as_ref()),
                None => IndexSet::new(),
            };
            let scheme = self.scheme(fields.get("scheme"));
            if let (Some(name), Scheme::Internal) = (&name, scheme) {
                self.internal.insert(InstanceName::new(name.as_str()));
            }
            let before = self.problems.len();
            let listeners = self.listeners(key, &fields);
            if let Some(name) = name.as_ref().filter(|_| self.problems.len() > before || fields.misspelt) {
                self.listeners_unread.insert(InstanceName::new(name.as_str()));
            }
            let health_check = self.health_check(fields.get("health-check"), &listeners);
            let targets = fields.get("targets").map(|node| self.targets(node, false)).unwrap_or_default();
            let subnet = vpc.as_ref().and_then(|vpc| self.subnet(fields.get("subnet"), vpc));
            let (Some(name), Some(vpc), Some((subnet, _))) = (name, vpc, subnet) else { continue };
            let holder = InstanceName::new(name.as_str());
            for group in &groups {
                self.world.members.entry(group.clone()).or_default().insert(holder.clone());
            }
            self.listens.insert(holder, listeners.keys().map(|port| Service::Tcp(*port)).collect());
            self.elb_group_used = true;
            let place = self.place(key.span);
            // As an instance without groups, where there are any.
            self.default_of_balancers |= groups.is_empty();
            let create = CreateLoadBalancer {
                name: name.clone(),
                vpc,
                subnet,
                scheme,
                groups,
                listeners,
                health_check,
                place: Some(place.clone()),
            };
            made.push(Placed { value: Operation::CreateLoadBalancer(create), place: place.clone() });
            if !targets.is_empty() {
                self.registered.entry(name.clone()).or_default().extend(targets.iter().cloned());
                made.push(Placed { value: Operation::RegisterInstances(name, targets), place });
            }
        }
        made
    }

    /// `internet-facing`, which it is without a word, or `internal`.
    fn scheme(&mut self, node: Option<&Node>) -> Scheme {
        let Some(node) = node else { return Scheme::default() };
        if self.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Draft::new(node.span, "the scheme of a load balancer belongs to era vpc");
            self.report(draft.help("in EC2-Classic each faces the internet: leave `scheme:` out, or the other eras"));
            return Scheme::default();
        }
        self.choice(node, "a scheme", &Scheme::ALL.map(|scheme| (scheme.as_str(), scheme))).unwrap_or_default()
    }

    /// `tcp 80`, or `tcp 80 to 8080` where the instances listen elsewhere.
    fn listeners(&mut self, key: &Node, fields: &Fields<'_>) -> IndexMap<Port, Port> {
        let mut listeners = IndexMap::new();
        let Some(node) = fields.get("listeners") else {
            let draft = Draft::new(key.span, "the load balancer has no listener");
            self.missing(fields, draft.help("it needs `listeners:`, such as `[tcp 80]` or `[tcp 80 to 8080]`"));
            return listeners;
        };
        for item in self.some(node, "at least one listener") {
            if let Value::Scalar(scalar) = &item.value
                && scalar.kind() == Kind::Number
            {
                let draft = Draft::new(item.span, format!("port {} of which protocol?", quote(&scalar.text)));
                self.report(draft.help(format!("write `tcp {}`", scalar.text)));
                continue;
            }
            let Some(text) = self.text(item, "a listener, such as `tcp 80` or `tcp 80 to 8080`") else { continue };
            if let Some((own, to)) = text.split_once("->") {
                let draft = Draft::new(item.span, format!("{} is not a listener", quote(text)));
                self.report(draft.help(format!("write `{} to {}`", own.trim(), to.trim())));
                continue;
            }
            let (listener, to) = match text.split_once(" to ") {
                Some((listener, to)) => (listener.trim(), Some(to.trim())),
                None => (text.trim(), None),
            };
            let (protocol, port) = first_word(listener);
            if protocol != "tcp" {
                let draft = Draft::new(part(item, protocol), format!("a listener is of tcp, not {}", quote(protocol)));
                self.report(draft.help("such as `tcp 80`"));
                continue;
            }
            let Some(own) = self.listener_port(item, port) else { continue };
            let instances = match to {
                Some(word) => self.listener_port(item, word.strip_prefix("tcp ").unwrap_or(word)),
                None => Some(own),
            };
            let Some(instances) = instances else { continue };
            if listeners.insert(own, instances).is_some() {
                self.report(Draft::new(item.span, format!("the load balancer listens on tcp {own} already")));
            }
        }
        listeners
    }

    fn listener_port(&mut self, node: &Node, word: &str) -> Option<Port> {
        match word.parse::<u16>() {
            Ok(port) if port > 0 => Some(Port(port)),
            _ => {
                let span = if word.is_empty() { node.span } else { part(node, word) };
                self.report(Draft::new(span, format!("{} is not a port", quote(word))).help("1 to 65535"));
                None
            }
        }
    }

    /// `{port: 80, interval: 0.2, timeout: 1, unhealthy: 2, healthy: 2}`; what is left out is as the documents have it.
    fn health_check(&mut self, node: Option<&Node>, listeners: &IndexMap<Port, Port>) -> HealthCheck {
        let port = listeners.values().next().copied().unwrap_or(Port(80));
        let mut check = HealthCheck::of_port(port);
        let Some(node) = node else { return check };
        let Some(fields) = self.fields(node, "a health check", &CHECK) else { return check };
        if let Some(node) = fields.get("port")
            && let Some(number) = self.number(node, "a port", 1..=u16::MAX.into())
            && let Ok(port) = u16::try_from(number)
        {
            check.port = Port(port);
        }
        if let Some(interval) = fields.get("interval").and_then(|node| self.seconds(node)) {
            check.interval = interval;
        }
        match fields.get("timeout").and_then(|node| self.seconds(node)) {
            Some(timeout) => check.timeout = timeout,
            // Never longer than the documents say, nor so short that a busy machine decides.
            None => check.timeout = check.timeout.min(check.interval).max(Duration::from_secs(1)),
        }
        for (key, threshold) in
            [("unhealthy", &mut check.unhealthy_threshold), ("healthy", &mut check.healthy_threshold)]
        {
            let Some(node) = fields.get(key) else { continue };
            if let Some(number) = self.number(node, "a number of checks", THRESHOLDS) {
                *threshold = number;
            }
        }
        check
    }

    fn seconds(&mut self, node: &Node) -> Option<Duration> {
        let Value::Scalar(scalar) = &node.value else {
            self.text(node, "seconds");
            return None;
        };
        match scalar.text.parse::<f64>() {
            Ok(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => Some(Duration::from_secs_f64(seconds)),
            _ => {
                let draft = Draft::new(node.span, format!("{} is no time for this", quote(&scalar.text)));
                self.report(draft.help("a number of seconds, from 0.05 to 300"));
                None
            }
        }
    }

    fn targets(&mut self, node: &Node, may_be_unknown: bool) -> IndexSet<InstanceName> {
        let mut targets = IndexSet::new();
        for item in self.some(node, "an instance or a list of instances") {
            let Some(name) = self.operand(item, may_be_unknown) else {
                // Nobody knows who was meant to be behind it.
                self.members_unknown = true;
                continue;
            };
            if !targets.insert(name.clone()) {
                self.report(Draft::new(item.span, format!("{} is named already", quote(name.as_str()))));
            }
        }
        targets
    }

    /// `register-instances: {lb: [web1, web2]}`, and the other way round.
    pub fn registrations(&mut self, verb: &str, node: &Node, refusal: Option<&str>) -> Vec<Placed<Operation>> {
        let make: fn(LoadBalancerName, IndexSet<InstanceName>) -> Operation = match verb {
            "register-instances" => Operation::RegisterInstances,
            _ => Operation::DeregisterInstances,
        };
        let is = |code: RefusalCode| refusal == Some(code.as_str());
        let (unknown_balancer, unknown_instance) =
            (is(RefusalCode::LoadBalancerNotFound), is(RefusalCode::InvalidInstance));
        let mut operations = Vec::new();
        for (key, value) in self.mapping(node, "a mapping from load balancers to instances") {
            let name = self.load_balancer(key, unknown_balancer);
            let targets = self.targets(value, unknown_instance);
            let Some(name) = name.filter(|_| !targets.is_empty()) else { continue };
            if verb == "register-instances" {
                self.registered.entry(name.clone()).or_default().extend(targets.iter().cloned());
            }
            operations.push(Placed { value: make(name, targets), place: self.place(key.span) });
        }
        operations
    }

    fn load_balancer(&mut self, node: &Node, may_be_unknown: bool) -> Option<LoadBalancerName> {
        let word = self.text(node, "the name of a load balancer")?;
        if self.names.sort(word) == Some(Sort::LoadBalancer)
            || may_be_unknown && self.names.sort(word).is_none() && super::names::fault(word).is_none()
        {
            return Some(LoadBalancerName::new(word));
        }
        self.unknown(word, node.span, Sort::LoadBalancer);
        None
    }

    /// `in-service: {lb: [web1, web2]}`, `out-of-service: {lb: web1}`.
    pub fn rotation(&mut self, rotation: Rotation, key: &Node, node: &Node) -> Option<Placed<Expectation>> {
        let mut expected = Vec::new();
        for (name, value) in self.mapping(node, "a mapping from load balancers to instances") {
            let balancer = self.load_balancer(name, false);
            let targets = self.targets(value, false);
            let Some(balancer) = balancer else { continue };
            if rotation == Rotation::In {
                let span = |target: &InstanceName| word_of(value, target.as_str()).span;
                self.behind.extend(targets.iter().map(|target| (balancer.clone(), target.clone(), span(target))));
            }
            let place = self.place(name.span);
            let placed = |target| (Placed { value: balancer.clone(), place: place.clone() }, target);
            expected.extend(targets.into_iter().map(placed));
        }
        if expected.is_empty() {
            if matches!(&node.value, Value::Mapping(entries) if entries.is_empty()) {
                self.report(Draft::new(node.span, "this expects nothing").help("such as `{lb: [web1, web2]}`"));
            }
            return None;
        }
        Some(Placed { value: Expectation::Health(rotation, expected), place: self.place(key.span) })
    }

    /// `world -> lb:80 answered by web1 and web2`; nothing if the text is no such thing.
    pub fn answered_by(&mut self, node: &Node) -> Option<Option<AnsweredBy>> {
        let Value::Scalar(scalar) = &node.value else { return None };
        let (flow, names) = scalar.text.split_once(" answered by ")?;
        let written = scalar.text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(self.answered_by_of(node, flow, names).map(|it| AnsweredBy { written, ..it }))
    }

    fn answered_by_of(&mut self, node: &Node, flow: &str, names: &str) -> Option<AnsweredBy> {
        let flow = self.flow_of(node, flow, Within::Step { dropped: false })?;
        let balancer = match &flow.to {
            Selector::Instance(name) if self.listens_as_balancer(name, flow.service) && !flow.both_ways => {
                LoadBalancerName::new(name.as_str())
            }
            _ => {
                let draft = Draft::new(node.span, "only a listener of a load balancer is answered by others");
                self.report(draft.help("such as `world -> lb:80 answered by web1 and web2`"));
                return None;
            }
        };
        let mut by = IndexSet::new();
        for word in names.split([',']).flat_map(|part| part.split(" and ")).map(str::trim) {
            if word.is_empty() {
                self.report(Draft::new(node.span, "the name of an instance is missing"));
                return None;
            }
            let name = self.instance(word, part(node, word))?;
            self.behind.push((balancer.clone(), name.clone(), part(node, word)));
            if !by.insert(name) {
                self.report(Draft::new(part(node, word), format!("{} is named already", quote(word))));
            }
        }
        Some(AnsweredBy { written: String::new(), flow, by })
    }

    /// Whether a load balancer has a listener for this, or one that could not be read may be it.
    pub fn listens_as_balancer(&self, name: &InstanceName, service: Service) -> bool {
        self.names.sort(name.as_str()) == Some(Sort::LoadBalancer)
            && (self.listeners_unread.contains(name)
                || self.listens.get(name).is_some_and(|listens| listens.contains(&service)))
    }

    /// Reports who is said to be behind a load balancer and is never registered with it, now that every step is known.
    pub fn refuse_strangers_behind(&mut self) {
        let unsure = self.incomplete || self.members_unknown;
        for (balancer, name, span) in std::mem::take(&mut self.behind) {
            let known = self.registered.get(&balancer);
            if unsure || known.is_some_and(|registered| registered.contains(&name)) {
                continue;
            }
            let (name, of) = (quote(name.as_str()), quote(balancer.as_str()));
            let draft = Draft::new(span, format!("{name} is never registered with the load balancer {of}"));
            let registered: Vec<&str> = known.into_iter().flatten().map(InstanceName::as_str).collect();
            let help = match registered.as_slice() {
                [] => "it has no instances: name them under `targets:`".to_owned(),
                some => format!("its instances are {}", some.join(", ")),
            };
            self.report(draft.help(help));
        }
    }

    /// A group of Amazon's own, as the peer of a rule.
    pub fn elb_group(&mut self, word: &str, span: super::problem::Span) -> Option<GroupName> {
        if word == crate::model::ELB_GROUP {
            self.elb_group_used = true;
            return Some(GroupName::new(word));
        }
        let help = suggest(word, [crate::model::ELB_GROUP])
            .unwrap_or_else(|| format!("`{}` is the one that rules of EC2-Classic name", crate::model::ELB_GROUP));
        self.report(Draft::new(span, format!("unknown security group {}", quote(word))).help(help));
        None
    }
}

/// The item of a list that is a word; the node itself where it is no list.
fn word_of<'n>(node: &'n Node, word: &str) -> &'n Node {
    let is = |item: &&Node| matches!(&item.value, Value::Scalar(scalar) if scalar.text == word);
    match &node.value {
        Value::Sequence(items) => items.iter().find(is).unwrap_or(node),
        _ => node,
    }
}
