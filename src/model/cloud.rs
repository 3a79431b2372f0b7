//! The state of a cloud at one moment: the one value that `policy` and `compile` both read.

use std::net::{Ipv4Addr, Ipv6Addr};

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::{HostIp, PrivateIp, PublicIp};
use super::era::{Era, Knobs, TrackingTimeouts};
use super::flow::{Direction, Service};
use super::id::{AllocationId, InstanceId, PrefixListId, SecurityGroupId};
use super::interface::Mtu;
use super::interface::{AutomaticPublic, Interface};
use super::interface_id::{Attachment, InterfaceHolder, InterfaceId};
use super::load_balancer::LoadBalancer;
use super::mount::{MountPlace, MountSource};
use super::name::{
    Ec2Name, ElasticIpName, GroupName, HostName, InstanceName, LoadBalancerName, PrefixListName, ProcessName, RuleId,
    SourceLocation, SubnetName, VpcName,
};
use super::process::Process;
use super::rule::{PrefixFamily, Rule};

/// A cloud and the hosts outside it. Made by [`apply`](fn@super::apply::apply) from an empty one, step by step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cloud {
    /// Era of EC2.
    pub era: Era,
    /// The era's preset, with the overrides of the file.
    pub knobs: Knobs,
    /// Hosts outside, in the order of the file.
    pub hosts: IndexMap<HostName, Host>,
    /// VPCs, in the order of the file; at least one.
    pub vpcs: IndexMap<VpcName, Vpc>,
    /// Security groups, in the order of their creation.
    pub groups: IndexMap<GroupName, SecurityGroup>,
    /// Instances, in the order of their launch; terminated ones are gone.
    pub instances: IndexMap<InstanceName, Instance>,
    /// Load balancers, in the order of the file.
    pub load_balancers: IndexMap<LoadBalancerName, LoadBalancer>,
    /// Allocated Elastic IPs, in the order of their allocation.
    pub elastic_ips: IndexMap<ElasticIpName, ElasticIp>,
    /// Prefix lists, in the order of the file.
    pub prefix_lists: IndexMap<PrefixListName, PrefixList>,
    /// The private address that the first interface of each instance name gave back last; survives its termination. For `web1.previous`.
    pub previous_addresses: IndexMap<InstanceName, PrivateIp>,
    /// The public address that each interface gave back last: who asks for it by public address while it has none asks
    /// there.
    pub last_public: IndexMap<Attachment, PublicIp>,
    /// The private address that an interface has given back, until it gets another: who has it written down asks there.
    pub last_private: IndexMap<Attachment, PrivateIp>,
    /// Idle timeouts of tracked flows.
    pub tracking: TrackingTimeouts,
    /// Automatic public addresses come from here.
    pub public_pool: Ipv4Net,
    /// Numbers and addresses given out, which are never given out again.
    pub counters: Counters,
}

/// Numbers and addresses that are used once.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// The last rule id given.
    pub rule: u32,
    /// The last interface number given.
    pub interface: u32,
    /// Number of ids given by kind and names of the resource.
    pub ids: IndexMap<String, u32>,
    /// Every public address ever given.
    pub public: IndexSet<PublicIp>,
    /// Every private address ever given or reserved, per VPC.
    pub private: IndexMap<VpcName, IndexSet<PrivateIp>>,
    /// Every IPv6 block that a file asks for anywhere: none of it is given out automatically.
    pub ipv6: IndexSet<Ipv6Net>,
}

/// A host outside the cloud. It reaches instances by their public addresses, and by IPv6 where both have it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Host {
    /// At least one address.
    pub addresses: Vec<HostIp>,
    /// Of the link between the internet and the host.
    pub mtu: Mtu,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}

