//! From the bytes of a file to a checked topology.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::names::EntityKind;
use super::resolver::Resolver;
use super::settings;
use crate::model::{
    AddressRequest, AskedIpv6, Attachment, Cloud, DEFAULT_GROUP, Era, GroupName, InstanceName, InterfaceHolder,
    NameEffect, Operation, SecondaryAddress, Service, VpcName, default_group,
};
use crate::topology::checked::{RefusedAtFirst, Topology};
use crate::topology::document::Document;
use crate::topology::expected::{Expectation, ExpectedOutcome};
use crate::topology::files::Files;
use crate::topology::patterns::Selector;
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, Problems, Source};
use crate::topology::reading::{self, START};
use crate::topology::steps::Step;
use crate::topology::story::Story;
use crate::topology::table_columns::Columns;
use crate::topology::{columns, synthetic_hosts};

/// Instances times ports that must not be listened on.
const MAX_DEAF: usize = 1_000_000;

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
        let text = match reading::text(bytes) {
            Ok(text) => text,
            // The lines of such a file are not fit to be shown.
            Err(draft) => return Err(Problems::new(&Source::new(file, ""), vec![draft])),
        };
        let source = Source::new(file, text);
        let mut problems = Vec::new();
        let document = reading::document::<Document>(text, "`sglab init` writes one to start from", &mut problems);
        let mut resolver = Resolver::new(&source, problems, files);
        let topology = document.and_then(|document| resolver.topology(&document, promise));
        match topology {
            Some(topology) if resolver.told.problems.is_empty() => Ok(Self { story: Story::of(text), ..topology }),
            _ => Err(Problems::new(&source, resolver.told.problems)),
        }
    }
}

/// Requirement that a file expect something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    Demanded,
    Optional,
}

