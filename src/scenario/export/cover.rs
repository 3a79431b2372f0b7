//! Few lines for many cells: by group where all members are alike in it, and by name only where they are not.

use std::collections::HashMap;

use super::bits::Bits;
use super::classes::ClassId;
use super::judged::{Cells, Judged};
use super::selectors::{Selector, receivers, senders};
use crate::model::Cloud;
use crate::topology::{ColumnKind, write};

/// Ports in the words of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// One line each.
    Each,
    /// One line for all of a kind, if it holds of all. The column of ports that no rule names cannot be written by its
    /// number: once named, another port becomes that column.
    Kinds,
}

/// Receivers in the words of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Receivers {
    /// Groups, and the ends of which a group says too much.
    ByGroup,
    /// Each end by its name, as `closed` has load balancers.
    ByName,
}

/// Lines that say where something holds.
pub struct Cover {
    pub lines: Vec<String>,
    /// Cells that no line can say, such as those of one address of a host.
    pub is_whole: bool,
}

/// A line, or one for each pair of names of its ends.
struct Line<'a> {
    from: &'a Selector,
    to: &'a Selector,
    word: Word,
    /// The pairs of classes that have cells, and the columns that it says of each.
    pairs: Vec<(ClassId, ClassId)>,
    columns: Bits,
    /// Cells of the grid that it says for each line of the file that it takes.
    worth: usize,
    is_a_rule: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Kind(ColumnKind),
    Column(usize),
}

/// The lines of what holds. `holds` are the columns of cells.
pub fn cover(
    cloud: &Cloud,
    judged: &Judged,
    (ports, words): (Ports, Receivers),
    holds: impl Fn((ClassId, ClassId), &Cells) -> Bits,
) -> Cover {
    let mut open: HashMap<(ClassId, ClassId), Bits> = HashMap::new();
    for (pair, cells, _) in judged.pairs() {
        let own = holds(pair, cells);
        if !own.is_empty() {
            open.insert(pair, own);
        }
    }
    let (senders, receivers) = (senders(cloud, judged), receivers(cloud, judged));
    let mut candidates: Vec<Line<'_>> = Vec::new();
    for to in receivers.iter().filter(|to| words == Receivers::ByGroup || !to.is_group()) {
        for from in &senders {
            candidates.extend(lines(cloud, judged, &open, ports, from, to));
        }
    }
    // What says most comes first; of what says as much, what a rule says, and then what comes first in the file.
    candidates.sort_by_key(|line| std::cmp::Reverse((line.worth, line.is_a_rule)));
    let mut missing = open;
    let mut chosen: Vec<Line<'_>> = Vec::new();
    for line in candidates {
        let is_needed = |pair| missing.get(pair).is_some_and(|rest: &Bits| !rest.and(&line.columns).is_empty());
        if !line.pairs.iter().any(is_needed) {
            continue;
        }
        for pair in &line.pairs {
            if let Some(rest) = missing.get_mut(pair) {
                rest.remove(&line.columns);
            }
        }
        chosen.push(line);
    }
    let is_whole = missing.values().all(Bits::is_empty);
    let mut chosen = without_idle(judged, chosen);
    chosen.sort_by_key(|line| (line.to.place, line.from.place, line.word));
    Cover { lines: chosen.iter().flat_map(|line| line.written(judged)).collect(), is_whole }
}

/// Takes away what others say together.
fn without_idle<'a>(judged: &Judged, mut chosen: Vec<Line<'a>>) -> Vec<Line<'a>> {
    let mut said: HashMap<(ClassId, ClassId), Vec<u32>> = HashMap::new();
    for line in &chosen {
        for pair in &line.pairs {
            let counts = said.entry(*pair).or_insert_with(|| vec![0; judged.columns.len()]);
            line.columns.iter().for_each(|column| counts[column] += 1);
        }
    }
    let mut index = chosen.len();
    while index > 0 {
        index -= 1;
        let line = &chosen[index];
        let asked =
            |pair: &(ClassId, ClassId)| judged.between(pair.0, pair.1).map(|cells| cells.asked.and(&line.columns));
        let is_idle = line.pairs.iter().all(|pair| {
            let counts = said.get(pair);
            asked(pair).is_none_or(|asked| asked.iter().all(|column| counts.is_some_and(|counts| counts[column] > 1)))
        });
        if !is_idle {
            continue;
        }
        for pair in &line.pairs {
            if let Some(counts) = said.get_mut(pair) {
                line.columns.iter().for_each(|column| counts[column] -= 1);
            }
        }
        chosen.remove(index);
    }
    chosen
}

