//! The sections of a topology file as they are written: those of one file put into another, and where two files differ.

use super::document::shape::Yaml;
use super::problem::{Diagnostic, Problems, Source, Span, quote};
use super::reading;
use super::tree::{Node, Value};
use crate::model::SourceLocation;

/// A file by its top-level keys, with the text of each.
pub struct Sections {
    source: Source,
    text: String,
    span: Span,
    entries: Vec<(Node, Node)>,
}

/// Parts of a file that may differ from another's.
#[derive(Clone, Copy, Debug)]
pub struct Freedom<'f> {
    /// Sections.
    pub sections: &'f [&'f str],
    /// Keys of the entries of sections, each by its section.
    pub keys: &'f [(&'f str, &'f str)],
    /// Keys that are refused wherever they are added, and why.
    pub refused: (&'f [&'f str], &'f str),
    /// What is told with each difference.
    pub help: &'f str,
}

/// An entry of a section that is written otherwise than in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedEntry {
    /// Its name.
    pub name: String,
    /// Its place in the changed file; of one that is missing, that of the section.
    pub place: SourceLocation,
}

impl Sections {
    /// Reads a file down to its sections.
    ///
    /// # Errors
    /// What is no YAML, or no mapping.
    pub fn of(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        let text = reading::text(bytes).map_err(|draft| Problems::new(&Source::new(file, ""), vec![draft]))?;
        let source = Source::new(file, text);
        let mut problems = Vec::new();
        let root = reading::root(text, &mut problems).map_err(|draft| Problems::new(&source, vec![draft]))?;
        match root {
            Some(Node { value: Value::Mapping(entries), span }) if problems.is_empty() => {
                Ok(Self { source, text: text.to_owned(), span, entries })
            }
            _ => {
                problems.push(Diagnostic::new(reading::START, "expected sections such as `groups:`"));
                Err(Problems::new(&source, problems))
            }
        }
    }