impl Resolver<'_> {
    fn topology(&mut self, file: &Document, promise: Promise) -> Option<Topology> {
        if !file.sglab.is_there() {
            let draft = Diagnostic::new(file.at.span, "the file does not say which version of the format it has");
            self.missing(&file.at, draft.help("it begins with `sglab: 1`"));
        }
        if !file.era.is_there() {
            let draft = Diagnostic::new(file.at.span, "the file does not say which EC2 it is about");
            self.missing(&file.at, draft.help("it needs `era: article`, `classic` or `vpc`"));
        }
        self.cloud.eras = self.era_list(&file.era);
        // Today's EC2 comes first: it is what a command takes that wants one era. The others stay in their order.
        self.cloud.eras.sort_by_key(|era| *era != Era::Vpc);
        let own_knobs = file.knobs.get().map(|said| Era::ALL.map(|era| (era, settings::knobs(said, era.knobs()))));
        let tracking = file.tracking.get().map(settings::timeouts).unwrap_or_default();
        self.know_own_boxes(&file.vpcs);
        self.declare_section(&file.prefix_lists, EntityKind::PrefixList);
        self.declare_section(&file.hosts, EntityKind::Host);
        self.declare_section(&file.groups, EntityKind::Group);
        self.declare_section(&file.instances, EntityKind::Instance);
        self.declare_section(&file.load_balancers, EntityKind::LoadBalancer);
        self.declare_elastic_ips(&file.elastic_ips);
        let steps = file.scenario.get().map_or(&[][..], |list| &list.items);
        self.declare_later(steps);
        file.at.unknown.iter().for_each(|value| self.note_unread(value));
        self.read_vpcs(&file.vpcs);
        self.know_default_groups();
        self.read_hosts(&file.hosts);
        let (mut initial, associated) = self.elastic_ips(&file.elastic_ips);
        initial.extend(file.prefix_lists.get().map_or_else(Vec::new, |map| self.prefix_lists(map)));
        initial.extend(file.groups.get().map_or_else(Vec::new, |map| self.groups(map, false)));
        initial.extend(file.instances.get().map_or_else(Vec::new, |map| self.initial_instances(map)));
        self.refuse_wrong_holders();
        initial.extend(associated);
        initial.extend(file.load_balancers.get().map_or_else(Vec::new, |map| self.load_balancers(map)));
        self.refuse_idle_routes();
        self.read_tables(&file.tables);
        self.refuse_idle_steps(&file.era, steps);
        let steps = self.steps(steps);
        self.refuse_routes_to_no_interface();
        self.refuse_empty_patterns();
        self.refuse_strangers_behind();
        if promise == Promise::Demanded {
            self.refuse_no_promise(file);
        }
        let closed_ports = self.closed_ports(&initial, &steps);

        // None of it is used if a problem was found; so nothing here needs to be told twice.
        let era = *self.cloud.eras.first()?;
        let mut empty =
            Cloud::new(era, era.knobs(), std::mem::take(&mut self.cloud.vpcs), std::mem::take(&mut self.cloud.hosts));
        empty.tracking = tracking;
        reserve(&mut empty, &initial, &steps);
        let mut topology = Topology {
            name: stem(self.told.source.file()).to_owned(),
            file: Arc::clone(self.told.source.file()),
            eras: std::mem::take(&mut self.cloud.eras),
            own_knobs: own_knobs.map(IndexMap::from).unwrap_or_default(),
            initial,
            default_groups: std::mem::take(&mut self.cloud.defaults_used),
            default_groups_of_balancers: std::mem::take(&mut self.cloud.defaults_of_balancers),
            elb_group: self.cloud.elb_group_used.then(|| empty.vpcs.keys().next().cloned()).flatten(),
            empty,
            tables: std::mem::take(&mut self.cloud.tables),
            steps,
            columns: Columns::default(),
            closed_ports,
            story: Story::default(),
        };
        topology.columns = columns::columns(&topology, &self.cloud.ports);
        synthetic_hosts::add(&mut topology, &self.cloud.outside);
        self.refuse_nobody_outside(&topology);
        if self.told.problems.is_empty() {
            self.refuse_unlaunchable(&topology);
        }
        Some(topology)
    }

    /// Reports what EC2 would refuse before the first step as a mistake of the file, in EC2's words.
    fn refuse_unlaunchable(&mut self, topology: &Topology) {
        let mut all: Vec<(RefusedAtFirst, Vec<Era>)> = Vec::new();
        for era in &topology.eras {
            for refused in topology.refused_at_first(*era) {
                match all.iter_mut().find(|(known, _)| *known == refused) {
                    Some((_, eras)) => eras.push(*era),
                    None => all.push((refused, vec![*era])),
                }
            }
        }
        for (RefusedAtFirst { refusal, place, description }, eras) in all {
            let (refuse, take) = match eras.as_slice() {
                [era] => (format!("era {era} refuses"), format!("era {era} takes")),
                several => {
                    let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                    (format!("eras {} refuse", names.join(" and ")), "they take".to_owned())
                }
            };
            let word = self.told.source.word_at(&place);
            let span = description.and_then(|said| self.told.source.behind(word, &said)).unwrap_or(word);
            let culprits = refusal.culprits.iter().map(|it| format!("{it}; ")).collect::<String>();
            let draft = Diagnostic::new(span, format!("{refuse} this: {refusal}"));
            self.report(draft.help(format!("{culprits}write what {take}, or name other eras")));
        }
    }

    /// The default group of each VPC is there before anything that the file makes.
    fn know_default_groups(&mut self) {
        // Also where no VPC could be read.
        self.cloud.now.groups.insert(GroupName::new(DEFAULT_GROUP), None);
        for vpc in self.cloud.vpcs.keys() {
            self.cloud.now.groups.insert(default_group(self.cloud.vpcs.keys(), vpc), Some(vpc.clone()));
        }
    }

    /// A file that expects nothing would always pass.
    fn refuse_no_promise(&mut self, file: &Document) {
        // What could not be read is reported already as what it is.
        let expects = match file.scenario.get() {
            Some(steps) => steps.unread || steps.items.iter().any(|step| step.expect.is_there()),
            None => file.scenario.is_unread(),
        };
        if !expects {
            let draft = Diagnostic::new(file.scenario.key.unwrap_or(file.at.span), "the file checks nothing");
            self.missing(&file.at, draft.help("`test` and `walk` want a `scenario:` with at least one `expect:`; other commands take the file without"));
        }
    }

    /// Collects the instances and load balancers that `refused` expectations can ever name, with the services.
    fn closed_ports(&mut self, initial: &[Placed<Operation>], steps: &[Step]) -> IndexSet<(InterfaceHolder, Service)> {
        let operations = steps.iter().flat_map(Step::operations);
        let holders = initial.iter().chain(operations).filter_map(|operation| match operation.value.names()? {
            NameEffect::Instance(launch) => Some(InterfaceHolder::from(&launch.name)),
            NameEffect::LoadBalancer(name) => Some(InterfaceHolder::from(name)),
            NameEffect::Group(..)
            | NameEffect::NoGroup(_)
            | NameEffect::NoInstance(_)
            | NameEffect::Interface(..)
            | NameEffect::Groups(..)
            | NameEffect::PrefixList(_)
            | NameEffect::ElasticIp(_)
            | NameEffect::NoElasticIp(_)
            | NameEffect::PublicAddress(_) => None,
        });
        let holders: IndexSet<InterfaceHolder> = holders.collect();
        let mut closed_ports = IndexSet::new();
        for expectation in steps.iter().flat_map(|step| &step.expectations) {
            let Expectation::Flows(ExpectedOutcome::Refused, flows) = &expectation.value else { continue };
            for flow in flows {
                if closed_ports.len() > MAX_DEAF {
                    self.report(Diagnostic::new(
                        START,
                        "the `refused` flows of this file name too many instances and ports",
                    ));
                    return closed_ports;
                }
                let ends = [Some(&flow.to), flow.both_ways.then_some(&flow.from)];
                for receiver in ends.into_iter().flatten() {
                    match receiver {
                        Selector::Instance(instance)
                        | Selector::Interface(Attachment { instance, .. })
                        | Selector::Forged(Attachment { instance, .. }, _) => {
                            closed_ports.insert((instance.into(), flow.service));
                        }
                        Selector::LoadBalancer(name) => {
                            closed_ports.insert((name.into(), flow.service));
                        }
                        Selector::Group(group) => {
                            let members = self.cloud.now.members.get(group).into_iter().flatten();
                            closed_ports.extend(members.map(|member| (member.clone(), flow.service)));
                        }
                        Selector::Any => {
                            closed_ports.extend(holders.iter().map(|holder| (holder.clone(), flow.service)))
                        }
                        Selector::Host(_) | Selector::HostAddress(..) | Selector::HostNumber(..) => {}
                    }
                }
            }
        }
        closed_ports
    }
}

