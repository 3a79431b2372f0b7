//! YAML as a tree that knows where each of its nodes stands.
//!
//! Reading into structs stops at the first thing that does not fit; a tree lets the reader go on and collect every
//! problem of a file. Aliases are expanded here, within limits, so that nobody above needs to know of them.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag, options};

use super::problem::{Diagnostic, Span};

/// Maximum depth of lists and mappings. Everything that walks the tree recurses at most this far.
const MAX_DEPTH: usize = 64;
/// Maximum number of nodes of a file once its aliases are expanded: as many as the largest file has that `import` writes. No more are kept for
/// aliases to repeat.
const MAX_NODES: usize = 1_000_000;
/// Start of a complaint of the YAML parser itself.
const NOT_YAML: &str = "this is not YAML";

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

/// Content of a node.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// A word, a number, a sentence, or nothing.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: String,
    /// Written without quotes, so that `80` is a number and an empty one is nothing.
    pub plain: bool,
    /// Offset of the text in the file, if the file holds it letter by letter; not so with escapes and line breaks.
    pub start: Option<usize>,
}

/// Type of a scalar in YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nothing,
    Boolean,
    Number,
    Text,
}

impl Scalar {
    /// A text that stands in a source letter by letter.
    pub fn new(text: &str, start: usize) -> Self {
        Self { text: text.to_owned(), plain: false, start: Some(start) }
    }

    /// Returns its type in YAML's core schema.
    pub fn kind(&self) -> Kind {
        if !self.plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Boolean,
            text if is_number(text) => Kind::Number,
            _ => Kind::Text,
        }
    }
}

/// Returns true if YAML reads a plain word as a number. Addresses and names such as `1e` are text.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().any(|c| c.is_ascii_digit())
        && (text.parse::<f64>().is_ok() || digits.starts_with("0x") || digits.starts_with("0o"))
}

impl Node {
    /// Returns the truth value that stands there, if it is one.
    pub fn truth(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar(scalar) if scalar.kind() == Kind::Boolean => Some(scalar.text.eq_ignore_ascii_case("true")),
            _ => None,
        }
    }

    /// Describes its type, for "expected a list, found ...".
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Nothing => "nothing",
                Kind::Boolean => "a truth value",
                Kind::Number => "a number",
                Kind::Text => "text",
            },
        }
    }

    fn is_empty_scalar(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.plain && scalar.text.is_empty())
    }
}

/// Reads the one document of a file. Problems that leave the tree usable go into `problems`.
///
/// # Errors
/// The problem that ends reading: what is not YAML, or goes beyond a limit.
pub(super) fn parse(source: &str, problems: &mut Vec<Diagnostic>) -> Result<Option<Node>, Diagnostic> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder =
        Builder { source, problems, open: Vec::new(), anchors: HashMap::new(), nodes: 0, copies: 0, root: None };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(source, options) {
        let (event, span) = next.map_err(|error| builder.not_closed(not_yaml(source, &error)))?;
        let span = span.byte_range().map_or(Span { start: 0, end: 0 }, |r| Span { start: r.start, end: r.end });
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                builder.problems.push(
                    Diagnostic::new(span, "a second document begins here")
                        .help("a topology file is one document: remove the `---`"),
                );
                break;
            }
        }
        builder.take(event, span)?;
    }
    Ok(builder.root)
}

