//! Instances behind a load balancer: results of its health checks, and fates of the connections that it takes.
//!
//! A load balancer opens its own connections, from its private address to the address of each registration. Groups judge
//! these as they judge any flow; who holds that address, whether that runs, and whether something listens there decide the
//! rest. Source: "Configure health checks for your Classic Load Balancer"; "Security groups for your Classic Load
//! Balancer" (Classic Load Balancers user guide).

use std::net::Ipv4Addr;

use super::holders::holder_of;
use super::judge::{Leg, Walker};
use crate::model::{
    Cloud, DecidedBy, Direction, GroupName, InstanceName, InstanceState, InterfaceHolder, LoadBalancer, Port, Service,
    Verdict,
};

/// Presence of a listener on an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// Something listens.
    Yes,
    /// Nothing listens.
    No,
    /// A program of its own decides.
    Unknown,
}

/// Says of an instance and a service whether something listens.
pub type ListensAt<'a> = &'a dyn Fn(&InstanceName, Service) -> Listens;

/// Result of a connection of a load balancer's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It comes about.
    Answered {
        /// Holder of the address.
        by: InstanceName,
    },
    /// It is let in, and a program decides.
    Unknown {
        /// Holder of the address.
        by: InstanceName,
    },
    /// It does not come about.
    Fails(Failure),
}

/// Reason why a connection of a load balancer's own does not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Groups drop it.
    Dropped {
        /// At the load balancer's egress, or the instance's ingress.
        at: Direction,
        /// Holder of the interface whose groups they are.
        holder: InterfaceHolder,
        /// The groups.
        groups: Vec<GroupName>,
    },
    /// A route or a check of source and destination drops it.
    Misrouted,
    /// Nobody listens.
    Refused {
        /// Holder of the address.
        by: InstanceName,
    },
    /// The holder of the address has crashed.
    Silent {
        /// Holder of the address.
        by: InstanceName,
    },
    /// Nobody holds the address.
    Unreachable {
        /// The address.
        address: Ipv4Addr,
    },
}

/// Fate of a connection that a listener takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// It is passed on to these, in turn.
    Answered {
        /// Instances that answer, in the order of the registrations.
        by: Vec<InstanceName>,
    },
    /// It is passed on to one that is not registered, but holds the address of a registration.
    Misdelivered {
        /// Holder of the address.
        to: InstanceName,
    },
    /// It is closed.
    Closed,
    /// That depends on whose turn it is.
    InTurn,
    /// That depends on a program.
    OnAProgram {
        /// Instance of the program.
        of: InstanceName,
    },
}

/// Predicts the health check of a registered instance; nothing where it is not registered.
pub fn health_check(
    cloud: &Cloud,
    balancer: &LoadBalancer,
    target: &InstanceName,
    listens_at: ListensAt<'_>,
) -> Option<Reached> {
    let address = balancer.registrations.get(target)?;
    Some(reach(cloud, balancer, address.0, balancer.health_check.port, listens_at))
}

/// Predicts the fate of a connection to a listener once health checks have shown what they are going to show; nothing where the load
/// balancer does not listen there.
pub fn listener(cloud: &Cloud, balancer: &LoadBalancer, own: Port, listens_at: ListensAt<'_>) -> Option<Behind> {
    let to = *balancer.listeners.get(&own)?;
    let (mut served, mut program) = (Vec::new(), None);
    for (target, address) in &balancer.registrations {
        match health_check(cloud, balancer, target, listens_at)? {
            Reached::Fails(_) => continue,
            Reached::Unknown { by } => drop(program.get_or_insert(by)),
            Reached::Answered { .. } => {}
        }
        let reached = reach(cloud, balancer, address.0, to, listens_at);
        if let Reached::Unknown { by } = &reached {
            program.get_or_insert_with(|| by.clone());
        }
        served.push(match reached {
            Reached::Answered { by } | Reached::Unknown { by } => Some(by),
            Reached::Fails(_) => None,
        });
    }
    if served.iter().all(Option::is_none) {
        // In service or not, nobody can be passed on to.
        return Some(Behind::Closed);
    }
    if let Some(of) = program {
        return Some(Behind::OnAProgram { of });
    }
    let strangers = served.iter().flatten().filter(|by| !balancer.registrations.contains_key(*by));
    let strangers: Vec<&InstanceName> = strangers.collect();
    Some(match (strangers.as_slice(), served.len()) {
        ([], _) => match served.iter().cloned().collect::<Option<Vec<_>>>() {
            Some(by) => Behind::Answered { by },
            None => Behind::InTurn,
        },
        ([only], 1) => Behind::Misdelivered { to: (*only).clone() },
        _ => Behind::InTurn,
    })
}

/// A connection from the load balancer's private address to an address of its VPC.
fn reach(cloud: &Cloud, balancer: &LoadBalancer, address: Ipv4Addr, port: Port, listens_at: ListensAt<'_>) -> Reached {
    let sender = &balancer.interface;
    let (Some(holder), Some(source)) = (holder_of(cloud, &sender.vpc, address), sender.private) else {
        return Reached::Fails(Failure::Unreachable { address });
    };
    // Another load balancer is behind none.
    let Some(by) = holder.id.instance().cloned() else { return Reached::Fails(Failure::Misrouted) };
    let service = Service::Tcp(port);
    let mut walker = Walker { cloud, service, stages: Vec::new() };
    match walker.leg(&Leg { sender, source: source.0, destination: address }, 0) {
        Verdict::Open { .. } if cloud.state_of(&holder.id) == Some(InstanceState::Crashed) => {
            Reached::Fails(Failure::Silent { by })
        }
        Verdict::Open { .. } => match listens_at(&by, service) {
            Listens::Yes => Reached::Answered { by },
            Listens::No => Reached::Fails(Failure::Refused { by }),
            Listens::Unknown => Reached::Unknown { by },
        },
        Verdict::Dropped { by: DecidedBy::GroupRules { at, interface, groups, .. }, .. } => {
            Reached::Fails(Failure::Dropped { at, holder: interface.holder(), groups })
        }
        Verdict::Unreachable { .. } | Verdict::Unresolved => Reached::Fails(Failure::Unreachable { address }),
        Verdict::Dropped {
            by: DecidedBy::SourceDestCheck { .. } | DecidedBy::Route { .. } | DecidedBy::Translation { .. },
            ..
        }
        | Verdict::Misdelivered { .. } => Reached::Fails(Failure::Misrouted),
    }
}

#[cfg(test)]
mod tests {
    use super::{Behind, Failure, Listens, Reached, health_check, listener};
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
}
