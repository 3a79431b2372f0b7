//! The truth table of a step as a table: letters first, colour second.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::markup::escaped;
use crate::model::{Endpoint, HostIp, HostName, Via};
use crate::report::text;
use crate::scenario::{Cell, ChangedCell, Class, StepResult};

/// The table; nothing where a step has no grid.
pub fn table(id: &str, step: &StepResult, hosts: &IndexMap<HostName, Vec<HostIp>>) -> String {
    let grid = &step.probed.grid;
    if grid.rows.is_empty() || grid.services.is_empty() {
        return String::new();
    }
    let mut changed: HashMap<_, Vec<Via>> = HashMap::new();
    for ChangedCell { flow, .. } in &step.probed.changed {
        changed.entry((&flow.from, &flow.to, flow.service)).or_default().push(flow.via);
    }
    let services: Vec<String> = grid.services.iter().map(|service| text::service(*service)).collect();
    let heads: String = grid
        .targets
        .iter()
        .map(|target| {
            format!(
                "<th colspan=\"{}\" scope=\"colgroup\">{}</th>",
                services.len(),
                escaped(&text::endpoint(target, hosts))
            )
        })
        .collect();
    let ports: String = grid
        .targets
        .iter()
        .flat_map(|_| {
            services.iter().map(|service| format!("<th class=\"port\" scope=\"col\">{}</th>", escaped(service)))
        })
        .collect();
    let mut out = format!(
        "<div class=\"scroll\"><table class=\"grid\"><thead><tr><th rowspan=\"2\">from \\ to</th>{heads}</tr>\n<tr>{ports}</tr></thead>\n<tbody>\n"
    );
    for (number, row) in grid.rows.iter().enumerate() {
        let by = match row.via {
            Some(via) if via != Via::Private && !matches!(row.from, Endpoint::Host(..)) => format!(" {}", via.words()),
            _ => String::new(),
        };
        out.push_str(&format!("<tr><th scope=\"row\">{}{by}</th>", escaped(&text::endpoint(&row.from, hosts))));
        for (block, target) in row.blocks.iter().zip(&grid.targets) {
            let Some(cells) = block else {
                out.push_str(&format!("<td class=\"none\" colspan=\"{}\"></td>", services.len()));
                continue;
            };
            for (cell, &service) in cells.iter().zip(&grid.services) {
                let vias = changed.get(&(&row.from, target, service)).map_or(&[][..], Vec::as_slice);
                // A row that names no address is the only one of its sender.
                let is_changed = row.via.map_or(!vias.is_empty(), |via| vias.contains(&via));
                out.push_str(&a_cell(*cell, is_changed));
            }
        }
        out.push_str(&format!("</tr><!-- {id} row {} -->\n", number + 1));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn a_cell(cell: Option<Cell>, is_changed: bool) -> String {
    let Some(cell) = cell else { return "<td class=\"none\"></td>".to_owned() };
    let class = match cell.class {
        Class::Open => "open",
        Class::Dropped => "dropped",
        Class::Inconclusive => "inconclusive",
        Class::Refused | Class::Closed | Class::Unreachable | Class::Misdelivered => "other",
    };
    let wrong = if cell.wrong { " wrong" } else { "" };
    let changed = if is_changed { " changed" } else { "" };
    let letter = if cell.wrong { '!' } else { cell.class.letter() };
    format!("<td class=\"{class}{wrong}{changed}\" title=\"{}\">{letter}</td>", cell.class.as_str())
}
