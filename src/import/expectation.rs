//! Files that say what an account admits, by group: made once, then held against what the account admits later.

use super::fault::{Faults, Mistake};
use super::tree::{self, Node};
use crate::model::SourceLocation;
use crate::topology::Source;

/// What is admitted.
const KEY: &str = "admits";
/// The numbers of members of the groups that it names.
const MEMBERS: &str = "members";

/// Such a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// What is admitted.
    pub passages: Vec<ExpectedPassage>,
    /// The groups of which it tells the number of members.
    pub members: Vec<ExpectedMembers>,
}

/// The number of members that a group had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedMembers {
    /// The group, by its short name.
    pub group: String,
    /// Its members.
    pub count: usize,
    /// Its place.
    pub place: SourceLocation,
}

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
/// assert_eq!((read.passages[0].flow.as_str(), read.passages[0].place.line), ("web -> db:5432", 2));
/// assert!(sglab::import::read_expectations("shop.expect.yaml", "admit: []\n").is_err());
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn read_expectations(file: &str, text: &str) -> Result<Expectations, Faults> {
    let source = Source::new(file, text);
    let one = |mistake: Mistake| Faults::new(vec![mistake.placed(&source)]);
    let tree = tree::parse(text).map_err(one)?;
    let root = Node(&tree);
    let mut faults = Vec::new();
    for (key, value) in root.entries().filter(|(key, _)| ![KEY, MEMBERS].contains(key)) {
        let mistake = Mistake::new(value.span(), format!("unknown key `{key}`"));
        faults.push(mistake.maybe_help(crate::model::suggest(key, [KEY, MEMBERS])).placed(&source));
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
    let mut members = Vec::new();
    for (group, value) in root.get(MEMBERS).into_iter().flat_map(Node::entries) {
        match value.number().and_then(|count| usize::try_from(count).ok()) {
            Some(count) => {
                members.push(ExpectedMembers { group: group.to_owned(), count, place: source.place(value.span()) })
            }
            None => faults.push(Mistake::new(value.span(), "this is no number of members").placed(&source)),
        }
    }
    if faults.is_empty() { Ok(Expectations { passages, members }) } else { Err(Faults::new(faults)) }
}

/// Writes such a file.
pub fn write_expectations(
    head: &str,
    flows: impl IntoIterator<Item = String>,
    members: impl IntoIterator<Item = (String, usize)>,
) -> String {
    let mut text = format!("# {head}\n{KEY}:");
    let mut any = false;
    // Single quotes take every character as it is.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    for flow in flows {
        any = true;
        text.push_str(&format!("\n  - {}", quoted(&flow)));
    }
    text.push_str(if any { "\n" } else { " []\n" });
    let members: Vec<String> =
        members.into_iter().map(|(group, count)| format!("  {}: {count}\n", quoted(&group))).collect();
    if !members.is_empty() {
        text.push_str(&format!("# A line above accepts a group whoever is in it. Another number than this is a note, and no failure.\n{MEMBERS}:\n"));
        text.extend(members);
    }
    text
}
