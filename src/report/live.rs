//! Labs that are up, and what operations on them have changed, for people.

use std::fmt::Write;

use super::terminal::NO_CELL;
use super::text::{self, shown};
use crate::control::LabName;
use crate::control::protocol::{
    Applied, InstanceState, LoadBalancerState, Matrix, NOT_PROBED, Probed, ServiceState, State,
};
use crate::scenario::Class;

/// Every lab with its instances, and those that say nothing.
pub fn all_labs(states: &[State], silent: &[LabName]) -> String {
    let told = if states.is_empty() && !silent.is_empty() { String::new() } else { labs(states) };
    silent.iter().fold(told, |mut text, name| {
        let _ = writeln!(text, "{name}   not answering: it boots, or hangs; `sglab down --force {name}` ends it");
        text
    })
}

/// Every lab with its instances.
pub fn labs(states: &[State]) -> String {
    if states.is_empty() {
        return "no lab is up\n".to_owned();
    }
    let mut text = String::new();
    for state in states {
        let up = duration(state.uptime);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}   era {}   {}   up {up}   process {}",
            state.lab,
            state.era,
            shown(&state.file),
            state.pid
        );
        let rows: Vec<[String; 7]> = state.instances.iter().flat_map(rows).collect();
        let widths: [usize; 7] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
        for row in rows {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
        }
        text.push_str(&balancers(&state.load_balancers, 2));
    }
    text
}

/// One lab with everything that its state says.
pub fn state(state: &State) -> String {
    let mut text = labs(std::slice::from_ref(state));
    let interfaces = state.instances.iter().flat_map(|it| it.interfaces.iter().map(move |own| (&it.name, own)));
    let ipv6 = interfaces.filter_map(|(name, it)| Some(format!("{name}.{} {}", it.device, it.ipv6.as_ref()?)));
    let checks = state.load_balancers.iter().map(|it| format!("{} {}", it.name, it.health_check));
    let said = [
        ("IPv6", ipv6.collect()),
        ("mounts", state.instances.iter().flat_map(mounts).collect()),
        ("health checks", checks.collect()),
        ("groups", state.groups.clone()),
        ("hosts outside", state.hosts.clone()),
        ("Elastic IPs", state.elastic_ips.clone()),
        ("prefix lists", state.prefix_lists.clone()),
    ];
    for (label, names) in said.into_iter().filter(|(_, names): &(_, Vec<String>)| !names.is_empty()) {
        for (number, line) in text::wrap(&names.join(", "), WIDTH - 17).iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<13}  {line}", if number == 0 { label } else { "" });
        }
    }
    text
}

/// A row for each interface of an instance: name, state, uptime, private and public address, groups, services.
fn rows(instance: &InstanceState) -> Vec<[String; 7]> {
    let or_dash = |address: &Option<String>| address.clone().unwrap_or_else(|| "-".to_owned());
    let row = |(number, interface): (usize, &crate::control::protocol::InterfaceState)| {
        let first = number == 0;
        [
            if first { instance.name.clone() } else { format!("{}.{}", instance.name, interface.device) },
            if first { instance.state.clone() } else { String::new() },
            if first { instance.uptime.map(duration).unwrap_or_default() } else { String::new() },
            or_dash(&interface.private),
            or_dash(&interface.public),
            interface.groups.join(", "),
            if first { services(&instance.services) } else { String::new() },
        ]
    };
    instance.interfaces.iter().enumerate().map(row).collect()
}

/// `nginx ready, agent exited with code 1`.
fn services(services: &[ServiceState]) -> String {
    let one = |it: &ServiceState| match it.exit_code {
        Some(code) => format!("{} exited with code {code}", it.name),
        None => format!("{} {}", it.name, it.state.replace('-', " ")),
    };
    services.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `web1 /srv/www ./www read-only`.
fn mounts(instance: &InstanceState) -> impl Iterator<Item = String> + '_ {
    instance.mounts.iter().map(|it| match &it.source {
        Some(source) => format!("{} {} {} {}", instance.name, it.place, shown(source), it.access),
        None => format!("{} {} empty", instance.name, it.place),
    })
}

/// What operations have changed, and how long each took until it was in force.
pub fn applied(done: &[Applied]) -> String {
    let mut text = String::new();
    for Applied { operation, changes, in_force } in done {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{operation}    in force after {:.1} ms", in_force * 1000.0);
        for change in changes {
            let _ = writeln!(text, "  {}", shown(change));
        }
    }
    text
}

