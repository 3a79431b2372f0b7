//! Rows and columns of the truth table: an end each, or where these are many a class each.

use indexmap::IndexSet;
use serde::Serialize;

use super::classes::{Class, Classes};
use crate::model::{Cloud, Endpoint, InstanceName, InstanceState, Via};
use crate::scenario::cells::{self, Extent};

/// Ends beyond which rows and columns are classes of ends.
const MAX_ENDS: usize = 16;

/// Ends that a row or a column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grain {
    /// One.
    End,
    /// All that run of a class.
    Class,
}

/// Whoever a row or a column stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its title: `web1`, `office (203.0.113.10)`, or groups.
    pub title: String,
    /// Number of the ends that it stands for.
    pub members: usize,
    /// Index of its class.
    pub class: usize,
    /// Its state, if it does not run: it has no cells then.
    pub down: Option<InstanceState>,
}

/// Ends of a row or a column: one, or all that run of a class.
pub(super) struct Ends<'a> {
    pub side: Side,
    /// The end that stands in its place, where that does not run.
    down: Option<&'a Endpoint>,
    pub ends: Vec<&'a Endpoint>,
}

impl Ends<'_> {
    /// The instance that it begins with.
    fn instance(&self) -> Option<&InstanceName> {
        self.ends.first().copied().or(self.down)?.instance()
    }
}

/// Columns and rows: an end each, or where these are many a class each.
pub(super) fn sides<'a>(
    cloud: &'a Cloud,
    classes: &'a Classes,
    extent: &Extent,
    vias: &IndexSet<Option<Via>>,
) -> (Vec<Ends<'a>>, Vec<(Ends<'a>, Option<Via>)>) {
    let by_end = classes.by_end();
    let grain = if classes.ends() <= MAX_ENDS { Grain::End } else { Grain::Class };
    let receivers = extent.receivers(cloud);
    let first = vias.first().copied().flatten();
    let mut columns: Vec<Ends<'a>> = Vec::new();
    let mut rows: Vec<(Ends<'a>, Option<Via>)> = Vec::new();
    for end in &receivers {
        let Some((known, class)) = by_end.get_key_value(end) else { continue };
        add(&mut columns, known, *class, classes, grain);
    }
    for (end, via) in cells::senders(cloud, vias) {
        let Some((known, class)) = by_end.get_key_value(&end) else { continue };
        let is_host = matches!(end, Endpoint::Host(..));
        let known: &'a Endpoint = known;
        match rows
            .iter_mut()
            .find(|(row, by)| grain == Grain::Class && !is_host && row.side.class == *class && *by == via)
        {
            Some((row, _)) => {
                row.ends.push(known);
                row.side.members += 1;
            }
            None => rows.push((ends(known, *class, classes, grain), via)),
        }
    }
    if grain == Grain::End {
        add_down(cloud, classes, (&mut columns, |column| column), |column| column);
        add_down(cloud, classes, (&mut rows, |(row, _)| row), |row| (row, first));
    }
    (columns, rows)
}

/// Adds what does not run, where it would stand if it did: whoever looks for it finds that it is down.
fn add_down<'a, T>(
    cloud: &Cloud,
    classes: &'a Classes,
    (all, ends_of): (&mut Vec<T>, fn(&T) -> &Ends<'a>),
    make: impl Fn(Ends<'a>) -> T,
) {
    let place = |name: &InstanceName| cloud.instances.get_index_of(name);
    for (end, class) in classes.by_end() {
        let Some(name) = end.instance() else { continue };
        let state = cloud.instances.get(name).map(|it| it.state);
        let Some(state) = state.filter(|state| *state != InstanceState::Running) else { continue };
        let is_later = |one: &T| ends_of(one).instance().and_then(place) > place(name);
        let at = all.iter().position(is_later).unwrap_or(all.len());
        let side = Side { title: end.to_string(), members: 1, class, down: Some(state) };
        all.insert(at, make(Ends { side, down: Some(end), ends: Vec::new() }));
    }
}

fn add<'a>(all: &mut Vec<Ends<'a>>, end: &'a Endpoint, class: usize, classes: &'a Classes, grain: Grain) {
    match all.iter_mut().find(|it| grain == Grain::Class && it.side.class == class) {
        Some(it) => {
            it.ends.push(end);
            it.side.members += 1;
        }
        None => all.push(ends(end, class, classes, grain)),
    }
}

fn ends<'a>(end: &'a Endpoint, class: usize, classes: &'a Classes, grain: Grain) -> Ends<'a> {
    let own = || match end {
        Endpoint::Host(name, address) => format!("{name} ({address})"),
        other => other.to_string(),
    };
    let is_one = |class: &&Class| grain == Grain::Class && class.running() > 1 && !matches!(end, Endpoint::Host(..));
    let title = classes.iter().nth(class).filter(is_one).map_or_else(own, |class| class.name.clone());
    Ends { side: Side { title, members: 1, class, down: None }, down: None, ends: vec![end] }
}

/// The pair of ends that is probed for a block of cells, by which address, and the number of pairs.
pub(super) struct Way {
    pub from: Endpoint,
    pub to: Endpoint,
    pub via: Via,
    pub pairs: usize,
}

pub(super) fn way(cloud: &Cloud, from: &[&Endpoint], to: &[&Endpoint], said: Option<Via>) -> Option<Way> {
    // Of a class to itself: two members. So the first sends, and the last receives.
    let pairs = || to.iter().rev().flat_map(|to| from.iter().map(move |from| (*from, *to)));
    let (from_one, to_one, via) =
        pairs().take(from.len() + 1).find_map(|(from, to)| Some((from, to, cells::path(cloud, from, to, said)?)))?;
    let own = from.iter().filter(|end| to.contains(end)).count();
    let pairs = from.len() * to.len() - own;
    Some(Way { from: from_one.clone(), to: to_one.clone(), via, pairs })
}
