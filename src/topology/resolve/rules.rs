//! Rules, short and long: `tcp 3306 from SG-T-WEB`, `{protocol: tcp, port: 3306, from: SG-T-WEB}`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::names::EntityKind;
use super::resolver::Resolver;
use crate::model::{
    Direction, ElasticIpName, GroupName, IcmpMatch, InstanceName, Peer, PeerRequest, Permission, PrefixListName,
    Traffic, number,
};
use crate::topology::document::groups::{LongRule, Rule, Rules};
use crate::topology::document::shape::{Or, Span, SpannedText};
use crate::topology::document::words::{Description, ShortRule};
use crate::topology::grammar::{RuleWords, is_all, traffic, unknown_protocol, whom};
use crate::topology::problem::{Diagnostic, Source, quote};

/// Words of newcomers for `anywhere`, where nobody has such a name.
const EVERYWHERE: [&str; 8] = ["everywhere", "any", "anyone", "anybody", "everyone", "everybody", "all", "internet"];
const MAX_DESCRIPTION: usize = 255;
/// Host addresses in all rules together: each rule may name a host of many.
const MAX_PEERS: usize = 100_000;

/// Owner of the rules that are read, and the names they may use.
#[derive(Clone, Copy)]
pub(super) struct RuleContext<'c> {
    /// The group, where it is known.
    pub group: Option<&'c GroupName>,
    /// Direction of the rules.
    pub direction: Direction,
    /// True if `web1.private` and `web1.public` can be resolved: only once instances run.
    pub addresses: bool,
    /// The group may be one that EC2 refuses to know.
    pub lenient: bool,
}

