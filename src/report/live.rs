//! Labs that are up, and what operations on them have changed, for people.

use std::fmt::Write;

use serde::Serialize;

use super::lab_state::{InstanceView, InterfaceView, LabState, LoadBalancerView, ServiceView};
use super::text::{self, shown};
use crate::model::{Cloud, Operation, Refusal, RefusalCode, closest, meant};
use crate::protocol::{Applied, State};

/// A lab that does not say how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Name.
    pub lab: String,
    /// Message in place of its state, if any.
    pub why: Option<String>,
}

/// Every lab with its instances, and those that say nothing or have died.
pub fn all_labs(states: &[State], silent: &[Silent], died: &[String]) -> String {
    let states: Vec<LabState> = states.iter().map(LabState::of).collect();
    let is_told = states.is_empty() && !(silent.is_empty() && died.is_empty());
    let mut text = if is_told { String::new() } else { labs(&states) };
    for Silent { lab, why } in silent {
        let why = why.as_deref().unwrap_or("it boots, or hangs");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{lab}   not answering: {}; `sglab down --force {lab}` ends it", shown(why));
    }
    for name in died {
        let _ = writeln!(text, "{}", self::died(name));
    }
    text
}

/// Says that a lab was killed.
pub fn died(name: &str) -> String {
    format!(
        "{name} has died: one of its processes was killed, and with it all that was in it; `sglab logs {name}` has its last \
         words, and `sglab down {name}` clears its name"
    )
}

/// Every lab with its instances.
fn labs(states: &[LabState]) -> String {
    if states.is_empty() {
        return "no lab is up\n".to_owned();
    }
    let mut text = String::new();
    for state in states {
        let up = duration(state.uptime_s);
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
    let state = &LabState::of(state);
    let mut text = labs(std::slice::from_ref(state));
    let interfaces = state.instances.iter().flat_map(|it| it.interfaces.iter().map(move |own| (&it.name, own)));
    let secondary = interfaces.clone().filter(|(_, it)| !it.secondary.is_empty());
    let secondary = secondary.map(|(name, it)| format!("{name}.{} {}", it.device, it.secondary.join(" ")));
    let ipv6 = interfaces.filter_map(|(name, it)| Some(format!("{name}.{} {}", it.device, it.ipv6.as_ref()?)));
    let checks = state.load_balancers.iter().map(|it| format!("{} {}", it.name, it.health_check));
    let said = [
        ("secondary", secondary.collect()),
        ("IPv6", ipv6.collect()),
        ("mounts", state.instances.iter().flat_map(mounts).collect()),
        ("health checks", checks.collect()),
        ("groups", state.security_groups.iter().map(|it| text::group(&it.group, Some(&it.name))).collect()),
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
fn rows(instance: &InstanceView) -> Vec<[String; 7]> {
    let or_dash = |address: &Option<String>| address.clone().unwrap_or_else(|| "-".to_owned());
    let row = |(number, interface): (usize, &InterfaceView)| {
        let first = number == 0;
        [
            if first { instance.name.clone() } else { format!("{}.{}", instance.name, interface.device) },
            if first { instance.state.clone() } else { String::new() },
            if first { instance.uptime_s.map(duration).unwrap_or_default() } else { String::new() },
            or_dash(&interface.private),
            or_dash(&interface.public),
            interface.groups.join(", "),
            if first { services(&instance.services) } else { String::new() },
        ]
    };
    instance.interfaces.iter().enumerate().map(row).collect()
}

/// `nginx ready, agent exited with code 1`.
fn services(services: &[ServiceView]) -> String {
    let one = |it: &ServiceView| match it.exit_code {
        Some(code) => format!("{} exited with code {code}", it.name),
        None => format!("{} {}", it.name, it.state.replace('-', " ")),
    };
    services.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `web1 /srv/www ./www read-only`.
fn mounts(instance: &InstanceView) -> impl Iterator<Item = String> + '_ {
    instance.mounts.iter().map(|it| match &it.source {
        Some(source) => format!("{} {} {} {}", instance.name, it.place, shown(source), it.access),
        None => format!("{} {} empty", instance.name, it.place),
    })
}

/// An operation in the JSON of the operations and of `sglab events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppliedView {
    /// The operation in a few words: `stop web1`.
    pub operation: String,
    /// Everything that it changed, a line each: `web1 private 10.0.0.11 -> 10.0.0.13`.
    pub changes: Vec<String>,
    /// Milliseconds until it was in force.
    pub in_force_ms: f64,
}

impl AppliedView {
    /// An operation as it was received.
    pub fn of(Applied { operation, changes, in_force }: &Applied) -> Self {
        let changes = changes.iter().map(ToString::to_string).collect();
        Self { operation: operation.to_string(), changes, in_force_ms: in_force * 1000.0 }
    }
}

/// Lists the changes of operations, and how long each took until it was in force.
pub fn applied(done: &[Applied]) -> String {
    let mut text = String::new();
    for it in done {
        let AppliedView { operation, changes, in_force_ms } = AppliedView::of(it);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{operation}    applied in {:.1} ms", in_force_ms);
        for change in changes {
            let _ = writeln!(text, "  {}", shown(&change));
        }
        // Of a reboot nothing is told here, and yet it is done.
        if it.changes.is_empty() && !matches!(it.operation, Operation::Reboot(_)) {
            text.push_str("  nothing changed\n");
        }
    }
    text
}

/// A lab that has come up, in the JSON of `sglab up`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BootedView {
    /// Its name.
    pub lab: String,
    /// Its era.
    pub era: String,
    /// Number of its instances.
    pub instances: usize,
    /// Milliseconds that it took.
    pub boot_ms: f64,
}

/// A lab that is down, in the JSON of `sglab down`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DownView {
    /// Its name.
    pub lab: String,
    /// True if it had died before.
    pub had_died: bool,
}

