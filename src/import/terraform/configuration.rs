//! The configuration of a plan: expressions with what they refer to, by module.

use std::collections::HashMap;

use super::super::tree::Node;
use super::address::{Call, Mode};

/// The configuration by modules.
#[derive(Default)]
pub struct Configuration<'t> {
    /// Modules by the names of the calls that lead to them.
    modules: HashMap<Vec<String>, Module<'t>>,
    /// Values of the root's variables.
    pub variables: Option<Node<'t>>,
}

/// One module.
pub struct Module<'t> {
    pub node: Node<'t>,
    /// The call in the module above; nothing for the root.
    pub call: Option<Node<'t>>,
    /// Resources by their addresses in the module.
    pub resources: HashMap<&'t str, Node<'t>>,
}

impl<'t> Configuration<'t> {
    /// Reads the configuration of a plan.
    pub fn new(plan: Node<'t>) -> Self {
        let mut modules = HashMap::new();
        let root = plan.at(&["configuration", "root_module"]);
        let mut open: Vec<(Vec<String>, Node<'t>, Option<Node<'t>>)> =
            root.into_iter().map(|root| (Vec::new(), root, None)).collect();
        while let Some((path, node, call)) = open.pop() {
            for (name, call) in node.get("module_calls").into_iter().flat_map(Node::entries) {
                let below = path.iter().cloned().chain([name.to_owned()]).collect();
                open.extend(call.get("module").map(|module| (below, module, Some(call))));
            }
            let resources =
                node.items_of("resources").filter_map(|resource| Some((resource.text_of("address")?, resource)));
            modules.insert(path, Module { node, call, resources: resources.collect() });
        }
        Self { modules, variables: plan.get("variables") }
    }

    /// Returns the module of an instance.
    pub fn module(&self, module: &[Call]) -> Option<&Module<'t>> {
        self.modules.get(&module.iter().map(|call| call.name.clone()).collect::<Vec<_>>())
    }

    /// Returns a resource's entry.
    pub fn resource(&self, module: &[Call], mode: Mode, kind: &str, name: &str) -> Option<Node<'t>> {
        let address = format!("{}{kind}.{name}", mode.prefix());
        self.module(module)?.resources.get(address.as_str()).copied()
    }
}
