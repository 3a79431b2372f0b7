//! Security groups and instances: of the initial cloud, and those that steps make.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::names::EntityKind;
use super::peers::RuleContext;
use super::resolver::Resolver;
use super::secondary::Claims;
use crate::model::reserved_addresses::RESERVED_AT_START;
use crate::model::suggest;
use crate::model::{
    AddressRequest, AutomaticPublic, CreateGroup, DEFAULT_GROUP, Direction, Era, GroupName, InstanceName, Launch,
    Operation, Peer, PeerRequest, Permission, PrivateIp, Service, SubnetName, Traffic, VpcName, default_group,
};
use crate::topology::document::groups::{Group, Rules};
use crate::topology::document::instances::Instance;
use crate::topology::document::shape::{Entry, Field, Many, Map, Or, Span};
use crate::topology::document::words::{Address, Ec2Name, Name};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

/// A group before its rules are read.
#[derive(Default)]
struct GroupHead<'n> {
    name: Option<&'n Ec2Name>,
    vpc: Option<VpcName>,
    description: Option<String>,
    ingress: Option<&'n Rules>,
    egress: Option<&'n Rules>,
}

impl Resolver<'_> {
    /// Groups of a mapping: all are made before the first rule, since rules name groups.
    pub fn groups(&mut self, said: &Map<Name<GroupName>, Group>, lenient: bool) -> Vec<Placed<Operation>> {
        let mut made = Vec::new();
        let mut ruled = Vec::new();
        for entry in &said.entries {
            let key = entry.at;
            let name = self.declared(entry.key.as_deref(), EntityKind::Group).map(GroupName::new);
            let GroupHead { name: ec2_name, vpc, description, ingress, egress } = self.group_head(entry);
            if let Some(name) = &name {
                self.refuse_group_of_another_vpc(name, vpc.as_ref(), key);
                self.cloud.now.groups.insert(name.clone(), vpc.clone());
            }
            if let (Some(name), Some(vpc)) = (name.clone(), vpc) {
                let own = Some(self.place(key));
                // EC2 refuses a name where it stands.
                let place = self.place(ec2_name.map_or(key, |name| name.span));
                let ec2_name = ec2_name.map(|name| crate::model::Ec2Name::new(name.text()));
                let group = CreateGroup { name, ec2_name, vpc, description, place: own };
                made.push(Placed { value: Operation::CreateGroup(group), place });
            }
            ruled.push((key, name.clone(), Direction::Ingress, ingress));
            ruled.push((key, name, Direction::Egress, egress));
        }
        for (key, name, direction, rules) in ruled {
            let Some(rules) = rules else { continue };
            let context = RuleContext { group: name.as_ref(), direction, addresses: false, lenient };
            let permissions = self.rules(rules, context);
            self.refuse_twins(&permissions);
            let permissions: Vec<_> = permissions.into_iter().map(|(permission, _)| permission).collect();
            let Some(name) = name else { continue };
            let place = self.place(key);
            if direction == Direction::Egress {
                // What is listed takes the place of what the group is born with.
                let born_with = vec![self.first_egress(&name)];
                made.push(Placed { value: Operation::RevokeEgress(name.clone(), born_with), place: place.clone() });
            }
            if !permissions.is_empty() {
                let make = match direction {
                    Direction::Ingress => Operation::AuthorizeIngress,
                    Direction::Egress => Operation::AuthorizeEgress,
                };
                made.push(Placed { value: make(name, permissions), place });
            }
        }
        made
    }

    /// EC2 takes a name that is another VPC's as well; here each group has a name of its own, whatever EC2 calls it.
    fn refuse_group_of_another_vpc(&mut self, name: &GroupName, vpc: Option<&VpcName>, at: Span) {
        let other = self.cloud.now.groups.get(name).cloned().flatten();
        if let Some(other) = other.filter(|other| vpc.is_some_and(|vpc| vpc != other)) {
            let message = format!("the name {} is taken by a group of {other}", quote(name.as_str()));
            let help = "hosts, instances and groups share one namespace; what EC2 calls a group is its `name`, or `--group-name`";
            self.report(Diagnostic::new(at, message).help(help));
        }
    }

    /// The rules for what goes out that a group is born with.
    fn first_egress(&self, group: &GroupName) -> Permission {
        let vpc = self.cloud.now.groups.get(group).cloned().flatten();
        let ipv6 = vpc.and_then(|vpc| self.cloud.vpcs.get(&vpc)).is_some_and(|vpc| vpc.ipv6.is_some());
        let everywhere = [Some(IpNet::from(Ipv4Net::default())), ipv6.then(|| Ipv6Net::default().into())];
        let peers = everywhere.into_iter().flatten().map(|net| (PeerRequest::Peer(Peer::Cidr(net)), String::new()));
        Permission { traffic: Traffic::All, peers: peers.collect(), description: None, place: None }
    }

    fn group_head<'n>(&mut self, entry: &'n Entry<Name<GroupName>, Group>) -> GroupHead<'n> {
        let long = match &entry.value {
            Some(Or::Long(long)) => long,
            other => {
                let ingress = other.as_ref().and_then(|it| if let Or::Short(rules) = it { Some(rules) } else { None });
                let vpc = self.vpc_name(&Field::default(), entry.at);
                return GroupHead { vpc, ingress, ..GroupHead::default() };
            }
        };
        if let Some(key) = long.egress.key
            && self.cloud.eras.iter().any(|era| *era != Era::Vpc)
        {
            let draft = Diagnostic::new(key, "egress rules belong to era vpc");
            self.report(
                draft.help("EC2-Classic: \"Only Amazon VPC security groups may be used with this operation.\""),
            );
        }
        GroupHead {
            name: long.name.get(),
            description: long.description.get().map(|text| self.description(text)),
            vpc: self.vpc_name(&long.vpc, entry.at),
            ingress: long.ingress.get(),
            egress: long.egress.get(),
        }
    }

    /// EC2 refuses a rule that a group has already.
    fn refuse_twins(&mut self, rules: &[(Permission, Span)]) {
        let mut seen: HashMap<(Traffic, Peer), Span> = HashMap::new();
        for (permission, span) in rules {
            for (request, written) in &permission.peers {
                let PeerRequest::Peer(peer) = request else { continue };
                match seen.get(&(permission.traffic, peer.clone())) {
                    Some(first) => {
                        let message = format!("the group has the rule {} already", quote(written));
                        self.report(Diagnostic::new(*span, message).related("here", *first));
                    }
                    None => {
                        seen.insert((permission.traffic, peer.clone()), *span);
                    }
                }
            }
        }
    }

    /// The instances of the initial cloud.
    pub fn initial_instances(&mut self, said: &Map<Name<InstanceName>, Instance>) -> Vec<Placed<Operation>> {
        let mut launches = Vec::new();
        let mut held: HashMap<VpcName, Claims> = HashMap::new();
        let mut filled: IndexMap<(VpcName, SubnetName), u32> = IndexMap::new();
        for entry in &said.entries {
            let key = entry.at;
            let Some((launch, address)) = self.launch(entry) else { continue };
            if let AddressRequest::PreviousOf(of) = &launch.address {
                let span = address.unwrap_or(key);
                let draft =
                    Diagnostic::new(span, format!("{} has no previous address at the start", quote(of.as_str())));
                self.report(draft.help("`.previous` is for launches in steps"));
            }
            if let Some(said) = &entry.value {
                self.claim(held.entry(launch.vpc.clone()).or_default(), said);
            }
            let net = self.cloud.vpcs.get(&launch.vpc).and_then(|vpc| vpc.subnets.get(&launch.subnet)).copied();
            let count = filled.entry((launch.vpc.clone(), launch.subnet.clone())).or_insert(0);
            let before = *count;
            let others = launch.secondary.iter().map(|secondary| secondary.private_addresses().count());
            *count += 1 + u32::try_from(others.sum::<usize>()).unwrap_or(u32::MAX);
            if let Some(net) = net
                && (before..*count).contains(&usable(net))
            {
                let message = format!("the subnet {} has {} addresses, and this is one too many", net, usable(net));
                self.report(Diagnostic::new(key, message).help("five of a subnet belong to EC2"));
            }
            let operation = Operation::Launch(Box::new(launch));
            self.cloud.now.apply(&operation, true);
            let place = self.place(key);
            launches.push(Placed { value: operation, place });
        }
        launches
    }

    /// One instance; with the place of its address, where it asks for one.
    pub fn launch(&mut self, entry: &Entry<Name<InstanceName>, Instance>) -> Option<(Launch, Option<Span>)> {
        let name = self.declared(entry.key.as_deref(), EntityKind::Instance).map(InstanceName::new);
        let is_new = name.as_ref().is_some_and(|name| !self.cloud.now.instances.contains_key(name));
        if let Some(name) = &name {
            // Known from here on, whatever else may be wrong with it.
            self.cloud.now.instances.entry(name.clone()).or_insert(None);
        }
        let said = entry.value.as_ref()?;
        self.names.doubts.members |= said.at.misspelt() && !said.groups.is_there();
        let vpc = self.vpc_name(&said.vpc, entry.at);
        let groups = match said.groups.is_there() {
            true => said.groups.get().map(|groups| self.instance_groups(groups, vpc.as_ref())).unwrap_or_default(),
            false => self.default_group_of(vpc.as_ref()),
        };
        if let Some(name) = &name {
            for group in &groups {
                self.cloud.now.members.entry(group.clone()).or_default().insert(name.into());
            }
        }
        let listens = self.listens(said);
        let processes = self.processes(&said.services, &listens);
        if let Some(name) = &name {
            let ports = processes.values().filter_map(|process| process.port);
            let known = self.cloud.listens.entry(name.into()).or_default();
            // The one before it, which every era has terminated, listens no more.
            if is_new {
                known.clear();
            }
            known.extend(listens.iter().copied().chain(ports));
        }
        let mounts = self.mounts(&said.mounts);
        let source_dest_check = self.check(&said.source_dest_check);
        let forwarding = said.forwards.get().map(|choice| choice.value).unwrap_or_default();
        // What could not be read has been told, and may have been any.
        if let (Some(name), false) = (&name, said.forwards.is_unread()) {
            self.cloud.forwarders.insert(name.clone(), forwarding);
        }
        if let Some(name) = &name {
            self.note_checks(name, said);
        }
        if let (Some(name), Some(devices)) = (&name, super::interfaces::devices(&said.interfaces)) {
            self.cloud.now.attach(name, devices);
        }
        let more = self.more_interfaces(&said.interfaces, vpc.as_ref());
        let vpc = vpc?;
        let (subnet, net) = self.subnet(&said.subnet, &vpc)?;
        let ipv6 = self.asked_ipv6(&said.ipv6, (&vpc, &subnet));
        let secondary = self.secondary(&said.secondary_addresses, net, (&vpc, &subnet, ipv6));
        let address = self.address(&said.address, net)?;
        let usual = self.cloud.vpcs.get(&vpc).map_or(AutomaticPublic::Given, |vpc| vpc.automatic_public(&subnet));
        let public = said.public.get().map_or(usual, |choice| choice.value);
        let place = Some(self.place(entry.at));
        let launch = Launch {
            name: name?,
            vpc,
            subnet,
            groups,
            listens,
            processes,
            mounts,
            address,
            ipv6,
            secondary,
            public,
            source_dest_check,
            forwarding,
            more,
            place,
        };
        Some((launch, said.address.get().map(|address| address.span)))
    }

    /// The groups of an interface that names none: the one that EC2 has made in its VPC.
    pub fn default_group_of(&mut self, vpc: Option<&VpcName>) -> IndexSet<GroupName> {
        self.cloud.defaults_used.extend(vpc.filter(|vpc| self.cloud.vpcs.contains_key(*vpc)).cloned());
        let own = vpc.map(|vpc| default_group(self.cloud.vpcs.keys(), vpc));
        IndexSet::from([own.unwrap_or_else(|| GroupName::new(DEFAULT_GROUP))])
    }

    /// The help where the default group of another VPC is named.
    pub fn own_default_group(&self, word: &str, vpc: &VpcName) -> Option<String> {
        let own = default_group(self.cloud.vpcs.keys(), vpc);
        self.names.is_default_group(word).then(|| format!("that of VPC {vpc} is {}", quote(own.as_str())))
    }

    fn listens(&mut self, said: &Instance) -> IndexSet<Service> {
        let mut listens = IndexSet::new();
        for item in said.listens.get().into_iter().flat_map(|list| &list.items) {
            let Some(service) = self.service(item) else { continue };
            if service == Service::IcmpEcho {
                let draft =
                    Diagnostic::new(item.span, "nothing listens for ping: the kernel of an instance answers it");
                self.report(draft.help("remove it"));
            } else if !listens.insert(service) {
                self.report(Diagnostic::new(item.span, format!("it listens on {service} already")));
            }
        }
        listens
    }

    /// The groups of an instance: at least one, each once, all of its VPC.
    pub fn instance_groups(&mut self, said: &Many<Name<GroupName>>, vpc: Option<&VpcName>) -> IndexSet<GroupName> {
        let mut groups = IndexSet::new();
        self.names.doubts.members |= said.unread;
        for item in &said.items {
            let word = item.text();
            let Some(group) = self.group_or_refused(word, item.span) else {
                // Nobody knows whose member it was meant to be.
                self.names.doubts.members = true;
                continue;
            };
            if let (Some(mine), Some(Some(theirs))) = (vpc, self.cloud.now.groups.get(&group))
                && mine != theirs
                && self.cloud.vpcs.contains_key(mine)
            {
                let message = format!("{} is in VPC {theirs}, the instance in {mine}", quote(word));
                let help = self.own_default_group(word, mine);
                self.report(Diagnostic::new(item.span, message).maybe_help(help));
            }
            if !groups.insert(group) {
                self.report(Diagnostic::new(item.span, format!("the instance is in {} already", quote(word))));
            }
        }
        groups
    }

    /// The address that is asked for in a subnet.
    pub fn address(&mut self, said: &Field<Address>, subnet: Ipv4Net) -> Option<AddressRequest> {
        if !said.is_there() {
            return Some(AddressRequest::Automatic);
        }
        let node = said.get()?;
        let word = node.text();
        if let Some((name, end)) = word.rsplit_once('.')
            && end.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            if end != "previous" {
                let help = suggest(end, ["previous"]).unwrap_or_else(|| "such as `web1.previous`".to_owned());
                self.report(Diagnostic::new(node.span, format!("{} is not an address", quote(word))).help(help));
                return None;
            }
            // Its address outlives it, so that it need not exist any more; but it must have existed. A running cloud's names have no
            // place, and are there before anything that is typed.
            let was = self.names.sort(name) == Some(EntityKind::Instance)
                && self.names.span(name).is_none_or(|named| named < node.span);
            if was {
                return Some(AddressRequest::PreviousOf(InstanceName::new(name)));
            }
            return self.instance(name, node.part(name)).map(AddressRequest::PreviousOf);
        }
        let Ok(address) = word.parse::<Ipv4Addr>() else {
            let draft = Diagnostic::new(node.span, format!("{} is not an IPv4 address", quote(word)));
            self.report(draft.help("such as 10.0.0.50, or `web1.previous`"));
            return None;
        };
        self.may_be_given(Ipv4Net::from(address), subnet, node.span)?;
        Some(AddressRequest::Exact(PrivateIp(address)))
    }
}

/// Returns the number of addresses of a subnet that instances can have.
fn usable(net: Ipv4Net) -> u32 {
    2_u32.saturating_pow(32 - u32::from(net.prefix_len())).saturating_sub(RESERVED_AT_START + 1)
}
