//! The exhaustive grid as text.

use indexmap::IndexMap;

use crate::model::{Endpoint, HostIp, HostName, Via};
use crate::report::Style;
use crate::report::text::{self, Tone};
use crate::scenario::{Cell, Class, Grid, Row};

/// A grid of more receivers than this is not shown unless it is asked for.
const MAX_RECEIVERS: usize = 12;

const INDENT: &str = "       ";

/// Selection of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// All.
    All,
    /// Those with a cell that is not as expected.
    Wrong,
}

/// The grid with its legend and its receivers.
pub(super) fn grid(grid: &Grid, hosts: &IndexMap<HostName, Vec<HostIp>>, rows: Rows, style: Style) -> String {
    if grid.rows.is_empty() || grid.services.is_empty() {
        return String::new();
    }
    if grid.targets.len() > MAX_RECEIVERS && !style.grid {
        return format!("{INDENT}a grid of {} instances; --grid shows it\n", text::number(grid.targets.len()));
    }
    let folded = fold(grid, hosts);
    let (shown, hidden): (Vec<_>, Vec<_>) = folded.iter().partition(|(_, row)| rows == Rows::All || is_wrong(row));
    let label_width = folded.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0).max(8) + 3;
    let targets: Vec<String> = grid.targets.iter().map(|target| text::endpoint(target, hosts)).collect();
    let width = targets.iter().map(|target| target.chars().count()).chain([grid.services.len()]).max().unwrap_or(0) + 3;
    let mut out = legend(grid, style);
    for part in style.parts(grid.targets.len(), INDENT.len() + label_width, width) {
        let heads: String = targets[part.clone()].iter().map(|target| format!("{target:<width$}")).collect();
        out.push_str(&format!("{INDENT}{:label_width$}{}\n", "", heads.trim_end()));
        for (label, row) in &shown {
            let blocks = row.blocks.iter().take(part.end).skip(part.start);
            let blocks: String = blocks.map(|block| cells(block.as_deref(), width, style)).collect();
            out.push_str(&format!("{INDENT}{label:<label_width$}{}\n", blocks.trim_end()));
        }
    }
    match hidden.len() {
        0 => {}
        1 => out.push_str(&format!("{INDENT}(1 row as expected; --grid shows it)\n")),
        count => out.push_str(&format!("{INDENT}({count} rows as expected; --grid shows them)\n")),
    }
    out
}

fn legend(grid: &Grid, style: Style) -> String {
    let services = grid.services.iter().map(|&service| text::service(service)).collect::<Vec<_>>().join(" ");
    // Whoever else answers is wrong, and has that letter.
    let there = |class| {
        let mut cells = grid.rows.iter().flat_map(|row| row.blocks.iter().flatten().flatten().flatten());
        cells.any(|cell| cell.class == class && !cell.wrong)
    };
    let letters = format!("{}  ! wrong", text::letters(there));
    style.fit(&format!("{INDENT}{}\n", style.paint(Tone::Faint, &format!("each cell: {services}    {letters}"))))
}

fn is_wrong(row: &Row) -> bool {
    row.blocks.iter().flatten().flatten().flatten().any(|cell| cell.wrong || cell.class == Class::Inconclusive)
}

/// Addresses of one host with equal rows become one row: `world`, or `world[1], world[3]` where another differs. A file names them so, too.
fn fold<'a>(grid: &'a Grid, hosts: &IndexMap<HostName, Vec<HostIp>>) -> Vec<(String, &'a Row)> {
    let mut folded: Vec<(Vec<&Endpoint>, &Row)> = Vec::new();
    for row in &grid.rows {
        let same = folded.iter_mut().find(|(_, kept)| match (&kept.from, &row.from) {
            (Endpoint::Host(a, _), Endpoint::Host(b, _)) => a == b && kept.blocks == row.blocks,
            _ => false,
        });
        match same {
            Some((ends, _)) => ends.push(&row.from),
            None => folded.push((vec![&row.from], row)),
        }
    }
    let usual = grid.rows.iter().any(|row| row.via.is_none());
    folded
        .into_iter()
        .map(|(ends, row)| {
            let label = match (&row.from, row.via) {
                (Endpoint::Host(..), _) if ends.len() > 1 => {
                    text::endpoints(&ends.into_iter().cloned().collect::<Vec<_>>(), hosts)
                }
                (Endpoint::Host(..), _) | (_, None) => text::endpoint(&row.from, hosts),
                (from, Some(Via::Public)) => format!("{from} by public"),
                (from, Some(Via::Ipv6)) => format!("{from} by IPv6"),
                (from, Some(Via::Dns)) => format!("{from} by DNS"),
                // Worth a word only beside the rows of which nothing is said.
                (from, Some(Via::Private)) if usual => format!("{from} by private"),
                (from, _) => text::endpoint(from, hosts),
            };
            (label, row)
        })
        .collect()
}

/// Mark of a cell whose service no probe can ask for.
pub(in crate::report) const NO_CELL: char = '-';

fn cells(block: Option<&[Option<Cell>]>, width: usize, style: Style) -> String {
    let Some(cells) = block else { return format!("{:<width$}", "-") };
    let mut out: String =
        cells.iter().map(|cell| cell.map_or_else(|| NO_CELL.to_string(), |cell| letter(cell, style))).collect();
    // Padded by hand: colours have no width.
    out.push_str(&" ".repeat(width.saturating_sub(cells.len())));
    out
}

fn letter(cell: Cell, style: Style) -> String {
    if cell.wrong {
        return style.paint(Tone::Bad, "!");
    }
    let tone = match cell.class {
        Class::Open => Tone::Good,
        Class::Dropped => Tone::Faint,
        Class::Refused | Class::Closed | Class::Unreachable | Class::Misdelivered | Class::Inconclusive => Tone::Unsure,
    };
    style.paint(tone, &cell.class.letter().to_string())
}
