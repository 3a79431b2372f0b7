//! Groups, instances and Elastic IPs that exist at a step, and the refusals that it expects.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};

use crate::model::{
    AskedIpv6, Attachment, AutomaticPublic, ElasticIpName, GroupName, InstanceName, InterfaceHolder, NameEffect,
    Operation, RefusalCode, SecondaryAddress, Target, VpcName,
};
use crate::topology::document::scenario::Step as StepSaid;

/// Groups and instances that exist at one step. A file may run under several eras, so this is lenient: what any
/// earlier step made counts, and only what every era terminates is gone.
#[derive(Clone, Default)]
pub(super) struct StepEntities {
    pub groups: IndexMap<GroupName, Option<VpcName>>,
    pub instances: IndexMap<InstanceName, Option<VpcName>>,
    pub elastic_ips: IndexSet<ElasticIpName>,
    /// The interfaces that an instance ever has, so far; nothing of one whose interfaces could not be read.
    pub devices: IndexMap<InstanceName, BTreeSet<u8>>,
    /// The interfaces that are launched or attached, and whether they ever have a public address.
    pub publics: IndexMap<Attachment, AutomaticPublic>,
    /// The interfaces that are launched or attached, and whether they ever have an IPv6 address.
    pub ipv6: IndexMap<Attachment, bool>,
    /// The secondary addresses that an interface ever has.
    pub secondary: IndexMap<Attachment, Vec<SecondaryAddress>>,
    /// Instances and load balancers that are ever members of each group.
    pub members: IndexMap<GroupName, IndexSet<InterfaceHolder>>,
}

impl StepEntities {
    /// Applies an operation to the names.
    pub fn apply(&mut self, operation: &Operation, in_all_eras: bool) {
        let Some(names) = operation.names() else { return };
        match names {
            NameEffect::Group(name, vpc) => {
                self.groups.insert(name.clone(), Some(vpc.clone()));
            }
            NameEffect::ElasticIp(name) => {
                self.elastic_ips.insert(name.clone());
            }
            NameEffect::Instance(launch) => {
                self.instances.insert(launch.name.clone(), Some(launch.vpc.clone()));
                self.join(&launch.name, &launch.groups);
                self.may_be_public(Attachment::first_of(&launch.name), launch.public);
                self.assign(Attachment::first_of(&launch.name), launch.ipv6, &launch.secondary);
                for more in &launch.more {
                    let id = Attachment { instance: launch.name.clone(), device: more.device };
                    self.assign(id.clone(), more.ipv6, &more.secondary);
                    self.may_be_public(id, AutomaticPublic::None);
                }
                launch.more.iter().for_each(|more| self.join(&launch.name, &more.groups));
            }
            NameEffect::Interface(instance, interface) => {
                self.attach(instance, [interface.device]);
                self.join(instance, &interface.groups);
                let id = Attachment { instance: instance.clone(), device: interface.device };
                self.assign(id.clone(), interface.ipv6, &interface.secondary);
                self.may_be_public(id, AutomaticPublic::None);
            }
            NameEffect::PublicAddress(to) => {
                let id = match to {
                    Target::Instance(name) => Attachment::first_of(name),
                    Target::Interface(id) => id.clone(),
                };
                self.may_be_public(id, AutomaticPublic::Given);
            }
            NameEffect::Groups(instance, groups) => self.join(instance, groups),
            // A file has them from its beginning.
            NameEffect::PrefixList(_) | NameEffect::LoadBalancer(_) => {}
            // Another era still has the name.
            NameEffect::NoGroup(_) | NameEffect::NoElasticIp(_) | NameEffect::NoInstance(_) if !in_all_eras => {}
            NameEffect::NoGroup(name) => {
                self.groups.shift_remove(name);
            }
            NameEffect::NoElasticIp(name) => {
                self.elastic_ips.shift_remove(name);
            }
            NameEffect::NoInstance(name) => {
                self.instances.shift_remove(name);
            }
        }
    }

    /// Interfaces of an instance, of which some may be known.
    pub fn attach(&mut self, instance: &InstanceName, devices: impl IntoIterator<Item = u8>) {
        self.devices.entry(instance.clone()).or_default().extend(devices);
    }

    /// Notes an interface's secondary addresses, and whether it has a first one of IPv6; one that it ever has, it ever has.
    pub fn assign(&mut self, id: Attachment, ipv6: AskedIpv6, secondary: &[SecondaryAddress]) {
        *self.ipv6.entry(id.clone()).or_default() |= ipv6 != AskedIpv6::None;
        self.secondary.entry(id).or_default().extend(secondary);
    }

    /// Notes an interface's public address; one that it ever has, it ever has.
    fn may_be_public(&mut self, id: Attachment, public: AutomaticPublic) {
        let known = self.publics.entry(id).or_insert(public);
        if public == AutomaticPublic::Given {
            *known = public;
        }
    }

    fn join(&mut self, instance: &InstanceName, groups: &IndexSet<GroupName>) {
        for group in groups {
            self.members.entry(group.clone()).or_default().insert(instance.into());
        }
    }
}

/// Expected refusal of the last operation of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// None.
    No,
    /// A refusal with this code.
    With(RefusalCode),
    /// A refusal with a code that could not be read.
    Unread,
    /// Of operations on a running cloud: a name that nobody has is left for EC2 to refuse, but a group's, which the reader reports.
    ByEc2,
    /// As that, but the reader reports every name that nobody has.
    ByEc2ButNames,
}

impl Refused {
    /// Returns true if EC2 may refuse an unknown name here with this code, in place of the reader.
    pub fn may_be(self, code: RefusalCode) -> bool {
        self == Self::ByEc2 && code != RefusalCode::InvalidGroupNotFound || self == Self::With(code)
    }

    /// As the expectations of a step say.
    pub fn of(step: &StepSaid) -> Self {
        let Some(refusal) = step.expect.get().map(|expect| &expect.refusal) else { return Self::No };
        match refusal.get() {
            Some(code) => Self::With(code.value),
            None if refusal.is_there() => Self::Unread,
            None => Self::No,
        }
    }
}
