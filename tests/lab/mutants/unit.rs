//! One file under one era: every mutation of every state that its steps bring about.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sglab::compile::network::{Network, NodeKind};
use sglab::lab::{Lab, LabError, Listeners};
use sglab::model::topology::Topology;
use sglab::model::{
    ChangeGroups, ElasticIpOnStop, Era, Host, HostIp, HostName, OnCrash, OnStart, Operation, Quotas, SelfReference,
    Service,
};
use sglab::scenario::{self, Options, RunVerdict};
use tokio::time::timeout;

use super::held;
use super::mutation::{Mutation, Of, all};
use super::noticing::{Plan, columns};

/// What became of a mutation.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Fate {
    pub file: String,
    pub era: String,
    /// In one line.
    pub mutation: String,
    /// What it is called where every cloud has it.
    pub common: Option<String>,
    /// `red`, `survived`, `refused` by nft, `breaks` (a knob or mutation that the file itself notices) or `done`.
    pub fate: String,
    /// What noticed it.
    pub by: String,
}

struct Unit<'a> {
    topology: &'a Topology,
    era: Era,
    file: String,
    out: &'a mut dyn Write,
    common: HashSet<String>,
    /// The sets and chains that some rule or map of some state names.
    named: HashSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Last,
}

/// The mutations of a unit so far.
#[derive(Default)]
struct Found {
    known: HashSet<Arc<Mutation>>,
    states: HashSet<String>,
    alive: Vec<Arc<Mutation>>,
    named: HashSet<String>,
}

/// A lab that is booted anew before its senders run out of source ports that were not used yet.
struct Bench<'a> {
    lab: Lab,
    topology: &'a Topology,
    era: Era,
    done: Vec<Operation>,
    asked: usize,
}

/// Each sender has some thirty thousand source ports.
const MOST_ASKED: usize = 20_000;

impl<'a> Bench<'a> {
    async fn boot(topology: &'a Topology, era: Era) -> Self {
        Self { lab: with_witnesses(topology, era, None).await, topology, era, done: Vec::new(), asked: 0 }
    }

