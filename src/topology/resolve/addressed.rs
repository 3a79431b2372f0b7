//! Ends of a flow that are said by their address: who has it, and which of the ways to its holder it is.

use std::net::IpAddr;

use ipnet::IpNet;

use super::resolver::{Held, Resolver};
use crate::model::reserved_addresses::{Belongs, belongs};
use crate::model::{InterfaceId, Port, Service, Via, VpcService, service_addresses};
use crate::topology::document::shape::SpannedText;
use crate::topology::grammar::{Ends, Within, port};
use crate::topology::patterns::Selector;
use crate::topology::problem::{Diagnostic, quote};

/// An end, and the kind of address that its words are.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub selector: Selector,
    pub kind: Option<Via>,
}

impl Resolver<'_> {
    /// Reads an end of a flow. Of a running cloud an address stands for whoever has it.
    pub fn end(&mut self, node: &SpannedText, word: &str, within: Within) -> Option<End> {
        let is_of_a_cloud = self.told.source.is_typed() || within == Within::Question;
        match word.parse::<IpAddr>() {
            Ok(address) if is_of_a_cloud => self.addressed(node, word, address),
            _ => self.selector(node, word, within).map(|selector| End { selector, kind: None }),
        }
    }

    fn addressed(&mut self, node: &SpannedText, word: &str, address: IpAddr) -> Option<End> {
        let host = self.cloud.hosts.iter().find(|(_, host)| host.addresses.iter().any(|own| own.0 == address));
        if let Some((name, host)) = host {
            let own = host.addresses.iter().find(|own| own.0 == address).filter(|_| host.addresses.len() > 1);
            let selector = match own {
                Some(own) => Selector::HostAddress(name.clone(), *own),
                None => Selector::Host(name.clone()),
            };
            return Some(End { selector, kind: None });
        }
        let span = node.part(word);
        let held = self.cloud.holders.get(&address).cloned().unwrap_or_else(|| self.of_a_prefix(address));
        match held.as_slice() {
            [Held { by, kind }] => {
                let selector = match by {
                    InterfaceId::Instance(at) if at.device == 0 => Selector::Instance(at.instance.clone()),
                    InterfaceId::Instance(at) => Selector::Interface(at.clone()),
                    InterfaceId::LoadBalancer(name) => Selector::LoadBalancer(name.clone()),
                };
                return Some(End { selector, kind: Some(*kind) });
            }
            [] => {}
            several => {
                let names: Vec<String> = several.iter().map(|held| quote(&held.by.short())).collect();
                let draft = Diagnostic::new(span, format!("{address} is an address of {}", names.join(" and of ")));
                self.report(draft.help("name the one that is meant"));
                return None;
            }
        }
        if let Some(service) = self.service_of(address) {
            let draft =
                Diagnostic::new(span, format!("{address} is {} of the VPC, which no group filters", what(service)));
            let help = format!("a step asks it by `answered: [web1 -> {}]`", service.as_str());
            self.report(draft.help(help));
            return None;
        }
        let nobody = |what: &str| Diagnostic::new(span, format!("nobody has {address}: it is for {what}"));
        let draft = match belongs(address, &self.cloud.vpcs) {
            None => Diagnostic::new(span, format!("nobody has {address}")).help("name an instance, a group or a host"),
            Some(Belongs::Vpc(vpc)) => {
                let draft =
                    Diagnostic::new(span, format!("nobody has {address}, which lies in VPC {}", quote(vpc.as_str())));
                draft.help("name an instance, or an address outside")
            }
            Some(Belongs::Lab(whose)) => nobody(whose).help("the lab's own; any other of 2001:db8::/32 will do"),
            Some(Belongs::Block(what)) => nobody(what).help("name an instance, or an address outside"),
            Some(Belongs::NotGlobal) => Diagnostic::new(span, format!("{address} is not a global address")),
        };
        self.report(draft);
        None
    }

    /// The interfaces to which a prefix is delegated that has an address in it.
    fn of_a_prefix(&self, address: IpAddr) -> Vec<Held> {
        let all = self.cloud.prefixes.iter().filter(|(prefix, _)| IpNet::V6(*prefix).contains(&address));
        all.map(|(_, by)| Held { by: by.clone(), kind: Via::Secondary(address) }).collect()
    }

    /// The service that has an address in one of the VPCs.
    fn service_of(&self, address: IpAddr) -> Option<VpcService> {
        let era = *self.cloud.eras.first()?;
        let all = self.cloud.vpcs.values().flat_map(|vpc| service_addresses(era, vpc));
        all.into_iter().find(|(_, own)| *own == address).map(|(service, _)| service)
    }

    /// The address that a flow goes by: the one that is said, or the one that its ends are said by.
    pub fn goes_by(&mut self, ends: &Ends, said: Option<Via>, from: &End, to: &End) -> Result<Option<Via>, ()> {
        // A sender's private address is its address inside, whatever the receiver's is.
        let implied = to
            .kind
            .or(from.kind.filter(|kind| !kind.is_private()).map(|kind| if kind.is_ipv6() { Via::Ipv6 } else { kind }));
        match (said, implied) {
            (Some(said), Some(implied)) if said != implied => {
                let address = if to.kind.is_some() { &ends.to } else { &ends.from };
                let what = format!("{} is an address that a flow goes to {}", address.text(), implied.words());
                self.report(
                    Diagnostic::new(address.span, what)
                        .help(format!("leave `{}` out, or name the instance", said.words())),
                );
                Err(())
            }
            (said, implied) => Ok(said.or(implied)),
        }
    }
}

fn what(service: VpcService) -> &'static str {
    match service {
        VpcService::Dns => "the resolver",
        VpcService::Metadata => "the metadata service",
        VpcService::Time => "the time service",
    }
}

impl Resolver<'_> {
    /// The port that is written before the arrow of a flow.
    pub fn sent_from(&mut self, ends: &Ends, word: &SpannedText, service: Service, within: Within) -> Option<Port> {
        let (word, span) = (word.text(), ends.or_whole(word).span);
        let draft = match (within, ends.arrow(), service) {
            (Within::Table | Within::Step { .. }, ..) => {
                let draft = Diagnostic::new(span, "what is probed is sent from any port that is free");
                draft
                    .help("a port before the arrow is for what is held: `do: {open: {tunnel: 'a:4500 <-> b:500/udp'}}`")
            }
            (_, "->", _) => {
                let draft = Diagnostic::new(span, "who opens a flow sends from any port that is free");
                draft.help("`<->` with a port at each end: both send, `left:4500 <-> right:500/udp`")
            }
            (.., Service::Udp(_)) => match word.split_once('/').unwrap_or((word, "udp")) {
                (number, "udp") => match port(number, span) {
                    Ok(Port(0)) => Diagnostic::new(span, "nothing is sent from port 0"),
                    Ok(port) => return Some(port),
                    Err(draft) => draft.help("one port to send from, such as 4500"),
                },
                (_, other) => Diagnostic::new(span, format!("{} at one end, and udp at the other", quote(other))),
            },
            _ => {
                let draft = Diagnostic::new(span, "only datagrams are sent from both ends at once");
                draft.help("write `/udp` behind the port of the other end")
            }
        };
        self.report(draft);
        None
    }
}