impl RuleContext<'_> {
    /// The word before a peer.
    fn preposition(&self) -> &'static str {
        self.direction.preposition()
    }

    /// Returns advice on where to write a rule for the other direction.
    fn turn(&self, source: &Source) -> &'static str {
        match (self.direction, source.is_typed()) {
            (Direction::Ingress, true) => "a rule for what goes out needs `--egress`; for what comes in it says `from`",
            (Direction::Egress, true) => {
                "a rule for what comes in goes without `--egress`; for what goes out it says `to`"
            }
            (Direction::Ingress, false) => {
                "a rule for what comes in says `from`; what goes out is `egress:` of a group, or `authorize-egress`"
            }
            (Direction::Egress, false) => {
                "a rule for what goes out says `to`; what comes in is `ingress:` of a group, or `authorize`"
            }
        }
    }

    /// Returns the words for the peer that a rule lacks.
    fn whom(&self) -> &'static str {
        whom(Some(self.direction))
    }
}

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
            self.report(Diagnostic::new(rule.preposition, message).help(context.turn(self.told.source)));
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
            // As EC2 does: for all protocols, and for those by number, ports mean nothing.
            self.ignored_types(rule);
            let numbered = if is_all(word) { (word, "") } else { ("protocol", word) };
            let parsed = traffic((numbered.0, protocol.span), (numbered.1, protocol.span));
            let traffic = parsed.map_err(|draft| self.report(draft)).ok()?;
            return Some((traffic, traffic.to_string()));
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
        if text.text().chars().count() > MAX_DESCRIPTION {
            self.report(Diagnostic::new(
                text.span,
                format!("the description is longer than {MAX_DESCRIPTION} characters"),
            ));
        }
        text.text().to_owned()
    }

    /// Reads the word after `from`; a host with two addresses gives two peers. Nothing, if reported.
    fn peer(&mut self, word: &str, span: Span, context: RuleContext<'_>) -> Vec<PeerRequest> {
        let cidr = |net| vec![PeerRequest::Peer(Peer::Cidr(net))];
        if word == Peer::ANYWHERE {
            return cidr(Ipv4Net::default().into());
        }
        if word.is_empty() {
            self.report(Diagnostic::new(span, "a peer is missing at a comma"));
            return Vec::new();
        }
        if word.starts_with("amazon-elb/") {
            let group = self.elb_group(word, span);
            return group.map(|group| PeerRequest::Peer(Peer::Group(group))).into_iter().collect();
        }
        if looks_like_address(word) {
            return match block(word, span) {
                Ok(net) => cidr(net),
                Err(draft) => {
                    self.report(draft);
                    Vec::new()
                }
            };
        }
        if let Some((instance, end)) = word.split_once('.') {
            return self.address_of(instance, end, word, span, context).into_iter().collect();
        }
        if let Some(host) = self.host(word).and_then(|host| self.cloud.hosts.get(&host)) {
            let count = host.addresses.len();
            let peers = host.addresses.iter().map(|a| PeerRequest::Peer(Peer::Cidr(IpNet::from(a.0))));
            let before = self.cloud.peers;
            self.cloud.peers += count;
            if self.cloud.peers <= MAX_PEERS {
                return peers.collect();
            }
            if before <= MAX_PEERS {
                let message = format!("the rules of this file name more than {MAX_PEERS} addresses of hosts in all");
                self.report(Diagnostic::new(span, message));
            }
            return Vec::new();
        }
        match self.names.sort(word).filter(|_| !self.names.doubts.unread.contains(word)) {
            // Its addresses were reported where they stand.
            Some(EntityKind::Host) => return Vec::new(),
            Some(EntityKind::Instance) => {
                let draft = Diagnostic::new(span, format!("a rule cannot name the instance {}", quote(word)));
                self.report(draft.help(format!(
                    "EC2's rules name groups and addresses: name a group of {word}{}",
                    if context.addresses { format!(", or `{word}.private`") } else { String::new() }
                )));
                return Vec::new();
            }
            Some(EntityKind::LoadBalancer) => {
                let draft = Diagnostic::new(span, format!("a rule cannot name the load balancer {}", quote(word)));
                self.report(draft.help("in era vpc name its group, elsewhere `amazon-elb/amazon-elb-sg`"));
                return Vec::new();
            }
            Some(EntityKind::ElasticIp) => {
                if !self.cloud.now.elastic_ips.contains(&ElasticIpName::new(word)) {
                    let message = format!("the Elastic IP {} is not allocated yet", quote(word));
                    self.report(Diagnostic::new(span, message));
                    return Vec::new();
                }
                return vec![PeerRequest::ElasticIp(ElasticIpName::new(word))];
            }
            Some(EntityKind::PrefixList) => {
                return vec![PeerRequest::Peer(Peer::PrefixList(PrefixListName::new(word)))];
            }
            Some(EntityKind::Group) => {}
            None if EVERYWHERE.contains(&word) && !self.may_be_unread(word) => {
                let draft = Diagnostic::new(span, format!("{} is nobody's name", quote(word)));
                self.report(draft.help("did you mean `anywhere`?"));
                return Vec::new();
            }
            None if context.lenient && super::names::fault(word).is_none() => {
                return vec![PeerRequest::Peer(Peer::Group(GroupName::new(word)))];
            }
            None if self.may_be_unread(word) => return Vec::new(),
            None => {
                let help = self.names.suggest(
                    word,
                    &[EntityKind::Group, EntityKind::Host, EntityKind::ElasticIp, EntityKind::PrefixList],
                );
                let help = help.or_else(|| crate::model::suggest(word, [Peer::ANYWHERE]));
                let itself = context.group.filter(|_| matches!(word, "self" | "itself"));
                let itself = itself
                    .map(|own| format!("a group that means its own members names itself: {}", quote(own.as_str())));
                let help = itself.or(help);
                self.report(Diagnostic::new(span, format!("unknown security group {}", quote(word))).maybe_help(help));
                return Vec::new();
            }
        }
        let Some(group) = self.group(word, span) else { return Vec::new() };
        if let Some(own) = context.group {
            let (mine, theirs) = (self.cloud.now.groups.get(own), self.cloud.now.groups.get(&group));
            if let (Some(Some(mine)), Some(Some(theirs))) = (mine, theirs)
                && mine != theirs
            {
                let message = format!("{} is in VPC {}, {} in {}", quote(word), theirs, quote(own.as_str()), mine);
                let help = self.own_default_group(word, mine);
                let help = help.unwrap_or_else(|| "a rule names groups of its own VPC".to_owned());
                self.report(Diagnostic::new(span, message).help(help));
                return Vec::new();
            }
        }
        vec![PeerRequest::Peer(Peer::Group(group))]
    }

    fn address_of(
        &mut self,
        instance: &str,
        end: &str,
        word: &str,
        span: Span,
        context: RuleContext<'_>,
    ) -> Option<PeerRequest> {
        let make: fn(InstanceName) -> PeerRequest = match end {
            "private" => PeerRequest::PrivateAddressOf,
            "public" => PeerRequest::PublicAddressOf,
            "ipv6" => PeerRequest::Ipv6AddressOf,
            _ => {
                let draft = Diagnostic::new(span, format!("{} is neither a name nor an address", quote(word)));
                self.report(
                    draft.help("`web1.private`, `web1.public` and `web1.ipv6` are the addresses of an instance"),
                );
                return None;
            }
        };
        if !context.addresses {
            let draft = Diagnostic::new(span, format!("{} has no address yet when this rule is made", quote(instance)));
            self.report(draft.help("instances get addresses at launch: authorize this rule in a step"));
            return None;
        }
        self.instance(instance, span).map(make)
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

/// Addresses begin with a digit and have no letters, or are IPv6.
fn looks_like_address(word: &str) -> bool {
    word.contains(['/', ':'])
        || (word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && !word.contains(char::is_alphabetic))
}

/// A block or a bare address of either family, made canonical.
pub(super) fn block(word: &str, span: Span) -> Result<IpNet, Diagnostic> {
    let net =
        if word.contains('/') { word.parse::<IpNet>().ok() } else { word.parse::<IpAddr>().ok().map(IpNet::from) };
    // EC2 clears the host bits as well, without a word.
    net.map(|net| net.trunc()).ok_or_else(|| {
        let help = if word.contains(':') {
            "such as 2001:db8::/32, or one address; a length up to 128"
        } else {
            "such as 10.0.0.0/16, or one address: four numbers up to 255, a length up to 32"
        };
        Diagnostic::new(span, format!("{} is not an address block", quote(word))).help(help)
    })
}
