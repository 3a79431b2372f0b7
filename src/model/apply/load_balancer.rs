//! Load balancers: made with the cloud, and the instances behind them.
//!
//! Codes are those of the Elastic Load Balancing API of 2012, which the Classic Load Balancer still has.

use indexmap::{IndexMap, IndexSet};
use ipnet::Ipv4Net;

use super::edit::Edit;
use super::lookup::{refuse, unknown};
use super::{address, group, interface};
use crate::model::cloud::default_group;
use crate::model::cloud::{Cloud, InstanceState, SecurityGroup};
use crate::model::interface::{AutomaticPublic, Interface, SourceDestCheck};
use crate::model::interface_id::InterfaceId;
use crate::model::load_balancer::{CreateLoadBalancer, ELB_GROUP, LoadBalancer, Scheme};
use crate::model::name::{Ec2Name, GroupName, InstanceName, LoadBalancerName, VpcName, listeners_group};
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
    let own_name = listeners_group(name);
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use indexmap::IndexSet;

    use super::super::super::sample::{Sample, balancer, create, launch, launch_at, stop};
    use super::super::super::*;

    fn names(instances: &[&str]) -> IndexSet<InstanceName> {
        instances.iter().map(InstanceName::new).collect()
    }

    fn register(instances: &[&str]) -> Operation {
        Operation::RegisterInstances(LoadBalancerName::new("lb"), names(instances))
    }

    fn deregister(instances: &[&str]) -> Operation {
        Operation::DeregisterInstances(LoadBalancerName::new("lb"), names(instances))
    }

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        match sample.try_apply(operation) {
            Ok(_) => panic!("{operation:?} was carried out"),
            Err(refusal) => refusal.to_string(),
        }
    }

    fn with_two(era: Era, groups: &[&str]) -> Sample {
        let sample = Sample::new(era).group("ELB", &[]).group("WEB", &[]);
        sample.instance("web1", &["WEB"]).instance("web2", &["WEB"]).with(balancer(groups)).with(register(&["web1"]))
    }

    fn registered(sample: &Sample) -> Vec<(String, Ipv4Addr)> {
        let balancer = &sample.0.load_balancers["lb"];
        balancer.registrations.iter().map(|(name, private)| (name.to_string(), private.0)).collect()
    }

    fn stop_and_start(sample: Sample, name: &str) -> Sample {
        sample.with(Operation::Stop(InstanceName::new(name))).with(Operation::Start(InstanceName::new(name)))
    }

    #[test]
    fn in_a_vpc_it_is_in_the_groups_it_was_given_and_has_both_addresses() {
        let sample = with_two(Era::Vpc, &["ELB"]);
        let interface = &sample.0.load_balancers["lb"].interface;
        assert_eq!(interface.groups, IndexSet::from([GroupName::new("ELB")]));
        assert!(interface.private.is_some() && interface.public.is_some() && interface.ipv6.is_none());
    }

    #[test]
    fn in_classic_it_has_amazons_groups_that_open_its_listeners_and_nothing_else() {
        for era in [Era::Article, Era::Classic] {
            let sample = with_two(era, &[]);
            let interface = &sample.0.load_balancers["lb"].interface;
            assert_eq!(interface.groups[0].as_str(), ELB_GROUP);
            let rules: Vec<_> =
                interface.groups.iter().flat_map(|name| &sample.0.groups[name].ingress).map(|it| &it.written).collect();
            assert_eq!(rules, ["tcp 80 from anywhere"]);
            assert_eq!(
                refusal(&Sample::new(era).group("ELB", &[]), &balancer(&["ELB"])),
                "InvalidConfigurationRequest: Security groups can only be given to load balancers in a VPC"
            );
        }
    }

    #[test]
    fn an_internal_one_has_no_public_address_and_is_of_a_vpc_only() {
        let internal = |groups: &[&str]| {
            let Operation::CreateLoadBalancer(request) = balancer(groups) else { unreachable!() };
            Operation::CreateLoadBalancer(CreateLoadBalancer { scheme: Scheme::Internal, ..request })
        };
        let sample = Sample::new(Era::Vpc).group("ELB", &[]).with(internal(&["ELB"]));
        let created = &sample.0.load_balancers["lb"];
        assert!(created.interface.public.is_none() && created.interface.private.is_some());
        assert_eq!(created.named_address(), created.interface.private.map(|it| it.0));
        for era in [Era::Article, Era::Classic] {
            let said = "InvalidScheme: You can only specify a scheme for load balancers in a VPC";
            assert_eq!(refusal(&Sample::new(era), &internal(&[])), said);
        }
    }

    #[test]
    fn a_load_balancer_called_like_amazons_group_does_not_get_into_its_place() {
        let Operation::CreateLoadBalancer(request) = balancer(&[]) else { unreachable!() };
        let request = CreateLoadBalancer { name: LoadBalancerName::new("amazon-elb-sg"), ..request };
        let sample = Sample::new(Era::Classic).with(Operation::CreateLoadBalancer(request));
        assert!(sample.0.groups[ELB_GROUP].ingress.is_empty());
    }

    #[test]
    fn a_registration_holds_the_address_of_its_moment() {
        let before = with_two(Era::Classic, &[]);
        let was = before.private("web1").expect("an address");
        let after = stop_and_start(before, "web1");
        assert_ne!(after.private("web1"), Some(was));
        assert_eq!(registered(&after), [("web1".to_owned(), was.0)]);
        let again = after.with(register(&["web1"]));
        assert_eq!(registered(&again), [("web1".to_owned(), was.0)], "who is registered stays as it is");
        let cured = again.with(deregister(&["web1"])).with(register(&["web1"]));
        assert_eq!(registered(&cured), [("web1".to_owned(), cured.private("web1").expect("an address").0)]);
    }

    #[test]
    fn in_a_vpc_the_registration_stays_right() {
        let after = stop_and_start(with_two(Era::Vpc, &["ELB"]), "web1");
        assert_eq!(registered(&after), [("web1".to_owned(), after.private("web1").expect("an address").0)]);
    }

    #[test]
    fn who_is_terminated_is_behind_it_no_more() {
        let after = with_two(Era::Vpc, &["ELB"]).with(Operation::Terminate(InstanceName::new("web1")));
        assert_eq!(registered(&after), []);
    }

    #[test]
    fn what_cannot_be_registered_is_refused_and_nothing_of_the_request_is_done() {
        let sample = with_two(Era::Vpc, &["ELB"]).with(Operation::Stop(InstanceName::new("web2")));
        let elsewhere = |name: &str| Operation::RegisterInstances(LoadBalancerName::new(name), names(&["web1"]));
        let foreign = sample.clone().with(create("THEIRS", "other"));
        let foreign = foreign.with(launch_at("theirs", &["THEIRS"], "other", AddressRequest::Automatic));
        for (sample, operation, expected) in [
            (&sample, register(&["nobody"]), "InvalidInstance: Could not find EC2 instance nobody."),
            (&sample, register(&["web2"]), "InvalidInstance: EC2 instance web2 is not in a running state."),
            (&foreign, register(&["theirs"]), "InvalidInstance: EC2 instance theirs is not in the same VPC as ELB."),
            (
                &sample,
                deregister(&["web1", "web2"]),
                "InvalidInstance: The instance web2 is not registered with the load balancer lb.",
            ),
            (&sample, elsewhere("bl"), "LoadBalancerNotFound: There is no ACTIVE Load Balancer named 'bl'"),
            (
                &sample,
                balancer(&["ELB"]),
                "DuplicateLoadBalancerName: The load balancer 'lb' already exists and it is configured with different \
             parameters",
            ),
            (&sample, stop("lb"), "InvalidInstanceID.NotFound: The instance ID 'lb' does not exist"),
        ] {
            assert_eq!(refusal(sample, &operation), expected);
        }
    }

    #[test]
    fn a_group_that_a_load_balancer_is_in_is_in_use() {
        let sample = with_two(Era::Vpc, &["ELB"]);
        let delete = Operation::DeleteGroup(GroupName::new("ELB"));
        assert_eq!(refusal(&sample, &delete), "DependencyViolation: resource ELB has a dependent object");
    }

    #[test]
    fn amazons_groups_are_named_by_rules_and_neither_edited_nor_deleted_nor_worn() {
        let sample = with_two(Era::Classic, &[]).allow("WEB", &["tcp 80 from amazon-elb/amazon-elb-sg"]);
        let elb = || GroupName::new(ELB_GROUP);
        for operation in [
            Operation::DeleteGroup(elb()),
            Operation::AuthorizeIngress(elb(), Vec::new()),
            launch("web3", &[ELB_GROUP]),
        ] {
            assert_eq!(
                refusal(&sample, &operation),
                "InvalidGroup.Reserved: The security group 'amazon-elb/amazon-elb-sg' is Amazon's own"
            );
        }
    }
}
