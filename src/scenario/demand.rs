//! Demands of a step on single flows: its tables and its own flow expectations, cell by cell.

use indexmap::{IndexMap, IndexSet};

use super::cells;
use super::results::{CellSource, Finding, Said};
use crate::model::{Cloud, Direction, Flow, SourceLocation, TableName, Verdict, Via};
use crate::policy;
use crate::topology::{Egress, ExpectedOutcome, FlowPattern, Table, Topology};

/// Demand of one expectation on one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Flow that is probed.
    pub flow: Flow,
    /// The outcome it must have.
    pub expected: ExpectedOutcome,
    /// End at which a drop must happen.
    pub at: Option<Direction>,
    /// Expectation of the file that demands it.
    pub said: Said,
    /// Source of the demand: a table, or the step itself.
    pub by: CellSource,
}

/// Expectation of cells.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// Outcomes that a table lists, a cell each.
    Table(&'a TableName, &'a SourceLocation),
    /// One outcome.
    Flows(ExpectedOutcome, &'a [FlowPattern]),
}

/// The demands of a step, and the expectations that select no cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Cell by cell, in the order of the file.
    pub demands: Vec<Demand>,
    /// Expectations that demand nothing now, which is a mistake.
    pub empty: Vec<Finding>,
}

/// Returns the extent of the grid that a file asks of a cloud, for all of its tables together; nothing where it has none.
pub fn extent(topology: &Topology, cloud: &Cloud) -> cells::Extent {
    let egress = topology.tables.values().fold(Egress::default(), |all, table| all.and(&of_era(&table.egress, cloud)));
    cells::Extent { vias: topology.tables.values().map(|table| table.via).collect(), egress }
}

/// Without egress rules nothing that goes out is ever dropped.
fn of_era(egress: &Egress, cloud: &Cloud) -> Egress {
    if cloud.has_egress_rules() { egress.clone() } else { Egress::default() }
}

