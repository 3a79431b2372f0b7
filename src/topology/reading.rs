//! The collector: reads nodes as what the format wants there, and notes every problem instead of stopping at one.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use indexmap::{IndexMap, IndexSet};

use super::elastic_ips::Holder;
use super::mounts::Files;
use super::names::{Names, World};
use super::problem::{Draft, Source, Span, quote};
use super::tree::{Kind, Node, Value};
use super::{FlowPattern, Table, TableName};
use crate::model::{Era, Forwarding, HostName, InstanceName, InterfaceId, LoadBalancerName, Vpc, VpcName};
use crate::model::{Host, Place, Service};

/// A file half read: what is known of it, and what is wrong with it.
pub(super) struct Reading<'s> {
    pub source: &'s Source,
    pub problems: Vec<Draft>,
    /// Every name of the file, later launches included.
    pub names: Names,
    pub eras: Vec<Era>,
    pub vpcs: IndexMap<VpcName, Vpc>,
    /// Their names, known before any of them is read.
    pub named_vpcs: Vec<VpcName>,
    pub hosts: IndexMap<HostName, Host>,
    pub tables: IndexMap<TableName, Table>,
    /// The `ports:` of all tables.
    pub ports: Vec<Service>,
    /// Groups and instances at the step that is being read.
    pub world: World,
    /// How many addresses of hosts all rules have together.
    pub peers: usize,
    /// What instances listen on.
    pub listens: IndexMap<InstanceName, IndexSet<Service>>,
    /// A part that makes names or members could not be read: what seems to be missing may stand there.
    pub incomplete: bool,
    /// Names of which a part that could not be read may be the declaration.
    pub unread: HashSet<String>,
    /// The tables could not be read.
    pub tables_incomplete: bool,
    /// The load balancers of which a listener could not be read.
    pub listeners_unread: HashSet<InstanceName>,
    /// Who is ever registered with which load balancer.
    pub registered: IndexMap<LoadBalancerName, IndexSet<InstanceName>>,
    /// Who is said to answer behind which load balancer, or to be in service there.
    pub behind: Vec<(LoadBalancerName, InstanceName, Span)>,
    /// A VPC could not be read, and is not among `vpcs`.
    pub vpcs_incomplete: bool,
    /// What instances do with packets for others.
    pub forwarders: IndexMap<InstanceName, Forwarding>,
    /// The instances that routes lead to.
    pub routed_to: Vec<(InterfaceId, Span)>,
    /// The instances and interfaces that Elastic IPs are associated with from the start.
    pub holders: Vec<Holder>,
    /// The load balancers that have no public address.
    pub internal: IndexSet<InstanceName>,
    /// A membership could not be read: nobody can say that a group is empty.
    pub members_unknown: bool,
    /// An association could not be read: nobody can say who never has a public address.
    pub publics_unknown: bool,
    /// The connections that steps so far have opened.
    pub connections: IndexMap<String, Span>,
    /// Whether something names the `default` group, or is in it.
    pub default_used: bool,
    /// Whether a load balancer is in it for want of another.
    pub default_of_balancers: bool,
    /// Whether there is a load balancer, or something names their group.
    pub elb_group_used: bool,
    /// Patterns with their places, to be checked once every membership is known.
    pub patterns: Vec<(FlowPattern, Span)>,
    /// The files that it names, where these can be looked for.
    pub files: Option<&'s dyn Files>,
}

/// The entries of a mapping whose keys the format names.
pub(super) struct Fields<'n> {
    entries: &'n [(Node, Node)],
    /// Whether a key is unknown: what seems to be missing may be said under it.
    pub misspelt: bool,
}

impl<'n> Fields<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.1)
    }

    pub fn entry(&self, key: &str) -> Option<&'n (Node, Node)> {
        self.entries.iter().find(|(k, _)| matches!(&k.value, Value::Scalar(scalar) if scalar.text == key))
    }
}

impl<'s> Reading<'s> {
    pub fn new(source: &'s Source, problems: Vec<Draft>, files: Option<&'s dyn Files>) -> Self {
        Self {
            source,
            problems,
            names: Names::default(),
            eras: Vec::new(),
            vpcs: IndexMap::new(),
            named_vpcs: Vec::new(),
            hosts: IndexMap::new(),
            tables: IndexMap::new(),
            ports: Vec::new(),
            world: World::default(),
            peers: 0,
            listens: IndexMap::new(),
            incomplete: false,
            unread: HashSet::new(),
            tables_incomplete: false,
            listeners_unread: HashSet::new(),
            registered: IndexMap::new(),
            behind: Vec::new(),
            vpcs_incomplete: false,
            forwarders: IndexMap::new(),
            routed_to: Vec::new(),
            holders: Vec::new(),
            internal: IndexSet::new(),
            members_unknown: false,
            publics_unknown: false,
            connections: IndexMap::new(),
            default_used: false,
            default_of_balancers: false,
            elb_group_used: false,
            patterns: Vec::new(),
            files,
        }
    }

    pub fn report(&mut self, draft: Draft) {
        self.problems.push(draft);
    }

    /// Reports that a key is missing, unless an unknown one, which is reported, may have been meant for it.
    pub fn missing(&mut self, fields: &Fields<'_>, draft: Draft) {
        if !fields.misspelt {
            self.report(draft);
        }
    }

