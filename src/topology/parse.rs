//! From the bytes of a file to a checked topology.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::mounts::Files;
use super::names::Sort;
use super::problem::{Draft, Problems, Source, Span};
use super::reading::{Fields, Reading};
use super::tree::{self, Node, Value};
use super::{Expectation, ExpectedOutcome, KnobOverrides, Placed, Selector, Step, Story, Topology, columns, strangers};
use crate::model::{
    AddressRequest, ChangeGroups, Cloud, DEFAULT_GROUP, ElasticIpOnStop, GroupName, GroupReferenceIpv6, IcmpErrors,
    InstanceName, InterfaceId, OnCrash, OnStart, Operation, Quotas, SelfReference, Service,
};

/// The largest topology file. A caller reads at most one byte more.
pub const MAX_BYTES: usize = 1 << 20;

/// Instances times ports that must not be listened on.
const MAX_DEAF: usize = 1_000_000;
const VERSION: u32 = 1;
const KEYS: [&str; 13] = [
    "sglab",
    "era",
    "knobs",
    "tracking",
    "vpcs",
    "hosts",
    "elastic-ips",
    "prefix-lists",
    "groups",
    "instances",
    "load-balancers",
    "tables",
    "scenario",
];
const START: Span = Span { start: 0, end: 0 };

impl Topology {
    /// Reads a topology file; `file` is its name as the user gave it.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at once. Only what is too large, no text or no YAML ends reading.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        Self::read(file, bytes, Promise::Demanded, None)
    }

    /// As [`Self::parse`], where the files that it names can be looked for: those of `mounts:` must be there.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_beside(file: &str, bytes: &[u8], files: &dyn Files) -> Result<Self, Problems> {
        Self::read(file, bytes, Promise::Demanded, Some(files))
    }

    /// As [`Self::parse`], for whoever wants the cloud only: the file need not have a scenario, nor expect anything.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_cloud(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        Self::read(file, bytes, Promise::Optional, None)
    }

    /// As [`Self::parse_cloud`], where the files that it names can be looked for.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_cloud_beside(file: &str, bytes: &[u8], files: &dyn Files) -> Result<Self, Problems> {
        Self::read(file, bytes, Promise::Optional, Some(files))
    }

    fn read(file: &str, bytes: &[u8], promise: Promise, files: Option<&dyn Files>) -> Result<Self, Problems> {
        let text = match text(bytes) {
            Ok(text) => text,
            // The lines of such a file are not fit to be shown.
            Err(draft) => return Err(Problems::new(&Source::new(file, ""), vec![draft])),
        };
        let source = Source::new(file, text);
        let mut problems = Vec::new();
        let root = match tree::parse(text, &mut problems) {
            Ok(root) => root,
            Err(draft) => {
                problems.push(draft);
                return Err(Problems::new(&source, problems));
            }
        };
        let mut reading = Reading::new(&source, problems, files);
        let topology = match &root {
            Some(root) if !matches!(&root.value, Value::Scalar(s) if s.kind() == tree::Kind::Nothing) => {
                reading.topology(root, promise)
            }
            _ => {
                reading.report(Draft::new(START, "the file is empty").help("`sglab init` writes one to start from"));
                None
            }
        };
        match topology {
            Some(topology) if reading.problems.is_empty() => Ok(Self { story: Story::of(text), ..topology }),
            _ => Err(Problems::new(&source, reading.problems)),
        }
    }
}

/// Whether a file must expect something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    Demanded,
    Optional,
}

