//! Load balancers: those of the start, who is registered with them, and what is expected of them.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::names::EntityKind;
use super::resolver::Resolver;
use crate::model::{
    CreateLoadBalancer, Era, GroupName, HealthCheck, InstanceName, InterfaceHolder, LoadBalancerName, Operation, Port,
    RefusalCode, Scheme, Service, default_group, number, suggest,
};
use crate::topology::document::groups::{HealthCheck as CheckSaid, LoadBalancer, Registered, Targets};
use crate::topology::document::shape::{Field, Map, Span, SpannedText};
use crate::topology::document::values::{Choice, Whole};
use crate::topology::document::words::{Flow, Listener, Name};
use crate::topology::expected::{AnsweredBy, Expectation, Rotation};
use crate::topology::grammar::{Within, first_word, in_one_line};
use crate::topology::patterns::Selector;
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// `load-balancers: {lb: {listeners: [tcp 80], targets: [web1, web2]}}`.
    pub fn load_balancers(&mut self, map: &Map<Name<LoadBalancerName>, LoadBalancer>) -> Vec<Placed<Operation>> {
        let mut made = Vec::new();
        for entry in &map.entries {
            let name = self.declared(entry.key.as_deref(), EntityKind::LoadBalancer).map(LoadBalancerName::new);
            let Some(said) = &entry.value else {
                self.names.doubts.listeners.extend(name);
                continue;
            };
            let vpc = self.vpc_name(&said.vpc, entry.at);
            let groups = match said.groups.get() {
                Some(groups) if self.cloud.eras.iter().any(|era| *era != Era::Vpc) => {
                    let draft = Diagnostic::new(groups.span, "groups of a load balancer belong to era vpc");
                    self.report(draft.help(
                        "in EC2-Classic it has none: rules name `amazon-elb/amazon-elb-sg`, and its listeners are open",
                    ));
                    IndexSet::new()
                }
                Some(groups) => self.instance_groups(groups, vpc.as_ref()),
                None => IndexSet::new(),
            };
            let scheme = self.scheme(&said.scheme);
            if let (Some(name), Scheme::Internal) = (&name, scheme) {
                self.cloud.internal.insert(name.clone());
            }
            let before = self.told.problems.len();
            let listeners = self.listeners(entry.at, said);
            let unread = said.at.misspelt() || said.listeners.get().is_none_or(|list| list.unread);
            if let Some(name) = name.as_ref().filter(|_| self.told.problems.len() > before || unread) {
                self.names.doubts.listeners.insert(name.clone());
            }
            let health_check = self.health_check(&said.health_check, &listeners);
            let targets = said.targets.get().map(|targets| self.targets(targets, false)).unwrap_or_default();
            let subnet = vpc.as_ref().and_then(|vpc| self.subnet(&said.subnet, vpc));
            let (Some(name), Some(vpc), Some((subnet, _))) = (name, vpc, subnet) else { continue };
            let holder = InterfaceHolder::from(&name);
            let is_in_default = groups.is_empty() && self.cloud.eras.contains(&Era::Vpc);
            let own_default = is_in_default.then(|| default_group(self.cloud.vpcs.keys(), &vpc));
            for group in groups.iter().chain(&own_default) {
                self.cloud.now.members.entry(group.clone()).or_default().insert(holder.clone());
            }
            self.cloud.listens.insert(holder, listeners.keys().map(|port| Service::Tcp(*port)).collect());
            self.cloud.elb_group_used = true;
            let place = self.place(entry.at);
            // As an instance without groups, where there are any.
            if groups.is_empty() {
                self.cloud.defaults_of_balancers.insert(vpc.clone());
            }
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
                self.cloud.registered.entry(name.clone()).or_default().extend(targets.iter().cloned());
                made.push(Placed { value: Operation::RegisterInstances(name, targets), place });
            }
        }
        made
    }

    /// `internet-facing`, which it is without a word, or `internal`.
    fn scheme(&mut self, said: &Field<Choice<Scheme>>) -> Scheme {
        let Some(choice) = said.get() else { return Scheme::default() };
        if self.cloud.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Diagnostic::new(choice.span, "the scheme of a load balancer belongs to era vpc");
            self.report(draft.help("in EC2-Classic each faces the internet: leave `scheme:` out, or the other eras"));
            return Scheme::default();
        }
        choice.value
    }

    /// `tcp 80`, or `tcp 80 to 8080` where the instances listen elsewhere.
    fn listeners(&mut self, key: Span, said: &LoadBalancer) -> IndexMap<Port, Port> {
        let mut listeners = IndexMap::new();
        if !said.listeners.is_there() {
            let draft = Diagnostic::new(key, "the load balancer has no listener");
            self.missing(&said.at, draft.help("it needs `listeners:`, such as `[tcp 80]` or `[tcp 80 to 8080]`"));
        }
        for item in said.listeners.get().into_iter().flat_map(|list| &list.items) {
            let text = item.text();
            if let Some((own, to)) = text.split_once("->") {
                let draft = Diagnostic::new(item.span, format!("{} is not a listener", quote(text)));
                self.report(draft.help(format!("write `{} to {}`", own.trim(), to.trim())));
                continue;
            }
            let (listener, to) = match text.split_once(" to ") {
                Some((listener, to)) => (listener.trim(), Some(to.trim())),
                None => (text.trim(), None),
            };
            let Some(own) = self.listener_port(item, listener) else { continue };
            let instances = match to {
                Some(word) => self.listener_port(item, word),
                None => Some(own),
            };
            let Some(instances) = instances else { continue };
            if listeners.insert(own, instances).is_some() {
                self.report(Diagnostic::new(item.span, format!("the load balancer listens on tcp {own} already")));
            }
        }
        listeners
    }

    fn listener_port(&mut self, node: &Listener, word: &str) -> Option<Port> {
        let (first, rest) = first_word(word);
        let (port, protocol) = match first.split_once('/') {
            Some((port, protocol)) if rest.is_empty() => (port, protocol),
            _ if rest.is_empty() && first.starts_with(|c: char| c.is_ascii_digit()) => (first, "tcp"),
            _ => (rest, first),
        };
        if protocol != "tcp" {
            let draft =
                Diagnostic::new(node.part_or_all(protocol), format!("a listener is of tcp, not {}", quote(protocol)));
            self.report(draft.help("such as `tcp 80`"));
            return None;
        }
        match number(port) {
            Some(port) if port > 0 => Some(Port(port)),
            _ => {
                let span = node.part_or_all(port);
                self.report(Diagnostic::new(span, format!("{} is not a port", quote(port))).help("1 to 65535"));
                None
            }
        }
    }

    /// `{port: 80, interval: 0.2, timeout: 1, unhealthy: 2, healthy: 2}`; what is left out is as the documents have it.
    fn health_check(&self, said: &Field<CheckSaid>, listeners: &IndexMap<Port, Port>) -> HealthCheck {
        let port = listeners.values().next().copied().unwrap_or(Port(80));
        let mut check = HealthCheck::of_port(port);
        let Some(said) = said.get() else { return check };
        if let Some(port) = said.port.get().and_then(|port| u16::try_from(port.value).ok()) {
            check.port = Port(port);
        }
        if let Some(interval) = said.interval.get() {
            check.interval = interval.0;
        }
        check.timeout = match said.timeout.get() {
            Some(timeout) => timeout.0,
            // Never longer than the documents say, nor so short that a busy machine decides.
            None => check.timeout.min(check.interval).max(Duration::from_secs(1)),
        };
        check.unhealthy_threshold = said_or(&said.unhealthy, check.unhealthy_threshold);
        check.healthy_threshold = said_or(&said.healthy, check.healthy_threshold);
        check
    }

    fn targets(&mut self, said: &Targets, may_be_unknown: bool) -> IndexSet<InstanceName> {
        let mut targets = IndexSet::new();
        self.names.doubts.members |= said.unread;
        for item in &said.items {
            let Some(name) = self.operand(item, may_be_unknown) else {
                // Nobody knows who was meant to be behind it.
                self.names.doubts.members = true;
                continue;
            };
            if !targets.insert(name.clone()) {
                self.report(Diagnostic::new(item.span, format!("{} is named already", quote(name.as_str()))));
            }
        }
        targets
    }

    /// `register-instances: {lb: [web1, web2]}`.
    pub fn registrations(&mut self, said: &Registered) -> Vec<Placed<Operation>> {
        let operations = self.register(said, Operation::RegisterInstances);
        for operation in &operations {
            if let Operation::RegisterInstances(name, targets) = &operation.value {
                self.cloud.registered.entry(name.clone()).or_default().extend(targets.iter().cloned());
            }
        }
        operations
    }

    /// `deregister-instances: {lb: [web1, web2]}`.
    pub fn deregistrations(&mut self, said: &Registered) -> Vec<Placed<Operation>> {
        self.register(said, Operation::DeregisterInstances)
    }

    fn register(
        &mut self,
        said: &Registered,
        make: fn(LoadBalancerName, IndexSet<InstanceName>) -> Operation,
    ) -> Vec<Placed<Operation>> {
        let unknown_instance = self.refused.may_be(RefusalCode::InvalidInstance);
        let mut operations = Vec::new();
        for entry in &said.entries {
            let name = entry.key.as_deref().and_then(|key| self.load_balancer(key));
            let targets =
                entry.value.as_ref().map(|targets| self.targets(targets, unknown_instance)).unwrap_or_default();
            let Some(name) = name.filter(|_| !targets.is_empty()) else { continue };
            operations.push(Placed { value: make(name, targets), place: self.place(entry.at) });
        }
        operations
    }

    fn load_balancer(&mut self, said: &SpannedText) -> Option<LoadBalancerName> {
        let word = said.text();
        let is_one = self.names.sort(word) == Some(EntityKind::LoadBalancer);
        if is_one || self.is_for_ec2(word, RefusalCode::LoadBalancerNotFound) {
            return Some(LoadBalancerName::new(word));
        }
        self.unknown(word, said.span, EntityKind::LoadBalancer);
        None
    }

    /// `in-service: {lb: [web1, web2]}`, `out-of-service: {lb: web1}`.
    pub fn rotation(&mut self, rotation: Rotation, key: Span, said: &Registered) -> Option<Placed<Expectation>> {
        let mut expected = Vec::new();
        for entry in &said.entries {
            let balancer = entry.key.as_deref().and_then(|key| self.load_balancer(key));
            let Some(named) = &entry.value else { continue };
            let targets = self.targets(named, false);
            let Some(balancer) = balancer else { continue };
            if rotation == Rotation::In {
                let known = named.items.iter().filter(|it| targets.contains(it.text()));
                let behind = known.map(|it| (balancer.clone(), InstanceName::new(it.text()), it.span));
                self.later.behind.extend(behind);
            }
            let place = self.place(entry.at);
            let placed = |target| (Placed { value: balancer.clone(), place: place.clone() }, target);
            expected.extend(targets.into_iter().map(placed));
        }
        if expected.is_empty() {
            if said.entries.is_empty() {
                self.report(Diagnostic::new(said.span, "this expects nothing").help("such as `{lb: [web1, web2]}`"));
            }
            return None;
        }
        Some(Placed { value: Expectation::Health(rotation, expected), place: self.place(key) })
    }

    /// `world -> lb:80 answered by web1 and web2`; nothing if the text is no such thing.
    pub fn answered_by(&mut self, node: &Flow) -> Option<Option<AnsweredBy>> {
        let (flow, names) = node.text().split_once(" answered by ")?;
        let written = in_one_line(node.text());
        Some(self.answered_by_of(node, flow, names).map(|it| AnsweredBy { written, ..it }))
    }

    fn answered_by_of(&mut self, node: &Flow, flow: &str, names: &str) -> Option<AnsweredBy> {
        let flow = self.flow_of(node, flow, Within::Step { dropped: false })?;
        let balancer = match &flow.to {
            Selector::LoadBalancer(name) if self.listens_as_balancer(name, flow.service) && !flow.both_ways => {
                name.clone()
            }
            _ => {
                let draft = Diagnostic::new(node.span, "only a listener of a load balancer is answered by others");
                self.report(draft.help("such as `world -> lb:80 answered by web1 and web2`"));
                return None;
            }
        };
        let mut by = IndexSet::new();
        for word in names.split([',']).flat_map(|part| part.split(" and ")).map(str::trim) {
            if word.is_empty() {
                self.report(Diagnostic::new(node.span, "the name of an instance is missing"));
                return None;
            }
            let name = self.instance(word, node.part(word))?;
            self.later.behind.push((balancer.clone(), name.clone(), node.part(word)));
            if !by.insert(name) {
                self.report(Diagnostic::new(node.part(word), format!("{} is named already", quote(word))));
            }
        }
        Some(AnsweredBy { written: String::new(), flow, by })
    }

    /// Returns true if a load balancer has a listener for this, or one that could not be read may be it.
    pub fn listens_as_balancer(&self, name: &LoadBalancerName, service: Service) -> bool {
        self.names.doubts.listeners.contains(name)
            || self.cloud.listens.get(&InterfaceHolder::from(name)).is_some_and(|listens| listens.contains(&service))
    }

    /// Reports who is said to be behind a load balancer and is never registered with it, now that every step is known.
    pub fn refuse_strangers_behind(&mut self) {
        let unsure = self.names.doubts.incomplete || self.names.doubts.members;
        for (balancer, name, span) in std::mem::take(&mut self.later.behind) {
            let known = self.cloud.registered.get(&balancer);
            if unsure || known.is_some_and(|registered| registered.contains(&name)) {
                continue;
            }
            let (name, of) = (quote(name.as_str()), quote(balancer.as_str()));
            let draft = Diagnostic::new(span, format!("{name} is never registered with the load balancer {of}"));
            let registered: Vec<&str> = known.into_iter().flatten().map(InstanceName::as_str).collect();
            let help = match registered.as_slice() {
                [] => "it has no instances: name them under `targets:`".to_owned(),
                some => format!("its instances are {}", some.join(", ")),
            };
            self.report(draft.help(help));
        }
    }

    /// A group of Amazon's own, as the peer of a rule.
    pub fn elb_group(&mut self, word: &str, span: Span) -> Option<GroupName> {
        if word == crate::model::ELB_GROUP {
            self.cloud.elb_group_used = true;
            return Some(GroupName::new(word));
        }
        let help = suggest(word, [crate::model::ELB_GROUP])
            .unwrap_or_else(|| format!("`{}` is the one that rules of EC2-Classic name", crate::model::ELB_GROUP));
        self.report(Diagnostic::new(span, format!("unknown security group {}", quote(word))).help(help));
        None
    }
}

fn said_or(threshold: &Field<Whole<2, 10>>, usual: u32) -> u32 {
    threshold.get().map_or(usual, |number| number.value)
}
