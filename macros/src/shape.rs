//! `#[derive(Shape)]`: a part of a topology file as a type. Its fields are the keys, its doc comments the schema's descriptions.
//!
//! The code is put together as text: what can be wrong in it is found where it is used, in one module of `sglab`.

use proc_macro::{Delimiter, TokenStream, TokenTree};
use std::fmt::Write;

/// The module of the derived traits.
const SHAPE: &str = "crate::topology::document::shape";

/// Attributes: `/// ...` and `#[shape("a security group", needed, others("sg"))]`.
#[derive(Default)]
struct Attributes {
    /// The lines of its documentation, as literals.
    doc: Vec<String>,
    /// Expected there, for messages; a literal.
    what: Option<String>,
    /// Expected where several may stand; a literal.
    many: Option<String>,
    /// `needed`: it must be there. `either`: one of those that say so must be. `some`: it holds something. `unique`: it holds nothing twice.
    flags: Vec<String>,
    /// Keys that other tools have for it, as literals; of an enum, each with what to write: `others("restart" = "stop, then start")`.
    others: Vec<String>,
}

/// A field, or a variant with what is in it.
struct Part {
    name: String,
    holds: String,
    said: Attributes,
}

impl Part {
    /// The key in the file: `source-dest-check` of `source_dest_check` and of `SourceDestCheck`.
    fn key(&self) -> String {
        let mut key = String::new();
        for c in self.name.trim_start_matches("r#").chars() {
            match c {
                '_' => key.push('-'),
                c if c.is_ascii_uppercase() => {
                    key.push_str(if key.is_empty() { "" } else { "-" });
                    key.push(c.to_ascii_lowercase());
                }
                c => key.push(c),
            }
        }
        key
    }

    fn doc(&self) -> String {
        self.said.doc.join(", ")
    }

    fn has(&self, flag: &str) -> bool {
        self.said.flags.iter().any(|it| it == flag)
    }
}

/// Code for a struct with named fields, or for an enum whose variants each hold one thing.
pub fn derive(item: TokenStream) -> Result<String, &'static str> {
    let mut tokens = item.into_iter().collect::<Vec<_>>().into_iter().peekable();
    let said = attributes(&mut tokens);
    let mut is_enum = false;
    let mut name = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word.to_string() == "enum" => is_enum = true,
            TokenTree::Ident(word) if !["pub", "struct"].contains(&word.to_string().as_str()) => {
                name = word.to_string()
            }
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                let parts = parts(body.stream(), is_enum)?;
                return Ok(if is_enum { of_enum(&name, &said, &parts) } else { of_struct(&name, &said, &parts) });
            }
            _ => {}
        }
    }
    Err("`Shape` is derived for a struct with named fields, or an enum")
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<TokenTree>>;

