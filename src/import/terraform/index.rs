//! Resources and instances of modules, found by address.

use std::collections::HashMap;

use super::address::{Call, Key, Mode, module_address};
use super::configuration::Configuration;
use super::resource::Resource;

/// All resources of one source with its configuration.
pub struct Index<'t> {
    pub resources: Vec<Resource<'t>>,
    pub configuration: Configuration<'t>,
    /// Rules apart from their groups as they were before the plan, of those that it changes or deletes.
    pub withdrawn: Vec<Resource<'t>>,
    /// Instances of a resource, by the address without a key.
    by_name: HashMap<String, Vec<usize>>,
    /// Managed resources by the address of their module.
    by_module: HashMap<String, Vec<usize>>,
    /// Instances of a module's calls, by the address without a key.
    calls: HashMap<String, Vec<Vec<Call>>>,
    /// Attributes that something else refers to, by the address of their resource without keys; none where a plan does not tell.
    relevant: Option<HashMap<String, Vec<String>>>,
}

/// A resource's address without its key.
pub fn bare(module: &[Call], mode: Mode, kind: &str, name: &str) -> String {
    let module = module_address(module);
    let dot = if module.is_empty() { "" } else { "." };
    format!("{module}{dot}{}{kind}.{name}", mode.prefix())
}

impl<'t> Index<'t> {
    pub fn new(
        resources: Vec<Resource<'t>>,
        configuration: Configuration<'t>,
        relevant: Option<HashMap<String, Vec<String>>>,
    ) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_module: HashMap<String, Vec<usize>> = HashMap::new();
        let mut calls: HashMap<String, Vec<Vec<Call>>> = HashMap::new();
        for (at, resource) in resources.iter().enumerate() {
            let Resource { module, mode, kind, name, .. } = resource;
            by_name.entry(bare(module, *mode, kind, name)).or_default().push(at);
            by_module.entry(module_address(module)).or_default().push(at);
            for depth in 1..=module.len() {
                let (path, above) = (&module[..depth], &module[..depth - 1]);
                let instances = calls.entry(call(above, &path[depth - 1].name)).or_default();
                if !instances.iter().any(|known| known == path) {
                    instances.push(path.to_vec());
                }
            }
        }
        Self { resources, configuration, withdrawn: Vec::new(), by_name, by_module, calls, relevant }
    }

    /// The same, with the rules that a plan changes or deletes.
    pub fn with_withdrawn(self, withdrawn: Vec<Resource<'t>>) -> Self {
        Self { withdrawn, ..self }
    }

    /// Returns the instances of a resource in an instance of a module.
    pub fn instances(&self, module: &[Call], mode: Mode, kind: &str, name: &str) -> &[usize] {
        self.by_name.get(&bare(module, mode, kind, name)).map_or(&[], Vec::as_slice)
    }

    /// Returns the instances of the same resource.
    pub fn siblings(&self, resource: &Resource<'_>) -> &[usize] {
        self.instances(&resource.module, resource.mode, &resource.kind, &resource.name)
    }

    /// Returns the resources of an instance of a module.
    pub fn in_module(&self, module: &[Call]) -> &[usize] {
        self.by_module.get(&module_address(module)).map_or(&[], Vec::as_slice)
    }

    /// Returns the instances of a call in an instance of a module. One without resources is there once.
    pub fn calls(&self, module: &[Call], name: &str) -> Vec<Vec<Call>> {
        match self.calls.get(&call(module, name)) {
            Some(instances) => instances.clone(),
            None => vec![module.iter().cloned().chain([Call { name: name.to_owned(), key: None }]).collect()],
        }
    }

    /// Returns true if the plan tells that something refers to an attribute of a resource.
    pub fn is_referred_to(&self, resource: &Resource<'_>, attribute: &str) -> bool {
        let Some(relevant) = &self.relevant else { return false };
        let names: Vec<Call> = resource.module.iter().map(|call| Call { name: call.name.clone(), key: None }).collect();
        let attributes = relevant.get(&bare(&names, resource.mode, &resource.kind, &resource.name));
        attributes.is_some_and(|attributes| attributes.iter().any(|known| known.is_empty() || known == attribute))
    }
}

fn call(module: &[Call], name: &str) -> String {
    format!("{}/{name}", module_address(module))
}

/// The position among instances that a key means.
pub fn position(keys: &[Option<&Key>], key: &Key) -> Option<usize> {
    keys.iter().position(|known| *known == Some(key))
}
