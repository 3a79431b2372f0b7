//! Load balancers: made with the cloud, and the instances behind them.
//!
//! Codes are those of the Elastic Load Balancing API of 2012, which the Classic Load Balancer still has.

use indexmap::{IndexMap, IndexSet};
use ipnet::Ipv4Net;

use super::edit::Edit;
use super::refuse::{refuse, unknown};
use super::{address, group, interface};
use crate::model::cloud::{Cloud, InstanceState, SecurityGroup};
use crate::model::default_group::default_group;
use crate::model::interface::{AutomaticPublic, Interface, SourceDestCheck};
use crate::model::interface_id::InterfaceId;
use crate::model::load_balancer::{CreateLoadBalancer, ELB_GROUP, LoadBalancer, Scheme};
use crate::model::name::{Ec2Name, GroupName, InstanceName, LoadBalancerName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::AddressRequest;
use crate::model::rule::{Peer, PortRange, Rule, Traffic};

/// `CreateLoadBalancer`: with a private address, and a public one unless it is internal, that stay as long as it does.
///
/// In a VPC it has groups of its own, in EC2-Classic none: there everybody reaches its listeners and nothing else, and
/// rules name [`ELB_GROUP`]. Source: "Security groups for your Classic Load Balancer" (Classic Load Balancers user
/// guide), for both. Only there it may be internal: "You can only specify a scheme for load balancers in a VPC"
/// (CreateLoadBalancer, Elastic Load Balancing API reference 2012-06-01).
pub(in crate::model) fn create(cloud: &mut Edit<'_>, request: &CreateLoadBalancer) -> Result<(), Refusal> {
    let CreateLoadBalancer { name, vpc, subnet, scheme, groups, listeners, health_check, place } = request;
    if cloud.has_holder(name.as_str()) {
        let message =
            format!("The load balancer '{name}' already exists and it is configured with different parameters");
        return Err(refuse(RefusalCode::DuplicateLoadBalancerName, message));
    }
    let groups = if cloud.is_vpc() {
        let own = || IndexSet::from([default_group(cloud.vpcs.keys(), vpc)]);
        let groups = if groups.is_empty() { own() } else { groups.clone() };
        group::known_set(cloud, (vpc, subnet), &groups)?;
        groups
    } else {
        if !groups.is_empty() {
            let message = "Security groups can only be given to load balancers in a VPC";
            return Err(refuse(RefusalCode::InvalidConfigurationRequest, message));
        }
        if *scheme == Scheme::Internal {
            let message = "You can only specify a scheme for load balancers in a VPC";
            return Err(refuse(RefusalCode::InvalidScheme, message));
        }
        groups_of_classic(cloud, name, vpc, listeners.keys().copied().map(PortRange::single))
    };
    let private = address::private(cloud, vpc, subnet, &AddressRequest::Automatic)?;
    let (public, automatic_public) = match scheme {
        Scheme::InternetFacing => (Some(address::public(cloud)?), AutomaticPublic::Given),
        Scheme::Internal => (None, AutomaticPublic::None),
    };
    let number = cloud.next_interface_number();
    let id = InterfaceId::LoadBalancer(name.clone());
    let interface = Interface {
        eni: interface::next_eni(cloud, vpc, &id),
        id,
        attached_to: None,
        number,
        vpc: vpc.clone(),
        subnet: subnet.clone(),
        groups,
        private: Some(private),
        secondary: Vec::new(),
        public,
        automatic_public,
        // Classic Load Balancers of a VPC speak IPv4 only.
        ipv6: None,
        source_dest_check: SourceDestCheck::On,
    };
    let balancer = LoadBalancer {
        interface,
        scheme: *scheme,
        listeners: listeners.clone(),
        health_check: *health_check,
        registrations: IndexMap::new(),
        place: place.clone(),
    };
    cloud.load_balancers_mut().insert(name.clone(), balancer);
    Ok(())
}

/// `RegisterInstancesWithLoadBalancer`. Who is registered stays as it is, with the address of its registration.
///
/// "The instance must be a running instance in the same network as the load balancer (EC2-Classic or the same VPC)"
/// (RegisterInstancesWithLoadBalancer, Elastic Load Balancing API reference 2012-06-01).
pub(in crate::model) fn register(
    cloud: &mut Edit<'_>,
    name: &LoadBalancerName,
    instances: &IndexSet<InstanceName>,
) -> Result<(), Refusal> {
    let vpc = known(cloud, name)?.interface.vpc.clone();
    let mut registered = Vec::new();
    for instance in instances {
        let found = cloud.instances.get(instance).ok_or_else(|| unknown_instance(instance))?;
        let first = found.interfaces.first().filter(|first| first.vpc == vpc).ok_or_else(|| {
            refuse(RefusalCode::InvalidInstance, format!("EC2 instance {instance} is not in the same VPC as ELB."))
        })?;
        let private = first.private.filter(|_| found.state == InstanceState::Running).ok_or_else(|| {
            refuse(RefusalCode::InvalidInstance, format!("EC2 instance {instance} is not in a running state."))
        })?;
        registered.push((instance.clone(), private));
    }
    if let Some(balancer) = cloud.load_balancers_mut().get_mut(name) {
        for (instance, private) in registered {
            balancer.registrations.entry(instance).or_insert(private);
        }
    }
    Ok(())
}

/// `DeregisterInstancesFromLoadBalancer`.
pub(in crate::model) fn deregister(
    cloud: &mut Edit<'_>,
    name: &LoadBalancerName,
    instances: &IndexSet<InstanceName>,
) -> Result<(), Refusal> {
    let balancer = known(cloud, name)?;
    if let Some(stranger) = instances.iter().find(|instance| !balancer.registrations.contains_key(*instance)) {
        let message = format!("The instance {stranger} is not registered with the load balancer {name}.");
        return Err(refuse(RefusalCode::InvalidInstance, message));
    }
    if let Some(balancer) = cloud.load_balancers_mut().get_mut(name) {
        balancer.registrations.retain(|instance, _| !instances.contains(instance));
    }
    Ok(())
}

/// A terminated instance is behind no load balancer any more (sglab: at once).
pub(super) fn terminated(cloud: &mut Edit<'_>, instance: &InstanceName) {
    let all = cloud.load_balancers.iter().filter(|(_, balancer)| balancer.registrations.contains_key(instance));
    let names: Vec<LoadBalancerName> = all.map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(balancer) = cloud.load_balancers_mut().get_mut(&name) {
            balancer.registrations.shift_remove(instance);
        }
    }
}

