//! What must hold at a step.

use super::connections::FATES;
use super::flows::Within;
use super::load_balancers::ROTATIONS;
use super::names::Sort;
use super::problem::{Draft, Span, quote};
use super::reading::{Reading, suggest};
use super::tree::{Node, Value};
use super::{AddressFate, AddressKind, Expectation, ExpectedOutcome, FlowPattern, Placed, Selector};
use crate::model::{RefusalCode, Service, TableName};

const EXPECT: [&str; 23] = [
    "table",
    "open",
    "refused",
    "closed",
    "dropped",
    "unreachable",
    "answered",
    "in-service",
    "out-of-service",
    "alive",
    "cut",
    "gone",
    "unanswerable",
    "flow-logs",
    "new-addresses",
    "new-private",
    "same-private",
    "new-public",
    "same-public",
    "leak",
    "loss",
    "rules",
    "refusal",
];

/// What can be expected of one address of an instance.
const ADDRESS_FATES: [(&str, AddressKind, AddressFate); 4] = [
    ("new-private", AddressKind::Private, AddressFate::New),
    ("same-private", AddressKind::Private, AddressFate::Same),
    ("new-public", AddressKind::Public, AddressFate::New),
    ("same-public", AddressKind::Public, AddressFate::Same),
];

impl Reading<'_> {
    /// The expectations of a step; `does` says whether it does anything.
    pub fn expectations(&mut self, node: &Node, does: bool) -> Vec<Placed<Expectation>> {
        let Some(fields) = self.fields(node, "expectations", &EXPECT) else { return Vec::new() };
        let mut expectations = Vec::new();
        if matches!(&node.value, Value::Mapping(entries) if entries.is_empty()) {
            self.report(Draft::new(node.span, "`expect` expects nothing").help("leave it out, or say what must hold"));
        }
        if let Some(tables) = fields.get("table") {
            for item in self.some(tables, "a table or a list of tables") {
                let Some(word) = self.text(item, "the name of a table") else { continue };
                if let Some(name) = self.table(word, item.span) {
                    expectations.push(Placed { value: Expectation::Table(name), place: self.place(item.span) });
                }
            }
        }
        let outcomes = [
            ("open", ExpectedOutcome::Open),
            ("refused", ExpectedOutcome::Refused),
            ("closed", ExpectedOutcome::Closed),
            ("dropped", ExpectedOutcome::Dropped),
            ("unreachable", ExpectedOutcome::Unreachable),
        ];
        for (word, outcome) in outcomes {
            let Some((key, list)) = fields.entry(word) else { continue };
            let within = Within::Step { dropped: outcome == ExpectedOutcome::Dropped };
            let items = self.some(list, "at least one flow");
            let (mut flows, mut answered) = (Vec::new(), Vec::new());
            for item in items {
                if outcome == ExpectedOutcome::Open
                    && let Some(read) = self.answered_by(item)
                {
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
                flows.push(flow);
            }
            if !answered.is_empty() {
                let place = self.place(key.span);
                expectations.push(Placed { value: Expectation::AnsweredBy(answered), place });
            }
            if !flows.is_empty() {
                let place = self.place(key.span);
                expectations.push(Placed { value: Expectation::Flows(outcome, flows), place });
            }
        }
        if let Some((key, list)) = fields.entry("answered") {
            let items = self.some(list, "at least one question");
            let questions: Vec<_> = items.iter().filter_map(|item| self.question(item)).collect();
            if !questions.is_empty() {
                expectations.push(Placed { value: Expectation::Answered(questions), place: self.place(key.span) });
            }
        }
        for (word, rotation) in ROTATIONS {
            let Some((key, value)) = fields.entry(word) else { continue };
            expectations.extend(self.rotation(rotation, key, value));
        }
        for (word, fate) in FATES {
            let Some((key, list)) = fields.entry(word) else { continue };
            let names = self.fates(list);
            if !names.is_empty() {
                let place = self.place(key.span);
                expectations.push(Placed { value: Expectation::Connections(fate, names), place });
            }
        }
        if let Some((key, logs)) = fields.entry("flow-logs") {
            expectations.extend(self.flow_logs(key, logs));
        }
        if let Some((key, list)) = fields.entry("new-addresses") {
            let items = self.some(list, "at least one instance");
            let names: Vec<_> = items.iter().filter_map(|item| self.operand(item, false)).collect();
            self.refuse_without_operation(does, key.span, "addresses change");
            if !names.is_empty() {
                expectations.push(Placed { value: Expectation::NewAddresses(names), place: self.place(key.span) });
            }
        }
        for (word, kind, fate) in ADDRESS_FATES {
            let Some((key, list)) = fields.entry(word) else { continue };
            let items = self.some(list, "at least one instance");
            let names: Vec<_> = items.iter().filter_map(|item| self.operand(item, false)).collect();
            self.refuse_without_operation(does, key.span, "addresses change");
            if !names.is_empty() {
                let place = self.place(key.span);
                expectations.push(Placed { value: Expectation::Address(kind, fate, names), place });
            }
        }
        for (word, expectation) in [("leak", Expectation::NoLeak), ("loss", Expectation::NoLoss)] {
            let Some((key, said)) = fields.entry(word) else { continue };
            if self.choice(said, "what traffic can suffer", &[("none", ())]).is_some() {
                expectations.push(Placed { value: expectation, place: self.place(key.span) });
            }
        }
        if let Some((key, word)) = fields.entry("rules") {
            self.refuse_without_operation(does, key.span, "rules change or not");
            if self.choice(word, "what `rules` can be", &[("unchanged", ())]).is_some() {
                expectations.push(Placed { value: Expectation::RulesUnchanged, place: self.place(key.span) });
            }
        }
        if let Some((key, code)) = fields.entry("refusal") {
            self.refuse_without_operation(does, key.span, "an operation is refused");
            let codes = RefusalCode::ALL.map(|code| (code.as_str(), code));
            if let Some(code) = self.choice(code, "one of EC2's error codes", &codes) {
                expectations.push(Placed { value: Expectation::Refusal(code), place: self.place(key.span) });
            }
        }
        expectations
    }

    /// What listens does not refuse.
    fn refuse_listener(&mut self, flow: &FlowPattern, span: Span) {
        if flow.service == Service::IcmpEcho {
            let draft = Draft::new(span, "a ping is never refused: the kernel of an instance answers it");
            return self.report(draft.help("it is open, dropped or unreachable"));
        }
        let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
        for end in ends.into_iter().flatten() {
            if let Selector::Instance(instance) = end
                && self.listens.get(instance).is_some_and(|listens| listens.contains(&flow.service))
            {
                let message =
                    format!("{} listens on {}, and will not refuse it", quote(instance.as_str()), flow.service);
                self.report(Draft::new(span, message));
            }
        }
    }

    /// Nothing else than a listener of a load balancer takes a connection only to close it.
    fn refuse_no_listener(&mut self, flow: &FlowPattern, span: Span) {
        let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
        for end in ends.into_iter().flatten() {
            if !matches!(end, Selector::Instance(name) if self.listens_as_balancer(name, flow.service)) {
                let draft = Draft::new(span, "only a listener of a load balancer takes a connection and closes it");
                return self.report(draft.help("what an instance does not listen on is `refused`"));
            }
        }
    }

    fn refuse_without_operation(&mut self, does: bool, span: Span, what: &str) {
        if !does {
            let draft = Draft::new(span, format!("the step does nothing by which {what}"));
            self.report(draft.help("it needs `do:`"));
        }
    }

    /// A table, all of whose names exist at this step.
    fn table(&mut self, word: &str, span: Span) -> Option<TableName> {
        let name = TableName::new(word);
        if !self.tables.contains_key(&name) {
            if self.tables_incomplete || self.unread.contains(word) {
                return None;
            }
            let help = suggest(word, self.tables.keys().map(TableName::as_str));
            self.report(Draft::new(span, format!("unknown table {}", quote(word))).maybe_help(help));
            return None;
        }
        let mut missing = Vec::new();
        let mut at = Some(&name);
        while let Some(table) = at.and_then(|name| self.tables.get(name)) {
            for selector in table.open.iter().flat_map(|pattern| [&pattern.from, &pattern.to]) {
                let absent = match selector {
                    Selector::Instance(instance)
                        if !self.world.instances.contains_key(instance)
                            && self.names.sort(instance.as_str()) != Some(Sort::LoadBalancer) =>
                    {
                        instance.as_str()
                    }
                    Selector::Group(group) if !self.world.groups.contains_key(group) => group.as_str(),
                    _ => continue,
                };
                // A few are enough to see what is wrong.
                if missing.len() < 10 && !missing.contains(&absent) {
                    missing.push(absent);
                }
            }
            at = table.like.as_ref();
        }
        for absent in missing.into_iter().map(str::to_owned).collect::<Vec<_>>() {
            let message =
                format!("the table {} names {}, which does not exist at this step", quote(word), quote(&absent));
            let mut draft = Draft::new(span, message);
            if let Some(made) = self.names.span(&absent) {
                draft = draft.related("it is made here", made);
            }
            self.report(draft);
        }
        Some(name)
    }
}
