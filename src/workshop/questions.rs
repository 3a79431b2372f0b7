//! Questions to a class: the few cells of each step that it predicts. All on paper, before anything boots: the same file and era always ask
//! the same, so that answers can be written down.
//!
//! What a step says itself comes first, one flow a pattern; then cells that the step changes, one of each kind; then, if
//! there is none yet, a cell of the step's table that does not do what people expect; and where a table is all that a step
//! has, a few cells that it opens and one near miss. `policy` says which cells these are. It does not say who was right.

use indexmap::{IndexMap, IndexSet};

use crate::model::{
    Cloud, ConnectionName, Direction, Endpoint, Era, Flow, GroupName, InstanceName, NameEffect, Power, Refusal,
    SelfReference, SourceLocation, Via,
};
use crate::policy;
use crate::scenario::demand;
use crate::scenario::expected::Expected;
use crate::scenario::predict::Outcomes;
use crate::scenario::results::{CellSource, Class};
use crate::scenario::subject::Subject;
use crate::topology::{ExpectedConnection, Placed, Prediction, Step, Topology, Wanted};

/// Maximum number of questions a step.
pub const MAX_QUESTIONS: usize = 4;
/// Cells of a grid of more are not compared with the step before: the step's own are enough.
const MANY_CELLS: usize = 20_000;

/// Questions at one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzles {
    /// The step's number in the file.
    pub step: usize,
    /// At most [`MAX_QUESTIONS`].
    pub puzzles: Vec<Puzzle>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// Subject of the question.
    pub subject: Subject,
    /// Reason why people answer wrong, where one is known.
    pub trap: Option<Trap>,
}

/// Reason why people expect something else of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trap {
    /// The rules admit it by private address, and it goes by public address.
    PublicAddress,
    /// By its name it goes to the private address, and is admitted.
    PublicName,
    /// The article and Amazon say different things of a group that names itself.
    SelfReference,
    /// They share a group, which admits nothing.
    SharedGroup,
    /// The sender's own rules do not let it out.
    Egress,
    /// The groups let it in, and nobody listens.
    NobodyListens,
    /// The step is about one of its ends or its rules, and changes nothing for it.
    Unchanged,
}

impl Trap {
    /// Returns the reason why people expect something else, for a reader who has seen the outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublicAddress => "the rules admit it by private address only",
            Self::PublicName => "from inside, the public name means the private address",
            Self::SelfReference => "the article and Amazon's documents disagree about a group that names itself",
            Self::SharedGroup => "they share a group, and membership admits nothing",
            Self::Egress => "what goes out needs a rule as well",
            Self::NobodyListens => "the groups let it in: refused is not dropped",
            Self::Unchanged => "this step changes one of its ends or its rules, and not the result",
        }
    }
}

/// The questions as a file of predictions answers them, one after the other.
pub fn wanted(all: &[Puzzles]) -> Vec<Wanted> {
    let one = |step: usize, puzzle: &Puzzle| Wanted {
        asked: puzzle.subject.asked(),
        words: format!("step {step}, {}", puzzle.subject.words()),
    };
    all.iter().flat_map(|it| it.puzzles.iter().map(move |puzzle| one(it.step, puzzle))).collect()
}

/// The questions of every step of an era, in the order of the file.
///
/// # Errors
/// When the initial cloud cannot be launched under the era.
pub fn of(topology: &Topology, era: Era) -> Result<Vec<Puzzles>, (Refusal, SourceLocation)> {
    let mut cloud = topology.initial_cloud(era)?;
    let outcomes = Outcomes::of(topology);
    let mut known: IndexMap<Flow, Class> = IndexMap::new();
    let mut all = Vec::new();
    for (index, step) in topology.steps.iter().enumerate() {
        if !step.is_of(era) {
            continue;
        }
        let before = cloud.clone();
        cloud = step.cloud_after(&cloud);
        let paper = Paper::new((topology, &outcomes), step, &before, &cloud);
        let puzzles = paper.choose(index == 0, &known);
        for puzzle in &puzzles {
            if let Subject::Flow(flow) = &puzzle.subject {
                known.insert(flow.clone(), paper.class(flow));
            }
        }
        all.push(Puzzles { step: index + 1, puzzles });
    }
    Ok(all)
}