/// A virtual private cloud: one router and filter, one gateway.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Vpc {
    /// Its address block.
    pub cidr: Ipv4Net,
    /// Its subnets, in the order of the file; at least one.
    pub subnets: IndexMap<SubnetName, Ipv4Net>,
    /// Routes of subnets beyond the local route and the way to the internet.
    pub routes: IndexMap<SubnetName, Vec<SubnetRoute>>,
    /// Subnets whose instances get no automatic public address unless they ask for one.
    pub without_public: IndexSet<SubnetName>,
    /// Its IPv6 block, a /56, if it has one.
    pub ipv6: Option<Ipv6Net>,
    /// The IPv6 block of each subnet that has one, a /64 of its own.
    pub ipv6_subnets: IndexMap<SubnetName, Ipv6Net>,
}

/// A route of a subnet's route table whose next hop is an instance: a NAT instance or a middlebox.
///
/// Source: "Route tables", "Routing for a middlebox appliance" (Amazon VPC user guide).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SubnetRoute {
    /// Destination block. The longest prefix wins; the block of the VPC itself is a route to everybody in it.
    pub destination: Ipv4Net,
    /// The interface that gets the packets.
    pub target: Attachment,
}

/// Forwarding of packets for somebody else by an instance's operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// Nothing, as any instance.
    #[default]
    None,
    /// It passes it on as it is: a middlebox.
    Plain,
    /// It passes it on as its own: a NAT instance.
    Nat,
}

impl Vpc {
    /// Choice for an instance that does not say whether it wants a public address.
    ///
    /// Source: "Subnet settings" (Amazon VPC user guide), "Auto-assign IP settings"; a launch may say otherwise ("Assign a public IPv4 address at launch", EC2).
    pub fn automatic_public(&self, subnet: &SubnetName) -> AutomaticPublic {
        if self.without_public.contains(subnet) { AutomaticPublic::None } else { AutomaticPublic::Given }
    }

    /// The IPv6 block of a subnet, a /64, if it has one.
    ///
    /// Source: "Subnet CIDR blocks" (Amazon VPC user guide).
    pub fn ipv6_subnet(&self, subnet: &SubnetName) -> Option<Ipv6Net> {
        self.ipv6_subnets.get(subnet).copied()
    }
}

/// A security group: allow rules only, the union of which counts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SecurityGroup {
    /// Its id, which no other ever has.
    pub id: SecurityGroupId,
    /// The name that EC2 has of it, unique in its VPC.
    pub name: Ec2Name,
    /// The VPC that it belongs to.
    pub vpc: VpcName,
    /// A free text.
    pub description: Option<String>,
    /// Rules for traffic to members, in the order of their creation.
    pub ingress: Vec<Rule>,
    /// Rules for traffic from members. Ignored in eras without egress rules.
    pub egress: Vec<Rule>,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}

impl SecurityGroup {
    /// Returns true for one that EC2 has made itself: no other may have its name.
    pub fn is_default(&self) -> bool {
        self.name.as_str() == DEFAULT_GROUP
    }

    /// Returns its rules for one direction.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Returns its rules for one direction, to change them.
    pub fn rules_mut(&mut self, direction: Direction) -> &mut Vec<Rule> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    /// Returns its rules for both directions, those for ingress first.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.ingress.iter().chain(&self.egress)
    }

    /// Returns the name that EC2 has of it, where that is another than the file's.
    pub fn other_name(&self, file: &GroupName) -> Option<&Ec2Name> {
        Some(&self.name).filter(|name| name.as_str() != file.as_str())
    }
}

/// A public address that belongs to the account, and to an interface while it is associated with it.
///
/// Source: "Elastic IP addresses" (EC2 user guide).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ElasticIp {
    /// The id of its allocation, which no other ever has.
    pub allocation: AllocationId,
    /// The address, until it is released.
    pub address: PublicIp,
    /// Interface that it is associated with now.
    pub association: Option<Attachment>,
}

/// Address blocks under one name. A rule that names it means every entry of that moment.
///
/// Source: "Managed prefix lists" (Amazon VPC user guide).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PrefixList {
    /// Its id, which no other ever has.
    pub id: PrefixListId,
    /// The family of all entries.
    pub family: PrefixFamily,
    /// Its entries, canonical.
    pub entries: IndexSet<IpNet>,
    /// As many entries as it may have. A rule that names it counts as this many.
    pub max_entries: u32,
}

