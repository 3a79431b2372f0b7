//! The labs that mutations are tried in.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use ipnet::Ipv4Net;
use sglab::lab::{Lab, LabError, Listeners};
use sglab::model::{Cloud, Era, Host, HostIp, HostName, Mtu, Operation, Service, apply};
use sglab::scenario::{self, Options, RunVerdict};
use sglab::topology::Topology;
use tokio::time::timeout;

use super::mutation::Mutation;
use super::noticing::columns;
use super::patience::patience;

/// A lab that is booted anew before its senders run out of source ports that were not used yet.
pub struct Bench<'a> {
    pub lab: Lab,
    topology: &'a Topology,
    era: Era,
    done: Vec<Operation>,
    asked: usize,
}

/// Each sender has some thirty thousand source ports.
const MAX_ASKED: usize = 20_000;

impl<'a> Bench<'a> {
    pub async fn boot(topology: &'a Topology, era: Era) -> Self {
        Self { lab: with_witnesses(topology, era).await, topology, era, done: Vec::new(), asked: 0 }
    }

    /// Carries out an operation; false if it is refused.
    pub async fn apply(&mut self, operation: &Operation) -> Result<bool, String> {
        match self.lab.apply(operation).await {
            Ok(_) => self.done.push(operation.clone()),
            Err(LabError::Refused(_)) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
        Ok(true)
    }

    /// Makes sure that so many flows can be asked.
    pub async fn spend(&mut self, flows: usize) -> Result<(), String> {
        self.asked += flows;
        if self.asked > MAX_ASKED {
            self.asked = flows;
            self.lab = with_witnesses(self.topology, self.era).await;
            for operation in &self.done {
                self.lab.apply(operation).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// The initial cloud with two hosts more, for a file that has none, and listeners on everything that will be asked.
async fn with_witnesses(topology: &Topology, era: Era) -> Lab {
    let mut cloud = topology.initial_cloud(era).unwrap_or_else(|(refusal, _)| panic!("{refusal}"));
    let ipv6 = cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some());
    for (name, four, six) in
        [("witness-1", "203.0.113.201", "2001:db8:ffff::1"), ("witness-2", "198.51.100.201", "2001:db8:fffe::1")]
    {
        let addresses = [Some(four), ipv6.then_some(six)].into_iter().flatten();
        let addresses = addresses.map(|text| HostIp(text.parse().expect("an address"))).collect();
        cloud.hosts.insert(HostName::new(name), Host { addresses, mtu: Mtu::ETHERNET, place: None });
    }
    let edges = at_the_edges_of_prefix_lists(topology, era, &cloud);
    if !edges.is_empty() {
        cloud.hosts.insert(HostName::new("edges"), Host { addresses: edges, mtu: Mtu::ETHERNET, place: None });
    }
    // Whom nobody hears cannot be held; that a port is refused, the file itself shows.
    let listeners = Listeners { columns: of_all_states(topology, era, &cloud), closed_ports: IndexSet::new() };
    Lab::boot(cloud, listeners).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Of each entry that a prefix list will have, an address in its second half and one in what would make it twice as large: who
/// shows that an entry is no narrower and no wider than it says.
fn at_the_edges_of_prefix_lists(topology: &Topology, era: Era, initial: &Cloud) -> Vec<HostIp> {
    let states = states(topology, era, initial.clone());
    let networks = states.iter().filter_map(|cloud| sglab::compile::network(cloud).ok());
    let rulesets = networks.flat_map(|network| network.nodes.into_values()).filter_map(|node| node.ruleset);
    let lists = rulesets.flat_map(|ruleset| ruleset.sets).filter(|(name, _)| name.starts_with("prefixes/"));
    let entries = lists.flat_map(|(_, set)| set.elements).filter_map(|entry| entry.parse::<Ipv4Net>().ok());
    let mut edges = IndexSet::new();
    for entry in entries {
        let halves = |net: Ipv4Net| net.subnets(net.prefix_len() + 1).into_iter().flatten();
        let other = entry.supernet().into_iter().flat_map(halves).find(|half| *half != entry);
        let inside = halves(entry).nth(1);
        edges.extend(other.into_iter().chain(inside).map(|net| Ipv4Addr::from(u32::from(net.network()) | 1)));
    }
    let is_taken = |address: &Ipv4Addr| {
        let ours = initial.vpcs.values().any(|vpc| vpc.cidr.contains(address)) || initial.public_pool.contains(address);
        ours || initial.hosts.values().any(|host| host.addresses.iter().any(|it| it.0 == IpAddr::from(*address)))
    };
    edges.into_iter().filter(|address| !is_taken(address)).map(|address| HostIp(address.into())).collect()
}

/// What will be asked for in the states that the steps bring about.
fn of_all_states(topology: &Topology, era: Era, initial: &Cloud) -> IndexSet<Service> {
    states(topology, era, initial.clone()).iter().flat_map(|cloud| columns(topology, cloud)).collect()
}

/// A cloud, and what each operation of the steps makes of it, on paper.
pub fn states(topology: &Topology, era: Era, initial: Cloud) -> Vec<Cloud> {
    let mut cloud = initial;
    let mut states = vec![cloud.clone()];
    let steps = topology.steps.iter().filter(|step| step.is_of(era));
    for operation in steps.flat_map(|step| step.operations()) {
        if apply(&mut cloud, &operation.value).is_ok() {
            states.push(cloud.clone());
        }
    }
    states
}

/// Runs a file as it is, which has to pass, and gives how long an altered one may take.
pub async fn as_it_is(topology: &Topology, era: Era) -> Result<Duration, String> {
    let begun = Instant::now();
    match by_its_own(topology, era, None, patience(120)).await {
        Some(red) => Err(format!("the file as it is: {red}")),
        None => Ok((begun.elapsed() * 6).max(patience(2))),
    }
}

/// What of a file's own expectations goes red.
pub async fn by_its_own(
    topology: &Topology,
    era: Era,
    mutation: Option<&Arc<Mutation>>,
    limit: Duration,
) -> Option<String> {
    let running = async {
        let cloud = match topology.initial_cloud(era) {
            Ok(cloud) => cloud,
            Err((refusal, _)) => return Some(format!("it cannot be launched: {refusal}")),
        };
        let listeners = Listeners {
            columns: topology.columns.iter().copied().collect(),
            closed_ports: topology.closed_ports.clone(),
        };
        let lab = match mutation {
            Some(mutation) => Lab::boot_altered(cloud, listeners, mutation.alteration()).await,
            None => Lab::boot(cloud, listeners).await,
        };
        let mut lab = match lab {
            Ok(lab) => lab,
            Err(error) => return Some(format!("it does not boot: {error}")),
        };
        let options = Options { fail_fast: true, ..Options::default() };
        match scenario::run_on(&mut lab, topology, Duration::ZERO, &options, &mut |_| {}).await {
            Err(error) => Some(error.to_string()),
            Ok(result) if result.verdict == RunVerdict::Passed => None,
            Ok(result) => Some(first_red(&result)),
        }
    };
    timeout(limit, running).await.unwrap_or_else(|_| Some(format!("it has not ended after {limit:?}")))
}

/// The first thing that is not as expected, in one line.
fn first_red(result: &scenario::RunResult) -> String {
    for step in &result.steps {
        let wrong =
            step.wrong().map(|(_, cell)| format!("{}: {:?} in place of {:?}", cell.flow, cell.outcome, cell.expected));
        let findings = step.findings.iter().map(|finding| finding.text.clone());
        if let Some(first) = wrong.chain(findings).next() {
            return format!("step {}: {first}", step.number);
        }
        let others = step.sections().filter(|check| !check.is_passed()).map(ToString::to_string);
        if step.status != scenario::StepStatus::Passed {
            return format!("step {}: {:?}", step.number, others.collect::<Vec<_>>());
        }
    }
    "no step, and yet it has not passed".to_owned()
}