/// Spells out what a step demands of the cloud as it is now.
pub fn demands(topology: &Topology, expected: &[Cells<'_>], cloud: &Cloud) -> Demands {
    let mut all = Demands::default();
    for part in expected {
        match part {
            Cells::Table(name, place) => all.table(topology, name, place, cloud),
            Cells::Flows(expected, patterns) => {
                for pattern in *patterns {
                    all.pattern(*expected, pattern, cloud);
                }
            }
        }
    }
    all.settle();
    all
}

impl Demands {
    fn pattern(&mut self, expected: ExpectedOutcome, pattern: &FlowPattern, cloud: &Cloud) {
        match cells::select(pattern, None, cloud) {
            Ok(flows) => self.demands.extend(flows.into_iter().map(|flow| Demand {
                flow,
                expected,
                at: pattern.at,
                said: Said {
                    words: format!("{}: {}", expected.as_str(), pattern.written),
                    place: pattern.place.clone(),
                },
                by: CellSource::Step,
            })),
            Err(text) => self.empty.push(Finding { text, place: pattern.place.clone() }),
        }
    }

    fn table(&mut self, topology: &Topology, name: &TableName, place: &SourceLocation, cloud: &Cloud) {
        let Some(table) = topology.tables.get(name) else {
            self.empty.push(Finding { text: format!("there is no table {name}"), place: place.clone() });
            return;
        };
        let mut open: IndexMap<Flow, Said> = IndexMap::new();
        for (owner, part) in chain(topology, name, table) {
            for open_cells in &part.open {
                let (written, place) = open_cells.written();
                match cells::opened(open_cells, &topology.columns, table.via, cloud) {
                    Ok(flows) => {
                        for flow in flows {
                            open.entry(flow).or_insert_with(|| Said {
                                words: format!("table {owner}, which opens `{written}`"),
                                place: place.clone(),
                            });
                        }
                    }
                    Err(text) => {
                        self.empty.push(Finding { text: format!("table {owner}: {text}"), place: place.clone() });
                    }
                }
            }
        }
        let closed =
            Said { words: format!("table {name}, which does not list it as open"), place: table.place.clone() };
        let extent = cells::Extent { vias: IndexSet::from([table.via]), egress: of_era(&table.egress, cloud) };
        let grid: IndexSet<Flow> = extent.grid(cloud, &topology.columns).collect();
        // Flows that a table opens outside its own grid must be open as well: by the other address, or to a host where nothing drops what goes out.
        let beyond: Vec<Flow> = open.keys().filter(|flow| !grid.contains(*flow)).cloned().collect();
        for flow in grid.into_iter().chain(beyond) {
            let (expected, said) = match open.get(&flow) {
                Some(said) => (ExpectedOutcome::Open, said.clone()),
                None if has_no_way_out(cloud, &flow) => (ExpectedOutcome::Unreachable, closed.clone()),
                None => (ExpectedOutcome::Dropped, closed.clone()),
            };
            self.demands.push(Demand { flow, expected, at: None, said, by: CellSource::Table });
        }
    }

    /// A table that opens a cell says that the groups let it in; a step that says `refused` or `closed` of it says that
    /// and more, so the table has nothing to add.
    fn settle(&mut self) {
        let refused: IndexSet<Flow> = self
            .demands
            .iter()
            .filter(|demand| matches!(demand.expected, ExpectedOutcome::Refused | ExpectedOutcome::Closed))
            .map(|demand| demand.flow.clone())
            .collect();
        self.demands.retain(|demand| {
            !(demand.by == CellSource::Table
                && demand.expected == ExpectedOutcome::Open
                && refused.contains(&demand.flow))
        });
    }
}

/// Tells whether a flow by public address, from an interface that has none, also has no appliance on its route to send it out. Then it is
/// unreachable, and no filter drops it.
fn has_no_way_out(cloud: &Cloud, flow: &Flow) -> bool {
    let sender = flow.from.interface().and_then(|id| cloud.interface(&id));
    sender.is_some_and(|sender| sender.public.is_none())
        && matches!(flow.via, Via::Public | Via::Dns)
        && matches!(policy::judge(cloud, flow), Verdict::Unreachable { .. })
}

/// A table and what it extends, the farthest ancestor last.
fn chain<'a>(topology: &'a Topology, name: &'a TableName, table: &'a Table) -> Vec<(&'a TableName, &'a Table)> {
    let mut chain = vec![(name, table)];
    let mut next = table.like.as_ref();
    while let Some((name, table)) = next.and_then(|name| topology.tables.get_key_value(name)) {
        // The reader refuses circles; a topology made by hand must not hang either.
        if chain.iter().any(|(seen, _)| *seen == name) {
            break;
        }
        chain.push((name, table));
        next = table.like.as_ref();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::expected::Expected;
    use crate::scenario::testing::{cloud, flows, step, table, topology};
    use crate::topology::Expectation;

    fn of(expectations: Vec<Expectation>, cloud: &Cloud) -> Demands {
        demands(&topology(vec![]), &Expected::of(&step("s", expectations)).cells, cloud)
    }

    fn count(demands: &Demands, expected: ExpectedOutcome) -> usize {
        demands.demands.iter().filter(|demand| demand.expected == expected).count()
    }

    #[test]
    fn a_table_demands_every_cell_of_its_grid() {
        let demands = of(vec![table("two-tier")], &cloud());
        assert_eq!(demands.demands.len(), 140);
        assert_eq!(count(&demands, ExpectedOutcome::Open), 22);
        assert_eq!(count(&demands, ExpectedOutcome::Dropped), 118);
    }

    #[test]
    fn a_table_like_another_opens_the_cells_of_both() {
        let demands = of(vec![table("replicating")], &cloud());
        assert_eq!(demands.demands.len(), 140);
        assert_eq!(count(&demands, ExpectedOutcome::Open), 24);
    }

    #[test]
    fn a_closed_cell_is_demanded_by_the_table_and_an_open_one_by_its_pattern() {
        let demands = of(vec![table("replicating")], &cloud());
        let words = |flow: &str| {
            let found = demands.demands.iter().find(|demand| demand.flow.to_string() == flow).expect("the cell");
            found.said.words.clone()
        };
        assert_eq!(words("neighbour -> web1:22"), "table replicating, which does not list it as open");
        assert_eq!(words("office -> web1:22"), "table two-tier, which opens `office -> SG-T-ADMIN:22`");
    }

    #[test]
    fn an_open_pattern_that_selects_nothing_is_a_mistake_with_a_place() {
        let mut cloud = cloud();
        for name in ["db1", "db2"] {
            crate::scenario::testing::stop(&mut cloud, name);
        }
        let demands = of(vec![table("two-tier")], &cloud);
        assert_eq!(
            demands.empty[0].text,
            "table two-tier: `SG-T-WEB -> SG-T-DB:3306` selects no flow: SG-T-DB has no running member"
        );
    }

    #[test]
    fn a_step_that_says_refused_of_a_cell_that_its_table_opens_is_no_contradiction() {
        let both = vec![table("two-tier"), flows(ExpectedOutcome::Refused, &["office -> web1:80"])];
        let demands = of(both, &cloud());
        let of_cell: Vec<_> =
            demands.demands.iter().filter(|demand| demand.flow.to_string() == "office -> web1:80").collect();
        assert_eq!(of_cell.len(), 1);
        assert_eq!(of_cell[0].expected, ExpectedOutcome::Refused);
    }
}
