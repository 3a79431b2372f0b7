//! A source as a tree of values with places: JSON, or the YAML of the AWS CLI and of CloudFormation.

use std::borrow::Cow;
use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, options};
use jsonc_parser::ast::{
    Array, BooleanLit, NullKeyword, NumberLit, Object, ObjectProp, ObjectPropName, StringLit, Value,
};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{ParseOptions, parse_to_ast};

use super::fault::Mistake;
use crate::topology::Span;

/// Nesting that real documents never reach.
const MAX_DEPTH: usize = 256;

/// Reads a text as JSON where it begins as such, else as YAML.
///
/// # Errors
/// The first place that cannot be read.
pub(super) fn parse(text: &str) -> Result<Value<'_>, Mistake> {
    match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
        None => Err(Mistake::new(Span::default(), "the source is empty")),
        Some('{' | '[') => json(text),
        Some(_) => yaml(text),
    }
}

fn json(text: &str) -> Result<Value<'_>, Mistake> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &Default::default(), &strict).map_err(|error| {
        let range = error.range();
        Mistake::new(span(range), format!("this is no JSON: {}", lower(&error.kind().to_string()))).help(
            "the document may be cut off; of several that follow each other each is a file of its own, in one folder",
        )
    })?;
    let value = parsed.value.ok_or_else(|| Mistake::new(Span::default(), "the source is empty"))?;
    match given_twice(&value) {
        Some(mistake) => Err(mistake),
        None => Ok(value),
    }
}

/// Finds a key that an object has twice: readers differ about which of them counts.
fn given_twice(value: &Value<'_>) -> Option<Mistake> {
    match value {
        Value::Array(array) => array.elements.iter().find_map(given_twice),
        Value::Object(object) => {
            let mut seen = HashSet::with_capacity(object.properties.len());
            let again = object.properties.iter().find(|property| !seen.insert(property.name.as_str()));
            let again = again.map(|property| twice(span(property.name.range()), property.name.as_str()));
            again.or_else(|| object.properties.iter().find_map(|property| given_twice(&property.value)))
        }
        _ => None,
    }
}

fn twice(at: Span, key: &str) -> Mistake {
    Mistake::new(at, format!("the key `{key}` is given twice"))
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// A list or a mapping of YAML whose end has not come yet.
enum Open<'a> {
    List(usize, Vec<Value<'a>>, Option<String>),
    Map(usize, Vec<ObjectProp<'a>>, Option<(usize, String)>, Option<String>),
}

fn yaml(text: &str) -> Result<Value<'_>, Mistake> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut root = None;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, marks) = next.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(0);
            Mistake::new(Span { start: at, end: at }, format!("this is no YAML: {}", error.info()))
        })?;
        let at = marks.byte_range().map_or(0..0, |range| range.start..range.end);
        let range = Range { start: at.start, end: at.end };
        let done = match event {
            Event::DocumentStart(..) if root.is_some() => {
                return Err(Mistake::new(span(range), "a second document begins here")
                    .help("give each document as a source of its own"));
            }
            Event::Alias(_) => {
                return Err(Mistake::new(span(range), "an alias stands here, which sglab does not follow"));
            }
            Event::Scalar(text, style, _, tag) => {
                let value = scalar(&text, style, range);
                Some(match tag.as_deref() {
                    Some(tag) if tag.handle() == "!" => short_form(tag.suffix(), value, range),
                    _ => value,
                })
            }
            Event::SequenceStart(_, _, tag) => {
                open.push(Open::List(range.start, Vec::new(), function(tag.as_deref())));
                None
            }
            Event::MappingStart(_, _, tag) => {
                open.push(Open::Map(range.start, Vec::new(), None, function(tag.as_deref())));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(start, elements, tag)) => {
                    let range = Range { start, end: range.end };
                    Some(named(tag, Value::Array(Array { elements, range }), range))
                }
                Some(Open::Map(start, properties, _, tag)) => {
                    let range = Range { start, end: range.end };
                    Some(named(tag, Value::Object(Object { properties, range }), range))
                }
                None => None,
            },
            _ => None,
        };
        let Some(value) = done else { continue };
        match open.last_mut() {
            None => root = Some(value),
            Some(Open::List(_, elements, _)) => elements.push(value),
            Some(Open::Map(_, properties, key, _)) => match key.take() {
                None => *key = Some(as_key(&value, text)),
                Some((start, name)) => {
                    let name_range = Range { start, end: start + name.len() };
                    let name = ObjectPropName::String(StringLit { range: name_range, value: Cow::Owned(name) });
                    properties.push(ObjectProp { range: Range { start, end: value.end() }, name, value });
                }
            },
        }
    }
    let root = root.ok_or_else(|| Mistake::new(Span::default(), "the source is empty"))?;
    match given_twice(&root) {
        Some(mistake) => Err(mistake),
        None => Ok(root),
    }
}

