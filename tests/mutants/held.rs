//! Connections that live on while rules change: what is judged anew and what is remembered, each with and without a mutation.

use std::collections::{HashMap, HashSet};

use sglab::lab::{Alteration, Lab, LabError};
use sglab::model::{Cloud, ConnectionName, Flow, Forwarding, InstanceState, Port, Service, Verdict, Via};
use sglab::network::Network;
use sglab::network::nft::NftRule;
use sglab::policy;
use sglab::probe::{DropCause, Held};
use sglab::topology::Topology;

use super::concerning::{Judged, concerns, in_turn};
use super::isolated::Isolated;
use super::mutation::Mutation;
use super::noticing::{columns, is_forged, of_other_ends};
use crate::cells::cells;

/// So many connections at most are held at a time.
const MAX_HELD: usize = 60;

/// How connections come to be judged by what a mutation may have changed. Whom the mutation does not concern lets everybody in
/// and out, so that what one end makes of a packet is not hidden by what the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// Everybody was let in, untracked; then the rules as they are judge each packet, with the mutation.
    Anew,
    /// The rules as they are let in what they admit, with the mutation; then all of these go.
    Remembered,
}

/// What is known of flows as compiled.
type AsCompiled = HashMap<(Way, Judged, Flow), String>;

/// What can be held in a state of a cloud, and what becomes of it as compiled.
pub struct Holding {
    flows: Vec<(Flow, Verdict)>,
    as_compiled: AsCompiled,
    asked: usize,
}

impl Holding {
    /// Everything that groups decide here and that a connection can be held over.
    pub fn of(lab: &Lab, topology: &Topology) -> Self {
        let cloud = lab.cloud();
        let mut topology = topology.clone();
        let mut columns = columns(&topology, cloud);
        columns.retain(|service| match service {
            Service::Tcp(port) | Service::Udp(port) => *port != Port(0),
            Service::IcmpEcho => true,
            Service::Icmp(_) | Service::Protocol(_) => false,
        });
        topology.columns = columns.into();
        let others = of_other_ends(lab, &topology).into_iter().filter(|flow| !is_forged(flow));
        let by_address = cells(cloud, &topology).into_iter().filter(|flow| flow.via != Via::Dns).chain(others);
        let can_answer = |flow: &Flow| {
            let to = flow.to.instance().map(|name| cloud.instances.get(name));
            // A load balancer and a host are up for as long as they are there.
            to.is_none_or(|instance| instance.is_none_or(|it| it.state == InstanceState::Running))
        };
        // Through a NAT instance the server of a datagram does not know where to answer (docs/semantics.md).
        let has_nat = cloud.instances.values().any(|it| it.forwarding == Forwarding::Nat);
        let is_known = |flow: &Flow| !(has_nat && matches!(flow.service, Service::Udp(_)) && flow.via == Via::Public);
        let judged = by_address.filter(can_answer).filter(is_known).map(|flow| {
            let verdict = policy::judge(cloud, &flow);
            (flow, verdict)
        });
        let decided = |verdict: &Verdict| verdict.is_open() || verdict.refused_at().is_some();
        let flows = judged.filter(|(_, verdict)| decided(verdict)).collect();
        Self { flows, as_compiled: HashMap::new(), asked: 0 }
    }

    /// How many connections were opened since this was last asked.
    pub fn spent(&mut self) -> usize {
        std::mem::take(&mut self.asked)
    }

    /// What a mutation makes of held connections that is not as compiled, twice.
    ///
    /// # Errors
    /// What a lab that is as compiled gets wrong, or that the lab cannot be altered.
    pub async fn red(
        &mut self,
        lab: &mut Lab,
        isolated: &mut Isolated,
        mutation: &Mutation,
    ) -> Result<Option<String>, String> {
        let judged = Judged::by(mutation, lab.cloud());
        for way in [Way::Anew, Way::Remembered] {
            let mut flows = self.concerned(lab.cloud(), mutation, way);
            if way == Way::Remembered {
                // What is dropped would be waited for.
                flows = isolated.opened(lab, &judged, flows).await?;
            }
            self.know(lab, (way, &judged), &flows).await?;
            if self.first_difference(lab, (way, &judged), &flows, mutation).await?.is_some()
                && let Some(red) = self.first_difference(lab, (way, &judged), &flows, mutation).await?
            {
                return Ok(Some(red));
            }
        }
        Ok(None)
    }

