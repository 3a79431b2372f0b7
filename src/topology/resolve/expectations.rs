//! Expectations of a step: each kind of expectation, the flows that it names, and how it is read.

use std::collections::HashMap;

use super::names::EntityKind;
use super::resolver::Resolver;
use crate::model::{Attachment, Direction, Forwarding, InterfaceHolder, Service, TableName, Target, Via};
use crate::topology::document::scenario::Expect;
use crate::topology::document::shape::{Any, Entry, Field, Many, Map, Span};
use crate::topology::document::words::{Flow, Holder, Text};
use crate::topology::expected::{
    AddressFate, AddressKind, Expectation, ExpectedConnection, ExpectedHops, ExpectedOutcome, Rotation, Station,
};
use crate::topology::grammar::Within;
use crate::topology::patterns::{FlowPattern, OpenCells, Selector};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

/// Expectations of a step, as they are read.
type Expectations = Vec<Placed<Expectation>>;

/// The flows of a step with an outcome each, as far as they have been read: of each way the first with an outcome, and with an end.
#[derive(Default)]
struct StatedOutcomes(HashMap<Way, Vec<ToldFlow>>);

struct ToldFlow {
    outcome: ExpectedOutcome,
    at: Option<Direction>,
    span: Span,
}

/// One way of a flow: its ends, its service, and by which address it goes.
type Way = (Selector, Selector, Service, Option<Via>);

