//! One file under one era: every mutation of every state that its steps bring about.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sglab::lab::{Lab, LabError};
use sglab::model::Era;
use sglab::network::{Network, NodeKind};
use sglab::topology::Topology;

use super::bench::{Bench, as_it_is, by_its_own};
use super::breaking;
use super::equivalent::{Claim, claims};
use super::held::Holding;
use super::idle::idle_in;
use super::isolated::Isolated;
use super::mutation::{Mutation, Of, all};
use super::noticing::Plan;
use super::results::{Commons, File, Results, Task, Word, is_telling, label_of_common, out_of};

/// Runs a unit and writes what becomes of each mutation.
pub async fn run(task: Task, file: &File) -> Result<(), String> {
    let (path, era) = file;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let topology = Topology::parse(&name, &text).map_err(|problems| problems.to_string())?;
    let mut results = Results::open(out_of(task, file), name, *era)?;
    match task {
        Task::Mutations => {
            let survivors = by_state(&topology, *era, &mut results).await?;
            by_scenario(&topology, *era, survivors, &mut results).await?;
        }
        Task::Gotcha => breaking::run(&topology, *era, &mut results).await?,
    }
    results.write_line(String::new(), Word::Done, "")
}

/// The mutations of a file so far.
#[derive(Default)]
pub struct Found {
    file: String,
    known: HashSet<Arc<Mutation>>,
    states: HashSet<String>,
    /// What nothing has noticed, and why nothing could, if that is known.
    pub alive: Vec<(Arc<Mutation>, Option<&'static str>)>,
    /// In how many states each was tried.
    pub tried: HashMap<Arc<Mutation>, usize>,
    claims: Vec<Claim>,
    commons: Commons,
}

/// A mutation is tried in so many states at most; the whole file is run on what they have not noticed.
const MAX_STATES: usize = 3;

/// Tries each mutation in the states that have it, until one notices; gives those that none has noticed.
async fn by_state(
    topology: &Topology,
    era: Era,
    results: &mut Results,
) -> Result<Vec<(Arc<Mutation>, Option<&'static str>)>, String> {
    let mut bench = Bench::boot(topology, era).await;
    let mut found = Found { file: topology.name.clone(), claims: claims(), ..Found::default() };
    found.try_all(&mut bench, topology, results).await?;
    for step in &topology.steps {
        if !step.is_of(era) {
            continue;
        }
        for operation in step.operations() {
            if bench.apply(&operation.value).await? {
                found.try_all(&mut bench, topology, results).await?;
            }
        }
    }
    Ok(found.alive)
}

impl Found {
    /// What is to be tried in a state: what no state before it had, and what those have not noticed.
    fn candidates(&mut self, network: &Network, results: &Results) -> Vec<Arc<Mutation>> {
        let mut candidates = Vec::new();
        // A state that has been is not asked again.
        if self.states.insert(format!("{network:?}")) {
            let tried = &self.tried;
            let (again, rest): (Vec<_>, Vec<_>) = self.alive.drain(..).partition(|(mutation, why)| {
                *why != Some(CLAIMED)
                    && tried.get(mutation).is_none_or(|states| *states < MAX_STATES)
                    && mutation.applies(network)
            });
            self.alive = rest;
            candidates.extend(again.into_iter().map(|(mutation, _)| mutation));
        }
        for mutation in all(network).into_iter().map(Arc::new) {
            let is_new = self.known.insert(Arc::clone(&mutation));
            if is_new && !results.has_settled(&mutation) {
                candidates.push(mutation);
            }
        }
        candidates.retain(|mutation| !self.is_settled(mutation));
        candidates
    }

    /// Whether what all clouds have in common need not be tried here, by what the other files have found by now.
    fn is_settled(&mut self, mutation: &Mutation) -> bool {
        let Some(common) = mutation.common() else { return false };
        let commons = self.commons.now();
        let is_claimed = || self.claims.iter().any(|claim| claim.claims(&label_of_common(&common)));
        commons.noticed.contains(&common)
            || (commons.is_asked_enough(&common) && (!is_telling(&self.file) || is_claimed()))
    }

