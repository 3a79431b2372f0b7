//! An account as replies of `aws ec2 describe-*`, merged into one document, with the ids that its sources have.

use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::holders::{Attached, Held, holders};
use super::notes::{Notes, Outward};
use super::permission::{Words, words};
use crate::account::{
    Account, Holder, Interface, Ipv6Block, Known, Peer, PrefixList, Public, ResourceId, Rule, SecurityGroup, Subnet,
    Vpc,
};

pub fn write(account: &Account) -> Outward {
    let notes = &mut Notes::default();
    let vpcs: Vec<Value> = account.vpcs.iter().map(|(id, it)| vpc(id, it, notes)).collect();
    let subnets: Vec<Value> = account.subnets.iter().map(|(id, it)| subnet(id, it, notes)).collect();
    let groups: Vec<Value> = account.groups.iter().map(|(id, it)| group(id, it, notes)).collect();
    let lists: Vec<Value> = account.prefix_lists.iter().map(|(id, it)| list(id, it)).collect();
    let (mut reservations, mut interfaces): (Vec<Value>, Vec<Value>) = Default::default();
    for held in holders(account) {
        let told: Vec<Value> = held.interfaces.iter().map(|attached| interface(&held, attached, notes)).collect();
        reservations.extend(instance(&held, &told).map(|instance| json!({ "Instances": [instance] })));
        interfaces
            .extend(held.interfaces.iter().zip(told).map(|(attached, told)| own_interface(&held, attached, told)));
    }
    let document = json!({
        "Vpcs": vpcs,
        "Subnets": subnets,
        "SecurityGroups": groups,
        "PrefixLists": lists,
        "Reservations": reservations,
        "NetworkInterfaces": interfaces,
    });
    Outward { text: format!("{document:#}\n"), left_out: std::mem::take(notes).into_items() }
}

/// An object of the keys that have a value.
fn object<const N: usize>(keys: [(&str, Option<Value>); N]) -> Value {
    let known = keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(known.collect::<Map<String, Value>>())
}

fn id_of(id: Option<&ResourceId>) -> Option<Value> {
    id.map(|id| id.as_str().into())
}

/// The tag `Name`, where the label says more than the id.
fn tags(label: &str, id: &ResourceId) -> Option<Value> {
    (label != id.as_str()).then(|| json!([{ "Key": "Name", "Value": label }]))
}

fn vpc(id: &ResourceId, vpc: &Vpc, notes: &mut Notes) -> Value {
    if vpc.blocks.is_empty() {
        notes.add("block", "it is not known", &vpc.origin);
    }
    let associated = |key: &str, block: String| {
        object([(key, Some(block.into())), (&format!("{key}State"), Some(json!({ "State": "associated" })))])
    };
    let all: Vec<Value> = vpc.blocks.iter().map(|block| associated("CidrBlock", block.to_string())).collect();
    let ipv6: Vec<Value> = vpc.ipv6.iter().map(|block| associated("Ipv6CidrBlock", block.to_string())).collect();
    object([
        ("VpcId", id_of(Some(id))),
        ("CidrBlock", vpc.blocks.first().map(|block| block.to_string().into())),
        ("CidrBlockAssociationSet", Some(all.into())),
        ("Ipv6CidrBlockAssociationSet", Some(ipv6.into())),
        ("State", Some("available".into())),
        ("Tags", tags(&vpc.label, id)),
    ])
}

fn subnet(id: &ResourceId, subnet: &Subnet, notes: &mut Notes) -> Value {
    if subnet.block.is_none() {
        notes.add("block", "it is not known", &subnet.origin);
    }
    let ipv6 = match &subnet.ipv6 {
        Ipv6Block::None => Some(json!([])),
        Ipv6Block::Is(block) => {
            Some(json!([{ "Ipv6CidrBlock": block.to_string(), "Ipv6CidrBlockState": { "State": "associated" } }]))
        }
        Ipv6Block::Later => {
            notes.add("IPv6 block", "it is not known", &subnet.origin);
            None
        }
        Ipv6Block::Unknown(_) => None,
    };
    object([
        ("SubnetId", id_of(Some(id))),
        ("VpcId", id_of(subnet.vpc.as_ref())),
        ("CidrBlock", subnet.block.map(|block| block.to_string().into())),
        ("Ipv6CidrBlockAssociationSet", ipv6),
        ("MapPublicIpOnLaunch", subnet.automatic_public.known().map(|automatic| (*automatic).into())),
        ("State", Some("available".into())),
        ("Tags", tags(&subnet.label, id)),
    ])
}

