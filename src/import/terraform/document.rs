//! The three documents: a plan, a state, a state file; each as a list of resources.

use std::collections::{HashMap, HashSet};

use super::super::fault::Mistake;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::address::{Key, Mode, Parts, Step, module_address, parts, steps};
use super::configuration::Configuration;
use super::index::{Index, bare};
use super::resource::{Block, NO_EXPRESSIONS, Resource};
use super::rules;
use crate::account::Reason;

/// Reads a document's resources; what is wrong with it as a whole is a mistake.
pub fn index<'t>(reader: &mut Reader<'_>, root: Node<'t>) -> Index<'t> {
    let index = |resources| Index::new(resources, Configuration::default(), None);
    if let Some(version) = root.get("version").filter(|_| root.get("format_version").is_none()) {
        if version.number() != Some(4) {
            let mistake = Mistake::new(version.span(), "sglab reads state files of version 4 only");
            let mistake = mistake.value(version.text().unwrap_or_default());
            reader.fault(mistake.help("run `terraform show -json` with a current Terraform, and give its output"));
            return index(Vec::new());
        }
        return index(state_file(reader, root));
    }
    match root.get("format_version") {
        Some(version) => {
            let major = version.text().unwrap_or_default().split('.').next().unwrap_or_default();
            if !matches!(major, "0" | "1") {
                let mistake = Mistake::new(version.span(), "sglab reads `format_version` 1 of Terraform's JSON");
                let mistake = mistake.value(version.text().unwrap_or_default());
                reader.fault(mistake.help("run `terraform show -json` with a Terraform of version 1"));
                return index(Vec::new());
            }
        }
        None => {
            let mistake = Mistake::new(root.start(), "`format_version` is missing");
            reader.fault(mistake.help("give the whole output of `terraform show -json`"));
        }
    }
    if let Some(values) = root.get("planned_values") {
        return plan(reader, root, values);
    }
    if root.get("resource_changes").is_some() {
        let mistake = Mistake::new(root.start(), "this is a plan without `planned_values`");
        reader.fault(mistake.help("give the whole output of `terraform show -json`"));
        return index(Vec::new());
    }
    let mut resources = Vec::new();
    // A state without resources has no `values`.
    if let Some(module) = root.at(&["values", "root_module"]) {
        module_values(reader, module, &mut resources);
    }
    index(resources)
}

fn plan<'t>(reader: &mut Reader<'_>, root: Node<'t>, values: Node<'t>) -> Index<'t> {
    note_what_is_missing(reader, root);
    let mut resources = Vec::new();
    if let Some(module) = values.get("root_module") {
        module_values(reader, module, &mut resources);
    }
    let mut before = Vec::new();
    if let Some(module) = root.at(&["prior_state", "values", "root_module"]) {
        module_values(reader, module, &mut before);
    }
    let planned: HashSet<String> = resources.iter().map(|resource: &Resource<'_>| resource.address.clone()).collect();
    resources.extend(before.into_iter().filter(|old| old.is_data() && !planned.contains(&old.address)));
    let Changes { by_address, gone, withdrawn } = changes(reader, root);
    resources.retain(|resource| !gone.contains(resource.address.as_str()));
    let configuration = Configuration::new(root);
    for resource in &mut resources {
        configure(resource, &configuration, by_address.get(resource.address.as_str()).copied());
    }
    Index::new(resources, configuration, relevant(root)).with_withdrawn(withdrawn)
}

/// Notes what a plan lacks, since it has failed or leaves changes to a later one.
fn note_what_is_missing(reader: &mut Reader<'_>, root: Node<'_>) {
    if let Some(errored) = root.get("errored").filter(|errored| errored.boolean() == Some(true)) {
        let mistake = Mistake::new(errored.span(), "the plan has failed, so that resources are missing in it");
        reader.fault(mistake.help("mend what `terraform plan` says, and plan again"));
    }
    for deferred in root.items_of("deferred_changes") {
        let change = deferred.get("resource_change").unwrap_or(deferred);
        let reason = Reason::UnknownValue("its change is deferred to a later plan".to_owned());
        let kind = change.text_of("type").unwrap_or("resource");
        reader.leave_out(deferred, kind, change.text_of("address").unwrap_or_default(), reason);
    }
}

/// The changes of a plan.
#[derive(Default)]
struct Changes<'t> {
    by_address: HashMap<&'t str, Node<'t>>,
    /// Addresses that the plan deletes or forgets.
    gone: HashSet<&'t str>,
    /// Rules apart from their groups as they were, of those that it changes or deletes.
    withdrawn: Vec<Resource<'t>>,
}

fn changes<'t>(reader: &mut Reader<'_>, root: Node<'t>) -> Changes<'t> {
    let mut changes = Changes::default();
    for entry in root.items_of("resource_changes").filter(|entry| entry.get("deposed").is_none()) {
        let Some(address) = entry.text_of("address") else {
            reader.lacks(entry, "this change", "address");
            continue;
        };
        let actions: Vec<&str> = actions(entry).collect();
        let reason = match actions.as_slice() {
            ["delete"] => Some(Reason::Gone),
            ["forget"] => Some(Reason::UnknownValue("Terraform forgets it, and it stays in the account".to_owned())),
            _ => None,
        };
        if let Some(reason) = reason {
            let kind = entry.text_of("type").unwrap_or("resource");
            reader.leave_out(entry, kind, address, reason);
            changes.gone.insert(address);
        }
        let is_changed = actions.iter().any(|action| ["delete", "update"].contains(action));
        let before = entry.at(&["change", "before"]).filter(|_| is_changed && is_rule(entry));
        if let (Some(values), Some(resource)) = (before, resource(entry, address.to_owned())) {
            let sensitive = entry.at(&["change", "before_sensitive"]);
            let body = Block { values: Some(values), sensitive, ..Block::default() };
            changes.withdrawn.push(Resource { body, ..resource });
        }
        changes.by_address.extend(entry.get("change").map(|change| (address, change)));
    }
    changes
}

