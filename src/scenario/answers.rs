//! What instances are told by the services that groups never filter.

use super::cells;
use super::cloudlike::Cloudlike;
use super::findings::Finding;
use crate::lab::{Asked, LabError};
use crate::model::topology::{Expectation, Placed, Step};
use crate::model::{CloudService, InstanceName, Place};

/// A question to a service that groups never filter, to which a step expects an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerResult {
    /// Who asked.
    pub from: InstanceName,
    /// Whom.
    pub service: CloudService,
    /// What came of it.
    pub asked: Asked,
    /// Where the file says so.
    pub place: Place,
}

impl AnswerResult {
    /// Whether that is as expected.
    pub fn is_right(&self) -> bool {
        matches!(self.asked, Asked::Answered { .. })
    }

    /// Whether nothing proves it wrong either.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self.asked, Asked::Inconclusive { .. })
    }
}

/// Asks whatever a step expects an answer to, and gives the questions that nobody asks now, which is a mistake.
///
/// # Errors
/// When the lab fails.
pub async fn ask<L: Cloudlike>(lab: &mut L, step: &Step) -> Result<(Vec<AnswerResult>, Vec<Finding>), LabError> {
    let (mut results, mut empty) = (Vec::new(), Vec::new());
    for Placed { value, .. } in &step.expectations {
        let Expectation::Answered(questions) = value else { continue };
        for question in questions {
            let askers = match cells::askers(&question.from, lab.cloud()) {
                Ok(askers) => askers,
                Err(why) => {
                    let text = format!("`{}` asks nothing: {why}", question.written);
                    empty.push(Finding { text, place: question.place.clone() });
                    continue;
                }
            };
            for from in askers {
                let asked = lab.ask_service(&from, question.service).await?;
                results.push(AnswerResult { from, service: question.service, asked, place: question.place.clone() });
            }
        }
    }
    Ok((results, empty))
}

/// The word for what came of a question.
pub fn word(asked: &Asked) -> &'static str {
    match asked {
        Asked::Answered { .. } => "answered",
        Asked::Wrong { .. } => "wrong",
        Asked::Inconclusive { .. } => "inconclusive",
    }
}

/// What there is to say of it.
pub fn detail(asked: &Asked) -> &str {
    match asked {
        Asked::Answered { what } => what,
        Asked::Wrong { why } | Asked::Inconclusive { why } => why,
    }
}
