//! Takes rules and comments out of the text of a topology. Whatever else stands there stays as it is, letter by letter.

use std::collections::HashSet;
use std::ops::Range;

use super::document::Document;
use super::document::shape::{Diagnostics, Or, Shape, Span};
use super::tree::{self, Node, Value};

/// A text without what was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The text.
    pub text: String,
    /// Lines of what was cut.
    pub lines: Lines,
}

/// Lines of what was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// They are gone.
    Gone,
    /// Other things stand on them.
    Left,
}

/// The reason why something cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutFault {
    /// The text is no YAML.
    #[error("the file cannot be read")]
    NotYaml,
    /// No list of rules has an entry there.
    #[error("no rule in the list of a group stands there")]
    NoRule,
    /// The rule has an anchor, or an alias repeats it: other places of the file would lose it, too.
    #[error("the file repeats the rule by an alias")]
    Repeated,
    /// Something else stands on the line on which an entry begins.
    #[error("the rule begins on a line with something else")]
    NotApart,
}

/// Takes a rule out of the list of its group. Line and column are those of the rule, from 1.
///
/// # Errors
/// [`CutFault`].
pub fn cut_rule(text: &str, place: (u32, u32)) -> Result<Cut, CutFault> {
    let start = offset(text, place).ok_or(CutFault::NoRule)?;
    let root = tree::parse(text, &mut Vec::new()).ok().flatten().ok_or(CutFault::NotYaml)?;
    let document = Document::read(&root, Document::WHAT, &mut Diagnostics(&mut Vec::new())).ok_or(CutFault::NoRule)?;
    let lists = rule_lists(&root, &document);
    let mut found = lists.into_iter().filter_map(|(key, list)| {
        let Value::Sequence(items) = &list.value else { return None };
        Some((key, list, items, items.iter().position(|item| item.span.start == start)?))
    });
    let (key, list, items, index) = found.next().ok_or(CutFault::NoRule)?;
    // A rule that an alias repeats is found once for each, all at the place of its anchor.
    if found.next().is_some() || has_anchor(text, start) {
        return Err(CutFault::Repeated);
    }
    if text[list.span.start..].starts_with('[') {
        return Ok(of_flow(text, items, index));
    }
    let gone = block_item(text, start)?;
    let without = |text: &str| format!("{}{}", &text[..gone.start], &text[gone.end..]);
    if items.len() > 1 {
        return Ok(Cut { text: without(text), lines: Lines::Gone });
    }
    // An empty list has to be said.
    let colon = text[key.end..].find(':').map(|at| key.end + at + 1).ok_or(CutFault::NotApart)?;
    let rest = without(text);
    Ok(Cut { text: format!("{} []{}", &rest[..colon], &rest[colon..]), lines: Lines::Gone })
}

/// Takes a comment away that begins at a line and column, from 1, and its line where nothing else stands there.
pub fn cut_comment(text: &str, place: (u32, u32)) -> Option<String> {
    let start = offset(text, place).filter(|start| text[*start..].starts_with('#'))?;
    let line = line_of(text, start);
    let before = &text[line.start..start];
    if before.trim().is_empty() {
        return Some(format!("{}{}", &text[..line.start], &text[line.end..]));
    }
    let content = text[line.clone()].trim_end_matches(['\r', '\n']).len();
    let kept = line.start + before.trim_end().len();
    Some(format!("{}{}", &text[..kept], &text[line.start + content..]))
}

/// Lists of rules of the groups, each with its key. The document says which keys they stand under.
fn rule_lists<'n>(root: &'n Node, document: &Document) -> Vec<(Span, &'n Node)> {
    let groups = document.groups.get().into_iter().flat_map(|groups| &groups.entries);
    let long = groups.filter_map(|entry| match entry.value.as_ref()? {
        Or::Long(group) => Some([group.ingress.key, group.egress.key]),
        Or::Short(_) => None,
    });
    let of_long: HashSet<usize> = long.flatten().flatten().map(|key| key.start).collect();
    let Value::Mapping(sections) = &root.value else { return Vec::new() };
    let section = sections.iter().find(|(key, _)| Some(key.span) == document.groups.key);
    let Some((_, Node { value: Value::Mapping(groups), .. })) = section else { return Vec::new() };
    let lists = groups.iter().flat_map(|(name, group)| match &group.value {
        Value::Mapping(fields) => {
            let lists = fields.iter().filter(|(key, _)| of_long.contains(&key.span.start));
            lists.map(|(key, list)| (key.span, list)).collect()
        }
        Value::Scalar(_) | Value::Sequence(_) => vec![(name.span, group)],
    });
    lists.collect()
}