/// What probes found, a line each.
pub fn probed(all: &[Probed]) -> String {
    let mut text = String::new();
    let width = all.iter().map(|one| one.flow.chars().count()).max().unwrap_or(0);
    for Probed { flow, outcome, rule, reason, address, answer_dropped: _ } in all {
        let mut more = String::new();
        let said = [
            rule.as_ref().map(|rule| format!("by {rule}")),
            reason.as_deref().map(shown).map(Into::into),
            address.as_ref().map(|to| format!("at {to}")),
        ];
        for said in said.into_iter().flatten() {
            more = if more.is_empty() { said } else { format!("{more}; {said}") };
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("{flow:<width$}  {outcome}  {more}").trim_end());
    }
    text
}

/// A truth table.
pub fn matrix(matrix: &Matrix) -> String {
    let mut text = String::new();
    let there = |class: Class| {
        matrix.rows.iter().any(|row| row.cells.iter().flatten().flatten().any(|it| it == class.as_str()))
    };
    let letters = text::letters(there);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "each cell: {}    {letters}", matrix.ports.join(", "));
    let several = matrix.rows.iter().any(|row| row.by != matrix.rows[0].by);
    let label = |row: &crate::control::protocol::MatrixRow| {
        if several && row.by != "usual" { format!("{} by {}", row.from, row.by) } else { row.from.clone() }
    };
    let left = matrix.rows.iter().map(|row| label(row).chars().count()).max().unwrap_or(0) + 2;
    let width = matrix.to.iter().map(|to| to.chars().count()).chain([matrix.ports.len()]).max().unwrap_or(0) + 2;
    let heads: String = matrix.to.iter().map(|to| format!("{to:<width$}")).collect();
    let _ = writeln!(text, "{:left$}{}", "", heads.trim_end());
    for row in &matrix.rows {
        let block = |cells: &Option<Vec<String>>| {
            let letters: String = cells.iter().flatten().map(|outcome| letter(outcome)).collect();
            format!("{:<width$}", if letters.is_empty() { "-" } else { &letters })
        };
        let blocks: String = row.cells.iter().map(block).collect();
        let _ = writeln!(text, "{:<left$}{}", label(row), blocks.trim_end());
    }
    text.push_str(&balancers(&matrix.load_balancers, 0));
    text
}

fn letter(outcome: &str) -> char {
    if outcome == NOT_PROBED {
        return NO_CELL;
    }
    Class::ALL.into_iter().find(|class| class.as_str() == outcome).unwrap_or(Class::Inconclusive).letter()
}

/// The width of a terminal.
const WIDTH: usize = 80;

/// Load balancers, each with its addresses, its DNS name and its listeners, and a line for each instance behind it: whether it
/// is in service, and if not why.
fn balancers(all: &[LoadBalancerState], indent: usize) -> String {
    let mut text = String::new();
    let margin = " ".repeat(indent);
    for it in all {
        let addresses = [&it.private, &it.public].into_iter().flatten().map(String::as_str);
        let head = [it.name.as_str(), it.scheme.as_str()].into_iter().chain(addresses);
        let head: Vec<&str> = head.collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{margin}{}  {}", head.join("  "), it.groups.join(", "));
        let _ = writeln!(text, "{margin}  {}  {}", it.dns_name, it.listeners.join(", "));
        let width = it.targets.iter().map(|target| target.instance.len()).max().unwrap_or(0);
        if it.targets.is_empty() {
            let _ = writeln!(text, "{margin}  no instance is registered");
        }
        for target in &it.targets {
            let line = format!("{margin}  {:<width$}  {:<12}  {}", target.instance, target.state, target.address);
            let _ = writeln!(text, "{line}");
            let why = target.cause.as_ref().filter(|_| target.state != "InService");
            let why = why.or((target.state != "InService").then_some(&target.description));
            let inner = format!("{margin}    ");
            for part in why.into_iter().flat_map(|why| text::wrap(why, WIDTH - inner.len())) {
                let _ = writeln!(text, "{inner}{part}");
            }
        }
    }
    text
}

/// `5s`, `3m 20s`, `2h 5m`.
fn duration(seconds: f64) -> String {
    // A lab is not up for longer than a u64 of seconds, nor for less than none.
    let seconds = seconds as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}
