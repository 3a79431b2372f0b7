//! Connections that a scenario holds open: opening them, and what a step expects of them.

use super::cloudlike::Cloudlike;
use super::followed::Followed;
use super::results::{Check, CheckStatus, ConnectionDetails, Details, Said};
use super::{admitted, cells, explain};
use crate::lab::LabError;
use crate::model::{ConnectionName, Peers};
use crate::probe::Held;
use crate::topology::{Fate, FlowPattern, Opening, Placed};

/// Opens a connection, which the model follows from there; in words, why it did not come about.
///
/// # Errors
/// When the lab fails.
pub async fn open<L: Cloudlike>(
    lab: &mut L,
    opening: &Opening,
    followed: &mut Followed,
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
    judged(said, name, Fate::Alive, Held::Inconclusive { why }, |_| None)
}

/// Examines every connection that a step asks about.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Cloudlike>(
    lab: &mut L,
    all: &[(Fate, &[Placed<ConnectionName>])],
    followed: &Followed,
) -> Result<Vec<Check>, LabError> {
    let mut checks = Vec::new();
    for (expected, names) in all {
        for placed in *names {
            let found = match expected {
                Fate::Unanswerable => lab.examine_answer(&placed.value).await?,
                Fate::Alive | Fate::Cut | Fate::Gone => lab.examine(&placed.value).await?,
            };
            checks.push(check(lab, placed, *expected, found, followed));
        }
    }
    Ok(checks)
}

fn check<L: Cloudlike>(
    lab: &L,
    Placed { value: name, place }: &Placed<ConnectionName>,
    expected: Fate,
    found: Held,
    followed: &Followed,
) -> Check {
    let said = Said { words: format!("{}: {name}", expected.as_str()), place: place.clone() };
    let more = |found: &Held| alive(lab, name, followed).filter(|_| *found == Held::Alive);
    judged(said, name, expected, found, more)
}

/// Compares what was found with the expectation; `more` gives the reason for what speaks for itself.
fn judged(
    said: Said,
    name: &ConnectionName,
    expected: Fate,
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
fn alive<L: Cloudlike>(lab: &L, name: &ConnectionName, followed: &Followed) -> Option<String> {
    let recorded = lab.admissions(name).filter(|admissions| admissions.are_whole());
    let recorded = recorded.and_then(|admissions| admitted::alive(admissions, lab.cloud()));
    let foretold = || admitted::alive(followed.admissions(name)?, lab.cloud());
    recorded.or_else(|| Some(format!("by the model: {}", foretold()?)))
}

/// Returns `true` if a connection was found as expected; `false` where nothing is proved.
pub fn is(found: &Held, expected: Fate) -> bool {
    match found {
        Held::Alive => expected == Fate::Alive,
        Held::Cut(_) => expected == Fate::Cut,
        Held::Unanswerable(_) => expected == Fate::Unanswerable,
        Held::Gone { .. } => expected == Fate::Gone,
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
        Held::Alive => Fate::Alive.as_str(),
        Held::Cut(_) => Fate::Cut.as_str(),
        Held::Unanswerable(_) => Fate::Unanswerable.as_str(),
        Held::Gone { .. } => Fate::Gone.as_str(),
        Held::Inconclusive { .. } => "inconclusive",
    }
}
