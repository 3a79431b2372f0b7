//! The JSON Schema of mappings.

use serde_json::{Map, Value, json};

/// A key, as the schema describes it.
pub struct Described {
    /// The key.
    pub key: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    /// True if it must be there.
    pub needed: bool,
    /// True if one of those that say so must be there.
    pub either: bool,
    /// True if the mapping that is under it must not be empty.
    pub some: bool,
    /// True if no two items of the list that is under it are the same.
    pub unique: bool,
    /// Schema of what is under it.
    pub schema: Value,
}

/// A mapping with these keys and no others; `some`: with one of them at least.
pub fn mapping_schema(doc: &[&str], fields: Vec<Described>, some: bool) -> Value {
    let needed: Vec<_> = fields.iter().filter(|field| field.needed).map(|field| field.key).collect();
    let either: Vec<_> = fields.iter().filter(|field| field.either).map(|it| json!({"required": [it.key]})).collect();
    let property = |Described { key, doc, some, unique, schema, .. }: Described| {
        let schema = described(schema, doc);
        let schema = if some { with(schema, "minProperties", 1) } else { schema };
        (key.to_owned(), if unique { with(schema, "uniqueItems", true) } else { schema })
    };
    let properties: Map<String, Value> = fields.into_iter().map(property).collect();
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !needed.is_empty() {
        schema = with(schema, "required", needed);
    }
    if !either.is_empty() {
        schema = with(schema, "anyOf", either);
    }
    if some {
        schema = with(schema, "minProperties", 1);
    }
    described(schema, doc)
}

/// A mapping with one of these keys, and nothing else.
pub fn one_of_schema(doc: &[&str], fields: Vec<Described>) -> Value {
    // A mapping of names that names nobody is a mistake.
    let named = |schema: Value| match schema.get("type").and_then(Value::as_str) {
        Some("object") => with(schema, "minProperties", 1),
        _ => schema,
    };
    let one = |field: Described| {
        mapping_schema(field.doc, vec![Described { doc: &[], schema: named(field.schema), ..field }], false)
    };
    described(json!({"oneOf": fields.into_iter().map(one).collect::<Vec<_>>()}), doc)
}

/// Adds the words of a documentation as the schema's description.
pub fn described(schema: Value, doc: &[&str]) -> Value {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return schema;
    }
    // Nothing that stands beside a reference is heard.
    let schema = if schema.get("$ref").is_some() { json!({"allOf": [schema]}) } else { schema };
    with(schema, "description", lines.join("\n"))
}

fn with(mut schema: Value, key: &str, value: impl Into<Value>) -> Value {
    schema[key] = value.into();
    schema
}

/// With the keys of others.
pub fn merged(schema: Value, more: &[Value]) -> Value {
    let more = more.iter().filter_map(Value::as_object).flatten();
    more.fold(schema, |schema, (key, value)| with(schema, key, value.clone()))
}
