//! Checks of rules that others carry.

use super::check::{Advice, Check};
use super::cure;
use super::fixes::Fix;
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::proof::Claim;
use super::subject::{Ruled, Subject};
use crate::reach::Carried;

const NP_GUARD: Advice = Advice {
    who: "np-guard, sg-rule-implied",
    link: "https://github.com/np-guard/vpc-network-config-analyzer/blob/main/docs/vpcanalyzer_lint.md",
};
const MANAGER: Advice = Advice {
    who: "AWS Firewall Manager, usage audit policies",
    link: "https://docs.aws.amazon.com/waf/latest/developerguide/security-group-policies.html",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "shadowed-rule",
        level: Level::Warning,
        title: "another rule carries all that a rule admits",
        why: "Whoever takes the rule away to close something closes nothing. sglab compares what packets are admitted and not the words, over every member and peer.",
        advice: &[NP_GUARD, MANAGER],
        profiles: &[Profile::Article, Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 443 from 203.0.113.0/24]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from anywhere, tcp 22 from 203.0.113.0/24]}
instances: {web1: {groups: web}}
",
        fix: Some(Fix::CutRule),
        claim: Some(Claim::SameWithout),
        run: shadowed,
    },
    Check {
        id: "redundant-rule",
        level: Level::Warning,
        title: "several rules together carry all that a rule admits",
        why: "Everybody reaches the same without it: sglab compares the reach of every member with and without the rule.",
        advice: &[NP_GUARD, MANAGER],
        profiles: &[Profile::Article, Profile::Aws],
        bad: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from 10.1.0.0/17, tcp 443 from 10.1.128.0/17, tcp 443 from 10.1.0.0/16]}
instances: {web1: {groups: web}}
",
        good: "\
sglab: 1
era: vpc
groups: {web: [tcp 443 from 10.1.0.0/17, tcp 443 from 10.1.128.0/18, tcp 443 from 10.1.0.0/16]}
instances: {web1: {groups: web}}
",
        fix: Some(Fix::CutRule),
        claim: Some(Claim::SameWithout),
        run: redundant,
    },
];

fn shadowed(subject: &Subject<'_>) -> Vec<Found> {
    let one = subject.carried().iter().filter(|carried| carried.by.len() == 1);
    one.filter_map(|carried| finding(subject, carried, "")).collect()
}

fn redundant(subject: &Subject<'_>) -> Vec<Found> {
    let several = subject.carried().iter().filter(|carried| carried.by.len() > 1);
    several.filter_map(|carried| finding(subject, carried, "together ")).collect()
}

fn finding(subject: &Subject<'_>, carried: &Carried, together: &str) -> Option<Found> {
    let ruled = subject.ruled(&carried.rule)?;
    let by: Vec<Ruled<'_>> = carried.by.iter().filter_map(|at| subject.ruled(at)).collect();
    let is_of_others = by.iter().any(|by| by.id != ruled.id);
    // Each group is born with such a rule, and nobody has written it.
    if by.is_empty() || is_of_others && ruled.is_born() {
        return None;
    }
    let names: Vec<String> = by
        .iter()
        .map(|by| match by.id == ruled.id {
            true => format!("\"{}\"", subject.words(by)),
            false => format!("\"{}\" of {}", subject.words(by), by.group.label),
        })
        .collect();
    let verb = if by.len() == 1 { "admits" } else { "admit" };
    let today = if is_of_others { ", as long as members stay as they are" } else { "" };
    let message = format!("{} {together}{verb} all of it{today}", names.join(" and "));
    let revoke = cure::revoke(subject, &ruled);
    let found = subject.of_rule(&ruled, message).cured([revoke]);
    Some(by.iter().fold(found, |found, by| found.beside(&by.rule.origin)))
}
