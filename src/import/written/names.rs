//! Names of a topology for what has other names in EC2, and places of what an account's sources say: a verdict points into the user's own file.

use std::collections::{HashMap, HashSet};

use crate::account::plain_name;
use crate::model::{MAX_NAME, Operation, Permission, SourceLocation};
use crate::topology::{Topology, is_reserved};

/// Words that are names in a topology, and mislead as such.
const MISLEADING: [&str; 4] = ["elsewhere", "default", "all", "none"];

/// Names that are given already, in lower case: twins in case are one name for EC2.
#[derive(Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// A name like the one that is wanted, which nothing else has.
    pub fn unique(&mut self, wanted: &str) -> String {
        let plain = plain_name(wanted);
        let free = |names: &Self, name: &str| {
            let name = name.to_lowercase();
            !names.0.contains(&name) && !is_reserved(&name) && !MISLEADING.contains(&name.as_str())
        };
        let mut name = plain.clone();
        let mut number = 2;
        while !free(self, &name) {
            let ending = format!("-{number}");
            name = format!("{}{ending}", &plain[..plain.len().min(MAX_NAME - ending.len())]);
            number += 1;
        }
        self.0.insert(name.to_lowercase());
        name
    }
}

/// Places by the names of the topology.
#[derive(Clone, Debug, Default)]
pub struct Places {
    groups: HashMap<String, OfGroup>,
    instances: HashMap<String, SourceLocation>,
}

#[derive(Clone, Debug)]
struct OfGroup {
    own: SourceLocation,
    /// Of its rules, in their order.
    ingress: Vec<SourceLocation>,
    egress: Vec<SourceLocation>,
}

impl Places {
    pub fn group(
        &mut self,
        name: &str,
        own: &SourceLocation,
        ingress: Vec<SourceLocation>,
        egress: Vec<SourceLocation>,
    ) {
        self.groups.insert(name.to_owned(), OfGroup { own: own.clone(), ingress, egress });
    }

    pub fn instance(&mut self, name: &str, place: &SourceLocation) {
        self.instances.insert(name.to_owned(), place.clone());
    }

    /// Gives the initial operations of a topology these places.
    pub fn put_into(&self, topology: &mut Topology) {
        let put = |permissions: &mut [Permission], places: &[SourceLocation]| {
            for (permission, place) in permissions.iter_mut().zip(places) {
                permission.place = Some(place.clone());
            }
        };
        for operation in &mut topology.initial {
            // Groups, their rules and instances are all that other files name by a place.
            if let Operation::CreateGroup(group) = &mut operation.value {
                if let Some(known) = self.groups.get(group.name.as_str()) {
                    group.place = Some(known.own.clone());
                }
            } else if let Operation::Launch(launch) = &mut operation.value {
                if let Some(place) = self.instances.get(launch.name.as_str()) {
                    launch.place = Some(place.clone());
                }
            } else if let Operation::AuthorizeIngress(group, permissions) = &mut operation.value {
                if let Some(known) = self.groups.get(group.as_str()) {
                    put(permissions, &known.ingress);
                }
            } else if let Operation::AuthorizeEgress(group, permissions) = &mut operation.value
                && let Some(known) = self.groups.get(group.as_str())
            {
                put(permissions, &known.egress);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_unique_and_alike() {
        let mut names = Names::default();
        let told: Vec<String> =
            ["Jump Host", "jump-host", "sg-0abc", "web", "Web", "default", "fish_10.2.1.0/24", "42", "日本"]
                .iter()
                .map(|name| names.unique(name))
                .collect();
        assert_eq!(
            told,
            ["Jump-Host", "jump-host-2", "n-sg-0abc", "web", "Web-2", "default-2", "fish_10-2-1-0-24", "n-42", "n"]
        );
    }

    #[test]
    fn a_long_name_is_cut_and_still_unique() {
        let mut names = Names::default();
        let long = "a".repeat(80);
        let told = [names.unique(&long), names.unique(&long)];
        assert_eq!((told[0].len(), told[1].len()), (63, 63));
        assert_ne!(told[0], told[1]);
    }
}
