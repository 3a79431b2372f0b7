//! Kinds of sources, recognised by their content.

use super::cloudformation;
use super::describe;
use super::fault::Mistake;
use super::tree::{self, Node};

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Replies of `aws ec2 describe-*`.
    Describe,
    /// Terraform: `terraform show -json` of a plan or a state, or a state file of version 4.
    Terraform,
    /// CloudFormation templates.
    Cloudformation,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Describe => "a reply of `aws ec2 describe-*`",
            Self::Terraform => "JSON of Terraform",
            Self::Cloudformation => "a CloudFormation template",
        })
    }
}

/// Returns true if a text is a topology of sglab's own: it has the key `sglab`, its version. Of one that cannot be read some line begins with it.
pub fn is_topology(text: &str) -> bool {
    let begins = |line: &str| {
        line.starts_with("sglab:")
            || ["\"sglab\":", "{\"sglab\":", "{sglab:"].iter().any(|key| line.trim_start().starts_with(key))
    };
    // Nearly every dump is large, and has the word nowhere.
    text.contains("sglab")
        && match tree::parse(text) {
            Ok(tree) => Node(&tree).entries().any(|(key, _)| key.trim_start_matches('\u{feff}') == "sglab"),
            Err(_) => text.trim_start_matches('\u{feff}').lines().any(begins),
        }
}

/// Tells a source's kind.
pub(super) fn recognise(root: Node<'_>) -> Result<Kind, Mistake> {
    let has = |key: &str| root.is_object() && root.get(key).is_some();
    if has("format_version") || has("terraform_version") || has("planned_values") {
        return Ok(Kind::Terraform);
    }
    if cloudformation::is_template(root) {
        return Ok(Kind::Cloudformation);
    }
    if describe::is_reply(root) {
        return Ok(Kind::Describe);
    }
    let mistake = Mistake::new(root.start(), "this is no source that sglab knows");
    Err(mistake.help("it reads replies of `aws ec2 describe-*`, `terraform show -json`, and CloudFormation templates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_named_sglab_makes_no_topology_of_a_state() {
        let state = "{\n  \"terraform_version\": \"1.9.0\",\n  \"tags\": {\n    \"sglab\": \"yes\"\n  }\n}\n";
        assert!(!is_topology(state));
        for topology in [
            "sglab: 1\n",
            "# a shop\nsglab: 1\ngroups: {web: &a []}\n",
            "{\"era\": \"vpc\", \"sglab\": 1}",
            "{sglab: 1}",
        ] {
            assert!(is_topology(topology), "{topology}");
        }
        // One that cannot be read is told its mistakes as what it is meant to be.
        assert!(is_topology("sglab: 1\ngroups: [\n") && !is_topology("shop: 1\n# sglab: 1\n"));
    }
}
