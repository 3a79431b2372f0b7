//! The difference of two accounts for programs.

use ipnet::IpNet;
use serde::Serialize;

use super::Told;
use super::proof::{self, ProofJson};
use crate::account::{LeftOut, Origin};
use crate::lint::{AllowedPassage, FlowAllowance};
use crate::model::{Direction, SourceLocation};
use crate::reach::{
    AddressChange, Certainty, End, EntryChange, GroupChange, MemberChange, Passage, Reached, RuleChange, Way,
};

/// Version of the format; a change that programs would notice raises it.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    verdict: Verdict,
    opened: Vec<PassageJson<'a>>,
    closed: Vec<PassageJson<'a>>,
    groups: Changes<GroupJson<'a>>,
    rules: Changes<RuleJson<'a>>,
    entries: Changes<EntryJson<'a>>,
    members: Changes<MemberJson<'a>>,
    addresses: Changes<AddressJson<'a>>,
    not_known: Vec<NotKnownJson<'a>>,
    gone: Vec<GoneJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<AllowedJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    useless_allowances: Vec<UselessJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofJson<'a>>,
}

#[derive(Serialize)]
struct AllowedJson<'a> {
    #[serde(flatten)]
    passage: PassageJson<'a>,
    allowed_by: Vec<AllowanceJson<'a>>,
}

#[derive(Serialize)]
struct UselessJson<'a> {
    #[serde(flatten)]
    allowance: AllowanceJson<'a>,
    why: String,
}

#[derive(Serialize)]
struct AllowanceJson<'a> {
    flow: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    place: &'a SourceLocation,
}

#[derive(Serialize)]
struct NotKnownJson<'a> {
    kind: &'a str,
    reason: String,
    by: OriginJson<'a>,
}

#[derive(Serialize)]
struct GoneJson<'a> {
    #[serde(flatten)]
    item: NotKnownJson<'a>,
    may_open: bool,
}

#[derive(Serialize)]
struct Verdict {
    opened: usize,
    opened_from_outside: usize,
    closed: usize,
    unknown: usize,
    allowed: usize,
}

#[derive(Serialize)]
struct Changes<T> {
    added: Vec<T>,
    removed: Vec<T>,
}

#[derive(Serialize)]
struct PassageJson<'a> {
    way: Way,
    from: &'a str,
    to: &'a str,
    traffic: &'a str,
    certainty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
    by: Vec<OriginJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entries: &'a [IpNet],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    held_by: &'a [String],
    already: &'a [String],
    members: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    senders: &'a [String],
    members_are: End,
    reached: Reached,
}

#[derive(Serialize)]
struct OriginJson<'a> {
    resource: &'a str,
    place: &'a SourceLocation,
}

#[derive(Serialize)]
struct GroupJson<'a> {
    group: &'a str,
    by: OriginJson<'a>,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    group: &'a str,
    direction: Direction,
    rule: &'a str,
    by: OriginJson<'a>,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    prefix_list: &'a str,
    entry: IpNet,
    by: OriginJson<'a>,
}

#[derive(Serialize)]
struct MemberJson<'a> {
    member: &'a str,
    group: &'a str,
    by: OriginJson<'a>,
}

#[derive(Serialize)]
struct AddressJson<'a> {
    member: &'a str,
    address: &'a str,
    by: OriginJson<'a>,
}

/// The document.
///
/// # Errors
/// None that is known: all of it can be written.
pub fn json<'a>(told: impl Into<Told<'a>>) -> Result<String, serde_json::Error> {
    let told = told.into();
    let difference = told.difference;
    let known = |all: &[Passage]| all.iter().filter(|passage| passage.is_known()).count();
    let document = Document {
        format: FORMAT,
        verdict: Verdict {
            opened: known(&difference.opened),
            opened_from_outside: difference.opened_from_outside().count(),
            closed: known(&difference.closed),
            unknown: difference.unknown().count() + difference.not_known.len() + difference.gone.len(),
            allowed: told.allowed.len(),
        },
        opened: difference.opened.iter().map(passage).collect(),
        closed: difference.closed.iter().map(passage).collect(),
        groups: Changes {
            added: difference.groups_added.iter().map(group).collect(),
            removed: difference.groups_removed.iter().map(group).collect(),
        },
        rules: Changes {
            added: difference.rules_added.iter().map(rule).collect(),
            removed: difference.rules_removed.iter().map(rule).collect(),
        },
        entries: Changes {
            added: difference.entries_added.iter().map(entry).collect(),
            removed: difference.entries_removed.iter().map(entry).collect(),
        },
        members: Changes {
            added: difference.members_added.iter().map(member).collect(),
            removed: difference.members_removed.iter().map(member).collect(),
        },
        addresses: Changes {
            added: difference.addresses_added.iter().map(address).collect(),
            removed: difference.addresses_removed.iter().map(address).collect(),
        },
        not_known: difference.not_known.iter().map(not_known).collect(),
        gone: difference
            .gone
            .iter()
            .map(|item| GoneJson { item: not_known(item), may_open: item.may_restrict() })
            .collect(),
        allowed: told.allowed.iter().map(allowed).collect(),
        useless_allowances: told
            .useless
            .iter()
            .map(|item| UselessJson { allowance: allowance(&item.allowance), why: item.why.to_string() })
            .collect(),
        proof: told.proved.map(proof::json),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn not_known(item: &LeftOut) -> NotKnownJson<'_> {
    NotKnownJson { kind: &item.kind, reason: item.reason.to_string(), by: origin(&item.origin) }
}

fn origin(origin: &Origin) -> OriginJson<'_> {
    OriginJson { resource: origin.resource.as_str(), place: &origin.place }
}

fn allowed(item: &AllowedPassage) -> AllowedJson<'_> {
    AllowedJson { passage: passage(&item.passage), allowed_by: item.by.iter().map(allowance).collect() }
}

fn allowance(allowance: &FlowAllowance) -> AllowanceJson<'_> {
    AllowanceJson {
        flow: &allowance.flow,
        reason: &allowance.reason,
        until: allowance.until.map(|until| until.to_string()),
        place: &allowance.place,
    }
}

fn passage(passage: &Passage) -> PassageJson<'_> {
    let (certainty, unknown) = match &passage.certainty {
        Certainty::Known => ("known", None),
        Certainty::Unknown(why) => ("unknown", Some(why.as_str())),
    };
    PassageJson {
        way: passage.way,
        from: &passage.from,
        to: &passage.to,
        traffic: &passage.traffic,
        certainty,
        unknown,
        by: passage.by.iter().map(origin).collect(),
        entries: &passage.entries,
        held_by: &passage.held_by,
        already: &passage.already,
        members: &passage.members,
        senders: &passage.senders,
        members_are: passage.members_are,
        reached: passage.reached,
    }
}

fn group(change: &GroupChange) -> GroupJson<'_> {
    GroupJson { group: &change.group, by: origin(&change.origin) }
}

fn rule(change: &RuleChange) -> RuleJson<'_> {
    RuleJson { group: &change.group, direction: change.direction, rule: &change.rule, by: origin(&change.origin) }
}

fn entry(change: &EntryChange) -> EntryJson<'_> {
    EntryJson { prefix_list: &change.list, entry: change.entry, by: origin(&change.origin) }
}

fn member(change: &MemberChange) -> MemberJson<'_> {
    MemberJson { member: &change.member, group: &change.group, by: origin(&change.origin) }
}

fn address(change: &AddressChange) -> AddressJson<'_> {
    AddressJson { member: &change.member, address: &change.address, by: origin(&change.origin) }
}