    /// The flows that a mutation may concern: all services to, or from, a few of those whose rules it changes. Those that
    /// the rules admit come first: they show what a rule does; the others show what it does not.
    fn concerned(&self, cloud: &Cloud, mutation: &Mutation, way: Way) -> Vec<Flow> {
        let mut pairs = HashSet::new();
        let mut of_kind = |flow: &Flow, verdict: &Verdict| {
            let kind = match verdict {
                open @ Verdict::Open { .. } => format!("{:?}", open.admitting_rules()),
                other => format!("{other:?}"),
            };
            pairs.insert((flow.from.clone(), flow.service, flow.via, kind.clone()))
                || pairs.insert((flow.to.clone(), flow.service, flow.via, kind))
        };
        // A ping that was admitted is always remembered ("Security group connection tracking", EC2), so none is judged anew.
        let is_judged = |flow: &Flow| way == Way::Remembered || flow.service != Service::IcmpEcho;
        let concerned = self.flows.iter().filter(|(flow, _)| is_judged(flow) && concerns(mutation, cloud, flow));
        let concerned: Vec<_> = concerned.collect();
        let concerned = in_turn(mutation, concerned, |(flow, _)| flow);
        let (open, closed): (Vec<_>, Vec<_>) = concerned
            .into_iter()
            .filter(|(flow, verdict)| of_kind(flow, verdict))
            .partition(|(_, verdict)| is_open(verdict));
        let flows = |some: Vec<&(Flow, Verdict)>, most: usize| -> Vec<Flow> {
            some.into_iter().take(most).map(|(flow, _)| flow.clone()).collect()
        };
        let open = flows(open, MAX_HELD / 2);
        let rest = MAX_HELD - open.len();
        [open, flows(closed, rest)].concat()
    }

    /// Finds out what becomes of flows as compiled, where that is not known yet.
    async fn know(&mut self, lab: &mut Lab, (way, judged): (Way, &Judged), flows: &[Flow]) -> Result<(), String> {
        let is_new = |flow: &&Flow| !self.as_compiled.contains_key(&(way, judged.clone(), (*flow).clone()));
        let new: Vec<Flow> = flows.iter().filter(is_new).cloned().collect();
        for (flow, fate) in self.fates(lab, (way, judged), &new, None).await? {
            let verdict = self.flows.iter().find(|(known, _)| *known == flow).map(|(_, verdict)| verdict);
            // Where nobody listens, what is open is refused.
            if way == Way::Anew && verdict.is_some_and(is_open) && fate != ALIVE && fate != NOT_OPENED {
                return Err(format!("as compiled, held: {flow} is {fate}, and the rules admit it"));
            }
            self.as_compiled.insert((way, judged.clone(), flow), fate);
        }
        Ok(())
    }

    async fn first_difference(
        &mut self,
        lab: &mut Lab,
        (way, judged): (Way, &Judged),
        flows: &[Flow],
        mutation: &Mutation,
    ) -> Result<Option<String>, String> {
        let fates = self.fates(lab, (way, judged), flows, Some(mutation)).await?;
        let differs = fates.into_iter().find_map(|(flow, is)| {
            let was = self.as_compiled.get(&(way, judged.clone(), flow.clone()))?;
            (*was != is).then(|| format!("held {flow} is {is} in place of {was}"))
        });
        Ok(differs)
    }