    /// Names the sections, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|(key, _)| word(key))
    }

    /// Tells where a section begins.
    pub fn place(&self, key: &str) -> SourceLocation {
        self.source.place(self.entry(key).map_or(self.span, |(key, _)| key.span))
    }

    /// The text without its opening comment, with sections of others in place of its own.
    pub fn with(&self, others: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for (index, (key, _)) in self.entries.iter().enumerate() {
            let start = self.line_of(key);
            let end = self.entries.get(index + 1).map_or(self.text.len(), |(next, _)| self.line_of(next));
            let other = others.iter().find(|(name, _)| word(key) == Some(name));
            let own = self.text.get(start..end).unwrap_or_default();
            match other {
                Some((_, text)) => {
                    out.push_str(text.trim_end());
                    out.push_str("\n\n");
                }
                None => out.push_str(own),
            }
        }
        out
    }

    /// The text of a section, from its key to the next.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        let index = self.entries.iter().position(|(key, _)| word(key) == Some(name))?;
        let start = self.line_of(&self.entries.get(index)?.0);
        let end = self.entries.get(index + 1).map_or(self.text.len(), |(next, _)| self.line_of(next));
        self.text.get(start..end)
    }

    /// A section with an empty list in place of each entry. Of an entry with keys some are kept, and some have an empty list too.
    pub fn emptied(&self, section: &str, kept: &[&str], emptied: &[&str]) -> String {
        let mut out = format!("{section}:\n");
        for (name, entry) in self.entry(section).and_then(|(_, all)| entries(all)).into_iter().flatten() {
            let among = |key: &Node, keys: &[&str]| word(key).is_some_and(|key| keys.contains(&key));
            let long = entries(entry).into_iter().flatten().filter_map(|(key, value)| {
                let value = if among(key, kept) { Yaml::of(value) } else { Yaml::List(Vec::new()) };
                (among(key, kept) || among(key, emptied)).then(|| (Yaml::of(key), value))
            });
            let long: Vec<_> = long.collect();
            let empty = if long.is_empty() { Yaml::List(Vec::new()) } else { Yaml::Map(long) };
            out.push_str(&format!("  {}: {}\n", Yaml::of(name).line(), empty.line()));
        }
        out
    }

    /// Checks that a file differs from this one in what is free only, whatever its layout and the order of its keys.
    ///
    /// # Errors
    /// The first difference of each section.
    pub fn check_fixed(&self, given: &Self, freedom: Freedom<'_>) -> Result<(), Problems> {
        let mut told = Vec::new();
        for (key, theirs) in &given.entries {
            let name = word(key).unwrap_or_default();
            match self.entry(name) {
                None => told.push(Diagnostic::new(key.span, format!("{} is no part of this exercise", quote(name)))),
                Some(_) if freedom.sections.contains(&name) => {}
                Some((_, own)) => {
                    let free = freedom.keys.iter().filter(|(section, _)| *section == name).map(|(_, key)| *key);
                    told.extend(difference(own, theirs, &free.collect::<Vec<_>>(), freedom.refused));
                }
            }
        }
        let missing = self.keys().filter(|key| given.entry(key).is_none());
        told.extend(missing.map(|key| Diagnostic::new(given.span.beginning(), format!("`{key}` is missing"))));
        if told.is_empty() {
            return Ok(());
        }
        Err(Problems::new(&given.source, told.into_iter().map(|draft| draft.help(freedom.help)).collect()))
    }

    /// Lists the entries of a section that a file has otherwise, more or fewer.
    pub fn changed(&self, given: &Self, section: &str) -> Vec<ChangedEntry> {
        let all = |of: &Self| of.entry(section).and_then(|(_, all)| entries(all)).unwrap_or_default().to_vec();
        let (own, theirs) = (all(self), all(given));
        let find = |all: &[(Node, Node)], name: &Node| all.iter().find(|(key, _)| word(key) == word(name)).cloned();
        let named = |key: &Node| word(key).unwrap_or_default().to_owned();
        let changed = theirs.iter().filter(|(key, entry)| {
            find(&own, key).is_none_or(|(_, before)| difference(&before, entry, &[], (&[], "")).is_some())
        });
        let changed = changed.map(|(key, _)| ChangedEntry { name: named(key), place: given.source.place(key.span) });
        let gone = own.iter().filter(|(key, _)| find(&theirs, key).is_none());
        let gone = gone.map(|(key, _)| ChangedEntry { name: named(key), place: given.place(section) });
        changed.chain(gone).collect()
    }

    /// Checks that the file has no section but these.
    ///
    /// # Errors
    /// Each of the others.
    pub fn check_only(&self, allowed: &[&str], help: &str) -> Result<(), Problems> {
        let others = self.entries.iter().filter(|(key, _)| !word(key).is_some_and(|key| allowed.contains(&key)));
        let told = others.map(|(key, _)| {
            let message = format!("{} does not belong here", quote(word(key).unwrap_or_default()));
            Diagnostic::new(key.span, message).help(help)
        });
        let told: Vec<Diagnostic> = told.collect();
        if told.is_empty() { Ok(()) } else { Err(Problems::new(&self.source, told)) }
    }

    fn entry(&self, name: &str) -> Option<&(Node, Node)> {
        self.entries.iter().find(|(key, _)| word(key) == Some(name))
    }

    fn line_of(&self, key: &Node) -> usize {
        self.text.get(..key.span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
    }
}

fn word(node: &Node) -> Option<&str> {
    if let Value::Scalar(scalar) = &node.value { Some(&scalar.text) } else { None }
}

fn entries(node: &Node) -> Option<&[(Node, Node)]> {
    if let Value::Mapping(entries) = &node.value { Some(entries) } else { None }
}

/// Finds the first place where a value is not what another file has. `free` are keys of the values of a mapping that may differ.
fn difference(own: &Node, theirs: &Node, free: &[&str], refused: (&[&str], &str)) -> Option<Diagnostic> {
    let otherwise = |node: &Node| Diagnostic::new(node.span, "this is written otherwise in the file of the exercise");
    match (&own.value, &theirs.value) {
        (Value::Scalar(own), Value::Scalar(said)) => (own.text != said.text).then(|| otherwise(theirs)),
        (Value::Sequence(own), Value::Sequence(said)) => {
            let found = own.iter().zip(said).find_map(|(own, said)| difference(own, said, &[], refused));
            found.or_else(|| (own.len() != said.len()).then(|| otherwise(theirs)))
        }
        (Value::Mapping(own), Value::Mapping(said)) => {
            for (key, value) in said {
                let name = word(key).unwrap_or_default();
                let found = match own.iter().find(|(known, _)| word(known) == Some(name)) {
                    None if refused.0.contains(&name) => {
                        Some(Diagnostic::new(key.span, format!("{} is refused here: {}", quote(name), refused.1)))
                    }
                    None => {
                        let message = format!("{} is not in the file of the exercise", quote(name));
                        Some(Diagnostic::new(key.span, message))
                    }
                    Some((_, before)) if free.is_empty() => difference(before, value, &[], refused),
                    Some((_, before)) => difference(&without(before, free), &without(value, free), &[], refused),
                };
                if found.is_some() {
                    return found;
                }
            }
            let gone = own.iter().find_map(|(key, _)| {
                let name = word(key)?;
                let is_there = said.iter().any(|(it, _)| word(it) == Some(name));
                (!is_there).then(|| format!("{} is missing here", quote(name)))
            });
            gone.map(|message| Diagnostic::new(theirs.span.beginning(), message))
        }
        _ => Some(otherwise(theirs)),
    }
}

