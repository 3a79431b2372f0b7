//! Judgement of a step: the evidence, held against what the step demands.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::demand::Demand;
use super::results::{
    Cell, CellDetails, CellSource, Check, CheckStatus, Class, Details, Finding, Grid, ProbedFlow, Row,
};
use super::{cells, change, explain};
use crate::lab::RuleHandles;
use crate::model::{
    Attachment, Cloud, Endpoint, Flow, InstanceState, Refusal, RefusalCode, Service, SourceLocation, Via,
};
use crate::probe::{MissingEvidence, Outcome};
use crate::topology::{AddressFate, AddressKind, Columns, ExpectedOutcome};

/// Expectation of what the operations change.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Other addresses than before.
    NewAddresses(&'a [Attachment]),
    /// Another address of a kind, or the same.
    Address(AddressKind, AddressFate, &'a [Attachment]),
    /// No other rules in the kernel.
    RulesUnchanged,
    /// The last operation is refused, and changes nothing.
    Refusal(RefusalCode),
}

/// Judges every demand by what was observed; `resolved` is where flows by DNS name went. A cell as its table demands is no
/// check of its own.
pub fn flows(
    demands: &[Demand],
    observed: &IndexMap<Flow, Outcome>,
    resolved: &IndexMap<Flow, IpAddr>,
    cloud: &Cloud,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for demand in demands {
        let outcome =
            observed.get(&demand.flow).cloned().unwrap_or(Outcome::Inconclusive { why: MissingEvidence::NotProbed });
        let right = satisfies(demand, &outcome);
        if right && demand.by == CellSource::Table {
            continue;
        }
        checks.push(check(demand, outcome, right, resolved.get(&demand.flow).copied(), cloud));
    }
    checks
}

fn check(demand: &Demand, outcome: Outcome, right: bool, resolved: Option<IpAddr>, cloud: &Cloud) -> Check {
    let word = demand.expected.as_str();
    Check {
        subject: demand.flow.to_string(),
        expected: demand.at.map_or_else(|| word.to_owned(), |at| format!("{word} at {at}")),
        observed: Class::of(&outcome).as_str().to_owned(),
        status: match outcome {
            _ if right => CheckStatus::Passed,
            Outcome::Inconclusive { .. } => CheckStatus::Inconclusive,
            _ => CheckStatus::Failed,
        },
        reason: explain::reason_in_words(&demand.flow, &outcome, cloud),
        said: demand.said.clone(),
        details: Details::Cell(CellDetails {
            flow: demand.flow.clone(),
            expected: demand.expected,
            at: demand.at,
            rule: explain::deciding_rule(&outcome, cloud),
            outcome,
            resolved,
            by: demand.by,
        }),
    }
}

/// Lists the outcomes of flows that somebody besides the step asks about.
pub fn asked(
    flows: &[Flow],
    observed: &IndexMap<Flow, Outcome>,
    resolved: &IndexMap<Flow, IpAddr>,
    cloud: &Cloud,
) -> Vec<ProbedFlow> {
    let seen = |flow: &Flow| {
        let (outcome, resolved) = (observed.get(flow)?.clone(), resolved.get(flow).copied());
        Some(explain::explained(flow.clone(), outcome, resolved, cloud))
    };
    flows.iter().filter_map(seen).collect()
}

/// Returns `true` if an outcome is the one demanded. What is not proved never is.
pub fn satisfies(demand: &Demand, outcome: &Outcome) -> bool {
    match (demand.expected, outcome) {
        (ExpectedOutcome::Open, Outcome::Open { .. })
        | (ExpectedOutcome::Refused, Outcome::Refused { .. })
        | (ExpectedOutcome::Closed, Outcome::Closed { .. })
        | (ExpectedOutcome::Unreachable, Outcome::Unreachable { .. }) => true,
        (ExpectedOutcome::Dropped, Outcome::Dropped(drop)) => {
            demand.at.is_none_or(|demanded| drop.cause.groups().is_some_and(|(at, ..)| at == demanded))
        }
        _ => false,
    }
}

/// Somebody else answering is wrong wherever it is seen, whether the step looked at that cell or not.
pub fn misdelivered(observed: &IndexMap<Flow, Outcome>, demands: &[Demand], place: &SourceLocation) -> Vec<Finding> {
    observed
        .iter()
        .filter_map(|(flow, outcome)| match outcome {
            Outcome::Misdelivered { answered_by } => Some((flow, answered_by)),
            _ => None,
        })
        .filter(|(flow, _)| !demands.iter().any(|demand| demand.flow == **flow))
        .map(|(flow, answered_by)| Finding {
            text: format!("{flow} was answered by {answered_by}"),
            place: place.clone(),
        })
        .collect()
}

/// The cloud and the kernel's rules around a step.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    /// The cloud before the first operation.
    pub before: &'a Cloud,
    /// The cloud now.
    pub now: &'a Cloud,
    /// The rules before and now, if they were read.
    pub rules: Option<(&'a RuleHandles, &'a RuleHandles)>,
    /// Refusal of the last operation, if it was refused, with `true` if all stayed as it was.
    pub refused: Option<(&'a Refusal, bool)>,
}

/// Judges what a step expects of what its operations change.
pub fn changes(expected: &[(Change<'_>, &SourceLocation)], moments: Moments<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (change, place) in expected {
        let texts = match change {
            Change::NewAddresses(interfaces) => interfaces.iter().filter_map(|at| kept(at, moments)).collect(),
            Change::Address(kind, fate, interfaces) => {
                interfaces.iter().filter_map(|at| fated(at, *kind, *fate, moments)).collect()
            }
            Change::RulesUnchanged => match moments.rules.map(|(before, now)| change::rules(before, now)) {
                Some(0) => Vec::new(),
                Some(1) => vec!["rules: unchanged, but 1 rule was added, removed or replaced".to_owned()],
                Some(count) => vec![format!("rules: unchanged, but {count} rules were added, removed or replaced")],
                None => vec!["rules: unchanged, but the rules in the kernel were not read".to_owned()],
            },
            Change::Refusal(code) => match moments.refused {
                Some((refusal, true)) if refusal.code == *code => Vec::new(),
                Some((refusal, false)) if refusal.code == *code => {
                    vec![format!("refused with {} as expected, and yet something changed", code.as_str())]
                }
                Some((refusal, _)) => vec![format!("expected {}, refused with {}", code.as_str(), refusal.in_full())],
                None => vec![format!("expected {}, and the operation was carried out", code.as_str())],
            },
        };
        findings.extend(texts.into_iter().map(|text| Finding { text, place: (*place).clone() }));
    }
    findings
}

/// Finds what is wrong with the addresses of an interface that must hold new ones.
fn kept(at: &Attachment, moments: Moments<'_>) -> Option<String> {
    let name = at.short();
    let interface = |cloud: &Cloud| cloud.attached(at).cloned();
    let (Some(was), Some(is)) = (interface(moments.before), interface(moments.now)) else {
        return Some(format!("new-addresses: {name} was not there both before and after the step"));
    };
    let same = |kind: AddressKind, was: Option<String>, is: Option<String>| match (was, is) {
        (Some(was), Some(is)) if was == is => Some(format!("{name} kept its {} address {was}", kind.as_str())),
        (Some(_), Some(_)) => None,
        (None, _) => Some(had_none(at, kind, moments)),
        (_, None) => Some(format!("{name} has no {} address now", kind.as_str())),
    };
    let wrong: Vec<String> = [
        same(AddressKind::Private, was.private.map(|ip| ip.to_string()), is.private.map(|ip| ip.to_string())),
        same(AddressKind::Public, was.public.map(|ip| ip.to_string()), is.public.map(|ip| ip.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!wrong.is_empty()).then(|| format!("new-addresses: {}", wrong.join(", and ")))
}

/// Says that an interface held no address at the end of the step before, and what to do about it where its instance was stopped there.
fn had_none(at: &Attachment, kind: AddressKind, moments: Moments<'_>) -> String {
    let advice = match moments.before.instances.get(&at.instance).map(|it| it.state) {
        Some(InstanceState::Stopped) => format!(
            "; the address before and after one step are compared, so stop and start it in one: `do: [{{stop: {0}}}, {{start: {0}}}]`",
            at.instance
        ),
        Some(InstanceState::Running | InstanceState::Crashed) | None => String::new(),
    };
    format!("{} had no {} address before this step{advice}", at.short(), kind.as_str())
}

/// Finds what is wrong with one address of an interface that must be another one, or the same.
fn fated(at: &Attachment, kind: AddressKind, fate: AddressFate, moments: Moments<'_>) -> Option<String> {
    let name = at.short();
    let held = |cloud: &Cloud| {
        let interface = cloud.attached(at)?;
        match kind {
            AddressKind::Private => interface.private.map(|ip| ip.to_string()),
            AddressKind::Public => interface.public.map(|ip| ip.to_string()),
        }
    };
    let what = kind.as_str();
    let expected = match fate {
        AddressFate::New => format!("new-{what}"),
        AddressFate::Same => format!("same-{what}"),
    };
    let wrong = match (fate, held(moments.before), held(moments.now)) {
        (AddressFate::New, Some(was), Some(is)) if was != is => return None,
        (AddressFate::Same, Some(was), Some(is)) if was == is => return None,
        (AddressFate::New, Some(was), Some(_)) => format!("{name} kept its {what} address {was}"),
        (AddressFate::Same, Some(was), Some(is)) => format!("{name} has the {what} address {is} in place of {was}"),
        (_, None, _) => had_none(at, kind, moments),
        (_, _, None) => format!("{name} has no {what} address now"),
    };
    Some(format!("{expected}: {wrong}"))
}

/// Arranges what was observed as the grid that a reader sees.
pub fn grid(
    cloud: &Cloud,
    extent: &cells::Extent,
    columns: &Columns,
    observed: &IndexMap<Flow, Outcome>,
    demands: &[Demand],
) -> Grid {
    let mut expected: IndexMap<&Flow, (ExpectedOutcome, bool)> = IndexMap::new();
    for demand in demands {
        let wrong = observed
            .get(&demand.flow)
            .is_some_and(|outcome| !satisfies(demand, outcome) && Class::of(outcome) != Class::Inconclusive);
        expected
            .entry(&demand.flow)
            .and_modify(|seen| *seen = if wrong { (demand.expected, true) } else { *seen })
            .or_insert((demand.expected, wrong));
    }
    let senders = cells::senders(cloud, &extent.vias);
    let services = cells::columns_of(columns, &senders);
    let targets = extent.receivers(cloud);
    let cell = |from: &Endpoint, to: &Endpoint, via: Via, service: Service| {
        if !columns.are_asked(service, via) {
            return None;
        }
        let flow = Flow { from: from.clone(), to: to.clone(), via, service };
        let class = observed.get(&flow).map_or(Class::Inconclusive, Class::of);
        let demanded = expected.get(&flow);
        Some(Cell {
            class,
            expected: demanded.map(|(expected, _)| *expected),
            wrong: class == Class::Misdelivered || demanded.is_some_and(|(_, wrong)| *wrong),
        })
    };
    let rows = senders
        .iter()
        .map(|(from, via)| Row {
            from: from.clone(),
            via: *via,
            blocks: targets
                .iter()
                .map(|to| {
                    let via = cells::path(cloud, from, to, *via)?;
                    Some(services.iter().map(|&service| cell(from, to, via, service)).collect())
                })
                .collect(),
        })
        .collect();
    Grid { services, targets, rows }
}