/// All that can be said of two selectors.
fn lines<'a>(
    cloud: &Cloud,
    judged: &Judged,
    open: &HashMap<(ClassId, ClassId), Bits>,
    ports: Ports,
    from: &'a Selector,
    to: &'a Selector,
) -> Vec<Line<'a>> {
    let mut pairs = Vec::new();
    let mut whole: Option<Bits> = None;
    let mut any = Bits::default();
    for &sender in &from.classes {
        for &receiver in &to.classes {
            let Some(cells) = judged.between(sender, receiver) else { continue };
            let own = open.get(&(sender, receiver));
            if own.is_none() && cells.asked.len() == judged.columns.len() {
                return Vec::new();
            }
            pairs.push((sender, receiver));
            any.add(&cells.asked);
            // What is not asked is said of nobody.
            let none = Bits::default();
            let closed = cells.asked.but(own.unwrap_or(&none));
            whole.get_or_insert_with(|| Bits::below(judged.columns.len())).remove(&closed);
        }
    }
    let Some(whole) = whole.map(|whole| whole.and(&any)) else { return Vec::new() };
    let names = from.names.len() * to.names.len();
    let line = |word: Word, columns: Bits| {
        let of_pair = |pair: &(ClassId, ClassId)| {
            let asked = judged.between(pair.0, pair.1).map_or(0, |cells| cells.asked.and(&columns).len());
            asked * judged.weight(*pair)
        };
        let worth = pairs.iter().map(of_pair).sum::<usize>() / names;
        let is_a_rule = columns.iter().any(|column| from.is_peer(cloud, to, judged.columns[column]));
        Line { from, to, word, pairs: pairs.clone(), columns, worth, is_a_rule }
    };
    let of_kind =
        |kind: ColumnKind| -> Bits { any.iter().filter(|column| kind.has(judged.columns[*column])).collect() };
    let kinds = match ports {
        Ports::Each => &[][..],
        // A ping alone is said as what it is.
        Ports::Kinds => &[ColumnKind::All, ColumnKind::Tcp, ColumnKind::Udp],
    };
    let mut all = Vec::new();
    for kind in kinds {
        let columns = of_kind(*kind);
        if !columns.is_empty() && columns.but(&whole).is_empty() && from.may_say(cloud, to, judged, &columns) {
            all.push(line(Word::Kind(*kind), columns));
        }
    }
    // A line for one message asks it of every address, those of the other family too.
    let is_asked_of_all = |column: usize| {
        let mut cells = pairs.iter().filter_map(|pair| judged.between(pair.0, pair.1));
        cells.all(|cells| cells.asked.has(column) || judged.columns[column].unprobeable(cells.via).is_some())
    };
    for column in whole.iter().filter(|column| is_asked_of_all(*column)) {
        let columns: Bits = [column].into_iter().collect();
        if from.may_say(cloud, to, judged, &columns) {
            all.push(line(Word::Column(column), columns));
        }
    }
    all
}

impl Line<'_> {
    /// The lines of the file.
    fn written(&self, judged: &Judged) -> Vec<String> {
        let mut all = Vec::new();
        for to in &self.to.names {
            for from in self.from.names.iter().filter(|from| *from != to || self.from.is_group()) {
                let cells = match self.word {
                    Word::Kind(kind) => write::open_cells_between(from, to, kind),
                    Word::Column(column) => write::flow_between(from, to, judged.columns[column]),
                };
                let by = self.from.by.or(self.to.by).map(|via| format!(" {}", via.words()));
                all.push(cells + &by.unwrap_or_default());
            }
        }
        all
    }
}
