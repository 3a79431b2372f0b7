//! Connections that a scenario holds open: opening them, and what a step expects of them.

use super::backend::Backend;
use super::connection_tracker::ConnectionTracker;
use super::results::{Check, CheckStatus, ConnectionDetails, Details, Said};
use super::{admitted, cells, explain};
use crate::lab::LabError;
use crate::model::{ConnectionName, Peers};
use crate::probe::Held;
use crate::topology::{ExpectedConnection, FlowPattern, Opening, Placed};

/// Opens a connection, which the model follows from there; in words, why it did not come about.
///
/// # Errors
/// When the lab fails.
pub async fn open<L: Backend>(
    lab: &mut L,
    opening: &Opening,
    followed: &mut ConnectionTracker,
) -> Result<Option<String>, LabError> {
    let one_way = FlowPattern { both_ways: false, ..opening.flow.clone() };
    let flows = match cells::select(&one_way, None, lab.cloud()) {
        Ok(flows) => flows,
        Err(why) => return Ok(Some(why)),
    };
    let [flow] = flows.as_slice() else {
        let count = flows.len();
        return Ok(Some(format!("`{}` means {count} flows, and a connection is one", opening.flow.written)));
    };
    let peers = opening.flow.both_ways.then(|| Peers::of(flow, opening.flow.from_port));
    let opened = match &peers {
        Some(peers) => lab.meet(&opening.name, peers).await,
        None => lab.open(&opening.name, flow).await,
    };
    match opened {
        Ok(()) => {
            if lab.predictor().is_some() {
                match &peers {
                    Some(peers) => followed.meet(lab.cloud(), &opening.name, peers),
                    None => followed.open(lab.cloud(), &opening.name, flow),
                }
            }
            Ok(None)
        }
        Err(error @ LabError::NotOpened { .. }) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Makes the check of a connection that was to be opened, where nothing proves why it did not come about.
pub fn unproved(opening: &Placed<Opening>, why: String) -> Check {
    let Placed { value: Opening { name, .. }, place } = opening;
    let said = Said { words: format!("open: {name}"), place: place.clone() };
    judged(said, name, ExpectedConnection::Alive, Held::Inconclusive { why }, |_| None)
}

/// Examines every connection that a step asks about.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Backend>(
    lab: &mut L,
    all: &[(ExpectedConnection, &[Placed<ConnectionName>])],
    followed: &ConnectionTracker,
) -> Result<Vec<Check>, LabError> {
    let mut checks = Vec::new();
    for (expected, names) in all {
        for placed in *names {
            let found = match expected {
                ExpectedConnection::Unanswerable => lab.examine_answer(&placed.value).await?,
                ExpectedConnection::Alive | ExpectedConnection::Cut | ExpectedConnection::Gone => {
                    lab.examine(&placed.value).await?
                }
            };
            checks.push(check(lab, placed, *expected, found, followed));
        }
    }
    Ok(checks)
}

fn check<L: Backend>(
    lab: &L,
    Placed { value: name, place }: &Placed<ConnectionName>,
    expected: ExpectedConnection,
    found: Held,
    followed: &ConnectionTracker,
) -> Check {
    let said = Said { words: format!("{}: {name}", expected.as_str()), place: place.clone() };
    let more = |found: &Held| alive(lab, name, followed).filter(|_| *found == Held::Alive);
    judged(said, name, expected, found, more)
}

/// Compares what was found with the expectation; `more` gives the reason for what speaks for itself.
fn judged(
    said: Said,
    name: &ConnectionName,
    expected: ExpectedConnection,
    found: Held,
    more: impl FnOnce(&Held) -> Option<String>,
) -> Check {
    Check {
        subject: format!("connection {name}"),
        expected: expected.as_str().to_owned(),
        observed: word(&found).to_owned(),
        status: match found {
            Held::Inconclusive { .. } => CheckStatus::Inconclusive,
            _ if is(&found, expected) => CheckStatus::Passed,
            _ => CheckStatus::Failed,
        },
        reason: reason(&found).or_else(|| more(&found)),
        said,
        details: Details::Connection(ConnectionDetails { name: name.clone(), expected, found }),
    }
}

/// Explains why a connection is alive: by what has been recorded of it or, where that is not the whole, by the model.
fn alive<L: Backend>(lab: &L, name: &ConnectionName, followed: &ConnectionTracker) -> Option<String> {
    let recorded = lab.admissions(name).filter(|admissions| admissions.are_whole());
    let recorded = recorded.and_then(|admissions| admitted::alive(admissions, lab.cloud()));
    let foretold = || admitted::alive(followed.admissions(name)?, lab.cloud());
    recorded.or_else(|| Some(format!("by the model: {}", foretold()?)))
}

/// Returns `true` if a connection was found as expected; `false` where nothing is proved.
pub fn is(found: &Held, expected: ExpectedConnection) -> bool {
    match found {
        Held::Alive => expected == ExpectedConnection::Alive,
        Held::Cut(_) => expected == ExpectedConnection::Cut,
        Held::Unanswerable(_) => expected == ExpectedConnection::Unanswerable,
        Held::Gone { .. } => expected == ExpectedConnection::Gone,
        Held::Inconclusive { .. } => false,
    }
}

/// Gives the reason for it beyond its word.
pub fn reason(found: &Held) -> Option<String> {
    match found {
        Held::Alive => None,
        Held::Cut(drops) => {
            let mut all: Vec<String> = Vec::new();
            for text in drops.iter().map(explain::cut) {
                if !all.contains(&text) {
                    all.push(text);
                }
            }
            Some(all.join("; "))
        }
        Held::Unanswerable(drops) => {
            let ends: Vec<String> = drops.iter().map(explain::unanswerable).collect();
            Some(format!("{}, for nobody remembers the question", ends.join("; ")))
        }
        Held::Gone { why } | Held::Inconclusive { why } => Some(why.clone()),
    }
}

/// The word for what was found.
pub fn word(found: &Held) -> &'static str {
    match found {
        Held::Alive => ExpectedConnection::Alive.as_str(),
        Held::Cut(_) => ExpectedConnection::Cut.as_str(),
        Held::Unanswerable(_) => ExpectedConnection::Unanswerable.as_str(),
        Held::Gone { .. } => ExpectedConnection::Gone.as_str(),
        Held::Inconclusive { .. } => "inconclusive",
    }
}
