//! Kinds of sources, recognised by their content.

use super::describe;
use super::fault::Mistake;
use super::tree::Node;
use crate::topology::Span;

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Replies of `aws ec2 describe-*`.
    Describe,
    /// Terraform: `terraform show -json` of a plan or a state, or a state file of version 4.
    Terraform,
}

/// Tells a source's kind.
pub(super) fn recognise(root: Node<'_>) -> Result<Kind, Mistake> {
    let has = |key: &str| root.is_object() && root.get(key).is_some();
    if has("format_version") || has("terraform_version") || has("planned_values") {
        return Ok(Kind::Terraform);
    }
    if describe::is_reply(root) {
        return Ok(Kind::Describe);
    }
    let Span { start, .. } = root.span();
    let mistake = Mistake::new(Span { start, end: start }, "this is no source that sglab knows");
    Err(mistake.help("it reads replies of `aws ec2 describe-*`, and `terraform show -json`"))
}