fn list(id: &ResourceId, list: &PrefixList) -> Value {
    // A list without entries is one whose entries no reply tells, and read so.
    let entries = list.entries.known();
    let each = |entry: &IpNet| {
        let text = list.descriptions.get(entry);
        object([("Cidr", Some(entry.to_string().into())), ("Description", text.map(|text| text.as_str().into()))])
    };
    let each = |entries: &Vec<IpNet>| entries.iter().map(each).collect();
    object([
        ("PrefixListId", id_of(Some(id))),
        ("PrefixListName", Some(list.label.as_str().into())),
        ("AddressFamily", list.family().map(|family| family.to_string().into())),
        ("MaxEntries", entries.map(|_| list.room().into())),
        ("Entries", entries.map(each)),
    ])
}

fn group(id: &ResourceId, group: &SecurityGroup, notes: &mut Notes) -> Value {
    object([
        ("GroupId", id_of(Some(id))),
        ("GroupName", group.name.as_deref().or(Some(&group.label)).map(Value::from)),
        ("Description", group.description.as_deref().map(Value::from)),
        ("VpcId", id_of(group.vpc.as_ref())),
        ("IpPermissions", Some(permissions(&group.ingress, notes))),
        ("IpPermissionsEgress", Some(permissions(&group.egress, notes))),
    ])
}

/// Rules as EC2 lists them: one permission for each traffic, with all its peers.
fn permissions(rules: &[Rule], notes: &mut Notes) -> Value {
    let mut found: IndexMap<Words, [Vec<Value>; 4]> = IndexMap::new();
    for rule in rules {
        let traffic = match &rule.traffic {
            Known::Is(traffic) => *traffic,
            Known::Unknown(why) => {
                notes.add("rule", &format!("its traffic is not known: {why}"), &rule.origin);
                continue;
            }
        };
        let (list, key, peer) = match &rule.peer {
            Peer::Block(block) if block.addr().is_ipv4() => (0, "CidrIp", block.to_string()),
            Peer::Block(block) => (1, "CidrIpv6", block.to_string()),
            Peer::PrefixList(id) => (2, "PrefixListId", id.as_str().to_owned()),
            Peer::Group(id) => (3, "GroupId", id.as_str().to_owned()),
            Peer::Unknown(why) => {
                notes.add("rule", &format!("its peer is not known: {why}"), &rule.origin);
                continue;
            }
        };
        let description = rule.description.as_deref().map(Value::from);
        let peer = object([(key, Some(peer.into())), ("Description", description)]);
        found.entry(words(traffic)).or_default()[list].push(peer);
    }
    let permission = |(words, [ipv4, ipv6, lists, groups]): (Words, [Vec<Value>; 4])| {
        object([
            ("IpProtocol", Some(words.protocol.into())),
            ("FromPort", words.ports.map(|(from, _)| from.into())),
            ("ToPort", words.ports.map(|(_, to)| to.into())),
            ("IpRanges", Some(ipv4.into())),
            ("Ipv6Ranges", Some(ipv6.into())),
            ("PrefixListIds", Some(lists.into())),
            ("UserIdGroupPairs", Some(groups.into())),
        ])
    };
    found.into_iter().map(permission).collect()
}

/// A holder that is an instance, with its interfaces.
fn instance(held: &Held<'_>, interfaces: &[Value]) -> Option<Value> {
    let (code, state) = match held.holder {
        Holder::Instance => (16, "running"),
        Holder::StoppedInstance => (80, "stopped"),
        Holder::LoadBalancer | Holder::Database | Holder::Function | Holder::Service | Holder::Nobody => return None,
    };
    let first = &held.interfaces.first()?.interface;
    Some(object([
        ("InstanceId", id_of(Some(held.id))),
        ("State", Some(json!({ "Code": code, "Name": state }))),
        ("VpcId", id_of(first.vpc.as_ref())),
        ("SubnetId", id_of(first.subnet.as_ref())),
        ("NetworkInterfaces", Some(interfaces.into())),
        ("Tags", tags(held.label, held.id)),
    ]))
}

