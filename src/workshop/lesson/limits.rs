//! Limits within which a goal must be reached.

use std::fmt;

use super::document::{LimitsDocument, Memberships};
use crate::model::{Cloud, GroupName, Peer, Rule};
use crate::topology::{Freedom, Sections};

/// Limits of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of rules, of all groups together.
    pub rules: Option<usize>,
    /// Freedom to name addresses in rules.
    pub addresses: Addresses,
    /// Groups that may change; all where none is named.
    pub groups: Vec<GroupName>,
    /// Freedom to put instances into other groups.
    pub memberships: Memberships,
}

/// Freedom to name addresses in rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// They may be named.
    #[default]
    Allowed,
    /// Only those of hosts outside, and everybody's.
    None,
}

/// The section that a learner edits.
pub(super) const EDITED: &str = "groups";
/// The section whose entries are in groups.
pub(super) const MEMBERS: &str = "instances";
/// Keys by which programs of a file are run, and files of the host are shown to them.
const OF_PROGRAMS: &[&str] = &["services", "mounts"];

/// A limit that a file does not keep, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BrokenLimit {
    /// Sentence that says it.
    pub text: String,
    /// Place in the file, if it is about one.
    pub place: Option<String>,
}

impl Limits {
    /// Reads them from a lesson.
    pub(super) fn of(document: &LimitsDocument) -> Self {
        let groups = document.groups.get().map_or(&[][..], |groups| &groups.items);
        Self {
            rules: document.rules.get().and_then(|rules| usize::try_from(rules.value).ok()),
            addresses: if document.addresses.get().is_some() { Addresses::None } else { Addresses::Allowed },
            groups: groups.iter().map(|name| GroupName::new(name.text())).collect(),
            memberships: document.memberships.get().map(|choice| choice.value).unwrap_or_default(),
        }
    }

    /// Lists them, a sentence each.
    pub fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(most) = self.rules {
            let rules = if most == 1 { "rule" } else { "rules" };
            words.push(format!("at most {most} {rules} in all groups together"));
        }
        if self.addresses == Addresses::None {
            words.push("no address in a rule, but for hosts outside and `anywhere`".to_owned());
        }
        if !self.groups.is_empty() {
            let names: Vec<&str> = self.groups.iter().map(GroupName::as_str).collect();
            words.push(format!("of the groups only {} may change", names.join(", ")));
        }
        if self.memberships == Memberships::Free {
            words.push("instances may be put into other groups".to_owned());
        }
        words
    }

    /// The sections of a file that may differ from the one that is given.
    pub(super) fn freedom(&self) -> Freedom<'static> {
        let (keys, help): (&[(&str, &str)], _) = match self.memberships {
            Memberships::Fixed => (&[], "only `groups:` may change here"),
            Memberships::Free => {
                (&[(MEMBERS, EDITED)], "only `groups:`, and the `groups` of instances, may change here")
            }
        };
        Freedom { sections: &[EDITED], keys, refused: (OF_PROGRAMS, "no program of anybody's is run"), help }
    }

    /// Reports whether a group may change.
    pub fn frees(&self, group: &GroupName) -> bool {
        self.groups.is_empty() || self.groups.contains(group)
    }

    /// Reports whether a rule may name a peer.
    pub fn allows(&self, peer: &Peer, cloud: &Cloud) -> bool {
        self.addresses == Addresses::Allowed || !is_address(peer, cloud)
    }

    /// Lists what a file does not keep: its cloud as launched, and its text beside that of the start.
    pub fn broken_by(&self, cloud: &Cloud, start: &Sections, given: &Sections) -> Vec<BrokenLimit> {
        let written: Vec<(&GroupName, &Rule)> = rules(cloud).collect();
        let mut broken = Vec::new();
        if let Some(most) = self.rules.filter(|most| written.len() > *most) {
            broken.push(BrokenLimit { text: format!("{} rules, and {most} are the most", written.len()), place: None });
        }
        for (group, rule) in written.iter().filter(|(_, rule)| !self.allows(&rule.peer, cloud)) {
            let place = rule.place.as_ref().map(ToString::to_string);
            broken.push(BrokenLimit { text: format!("{group} \"{}\" names an address", rule.written), place });
        }
        if !self.groups.is_empty() {
            let changed = start.changed(given, EDITED).into_iter();
            let changed = changed.filter(|it| !self.groups.iter().any(|group| group.as_str() == it.name));
            broken.extend(changed.map(|it| BrokenLimit {
                text: format!("{} may not change", it.name),
                place: Some(it.place.to_string()),
            }));
        }
        broken
    }
}

/// Lists the rules that a file writes; what every group lets out from its birth is not among them.
pub(super) fn rules(cloud: &Cloud) -> impl Iterator<Item = (&GroupName, &Rule)> {
    let all = cloud.groups.iter().flat_map(|(name, group)| group.all_rules().map(move |rule| (name, rule)));
    all.filter(|(_, rule)| rule.place.is_some())
}

/// Reports whether a peer is an address other than everybody's and those of hosts outside.
fn is_address(peer: &Peer, cloud: &Cloud) -> bool {
    let Some(block) = peer.block() else { return false };
    let of_hosts = cloud.hosts.values().flat_map(|host| &host.addresses);
    block.prefix_len() > 0
        && !of_hosts
            .into_iter()
            .any(|address| block.addr() == address.0 && block.prefix_len() == block.max_prefix_len())
}

impl fmt::Display for BrokenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{}   {place}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_edited_and_what_is_refused_are_keys_of_a_file() {
        let schema = crate::topology::schema().to_string();
        for key in OF_PROGRAMS.iter().chain(&[EDITED, MEMBERS]) {
            assert!(schema.contains(&format!("\"{key}\":{{")), "{key}");
        }
    }
}