/// The actions of an entry of `resource_changes`.
pub fn actions(entry: Node<'_>) -> impl Iterator<Item = &str> {
    let change = entry.get("change").into_iter();
    change.flat_map(|change| change.items_of("actions")).filter_map(Node::text)
}

/// Gives a planned resource its expressions, and what its change says of its values.
fn configure<'t>(resource: &mut Resource<'t>, configuration: &Configuration<'t>, change: Option<Node<'t>>) {
    let Resource { module, mode, kind, name, .. } = &*resource;
    resource.configured = configuration.resource(module, *mode, kind, name);
    let expressions = resource.configured.map(|entry| entry.get("expressions").unwrap_or(Node(&NO_EXPRESSIONS)));
    resource.body.expressions = expressions.into_iter().collect();
    if let Some(change) = change {
        resource.body.unknown = change.get("after_unknown");
        resource.body.sensitive = resource.body.sensitive.or_else(|| change.get("after_sensitive"));
    }
}

/// Returns true for a rule that stands apart from its group.
fn is_rule(entry: Node<'_>) -> bool {
    entry.text_of("type").is_some_and(|kind| rules::KINDS_APART.contains(&kind))
}

/// Attributes that something refers to, by the address of their resource without keys.
fn relevant(root: Node<'_>) -> Option<HashMap<String, Vec<String>>> {
    let list = root.get("relevant_attributes")?;
    let mut relevant: HashMap<String, Vec<String>> = HashMap::new();
    for entry in list.items() {
        let Some(Parts { mut module, mode, kind, name, .. }) =
            entry.text_of("resource").and_then(|text| parts(steps(text)))
        else {
            continue;
        };
        module.iter_mut().for_each(|call| call.key = None);
        let first = entry.items_of("attribute").find_map(Node::text).unwrap_or_default().to_owned();
        relevant.entry(bare(&module, mode, &kind, &name)).or_default().push(first);
    }
    Some(relevant)
}

fn module_values<'t>(reader: &mut Reader<'_>, module: Node<'t>, into: &mut Vec<Resource<'t>>) {
    let mut open = vec![module];
    while let Some(module) = open.pop() {
        let mut below: Vec<Node<'t>> = module.items_of("child_modules").collect();
        below.reverse();
        open.extend(below);
        for node in module.items_of("resources") {
            let Some(address) = node.text_of("address") else {
                reader.lacks(node, "this resource", "address");
                continue;
            };
            let Some(resource) = resource(node, address.to_owned()) else {
                let mistake = Mistake::new(node.span(), "this is no address of a resource").value(address);
                reader.fault(mistake.help("such as aws_security_group.web or module.app.aws_instance.web[0]"));
                continue;
            };
            let body =
                Block { values: node.get("values"), sensitive: node.get("sensitive_values"), ..Block::default() };
            into.push(Resource { body, ..resource });
        }
    }
}

fn resource(node: Node<'_>, address: String) -> Option<Resource<'_>> {
    let Parts { module, mode, kind, name, rest } = parts(steps(&address))?;
    let key = rest.into_iter().find_map(|step| match step {
        Step::Index(key) => Some(key),
        Step::Name(_) => None,
    });
    Some(Resource { address, module, mode, kind, name, key, node, configured: None, body: Block::default() })
}

fn state_file<'t>(reader: &mut Reader<'_>, root: Node<'t>) -> Vec<Resource<'t>> {
    let mut resources = Vec::new();
    for node in root.items_of("resources") {
        let (Some(kind), Some(name)) = (node.text_of("type"), node.text_of("name")) else {
            for key in ["type", "name"] {
                if node.text_of(key).is_none() {
                    reader.lacks(node, "this resource", key);
                }
            }
            continue;
        };
        let mode = if node.text_of("mode") == Some("data") { Mode::Data } else { Mode::Managed };
        let module = parts(steps(&format!("{}.x.y", node.text_of("module").unwrap_or_default())));
        let module = module.map(|parts| parts.module).unwrap_or_default();
        for instance in node.items_of("instances").filter(|instance| instance.get("deposed").is_none()) {
            let key = instance.get("index_key").and_then(|key| match key.0 {
                jsonc_parser::ast::Value::StringLit(text) => Some(Key::Text(text.value.to_string())),
                _ => key.text()?.parse().ok().map(Key::Number),
            });
            let shown = key.as_ref().map(Key::to_string).unwrap_or_default();
            let hidden = instance
                .items_of("sensitive_attributes")
                .filter_map(|path| path.items().find_map(|step| step.text_of("value")))
                .collect();
            let body = Block { values: instance.get("attributes"), hidden, ..Block::default() };
            if body.values.is_none() && instance.get("attributes_flat").is_some() {
                let mistake = Mistake::new(instance.span(), format!("{kind}.{name}: the state is of Terraform 0.11"));
                reader.fault(mistake.help("run `terraform show -json` with a current Terraform, and give its output"));
                continue;
            }
            resources.push(Resource {
                address: format!("{}{shown}", bare(&module, mode, kind, name)),
                module: module.clone(),
                mode,
                kind: kind.to_owned(),
                name: name.to_owned(),
                key,
                node: instance,
                configured: None,
                body,
            });
        }
    }
    debug_assert!(resources.iter().all(|resource| resource.address.starts_with(&module_address(&resource.module))));
    resources
}