/// The file as text.
fn text(bytes: &[u8]) -> Result<&str, Draft> {
    if bytes.len() > MAX_BYTES {
        return Err(Draft::new(START, format!("the file is larger than {MAX_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Draft::new(START, format!("the file is not text: byte {} is not UTF-8", at + 1))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Some((at, c)) => Err(Draft::new(
            START,
            format!("the file is not text: byte {} is the control character {}", at + 1, c.escape_unicode()),
        )),
        None => Ok(text),
    }
}

impl Reading<'_> {
    fn topology(&mut self, root: &Node, promise: Promise) -> Option<Topology> {
        let fields = self.fields(root, "a topology, such as `sglab init` writes", &KEYS)?;
        self.version(root, &fields);
        match fields.get("era") {
            Some(node) => self.eras = self.era_list(node),
            None => {
                let draft = Draft::new(root.span, "the file does not say which EC2 it is about");
                self.missing(&fields, draft.help("it needs `era: article`, `classic` or `vpc`"));
            }
        }
        let overrides = fields.get("knobs").map(|node| self.knobs(node)).unwrap_or_default();
        let tracking = self.tracking(fields.get("tracking"));
        self.know_own_boxes(fields.get("vpcs"));
        for (key, sort) in [
            ("prefix-lists", Sort::PrefixList),
            ("hosts", Sort::Host),
            ("groups", Sort::Group),
            ("instances", Sort::Instance),
            ("load-balancers", Sort::LoadBalancer),
        ] {
            match fields.get(key).map(|node| &node.value) {
                Some(Value::Mapping(entries)) => entries.iter().for_each(|(key, _)| self.declare(key, sort, &[])),
                Some(_) => self.incomplete = true,
                None => {}
            }
        }
        if let Some(node) = fields.get("elastic-ips") {
            match &node.value {
                Value::Mapping(entries) => {
                    entries.iter().for_each(|(key, _)| self.declare(key, Sort::ElasticIp, &[]));
                }
                Value::Sequence(items) => items.iter().for_each(|item| self.declare(item, Sort::ElasticIp, &[])),
                Value::Scalar(_) => self.incomplete = true,
            }
        }
        self.declare_later(fields.get("scenario"));
        if let Value::Mapping(entries) = &root.value {
            for (key, value) in entries {
                if matches!(&key.value, Value::Scalar(scalar) if !KEYS.contains(&scalar.text.as_str())) {
                    self.note_unread(value);
                }
            }
        }
        self.read_vpcs(fields.get("vpcs"));
        self.know_default_group();
        self.read_hosts(fields.get("hosts"));
        let elastic = fields.get("elastic-ips").map(|node| self.elastic_ips(node));
        let (mut initial, associated) = elastic.unwrap_or_default();
        initial.extend(fields.get("prefix-lists").map_or_else(Vec::new, |node| self.prefix_lists(node)));
        initial.extend(fields.get("groups").map_or_else(Vec::new, |node| self.groups(node, false)));
        initial.extend(fields.get("instances").map_or_else(Vec::new, |node| self.initial_instances(node)));
        self.refuse_wrong_holders();
        initial.extend(associated);
        initial.extend(fields.get("load-balancers").map_or_else(Vec::new, |node| self.load_balancers(node)));
        self.refuse_idle_routes();
        self.read_tables(fields.get("tables"));
        let steps = fields.get("scenario").map_or_else(Vec::new, |node| self.steps(node));
        self.refuse_routes_to_no_interface();
        self.refuse_empty_patterns();
        self.refuse_strangers_behind();
        if promise == Promise::Demanded {
            self.refuse_no_promise(root, &fields);
        }
        let deaf = self.deaf(&initial, &steps);

        // None of it is used if a problem was found; so nothing here needs to be told twice.
        let era = *self.eras.first()?;
        let mut empty = Cloud::new(
            era,
            overrides.over(era.knobs()),
            std::mem::take(&mut self.vpcs),
            std::mem::take(&mut self.hosts),
        );
        empty.tracking = tracking;
        reserve(&mut empty, &initial, &steps);
        let mut topology = Topology {
            name: stem(self.source.file()).to_owned(),
            file: Arc::clone(self.source.file()),
            eras: std::mem::take(&mut self.eras),
            overrides,
            initial,
            default_group: self.default_used.then(|| empty.vpcs.keys().next().cloned()).flatten(),
            default_group_of_balancers: self.default_of_balancers.then(|| empty.vpcs.keys().next().cloned()).flatten(),
            elb_group: self.elb_group_used.then(|| empty.vpcs.keys().next().cloned()).flatten(),
            empty,
            tables: std::mem::take(&mut self.tables),
            steps,
            columns: IndexSet::new(),
            deaf,
            story: Story::default(),
        };
        topology.columns = columns::columns(&topology, &self.ports);
        strangers::add(&mut topology);
        if self.problems.is_empty() {
            self.refuse_unlaunchable(&topology);
        }
        Some(topology)
    }

    /// What EC2 would refuse before the first step is a mistake of the file, told in EC2's words.
    fn refuse_unlaunchable(&mut self, topology: &Topology) {
        for era in &topology.eras {
            let Err((refusal, place)) = topology.initial_cloud(*era) else { continue };
            let draft = Draft::new(self.source.word_at(&place), format!("era {era} refuses this: {refusal}"));
            return self.report(draft.help(format!("write what era {era} takes, or name other eras")));
        }
    }

    /// The first VPC's `default` group is there before anything that the file makes.
    fn know_default_group(&mut self) {
        let vpc = self.vpcs.keys().next().cloned();
        self.world.groups.insert(GroupName::new(DEFAULT_GROUP), vpc);
    }

    fn version(&mut self, root: &Node, fields: &Fields<'_>) {
        let Some(node) = fields.get("sglab") else {
            let draft = Draft::new(root.span, "the file does not say which version of the format it has");
            return self.missing(fields, draft.help("it begins with `sglab: 1`"));
        };
        let Some(version) = self.number(node, "a version of the format", 0..=u32::MAX) else { return };
        if version != VERSION {
            let draft = Draft::new(node.span, format!("version {version} of the format is not known here"));
            self.report(draft.help(format!("this sglab knows version {VERSION}")));
        }
    }

    fn knobs(&mut self, node: &Node) -> KnobOverrides {
        let keys = [
            "change-groups",
            "self-reference",
            "private-address-on-start",
            "address-on-crash",
            "elastic-ip-on-stop",
            "quotas",
            "group-reference-ipv6",
            "icmp-errors",
        ];
        let Some(fields) = self.fields(node, "a mapping of knobs", &keys) else { return KnobOverrides::default() };
        KnobOverrides {
            change_groups: fields
                .get(keys[0])
                .and_then(|n| self.choice(n, "a value of this knob", ChangeGroups::WORDS)),
            self_reference: fields
                .get(keys[1])
                .and_then(|n| self.choice(n, "a value of this knob", SelfReference::WORDS)),
            private_address_on_start: fields
                .get(keys[2])
                .and_then(|n| self.choice(n, "a value of this knob", OnStart::WORDS)),
            address_on_crash: fields.get(keys[3]).and_then(|n| self.choice(n, "a value of this knob", OnCrash::WORDS)),
            elastic_ip_on_stop: fields
                .get(keys[4])
                .and_then(|n| self.choice(n, "a value of this knob", ElasticIpOnStop::WORDS)),
            quotas: fields.get(keys[5]).and_then(|n| self.choice(n, "a value of this knob", Quotas::WORDS)),
            group_reference_ipv6: fields
                .get(keys[6])
                .and_then(|n| self.choice(n, "a value of this knob", GroupReferenceIpv6::WORDS)),
            icmp_errors: fields.get(keys[7]).and_then(|n| self.choice(n, "a value of this knob", IcmpErrors::WORDS)),
        }
    }

    /// A file that expects nothing would always pass.
    fn refuse_no_promise(&mut self, root: &Node, fields: &Fields<'_>) {
        let entry = fields.entry("scenario");
        let expects = entry.is_some_and(|(_, node)| match &node.value {
            Value::Sequence(steps) => steps.iter().any(|step| match &step.value {
                Value::Mapping(entries) => {
                    entries.iter().any(|(key, _)| matches!(&key.value, Value::Scalar(s) if s.text == "expect"))
                }
                // Reported already as what it is.
                _ => true,
            }),
            _ => true,
        });
        if !expects {
            let draft = Draft::new(entry.map_or(root.span, |(key, _)| key.span), "the file checks nothing");
            self.missing(fields, draft.help("it needs a `scenario:` with at least one `expect:`"));
        }
    }

    /// What `refused` expectations name, of everyone they can ever mean.
    fn deaf(&mut self, initial: &[Placed<Operation>], steps: &[Step]) -> IndexSet<(InstanceName, Service)> {
        let operations = steps.iter().flat_map(Step::operations);
        let launches = initial.iter().chain(operations).filter_map(|operation| match &operation.value {
            Operation::Launch(launch) => Some((&launch.name, launch)),
            _ => None,
        });
        let launches: IndexMap<_, _> = launches.collect();
        let mut deaf = IndexSet::new();
        for expectation in steps.iter().flat_map(|step| &step.expectations) {
            let Expectation::Flows(ExpectedOutcome::Refused, flows) = &expectation.value else { continue };
            for flow in flows {
                if deaf.len() > MAX_DEAF {
                    self.report(Draft::new(
                        START,
                        "the `refused` flows of this file name too many instances and ports",
                    ));
                    return deaf;
                }
                let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
                for receiver in ends.into_iter().flatten() {
                    match receiver {
                        Selector::Instance(instance)
                        | Selector::Interface(InterfaceId { instance, .. })
                        | Selector::Forged(InterfaceId { instance, .. }, _) => {
                            deaf.insert((instance.clone(), flow.service));
                        }
                        Selector::Group(group) => {
                            let members = self.world.members.get(group).into_iter().flatten();
                            deaf.extend(members.map(|member| (member.clone(), flow.service)));
                        }
                        Selector::Any => deaf.extend(launches.keys().map(|&name| (name.clone(), flow.service))),
                        Selector::Host(_) | Selector::HostAddress(..) => {}
                    }
                }
            }
        }
        deaf
    }
}

/// Addresses that the file asks for by hand, so that automatic ones never take them.
fn reserve(empty: &mut Cloud, initial: &[Placed<Operation>], steps: &[Step]) {
    for operation in initial.iter().chain(steps.iter().flat_map(Step::operations)) {
        if let Operation::Launch(launch) = &operation.value {
            let held = empty.counters.private.entry(launch.vpc.clone()).or_default();
            for request in std::iter::once(&launch.address).chain(launch.more.iter().map(|more| &more.address)) {
                if let AddressRequest::Exact(address) = request {
                    held.insert(*address);
                }
            }
        }
    }
}

/// `two-tier` of `topologies/two-tier.yaml`.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}