/// An entry of a list in brackets, with one of the commas around it.
fn of_flow(text: &str, items: &[Node], index: usize) -> Cut {
    let end_of = |item: &Node| item.span.start + text[item.span.start..item.span.end].trim_end().len();
    let (start, end) = (items[index].span.start, end_of(&items[index]));
    let comma = text[end..].trim_start_matches([' ', '\t']);
    let comma = comma.starts_with(',').then(|| text.len() - comma.len() + 1);
    let behind = comma.unwrap_or(end);
    let (first, last) = (line_of(text, start), line_of(text, end));
    let rest = text[behind..last.end].trim();
    if text[first.start..start].trim().is_empty() && (rest.is_empty() || rest.starts_with('#')) {
        return Cut { text: format!("{}{}", &text[..first.start], &text[last.end..]), lines: Lines::Gone };
    }
    // An alias stands elsewhere, and the anchor of the next entry is no part of it.
    let is_comma = |between: Range<usize>| {
        text.get(between).is_some_and(|between| between.chars().all(|sign| matches!(sign, ',' | ' ' | '\t')))
    };
    let gone = match (items.get(index + 1), index.checked_sub(1).and_then(|before| items.get(before))) {
        (Some(next), _) if is_comma(end..next.span.start) => start..next.span.start,
        (None, Some(before)) if is_comma(end_of(before)..start) => end_of(before)..end,
        _ => start..behind,
    };
    Cut { text: format!("{}{}", &text[..gone.start], &text[gone.end..]), lines: Lines::Left }
}

/// Tells whether an entry has an anchor, `&x tcp 80 from anywhere`.
fn has_anchor(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end();
    before.rsplit(|sign: char| sign.is_whitespace() || "[,".contains(sign)).next().is_some_and(|it| it.starts_with('&'))
}

/// The lines of an entry with a dash: to the last that is indented further and says something.
fn block_item(text: &str, start: usize) -> Result<Range<usize>, CutFault> {
    let first = line_of(text, start);
    let dash = text[first.start..start].trim_start_matches(' ');
    if dash.trim_end() != "-" {
        return Err(CutFault::NotApart);
    }
    let indent = start - first.start - dash.len();
    let mut end = first.end;
    let mut next = first.end;
    while next < text.len() {
        let line = line_of(text, next);
        let words = text[line.clone()].trim();
        next = line.end;
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if text[line.clone()].len() - text[line.clone()].trim_start_matches(' ').len() <= indent {
            break;
        }
        end = line.end;
    }
    Ok(first.start..end)
}

/// The line of a position, with its end.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    start..end
}

