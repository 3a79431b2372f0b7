//! The difference of two accounts, for people, for programs, and for a pull request.

pub mod drift;
pub mod json;
pub mod markdown;
mod proof;
pub mod text;

use crate::account::LeftOut;
use crate::lint::{AllowedPassage, FlowAllowance, UselessFlowAllowance};
use crate::model::SourceLocation;
use crate::reach::{Difference, Passage, Reached};
use crate::scenario::proved::ProvedDifference;

/// A difference with what else is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The difference, without what is allowed.
    pub difference: &'a Difference,
    /// Passages that are newly open and allowed.
    pub allowed: &'a [AllowedPassage],
    /// Allowances that allow nothing.
    pub useless: &'a [UselessFlowAllowance],
    /// Result of the packets, if any were sent.
    pub proved: Option<&'a ProvedDifference>,
}

/// A difference of which nothing else is told.
impl<'a> From<&'a Difference> for Told<'a> {
    fn from(difference: &'a Difference) -> Self {
        Self { difference, allowed: &[], useless: &[], proved: None }
    }
}

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Opened,
    Closed,
}

/// The reason of an allowance, with its last day.
fn reason(allowance: &FlowAllowance) -> String {
    let until = allowance.until.map_or_else(String::new, |until| format!(", until {until}"));
    format!("{}{until}", allowance.reason)
}

/// The verdict in one line, with what is allowed.
fn whole_verdict(told: Told<'_>) -> String {
    match told.allowed.len() {
        0 => verdict(told.difference),
        allowed => format!("{}; {allowed} allowed", verdict(told.difference)),
    }
}

/// The verdict in one line.
pub fn verdict(difference: &Difference) -> String {
    let known = |all: &[Passage]| all.iter().filter(|passage| passage.is_known()).count();
    let outside = difference.opened_from_outside().count();
    let (opened, closed, unknown) =
        (known(&difference.opened), known(&difference.closed), difference.unknown().count());
    if difference.is_empty() {
        return "nothing opens, and nothing closes".to_owned();
    }
    let mut said = format!(
        "{} newly open, {} of them from outside; {} newly closed",
        super::count(opened, "passage"),
        outside,
        super::count(closed, "passage")
    );
    let unknown = unknown + difference.not_known.len() + difference.gone.len();
    if unknown > 0 {
        said.push_str(&format!("; {unknown} not known"));
    }
    said
}

/// Lines about what is not compared: a sentence each, and its place.
fn not_compared(difference: &Difference) -> impl Iterator<Item = (String, &SourceLocation)> {
    let words = |item: &LeftOut| format!("{} of {}: {}", item.kind, item.origin.resource, item.reason);
    let not_known = difference.not_known.iter().map(move |item| (format!("not known: {}", words(item)), item));
    let gone = difference.gone.iter().map(move |item| {
        let beginning = if item.may_restrict() { "gone, and may have kept something closed" } else { "gone" };
        (format!("{beginning}: {}", words(item)), item)
    });
    not_known.chain(gone).map(|(line, item)| (line, &item.origin.place))
}

/// Names the entries of a prefix list that a passage is by.
fn entries(passage: &Passage) -> Option<String> {
    let told = |entries: &[ipnet::IpNet]| entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match passage.entries.as_slice() {
        [] => None,
        [one] => Some(format!("entry {one}")),
        all if all.len() > 8 => Some(format!("entries {} and {} more", told(&all[..4]), all.len() - 4)),
        all => Some(format!("entries {}", told(all))),
    }
}

/// Says whose own public addresses are in the block at the other end.
fn held_by(passage: &Passage) -> Option<String> {
    match passage.held_by.as_slice() {
        [] => None,
        all if all.len() > 8 => {
            Some(format!("own addresses in it: {} and {} more", all[..4].join(", "), all.len() - 4))
        }
        all => Some(format!("own addresses in it: {}", all.join(", "))),
    }
}

/// Says which members of a group send, where it has others.
fn senders(passage: &Passage) -> Option<String> {
    listed(&passage.senders).map(|senders| format!("from {senders}"))
}

fn listed(members: &[String]) -> Option<String> {
    match members {
        [] => None,
        all if all.len() > 8 => Some(format!("{} and {} more", all[..4].join(", "), all.len() - 4)),
        all => Some(all.join(", ")),
    }
}

/// Says who stands behind a group, and whether packets of the internet arrive there.
fn behind(passage: &Passage) -> Option<String> {
    let members = listed(&passage.members);
    let way = match passage.reached {
        Reached::ByPublicAddress | Reached::Inside => None,
        Reached::ByAddressAlone => Some("its public address is what differs"),
        Reached::NoMember => Some("no member yet"),
        Reached::NoPublicAddress => Some("no public address"),
        Reached::Unknown => Some("public address not known yet"),
    };
    match (members, way) {
        (Some(members), Some(way)) => Some(format!("{members} ({way})")),
        (Some(members), None) => Some(members),
        (None, way) => way.map(str::to_owned),
    }
}
