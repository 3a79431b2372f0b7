//! Resources of a plan or a state, and their values: known, absent, or known after the plan is applied only.

use super::super::tree::Node;
use super::address::{Call, Key};
use crate::account::ResourceId;

/// One instance of a resource.
pub struct Resource<'t> {
    /// Its full address.
    pub address: String,
    /// The instance of the module that it is in.
    pub module: Vec<Call>,
    /// A data source.
    pub data: bool,
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
        let is_whole = |node: &Node<'_>| node.get("references").is_some() || node.get("constant_value").is_some();
        self.expressions.is_empty() || self.expressions.iter().any(is_whole) || !self.expressions_of(key).is_empty()
    }

    fn refers(&self, key: &str) -> bool {
        self.expressions_of(key).iter().any(|expression| expression.get("references").is_some())
    }

    /// Returns nested blocks in their order.
    pub fn blocks(&self, key: &str) -> Vec<Block<'t>> {
        let masks = |mask: Option<Node<'t>>| -> Vec<Node<'t>> {
            mask.and_then(|mask| mask.get(key)).into_iter().flat_map(Node::items).collect()
        };
        let (unknown, sensitive) = (masks(self.unknown), masks(self.sensitive));
        let configured: Vec<Node<'t>> = self.expressions_of(key).into_iter().flat_map(Node::items).collect();
        let Some(list) = self.value(key).known() else { return Vec::new() };
        let blocks: Vec<Node<'t>> = list.items().collect();
        let aligned = configured.len() == blocks.len();
        blocks
            .iter()
            .enumerate()
            .map(|(at, values)| Block {
                values: Some(*values),
                unknown: unknown.get(at).copied(),
                sensitive: sensitive.get(at).copied(),
                expressions: match configured.get(at) {
                    Some(own) if aligned => vec![*own],
                    _ => configured.clone(),
                },
                hidden: Vec::new(),
                shared: None,
            })
            .collect()
    }
}
