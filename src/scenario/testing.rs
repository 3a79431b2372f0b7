//! The two-tier cloud without a kernel: a topology made by hand, and a lab whose answers come from a closure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::backend::Backend;
use crate::lab::{
    Captured, HealthOfAll, KernelSnapshot, LabError, Listeners, RuleHandles, RulePackets, ServiceResponse,
};
use crate::model::*;
use crate::network::NodeName;
use crate::probe::{Batch, Drop, DropCause, Held, Observation, Outcome, Streams, Trace};
use crate::topology::{
    Action, Columns, Expectation, ExpectedOutcome, FlowPattern, OpenCells, Placed, Selector, Step, Story, Table,
    Topology,
};

pub(crate) fn place(line: u32, column: u32) -> SourceLocation {
    SourceLocation { file: Arc::from("two-tier.yaml"), line, column }
}

fn outside(addresses: &[[u8; 4]]) -> Host {
    Host {
        addresses: addresses.iter().map(|&ip| HostIp(Ipv4Addr::from(ip).into())).collect(),
        mtu: Mtu::ETHERNET,
        place: None,
    }
}

fn rule(id: u32, port: u16, peer: Peer, written: &str, line: u32) -> Rule {
    Rule {
        id: RuleId(id),
        traffic: Traffic::Tcp(PortRange::single(Port(port))),
        peer,
        written: written.to_owned(),
        description: None,
        place: Some(place(line, 16)),
    }
}

fn group(name: &str, ingress: Vec<Rule>) -> (GroupName, SecurityGroup) {
    let group = SecurityGroup {
        id: SecurityGroupId::first_of(&[name]),
        name: Ec2Name::new(name),
        vpc: VpcName::new("default"),
        description: None,
        ingress,
        egress: Vec::new(),
        place: None,
    };
    (GroupName::new(name), group)
}

pub(crate) fn add_instance(cloud: &mut Cloud, name: &str, last: u8, groups: &[&str]) {
    let id = InstanceId::first_of(&[name]);
    let interface = Interface {
        id: InterfaceId::first_of(&InstanceName::new(name)),
        eni: NetworkInterfaceId::first_of(&[name]),
        attached_to: Some(id),
        number: u32::from(last),
        vpc: VpcName::new("default"),
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        private: Some(PrivateIp(Ipv4Addr::new(10, 0, 0, last))),
        secondary: Vec::new(),
        public: Some(PublicIp(Ipv4Addr::new(198, 18, 0, last))),
        automatic_public: AutomaticPublic::Given,
        ipv6: None,
        source_dest_check: SourceDestCheck::On,
    };
    let instance = Instance {
        id,
        state: InstanceState::Running,
        interfaces: vec![interface],
        listens: IndexSet::new(),
        processes: Default::default(),
        mounts: Default::default(),
        forwarding: Forwarding::None,
        place: None,
    };
    cloud.instances.insert(InstanceName::new(name), instance);
}

/// Four instances, four outside addresses, three rules.
pub(crate) fn cloud() -> Cloud {
    let hosts = IndexMap::from([
        (HostName::new("office"), outside(&[[203, 0, 113, 10]])),
        (HostName::new("neighbour"), outside(&[[203, 0, 113, 11]])),
        (HostName::new("world"), outside(&[[198, 51, 100, 7], [192, 0, 2, 99]])),
    ]);
    let mut cloud = Cloud::new(Era::Article, Era::Article.knobs(), IndexMap::new(), hosts);
    let office = Peer::Cidr("203.0.113.10/32".parse().expect("a block"));
    let anywhere = Peer::Cidr("0.0.0.0/0".parse().expect("a block"));
    let web = Peer::Group(GroupName::new("SG-T-WEB"));
    cloud.groups = IndexMap::from([
        group("SG-T-WEB", vec![rule(1, 80, anywhere, "tcp 80 from anywhere", 14)]),
        group("SG-T-DB", vec![rule(2, 3306, web, "tcp 3306 from SG-T-WEB", 15)]),
        group("SG-T-ADMIN", vec![rule(3, 22, office, "tcp 22 from office", 16)]),
    ]);
    add_instance(&mut cloud, "web1", 11, &["SG-T-WEB", "SG-T-ADMIN"]);
    add_instance(&mut cloud, "web2", 12, &["SG-T-WEB", "SG-T-ADMIN"]);
    add_instance(&mut cloud, "db1", 21, &["SG-T-DB", "SG-T-ADMIN"]);
    add_instance(&mut cloud, "db2", 22, &["SG-T-DB", "SG-T-ADMIN"]);
    cloud
}

pub(crate) fn stop(cloud: &mut Cloud, name: &str) {
    cloud.instances.get_mut(&InstanceName::new(name)).expect("the instance").state = InstanceState::Stopped;
}

pub(crate) fn columns() -> Columns {
    let tcp = |port| Service::Tcp(Port(port));
    IndexSet::from([tcp(22), tcp(80), tcp(3306), tcp(8080), Service::IcmpEcho]).into()
}