/// An interface as `describe-network-interfaces` tells it: with the words by which it is told who holds it.
fn own_interface(held: &Held<'_>, attached: &Attached<'_>, mut told: Value) -> Value {
    let (description, kind, status) = match held.holder {
        Holder::Instance | Holder::StoppedInstance => (String::new(), "interface", "in-use"),
        Holder::LoadBalancer => (format!("ELB {}", held.label), "interface", "in-use"),
        Holder::Database => ("RDSNetworkInterface".to_owned(), "interface", "in-use"),
        Holder::Function => (format!("AWS Lambda VPC ENI-{}", held.label), "lambda", "in-use"),
        Holder::Service => (String::new(), "interface", "in-use"),
        Holder::Nobody => (String::new(), "interface", "available"),
    };
    if let Some(object) = told.as_object_mut() {
        object.insert("Description".to_owned(), description.into());
        object.insert("InterfaceType".to_owned(), kind.into());
        object.insert("Status".to_owned(), status.into());
        object.extend(tags(held.label, attached.id).map(|tags| ("TagSet".to_owned(), tags)));
    }
    told
}

fn interface(held: &Held<'_>, attached: &Attached<'_>, notes: &mut Notes) -> Value {
    let Attached { device, id, interface } = attached;
    let is_instance = held.holder.is_instance();
    let attachment = json!({ "DeviceIndex": device, "InstanceId": held.id.as_str() });
    let groups = match &interface.groups {
        Known::Is(groups) => Some(groups.iter().map(|id| json!({ "GroupId": id.as_str() })).collect()),
        Known::Unknown(why) => {
            notes.add("groups", &format!("they are not known: {why}"), &interface.origin);
            None
        }
    };
    let addresses = Addresses::of(interface, notes);
    if interface.ipv6_later > 0 {
        notes.add("IPv6 address", "it is given later", &interface.origin);
    }
    let primary = addresses.private.first().and_then(|one| one.get("PrivateIpAddress")).cloned();
    object([
        ("NetworkInterfaceId", id_of(Some(id))),
        ("Attachment", is_instance.then_some(attachment)),
        ("VpcId", id_of(interface.vpc.as_ref())),
        ("SubnetId", id_of(interface.subnet.as_ref())),
        ("Groups", groups),
        ("PrivateIpAddress", primary),
        ("PrivateIpAddresses", Some(addresses.private.clone().into())),
        ("Ipv4Prefixes", addresses.list(|block| block.addr().is_ipv4(), "Ipv4Prefix")),
        ("Ipv6Addresses", addresses.hosts()),
        ("Ipv6Prefixes", addresses.list(|block| block.addr().is_ipv6() && block.prefix_len() < 128, "Ipv6Prefix")),
    ])
}

/// The addresses of an interface, by the lists that EC2 has them in.
struct Addresses {
    private: Vec<Value>,
    others: Vec<IpNet>,
}

impl Addresses {
    fn of(interface: &Interface, notes: &mut Notes) -> Self {
        let is_private = |block: &&IpNet| block.addr().is_ipv4() && block.prefix_len() == 32;
        let mut public = Vec::new();
        match &interface.public {
            Public::None => {}
            Public::Unknown(why) => {
                notes.add("public address", &format!("it is not known: {why}"), &interface.origin);
            }
            Public::At(addresses) if addresses.is_empty() => {
                notes.add("public address", "it is given later", &interface.origin);
            }
            Public::At(addresses) => public.extend(addresses.iter().filter(|address| address.is_ipv4())),
        }
        let mut public = public.into_iter();
        let association = |address: &IpAddr| json!({ "PublicIp": address.to_string() });
        let mut private: Vec<Value> = Vec::new();
        for (index, block) in interface.addresses.iter().filter(is_private).enumerate() {
            private.push(object([
                ("PrivateIpAddress", Some(block.addr().to_string().into())),
                ("Primary", Some((index == 0).into())),
                ("Association", public.next().map(association)),
            ]));
        }
        // An address that is not known yet may have a public one all the same.
        private.extend(public.map(|address| json!({ "Association": association(address) })));
        let others = interface.addresses.iter().filter(|block| !is_private(block)).copied().collect();
        Self { private, others }
    }

    fn list(&self, of: fn(&IpNet) -> bool, key: &str) -> Option<Value> {
        let found: Vec<Value> = self
            .others
            .iter()
            .filter(|block| of(block))
            .map(|block| object([(key, Some(block.to_string().into()))]))
            .collect();
        (!found.is_empty()).then(|| found.into())
    }

    fn hosts(&self) -> Option<Value> {
        let hosts = self.others.iter().filter(|block| block.addr().is_ipv6() && block.prefix_len() == 128);
        let found: Vec<Value> = hosts.map(|block| json!({ "Ipv6Address": block.addr().to_string() })).collect();
        (!found.is_empty()).then(|| found.into())
    }
}