fn offset(text: &str, (line, column): (u32, u32)) -> Option<usize> {
    let mut start = 0;
    for _ in 1..line {
        start += text[start..].find('\n')? + 1;
    }
    let mut characters = text[start..].char_indices();
    characters.nth(column.checked_sub(1)? as usize).map(|(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(groups: &str, rule: &str) -> Cut {
        let text = format!("sglab: 1\nera: vpc\ngroups:\n{groups}instances: {{a: {{groups: web}}}}\n");
        let at = text.find(rule).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        let column = at - text[..at].rfind('\n').unwrap();
        let cut = cut_rule(&text, (u32::try_from(line).unwrap(), u32::try_from(column).unwrap())).unwrap();
        let groups = cut.text.strip_prefix("sglab: 1\nera: vpc\ngroups:\n").unwrap();
        Cut { text: groups.strip_suffix("instances: {a: {groups: web}}\n").unwrap().to_owned(), ..cut }
    }

    #[test]
    fn a_rule_goes_and_the_layout_of_the_rest_stays() {
        for (before, rule, after, lines) in [
            ("  web: [a, b,  c] # d\n", "a, ", "  web: [b,  c] # d\n", Lines::Left),
            ("  web: [a, b,  c] # d\n", "b,", "  web: [a, c] # d\n", Lines::Left),
            ("  web: [a, b,  c] # d\n", "c]", "  web: [a, b] # d\n", Lines::Left),
            ("  web: [a b c] # d\n", "a b", "  web: [] # d\n", Lines::Left),
            ("  web: ['a', {protocol: tcp}]\n", "'a'", "  web: [{protocol: tcp}]\n", Lines::Left),
            ("  web: ['a', {protocol: tcp}]\n", "{protocol", "  web: ['a']\n", Lines::Left),
            ("  web: [\n    a,  # x\n    b,  # y\n  ]\n", "b,", "  web: [\n    a,  # x\n  ]\n", Lines::Gone),
            ("  web: [\n    a,  # x\n    b]\n", "b]", "  web: [\n    a,  # x\n    ]\n", Lines::Left),
            ("  web: [a,\n    b]\n", "a,", "  web: [\n    b]\n", Lines::Left),
            ("  web:\n    - a b # x\n    # y\n    - c\n", "a b", "  web:\n    # y\n    - c\n", Lines::Gone),
            ("  web: # x\n    - a b\n  db: []\n", "a b", "  web: [] # x\n  db: []\n", Lines::Gone),
            ("  web:\n  - a b\n  - c d\n", "c d", "  web:\n  - a b\n", Lines::Gone),
            (
                "  web:\n    ingress:\n      - protocol: tcp\n        port: 1\n\n      - c d\n",
                "protocol",
                "  web:\n    ingress:\n\n      - c d\n",
                Lines::Gone,
            ),
            ("  web: {egress: [a b], ingress: [c d]}\n", "a b", "  web: {egress: [], ingress: [c d]}\n", Lines::Left),
            ("  web:\r\n    - a b\r\n    - c\r\n", "a b", "  web:\r\n    - c\r\n", Lines::Gone),
        ] {
            assert_eq!(without(before, rule), Cut { text: after.to_owned(), lines }, "{before}");
        }
    }

    #[test]
    fn a_rule_beside_an_alias_goes_and_one_that_an_alias_repeats_does_not() {
        let cut = |groups: &str, at: usize| {
            let text = format!("groups: {groups}\n");
            cut_rule(&text, (1, u32::try_from("groups: ".len() + at + 1).unwrap())).map(|cut| cut.text)
        };
        let after = |groups: &str| Ok(format!("groups: {groups}\n"));
        for (before, rule, left) in [
            ("{A: [&x a], B: [b c, *x]}", "b c", "{A: [&x a], B: [ *x]}"),
            ("{A: [&x a], B: [*x, b c]}", "b c", "{A: [&x a], B: [*x, ]}"),
            ("{A: [b c, &x a], B: [*x]}", "b c", "{A: [ &x a], B: [*x]}"),
        ] {
            assert_eq!(cut(before, before.find(rule).unwrap()), after(left));
            let text = format!("groups: {left}\n");
            assert!(tree::parse(&text, &mut Vec::new()).is_ok_and(|root| root.is_some()), "{text}");
        }
        for (text, rule) in [
            ("{A: [&x b c], B: [a, *x]}", "b c"),
            ("{A: [&x b c, a], T: []}", "b c"),
            ("{A: &all [b c], B: *all}", "b c"),
            ("{A: &all {ingress: [b c]}, B: *all}", "b c"),
        ] {
            assert_eq!(cut(text, text.find(rule).unwrap()), Err(CutFault::Repeated), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_of_a_group_is_not_cut() {
        let text = "sglab: 1\ngroups: {web: [a b]}\ntables: {t: {open: [a b]}}\n";
        assert_eq!(cut_rule(text, (2, 15)), Err(CutFault::NoRule));
        assert_eq!(cut_rule(text, (3, 20)), Err(CutFault::NoRule));
        assert_eq!(cut_rule("a: [", (1, 1)), Err(CutFault::NotYaml));
        assert_eq!(cut_rule(text, (9, 1)), Err(CutFault::NoRule));
    }

    #[test]
    fn a_comment_goes_with_its_line_if_it_stands_alone() {
        assert_eq!(cut_comment("a: b  # c\nd: e\n", (1, 7)).unwrap(), "a: b\nd: e\n");
        assert_eq!(cut_comment("a: b  # c\r\nd: e\n", (1, 7)).unwrap(), "a: b\r\nd: e\n");
        assert_eq!(cut_comment("x:\n  # c\n  d: e\n", (2, 3)).unwrap(), "x:\n  d: e\n");
        assert_eq!(cut_comment("a: b # c # d", (1, 10)).unwrap(), "a: b # c");
        assert_eq!(cut_comment("a: b", (1, 1)), None);
    }
}
