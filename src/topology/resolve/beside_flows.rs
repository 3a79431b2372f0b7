//! Expectations of a step beside those of its flows: `answered:`, `during:` and `flow-logs:`.

use super::resolver::Resolver;
use crate::model::{FlowLogAction, InterfaceId, Service, VpcService, suggest};
use crate::topology::document::shape::{Many, Map, Shape, SpannedText};
use crate::topology::document::words::{Flow, LogLine, Logging};
use crate::topology::expected::{Expectation, ExpectedLog, LogPart, LogWanted};
use crate::topology::grammar::{Within, first_word, in_one_line};
use crate::topology::patterns::{FlowPattern, Question, Selector};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, Span, quote};

const FORM: &str = "it reads `FROM -> SERVICE`, such as `web1 -> dns`";

impl Resolver<'_> {
    /// One question.
    pub fn question(&mut self, node: &SpannedText) -> Option<Question> {
        let text = node.text();
        let Some((from, to)) = text.split_once("->") else {
            self.report(Diagnostic::new(node.span, format!("{} asks nobody", quote(text))).help(FORM));
            return None;
        };
        let (from_word, to) = (from.trim(), to.trim());
        let selector = self.selector(node, from_word, Within::Step { dropped: false });
        let service = VpcService::ALL.into_iter().find(|service| service.as_str() == to);
        if service.is_none() {
            let words = VpcService::ALL.map(VpcService::as_str);
            let help = suggest(to, words).unwrap_or_else(|| words.join(", "));
            self.report(Diagnostic::new(node.part(to), format!("unknown service {}", quote(to))).help(help));
        }
        let (from, service) = (selector?, service?);
        if from.is_host() {
            let draft = Diagnostic::new(node.span, "a host outside has none of the services of a VPC");
            self.report(draft.help("an instance, a group of them, or `any`"));
            return None;
        }
        if matches!(from, Selector::LoadBalancer(_)) {
            let draft = Diagnostic::new(node.part(from_word), "a load balancer asks none of the services of a VPC");
            self.report(draft.help("an instance, a group of them, or `any`"));
            return None;
        }
        if matches!(from, Selector::Forged(..)) {
            let draft =
                Diagnostic::new(node.part(from_word), "a question to a service of a VPC has its sender's address");
            self.report(draft.help("an instance, a group of them, or `any`"));
            return None;
        }
        let written = in_one_line(text);
        Some(Question { written, place: self.place(node.span), from, service })
    }
}

impl Resolver<'_> {
    /// The flows of the traffic.
    pub fn during(&mut self, flows: &Many<Flow>) -> Vec<FlowPattern> {
        let mut read = Vec::new();
        for item in &flows.items {
            let Some(flow) = self.flow(item, Within::Step { dropped: false }) else { continue };
            if matches!(flow.service, Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho) {
                read.push(flow);
            } else {
                self.report(
                    Diagnostic::new(item.span, "traffic flows over tcp, udp or ping")
                        .help("such as `:3306`, `:53/udp` or `:ping`"),
                );
            }
        }
        read
    }

    /// Traffic needs something to happen and something to be expected of it, and what is expected needs traffic.
    pub fn refuse_idle_traffic(&mut self, traffic: Option<Span>, expected: Option<Span>, does: bool) {
        match (traffic, expected) {
            (Some(traffic), None) => {
                let draft = Diagnostic::new(traffic, "nothing is expected of the traffic");
                self.report(draft.help("under `expect:` say `leak: none`, `loss: none` or both"));
            }
            (None, Some(expected)) => {
                let draft = Diagnostic::new(expected, "no traffic flows that could leak or be lost");
                self.report(draft.help("the step needs `during: [web1 -> db1:3306]`"));
            }
            _ => {}
        }
        if let Some(traffic) = traffic.filter(|_| !does) {
            let draft = Diagnostic::new(traffic, "the step does nothing during which traffic could flow");
            self.report(draft.help("it needs `do:`"));
        }
    }
}