/// A key as a text: an account's number is none for YAML.
fn as_key(value: &Value<'_>, text: &str) -> (usize, String) {
    let name = match value {
        Value::StringLit(text) => text.value.clone().into_owned(),
        other => text.get(other.start()..other.end()).unwrap_or_default().to_owned(),
    };
    (value.start(), name)
}

/// A scalar by YAML's core schema. YAML of the AWS CLI quotes what would be read otherwise.
fn scalar<'a>(text: &str, style: ScalarStyle, range: Range) -> Value<'a> {
    if style == ScalarStyle::Plain {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Value::NullKeyword(NullKeyword { range }),
            "true" | "True" => return Value::BooleanLit(BooleanLit { range, value: true }),
            "false" | "False" => return Value::BooleanLit(BooleanLit { range, value: false }),
            _ => {}
        }
    }
    Value::StringLit(StringLit { range, value: Cow::Owned(text.to_owned()) })
}

/// CloudFormation's short form of an intrinsic function, as its long form: `!GetAtt A.B` is `{"Fn::GetAtt": "A.B"}`.
fn short_form<'a>(suffix: &str, value: Value<'a>, range: Range) -> Value<'a> {
    let name = if matches!(suffix, "Ref" | "Condition") { suffix.to_owned() } else { format!("Fn::{suffix}") };
    let name = ObjectPropName::String(StringLit { range, value: Cow::Owned(name) });
    Value::Object(Object { range, properties: vec![ObjectProp { range, name, value }] })
}

fn function(tag: Option<&granit_parser::Tag>) -> Option<String> {
    tag.filter(|tag| tag.handle() == "!").map(|tag| tag.suffix().to_owned())
}