/// A step on paper.
struct Paper<'a> {
    topology: &'a Topology,
    outcomes: &'a Outcomes,
    step: &'a Step,
    before: &'a Cloud,
    now: &'a Cloud,
    /// The cloud now, if the other party were right about a group that names itself.
    contrary: Cloud,
    /// Instances and groups that the step's operations are about.
    touched: (IndexSet<InstanceName>, IndexSet<GroupName>),
}

/// Cell that may be asked about, with what is known of it.
#[derive(Clone)]
struct Candidate {
    flow: Flow,
    class: Class,
    trap: Option<Trap>,
}

impl<'a> Paper<'a> {
    fn new(
        (topology, outcomes): (&'a Topology, &'a Outcomes),
        step: &'a Step,
        before: &'a Cloud,
        now: &'a Cloud,
    ) -> Self {
        let mut contrary = now.clone();
        contrary.knobs.self_reference = match now.knobs.self_reference {
            SelfReference::MatchesNobody => SelfReference::MatchesMembers,
            SelfReference::MatchesMembers => SelfReference::MatchesNobody,
        };
        Self { topology, outcomes, step, before, now, contrary, touched: touched(step) }
    }

    fn choose(&self, is_first: bool, known: &IndexMap<Flow, Class>) -> Vec<Puzzle> {
        let expected = Expected::of(self.step);
        let demands = demand::demands(self.topology, &expected.cells, self.now).demands;
        let (by_table, own): (Vec<_>, Vec<_>) = demands.into_iter().partition(|demand| demand.by == CellSource::Table);
        let connections = self.connections();
        let room = MAX_QUESTIONS - connections.len();

        // One flow a pattern: they all share their fate, and the one that surprises says more.
        let mut patterns: IndexMap<&SourceLocation, Vec<Candidate>> = IndexMap::new();
        for demand in &own {
            patterns.entry(&demand.said.place).or_default().push(self.candidate(&demand.flow, true));
        }
        let best = |all: Vec<Candidate>| {
            let trap = all.iter().position(|it| it.trap.is_some()).unwrap_or(0);
            all.into_iter().nth(trap)
        };
        let own: Vec<Candidate> = patterns.into_values().filter_map(best).filter(is_known).collect();
        let says_nothing_itself = own.is_empty();
        let mut chosen = mix(own, room);

        let extent = demand::extent(self.topology, self.now);
        let cells = || extent.grid(self.now, &self.topology.columns);
        // Without tables there is no grid, and nothing is probed but what the step names.
        let changes =
            !extent.is_empty() && !self.step.actions.is_empty() && !is_first && cells().nth(MANY_CELLS).is_none();
        if chosen.len() < room && changes {
            let changed = cells().filter_map(|flow| {
                let was = self.class_in(self.before, &flow);
                let it = self.candidate(&flow, false);
                (was != it.class && is_known(&it) && !is_asked(&chosen, &it)).then_some((was, it))
            });
            let (used, others): (Vec<_>, Vec<_>) = changed.partition(|(_, it)| self.is_used(&it.flow));
            let mut kinds: IndexSet<_> = IndexSet::new();
            let changed = used.into_iter().chain(others);
            let changed = changed.filter(|(was, it)| kinds.insert((*was, it.class, it.flow.via, it.trap)));
            let changed: Vec<Candidate> = changed.map(|(_, it)| it).collect();
            let changed = mix(changed, room - chosen.len());
            chosen.extend(changed);
        }
        if chosen.len() < room && chosen.iter().all(|it| it.trap.is_none()) {
            // A flow that was asked about before and has not changed is no surprise any more, unless the step is about it.
            let traps = by_table.iter().map(|demand| self.candidate(&demand.flow, self.is_about(&demand.flow)));
            let traps = traps.filter(|it| match it.trap {
                None => false,
                Some(Trap::Unchanged) => it.class == Class::Open,
                Some(_) => known.get(&it.flow) != Some(&it.class),
            });
            let traps: Vec<Candidate> = traps.filter(|it| is_known(it) && !is_asked(&chosen, it)).collect();
            let inside = |it: &Candidate| it.flow.from.interface().is_some();
            let best = |it: &Candidate| {
                let tiers = !self.share_a_group(&it.flow);
                (it.trap == Some(Trap::Unchanged), inside(it), self.is_used(&it.flow), tiers)
            };
            let best = (0..traps.len()).rev().max_by_key(|&index| traps.get(index).map(best));
            chosen.extend(best.and_then(|index| traps.into_iter().nth(index)));
        }
        if says_nothing_itself && chosen.len() < 2 && connections.is_empty() && !by_table.is_empty() {
            let fresh = |it: &Candidate| known.get(&it.flow) != Some(&it.class);
            let more = self.of_table(&by_table, &chosen, room - chosen.len(), &fresh);
            chosen.extend(more);
            if chosen.is_empty() {
                chosen.extend(self.of_table(&by_table, &[], room, &|_| true));
            }
        }
        let flows = chosen.into_iter().map(|it| Puzzle { subject: Subject::Flow(it.flow), trap: it.trap });
        connections.into_iter().chain(flows).collect()
    }

