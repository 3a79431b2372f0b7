//! Connections that a scenario holds open: their names, and what is expected of them.

use super::resolver::Resolver;
use crate::model::{ConnectionName, Service};
use crate::topology::document::scenario::Connections;
use crate::topology::document::shape::{Map, Span, SpannedText};
use crate::topology::document::words::{Flow, Name};
use crate::topology::grammar::Within;
use crate::topology::outside_name::OutsideName;
use crate::topology::patterns::{FlowPattern, Selector};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};
use crate::topology::steps::{Action, Opening};

impl Resolver<'_> {
    /// `open: {session: 'web1 -> db1:3306'}`.
    pub fn openings(&mut self, opened: &Map<Name<ConnectionName>, Flow>) -> Vec<Action> {
        let mut actions = Vec::new();
        for entry in &opened.entries {
            let Some(key) = &entry.key else { continue };
            let Some(name) = self.name(key) else { continue };
            if let Some(first) = self.cloud.connections.get(&name) {
                let draft = Diagnostic::new(key.span, format!("a connection {} is opened already", quote(&name)));
                self.report(draft.related("here", *first));
                continue;
            }
            self.cloud.connections.insert(name.clone(), key.span);
            let Some(value) = &entry.value else { continue };
            let Some(flow) = self.flow(value, Within::Held) else { continue };
            if let Selector::LoadBalancer(_) = &flow.to {
                let draft = Diagnostic::new(
                    value.span,
                    "a connection through a load balancer is two, and none of them is held",
                );
                self.report(draft.help("hold one to an instance behind it"));
                continue;
            }
            if let Some(draft) = self.no_end(&flow, value.span) {
                self.report(draft);
                continue;
            }
            if flow.both_ways && !matches!(flow.service, Service::Udp(_)) {
                let draft = Diagnostic::new(value.span, "only datagrams are sent from both ends at once");
                self.report(draft.help("`->`: one end opens a connection, and both send over it all the same"));
                continue;
            }
            let opening = Opening { name: ConnectionName::new(name), flow };
            actions.push(Action::Open(Placed { value: opening, place: self.place(key.span) }));
        }
        actions
    }

    /// Refuses `any`, and a host with several addresses, as an end of a connection.
    fn no_end(&self, flow: &FlowPattern, span: Span) -> Option<Diagnostic> {
        for end in [&flow.from, &flow.to] {
            let host = match end {
                Selector::Any => {
                    let draft = Diagnostic::new(span, "`any` cannot be the end of a connection, which is one flow");
                    return Some(draft.help("name an instance or a host; open one connection for each"));
                }
                Selector::Host(host) => host,
                _ => continue,
            };
            if let Some((OutsideName::Block(_), _)) = self.cloud.outside.get(host) {
                continue;
            }
            if !self.cloud.hosts.contains_key(host) {
                let message =
                    format!("{} may be several addresses, and a connection is one flow", quote(host.as_str()));
                return Some(Diagnostic::new(span, message).help("name a host of the file"));
            }
            let addresses = self.cloud.hosts.get(host).map_or(&[][..], |host| &host.addresses);
            let of = |ipv6: bool| addresses.iter().filter(|address| address.0.is_ipv6() == ipv6).count();
            let least = match flow.via {
                Some(via) if via.is_ipv6() => of(true),
                Some(_) => of(false),
                None => of(true).max(of(false)),
            };
            if least > 1 {
                let message = format!("{} has {least} addresses, and a connection is one flow", quote(host.as_str()));
                return Some(Diagnostic::new(span, message).help("give each address a host of its own"));
            }
        }
        None
    }

    /// `close:`, `idle:`, `alive:` and their like: connections that some step up to this one has opened.
    pub fn connections(&mut self, named: &Connections) -> Vec<Placed<ConnectionName>> {
        named.items.iter().filter_map(|word| self.connection(word)).collect()
    }

    fn connection(&mut self, name: &SpannedText) -> Option<Placed<ConnectionName>> {
        let word = name.text();
        if self.cloud.connections.contains_key(word) {
            return Some(Placed { value: ConnectionName::new(word), place: self.place(name.span) });
        }
        let near = self.names.nearest(word, self.cloud.connections.keys().map(String::as_str));
        let help =
            near.unwrap_or_else(|| "a step opens one with `do: [{open: {session: \'web1 -> db1:3306\'}}]`".to_owned());
        self.report(
            Diagnostic::new(name.span, format!("no connection {} is open at this step", quote(word))).help(help),
        );
        None
    }
}
