//! Files that say what an account admits, by group: made once, then held against what the account admits later.

use indexmap::IndexSet;

use super::fault::{Faults, Mistake};
use super::tree::{self, Node};
use crate::model::SourceLocation;
use crate::topology::Source;

/// The one key of such a file.
const KEY: &str = "admits";

/// Its first lines.
const HEAD: &str = "# What the imported cloud admits, by group. Nothing writes it anew but
# `sglab test --import SOURCE --expect FILE --accept`.
";

/// A line of such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedPassage {
    /// Sender and receiver with its port: `web -> db:5432`.
    pub flow: String,
    /// Its place.
    pub place: SourceLocation,
}

/// Reads such a file.
///
/// # Errors
/// All its mistakes.
///
/// ```
/// let read = sglab::import::read_expectations("shop.expect.yaml", "admits:\n  - web -> db:5432\n")?;
/// assert_eq!((read[0].flow.as_str(), read[0].place.line), ("web -> db:5432", 2));
/// assert!(sglab::import::read_expectations("shop.expect.yaml", "admit: []\n").is_err());
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn read_expectations(file: &str, text: &str) -> Result<Vec<ExpectedPassage>, Faults> {
    let source = Source::new(file, text);
    let one = |mistake: Mistake| Faults::new(vec![mistake.placed(&source)]);
    let tree = tree::parse(text).map_err(one)?;
    let root = Node(&tree);
    let mut faults = Vec::new();
    for (key, value) in root.entries().filter(|(key, _)| *key != KEY) {
        let mistake = Mistake::new(value.span(), format!("unknown key `{key}`"));
        faults.push(mistake.maybe_help(crate::model::suggest(key, [KEY])).placed(&source));
    }
    if !root.entries().any(|(key, _)| key == KEY) {
        faults.push(Mistake::new(root.span(), format!("`{KEY}` is missing")).placed(&source));
    }
    let mut passages = Vec::new();
    for item in root.items_of(KEY) {
        match item.text().filter(|text| text.contains(" -> ")) {
            Some(flow) => passages.push(ExpectedPassage { flow: flow.to_owned(), place: source.place(item.span()) }),
            None => faults
                .push(Mistake::new(item.span(), "this is no passage").help("such as `web -> db:5432`").placed(&source)),
        }
    }
    if faults.is_empty() { Ok(passages) } else { Err(Faults::new(faults)) }
}

/// Writes such a file: flows in sections, each below its name.
pub fn write_expectations(sections: &[(&str, IndexSet<String>)]) -> String {
    let mut text = format!("{HEAD}{KEY}:");
    for (name, flows) in sections.iter().filter(|(_, flows)| !flows.is_empty()) {
        text.push_str(&format!("\n  # {name}"));
        // Single quotes take every character as it is.
        text.extend(flows.iter().map(|flow| format!("\n  - '{}'", flow.replace('\'', "''"))));
    }
    text.push_str(if sections.iter().all(|(_, flows)| flows.is_empty()) { " []\n" } else { "\n" });
    text
}
