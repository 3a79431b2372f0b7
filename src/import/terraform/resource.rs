//! Resources of a plan or a state, and their values: known, absent, or known after the plan is applied only.

use jsonc_parser::ast::{BooleanLit, Object, Value as Json};
use jsonc_parser::common::Range;

use super::super::tree::Node;
use super::address::{Call, Key, Mode};
use crate::account::ResourceId;

/// One instance of a resource.
pub struct Resource<'t> {
    /// Its full address.
    pub address: String,
    /// The instance of the module that it is in.
    pub module: Vec<Call>,
    pub mode: Mode,
    /// Its type.
    pub kind: String,
    pub name: String,
    /// Its key among several.
    pub key: Option<Key>,
    /// Its object in the file.
    pub node: Node<'t>,
    /// Its entry in the configuration.
    pub configured: Option<Node<'t>>,
    /// Its own values.
    pub body: Block<'t>,
}

impl Resource<'_> {
    /// Returns true for a data source, which looks up what is there.
    pub fn is_data(&self) -> bool {
        self.mode == Mode::Data
    }

    /// Returns its id where it is known, else its address.
    pub fn id(&self) -> ResourceId {
        ResourceId::new(self.known_id().unwrap_or(&self.address))
    }

    /// Returns its id, if it is known.
    pub fn known_id(&self) -> Option<&str> {
        match self.body.value("id") {
            Value::Is(id) => id.text().filter(|id| !id.is_empty()),
            Value::Absent | Value::Unknown | Value::Hidden => None,
        }
    }
}

/// Values of a resource or of one of its nested blocks.
#[derive(Clone, Default)]
pub struct Block<'t> {
    pub values: Option<Node<'t>>,
    /// `true` where a value is not known yet.
    pub unknown: Option<Node<'t>>,
    /// `true` where a value is marked as sensitive.
    pub sensitive: Option<Node<'t>>,
    /// Expressions that it comes from: several where it cannot be told which block of the configuration it is.
    pub expressions: Vec<Node<'t>>,
    /// The names of attributes that a state file marks as sensitive.
    pub hidden: Vec<&'t str>,
    /// The one expression of all its attributes and of its neighbours': attributes that are written as blocks have no other.
    pub shared: Option<Node<'t>>,
}

/// One value.
#[derive(Clone, Copy)]
pub enum Value<'t> {
    Is(Node<'t>),
    Absent,
    /// It is known after the plan is applied.
    Unknown,
    /// It is marked as sensitive, and not read.
    Hidden,
}

impl<'t> Value<'t> {
    /// Returns the value, if it is known.
    pub fn known(self) -> Option<Node<'t>> {
        match self {
            Self::Is(node) => Some(node),
            Self::Absent | Self::Unknown | Self::Hidden => None,
        }
    }
}

fn is_true(node: Node<'_>) -> bool {
    node.boolean() == Some(true)
}

/// Returns true for a mask that marks anything.
fn is_marked(mask: Node<'_>) -> bool {
    is_true(mask) || mask.all_entries().into_iter().any(|(_, value)| value.items().any(is_true))
}

/// The mask of a value of which nothing is known.
static TRUE: Json<'static> = Json::BooleanLit(BooleanLit { range: Range { start: 0, end: 0 }, value: true });
/// The mask of a value that is known.
static FALSE: Json<'static> = Json::BooleanLit(BooleanLit { range: Range { start: 0, end: 0 }, value: false });
/// The expressions of a resource that has no arguments: Terraform leaves them out.
pub static NO_EXPRESSIONS: Json<'static> =
    Json::Object(Object { range: Range { start: 0, end: 0 }, properties: Vec::new() });