    /// Carries out an operation; false if it is refused.
    async fn apply(&mut self, operation: &Operation) -> Result<bool, String> {
        match self.lab.apply(operation).await {
            Ok(_) => self.done.push(operation.clone()),
            Err(LabError::Refused(_)) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
        Ok(true)
    }

    /// Makes sure that so many flows can be asked.
    async fn spend(&mut self, flows: usize) -> Result<(), String> {
        self.asked += flows;
        if self.asked > MOST_ASKED {
            self.asked = flows;
            self.lab = with_witnesses(self.topology, self.era, None).await;
            for operation in &self.done {
                self.lab.apply(operation).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// The initial cloud with two hosts more, for a file that has none, and listeners on everything that will be asked.
async fn with_witnesses(topology: &Topology, era: Era, mutation: Option<&Arc<Mutation>>) -> Lab {
    let mut cloud = topology.initial_cloud(era).unwrap_or_else(|(refusal, _)| panic!("{refusal}"));
    let ipv6 = cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some());
    for (name, four, six) in
        [("witness-1", "203.0.113.201", "2001:db8:ffff::1"), ("witness-2", "198.51.100.201", "2001:db8:fffe::1")]
    {
        let addresses = [Some(four), ipv6.then_some(six)].into_iter().flatten();
        let addresses = addresses.map(|text| HostIp(text.parse().expect("an address"))).collect();
        cloud.hosts.insert(HostName::new(name), Host { addresses, place: None });
    }
    let listeners = Listeners { columns: columns(topology, &cloud), deaf: topology.deaf.clone() };
    let lab = match mutation {
        Some(mutation) => Lab::boot_altered(cloud, listeners, mutation.alteration()).await,
        None => Lab::boot(cloud, listeners).await,
    };
    lab.unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a unit and writes what becomes of each mutation; `common` are those that another unit has noticed already.
pub async fn run(
    task: Task,
    path: &Path,
    era: Era,
    out: &mut dyn Write,
    common: HashSet<String>,
) -> Result<(), String> {
    let file = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let topology = Topology::parse(&file, &text).map_err(|problems| problems.to_string())?;
    let mut unit = Unit { topology: &topology, era, file, out, common, named: HashSet::new() };
    match task {
        Task::Mutations => {
            let survivors = unit.by_state().await?;
            let survivors = unit.by_held(survivors).await?;
            unit.by_scenario(survivors).await?;
        }
        Task::Gotcha => unit.what_breaks_it().await?,
    }
    unit.write(None, "done", "")
}

/// What to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Try every mutation of its states.
    Mutations,
    /// Find what its own expectations notice.
    Gotcha,
}

impl Unit<'_> {
    fn write(&mut self, mutation: Option<&Mutation>, fate: &str, by: &str) -> Result<(), String> {
        let label = mutation.map(Mutation::label).unwrap_or_default();
        self.write_label(label, mutation.and_then(Mutation::common), fate, by)
    }

    /// Holds connections while rules go, in the first and in the last state.
    async fn by_held(&mut self, survivors: Vec<Arc<Mutation>>) -> Result<Vec<Arc<Mutation>>, String> {
        let (concerned, mut rest): (Vec<_>, Vec<_>) =
            survivors.into_iter().partition(|mutation| held::is_of_flows_under_way(mutation));
        if concerned.is_empty() {
            return Ok(rest);
        }
        let columns: Vec<Service> = self.topology.columns.iter().copied().collect();
        let mut bench = Bench::boot(self.topology, self.era).await;
        let mut left = concerned;
        for state in [State::First, State::Last] {
            if state == State::Last {
                for step in self.topology.steps.iter().filter(|s| s.eras.is_empty() || s.eras.contains(&self.era)) {
                    for operation in step.operations() {
                        bench.apply(&operation.value).await?;
                    }
                }
            }
            let expected = held::as_compiled(&mut bench.lab, &columns).await?;
            let network = sglab::compile::network(bench.lab.cloud()).map_err(|error| error.to_string())?;
            let (these, others): (Vec<_>, Vec<_>) = left.drain(..).partition(|mutation| mutation.applies(&network));
            left = others;
            for mutation in these {
                bench.spend(200).await?;
                match held::red(&mut bench.lab, &columns, &expected, &mutation).await? {
                    Some(red) => {
                        self.common.extend(mutation.common());
                        self.write(Some(&mutation), "red", &red)?;
                    }
                    None => left.push(mutation),
                }
            }
        }
        // And rules that go while what they admitted is held: what is tracked stays.
        let mut lab = with_witnesses(self.topology, self.era, None).await;
        let expected = held::without_rules(&mut lab, &columns).await?;
        for mutation in left {
            let mut lab = with_witnesses(self.topology, self.era, Some(&mutation)).await;
            let fates = held::without_rules(&mut lab, &columns).await?;
            match held::first_difference(&expected, &fates) {
                Some(red) => {
                    self.common.extend(mutation.common());
                    self.write(Some(&mutation), "red", &red)?;
                }
                None => rest.push(mutation),
            }
        }
        Ok(rest)
    }

    fn write_label(&mut self, mutation: String, common: Option<String>, fate: &str, by: &str) -> Result<(), String> {
        let by: String = by.chars().take(300).collect();
        let fate =
            Fate { file: self.file.clone(), era: self.era.to_string(), mutation, common, fate: fate.to_owned(), by };
        let line = serde_json::to_string(&fate).map_err(|error| error.to_string())?;
        writeln!(self.out, "{line}").map_err(|error| error.to_string())
    }

    /// Tries each mutation in the states that have it, until one notices; gives those that none has noticed.
    async fn by_state(&mut self) -> Result<Vec<Arc<Mutation>>, String> {
        let topology = self.topology;
        let mut bench = Bench::boot(topology, self.era).await;
        let mut found = Found::default();
        self.state(&mut bench, &mut found).await?;
        for step in &topology.steps {
            if !step.eras.is_empty() && !step.eras.contains(&self.era) {
                continue;
            }
            for operation in step.operations() {
                if bench.apply(&operation.value).await? {
                    self.state(&mut bench, &mut found).await?;
                }
            }
        }
        self.named = found.named;
        Ok(found.alive)
    }

    async fn state(&mut self, bench: &mut Bench<'_>, found: &mut Found) -> Result<(), String> {
        let network = sglab::compile::network(bench.lab.cloud()).map_err(|error| error.to_string())?;
        found.named.extend(named(&network));
        let mut candidates: Vec<Arc<Mutation>> = Vec::new();
        for mutation in all(&network).into_iter().map(Arc::new) {
            let is_new = found.known.insert(Arc::clone(&mutation));
            let is_settled = mutation.common().is_some_and(|common| self.common.contains(&common));
            if is_new && !is_settled {
                candidates.push(mutation);
            }
        }
        // A state that has been is not asked again.
        if found.states.insert(format!("{network:?}")) {
            let (again, rest): (Vec<_>, Vec<_>) =
                found.alive.drain(..).partition(|mutation| mutation.applies(&network));
            found.alive = rest;
            candidates.extend(again);
        }
        if candidates.is_empty() {
            return Ok(());
        }
        let plan = Plan::of(&mut bench.lab, self.topology).await.map_err(|red| format!("as compiled: {red}"))?;
        for mutation in candidates {
            bench.spend(plan.flows()).await?;
            match bench.lab.alter(Some(mutation.alteration())).await {
                Err(LabError::Broken(why)) => return Err(format!("{}: {why}", mutation.label())),
                Err(error) => self.write(Some(&mutation), "refused", &error.to_string())?,
                Ok(()) => match plan.red(&mut bench.lab, asks(&mutation)).await {
                    Some(red) => {
                        self.write(Some(&mutation), "red", &red)?;
                        self.common.extend(mutation.common());
                    }
                    None => found.alive.push(mutation),
                },
            }
        }
        bench.lab.alter(None).await.map_err(|error| error.to_string())?;
        bench.spend(plan.flows()).await?;
        match plan.red(&mut bench.lab, true).await {
            Some(red) => Err(format!("as compiled again: {red}")),
            None => Ok(()),
        }
    }

    /// Runs the whole file, with its held connections, on what no state has noticed.
    async fn by_scenario(&mut self, survivors: Vec<Arc<Mutation>>) -> Result<(), String> {
        let limit = self.as_it_is().await?;
        for mutation in survivors {
            if mutation.common().is_some_and(|common| self.common.contains(&common)) {
                continue;
            }
            match self.scenario(self.topology, Some(&mutation), limit).await {
                Some(red) => {
                    self.common.extend(mutation.common());
                    self.write(Some(&mutation), "red", &format!("by its scenario: {red}"))?;
                }
                None if self.is_idle(&mutation) => self.write(Some(&mutation), "survived", NOTHING_NAMES_IT)?,
                None => self.write(Some(&mutation), "survived", "")?,
            }
        }
        Ok(())
    }

    /// Which mutations and knobs the file's own expectations notice.
    async fn what_breaks_it(&mut self) -> Result<(), String> {
        let limit = self.as_it_is().await?;
        let mut found = 0;
        for mutation in telling(self.topology, self.era)? {
            if let Some(red) = self.scenario(self.topology, Some(&mutation), limit).await {
                self.write(Some(&mutation), "breaks", &red)?;
                found += 1;
            }
            if found == ENOUGH {
                break;
            }
        }
        for (name, topology) in self.with_other_knobs() {
            if let Some(red) = self.scenario(&topology, None, limit).await {
                self.write_label(name, None, "breaks", &red)?;
            }
        }
        Ok(())
    }

    fn is_idle(&self, mutation: &Mutation) -> bool {
        match &mutation.of {
            Of::Rule { chain: name, .. } | Of::Chain(name) | Of::Element { set: name, .. } => {
                mutation.common().is_none() && !self.named.contains(name)
            }
            Of::Entry { .. } => false,
        }
    }

    /// Runs the file as it is, which has to pass, and gives how long an altered one may take.
    async fn as_it_is(&self) -> Result<Duration, String> {
        let begun = Instant::now();
        match self.scenario(self.topology, None, Duration::from_secs(120)).await {
            Some(red) => Err(format!("the file as it is: {red}")),
            None => Ok((begun.elapsed() * 6).max(Duration::from_secs(2))),
        }
    }

    /// What of the file's own expectations goes red.
    async fn scenario(&self, topology: &Topology, mutation: Option<&Arc<Mutation>>, limit: Duration) -> Option<String> {
        let running = async {
            let cloud = match topology.initial_cloud(self.era) {
                Ok(cloud) => cloud,
                Err((refusal, _)) => return Some(format!("it cannot be launched: {refusal}")),
            };
            let listeners = Listeners { columns: topology.columns.clone(), deaf: topology.deaf.clone() };
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

    /// The file with each other value of each knob.
    fn with_other_knobs(&self) -> Vec<(String, Topology)> {
        let mut all = Vec::new();
        let is = self.topology.overrides.over(self.era.knobs());
        let mut with = |name: &str, change: &dyn Fn(&mut Topology)| {
            let mut topology = self.topology.clone();
            change(&mut topology);
            if topology.overrides.over(self.era.knobs()) != is {
                all.push((format!("knob {name}"), topology));
            }
        };
        for value in [ChangeGroups::WhileStopped, ChangeGroups::Never, ChangeGroups::AnyTime] {
            with(&format!("change-groups {value:?}"), &|topology| topology.overrides.change_groups = Some(value));
        }
        for value in [SelfReference::MatchesNobody, SelfReference::MatchesMembers] {
            with(&format!("self-reference {value:?}"), &|topology| topology.overrides.self_reference = Some(value));
        }
        for value in [OnStart::New, OnStart::Kept] {
            let name = format!("private-address-on-start {value:?}");
            with(&name, &|topology| topology.overrides.private_address_on_start = Some(value));
        }
        for value in [OnCrash::Released, OnCrash::Kept] {
            with(&format!("address-on-crash {value:?}"), &|topology| topology.overrides.address_on_crash = Some(value));
        }
        for value in [ElasticIpOnStop::Stays, ElasticIpOnStop::Dissociated] {
            let name = format!("elastic-ip-on-stop {value:?}");
            with(&name, &|topology| topology.overrides.elastic_ip_on_stop = Some(value));
        }
        for value in [Quotas::Enforced, Quotas::Ignored] {
            with(&format!("quotas {value:?}"), &|topology| topology.overrides.quotas = Some(value));
        }
        all
    }
}

/// Said of a survivor in a set that no rule matches, or in a chain that nothing jumps to.
const NOTHING_NAMES_IT: &str = "nothing names it";

/// The sets and chains that rules and maps name.
fn named(network: &Network) -> HashSet<String> {
    let rulesets = network.nodes.values().filter_map(|node| node.ruleset.as_ref());
    let rules = rulesets.clone().flat_map(|ruleset| ruleset.chains.values()).flat_map(|chain| &chain.rules);
    let values = rulesets.flat_map(|ruleset| ruleset.maps.values()).flat_map(|map| map.elements.values());
    let texts = rules.map(|rule| &rule.text).chain(values);
    texts.flat_map(|text| text.split(' ')).map(|word| word.trim_start_matches('@').to_owned()).collect()
}

/// So many mutations that a gotcha itself notices are enough.
const ENOUGH: usize = 8;

/// The mutations that say something about a semantic: of rules of groups, of what is tracked, of members and translations;
/// a rule that is gone, that says the opposite, or that has lost a condition.
fn telling(topology: &Topology, era: Era) -> Result<Vec<Arc<Mutation>>, String> {
    let mut cloud = topology.initial_cloud(era).map_err(|(refusal, _)| refusal.to_string())?;
    let mut found: indexmap::IndexSet<Arc<Mutation>> = indexmap::IndexSet::new();
    let steps = topology.steps.iter().filter(|step| step.eras.is_empty() || step.eras.contains(&era));
    let operations = steps.flat_map(|step| step.operations());
    let mut next = operations.map(|operation| operation.value.clone());
    loop {
        let network = sglab::compile::network(&cloud).map_err(|error| error.to_string())?;
        found.extend(all(&network).into_iter().filter(is_telling).map(Arc::new));
        let Some(operation) = next.next() else { break };
        if let Ok(after) = sglab::model::apply(&cloud, &operation) {
            cloud = after;
        }
    }
    Ok(found.into_iter().collect())
}

fn is_telling(mutation: &Mutation) -> bool {
    let of_groups = ["ingress/", "egress/", "ingress-live/", "egress-live/"];
    match &mutation.of {
        Of::Rule { chain, .. } if of_groups.iter().any(|of| chain.starts_with(of)) => {
            mutation.change == "delete" || mutation.change.starts_with("drop ")
        }
        Of::Rule { chain, id, .. } if mutation.kind == NodeKind::Router => {
            let simple = mutation.change == "delete";
            match chain.as_str() {
                "ingress" | "egress" => simple && id != "unclaimed",
                "prerouting" => simple && id.starts_with("spoofed"),
                "unreachable" => simple,
                _ => id == "drop" && chain != "to/canary" && mutation.change == "flip" || id == "destination" && simple,
            }
        }
        Of::Element { set, .. } => {
            mutation.change == "delete" && ["members", "prefixes", "unchecked"].iter().any(|of| set.starts_with(of))
        }
        Of::Entry { map, .. } => {
            mutation.kind == NodeKind::Gateway && map == "public-of" && mutation.change == "delete"
        }
        _ => false,
    }
}

/// Whether a mutation could be noticed by who asks a service: not if it is of a group.
fn asks(mutation: &Mutation) -> bool {
    let name = match &mutation.of {
        Of::Rule { chain, .. } | Of::Chain(chain) => chain,
        Of::Element { set, .. } => set,
        Of::Entry { map, .. } => map,
    };
    mutation.kind == NodeKind::Router
        && ["input", "prerouting", "unreachable", "services", "sources"].iter().any(|of| name.starts_with(of))
}

/// The first thing that is not as expected, in one line.
fn first_red(result: &scenario::RunResult) -> String {
    for step in &result.steps {
        let wrong =
            step.wrong.iter().map(|cell| format!("{}: {:?} in place of {:?}", cell.flow, cell.outcome, cell.expected));
        let findings = step.findings.iter().map(|finding| finding.text.clone());
        let held = step.held.iter().map(|held| format!("{held:?}"));
        if let Some(first) = wrong.chain(findings).next() {
            return format!("step {}: {first}", step.number);
        }
        let logs = step.flow_logs.iter().filter(|it| !it.is_right());
        let logs = logs.map(|it| format!("flow log of {}: {}: {}", it.interface, it.expected, it.found));
        if step.status != scenario::StepStatus::Passed {
            return format!("step {}: {:?}", step.number, held.chain(logs).collect::<Vec<_>>());
        }
    }
    "no step, and yet it has not passed".to_owned()
}