/// `office -> SG-T-ADMIN:22`, `db1 <-> db2:3306 at ingress`: enough of the grammar for tests.
pub(crate) fn pattern(written: &str) -> FlowPattern {
    let (flow, at) = match written.split_once(" at ") {
        Some((flow, "ingress")) => (flow, Some(Direction::Ingress)),
        Some((flow, _)) => (flow, Some(Direction::Egress)),
        None => (written, None),
    };
    let both_ways = flow.contains("<->");
    let (from, rest) = flow.split_once(if both_ways { " <-> " } else { " -> " }).expect("an arrow");
    let (to, port) = rest.split_once(':').expect("a port");
    FlowPattern {
        written: written.to_owned(),
        place: place(31, 9),
        from: selector(from),
        from_port: None,
        to: selector(to),
        both_ways,
        service: Service::Tcp(Port(port.parse().expect("a number"))),
        via: None,
        at,
    }
}

fn selector(word: &str) -> Selector {
    match word {
        "any" => Selector::Any,
        "office" | "neighbour" | "world" => Selector::Host(HostName::new(word)),
        group if group.starts_with("SG-") => Selector::Group(GroupName::new(group)),
        name => Selector::Instance(InstanceName::new(name)),
    }
}

pub(crate) fn placed<T>(value: T) -> Placed<T> {
    Placed { value, place: place(40, 13) }
}

pub(crate) fn table(name: &str) -> Expectation {
    Expectation::Table(TableName::new(name))
}

pub(crate) fn flows(expected: ExpectedOutcome, patterns: &[&str]) -> Expectation {
    Expectation::Flows(expected, patterns.iter().map(|written| pattern(written)).collect())
}

pub(crate) fn step(name: &str, expectations: Vec<Expectation>) -> Step {
    Step {
        name: name.to_owned(),
        place: place(39, 5),
        eras: Vec::new(),
        actions: Vec::new(),
        during: Vec::new(),
        expectations: expectations.into_iter().map(placed).collect(),
        note: None,
    }
}

pub(crate) fn doing(operations: Vec<Operation>, step: Step) -> Step {
    let actions = operations.into_iter().map(|operation| Action::Call(vec![placed(operation)]));
    Step { actions: actions.collect(), ..step }
}

pub(crate) fn topology(steps: Vec<Step>) -> Topology {
    let open = |patterns: &[&str]| patterns.iter().map(|written| OpenCells::Of(pattern(written))).collect();
    let two_tier = Table {
        place: place(31, 3),
        like: None,
        open: open(&["any -> SG-T-WEB:80", "SG-T-WEB -> SG-T-DB:3306", "office -> SG-T-ADMIN:22"]),
        egress: Default::default(),
        via: None,
    };
    let replicating = Table {
        place: place(37, 3),
        like: Some(TableName::new("two-tier")),
        open: open(&["db1 <-> db2:3306"]),
        egress: Default::default(),
        via: None,
    };
    Topology {
        name: "two-tier".to_owned(),
        file: Arc::from("two-tier.yaml"),
        eras: vec![Era::Article],
        own_knobs: IndexMap::new(),
        initial: Vec::new(),
        default_groups: Default::default(),
        default_groups_of_balancers: Default::default(),
        elb_group: None,
        empty: cloud(),
        tables: IndexMap::from([(TableName::new("two-tier"), two_tier), (TableName::new("replicating"), replicating)]),
        steps,
        columns: columns(),
        closed_ports: IndexSet::new(),
        story: Story::default(),
    }
}

pub(crate) fn open(rule: u32) -> Outcome {
    Outcome::Open { admitted_by: Some(RuleId(rule)) }
}

/// Returns the outcome by a filter with the rules of [`cloud`], taken down by hand from the article's table.
pub(crate) fn by_the_article(cloud: &Cloud, flow: &Flow) -> Outcome {
    let Endpoint::Instance(to) = &flow.to else { return open(1) };
    let web = |name: &str| name.starts_with("web");
    let from = flow.from.to_string();
    match flow.service {
        Service::Tcp(Port(80)) if web(to.as_str()) => open(1),
        Service::Tcp(Port(3306)) if web(&from) && !web(to.as_str()) && flow.via == Via::Private => open(2),
        Service::Tcp(Port(22)) if from == "office" => open(3),
        _ => dropped(cloud, flow),
    }
}

pub(crate) fn dropped(cloud: &Cloud, flow: &Flow) -> Outcome {
    let Endpoint::Instance(to) = &flow.to else { return Outcome::Unreachable { by: None } };
    let source = match (&flow.from, flow.via) {
        (Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..), _) => {
            return Outcome::Unreachable { by: None };
        }
        (Endpoint::Host(_, address), _) => address.0,
        (Endpoint::Instance(name), via) => {
            let interface = &cloud.instances[name].interfaces[0];
            if via == Via::Public {
                interface.public.expect("a public address").0.into()
            } else {
                interface.private.expect("a private address").0.into()
            }
        }
    };
    let groups = cloud.instances[to].interfaces[0].groups.iter().cloned().collect();
    let cause = DropCause::by_groups(Direction::Ingress, InterfaceId::first_of(to), groups);
    Outcome::Dropped(Drop { cause, source })
}