impl<'t> Block<'t> {
    /// Returns the value of an attribute.
    pub fn value(&self, key: &str) -> Value<'t> {
        let marked =
            |mask: Option<Node<'t>>| mask.is_some_and(|mask| is_true(mask) || mask.get(key).is_some_and(is_true));
        if marked(self.sensitive) || self.hidden.contains(&key) {
            return Value::Hidden;
        }
        if marked(self.unknown) {
            return Value::Unknown;
        }
        match self.values.and_then(|values| values.get(key)) {
            Some(node) => Value::Is(node),
            // A plan that was cut has no `resource_changes`.
            None if self.unknown.is_none() && self.refers(key) => Value::Unknown,
            None => Value::Absent,
        }
    }

    /// Returns the known text of an attribute.
    pub fn text(&self, key: &str) -> Option<&'t str> {
        self.value(key).known()?.text()
    }

    /// Returns the known elements of a list or set, and the number of those that are not known.
    pub fn elements(&self, key: &str) -> (Vec<Node<'t>>, usize) {
        let known = self.value(key).known().into_iter().flat_map(Node::items).collect();
        let mask = self.unknown.and_then(|mask| mask.get(key)).filter(|mask| mask.is_list());
        let hidden = self.sensitive.and_then(|mask| mask.get(key)).filter(|mask| mask.is_list());
        let count =
            |mask: Option<Node<'t>>| mask.into_iter().flat_map(Node::items).filter(|item| is_true(*item)).count();
        match count(hidden) {
            0 => (known, count(mask)),
            hidden => (Vec::new(), hidden + count(mask)),
        }
    }

    /// Returns the expressions of an attribute in the configuration.
    pub fn expressions_of(&self, key: &str) -> Vec<Node<'t>> {
        let own = self.expressions.iter().filter_map(|expressions| expressions.get(key));
        own.chain(self.shared).collect()
    }

    /// Returns true unless the configuration shows that nobody gives an attribute. It shows nothing of what is in a `dynamic` block.
    pub fn is_given(&self, key: &str) -> bool {
        self.expressions.is_empty() || !self.expressions_of(key).is_empty()
    }

    fn refers(&self, key: &str) -> bool {
        self.expressions_of(key).iter().any(|expression| expression.get("references").is_some())
    }

    /// Returns nested blocks in their order. A set of blocks that is given and not known is one block of which nothing is known.
    pub fn blocks(&self, key: &str) -> Vec<Block<'t>> {
        let masks = |mask: Option<Node<'t>>| -> Vec<Node<'t>> {
            mask.and_then(|mask| mask.get(key)).into_iter().flat_map(Node::items).collect()
        };
        let (unknown, sensitive) = (masks(self.unknown), masks(self.sensitive));
        let values = match self.value(key) {
            Value::Is(list) => list.elements(),
            Value::Absent => Vec::new(),
            Value::Unknown if !self.is_given(key) => return Vec::new(),
            Value::Unknown | Value::Hidden => return vec![self.unknown_block(key)],
        };
        let (expressions, shared) = self.configured(key);
        let count = values.len().max(unknown.len());
        let block = |at: usize| Block {
            values: values.get(at).copied().flatten(),
            // A mask leaves out what is known as a whole.
            unknown: unknown.get(at).copied().or_else(|| self.unknown.map(|_| Node(&FALSE))),
            sensitive: sensitive.get(at).copied(),
            expressions: match expressions.get(at) {
                Some(own) if expressions.len() == count => vec![*own],
                // A `dynamic` block makes more blocks than the configuration has.
                _ if expressions.len() < count => Vec::new(),
                _ => expressions.clone(),
            },
            hidden: Vec::new(),
            shared,
        };
        let is_there = |block: &Block<'t>| block.values.is_some() || block.unknown.is_some_and(is_marked);
        (0..count).map(block).filter(is_there).collect()
    }

    /// Returns a nested block of which nothing is known.
    pub fn unknown_block(&self, key: &str) -> Block<'t> {
        let (expressions, shared) = self.configured(key);
        Block { unknown: Some(Node(&TRUE)), expressions, shared, ..Self::default() }
    }

    /// The configuration of nested blocks: one expression for each, or one for all of them where they are written as an attribute.
    fn configured(&self, key: &str) -> (Vec<Node<'t>>, Option<Node<'t>>) {
        let is_whole = |node: &Node<'_>| node.get("references").is_some() || node.get("constant_value").is_some();
        let all: Vec<Node<'t>> = self.expressions_of(key).into_iter().flat_map(Node::items).collect();
        match all.iter().find(|node| is_whole(node)) {
            Some(whole) => (Vec::new(), Some(*whole)),
            None => (all, None),
        }
    }
}
