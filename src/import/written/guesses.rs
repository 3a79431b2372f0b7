//! Services of instances, which no source tells: guessed from rules, and marked as guesses.

use indexmap::IndexSet;

use crate::account::{Account, Interface};
use crate::model::{PortRange, Traffic};

/// The comment behind what is guessed.
const MARK: &str = "# guessed";

/// Services of an instance: the single ports that rules of its groups are for. A range says of none of its ports that somebody listens there.
pub fn guesses<'a>(account: &Account, interfaces: impl Iterator<Item = &'a Interface>) -> IndexSet<String> {
    let groups = interfaces.filter_map(|interface| interface.groups.known()).flatten();
    let rules = groups.filter_map(|id| account.groups.get(id)).flat_map(|group| &group.ingress);
    let ports = rules.filter(|rule| !rule.is_unknown()).filter_map(|rule| rule.traffic.known());
    let is_service = |range: &PortRange| range.is_single() && range.from().0 != 0;
    let mut services: Vec<Traffic> = ports
        .filter(|traffic| matches!(traffic, Traffic::Tcp(range) | Traffic::Udp(range) if is_service(range)))
        .copied()
        .collect();
    let number = |traffic: &Traffic| match traffic {
        Traffic::Tcp(range) => (0, range.from()),
        Traffic::Udp(range) => (1, range.from()),
        Traffic::All | Traffic::Protocol(_) | Traffic::Icmp(_) | Traffic::Icmpv6(_) => (2, PortRange::ALL.from()),
    };
    services.sort_by_key(number);
    services.into_iter().map(|traffic| traffic.to_string()).collect()
}

/// A topology made of an account, in which every `listens` is a guess, with the mark behind each.
pub fn marked(yaml: &str) -> String {
    let mut is_in_instances = false;
    let mut text = String::with_capacity(yaml.len());
    for line in yaml.lines() {
        if !line.starts_with(' ') {
            is_in_instances = line == "instances:";
        }
        text.push_str(line);
        if is_in_instances && [" listens: ", "{listens: "].iter().any(|key| line.contains(key))
            || line == "    listens:"
        {
            text.push(' ');
            text.push_str(MARK);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_listens_in_instances_is_marked() {
        let yaml = "# listens: of a title\ngroups:\n  listens: [tcp 80 from anywhere]\ninstances:\n  a: {groups: g, listens: [tcp 80]}\n  b:\n    \
                    listens:\n      - tcp 80\n    public: no\nscenario: []\n";
        let marked = marked(yaml);
        let lines: Vec<&str> = marked.lines().filter(|line| line.ends_with(MARK)).collect();
        assert_eq!(lines, ["  a: {groups: g, listens: [tcp 80]} # guessed", "    listens: # guessed"], "{marked}");
        assert_eq!(marked.replace(" # guessed", ""), yaml);
    }
}
