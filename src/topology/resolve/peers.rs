//! Peers of rules: `SG-T-WEB`, `10.0.0.0/8`, `office`, `web1.private`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::names::{EntityKind, fault};
use super::resolver::Resolver;
use crate::model::{Direction, ElasticIpName, GroupName, InstanceName, Peer, PeerRequest, PrefixListName};
use crate::topology::document::shape::Span;
use crate::topology::grammar::whom;
use crate::topology::problem::{Diagnostic, Source, quote};

/// Words of newcomers for `anywhere`, where nobody has such a name.
const EVERYWHERE: [&str; 8] = ["everywhere", "any", "anyone", "anybody", "everyone", "everybody", "all", "internet"];
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
    pub fn preposition(&self) -> &'static str {
        self.direction.preposition()
    }

    /// Returns advice on where to write a rule for the other direction.
    pub fn advice_for_other_direction(&self, source: &Source) -> &'static str {
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
    pub fn whom(&self) -> &'static str {
        whom(Some(self.direction))
    }
}

impl Resolver<'_> {
    /// Reads the word after `from`; a host with two addresses gives two peers. Nothing, if reported.
    pub fn peer(&mut self, word: &str, span: Span, context: RuleContext<'_>) -> Vec<PeerRequest> {
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
        if let Some(peers) = self.of_host(word, span) {
            return peers;
        }
        let named = match self.names.sort(word).filter(|_| !self.names.doubts.unread.contains(word)) {
            Some(sort) => self.named_peer(word, sort, span, context),
            None => self.unnamed_peer(word, span, context),
        };
        named.into_iter().collect()
    }

    /// The addresses of a host; nothing of a word that is none.
    fn of_host(&mut self, word: &str, span: Span) -> Option<Vec<PeerRequest>> {
        let host = self.cloud.hosts.get(&self.host(word)?)?;
        let peers = host.addresses.iter().map(|a| PeerRequest::Peer(Peer::Cidr(IpNet::from(a.0))));
        let before = self.cloud.peers;
        self.cloud.peers += host.addresses.len();
        if self.cloud.peers <= MAX_PEERS {
            return Some(peers.collect());
        }
        if before <= MAX_PEERS {
            let message = format!("the rules of this file name more than {MAX_PEERS} addresses of hosts in all");
            self.report(Diagnostic::new(span, message));
        }
        Some(Vec::new())
    }

    /// The peer that has this name.
    fn named_peer(
        &mut self,
        word: &str,
        sort: EntityKind,
        span: Span,
        context: RuleContext<'_>,
    ) -> Option<PeerRequest> {
        match sort {
            EntityKind::Group => return self.group_peer(word, span, context),
            EntityKind::PrefixList => return Some(PeerRequest::Peer(Peer::PrefixList(PrefixListName::new(word)))),
            EntityKind::ElasticIp if self.cloud.now.elastic_ips.contains(&ElasticIpName::new(word)) => {
                return Some(PeerRequest::ElasticIp(ElasticIpName::new(word)));
            }
            EntityKind::ElasticIp => {
                let message = format!("the Elastic IP {} is not allocated yet", quote(word));
                self.report(Diagnostic::new(span, message));
            }
            // Its addresses were reported where they stand.
            EntityKind::Host => {}
            EntityKind::Instance => {
                let draft = Diagnostic::new(span, format!("a rule cannot name the instance {}", quote(word)));
                self.report(draft.help(format!(
                    "EC2's rules name groups and addresses: name a group of {word}{}",
                    if context.addresses { format!(", or `{word}.private`") } else { String::new() }
                )));
            }
            EntityKind::LoadBalancer => {
                let draft = Diagnostic::new(span, format!("a rule cannot name the load balancer {}", quote(word)));
                self.report(draft.help("in era vpc name its group, elsewhere `amazon-elb/amazon-elb-sg`"));
            }
        }
        None
    }

    /// The peer of a word that the file gives to nothing: a group that EC2 is to refuse, if any.
    fn unnamed_peer(&mut self, word: &str, span: Span, context: RuleContext<'_>) -> Option<PeerRequest> {
        let may_be_unread = self.may_be_unread(word);
        if EVERYWHERE.contains(&word) && !may_be_unread {
            let draft = Diagnostic::new(span, format!("{} is nobody's name", quote(word)));
            self.report(draft.help("did you mean `anywhere`?"));
            return None;
        }
        if context.lenient && fault(word).is_none() {
            return Some(PeerRequest::Peer(Peer::Group(GroupName::new(word))));
        }
        if may_be_unread {
            return None;
        }
        let sorts = [EntityKind::Group, EntityKind::Host, EntityKind::ElasticIp, EntityKind::PrefixList];
        let help = self.names.suggest(word, &sorts).or_else(|| crate::model::suggest(word, [Peer::ANYWHERE]));
        let itself = context.group.filter(|_| matches!(word, "self" | "itself"));
        let itself =
            itself.map(|own| format!("a group that means its own members names itself: {}", quote(own.as_str())));
        let draft = Diagnostic::new(span, format!("unknown security group {}", quote(word)));
        self.report(draft.maybe_help(itself.or(help)));
        None
    }

    /// A group of the VPC of the rule.
    fn group_peer(&mut self, word: &str, span: Span, context: RuleContext<'_>) -> Option<PeerRequest> {
        let group = self.group(word, span)?;
        if let Some(own) = context.group {
            let (mine, theirs) = (self.cloud.now.groups.get(own), self.cloud.now.groups.get(&group));
            if let (Some(Some(mine)), Some(Some(theirs))) = (mine, theirs)
                && mine != theirs
            {
                let message = format!("{} is in VPC {}, {} in {}", quote(word), theirs, quote(own.as_str()), mine);
                let help = self.own_default_group(word, mine);
                let help = help.unwrap_or_else(|| "a rule names groups of its own VPC".to_owned());
                self.report(Diagnostic::new(span, message).help(help));
                return None;
            }
        }
        Some(PeerRequest::Peer(Peer::Group(group)))
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
