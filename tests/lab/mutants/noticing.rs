//! What is held against a lab: every cell by each address, forged senders and the services, against the policy.

use indexmap::IndexSet;
use sglab::lab::{Asked, Lab};
use sglab::model::topology::Topology;
use sglab::model::{
    Cloud, CloudService, Endpoint, Flow, IcmpMessage, InstanceName, InstanceState, Interface, Port, PortRange, Service,
    Traffic, Verdict, Via,
};
use sglab::policy;
use sglab::scenario::agreement::{Agreement, compare};

use crate::agreement::cells;

/// What a state of a cloud is asked, and what the policy says.
pub struct Plan {
    /// One of a kind: most mutations are noticed by these already.
    few: Asking,
    /// All of them.
    all: Asking,
    asks: Vec<(InstanceName, CloudService)>,
}

type Asking = Vec<(Flow, Verdict)>;

/// A message that connection tracking gives no state to.
const ODD_MESSAGE: Service = Service::Icmp(IcmpMessage { kind: 13, code: 0 });

/// So many flows that prove nothing are asked once more.
const ASKED_AGAIN: usize = 8;

impl Plan {
    /// Everything that there is to ask now.
    ///
    /// # Errors
    /// What a lab that is as compiled gets wrong.
    pub async fn of(lab: &mut Lab, topology: &Topology) -> Result<Self, String> {
        let cloud = lab.cloud();
        let mut topology = topology.clone();
        topology.columns = columns(&topology, cloud);
        let by_address = cells(cloud, &topology).into_iter().filter(|flow| flow.via != Via::Dns);
        let mut flows: IndexSet<Flow> = by_address.collect();
        flows.extend(of_other_ends(lab, &topology));
        let judged = flows.into_iter().map(|flow| {
            let verdict = policy::judge(lab.cloud(), &flow);
            (flow, verdict)
        });
        let running = cloud.instances.iter().filter(|(_, instance)| instance.state == InstanceState::Running);
        let asks = running.flat_map(|(name, _)| CloudService::ALL.map(|service| (name.clone(), service)));
        let mut plan = Self { few: Vec::new(), all: judged.collect(), asks: asks.collect() };
        plan.leave_out_what_nobody_answers(lab).await?;
        plan.few = one_of_a_kind(&plan.all);
        match plan.red(lab, true).await {
            Some(red) => Err(red),
            None => Ok(plan),
        }
    }

    /// How many flows it takes to ask all.
    pub fn flows(&self) -> usize {
        self.few.len() + self.all.len()
    }

    /// A forged sender sees no answer, and a host answers no odd message: where nobody listens nothing is proved.
    async fn leave_out_what_nobody_answers(&mut self, lab: &mut Lab) -> Result<(), String> {
        let odd = |flow: &Flow| is_forged(flow) || flow.service == ODD_MESSAGE || flow.to.interface().is_none();
        let odd: Vec<Flow> = self.all.iter().map(|(flow, _)| flow).filter(|flow| odd(flow)).cloned().collect();
        if odd.is_empty() {
            return Ok(());
        }
        let batch = lab.probe(&odd).await.map_err(|error| error.to_string())?;
        for seen in batch.observations {
            let verdict = policy::judge(lab.cloud(), &seen.flow);
            if compare(&verdict, &seen) == Agreement::Unproved {
                self.all.retain(|(flow, _)| *flow != seen.flow);
            }
        }
        Ok(())
    }

    /// What is not as the policy says, if anything; `ask` also asks the services.
    pub async fn red(&self, lab: &mut Lab, ask: bool) -> Option<String> {
        if let Some(red) = flows_red(lab, &self.few).await {
            return Some(red);
        }
        for (from, service) in self.asks.iter().filter(|_| ask) {
            match lab.ask_service(from, *service).await {
                Ok(Asked::Answered { .. }) => {}
                Ok(other) => return Some(format!("{from} -> {service}: {other:?}")),
                Err(error) => return Some(error.to_string()),
            }
        }
        flows_red(lab, &self.all).await
    }
}

/// What flows show that the policy does not say. What proves nothing is asked twice: a machine may be busy for a moment.
async fn flows_red(lab: &mut Lab, asking: &Asking) -> Option<String> {
    let (contradicted, unproved) = differing(lab, asking).await;
    if contradicted.is_some() || unproved.is_empty() {
        return contradicted;
    }
    let again: Asking = unproved.into_iter().take(ASKED_AGAIN).collect();
    let (contradicted, unproved) = differing(lab, &again).await;
    let silent = unproved.first().map(|(flow, _)| format!("{flow} proves nothing, twice"));
    contradicted.or(silent)
}

