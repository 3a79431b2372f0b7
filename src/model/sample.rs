//! For tests: clouds made by operations, in few words.

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

use super::*;

/// A cloud that a test builds up; an operation that must succeed panics with the refusal if it does not.
#[derive(Clone)]
pub(crate) struct Sample(pub(crate) Cloud);

impl Sample {
    /// VPCs `default` and `other`, both 10.0.0.0/16 with one subnet 10.0.0.0/16, and the hosts `office` and `world`.
    pub(crate) fn new(era: Era) -> Self {
        let vpc = || Vpc {
            cidr: DEFAULT_VPC_CIDR,
            subnets: IndexMap::from([(SubnetName::new("default"), DEFAULT_VPC_CIDR)]),
            routes: IndexMap::new(),
            without_public: Default::default(),
            ipv6_subnets: Default::default(),
            ipv6: None,
        };
        let vpcs = IndexMap::from([(VpcName::new("default"), vpc()), (VpcName::new("other"), vpc())]);
        let host =
            |address: &str| Host { addresses: vec![HostIp(address.parse().unwrap())], mtu: Mtu::ETHERNET, place: None };
        let hosts = IndexMap::from([
            (HostName::new("office"), host("203.0.113.10")),
            (HostName::new("world"), host("198.51.100.7")),
        ]);
        Self(Cloud::new(era, era.knobs(), vpcs, hosts))
    }

    pub(crate) fn try_apply(&self, operation: &Operation) -> Result<Self, Refusal> {
        let mut cloud = self.0.clone();
        apply(&mut cloud, operation)?;
        Ok(Self(cloud))
    }

    pub(crate) fn with(self, operation: Operation) -> Self {
        self.try_apply(&operation).unwrap_or_else(|refusal| panic!("{operation:?}: {refusal}"))
    }

    /// A group of the default VPC with rules such as `tcp 22 from 10.0.0.0/8`; any group name may be a peer.
    pub(crate) fn group(self, name: &str, rules: &[&str]) -> Self {
        self.with(create(name, "default")).allow(name, rules)
    }

    pub(crate) fn allow(self, group: &str, rules: &[&str]) -> Self {
        rules.iter().fold(self, |sample, rule| sample.with(authorize(group, rule)))
    }

    pub(crate) fn instance(self, name: &str, groups: &[&str]) -> Self {
        self.with(launch(name, groups))
    }

    pub(crate) fn private(&self, name: &str) -> Option<PrivateIp> {
        self.0.instances[&InstanceName::new(name)].interfaces[0].private
    }

    pub(crate) fn public(&self, name: &str) -> Option<PublicIp> {
        self.0.instances[&InstanceName::new(name)].interfaces[0].public
    }

    /// Replaces the egress rules of a group; there is no operation for it yet.
    pub(crate) fn egress(mut self, group: &str, rules: &[&str]) -> Self {
        let rules = rules.iter().enumerate().map(|(index, words)| {
            let permission = permission(words);
            let PeerRequest::Peer(peer) = permission.peers[0].0.clone() else { panic!("a plain peer") };
            Rule {
                id: RuleId(9000 + u32::try_from(index).unwrap()),
                traffic: permission.traffic,
                peer,
                written: (*words).to_owned(),
                description: None,
                place: None,
            }
        });
        self.0.groups.get_mut(&GroupName::new(group)).unwrap().egress = rules.collect();
        self
    }
}

pub(crate) fn create(name: &str, vpc: &str) -> Operation {
    Operation::CreateGroup(CreateGroup {
        name: GroupName::new(name),
        ec2_name: None,
        vpc: VpcName::new(vpc),
        description: None,
        place: None,
    })
}

/// A group of which EC2 has another name.
pub(crate) fn create_named(name: &str, ec2_name: &str, vpc: &str) -> Operation {
    let Operation::CreateGroup(request) = create(name, vpc) else { panic!("a new group") };
    Operation::CreateGroup(CreateGroup { ec2_name: Some(Ec2Name::new(ec2_name)), ..request })
}

pub(crate) fn launch(name: &str, groups: &[&str]) -> Operation {
    launch_at(name, groups, "default", AddressRequest::Automatic)
}

pub(crate) fn launch_at(name: &str, groups: &[&str], vpc: &str, address: AddressRequest) -> Operation {
    Operation::Launch(Box::new(Launch {
        name: InstanceName::new(name),
        vpc: VpcName::new(vpc),
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        listens: [Service::Tcp(Port(22))].into(),
        processes: Default::default(),
        mounts: Default::default(),
        address,
        ipv6: AskedIpv6::Automatic,
        secondary: Vec::new(),
        public: AutomaticPublic::Given,
        source_dest_check: SourceDestCheck::On,
        forwarding: Forwarding::None,
        more: Vec::new(),
        place: None,
    }))
}

/// Into a subnet by its name.
pub(crate) fn launch_in(name: &str, groups: &[&str], subnet: &str) -> Operation {
    let Operation::Launch(request) = launch(name, groups) else { panic!("a launch") };
    Operation::Launch(Box::new(Launch { subnet: SubnetName::new(subnet), ..*request }))
}

