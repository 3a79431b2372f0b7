//! Load balancers, as operations on a cloud.

use std::net::Ipv4Addr;

use indexmap::IndexSet;

use super::super::sample::{Sample, balancer, create, launch, launch_at, stop};
use super::super::*;

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
    for operation in
        [Operation::DeleteGroup(elb()), Operation::AuthorizeIngress(elb(), Vec::new()), launch("web3", &[ELB_GROUP])]
    {
        assert_eq!(
            refusal(&sample, &operation),
            "InvalidGroup.Reserved: The security group 'amazon-elb/amazon-elb-sg' is Amazon's own"
        );
    }
}