type Answer = Box<dyn Fn(&Cloud, &Flow) -> Outcome>;
type ServiceAnswers = Box<dyn Fn(&InstanceName, VpcService) -> ServiceResponse>;
type Fated = Box<dyn Fn(&Cloud, &ConnectionName) -> Held>;
type Applied = Box<dyn Fn(&mut Cloud, &Operation) -> Result<(), Refusal>>;

/// A lab without a kernel.
pub(crate) struct Double {
    pub cloud: Cloud,
    pub answer: Answer,
    pub applied: Applied,
    pub canaries_held: bool,
    pub asked: ServiceAnswers,
    pub predictor: Option<fn(&Cloud, &Flow) -> Verdict>,
    pub packets: Option<RulePackets>,
    pub fate: Fated,
}

impl Double {
    pub(crate) fn new(answer: impl Fn(&Cloud, &Flow) -> Outcome + 'static) -> Self {
        Self {
            cloud: cloud(),
            answer: Box::new(answer),
            applied: Box::new(|_, _| Ok(())),
            canaries_held: true,
            asked: Box::new(|_, _| ServiceResponse::Answered { what: "as it must".to_owned() }),
            predictor: None,
            packets: None,
            fate: Box::new(|_, _| Held::Alive),
        }
    }

    pub(crate) fn applying(
        mut self,
        applied: impl Fn(&mut Cloud, &Operation) -> Result<(), Refusal> + 'static,
    ) -> Self {
        self.applied = Box::new(applied);
        self
    }
}

impl Backend for Double {
    fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    async fn apply(&mut self, operation: &Operation) -> Result<Duration, LabError> {
        (self.applied)(&mut self.cloud, operation)?;
        Ok(Duration::from_millis(2))
    }

    async fn probe(&mut self, flows: &[Flow]) -> Result<Batch, LabError> {
        let observe = |flow: &Flow| Observation::of(flow.clone(), (self.answer)(&self.cloud, flow));
        Ok(Batch {
            observations: flows.iter().map(observe).collect(),
            took: Duration::from_millis(6),
            canaries_held: self.canaries_held,
        })
    }

    async fn probe_captured(&mut self, _: &Flow) -> Result<Option<Captured>, LabError> {
        Ok(None)
    }

    async fn open(&mut self, _: &ConnectionName, _: &Flow) -> Result<(), LabError> {
        Ok(())
    }

    async fn meet(&mut self, _: &ConnectionName, _: &Peers) -> Result<(), LabError> {
        Ok(())
    }

    fn close(&mut self, _: &ConnectionName) {}

    async fn idle(&mut self, _: &ConnectionName) -> Result<(), LabError> {
        Ok(())
    }

    async fn examine_answer(&mut self, _: &ConnectionName) -> Result<Held, LabError> {
        Ok(Held::Alive)
    }

    async fn examine(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        Ok((self.fate)(&self.cloud, name))
    }

    async fn begin_traffic(&mut self, flows: &[Flow]) -> Result<Streams, LabError> {
        let flow = flows.iter().map(ToString::to_string).collect();
        Err(LabError::NoTraffic { flow, why: "there is no kernel".to_owned() })
    }

    async fn settle_traffic(&mut self, _: &Streams) -> bool {
        false
    }

    async fn end_traffic(&mut self, _: Streams) -> Trace {
        Trace::default()
    }

    async fn ask_service(&mut self, from: &InstanceName, service: VpcService) -> Result<ServiceResponse, LabError> {
        Ok((self.asked)(from, service))
    }

    async fn health(&mut self) -> Result<HealthOfAll, LabError> {
        Ok(HealthOfAll::new())
    }

    fn predictor(&self) -> Option<fn(&Cloud, &Flow) -> Verdict> {
        self.predictor
    }

    async fn kernel_snapshot(&self, _: &[IpAddr]) -> Result<KernelSnapshot, LabError> {
        let node = NodeName("vpc-default".to_owned());
        let tracked = vec![(node.clone(), vec!["a tracked flow".to_owned()])];
        Ok(KernelSnapshot { rulesets: vec![(node, "table inet sglab {}\n".to_owned())], tracked })
    }

    async fn elsewhere(&self, cloud: &Cloud, _: Listeners, flow: &Flow) -> Result<Batch, LabError> {
        let outcome = (self.answer)(cloud, flow);
        let observations = vec![Observation::of(flow.clone(), outcome)];
        Ok(Batch { observations, took: Duration::ZERO, canaries_held: self.canaries_held })
    }

    async fn rule_packets(&self) -> Result<Option<RulePackets>, LabError> {
        Ok(self.packets.clone())
    }

    async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        let rules = self.cloud.groups.iter().flat_map(|(group, it)| it.ingress.iter().map(move |rule| (group, rule)));
        Ok(rules
            .map(|(group, rule)| ((format!("in-{group}"), rule.id.to_string()), u64::from(rule.id.0)))
            .collect::<BTreeMap<_, _>>())
    }
}
