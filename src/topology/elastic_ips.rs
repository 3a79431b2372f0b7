//! Elastic IPs: those of the start, and what steps do with them.

use indexmap::IndexMap;

use super::Placed;
use super::interfaces::split;
use super::names::Sort;
use super::problem::{Draft, Span, quote};
use super::reading::{Reading, part};
use super::scenario::may_be_refused;
use super::tree::{Node, Value};
use crate::model::{ElasticIpName, InstanceName, InterfaceId, Operation, Reassociation, RefusalCode, Target};

/// Who has an Elastic IP from the start, as the file says it.
pub(super) struct Holder {
    instance: InstanceName,
    /// Where its name stands.
    named: Span,
    /// Nothing where it says no interface, and so means the only one.
    device: Option<u8>,
    span: Span,
}

impl Reading<'_> {
    /// The Elastic IPs of the start: a list of names, or names with the instances or interfaces that have them.
    ///
    /// The first of the pair allocates, before rules name them; the second associates, once instances run.
    pub fn elastic_ips(&mut self, node: &Node) -> (Vec<Placed<Operation>>, Vec<Placed<Operation>>) {
        let (mut allocated, mut associated) = (Vec::new(), Vec::new());
        if let Value::Sequence(items) = &node.value {
            allocated.extend(items.iter().filter_map(|item| self.allocation(item)));
            return (allocated, associated);
        }
        for (key, value) in self.mapping(node, "a list of Elastic IPs, or a mapping from them to instances") {
            allocated.extend(self.allocation(key));
            let Some(word) =
                self.text(value, "the name of an instance or of an interface such as `web1.eth1`, or `none`")
            else {
                self.publics_unknown = true;
                continue;
            };
            if word == "none" {
                continue;
            }
            let (holder, device) = split(word).map_or((word, None), |(holder, device)| (holder, Some(device)));
            if self.names.sort(holder) != Some(Sort::Instance) {
                self.unknown(holder, part(value, holder), Sort::Instance);
                self.publics_unknown = true;
                continue;
            }
            let instance = InstanceName::new(holder);
            let named = part(value, holder);
            self.holders.push(Holder { instance: instance.clone(), named, device, span: value.span });
            let to = match device {
                None => Target::Instance(instance),
                Some(device) => Target::Interface(InterfaceId { instance, device }),
            };
            let Some(name) = self.declared(key, Sort::ElasticIp) else { continue };
            let operation = associate(&name, to, Reassociation::Allowed);
            self.world.apply(&operation, true);
            associated.push(Placed { value: operation, place: self.place(value.span) });
        }
        (allocated, associated)
    }

    /// Who has an Elastic IP from the start must be there from the start, and has one of each interface.
    pub fn refuse_wrong_holders(&mut self) {
        let mut taken: IndexMap<InterfaceId, Span> = IndexMap::new();
        for Holder { instance, named, device, span } in std::mem::take(&mut self.holders) {
            if !self.world.instances.contains_key(&instance) {
                self.unknown(instance.as_str(), named, Sort::Instance);
                continue;
            }
            let id = InterfaceId { instance, device: device.unwrap_or(0) };
            if self.interface_there(&id, span).is_none() {
                continue;
            }
            let several = self.world.devices.get(&id.instance).filter(|devices| device.is_none() && devices.len() > 1);
            if let Some(devices) = several {
                let each: Vec<String> = devices.iter().map(|device| format!("`{}.eth{device}`", id.instance)).collect();
                let message = format!("{} has several interfaces", quote(id.instance.as_str()));
                self.report(Draft::new(span, message).help(format!("name one: {}", each.join(", "))));
                continue;
            }
            if let Some(first) = taken.get(&id) {
                let draft = Draft::new(span, format!("{} has an Elastic IP already", quote(&id.to_string())));
                let help = "an interface has one, since it has one private address";
                self.report(draft.help(help).related("associated first here", *first));
                continue;
            }
            taken.insert(id, span);
        }
    }

    fn allocation(&mut self, node: &Node) -> Option<Placed<Operation>> {
        let name = ElasticIpName::new(self.declared(node, Sort::ElasticIp)?);
        self.world.elastic_ips.insert(name.clone());
        Some(Placed { value: Operation::AllocateAddress(name), place: self.place(node.span) })
    }

    /// `allocate-address`, `disassociate-address`, `release-address`.
    pub fn address_changes(&mut self, verb: &str, node: &Node, refusal: Option<&str>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for item in self.some(node, "an Elastic IP or a list of them") {
            if verb == "allocate-address" {
                operations.extend(self.allocation(item));
                continue;
            }
            let Some(name) = self.elastic_ip(item, refusal) else { continue };
            let make =
                if verb == "release-address" { Operation::ReleaseAddress } else { Operation::DisassociateAddress };
            operations.push(Placed { value: make(name), place: self.place(item.span) });
        }
        operations
    }

    /// `associate-address: {eip-db: db2}`, or `{eip-db: {instance: db2, allow-reassociation: no}}`.
    pub fn associations(&mut self, node: &Node, refusal: Option<&str>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for (key, value) in self.mapping(node, "a mapping from Elastic IPs to instances") {
            let name = self.elastic_ip(key, refusal);
            let mut reassociation = Reassociation::Allowed;
            let instance = match &value.value {
                Value::Mapping(_) => {
                    let known = ["instance", "allow-reassociation"];
                    let Some(fields) = self.fields(value, "an association", &known) else { continue };
                    let choices = [("yes", Reassociation::Allowed), ("no", Reassociation::Refused)];
                    if let Some(node) = fields.get("allow-reassociation") {
                        reassociation = self.choice(node, "an answer", &choices).unwrap_or(reassociation);
                    }
                    let Some(instance) = fields.get("instance") else {
                        self.missing(&fields, Draft::new(key.span, "it does not say with which instance"));
                        continue;
                    };
                    instance
                }
                _ => value,
            };
            let instance = self.target(instance, refusal);
            if let (Some(name), Some(instance)) = (name, instance) {
                let value = associate(name.as_str(), instance, reassociation);
                operations.push(Placed { value, place: self.place(key.span) });
            } else {
                self.publics_unknown = true;
            }
        }
        operations
    }

    /// An Elastic IP that exists at this step; any name, if the step wants to see it refused as unknown.
    fn elastic_ip(&mut self, node: &Node, refusal: Option<&str>) -> Option<ElasticIpName> {
        let word = self.text(node, "the name of an Elastic IP")?;
        let name = ElasticIpName::new(word);
        let may_be_unknown = may_be_refused(refusal, RefusalCode::InvalidAddressNotFound);
        if self.world.elastic_ips.contains(&name) || may_be_unknown && super::names::fault(word).is_none() {
            return Some(name);
        }
        if self.names.sort(word) == Some(Sort::ElasticIp) {
            self.report(Draft::new(node.span, format!("the Elastic IP {} is not allocated at this step", quote(word))));
        } else {
            self.unknown(word, node.span, Sort::ElasticIp);
        }
        None
    }
}

fn associate(name: &str, to: Target, reassociation: Reassociation) -> Operation {
    Operation::AssociateAddress { elastic_ip: ElasticIpName::new(name), to, reassociation }
}
