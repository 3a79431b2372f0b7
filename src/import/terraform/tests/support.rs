//! Documents in the shapes of Terraform 1.11, built from resources and their expressions.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::account::Account;
pub use crate::import::shown::{members, reasons, rules};
use crate::import::{Kind, Text, read};

/// A resource of a plan: its values, what of them is known after apply, and its expressions.
pub struct Planned {
    pub address: &'static str,
    pub values: Value,
    pub unknown: Value,
}

/// A planned resource that is to be created.
pub fn new(address: &'static str, values: Value, unknown: Value) -> Planned {
    Planned { address, values, unknown }
}

/// An entry of the configuration.
pub fn configured(address: &str, expressions: Value) -> Value {
    let (kind, name) = address.split_once('.').expect("an address");
    json!({"address": address, "mode": "managed", "type": kind, "name": name, "expressions": expressions})
}

/// An expression that refers to others, with the beginnings that Terraform adds.
pub fn refs(references: &[&str]) -> Value {
    let mut all = Vec::new();
    for reference in references {
        let mut reference = (*reference).to_owned();
        let least = if reference.starts_with("data.") { 3 } else { 2 };
        while reference.split('.').count() >= least {
            all.push(reference.clone());
            let end = reference.rfind(['.', '[']).expect("several steps");
            reference.truncate(end);
        }
    }
    json!({"references": all})
}

/// An expression that is a constant.
pub fn constant(value: Value) -> Value {
    json!({"constant_value": value})
}

fn module_of(address: &str) -> String {
    let mut module = Vec::new();
    let mut rest = address;
    while let Some(after) = rest.strip_prefix("module.") {
        let end = after.find('.').expect("a resource");
        module.push(format!("module.{}", &after[..end]));
        rest = &after[end + 1..];
    }
    module.join(".")
}

fn value_of(resource: &Planned) -> Value {
    let bare = resource.address.strip_prefix(&module_of(resource.address)).unwrap_or(resource.address);
    let mut parts = bare.trim_start_matches('.').split(['.', '[']);
    let (kind, name) = (parts.next(), parts.next());
    json!({"address": resource.address, "mode": "managed", "type": kind, "name": name, "values": resource.values,
        "sensitive_values": {}})
}

/// A plan of resources, with a configuration. Modules lie flat: a reader follows addresses.
pub fn plan(resources: &[Planned], configuration: Value) -> Value {
    let mut modules: Vec<(String, Vec<Value>)> = Vec::new();
    for resource in resources {
        let module = module_of(resource.address);
        let value = value_of(resource);
        match modules.iter_mut().find(|(known, _)| *known == module) {
            Some((_, all)) => all.push(value),
            None => modules.push((module, vec![value])),
        }
    }
    let at_root = modules.iter().find(|(module, _)| module.is_empty()).map(|(_, all)| all.clone()).unwrap_or_default();
    let below: Vec<Value> = modules
        .into_iter()
        .filter(|(module, _)| !module.is_empty())
        .map(|(module, resources)| json!({"address": module, "resources": resources}))
        .collect();
    let changes: Vec<Value> = resources
        .iter()
        .map(|resource| {
            json!({"address": resource.address, "change": {"actions": ["create"], "before": null,
                "after": resource.values, "after_unknown": resource.unknown}})
        })
        .collect();
    json!({"format_version": "1.2", "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": at_root, "child_modules": below}},
        "resource_changes": changes, "configuration": {"root_module": configuration}})
}

/// Reads a document, which must have no mistake.
pub fn account(document: &Value) -> Account {
    read(&[text(document)], None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The mistakes of a document.
pub fn mistakes(document: &Value) -> String {
    read(&[text(document)], Some(Kind::Terraform)).expect_err("mistakes").to_string()
}

fn text(document: &Value) -> Text {
    let text = serde_json::to_string_pretty(document).expect("JSON");
    Text { name: "plan.json".into(), text: Arc::from(text) }
}

/// A module of the configuration: its resources, variables with their defaults, and outputs.
pub fn module(resources: Vec<Value>, variables: &[(&str, Value)], outputs: &[(&str, Value)]) -> Value {
    let mut module = json!({"resources": resources, "variables": {}, "outputs": {}});
    for (name, default) in variables {
        module["variables"][name] = if default.is_null() { json!({}) } else { json!({"default": default}) };
    }
    for (name, expression) in outputs {
        module["outputs"][name] = json!({"expression": expression});
    }
    module
}

/// A call of a module with expressions for its variables.
pub fn call(expressions: Value, module: Value) -> Value {
    json!({"source": "./module", "expressions": expressions, "module": module})
}

/// A state of resources: address and values.
pub fn state(resources: &[(&str, Value)]) -> Value {
    let resources: Vec<Value> =
        resources.iter().map(|(address, values)| json!({"address": address, "values": values})).collect();
    json!({"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {"resources": resources}}})
}