fn attributes(tokens: &mut Tokens) -> Attributes {
    let mut all = Attributes::default();
    while tokens.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#')).is_some() {
        let Some(TokenTree::Group(attribute)) = tokens.next() else { break };
        match attribute.stream().into_iter().collect::<Vec<_>>().as_slice() {
            [TokenTree::Ident(name), _, TokenTree::Literal(line)] if name.to_string() == "doc" => {
                all.doc.push(line.to_string());
            }
            [TokenTree::Ident(name), TokenTree::Group(words)] if name.to_string() == "shape" => {
                for word in words.stream() {
                    match word {
                        TokenTree::Literal(what) if all.what.is_none() => all.what = Some(what.to_string()),
                        TokenTree::Literal(many) => all.many = Some(many.to_string()),
                        TokenTree::Ident(flag) => all.flags.push(flag.to_string()),
                        TokenTree::Group(others) => {
                            let others = others.stream().into_iter();
                            all.others.extend(
                                others.filter(|it| matches!(it, TokenTree::Literal(_))).map(|it| it.to_string()),
                            );
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    all
}

fn parts(body: TokenStream, is_enum: bool) -> Result<Vec<Part>, &'static str> {
    let mut tokens = body.into_iter().collect::<Vec<_>>().into_iter().peekable();
    let mut parts = Vec::new();
    while tokens.peek().is_some() {
        let said = attributes(&mut tokens);
        tokens.next_if(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "pub"));
        let name = tokens.next().ok_or("a name is missing")?.to_string();
        let (mut holds, mut depth) = (TokenStream::new(), 0);
        for token in tokens.by_ref() {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ',' && depth == 0 => break,
                TokenTree::Punct(punct) if punct.as_char() == ':' && holds.is_empty() && !is_enum => continue,
                TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
                TokenTree::Punct(punct) if punct.as_char() == '>' => depth -= 1,
                TokenTree::Group(inside) if is_enum => {
                    holds.extend(inside.stream());
                    continue;
                }
                _ => {}
            }
            holds.extend([token]);
        }
        parts.push(Part { name, holds: holds.to_string(), said });
    }
    Ok(parts)
}

fn of_struct(name: &str, said: &Attributes, parts: &[Part]) -> String {
    let (mut keys, mut described, mut read, mut written) = (String::new(), String::new(), String::new(), String::new());
    let mut others = String::new();
    for part in parts.iter().filter(|part| !["at", "more"].contains(&part.name.as_str())) {
        let (key, field, value) = (part.key(), &part.name, format!("<{} as {SHAPE}::Keyed>::Value", part.holds));
        let what = part.said.what.clone().unwrap_or_else(|| format!("<{value} as {SHAPE}::Shape>::WHAT"));
        // Writing to a String cannot fail.
        let _ = write!(keys, "{key:?}, ");
        let here = format!("here it is `{key}:`");
        part.said.others.iter().for_each(|other| others.push_str(&format!("({other}, {here:?}), ")));
        let _ = write!(
            described,
            "{SHAPE}::Described {{ key: {key:?}, doc: &[{}], needed: {}, either: {}, some: {}, unique: {}, schema: definitions.of::<{value}>() }}, ",
            part.doc(),
            part.has("needed"),
            part.has("either"),
            part.has("some"),
            part.has("unique")
        );
        let _ = write!(read, "{field}: {SHAPE}::field(node, {key:?}, {what}, told), ");
        let _ = write!(written, "({key:?}, {SHAPE}::said(&self.{field})), ");
    }
    // Keys as a program says them, to be read like any other.
    let more = parts.iter().any(|part| part.name == "more");
    let (more, and_more) = if more { ("more: Vec::new(), ", ".and(&self.more)") } else { ("", "") };
    let at = if parts.iter().any(|part| part.name == "at") { "at" } else { "" };
    let let_at = if at.is_empty() { "_" } else { at };
    let some = said.flags.iter().any(|flag| flag == "some");
    let (what, doc) = (said.what.as_deref().unwrap_or("\"\""), said.doc.join(", "));
    let many = said.many.as_deref().unwrap_or(what);
    format!(
        "impl {SHAPE}::Shape for {name} {{
            const WHAT: &'static str = {what};
            const MANY: &'static str = {many};
            const IS_MAPPING: bool = true;
            fn name() -> Option<String> {{ Some({name:?}.to_owned()) }}
            fn schema(definitions: &mut {SHAPE}::Definitions) -> serde_json::Value {{
                {SHAPE}::mapping_schema(&[{doc}], vec![{described}], {some})
            }}
            fn read(node: &{SHAPE}::Node, what: &str, told: &mut {SHAPE}::Diagnostics) -> Option<Self> {{
                let {let_at} = told.fields(node, what, &[{keys}], &[{others}])?;
                Some(Self {{ {read} {more} {at} }})
            }}
            fn yaml(&self) -> {SHAPE}::Yaml {{ {SHAPE}::Yaml::fields(vec![{written}]){and_more} }}
        }}"
    )
}

fn of_enum(name: &str, said: &Attributes, parts: &[Part]) -> String {
    let (mut keys, mut described, mut read, mut key_of, mut written) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    for part in parts {
        let (key, variant, value) = (part.key(), &part.name, &part.holds);
        let what = part.said.what.clone().unwrap_or_else(|| format!("<{value} as {SHAPE}::Shape>::WHAT"));
        let _ = write!(keys, "{key:?}, ");
        let _ = write!(
            described,
            "{SHAPE}::Described {{ key: {key:?}, doc: &[{}], needed: true, either: false, some: false, unique: false, schema: definitions.of::<{value}>() }}, ",
            part.doc()
        );
        let _ = write!(read, "{key:?} => {SHAPE}::Shape::read(node, {what}, told).map(Self::{variant}), ");
        let _ = write!(key_of, "Self::{variant}(_) => {key:?}, ");
        let _ = write!(written, "Self::{variant}(it) => {SHAPE}::Shape::yaml(it), ");
    }
    let (what, doc) = (said.what.as_deref().unwrap_or("\"\""), said.doc.join(", "));
    let others: String = said.others.chunks(2).map(|pair| format!("({}), ", pair.join(", "))).collect();
    format!(
        "impl {SHAPE}::Tagged for {name} {{
            const WHAT: &'static str = {what};
            const NAME: &'static str = {name:?};
            const KEYS: &'static [&'static str] = &[{keys}];
            const SEVERAL: (&'static str, &'static str) = {SHAPE}::several({name:?});
            const OTHERS: &'static [(&'static str, &'static str)] = &[{others}];
            fn read(key: &str, node: &{SHAPE}::Node, told: &mut {SHAPE}::Diagnostics) -> Option<Self> {{
                match key {{ {read} _ => None }}
            }}
            fn key(&self) -> &'static str {{ match self {{ {key_of} }} }}
            fn value(&self) -> {SHAPE}::Yaml {{ match self {{ {written} }} }}
            fn schema(definitions: &mut {SHAPE}::Definitions) -> serde_json::Value {{
                {SHAPE}::one_of_schema(&[{doc}], vec![{described}])
            }}
        }}"
    )
}
