//! Places of what an account's sources say, for the topology that is made of it: a verdict points into the user's own file.

use std::collections::HashMap;

use crate::model::{Operation, Permission, SourceLocation};
use crate::topology::Topology;

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
            match &mut operation.value {
                Operation::CreateGroup(group) => {
                    if let Some(known) = self.groups.get(group.name.as_str()) {
                        group.place = Some(known.own.clone());
                    }
                }
                Operation::AuthorizeIngress(group, permissions) => {
                    if let Some(known) = self.groups.get(group.as_str()) {
                        put(permissions, &known.ingress);
                    }
                }
                Operation::AuthorizeEgress(group, permissions) => {
                    if let Some(known) = self.groups.get(group.as_str()) {
                        put(permissions, &known.egress);
                    }
                }
                Operation::Launch(launch) => {
                    if let Some(place) = self.instances.get(launch.name.as_str()) {
                        launch.place = Some(place.clone());
                    }
                }
                _ => {}
            }
        }
    }
}