pub(crate) fn exact(address: &str) -> AddressRequest {
    AddressRequest::Exact(PrivateIp(address.parse().unwrap()))
}

pub(crate) fn previous(name: &str) -> AddressRequest {
    AddressRequest::PreviousOf(InstanceName::new(name))
}

pub(crate) fn authorize(group: &str, rule: &str) -> Operation {
    Operation::AuthorizeIngress(GroupName::new(group), vec![permission(rule)])
}

pub(crate) fn revoke(group: &str, rule: &str) -> Operation {
    Operation::RevokeIngress(GroupName::new(group), vec![permission(rule)])
}

pub(crate) fn set_groups(instance: &str, groups: &[&str]) -> Operation {
    Operation::SetGroups(Target::Instance(InstanceName::new(instance)), groups.iter().map(GroupName::new).collect())
}

/// A load balancer `lb` that listens on 80 and goes on to 8080.
pub(crate) fn balancer(groups: &[&str]) -> Operation {
    Operation::CreateLoadBalancer(CreateLoadBalancer {
        name: LoadBalancerName::new("lb"),
        vpc: VpcName::new("default"),
        subnet: SubnetName::new("default"),
        scheme: Scheme::InternetFacing,
        groups: groups.iter().map(GroupName::new).collect(),
        listeners: IndexMap::from([(Port(80), Port(8080))]),
        health_check: HealthCheck::of_port(Port(8080)),
        place: None,
    })
}

pub(crate) fn allocate(name: &str) -> Operation {
    Operation::AllocateAddress(ElasticIpName::new(name))
}

pub(crate) fn associate(elastic_ip: &str, instance: &str) -> Operation {
    Operation::AssociateAddress {
        elastic_ip: ElasticIpName::new(elastic_ip),
        to: Target::Instance(InstanceName::new(instance)),
        reassociation: Reassociation::Allowed,
    }
}

pub(crate) fn disassociate(name: &str) -> Operation {
    Operation::DisassociateAddress(ElasticIpName::new(name))
}

pub(crate) fn release(name: &str) -> Operation {
    Operation::ReleaseAddress(ElasticIpName::new(name))
}

pub(crate) fn stop(name: &str) -> Operation {
    Operation::Stop(InstanceName::new(name))
}

pub(crate) fn start(name: &str) -> Operation {
    Operation::Start(InstanceName::new(name))
}

pub(crate) fn reboot(name: &str) -> Operation {
    Operation::Reboot(InstanceName::new(name))
}

pub(crate) fn crash(name: &str) -> Operation {
    Operation::Crash(InstanceName::new(name))
}

pub(crate) fn terminate(name: &str) -> Operation {
    Operation::Terminate(InstanceName::new(name))
}

/// `tcp 22 from G`, `udp 7000-8000 from 10.0.0.0/8, a.private`, `icmp echo from anywhere`, `all from G`.
pub(crate) fn permission(rule: &str) -> Permission {
    let (what, peers) = rule.split_once(" from ").or_else(|| rule.split_once(" to ")).expect("TRAFFIC from PEER");
    let range = |ports: &str| {
        let (from, to) = match ports {
            "all" => ("0", "65535"),
            _ => ports.split_once('-').unwrap_or((ports, ports)),
        };
        PortRange::new(Port(from.parse().unwrap()), Port(to.parse().unwrap())).unwrap()
    };
    let traffic = match what.split_once(' ') {
        None => Traffic::All,
        Some(("tcp", ports)) => Traffic::Tcp(range(ports)),
        Some(("udp", ports)) => Traffic::Udp(range(ports)),
        Some(("icmp", "all")) => Traffic::Icmp(IcmpMatch::All),
        Some(("icmp", "echo")) => Traffic::Icmp(IcmpMatch::Type(8)),
        Some(("icmp", kind)) => Traffic::Icmp(match kind.split_once('/') {
            Some((kind, code)) => IcmpMatch::TypeAndCode(kind.parse().unwrap(), code.parse().unwrap()),
            None => IcmpMatch::Type(kind.parse().unwrap()),
        }),
        Some(other) => panic!("no traffic: {other:?}"),
    };
    let peers = peers.split(", ").map(|peer| (peer_request(peer), format!("{what} from {peer}")));
    Permission { traffic, peers: peers.collect(), description: None, place: None }
}

fn peer_request(text: &str) -> PeerRequest {
    if let Some(name) = text.strip_suffix(".private") {
        PeerRequest::PrivateAddressOf(InstanceName::new(name))
    } else if let Some(name) = text.strip_suffix(".public") {
        PeerRequest::PublicAddressOf(InstanceName::new(name))
    } else if text == "anywhere" {
        PeerRequest::Peer(Peer::Cidr(Ipv4Net::default().into()))
    } else if let Ok(net) = text.parse::<IpNet>() {
        PeerRequest::Peer(Peer::Cidr(net))
    } else if let Ok(address) = text.parse::<std::net::IpAddr>() {
        PeerRequest::Peer(Peer::Cidr(IpNet::from(address)))
    } else {
        PeerRequest::Peer(Peer::Group(GroupName::new(text)))
    }
}