/// A mapping without these keys.
fn without(node: &Node, keys: &[&str]) -> Node {
    let mut node = node.clone();
    if let Value::Mapping(entries) = &mut node.value {
        entries.retain(|(key, _)| !word(key).is_some_and(|key| keys.contains(&key)));
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\nsglab: 1\nera: vpc\n\ngroups:\n  # whoever\n  web: [tcp 80 from anywhere]\n  db: {vpc: a, ingress: [tcp 1 from web]}\n  out: {egress: [tcp 1 to db]}\n\ninstances:\n  web1: {groups: web, listens: [tcp 80]}\n";

    fn sections(text: &str) -> Sections {
        Sections::of("t.yaml", text.as_bytes()).unwrap()
    }

    const FIXED: &[(&str, &str)] = &[];
    const FREE: &[(&str, &str)] = &[("instances", "groups")];

    fn refused(text: &str, keys: &[(&str, &str)]) -> String {
        let refused: (&[&str], &str) = (&["services"], "nothing is run");
        let freedom = Freedom { sections: &["groups"], keys, refused, help: "only `groups:` may change" };
        sections(FILE).check_fixed(&sections(text), freedom).map_or_else(|it| it.to_string(), |()| String::new())
    }

    #[test]
    fn a_section_takes_the_place_of_another_and_the_rest_stays_letter_by_letter() {
        let file = sections(FILE);
        let made = file.with(&[("groups", "groups:\n  web: []\n")]);
        assert_eq!(
            made,
            "sglab: 1\nera: vpc\n\ngroups:\n  web: []\n\ninstances:\n  web1: {groups: web, listens: [tcp 80]}\n"
        );
        assert_eq!(
            file.emptied("groups", &["vpc"], &["egress"]),
            "groups:\n  web: []\n  db: {vpc: a}\n  out: {egress: []}\n"
        );
        assert!(file.text_of("groups").unwrap().starts_with("groups:\n  # whoever"));
    }

    #[test]
    fn layout_and_groups_may_differ_and_nothing_else() {
        let other = "sglab: 1\ngroups: {web: []}\ninstances: {web1: {listens: [tcp 80], groups: web}}\nera: vpc\n";
        assert_eq!(refused(other, FIXED), "");
        let member = FILE.replace("groups: web,", "groups: [web, db],");
        assert_eq!(refused(&member, FREE), "");
        let said = refused(&member, FIXED);
        assert!(said.contains("t.yaml:12:18") && said.contains("only `groups:` may change"), "{said}");
        let listens = FILE.replace("tcp 80]}", "tcp 80], services: {}}");
        let said = refused(&listens, FREE);
        assert!(said.contains("`services` is refused here"), "{said}");
        let said = refused(&FILE.replace("era: vpc\n", "tables: {}\n"), FIXED);
        assert!(said.contains("`era` is missing") && said.contains("`tables` is no part"), "{said}");
        let another = FILE.to_owned() + "  web2: {groups: web}\n";
        assert!(refused(&another, FREE).contains("`web2` is not in the file"));
        assert!(refused(&FILE.replace("  web1:", "  web9:"), FREE).contains("web9"));
    }

    #[test]
    fn groups_that_were_changed_added_or_taken_away_are_named() {
        let given =
            FILE.replace("tcp 1 from web", "tcp 2 from web").replace("  out: {egress: [tcp 1 to db]}", "  new: []");
        let changed = sections(FILE).changed(&sections(&given), "groups");
        assert_eq!(changed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["db", "new", "out"]);
        assert_eq!(changed[0].place.line, 8);
    }
}