/// Addresses that the file asks for by hand, so that automatic ones never take them.
fn reserve(empty: &mut Cloud, initial: &[Placed<Operation>], steps: &[Step]) {
    let mut vpcs: HashMap<&InstanceName, &VpcName> = HashMap::new();
    for operation in initial.iter().chain(steps.iter().flat_map(Step::operations)) {
        if let Operation::Launch(launch) = &operation.value {
            vpcs.insert(&launch.name, &launch.vpc);
            reserve_of(empty, &launch.vpc, (&launch.address, launch.ipv6, &launch.secondary));
            for more in &launch.more {
                reserve_of(empty, &launch.vpc, (&more.address, more.ipv6, &more.secondary));
            }
        } else if let Operation::AttachInterface(instance, more) = &operation.value
            // A step may name an instance that nobody has, to see that refused.
            && let Some(vpc) = vpcs.get(instance)
        {
            reserve_of(empty, vpc, (&more.address, more.ipv6, &more.secondary));
        }
    }
}

/// The same of one interface.
fn reserve_of(
    empty: &mut Cloud,
    vpc: &VpcName,
    (address, ipv6, secondary): (&AddressRequest, AskedIpv6, &[SecondaryAddress]),
) {
    let held = empty.counters.private.entry(vpc.clone()).or_default();
    held.extend(secondary.iter().flat_map(|it| it.private_addresses()));
    if let AddressRequest::Exact(address) = address {
        held.insert(*address);
    }
    empty.counters.ipv6.extend(secondary.iter().filter_map(|it| it.ipv6()));
    if let AskedIpv6::Exact(address) = ipv6 {
        empty.counters.ipv6.insert(address.0.into());
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
