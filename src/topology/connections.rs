//! Connections that a scenario holds open: their names, and what is expected of them.

use super::flows::Within;
use super::names::Sort;
use super::problem::{Draft, quote};
use super::reading::{Reading, suggest};
use super::tree::Node;
use super::{Action, Fate, FlowPattern, Opening, Placed, Selector};
use crate::model::{ConnectionName, Service, Via};

impl Reading<'_> {
    /// `open: {session: 'web1 -> db1:3306'}`.
    pub fn openings(&mut self, node: &Node) -> Vec<Action> {
        let mut actions = Vec::new();
        for (key, value) in self.mapping(node, "a mapping from names to flows") {
            let Some(name) = self.name(key, "a connection") else { continue };
            if let Some(first) = self.connections.get(&name) {
                let draft = Draft::new(key.span, format!("a connection {} is opened already", quote(&name)));
                self.report(draft.related("here", *first));
                continue;
            }
            self.connections.insert(name.clone(), key.span);
            let Some(flow) = self.flow(value, Within::Held) else { continue };
            if let Selector::Instance(to) = &flow.to
                && self.names.sort(to.as_str()) == Some(Sort::LoadBalancer)
            {
                let draft =
                    Draft::new(value.span, "a connection through a load balancer is two, and none of them is held");
                self.report(draft.help("hold one to an instance behind it"));
                continue;
            }
            if let Some(draft) = self.no_end(&flow, value) {
                self.report(draft);
                continue;
            }
            if flow.both_ways && !matches!(flow.service, Service::Udp(_)) {
                let draft = Draft::new(value.span, "only datagrams are sent from both ends at once");
                self.report(draft.help("`->`: one end opens a connection, and both send over it all the same"));
                continue;
            }
            let opening = Opening { name: ConnectionName::new(name), flow };
            actions.push(Action::Open(Placed { value: opening, place: self.place(key.span) }));
        }
        actions
    }

    /// What an end of a connection cannot be, since it always means several.
    fn no_end(&self, flow: &FlowPattern, node: &Node) -> Option<Draft> {
        for end in [&flow.from, &flow.to] {
            let host = match end {
                Selector::Any => {
                    let draft = Draft::new(node.span, "`any` cannot be the end of a connection, which is one flow");
                    return Some(draft.help("name an instance or a host; open one connection for each"));
                }
                Selector::Host(host) => host,
                _ => continue,
            };
            let addresses = self.hosts.get(host).map_or(&[][..], |host| &host.addresses);
            let of = |ipv6: bool| addresses.iter().filter(|address| address.0.is_ipv6() == ipv6).count();
            let least = match flow.via {
                Some(Via::Ipv6) => of(true),
                Some(_) => of(false),
                None => of(true).max(of(false)),
            };
            if least > 1 {
                let message = format!("{} has {least} addresses, and a connection is one flow", quote(host.as_str()));
                return Some(Draft::new(node.span, message).help("give each address a host of its own"));
            }
        }
        None
    }

    /// `close: session`.
    pub fn closings(&mut self, node: &Node) -> Vec<Action> {
        let items = self.some(node, "a connection or a list of them");
        let names: Vec<_> = items.iter().filter_map(|item| self.connection(item)).collect();
        names.into_iter().map(Action::Close).collect()
    }

    /// `idle: session`.
    pub fn idlings(&mut self, node: &Node) -> Vec<Action> {
        let items = self.some(node, "a connection or a list of them");
        let names: Vec<_> = items.iter().filter_map(|item| self.connection(item)).collect();
        names.into_iter().map(Action::Idle).collect()
    }

    /// `alive:`, `cut:` and their like.
    pub fn fates(&mut self, node: &Node) -> Vec<Placed<ConnectionName>> {
        let items = self.some(node, "at least one connection");
        items.iter().filter_map(|item| self.connection(item)).collect()
    }

    /// A connection that some step up to this one has opened.
    fn connection(&mut self, node: &Node) -> Option<Placed<ConnectionName>> {
        let word = self.text(node, "the name of a connection")?;
        if self.connections.contains_key(word) {
            return Some(Placed { value: ConnectionName::new(word), place: self.place(node.span) });
        }
        let help = suggest(word, self.connections.keys().map(String::as_str))
            .unwrap_or_else(|| "a step opens one with `do: [{open: {session: \'web1 -> db1:3306\'}}]`".to_owned());
        self.report(Draft::new(node.span, format!("no connection {} is open at this step", quote(word))).help(help));
        None
    }
}

/// The words of fates.
pub(super) const FATES: [(&str, Fate); 4] =
    [("alive", Fate::Alive), ("cut", Fate::Cut), ("gone", Fate::Gone), ("unanswerable", Fate::Unanswerable)];