/// State of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// Up, and answering.
    Running,
    /// Its operating system died. Whether it holds its addresses depends on the era.
    Crashed,
    /// Stopped.
    Stopped,
}

impl std::fmt::Display for InstanceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Crashed => "crashed",
            Self::Stopped => "stopped",
        })
    }
}

/// A launched instance.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Instance {
    /// Its id, which no other ever has: it is kept over restarts.
    pub id: InstanceId,
    /// State of the instance.
    pub state: InstanceState,
    /// Its interfaces; at least one, the first is `eth0`.
    pub interfaces: Vec<Interface>,
    /// Services that it listens on, besides those that the harness adds.
    pub listens: IndexSet<Service>,
    /// The programs that it runs by itself, in the order of their start.
    pub processes: IndexMap<ProcessName, Process>,
    /// Mounts of its programs, beside what every instance sees.
    pub mounts: IndexMap<MountPlace, MountSource>,
    /// Forwarding of packets for others.
    pub forwarding: Forwarding,
    /// Position in the file.
    pub place: Option<SourceLocation>,
}

impl Cloud {
    /// A cloud with nothing in it but its VPCs and hosts.
    pub fn new(era: Era, knobs: Knobs, vpcs: IndexMap<VpcName, Vpc>, hosts: IndexMap<HostName, Host>) -> Self {
        Self {
            era,
            knobs,
            hosts,
            vpcs,
            groups: IndexMap::new(),
            instances: IndexMap::new(),
            load_balancers: IndexMap::new(),
            elastic_ips: IndexMap::new(),
            prefix_lists: IndexMap::new(),
            previous_addresses: IndexMap::new(),
            last_public: IndexMap::new(),
            last_private: IndexMap::new(),
            tracking: TrackingTimeouts::default(),
            public_pool: DEFAULT_PUBLIC_POOL,
            counters: Counters::default(),
        }
    }

    /// Returns true if egress rules exist in the cloud's era.
    ///
    /// Source: "EC2-Classic" (EC2 user guide, 2018): rules for inbound traffic only.
    pub fn has_egress_rules(&self) -> bool {
        self.is_vpc()
    }

    /// Returns true if the platform is the VPC: with egress rules, IPv6, every protocol and second interfaces.
    ///
    /// Source: "EC2-Classic" (EC2 user guide, 2018), which has none of them.
    pub fn is_vpc(&self) -> bool {
        matches!(self.era, Era::Vpc)
    }

    /// Every interface of every instance, in launch order.
    pub fn interfaces(&self) -> impl Iterator<Item = (&InstanceName, &Instance, &Interface)> {
        self.instances.iter().flat_map(|(name, instance)| instance.interfaces.iter().map(move |i| (name, instance, i)))
    }

