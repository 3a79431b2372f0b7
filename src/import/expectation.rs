//! Files that say what an account admits, by group: made once, then held against what the account admits later.

use indexmap::IndexSet;

use super::allowances::items;
use super::fault::{Faults, Mistake};
use super::tree::{self, Node};
use crate::model::SourceLocation;
use crate::topology::Source;

/// The key of what is admitted.
const ADMITS: &str = "admits";
/// The key of the numbers of members of the groups that it names.
const MEMBERS: &str = "members";
/// The key of what is allowed though a change opens it.
const ALLOWS: &str = "allows";

/// Such a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Passages that are admitted.
    pub admits: Vec<ExpectedPassage>,
    /// The groups of which it tells the number of members.
    pub members: Vec<ExpectedMembers>,
    /// Passages that may be newly open, each with a reason.
    pub allows: Vec<AllowedFlowWords>,
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

/// The words of an allowance, as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedFlowWords {
    /// Sender and receiver with its port: `anywhere -> web:443`.
    pub flow: String,
    /// The reason.
    pub reason: String,
    /// The last day.
    pub until: Option<String>,
    /// Its place.
    pub place: SourceLocation,
}

/// Reads such a file.
///
/// # Errors
/// All its mistakes.
///
/// ```
/// let text = "admits:\n  - web -> db:5432\nmembers: {web: 2}\nallows:\n  - {flow: 'anywhere -> web:443', reason: the launch, until: 2027-01-31}\n";
/// let read = sglab::import::read_expectations("shop.expect.yaml", text)?;
/// assert_eq!((read.admits[0].flow.as_str(), read.admits[0].place.line), ("web -> db:5432", 2));
/// assert_eq!((read.members[0].group.as_str(), read.members[0].count), ("web", 2));
/// assert_eq!((read.allows[0].flow.as_str(), read.allows[0].place.line), ("anywhere -> web:443", 5));
/// assert!(sglab::import::read_expectations("shop.expect.yaml", "admit: []\n").is_err());
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn read_expectations(file: &str, text: &str) -> Result<Expectations, Faults> {
    let source = Source::new(file, text);
    let one = |mistake: Mistake| Faults::new(vec![mistake.placed(&source)]);
    let tree = tree::parse(text).map_err(one)?;
    let root = Node(&tree);
    let mut faults = Vec::new();
    let mut fault = |mistake: Mistake| faults.push(mistake.placed(&source));
    let keys = [ADMITS, MEMBERS, ALLOWS];
    for (key, value) in root.entries().filter(|(key, _)| !keys.contains(key)) {
        let mistake = Mistake::new(value.span(), format!("unknown key `{key}`"));
        fault(mistake.maybe_help(crate::model::suggest(key, keys)));
    }
    if !root.entries().any(|(key, _)| key == ADMITS || key == ALLOWS) {
        fault(Mistake::new(root.span(), format!("`{ADMITS}` is missing")));
    }
    let is_passage = |text: &str| text.contains(" -> ");
    let no_passage = |span| Mistake::new(span, "this is no passage").help("such as `web -> db:5432`");
    let mut read = Expectations::default();
    for item in root.items_of(ADMITS) {
        match item.text().filter(|text| is_passage(text)) {
            Some(flow) => read.admits.push(ExpectedPassage { flow: flow.to_owned(), place: source.place(item.span()) }),
            None => fault(no_passage(item.span())),
        }
    }
    if let Some(list) = root.get(ALLOWS) {
        if !list.is_list() {
            let mistake = Mistake::new(list.span(), format!("`{ALLOWS}` is a list"));
            fault(mistake.help("write `- {flow: 'anywhere -> web:443', reason: WHY}`"));
        }
        for item in items(list, ["flow"], &mut fault) {
            let [flow] = item.subject;
            if !is_passage(&flow) {
                fault(no_passage(item.span));
            }
            let place = source.place(item.span);
            read.allows.push(AllowedFlowWords { flow, reason: item.reason, until: item.until, place });
        }
    }
    for (group, value) in root.get(MEMBERS).into_iter().flat_map(Node::entries) {
        match value.number().and_then(|count| usize::try_from(count).ok()) {
            Some(count) => {
                let place = source.place(value.span());
                read.members.push(ExpectedMembers { group: group.to_owned(), count, place });
            }
            None => fault(Mistake::new(value.span(), "this is no number of members")),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Faults::new(faults)) }
}

/// Writes such a file: flows in sections, each below its name, the numbers of members, and allowances as they stand.
pub fn write_expectations(
    sections: &[(&str, IndexSet<String>)],
    members: impl IntoIterator<Item = (String, usize)>,
    allows: &[AllowedFlowWords],
) -> String {
    // Single quotes take every character as it is.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut text = format!("{HEAD}{ADMITS}:");
    for (name, flows) in sections.iter().filter(|(_, flows)| !flows.is_empty()) {
        text.push_str(&format!("\n  # {name}"));
        text.extend(flows.iter().map(|flow| format!("\n  - {}", quoted(flow))));
    }
    text.push_str(if sections.iter().all(|(_, flows)| flows.is_empty()) { " []\n" } else { "\n" });
    let members: Vec<String> =
        members.into_iter().map(|(group, count)| format!("  {}: {count}\n", quoted(&group))).collect();
    if !members.is_empty() {
        text.push_str(&format!("# A line above accepts a group whoever is in it. Another number of members\n# than this is a note, and no failure.\n{MEMBERS}:\n"));
        text.extend(members);
    }
    if !allows.is_empty() {
        text.push_str(&format!("{ALLOWS}:\n"));
    }
    for AllowedFlowWords { flow, reason, until, .. } in allows {
        let until = until.as_deref().map_or_else(String::new, |until| format!(", until: {}", quoted(until)));
        text.push_str(&format!("  - {{flow: {}, reason: {}{until}}}\n", quoted(flow), quoted(reason)));
    }
    text
}