    /// Connections whose fate the step names. What the server alone sends has no word that people would guess.
    fn connections(&self) -> Vec<Puzzle> {
        let expected = Expected::of(self.step).connections.into_iter();
        let expected = expected.filter(|(fate, _)| match fate {
            ExpectedConnection::Alive | ExpectedConnection::Cut | ExpectedConnection::Gone => true,
            ExpectedConnection::Unanswerable => false,
        });
        let names = expected.flat_map(|(_, names)| names).map(|Placed { value, .. }| value.clone());
        let names: IndexSet<ConnectionName> = names.collect();
        names
            .into_iter()
            .take(MAX_QUESTIONS)
            .map(|name| Puzzle { subject: Subject::Connection(name), trap: None })
            .collect()
    }

    /// A cell of each pattern that a table opens, and one that it does not, of the same receiver and service.
    fn of_table(
        &self,
        demands: &[demand::Demand],
        chosen: &[Candidate],
        room: usize,
        fresh: &dyn Fn(&Candidate) -> bool,
    ) -> Vec<Candidate> {
        let is_open = |demand: &&demand::Demand| demand.expected == crate::topology::ExpectedOutcome::Open;
        let mut patterns: IndexMap<&SourceLocation, &Flow> = IndexMap::new();
        for demand in demands.iter().filter(is_open) {
            patterns.entry(&demand.said.place).or_insert(&demand.flow);
        }
        let mut all: Vec<Candidate> = Vec::new();
        let add = |all: &mut Vec<Candidate>, flow: &Flow| {
            let it = self.candidate(flow, false);
            if is_known(&it) && fresh(&it) && !is_asked(chosen, &it) && !is_asked(all, &it) {
                all.push(it);
            }
        };
        for flow in patterns.values().take(room.saturating_sub(1)) {
            add(&mut all, flow);
        }
        let opened: Vec<&Flow> = patterns.values().copied().collect();
        let near = demands
            .iter()
            .filter(|demand| !is_open(demand))
            .find(|demand| opened.iter().any(|open| open.to == demand.flow.to && open.service == demand.flow.service));
        let mut closed = demands.iter().filter(|demand| !is_open(demand));
        let miss = near.or_else(|| closed.clone().find(|demand| self.is_used(&demand.flow))).or_else(|| closed.next());
        if let Some(miss) = miss {
            add(&mut all, &miss.flow);
        }
        all.truncate(room);
        all
    }

    fn candidate(&self, flow: &Flow, own: bool) -> Candidate {
        let class = self.class(flow);
        Candidate { trap: self.trap(flow, class, own), flow: flow.clone(), class }
    }

    fn class(&self, flow: &Flow) -> Class {
        self.class_in(self.now, flow)
    }

    fn class_in(&self, cloud: &Cloud, flow: &Flow) -> Class {
        self.outcomes.class(cloud, flow)
    }

    /// Finds the reason why people expect something else of a cell; `own`: the step says something of it.
    fn trap(&self, flow: &Flow, class: Class, own: bool) -> Option<Trap> {
        let by = |via: Via| self.class(&Flow { via, ..flow.clone() });
        let inside = flow.from.interface().is_some() && flow.to.interface().is_some();
        if class == Class::Refused {
            return Some(Trap::NobodyListens);
        }
        if inside && flow.via == Via::Public && class == Class::Dropped && by(Via::Private) == Class::Open {
            return Some(Trap::PublicAddress);
        }
        if inside && flow.via == Via::Dns && class == Class::Open && by(Via::Public) == Class::Dropped {
            return Some(Trap::PublicName);
        }
        if self.class_in(&self.contrary, flow) != class {
            return Some(Trap::SelfReference);
        }
        if policy::judge(self.now, flow).refused_at() == Some(Direction::Egress) {
            return Some(Trap::Egress);
        }
        if class == Class::Dropped && flow.from.interface().is_some() && self.share_a_group(flow) && self.is_used(flow)
        {
            return Some(Trap::SharedGroup);
        }
        let stays = own && self.is_about(flow) && self.class_in(self.before, flow) == class;
        stays.then_some(Trap::Unchanged)
    }

