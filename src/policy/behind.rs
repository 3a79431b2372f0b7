//! Instances behind a load balancer: results of its health checks, and fates of the connections that it takes.
//!
//! A load balancer opens its own connections, from its private address to the address of each registration. Groups judge
//! these as they judge any flow; who holds that address, whether that runs, and whether something listens there decide the
//! rest. Source: "Configure health checks for your Classic Load Balancer"; "Security groups for your Classic Load
//! Balancer" (Classic Load Balancers user guide).

use std::net::Ipv4Addr;

use super::judge::{Leg, Walker, holder_of};
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
pub type Ears<'a> = &'a dyn Fn(&InstanceName, Service) -> Listens;

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
pub fn health_check(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName, ears: Ears<'_>) -> Option<Reached> {
    let address = balancer.registrations.get(target)?;
    Some(reach(cloud, balancer, address.0, balancer.health_check.port, ears))
}

/// Predicts the fate of a connection to a listener once health checks have shown what they are going to show; nothing where the load
/// balancer does not listen there.
pub fn listener(cloud: &Cloud, balancer: &LoadBalancer, own: Port, ears: Ears<'_>) -> Option<Behind> {
    let to = *balancer.listeners.get(&own)?;
    let (mut served, mut program) = (Vec::new(), None);
    for (target, address) in &balancer.registrations {
        match health_check(cloud, balancer, target, ears)? {
            Reached::Fails(_) => continue,
            Reached::Unknown { by } => drop(program.get_or_insert(by)),
            Reached::Answered { .. } => {}
        }
        let reached = reach(cloud, balancer, address.0, to, ears);
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
fn reach(cloud: &Cloud, balancer: &LoadBalancer, address: Ipv4Addr, port: Port, ears: Ears<'_>) -> Reached {
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
        Verdict::Open { .. } => match ears(&by, service) {
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
