//! Names and descriptions that a tool would take for a reference: EC2 takes them as they are.

use std::borrow::Cow;

use super::names::Language;

/// The text as it can be written: CloudFormation would put a secret in place of a dynamic reference, and the AWS CLI a file in place of a
/// value that names one.
///
/// Sources: "Get values stored in other services using dynamic references" (CloudFormation user guide); "Loading a parameter from a file"
/// (AWS CLI user guide).
pub fn literal(language: Language, text: &str) -> Cow<'_, str> {
    match language {
        Language::CloudFormation if text.contains("{{resolve:") => text.replace("{{resolve:", "{ {resolve:").into(),
        Language::Shell if ["file://", "fileb://"].iter().any(|scheme| text.starts_with(scheme)) => {
            text.replacen("://", ":/", 1).into()
        }
        Language::CloudFormation | Language::Shell | Language::Terraform => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_changes_its_own_references_only() {
        let (secret, file) = ("a {{resolve:ssm:/b}}", "file:///etc/passwd");
        assert_eq!(literal(Language::CloudFormation, secret), "a { {resolve:ssm:/b}}");
        assert_eq!(literal(Language::Shell, file), "file://etc/passwd");
        for (language, text) in [
            (Language::Terraform, secret),
            (Language::Terraform, file),
            (Language::CloudFormation, file),
            (Language::Shell, secret),
            (Language::Shell, "see file://x"),
        ] {
            assert_eq!(literal(language, text), text);
        }
    }
}