fn named(tag: Option<String>, value: Value<'_>, range: Range) -> Value<'_> {
    match tag {
        Some(suffix) => short_form(&suffix, value, range),
        None => value,
    }
}

fn span(range: Range) -> Span {
    Span { start: range.start, end: range.end }
}

/// A value of a tree. `null`, `[]` and what is absent are one: tools write each for the others.
#[derive(Clone, Copy)]
pub(super) struct Node<'t>(pub &'t Value<'t>);

impl<'t> Node<'t> {
    /// Its place.
    pub fn span(self) -> Span {
        Span { start: self.0.start(), end: self.0.end() }
    }

    /// Its beginning, for mistakes that are of no single word.
    pub fn start(self) -> Span {
        Span { start: self.0.start(), end: self.0.start() }
    }

    /// The value of a key, unless it is null. A collector's `group_id` is `GroupId`, and `vpcs` is `Vpcs`.
    pub fn get(self, key: &str) -> Option<Node<'t>> {
        let Value::Object(object) = self.0 else { return None };
        let exact = object.properties.iter().find(|property| property.name.as_str() == key);
        let found = exact.or_else(|| object.properties.iter().find(|property| alike(property.name.as_str(), key)))?;
        Some(Node(&found.value)).filter(|node| !node.is_null())
    }

    /// The value below several keys.
    pub fn at(self, keys: &[&str]) -> Option<Node<'t>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of a key.
    pub fn text_of(self, key: &str) -> Option<&'t str> {
        self.get(key)?.text()
    }

    /// The items of a key; none where it is absent. A single object stands for a list of one.
    pub fn items_of(self, key: &str) -> impl Iterator<Item = Node<'t>> + use<'t> {
        self.get(key).into_iter().flat_map(Node::items)
    }

    /// Its items, if it is a list; else itself.
    pub fn items(self) -> impl Iterator<Item = Node<'t>> + use<'t> {
        let (list, single) = match self.0 {
            Value::Array(array) => (array.elements.as_slice(), None),
            Value::NullKeyword(_) => (&[][..], None),
            _ => (&[][..], Some(self)),
        };
        list.iter().map(Node).filter(|node| !node.is_null()).chain(single)
    }

    /// Its keys and values, in their order.
    pub fn entries(self) -> impl Iterator<Item = (&'t str, Node<'t>)> + use<'t> {
        let properties = match self.0 {
            Value::Object(object) => object.properties.as_slice(),
            _ => &[],
        };
        properties.iter().map(|property| (property.name.as_str(), Node(&property.value)))
    }

    /// Its elements, if it is a list; nothing in the place of one that is null.
    pub fn elements(self) -> Vec<Option<Node<'t>>> {
        let Value::Array(array) = self.0 else { return self.items().map(Some).collect() };
        array.elements.iter().map(|element| Some(Node(element)).filter(|node| !node.is_null())).collect()
    }

    /// Its keys and values, and those of everything below it.
    pub fn all_entries(self) -> Vec<(&'t str, Node<'t>)> {
        let (mut all, mut open) = (Vec::new(), vec![self]);
        while let Some(node) = open.pop() {
            if node.is_list() {
                open.extend(node.items());
            }
            all.extend(node.entries());
            open.extend(node.entries().map(|(_, value)| value));
        }
        all
    }

    /// Its keys with their places and values, in their order.
    pub fn properties(self) -> impl Iterator<Item = (&'t str, Span, Node<'t>)> + use<'t> {
        let properties = match self.0 {
            Value::Object(object) => object.properties.as_slice(),
            _ => &[],
        };
        properties.iter().map(|property| (property.name.as_str(), span(property.name.range()), Node(&property.value)))
    }

    /// Its text: a string, or a number as it stands.
    pub fn text(self) -> Option<&'t str> {
        match self.0 {
            Value::StringLit(text) => Some(text.value.as_ref()),
            Value::NumberLit(NumberLit { value, .. }) => Some(value),
            _ => None,
        }
    }

    /// Its whole number; a text that is one does as well.
    pub fn number(self) -> Option<i64> {
        self.text()?.trim().parse().ok()
    }

    /// Its truth; `"true"` does as well.
    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            Value::BooleanLit(lit) => Some(lit.value),
            _ => self.text().and_then(|text| text.parse().ok()),
        }
    }

    /// Returns true for an object.
    pub fn is_object(self) -> bool {
        matches!(self.0, Value::Object(_))
    }

    /// Returns true for a list.
    pub fn is_list(self) -> bool {
        matches!(self.0, Value::Array(_))
    }

    fn is_null(self) -> bool {
        matches!(self.0, Value::NullKeyword(_))
    }
}

/// `security_groups` and `SecurityGroups` are one key, as are `state` and `State`. Keys of small letters are no others.
pub(super) fn alike(written: &str, key: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    let is_of_aws = key.starts_with(|first: char| first.is_ascii_uppercase());
    is_of_aws && !written.bytes().any(|byte| byte.is_ascii_uppercase()) && letters(written).eq(letters(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_given_twice_is_a_mistake_at_its_second_place() {
        for (text, at) in [(r#"{"a": {"b": 1, "c": 2, "b": 3}}"#, 23), ("a:\n  b: 1\n  c: 2\n  b: 3\n", 19)] {
            let mistake = parse(text).unwrap_err();
            let told = format!("{mistake:?}");
            assert!(told.contains("the key `b` is given twice") && told.contains(&format!("start: {at}")), "{told}");
        }
    }
}
