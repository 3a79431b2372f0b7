//! Names and descriptions: which characters they are made of, and how many.
//!
//! Sources: CreateSecurityGroup, IpRange (EC2 API reference, 2014 and today); the texts are those in circulation in logs of
//! EC2's answers, but for that about the characters of a name, which is sglab's own.

use super::lookup::refuse;
use crate::model::cloud::Cloud;
use crate::model::cloud::DEFAULT_GROUP;
use crate::model::name::Ec2Name;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::shown::shown;

/// A name, and a description, has at most so many characters.
pub const MAX_NAME_LENGTH: usize = 255;

/// Characters allowed in a name and a description beside letters and digits of ASCII, in a VPC. EC2-Classic takes all of ASCII.
const MARKS: &str = " ._-:/()#,@[]+=&;{}!$*";

/// The name of a new group as EC2 keeps it: in a VPC without the spaces at its end.
pub(super) fn group_name(cloud: &Cloud, name: &str) -> Result<Ec2Name, Refusal> {
    let kept = if cloud.is_vpc() { name.trim_end_matches(' ') } else { name };
    let invalid = |why: &str| Err(parameter("GroupName", name, why));
    if kept.is_empty() {
        return Err(parameter("groupName", "", "The value cannot be empty"));
    }
    if !kept.is_ascii() {
        return invalid("Character sets beyond ASCII are not supported.");
    }
    if cloud.is_vpc() && kept.starts_with("sg-") {
        return invalid("Group names may not be in the format sg-*.");
    }
    if kept.len() > MAX_NAME_LENGTH || cloud.is_vpc() && !is_plain(kept) {
        let set = if cloud.is_vpc() { " from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*" } else { "" };
        return invalid(&format!("Valid names are strings less than 256 characters{set}."));
    }
    Ok(Ec2Name::new(kept))
}

/// Returns true if EC2 takes a text as the name of a new group of a VPC.
pub(crate) fn is_group_name(text: &str) -> bool {
    let plain = !text.is_empty() && text.len() <= MAX_NAME_LENGTH && is_plain(text);
    plain && !text.starts_with("sg-") && !text.ends_with(' ') && !text.eq_ignore_ascii_case(DEFAULT_GROUP)
}

/// Returns true if EC2 takes a text as the description of a group or a rule.
pub(crate) fn is_description(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_LENGTH && is_plain(text)
}

/// The description of a new group.
pub(super) fn group_description(cloud: &Cloud, text: &str) -> Result<(), Refusal> {
    if !text.is_ascii() {
        return Err(parameter("GroupDescription", text, "Character sets beyond ASCII are not supported."));
    }
    described(text, "security group", !cloud.is_vpc() || is_plain(text))
}

/// The description of a rule.
pub(super) fn rule_description(text: &str) -> Result<(), Refusal> {
    described(text, "rule", is_plain(text))
}

fn described(text: &str, of: &str, is_plain: bool) -> Result<(), Refusal> {
    if is_plain && text.len() <= MAX_NAME_LENGTH {
        return Ok(());
    }
    let message = format!(
        "Invalid {of} description. Valid descriptions are strings less than 256 characters from the following set: \
         a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
    );
    Err(refuse(RefusalCode::InvalidParameterValue, message))
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || MARKS.contains(c))
}

fn parameter(name: &str, value: &str, why: &str) -> Refusal {
    refuse(
        RefusalCode::InvalidParameterValue,
        format!("Value ({}) for parameter {name} is invalid. {why}", shown(value)),
    )
}

