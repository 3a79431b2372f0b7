//! Short names of resources for people: `db` of `aws_security_group.db` and of `module.db.aws_security_group.this[0]`.

use std::collections::HashMap;

use super::address::{Call, Key};
use super::index::Index;
use super::resource::Resource;

/// Names that say nothing: the module's says more.
const GENERIC: &[&str] = &[
    "this",
    "this_name_prefix",
    "default",
    "main",
    "self",
    "sg",
    "security_group",
    "cbd",
    "ignore_ami",
    "ignore_changes",
];

/// The short names of all resources, one a type.
pub struct Labels(HashMap<String, String>);

impl Labels {
    pub fn new(index: &Index<'_>) -> Self {
        let mut by_label: HashMap<(&str, String), Vec<&str>> = HashMap::new();
        for resource in &index.resources {
            let label = short(resource, index.siblings(resource).len());
            by_label.entry((&resource.kind, label)).or_default().push(&resource.address);
        }
        let mut labels = HashMap::new();
        for ((_, label), addresses) in by_label {
            match addresses.as_slice() {
                [one] => {
                    labels.insert((*one).to_owned(), label);
                }
                several => labels.extend(several.iter().map(|address| ((*address).to_owned(), (*address).to_owned()))),
            }
        }
        Self(labels)
    }

    /// Returns the short name of a resource.
    pub fn of(&self, resource: &Resource<'_>) -> String {
        self.0.get(&resource.address).cloned().unwrap_or_else(|| resource.address.clone())
    }
}

/// The short name of one of so many instances.
fn short(resource: &Resource<'_>, instances: usize) -> String {
    let call = |Call { name, key }: &Call| format!("{name}{}", key.as_ref().map(Key::to_string).unwrap_or_default());
    let mut words: Vec<String> = resource.module.iter().map(call).collect();
    // `count = create ? 1 : 0` makes one that is `[0]`.
    let key = resource.key.as_ref().filter(|key| instances > 1 || **key != Key::Number(0));
    let key = key.map(Key::to_string).unwrap_or_default();
    match words.last_mut() {
        Some(module) if GENERIC.contains(&resource.name.as_str()) => module.push_str(&key),
        _ => words.push(format!("{}{key}", resource.name)),
    }
    words.join(".")
}
