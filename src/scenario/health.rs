//! Health checks of load balancers in words: who fails, and for want of what.

use indexmap::IndexMap;

use crate::lab::Listeners;
use crate::model::{
    Cloud, Direction, Endpoint, Flow, GroupName, InstanceName, InstanceState, InterfaceHolder, LoadBalancer,
    LoadBalancerName, Port, PrivateIp, Service, Via,
};
use crate::policy::behind::{Failure, Listens, Reached, health_check};
use crate::probe::ScheduledHealth;

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
        let closed_ports = listeners.closed_ports.contains(&(name.into(), service));
        let all = listeners.columns.contains(&service) || instance.listens.contains(&service);
        match (is_a_programs(cloud, name, service), all && !closed_ports) {
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
pub fn failure(cloud: &Cloud, balancer: &LoadBalancerName, target: &InstanceName) -> Option<String> {
    failure_of(cloud, cloud.load_balancers.get(balancer)?, target)
}

fn failure_of(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName) -> Option<String> {
    match health_check(cloud, balancer, target, &ears(cloud))? {
        Reached::Fails(failure) => Some(cause(cloud, balancer, target, &failure)),
        Reached::Answered { .. } | Reached::Unknown { .. } => None,
    }
}

/// Says why a load balancer closes what comes to a listener: nobody is in service, or whoever is does not take its connection.
pub fn closed(cloud: &Cloud, balancer: &LoadBalancer, listener: Port) -> String {
    let in_service = |target: &&InstanceName| failure_of(cloud, balancer, target).is_none();
    let names: Vec<&str> = balancer.registrations.keys().filter(in_service).map(InstanceName::as_str).collect();
    match (names.as_slice(), balancer.listeners.get(&listener)) {
        ([_, ..], Some(port)) => {
            let takes = if names.len() == 1 { "takes" } else { "take" };
            format!("{} in service, and {takes} no connection on tcp {port}", are(&names))
        }
        _ => "no instance behind it is in service".to_owned(),
    }
}

fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

/// Explains each failed health check of a registered instance by the cloud alone; instances with one cause together.
pub fn failures(cloud: &Cloud, balancer: &LoadBalancer) -> Vec<String> {
    let mut by_cause: IndexMap<String, Vec<&str>> = IndexMap::new();
    for target in balancer.registrations.keys() {
        if let Some(cause) = failure_of(cloud, balancer, target) {
            by_cause.entry(cause).or_default().push(target.as_str());
        }
    }
    let one = |(cause, names): (String, Vec<&str>)| match names.as_slice() {
        [one] => format!("{one} fails its health check: {cause}"),
        all => format!("{} fail their health checks: {cause}", all.join(" and ")),
    };
    by_cause.into_iter().map(one).collect()
}

/// Explains a failed health check: `no rule of WEB admits tcp 80 from lb (10.0.0.13)`.
pub fn cause(cloud: &Cloud, balancer: &LoadBalancer, target: &InstanceName, failure: &Failure) -> String {
    let (name, port) = (balancer.interface.id.holder(), balancer.health_check.port);
    let address = |address: Option<PrivateIp>| address.map_or_else(String::new, |address| format!(" ({address})"));
    match failure {
        Failure::Dropped { at, holder, groups } => {
            let list = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
            match at {
                Direction::Ingress => {
                    let at =
                        if *holder == InterfaceHolder::from(target) { String::new() } else { format!(" at {holder}") };
                    format!(
                        "no rule of {list} admits tcp {port} from {name}{}{at}",
                        address(balancer.interface.private)
                    )
                }
                Direction::Egress => format!("no egress rule of {list} lets {holder} out to tcp {port}"),
            }
        }
        Failure::Misrouted => "a route leads it astray".to_owned(),
        Failure::Refused { by } => format!("nobody listens on tcp {port} of {by}"),
        Failure::Silent { by } => format!("{by} has crashed, and answers nothing"),
        Failure::Unreachable { address } => {
            let known = cloud.instances.get(target);
            let has = known.and_then(|it| it.interfaces.first()?.private).filter(|has| has.0 != *address);
            match (known.map(|it| it.state), has) {
                (Some(InstanceState::Stopped), _) => format!("{target} is stopped"),
                (_, Some(has)) => {
                    format!(
                        "it was registered with {address}, and has {has} since: deregister it and register it again"
                    )
                }
                _ => format!("nobody holds {address}"),
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
) -> Option<String> {
    match standing {
        ScheduledHealth::InService | ScheduledHealth::InProgress => None,
        ScheduledHealth::Passing { passed } => {
            Some(format!("{passed} of {} checks in a row have passed", balancer.health_check.healthy_threshold))
        }
        ScheduledHealth::Failed { why } => Some(match health_check(cloud, balancer, target, &ears(cloud)) {
            Some(Reached::Fails(failure)) => cause(cloud, balancer, target, &failure),
            _ => why.clone(),
        }),
    }
}

/// The reasons why instances behind the load balancer that a flow goes to are out of service, where its health checks have found
/// them and the cloud alone does not tell.
pub fn observed_failures(
    cloud: &Cloud,
    flow: &Flow,
    standings: impl Fn(&LoadBalancerName) -> IndexMap<InstanceName, ScheduledHealth>,
) -> Vec<String> {
    let Some((name, balancer)) = flow.to.load_balancer().and_then(|to| cloud.load_balancers.get_key_value(to)) else {
        return Vec::new();
    };
    let standings = standings(name);
    let found = balancer.registrations.keys().filter_map(|target| {
        let standing = standings.get(target).unwrap_or(&ScheduledHealth::InProgress);
        let cause = observed_cause(cloud, balancer, target, standing)?;
        failure(cloud, name, target).is_none().then(|| format!("{target} fails its health check: {cause}"))
    });
    found.collect()
}
