//! Elastic IPs: those of the start, and what steps do with them.

use indexmap::IndexMap;

use super::interfaces::split;
use super::names::EntityKind;
use super::resolver::{Holder, Resolver};
use crate::model::{Attachment, ElasticIpName, InstanceName, Operation, Reassociation, RefusalCode, Target};
use crate::topology::document::networks::ElasticIps;
use crate::topology::document::scenario::{Addresses, Association};
use crate::topology::document::shape::{Field, Map, Or, Span, SpannedText};
use crate::topology::document::words::{Holder as HolderSaid, Name};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// Takes up their names.
    pub fn declare_elastic_ips(&mut self, said: &Field<ElasticIps>) {
        self.names.doubts.incomplete |= said.is_unread();
        match said.get() {
            Some(Or::Short(list)) => list.items.iter().for_each(|name| self.declare(name, EntityKind::ElasticIp, &[])),
            Some(Or::Long(map)) => map.entries.iter().for_each(|it| self.declare_key(it, EntityKind::ElasticIp, &[])),
            None => {}
        }
    }

    /// The Elastic IPs of the start: a list of names, or names with the instances or interfaces that have them.
    ///
    /// The first of the pair allocates, before rules name them; the second associates, once instances run.
    pub fn elastic_ips(&mut self, said: &Field<ElasticIps>) -> (Vec<Placed<Operation>>, Vec<Placed<Operation>>) {
        let (mut allocated, mut associated) = (Vec::new(), Vec::new());
        let map = match said.get() {
            Some(Or::Long(map)) => map,
            Some(Or::Short(list)) => {
                allocated.extend(list.items.iter().filter_map(|name| self.allocation(name)));
                return (allocated, associated);
            }
            None => return (allocated, associated),
        };
        for entry in &map.entries {
            allocated.extend(entry.key.as_deref().and_then(|key| self.allocation(key)));
            let Some(value) = entry.value.as_deref() else {
                self.names.doubts.publics = true;
                continue;
            };
            let word = value.text();
            if word == HolderSaid::NONE {
                continue;
            }
            let (holder, device) = split(word).map_or((word, None), |(holder, device)| (holder, Some(device)));
            if self.names.sort(holder) != Some(EntityKind::Instance) {
                self.unknown(holder, value.part(holder), EntityKind::Instance);
                self.names.doubts.publics = true;
                continue;
            }
            let instance = InstanceName::new(holder);
            let named = value.part(holder);
            self.later.holders.push(Holder { instance: instance.clone(), named, device, span: value.span });
            let to = match device {
                None => Target::Instance(instance),
                Some(device) => Target::Interface(Attachment { instance, device }),
            };
            let Some(name) = self.declared(entry.key.as_deref(), EntityKind::ElasticIp) else { continue };
            let operation = associate(name, to, Reassociation::Allowed);
            self.cloud.now.apply(&operation, true);
            associated.push(Placed { value: operation, place: self.place(value.span) });
        }
        (allocated, associated)
    }

    /// Refuses Elastic IPs from the start for instances that are not there from the start, and second ones for an interface.
    pub fn refuse_wrong_holders(&mut self) {
        let mut taken: IndexMap<Attachment, Span> = IndexMap::new();
        for Holder { instance, named, device, span } in std::mem::take(&mut self.later.holders) {
            if !self.cloud.now.instances.contains_key(&instance) {
                self.unknown(instance.as_str(), named, EntityKind::Instance);
                continue;
            }
            let id = Attachment { instance, device: device.unwrap_or(0) };
            if self.interface_there(&id, span).is_none() {
                continue;
            }
            let several =
                self.cloud.now.devices.get(&id.instance).filter(|devices| device.is_none() && devices.len() > 1);
            if let Some(devices) = several {
                let each: Vec<String> = devices.iter().map(|device| format!("`{}.eth{device}`", id.instance)).collect();
                let message = format!("{} has several interfaces", quote(id.instance.as_str()));
                self.report(Diagnostic::new(span, message).help(format!("name one: {}", each.join(", "))));
                continue;
            }
            if let Some(first) = taken.get(&id) {
                let draft = Diagnostic::new(span, format!("{} has an Elastic IP already", quote(&id.to_string())));
                let help = "an interface has one, since it has one private address";
                self.report(draft.help(help).related("associated first here", *first));
                continue;
            }
            taken.insert(id, span);
        }
    }

    fn allocation(&mut self, word: &SpannedText) -> Option<Placed<Operation>> {
        let name = ElasticIpName::new(self.declared(Some(word), EntityKind::ElasticIp)?);
        self.cloud.now.elastic_ips.insert(name.clone());
        Some(Placed { value: Operation::AllocateAddress(name), place: self.place(word.span) })
    }

    /// `allocate-address: [eip]`.
    pub fn allocations(&mut self, names: &Addresses) -> Vec<Placed<Operation>> {
        names.items.iter().filter_map(|name| self.allocation(name)).collect()
    }

    /// `associate-address: {eip-db: db2}`, or `{eip-db: {instance: db2, allow-reassociation: no}}`.
    pub fn associations(&mut self, said: &Map<Name<ElasticIpName>, Association>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for entry in &said.entries {
            let name = entry.key.as_deref().and_then(|key| self.elastic_ip(key));
            let mut reassociation = Reassociation::Allowed;
            let instance: Option<&HolderSaid> = match &entry.value {
                Some(Or::Short(instance)) => Some(instance),
                Some(Or::Long(long)) => {
                    reassociation = long.allow_reassociation.get().map_or(reassociation, |choice| choice.value);
                    if !long.instance.is_there() {
                        self.missing(&long.at, Diagnostic::new(entry.at, "it does not say with which instance"));
                        continue;
                    }
                    long.instance.get()
                }
                None => None,
            };
            let instance = instance.and_then(|instance| self.target(instance));
            if let (Some(name), Some(instance)) = (name, instance) {
                let value = associate(name.as_str(), instance, reassociation);
                operations.push(Placed { value, place: self.place(entry.at) });
            } else {
                self.names.doubts.publics = true;
            }
        }
        operations
    }

    /// An Elastic IP that exists at this step; any name, if the step wants to see it refused as unknown.
    pub fn elastic_ip(&mut self, said: &SpannedText) -> Option<ElasticIpName> {
        let word = said.text();
        let name = ElasticIpName::new(word);
        // EC2-Classic knows it by its address, a VPC by the id of its allocation.
        let codes = [RefusalCode::InvalidAddressNotFound, RefusalCode::InvalidAllocationIdNotFound];
        let may_be_unknown = codes.into_iter().any(|code| self.refused.may_be(code));
        if self.cloud.now.elastic_ips.contains(&name) || may_be_unknown && super::names::fault(word).is_none() {
            return Some(name);
        }
        if self.names.sort(word) == Some(EntityKind::ElasticIp) {
            self.report(Diagnostic::new(
                said.span,
                format!("the Elastic IP {} is not allocated at this step", quote(word)),
            ));
        } else {
            self.unknown(word, said.span, EntityKind::ElasticIp);
        }
        None
    }
}

fn associate(name: &str, to: Target, reassociation: Reassociation) -> Operation {
    Operation::AssociateAddress { elastic_ip: ElasticIpName::new(name), to, reassociation }
}
