//! One Terraform plan as two accounts: the state that it was made against, and what it makes of that.

use std::collections::HashSet;

use super::builder::Builder;
use super::fault::{Faults, Mistake};
use super::kind::{self, Kind};
use super::reader::Reader;
use super::reading::{Text, finished, read};
use super::terraform;
use super::tree::{self, Node};
use crate::account::{Account, SecurityGroup, SourceKind};
use crate::topology::Source;

/// A plan before and after.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The account of `prior_state`: as Terraform found it when it planned.
    pub before: Account,
    /// The account of `planned_values`.
    pub after: Account,
}

/// Reads a plan as two accounts; nothing of what is no plan of Terraform.
///
/// # Errors
/// All its mistakes.
pub fn plan(text: &Text) -> Result<Option<Plan>, Faults> {
    let Ok(tree) = tree::parse(&text.text) else { return Ok(None) };
    let root = Node(&tree);
    if kind::recognise(root).ok() != Some(Kind::Terraform) || root.get("planned_values").is_none() {
        return Ok(None);
    }
    let mut after = read(std::slice::from_ref(text), Some(Kind::Terraform))?;
    let source = Source::shared(&text.name, text.text.clone());
    let mut builder = Builder::default();
    builder.account.sources.insert(SourceKind::Terraform);
    let mut reader = Reader { source: &source, into: &mut builder };
    match root.get("prior_state") {
        Some(state) => terraform::read(&mut reader, state),
        // The first plan of all has no state. One that changes what is there was cut.
        None => {
            let is_changed =
                |entry: &Node<'_>| terraform::actions(*entry).any(|action| !["create", "read"].contains(&action));
            let changed = root.items_of("resource_changes").find(is_changed);
            if let Some(changed) = changed {
                let mistake =
                    Mistake::new(changed.start(), "this plan changes what is there, and has no `prior_state`");
                reader.fault(mistake.help("give the whole output of `terraform show -json`"));
            }
        }
    }
    let mut before = finished(builder)?;
    let unchanged = unchanged(root);
    for account in [&mut before, &mut after] {
        settle(account, &unchanged);
    }
    Ok(Some(Plan { before, after }))
}

/// The addresses of resources that a plan leaves as they are.
fn unchanged(root: Node<'_>) -> HashSet<&str> {
    let is_unchanged = |entry: &Node<'_>| entry.get("deposed").is_none() && terraform::actions(*entry).eq(["no-op"]);
    root.items_of("resource_changes").filter(is_unchanged).filter_map(|entry| entry.text_of("address")).collect()
}

/// Gives what nobody knows of unchanged resources one digest: it is the same, though only the plan has its expressions.
fn settle(account: &mut Account, unchanged: &HashSet<&str>) {
    let rules = account.groups.values_mut().flat_map(SecurityGroup::all_rules_mut);
    let origins = rules.map(|rule| &mut rule.origin).chain(account.left_out.iter_mut().map(|item| &mut item.origin));
    for origin in origins.filter(|origin| unchanged.contains(origin.resource.as_str())) {
        origin.digest = 0;
    }
}
