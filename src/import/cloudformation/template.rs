//! A template: its parameters, mappings, conditions and resources by name.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::fault::Mistake;
use super::super::parameters::Parameters;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::resource::Resource;
use crate::account::{Known, ResourceId};

/// Macros of which all that they add is read here (`Globals` of SAM) or has no part in it; each other may make anything of a template.
const HARMLESS_MACROS: &[&str] =
    &["AWS::Serverless-2016-10-31", "AWS::SecretsManager-2020-07-23", "AWS::SecretsManager-2024-09-16"];

/// Functions within functions, and conditions through others.
const MAX_DEPTH: usize = 64;
/// Functions of one template; more is a bomb.
const MAX_STEPS: usize = 500_000;

/// Mistakes with the places and messages that are told already: an expression may be read more than once.
type Mistakes = (HashSet<(usize, String)>, Vec<Mistake>);

/// A template. Values are evaluated when they are asked for.
pub struct Template<'t> {
    pub parameters: HashMap<&'t str, Node<'t>>,
    /// Values that the user gives to parameters.
    pub given: Arc<Parameters>,
    pub conditions: HashMap<&'t str, Node<'t>>,
    pub mappings: HashMap<&'t str, Node<'t>>,
    /// Properties that SAM gives all resources of a type.
    pub globals: Option<Node<'t>>,
    /// Resources by logical id, with those whose condition does not hold.
    pub resources: IndexMap<&'t str, Resource<'t>>,
    /// Macros that may change it, which nothing here knows: the first's name.
    pub macros: Option<String>,
    /// True where a macro may add names.
    pub is_open: bool,
    /// The prefix of logical ids, where another template has the same ones.
    prefix: String,
    /// Conditions that were evaluated; none while one is.
    pub held: RefCell<HashMap<&'t str, Option<Known<bool>>>>,
    /// Functions that are open now.
    depth: Cell<usize>,
    /// Functions that were evaluated so far.
    steps: Cell<usize>,
    mistakes: RefCell<Mistakes>,
}

impl<'t> Template<'t> {
    /// Reads the sections of a template.
    pub fn new(reader: &mut Reader<'_>, root: Node<'t>) -> Self {
        let section = |key: &str| root.get(key).into_iter().flat_map(Node::entries).collect::<HashMap<_, _>>();
        let macros: Vec<&str> = match root.get("Transform") {
            // `Fn::Transform` or `{Name: AWS::Include}`.
            Some(node) if node.is_object() => vec!["AWS::Include"],
            Some(node) => node.items().map(|name| name.text().unwrap_or("AWS::Include")).collect(),
            None => Vec::new(),
        };
        let mut template = Self {
            parameters: section("Parameters"),
            given: Arc::clone(&reader.into.parameters),
            conditions: section("Conditions"),
            mappings: section("Mappings"),
            globals: root.get("Globals"),
            resources: IndexMap::new(),
            is_open: !macros.is_empty(),
            macros: macros.into_iter().find(|name| !HARMLESS_MACROS.contains(name)).map(str::to_owned),
            prefix: String::new(),
            held: RefCell::default(),
            depth: Cell::new(0),
            steps: Cell::new(0),
            mistakes: RefCell::default(),
        };
        template.check_given();
        let Some(resources) = root.get("Resources").filter(|node| node.is_object()) else {
            reader.lacks(root, "this template", "Resources");
            return template;
        };
        for (name, span, node) in resources.properties() {
            // `Fn::ForEach::Name` makes several, `Fn::Transform` takes a file in: each is listed where types are.
            let kind = if name.starts_with("Fn::") { Some(name) } else { node.text_of("Type") };
            let Some(kind) = kind else {
                reader.lacks(node, name, "Type");
                continue;
            };
            let properties = node.get("Properties").filter(|properties| properties.is_object()).unwrap_or(node);
            let digest = reader.source.digest(node.span());
            let resource = Resource { name, kind, span, digest, node, properties, there: Known::Is(true) };
            if template.resources.insert(name, resource).is_some() {
                template.mistake(Mistake::new(span, format!("`{name}` is declared twice")));
            }
        }
        template.prefix = template.free_prefix(reader);
        template
    }