    /// Leaves what is idle in a state. Why it is so there explains nothing of a state in which it was tried.
    pub fn leave(&mut self, idle: Vec<(Arc<Mutation>, &'static str)>) {
        for (mutation, why) in idle {
            let was_tried = self.tried.contains_key(&mutation);
            self.alive.push((mutation, (!was_tried).then_some(why)));
        }
    }

    /// Tries what there is to try in the state of a bench.
    async fn try_all(
        &mut self,
        bench: &mut Bench<'_>,
        topology: &Topology,
        results: &mut Results,
    ) -> Result<(), String> {
        let network = sglab::compile::network(bench.lab.cloud()).map_err(|error| error.to_string())?;
        let mut candidates = Vec::new();
        let mut idle = Vec::new();
        for mutation in self.candidates(&network, results) {
            match idle_in(bench.lab.cloud(), &network, &mutation) {
                Some(why) => idle.push((mutation, why)),
                None => candidates.push(mutation),
            }
        }
        self.leave(idle);
        if candidates.is_empty() {
            return Ok(());
        }
        let plan = Plan::of(&mut bench.lab, topology).await.map_err(|red| format!("as compiled: {red}"))?;
        let (idle, candidates): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .map(|it| (plan.idle(bench.lab.cloud(), &it), it))
            .partition(|(why, _)| why.is_some());
        self.leave(idle.into_iter().filter_map(|(why, mutation)| Some((mutation, why?))).collect());
        let mut holding = Holding::of(&bench.lab, topology);
        let mut isolated = Isolated::of(bench.lab.cloud(), &plan.all);
        for (_, mutation) in candidates {
            if self.is_settled(&mutation) {
                continue;
            }
            *self.tried.entry(Arc::clone(&mutation)).or_default() += 1;
            bench.spend(plan.flows() + holding.spent() + isolated.spent()).await?;
            match bench.lab.alter(Some(mutation.alteration())).await {
                Err(LabError::Broken(why)) => return Err(format!("{}: {why}", mutation.label())),
                Err(error) => results.write(&mutation, Word::Refused, &error.to_string())?,
                Ok(()) => match what_is_red(&mut bench.lab, &plan, (&mut holding, &mut isolated), &mutation).await? {
                    Some(red) => {
                        results.write(&mutation, Word::Red, &red)?;
                        self.commons.noticed.extend(mutation.common());
                    }
                    None => {
                        let fate = results.fate(&mutation, Word::Survived, "");
                        let is_first = self.tried.get(&mutation) == Some(&1);
                        if fate.common.is_some() && is_first {
                            // Said at once: the other files wait for it.
                            results.put(&fate)?;
                        }
                        let claimed = self.claims.iter().any(|claim| claim.claims(&fate.label()));
                        self.alive.push((mutation, claimed.then_some(CLAIMED)));
                    }
                },
            }
        }
        bench.lab.alter(None).await.map_err(|error| error.to_string())?;
        bench.spend(plan.flows() + holding.spent() + isolated.spent()).await?;
        match plan.red(&mut bench.lab).await {
            Some(red) => Err(format!("as compiled again: {red}")),
            None => Ok(()),
        }
    }
}

/// What in a lab that is altered is not as it should be. The most telling comes first: of what judges flows under way, the
/// flows that are held.
async fn what_is_red(
    lab: &mut Lab,
    plan: &Plan,
    (holding, isolated): (&mut Holding, &mut Isolated),
    mutation: &Arc<Mutation>,
) -> Result<Option<String>, String> {
    if let Some(red) = plan.few_red(lab).await {
        return Ok(Some(red));
    }
    if asks(mutation)
        && let Some(red) = plan.services_red(lab).await
    {
        return Ok(Some(red));
    }
    if mutation.is_of_flows_under_way() {
        if let Some(red) = holding.red(lab, isolated, mutation).await? {
            return Ok(Some(red));
        }
        lab.alter(Some(mutation.alteration())).await.map_err(|error| error.to_string())?;
        return Ok(plan.concerned_red(lab, mutation).await);
    }
    if let Some(red) = plan.concerned_red(lab, mutation).await {
        return Ok(Some(red));
    }
    match isolated.red(lab, mutation).await? {
        Some(red) => Ok(Some(red)),
        None => holding.red(lab, isolated, mutation).await,
    }
}

/// Runs the whole file, with its held connections, on what no state has noticed.
async fn by_scenario(
    topology: &Topology,
    era: Era,
    survivors: Vec<(Arc<Mutation>, Option<&'static str>)>,
    results: &mut Results,
) -> Result<(), String> {
    let limit = as_it_is(topology, era).await?;
    let mut commons = Commons::default();
    for (mutation, why) in survivors {
        let common = mutation.common();
        if common.as_ref().is_some_and(|common| commons.now().noticed.contains(common)) {
            continue;
        }
        let red = match why {
            Some(_) => None,
            None => by_its_own(topology, era, Some(&mutation), limit).await,
        };
        match red {
            Some(red) => results.write(&mutation, Word::Red, &format!("by its scenario: {red}"))?,
            // Of what all clouds have in common it has been said.
            None if common.is_some() => {}
            None => results.write(&mutation, Word::Survived, why.filter(|why| *why != CLAIMED).unwrap_or_default())?,
        }
    }
    Ok(())
}

/// The list of equivalent mutations has it: one state that does not notice it is enough.
const CLAIMED: &str = "claimed";

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
