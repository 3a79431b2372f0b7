//! Health checks of load balancers: who fails, and for want of what.

use indexmap::IndexMap;

use super::results::reason::FailedTargets;
use crate::lab::Listeners;
use crate::model::{
    Cloud, Direction, Endpoint, Flow, InstanceName, InstanceState, InterfaceHolder, LoadBalancer, LoadBalancerName,
    Port, Service, Via,
};
use crate::policy::behind::{Failure, Listens, Reached, health_check};
use crate::probe::{CloseReason, HealthFailure, ScheduledHealth};

/// Tells who listens by the cloud alone: an instance has what it `listens` on. Of a port that health checks ask at a program decides; at any other
/// the harness answers a probe where no program does.
pub fn ears(cloud: &Cloud) -> impl Fn(&InstanceName, Service) -> Listens + '_ {
    move |name, service| {
        let listens = cloud.instances.get(name).is_some_and(|it| it.listens.contains(&service));
        let is_checked = cloud.load_balancers.values().any(|it| Service::Tcp(it.health_check.port) == service);
        match is_a_programs(cloud, name, service) || is_checked && !listens {
            true => Listens::Unknown,
            false => Listens::Yes,
        }
    }
}

/// Tells who listens where the harness listens as well. A port that a service is for is that program's.
pub fn ears_with<'a>(cloud: &'a Cloud, listeners: &'a Listeners) -> impl Fn(&InstanceName, Service) -> Listens + 'a {
    move |name, service| {
        let Some(instance) = cloud.instances.get(name) else { return Listens::Unknown };
        let is_closed = listeners.is_closed(cloud, &name.into(), service);
        let all = listeners.columns.contains(&service) || instance.listens.contains(&service);
        match (is_a_programs(cloud, name, service), all && !is_closed) {
            (true, _) => Listens::Unknown,
            (false, true) => Listens::Yes,
            (false, false) => Listens::No,
        }
    }
}

/// Returns `true` if a port is for a program that a service of the instance starts.
pub fn is_a_programs(cloud: &Cloud, name: &InstanceName, service: Service) -> bool {
    cloud.instances.get(name).is_some_and(|it| it.processes.values().any(|process| process.port == Some(service)))
}

/// The health check of an instance as a flow: from the load balancer's own address to the private one.
pub fn flow((name, balancer): (&LoadBalancerName, &LoadBalancer), target: &InstanceName) -> Flow {
    Flow {
        from: Endpoint::LoadBalancer(name.clone(), balancer.scheme),
        to: Endpoint::Instance(target.clone()),
        via: Via::Private,
        service: Service::Tcp(balancer.health_check.port),
    }
}

/// Puts the result of a health check in a sentence.
pub fn sentence(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName, check: &Reached) -> String {
    let port = balancer.health_check.port;
    match check {
        Reached::Answered { by } if by == target => format!("{target} passes its health check"),
        Reached::Answered { by } => format!("the health check of {target} passes: {by} holds its address and answers"),
        Reached::Unknown { by } => {
            format!("{target} passes its health check if a program of {by} listens on tcp {port}")
        }
        Reached::Fails(failure) => {
            format!("{target} fails its health check: {}", cause(cloud, balancer, target, failure))
        }
    }
}

/// Explains why a registered instance fails its health check by the cloud alone, if it does.
pub fn failure(cloud: &Cloud, balancer: &LoadBalancerName, target: &InstanceName) -> Option<HealthFailure> {
    failure_of(cloud, cloud.load_balancers.get(balancer)?, target)
}

fn failure_of(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName) -> Option<HealthFailure> {
    match health_check(cloud, balancer, target, &ears(cloud))? {
        Reached::Fails(failure) => Some(cause(cloud, balancer, target, &failure)),
        Reached::Answered { .. } | Reached::Unknown { .. } => None,
    }
}