/// The first flow that contradicts, and those that prove nothing.
async fn differing(lab: &mut Lab, asking: &Asking) -> (Option<String>, Asking) {
    let flows: Vec<Flow> = asking.iter().map(|(flow, _)| flow.clone()).collect();
    let batch = match lab.probe(&flows).await {
        Ok(batch) => batch,
        Err(error) => return (Some(error.to_string()), Vec::new()),
    };
    let mut unproved = Vec::new();
    for ((flow, verdict), seen) in asking.iter().zip(&batch.observations) {
        match compare(verdict, seen) {
            Agreement::Agree => {}
            Agreement::Disagree => {
                return (Some(format!("{flow}: {:?} in place of {verdict:?}", seen.outcome)), Vec::new());
            }
            Agreement::Unproved => unproved.push((flow.clone(), verdict.clone())),
        }
    }
    (None, unproved)
}

/// Flows that between them meet each rule at each receiver from each sender, and little twice.
fn one_of_a_kind(all: &Asking) -> Asking {
    let mut seen = std::collections::HashSet::new();
    let kinds = |flow: &Flow, verdict: &Verdict| {
        let decided = match verdict {
            Verdict::Open { admitted_by } => format!("{admitted_by:?}"),
            Verdict::Dropped { at, .. } => at.to_string(),
            other => format!("{other:?}"),
        };
        [
            format!("{:?} {:?} {decided}", flow.to, flow.service),
            format!("{:?} {:?} {:?} {}", flow.from, flow.to, flow.via, matches!(verdict, Verdict::Open { .. })),
        ]
    };
    let is_new = |(flow, verdict): &&(Flow, Verdict)| {
        kinds(flow, verdict).into_iter().filter(|kind| seen.insert(kind.clone())).count() > 0
    };
    all.iter().filter(is_new).cloned().collect()
}

/// What is asked for: the columns of a file, the outside neighbours of every port of a rule, and what no file names.
pub fn columns(topology: &Topology, cloud: &Cloud) -> IndexSet<Service> {
    let mut columns = topology.columns.clone();
    let rules = cloud.groups.values().flat_map(|group| group.ingress.iter().chain(&group.egress));
    for rule in rules {
        let of: fn(Port) -> Service = match rule.traffic {
            Traffic::Tcp(_) => Service::Tcp,
            Traffic::Udp(_) => Service::Udp,
            _ => continue,
        };
        if let Traffic::Tcp(ports) | Traffic::Udp(ports) = rule.traffic
            && ports != PortRange::ALL
        {
            let edges =
                [ports.from().0.saturating_sub(1).max(1), ports.from().0, ports.to().0, ports.to().0.saturating_add(1)];
            columns.extend(edges.map(|port| of(Port(port))));
        }
    }
    columns.extend([Service::Udp(Port(4001)), ODD_MESSAGE]);
    columns
}

fn is_forged(flow: &Flow) -> bool {
    matches!(flow.from, Endpoint::Forged(..))
}

/// Flows that the grid has not: from and to further interfaces, to hosts, and from forged sources.
fn of_other_ends(lab: &Lab, topology: &Topology) -> Vec<Flow> {
    let cloud = lab.cloud();
    let up: Vec<&Interface> = cloud
        .interfaces()
        .filter(|(_, instance, interface)| instance.state == InstanceState::Running && interface.private.is_some())
        .map(|(_, _, interface)| interface)
        .collect();
    let end = |interface: &Interface| match interface.id.device {
        0 => Endpoint::Instance(interface.id.instance.clone()),
        _ => Endpoint::Interface(interface.id.clone()),
    };
    let mut flows = Vec::new();
    let udp: Vec<Service> =
        topology.columns.iter().filter(|service| matches!(service, Service::Udp(_))).copied().collect();
    for from in &up {
        let others = || up.iter().filter(|to| to.id.instance != from.id.instance && to.vpc == from.vpc);
        for to in others().filter(|to| from.id.device > 0 || to.id.device > 0) {
            let of = |service: &Service| Flow { from: end(from), to: end(to), via: Via::Private, service: *service };
            flows.extend(topology.columns.iter().map(of));
        }
        for (name, host) in &cloud.hosts {
            for address in &host.addresses {
                let via = if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 };
                if via == Via::Ipv6 && from.ipv6.is_none() {
                    continue;
                }
                let to = || Endpoint::Host(name.clone(), *address);
                let of = |service: &Service| Flow { from: end(from), to: to(), via, service: *service };
                flows.extend(topology.columns.iter().map(of));
            }
        }
        // As a neighbour that is there, and as an address that nobody holds.
        let neighbour = others().next().and_then(|other| other.private).map(|private| private.0);
        let nobody = from.private.map(|private| (u32::from(private.0) ^ 0x80).into());
        for source in neighbour.into_iter().chain(nobody) {
            for to in others().filter(|to| Some(source) != to.private.map(|private| private.0)).take(2) {
                let from = || Endpoint::Forged(from.id.clone(), source);
                let of = |service: &Service| Flow { from: from(), to: end(to), via: Via::Private, service: *service };
                flows.extend(udp.iter().map(of));
            }
        }
    }
    flows
}