/// Gives EC2-Classic the group of its load balancers: without a rule, since it is there to be named.
pub(super) fn add_group(cloud: &mut Edit<'_>, vpc: &VpcName) {
    let name = GroupName::new(ELB_GROUP);
    let group = amazons(cloud, vpc, &name, "the group of every load balancer");
    cloud.groups_mut().insert(name, group);
}

/// A load balancer of EC2-Classic has no groups. What it does instead is written down as two of Amazon's own: that of
/// all load balancers, and one of this, that opens its listeners to everybody.
fn groups_of_classic(
    cloud: &mut Edit<'_>,
    name: &LoadBalancerName,
    vpc: &VpcName,
    ports: impl Iterator<Item = PortRange>,
) -> IndexSet<GroupName> {
    let all = GroupName::new(ELB_GROUP);
    if !cloud.groups.contains_key(&all) {
        add_group(cloud, vpc);
    }
    let own_name = GroupName::new(format!("amazon-elb/{name}-listeners"));
    let mut own = amazons(cloud, vpc, &own_name, "the listeners of a load balancer, open to everybody");
    for port in ports {
        let (traffic, peer) = (Traffic::Tcp(port), Peer::Cidr(Ipv4Net::default().into()));
        let (written, id) = (format!("{traffic} from {peer}"), cloud.next_rule_id());
        own.ingress.push(Rule { id, traffic, peer, written, description: None, place: None });
    }
    cloud.groups_mut().insert(own_name.clone(), own);
    IndexSet::from([all, own_name])
}

fn amazons(cloud: &mut Edit<'_>, vpc: &VpcName, name: &GroupName, description: &str) -> SecurityGroup {
    SecurityGroup {
        id: cloud.next_id(&[vpc.as_str(), name.as_str()]),
        name: Ec2Name::new(name.as_str()),
        vpc: vpc.clone(),
        description: Some(description.to_owned()),
        ingress: Vec::new(),
        egress: Vec::new(),
        place: None,
    }
}

fn known<'a>(cloud: &'a Cloud, name: &LoadBalancerName) -> Result<&'a LoadBalancer, Refusal> {
    cloud.load_balancers.get(name).ok_or_else(|| {
        unknown(RefusalCode::LoadBalancerNotFound, name, format!("There is no ACTIVE Load Balancer named '{name}'"))
    })
}

fn unknown_instance(instance: &InstanceName) -> Refusal {
    unknown(RefusalCode::InvalidInstance, instance, format!("Could not find EC2 instance {instance}."))
}