    pub fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }

    fn expected(&mut self, node: &Node, what: &str, help: Option<String>) {
        let found = node.describe();
        self.report(Draft::new(node.span, format!("expected {what}, found {found}")).maybe_help(help));
    }

    /// A mapping with keys of the author's choosing.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Node, Node)] {
        match &node.value {
            Value::Mapping(entries) => entries,
            _ => {
                self.expected(node, what, None);
                &[]
            }
        }
    }

    /// A mapping whose keys are known; others are reported.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Value::Mapping(entries) = &node.value else {
            self.expected(node, what, None);
            return None;
        };
        let mut misspelt = false;
        for (key, _) in entries {
            let Value::Scalar(scalar) = &key.value else {
                self.expected(key, "a key", None);
                continue;
            };
            if !known.contains(&scalar.text.as_str()) {
                misspelt = true;
                let help = match scalar.text.as_str() {
                    "<<" => "merge keys are not part of this format: use a plain alias, or write it out".to_owned(),
                    "restart" if known.contains(&"reboot") => {
                        "a restart is a stop and a start: [{stop: web1}, {start: web1}]".to_owned()
                    }
                    word => suggest(word, known.iter().copied())
                        .unwrap_or_else(|| format!("known here: {}", known.join(", "))),
                };
                self.report(Draft::new(key.span, format!("unknown key {}", quote(&scalar.text))).help(help));
            }
        }
        Some(Fields { entries, misspelt })
    }

    /// A list, and nothing else.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => items,
            _ => {
                self.expected(node, what, None);
                &[]
            }
        }
    }

    /// One thing, or a list of them.
    pub fn one_or_many<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => items,
            Value::Scalar(scalar) if scalar.kind() != Kind::Nothing => std::slice::from_ref(node),
            _ => {
                self.expected(node, what, None);
                &[]
            }
        }
    }

    /// As [`Self::one_or_many`], and an empty list is a problem, since it would promise nothing.
    pub fn some<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
            self.report(Draft::new(node.span, format!("expected {what}, found an empty list")));
        }
        self.one_or_many(node, what)
    }

    /// Text. A plain number or truth value is none; in quotes it would be.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar(scalar) if scalar.kind() == Kind::Text => Some(&scalar.text),
            Value::Scalar(scalar) if scalar.kind() != Kind::Nothing => {
                let help = format!("in quotes it would be text: \"{}\"", scalar.text);
                self.expected(node, what, Some(help));
                None
            }
            _ => {
                self.expected(node, what, None);
                None
            }
        }
    }

    /// A whole number of a range, quoted or not.
    pub fn number(&mut self, node: &Node, what: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let Value::Scalar(scalar) = &node.value else {
            self.expected(node, what, None);
            return None;
        };
        let help = format!("a whole number from {} to {}", range.start(), range.end());
        if !scalar.text.is_empty() && scalar.text.bytes().all(|b| b.is_ascii_digit()) {
            let too = match scalar.text.parse() {
                Ok(number) if range.contains(&number) => return Some(number),
                Ok(number) if number < *range.start() => "small",
                _ => "large",
            };
            let message = format!("{} is too {too} for {what}", quote(&scalar.text));
            self.report(Draft::new(node.span, message).help(help));
        } else {
            let message = format!("expected {what}, found {}", quote(&scalar.text));
            self.report(Draft::new(node.span, message).help(help));
        }
        None
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let word = self.text(node, what)?;
        if let Some((_, value)) = choices.iter().find(|(known, _)| *known == word) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
        let help = suggest(word, words.iter().copied()).unwrap_or_else(|| format!("one of: {}", words.join(", ")));
        self.report(Draft::new(node.span, format!("{} is not {what}", quote(word))).help(help));
        None
    }
}

/// A shorter beginning of a word says nothing of it.
const SHORTEST_BEGINNING: usize = 3;

/// "did you mean ...?", where one of the candidates is close, or is the only one that begins so.
pub(crate) fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let length = word.chars().count();
    if length > 63 {
        return None;
    }
    let lower = word.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let begun = |candidate: &&str| length >= SHORTEST_BEGINNING && candidate.to_lowercase().starts_with(&lower);
    let mut longer = candidates.iter().copied().filter(begun);
    let only = longer.next().filter(|_| longer.next().is_none());
    let close = candidates
        .iter()
        .copied()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= 3 && *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= (length / 3).clamp(1, 3))
        // Among equals the one that is spelt more alike: `db2` is `db1` rather than `DB`.
        .min_by_key(|(distance, candidate)| (*distance, strsim::damerau_levenshtein(word, candidate)))
        .map(|(_, candidate)| candidate);
    close.or(only.filter(|only| *only != word)).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The place of a word that was cut out of a node's text.
pub(super) fn part(node: &Node, word: &str) -> Span {
    let Value::Scalar(scalar) = &node.value else { return node.span };
    let from = (word.as_ptr() as usize).wrapping_sub(scalar.text.as_ptr() as usize);
    match from.checked_add(word.len()) {
        Some(to) if to <= scalar.text.len() => node.part(from, to),
        _ => node.span,
    }
}
