//! `describe-instances` and `describe-network-interfaces`: who is in which group, at which addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::builder::TagsOf;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::items::{id_of, name_tag, tag, tags};
use crate::account::{Fleet, Holder, Interface, Known, Public, Reason, ResourceId};

/// The tag that EC2 Auto Scaling gives each instance that it launches.
///
/// Source: "Tag Auto Scaling groups and instances" (Amazon EC2 Auto Scaling user guide).
const SCALING_GROUP: &str = "aws:autoscaling:groupName";

/// Reads the instances of a reservation.
pub fn reservation(reader: &mut Reader<'_>, item: Node<'_>) {
    item.items_of("Instances").for_each(|item| instance(reader, item));
}

/// Reads an instance: each interface is a member of its own groups. The instance's own list is a summary.
pub fn instance(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "InstanceId") else { return };
    let holder = match item.at(&["State", "Name"]).and_then(Node::text) {
        Some("terminated" | "shutting-down") => {
            reader.into.gone(ResourceId::new(id));
            return reader.leave_out(item, "instance", id, Reason::Gone);
        }
        Some("stopped" | "stopping") => Holder::StoppedInstance,
        _ => Holder::Instance,
    };
    let label = name_tag(item).unwrap_or(id);
    let fleet = tag(item, SCALING_GROUP);
    let fleet = fleet.map(|name| Fleet { name: Some(name.to_owned()), tag: name_tag(item).map(str::to_owned) });
    let mut interfaces: Vec<Node<'_>> = item.items_of("NetworkInterfaces").collect();
    interfaces.sort_by_key(|interface| device(*interface));
    if interfaces.is_empty() {
        // A query or a collector has dropped them; what the instance says of itself is its first interface.
        let mut told = read_interface(reader, item, label.to_owned(), holder);
        told.origin.resource = ResourceId::new(id);
        reader.into.tags(ResourceId::new(id), tags(item), TagsOf::Itself);
        reader.into.summary(ResourceId::new(id), told);
        reader.into.account.fleets.extend(fleet.clone().map(|fleet| (ResourceId::new(id), fleet)));
    }
    for interface in interfaces {
        let Some(eni) = id_of(reader, interface, "NetworkInterfaceId") else { continue };
        let label = match device(interface) {
            0 => label.to_owned(),
            device => format!("{label}.eth{device}"),
        };
        let mut told = read_interface(reader, interface, label, holder);
        told.vpc = told.vpc.or_else(|| item.text_of("VpcId").map(ResourceId::new));
        told.origin.resource = ResourceId::new(id);
        if device(interface) == 0 {
            reader.into.tags(ResourceId::new(eni), tags(item), TagsOf::Holder);
        }
        reader.into.interface_of_instance(ResourceId::new(eni), told);
        reader.into.account.fleets.extend(fleet.clone().map(|fleet| (ResourceId::new(eni), fleet)));
    }
}

fn device(interface: Node<'_>) -> i64 {
    interface.at(&["Attachment", "DeviceIndex"]).and_then(Node::number).unwrap_or(0)
}

/// Reads an interface of `describe-network-interfaces`, of whatever holds it.
pub fn interface(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "NetworkInterfaceId") else { return };
    let attached = item.at(&["Attachment", "InstanceId"]).and_then(Node::text);
    let (holder, name) = match attached {
        Some(instance) => (Holder::Instance, Some(instance)),
        None => holder_of(item),
    };
    let label = name_tag(item).or(name).unwrap_or(id);
    let label = match (attached, device(item)) {
        (Some(_), device) if device > 0 => format!("{label}.eth{device}"),
        _ => label.to_owned(),
    };
    let mut told = read_interface(reader, item, label, holder);
    if let Some(instance) = attached {
        told.origin.resource = ResourceId::new(instance);
    }
    reader.into.tags(ResourceId::new(id), tags(item), TagsOf::Itself);
    reader.into.interface(ResourceId::new(id), told);
}

/// The service that holds an interface without an instance, by the words that Amazon gives it.
fn holder_of(item: Node<'_>) -> (Holder, Option<&str>) {
    let description = item.text_of("Description").unwrap_or_default();
    let kind = item.text_of("InterfaceType").unwrap_or("interface");
    if let Some(rest) = description.strip_prefix("ELB ") {
        // `ELB app/shop/50dc6c495c0c9188` of an application load balancer, `ELB shop` of a Classic one.
        let name = rest.split('/').nth(1).unwrap_or(rest);
        return (Holder::LoadBalancer, Some(name));
    }
    let holder = match (description, kind) {
        (_, "network_load_balancer" | "gateway_load_balancer" | "load_balancer") => Holder::LoadBalancer,
        ("RDSNetworkInterface", _) => Holder::Database,
        (_, "lambda") => Holder::Function,
        (text, _) if text.starts_with("AWS Lambda VPC ENI") => Holder::Function,
        (text, _) if text.starts_with("ElastiCache") => Holder::Database,
        _ if item.text_of("Status") == Some("available") => Holder::Nobody,
        _ => Holder::Service,
    };
    (holder, None)
}

fn read_interface(reader: &mut Reader<'_>, item: Node<'_>, label: String, holder: Holder) -> Interface {
    let own = if item.get("Groups").is_some() { "Groups" } else { "SecurityGroups" };
    let groups = item.items_of(own).filter_map(|group| group.text_of("GroupId").or_else(|| group.text()));
    let groups = match item.get(own) {
        Some(_) => Known::Is(groups.map(ResourceId::new).collect()),
        None => Known::Unknown("the reply is cut: it does not say its groups".to_owned()),
    };
    let mut addresses: Vec<IpNet> = Vec::new();
    let mut public: Vec<IpAddr> = Vec::new();
    let mut take = |reader: &mut Reader<'_>, node: Option<Node<'_>>| {
        let Some(node) = node else { return };
        match words::block(node.text().unwrap_or_default()) {
            Ok(block) if addresses.contains(&block) => {}
            Ok(block) => addresses.push(block),
            Err(wrong) => reader.wrong(node, &label, wrong),
        }
    };
    // The primary one comes first.
    take(reader, item.get("PrivateIpAddress"));
    for address in item.items_of("PrivateIpAddresses") {
        take(reader, address.get("PrivateIpAddress"));
    }
    item.items_of("Ipv4Prefixes").for_each(|prefix| take(reader, prefix.get("Ipv4Prefix")));
    item.items_of("Ipv6Prefixes").for_each(|prefix| take(reader, prefix.get("Ipv6Prefix")));
    for address in item.items_of("Ipv6Addresses") {
        take(reader, address.get("Ipv6Address"));
    }
    take(reader, item.get("Ipv6Address"));
    let associations = item.items_of("PrivateIpAddresses").chain([item]);
    let told = associations.filter_map(|address| address.at(&["Association", "PublicIp"]).and_then(Node::text));
    for text in told.chain(item.text_of("PublicIpAddress")) {
        if let Some(address) = text.parse().ok().filter(|address| !public.contains(address)) {
            public.push(address);
        }
    }
    public.extend(addresses.iter().map(IpNet::addr).filter(IpAddr::is_ipv6));
    Interface {
        holder,
        vpc: item.text_of("VpcId").map(ResourceId::new),
        subnet: item.text_of("SubnetId").map(ResourceId::new),
        groups,
        addresses,
        ipv6_later: 0,
        public: if public.is_empty() { Public::None } else { Public::At(public) },
        origin: reader.origin(item, &label),
        label,
    }
}
