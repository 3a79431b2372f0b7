//! Interfaces: `web1.eth1` where a file names one, those of an instance, and what steps do with them.

use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::Ipv4Net;

use super::names::EntityKind;
use super::resolver::Resolver;
use super::secondary::Claims;
use crate::model::{
    Attachment, Era, Forwarding, InstanceName, NewInterface, Operation, RefusalCode, Service, SourceDestCheck,
    SubnetRoute, Target, VpcName, VpcService, number, service_addresses,
};
use crate::topology::document::instances::{Instance as InstanceSaid, Interface as InterfaceSaid, Interfaces};
use crate::topology::document::shape::{Entry, Field, Many, Map, Span, SpannedText};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{Block, Device, Holder, Name};
use crate::topology::grammar::FlowTarget;
use crate::topology::patterns::Selector;
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

/// EC2 gives an instance at most this many, and few types so many.
const MAX_DEVICES: u8 = 15;

/// `web1.eth1`, taken apart.
pub(super) fn split(word: &str) -> Option<(&str, u8)> {
    let (instance, device) = word.rsplit_once(".eth")?;
    device_number(device).filter(|device| *device <= MAX_DEVICES).map(|device| (instance, device))
}

/// Reports whether a packet from this address is sent on by a router at all.
fn is_sent_from(source: IpAddr) -> bool {
    let stays = source.is_unspecified() || source.is_loopback() || source.is_multicast();
    !stays
        && match source {
            IpAddr::V4(four) => !four.is_broadcast() && !four.is_link_local(),
            IpAddr::V6(six) => !six.is_unicast_link_local() && six.to_ipv4_mapped().is_none(),
        }
}

/// The number in `eth1`. There is one way to write it: `eth01` is none.
fn device_number(text: &str) -> Option<u8> {
    number(text).filter(|device: &u8| device.to_string() == text)
}

/// The number of an interface beside the first, `eth1`.
fn further(word: &str) -> Option<u8> {
    let device = word.strip_prefix("eth").and_then(device_number);
    device.filter(|device| (1..=MAX_DEVICES).contains(device))
}

/// The interfaces of an instance by their names alone, the first included; nothing if they cannot be read.
pub(super) fn devices(said: &Field<Interfaces>) -> Option<Vec<u8>> {
    if said.is_unread() {
        return None;
    }
    let entries = said.get().map_or(&[][..], |map| &map.entries);
    let further = |entry: &Entry<Device, InterfaceSaid>| further(entry.key.as_ref()?.text());
    std::iter::once(Some(0)).chain(entries.iter().map(further)).collect()
}