    fn groups(&self, end: &Endpoint) -> IndexSet<GroupName> {
        let interface = end.interface().and_then(|id| self.now.interface(&id));
        interface.map(|it| it.groups.iter().cloned().collect()).unwrap_or_default()
    }

    fn share_a_group(&self, flow: &Flow) -> bool {
        !self.groups(&flow.from).is_disjoint(&self.groups(&flow.to))
    }

    /// Returns true if somebody would ask for it: the file says that the receiver listens there.
    fn is_used(&self, flow: &Flow) -> bool {
        let instance = flow.to.instance().and_then(|name| self.now.instances.get(name));
        instance.is_some_and(|instance| instance.listens.contains(&flow.service))
    }

    /// Returns true if the operations of the step are about an end of the flow, or about rules of its groups.
    fn is_about(&self, flow: &Flow) -> bool {
        let (instances, groups) = &self.touched;
        let ends = [&flow.from, &flow.to];
        ends.iter().any(|end| {
            end.instance().is_some_and(|name| instances.contains(name)) || !groups.is_disjoint(&self.groups(end))
        })
    }
}

/// Gives the right answer to a question about a flow; none where nothing is proved, or no prediction has a word for it.
pub(super) fn answer(class: Class) -> Option<Prediction> {
    match class {
        Class::Open => Some(Prediction::Open),
        Class::Dropped => Some(Prediction::Dropped),
        Class::Refused => Some(Prediction::Refused),
        Class::Unreachable => Some(Prediction::Unreachable),
        Class::Closed | Class::Misdelivered | Class::Inconclusive => None,
    }
}

/// Returns true if there is a word to predict it by.
fn is_known(it: &Candidate) -> bool {
    answer(it.class).is_some()
}

/// Returns true if it, or its way back, is asked already.
fn is_asked(chosen: &[Candidate], it: &Candidate) -> bool {
    let back = Flow { from: it.flow.to.clone(), to: it.flow.from.clone(), ..it.flow.clone() };
    chosen.iter().any(|other| other.flow == it.flow || (other.flow == back && other.class == it.class))
}

/// Picks as many as there is room for, in their order: the first that surprises, one of each outcome, then whatever comes first.
fn mix(all: Vec<Candidate>, room: usize) -> Vec<Candidate> {
    let mut order: Vec<usize> = Vec::new();
    let surprise = all.iter().position(|it| it.trap.is_some());
    order.extend(surprise);
    let mut classes: IndexSet<Class> =
        surprise.and_then(|index| all.get(index)).map(|it| it.class).into_iter().collect();
    order.extend(all.iter().enumerate().filter(|(_, it)| classes.insert(it.class)).map(|(index, _)| index));
    let rest: Vec<usize> = (0..all.len()).filter(|index| !order.contains(index)).collect();
    order.extend(rest);
    order.truncate(room);
    all.into_iter().enumerate().filter(|(index, _)| order.contains(index)).map(|(_, it)| it).collect()
}

fn touched(step: &Step) -> (IndexSet<InstanceName>, IndexSet<GroupName>) {
    let (mut instances, mut groups) = (IndexSet::new(), IndexSet::new());
    for operation in step.operations() {
        let operation = &operation.value;
        let power = operation.power().filter(|(power, _)| *power != Power::Terminate).map(|(_, name)| name);
        let changed = operation.names().and_then(|effect| match effect {
            NameEffect::Groups(name, _) => Some(name),
            NameEffect::PublicAddress(target) => Some(target.instance()),
            NameEffect::Group(..)
            | NameEffect::NoGroup(_)
            | NameEffect::Instance(_)
            | NameEffect::NoInstance(_)
            | NameEffect::Interface(..)
            | NameEffect::PrefixList(_)
            | NameEffect::LoadBalancer(_)
            | NameEffect::ElasticIp(_)
            | NameEffect::NoElasticIp(_) => None,
        });
        instances.extend(power.into_iter().chain(changed).cloned());
        if operation.changes_rules() {
            groups.extend(operation.groups().next().cloned());
        }
    }
    (instances, groups)
}

#[cfg(test)]
mod tests;