struct Builder<'s> {
    source: &'s str,
    problems: &'s mut Vec<Diagnostic>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    /// Nodes that are kept beside the tree, for aliases to repeat. Anchors within anchors keep the same ones once for each level.
    copies: usize,
    root: Option<Node>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    block: bool,
    start: Span,
    children: Vec<Node>,
    mapping: bool,
    /// Nodes when it began, to know its size at the end.
    nodes_before: usize,
    /// The deepest nesting below it.
    depth: usize,
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                let scalar = self.scalar(text.into_owned(), style, span);
                self.count(1, span)?;
                self.place(Node { value: Value::Scalar(scalar), span }, anchor, 1, 0)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.begin(style, anchor, span, false)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), span);
                self.begin(style, anchor, span, true)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(id) => {
                let Some(anchored) = self.anchors.get(&id) else {
                    return Err(Diagnostic::new(span, "this alias stands inside what it repeats"));
                };
                if self.open.len() + anchored.depth > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                let (nodes, depth) = (anchored.nodes, anchored.depth);
                // Counted before it is copied, so that a bomb of aliases takes no more memory than the largest file.
                self.nodes += nodes;
                if self.nodes > MAX_NODES {
                    return Err(too_many(span));
                }
                if let Some(node) = self.anchors.get(&id).map(|anchored| anchored.node.clone()) {
                    self.place(node, 0, nodes, depth)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, style: StructureStyle, anchor: usize, start: Span, mapping: bool) -> Result<(), Diagnostic> {
        self.count(1, start)?;
        if self.too_deep() {
            return Err(too_deep(start));
        }
        let block = style == StructureStyle::Block;
        let nodes_before = self.nodes;
        self.open.push(Open { anchor, block, start, children: Vec::new(), mapping, nodes_before, depth: 0 });
        Ok(())
    }

    fn end(&mut self, last: Span) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // A block has no closing sign: its first entry stands for it.
        let end = match open.children.first() {
            Some(first) if open.block => first.span.end,
            _ => last.end,
        };
        let span = Span { start: open.start.start, end: end.max(open.start.end) };
        let nodes = self.nodes - open.nodes_before + 1;
        let value = if open.mapping { self.mapping(open.children) } else { Value::Sequence(open.children) };
        self.place(Node { value, span }, open.anchor, nodes, open.depth + 1)
    }

    fn mapping(&mut self, children: Vec<Node>) -> Value {
        let mut entries: Vec<(Node, Node)> = Vec::with_capacity(children.len() / 2);
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut children = children.into_iter();
        while let (Some(key), Some(mut value)) = (children.next(), children.next()) {
            // Nothing stands nowhere; its key is where a reader looks.
            if value.is_empty_scalar() {
                value.span = key.span;
            }
            if let Value::Scalar(scalar) = &key.value {
                if let Some(first) = seen.get(&scalar.text) {
                    self.problems.push(
                        Diagnostic::new(
                            key.span,
                            format!("the key {} is given twice", super::problem::quote(&scalar.text)),
                        )
                        .related("first given here", *first),
                    );
                    continue;
                }
                seen.insert(scalar.text.clone(), key.span);
            }
            entries.push((key, value));
        }
        Value::Mapping(entries)
    }

    fn place(&mut self, node: Node, anchor: usize, nodes: usize, depth: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            self.copies += nodes;
            if self.copies > MAX_NODES {
                return Err(too_many(node.span));
            }
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        match self.open.last_mut() {
            Some(open) => {
                open.depth = open.depth.max(depth);
                open.children.push(node);
            }
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn scalar(&self, text: String, style: ScalarStyle, span: Span) -> Scalar {
        let quoted = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let start = span.start + quoted;
        let as_written = self.source.get(start..start + text.len()) == Some(text.as_str());
        Scalar { start: as_written.then_some(start), plain: style == ScalarStyle::Plain, text }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(too_many(span)) } else { Ok(()) }
    }

    /// Adds to invalid YAML the bracket further up that is still open, which often is the cause.
    fn not_closed(&self, draft: Diagnostic) -> Diagnostic {
        match self.open.iter().rev().find(|open| !open.block) {
            Some(open) if draft.message().starts_with(NOT_YAML) => {
                draft.related("this bracket is still open there", open.start)
            }
            _ => draft,
        }
    }

    fn too_deep(&self) -> bool {
        self.open.len() >= MAX_DEPTH
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag {
            let tag = super::problem::quote(&tag.original());
            self.problems
                .push(Diagnostic::new(span, format!("the YAML tag {tag} means nothing here")).help("remove it"));
        }
    }
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(span, format!("lists and mappings nest deeper than {MAX_DEPTH} levels"))
}

fn too_many(span: Span) -> Diagnostic {
    Diagnostic::new(span, format!("the file has more than {MAX_NODES} values, with its aliases expanded"))
}

fn not_yaml(source: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(source.len()).min(source.len());
    let span = Span { start: at, end: at };
    let tab = source[..at].ends_with('\t') || source[at..].starts_with('\t');
    match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            Diagnostic::new(span, "a tab indents this line").help("YAML allows only spaces there")
        }
        _ if tab => Diagnostic::new(span, "a tab stands where YAML allows only spaces").help("use spaces"),
        ErrorKind::RecursionLimitExceeded => too_deep(span),
        ErrorKind::UnknownAnchor => Diagnostic::new(span, "this alias repeats an anchor that the file does not have"),
        ErrorKind::UnclosedFlowCollection { open } => Diagnostic::new(span, format!("this `{open}` is never closed")),
        ErrorKind::UnclosedQuotedScalar => Diagnostic::new(span, "this quote is never closed"),
        kind => Diagnostic::new(span, format!("{NOT_YAML}: {kind}")),
    }
}
