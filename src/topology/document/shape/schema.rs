//! The JSON Schema of mappings.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

/// A key, as the schema describes it.
pub struct Described {
    /// The key.
    pub key: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    /// Whether it must be there.
    pub needed: bool,
    /// Whether one of those that say so must be there.
    pub either: bool,
    /// Whether the list that is under it must not be empty.
    pub some: bool,
    /// What is under it.
    pub schema: Schema,
}

/// A mapping with these keys and no others; `some`: with one of them at least.
pub fn mapping_schema(doc: &[&str], fields: Vec<Described>, some: bool) -> Schema {
    let needed: Vec<_> = fields.iter().filter(|field| field.needed).map(|field| field.key).collect();
    let either: Vec<_> = fields.iter().filter(|field| field.either).map(|it| json!({"required": [it.key]})).collect();
    let mut schema = json_schema!({"type": "object", "additionalProperties": false});
    if !needed.is_empty() {
        schema.insert("required".to_owned(), json!(needed));
    }
    if !either.is_empty() {
        schema.insert("anyOf".to_owned(), json!(either));
    }
    if some {
        schema.insert("minProperties".to_owned(), json!(1));
    }
    let properties: Map<String, Value> = fields
        .into_iter()
        .map(|Described { key, doc, some, mut schema, .. }| {
            describe(&mut schema, doc);
            if some {
                schema.insert("minItems".to_owned(), json!(1));
            }
            (key.to_owned(), schema.to_value())
        })
        .collect();
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    describe(&mut schema, doc);
    schema
}

/// A mapping with one of these keys, and nothing else.
pub fn one_of_schema(doc: &[&str], fields: Vec<Described>) -> Schema {
    let one = |field: Described| {
        let doc = field.doc;
        mapping_schema(doc, vec![Described { doc: &[], ..field }], false).to_value()
    };
    let choices: Vec<Value> = fields.into_iter().map(one).collect();
    let mut schema = json_schema!({"oneOf": choices});
    describe(&mut schema, doc);
    schema
}

/// With what the documentation says.
pub fn describe(schema: &mut Schema, doc: &[&str]) {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    if !lines.is_empty() {
        schema.insert("description".to_owned(), json!(lines.join("\n")));
    }
}
