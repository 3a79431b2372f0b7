//! Answers to instances by the services that groups never filter.

use super::super::backend::Backend;
use super::super::cells;
use super::super::results::{AnswerDetails, Check, CheckStatus, Details, Finding, Said, Section};
use super::seen::Seen;
use crate::lab::{LabError, ServiceResponse};
use crate::model::{InstanceName, SourceLocation, VpcService};
use crate::topology::Question;

/// Questions to such services, in reports.
pub const SECTION: Section = Section::ANSWERS;

/// Asks whatever a step expects an answer to, and gives the questions that nobody asks now, which is a mistake.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Backend>(
    lab: &mut L,
    questions: &[&Question],
    seen: &Seen<'_>,
) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
    let (mut checks, mut empty) = (Vec::new(), Vec::new());
    for question in questions {
        let askers = match cells::askers(&question.from, seen.now) {
            Ok(askers) => askers,
            Err(why) => {
                let text = format!("`{}` asks nothing: {why}", question.written);
                empty.push(Finding { text, place: question.place.clone() });
                continue;
            }
        };
        for from in askers {
            let asked = lab.ask_service(&from, question.service).await?;
            checks.push(check(from, question.service, asked, &question.place));
        }
    }
    Ok((checks, empty))
}

fn check(from: InstanceName, service: VpcService, asked: ServiceResponse, place: &SourceLocation) -> Check {
    let (status, observed, reason) = match asked {
        ServiceResponse::Answered { what } => (CheckStatus::Passed, "answered", what),
        ServiceResponse::Wrong { why } => (CheckStatus::Failed, "wrong", why),
        ServiceResponse::Inconclusive { why } => (CheckStatus::Inconclusive, "inconclusive", why),
    };
    Check {
        subject: format!("{from} -> {service}"),
        expected: "answered".to_owned(),
        observed: observed.to_owned(),
        status,
        reason: Some(reason),
        said: Said { words: format!("answered: {from} -> {service}"), place: place.clone() },
        details: Details::Answer(AnswerDetails { from, service }),
    }
}
