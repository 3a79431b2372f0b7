//! Names and descriptions: which characters they are made of, and how many.
//!
//! Sources: CreateSecurityGroup, IpRange (EC2 API reference, 2014 and today); the texts are those in circulation in logs of
//! EC2's answers, but for that about the characters of a name, which is sglab's own.

use super::refuse::refuse;
use crate::model::cloud::Cloud;
use crate::model::default_group::DEFAULT_GROUP;
use crate::model::name::Ec2Name;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::shown::shown;

/// A name, and a description, has at most so many characters.
const MAX_LENGTH: usize = 255;

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
    if kept.len() > MAX_LENGTH || cloud.is_vpc() && !is_plain(kept) {
        let set = if cloud.is_vpc() { " from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*" } else { "" };
        return invalid(&format!("Valid names are strings less than 256 characters{set}."));
    }
    Ok(Ec2Name::new(kept))
}

/// Returns true if EC2 takes a text as the name of a new group of a VPC.
pub(crate) fn is_group_name(text: &str) -> bool {
    let plain = !text.is_empty() && text.len() <= MAX_LENGTH && is_plain(text);
    plain && !text.starts_with("sg-") && !text.ends_with(' ') && !text.eq_ignore_ascii_case(DEFAULT_GROUP)
}

/// Returns true if EC2 takes a text as the description of a group or a rule.
pub(crate) fn is_description(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LENGTH && is_plain(text)
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
    if is_plain && text.len() <= MAX_LENGTH {
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
