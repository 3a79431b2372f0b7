//! References of a plan's configuration, followed to the resources that they mean: through variables, outputs, `each` and `count`.
//!
//! A plan tells of an expression only to what it refers. A local is not told at all; it may be whatever its module can refer to.

use std::cell::RefCell;
use std::collections::HashSet;

use super::super::tree::Node;
use super::address::{Call, Key, Step, longest, module_address, parts, steps};
use super::index::{Index, position};
use super::known_modules;
use super::resource::{Resource, Value};
use super::slots::{Meant, Slot, literal, merged, nth, slots, truth};
use super::wanted::{Fit, VPCS, Wanted, fit};

/// Calls, outputs and locals in each other that real modules never have.
const MAX_DEPTH: usize = 24;

/// The place of an expression: an instance of a resource, or of a module's call.
#[derive(Clone, Copy)]
pub struct Scope<'s, 't> {
    pub module: &'s [Call],
    pub key: Option<&'s Key>,
    /// The entry with `for_each_expression`.
    pub repeat: Option<Node<'t>>,
    /// Number of instances.
    pub count: usize,
    /// The rank of this one among the instances whose value is not known, and their number.
    pub rank: Option<(usize, usize)>,
    pub depth: usize,
}

impl<'s, 't> Scope<'s, 't> {
    /// The scope of a resource's expressions.
    pub fn of(resource: &'s Resource<'t>, count: usize) -> Self {
        let Resource { module, key, configured, .. } = resource;
        Self { module, key: key.as_ref(), repeat: *configured, count, rank: None, depth: 0 }
    }

    fn deeper(self) -> Self {
        Self { rank: None, depth: self.depth + 1, ..self }
    }
}

/// Follows references.
pub struct Resolver<'a, 't> {
    pub index: &'a Index<'t>,
    /// Modules whose locals are being looked at.
    open: RefCell<HashSet<(String, Wanted)>>,
}

type Reference = Vec<Step>;

/// One reference of an expression, with what is wanted of it.
#[derive(Clone, Copy)]
struct Lookup<'r, 't> {
    reference: &'r [Step],
    /// Every reference of its expression.
    all: &'r [Reference],
    /// Steps behind it, into its value.
    rest: &'r [Step],
    scope: Scope<'r, 't>,
    wanted: Wanted,
}

impl Lookup<'_, '_> {
    fn name(&self, at: usize) -> Option<&str> {
        self.reference.get(at).and_then(Step::name)
    }

    /// The steps of the reference from one on, and those behind it.
    fn steps_from(&self, at: usize) -> impl Iterator<Item = Step> {
        self.reference.iter().skip(at).chain(self.rest).cloned()
    }
}

impl<'a, 't> Resolver<'a, 't> {
    pub fn new(index: &'a Index<'t>) -> Self {
        Self { index, open: RefCell::default() }
    }

    /// Follows an expression: one slot a reference that may be what is wanted, in their order.
    pub fn evaluate(&self, expression: Node<'t>, rest: &[Step], scope: Scope<'_, 't>, wanted: Wanted) -> Vec<Slot<'t>> {
        if let Some(constant) = expression.get("constant_value") {
            return slots(literal(walk(constant, rest)));
        }
        let nested = || expression.items().flat_map(Node::entries).filter(|(_, value)| value.is_object());
        if expression.get("references").is_none() {
            return nested().flat_map(|(_, value)| self.evaluate(value, &[], scope, wanted)).collect();
        }
        let references = longest(expression.items_of("references").filter_map(Node::text));
        self.all(&references, rest, scope, wanted)
    }

    fn all(&self, references: &[Reference], rest: &[Step], scope: Scope<'_, 't>, wanted: Wanted) -> Vec<Slot<'t>> {
        if scope.depth > MAX_DEPTH {
            return slots(vec![too_deep()]);
        }
        let lookup = |reference| Lookup { reference, all: references, rest, scope, wanted };
        let each = references.iter().map(|reference| self.reference(lookup(reference)));
        each.filter(|slot| slot.loose || !slot.meant.is_empty()).collect()
    }