impl Resolver<'_> {
    /// The expectations of a step; `does` says whether it does anything.
    pub fn expectations(&mut self, said: &Expect, does: bool) -> Expectations {
        // A key of the file that nothing reads does not compile.
        let Expect {
            table,
            open,
            refused,
            closed,
            dropped,
            unreachable,
            answered,
            in_service,
            out_of_service,
            alive,
            cut,
            gone,
            unanswerable,
            hops,
            flow_logs,
            new_addresses,
            new_private,
            same_private,
            new_public,
            same_public,
            leak,
            loss,
            rules,
            refusal,
            at,
        } = said;
        let mut all = Vec::new();
        let mut told = StatedOutcomes::default();
        if at.keys == 0 {
            let draft = Diagnostic::new(at.span, "`expect` expects nothing");
            self.report(draft.help("leave it out, or say what must hold"));
        }
        for item in table.get().into_iter().flat_map(|list| &list.items) {
            if let Some(name) = self.table(item.text(), item.span) {
                all.push(Placed { value: Expectation::Table(name), place: self.place(item.span) });
            }
        }
        for (flows, outcome) in [
            (open, ExpectedOutcome::Open),
            (refused, ExpectedOutcome::Refused),
            (closed, ExpectedOutcome::Closed),
            (dropped, ExpectedOutcome::Dropped),
            (unreachable, ExpectedOutcome::Unreachable),
        ] {
            self.expected_flows(flows, outcome, &mut told, &mut all);
        }
        if let Some((key, list)) = answered.entry() {
            let questions: Vec<_> = list.items.iter().filter_map(|item| self.question(item)).collect();
            self.holds(key, (!questions.is_empty()).then_some(Expectation::Answered(questions)), &mut all);
        }
        for (registered, rotation) in [(in_service, Rotation::In), (out_of_service, Rotation::Out)] {
            all.extend(registered.entry().and_then(|(key, value)| self.rotation(rotation, key, value)));
        }
        for (list, fate) in [
            (alive, ExpectedConnection::Alive),
            (cut, ExpectedConnection::Cut),
            (gone, ExpectedConnection::Gone),
            (unanswerable, ExpectedConnection::Unanswerable),
        ] {
            let Some((key, list)) = list.entry() else { continue };
            let names = self.connections(list);
            self.holds(key, (!names.is_empty()).then_some(Expectation::Connections(fate, names)), &mut all);
        }
        if let Some((key, map)) = hops.entry() {
            let hops = self.hops(map);
            self.holds(key, (!hops.is_empty()).then_some(Expectation::Hops(hops)), &mut all);
        }
        all.extend(flow_logs.entry().and_then(|(key, logs)| self.flow_logs(key, logs)));
        if let Some((key, names)) = self.holders_of(new_addresses, does) {
            self.holds(key, (!names.is_empty()).then_some(Expectation::NewAddresses(names)), &mut all);
        }
        for (list, kind, fate) in [
            (new_private, AddressKind::Private, AddressFate::New),
            (same_private, AddressKind::Private, AddressFate::Same),
            (new_public, AddressKind::Public, AddressFate::New),
            (same_public, AddressKind::Public, AddressFate::Same),
        ] {
            let Some((key, names)) = self.holders_of(list, does) else { continue };
            self.holds(key, (!names.is_empty()).then_some(Expectation::Address(kind, fate, names)), &mut all);
        }
        for (none, expectation) in [(leak, Expectation::NoLeak), (loss, Expectation::NoLoss)] {
            let Some((key, _)) = none.entry() else { continue };
            self.holds(key, Some(expectation), &mut all);
        }
        if let Some((key, _)) = rules.entry() {
            self.holds(key, Some(Expectation::RulesUnchanged), &mut all);
        }
        if let Some((key, code)) = refusal.entry() {
            self.holds(key, Some(Expectation::Refusal(code.value)), &mut all);
        }
        self.refuse_without_operation(does, rules.key, "rules change or not");
        self.refuse_without_operation(does, refusal.key, "an operation is refused");
        all
    }

    fn holds(&mut self, key: Span, expectation: Option<Expectation>, all: &mut Expectations) {
        all.extend(expectation.map(|value| Placed { value, place: self.place(key) }));
    }

    fn expected_flows(
        &mut self,
        said: &Field<Many<Flow>>,
        outcome: ExpectedOutcome,
        told: &mut StatedOutcomes,
        all: &mut Expectations,
    ) {
        let Some((key, list)) = said.entry() else { return };
        let within = Within::Step { dropped: outcome == ExpectedOutcome::Dropped };
        let (mut flows, mut answered) = (Vec::new(), Vec::new());
        for item in &list.items {
            if outcome == ExpectedOutcome::Open
                && let Some(read) = self.answered_by(item)
            {
                read.iter().for_each(|read| self.refuse_contradiction(told, outcome, &read.flow, item.span));
                answered.extend(read);
                continue;
            }
            let Some(flow) = self.flow(item, within) else { continue };
            if outcome == ExpectedOutcome::Closed {
                self.refuse_no_listener(&flow, item.span);
            }
            if outcome == ExpectedOutcome::Refused {
                self.refuse_listener(&flow, item.span);
            }
            self.refuse_contradiction(told, outcome, &flow, item.span);
            flows.push(flow);
        }
        self.holds(key, (!answered.is_empty()).then_some(Expectation::AnsweredBy(answered)), all);
        self.holds(key, (!flows.is_empty()).then_some(Expectation::Flows(outcome, flows)), all);
    }

    /// The ways of a flow. Between instances the private address goes without saying.
    fn ways(&self, flow: &FlowPattern) -> Vec<Way> {
        let balances = |end: &Selector| matches!(end, Selector::LoadBalancer(_));
        let is_usual = |via: &Via| *via == Via::Private && !balances(&flow.from) && !balances(&flow.to);
        let via = flow.via.filter(|via| !is_usual(via));
        let forth = (flow.from.clone(), flow.to.clone(), flow.service, via);
        let back = flow.both_ways.then(|| (flow.to.clone(), flow.from.clone(), flow.back(), via));
        std::iter::once(forth).chain(back).collect()
    }

    /// Refuses two outcomes of one flow in one step: it has one, whatever the file says. A table is none of them, as a step may say more of its cells.
    fn refuse_contradiction(
        &mut self,
        told: &mut StatedOutcomes,
        outcome: ExpectedOutcome,
        flow: &FlowPattern,
        span: Span,
    ) {
        let mut new = Vec::new();
        for way in self.ways(flow) {
            let other =
                |it: &&ToldFlow| it.outcome != outcome || it.at.zip(flow.at).is_some_and(|(one, other)| one != other);
            if let Some(first) = told.0.get(&way).and_then(|of_way| of_way.iter().find(other)) {
                let (was, is) = (first.outcome.as_str(), outcome.as_str());
                let message = match was == is {
                    true => format!("{} is dropped at its other end in the same step", quote(&flow.written)),
                    false => format!("{} is {is}, and {was} in the same step", quote(&flow.written)),
                };
                let draft =
                    Diagnostic::new(span, message).help("a flow has one outcome; another one is of another step");
                return self.report(draft.related(format!("{was} here"), first.span));
            }
            new.push(way);
        }
        for way in new {
            let of_way = told.0.entry(way).or_default();
            if !of_way.iter().any(|it| (it.outcome, it.at) == (outcome, flow.at)) {
                of_way.push(ToldFlow { outcome, at: flow.at, span });
            }
        }
    }

    /// `hops: {'web1 -> office:443': [gateway, internet]}`.
    fn hops(&mut self, said: &Map<Flow, Any<Text>>) -> Vec<ExpectedHops> {
        if said.entries.is_empty() {
            let draft = Diagnostic::new(said.span, "this expects nothing");
            self.report(draft.help("such as `{'web1 -> office:443': [gateway, internet]}`"));
        }
        let mut all = Vec::new();
        for Entry { key, value, .. } in &said.entries {
            let flow = key.as_ref().and_then(|key| Some((key, self.flow(key, Within::Step { dropped: false })?)));
            if let Some((key, _)) = flow.as_ref().filter(|(_, flow)| flow.both_ways) {
                let draft = Diagnostic::new(key.span, "stations stand in the order of one way");
                self.report(draft.help("write `->`, and the other way for itself"));
            }
            let words = value.as_ref().map_or(&[][..], |list| &list.items);
            let stations: Vec<_> = words.iter().map(|word| self.station(word)).collect();
            let Some((_, flow)) = flow else { continue };
            let ends = [&flow.from, &flow.to];
            for (word, station) in words.iter().zip(&stations) {
                if let Some(Station::Instance(name)) = station
                    && ends.iter().any(|end| matches!(end, Selector::Instance(end) if end == name))
                {
                    let draft = Diagnostic::new(word.span, format!("{} is an end of the flow", quote(name.as_str())));
                    self.report(draft.help("stations are between its ends"));
                }
            }
            all.extend(stations.into_iter().collect::<Option<_>>().map(|stations| ExpectedHops { flow, stations }));
        }
        all
    }

    fn station(&mut self, said: &Text) -> Option<Station> {
        let (word, span) = (said.text(), said.span);
        let sort = self.names.sort(word);
        let wrong = |message: String, help: &str| Diagnostic::new(span, message).help(help.to_owned());
        let draft = match sort {
            None if word == Station::GATEWAY => return Some(Station::Gateway),
            None if word == Station::INTERNET => return Some(Station::Internet),
            Some(_) if word == Station::GATEWAY => wrong(
                "`gateway` is the gateway of a VPC here, and something of that name as well".to_owned(),
                "give that another name",
            ),
            Some(EntityKind::Instance) => {
                let name = self.instance(word, span)?;
                match self.cloud.forwarders.get(&name) {
                    Some(Forwarding::None) => {
                        let help = "what passes packets on says so: `forwards: nat` or `forwards: as-is`";
                        wrong(format!("{} passes nothing on", quote(word)), help)
                    }
                    _ => return Some(Station::Instance(name)),
                }
            }
            Some(_) => wrong(
                format!("{} is no station of a flow", quote(word)),
                "`gateway`, `internet`, or an instance that forwards",
            ),
            None if self.names.doubts.unread.contains(word) => return None,
            None => {
                let forwards = self.cloud.forwarders.iter().filter(|(_, how)| **how != Forwarding::None);
                let known =
                    [Station::GATEWAY, Station::INTERNET].into_iter().chain(forwards.map(|(name, _)| name.as_str()));
                let help = self.names.nearest(word, known);
                let help = help.unwrap_or_else(|| "`gateway`, `internet`, or an instance that forwards".to_owned());
                Diagnostic::new(span, format!("unknown station {}", quote(word))).help(help)
            }
        };
        self.report(draft);
        None
    }

    /// The interfaces whose addresses change, or stay: an instance means its first.
    fn holders_of(&mut self, said: &Field<Many<Holder>>, does: bool) -> Option<(Span, Vec<Attachment>)> {
        self.refuse_without_operation(does, said.key, "addresses change");
        let (key, list) = said.entry()?;
        let interface = |target| match target {
            Target::Instance(name) => Attachment::first_of(&name),
            Target::Interface(interface) => interface,
        };
        Some((key, list.items.iter().filter_map(|item| self.target(item)).map(interface).collect()))
    }

    /// Refuses `refused` for a service that is listened on.
    fn refuse_listener(&mut self, flow: &FlowPattern, span: Span) {
        if flow.service == Service::IcmpEcho {
            let draft = Diagnostic::new(span, "a ping is never refused: the kernel of an instance answers it");
            return self.report(draft.help("it is open, dropped or unreachable"));
        }
        let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
        for end in ends.into_iter().flatten() {
            let holder = match end {
                Selector::Instance(name) | Selector::Interface(Attachment { instance: name, .. }) => {
                    InterfaceHolder::from(name)
                }
                Selector::LoadBalancer(name) => InterfaceHolder::from(name),
                _ => continue,
            };
            if self.cloud.listens.get(&holder).is_some_and(|listens| listens.contains(&flow.service)) {
                let message = format!("{} listens on {}, and will not refuse it", quote(holder.as_str()), flow.service);
                self.report(Diagnostic::new(span, message));
            }
        }
    }

    /// Nothing else than a listener of a load balancer takes a connection only to close it.
    fn refuse_no_listener(&mut self, flow: &FlowPattern, span: Span) {
        let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
        for end in ends.into_iter().flatten() {
            if !matches!(end, Selector::LoadBalancer(name) if self.listens_as_balancer(name, flow.service)) {
                let draft =
                    Diagnostic::new(span, "only a listener of a load balancer takes a connection and closes it");
                return self.report(draft.help("what an instance does not listen on is `refused`"));
            }
        }
    }

    fn refuse_without_operation(&mut self, does: bool, key: Option<Span>, what: &str) {
        if let Some(span) = key.filter(|_| !does) {
            let draft = Diagnostic::new(span, format!("the step does nothing by which {what}"));
            self.report(draft.help("it needs `do:`"));
        }
    }

    /// A table, all of whose names exist at this step.
    fn table(&mut self, word: &str, span: Span) -> Option<TableName> {
        let name = TableName::new(word);
        if !self.cloud.tables.contains_key(&name) {
            if self.names.doubts.tables || self.names.doubts.unread.contains(word) {
                return None;
            }
            let help = self.names.nearest(word, self.cloud.tables.keys().map(TableName::as_str));
            self.report(Diagnostic::new(span, format!("unknown table {}", quote(word))).maybe_help(help));
            return None;
        }
        let mut missing = Vec::new();
        let mut at = Some(&name);
        while let Some(table) = at.and_then(|name| self.cloud.tables.get(name)) {
            for selector in table.open.iter().flat_map(OpenCells::ends) {
                let absent = match selector {
                    Selector::Interface(id) => match self.cloud.now.devices.get(&id.instance) {
                        _ if !self.cloud.now.instances.contains_key(&id.instance) => id.instance.to_string(),
                        Some(devices) if !devices.contains(&id.device) => id.to_string(),
                        _ => continue,
                    },
                    Selector::Instance(instance) if !self.cloud.now.instances.contains_key(instance) => {
                        instance.to_string()
                    }
                    Selector::Group(group) if !self.cloud.now.groups.contains_key(group) => group.to_string(),
                    _ => continue,
                };
                // A few are enough to see what is wrong.
                if missing.len() < 10 && !missing.contains(&absent) {
                    missing.push(absent);
                }
            }
            at = table.like.as_ref();
        }
        for absent in missing {
            let message =
                format!("the table {} names {}, which does not exist at this step", quote(word), quote(&absent));
            let mut draft = Diagnostic::new(span, message);
            if let Some(made) = self.names.span(&absent) {
                draft = draft.related("it is made here", made);
            }
            self.report(draft);
        }
        Some(name)
    }
}
