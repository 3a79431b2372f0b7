//! The cloud of a lab as a topology file, with its truth table.

use indexmap::{IndexMap, IndexSet};

use crate::control::LabName;
use crate::control::protocol::Reply;
use crate::model::topology::{columns_of, write};
use crate::model::{Cloud, Endpoint, Flow, Service, Verdict, Via};
use crate::policy;
use crate::scenario::cells;

/// The file: as the cloud stands, and what is open in it, which `sglab test` holds against the packets.
pub(super) fn of(cloud: &Cloud, lab: &LabName) -> Reply {
    let title = format!("The lab {lab} as it stood when it was exported.");
    let whole = write::write(cloud, &title, &format!("{{table: as-it-stands}}\n{}", table(cloud)));
    // A host may be let in by one of its addresses only, for which a table has no words.
    match whole.or_else(|_| write::write(cloud, &title, "{rules: unchanged}")) {
        Ok(text) => Reply::Text(text.trim_end().to_owned() + "\n"),
        Err(why) => Reply::Failed(format!("this lab cannot be written as a file: {why}")),
    }
}

/// What is open by private address, as a table: a line for what everybody may, and else one for each who may.
fn table(cloud: &Cloud) -> String {
    let (columns, vias) = (columns_of(cloud), IndexSet::from([Via::Private]));
    let mut cells: IndexMap<(Endpoint, Service), Vec<(Flow, bool)>> = IndexMap::new();
    for flow in cells::grid(cloud, &columns, &vias) {
        let open = matches!(policy::judge(cloud, &flow), Verdict::Open { .. });
        cells.entry((flow.to.clone(), flow.service)).or_default().push((flow, open));
    }
    let mut lines: IndexSet<String> = IndexSet::new();
    for flows in cells.values() {
        let all = flows.iter().all(|(_, open)| *open);
        for (flow, _) in flows.iter().filter(|(_, open)| *open) {
            let written = write::flow(flow);
            let to = written.split_once(" -> ").map_or(written.as_str(), |(_, to)| to);
            lines.insert(if all { format!("any -> {to}") } else { written.clone() });
        }
    }
    let mut text = "tables:\n  as-it-stands:\n".to_owned();
    match (lines.is_empty(), columns.first()) {
        (true, Some(column)) => text.push_str(&format!("    ports: ['{column}']\n")),
        _ => text.push_str("    open:\n"),
    }
    let lines: String = lines.iter().map(|line| format!("      - '{line}'\n")).collect();
    text + &lines
}
