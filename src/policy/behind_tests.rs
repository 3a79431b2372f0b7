//! Results of health checks, and the instances that answer behind a listener: hand-written.

use super::behind::{Behind, Failure, Listens, Reached, health_check, listener};
use crate::model::sample::*;
use crate::model::*;

fn web(rules: &[&str]) -> Sample {
    let sample = Sample::new(Era::Vpc).group("ELB", &["tcp 80 from anywhere"]).group("WEB", rules);
    let sample = sample.instance("web1", &["WEB"]).instance("web2", &["WEB"]).with(balancer(&["ELB"]));
    register(sample, &["web1", "web2"])
}

fn register(sample: Sample, names: &[&str]) -> Sample {
    let names = names.iter().map(InstanceName::new).collect();
    sample.with(Operation::RegisterInstances(LoadBalancerName::new("lb"), names))
}

fn all_listen(_: &InstanceName, _: Service) -> Listens {
    Listens::Yes
}

fn check(sample: &Sample, name: &str) -> Reached {
    let lb = &sample.0.load_balancers["lb"];
    health_check(&sample.0, lb, &InstanceName::new(name), &all_listen).expect("it is registered")
}

fn behind(sample: &Sample) -> Behind {
    listener(&sample.0, &sample.0.load_balancers["lb"], Port(80), &all_listen).expect("a listener")
}

fn answered(by: &[&str]) -> Behind {
    Behind::Answered { by: by.iter().map(InstanceName::new).collect() }
}

#[test]
fn a_rule_for_the_load_balancers_group_brings_both_into_service() {
    assert_eq!(behind(&web(&["tcp 8080 from ELB"])), answered(&["web1", "web2"]));
}

#[test]
fn without_a_rule_the_targets_ingress_drops_the_health_check_and_the_listener_closes() {
    let sample = web(&["tcp 8080 from 203.0.113.10"]);
    let dropped = |at, holder: InterfaceHolder, group: &str| {
        Reached::Fails(Failure::Dropped { at, holder, groups: vec![GroupName::new(group)] })
    };
    let (web1, lb) =
        (InterfaceHolder::from(&InstanceName::new("web1")), InterfaceHolder::from(&LoadBalancerName::new("lb")));
    assert_eq!(check(&sample, "web1"), dropped(Direction::Ingress, web1, "WEB"));
    assert_eq!(behind(&sample), Behind::Closed);
    let sample = web(&["tcp 8080 from ELB"]).egress("ELB", &[]);
    assert_eq!(check(&sample, "web1"), dropped(Direction::Egress, lb, "ELB"));
}

#[test]
fn what_is_stopped_has_crashed_or_listens_to_nothing_fails() {
    let sample = web(&["tcp 8080 from ELB"]);
    let stopped = sample.clone().with(stop("web1"));
    let address = sample.private("web1").expect("an address").0;
    assert_eq!(check(&stopped, "web1"), Reached::Fails(Failure::Unreachable { address }));
    assert_eq!(behind(&stopped), answered(&["web2"]));
    let crashed = sample.clone().with(Operation::Crash(InstanceName::new("web1")));
    assert_eq!(check(&crashed, "web1"), Reached::Fails(Failure::Silent { by: InstanceName::new("web1") }));
    let closed_ports = |_: &InstanceName, _: Service| Listens::No;
    let lb = &sample.0.load_balancers["lb"];
    let refused = Reached::Fails(Failure::Refused { by: InstanceName::new("web1") });
    assert_eq!(health_check(&sample.0, lb, &InstanceName::new("web1"), &closed_ports), Some(refused));
    assert_eq!(listener(&sample.0, lb, Port(80), &closed_ports), Some(Behind::Closed));
}

#[test]
fn in_classic_a_target_on_a_new_address_stays_out_and_a_stranger_on_the_old_one_is_in() {
    let sample = Sample::new(Era::Classic).with(balancer(&[]));
    let sample = sample.group("WEB", &["tcp 8080 from amazon-elb/amazon-elb-sg"]).instance("web1", &["WEB"]);
    let sample = register(sample, &["web1"]);
    let moved = sample.with(stop("web1")).with(start("web1"));
    assert!(matches!(check(&moved, "web1"), Reached::Fails(Failure::Unreachable { .. })));
    let old = AddressRequest::PreviousOf(InstanceName::new("web1"));
    let taken = moved.with(launch_at("stranger", &["WEB"], "default", old));
    assert_eq!(check(&taken, "web1"), Reached::Answered { by: InstanceName::new("stranger") });
    assert_eq!(behind(&taken), Behind::Misdelivered { to: InstanceName::new("stranger") });
}

#[test]
fn who_passes_the_check_and_not_the_connection_closes_it_in_its_turn() {
    // The check goes to 8080, as the connections do: with one that listens elsewhere only, whose turn it is decides.
    let sample = web(&["tcp 8080 from ELB"]).group("TOO", &["tcp 9090 from ELB"]);
    let mut sample = sample;
    sample.0.load_balancers["lb"].health_check.port = Port(9090);
    sample.0.instances[0].interfaces[0].groups.insert(GroupName::new("TOO"));
    assert_eq!(behind(&sample), answered(&["web1"]));
    sample.0.instances[1].interfaces[0].groups = [GroupName::new("TOO")].into();
    assert_eq!(behind(&sample), Behind::InTurn);
    sample.0.instances[0].interfaces[0].groups = [GroupName::new("TOO")].into();
    assert_eq!(behind(&sample), Behind::Closed, "in service, and not to be reached at the listener's port");
}

#[test]
fn what_a_program_decides_is_left_to_it_and_what_groups_decide_is_not() {
    let lb = |sample: &Sample| sample.0.load_balancers["lb"].clone();
    let program = |_: &InstanceName, _: Service| Listens::Unknown;
    let sample = web(&["tcp 8080 from ELB"]);
    let on_web1 = Behind::OnAProgram { of: InstanceName::new("web1") };
    assert_eq!(listener(&sample.0, &lb(&sample), Port(80), &program), Some(on_web1));
    let sample = web(&[]);
    assert_eq!(listener(&sample.0, &lb(&sample), Port(80), &program), Some(Behind::Closed));
    assert_eq!(listener(&sample.0, &lb(&sample), Port(81), &program), None, "it does not listen there");
}
