//! Expectations of load balancers: who answers behind them, and who is in service.

use indexmap::{IndexMap, IndexSet};

use super::super::backend::Backend;
use super::super::results::{
    Check, CheckStatus, Class, Counted, Details, Finding, Headline, Listing, Met, Said, Section, Statement,
};
use super::super::{cells, explain, health};
use super::seen::Seen;
use crate::lab::{HealthOfAll, LabError};
use crate::model::{Cloud, Flow, InstanceName, LoadBalancerName, SourceLocation};
use crate::probe::{Health, Outcome};
use crate::topology::{AnsweredBy, Placed, Rotation};

/// Expectation of load balancers.
#[derive(Clone, Copy, Debug)]
pub enum Balancers<'a> {
    /// Instances in service, or out of it.
    Health(Rotation, &'a [(Placed<LoadBalancerName>, InstanceName)]),
    /// Instances that answer.
    AnsweredBy(&'a [AnsweredBy]),
}

/// Load balancers, in reports.
pub const SECTION: Section = Section {
    key: "load_balancers",
    headline: Headline {
        rank: 1,
        before: "",
        unit: "expectation",
        counted: Counted::OfAll,
        after: " of load balancers not met",
    },
    listing: Listing::FailuresFirst,
};

/// Examines whatever a step expects of load balancers, and gives the flows that select nothing now, which is a mistake.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Backend>(
    lab: &mut L,
    expected: &[Balancers<'_>],
    seen: &Seen<'_>,
) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
    let (mut checks, mut empty) = (Vec::new(), Vec::new());
    for part in expected {
        match part {
            Balancers::Health(rotation, names) => {
                let found = lab.health().await?;
                let of = |(placed, name): &(_, _)| of_health(*rotation, placed, name, &found, seen.now);
                checks.extend(names.iter().map(of));
            }
            Balancers::AnsweredBy(all) => {
                for expected in *all {
                    match cells::select(&expected.flow, None, seen.now) {
                        Ok(flows) => checks.extend(answered_by(lab, expected, &flows, seen.now).await?),
                        Err(text) => empty.push(Finding { text, place: expected.flow.place.clone() }),
                    }
                }
            }
        }
    }
    Ok((checks, empty))
}

/// Makes the check of an expectation in the words of the file.
fn statement(
    expected: String,
    observed: String,
    status: CheckStatus,
    place: &SourceLocation,
    details: Details,
) -> Check {
    let said = Said { words: expected.clone(), place: place.clone() };
    Check { subject: String::new(), expected, observed, status, reason: None, said, details }
}

fn of_health(
    rotation: Rotation,
    balancer: &Placed<LoadBalancerName>,
    name: &InstanceName,
    found: &HealthOfAll,
    cloud: &Cloud,
) -> Check {
    let known = found.get(&balancer.value).and_then(|targets| targets.get(name));
    let (is, found) = match known {
        Some(Health::InService) => (Some(Rotation::In), "in service".to_owned()),
        Some(Health::OutOfService { why }) => {
            let cause = health::failure(cloud, &balancer.value, name).filter(|cause| cause != why);
            let cause = cause.map_or_else(String::new, |cause| format!("; {cause}"));
            (Some(Rotation::Out), format!("out of service; {why}{cause}"))
        }
        Some(Health::Undecided { why }) => (None, why.to_string()),
        None => (Some(Rotation::Out), "out of service; it is not registered".to_owned()),
    };
    let status = match is {
        Some(is) if is == rotation => CheckStatus::Passed,
        Some(_) => CheckStatus::Failed,
        None => CheckStatus::Inconclusive,
    };
    let expected = format!("{}: {{{}: {name}}}", rotation.as_str(), balancer.value);
    statement(
        expected,
        found,
        status,
        &balancer.place,
        Details::Statement(Statement { section: SECTION, of: None, met: Met::SaysLess }),
    )
}

/// Asks so often that everybody's turn comes twice: who is in service takes turns.
async fn answered_by<L: Backend>(
    lab: &mut L,
    expected: &AnsweredBy,
    flows: &[Flow],
    now: &Cloud,
) -> Result<Vec<Check>, LabError> {
    let behind = now.load_balancers.values().map(|balancer| balancer.registrations.len()).max();
    let rounds = 2 * behind.unwrap_or_default().max(expected.by.len()).max(1);
    let mut checks = Vec::new();
    for flow in flows {
        let batch = lab.probe(&vec![flow.clone(); rounds]).await?;
        let mut answerers: IndexSet<String> = IndexSet::new();
        let mut others: IndexMap<Class, String> = IndexMap::new();
        for seen in &batch.observations {
            match (&seen.outcome, &seen.answered_by) {
                (Outcome::Open { .. }, Some(by)) => drop(answerers.insert(by.clone())),
                (Outcome::Open { .. }, None) => {
                    others.insert(Class::Inconclusive, "an answer without a name".to_owned());
                }
                (outcome, _) => {
                    let reason = explain::reason(flow, outcome, now);
                    let class = Class::of(outcome);
                    let why = reason.map_or_else(String::new, |reason| format!("; {reason}"));
                    others.insert(class, format!("{}{why}", class.as_str()));
                }
            }
        }
        let as_expected = answerers.len() == expected.by.len()
            && expected.by.iter().all(|instance| answerers.contains(instance.as_str()));
        let is_known = batch.canaries_held && (as_expected || !lab.rests_on_a_program(flow));
        let is_expected = |name: &String| expected.by.iter().any(|instance| instance.as_str() == name);
        let is_disproved = !answerers.iter().all(is_expected) || others.keys().any(|it| *it != Class::Inconclusive);
        let status = match (is_known, is_disproved) {
            (false, _) => CheckStatus::Inconclusive,
            (true, true) => CheckStatus::Failed,
            (true, false) if others.contains_key(&Class::Inconclusive) => CheckStatus::Inconclusive,
            (true, false) if as_expected => CheckStatus::Passed,
            (true, false) => CheckStatus::Failed,
        };
        answerers.sort();
        let named = Some(answerers.into_iter().collect::<Vec<_>>().join(" and ")).filter(|names| !names.is_empty());
        let found: Vec<String> =
            named.map(|names| format!("answered by {names}")).into_iter().chain(others.into_values()).collect();
        let by = expected.by.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(" and ");
        let expected_words = format!("{flow} answered by {by}");
        checks.push(statement(
            expected_words,
            found.join("; "),
            status,
            &expected.flow.place,
            Details::Statement(Statement { section: SECTION, of: None, met: Met::SaysAll }),
        ));
    }
    Ok(checks)
}
