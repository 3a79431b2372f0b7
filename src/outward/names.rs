//! Names of resources in a text: legal in its language, unique, and as alike as can be.

use std::borrow::Cow;
use std::collections::HashSet;

/// The longest part of a name that is taken from a label.
const MAX: usize = 100;

/// A kind of resource. Its names are unique among its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Vpc,
    Subnet,
    Group,
    List,
    Instance,
    Interface,
    Address,
}

/// The language whose names they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Letters, digits, `_` and `-`; the type of a resource stands before its name.
    Terraform,
    /// Letters and digits, in one space for all kinds.
    CloudFormation,
    /// Letters, digits and `_`, in one space for all kinds.
    Shell,
}

/// Names that are given already.
#[derive(Debug)]
pub struct Names {
    language: Language,
    given: HashSet<(Kind, String)>,
    /// Resources that would have a part of a name that is given.
    beginnings: HashSet<(Kind, String)>,
}

impl Names {
    pub fn of(language: Language) -> Self {
        Self { language, given: HashSet::new(), beginnings: HashSet::new() }
    }

    /// A name like the label, which no other resource of the kind has.
    pub fn unique(&mut self, kind: Kind, label: &str) -> String {
        let plain = match self.language {
            Language::Terraform => terraform(label),
            Language::CloudFormation => format!("{}{}", capitals(kind_word(kind)), capitals(label)),
            Language::Shell => format!("{}_{}", kind_word(kind), lowly(label)),
        };
        let mut name = plain.clone();
        let mut number = 2;
        while !self.is_free(kind, &name) {
            name = match self.language {
                Language::Terraform => format!("{plain}-{number}"),
                Language::CloudFormation => format!("{plain}N{number}"),
                Language::Shell => format!("{plain}_{number}"),
            };
            number += 1;
        }
        self.beginnings.extend(self.beginnings_of(&name).map(|beginning| (kind, beginning.to_owned())));
        self.given.insert((kind, name.clone()));
        name
    }

    /// Returns true if a name is no other resource's, and no part of a resource has it.
    fn is_free(&self, kind: Kind, name: &str) -> bool {
        let key = (kind, name.to_owned());
        let is_part = self.beginnings_of(name).any(|beginning| self.given.contains(&(kind, beginning.to_owned())));
        !self.given.contains(&key) && !self.beginnings.contains(&key) && !is_part
    }

    /// The resources whose part would have a name.
    fn beginnings_of<'n>(&self, name: &'n str) -> impl Iterator<Item = &'n str> + use<'n> {
        let endings = match self.language {
            Language::Terraform => &[][..],
            Language::CloudFormation => PARTS,
            Language::Shell => SHELL_PARTS,
        };
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        endings.iter().flat_map(move |ending| [name, stem].into_iter().filter_map(|name| name.strip_suffix(*ending)))
    }
}

/// Endings of the names of what belongs to a resource of a template; a number may follow.
const PARTS: &[&str] = &[
    "Block",
    "Ipv6",
    "Gateway",
    "GatewayAttachment",
    "Routes",
    "Internet",
    "InternetIpv6",
    "Ingress",
    "Egress",
    "Attachment",
    "Association",
];

/// The same of variables of a script.
const SHELL_PARTS: &[&str] = &["_ip", "_ipv6"];

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Vpc => "vpc",
        Kind::Subnet => "subnet",
        Kind::Group => "group",
        Kind::List => "list",
        Kind::Instance => "instance",
        Kind::Interface => "interface",
        Kind::Address => "address",
    }
}

fn terraform(label: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = label.chars().take(MAX).map(|c| if legal(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

/// `front door` is `FrontDoor`.
fn capitals(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words
        .flat_map(|word| word[..1].to_ascii_uppercase().chars().chain(word[1..].chars()).collect::<Vec<_>>())
        .collect();
    name.chars().take(MAX).collect()
}

fn lowly(label: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    label.chars().take(MAX).map(legal).collect()
}

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
    fn names_are_legal_and_unique_in_each_language() {
        let labels = ["web", "front door", "front/door", "1st", "日本", ""];
        let told = |language| {
            let mut names = Names::of(language);
            labels.map(|label| names.unique(Kind::Group, label))
        };
        assert_eq!(told(Language::Terraform), ["web", "front_door", "front_door-2", "_1st", "__", "_"]);
        let words = ["GroupWeb", "GroupFrontDoor", "GroupFrontDoorN2", "Group1st", "Group", "GroupN2"];
        assert_eq!(told(Language::CloudFormation), words);
        let words = ["group_web", "group_front_door", "group_front_door_2", "group_1st", "group___", "group_"];
        assert_eq!(told(Language::Shell), words);
    }

    #[test]
    fn no_name_is_that_of_a_part_of_another_resource() {
        let told = |language, labels: [&str; 3]| {
            let mut names = Names::of(language);
            labels.map(|label| names.unique(Kind::Vpc, label))
        };
        assert_eq!(
            told(Language::CloudFormation, ["a", "aBlock1", "aRoutes"]),
            ["VpcA", "VpcABlock1N2", "VpcARoutesN2"]
        );
        assert_eq!(told(Language::CloudFormation, ["aGateway", "b", "a"]), ["VpcAGateway", "VpcB", "VpcAN2"]);
        assert_eq!(told(Language::Shell, ["a", "a_ipv6", "a_ip"]), ["vpc_a", "vpc_a_ipv6_2", "vpc_a_ip_2"]);
        assert_eq!(told(Language::Terraform, ["a", "a_ipv6", "a_1"]), ["a", "a_ipv6", "a_1"]);
    }

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