#[cfg(test)]
mod tests {
    use crate::model::sample::*;
    use crate::model::*;

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        match sample.try_apply(operation) {
            Ok(_) => panic!("{operation:?} was carried out"),
            Err(refusal) => refusal.to_string(),
        }
    }

    fn described(name: &str, text: &str) -> Operation {
        let Operation::CreateGroup(request) = create(name, "default") else { panic!("a new group") };
        Operation::CreateGroup(CreateGroup { description: Some(text.to_owned()), ..request })
    }

    fn rule_described(text: &str) -> Operation {
        let permission = Permission { description: Some(text.to_owned()), ..permission("tcp 22 from 10.0.0.0/8") };
        Operation::AuthorizeIngress(GroupName::new("g"), vec![permission])
    }

    #[test]
    fn names_of_groups_are_refused_in_ec2s_words() {
        use Era::{Article, Classic, Vpc};
        let long = "n".repeat(256);
        let set =
            "Valid names are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*.";
        let invalid = |name: &str, why: &str| {
            format!("InvalidParameterValue: Value ({name}) for parameter GroupName is invalid. {why}")
        };
        let empty = "InvalidParameterValue: Value () for parameter groupName is invalid. The value cannot be empty";
        let table = [
            (Vpc, "sg-017c251", invalid("sg-017c251", "Group names may not be in the format sg-*.")),
            (Vpc, "", empty.to_owned()),
            (Vpc, "  ", empty.to_owned()),
            (Classic, "", empty.to_owned()),
            (Vpc, "caf\u{e9}", invalid("caf\u{e9}", "Character sets beyond ASCII are not supported.")),
            (Article, "caf\u{e9}", invalid("caf\u{e9}", "Character sets beyond ASCII are not supported.")),
            (Vpc, "web%", invalid("web%", set)),
            (Vpc, &long, invalid(&long, set)),
            (Classic, &long, invalid(&long, "Valid names are strings less than 256 characters.")),
        ];
        for (era, name, expected) in table {
            assert_eq!(refusal(&Sample::new(era), &create(name, "default")), expected, "{era}");
        }
    }

    #[test]
    fn names_of_groups_are_as_long_and_as_strange_as_their_platform_takes_them() {
        let strange = "a Z.9_-:/()#,@[]+=&;{}!$*";
        let longest = "n".repeat(255);
        for name in [strange, longest.as_str(), "SG-T-WEB", "my-sg-1"] {
            for era in Era::ALL {
                Sample::new(era).with(create(name, "default"));
            }
        }
        let classic = Sample::new(Era::Classic).with(create("sg-1 %", "default"));
        assert_eq!(classic.0.groups[0].name.as_str(), "sg-1 %", "Classic takes any ASCII");
    }

    #[test]
    fn spaces_at_the_end_of_a_name_are_cut_off_in_a_vpc() {
        let vpc = Sample::new(Era::Vpc).with(create("web  ", "default"));
        assert_eq!(vpc.0.groups[0].name.as_str(), "web");
        let again = "InvalidGroup.Duplicate: The security group 'web' already exists for VPC 'default'";
        assert_eq!(refusal(&vpc, &create("web ", "default")), again);
        assert_eq!(refusal(&vpc, &create("Web", "default")), again, "in a VPC `Web` is `web`");
    }

    #[test]
    fn two_vpcs_hold_a_group_of_one_name_and_one_vpc_does_not() {
        let both = Sample::new(Era::Vpc).with(create_named("a", "web servers", "default"));
        let both = both.with(create_named("b", "web servers", "other"));
        assert_eq!(both.0.groups["a"].name, both.0.groups["b"].name);
        assert_ne!(both.0.groups["a"].id, both.0.groups["b"].id);
        let again = "InvalidGroup.Duplicate: The security group 'web servers' already exists for VPC 'default'";
        assert_eq!(refusal(&both, &create_named("c", "Web Servers", "default")), again);
        // EC2-Classic is one place for all of an account's groups.
        let classic = Sample::new(Era::Classic).with(create_named("a", "web servers", "default"));
        let again = "InvalidGroup.Duplicate: The security group 'web servers' already exists";
        assert_eq!(refusal(&classic, &create_named("b", "web servers", "default")), again);
        classic.with(create_named("b", "Web servers", "default"));
    }

    #[test]
    fn a_group_is_known_by_the_name_of_the_file_whatever_ec2_calls_it() {
        let named = Sample::new(Era::Vpc).with(create_named("sg-web", "a Z.9_-:/()#,@[]+=&;{}!$*", "default"));
        let named = named.with(authorize("sg-web", "tcp 80 from sg-web")).with(launch("web1", &["sg-web"]));
        assert_eq!(named.0.groups["sg-web"].name.as_str(), "a Z.9_-:/()#,@[]+=&;{}!$*");
        let taken = "InvalidGroup.Duplicate: The security group 'sg-web' already exists for VPC 'default'";
        assert_eq!(refusal(&named, &create_named("sg-web", "another", "default")), taken);
        let reserved = "InvalidParameterValue: Cannot use reserved security group name: default";
        assert_eq!(refusal(&named, &create_named("b", "Default", "default")), reserved);
        assert_eq!(refusal(&named, &create_named("default", "b", "default")), reserved);
    }

    #[test]
    fn in_classic_a_name_is_another_in_another_case() {
        for era in [Era::Article, Era::Classic] {
            let both = Sample::new(era).with(create("web", "default")).with(create("Web", "default"));
            assert_eq!(both.0.groups.len(), 2, "{era}");
        }
    }

    #[test]
    fn descriptions_have_the_characters_and_the_length_of_ec2() {
        let sample = Sample::new(Era::Vpc).group("g", &[]);
        let set = "Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. \
               _-:/()#,@[]+=&;{}!$*";
        let of_group = format!("InvalidParameterValue: Invalid security group description. {set}");
        let of_rule = format!("InvalidParameterValue: Invalid rule description. {set}");
        let (longest, long) = ("d".repeat(255), "d".repeat(256));
        for text in ["it's", long.as_str()] {
            assert_eq!(refusal(&sample, &described("h", text)), of_group, "{text}");
            assert_eq!(refusal(&sample, &rule_described(text)), of_rule, "{text}");
        }
        for text in ["a-z A-Z 0-9 ._-:/()#,@[]+=&;{}!$*", longest.as_str()] {
            sample.clone().with(described("h", text)).with(rule_described(text));
        }
        let beyond = "InvalidParameterValue: Value (caf\u{e9}) for parameter GroupDescription is invalid. Character sets \
                  beyond ASCII are not supported.";
        assert_eq!(refusal(&sample, &described("h", "caf\u{e9}")), beyond);
        assert_eq!(refusal(&sample, &rule_described("caf\u{e9}")), of_rule);
        Sample::new(Era::Classic).with(described("h", "it's ASCII"));
        assert_eq!(refusal(&Sample::new(Era::Classic), &described("h", "caf\u{e9}")), beyond);
    }

    #[test]
    fn a_description_is_no_part_of_what_a_rule_is() {
        let sample = Sample::new(Era::Vpc).group("g", &[]).with(rule_described("one"));
        let duplicate = "InvalidPermission.Duplicate: the specified rule \"peer: 10.0.0.0/8, TCP, from port: 22, to port: \
                     22, ALLOW\" already exists";
        assert_eq!(refusal(&sample, &rule_described("another")), duplicate);
        let none = sample.with(revoke("g", "tcp 22 from 10.0.0.0/8"));
        assert!(none.0.groups[0].ingress.is_empty(), "revoked by what it says");
    }

    /// The rules of `g`, each with a description or without.
    fn anew(rules: &[(&str, Option<&str>)]) -> Operation {
        let of = |(rule, text): &(&str, Option<&str>)| Permission {
            description: text.map(str::to_owned),
            ..permission(rule)
        };
        Operation::UpdateDescription(GroupName::new("g"), rules.iter().map(of).collect())
    }

    #[test]
    fn a_rule_is_described_anew_and_is_the_same_rule() {
        let (ssh, web) = ("tcp 22 from 10.0.0.0/8", "tcp 80 from anywhere");
        for era in Era::ALL {
            let sample = Sample::new(era).group("g", &[ssh, web]);
            let told = sample.clone().with(anew(&[(ssh, Some("bastion")), (web, Some("shop"))]));
            let descriptions = |sample: &Sample| -> Vec<Option<String>> {
                sample.0.groups["g"].ingress.iter().map(|rule| rule.description.clone()).collect()
            };
            assert_eq!(descriptions(&told), [Some("bastion".to_owned()), Some("shop".to_owned())], "{era}");
            let bare = |sample: &Sample| -> Vec<Rule> {
                sample.0.groups["g"].ingress.iter().map(|rule| Rule { description: None, ..rule.clone() }).collect()
            };
            assert_eq!(bare(&told), bare(&sample), "id, words and place stay");
            // Without one, or with an empty one, it has none.
            let none = told.clone().with(anew(&[(ssh, None), (web, Some(""))]));
            assert_eq!(descriptions(&none), [None, None], "{era}");
            let changes = |sample: &Sample, operation| {
                let mut cloud = sample.0.clone();
                let changed = apply(&mut cloud, &operation).unwrap();
                changed.changes().iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            let said = changes(&told, anew(&[(ssh, None), (web, Some(""))]));
            let expected = [
                "g tcp 22 from 10.0.0.0/8: description \"bastion\" -> none",
                "g tcp 80 from anywhere: description \"shop\" -> none",
            ];
            assert_eq!(said, expected, "{era}");
            assert!(changes(&told, anew(&[(ssh, Some("bastion"))])).is_empty(), "{era}");
        }
    }

    #[test]
    fn to_describe_what_is_not_there_is_refused_in_every_era_and_describes_nothing() {
        let ssh = "tcp 22 from 10.0.0.0/8";
        let missing = "InvalidPermission.NotFound: The specified rule does not exist in this security group.";
        for era in Era::ALL {
            let sample = Sample::new(era).group("g", &[ssh]);
            for other in ["tcp 22 from 10.0.0.0/9", "tcp 22-23 from 10.0.0.0/8", "udp 22 from 10.0.0.0/8"] {
                assert_eq!(
                    refusal(&sample, &anew(&[(ssh, Some("bastion")), (other, None)])),
                    missing,
                    "{era}: {other}"
                );
            }
        }
        let sample = Sample::new(Era::Vpc).group("g", &[ssh]);
        let text = "InvalidParameterValue: Invalid rule description. Valid descriptions are strings less than 256 characters from \
                the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*";
        for invalid in ["it's", &"d".repeat(256)] {
            assert_eq!(refusal(&sample, &anew(&[(ssh, Some(invalid))])), text);
        }
        let twice = "InvalidParameterValue: The same permission must not appear multiple times";
        assert_eq!(refusal(&sample, &anew(&[(ssh, Some("one")), (ssh, Some("two"))])), twice);
        let egress = |rule| Operation::UpdateDescriptionEgress(GroupName::new("g"), vec![permission(rule)]);
        assert_eq!(refusal(&sample, &egress("tcp 22 to 10.0.0.0/8")), missing);
        let only = "InvalidParameterValue: Only Amazon VPC security groups may be used with this operation.";
        assert_eq!(refusal(&Sample::new(Era::Classic).group("g", &[ssh]), &egress("tcp 22 to 10.0.0.0/8")), only);
        let nobody = Operation::UpdateDescription(GroupName::new("h"), vec![permission(ssh)]);
        assert!(refusal(&sample, &nobody).starts_with("InvalidGroup.NotFound: "));
    }
}
