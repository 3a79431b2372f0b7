//! Other names of ids: a resource's address in Terraform.

use std::collections::HashMap;

use crate::account::ResourceId;

/// Ids by their other names.
#[derive(Default)]
pub(super) struct Aliases(HashMap<String, ResourceId>);

impl Aliases {
    /// Says that a name means an id.
    pub fn add(&mut self, name: &str, id: &ResourceId) {
        if name != id.as_str() {
            self.0.insert(name.to_owned(), id.clone());
        }
    }

    /// Puts the id in the place of its other name.
    pub fn resolve(&self, id: &mut ResourceId) {
        if let Some(meant) = self.0.get(id.as_str()) {
            *id = meant.clone();
        }
    }
}