impl Resolver<'_> {
    /// An instance, or `web1.eth1`; what a step wants to see refused as unknown may be any name.
    pub fn target(&mut self, said: &Holder) -> Option<Target> {
        let Some((name, device)) = split(said.text()) else {
            let may_be_unknown = self.refused.may_be(RefusalCode::InvalidInstanceIdNotFound);
            return self.operand(said, may_be_unknown).map(Target::Instance);
        };
        let instance = match self.is_for_ec2(name, RefusalCode::InvalidInstanceIdNotFound) {
            true => InstanceName::new(name),
            false => self.instance(name, said.part(name))?,
        };
        let id = Attachment { instance, device };
        if !self.refused.may_be(RefusalCode::InvalidNetworkInterfaceIdNotFound) {
            self.interface_there(&id, said.span)?;
        }
        Some(Target::Interface(id))
    }

    /// Reports an interface that its instance has never had up to here.
    pub fn interface_there(&mut self, id: &Attachment, span: Span) -> Option<()> {
        let devices = self.cloud.now.devices.get(&id.instance).filter(|devices| !devices.contains(&id.device));
        let Some(devices) = devices else { return Some(()) };
        let has: Vec<String> = devices.iter().map(|device| format!("eth{device}")).collect();
        let Attachment { instance, device } = id;
        let draft = Diagnostic::new(span, format!("{} has no interface eth{device}", quote(instance.as_str())));
        self.report(draft.help(format!("{instance} has {}", has.join(", "))));
        None
    }

    /// `web1.eth1` as an end of a flow, or `web1 as 10.0.0.99` as its sender.
    pub fn interface_end(&mut self, node: &SpannedText, word: &str) -> Option<Result<Selector, ()>> {
        if let Some((holder, source)) = word.split_once(" as ") {
            let (name, device) = split(holder.trim()).unwrap_or((holder.trim(), 0));
            let Ok(source) = source.trim().parse::<IpAddr>() else {
                let draft = Diagnostic::new(node.part(word), format!("{} is not an address", quote(source.trim())));
                self.report(draft.help("such as `nat as 10.0.0.99`: an instance that forges its source"));
                return Some(Err(()));
            };
            if !is_sent_from(source) {
                let draft = Diagnostic::new(node.part(word), format!("no packet comes from {source} by a router"));
                self.report(draft.help("loopback, multicast, link-local and unspecified addresses stay on their link"));
                return Some(Err(()));
            }
            let id = self.end_at(node, holder.trim(), name, device);
            if let Some(service) = id.as_ref().and_then(|id| self.service_at(&id.instance, source)) {
                let draft = Diagnostic::new(node.part(word), format!("no packet comes from {source} by a router"));
                self.report(
                    draft.help(format!("the router has it itself, for {service}, and drops what comes from there")),
                );
                return Some(Err(()));
            }
            return Some(id.map(|id| Selector::Forged(id, source)).ok_or(()));
        }
        let (name, device) = split(word)?;
        let id = self.end_at(node, word, name, device);
        Some(id.ok_or(()).map(|id| match device {
            0 => Selector::Instance(id.instance),
            _ => Selector::Interface(id),
        }))
    }

    /// The service that has an IPv4 address in the VPC of an instance.
    fn service_at(&self, instance: &InstanceName, address: IpAddr) -> Option<VpcService> {
        let vpc = self.cloud.now.instances.get(instance)?.as_ref()?;
        let addresses = service_addresses(*self.cloud.eras.first()?, self.cloud.vpcs.get(vpc)?);
        addresses.into_iter().find(|(_, own)| address.is_ipv4() && *own == address).map(|(service, _)| service)
    }

    fn end_at(&mut self, node: &SpannedText, word: &str, name: &str, device: u8) -> Option<Attachment> {
        let id = Attachment { instance: self.instance(name, node.part(name))?, device };
        self.interface_there(&id, node.part(word)).map(|()| id)
    }

    /// Refuses services that cannot be asked from a forged source, since nobody sees the answer; and an address of the other family than that source.
    pub fn refuse_forged(
        &mut self,
        ends: (&Selector, &Selector),
        asked: FlowTarget,
        both_ways: bool,
        span: Span,
    ) -> bool {
        let ((from, to), FlowTarget { service, via, .. }) = (ends, asked);
        let forged = |end: &Selector| matches!(end, Selector::Forged(..));
        if forged(to) || forged(from) && both_ways {
            self.report(Diagnostic::new(span, "only the sender of a flow can forge its address"));
            return true;
        }
        if let Selector::Forged(_, source) = from
            && via.is_some_and(|via| via.is_ipv6() != source.is_ipv6())
        {
            let family = if source.is_ipv6() { "IPv6" } else { "IPv4" };
            let draft =
                Diagnostic::new(span, format!("{source} is an {family} address, and the flow goes by another family"));
            self.report(draft.help(match source {
                IpAddr::V6(_) => "leave the words about the address out: it goes by IPv6 address",
                IpAddr::V4(_) => "leave `by ipv6 address` out, or forge an IPv6 address",
            }));
            return true;
        }
        if forged(from) && !self.is_own_secondary(from) && matches!(service, Service::Tcp(_) | Service::IcmpEcho) {
            let draft = Diagnostic::new(span, "the answer would go to somebody else, so that nobody could see it");
            self.report(draft.help("ask with udp: what arrives is told by the receiver"));
            return true;
        }
        false
    }

    /// `source-dest-check` of an instance or interface.
    pub fn check(&mut self, said: &Field<Choice<SourceDestCheck>>) -> SourceDestCheck {
        let Some(choice) = said.get() else { return SourceDestCheck::On };
        self.only_in_a_vpc(choice.span, "the switch of the source and destination check");
        choice.value
    }

    /// `interfaces: {eth1: {groups: X, subnet: b}}` of an instance.
    pub fn more_interfaces(&mut self, said: &Field<Interfaces>, vpc: Option<&VpcName>) -> Vec<NewInterface> {
        let Some(map) = said.get() else { return Vec::new() };
        self.only_in_a_vpc(map.span, "a second interface");
        map.entries.iter().filter_map(|entry| self.interface(entry, vpc)).collect()
    }

    fn interface(&mut self, entry: &Entry<Device, InterfaceSaid>, vpc: Option<&VpcName>) -> Option<NewInterface> {
        let word = entry.key.as_ref()?.text();
        let Some(device) = further(word) else {
            let draft = Diagnostic::new(entry.at, format!("{} is not a further interface", quote(word)));
            self.report(draft.help(format!("eth1 to eth{MAX_DEVICES}; eth0 is the instance's own")));
            return None;
        };
        let said = entry.value.as_ref()?;
        let groups = match said.groups.is_there() {
            true => said.groups.get().map(|groups| self.instance_groups(groups, vpc)).unwrap_or_default(),
            false => self.default_group_of(vpc),
        };
        let source_dest_check = self.check(&said.source_dest_check);
        let vpc = vpc?;
        let (subnet, net) = self.subnet(&said.subnet, vpc)?;
        let ipv6 = self.asked_ipv6(&said.ipv6, (vpc, &subnet));
        let secondary = self.secondary(&said.secondary_addresses, net, (vpc, &subnet, ipv6));
        let address = self.address(&said.address, net)?;
        Some(NewInterface { device, subnet, groups, address, ipv6, secondary, source_dest_check })
    }

    /// `attach-interface: {web1: {eth1: {groups: SG-X}}}`.
    pub fn attachments(&mut self, said: &Map<Name<InstanceName>, Interfaces>) -> Vec<Placed<Operation>> {
        let may_be_unknown = self.refused.may_be(RefusalCode::InvalidInstanceIdNotFound);
        let mut operations = Vec::new();
        for entry in &said.entries {
            let instance = entry.key.as_deref().and_then(|key| self.operand(key, may_be_unknown));
            let vpc = instance.as_ref().and_then(|name| self.cloud.now.instances.get(name).cloned().flatten());
            let vpc = vpc.or_else(|| self.cloud.vpcs.keys().next().filter(|_| may_be_unknown).cloned());
            for device in entry.value.iter().flat_map(|map| &map.entries) {
                let interface = self.interface(device, vpc.as_ref());
                if let Some(said) = &device.value {
                    self.claim_of(&mut Claims::default(), (&said.address, &said.ipv6, &said.secondary_addresses));
                }
                if let (Some(instance), Some(interface)) = (&instance, interface) {
                    if device.value.as_ref().is_some_and(|said| said.source_dest_check.is_there()) {
                        let id = Attachment { instance: instance.clone(), device: interface.device };
                        self.later.checks_said.insert(id);
                    }
                    let place = self.place(device.at);
                    operations.push(Placed { value: Operation::AttachInterface(instance.clone(), interface), place });
                }
            }
        }
        operations
    }

    /// `detach-interface: web1.eth1`.
    pub fn detachments(&mut self, said: &Many<Holder>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for item in &said.items {
            match self.target(item) {
                Some(Target::Interface(id)) => {
                    let place = self.place(item.span);
                    operations.push(Placed { value: Operation::DetachInterface(id), place });
                }
                Some(Target::Instance(_)) => {
                    let draft = Diagnostic::new(item.span, "it does not say which interface");
                    self.report(draft.help("such as `web1.eth1`"));
                }
                None => {}
            }
        }
        operations
    }

    /// `source-dest-check: {nat: off}`.
    pub fn checks(&mut self, said: &Map<Holder, Choice<SourceDestCheck>>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for entry in &said.entries {
            let target = entry.key.as_ref().and_then(|key| self.target(key));
            if let Some(target) = &target {
                self.later.checks_said.insert(match target {
                    Target::Instance(name) => Attachment::first_of(name),
                    Target::Interface(id) => id.clone(),
                });
            }
            if let (Some(target), Some(check)) = (target, entry.value) {
                let place = self.place(entry.at);
                operations.push(Placed { value: Operation::SetSourceDestCheck(target, check.value), place });
            }
        }
        operations
    }

    /// `routes: {0.0.0.0/0: nat}` of a subnet. Instances are named, and need not be known yet.
    pub fn subnet_routes(&mut self, said: &Map<Block, Holder>) -> Vec<SubnetRoute> {
        self.only_in_a_vpc(said.span, "a route by an instance");
        let mut routes: Vec<SubnetRoute> = Vec::new();
        for entry in &said.entries {
            let destination = entry.key.as_ref().and_then(|key| match key.text().parse::<Ipv4Net>() {
                Ok(net) => Some(net.trunc()),
                Err(_) => {
                    let draft = Diagnostic::new(key.span, format!("{} is not an address block", quote(key.text())));
                    self.report(draft.help("such as 0.0.0.0/0"));
                    None
                }
            });
            let Some(value) = &entry.value else { continue };
            let (name, device) = split(value.text()).unwrap_or((value.text(), 0));
            if self.names.sort(name) != Some(EntityKind::Instance) {
                self.unknown(name, value.span, EntityKind::Instance);
                continue;
            }
            let Some(destination) = destination else { continue };
            if routes.iter().any(|route| route.destination == destination) {
                self.report(Diagnostic::new(entry.at, format!("the subnet has a route to {destination} already")));
                continue;
            }
            let target = Attachment { instance: InstanceName::new(name), device };
            self.later.routed_to.push((target.clone(), value.span));
            routes.push(SubnetRoute { destination, target });
        }
        routes
    }

    /// Notes the interfaces of an instance whose check of source and destination the file says.
    pub fn note_checks(&mut self, name: &InstanceName, said: &InstanceSaid) {
        let id = |device| Attachment { instance: name.clone(), device };
        if said.source_dest_check.is_there() {
            self.later.checks_said.insert(id(0));
        }
        for entry in said.interfaces.get().into_iter().flat_map(|map| &map.entries) {
            let device = entry.key.as_ref().and_then(|key| further(key.text()));
            let says = entry.value.as_ref().is_none_or(|interface| interface.source_dest_check.is_there());
            self.later.checks_said.extend(device.filter(|_| says).map(id));
        }
    }

    /// A route that leads to what forwards nothing leads nowhere.
    pub fn refuse_idle_routes(&mut self) {
        for (Attachment { instance, .. }, span) in self.later.routed_to.clone() {
            if self.cloud.forwarders.get(&instance) == Some(&Forwarding::None) {
                let message = format!("a route leads to {}, which passes on nothing", quote(instance.as_str()));
                self.report(Diagnostic::new(span, message).help("it needs `forwards: nat` or `forwards: as-is`"));
            }
        }
    }

    /// So does one to an interface that no step attaches either, and one to an interface whose check drops all of it: where no step switches
    /// that, the file has to say that it is meant.
    pub fn refuse_routes_to_no_interface(&mut self) {
        let mut told = IndexSet::new();
        for (id, span) in std::mem::take(&mut self.later.routed_to) {
            let there = self.interface_there(&id, span).is_some();
            let forwards = self.cloud.forwarders.get(&id.instance).is_some_and(|it| *it != Forwarding::None);
            if there && forwards && !self.later.checks_said.contains(&id) && told.insert(id.clone()) {
                let message = format!(
                    "a route leads to {}, whose source and destination check drops what it is to pass on",
                    quote(&id.short())
                );
                let help = "it needs `source-dest-check: off`; `on` says that the drop is meant";
                self.report(Diagnostic::new(span, message).help(help));
            }
        }
    }

    pub(super) fn only_in_a_vpc(&mut self, span: Span, what: &str) {
        if self.cloud.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Diagnostic::new(span, format!("{what} belongs to era vpc"));
            self.report(draft.help("EC2-Classic had none; take it out, or run the file under `era: vpc` alone"));
        }
    }
}
