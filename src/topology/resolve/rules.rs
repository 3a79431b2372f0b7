//! Rules, short and long: `tcp 3306 from SG-T-WEB`, `{protocol: tcp, port: 3306, from: SG-T-WEB}`.

use super::peers::RuleContext;
use super::resolver::Resolver;
use crate::model::{Direction, IcmpMatch, MAX_NAME_LENGTH, PeerRequest, Permission, Traffic, number};
use crate::topology::document::groups::{LongRule, Rule, Rules};
use crate::topology::document::shape::{Or, Span, SpannedText};
use crate::topology::document::words::{Description, ShortRule};
use crate::topology::grammar::{RuleWords, is_all, traffic, unknown_protocol};
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// A list of rules, each with its place.
    pub fn rules(&mut self, said: &Rules, context: RuleContext<'_>) -> Vec<(Permission, Span)> {
        let mut rules = Vec::new();
        for item in &said.items {
            let (rule, span) = self.rule(item, context);
            rules.extend(rule.map(|rule| (rule, span)));
        }
        rules
    }

    fn rule(&mut self, said: &Rule, context: RuleContext<'_>) -> (Option<Permission>, Span) {
        match said {
            Or::Long(rule) => (self.long_rule(rule, context), rule.at.span),
            Or::Short(rule) => (self.short_rule(rule, context), rule.span),
        }
    }

    fn short_rule(&mut self, said: &ShortRule, context: RuleContext<'_>) -> Option<Permission> {
        match RuleWords::parse(said, Some(context.direction)) {
            Ok(rule) => self.rule_of(&rule, context),
            Err(drafts) => {
                drafts.into_iter().for_each(|draft| self.report(draft));
                None
            }
        }
    }

    /// Looks up the peers of a rule.
    pub fn rule_of(&mut self, rule: &RuleWords, context: RuleContext<'_>) -> Option<Permission> {
        if rule.direction != context.direction {
            let message = format!("the rule {} does not say {}", quote(rule.said.text()), context.whom());
            self.report(
                Diagnostic::new(rule.preposition, message).help(context.advice_for_other_direction(self.told.source)),
            );
            return None;
        }
        let mut requests = Vec::new();
        for peer in &rule.peers {
            let word = peer.text();
            let span = if word.is_empty() { rule.said.span } else { peer.span };
            let written = format!("{} {} {word}", rule.asked, context.preposition());
            requests.extend(self.peer(word, span, context).into_iter().map(|request| (request, written.clone())));
        }
        self.permission(rule.said.span, rule.traffic, requests, None)
    }

    fn long_rule(&mut self, rule: &LongRule, context: RuleContext<'_>) -> Option<Permission> {
        let preposition = context.preposition();
        let (peers, others) = match context.direction {
            Direction::Ingress => (&rule.from, rule.to.key),
            Direction::Egress => (&rule.to, rule.from.key),
        };
        if let Some(key) = others {
            let goes = if context.direction == Direction::Ingress { "comes in" } else { "goes out" };
            let draft = Diagnostic::new(key, format!("a rule for what {goes} has no such key"));
            self.report(draft.help(format!("it has `{preposition}`")));
        }
        let traffic = self.long_traffic(rule);
        let description = rule.description.get().map(|text| self.description(text));
        if !peers.is_there() && others.is_none() {
            let draft = Diagnostic::new(rule.at.span, format!("the rule does not say {}", context.whom()));
            self.missing(&rule.at, draft.help(format!("it needs `{preposition}:`")));
        }
        let mut requests = Vec::new();
        for item in peers.get().into_iter().flat_map(|peers| &peers.items) {
            for word in item.text().split(',').map(str::trim) {
                let span = item.part_or_all(word);
                let words = traffic.as_ref();
                let written =
                    words.map(|(traffic, words)| format!("{words} {preposition} {word}{}", ignored(*traffic, rule)));
                let written = written.unwrap_or_default();
                requests.extend(self.peer(word, span, context).into_iter().map(|request| (request, written.clone())));
            }
        }
        self.permission(rule.at.span, traffic?.0, requests, description)
    }

    /// The traffic of a long form, and the words that a short one would have for it.
    fn long_traffic(&mut self, rule: &LongRule) -> Option<(Traffic, String)> {
        if !rule.protocol.is_there() {
            let draft = Diagnostic::new(rule.at.span, "the rule does not say for which protocol");
            self.missing(&rule.at, draft.help("it needs `protocol: tcp`, `udp` or `icmp`"));
        }
        let protocol = rule.protocol.get()?;
        let word = protocol.text();
        // A name in any case, or the number of one that has a name: EC2 takes both for the name.
        let lower = word.to_ascii_lowercase();
        let word = match lower.as_str() {
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            "58" => "icmpv6",
            "tcp" | "udp" | "icmp" | "icmpv6" => &lower,
            _ => word,
        };
        if is_all(word) || word.bytes().all(|b| b.is_ascii_digit()) {
            return self.numbered_traffic(rule, word, protocol.span);
        }
        let types = [(rule.r#type.key, rule.r#type.get().map(|it| &**it))];
        let ports = [&rule.port, &rule.ports].map(|field| (field.key, field.get().map(|it| &**it)));
        let (wanted, key, others): (&[(Option<Span>, Option<&SpannedText>)], _, _) = match word {
            "tcp" | "udp" => (&ports, "port", [rule.r#type.key, rule.code.key]),
            "icmp" | "icmpv6" => (&types, "type", [rule.port.key, rule.ports.key]),
            _ => {
                self.report(unknown_protocol(word, protocol.span));
                return None;
            }
        };
        let misplaced = others.into_iter().flatten().next();
        if let Some(other) = misplaced {
            let draft = Diagnostic::new(other, format!("a rule for {word} has no such key"));
            self.report(draft.help(format!("it has `{key}`")));
        }
        let mut given = wanted.iter().filter(|(key, _)| key.is_some());
        let Some((_, value)) = given.next() else {
            if misplaced.is_some() {
                return None;
            }
            if word == "icmpv6" && !rule.code.is_there() {
                // EC2 takes a rule for icmpv6 without a type, and none for icmp.
                return Some((Traffic::Icmpv6(IcmpMatch::All), "icmpv6 all".to_owned()));
            }
            let help = format!("it needs `{key}:`; `all` means every one");
            let draft = Diagnostic::new(rule.at.span, format!("the rule for {word} does not say to which {key}"));
            self.missing(&rule.at, draft.help(help));
            return None;
        };
        if let Some(key) = given.next().and_then(|(key, _)| *key) {
            self.report(Diagnostic::new(key, "a rule has `port` or `ports`, not both"));
        }
        let value = (*value)?;
        let parsed = traffic((word, protocol.span), (value.text(), value.span));
        let traffic = parsed.map_err(|draft| self.report(draft)).ok()?;
        let words = format!("{word} {}", value.text());
        if !matches!(word, "icmp" | "icmpv6") || !rule.code.is_there() {
            return Some((traffic, words));
        }
        self.with_code(rule, traffic, words)
    }

    /// The traffic of a protocol by its number, or of all of them.
    fn numbered_traffic(&mut self, rule: &LongRule, word: &str, span: Span) -> Option<(Traffic, String)> {
        // As EC2 does: for all protocols, and for those by number, ports mean nothing.
        self.ignored_types(rule);
        let (protocol, number) = if is_all(word) { (word, "") } else { ("protocol", word) };
        let traffic = traffic((protocol, span), (number, span)).map_err(|draft| self.report(draft)).ok()?;
        Some((traffic, traffic.to_string()))
    }

    /// The traffic of one type with the code that the rule says.
    fn with_code(&mut self, rule: &LongRule, traffic: Traffic, words: String) -> Option<(Traffic, String)> {
        let (key, code) = rule.code.entry()?;
        let every = matches!(code.text(), "all" | "-1");
        let code = match number(code.text()) {
            _ if every => 0,
            Some(code) => code,
            None => {
                let draft = Diagnostic::new(code.span, format!("{} is not an ICMP code", quote(code.text())));
                self.report(draft.help("a whole number up to 255, or `all`"));
                return None;
            }
        };
        match traffic {
            Traffic::Icmp(IcmpMatch::Type(_) | IcmpMatch::All)
            | Traffic::Icmpv6(IcmpMatch::Type(_) | IcmpMatch::All)
                if every =>
            {
                Some((traffic, words))
            }
            Traffic::Icmp(IcmpMatch::Type(kind)) => {
                Some((Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)), format!("{words}/{code}")))
            }
            Traffic::Icmpv6(IcmpMatch::Type(kind)) => {
                Some((Traffic::Icmpv6(IcmpMatch::TypeAndCode(kind, code)), format!("{words}/{code}")))
            }
            _ => {
                self.report(Diagnostic::new(key, "a code needs one type of its own"));
                None
            }
        }
    }

    /// Refuses what is no type and no code of ICMP, also where a rule has no use for them.
    fn ignored_types(&mut self, rule: &LongRule) {
        let said = [
            ("an ICMP type", &["all", "-1", "echo"][..], rule.r#type.get().map(|it| &**it)),
            ("an ICMP code", &["all", "-1"][..], rule.code.get().map(|it| &**it)),
        ];
        for (what, words, word) in said.into_iter().filter_map(|(what, words, word)| Some((what, words, word?))) {
            if !words.contains(&word.text()) && number::<u8>(word.text()).is_none() {
                let draft = Diagnostic::new(word.span, format!("{} is not {what}", quote(word.text())));
                self.report(draft.help("a whole number up to 255, or `all`"));
            }
        }
    }

    fn permission(
        &mut self,
        span: Span,
        traffic: Traffic,
        peers: Vec<(PeerRequest, String)>,
        description: Option<String>,
    ) -> Option<Permission> {
        (!peers.is_empty()).then(|| Permission { traffic, peers, description, place: Some(self.place(span)) })
    }

    /// A free text of EC2's length.
    pub fn description(&mut self, text: &Description) -> String {
        if text.text().chars().count() > MAX_NAME_LENGTH {
            self.report(Diagnostic::new(
                text.span,
                format!("the description is longer than {MAX_NAME_LENGTH} characters"),
            ));
        }
        text.text().to_owned()
    }
}

/// Names the parts of a rule that EC2 takes and ignores, for whoever reads the rule in a report.
fn ignored(traffic: Traffic, rule: &LongRule) -> &'static str {
    let ports = rule.port.is_there() || rule.ports.is_there();
    let types = rule.r#type.is_there() || rule.code.is_there();
    match (traffic, ports, types) {
        (Traffic::All, true, true) => " (it means everything: ports and type are ignored)",
        (Traffic::All, true, false) => " (it means everything: ports are ignored)",
        (Traffic::All, false, true) => " (it means everything: type is ignored)",
        (Traffic::Protocol(_), true, true) => " (ports and type are ignored)",
        (Traffic::Protocol(_), true, false) => " (ports are ignored)",
        (Traffic::Protocol(_), false, true) => " (type is ignored)",
        _ => "",
    }
}
