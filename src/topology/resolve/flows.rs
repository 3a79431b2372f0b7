//! Flow patterns, `SG-T-WEB -> SG-T-DB:3306`, and the truth tables made of them.

use indexmap::{IndexMap, IndexSet};

use super::interfaces;
use super::names::EntityKind;
use super::outside::Unknown;
use super::resolver::Resolver;
use super::standing::StepEntities;
use crate::model::{
    Attachment, GroupName, HostName, InstanceName, InterfaceHolder, LoadBalancerName, Service, TableName, Via,
};
use crate::topology::document::scenario::Table as TableSaid;
use crate::topology::document::shape::{Field, Map, Span, SpannedText};
use crate::topology::document::words::{Flow, Name};
use crate::topology::grammar::{Ends, FlowTarget, Within, unprobeable};
use crate::topology::patterns::{Egress, FlowPattern, OpenCells, Pairs, Selector, Table};
use crate::topology::problem::{Diagnostic, quote};

/// Maximum length of a chain of tables.
const MAX_LIKE: usize = 64;

impl Resolver<'_> {
    /// One pattern.
    pub fn flow(&mut self, said: &SpannedText, within: Within) -> Option<FlowPattern> {
        self.flow_of(said, said.text(), within)
    }

    /// Cells that a table opens.
    fn open_cells(&mut self, said: &Flow) -> Option<OpenCells> {
        let columns = Ends::of(said, said.text()).ok().and_then(|ends| ends.every().map(|(columns, _)| columns));
        let pattern = self.flow(said, Within::Table)?;
        Some(match columns {
            Some(columns) => OpenCells::Every(columns, Pairs::of(pattern)),
            None => OpenCells::Of(pattern),
        })
    }

    /// One pattern that is a part of a node's text.
    pub fn flow_of(&mut self, node: &SpannedText, text: &str, within: Within) -> Option<FlowPattern> {
        match Ends::of(node, text) {
            Ok(ends) => self.flow_between(&ends, within),
            Err(draft) => {
                let named = self.names.sort(text.trim()).is_some();
                let help =
                    named.then(|| "a flow has two ends; after `answered by` names are joined by `and`".to_owned());
                self.report(draft.maybe_help(help));
                None
            }
        }
    }

    /// Looks up the ends of a flow.
    pub fn flow_between(&mut self, ends: &Ends, within: Within) -> Option<FlowPattern> {
        let node = &ends.whole;
        let from = self.end(ends.or_whole(&ends.from), ends.from.text(), within);
        let to = self.end(ends.or_whole(&ends.to), ends.to.text(), within);
        let asked = match ends.asked(within) {
            Ok(asked) => asked,
            Err(draft) => {
                self.report(draft);
                return None;
            }
        };
        let FlowTarget { service, at, .. } = asked;
        let from_port = match &ends.from_port {
            Some(word) => Some(self.sent_from(ends, word, service, within)?),
            None => None,
        };
        let (from, to) = (from?, to?);
        let via = self.goes_by(ends, asked.via, &from, &to).ok()?;
        let from = match (from.kind, from.selector) {
            // Said by its secondary address, it sends from that one.
            (Some(Via::Secondary(source)), Selector::Instance(name)) => {
                Selector::Forged(Attachment::first_of(&name), source)
            }
            (Some(Via::Secondary(source)), Selector::Interface(at)) => Selector::Forged(at, source),
            (_, selector) => selector,
        };
        let to = to.selector;
        let both_ways = ends.both_ways;
        let of_secondary = Self::by_secondary(via).and_then(|it| self.no_secondary(&to, it, both_ways, node.span));
        if let Some(draft) = of_secondary {
            self.report(draft);
            return None;
        }
        if self.refuse_forged((&from, &to), asked, both_ways, node.span) {
            return None;
        }
        let drops = [Within::Step { dropped: true }, Within::Question];
        if at.is_some() && !drops.contains(&within) {
            self.report(
                Diagnostic::new(node.span, "only a drop happens at ingress or at egress").help("under `dropped:`"),
            );
            return None;
        }
        if from.is_host() && to.is_host() {
            self.report(Diagnostic::new(node.span, "a flow between two hosts outside never meets the cloud"));
            return None;
        }
        if via.is_some_and(Via::is_private) && (from.is_host() || (both_ways && to.is_host())) {
            let draft = Diagnostic::new(node.span, "a host outside reaches instances by their public addresses only");
            let said = via.map(Via::words).unwrap_or_default();
            self.report(draft.help(format!("leave `{said}` out")));
            return None;
        }
        if via == Some(Via::Dns) && (to.is_host() || (both_ways && from.is_host())) {
            let draft = Diagnostic::new(node.span, "a host outside has no DNS name of EC2");
            self.report(draft.help("leave `by dns name` out"));
            return None;
        }
        let only_ipv6 = |end: &Selector| match end {
            Selector::Host(_) | Selector::HostNumber(..) => self.families(end) == [Via::Ipv6],
            Selector::Forged(_, source) => source.is_ipv6(),
            _ => false,
        };
        let by = match via {
            None if only_ipv6(&from) || only_ipv6(&to) => Via::Ipv6,
            said => said.unwrap_or(Via::Private),
        };
        if within != Within::Question
            && let Some(draft) = unprobeable(ends.asked_words(), ends.asked_words().text(), service, by)
        {
            self.report(draft);
            return None;
        }
        let written = ends.written.clone();
        let place = self.place(node.span);
        let pattern = FlowPattern { written, place, from, from_port, to, both_ways, service, via, at };
        // Of a table that says an address only the table knows by which the flow goes.
        let known = within != Within::Question && (within != Within::Table || via.is_some());
        if let Some(draft) = known.then(|| self.no_way(&pattern, None, node.span)).flatten() {
            self.report(draft);
            return None;
        }
        self.later.patterns.push((pattern.clone(), node.span));
        Some(pattern)
    }

    /// Reads a word as the selector of an end.
    pub fn selector(&mut self, node: &SpannedText, word: &str, within: Within) -> Option<Selector> {
        let span = node.part(word);
        if word == "any" {
            return Some(Selector::Any);
        }
        if within != Within::Table
            && let Some(interface) = self.interface_end(node, word)
        {
            return interface.ok();
        }
        if within == Within::Table
            && let Some((name, device)) = interfaces::split(word)
            && self.names.sort(name) == Some(EntityKind::Instance)
        {
            // Whether it is there is known at each step that expects the table.
            let instance = InstanceName::new(name);
            return Some(match device {
                0 => Selector::Instance(instance),
                _ => Selector::Interface(Attachment { instance, device }),
            });
        }
        match self.names.sort(word).filter(|_| !self.names.doubts.unread.contains(word)) {
            Some(EntityKind::Host) => Some(Selector::Host(HostName::new(word))),
            Some(EntityKind::Instance) if within == Within::Table => Some(Selector::Instance(InstanceName::new(word))),
            Some(EntityKind::Group) if within == Within::Table => Some(Selector::Group(GroupName::new(word))),
            Some(EntityKind::LoadBalancer) => Some(Selector::LoadBalancer(LoadBalancerName::new(word))),
            Some(EntityKind::Instance) => self.instance(word, span).map(Selector::Instance),
            Some(EntityKind::Group) => self.group(word, span).map(Selector::Group),
            Some(EntityKind::PrefixList) => {
                let draft =
                    Diagnostic::new(span, format!("a prefix list cannot be the end of a flow: {}", quote(word)));
                self.report(draft.help("name an instance, a group or a host"));
                None
            }
            Some(EntityKind::ElasticIp) => {
                let draft =
                    Diagnostic::new(span, format!("an Elastic IP cannot be the end of a flow: {}", quote(word)));
                self.report(draft.help("name the instance, and `by public address` after the port"));
                None
            }
            None if self.may_be_unread(word) => None,
            None => match self.outside(word, span) {
                Ok(selector) => selector,
                Err(Unknown) => {
                    let draft = self.nobody(node, word, span);
                    self.report(draft);
                    None
                }
            },
        }
    }

    /// The truth tables. They may extend one another in any order, but not in a circle.
    pub fn read_tables(&mut self, said: &Field<Map<Name<TableName>, TableSaid>>) {
        self.names.doubts.tables = said.is_unread();
        let entries = said.get().map_or(&[][..], |map| &map.entries);
        let mut heads: IndexMap<String, (Span, &TableSaid)> = IndexMap::new();
        for entry in entries {
            let Some(name) = entry.key.as_deref().and_then(|key| self.name(key)) else { continue };
            match &entry.value {
                Some(table) => drop(heads.insert(name, (entry.at, table))),
                None => drop(self.names.doubts.unread.insert(name)),
            }
        }
        let names: IndexSet<&str> = entries.iter().filter_map(|entry| Some(entry.key.as_ref()?.text())).collect();
        let mut parents: IndexMap<String, (String, Span)> = IndexMap::new();
        for (name, (_, table)) in &heads {
            let Some(like) = table.like.get() else { continue };
            let parent = like.text();
            if names.contains(parent) {
                parents.insert(name.clone(), (parent.to_owned(), like.span));
            } else {
                let help = self.names.nearest(parent, names.iter().copied());
                self.report(Diagnostic::new(like.span, format!("unknown table {}", quote(parent))).maybe_help(help));
            }
        }
        self.refuse_circles(&mut parents);
        let mut by: IndexMap<String, Via> = IndexMap::new();
        let mut opened: IndexMap<String, Vec<(&Flow, OpenCells)>> = IndexMap::new();
        for (name, (key, table)) in &heads {
            by.extend(table.by.get().map(|choice| (name.clone(), choice.value)));
            let ports = table.ports.get().map_or(&[][..], |list| &list.items);
            let ports: Vec<Service> = ports.iter().filter_map(|item| self.service(item)).collect();
            self.cloud.ports.extend(ports);
            let items = table.open.get().map_or(&[][..], |list| &list.items);
            let mut open: Vec<(&Flow, OpenCells)> = Vec::new();
            for item in items {
                open.extend(self.open_cells(item).map(|cells| (item, cells)));
            }
            opened.insert(name.clone(), open.clone());
            let open: Vec<OpenCells> = open.into_iter().map(|(_, cells)| cells).collect();
            let like = parents.get(name).map(|(parent, _)| TableName::new(parent));
            let place = self.place(*key);
            let all = table.egress.is_there().then_some(Egress::All);
            let named = || Egress::Named(open.iter().flat_map(OpenCells::hosts).cloned().collect());
            let egress = all.unwrap_or_else(named);
            self.cloud.tables.insert(TableName::new(name), Table { place, like, open, egress, via: None });
        }
        let own: IndexMap<String, Egress> =
            self.cloud.tables.iter().map(|(name, table)| (name.to_string(), table.egress.clone())).collect();
        // A table that does not say by which address takes the word of the one that it extends; and it is about the same hosts.
        for (name, table) in &mut self.cloud.tables {
            let mut at = Some(name.as_str());
            while let Some(name) = at {
                table.via = table.via.or_else(|| by.get(name).copied());
                if let Some(egress) = own.get(name) {
                    table.egress = std::mem::take(&mut table.egress).and(egress);
                }
                at = parents.get(name).map(|(parent, _)| parent.as_str());
            }
        }
        self.refuse_impossible(&opened, &parents);
    }

    /// Refuses flows that a table opens, itself or by `like`, and that have no way by the address of the table.
    fn refuse_impossible(
        &mut self,
        opened: &IndexMap<String, Vec<(&Flow, OpenCells)>>,
        parents: &IndexMap<String, (String, Span)>,
    ) {
        let mut told: IndexSet<(usize, usize)> = IndexSet::new();
        let tables: Vec<_> = self.cloud.tables.iter().map(|(name, table)| (name.to_string(), table.via)).collect();
        for (name, via) in tables {
            let mut at = Some(name.as_str());
            while let Some(name) = at {
                let patterns = opened.get(name).into_iter().flatten().map(|(node, cells)| (node, cells.pattern()));
                for (node, pattern) in patterns.filter(|(_, it)| it.via.is_none()) {
                    let text = node.text();
                    let asked = text.rsplit_once(':').map_or(text, |(_, asked)| asked).trim();
                    let draft = (via == Some(Via::Ipv6)).then(|| unprobeable(node, asked, pattern.service, Via::Ipv6));
                    let draft = draft.flatten().or_else(|| self.no_way(&pattern, via, node.span));
                    if let Some(draft) = draft.filter(|_| told.insert((node.span.start, node.span.end))) {
                        self.report(draft);
                    }
                }
                at = parents.get(name).map(|(parent, _)| parent.as_str());
            }
        }
    }

    /// Cuts every circle, so that what follows a chain comes to its end.
    fn refuse_circles(&mut self, parents: &mut IndexMap<String, (String, Span)>) {
        let names: Vec<String> = parents.keys().cloned().collect();
        for start in names {
            let mut seen = IndexSet::from([start.clone()]);
            let mut at = start.clone();
            while let Some((parent, _)) = parents.get(&at) {
                if *parent == start {
                    if let Some((_, span)) = parents.shift_remove(&start) {
                        seen.insert(start.clone());
                        let circle = seen.iter().chain([&start]).map(|name| quote(name)).collect::<Vec<_>>();
                        let message = format!("tables extend each other in a circle: {}", circle.join(" like "));
                        self.report(Diagnostic::new(span, message));
                    }
                    break;
                }
                if !seen.insert(parent.clone()) {
                    break;
                }
                if seen.len() > MAX_LIKE {
                    if let Some((_, span)) = parents.shift_remove(&start) {
                        self.report(Diagnostic::new(
                            span,
                            format!("tables extend each other over more than {MAX_LIKE} steps"),
                        ));
                    }
                    break;
                }
                at = parent.clone();
            }
        }
    }

    /// Reports patterns that can never select a cell, now that every membership of the file is known.
    pub fn refuse_empty_patterns(&mut self) {
        for (pattern, span) in std::mem::take(&mut self.later.patterns) {
            let group = [&pattern.from, &pattern.to].into_iter().find_map(|end| memberless(end, &self.cloud.now));
            if let Some(group) = group.filter(|_| !self.names.doubts.incomplete && !self.names.doubts.members) {
                let message = format!("no instance is ever a member of {}", quote(group.as_str()));
                self.report(Diagnostic::new(span, message).help("so this flow selects no cell"));
            } else if let (Some(from), Some(to)) =
                (ever(&pattern.from, &self.cloud.now), ever(&pattern.to, &self.cloud.now))
                && from == to
                && from.len() == 1
                && !asks_itself(&pattern)
            {
                let draft = Diagnostic::new(span, format!("both ends of this flow are {}", quote(from[0].as_str())));
                self.report(draft.help("what an instance sends to itself leaves it `by public address` only"));
            } else if let Some(draft) =
                self.no_public_ever(&pattern, span).or_else(|| self.no_ipv6_ever(&pattern, span))
            {
                self.report(draft);
            }
        }
    }
}

/// Returns true if an instance is named as both ends, and its packets leave it all the same.
fn asks_itself(pattern: &FlowPattern) -> bool {
    let named = |end: &Selector| matches!(end, Selector::Instance(_) | Selector::Interface(_));
    pattern.via == Some(Via::Public) && named(&pattern.from) && named(&pattern.to)
}

fn memberless<'s>(selector: &'s Selector, world: &StepEntities) -> Option<&'s GroupName> {
    match selector {
        Selector::Group(group) if !world.members.contains_key(group) => Some(group),
        _ => None,
    }
}

/// The instances and load balancers that a selector can ever mean, unless it means others too.
fn ever(selector: &Selector, world: &StepEntities) -> Option<Vec<InterfaceHolder>> {
    match selector {
        Selector::Instance(instance)
        | Selector::Interface(Attachment { instance, .. })
        | Selector::Forged(Attachment { instance, .. }, _) => Some(vec![instance.into()]),
        Selector::LoadBalancer(name) => Some(vec![name.into()]),
        Selector::Group(group) => world.members.get(group).map(|members| members.iter().cloned().collect()),
        _ => None,
    }
}