    /// Opens connections, changes the rules, and says what each has come to.
    async fn fates(
        &mut self,
        lab: &mut Lab,
        (way, judged): (Way, &Judged),
        flows: &[Flow],
        mutation: Option<&Mutation>,
    ) -> Result<Vec<(Flow, String)>, String> {
        if flows.is_empty() {
            return Ok(Vec::new());
        }
        self.asked += flows.len();
        let mutation = mutation.cloned();
        let mutated = move |network| Mutation::or_none(mutation.as_ref(), network);
        let others = judged.clone();
        let (before, after) = match way {
            Way::Anew => {
                let before = Alteration::new(|network| open_to_everybody(network, &Judged::nobody()));
                (before, Alteration::new(move |network| open_to_everybody(mutated(network), &others)))
            }
            Way::Remembered => {
                let (all, all_before, others_before) = (mutated.clone(), mutated, others.clone());
                let before = Alteration::new(move |network| open_to_everybody(all_before(network), &others_before));
                (before, Alteration::new(move |network| open_to_everybody(without_rules(all(network)), &others)))
            }
        };
        let text = |error: LabError| error.to_string();
        lab.alter(Some(before)).await.map_err(text)?;
        let name = |number: usize| ConnectionName::new(format!("c{number}"));
        let mut fates = Vec::new();
        for (number, flow) in flows.iter().enumerate() {
            match lab.open(&name(number), flow).await {
                Ok(()) => {}
                Err(LabError::NotOpened { .. } | LabError::NotProved { .. }) => {
                    fates.push((flow.clone(), NOT_OPENED.to_owned()))
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        lab.alter(Some(after)).await.map_err(text)?;
        for (number, flow) in flows.iter().enumerate() {
            if fates.iter().any(|(not_opened, _)| not_opened == flow) {
                continue;
            }
            let fate = lab.examine(&name(number)).await.map_err(text)?;
            fates.push((flow.clone(), word(&fate)));
            lab.close(&name(number));
        }
        Ok(fates)
    }
}

fn is_open(verdict: &Verdict) -> bool {
    verdict.is_open()
}

/// Every group that is not judged admits everything, and remembers nothing of it: what comes next is judged by the rules that
/// then are.
pub fn open_to_everybody(mut network: Network, judged: &Judged) -> Network {
    let rulesets = network.nodes.values_mut().filter_map(|node| node.ruleset.as_mut());
    for (name, chain) in rulesets.flat_map(|ruleset| &mut ruleset.chains) {
        let Some((kind, group)) = name.split_once('/') else { continue };
        let text = match kind {
            "ingress" | "egress" => format!("log prefix \"{kind} accept\" group 1 queue-threshold 1 accept"),
            "ingress-live" | "egress-live" => "accept".to_owned(),
            _ => continue,
        };
        if !judged.includes(kind.trim_end_matches("-live"), group) {
            chain.rules.insert(0, NftRule { text, id: "everybody".to_owned(), note: String::new() });
        }
    }
    network
}

/// No group admits anything.
fn without_rules(mut network: Network) -> Network {
    let rulesets = network.nodes.values_mut().filter_map(|node| node.ruleset.as_mut());
    for (name, chain) in rulesets.flat_map(|ruleset| &mut ruleset.chains) {
        if matches!(name.split_once('/'), Some(("ingress" | "egress" | "ingress-live" | "egress-live", _))) {
            chain.rules.clear();
        }
    }
    network
}

const ALIVE: &str = "alive";
const NOT_OPENED: &str = "not opened";

fn word(held: &Held) -> String {
    match held {
        Held::Alive => ALIVE.to_owned(),
        Held::Cut(drops) | Held::Unanswerable(drops) => {
            // At which of the ends is chance: either may be the first to meet the filter.
            let of = |cause: &DropCause| cause.groups().map_or_else(|| cause.to_string(), |_| "by groups".to_owned());
            let mut causes: Vec<String> = drops.iter().map(|drop| of(&drop.cause)).collect();
            causes.sort();
            causes.dedup();
            format!("cut {}", causes.join(", "))
        }
        Held::Gone { .. } => "gone".to_owned(),
        Held::Inconclusive { .. } => "inconclusive".to_owned(),
    }
}
