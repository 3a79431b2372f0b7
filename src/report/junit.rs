//! Results as JUnit XML: a suite a run, a case a step.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::cases::{self, Case, Subject};
use super::{Entry, text};
use crate::scenario::{RunResult, StepStatus};

/// The results as one JUnit document. Wrong is a failure, inconclusive an error, not run is skipped.
///
/// # Errors
/// None is known: it is written to memory.
pub fn junit(entries: &[Entry]) -> Result<String, SerializeError> {
    let mut report = Report::new("sglab");
    for entry in entries {
        let mut suite = TestSuite::new(cases::title(entry));
        if let Entry::Ran(result) = entry {
            describe(&mut suite, result);
        }
        suite.add_test_cases(cases::cases(entry).iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

/// Adds what is of the whole run. Rules that nothing exercised are a case where coverage is required.
fn describe(suite: &mut TestSuite, result: &RunResult) {
    suite.set_time(result.took);
    suite.add_property(Property::new("era", result.head.era.as_str()));
    for claim in result.claims() {
        suite.add_property(Property::new("claim", claim));
    }
    for it in result.coverage.iter().filter(|it| !it.required).flat_map(|it| it.unexercised()) {
        suite.add_property(Property::new("unexercised-rule", text::rule(&it.rule)));
    }
}

fn case(it: &Case<'_>) -> TestCase {
    let mut status = match it.status {
        StepStatus::Passed => TestCaseStatus::success(),
        StepStatus::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        StepStatus::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        StepStatus::NotRun => TestCaseStatus::skipped(),
    };
    if let Some(message) = &it.message {
        status.set_message(message.as_str());
    }
    if let Some(details) = it.details() {
        status.set_description(details);
    }
    let mut case = TestCase::new(it.name.as_str(), status);
    if let Some(class) = &it.class {
        case.set_classname(class.as_str());
    }
    if let Some(assertions) = it.assertions {
        case.set_assertions(assertions);
    }
    if let Subject::Step { step, .. } = it.subject {
        case.set_time(step.took);
        if !step.claims.is_empty() {
            case.set_system_out(step.claims.join("\n"));
        }
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn wrong_is_a_failure_inconclusive_an_error_and_not_run_is_skipped() {
        let mut failed = testing::failed();
        failed.steps.truncate(2);
        let all = [failed.into(), testing::inconclusive().into(), testing::refused().into(), testing::claimed().into()];
        insta::assert_snapshot!(junit(&all).unwrap());
    }
}
