//! Ends of a flow that no section of a file makes: addresses outside that stand for others, one address of a host, and words that mean nobody.

use std::net::IpAddr;

use super::names::EntityKind;
use super::resolver::Resolver;
use crate::model::reserved_addresses::belongs;
use crate::model::{HostName, Peer, suggest};
use crate::topology::checked::Topology;
use crate::topology::document::shape::{Span, SpannedText};
use crate::topology::grammar::FORM;
use crate::topology::outside_name::{ELSEWHERE, OutsideName};
use crate::topology::patterns::Selector;
use crate::topology::problem::{Diagnostic, quote};

/// The word means nobody.
pub(super) struct Unknown;

impl Resolver<'_> {
    /// Reads a word that is no name of the file. Nothing where that is reported already.
    pub fn outside(&mut self, word: &str, span: Span) -> Result<Option<Selector>, Unknown> {
        if let Some((name, number)) = numbered(word) {
            return self.host_number(name, number, span);
        }
        self.outside_host(word, span).map(|name| name.map(Selector::Host))
    }

    /// `world[2]`: one address of a host, as results name it.
    fn host_number(&mut self, name: &str, number: usize, span: Span) -> Result<Option<Selector>, Unknown> {
        let host = match self.names.sort(name) {
            Some(EntityKind::Host) => HostName::new(name),
            Some(_) => return Err(Unknown),
            None => match self.outside_host(name, span)? {
                Some(host) => host,
                None => return Ok(None),
            },
        };
        match self.cloud.hosts.get(&host).map(|host| host.addresses.len()) {
            Some(all) if number > all => self.report(no_such_number(&host, all, span)),
            Some(_) => return Ok(Some(Selector::HostNumber(host, number))),
            None => {
                self.cloud.numbered.push((host.clone(), number, span));
                return Ok(Some(Selector::HostNumber(host, number)));
            }
        }
        Ok(None)
    }

    /// `elsewhere`, `office-neighbour`, `203.0.113.0/24`. Whether the file has such addresses is known at its end; a running cloud has their hosts.
    fn outside_host(&mut self, word: &str, span: Span) -> Result<Option<HostName>, Unknown> {
        let is_host = |word: &str| self.names.sort(word) == Some(EntityKind::Host);
        let outside = OutsideName::of(word, is_host).ok_or(Unknown)?;
        let host = match outside {
            // The word of a rule, and not the name of a host.
            OutsideName::Block(_) => HostName::new(outside.host()),
            OutsideName::Elsewhere | OutsideName::Neighbour(_) => HostName::new(word),
        };
        let is_held = |address: &IpAddr| {
            let mut held = self.cloud.hosts.values().flat_map(|host| &host.addresses);
            held.any(|own| own.0 == *address) || belongs(*address, &self.cloud.vpcs).is_some()
        };
        if self.told.source.is_typed() {
            return if self.cloud.hosts.contains_key(&host) { Ok(Some(host)) } else { Err(Unknown) };
        }
        if word.parse().is_ok_and(|address| is_held(&address)) {
            return Err(Unknown);
        }
        if !self.cloud.hosts.contains_key(&host) {
            self.cloud.outside.insert(host.clone(), (outside, span));
        }
        Ok(Some(host))
    }

    /// Reports the addresses outside that flows name, and that the file does not come to have by that.
    pub fn refuse_nobody_outside(&mut self, topology: &Topology) {
        let hosts = &topology.empty.hosts;
        for (name, number, span) in std::mem::take(&mut self.cloud.numbered) {
            if let Some(host) = hosts.get(&name).filter(|host| number > host.addresses.len()) {
                self.report(no_such_number(&name, host.addresses.len(), span));
            }
        }
        for (name, (outside, span)) in std::mem::take(&mut self.cloud.outside) {
            if hosts.contains_key(&name) {
                continue;
            }
            self.report(match outside {
                OutsideName::Elsewhere | OutsideName::Neighbour(_) if hosts.contains_key(outside.host().as_str()) => {
                    Diagnostic::new(span, format!("there is no host {}", quote(name.as_str())))
                        .help(format!("there is {}", quote(&outside.host())))
                }
                OutsideName::Elsewhere => {
                    Diagnostic::new(span, "rules of this file name every address, so that nobody is `elsewhere`")
                        .help("name a host of your own in its place")
                }
                OutsideName::Neighbour(host) => {
                    let what = format!("every address near those of {} is taken", quote(host.as_str()));
                    Diagnostic::new(span, what).help("name a host of your own in its place")
                }
                OutsideName::Block(block) if topology.names_block(block) => {
                    let what = format!("no host outside can have an address of {} that is nobody's yet", told(block));
                    Diagnostic::new(span, what).help("instances, hosts and narrower blocks of rules have all there are")
                }
                OutsideName::Block(block) => {
                    let what = format!("no rule of this file names {}", told(block));
                    Diagnostic::new(span, what).help("a flow names hosts, and blocks that rules name as these do")
                }
            });
        }
    }

    /// Says that a word is no end of a flow.
    pub fn nobody(&self, node: &SpannedText, word: &str, span: Span) -> Diagnostic {
        match word.split_once('.') {
            _ if word.is_empty() => Diagnostic::new(node.span, "an end of the flow is missing").help(FORM),
            // The DNS names that EC2 gives: the name of the file leads each.
            Some((name, rest)) if rest.ends_with("amazonaws.com") || rest == "sglab.internal" => {
                let name = name.strip_prefix("internal-").unwrap_or(name);
                let known = |name: &&str| self.names.sort(name).is_some();
                let known = Some(name).filter(known).or_else(|| Some(name.rsplit_once('-')?.0).filter(known));
                let balancer = known.is_some_and(|name| self.names.sort(name) == Some(EntityKind::LoadBalancer));
                let name = known.map_or_else(|| "the name that the file has for it".to_owned(), quote);
                let help = match balancer || rest == "sglab.internal" {
                    true => format!("write {name}"),
                    false => format!("write {name}, and `by dns name` after the port"),
                };
                Diagnostic::new(span, format!("a flow names no DNS name: {}", quote(word))).help(help)
            }
            _ if word.parse::<IpAddr>().is_ok() => self.no_address(word, span),
            _ if word == ELSEWHERE => {
                let draft = Diagnostic::new(span, format!("this lab has no host {}", quote(word)));
                draft.help("one whose file names it in a flow has it; `any` is everybody who is there")
            }
            Some((name, "public" | "private")) if self.names.sort(name).is_some() => {
                let help = "write the name, and `by public address` after the port";
                Diagnostic::new(span, format!("{} is not a name", quote(word))).help(help)
            }
            _ => {
                let help = self.names.suggest(
                    word,
                    &[EntityKind::Host, EntityKind::Instance, EntityKind::Group, EntityKind::LoadBalancer],
                );
                let help = help.or_else(|| suggest(word, ["any", ELSEWHERE]));
                let help = help.or_else(|| (word == Peer::ANYWHERE).then(|| "did you mean `any`?".to_owned()));
                Diagnostic::new(span, format!("unknown host, instance or group {}", quote(word))).maybe_help(help)
            }
        }
    }

    /// Says that a flow names no address, and who has it.
    fn no_address(&self, word: &str, span: Span) -> Diagnostic {
        let address: Option<IpAddr> = word.parse().ok();
        let hosts = self.cloud.hosts.iter().find(|(_, host)| host.addresses.iter().any(|it| Some(it.0) == address));
        let help = match hosts {
            Some((name, _)) => format!("write {}, which has it", quote(name.as_str())),
            None => match self.secondary_holder(address) {
                Some(id) => format!("write {}, and `by {word}` after the port", quote(&id.short())),
                None => "it names instances, groups and hosts".to_owned(),
            },
        };
        Diagnostic::new(span, format!("a flow names no address: {}", quote(word))).help(help)
    }
}

/// `world[2]`.
fn numbered(word: &str) -> Option<(&str, usize)> {
    let (name, number) = word.strip_suffix(']')?.rsplit_once('[')?;
    let is_plain = number.bytes().all(|it| it.is_ascii_digit()) && !number.starts_with('0');
    Some((name, number.parse().ok().filter(|_| is_plain)?))
}

fn no_such_number(host: &HostName, all: usize, span: Span) -> Diagnostic {
    let addresses = if all == 1 { "one address".to_owned() } else { format!("{all} addresses") };
    Diagnostic::new(span, format!("{} has {addresses}", quote(host.as_str())))
}

/// A block as a rule names it.
fn told(block: ipnet::IpNet) -> String {
    quote(&Peer::Cidr(block).to_string())
}
