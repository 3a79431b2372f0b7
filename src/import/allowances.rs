//! The file of `--allow`: a list of allowances by resource, for sources that have no comments.

use std::sync::Arc;

use super::fault::{Fault, Faults, Mistake};
use super::tree::{self, Node};
use crate::model::{SourceLocation, suggest};
use crate::topology::Source;

const KEYS: [&str; 4] = ["check", "resource", "reason", "until"];

/// The words of one allowance, as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceWords {
    /// The check's id.
    pub check: String,
    /// The resource: `aws_security_group.web`, `sg-0abc`.
    pub resource: String,
    /// The reason.
    pub reason: String,
    /// The last day.
    pub until: Option<String>,
    /// Where it begins.
    pub place: SourceLocation,
}

/// Reads a list of `{check, resource, reason, until}`, in YAML or JSON.
///
/// # Errors
/// All mistakes of the file.
///
/// ```
/// use sglab::import::allowances;
///
/// let text = "- {check: admin-from-anywhere, resource: sg-0abc, reason: a honeypot, until: 2027-01-31}\n";
/// let all = allowances("allow.yaml", text.into())?;
/// assert_eq!((all[0].resource.as_str(), all[0].until.as_deref()), ("sg-0abc", Some("2027-01-31")));
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn allowances(file: &str, text: Arc<str>) -> Result<Vec<AllowanceWords>, Faults> {
    let source = Source::shared(file, text.clone());
    let mut faults: Vec<Fault> = Vec::new();
    let mut fault = |mistake: Mistake| faults.push(mistake.placed(&source));
    let mut all = Vec::new();
    match tree::parse(&text) {
        Err(mistake) => fault(mistake),
        Ok(tree) => {
            let root = Node(&tree);
            if !root.is_list() {
                fault(
                    Mistake::new(root.span(), "allowances are a list")
                        .help("write `- {check: CHECK, resource: RESOURCE, reason: WHY}`"),
                );
            }
            for item in root.items().filter(|_| root.is_list()) {
                for (key, value) in item.entries().filter(|(key, _)| !KEYS.contains(key)) {
                    fault(
                        Mistake::new(value.span(), format!("an allowance has no `{key}`"))
                            .maybe_help(suggest(key, KEYS)),
                    );
                }
                let mut text_of = |key: &str| {
                    let text = item.text_of(key);
                    if text.is_none() {
                        fault(Mistake::new(item.span(), format!("an allowance lacks its `{key}`")));
                    }
                    text.map(str::to_owned)
                };
                let words = (text_of("check"), text_of("resource"), text_of("reason"));
                if let (Some(check), Some(resource), Some(reason)) = words {
                    let until = item.text_of("until").map(str::to_owned);
                    if until.is_none() && item.entries().any(|(key, _)| key == "until") {
                        fault(Mistake::new(item.span(), "`until` has no day: it would be for ever"));
                        continue;
                    }
                    all.push(AllowanceWords { check, resource, reason, until, place: source.place(item.span()) });
                }
            }
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(Faults::new(faults)) }
}