    /// Every network interface: of instances in launch order, then of load balancers.
    pub fn network_interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces().map(|(_, _, interface)| interface).chain(self.load_balancers.values().map(|lb| &lb.interface))
    }

    /// The interfaces of an instance or a load balancer.
    pub fn interfaces_of(&self, holder: &InterfaceHolder) -> impl Iterator<Item = &Interface> + use<'_> {
        let (instance, balancer) = match holder {
            InterfaceHolder::Instance(name) => (self.instances.get(name), None),
            InterfaceHolder::LoadBalancer(name) => (None, self.load_balancers.get(name)),
        };
        instance.into_iter().flat_map(|it| &it.interfaces).chain(balancer.map(|it| &it.interface))
    }

    /// An interface by its id.
    pub fn interface(&self, id: &InterfaceId) -> Option<&Interface> {
        match id {
            InterfaceId::Instance(at) => self.attached(at),
            InterfaceId::LoadBalancer(name) => self.load_balancers.get(name).map(|balancer| &balancer.interface),
        }
    }

    /// An interface of an instance.
    pub fn attached(&self, at: &Attachment) -> Option<&Interface> {
        self.instances.get(&at.instance)?.interfaces.iter().find(|interface| interface.id.device() == at.device)
    }

    /// Returns the state of the holder of an interface. A load balancer always runs.
    pub fn state_of(&self, id: &InterfaceId) -> Option<InstanceState> {
        match id {
            InterfaceId::Instance(at) => self.instances.get(&at.instance).map(|instance| instance.state),
            InterfaceId::LoadBalancer(name) => self.load_balancers.get(name).map(|_| InstanceState::Running),
        }
    }

    /// Returns true if an instance or a load balancer has this name: they share their names.
    pub fn has_holder(&self, name: &str) -> bool {
        self.instances.contains_key(name) || self.load_balancers.contains_key(name)
    }

    /// Returns true if an instance says of itself that it listens on a service, by a program of its own too, or a load balancer has a listener for it.
    pub fn listens(&self, holder: &InterfaceHolder, service: Service) -> bool {
        match holder {
            InterfaceHolder::Instance(name) => self.instances.get(name).is_some_and(|instance| {
                instance.listens.contains(&service)
                    || instance.processes.values().any(|process| process.port == Some(service))
            }),
            InterfaceHolder::LoadBalancer(name) => self.load_balancers.get(name).is_some_and(
                |balancer| matches!(service, Service::Tcp(port) if balancer.listeners.contains_key(&port)),
            ),
        }
    }

    /// The Elastic IP that is associated with an interface of an instance.
    pub fn elastic_ip_of(&self, at: &Attachment) -> Option<(&ElasticIpName, &ElasticIp)> {
        self.elastic_ips.iter().find(|(_, elastic)| elastic.association.as_ref() == Some(at))
    }

    /// Finds a rule that stands in some group, with that group.
    pub fn rule(&self, id: RuleId) -> Option<(&GroupName, &Rule)> {
        self.groups
            .iter()
            .find_map(|(name, group)| group.all_rules().find(|rule| rule.id == id).map(|rule| (name, rule)))
    }
}

/// 198.18.0.0/15, set aside for benchmarks of network devices: no route to it exists outside a laboratory.
pub const DEFAULT_PUBLIC_POOL: Ipv4Net = match Ipv4Net::new(Ipv4Addr::new(198, 18, 0, 0), 15) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

/// The IPv6 block of a VPC whose file asks for one and does not say which: set aside for documentation.
pub const DEFAULT_IPV6_BLOCK: Ipv6Net = match Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, 0x1000, 0, 0, 0, 0, 0), 56) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

/// The internet's IPv6 address, from which its errors and canaries come.
pub const INTERNET_ADDRESS_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The IPv6 addresses of gateways, from which their errors come.
pub const GATEWAYS_IPV6: Ipv6Net = match Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 2, 0), 112) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

/// The VPC of a file that names none.
pub const DEFAULT_VPC_CIDR: Ipv4Net = match Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 16) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

/// EC2's name of a default group.
pub const DEFAULT_GROUP: &str = "default";

/// The name by which a file knows that of a VPC: `default` in the first of the VPCs, `default-VPC` in another.
pub fn default_group<'a>(vpcs: impl IntoIterator<Item = &'a VpcName>, of: &VpcName) -> GroupName {
    match vpcs.into_iter().next() {
        Some(first) if first != of => GroupName::new(format!("{DEFAULT_GROUP}-{of}")),
        _ => GroupName::new(DEFAULT_GROUP),
    }
}

/// The VPC that has its default group under a name of the file.
pub fn vpc_of_default_group<'a>(vpcs: impl IntoIterator<Item = &'a VpcName>, group: &str) -> Option<&'a VpcName> {
    let mut vpcs = vpcs.into_iter();
    let first = vpcs.next()?;
    match group.strip_prefix(DEFAULT_GROUP)? {
        "" => Some(first),
        other => vpcs.find(|vpc| other.strip_prefix('-') == Some(vpc.as_str())),
    }
}