    /// Values that are given to parameters must be among those that the template allows.
    fn check_given(&self) {
        for (name, parameter) in &self.parameters {
            let Some(value) = self.given.value(name) else { continue };
            let allowed: Vec<&str> = parameter.items_of("AllowedValues").filter_map(Node::text).collect();
            if !allowed.is_empty() && !allowed.contains(&value) {
                let value = if is_secret(*parameter) { "what is given".to_owned() } else { format!("`{value}`") };
                let message = format!("{value} is none of the values that the parameter `{name}` allows");
                let help = (!is_secret(*parameter)).then(|| format!("it allows {}", allowed.join(", ")));
                self.mistake(Mistake::new(parameter.start(), message).maybe_help(help));
            }
        }
    }

    /// The values that are given to parameters with `NoEcho`.
    pub fn secrets(&self) -> Vec<&str> {
        let secret = self.parameters.iter().filter(|(_, parameter)| is_secret(**parameter));
        secret.filter_map(|(name, _)| self.given.value(name)).filter(|value| !value.is_empty()).collect()
    }

    /// The account's id of a resource.
    pub fn id(&self, name: &str) -> ResourceId {
        ResourceId::new(&self.label(name))
    }

    /// The short name of a resource for people.
    pub fn label(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The id of a VPC's default group.
    pub fn default_group(&self, vpc: &str) -> ResourceId {
        self.id(&format!("{vpc}.DefaultSecurityGroup"))
    }

    /// Resources of some types that are there, or may be.
    pub fn of_kinds(&self, kinds: &'static [&'static str]) -> impl Iterator<Item = &Resource<'t>> {
        self.resources
            .values()
            .filter(move |resource| kinds.contains(&resource.kind) && resource.there != Known::Is(false))
    }

    /// The resource with an id of the account.
    pub fn with_id(&self, id: &ResourceId) -> Option<&Resource<'t>> {
        self.resources.get(id.as_str().strip_prefix(&self.prefix)?)
    }

    /// Keeps a mistake, once.
    pub fn mistake(&self, mistake: Mistake) {
        let (known, mistakes) = &mut *self.mistakes.borrow_mut();
        if known.insert((mistake.span().start, mistake.message().to_owned())) {
            mistakes.push(mistake);
        }
    }

    /// All mistakes of values, in their order.
    pub fn take_mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = std::mem::take(&mut self.mistakes.borrow_mut().1);
        mistakes.sort_by_key(Mistake::span);
        mistakes
    }

    /// Goes one function deeper until what it gives is dropped; nothing where that is too deep, or was too often.
    pub fn enter(&self) -> Option<Open<'_>> {
        if self.depth.get() >= MAX_DEPTH || self.steps.get() >= MAX_STEPS {
            return None;
        }
        self.steps.set(self.steps.get() + 1);
        self.depth.set(self.depth.get() + 1);
        Some(Open(&self.depth))
    }

    /// Nothing, unless a template that was read before has the same logical ids: the name of the file then.
    fn free_prefix(&self, reader: &Reader<'_>) -> String {
        let account = &reader.into.account;
        let is_taken = |prefix: &str| {
            self.resources.keys().any(|name| {
                let id = ResourceId::new(&format!("{prefix}{name}"));
                account.groups.contains_key(&id)
                    || account.vpcs.contains_key(&id)
                    || account.subnets.contains_key(&id)
                    || account.interfaces.contains_key(&id)
                    || account.prefix_lists.contains_key(&id)
            })
        };
        if !is_taken("") {
            return String::new();
        }
        let name = reader.source.file().as_ref();
        let stem = name.rsplit('/').next().unwrap_or(name).split('.').next().unwrap_or(name);
        let numbered = (2..).map(|number| format!("{stem}{number}."));
        let mut prefixes = std::iter::once(format!("{stem}.")).chain(numbered);
        prefixes.find(|prefix| !is_taken(prefix)).unwrap_or_default()
    }
}

/// Returns true for a parameter that is marked `NoEcho`.
pub(super) fn is_secret(parameter: Node<'_>) -> bool {
    parameter.get("NoEcho").is_some_and(|secret| secret.boolean() != Some(false))
}

/// A function that is open.
pub struct Open<'a>(&'a Cell<usize>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
