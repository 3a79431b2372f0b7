//! Clouds made by hand, without the operations of the model.

use indexmap::IndexMap;

use super::model::*;

pub fn cloud(era: Era) -> Cloud {
    let subnets = IndexMap::from([(SubnetName::new("default"), DEFAULT_VPC_CIDR)]);
    let vpcs = IndexMap::from([(
        VpcName::new("default"),
        Vpc {
            cidr: DEFAULT_VPC_CIDR,
            subnets,
            routes: IndexMap::new(),
            without_public: Default::default(),
            ipv6_subnets: Default::default(),
            ipv6: None,
        },
    )]);
    let office = Host { addresses: vec![HostIp([203, 0, 113, 10].into())], mtu: Mtu::ETHERNET, place: None };
    let world = Host {
        addresses: vec![HostIp([198, 51, 100, 7].into()), HostIp([192, 0, 2, 99].into())],
        mtu: Mtu::ETHERNET,
        place: None,
    };
    let hosts = IndexMap::from([(HostName::new("office"), office), (HostName::new("world"), world)]);
    Cloud::new(era, era.knobs(), vpcs, hosts)
}

pub fn tcp(port: u16) -> Traffic {
    Traffic::Tcp(PortRange::single(Port(port)))
}

pub fn anywhere() -> Peer {
    cidr("0.0.0.0/0")
}

pub fn cidr(text: &str) -> Peer {
    Peer::Cidr(text.parse().unwrap())
}

pub fn of(group: &str) -> Peer {
    Peer::Group(GroupName::new(group))
}

pub fn add_group(cloud: &mut Cloud, name: &str) {
    let vpc = VpcName::new("default");
    let id = SecurityGroupId::first_of(&[name]);
    let mut group = SecurityGroup {
        id,
        name: Ec2Name::new(name),
        vpc,
        description: None,
        ingress: vec![],
        egress: vec![],
        place: None,
    };
    if cloud.has_egress_rules() {
        group.egress.push(rule(cloud, Traffic::All, anywhere()));
    }
    cloud.groups.insert(GroupName::new(name), group);
}

pub fn authorize(cloud: &mut Cloud, group: &str, traffic: Traffic, peer: Peer) -> RuleId {
    let rule = rule(cloud, traffic, peer);
    let id = rule.id;
    cloud.groups.get_mut(&GroupName::new(group)).unwrap().ingress.push(rule);
    id
}

fn rule(cloud: &mut Cloud, traffic: Traffic, peer: Peer) -> Rule {
    cloud.counters.rule += 1;
    let written = format!("{traffic} from {peer}");
    Rule { id: RuleId(cloud.counters.rule), traffic, peer, written, description: None, place: None }
}

/// Launches an instance on 10.0.0.`last` and 198.18.0.`last`.
pub fn launch(cloud: &mut Cloud, name: &str, last: u8, groups: &[&str]) {
    cloud.counters.interface += 1;
    let id = InstanceId::first_of(&[name]);
    let interface = Interface {
        id: InterfaceId::first_of(&InstanceName::new(name)),
        eni: NetworkInterfaceId::first_of(&[name]),
        attached_to: Some(id),
        number: cloud.counters.interface,
        vpc: VpcName::new("default"),
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        private: Some(PrivateIp([10, 0, 0, last].into())),
        secondary: Vec::new(),
        public: Some(PublicIp([198, 18, 0, last].into())),
        automatic_public: AutomaticPublic::Given,
        ipv6: None,
        source_dest_check: SourceDestCheck::On,
    };
    let instance = Instance {
        id,
        state: InstanceState::Running,
        interfaces: vec![interface],
        listens: Default::default(),
        processes: Default::default(),
        mounts: Default::default(),
        forwarding: Forwarding::None,
        place: None,
    };
    cloud.instances.insert(InstanceName::new(name), instance);
}

pub fn instance<'a>(cloud: &'a mut Cloud, name: &str) -> &'a mut Instance {
    cloud.instances.get_mut(&InstanceName::new(name)).unwrap()
}

/// The article's two tiers, as its topology file has them.
pub fn two_tier(era: Era) -> Cloud {
    let mut cloud = cloud(era);
    for group in ["SG-T-WEB", "SG-T-DB", "SG-T-ADMIN"] {
        add_group(&mut cloud, group);
    }
    authorize(&mut cloud, "SG-T-WEB", tcp(80), anywhere());
    authorize(&mut cloud, "SG-T-DB", tcp(3306), of("SG-T-WEB"));
    authorize(&mut cloud, "SG-T-ADMIN", tcp(22), cidr("203.0.113.10/32"));
    launch(&mut cloud, "web1", 11, &["SG-T-WEB", "SG-T-ADMIN"]);
    launch(&mut cloud, "web2", 12, &["SG-T-WEB", "SG-T-ADMIN"]);
    launch(&mut cloud, "db1", 21, &["SG-T-DB", "SG-T-ADMIN"]);
    cloud
}
