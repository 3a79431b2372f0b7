//! The file of `--allow`: a list of allowances by resource, for sources that have no comments.

use std::sync::Arc;

use super::fault::{Fault, Faults, Mistake};
use super::tree::{self, Node};
use crate::model::{SourceLocation, suggest};
use crate::topology::{Source, Span};

/// Keys that every allowance has beside those of its subject.
const KEYS: [&str; 2] = ["reason", "until"];

/// One allowance of a list: its subject by the keys that were asked for.
pub(super) struct Item<const N: usize> {
    pub subject: [String; N],
    pub reason: String,
    pub until: Option<String>,
    pub span: Span,
}

/// Reads a list of allowances, whose subjects have these keys.
pub(super) fn items<const N: usize>(
    list: Node<'_>,
    subject: [&'static str; N],
    fault: &mut impl FnMut(Mistake),
) -> Vec<Item<N>> {
    let mut all = Vec::new();
    for item in list.items().filter(|_| list.is_list()) {
        let known = || subject.into_iter().chain(KEYS);
        for (key, value) in item.entries().filter(|(key, _)| !known().any(|known| known == *key)) {
            let mistake = Mistake::new(value.span(), format!("an allowance has no `{key}`"));
            fault(mistake.maybe_help(suggest(key, known())));
        }
        let mut text_of = |key: &str| {
            let text = item.text_of(key);
            if text.is_none() {
                fault(Mistake::new(item.span(), format!("an allowance lacks its `{key}`")));
            }
            text.map(str::to_owned)
        };
        let (words, reason) = (subject.map(&mut text_of), text_of("reason"));
        let until = item.text_of("until").map(str::to_owned);
        if until.is_none() && item.entries().any(|(key, _)| key == "until") {
            fault(Mistake::new(item.span(), "`until` has no day: it would be for ever"));
            continue;
        }
        let Some(reason) = reason.filter(|_| words.iter().all(Option::is_some)) else { continue };
        all.push(Item { subject: words.map(Option::unwrap_or_default), reason, until, span: item.span() });
    }
    all
}

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
            for item in items(root, ["check", "resource"], &mut fault) {
                let [check, resource] = item.subject;
                let place = source.place(item.span);
                all.push(AllowanceWords { check, resource, reason: item.reason, until: item.until, place });
            }
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(Faults::new(faults)) }
}
