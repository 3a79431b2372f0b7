//! The lookups that the readers of resources share.

use std::collections::HashMap;

use super::super::reader::Reader;
use super::index::Index;
use super::labels::Labels;
use super::resolver::Resolver;
use super::resource::Resource;
use super::told::Told;
use crate::account::{Reason, ResourceId};

/// A source's resources, and how its references are followed.
pub struct Context<'a, 't> {
    pub index: &'a Index<'t>,
    pub resolver: Resolver<'a, 't>,
    pub labels: Labels,
    by_id: HashMap<ResourceId, Vec<usize>>,
}

impl<'a, 't> Context<'a, 't> {
    pub fn new(index: &'a Index<'t>) -> Self {
        let mut by_id: HashMap<ResourceId, Vec<usize>> = HashMap::new();
        for (at, resource) in index.resources.iter().enumerate() {
            by_id.entry(resource.id()).or_default().push(at);
        }
        Self { index, resolver: Resolver::new(index), labels: Labels::new(index), by_id }
    }

    /// Resources of some types, without data sources.
    pub fn managed(&self, kinds: &[&str]) -> impl Iterator<Item = &'a Resource<'t>> {
        self.index
            .resources
            .iter()
            .filter(move |resource| !resource.is_data() && kinds.contains(&resource.kind.as_str()))
    }

    /// The resource with an id.
    pub fn with_id(&self, kinds: &[&str], id: &ResourceId) -> Option<&'a Resource<'t>> {
        let resources = self.by_id.get(id)?.iter().map(|at| &self.index.resources[*at]);
        resources.into_iter().find(|resource| kinds.contains(&resource.kind.as_str()))
    }
}

/// An id that must be there; one that is not known is listed, and nothing is a mistake.
pub fn required(
    reader: &mut Reader<'_>,
    resource: &Resource<'_>,
    told: Told<ResourceId>,
    key: &str,
) -> Option<ResourceId> {
    match told {
        Told::Absent => {
            reader.lacks(resource.node, &resource.address, key);
            None
        }
        Told::Chosen => id_or_listed(reader, resource, Told::Unknown(format!("`{key}` is known after apply"))),
        told => id_or_listed(reader, resource, told),
    }
}

/// An id that may be absent; one that cannot be told is listed.
pub fn id_or_listed(reader: &mut Reader<'_>, resource: &Resource<'_>, told: Told<ResourceId>) -> Option<ResourceId> {
    match told {
        Told::Is(id) => Some(id),
        Told::Absent | Told::Chosen => None,
        Told::Unknown(why) => {
            reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::UnknownValue(why));
            None
        }
    }
}
