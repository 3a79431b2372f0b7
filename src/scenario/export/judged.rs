//! What is judged of every cell of a grid, class by class.

use std::collections::HashMap;

use super::super::cells;
use super::bits::Bits;
use super::classes::{ClassId, Classes, has_ways};
use crate::model::{Cloud, Endpoint, Flow, Service, Verdict, Via};
use crate::policy;
use crate::topology::{Columns, Egress};

/// The cells of a grid.
pub struct Judged {
    pub classes: Classes,
    /// The columns, by number.
    pub columns: Vec<Service>,
    /// By sender and receiver; none where no path leads from one to the other.
    cells: HashMap<(ClassId, ClassId), Cells>,
}

/// The cells between the members of two classes: the same for each pair.
#[derive(Clone, Debug)]
pub struct Cells {
    /// The address that they go by.
    pub via: Via,
    /// Columns that are asked.
    pub asked: Bits,
    /// Columns that are open.
    pub open: Bits,
    /// Columns that groups drop.
    pub refused: Bits,
    /// Columns that a table has no word for: neither open nor dropped nor unreachable.
    pub odd: Bits,
}

impl Judged {
    /// Judges every cell of a cloud.
    pub fn of(cloud: &Cloud, columns: &Columns, egress: &Egress) -> Self {
        let classes = Classes::of(cloud, egress);
        let services: Vec<Service> = columns.iter().copied().collect();
        let mut alone = Alone::of(cloud);
        let mut known: HashMap<(usize, usize, bool), Option<Cells>> = HashMap::new();
        let mut all = HashMap::new();
        for from in 0..classes.members.len() {
            for to in 0..classes.members.len() {
                let is_receiver = |end: &Endpoint| match end {
                    Endpoint::Host(name, _) => egress.has(name),
                    _ => true,
                };
                let Some((sender, receiver)) = example(&classes, from, to).filter(|(_, to)| is_receiver(to)) else {
                    continue;
                };
                let key = (classes.alike[from][0], classes.alike[to][1], from == to);
                let judged = known.entry(key).or_insert_with(|| {
                    let said = cells::via_of(sender);
                    let via = cells::path(cloud, sender, receiver, said)?;
                    Some(judged(alone.with([sender, receiver]), columns, &services, (sender, receiver, via)))
                });
                if let Some(judged) = judged {
                    all.insert((from, to), judged.clone());
                }
            }
        }
        Self { classes, columns: services, cells: all }
    }

    /// The cells from the members of one class to those of another.
    pub fn between(&self, from: ClassId, to: ClassId) -> Option<&Cells> {
        self.cells.get(&(from, to))
    }

    /// Every pair of classes that has cells, with the number of its pairs of ends.
    pub fn pairs(&self) -> impl Iterator<Item = ((ClassId, ClassId), &Cells, usize)> {
        self.cells.iter().map(|(pair, cells)| (*pair, cells, self.weight(*pair)))
    }

    /// The number of pairs of ends that a pair of classes stands for.
    pub fn weight(&self, (from, to): (ClassId, ClassId)) -> usize {
        let count = |class: ClassId| self.classes.members[class].len();
        if from == to { count(from) * (count(from) - 1) } else { count(from) * count(to) }
    }
}

/// A cloud in which nobody is but the two ends of a flow, since nobody else has a part in it: every rule is asked about these two. Where packets go
/// other ways than straight to whom they are sent to, all are there.
struct Alone<'a> {
    whole: &'a Cloud,
    cloud: Option<Cloud>,
}

impl<'a> Alone<'a> {
    fn of(whole: &'a Cloud) -> Self {
        let nobody = || Cloud { instances: Default::default(), ..whole.clone() };
        Self { whole, cloud: (!has_ways(whole)).then(nobody) }
    }

    fn with(&mut self, ends: [&Endpoint; 2]) -> &Cloud {
        let Some(cloud) = &mut self.cloud else { return self.whole };
        cloud.instances.clear();
        for id in ends.into_iter().filter_map(Endpoint::interface) {
            let of_end = id.attachment().and_then(|at| self.whole.instances.get_key_value(&at.instance));
            cloud.instances.extend(of_end.map(|(name, instance)| (name.clone(), instance.clone())));
        }
        cloud
    }
}

/// A sender and a receiver of two classes that are not the same.
fn example(classes: &Classes, from: ClassId, to: ClassId) -> Option<(&Endpoint, &Endpoint)> {
    let sender = classes.members[from].first()?;
    let receiver = classes.members[to].iter().find(|end| *end != sender)?;
    Some((sender, receiver))
}

fn judged(
    cloud: &Cloud,
    columns: &Columns,
    services: &[Service],
    (from, to, via): (&Endpoint, &Endpoint, Via),
) -> Cells {
    let [mut asked, mut open, mut refused, mut odd]: [Bits; 4] = Default::default();
    for (number, &service) in services.iter().enumerate().filter(|(_, service)| columns.are_asked(**service, via)) {
        asked.insert(number);
        let verdict = policy::judge(cloud, &Flow { from: from.clone(), to: to.clone(), via, service });
        let is_refused = verdict.refused_at().is_some();
        match verdict {
            Verdict::Open { .. } => open.insert(number),
            Verdict::Dropped { .. } | Verdict::Unreachable { .. } => {}
            Verdict::Misdelivered { .. } | Verdict::Unresolved => odd.insert(number),
        }
        if is_refused {
            refused.insert(number);
        }
    }
    Cells { via, asked, open, refused, odd }
}