/// Says why a load balancer closes what comes to a listener: nobody is in service, or whoever is does not take its connection.
pub fn closed(cloud: &Cloud, balancer: &LoadBalancer, listener: Port) -> CloseReason {
    let serves = |target: &&InstanceName| failure_of(cloud, balancer, target).is_none();
    let in_service: Vec<InstanceName> = balancer.registrations.keys().filter(serves).cloned().collect();
    match balancer.listeners.get(&listener) {
        Some(port) if !in_service.is_empty() => CloseReason::NoneTakes { in_service, port: *port },
        _ => CloseReason::NoneInService,
    }
}

/// Explains each failed health check of a registered instance by the cloud alone; instances with one cause together.
pub fn failures(cloud: &Cloud, balancer: &LoadBalancer) -> Vec<FailedTargets> {
    let mut all: Vec<FailedTargets> = Vec::new();
    for target in balancer.registrations.keys() {
        let Some(cause) = failure_of(cloud, balancer, target) else { continue };
        match all.iter_mut().find(|failed| failed.cause == cause) {
            Some(failed) => failed.targets.push(target.clone()),
            None => all.push(FailedTargets { targets: vec![target.clone()], cause }),
        }
    }
    all
}

/// Explains a failed health check: `no rule of WEB admits tcp 80 from lb (10.0.0.13)`.
pub fn cause(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName, failure: &Failure) -> HealthFailure {
    let port = balancer.health_check.port;
    match failure {
        Failure::Dropped { at: Direction::Ingress, holder, groups } => HealthFailure::NoIngressRule {
            groups: groups.clone(),
            port,
            from: balancer.interface.id.holder(),
            address: balancer.interface.private,
            at: (*holder != InterfaceHolder::from(target)).then(|| holder.clone()),
        },
        Failure::Dropped { at: Direction::Egress, holder, groups } => {
            HealthFailure::NoEgressRule { groups: groups.clone(), holder: holder.clone(), port }
        }
        Failure::Misrouted => HealthFailure::Misrouted,
        Failure::Refused { by } => HealthFailure::NobodyListens { by: by.clone(), port },
        Failure::Silent { by } => HealthFailure::Crashed(by.clone()),
        Failure::Unreachable { address } => {
            let known = cloud.instances.get(target);
            let has = known.and_then(|it| it.interfaces.first()?.private).filter(|has| has.0 != *address);
            match (known.map(|it| it.state), has) {
                (Some(InstanceState::Stopped), _) => HealthFailure::Stopped(target.clone()),
                (_, Some(has)) => HealthFailure::Moved { registered: *address, has },
                _ => HealthFailure::NoHolder(*address),
            }
        }
    }
}

/// The reason why a target is out of service: by the cloud, or else as its health checks found it.
pub fn observed_cause(
    cloud: &Cloud,
    balancer: &LoadBalancer,
    target: &InstanceName,
    standing: &ScheduledHealth,
) -> Option<HealthFailure> {
    match standing {
        ScheduledHealth::InService | ScheduledHealth::InProgress => None,
        ScheduledHealth::Passing { passed } => {
            let threshold = balancer.health_check.healthy_threshold;
            Some(HealthFailure::Passing { passed: *passed, threshold })
        }
        ScheduledHealth::Failed { why } => Some(match health_check(cloud, balancer, target, &ears(cloud)) {
            Some(Reached::Fails(failure)) => cause(cloud, balancer, target, &failure),
            _ => HealthFailure::Found(why.clone()),
        }),
    }
}

/// The reasons why instances behind the load balancer that a flow goes to are out of service, where its health checks have found
/// them and the cloud alone does not tell.
pub fn observed_failures(
    cloud: &Cloud,
    flow: &Flow,
    standings: impl Fn(&LoadBalancerName) -> IndexMap<InstanceName, ScheduledHealth>,
) -> Vec<FailedTargets> {
    let Some((name, balancer)) = flow.to.load_balancer().and_then(|to| cloud.load_balancers.get_key_value(to)) else {
        return Vec::new();
    };
    let standings = standings(name);
    let found = balancer.registrations.keys().filter_map(|target| {
        let standing = standings.get(target).unwrap_or(&ScheduledHealth::InProgress);
        let cause = observed_cause(cloud, balancer, target, standing)?;
        failure(cloud, name, target).is_none().then(|| FailedTargets { targets: vec![target.clone()], cause })
    });
    found.collect()
}