    fn reference(&self, lookup: Lookup<'_, 't>) -> Slot<'t> {
        let Lookup { reference, all, scope, wanted, .. } = lookup;
        let tail = || lookup.steps_from(2).collect::<Vec<Step>>();
        match (lookup.name(0), lookup.name(1)) {
            (Some("var"), Some(variable)) => {
                let slots = self.variable(variable, &tail(), scope, wanted);
                let counted = reference.len() == 2 && mentions(all, "count", "index");
                match scope.rank.filter(|_| counted) {
                    Some(rank) => nth(slots, rank),
                    None => merged(slots),
                }
            }
            (Some("local"), Some(local)) => self.local(local, scope, wanted),
            (Some("module"), Some(call)) => self.output(call, lookup),
            (Some("each"), Some("value")) => merged(self.each_value(&tail(), scope, wanted)),
            (Some("each"), Some("key")) if wanted == Wanted::Text => match scope.key {
                Some(Key::Text(key)) => Slot { meant: vec![Meant::Word(key.clone())], loose: false },
                Some(Key::Number(_)) | None => Slot::default(),
            },
            (Some("each" | "count" | "path" | "terraform" | "self"), _) => Slot::default(),
            _ => self.resource(lookup),
        }
    }

    fn variable(&self, name: &str, rest: &[Step], scope: Scope<'_, 't>, wanted: Wanted) -> Vec<Slot<'t>> {
        let configuration = &self.index.configuration;
        let Some(module) = configuration.module(scope.module) else { return Vec::new() };
        let default =
            || slots(literal(module.node.at(&["variables", name, "default"]).and_then(|node| walk(node, rest))));
        let Some((own, above)) = scope.module.split_last() else {
            let value = configuration.variables.and_then(|variables| variables.at(&[name, "value"]));
            return value.map_or_else(default, |value| slots(literal(walk(value, rest))));
        };
        let Some(expression) = module.call.and_then(|call| call.at(&["expressions", name])) else { return default() };
        let count = self.index.calls(above, &own.name).len();
        let outer = Scope { module: above, key: own.key.as_ref(), repeat: module.call, count, ..scope.deeper() };
        let Some(condition) = configuration.module(above).and_then(|_| known_modules::given_where(module, name)) else {
            return self.evaluate(expression, rest, outer, wanted);
        };
        let said = self.each_value(&[Step::Name(condition.to_owned())], outer, Wanted::Text);
        match truth(&said) {
            Some(true) => self.evaluate(expression, rest, outer, wanted),
            Some(false) => Vec::new(),
            None => slots(vec![Meant::Unclear(format!("`{condition}` is not known"))]),
        }
    }

    fn each_value(&self, rest: &[Step], scope: Scope<'_, 't>, wanted: Wanted) -> Vec<Slot<'t>> {
        let Some(key) = scope.key else { return Vec::new() };
        let word = || match key {
            Key::Text(text) if rest.is_empty() => slots(vec![Meant::Word(text.clone())]),
            Key::Text(_) | Key::Number(_) => Vec::new(),
        };
        let Some(expression) = scope.repeat.and_then(|entry| entry.get("for_each_expression")) else { return word() };
        if expression.get("constant_value").is_some_and(Node::is_list) {
            return word();
        }
        let own: Vec<Step> = [Step::Index(key.clone())].into_iter().chain(rest.iter().cloned()).collect();
        self.evaluate(expression, &own, scope.deeper(), wanted)
    }

    /// A local. That of a module that is known is followed; any other may be whatever its module can refer to.
    fn local(&self, name: &str, scope: Scope<'_, 't>, wanted: Wanted) -> Slot<'t> {
        let Some(module) = self.index.configuration.module(scope.module) else { return Slot::default() };
        if let Some(references) = known_modules::local(module, name) {
            let references: Vec<Reference> = references.iter().map(|reference| steps(reference)).collect();
            return merged(self.all(&references, &[], scope.deeper(), wanted));
        }
        if known_modules::is_condition(name) {
            return Slot::default();
        }
        if wanted == Wanted::Text {
            return Slot { meant: Vec::new(), loose: true };
        }
        Slot { meant: self.reachable(scope.module, wanted, scope.depth), loose: true }
    }

    /// All that a module's expressions can refer to: its own resources, what its variables are, the outputs of modules that it calls.
    pub fn reachable(&self, module: &[Call], wanted: Wanted, depth: usize) -> Vec<Meant<'t>> {
        let mark = (module_address(module), wanted);
        if depth > MAX_DEPTH {
            return vec![too_deep()];
        }
        // A caller further out is collecting this module already.
        if !self.open.borrow_mut().insert(mark.clone()) {
            return Vec::new();
        }
        let mut meant = Vec::new();
        for at in self.index.in_module(module) {
            let resource = &self.index.resources[*at];
            // AWS makes these groups along with the resource. They count where the plan says that something refers to them.
            let attribute = match resource.kind.as_str() {
                kind if wanted == Wanted::Group && VPCS.contains(&kind) => Some("default_security_group_id"),
                "aws_eks_cluster" if wanted == Wanted::Group => Some("vpc_config"),
                kind if !kind.starts_with("aws_") => continue,
                _ => None,
            };
            if attribute.is_none_or(|attribute| self.index.is_referred_to(resource, attribute))
                && let Fit::Is(id) = fit(wanted, resource, &[])
            {
                meant.push(Meant::Id { id, new: resource.known_id().is_none() });
            }
        }
        let scope = Scope { module, key: None, repeat: None, count: 1, rank: None, depth: depth + 1 };
        if let Some(configured) = self.index.configuration.module(module) {
            let names = |key: &str| configured.node.get(key).into_iter().flat_map(Node::entries).map(|(name, _)| name);
            for variable in names("variables") {
                let may_be = wanted != Wanted::Group || variable.contains("group") || variable.contains("sg");
                let slots = self.variable(variable, &[], scope, wanted);
                let all = slots.into_iter().flat_map(|slot| slot.meant);
                meant.extend(all.filter(|meant| may_be || !matches!(meant, Meant::Unclear(_))));
            }
            for call in names("module_calls") {
                let whole = [Step::Name("module".to_owned()), Step::Name(call.to_owned())];
                let lookup = Lookup { reference: &whole, all: &[], rest: &[], scope, wanted };
                meant.extend(self.output(call, lookup).meant);
            }
        }
        self.open.borrow_mut().remove(&mark);
        meant
    }

    /// Outputs of a module's instances: one, or all where a splat hides which.
    fn output(&self, call: &str, lookup: Lookup<'_, 't>) -> Slot<'t> {
        let Lookup { scope, wanted, .. } = lookup;
        let mut left = lookup.steps_from(2).peekable();
        let index = match left.next_if(|step| matches!(step, Step::Index(_))) {
            Some(Step::Index(key)) => Some(key),
            Some(Step::Name(_)) | None => None,
        };
        let instances = self.index.calls(scope.module, call);
        let keys: Vec<Option<&Key>> =
            instances.iter().map(|path| path.last().and_then(|call| call.key.as_ref())).collect();
        let output = left.next();
        let left: Vec<Step> = left.collect();
        let mut slots = Vec::new();
        for at in self.pick(&keys, index.as_ref(), lookup.all, scope) {
            let module = &instances[at];
            let Some(configured) = self.index.configuration.module(module) else { continue };
            let inner = Scope { module, key: None, repeat: None, count: 1, ..scope.deeper() };
            for (name, entry) in configured.node.get("outputs").into_iter().flat_map(Node::entries) {
                let is_it = output.as_ref().and_then(Step::name).is_none_or(|output| output == name);
                if let Some(expression) = entry.get("expression").filter(|_| is_it) {
                    slots.extend(self.evaluate(expression, &left, inner, wanted));
                }
            }
        }
        merged(slots)
    }

    fn resource(&self, lookup: Lookup<'_, 't>) -> Slot<'t> {
        let Lookup { scope, wanted, .. } = lookup;
        let Some(parts) = parts(lookup.steps_from(0).collect()) else { return Slot::default() };
        let instances = self.index.instances(scope.module, parts.mode, &parts.kind, &parts.name);
        let keys: Vec<Option<&Key>> = instances.iter().map(|at| self.index.resources[*at].key.as_ref()).collect();
        let (index, attribute) = match parts.rest.split_first() {
            Some((Step::Index(key), attribute)) => (Some(key), attribute),
            _ => (None, parts.rest.as_slice()),
        };
        let mut slots = Vec::new();
        for at in self.pick(&keys, index, lookup.all, scope) {
            slots.extend(self.attribute(&self.index.resources[instances[at]], attribute, scope, wanted));
        }
        merged(slots)
    }

    fn attribute(&self, resource: &Resource<'t>, rest: &[Step], scope: Scope<'_, 't>, wanted: Wanted) -> Vec<Slot<'t>> {
        let first = rest.iter().find_map(Step::name);
        let value = first.map_or(Value::Absent, |name| resource.body.value(name));
        match fit(wanted, resource, rest) {
            Fit::Is(id) => {
                let own = first.is_none_or(|first| first == "id" || first == "name");
                let new = if own { resource.known_id().is_none() } else { value.known().is_none() };
                slots(vec![Meant::Id { id, new }])
            }
            Fit::Through(name) => match resource.body.value(&name) {
                Value::Is(node) => slots(literal(Some(node))),
                Value::Absent => Vec::new(),
                Value::Hidden => slots(vec![Meant::Unclear(format!("{}.{name} is sensitive", resource.address))]),
                Value::Unknown => {
                    let inner = Scope::of(resource, self.index.siblings(resource).len());
                    let inner = Scope { depth: scope.depth + 1, ..inner };
                    let expressions = resource.body.expressions_of(&name);
                    if expressions.is_empty() {
                        return slots(vec![Meant::Unclear(format!("{}.{name}", resource.address))]);
                    }
                    expressions.into_iter().flat_map(|node| self.evaluate(node, &[], inner, wanted)).collect()
                }
            },
            Fit::No => match value.known().filter(|_| wanted == Wanted::Text) {
                Some(node) => slots(literal(Some(node))),
                None => Vec::new(),
            },
            Fit::Unclear => match value {
                Value::Is(node) => slots(literal(Some(node))),
                Value::Absent | Value::Unknown | Value::Hidden => {
                    slots(vec![Meant::Unclear(format!("it may be {}", resource.address))])
                }
            },
        }
    }

    /// The positions that a reference means among several instances: that of its index, else that of the one key which the other references
    /// of its expression give, else all.
    fn pick(&self, keys: &[Option<&Key>], index: Option<&Key>, all: &[Reference], scope: Scope<'_, 't>) -> Vec<usize> {
        if let Some(index) = index {
            // A key of what goes through a map of one resource is none of its own.
            return match position(keys, index) {
                Some(at) => vec![at],
                None if keys.iter().all(Option::is_none) => (0..keys.len()).collect(),
                None => Vec::new(),
            };
        }
        let every = || (0..keys.len()).collect();
        if keys.len() < 2 {
            return every();
        }
        let Some(words) = self.words(all, scope) else { return every() };
        let mut found: Vec<usize> = Vec::new();
        if mentions(all, "count", "index")
            && let Some(Key::Number(own)) = scope.key
            && scope.count >= keys.len()
        {
            // `element` begins anew at the end.
            let own = usize::try_from(*own).unwrap_or(0) % keys.len();
            found.extend(position(keys, &Key::Number(own as u64)));
        }
        for word in words {
            let number = word.parse().ok().map(Key::Number);
            let at = position(keys, &Key::Text(word)).or_else(|| position(keys, &number?));
            found.extend(at.filter(|at| !found.contains(at)));
        }
        match found.as_slice() {
            [one] => vec![*one],
            _ => every(),
        }
    }

    /// Texts among the references of an expression that may be keys; nothing where one cannot be told.
    fn words(&self, all: &[Reference], scope: Scope<'_, 't>) -> Option<Vec<String>> {
        let mut words = Vec::new();
        for reference in all {
            let name = |at: usize| reference.get(at).and_then(Step::name);
            let is_local = name(0) == Some("local") && name(1).is_none_or(|name| !known_modules::is_condition(name));
            if is_local {
                return None;
            }
            if !matches!(name(0), Some("var" | "each")) {
                continue;
            }
            let scope = scope.deeper();
            let slot = self.reference(Lookup { reference, all: &[], rest: &[], scope, wanted: Wanted::Text });
            for meant in slot.meant {
                match meant {
                    Meant::Word(word) => words.push(word),
                    Meant::Literal(node) => words.extend(own_text(node, scope.key)),
                    Meant::Id { .. } | Meant::Unclear(_) => {}
                }
            }
        }
        Some(words)
    }
}

fn too_deep<'t>() -> Meant<'t> {
    Meant::Unclear("it goes through too many modules".to_owned())
}

/// A text, or that of a map or list at the own key.
fn own_text(node: Node<'_>, key: Option<&Key>) -> Option<String> {
    if !node.is_object() && !node.is_list() {
        return node.text().map(str::to_owned);
    }
    walk(node, &[Step::Index(key?.clone())])?.text().map(str::to_owned)
}

fn mentions(all: &[Reference], first: &str, second: &str) -> bool {
    all.iter().any(|reference| {
        let name = |at: usize| reference.get(at).and_then(Step::name);
        name(0) == Some(first) && name(1) == Some(second)
    })
}

/// Follows steps into a value.
fn walk<'t>(node: Node<'t>, rest: &[Step]) -> Option<Node<'t>> {
    rest.iter().try_fold(node, |node, step| match step {
        Step::Name(name) | Step::Index(Key::Text(name)) => {
            node.entries().find(|(key, _)| key == name).map(|(_, node)| node)
        }
        Step::Index(Key::Number(number)) if node.is_list() => node.items().nth(usize::try_from(*number).ok()?),
        Step::Index(Key::Number(_)) => None,
    })
}
