//! Small clouds and probes in few words.

use std::sync::Arc;

use indexmap::IndexSet;
use sglab::fabric::Namespace;
use sglab::lab::{Alteration, Lab, Listeners};
use sglab::model::{
    AddressRequest, Cloud, Direction, Endpoint, Era, Flow, GroupName, HostName, InstanceName, Launch, Operation, Peer,
    PeerRequest, Permission, Port, PrivateIp, PublicIp, Service, SubnetName, Traffic, Via, VpcName, apply,
};
use sglab::network::NodeName;
use sglab::probe::{Observation, Outcome};
use sglab::topology::Topology;

/// The topology of a text; panics with every problem if it has any.
pub fn topology(text: &str) -> Topology {
    Topology::parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Boots the initial cloud of a topology, with listeners on its columns.
pub async fn boot(topology: &Topology, era: Era) -> Lab {
    let (mut lab, _) = sglab::scenario::boot(topology, era).await.unwrap_or_else(|error| panic!("{error}"));
    if crate::mutations::alters() {
        lab.alter(Some(Alteration::new(crate::mutations::altered))).await.unwrap_or_else(|error| panic!("{error}"));
    }
    lab
}

/// A flow between two instances by private address.
pub fn flow(from: &str, to: &str, service: Service) -> Flow {
    let instance = |name| Endpoint::Instance(InstanceName::new(name));
    Flow { from: instance(from), to: instance(to), via: Via::Private, service }
}

/// Probes one flow.
pub async fn probe(lab: &mut Lab, flow: Flow) -> Observation {
    let batch = lab.probe(&[flow]).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    batch.observations.into_iter().next().expect("one observation for one flow")
}

/// Whether an outcome is "open".
pub fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Open { .. })
}

/// Whether an outcome is "dropped", by proof.
pub fn is_dropped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Dropped(_))
}

/// The initial cloud of a topology and its listeners, for a test that boots by itself.
pub fn initial_cloud(topology: &Topology, era: Era) -> (Cloud, Listeners) {
    let mut cloud = topology.empty_cloud(era);
    for operation in &topology.initial {
        apply(&mut cloud, &operation.value).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
    (
        cloud,
        Listeners { columns: topology.columns.iter().copied().collect(), closed_ports: topology.closed_ports.clone() },
    )
}

/// A TCP port as a service.
pub fn tcp(port: u16) -> Service {
    Service::Tcp(Port(port))
}

/// A UDP port as a service.
pub fn udp(port: u16) -> Service {
    Service::Udp(Port(port))
}

/// The same flow by public address.
pub fn by_public(flow: Flow) -> Flow {
    Flow { via: Via::Public, ..flow }
}

/// A flow from a host's first address to an instance or a load balancer.
pub fn from_host(cloud: &Cloud, host: &str, to: &str, service: Service) -> Flow {
    let name = HostName::new(host);
    let address = cloud.hosts[&name].addresses[0];
    let to = match cloud.load_balancers.get_key_value(to) {
        Some((name, balancer)) => Endpoint::LoadBalancer(name.clone(), balancer.scheme),
        None => Endpoint::Instance(InstanceName::new(to)),
    };
    Flow { from: Endpoint::Host(name, address), to, via: Via::Public, service }
}

/// Probes flows and gives their outcomes; the canaries must hold.
pub async fn outcomes(lab: &mut Lab, flows: &[Flow]) -> Vec<Outcome> {
    let batch = lab.probe(flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    batch.observations.into_iter().map(|observation| observation.outcome).collect()
}

/// End at which groups dropped a flow, and whose it is; nothing where groups did not drop it.
pub fn dropped_at(outcome: &Outcome) -> Option<(Direction, String)> {
    match outcome {
        Outcome::Dropped(drop) => drop.cause.groups().map(|(at, interface, _)| (at, interface.holder().to_string())),
        _ => None,
    }
}

/// Carries out an operation; panics if it is refused.
pub async fn change(lab: &mut Lab, operation: &Operation) {
    lab.apply(operation).await.unwrap_or_else(|error| panic!("{error}"));
}

/// The permission of one rule.
pub fn permission(traffic: Traffic, peer: Peer) -> Vec<Permission> {
    let written = format!("{traffic} from {peer}");
    vec![Permission { traffic, peers: vec![(PeerRequest::Peer(peer), written)], description: None, place: None }]
}

/// `tcp PORT` of a rule.
pub fn tcp_port(port: u16) -> Traffic {
    Traffic::Tcp(sglab::model::PortRange::single(Port(port)))
}

/// A CIDR block as a rule's peer.
pub fn block(text: &str) -> Peer {
    Peer::Cidr(text.parse().expect("a CIDR block"))
}

/// A group as a rule's peer.
pub fn group(name: &str) -> Peer {
    Peer::Group(GroupName::new(name))
}

/// Adds a rule to a group's ingress.
pub fn authorize(to: &str, traffic: Traffic, peer: Peer) -> Operation {
    Operation::AuthorizeIngress(GroupName::new(to), permission(traffic, peer))
}

/// Takes a rule from a group's ingress.
pub fn revoke(from: &str, traffic: Traffic, peer: Peer) -> Operation {
    Operation::RevokeIngress(GroupName::new(from), permission(traffic, peer))
}

/// Launches an instance into groups of the default VPC.
pub fn launch(name: &str, groups: &[&str], address: AddressRequest) -> Operation {
    Operation::Launch(Box::new(Launch {
        name: InstanceName::new(name),
        vpc: VpcName::new("default"),
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        listens: IndexSet::new(),
        processes: Default::default(),
        mounts: Default::default(),
        address,
        ipv6: sglab::model::AskedIpv6::Automatic,
        secondary: Vec::new(),
        public: sglab::model::AutomaticPublic::Given,
        source_dest_check: sglab::model::SourceDestCheck::On,
        forwarding: sglab::model::Forwarding::None,
        more: Vec::new(),
        place: None,
    }))
}

/// Stops an instance.
pub fn stop(name: &str) -> Operation {
    Operation::Stop(InstanceName::new(name))
}

/// Starts an instance.
pub fn start(name: &str) -> Operation {
    Operation::Start(InstanceName::new(name))
}

/// The private address of an instance.
pub fn private(cloud: &Cloud, name: &str) -> PrivateIp {
    cloud.instances[&InstanceName::new(name)].interfaces[0].private.expect("a private address")
}

/// The public address of an instance.
pub fn public(cloud: &Cloud, name: &str) -> PublicIp {
    cloud.instances[&InstanceName::new(name)].interfaces[0].public.expect("a public address")
}

/// A namespace of a lab.
pub fn node(lab: &Lab, name: &str) -> Arc<Namespace> {
    Arc::clone(lab.fabric().node(&NodeName(name.into())).unwrap_or_else(|error| panic!("{error}")))
}
