//! What instances are told by the services that groups never filter.

use super::cells;
use super::results::{AnswerResult, Finding};
use super::run::Cloudlike;
use crate::lab::{Asked, LabError};
use crate::model::topology::{Expectation, Placed, Step};

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