/// A refusal in the JSON of the operations, under the key `refused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedView {
    /// The operation in a few words: `stop nope`.
    pub operation: String,
    /// Subject of the refusal: the names that nobody has, or the first name of the operation.
    pub subject: String,
    /// EC2's code.
    pub code: String,
    /// EC2's text.
    pub message: String,
    /// Obstacles, where EC2's text does not name them; sglab's words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub culprits: Vec<String>,
    /// For each name that nobody has, the one that was meant, if that can be guessed.
    pub did_you_mean: Vec<String>,
}

impl RefusedView {
    /// A refusal as it was received, of an operation on this cloud.
    pub fn of(operation: &Operation, refusal: &Refusal, cloud: &Cloud) -> Self {
        let words = operation.to_string();
        let subject = match refusal.unknown.as_slice() {
            [] => words.split_once(' ').map_or_else(String::new, |(_, subject)| subject.to_owned()),
            unknown => unknown.join(", "),
        };
        let names = names_for(cloud, operation, refusal);
        let meant = refusal.unknown.iter().filter_map(|word| closest(word, names.iter().map(String::as_str)));
        Self {
            operation: words,
            subject,
            code: refusal.code.as_str().to_owned(),
            message: refusal.message.clone(),
            culprits: refusal.culprits.clone(),
            did_you_mean: meant.collect(),
        }
    }
}

/// A refusal, with the names that may have been meant.
pub fn refused(operation: &Operation, refusal: &Refusal, cloud: &Cloud) -> String {
    let view = RefusedView::of(operation, refusal, cloud);
    let mut text = format!("refused: {}: {}\n", view.code, shown(&view.message));
    let missing = if refusal.code == RefusalCode::InvalidPermissionNotFound {
        operation.missing_rules(cloud)
    } else {
        Vec::new()
    };
    // Of one rule it is clear which.
    if operation.permissions().iter().map(|permission| permission.peers.len()).sum::<usize>() > 1 {
        for rule in missing {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "         there is no rule `{}`", shown(&rule));
        }
    }
    for culprit in refusal.culprits.iter().flat_map(|culprit| text::wrap(&shown(culprit), WIDTH - 9)) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "         {culprit}");
    }
    if refusal.unknown.is_empty() {
        return text;
    }
    let names = names_for(cloud, operation, refusal);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let help = meant(refusal.unknown.iter().map(String::as_str), &names);
    for line in text::wrap(&help, WIDTH - 9) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "         {line}");
    }
    text
}

/// The names of the kind that EC2 did not find.
fn names_for(cloud: &Cloud, operation: &Operation, refusal: &Refusal) -> Vec<String> {
    fn all<T: ToString>(names: impl IntoIterator<Item = T>) -> Vec<String> {
        names.into_iter().map(|name| name.to_string()).collect()
    }
    // The group whose rules are meant is named first.
    let is_owner = |word: &String| operation.groups().next().is_some_and(|owner| owner.as_str() == word);
    match refusal.code {
        RefusalCode::InvalidInstanceIdNotFound | RefusalCode::InvalidInstance => all(cloud.instances.keys()),
        // A rule may name others than groups.
        RefusalCode::InvalidGroupNotFound if operation.is_of_rules() && !refusal.unknown.iter().all(is_owner) => {
            [all(cloud.groups.keys()), all(cloud.hosts.keys()), all(cloud.prefix_lists.keys())].concat()
        }
        RefusalCode::InvalidGroupNotFound => all(cloud.groups.keys()),
        RefusalCode::InvalidAddressNotFound | RefusalCode::InvalidAllocationIdNotFound => all(cloud.elastic_ips.keys()),
        RefusalCode::InvalidNetworkInterfaceIdNotFound => {
            all(cloud.instances.values().flat_map(|it| &it.interfaces).map(|it| &it.id))
        }
        RefusalCode::InvalidVpcIdNotFound => all(cloud.vpcs.keys()),
        RefusalCode::InvalidSubnetIdNotFound => all(cloud.vpcs.values().flat_map(|vpc| vpc.subnets.keys())),
        RefusalCode::InvalidPrefixListIdNotFound => all(cloud.prefix_lists.keys()),
        RefusalCode::LoadBalancerNotFound => all(cloud.load_balancers.keys()),
        _ => Vec::new(),
    }
}

/// The width of a terminal.
const WIDTH: usize = 80;

/// Load balancers, each with its addresses, its DNS name and its listeners, and a line for each instance behind it: whether it
/// is in service, and if not why.
pub(super) fn balancers(all: &[LoadBalancerView], indent: usize) -> String {
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
