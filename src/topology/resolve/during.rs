//! `during:`, traffic that flows while a step does what it does.

use super::resolver::Resolver;
use crate::model::Service;
use crate::topology::document::shape::Many;
use crate::topology::document::words::Flow;
use crate::topology::grammar::Within;
use crate::topology::patterns::FlowPattern;
use crate::topology::problem::{Diagnostic, Span};

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