const LINE_FORM: &str = LogLine::WHAT;
const RESPONSE: &str = "response to ";

impl Resolver<'_> {
    /// All of them.
    pub fn flow_logs(&mut self, key: Span, logs: &Map<Logging, Many<LogLine>>) -> Option<Placed<Expectation>> {
        if logs.entries.is_empty() {
            self.report(Diagnostic::new(logs.span, "this expects nothing").help("such as `{b: [REJECT a -> b:ping]}`"));
        }
        let mut all = Vec::new();
        for entry in &logs.entries {
            let interface = entry.key.as_deref().and_then(|name| self.logging(name));
            let items = entry.value.as_ref().map_or(&[][..], |list| &list.items);
            let wanted: Vec<_> = items.iter().filter_map(|item| Some((item, self.log_line(item)?))).collect();
            if wanted.len() > 1 {
                for (item, _) in wanted.iter().filter(|(_, (wanted, _))| *wanted == LogWanted::NoData) {
                    let draft = Diagnostic::new(item.span, "where there is `NODATA` there is nothing else");
                    self.report(draft.help("leave one of them out"));
                }
            }
            let Some(interface) = interface else { continue };
            all.extend(wanted.into_iter().map(|(item, (wanted, written))| ExpectedLog {
                interface: interface.clone(),
                written,
                place: self.place(item.span),
                wanted,
            }));
        }
        (!all.is_empty()).then(|| Placed { value: Expectation::FlowLogs(all), place: self.place(key) })
    }

    /// Reads the interface of a flow log: an instance by its first interface, `web1.eth1`, or a load balancer.
    fn logging(&mut self, node: &SpannedText) -> Option<InterfaceId> {
        let word = node.text();
        match self.selector(node, word, Within::Step { dropped: false })? {
            Selector::Instance(instance) => Some(InterfaceId::first_of(&instance)),
            Selector::LoadBalancer(name) => Some(InterfaceId::LoadBalancer(name)),
            Selector::Interface(at) => Some(at.into()),
            _ => {
                let draft = Diagnostic::new(node.span, format!("{} has no flow log of its own", quote(word)));
                self.report(draft.help("network interfaces have: name an instance, or `web1.eth1`"));
                None
            }
        }
    }

    fn log_line(&mut self, node: &SpannedText) -> Option<(LogWanted, String)> {
        let text = node.text();
        let written = in_one_line(text);
        let (first, after) = first_word(text);
        let (without, (action, rest)) = match first {
            "no" => (true, first_word(after)),
            _ => (false, (first, after)),
        };
        let action = match action {
            "ACCEPT" => FlowLogAction::Accept,
            "REJECT" => FlowLogAction::Reject,
            "NODATA" if !without && rest.is_empty() => return Some((LogWanted::NoData, written)),
            "SKIPDATA" => {
                let draft = Diagnostic::new(node.span, "`SKIPDATA` says that records were lost, which proves nothing");
                self.report(draft.help("where that happens a step is inconclusive by itself"));
                return None;
            }
            _ => {
                let help = suggest(action, ["ACCEPT", "REJECT", "NODATA"]).unwrap_or_else(|| LINE_FORM.to_owned());
                let span = node.part_or_all(action);
                self.report(Diagnostic::new(span, format!("{} is not what a flow log says", quote(text))).help(help));
                return None;
            }
        };
        if rest.is_empty() {
            if without {
                return Some((LogWanted::None(action), written));
            }
            let draft = Diagnostic::new(node.span, format!("{action} of what?"));
            self.report(draft.help(LINE_FORM));
            return None;
        }
        let (part, flow) = match rest.strip_prefix(RESPONSE) {
            Some(flow) => (LogPart::Response, flow),
            None => (LogPart::Request, rest),
        };
        let flow = self.flow_of(node, flow, Within::Step { dropped: true })?;
        let make = if without { LogWanted::NoRecord } else { LogWanted::Record };
        Some((make(action, part, flow), written))
    }
}
