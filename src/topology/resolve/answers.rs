//! `answered:`, what instances are told by the services that groups never filter: `app -> dns`.

use super::resolver::Resolver;
use crate::model::VpcService;
use crate::model::suggest;
use crate::topology::document::shape::SpannedText;
use crate::topology::grammar::{Within, in_one_line};
use crate::topology::patterns::{Question, Selector};
use crate::topology::problem::{Diagnostic, quote};

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
        if matches!(from, Selector::Host(_)) {
            let draft = Diagnostic::new(node.span, "a host outside has none of the services of a VPC");
            self.report(draft.help("an instance, a group of them, or `any`"));
            return None;
        }
        if matches!(from, Selector::LoadBalancer(_)) {
            let draft = Diagnostic::new(node.part(from_word), "a load balancer asks none of the services of a VPC");
            self.report(draft.help("an instance, a group of them, or `any`"));
            return None;
        }
        let written = in_one_line(text);
        Some(Question { written, place: self.place(node.span), from, service })
    }
}
