//! Digests of expressions. A plan does not tell what is known later, and yet tells by which expression: two values that nobody knows are the
//! same if their expressions are, through variables and outputs. A local is not in a plan, so that its name stands for it.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use super::super::reader::Reader;
use super::super::tree::Node;
use super::address::{Call, Step, longest};
use super::index::Index;
use super::resource::{Block, Resource};
use crate::topology::Source;

/// Calls and outputs in each other that real modules never have.
const MAX_DEPTH: usize = 24;

/// Attributes that mean nothing to packets, and blocks of rules, which have digests of their own.
const PASSED_OVER: [&str; 6] = ["tags", "tags_all", "description", "user_data", "ingress", "egress"];

/// Notes the digests of all resources, by which their places tell them apart.
pub fn note(reader: &mut Reader<'_>, index: &Index<'_>) {
    for resource in &index.resources {
        let Some(expressions) = resource.configured.and_then(|entry| entry.get("expressions")) else { continue };
        let mut digest = Digest::new(reader.source, index, resource);
        for (key, expression) in expressions.entries().filter(|(key, _)| !PASSED_OVER.contains(key)) {
            digest.hasher.write(key.as_bytes());
            digest.add(expression, &resource.module, 0);
        }
        reader.into.written.insert(resource.address.clone(), digest.hasher.finish());
    }
}

/// The digest of a block's expressions.
pub fn of_block(source: &Source, index: &Index<'_>, resource: &Resource<'_>, block: &Block<'_>) -> u64 {
    let mut digest = Digest::new(source, index, resource);
    block.expressions.iter().chain(&block.shared).for_each(|node| digest.add(*node, &resource.module, 0));
    digest.hasher.finish()
}

/// The digest of some attributes: their expressions, and what is known of them.
pub fn of_attributes(source: &Source, index: &Index<'_>, resource: &Resource<'_>, keys: &[&str]) -> u64 {
    let mut digest = Digest::new(source, index, resource);
    for key in keys {
        digest.hasher.write(key.as_bytes());
        let known = resource.body.values.and_then(|values| values.get(key));
        known.into_iter().for_each(|node| digest.text(node));
        resource.body.expressions_of(key).into_iter().for_each(|node| digest.add(node, &resource.module, 0));
    }
    digest.hasher.finish()
}

struct Digest<'s, 'a, 't> {
    source: &'s Source,
    index: &'a Index<'t>,
    resource: &'a Resource<'t>,
    hasher: DefaultHasher,
}

impl<'s, 'a, 't> Digest<'s, 'a, 't> {
    fn new(source: &'s Source, index: &'a Index<'t>, resource: &'a Resource<'t>) -> Self {
        Self { source, index, resource, hasher: DefaultHasher::new() }
    }

    fn text(&mut self, node: Node<'_>) {
        self.hasher.write_u64(self.source.digest(node.span()));
    }

    /// Adds an expression of a module, or a block of them, and what it refers to.
    fn add(&mut self, expression: Node<'_>, module: &[Call], depth: usize) {
        self.text(expression);
        let mut open = vec![expression];
        while let Some(node) = open.pop() {
            let references = longest(node.items_of("references").filter_map(Node::text));
            references.iter().for_each(|reference| self.reference(reference, module, depth));
            let nested = node.items().flat_map(Node::entries).map(|(_, value)| value);
            open.extend(nested.filter(|value| value.is_object() || value.is_list()));
        }
    }

    fn reference(&mut self, reference: &[Step], module: &[Call], depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let name = |at: usize| reference.get(at).and_then(Step::name);
        let configuration = &self.index.configuration;
        match (name(0), name(1)) {
            (Some("var"), Some(variable)) => match module.split_last() {
                None => {
                    let value = configuration.variables.and_then(|variables| variables.get(variable));
                    value.into_iter().for_each(|value| self.text(value));
                }
                Some((_, above)) => {
                    let call = configuration.module(module).and_then(|module| module.call);
                    if let Some(expression) = call.and_then(|call| call.at(&["expressions", variable])) {
                        self.add(expression, above, depth + 1);
                    }
                }
            },
            (Some("module"), Some(call)) => {
                let inner = Call { name: call.to_owned(), key: None };
                let inner: Vec<Call> = module.iter().cloned().chain([inner]).collect();
                let outputs = configuration.module(&inner).and_then(|module| module.node.get("outputs"));
                let wanted = reference.iter().skip(2).find_map(Step::name);
                let all = outputs.into_iter().flat_map(Node::entries);
                for (_, output) in all.filter(|(output, _)| wanted.is_none_or(|wanted| wanted == *output)) {
                    if let Some(expression) = output.get("expression") {
                        self.add(expression, &inner, depth + 1);
                    }
                }
            }
            (Some("each"), _) if module.len() == self.resource.module.len() => {
                let all = self.resource.configured.and_then(|entry| entry.get("for_each_expression"));
                all.into_iter().for_each(|all| self.text(all));
            }
            _ => {}
        }
    }
}
